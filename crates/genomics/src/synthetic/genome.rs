//! The generated genome with its windows and sites.

use std::ops::Range;
use std::sync::Arc;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::matrix::Matrix;
use super::{BACKGROUND, KITE, LARK, PlantedMotif, TRANSITIONS, weighted};
use crate::dataset::{Labels, SequenceSet};
use crate::genome::{Edge, Genome, GenomeError};
use crate::io::BedRecord;
use crate::locus::{Locus, Strand};
use crate::sequence::{ALPHABET, reverse_complement};

/// Bases before the first and behind the last window of a contig.
const MARGIN: usize = 1_000;
/// Unknown bases at either end of a contig.
const UNKNOWN: usize = 200;
/// Bases between a site and the edge of its window, at least.
const INSET: usize = 10;
/// Bases between two sites, at least.
const APART: i64 = 3;
/// Share of the highest score of KITE from which on a window is bound.
pub(super) const BOUND: f64 = 0.8;
/// Share of the highest score of KITE that the background may reach.
pub(super) const CLEAR: f64 = 0.6;

/// Size of the generated genome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenomeConfig {
    /// Contigs, called chr1 and so on, 1 to 50.
    pub contigs: usize,
    /// Windows of each contig, of which half are bound; an even number.
    pub windows: usize,
    /// Bases of a window, 80 to 2000.
    pub width: usize,
    /// Bases from the middle of one window to that of the next, at least `width`.
    pub spacing: usize,
    /// Share of each of the two kinds of windows that carries a site of LARK.
    pub decoys: f64,
    /// Share of the windows that are not bound that carries a near site of KITE; the others carry the halves of one.
    pub near: f64,
    /// Share of the genome that is soft-masked.
    pub masked: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for GenomeConfig {
    fn default() -> Self {
        Self { contigs: 5, windows: 240, width: 200, spacing: 500, decoys: 0.5, near: 0.5, masked: 0.3, seed: 1 }
    }
}

impl GenomeConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("contigs", self.contigs, 1..=50)?;
        in_range("windows", self.windows, 2..=100_000)?;
        if !self.windows.is_multiple_of(2) {
            return Err(ConfigError::Conflict(format!("windows = {} is odd; half of them are bound", self.windows)));
        }
        in_range("width", self.width, 80..=2_000)?;
        in_range("spacing", self.spacing, self.width..=100_000)?;
        in_range("decoys", self.decoys, 0.0..=1.0)?;
        in_range("near", self.near, 0.0..=1.0)?;
        in_range("masked", self.masked, 0.0..=0.9)
    }

    /// Bases of a contig.
    pub fn length(&self) -> usize {
        2 * MARGIN + self.windows * self.spacing
    }
}

/// How much of a motif a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// All of it.
    Whole,
    /// The consensus with the wrong base where it costs most: it does not bind.
    Near,
    /// One half, with the other half elsewhere in the window: together they do not bind.
    Half,
}

/// A planted site.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Which motif.
    pub motif: PlantedMotif,
    /// Where it lies, on its strand.
    pub locus: Locus,
    /// How much of the motif it is.
    pub kind: SiteKind,
    /// Its score against [`BACKGROUND`], in bits; of a half that of its positions.
    pub bits: f64,
}

/// A window of the genome with what was planted in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Where it lies, on the forward strand.
    pub locus: Locus,
    /// Whether it is bound: it has a whole site of KITE.
    pub bound: bool,
    /// Its sites, those of KITE first.
    pub sites: Vec<Site>,
}

/// The generated genome.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticGenome {
    /// Names and bases of the contigs, soft-masked ones as small letters.
    pub contigs: Vec<(String, Vec<u8>)>,
    /// The windows, by contig and position.
    pub windows: Vec<Window>,
}

