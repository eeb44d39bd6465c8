//! What the engine asks of a system that learns by steps.

use std::error::Error;

use rand_chacha::ChaCha8Rng;

use crate::metrics::MetricError;
use crate::store::StoreError;

/// Where in a run a step stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepContext {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Step in the epoch, from 0.
    pub step: u64,
    /// Learning rate of the step.
    pub learning_rate: f64,
}

impl StepContext {
    /// The random numbers of this step: a function of seed, epoch, step and `stream`, whatever ran before. A model
    /// draws its dropout masks and its noise from here, each use from a stream of its own, and never from a device's
    /// global generator, whose state a checkpoint does not hold.
    pub fn rng(&self, stream: u64) -> ChaCha8Rng {
        crate::data::rng(self.seed, &[self.epoch as u64, self.step, stream])
    }
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Mean loss over the rows of the step, before the update.
    pub loss: f64,
    /// Global norm of the gradient before clipping, where there is one.
    pub grad_norm: Option<f64>,
}

/// Why a learner cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// Rows that cannot be made into a batch, or anything else that a system finds wrong.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
    /// A metric has no value.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Weights that cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The optimiser's state cannot be written or read, or is not that of this model.
    #[error("optimiser: {0}")]
    Optimizer(String),
    /// A value cannot be fetched from the device.
    #[error("cannot fetch the {what} from the device: {reason}")]
    Device {
        /// The value.
        what: &'static str,
        /// What the backend said.
        reason: String,
    },
    /// A step before this one panicked while it had the model.
    #[error("the model was lost when a step broke off; resume from the last checkpoint")]
    Lost,
    /// The loss does not depend on the model's parameters.
    #[error(
        "the loss has no gradient; the model must be on a device with autodiff and the loss computed from its output"
    )]
    NoGradient,
}

impl StepError {
    /// Any error of a system's own.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

/// A system that learns by steps. Whatever it keeps between steps is in the bytes that [`Learner::weights`] and
/// [`Learner::optimizer`] return, and equal states give equal bytes.
pub trait Learner {
    /// Learns from the data at `rows`, once.
    ///
    /// # Errors
    /// [`StepError`]. A loss or gradient that is not finite is no error of the learner: it reports it without updating
    /// anything, and the engine ends the run.
    fn step(&mut self, rows: &[usize], context: &StepContext) -> Result<StepReport, StepError>;

    /// Judges the present state: name and value of each metric, in the order in which they are shown. Empty if there is
    /// nothing to judge with.
    ///
    /// # Errors
    /// [`StepError`].
    fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError>;

    /// What the system has learnt, as a safetensors file.
    ///
    /// # Errors
    /// [`StepError`].
    fn weights(&self) -> Result<Vec<u8>, StepError>;

    /// What it needs besides to go on learning.
    ///
    /// # Errors
    /// [`StepError`].
    fn optimizer(&self) -> Result<Vec<u8>, StepError>;

    /// Goes back to the state that the bytes describe.
    ///
    /// # Errors
    /// [`StepError`] if they belong to another system.
    fn restore(&mut self, weights: &[u8], optimizer: &[u8]) -> Result<(), StepError>;

    /// Goes back to what was learnt, for use rather than for more steps.
    ///
    /// # Errors
    /// [`StepError`] if the bytes belong to another system.
    fn restore_weights(&mut self, weights: &[u8]) -> Result<(), StepError>;

    /// What messages call `row`: by default its number, from 0.
    fn name_of(&self, row: usize) -> String {
        row.to_string()
    }

    /// Those of `rows` whose own loss is not finite; none where the system cannot tell. The engine asks when the loss
    /// of the whole step of `context` was not.
    ///
    /// # Errors
    /// [`StepError`].
    fn blame(&self, _rows: &[usize], _context: &StepContext) -> Result<Vec<usize>, StepError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn noise_depends_on_seed_epoch_step_and_stream_alone() {
        let context = StepContext { seed: 3, epoch: 2, step: 5, learning_rate: 0.1 };
        let draw = |context: StepContext, stream| context.rng(stream).next_u64();
        let first = draw(context, 0);
        assert_eq!(first, draw(StepContext { learning_rate: 0.2, ..context }, 0));
        let others = [
            draw(StepContext { seed: 4, ..context }, 0),
            draw(StepContext { epoch: 3, ..context }, 0),
            draw(StepContext { step: 6, ..context }, 0),
            // Epoch and step exchanged.
            draw(StepContext { epoch: 5, step: 2, ..context }, 0),
            draw(context, 1),
        ];
        assert!(others.iter().all(|&other| other != first));
    }
}
