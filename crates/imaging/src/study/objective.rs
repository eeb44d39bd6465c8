//! From patches of cases to the loss of a network, and to the scores of the cases that are watched.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::train::{Objective, StepContext, StepError};

use super::ahead::Feed;
use super::data::Prepared;
use super::loss::Truth;
use super::{SegmentStudyConfig, StudyError};
use crate::evaluate::Overlap;
use crate::model::Preprocessing;
use crate::predict::labels_of;
use crate::sampling::Patch;
use crate::systems::{SegmentNet, Segmenter};
use crate::volume::LabelMap;

/// Stream of the dropout masks within a step.
const DROPOUT: u64 = 1;

/// The loss of a segmentation network over patches of its training part.
pub(super) struct SegmentObjective<'a> {
    /// The patches of the training part.
    pub(super) feed: Feed,
    /// The cases that are watched.
    pub(super) watched: Prepared,
    /// Their labels, on the grids of their sources.
    pub(super) truths: Vec<&'a LabelMap>,
    /// Everything that decides the result.
    pub(super) config: &'a SegmentStudyConfig,
    /// How labels come back to their source.
    pub(super) preprocessing: Preprocessing,
    /// Names of the labels, the background first.
    pub(super) names: &'a [String],
    /// The network's device, with autodiff.
    pub(super) device: Device,
}

/// The labels of patches, `[b, k, j, i]`, without the margin that the network loses.
fn inner(patches: &[Patch], margin: [usize; 3]) -> (Vec<u8>, [usize; 4]) {
    let size = patches.first().map_or([0; 3], |patch| patch.size);
    let [ni, nj, nk] = size;
    let kept: [usize; 3] = std::array::from_fn(|axis| size[axis] - 2 * margin[axis]);
    let mut labels = Vec::with_capacity(patches.len() * kept.iter().product::<usize>());
    for patch in patches {
        for k in margin[2]..nk - margin[2] {
            for j in margin[1]..nj - margin[1] {
                let start = (k * nj + j) * ni + margin[0];
                labels.extend_from_slice(&patch.label[start..][..kept[0]]);
            }
        }
    }
    (labels, [patches.len(), kept[2], kept[1], kept[0]])
}

impl Objective for SegmentObjective<'_> {
    type Model = SegmentNet;

    fn loss(&self, model: &SegmentNet, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let patches = self.feed.patches(rows, context)?;
        let Some(first) = patches.first() else { return Err(StepError::other("a step without rows")) };
        let [i, j, k] = first.size;
        let shape = [patches.len(), first.channels, k, j, i];
        let (labels, truth) = inner(&patches, self.config.network.margin());
        let values: Vec<f32> = patches.into_iter().flat_map(|patch| patch.image).collect();
        let x = Tensor::<5>::from_data(TensorData::new(values, shape), &self.device);
        let maps = model.maps(x, Some(&mut context.rng(DROPOUT)));
        Ok(self.config.loss.forward(maps, Truth { labels: &labels, shape: truth }))
    }

    /// Mean Dice coefficient over the labels that occur, as `dice`, and that of each label: of whole cases on the grid of
    /// their source, as they will be judged.
    fn validate(&self, model: &SegmentNet) -> Result<Vec<(String, f64)>, StepError> {
        let device = model.devices().into_iter().next().unwrap_or_default();
        let classes = self.names.len();
        let window = self.config.window();
        let mut sums = vec![(0.0, 0_usize); classes];
        for (place, truth) in self.truths.iter().enumerate() {
            let case = self
                .watched
                .case(place)
                .map_err(|error| StepError::other(StudyError::Kept { id: self.watched.id(place).to_owned(), error }))?;
            let channels = &case.channels;
            let labels = labels_of(model, channels, classes, &window, &device).map_err(StepError::other)?;
            let grid = channels[0].geometry.clone();
            let found = LabelMap::new(labels, grid, self.names.to_vec()).map_err(StepError::other)?;
            let found = self.preprocessing.back(&found, &truth.geometry);
            for (label, sum) in sums.iter_mut().enumerate().skip(1) {
                let overlap = Overlap::of(&truth.mask(label as u8), &found.mask(label as u8));
                if let Some(dice) = overlap.dice() {
                    *sum = (sum.0 + dice, sum.1 + 1);
                }
            }
        }
        let means: Vec<(String, f64)> = sums
            .iter()
            .zip(self.names)
            .filter(|((_, cases), _)| *cases > 0)
            .map(|(&(sum, cases), name)| (format!("dice_{name}"), sum / cases as f64))
            .collect();
        if means.is_empty() {
            return Ok(means);
        }
        let mean = means.iter().map(|(_, dice)| dice).sum::<f64>() / means.len() as f64;
        Ok([("dice".to_owned(), mean)].into_iter().chain(means).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_part_is_what_the_margin_leaves() {
        // A patch of 4 x 3 x 1 with the labels 0 to 11: without one voxel along i the columns 1 and 2 remain.
        let patch = Patch { image: Vec::new(), label: (0..12).collect(), channels: 1, size: [4, 3, 1] };
        let (labels, shape) = inner(&[patch.clone(), patch.clone()], [1, 0, 0]);
        assert_eq!(shape, [2, 1, 3, 2]);
        assert_eq!(labels, [1, 2, 5, 6, 9, 10, 1, 2, 5, 6, 9, 10]);
        let (labels, shape) = inner(&[patch], [1, 1, 0]);
        assert_eq!((labels, shape), (vec![5, 6], [1, 1, 1, 2]));
    }
}
