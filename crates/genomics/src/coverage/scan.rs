//! A pass through a file: depth per base and reads in bins, contig by contig; and the depth of a region.

use super::track::{Track, count};
use super::{CoverageConfig, CoverageError, CoverageReport, Mates};
use crate::io::bam::{AlignedRead, Alignments, Contig, Order};
use crate::locus::{Locus, Strand};

/// Counts the depth of each base and hands it to `visit`, contig by contig in the order of the header; contigs on which
/// no read counts are left out. The file is read from its start.
///
/// # Errors
/// [`CoverageError`] if the settings are out of range, the file is damaged, or `visit` fails.
pub fn depth(
    alignments: &mut Alignments,
    config: &CoverageConfig,
    mut visit: impl FnMut(&Contig, &[u32]) -> Result<(), CoverageError>,
) -> Result<CoverageReport, CoverageError> {
    scan(alignments, config, 1, |_, contig, counts| visit(contig, counts))
}

/// The depth of each base of a region, in the direction of its strand (which reads count does not depend on it; see
/// [`ReadFilter::strand`](super::ReadFilter)). Positions outside the contig have depth 0. Without an index the whole
/// file is read.
///
/// # Errors
/// As [`depth`], and if the file has no such contig.
pub fn region_depth(
    alignments: &mut Alignments,
    region: &Locus,
    config: &CoverageConfig,
) -> Result<(Vec<u32>, CoverageReport), CoverageError> {
    config.validate()?;
    let place = alignments.contig(&region.contig)?;
    let contig = alignments.contigs()[place].clone();
    let reach = config.signal.reach();
    let mut track = Track::new(&contig, (region.start, region.end), 1, None)?.until(end(&contig, reach));
    let mut reads = Reads::new(config);
    alignments.select(place, (region.start - reach).max(0), region.end.saturating_add(reach))?;
    while alignments.advance()? {
        let sorted = alignments.order() != Order::Unsorted;
        let read = alignments.read();
        if reads.take(read) {
            count(&mut track, read, &reads.blocks, shared(config, 1).then_some(sorted), &mut reads.report);
        }
    }
    let mut depths = track.finish().to_vec();
    if region.strand == Strand::Reverse {
        depths.reverse();
    }
    Ok((depths, reads.finish(alignments)))
}

/// As [`depth`], the number of reads that touch each bin of `bin` bases; `visit` has the contig's number as well.
pub(super) fn scan(
    alignments: &mut Alignments,
    config: &CoverageConfig,
    bin: u32,
    mut visit: impl FnMut(usize, &Contig, &[u32]) -> Result<(), CoverageError>,
) -> Result<CoverageReport, CoverageError> {
    config.validate()?;
    alignments.rewind()?;
    let contigs = alignments.contigs().to_vec();
    let streaming = alignments.order() == Order::Coordinate;
    let reach = config.signal.reach();
    let mut reads = Reads::new(config);
    let mut tracks: Vec<Option<Track>> = contigs.iter().map(|_| None).collect();
    let (mut current, mut used) = (None, None);
    let mut close = |place: usize, track: &mut Track| {
        if !track.is_touched() {
            return Ok(());
        }
        let contig = &contigs[place];
        let counts = track.finish();
        // Where the length is not known, the contig ends with what is covered.
        let known = if contig.exact {
            counts.len()
        } else {
            counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1)
        };
        visit(place, contig, &counts[..known])
    };
    while alignments.advance()? {
        let sorted = alignments.order() != Order::Unsorted;
        let read = alignments.read();
        // A read without a place is dropped as unmapped.
        let (true, Some(place)) = (reads.take(read), read.contig) else { continue };
        if streaming
            && current != Some(place)
            && let Some(last) = current.replace(place)
            && let Some(mut track) = tracks[last].take()
        {
            close(last, &mut track)?;
            used = Some(track);
        }
        if tracks[place].is_none() {
            tracks[place] = Some(Track::new(&contigs[place], (0, end(&contigs[place], reach)), bin, used.take())?);
        }
        let Some(track) = &mut tracks[place] else { continue };
        count(track, read, &reads.blocks, shared(config, bin).then_some(sorted), &mut reads.report);
    }
    for (place, track) in tracks.iter_mut().enumerate() {
        if let Some(track) = track {
            close(place, track)?;
        }
    }
    Ok(reads.finish(alignments))
}

/// Whether overlapping mates count once.
fn shared(config: &CoverageConfig, bin: u32) -> bool {
    bin == 1 && config.mates == Mates::Once && config.signal.is_aligned()
}

/// Where a contig ends; further on if that is not known.
pub(super) fn end(contig: &Contig, reach: i64) -> i64 {
    contig.length as i64 + if contig.exact { 0 } else { reach }
}

/// The reads that count, one after the other.
pub(super) struct Reads<'a> {
    config: &'a CoverageConfig,
    /// What the last one covers.
    pub(super) blocks: Vec<(i64, i64)>,
    pub(super) report: CoverageReport,
}

impl<'a> Reads<'a> {
    pub(super) fn new(config: &'a CoverageConfig) -> Self {
        Self { config, blocks: Vec::new(), report: CoverageReport::default() }
    }

    /// Whether a read counts; then `blocks` are what it covers.
    pub(super) fn take(&mut self, read: &AlignedRead) -> bool {
        self.report.seen += 1;
        let verdict = self.config.filter.verdict(read).and_then(|()| self.config.signal.blocks(read, &mut self.blocks));
        match verdict {
            Ok(()) => true,
            Err(reason) => {
                self.report.drop_read(reason);
                false
            }
        }
    }

    pub(super) fn finish(mut self, alignments: &Alignments) -> CoverageReport {
        self.report.warnings.extend_from_slice(alignments.warnings());
        self.report
    }
}
