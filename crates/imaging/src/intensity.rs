//! Grey values on a scale that a network can read: standard scores, percentiles, windows.
//!
//! A [`Normalise`] is what is wanted, a [`Fitted`] what is done: whatever is measured on a set is measured on its
//! training part once and stored with the model. CT is clipped to percentiles of the training part and scaled by its
//! mean and deviation, everything else becomes standard scores of its own volume (Isensee and others 2021, *nnU-Net*,
//! methods, "intensity normalization").
//!
//! Padding is no measurement. Voxels that are not finite, and voxels of a volume in Hounsfield units below
//! [`LEAST_HOUNSFIELD`], are left out of every statistic and become the lowest value that the volume has afterwards.

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::volume::{LabelMap, Units, Volume};

/// Hounsfield units below which there is no matter: air is −1000, scanners pad the corners with −2000 and −3024.
pub const LEAST_HOUNSFIELD: f32 = -1500.0;

/// Values of one volume that statistics of a set see, evenly spaced, so that each volume counts the same.
const SAMPLES: usize = 20_000;
/// Voxels of one task; the division is fixed, so that sums do not depend on the number of threads.
pub(crate) const TASK: usize = 1 << 15;
/// Smallest divisor, for volumes of one value.
const SMALLEST: f64 = 1e-8;

/// How grey values are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Normalise {
    /// As they are.
    None,
    /// Standard scores of each volume.
    ZScore {
        /// Over voxels that are not exactly 0, which stay 0: for volumes that were cut out of their surroundings.
        #[serde(default)]
        nonzero: bool,
    },
    /// Each volume is clipped to its own percentiles, then becomes standard scores: for magnetic resonance with single
    /// voxels far above all others.
    Robust {
        /// Lower percentile, 0 to 100.
        low: f64,
        /// Upper percentile.
        high: f64,
    },
    /// Clipped to percentiles of the training part, less its mean, divided by its deviation: for units that mean the
    /// same in each volume, such as Hounsfield's. nnU-Net has 0.5 and 99.5.
    Percentile {
        /// Lower percentile, 0 to 100.
        low: f64,
        /// Upper percentile.
        high: f64,
    },
    /// The window `centre − width/2` to `centre + width/2` becomes 0 to 1; what lies outside is clipped.
    Window {
        /// Middle of the window.
        centre: f64,
        /// Its width.
        width: f64,
    },
    /// Smallest and largest value of each volume become 0 and 1.
    MinMax,
}

impl Default for Normalise {
    /// Standard scores of each volume.
    fn default() -> Self {
        Self::ZScore { nonzero: false }
    }
}

/// Grey values that cannot be scaled.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IntensityError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing to measure on.
    #[error(
        "there is no voxel to take percentiles of: {volumes} volumes, and all their voxels are padding or background"
    )]
    Empty {
        /// Volumes that were given.
        volumes: usize,
    },
    /// Labels that are not those of the volumes.
    #[error("{labels} label maps for {volumes} volumes; give one for each, of the same size, or none")]
    Labels {
        /// Label maps given.
        labels: usize,
        /// Volumes given.
        volumes: usize,
    },
}

/// Statistics of grey values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intensities {
    /// Mean.
    pub mean: f64,
    /// Standard deviation, over n.
    pub deviation: f64,
    /// Smallest.
    pub minimum: f64,
    /// 0.5th percentile.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// 99.5th percentile.
    pub high: f64,
    /// Largest.
    pub maximum: f64,
}

impl Intensities {
    /// Of all `values`; `None` if there is none.
    pub fn of(values: &[f32]) -> Option<Self> {
        let found = moments(values)?;
        let sorted = ascending(values);
        Some(Self {
            mean: found.mean,
            deviation: found.deviation,
            minimum: f64::from(found.minimum),
            low: percentile(&sorted, 0.5),
            median: percentile(&sorted, 50.0),
            high: percentile(&sorted, 99.5),
            maximum: f64::from(found.maximum),
        })
    }
}

/// What is done to each volume, with all numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fitted {
    /// Nothing; padding becomes the smallest value.
    None,
    /// As [`Normalise::ZScore`].
    ZScore {
        /// Over voxels that are not exactly 0.
        nonzero: bool,
    },
    /// As [`Normalise::Robust`].
    Robust {
        /// Lower percentile.
        low: f64,
        /// Upper percentile.
        high: f64,
    },
    /// Clipped to `low..=high`, less `mean`, divided by `deviation`.
    Clipped {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
        /// What becomes 0.
        mean: f64,
        /// What becomes 1.
        deviation: f64,
    },
    /// As [`Normalise::MinMax`].
    MinMax,
}

