//! Which format a file has, and how its reader is started.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use flate2::bufread::MultiGzDecoder;

use super::{AlignmentOptions, Header, Source, binary, cram, intervals, sam};
use crate::io::{IoError, text};

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Bam,
    Sam,
    Cram,
    Bed,
}

/// Runs a step of a reader; should it panic, that is an error.
pub(super) fn guarded<T>(step: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|payload| {
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(io::Error::new(ErrorKind::InvalidData, format!("its content cannot be decoded ({said})")))
    })
}

/// Opens a file at its start.
pub(super) fn start(
    path: &Path,
    format: Format,
    options: &AlignmentOptions,
) -> Result<(Header, Box<dyn Source>), IoError> {
    fn boxed<S: Source + 'static>((header, source): (Header, S)) -> (Header, Box<dyn Source>) {
        (header, Box::new(source))
    }
    let processors = || thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 4));
    let cannot = IoError::read(path);
    let reference = options.reference.as_deref();
    let opened = match format {
        Format::Bam => {
            let threads = options.threads.unwrap_or_else(processors);
            guarded(|| binary::Whole::open(path, threads)).map(boxed).map_err(cannot)
        }
        Format::Cram => guarded(|| cram::Cram::open(path, reference)).map(boxed).map_err(cannot),
        Format::Sam => sam::Sam::open(path, &options.contigs).map(boxed),
        Format::Bed => intervals::Intervals::open(path, &options.contigs).map(boxed),
    };
    let (header, source) = opened?;
    check_names(path, &header)?;
    Ok((header, source))
}

fn check_names(path: &Path, header: &Header) -> Result<(), IoError> {
    let mut names = HashSet::new();
    match header.contigs.iter().find(|contig| !names.insert(&contig.name)) {
        Some(twice) => Err(IoError::format(path, format!("contig {} is twice in its header", twice.name))),
        None => Ok(()),
    }
}

/// Tells a file's format by its first bytes.
pub(super) fn format(path: &Path) -> Result<Format, IoError> {
    let file = File::open(path).map_err(|cause| IoError::Open { path: path.to_path_buf(), cause })?;
    let cannot = IoError::read(path);
    let mut input = BufReader::with_capacity(1 << 16, file);
    let mut head = input.fill_buf().map_err(&cannot)?.to_vec();
    if head.starts_with(b"CRAM") {
        return Ok(Format::Cram);
    }
    if head.starts_with(&[0x1f, 0x8b]) {
        head.clear();
        let inflated = Read::take(MultiGzDecoder::new(input), 1 << 12).read_to_end(&mut head);
        // What is damaged further on is the reader's to say.
        if head.is_empty() {
            inflated.map_err(&cannot)?;
        }
        if head.starts_with(b"BAM\x01") {
            return Ok(Format::Bam);
        }
    }
    let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let fields: Vec<&[u8]> = first.split(|&byte| byte == b'\t').collect();
    let is_number = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    let is_sam = match fields[0] {
        [b'@', b'A'..=b'Z', b'A'..=b'Z'] => true,
        _ => fields.len() >= 11 && is_number(fields[1]) && is_number(fields[3]) && is_number(fields[4]),
    };
    if is_sam || text::extension(path) == "sam" {
        return Ok(Format::Sam);
    }
    if head.is_empty() {
        return Err(IoError::Empty { path: path.to_path_buf(), what: "reads" });
    }
    if head.contains(&0) {
        return Err(IoError::format(path, "it is none of BAM, SAM, CRAM and BED; name a file of aligned reads"));
    }
    Ok(Format::Bed)
}
