//! The difference array of a contig or a region, and the mates that wait for each other.

use std::collections::HashMap;

use super::{CoverageError, CoverageReport};
use crate::io::bam::{AlignedRead, Contig, flag};

/// More counters than the longest contig of BAM has bases.
const MAX_COUNTERS: u64 = 1 << 31;

/// Counters of the bases or bins of one contig, or of a part of it.
///
/// Until [`Track::finish`] a counter holds by how much it differs from the one before it, modulo 2³².
#[derive(Debug)]
pub(super) struct Track {
    /// The position that the first bin begins with.
    origin: i64,
    /// Positions that count, a part of the contig.
    first: i64,
    end: i64,
    bin: i64,
    counts: Vec<u32>,
    touched: bool,
    waiting: HashMap<Vec<u8>, Vec<(i64, i64)>>,
}

impl Track {
    /// Counters for `start..end` of a contig, which may reach beyond it: there nothing counts. The memory of `used` is
    /// used again.
    pub(super) fn new(
        contig: &Contig,
        (start, end): (i64, i64),
        bin: u32,
        used: Option<Self>,
    ) -> Result<Self, CoverageError> {
        let bin = i64::from(bin);
        let bases = (end - start).max(0) as u64;
        let counters = bases.div_ceil(bin as u64) + 1;
        let (mut counts, mut waiting) =
            used.map_or_else(|| (Vec::new(), HashMap::new()), |track| (track.counts, track.waiting));
        counts.clear();
        waiting.clear();
        if counters > MAX_COUNTERS || counts.try_reserve_exact(counters as usize).is_err() {
            return Err(CoverageError::TooLong { contig: contig.name.to_string(), bases, counters });
        }
        counts.resize(counters as usize, 0);
        Ok(Self { origin: start, first: start.max(0), end, bin, counts, touched: false, waiting })
    }

    /// Takes the end of the contig into account.
    pub(super) fn until(mut self, end: i64) -> Self {
        self.end = self.end.min(end);
        self
    }

    /// Adds what a read covers, from left to right: 1 to each bin that it touches. Returns whether it touches any.
    pub(super) fn add(&mut self, blocks: &[(i64, i64)]) -> bool {
        let (mut next, mut touched) = (0, false);
        for &(start, end) in blocks {
            let (start, end) = (start.max(self.first), end.min(self.end));
            if start >= end {
                continue;
            }
            touched = true;
            let (first, behind) = if self.bin == 1 {
                (start - self.origin, end - self.origin)
            } else {
                ((start - self.origin) / self.bin, (end - self.origin + self.bin - 1) / self.bin)
            };
            // Two blocks of one read may be in one bin.
            let first = first.max(next);
            if first < behind {
                self.change(first, 1);
                self.change(behind, u32::MAX);
                next = behind;
            }
        }
        self.touched |= touched;
        touched
    }

    /// Whether a read counts.
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Takes away what both mates of a pair cover, for the second of them; of the first, keeps what it covers.
    /// `sorted`: reads come in the order of their positions, so that nothing need be kept for mates that come first.
    /// Returns the number of bases taken away.
    pub(super) fn share(&mut self, read: &AlignedRead, blocks: &[(i64, i64)], sorted: bool) -> u64 {
        if !read.has(flag::PROPER_PAIR)
            || read.has(flag::SUPPLEMENTARY)
            || read.contig != read.mate_contig
            || read.name.is_empty()
        {
            return 0;
        }
        let meets = read.start <= read.mate_start && read.end() > read.mate_start;
        let Some(mate) = self.waiting.remove(read.name.as_slice()) else {
            if meets || (!sorted && read.start > read.mate_start) {
                self.waiting.insert(read.name.clone(), blocks.to_vec());
            } else if !sorted {
                // That it has come, and does not meet its mate.
                self.waiting.insert(read.name.clone(), Vec::new());
            }
            return 0;
        };
        let mut shared = 0;
        let (mut one, mut other) = (0, 0);
        while one < blocks.len() && other < mate.len() {
            let (start, end) = (blocks[one].0.max(mate[other].0), blocks[one].1.min(mate[other].1));
            let (start, end) = (start.max(self.first), end.min(self.end));
            if start < end {
                self.change(start - self.origin, u32::MAX);
                self.change(end - self.origin, 1);
                shared += (end - start) as u64;
            }
            if blocks[one].1 < mate[other].1 {
                one += 1;
            } else {
                other += 1;
            }
        }
        // Templates of three segments: the second one meets the third.
        if sorted && meets && read.start < read.mate_start {
            self.waiting.insert(read.name.clone(), blocks.to_vec());
        }
        shared
    }

    fn change(&mut self, place: i64, by: u32) {
        if let Some(count) = self.counts.get_mut(place as usize) {
            *count = count.wrapping_add(by);
        }
    }

    /// Sums up. Nothing can be added afterwards.
    pub(super) fn finish(&mut self) -> &[u32] {
        let mut sum = 0_u32;
        for count in &mut self.counts {
            sum = sum.wrapping_add(*count);
            *count = sum;
        }
        &self.counts[..self.counts.len() - 1]
    }
}

/// Counts a read in a track and the report.
pub(super) fn count(
    track: &mut Track,
    read: &AlignedRead,
    blocks: &[(i64, i64)],
    share: Option<bool>,
    report: &mut CoverageReport,
) {
    if !track.add(blocks) {
        report.drop_read(super::Reason::Outside);
        return;
    }
    report.kept += 1;
    if let Some(sorted) = share {
        report.shared_bases += track.share(read, blocks, sorted);
    }
}