impl Normalise {
    /// # Errors
    /// [`ConfigError`] for percentiles or a window that are none.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Robust { low, high } | Self::Percentile { low, high } => {
                in_range("normalise.low", low, 0.0..=100.0)?;
                in_range("normalise.high", high, 0.0..=100.0)?;
                if low < high {
                    return Ok(());
                }
                Err(ConfigError::Conflict(format!("normalise.low = {low} must be less than normalise.high = {high}")))
            }
            Self::Window { centre, width } => {
                in_range("normalise.centre", centre, -1e9..=1e9)?;
                in_range("normalise.width", width, 1e-9..=1e9)
            }
            Self::None | Self::ZScore { .. } | Self::MinMax => Ok(()),
        }
    }

    /// Measures what the scale needs on the volumes of the training part.
    ///
    /// # Errors
    /// [`IntensityError`] for settings out of range, or if percentiles are wanted and there is no voxel.
    pub fn fit(&self, volumes: &[&Volume]) -> Result<Fitted, IntensityError> {
        self.fit_foreground(volumes, &[])
    }

    /// As [`Normalise::fit`], over labelled voxels only, as nnU-Net does it for CT: most of a body is air.
    ///
    /// # Errors
    /// As [`Normalise::fit`], and [`IntensityError::Labels`] unless there is a label map of the same size for each
    /// volume.
    pub fn fit_foreground(&self, volumes: &[&Volume], labels: &[&LabelMap]) -> Result<Fitted, IntensityError> {
        self.validate()?;
        let matching = volumes.iter().zip(labels).all(|(volume, map)| volume.voxels.len() == map.labels.len());
        if !labels.is_empty() && (labels.len() != volumes.len() || !matching) {
            return Err(IntensityError::Labels { labels: labels.len(), volumes: volumes.len() });
        }
        Ok(match *self {
            Self::None => Fitted::None,
            Self::ZScore { nonzero } => Fitted::ZScore { nonzero },
            Self::Robust { low, high } => Fitted::Robust { low, high },
            Self::MinMax => Fitted::MinMax,
            Self::Window { centre, width } => {
                let low = centre - width / 2.0;
                Fitted::Clipped { low, high: low + width, mean: low, deviation: width }
            }
            Self::Percentile { low, high } => {
                let values: Vec<f32> = (0..volumes.len())
                    .into_par_iter()
                    .flat_map_iter(|place| samples(volumes[place], labels.get(place).copied()))
                    .collect();
                let found = moments(&values).ok_or(IntensityError::Empty { volumes: volumes.len() })?;
                let sorted = ascending(&values);
                let (low, high) = (percentile(&sorted, low), percentile(&sorted, high));
                Fitted::Clipped { low, high, mean: found.mean, deviation: found.deviation.max(SMALLEST) }
            }
        })
    }
}

impl Fitted {
    /// Scales the values of `volume` in place. Its units become arbitrary, unless nothing is done.
    pub fn apply(&self, volume: &mut Volume) {
        let padding = padding(volume);
        let measured = |keep: &(dyn Fn(f32) -> bool + Sync)| {
            moments_where(&volume.voxels, |value| value.is_finite() && value >= padding && keep(value))
        };
        // value ↦ (clip(value) − shift) / divisor
        let (low, high, shift, divisor) = match *self {
            Self::None => (f64::NEG_INFINITY, f64::INFINITY, 0.0, 1.0),
            Self::Clipped { low, high, mean, deviation } => (low, high, mean, deviation),
            Self::ZScore { nonzero } => {
                let found = measured(&|value| !nonzero || value != 0.0).unwrap_or(Moments::NONE);
                (f64::NEG_INFINITY, f64::INFINITY, found.mean, found.deviation)
            }
            Self::MinMax => {
                let found = measured(&|_| true).unwrap_or(Moments::NONE);
                let range = f64::from(found.maximum) - f64::from(found.minimum);
                (f64::NEG_INFINITY, f64::INFINITY, f64::from(found.minimum), range)
            }
            Self::Robust { low, high } => {
                let known = |value: &f32| value.is_finite() && *value >= padding;
                let sorted = ascending(&volume.voxels.iter().copied().filter(known).collect::<Vec<_>>());
                let (low, high) = (percentile(&sorted, low), percentile(&sorted, high));
                let clipped: Vec<f32> = sorted.iter().map(|value| value.clamp(low as f32, high as f32)).collect();
                let found = moments(&clipped).unwrap_or(Moments::NONE);
                (low, high, found.mean, found.deviation)
            }
        };
        let keep_zeros = matches!(self, Self::ZScore { nonzero: true });
        let lowest = measured(&|_| true).map_or(0.0, |found| f64::from(found.minimum));
        let scaled = |value: f64| (value.max(low).min(high) - shift) / divisor.max(SMALLEST);
        let filling = if keep_zeros { 0.0 } else { scaled(lowest) as f32 };
        volume.voxels.par_chunks_mut(TASK).for_each(|task| {
            for value in task {
                *value = if !value.is_finite() || *value < padding {
                    filling
                } else if keep_zeros && *value == 0.0 {
                    0.0
                } else {
                    scaled(f64::from(*value)) as f32
                };
            }
        });
        if *self != Self::None {
            volume.units = Units::Arbitrary;
        }
    }
}