impl SyntheticGenome {
    /// Generates the genome. A contig depends on the seed and its number only: more contigs do not change the first
    /// ones.
    ///
    /// # Errors
    /// [`ConfigError`] as [`GenomeConfig::validate`].
    pub fn new(config: &GenomeConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let (kite, lark) = (Matrix::new(KITE), Matrix::new(LARK));
        let mut made = Self { contigs: Vec::new(), windows: Vec::new() };
        for contig in 0..config.contigs {
            let name: Arc<str> = format!("chr{}", contig + 1).into();
            let mut draw = rng(config.seed, &[0, contig as u64]);
            let mut bases = background(config.length(), &kite, &mut draw);
            let mut bound: Vec<bool> = (0..config.windows).map(|window| window % 2 == 0).collect();
            bound.shuffle(&mut draw);
            for (place, bound) in bound.into_iter().enumerate() {
                let middle = MARGIN + place * config.spacing + config.spacing / 2;
                let span = middle - config.width / 2..middle - config.width / 2 + config.width;
                let mut planting = Planting { name: &name, bases: &mut bases, span: span.clone(), sites: Vec::new() };
                if bound {
                    let site = sampled(&kite, BOUND, &mut draw);
                    planting.plant(&kite, &site, SiteKind::Whole, 0, &mut draw);
                } else if draw.random_bool(config.near) {
                    let (position, wrong) = kite.weakest();
                    let mut site = kite.consensus();
                    site[position] = wrong;
                    planting.plant(&kite, &site, SiteKind::Near, 0, &mut draw);
                } else {
                    let site = sampled(&kite, BOUND, &mut draw);
                    let (first, second) = site.split_at(site.len() / 2);
                    planting.plant(&kite, first, SiteKind::Half, 0, &mut draw);
                    planting.plant(&kite, second, SiteKind::Half, first.len(), &mut draw);
                }
                if draw.random_bool(config.decoys) {
                    let site = sampled(&lark, CLEAR, &mut draw);
                    planting.plant(&lark, &site, SiteKind::Whole, 0, &mut draw);
                }
                let sites = planting.sites;
                made.windows.push(Window { locus: locus(&name, &span, Strand::Forward), bound, sites });
            }
            mask(&mut bases, config.masked, &mut draw);
            bases[..UNKNOWN].fill(b'N');
            let end = bases.len() - UNKNOWN;
            bases[end..].fill(b'N');
            made.contigs.push((name.to_string(), bases));
        }
        Ok(made)
    }

    /// The genome, packed.
    ///
    /// # Errors
    /// None in fact: the letters are bases.
    pub fn genome(&self) -> Result<Genome, GenomeError> {
        Genome::from_contigs(self.contigs.iter().cloned())
    }

    /// The bound windows as peaks, with the middle of the site as summit.
    pub fn peaks(&self) -> Vec<BedRecord> {
        self.records(true)
    }

    /// The other windows.
    pub fn unbound(&self) -> Vec<BedRecord> {
        self.records(false)
    }

    fn records(&self, bound: bool) -> Vec<BedRecord> {
        let windows = self.windows.iter().filter(|window| window.bound == bound).enumerate();
        let kind = if bound { "peak" } else { "unbound" };
        windows
            .map(|(number, window)| {
                let mut record = BedRecord::new(window.locus.clone());
                record.name = Some(format!("{kind}_{}", number + 1));
                if let (true, Some(site)) = (bound, window.sites.first()) {
                    record.score = Some((40.0 * site.bits).round());
                    record.signal = Some(site.bits);
                    record.peak = Some(site.locus.centre() - window.locus.start);
                }
                record
            })
            .collect()
    }

    /// All windows with their labels; the task is `bound`.
    ///
    /// # Errors
    /// None in fact: windows lie on their contigs.
    pub fn dataset(&self) -> Result<SequenceSet, GenomeError> {
        let genome = self.genome()?;
        let sequence = |window: &Window| genome.window(&window.locus, Edge::Refuse);
        Ok(SequenceSet {
            names: self.windows.iter().map(|window| window.locus.to_string()).collect(),
            sequences: self.windows.iter().map(sequence).collect::<Result<_, _>>()?,
            loci: self.windows.iter().map(|window| Some(window.locus.clone())).collect(),
            tasks: vec!["bound".to_owned()],
            labels: Labels::Binary,
            targets: self.windows.iter().map(|window| f32::from(u8::from(window.bound))).collect(),
            groups: None,
        })
    }

