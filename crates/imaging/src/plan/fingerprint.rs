//! What a set of cases is like: sizes, spacings and grey values.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ANISOTROPY;
use crate::case::Case;
use crate::intensity::{Fitted, Intensities, samples};
use crate::volume::{Modality, Units, default_names};

/// A set that cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// There is no case.
    #[error("there is no case to plan for")]
    Empty,
    /// Cases with different numbers of channels.
    #[error(
        "case {id} has {found} channels, the cases before it have {expected}; a set has the same channels in each case"
    )]
    Channels {
        /// The case.
        id: String,
        /// Its channels.
        found: usize,
        /// Those of the others.
        expected: usize,
    },
}

/// What one case is like. It holds a sample of the grey values, and so a set can be measured case by case, without all
/// of it in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct CasePrint {
    id: String,
    size: [usize; 3],
    spacing: [f64; 3],
    /// Share of the voxels that is left by cropping to what is not 0.
    cropped: f64,
    names: Vec<String>,
    channels: Vec<(bool, Vec<f32>)>,
}

impl CasePrint {
    /// Measures a case. Grey values are those of labelled voxels, where there are any.
    pub fn of(case: &Case) -> Self {
        let geometry = case.geometry();
        let size = nonzero_size(case);
        let labels = case.label.as_ref().filter(|map| map.labels.iter().any(|label| *label > 0));
        let channels = case
            .channels
            .iter()
            .map(|volume| {
                let hounsfield = volume.modality == Modality::Ct || volume.units == Units::Hounsfield;
                (hounsfield, samples(volume, labels))
            })
            .collect();
        Self {
            id: case.id.clone(),
            size,
            spacing: geometry.spacing,
            cropped: size.iter().product::<usize>() as f64 / geometry.len() as f64,
            names: case.label.as_ref().map(|map| map.names.clone()).unwrap_or_default(),
            channels,
        }
    }
}

/// Voxels of the smallest block around everything that is not 0 in some channel; the whole where all is 0.
fn nonzero_size(case: &Case) -> [usize; 3] {
    let size = case.geometry().size;
    let (mut first, mut last) = (size, [0; 3]);
    let mut found = false;
    for volume in &case.channels {
        for (row, values) in volume.voxels.chunks_exact(size[0]).enumerate() {
            let Some(from) = values.iter().position(|value| *value != 0.0) else { continue };
            let to = values.iter().rposition(|value| *value != 0.0).unwrap_or(from);
            for (axis, low, high) in
                [(0, from, to), (1, row % size[1], row % size[1]), (2, row / size[1], row / size[1])]
            {
                first[axis] = first[axis].min(low);
                last[axis] = last[axis].max(high);
            }
            found = true;
        }
    }
    if found { [0, 1, 2].map(|axis| last[axis] + 1 - first[axis]) } else { size }
}

/// What one channel of a set is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelPrint {
    /// Whether every case has it in Hounsfield units.
    pub hounsfield: bool,
    /// Grey values of labelled voxels, each case weighing the same; `None` if there is no voxel.
    pub intensities: Option<Intensities>,
}

/// What a set is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Names of the labels, the background first.
    pub names: Vec<String>,
    /// Median share of the voxels that cropping to what is not 0 leaves.
    pub cropped: f64,
    /// Size, cropped to what is not 0, and spacing in mm, of each case.
    pub cases: Vec<([usize; 3], [f64; 3])>,
    /// One for each channel.
    pub channels: Vec<ChannelPrint>,
}

impl Fingerprint {
    /// Measures all cases, on all threads. Give it the training part alone.
    ///
    /// # Errors
    /// [`FingerprintError`] without a case, or if the cases have different channels.
    pub fn of(cases: &[&Case]) -> Result<Self, FingerprintError> {
        Self::from_prints(cases.par_iter().map(|case| CasePrint::of(case)).collect())
    }