/// The value below which voxels of `volume` are padding.
pub(crate) fn padding(volume: &Volume) -> f32 {
    if volume.units == Units::Hounsfield { LEAST_HOUNSFIELD } else { f32::NEG_INFINITY }
}

/// The same number of values from each volume, evenly spaced among those that are no padding and, with labels,
/// labelled.
pub(crate) fn samples(volume: &Volume, labels: Option<&LabelMap>) -> Vec<f32> {
    let padding = padding(volume);
    let known = |value: &f32| value.is_finite() && *value >= padding;
    let values: Vec<f32> = match labels {
        None => volume.voxels.iter().copied().filter(known).collect(),
        Some(map) => {
            let labelled = volume.voxels.iter().zip(&map.labels).filter(|(_, label)| **label > 0);
            labelled.map(|(value, _)| *value).filter(known).collect()
        }
    };
    if values.is_empty() {
        return values;
    }
    // A volume with few voxels gives each of them several times, so that all volumes weigh the same.
    (0..SAMPLES).map(|sample| values[sample * values.len() / SAMPLES]).collect()
}

/// Mean, deviation and range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) minimum: f32,
    pub(crate) maximum: f32,
}

impl Moments {
    /// Those of nothing, with which nothing changes.
    const NONE: Self = Self { mean: 0.0, deviation: 1.0, minimum: 0.0, maximum: 1.0 };
}

/// Moments of all values; `None` if there is none.
pub(crate) fn moments(values: &[f32]) -> Option<Moments> {
    moments_where(values, |_| true)
}

/// Moments of the values that are kept. Each task sums in double precision, and the tasks are added in order.
fn moments_where(values: &[f32], keep: impl Fn(f32) -> bool + Sync) -> Option<Moments> {
    let summed = |about: f64| -> Vec<(usize, f64, f64, f32, f32)> {
        values
            .par_chunks(TASK)
            .map(|task| {
                let (mut count, mut sum, mut squares) = (0, 0.0, 0.0);
                let (mut minimum, mut maximum) = (f32::INFINITY, f32::NEG_INFINITY);
                for &value in task.iter().filter(|value| keep(**value)) {
                    let from = f64::from(value) - about;
                    count += 1;
                    sum += from;
                    squares += from * from;
                    minimum = minimum.min(value);
                    maximum = maximum.max(value);
                }
                (count, sum, squares, minimum, maximum)
            })
            .collect()
    };
    // About a value of the data, so that the sum of squares keeps its digits where the mean is far from 0.
    let about = f64::from(*values.iter().find(|value| keep(**value))?);
    let total = summed(about).into_iter().fold((0, 0.0, 0.0, f32::INFINITY, f32::NEG_INFINITY), |all, task| {
        (all.0 + task.0, all.1 + task.1, all.2 + task.2, all.3.min(task.3), all.4.max(task.4))
    });
    let (count, sum, squares, minimum, maximum) = total;
    let mean = sum / count as f64;
    let variance = (squares / count as f64 - mean * mean).max(0.0);
    Some(Moments { mean: about + mean, deviation: variance.sqrt(), minimum, maximum })
}

/// The values in ascending order.
fn ascending(values: &[f32]) -> Vec<f32> {
    let mut sorted = values.to_vec();
    sorted.par_sort_unstable_by(f32::total_cmp);
    sorted
}

/// Percentile `q` (0 to 100) of ascending values, between two of them in proportion, as `numpy.percentile`; 0 of
/// nothing.
pub(crate) fn percentile(sorted: &[f32], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q.clamp(0.0, 100.0) / 100.0 * last as f64;
    let below = at.floor() as usize;
    let (low, high) = (f64::from(sorted[below]), f64::from(sorted[(below + 1).min(last)]));
    low + (high - low) * (at - below as f64)
}

#[cfg(test)]
mod tests;
