//! Learning the marks of a set of windows.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::train::{Objective, StepContext, StepError};

use super::{Beluga, BelugaConfig};
use crate::dataset::{Labels, SequenceSet};
use crate::evaluate::Judged;
use crate::sequence::{Unknown, one_hot};
use crate::systems::SequenceNet;
use crate::systems::parts::{CHUNK, numbers, tensor};

/// Stream of the dropout masks in a step.
const DROPOUT: u64 = 0;

/// Learns the marks of a set's windows by cross-entropy; a mark that is not known counts nothing.
#[derive(Debug)]
pub struct BelugaObjective<'a> {
    set: &'a SequenceSet,
    length: usize,
    validation: Vec<usize>,
    device: Device,
}

impl<'a> BelugaObjective<'a> {
    /// Learns `set` with networks of `config`, and judges them on the rows `validation`. `device` is that of the
    /// networks, with or without autodiff.
    ///
    /// # Errors
    /// What [`BelugaConfig::validate`] finds, and [`ConfigError::Conflict`] when the set does not fit the sizes.
    pub fn new(
        set: &'a SequenceSet,
        config: &BelugaConfig,
        validation: Vec<usize>,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        set.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let (tasks, longest, BelugaConfig { outputs, length, .. }) = (set.tasks.len(), set.longest(), config);
        if set.labels != Labels::Binary || tasks != *outputs || longest > *length {
            let found = format!("{tasks} tasks of {:?} labels and sequences of up to {longest} bases", set.labels);
            return Err(ConfigError::Conflict(format!(
                "{found}; the network predicts {outputs} marks of {length} bases"
            )));
        }
        Ok(Self { set, length: *length, validation, device: device.clone().inner() })
    }

    fn inputs(&self, rows: &[usize], device: &Device) -> Tensor<3> {
        let sequences: Vec<&[u8]> = rows.iter().map(|&row| self.set.sequences[row].as_slice()).collect();
        tensor(one_hot(&sequences, self.length, Unknown::Zeros), [rows.len(), 4, self.length], device)
    }
}

impl Objective for BelugaObjective<'_> {
    type Model = Beluga;

    fn loss(&self, model: &Beluga, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = self.device.clone().autodiff();
        let logits = model.logits(self.inputs(rows, &device), Some(&mut context.rng(DROPOUT))); // [batch, outputs]
        let tasks = self.set.tasks.len();
        let targets = rows.iter().flat_map(|&row| &self.set.targets[row * tasks..][..tasks]);
        let known = targets.clone().map(|target| f32::from(u8::from(!target.is_nan()))).collect();
        let targets = targets.map(|target| if target.is_nan() { 0.0 } else { *target }).collect();
        let [known, targets] = [known, targets].map(|values| tensor(values, [rows.len(), tasks], &device));
        Ok(BinaryCrossEntropy::default().forward(logits, targets, Some(known), Reduction::Mean))
    }

    /// The scores of yes-or-no labels of [`crate::evaluate`], means over the marks; nothing without rows.
    fn validate(&self, model: &Beluga) -> Result<Vec<(String, f64)>, StepError> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let mut logits = Vec::new();
        for rows in self.validation.chunks(CHUNK) {
            logits.extend(numbers(model.logits(self.inputs(rows, &self.device), None), "logits")?);
        }
        Ok(Judged::of(self.set, &self.validation, logits)?.scores()?.into_iter().collect())
    }

    fn name_of(&self, row: usize) -> String {
        self.set.names[row].clone()
    }
}
