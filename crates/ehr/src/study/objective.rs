//! From rows of a study to the loss of a network and to what decides when training stops.

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::metrics::{MetricError, auroc, average_precision};
use nn_core::train::{Objective, StepContext, StepError};

use super::{Inputs, Network};
use crate::model::logits;

/// Stream of the dropout masks within a step.
const DROPOUT: u64 = 1;

/// Cross-entropy of yes and no, with what the system adds to it.
#[derive(Debug)]
pub struct RiskObjective<'a> {
    /// The rows.
    pub inputs: &'a Inputs,
    /// Their labels.
    pub targets: &'a [bool],
    /// The rows that [`Objective::validate`] scores.
    pub monitored: &'a [usize],
    /// The network's device, with autodiff.
    pub device: Device,
}

/// Mean cross-entropy of logits.
///
/// # Errors
/// [`MetricError::Empty`] without a row.
pub(crate) fn log_loss(truth: &[bool], logits: &[f64]) -> Result<f64, MetricError> {
    if truth.is_empty() {
        return Err(MetricError::Empty);
    }
    // ln(1 + exp(z)) - y z, without overflow
    let one = |(&truth, &z): (&bool, &f64)| z.max(0.0) + (-z.abs()).exp().ln_1p() - if truth { z } else { 0.0 };
    Ok(truth.iter().zip(logits).map(one).sum::<f64>() / truth.len() as f64)
}

impl Objective for RiskObjective<'_> {
    type Model = Network;

    fn loss(&self, model: &Network, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let mut rng = context.rng(DROPOUT);
        let (logits, penalty) = model.penalised(self.inputs, rows, &self.device, Some(&mut rng))?; // [rows, 1]
        let targets: Vec<f32> = rows.iter().map(|&row| f32::from(u8::from(self.targets[row]))).collect();
        let targets = Tensor::<2>::from_data(TensorData::new(targets, [rows.len(), 1]), &logits.device());
        let loss = BinaryCrossEntropy::default().forward(logits, targets, None, Reduction::Mean); // [1]
        Ok(match penalty {
            Some(penalty) => loss + penalty,
            None => loss,
        })
    }

    /// `loss`, without what the system adds to it, and the scores that are shown with it, where they are defined.
    fn validate(&self, model: &Network) -> Result<Vec<(String, f64)>, StepError> {
        let scores = logits(model, self.inputs, self.monitored)?;
        let truth: Vec<bool> = self.monitored.iter().map(|&row| self.targets[row]).collect();
        let mut found = vec![("loss".to_owned(), log_loss(&truth, &scores)?)];
        for (name, score) in [("auroc", auroc(&truth, &scores)), ("auprc", average_precision(&truth, &scores))] {
            match score {
                Ok(value) => found.push((name.to_owned(), value)),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}
