//! BAM (SAM specification, section 4.2).
//!
//! Records are read into one buffer and stay there: noodles' `RecordRef` is a view of it, which also finds the CIGAR of
//! more than 65,535 operations in its `CG` tag. The buffer is filled here, since noodles makes it as large as the file
//! says (up to 4 GiB) before it knows whether so much follows.

use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::vec;

use noodles::bam::RecordRef;
use noodles::bgzf::VirtualPosition;
use noodles::core::Position;

use super::blocks::{self, Seekable};
use super::{AlignedRead, Contig, Header, Source};

/// Bytes of a record before the name.
const HEAD: usize = 32;
/// More bytes than a record of a whole chromosome has.
const MAX_RECORD: usize = 1 << 30;
/// Records up to this size are read in one go.
const USUAL: usize = 1 << 20;
/// More bytes than the text of a header has, more contigs than an assembly has, more bytes than a name has.
const MAX_TEXT: u32 = 1 << 30;
const MAX_CONTIGS: u32 = 1 << 24;
const MAX_NAME: u32 = 1 << 16;

/// A file that is read from its start to its end.
pub(super) struct Whole {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    contigs: usize,
}

impl Whole {
    pub(super) fn open(path: &Path, threads: usize) -> io::Result<(Header, Self)> {
        let mut input = blocks::whole(path, threads)?;
        let header = header(&mut input)?;
        let contigs = header.contigs.len();
        Ok((header, Self { input, buffer: Vec::new(), contigs }))
    }
}

impl Source for Whole {
    fn advance(&mut self, read: &mut AlignedRead) -> io::Result<bool> {
        Ok(record(&mut *self.input, &mut self.buffer)? && parse(&self.buffer, self.contigs, read)?)
    }
}

/// Those parts of a file that an index names.
pub(super) struct Chunks {
    input: Seekable,
    buffer: Vec<u8>,
    contigs: usize,
    parts: vec::IntoIter<(u64, u64)>,
    end: Option<VirtualPosition>,
    /// Whether the present part has given no record yet.
    fresh: bool,
}

impl Chunks {
    pub(super) fn open(path: &Path, contigs: usize, chunks: Vec<(u64, u64)>) -> io::Result<Self> {
        let input = blocks::seekable(path)?;
        Ok(Self { input, buffer: Vec::new(), contigs, parts: chunks.into_iter(), end: None, fresh: false })
    }
}

impl Source for Chunks {
    fn advance(&mut self, read: &mut AlignedRead) -> io::Result<bool> {
        loop {
            match self.end {
                Some(end) if self.input.virtual_position() < end => {
                    if record(&mut self.input, &mut self.buffer)? {
                        self.fresh = false;
                        return parse(&self.buffer, self.contigs, read);
                    }
                    if self.fresh {
                        return Err(wrong("the index names places behind the end of the file; make it anew"));
                    }
                    // the last part ends in the block behind the last record's, which is empty
                    self.end = None;
                }
                _ => {
                    let Some((start, end)) = self.parts.next() else { return Ok(false) };
                    self.input.seek(VirtualPosition::from(start))?;
                    self.end = Some(VirtualPosition::from(end));
                    self.fresh = true;
                }
            }
        }
    }
}

fn wrong(problem: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem.into())
}

