//! Filters as numbers on the host.

use burn::tensor::Tensor;

use crate::motif::MotifError;

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
    pub(super) fn response(&self, filter: usize, window: &[u8]) -> f32 {
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
