//! Reads in bins around places: the inputs of `DeepChrome` (Singh et al. 2016, Bioinformatics 32:i639, section 3.1: 100
//! bins of 100 bases around each start of transcription, for each histone mark).

use std::path::PathBuf;

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::scan::{Reads, end};
use super::{CoverageConfig, CoverageError, CoverageReport, Reason, Scale};
use crate::io::bam::{AlignmentOptions, Alignments};
use crate::locus::{Locus, Strand};

/// Bins around a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowLayout {
    /// Number of bins, half of them (rounded down) before the place.
    pub bins: usize,
    /// Bases of a bin.
    pub bin: u32,
}

impl Default for WindowLayout {
    fn default() -> Self {
        Self { bins: 100, bin: 100 }
    }
}

impl WindowLayout {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`ConfigError`] with the field and what would be allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("bins", self.bins, 1..=100_000)?;
        in_range("bin", self.bin, 1..=1_000_000)
    }

    /// Bases of a window.
    pub fn width(&self) -> i64 {
        self.bins as i64 * i64::from(self.bin)
    }

    /// The first base of the window around a place on the reference; of the reverse strand it is the last bin's end.
    /// The place itself is the first base of bin `bins / 2` in the direction of the strand.
    fn start(&self, place: &Locus) -> i64 {
        let before = (self.bins / 2) as i64 * i64::from(self.bin);
        match place.strand {
            Strand::Forward => place.five_prime() - before,
            Strand::Reverse => place.five_prime() + 1 + before - self.width(),
        }
    }
}

/// How the reads around places become counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counting {
    /// The bins around each place.
    pub layout: WindowLayout,
    /// Which reads count, and what they cover.
    pub reads: CoverageConfig,
    /// What the counts are scaled by.
    pub scale: Scale,
}

/// A window of the file's contigs.
#[derive(Debug, Clone, Copy)]
struct Window {
    contig: usize,
    start: i64,
    row: usize,
    reverse: bool,
}

/// Counts the reads that touch each bin of the window around the 5′ end of each place: `[places, bins]`, row by row,
/// each from upstream to downstream on the strand of its place. Bins outside a contig hold 0.
///
/// If the file has an index and the windows are a small part of the genome, only they are read, and the report has only
/// the reads there (those between two groups of windows may be in it twice). `whole` reads the file in any case, so
/// that the report has all reads, as [`Scale`] needs them.
///
/// # Errors
/// [`CoverageError`] if the settings are out of range, the file is damaged, or has no such contig.
pub fn windows(
    alignments: &mut Alignments,
    places: &[Locus],
    layout: WindowLayout,
    config: &CoverageConfig,
    whole: bool,
) -> Result<(Vec<u32>, CoverageReport), CoverageError> {
    layout.validate()?;
    config.validate()?;
    let mut windows = Vec::with_capacity(places.len());
    for (row, place) in places.iter().enumerate() {
        let contig = alignments.contig(&place.contig)?;
        let reverse = place.strand == Strand::Reverse;
        windows.push(Window { contig, start: layout.start(place), row, reverse });
    }
    windows.sort_by_key(|window| (window.contig, window.start, window.row));
    let mut counter = Counter {
        layout,
        counts: vec![0; places.len() * layout.bins],
        reads: Reads::new(config),
        ends: alignments.contigs().iter().map(|contig| end(contig, config.signal.reach())).collect(),
    };
    let regions = regions(&windows, layout.width(), config.signal.reach());
    let covered: i64 = regions.iter().map(|region| region.end - region.start).sum();
    let genome: u64 = alignments.contigs().iter().map(|contig| contig.length).sum();
    if !whole && alignments.is_indexed() && 4 * covered < genome as i64 {
        for region in &regions {
            alignments.select(region.contig, region.start.max(0), region.end)?;
            counter.count(alignments, &windows[region.first..region.behind])?;
        }
    } else {
        alignments.rewind()?;
        counter.count(alignments, &windows)?;
    }
    let report = counter.reads.finish(alignments);
    Ok((counter.counts, report))
}

/// Windows that are read together.
struct Region {
    contig: usize,
    start: i64,
    end: i64,
    first: usize,
    behind: usize,
}

