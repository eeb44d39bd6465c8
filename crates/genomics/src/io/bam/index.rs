//! Indices of BAM files: BAI and CSI (SAM specification, section 5; the CSI specification of 2020).
//!
//! They are read here and not by noodles, which reserves memory for as many entries as a file says it has and looks
//! bins up without a check of their number: a damaged index would end the process.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use noodles::bgzf;

/// More bytes than an index has, inflated: those of deep human genomes have some ten million.
const MAX_BYTES: u64 = 1 << 30;

/// Files that were copied together may be a moment apart.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Where the records of each contig are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Bases of the smallest bin, as a power of two.
    min_shift: u32,
    /// Levels of bins below the one that covers everything.
    depth: u32,
    contigs: Vec<Bins>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bins {
    bins: Vec<Bin>,
    /// BAI: where the first record that reaches into each smallest bin is.
    linear: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bin {
    number: u32,
    /// CSI: where the first record that reaches into the bin is.
    first: u64,
    /// Places of the file, from which to which.
    chunks: Vec<(u64, u64)>,
}

/// The index that belongs to a file, if there is one, and whether it is older than the file.
pub(super) fn beside(path: &Path) -> Option<(PathBuf, bool)> {
    let candidates = [
        path.with_added_extension("bai"),
        path.with_extension("bai"),
        path.with_added_extension("csi"),
        path.with_extension("csi"),
    ];
    let found = candidates.into_iter().find(|candidate| candidate != path && candidate.is_file())?;
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified());
    let stale = match (changed(path), changed(&found)) {
        (Ok(file), Ok(index)) => index + TOLERANCE < file,
        _ => false,
    };
    Some((found, stale))
}

/// Reads an index.
pub(super) fn read(path: &Path) -> io::Result<Index> {
    let mut head = Vec::new();
    Read::take(File::open(path)?, 4).read_to_end(&mut head)?;
    let mut bytes = Vec::new();
    if head == b"BAI\x01" {
        Read::take(File::open(path)?, MAX_BYTES).read_to_end(&mut bytes)?;
    } else {
        Read::take(bgzf::io::Reader::new(File::open(path)?), MAX_BYTES).read_to_end(&mut bytes)?;
    }
    parse(&bytes)
}

/// What is left of the bytes of an index.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| io::Error::new(ErrorKind::UnexpectedEof, "it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> io::Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn u64(&mut self) -> io::Result<u64> {
        let (low, high) = (self.u32()?, self.u32()?);
        Ok(u64::from(low) | (u64::from(high) << 32))
    }
}

fn parse(bytes: &[u8]) -> io::Result<Index> {
    let mut bytes = Bytes(bytes);
    let csi = match bytes.take(4)? {
        b"BAI\x01" => false,
        b"CSI\x01" => true,
        _ => return Err(wrong("it is neither BAI nor CSI")),
    };
    let (min_shift, depth) = if csi { (bytes.u32()?, bytes.u32()?) } else { (14, 5) };
    // Eight bins below each: with more levels their numbers do not fit.
    if min_shift > 40 || depth > 9 || min_shift + 3 * depth > 62 {
        return Err(wrong(format!("its bins have {depth} levels from 2^{min_shift} bases on, which is not possible")));
    }
    if csi {
        let auxiliary = bytes.u32()? as usize;
        bytes.take(auxiliary)?;
    }
    let last = first_bin(depth + 1) - 1;
    let count = bytes.u32()?;
    let mut contigs = Vec::new();
    for _ in 0..count {
        let mut contig = Bins::default();
        for _ in 0..bytes.u32()? {
            let number = bytes.u32()?;
            let first = if csi { bytes.u64()? } else { 0 };
            let chunks = bytes.u32()?;
            let mut bin = Bin { number, first, chunks: Vec::new() };
            for _ in 0..chunks {
                bin.chunks.push((bytes.u64()?, bytes.u64()?));
            }
            // Behind the last bin come counts of reads, which look like one.
            if number <= last {
                contig.bins.push(bin);
            }
        }
        if !csi {
            for _ in 0..bytes.u32()? {
                contig.linear.push(bytes.u64()?);
            }
        }
        contigs.push(contig);
    }
    Ok(Index { min_shift, depth, contigs })
}

