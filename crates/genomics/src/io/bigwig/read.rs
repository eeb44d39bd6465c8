//! A bigWig file, looked up place by place.
//!
//! Nothing is taken on trust: parts have to lie within the file, trees may not come back to a node, and inflated blocks
//! have a limit.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::ZlibDecoder;

use super::SignalSpan;
use crate::io::IoError;
use crate::locus::ContigNames;

const MAGIC: u32 = 0x888F_FC26;
const CONTIG_TREE: u32 = 0x78CA_8C91;
const DATA_TREE: u32 = 0x2468_ACE0;

/// Largest node of a tree and largest block of values that are read; those of common writers have some tens of
/// kilobytes.
const MAX_NODE: u64 = 1 << 26;
const MAX_BLOCK: u64 = 1 << 26;

/// Largest number of contigs that is read.
const MAX_CONTIGS: usize = 1 << 24;

/// A bigWig file.
pub struct BigWig {
    path: PathBuf,
    bytes: Bytes,
    compressed: bool,
    /// Names and lengths.
    contigs: Vec<(Arc<str>, u64)>,
    /// The number by which blocks name each contig.
    numbers: Vec<u32>,
    names: ContigNames,
    root: u64,
}

/// Whether the file begins as a bigWig file does.
pub(super) fn is_bigwig(path: &Path) -> Result<bool, IoError> {
    let file = File::open(path).map_err(|cause| IoError::Open { path: path.to_path_buf(), cause })?;
    let mut head = Vec::new();
    Read::take(file, 4).read_to_end(&mut head).map_err(IoError::read(path))?;
    Ok(head == MAGIC.to_le_bytes() || head == MAGIC.to_be_bytes())
}

