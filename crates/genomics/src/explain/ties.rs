//! Where a maximum is reached more than once, and its gradient is one of several.

use std::fmt;

use burn::tensor::Tensor;
use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::ExplainError;

/// Finds the windows of a maximum pooling in which the maximum is reached at more than one position, as it is where a
/// sequence has the same site twice.
///
/// A gradient, and `DeepLIFT` with it, then lays the whole share on one of them. The values still add up, but the other
/// positions matter as much.
///
/// ```
/// use genomics::explain::PoolTies;
/// use nn_core::burn::tensor::{Device, Tensor};
/// let pooled = Tensor::<3>::from_floats([[[0.5, 2.0, 0.0, 2.0]]], &Device::flex());
/// let ties = PoolTies::default().find(&pooled)?;
/// assert_eq!(ties[0].to_string(), "row 0, channel 0: the maximum of 2 is reached at positions 1 and 3");
/// # Ok::<(), genomics::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolTies {
    /// Positions of a window; all of them where it is absent.
    pub window: Option<usize>,
    /// Positions from one window to the next; the window where it is absent.
    pub stride: Option<usize>,
    /// Maxima up to this value are passed over: after a rectification ties at 0 have no gradient to share.
    pub above: f64,
    /// Values that are less than this share of the maximum below it count as equal.
    pub tolerance: f64,
}

impl Default for PoolTies {
    /// One window over all positions, above 0, with some bits of rounding in single precision.
    fn default() -> Self {
        Self { window: None, stride: None, above: 0.0, tolerance: 1e-6 }
    }
}

/// A window whose maximum is reached more than once.
#[derive(Debug, Clone, PartialEq)]
pub struct Tie {
    /// The row of the input.
    pub row: usize,
    /// The channel.
    pub channel: usize,
    /// The positions, two or more.
    pub positions: Vec<usize>,
    /// The maximum.
    pub value: f64,
}

impl fmt::Display for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, channel, positions, value } = self;
        write!(f, "row {row}, channel {channel}: the maximum of {value} is reached at positions ")?;
        for (at, position) in positions.iter().enumerate() {
            let before = match at {
                0 => "",
                _ if at + 1 == positions.len() => " and ",
                _ => ", ",
            };
            write!(f, "{before}{position}")?;
        }
        Ok(())
    }
}

impl PoolTies {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for an empty window, a stride of 0, or a tolerance outside 0..=0.1.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("window", self.window.unwrap_or(1), 1..=1 << 30)?;
        in_range("stride", self.stride.unwrap_or(1), 1..=1 << 30)?;
        in_range("tolerance", self.tolerance, 0.0..=0.1)
    }

    /// The ties in what is pooled, by row, channel and window. Positions behind the last whole window are passed over.
    ///
    /// # Shapes
    /// - activations `[rows, channels, positions]`
    ///
    /// # Errors
    /// [`ExplainError::Config`]; [`ExplainError::Model`] when the device gives no values.
    pub fn find(&self, activations: &Tensor<3>) -> Result<Vec<Tie>, ExplainError> {
        self.validate()?;
        let [_, channels, positions] = activations.dims();
        let values = activations.clone().inner().try_into_vec_as::<f64>()?;
        let window = self.window.unwrap_or(positions).min(positions).max(1);
        let stride = self.stride.unwrap_or(window);
        let mut ties = Vec::new();
        for (number, values) in values.chunks_exact(positions.max(1)).enumerate() {
            for (start, values) in values.windows(window).enumerate().step_by(stride) {
                let value = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if value <= self.above {
                    continue;
                }
                let least = value - self.tolerance * value.abs();
                let positions: Vec<usize> =
                    (start..).zip(values).filter(|(_, value)| **value >= least).map(|(position, _)| position).collect();
                if positions.len() > 1 {
                    ties.push(Tie { row: number / channels, channel: number % channels, positions, value });
                }
            }
        }
        Ok(ties)
    }
}
