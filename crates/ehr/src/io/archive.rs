//! The files in a tar archive, plain or gzip, in order and without unpacking: how bundles and record files are passed on.
//!
//! The format is POSIX ustar (IEEE Std 1003.1-1988), with the long names of GNU tar and of pax. Names serve for messages
//! and to tell formats apart only; nothing is ever written to where they point.

use std::io::{self, BufRead, Read as _};
use std::path::Path;

use super::{IoError, csv};

/// Bytes of a header, and of what everything is filled up to.
const BLOCK: usize = 512;

/// Longest name, and longest pax header, that is read.
const LONGEST_NAME: u64 = 1 << 16;

/// One member of an archive.
struct Member {
    name: String,
    size: u64,
    kind: u8,
}

/// Whether a name is that of an archive.
pub(crate) fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".tar", ".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending))
}

/// Hands every file of an archive to `each`: its name, and what is in it. What is not read of a file is passed over; hidden
/// files are left out.
pub(crate) fn each_file(
    path: &Path,
    each: &mut dyn FnMut(&str, &mut dyn BufRead) -> Result<(), IoError>,
) -> Result<(), IoError> {
    let mut input = csv::open(path)?;
    let mut long: Option<String> = None;
    while let Some(member) = next(&mut input, path)? {
        let mut body = input.by_ref().take(member.size);
        match member.kind {
            b'0' | 0 => {
                let name = long.take().unwrap_or(member.name);
                if !hidden(&name) {
                    each(&name, &mut body)?;
                }
            }
            b'L' | b'x' => {
                let mut bytes = Vec::new();
                body.by_ref().take(LONGEST_NAME).read_to_end(&mut bytes).map_err(IoError::read(path))?;
                long = if member.kind == b'L' { Some(text(&bytes)) } else { pax_path(&bytes).or(long) };
            }
            // A header for all members says nothing about the next one's name.
            b'g' => {}
            _ => long = None,
        }
        io::copy(&mut body, &mut io::sink()).map_err(IoError::read(path))?;
        if body.limit() > 0 {
            return Err(IoError::damaged(path, "the archive ends within a file"));
        }
        let filling = (BLOCK as u64 - member.size % BLOCK as u64) % BLOCK as u64;
        io::copy(&mut input.by_ref().take(filling), &mut io::sink()).map_err(IoError::read(path))?;
    }
    Ok(())
}

/// The next header, or `None` at the end of the archive.
fn next(input: &mut csv::Input, path: &Path) -> Result<Option<Member>, IoError> {
    let mut header = Vec::with_capacity(BLOCK);
    input.by_ref().take(BLOCK as u64).read_to_end(&mut header).map_err(IoError::read(path))?;
    // An archive ends with two blocks of zeros, which some writers leave out.
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    if header.len() < BLOCK {
        return Err(IoError::damaged(path, "the archive ends within a header"));
    }
    // The sum is taken with blanks in its own place.
    let own = 148..156;
    let sum: u64 =
        header.iter().enumerate().map(|(at, byte)| u64::from(if own.contains(&at) { b' ' } else { *byte })).sum();
    if octal(&header[own]) != Some(sum) {
        return Err(IoError::format(path, "it is no tar archive, or a header in it is damaged"));
    }
    let size = octal(&header[124..136]);
    let size = size.ok_or_else(|| IoError::format(path, "a file in the archive has no size, or one above 8 GiB"))?;
    let (mut name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if &header[257..262] == b"ustar" && !prefix.is_empty() && header[262] == 0 {
        name = format!("{prefix}/{name}");
    }
    Ok(Some(Member { name, size, kind: header[156] }))
}

/// A number in octal digits, with blanks or zero bytes around it.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.split(|byte| *byte == 0).next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.iter().any(|byte| !(b'0'..=b'7').contains(byte)) {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(8)?.checked_add(u64::from(digit - b'0')))
}

/// What stands before the first zero byte.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

/// The name in a pax header, which has lines such as `27 path=folder/name.json`.
fn pax_path(bytes: &[u8]) -> Option<String> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    lines.find_map(|line| line.split_once(" path=").map(|(_, name)| name.to_owned()))
}

/// Whether the last part of a name begins with a dot, as what some systems add to archives does.
fn hidden(name: &str) -> bool {
    name.rsplit('/').next().is_none_or(|last| last.is_empty() || last.starts_with('.'))
}

#[cfg(test)]
mod tests;
