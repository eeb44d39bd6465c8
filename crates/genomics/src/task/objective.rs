//! From rows of a task to the loss of its network and to what decides when training stops.

use burn::tensor::{Device, Tensor};
use nn_core::train::{Objective, StepContext, StepError};

use super::{Fitted, Task};
use crate::model::numbers;
use crate::study::monitored;

/// Learns a task, and judges the network on some rows.
#[derive(Debug)]
pub struct TaskObjective<'a, T> {
    task: &'a T,
    fitted: Fitted,
    validation: Vec<usize>,
    device: Device,
}

impl<'a, T: Task> TaskObjective<'a, T> {
    /// Learns `task` with what was `fitted` for it, and judges networks on the rows `validation`, if there are any.
    /// `device` is that of the networks, with or without autodiff.
    pub fn new(task: &'a T, fitted: Fitted, validation: Vec<usize>, device: &Device) -> Self {
        Self { task, fitted, validation, device: device.clone().inner() }
    }

    /// Logits of labels or classes, or values in their own unit, of some rows: `[rows, outputs]`. The network must be
    /// in validation state.
    ///
    /// # Errors
    /// [`StepError`] where a row cannot become inputs, or the device does not give the numbers back.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn predict(&self, net: &T::Net, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        predicted(self.task, net, &self.fitted, rows, &self.device)
    }
}

/// What [`TaskObjective::predict`] says.
pub(super) fn predicted<T: Task>(
    task: &T,
    net: &T::Net,
    fitted: &Fitted,
    rows: &[usize],
    device: &Device,
) -> Result<Vec<f64>, StepError> {
    let mut found = Vec::new();
    for rows in rows.chunks(task.at_once().max(1)) {
        found.extend(numbers(task.logits(net, fitted, rows, device, None)?)?);
    }
    if let Some(scaler) = &fitted.targets {
        scaler.undo(&mut found);
    }
    Ok(found)
}

impl<T: Task> Objective for TaskObjective<'_, T> {
    type Model = T::Net;

    fn loss(&self, model: &T::Net, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = self.device.clone().autodiff();
        let loss = self.task.loss(model, &self.fitted, rows, &device, context)?;
        Ok(match self.task.penalty(model) {
            Some(penalty) => loss + penalty,
            None => loss,
        })
    }

    /// `loss` (of values the mean squared error in their own unit) and the scores that are shown with it, where they
    /// are defined; nothing without rows.
    fn validate(&self, model: &T::Net) -> Result<Vec<(String, f64)>, StepError> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.task.rows();
        let judged = rows.judge(&self.validation, self.predict(model, &self.validation)?)?;
        monitored(&rows.predicts.labels, &judged)
    }

    fn name_of(&self, row: usize) -> String {
        self.task.rows().names[row].clone()
    }
}