/// Reads the next record into `buffer`; `false` at the end of the file.
fn record<R: Read + ?Sized>(input: &mut R, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut size = [0; 4];
    let mut filled = 0;
    while filled < size.len() {
        match input.read(&mut size[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(wrong("the file ends inside a record")),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let size = u32::from_le_bytes(size) as usize;
    if !(HEAD..=MAX_RECORD).contains(&size) {
        return Err(wrong(format!("a record says that it has {size} bytes; {HEAD} to {MAX_RECORD} are possible")));
    }
    fill(input, buffer, size)?;
    let cigar = usize::from(u16::from_le_bytes([buffer[12], buffer[13]]));
    let bases = u32_at(buffer, 16) as usize;
    let needed = HEAD + usize::from(buffer[8]) + 4 * cigar + bases.div_ceil(2) + bases;
    if size < needed {
        return Err(wrong(format!("a record of {size} bytes says that its parts have {needed}")));
    }
    Ok(true)
}

/// Reads `size` bytes; more than usual only as far as they are there.
fn fill<R: Read + ?Sized>(input: &mut R, buffer: &mut Vec<u8>, size: usize) -> io::Result<()> {
    if size <= USUAL {
        buffer.resize(size, 0);
        return input.read_exact(buffer);
    }
    buffer.clear();
    let got = Read::take(&mut *input, size as u64).read_to_end(buffer)?;
    if got < size {
        return Err(wrong(format!("the file ends {} bytes before a part that has {size}", size - got)));
    }
    Ok(())
}

/// Four bytes of a buffer that is long enough.
fn u32_at(buffer: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([buffer[at], buffer[at + 1], buffer[at + 2], buffer[at + 3]])
}

/// Takes out of a checked record what an [`AlignedRead`] has.
fn parse(buffer: &[u8], contigs: usize, read: &mut AlignedRead) -> io::Result<bool> {
    let Some(record) = RecordRef::new(buffer) else { return Err(wrong("a record without its head")) };
    read.clear();
    read.contig = contig(record.reference_sequence_id(), contigs)?;
    read.start = start(record.alignment_start())?;
    read.flags = record.flags().bits();
    read.mapping_quality = record.mapping_quality().map_or(255, |quality| quality.get());
    read.mate_contig = contig(record.mate_reference_sequence_id(), contigs)?;
    read.mate_start = start(record.mate_alignment_start())?;
    read.template_length = i64::from(record.template_length());
    if let Some(name) = record.name() {
        read.name.extend_from_slice(name);
    }
    let packed = record.cigar();
    read.cigar.extend(packed.as_bytes().chunks_exact(4).map(|operation| u32_at(operation, 0)));
    Ok(true)
}

/// A contig's number, which has to be one of the header's.
pub(super) fn contig(id: Option<io::Result<usize>>, contigs: usize) -> io::Result<Option<usize>> {
    match id.transpose()? {
        Some(id) if id >= contigs => Err(wrong(format!("a read is on contig {id}; the header has {contigs}"))),
        id => Ok(id),
    }
}

/// A 0-based position, −1 for none.
pub(super) fn start(position: Option<io::Result<Position>>) -> io::Result<i64> {
    Ok(position.transpose()?.map_or(-1, |position| usize::from(position) as i64 - 1))
}

fn number(input: &mut dyn Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Reads the header: of its text only how the file is sorted, the contigs from the table behind it.
fn header(input: &mut dyn Read) -> io::Result<Header> {
    let mut magic = [0; 4];
    input.read_exact(&mut magic)?;
    if magic != *b"BAM\x01" {
        return Err(wrong("it is no BAM file"));
    }
    let bounded = |count: u32, limit: u32, what: &str| {
        if count <= limit { Ok(count) } else { Err(wrong(format!("its header says that {what} {count}"))) }
    };
    let mut bytes = Vec::new();
    let length = number(input)?;
    fill(input, &mut bytes, bounded(length, MAX_TEXT, "the bytes of its text are")? as usize)?;
    let sorted = super::sam::sorted(bytes.split(|&byte| byte == b'\n').next().unwrap_or_default());
    let count = number(input)?;
    let mut contigs = Vec::new();
    for _ in 0..bounded(count, MAX_CONTIGS, "the contigs are")? {
        let length = number(input)?;
        fill(input, &mut bytes, bounded(length, MAX_NAME, "the bytes of a contig's name are")? as usize)?;
        let name = String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(&bytes));
        contigs.push(Contig { name: Arc::from(&*name), length: u64::from(number(input)?), exact: true });
    }
    Ok(Header { contigs, sorted })
}