    /// As [`Fingerprint::of`], from cases that were measured one by one.
    ///
    /// # Errors
    /// As [`Fingerprint::of`].
    pub fn from_prints(prints: Vec<CasePrint>) -> Result<Self, FingerprintError> {
        let expected = prints.first().ok_or(FingerprintError::Empty)?.channels.len();
        if let Some(other) = prints.iter().find(|print| print.channels.len() != expected) {
            return Err(FingerprintError::Channels { id: other.id.clone(), found: other.channels.len(), expected });
        }
        // The longest list of names: a case without some structure may not name it.
        let names = prints.iter().map(|print| &print.names).fold(Vec::new(), |longest: Vec<String>, names| {
            if names.len() > longest.len() { names.clone() } else { longest }
        });
        let channels = (0..expected)
            .map(|channel| {
                let values: Vec<f32> =
                    prints.iter().flat_map(|print| print.channels[channel].1.iter().copied()).collect();
                ChannelPrint {
                    hounsfield: prints.iter().all(|print| print.channels[channel].0),
                    intensities: Intensities::of(&values),
                }
            })
            .collect();
        Ok(Self {
            names: if names.is_empty() { default_names(2) } else { names },
            cropped: middle(prints.iter().map(|print| print.cropped), 50.0),
            cases: prints.iter().map(|print| (print.size, print.spacing)).collect(),
            channels,
        })
    }

    /// Whether there is a case and a channel.
    pub(super) fn check(&self) -> Result<(), FingerprintError> {
        if self.cases.is_empty() || self.channels.is_empty() { Err(FingerprintError::Empty) } else { Ok(()) }
    }

    /// Voxels in mm: the median along each axis. Where an axis is three times as coarse as the others and has a third
    /// of their voxels, it is the 10th percentile along that axis, but no finer than the others.
    pub fn target_spacing(&self) -> [f64; 3] {
        let along = |axis: usize, q: f64| middle(self.cases.iter().map(|case| case.1[axis]), q);
        let mut target = [0, 1, 2].map(|axis| along(axis, 50.0));
        let size = [0, 1, 2].map(|axis| middle(self.cases.iter().map(|case| case.0[axis] as f64), 50.0));
        // The first of equally coarse axes.
        let worst = (1..3).fold(0, |worst, axis| if target[axis] > target[worst] { axis } else { worst });
        let others = [(worst + 1) % 3, (worst + 2) % 3];
        let coarsest = target[others[0]].max(target[others[1]]);
        let fewest = size[others[0]].min(size[others[1]]);
        if target[worst] > ANISOTROPY * coarsest && size[worst] * ANISOTROPY < fewest {
            let fine = along(worst, 10.0);
            target[worst] = if fine < coarsest { coarsest + 1e-5 } else { fine };
        }
        target
    }

    /// Median size of the cases once they have voxels of `spacing`.
    pub fn median_size(&self, spacing: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|axis| {
            let sizes =
                self.cases.iter().map(|(size, mm)| (mm[axis] / spacing[axis] * size[axis] as f64).round_ties_even());
            middle(sizes, 50.0)
        })
    }

    /// CT is clipped to percentiles of labelled voxels; everything else becomes standard scores, over voxels that are
    /// not 0 where cropping to those leaves less than the share `threshold`.
    pub(super) fn normalise(&self, threshold: f64) -> Vec<Fitted> {
        let scale = |channel: &ChannelPrint| match channel.intensities {
            Some(found) if channel.hounsfield => Fitted::Clipped {
                low: found.low,
                high: found.high,
                mean: found.mean,
                deviation: found.deviation.max(1e-8),
            },
            _ => Fitted::ZScore { nonzero: self.cropped < threshold },
        };
        self.channels.iter().map(scale).collect()
    }
}

/// Percentile `q` of values, as `numpy.percentile`; 0 of nothing.
fn middle(values: impl Iterator<Item = f64>, q: f64) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q / 100.0 * last as f64;
    let below = at.floor() as usize;
    sorted[below] + (sorted[(below + 1).min(last)] - sorted[below]) * (at - below as f64)
}
