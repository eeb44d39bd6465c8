//! First-layer filters as motifs: what the windows have in common that a filter answers to.
//!
//! The method of Basset (Kelley, Snoek and Rinn 2016, Genome Research 26:990, Methods, "Convolution filter analysis"):
//! all windows of a set of sequences that activate a filter more than half as much as the best one are aligned, and
//! their bases counted.

use burn::tensor::Tensor;
use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Column, Motif, MotifError, codes, runs};

/// The filters of a convolution over one-hot bases, with their biases.
///
/// ```
/// use genomics::motif::{FilterBank, FilterConfig};
/// use nn_core::burn::tensor::{Device, Tensor};
/// // one filter of two positions: 1 for A, then 1 for G
/// let weights = Tensor::<3>::from_floats([[[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]], &Device::flex());
/// let bank = FilterBank::new(&weights, None)?;
/// let config = FilterConfig { least_sites: 1, pseudocount: 0.0, ..FilterConfig::default() };
/// let found = &config.motifs(&bank, &[b"AGTTAGC", b"NAG"])?[0];
/// assert_eq!((found.sites, found.highest), (3, 2.0));
/// assert_eq!(found.motif.as_ref().map(|motif| motif.consensus()).as_deref(), Some("AG"));
/// # Ok::<(), genomics::motif::MotifError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FilterBank {
    width: usize,
    /// `[filters, width]` of weights for A, C, G and T.
    weights: Vec<[f32; 4]>,
    bias: Vec<f32>,
}

impl FilterBank {
    /// The filters of a layer; no bias is 0.
    ///
    /// # Shapes
    /// - weights `[filters, 4, width]`, bias `[filters]`
    ///
    /// # Errors
    /// [`MotifError::Shape`], [`MotifError::Read`].
    pub fn new(weights: &Tensor<3>, bias: Option<&Tensor<1>>) -> Result<Self, MotifError> {
        let found = weights.dims();
        let [filters, channels, width] = found;
        if filters == 0 || channels != 4 || width == 0 {
            let expected = "filters, 4 channels and a width, none of them 0".to_owned();
            return Err(MotifError::Shape { what: "the weight of the filters", found: found.to_vec(), expected });
        }
        let values = weights.clone().inner().try_into_vec_as::<f32>()?;
        let weights = values
            .chunks_exact(4 * width)
            .flat_map(|filter| (0..width).map(move |place| std::array::from_fn(|base| filter[base * width + place])))
            .collect();
        let bias = match bias {
            None => vec![0.0; filters],
            Some(bias) => bias.clone().inner().try_into_vec_as::<f32>()?,
        };
        let bank = Self { width, weights, bias };
        bank.fits("the bias of the filters", &bank.bias)?;
        Ok(bank)
    }

    /// The filters followed by a multiplication and an addition of one number for each: batch normalisation with fixed
    /// statistics.
    ///
    /// # Errors
    /// [`MotifError::Shape`] if there is not one number for each filter.
    pub fn scaled(mut self, scale: &[f32], shift: &[f32]) -> Result<Self, MotifError> {
        self.fits("the scale", scale)?;
        self.fits("the shift", shift)?;
        for (weights, scale) in self.weights.chunks_exact_mut(self.width).zip(scale) {
            weights.iter_mut().flatten().for_each(|weight| *weight *= scale);
        }
        for ((bias, scale), shift) in self.bias.iter_mut().zip(scale).zip(shift) {
            *bias = *bias * scale + shift;
        }
        Ok(self)
    }

    /// Number of filters.
    pub fn len(&self) -> usize {
        self.bias.len()
    }

    /// Whether there is no filter; there always is one.
    pub fn is_empty(&self) -> bool {
        self.bias.is_empty()
    }

    /// Positions of each filter.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Weights for A, C, G and T at each position of a filter.
    ///
    /// # Panics
    /// If there is no such filter.
    pub fn filter(&self, filter: usize) -> &[[f32; 4]] {
        &self.weights[filter * self.width..(filter + 1) * self.width]
    }

    /// What a filter answers to a window of known bases, before any rectification.
    fn response(&self, filter: usize, window: &[u8]) -> f32 {
        let weights = self.filter(filter).iter().zip(window);
        weights.fold(self.bias[filter], |sum, (weights, &base)| sum + weights[usize::from(base)])
    }

    fn fits(&self, what: &'static str, values: &[f32]) -> Result<(), MotifError> {
        let filters = self.weights.len() / self.width;
        if values.len() == filters {
            return Ok(());
        }
        let expected = format!("one number for each of {filters} filters");
        Err(MotifError::Shape { what, found: vec![values.len()], expected })
    }
}

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
}

impl Default for FilterConfig {
    /// Half of the largest activation, as the paper; 10 sites, 4 pseudocounts and ends of 0.2 bits, as its code
    /// (`basset_motifs.py`: `make_filter_pwm`, `meme_add`).
    fn default() -> Self {
        Self { share: 0.5, least_sites: 10, pseudocount: 4.0, trim_bits: 0.2 }
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
        let coded: Vec<Vec<u8>> = sequences.iter().map(|sequence| codes(sequence)).collect();
        (0..bank.len()).into_par_iter().map(|filter| self.motif(bank, filter, &coded)).collect()
    }

    fn motif(&self, bank: &FilterBank, filter: usize, coded: &[Vec<u8>]) -> Result<FilterMotif, MotifError> {
        let width = bank.width();
        let windows = || coded.iter().flat_map(|codes| runs(codes)).flat_map(move |(_, run)| run.windows(width));
        let highest = windows().fold(0.0_f32, |most, window| most.max(bank.response(filter, window)));
        let enough = f64::from(highest) * self.share;
        let (mut counts, mut sites): (Vec<Column>, u64) = (vec![[0.0; 4]; width], 0);
        if highest > 0.0 {
            for window in windows().filter(|window| f64::from(bank.response(filter, window)) > enough) {
                sites += 1;
                counts.iter_mut().zip(window).for_each(|(counts, &base)| counts[usize::from(base)] += 1.0);
            }
        }
        let motif = if sites >= self.least_sites as u64 {
            let motif = Motif::from_counts(format!("filter{filter}"), &counts, self.pseudocount)?;
            Some(if self.trim_bits > 0.0 { motif.trimmed(self.trim_bits, &super::UNIFORM) } else { motif })
        } else {
            None
        };
        Ok(FilterMotif { filter, highest, sites, motif })
    }
}
