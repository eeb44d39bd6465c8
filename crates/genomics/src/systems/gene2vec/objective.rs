//! Learning which windows are methylated.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::train::{Objective, StepContext, StepError};

use super::{Gene2vecConfig, M6aNet};
use crate::dataset::{Labels, SequenceSet};
use crate::evaluate::Judged;
use crate::systems::parts::{CHUNK, numbers, tensor};

/// Stream of the dropout masks in a step.
const DROPOUT: u64 = 0;

/// Learns the one task of a set by cross-entropy; a window without a label counts nothing.
#[derive(Debug, Clone)]
pub struct Gene2vecObjective<'a> {
    set: &'a SequenceSet,
    validation: Vec<usize>,
    device: Device,
}

impl<'a> Gene2vecObjective<'a> {
    /// Learns `set` with networks of `config`, and judges them on the rows `validation`. `device` is that of the
    /// networks, with or without autodiff.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] when the set has not one task of yes-or-no labels, or windows longer than is read.
    pub fn new(
        set: &'a SequenceSet,
        config: &Gene2vecConfig,
        validation: Vec<usize>,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        set.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let (tasks, longest, length) = (set.tasks.len(), set.longest(), config.length);
        if set.labels != Labels::Binary || tasks != 1 || longest > length {
            let found = format!("{tasks} tasks of {:?} labels and windows of up to {longest} bases", set.labels);
            return Err(ConfigError::Conflict(format!("{found}; one of yes or no and {length} bases are due")));
        }
        Ok(Self { set, validation, device: device.clone().inner() })
    }

    fn windows(&self, rows: &[usize]) -> Vec<&'a [u8]> {
        rows.iter().map(|&row| self.set.sequences[row].as_slice()).collect()
    }
}

/// Logits of any number of windows.
pub(super) fn logits(model: &M6aNet, windows: &[&[u8]], device: &Device) -> Result<Vec<f64>, StepError> {
    let mut found = Vec::with_capacity(windows.len());
    for windows in windows.chunks(CHUNK) {
        found.extend(numbers(model.logits(windows, device, None), "logits")?);
    }
    Ok(found)
}

impl Objective for Gene2vecObjective<'_> {
    type Model = M6aNet;

    fn loss(&self, model: &M6aNet, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = self.device.clone().autodiff();
        let logits = model.logits(&self.windows(rows), &device, Some(&mut context.rng(DROPOUT))); // [batch, 1]
        let targets = rows.iter().map(|&row| self.set.targets[row]);
        let known = targets.clone().map(|target| f32::from(u8::from(!target.is_nan()))).collect();
        let targets = targets.map(|target| if target.is_nan() { 0.0 } else { target }).collect();
        let [known, targets] = [known, targets].map(|values| tensor(values, [rows.len(), 1], &device));
        Ok(BinaryCrossEntropy::default().forward(logits, targets, Some(known), Reduction::Mean))
    }

    /// The scores of yes-or-no labels of [`crate::evaluate`]; nothing without rows.
    fn validate(&self, model: &M6aNet) -> Result<Vec<(String, f64)>, StepError> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let logits = logits(model, &self.windows(&self.validation), &self.device)?;
        Ok(Judged::of(self.set, &self.validation, logits)?.scores()?.into_iter().collect())
    }
}
