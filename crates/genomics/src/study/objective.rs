//! From rows of a sequence set to the loss of a network and to what decides when training stops.

use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::losses::{self, BinaryCrossEntropy, CrossEntropy, Reduction};
use nn_core::metrics::MetricError;
use nn_core::train::{Objective, StepContext, StepError};

use crate::dataset::{Labels, SequenceSet};
use crate::evaluate::Judged;
use crate::model::{Preprocessing, logits};
use crate::strands::augment;
use crate::systems::{Net, SequenceNet};

/// Stream of the dropout masks within a step.
const DROPOUT: u64 = 1;
/// Stream of the strands that a step sees.
const STRANDS: u64 = 2;
/// Class that stands for a missing label.
const MISSING: i64 = -1;

/// Scores of the validation part that a run shows beside the loss, by kind of labels.
fn watched(labels: &Labels) -> &'static [&'static str] {
    match labels {
        Labels::Binary => &["auroc", "average_precision"],
        Labels::Classes(_) => &["accuracy", "auroc"],
        Labels::Values => &["pearson"],
    }
}

/// Cross-entropy of labels and classes, squared error of values; missing labels count nothing.
#[derive(Debug)]
pub struct SequenceObjective<'a> {
    /// The rows.
    pub set: &'a SequenceSet,
    /// How a sequence becomes input.
    pub preprocessing: &'a Preprocessing,
    /// The rows that [`Objective::validate`] scores.
    pub monitored: &'a [usize],
    /// The network's device, with autodiff.
    pub device: Device,
}

impl SequenceObjective<'_> {
    /// Inputs of a step, each sequence on one of its strands.
    ///
    /// # Shapes
    /// - output `[rows, 4, window]`
    fn inputs(&self, rows: &[usize], context: &StepContext) -> Tensor<3> {
        let sequences: Vec<&[u8]> = rows.iter().map(|&row| self.set.sequences[row].as_slice()).collect();
        let mut channels = self.preprocessing.channels(&sequences);
        if self.preprocessing.strands.augments() {
            augment(&mut channels, self.preprocessing.row(), &mut context.rng(STRANDS));
        }
        self.preprocessing.tensor(channels, &self.device)
    }

    fn targets(&self, rows: &[usize]) -> Vec<f32> {
        let tasks = self.set.tasks.len();
        rows.iter().flat_map(|row| &self.set.targets[row * tasks..][..tasks]).copied().collect()
    }
}

/// The loss of logits against targets of `[rows, tasks]`, where NaN is missing.
///
/// # Shapes
/// - logits `[rows, outputs]`; output `[1]`
pub(crate) fn loss(labels: &Labels, logits: Tensor<2>, targets: &[f32]) -> Tensor<1> {
    let device = logits.device();
    let [rows, outputs] = logits.dims();
    if let Labels::Classes(_) = labels {
        let classes: Vec<i64> = targets.iter().map(|t| if t.is_nan() { MISSING } else { *t as i64 }).collect();
        let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [rows]), &device);
        let entropy = CrossEntropy { ignore: Some(MISSING), ..CrossEntropy::default() };
        return entropy.forward(logits, classes, Reduction::Mean);
    }
    let weights = targets.iter().any(|target| target.is_nan()).then(|| {
        let known: Vec<f32> = targets.iter().map(|target| f32::from(u8::from(!target.is_nan()))).collect();
        Tensor::<2>::from_data(TensorData::new(known, [rows, outputs]), &device)
    });
    let targets: Vec<f32> = targets.iter().map(|target| if target.is_nan() { 0.0 } else { *target }).collect();
    let targets = Tensor::<2>::from_data(TensorData::new(targets, [rows, outputs]), &device);
    match labels {
        Labels::Values => losses::mse(logits, targets, weights, Reduction::Mean),
        _ => BinaryCrossEntropy::default().forward(logits, targets, weights, Reduction::Mean),
    }
}

impl Objective for SequenceObjective<'_> {
    type Model = Net;

    fn loss(&self, model: &Net, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let logits = model.logits(self.inputs(rows, context), Some(&mut context.rng(DROPOUT))); // [rows, outputs]
        Ok(loss(&self.set.labels, logits, &self.targets(rows)))
    }

    /// `loss` (of values the mean squared error) and the scores that are shown with it, where they are defined.
    fn validate(&self, model: &Net) -> Result<Vec<(String, f64)>, StepError> {
        let sequences: Vec<&[u8]> = self.monitored.iter().map(|&row| self.set.sequences[row].as_slice()).collect();
        let judged = Judged::of(self.set, self.monitored, logits(model, self.preprocessing, &sequences)?)?;
        monitored(&self.set.labels, &judged)
    }

    fn name_of(&self, row: usize) -> String {
        self.set.names[row].clone()
    }

    fn losses(&self, model: &Net, rows: &[usize], context: &StepContext) -> Result<Option<Tensor<1>>, StepError> {
        let logits = model.logits(self.inputs(rows, context), Some(&mut context.rng(DROPOUT))); // [rows, outputs]
        let each = rows.iter().enumerate().map(|(place, &row)| {
            let logits = logits.clone().narrow(0, place, 1); // [1, outputs]
            loss(&self.set.labels, logits, &self.targets(&[row]))
        });
        Ok(Some(Tensor::cat(each.collect(), 0)))
    }
}

/// `loss` (of values the mean squared error) and the scores that a run shows beside it, where they are defined.
pub(crate) fn monitored(labels: &Labels, judged: &Judged) -> Result<Vec<(String, f64)>, StepError> {
    let error = if matches!(labels, Labels::Values) { "mse" } else { "loss" };
    let mut found = vec![("loss".to_owned(), judged.score(error)?)];
    for &name in watched(labels) {
        match judged.score(name) {
            Ok(value) => found.push((name.to_owned(), value)),
            Err(MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}
