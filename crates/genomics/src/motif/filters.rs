//! First-layer filters as motifs: what the windows have in common that a filter answers to.
//!
//! The method of Basset (Kelley, Snoek and Rinn 2016, Genome Research 26:990, Methods, "Convolution filter analysis"):
//! all windows of a set of sequences that activate a filter more than half as much as the best one are aligned, and
//! their bases counted.

mod bank;

pub use self::bank::FilterBank;

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Column, Motif, MotifError, UNIFORM, codes, runs};
use crate::sequence::{Unknown, one_hot, reverse_complement};

/// Sequences whose maps are held at once.
const ROWS_AT_ONCE: usize = 256;

/// How the windows of a filter become a motif.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// A window counts if its activation is above this share of the filter's largest one.
    pub share: f64,
    /// Filters with fewer windows than these have no motif.
    pub least_sites: usize,
    /// Counts that are added to each position, divided among its bases.
    pub pseudocount: f64,
    /// Positions at the ends with less information than this, in bits, are cut off; 0 keeps all.
    pub trim_bits: f64,
    /// Whether windows of the other strand count as well, for networks that read both.
    pub both_strands: bool,
}

impl Default for FilterConfig {
    /// Half of the largest activation, as the paper; 10 sites, 4 pseudocounts and ends of 0.2 bits, as its code
    /// (`basset_motifs.py`: `make_filter_pwm`, `meme_add`).
    fn default() -> Self {
        Self { share: 0.5, least_sites: 10, pseudocount: 4.0, trim_bits: 0.2, both_strands: false }
    }
}

/// What a filter learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterMotif {
    /// Number of the filter, from 0.
    pub filter: usize,
    /// Its largest activation on the sequences; 0 if nothing activates it.
    pub highest: f32,
    /// Windows that were counted.
    pub sites: u64,
    /// Their bases; `None` if there are too few windows. Its number of sites is that of the windows.
    pub motif: Option<Motif>,
}

/// Windows that one filter answers to.
struct Tally {
    highest: f32,
    sites: u64,
    counts: Vec<Column>,
}

impl Tally {
    fn new(width: usize) -> Self {
        Self { highest: 0.0, sites: 0, counts: vec![[0.0; 4]; width] }
    }

    fn count(&mut self, window: &[u8]) {
        self.sites += 1;
        self.counts.iter_mut().zip(window).for_each(|(counts, &base)| counts[usize::from(base)] += 1.0);
    }
}

