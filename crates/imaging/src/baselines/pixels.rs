//! Logistic regression of each voxel on what is around it.

use nn_core::data::rng;
use rand::RngExt;
use rayon::prelude::*;

use super::BaselineConfig;
use super::logistic::{Logistic, Rows};
use super::threshold::standard;
use crate::case::Case;
use crate::volume::LabelMap;

/// Half the edges of the boxes whose means are features, in voxels.
const RADII: [usize; 4] = [1, 2, 4, 8];
/// Features of one channel: the voxel, the means, two standard deviations, the gradient, and the squares of the first two.
const FEATURES: usize = 1 + RADII.len() + 2 + 1 + 2;

/// Logistic regression on the grey value of a voxel, the means of boxes around it, their standard deviations, the gradient,
/// and the squares of the finest two, channel by channel; grey values are standardised case by case.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelLogistic {
    model: Logistic,
    names: Vec<String>,
}

impl PixelLogistic {
    /// Fits voxels drawn evenly from cases.
    ///
    /// # Panics
    /// Without a case.
    pub fn fit(cases: &[(&Case, &LabelMap)], config: &BaselineConfig) -> Self {
        let names = cases[0].1.names.clone();
        let columns = FEATURES * cases[0].0.channels.len();
        let share = config.voxels.div_ceil(cases.len());
        let drawn: Vec<(Vec<f32>, Vec<usize>)> = cases
            .par_iter()
            .enumerate()
            .map(|(number, (case, map))| {
                let mut draw = rng(config.seed, &[number as u64]);
                let count = map.labels.len();
                let places: Vec<usize> = if count <= share {
                    (0..count).collect()
                } else {
                    (0..share).map(|_| draw.random_range(0..count)).collect()
                };
                let planes = features(case);
                let rows = places.iter().flat_map(|&place| planes.iter().map(move |plane| plane[place])).collect();
                (rows, places.iter().map(|&place| usize::from(map.labels[place])).collect())
            })
            .collect();
        let (rows, targets): (Vec<Vec<f32>>, Vec<Vec<usize>>) = drawn.into_iter().unzip();
        let classes = names.len().max(2);
        let model = Logistic::fit(&Rows::of(rows.concat(), columns), &targets.concat(), classes, config.penalty);
        Self { model, names }
    }

    /// Names of the labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The most probable label of each voxel.
    ///
    /// # Panics
    /// If the case has another number of channels than those that were learnt from.
    pub fn labels(&self, case: &Case) -> Vec<u8> {
        let planes = features(case);
        let count = case.geometry().len();
        let mut labels = Vec::with_capacity(count);
        // Rows of all voxels at once would need many times the memory of the case.
        let block = 1 << 16;
        for start in (0..count).step_by(block) {
            let end = (start + block).min(count);
            let rows = (start..end).flat_map(|place| planes.iter().map(move |plane| plane[place])).collect();
            labels.extend(self.model.classes(&Rows::of(rows, planes.len())).into_iter().map(|label| label as u8));
        }
        labels
    }
}

/// One plane of values for each feature.
fn features(case: &Case) -> Vec<Vec<f32>> {
    let size = case.geometry().size;
    let mut planes = Vec::with_capacity(FEATURES * case.channels.len());
    for channel in &case.channels {
        let (mean, scale) = standard(&channel.voxels);
        let standardised =
            |value: &f32| if value.is_finite() { ((f64::from(*value) - mean) * scale) as f32 } else { 0.0 };
        let own: Vec<f32> = channel.voxels.iter().map(standardised).collect();
        let squares: Vec<f32> = own.iter().map(|value| value * value).collect();
        let means: Vec<Vec<f32>> = RADII.par_iter().map(|&radius| box_mean(&own, size, radius)).collect();
        let deviation = |place: usize| -> Vec<f32> {
            let second = box_mean(&squares, size, RADII[place]);
            second.iter().zip(&means[place]).map(|(square, mean)| (square - mean * mean).max(0.0).sqrt()).collect()
        };
        let square = |plane: &[f32]| plane.iter().map(|value| value * value).collect::<Vec<f32>>();
        let extra = [deviation(1), deviation(2), gradient(&means[0], size), squares.clone(), square(&means[0])];
        planes.push(own);
        planes.extend(means);
        planes.extend(extra);
    }
    planes
}

/// Mean of the box of `radius` around each voxel, as far as it lies on the grid; along axes of more than one voxel.
fn box_mean(values: &[f32], size: [usize; 3], radius: usize) -> Vec<f32> {
    let mut values = values.to_vec();
    let mut inner = 1;
    for length in size {
        if length > 1 {
            let mut line = vec![0.0_f64; length + 1];
            for block in values.chunks_exact_mut(inner * length) {
                for offset in 0..inner {
                    for place in 0..length {
                        line[place + 1] = line[place] + f64::from(block[place * inner + offset]);
                    }
                    for place in 0..length {
                        let (low, high) = (place.saturating_sub(radius), (place + radius + 1).min(length));
                        block[place * inner + offset] = ((line[high] - line[low]) / (high - low) as f64) as f32;
                    }
                }
            }
        }
        inner *= length;
    }
    values
}

/// Length of the gradient by central differences, one-sided at the edges.
fn gradient(values: &[f32], size: [usize; 3]) -> Vec<f32> {
    let steps = [1, size[0], size[0] * size[1]];
    let at = |place: usize| {
        let index = [place % size[0], place / steps[1] % size[1], place / steps[2]];
        let squares = (0..3).filter(|&axis| size[axis] > 1).map(|axis| {
            let before = if index[axis] > 0 { place - steps[axis] } else { place };
            let after = if index[axis] + 1 < size[axis] { place + steps[axis] } else { place };
            let distance = ((after - before) / steps[axis]) as f32;
            ((values[after] - values[before]) / distance).powi(2)
        });
        squares.sum::<f32>().sqrt()
    };
    (0..values.len()).map(at).collect()
}