    /// The bases of a locus that lies on its contig, in capitals, whatever its strand; `None` elsewhere.
    pub(super) fn bases(&self, locus: &Locus) -> Option<Vec<u8>> {
        let (_, bases) = self.contigs.iter().find(|(name, _)| **name == *locus.contig)?;
        let range = usize::try_from(locus.start).ok()?..usize::try_from(locus.end).ok()?;
        bases.get(range).map(<[u8]>::to_ascii_uppercase)
    }
}

fn locus(contig: &Arc<str>, span: &Range<usize>, strand: Strand) -> Locus {
    Locus { contig: Arc::clone(contig), start: span.start as i64, end: span.end as i64, strand }
}

/// A window that sites are written to.
struct Planting<'a> {
    name: &'a Arc<str>,
    bases: &'a mut [u8],
    span: Range<usize>,
    sites: Vec<Site>,
}

impl Planting<'_> {
    /// Writes a site, which has the positions of the motif from `from` on, to a random place of the window that no
    /// other site comes near, on a random strand.
    /// Whether what stands around a half would make a whole of it.
    fn completes(&self, matrix: &Matrix, written: &[u8], span: &Range<usize>) -> bool {
        let width = matrix.width();
        let (start, end) = (span.start.saturating_sub(width), (span.end + width).min(self.bases.len()));
        let mut around = self.bases[start..end].to_vec();
        around[span.start - start..span.end - start].copy_from_slice(written);
        let score = |site: &[u8]| matrix.score(0, site).max(matrix.score(0, &reverse_complement(site)));
        around.windows(width).any(|site| score(site) >= BOUND * matrix.highest())
    }

    fn plant(&mut self, matrix: &Matrix, site: &[u8], kind: SiteKind, from: usize, draw: &mut ChaCha8Rng) {
        let taken = |span: &Range<usize>| {
            let (start, end) = (span.start as i64 - APART, span.end as i64 + APART);
            self.sites.iter().any(|other| other.locus.start < end && start < other.locus.end)
        };
        let strand = if draw.random_bool(0.5) { Strand::Reverse } else { Strand::Forward };
        let written = if strand == Strand::Reverse { reverse_complement(site) } else { site.to_vec() };
        let span = loop {
            let start = draw.random_range(self.span.start + INSET..=self.span.end - INSET - site.len());
            let span = start..start + site.len();
            if !(taken(&span) || kind == SiteKind::Half && self.completes(matrix, &written, &span)) {
                break span;
            }
        };
        self.bases[span.clone()].copy_from_slice(&written);
        let bits = matrix.score(from, site);
        self.sites.push(Site { motif: matrix.motif(), locus: locus(self.name, &span, strand), kind, bits });
    }
}

/// A site from the matrix with at least this share of the highest score.
fn sampled(matrix: &Matrix, share: f64, draw: &mut ChaCha8Rng) -> Vec<u8> {
    loop {
        let site = matrix.sample(draw);
        if matrix.score(0, &site) >= share * matrix.highest() {
            return site;
        }
    }
}

/// Bases of the Markov chain, in which no site of `matrix` comes near.
fn background(length: usize, matrix: &Matrix, draw: &mut ChaCha8Rng) -> Vec<u8> {
    let mut codes = Vec::with_capacity(length);
    let mut last = weighted(&BACKGROUND, draw);
    for _ in 0..length {
        last = weighted(&TRANSITIONS[last], draw);
        codes.push(ALPHABET[last]);
    }
    let limit = CLEAR * matrix.highest();
    let mut start = 0;
    while start + matrix.width() <= length {
        let span = start..start + matrix.width();
        if matrix.best(&codes[span.clone()]).0 < limit {
            start += 1;
            continue;
        }
        // Other bases, and another look at all sites that they are part of.
        for base in &mut codes[span] {
            *base = ALPHABET[weighted(&BACKGROUND, draw)];
        }
        start = start.saturating_sub(matrix.width() - 1);
    }
    codes
}

/// Stretches of small letters that cover about `share` of the bases.
fn mask(bases: &mut [u8], share: f64, draw: &mut ChaCha8Rng) {
    let mut start = 0;
    while start < bases.len() {
        let end = (start + draw.random_range(100..=500_usize)).min(bases.len());
        if draw.random_bool(share) {
            bases[start..end].make_ascii_lowercase();
        }
        start = end;
    }
}