impl FilterConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("share", self.share, 0.0..=1.0)?;
        in_range("least_sites", self.least_sites, 1..=1 << 30)?;
        in_range("pseudocount", self.pseudocount, 0.0..=1e3)?;
        in_range("trim_bits", self.trim_bits, 0.0..=2.0)
    }

    /// The motif of each filter, in their order. Activations are what is left of a response above 0; windows with a
    /// letter other than A, C, G and T are passed over.
    ///
    /// # Errors
    /// [`MotifError::Config`].
    pub fn motifs(&self, bank: &FilterBank, sequences: &[&[u8]]) -> Result<Vec<FilterMotif>, MotifError> {
        self.validate()?;
        let (width, coded) = (bank.width(), self.coded(sequences));
        let tally = |filter: usize| {
            let windows = || coded.iter().flat_map(|codes| runs(codes)).flat_map(move |(_, run)| run.windows(width));
            let mut tally = Tally::new(width);
            tally.highest = windows().fold(0.0_f32, |most, window| most.max(bank.response(filter, window)));
            let enough = self.enough(tally.highest);
            windows().filter(|window| bank.response(filter, window) > enough).for_each(|window| tally.count(window));
            self.motif(filter, tally)
        };
        (0..bank.len()).into_par_iter().map(tally).collect()
    }

    /// The motif of each filter of a network whose first layer is only known by what it finds: `maps` gives, for
    /// one-hot sequences, what each filter of `width` bases makes of the window that begins at each base, as the next
    /// layer sees it; [`Net::first_maps`](crate::systems::Net::first_maps) does.
    ///
    /// # Shapes
    /// - what `maps` gets `[rows, 4, length]`, and what it returns `[rows, filters, length - width + 1]`
    ///
    /// # Errors
    /// [`MotifError::Config`]; [`MotifError::Shape`] for maps of another shape; [`MotifError::Read`].
    pub fn motifs_of(
        &self,
        maps: &impl Fn(Tensor<3>) -> Tensor<3>,
        width: usize,
        sequences: &[&[u8]],
        device: &Device,
    ) -> Result<Vec<FilterMotif>, MotifError> {
        self.validate()?;
        in_range("width", width, 1..=1 << 20)?;
        let turned: Vec<Vec<u8>> = if self.both_strands { others(sequences) } else { Vec::new() };
        let sequences: Vec<&[u8]> = sequences.iter().copied().chain(turned.iter().map(Vec::as_slice)).collect();
        let mut tallies: Vec<Tally> = Vec::new();
        visit(maps, width, &sequences, device, |filters, filter, _, value| {
            tallies.resize_with(filters, || Tally::new(width));
            tallies[filter].highest = tallies[filter].highest.max(value);
        })?;
        let enough: Vec<f32> = tallies.iter().map(|tally| self.enough(tally.highest)).collect();
        visit(maps, width, &sequences, device, |_, filter, window, value| {
            if value > enough[filter] {
                tallies[filter].count(window);
            }
        })?;
        tallies.into_iter().enumerate().map(|(filter, tally)| self.motif(filter, tally)).collect()
    }

    /// Codes of the sequences, and of the other strands where these count.
    fn coded(&self, sequences: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut coded: Vec<Vec<u8>> = sequences.iter().map(|sequence| codes(sequence)).collect();
        if self.both_strands {
            coded.extend(others(sequences).iter().map(|sequence| codes(sequence)));
        }
        coded
    }

    /// The activation above which a window counts; none is above it if nothing activates the filter.
    fn enough(&self, highest: f32) -> f32 {
        if highest > 0.0 { (f64::from(highest) * self.share) as f32 } else { f32::INFINITY }
    }

    fn motif(&self, filter: usize, tally: Tally) -> Result<FilterMotif, MotifError> {
        let Tally { highest, sites, counts } = tally;
        let motif = if sites >= self.least_sites as u64 {
            let motif = Motif::from_counts(format!("filter{filter}"), &counts, self.pseudocount)?;
            Some(if self.trim_bits > 0.0 { motif.trimmed(self.trim_bits, &UNIFORM) } else { motif })
        } else {
            None
        };
        Ok(FilterMotif { filter, highest, sites, motif })
    }
}

fn others(sequences: &[&[u8]]) -> Vec<Vec<u8>> {
    sequences.iter().map(|sequence| reverse_complement(sequence)).collect()
}

/// Tells `seen` the number of filters, and of each filter and window of known bases the codes and the activation.
fn visit(
    maps: &impl Fn(Tensor<3>) -> Tensor<3>,
    width: usize,
    sequences: &[&[u8]],
    device: &Device,
    mut seen: impl FnMut(usize, usize, &[u8], f32),
) -> Result<(), MotifError> {
    let length = sequences.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
    if length < width {
        return Ok(());
    }
    let places = length - width + 1;
    for part in sequences.chunks(ROWS_AT_ONCE) {
        let x = TensorData::new(one_hot(part, length, Unknown::Zeros), [part.len(), 4, length]);
        let found = maps(Tensor::<3>::from_data(x, device).inner()).inner();
        let dims = found.dims();
        let [rows, filters, _] = dims;
        if rows != part.len() || dims[2] != places {
            let expected = format!("{} rows, filters, and {places} windows of {width} bases", part.len());
            return Err(MotifError::Shape { what: "what the first layer gave", found: dims.to_vec(), expected });
        }
        let values = found.try_into_vec_as::<f32>()?;
        for (row, sequence) in part.iter().enumerate() {
            let left = (length - sequence.len()) / 2;
            let codes = codes(sequence);
            for (first, run) in runs(&codes).filter(|(_, run)| run.len() >= width) {
                for filter in 0..filters {
                    let map = &values[(row * filters + filter) * places + left + first..];
                    for (window, &value) in run.windows(width).zip(map) {
                        seen(filters, filter, window, value);
                    }
                }
            }
        }
    }
    Ok(())
}