impl BigWig {
    /// Opens a file and reads its contigs.
    ///
    /// # Errors
    /// [`IoError`] if it cannot be opened, is no bigWig file, or is damaged.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let file = File::open(path).map_err(|cause| IoError::Open { path: path.to_path_buf(), cause })?;
        Self::opened(path, file).map_err(IoError::read(path))
    }

    fn opened(path: &Path, file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut bytes = Bytes { file, length, little: true };
        let head = bytes.part(0, 64)?;
        bytes.little = match head.first_chunk().map(|magic| u32::from_le_bytes(*magic)) {
            Some(MAGIC) => true,
            Some(other) if other.swap_bytes() == MAGIC => false,
            _ => return Err(wrong("it is no bigWig file")),
        };
        let (tree, index) = (bytes.u64(&head, 8), bytes.u64(&head, 24));
        let compressed = bytes.u32(&head, 52) > 0;
        let mut found = contigs(&mut bytes, tree)?;
        // In the order of their numbers, which is that of the values.
        found.sort_by_key(|&(_, _, number)| number);
        let magic = bytes.part(index, 48)?;
        if bytes.u32(&magic, 0) != DATA_TREE {
            return Err(wrong("its index does not begin as one"));
        }
        let names = ContigNames::new(found.iter().map(|(name, _, _)| name.to_string()));
        if names.len() != found.len() {
            return Err(wrong("it has a contig twice"));
        }
        Ok(Self {
            path: path.to_path_buf(),
            bytes,
            compressed,
            numbers: found.iter().map(|&(_, _, number)| number).collect(),
            contigs: found.into_iter().map(|(name, length, _)| (name, length)).collect(),
            names,
            root: index + 48,
        })
    }

    /// Names and numbers of bases of the contigs.
    pub fn contigs(&self) -> &[(Arc<str>, u64)] {
        &self.contigs
    }

    /// The values of `start..end` of a contig, from left to right, cut to it.
    ///
    /// # Errors
    /// [`IoError`] if there is no such contig or the file is damaged.
    pub fn spans(&mut self, contig: &str, start: u64, end: u64) -> Result<Vec<SignalSpan>, IoError> {
        let place = self.names.position(contig).map_err(|error| IoError::format(&self.path, error.to_string()))?;
        let (number, length) = (self.numbers[place], self.contigs[place].1);
        self.look_up(number, start, end.min(length)).map_err(IoError::read(&self.path))
    }

    /// The value of each base of `start..end` of a contig; NaN where there is none. Bases behind the contig have none.
    ///
    /// # Errors
    /// As [`BigWig::spans`], and [`IoError::Format`] for more than 2³¹ bases.
    pub fn values(&mut self, contig: &str, start: u64, end: u64) -> Result<Vec<f32>, IoError> {
        let bases = end.saturating_sub(start);
        if bases > 1 << 31 {
            return Err(IoError::format(&self.path, format!("{bases} bases at once are too many; take them in parts")));
        }
        let spans = self.spans(contig, start, end)?;
        let mut values = vec![f32::NAN; bases as usize];
        for span in spans {
            values[(span.start - start) as usize..(span.end - start) as usize].fill(span.value);
        }
        Ok(values)
    }

    /// Follows the index to the blocks that overlap a place, and reads them.
    fn look_up(&mut self, contig: u32, start: u64, end: u64) -> io::Result<Vec<SignalSpan>> {
        let mut spans = Vec::new();
        if start >= end {
            return Ok(spans);
        }
        let mut blocks = Vec::new();
        let mut seen = HashSet::new();
        let mut waiting = vec![self.root];
        while let Some(node) = waiting.pop() {
            let (leaf, items, size) = self.bytes.node(node, &mut seen, 32, 24)?;
            for item in items.chunks_exact(size) {
                let at = |place| u64::from(self.bytes.u32(item, place));
                // First and last base, with their contigs.
                let (from, to) = ((at(0), at(4)), (at(8), at(12)));
                let contig = u64::from(contig);
                if from < (contig, end) && to > (contig, start) {
                    if leaf {
                        blocks.push((from, self.bytes.u64(item, 16), self.bytes.u64(item, 24)));
                    } else {
                        waiting.push(self.bytes.u64(item, 16));
                    }
                }
            }
        }
        blocks.sort_unstable();
        blocks.dedup();
        for (_, offset, size) in blocks {
            let block = self.block(offset, size)?;
            self.block_spans(&block, contig, (start, end), &mut spans)?;
        }
        Ok(spans)
    }

    fn block(&mut self, offset: u64, size: u64) -> io::Result<Vec<u8>> {
        let packed = self.bytes.part(offset, size)?;
        if !self.compressed {
            return Ok(packed);
        }
        let mut block = Vec::new();
        Read::take(ZlibDecoder::new(packed.as_slice()), MAX_BLOCK + 1).read_to_end(&mut block)?;
        if block.len() as u64 > MAX_BLOCK {
            return Err(wrong(format!("a block of values has more than {MAX_BLOCK} bytes")));
        }
        Ok(block)
    }

    /// Takes out of a block the values that overlap a place.
    fn block_spans(
        &self,
        block: &[u8],
        contig: u32,
        (start, end): (u64, u64),
        spans: &mut Vec<SignalSpan>,
    ) -> io::Result<()> {
        if block.len() < 24 {
            return Err(wrong("a block of values without its head"));
        }
        let bytes = &self.bytes;
        if bytes.u32(block, 0) != contig {
            return Ok(());
        }
        let (first, step, span) = (bytes.u32(block, 4), bytes.u32(block, 12), bytes.u32(block, 16));
        let count = u64::from(bytes.u16(block, 22));
        let size = match block[20] {
            1 => 12,
            2 => 8,
            3 => 4,
            other => return Err(wrong(format!("a block of values of kind {other}; 1 to 3 are possible"))),
        };
        let Some(items) = block.get(24..24 + count as usize * size) else {
            return Err(wrong(format!("a block of {} bytes says that it has {count} values", block.len())));
        };
        for (place, item) in items.chunks_exact(size).enumerate() {
            let (from, to) = match size {
                12 => (u64::from(bytes.u32(item, 0)), u64::from(bytes.u32(item, 4))),
                8 => (u64::from(bytes.u32(item, 0)), u64::from(bytes.u32(item, 0)) + u64::from(span)),
                _ => {
                    let from = u64::from(first) + place as u64 * u64::from(step);
                    (from, from + u64::from(span))
                }
            };
            let value = f32::from_bits(bytes.u32(item, size - 4));
            if from > to {
                return Err(wrong(format!("a value of bases {from} to {to}")));
            }
            let (from, to) = (from.max(start), to.min(end));
            if from < to {
                if spans.last().is_some_and(|last| last.end > from) {
                    return Err(wrong(format!("two values for base {from}")));
                }
                spans.push(SignalSpan { start: from, end: to, value });
            }
        }
        Ok(())
    }
}

