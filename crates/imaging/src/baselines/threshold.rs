//! A baseline that knows grey values, and nothing of where they are.

use crate::case::Case;
use crate::volume::{LabelMap, Volume};

/// Bins of the grey values of a case, whose mean is 0 and standard deviation 1; values outside are in the outermost.
const BINS: usize = 128;
/// Grey value of the lower edge of the first bin, and minus that of the upper edge of the last.
const LOWEST: f64 = -4.0;

/// For each label the band of grey values, standardised case by case, whose Dice coefficient over all training voxels is
/// highest. Where bands overlap, the label that is found better has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The label of each bin.
    bins: Vec<u8>,
    names: Vec<String>,
}

impl Threshold {
    /// Looks for the bands of the labels of cases, in their first channel.
    ///
    /// # Panics
    /// Without a case.
    pub fn fit(cases: &[(&Case, &LabelMap)]) -> Self {
        let names = cases[0].1.names.clone();
        let mut counts = vec![vec![0_usize; BINS]; names.len()];
        for (case, map) in cases {
            let bins = bins(&case.channels[0]);
            bins.iter().zip(&map.labels).for_each(|(bin, label)| counts[usize::from(*label)][*bin] += 1);
        }
        let all: Vec<usize> = (0..BINS).map(|bin| counts.iter().map(|counts| counts[bin]).sum()).collect();
        let mut found = vec![(0.0, 0_u8); BINS];
        for (label, own) in counts.iter().enumerate().skip(1) {
            let total: usize = own.iter().sum();
            let mut best = (0.0, 0..0);
            for low in 0..BINS {
                let (mut right, mut given) = (0, 0);
                for (high, (own, all)) in own.iter().zip(&all).enumerate().skip(low) {
                    right += own;
                    given += all;
                    // Dice of the band as it stands.
                    let dice = 2.0 * right as f64 / (total + given).max(1) as f64;
                    if dice > best.0 {
                        best = (dice, low..high + 1);
                    }
                }
            }
            for bin in best.1 {
                if best.0 > found[bin].0 {
                    found[bin] = (best.0, label as u8);
                }
            }
        }
        Self { bins: found.into_iter().map(|(_, label)| label).collect(), names }
    }

    /// Names of the labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The label of each voxel's band.
    pub fn labels(&self, volume: &Volume) -> Vec<u8> {
        bins(volume).into_iter().map(|bin| self.bins[bin]).collect()
    }
}

/// The bin of each voxel; what is not a number is in the first.
fn bins(volume: &Volume) -> Vec<usize> {
    let (mean, scale) = standard(&volume.voxels);
    let width = -2.0 * LOWEST / BINS as f64;
    let bin = |value: &f32| {
        let z = if value.is_finite() { (f64::from(*value) - mean) * scale } else { LOWEST };
        (((z - LOWEST) / width).max(0.0) as usize).min(BINS - 1)
    };
    volume.voxels.iter().map(bin).collect()
}

/// Mean, and one over the standard deviation, of what is a number; a scale of 0 for an image of one value.
pub(super) fn standard(values: &[f32]) -> (f64, f64) {
    let finite = || values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
    let n = finite().count().max(1) as f64;
    let mean = finite().sum::<f64>() / n;
    let deviation = (finite().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if deviation > 1e-9 * (1.0 + mean.abs()) { 1.0 / deviation } else { 0.0 })
}