/// Joins sorted windows whose reads are common.
fn regions(windows: &[Window], width: i64, reach: i64) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for (place, window) in windows.iter().enumerate() {
        let (start, end) = (window.start - reach, window.start + width + reach);
        match regions.last_mut() {
            Some(last) if last.contig == window.contig && start <= last.end => {
                last.end = last.end.max(end);
                last.behind = place + 1;
            }
            _ => regions.push(Region { contig: window.contig, start, end, first: place, behind: place + 1 }),
        }
    }
    regions
}

struct Counter<'a> {
    layout: WindowLayout,
    counts: Vec<u32>,
    reads: Reads<'a>,
    /// Ends of the contigs.
    ends: Vec<i64>,
}

impl Counter<'_> {
    /// Counts the reads that come in the sorted windows.
    fn count(&mut self, alignments: &mut Alignments, windows: &[Window]) -> Result<(), CoverageError> {
        while alignments.advance()? {
            let read = alignments.read();
            let (true, Some(contig)) = (self.reads.take(read), read.contig) else { continue };
            for block in &mut self.reads.blocks {
                *block = (block.0.max(0), block.1.min(self.ends[contig]));
            }
            self.reads.blocks.retain(|block| block.0 < block.1);
            if self.reads.blocks.is_empty() {
                self.reads.report.drop_read(Reason::Outside);
                continue;
            }
            self.reads.report.kept += 1;
            self.touch(contig, windows);
        }
        Ok(())
    }

    /// Counts a read in the windows that it touches.
    fn touch(&mut self, contig: usize, windows: &[Window]) {
        let blocks = &self.reads.blocks;
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return };
        let (width, bin, bins) = (self.layout.width(), i64::from(self.layout.bin), self.layout.bins);
        let from = windows.partition_point(|window| (window.contig, window.start + width) <= (contig, first.0));
        let behind = windows.partition_point(|window| (window.contig, window.start) < (contig, last.1));
        for window in windows.get(from..behind).unwrap_or_default() {
            let mut next = 0;
            for &(start, end) in blocks {
                let (start, end) = ((start - window.start).max(0), (end - window.start).min(width));
                if start >= end {
                    continue;
                }
                let behind = (end - 1) / bin + 1;
                for place in (start / bin).max(next)..behind {
                    let place = if window.reverse { bins - 1 - place as usize } else { place as usize };
                    self.counts[window.row * bins + place] += 1;
                }
                next = next.max(behind);
            }
        }
    }
}

/// Counts of a file, what to multiply them by, and what became of its reads.
type Counted = (Vec<u32>, f64, CoverageReport);

/// Scaled counts of several files around the same places.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkMatrix {
    /// Number of places.
    pub places: usize,
    /// Number of files.
    pub marks: usize,
    /// Number of bins of a window.
    pub bins: usize,
    /// `[places, marks, bins]`, each window from upstream to downstream.
    pub values: Vec<f32>,
    /// What became of the reads of each file.
    pub reports: Vec<CoverageReport>,
}

/// Counts the reads of several files, one for each mark, around the same places ([`windows()`]), and scales each by its
/// own number of reads.
///
/// # Errors
/// [`CoverageError`] for the first file that cannot be used, in the order of `files`; [`Scale::Bpm`] is not defined for
/// windows.
pub fn marks(
    files: &[PathBuf],
    options: &AlignmentOptions,
    places: &[Locus],
    layout: WindowLayout,
    config: &CoverageConfig,
    scale: Scale,
) -> Result<MarkMatrix, CoverageError> {
    let count = |path: &PathBuf| -> Result<Counted, CoverageError> {
        let mut alignments = Alignments::open(path, options)?;
        let (counts, report) = windows(&mut alignments, places, layout, config, scale != Scale::None)?;
        let factor = scale.factor(&report, layout.bin, None)?;
        Ok((counts, factor, report))
    };
    let found: Vec<Result<Counted, CoverageError>> = files.par_iter().map(count).collect();
    let found: Vec<Counted> = found.into_iter().collect::<Result<_, _>>()?;
    let mut values = Vec::with_capacity(places.len() * files.len() * layout.bins);
    for place in 0..places.len() {
        for (counts, factor, _) in &found {
            let row = &counts[place * layout.bins..(place + 1) * layout.bins];
            values.extend(row.iter().map(|&count| (f64::from(count) * factor) as f32));
        }
    }
    let reports = found.into_iter().map(|(_, _, report)| report).collect();
    Ok(MarkMatrix { places: places.len(), marks: files.len(), bins: layout.bins, values, reports })
}