fn wrong(problem: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, problem.into())
}

/// The first bin of a level, counted from the one that covers everything: 0, 1, 9, 73, …
fn first_bin(level: u32) -> u32 {
    ((1 << (3 * level)) - 1) / 7
}

impl Index {
    /// Places of the file where records that overlap `start..end` may be, in order.
    pub(super) fn chunks(&self, contig: usize, start: i64, end: i64) -> Vec<(u64, u64)> {
        let Some(contig) = self.contigs.get(contig) else { return Vec::new() };
        let (start, end) = (start.max(0) as u64, end.max(0) as u64);
        let covered = 1_u64 << (self.min_shift + 3 * self.depth);
        let end = end.min(covered);
        if start >= end {
            return Vec::new();
        }
        let levels: Vec<RangeInclusive<u64>> = (0..=self.depth)
            .map(|level| {
                let shift = self.min_shift + 3 * (self.depth - level);
                let first = u64::from(first_bin(level));
                first + (start >> shift)..=first + ((end - 1) >> shift)
            })
            .collect();
        let earliest = self.earliest(contig, start);
        let mut chunks: Vec<(u64, u64)> = contig
            .bins
            .iter()
            .filter(|bin| levels.iter().any(|level| level.contains(&u64::from(bin.number))))
            .flat_map(|bin| bin.chunks.iter().copied())
            .filter(|&(_, end)| end > earliest)
            .collect();
        chunks.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in chunks {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        joined
    }

    /// A place before which no record reaches `start`.
    fn earliest(&self, contig: &Bins, start: u64) -> u64 {
        let smallest = start >> self.min_shift;
        if !contig.linear.is_empty() {
            // Beyond the last entry no record begins; those that reach there are found by their bins.
            return usize::try_from(smallest).ok().and_then(|place| contig.linear.get(place)).copied().unwrap_or(0);
        }
        let mut number = u64::from(first_bin(self.depth)) + smallest;
        loop {
            if let Some(bin) = contig.bins.iter().find(|bin| u64::from(bin.number) == number) {
                return bin.first;
            }
            if number == 0 {
                return 0;
            }
            number = (number - 1) / 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bai() -> Vec<u8> {
        let mut bytes = b"BAI\x01".to_vec();
        let mut put = |numbers: &[u32]| numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        put(&[1]);
        // Bins: all of it, the second of 16 kb, and the counts of reads.
        put(&[3, 0, 1, 900, 0, 950, 0, 4682, 2, 100, 0, 200, 0, 200, 0, 300, 0, 37450, 2, 0, 0, 0, 0, 5, 0, 0, 0]);
        put(&[2, 50, 0, 100, 0]);
        bytes
    }

    /// By hand, from the bins of section 5.3.
    #[test]
    fn bins_of_an_interval() {
        let index = parse(&bai()).unwrap();
        assert_eq!(index.contigs[0].bins.len(), 2);
        assert_eq!(index.chunks(0, 20_000, 20_001), [(100, 300), (900, 950)]);
        assert_eq!(index.chunks(0, 0, 16_384), [(900, 950)]);
        assert_eq!(index.chunks(0, 0, 16_385), [(100, 300), (900, 950)]);
        assert_eq!(index.chunks(0, 40_000, 50_000), [(900, 950)]);
        assert!(index.chunks(0, 5, 5).is_empty());
        assert!(index.chunks(1, 0, 10).is_empty());
        assert!(index.chunks(0, 1 << 40, 1 << 41).is_empty());
    }

    #[test]
    fn damage_is_an_error_or_another_index() {
        let whole = bai();
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(index) = parse(&flipped) {
                index.chunks(0, 0, 1 << 30);
            }
        }
        assert!(parse(b"CSI\x01\xff\xff\xff\xff\x05\0\0\0").is_err());
    }
}
