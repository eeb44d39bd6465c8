//! Using trained models: segmentations on the grid of their source, classes of pictures.

#[cfg(test)]
mod tests;

use nn_core::train::StepError;

use crate::components::{Connectivity, keep_largest};
use crate::geometry::Geometry;
use crate::inference::{InferenceError, Segmented, WindowConfig, segment};
use crate::model::{PreprocessingError, SegmentEnsemble, SegmentModel, probabilities};
use crate::transform::{Interpolation, resample};
use crate::volume::{LabelMap, Volume, VolumeError};

/// Why a volume cannot be segmented.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The model cannot read the volumes.
    #[error(transparent)]
    Preprocessing(#[from] PreprocessingError),
    /// The windows could not be computed.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// What the network gave does not fit the grid.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The device did not give the numbers back.
    #[error(transparent)]
    Step(#[from] StepError),
}

/// How a volume is segmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SegmentOptions {
    /// Keeps the largest connected part of each label alone.
    pub largest: bool,
    /// Averages over the input mirrored along all axes too.
    pub mirror: bool,
    /// Gives the probability of each label as well.
    pub probabilities: bool,
}

/// What was found in a volume.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// The labels, on the grid of the source.
    pub labels: LabelMap,
    /// Probability of each label but the background, in their order and on the grid of the source; empty where they were
    /// not asked for.
    pub probabilities: Vec<Volume>,
}

impl Segmentation {
    /// Name and volume in millilitres of each label but the background.
    pub fn millilitres(&self) -> Vec<(String, f64)> {
        let named = self.labels.names.iter().enumerate().skip(1);
        named.map(|(label, name)| (name.clone(), self.labels.volume_mm3(label as u8) / 1000.0)).collect()
    }
}

/// Segments a case whose channels are given as they were read; labels come back on their grid.
///
/// Each member of the ensemble sees the case through its own intensities. Memory beside the volumes is that of one slab
/// of windows, unless probabilities are asked for.
///
/// # Errors
/// [`PredictError`].
pub fn segment_case(
    ensemble: &SegmentEnsemble,
    channels: &[&Volume],
    options: &SegmentOptions,
) -> Result<Segmentation, PredictError> {
    let card = ensemble.card();
    let mut window = card.window.clone();
    window.probability = options.probabilities;
    if options.mirror {
        window.mirror = (0..3).filter(|&axis| window.patch[axis] > 1).collect();
    }
    let inputs = ensemble
        .models()
        .iter()
        .map(|model| model.card.preprocessing.apply(channels))
        .collect::<Result<Vec<_>, _>>()?;
    let grid = inputs[0][0].geometry.clone();
    let segmented = together(ensemble.models(), &inputs, &window)?;
    let source = &channels[0].geometry;
    let found = LabelMap::new(segmented.labels, grid.clone(), card.names.clone())?;
    let mut labels = card.preprocessing.back(&found, source);
    if options.largest {
        for label in 1..card.names.len() {
            largest_of(&mut labels, label as u8);
        }
    }
    let probabilities = match segmented.probability {
        Some(values) => maps(&values, card.names.len(), &grid, source)?,
        None => Vec::new(),
    };
    Ok(Segmentation { labels, probabilities })
}

/// Windows of all members over their own inputs, which share one grid.
fn together(models: &[SegmentModel], inputs: &[Vec<Volume>], window: &WindowConfig) -> Result<Segmented, PredictError> {
    let (classes, channels) = (models[0].card.names.len(), window.inputs(inputs[0].len()));
    let devices: Vec<_> = models.iter().map(SegmentModel::device).collect();
    let [i, j, k] = window.patch;
    // The channels of all members lie side by side, so that one pass of windows serves all.
    let stacked: Vec<&Volume> = inputs.iter().flatten().collect();
    let stride = channels * i * j * k;
    let mut predict = |values: Vec<f32>, batch: usize| -> Result<Vec<f32>, StepError> {
        let mut mean: Vec<f32> = Vec::new();
        for (member, model) in models.iter().enumerate() {
            let own: Vec<f32> = if models.len() == 1 {
                values.clone()
            } else {
                (0..batch)
                    .flat_map(|row| &values[(row * models.len() + member) * stride..][..stride])
                    .copied()
                    .collect()
            };
            let found = probabilities(&model.network, own, [batch, channels, k, j, i], &devices[member])?;
            if mean.is_empty() {
                mean = found;
            } else {
                mean.iter_mut().zip(found).for_each(|(mean, value)| *mean += value);
            }
        }
        let n = models.len() as f32;
        mean.iter_mut().for_each(|value| *value /= n);
        Ok(mean)
    };
    Ok(segment(&stacked, classes, window, &mut predict)?)
}

/// Labels of prepared channels by one network, on the prepared grid: what a validation in training looks at.
///
/// # Errors
/// [`InferenceError`].
pub(crate) fn labels_of(
    network: &crate::systems::SegmentNet,
    channels: &[Volume],
    classes: usize,
    window: &WindowConfig,
    device: &burn::tensor::Device,
) -> Result<Vec<u8>, InferenceError> {
    let [i, j, k] = window.patch;
    let shape = |batch: usize| [batch, window.inputs(channels.len()), k, j, i];
    let mut predict = |values: Vec<f32>, batch: usize| probabilities(network, values, shape(batch), device);
    let channels: Vec<&Volume> = channels.iter().collect();
    Ok(segment(&channels, classes, window, &mut predict)?.labels)
}

/// Leaves the largest connected part of a label, by faces.
fn largest_of(map: &mut LabelMap, label: u8) {
    let mask = map.mask(label);
    let kept = keep_largest(&mask, map.geometry.size, Connectivity::Six);
    for ((value, was), is) in map.labels.iter_mut().zip(mask).zip(kept) {
        if was && !is {
            *value = 0;
        }
    }
}

/// Probabilities of each label but the background, `[classes, k, j, i]`, as volumes on the grid of the source.
fn maps(values: &[f32], classes: usize, grid: &Geometry, source: &Geometry) -> Result<Vec<Volume>, VolumeError> {
    let voxels = grid.len();
    (1..classes)
        .map(|label| {
            let map = Volume::new(values[label * voxels..][..voxels].to_vec(), grid.clone())?;
            let same = grid.same_grid(source, 1e-6);
            Ok(if same { map } else { resample(&map, source, Interpolation::Linear) })
        })
        .collect()
}