fn wrong(problem: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem.into())
}

/// The contigs of the tree at an offset: name, length, number.
fn contigs(bytes: &mut Bytes, tree: u64) -> io::Result<Vec<(Arc<str>, u64, u32)>> {
    let head = bytes.part(tree, 32)?;
    if bytes.u32(&head, 0) != CONTIG_TREE {
        return Err(wrong("its table of contigs does not begin as one"));
    }
    let (key, value) = (bytes.u32(&head, 8) as usize, bytes.u32(&head, 12));
    if key > 1 << 16 || value != 8 {
        return Err(wrong(format!("its table of contigs has names of {key} and values of {value} bytes")));
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![tree + 32];
    while let Some(node) = waiting.pop() {
        let (leaf, items, size) = bytes.node(node, &mut seen, key + 8, key + 8)?;
        for item in items.chunks_exact(size) {
            if leaf {
                let name = item[..key].split(|&byte| byte == 0).next().unwrap_or_default();
                let name = String::from_utf8_lossy(name);
                let (number, length) = (bytes.u32(item, key), bytes.u32(item, key + 4));
                found.push((Arc::from(&*name), u64::from(length), number));
            } else {
                waiting.push(bytes.u64(item, key));
            }
        }
        if found.len() > MAX_CONTIGS {
            return Err(wrong(format!("it has more than {MAX_CONTIGS} contigs")));
        }
    }
    Ok(found)
}

/// The bytes of the file, and in which order those of its numbers come.
struct Bytes {
    file: File,
    length: u64,
    little: bool,
}

impl Bytes {
    fn part(&mut self, offset: u64, size: u64) -> io::Result<Vec<u8>> {
        if offset.checked_add(size).is_none_or(|end| end > self.length) || size > MAX_NODE {
            let length = self.length;
            return Err(wrong(format!(
                "{size} bytes at {offset} are asked for; the file has {length}, at most {MAX_NODE} \
                                      are read at once"
            )));
        }
        self.file.seek(SeekFrom::Start(offset))?;
        let mut part = vec![0; size as usize];
        self.file.read_exact(&mut part)?;
        Ok(part)
    }

    /// A node of a tree: whether it is a leaf, its items, and the size of one.
    fn node(
        &mut self,
        offset: u64,
        seen: &mut HashSet<u64>,
        leaf: usize,
        inner: usize,
    ) -> io::Result<(bool, Vec<u8>, usize)> {
        if !seen.insert(offset) {
            return Err(wrong(format!("its index comes back to byte {offset}")));
        }
        let head = self.part(offset, 4)?;
        let is_leaf = match head[0] {
            0 => false,
            1 => true,
            other => return Err(wrong(format!("a node of kind {other} in its index"))),
        };
        let size = if is_leaf { leaf } else { inner };
        let items = self.part(offset + 4, u64::from(self.u16(&head, 2)) * size as u64)?;
        Ok((is_leaf, items, size))
    }

    /// Numbers of a part that is long enough.
    fn u16(&self, part: &[u8], at: usize) -> u16 {
        let bytes = [part[at], part[at + 1]];
        if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn u32(&self, part: &[u8], at: usize) -> u32 {
        let bytes = [part[at], part[at + 1], part[at + 2], part[at + 3]];
        if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    fn u64(&self, part: &[u8], at: usize) -> u64 {
        let (one, other) = (u64::from(self.u32(part, at)), u64::from(self.u32(part, at + 4)));
        if self.little { one | (other << 32) } else { other | (one << 32) }
    }
}
