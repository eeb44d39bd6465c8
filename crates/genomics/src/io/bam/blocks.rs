//! BGZF, the compression of BAM in blocks (SAM specification, section 4.1), on top of noodles' inflation.
//!
//! noodles checks sizes and CRC of every block. Added here: a file that ends inside the head of a block is an error
//! (noodles takes it for the end of the file), and the end marker can be asked for.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::path::Path;

use noodles::bgzf;

/// The empty block that ends a complete file.
const END_MARKER: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Files below this many bytes are inflated in the thread that reads them: starting others takes longer.
const PARALLEL: u64 = 4 << 20;

/// Bytes that are read from the disk at once; a block has at most 64 KiB.
const BUFFER: usize = 1 << 18;

/// A reader that can be placed at any block.
pub(super) type Seekable = bgzf::io::Reader<Checked<BufReader<File>>>;

/// Tells a file that ends between two blocks from one that ends inside the head of a block.
pub(super) struct Checked<R>(R);

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) if filled == 0 => return Err(io::Error::from(ErrorKind::UnexpectedEof)),
                // Of another kind than the end of the file, which noodles takes for a good end.
                Ok(0) => return Err(io::Error::new(ErrorKind::InvalidData, "the file ends inside a BGZF block")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: Seek> Seek for Checked<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Whether the file has its end marker.
pub(super) fn ends_properly(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut tail = [0; END_MARKER.len()];
    if length < tail.len() as u64 {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(length - tail.len() as u64))?;
    file.read_exact(&mut tail)?;
    Ok(tail == END_MARKER)
}

/// Opens a file to be read from its start to its end, inflated by `threads − 1` others.
pub(super) fn whole(path: &Path, threads: usize) -> io::Result<Box<dyn Read + Send>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let checked = Checked(BufReader::with_capacity(BUFFER, file));
    match NonZero::new(threads.saturating_sub(1)) {
        Some(workers) if length >= PARALLEL => {
            Ok(Box::new(bgzf::io::MultithreadedReader::with_worker_count(workers, checked)))
        }
        _ => Ok(Box::new(bgzf::io::Reader::new(checked))),
    }
}

/// Opens a file to be read at places that an index names.
pub(super) fn seekable(path: &Path) -> io::Result<Seekable> {
    Ok(bgzf::io::Reader::new(Checked(BufReader::with_capacity(BUFFER, File::open(path)?))))
}
