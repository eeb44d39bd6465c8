//! What a run tells about itself while it goes on.

use std::path::PathBuf;

/// Why a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// All epochs of the configuration were run.
    Finished,
    /// The monitored metric did not improve for as many epochs as the configuration is patient.
    NoImprovement,
    /// The stop flag was raised; the run can be resumed at the step where it stopped.
    Interrupted,
}

impl StopReason {
    /// The reason as a clause, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Finished => "all epochs done",
            Self::NoImprovement => "no further improvement",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One thing that happened in a run, in the order in which it did. Epochs and steps count from 0.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The run begins.
    Started {
        /// Epochs that the configuration asks for.
        epochs: usize,
        /// Epoch that comes first; above 0 where the run was resumed.
        epoch: usize,
        /// Step of that epoch that comes first.
        step: usize,
        /// Whether a checkpoint was read.
        resumed: bool,
    },
    /// A checkpoint newer than the one that the run resumes from is not whole, and was passed over; or a copy of the
    /// weights of the best epoch is not, and was written anew.
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
    /// A step was done.
    Step {
        /// The epoch.
        epoch: usize,
        /// The step in this epoch.
        step: usize,
        /// Steps that this epoch has.
        steps_in_epoch: usize,
        /// Steps done since the very beginning of the run, resumed parts included; 1 after the first.
        total_steps: u64,
        /// Rows in the step.
        rows: usize,
        /// Loss of the step, before its update.
        loss: f64,
        /// Global norm of the gradient before clipping, where the learner has one.
        grad_norm: Option<f64>,
        /// Learning rate of the step.
        learning_rate: f64,
    },
    /// All steps of an epoch are done.
    EpochEnd {
        /// The epoch.
        epoch: usize,
        /// Mean loss over the rows of the epoch, each as of its own step.
        train_loss: f64,
        /// Seconds that the steps took in this process.
        seconds: f64,
        /// Rows of the epoch, those before a resumption included.
        rows: usize,
    },
    /// The model was judged.
    Validated {
        /// The epoch just ended.
        epoch: usize,
        /// Name and value of each metric, in the learner's order.
        metrics: Vec<(String, f64)>,
        /// Whether the monitored metric is the best so far.
        improved: bool,
    },
    /// A checkpoint was written whole.
    Checkpointed {
        /// The epoch just ended, or under way where the run was interrupted.
        epoch: usize,
        /// The manifest of the checkpoint.
        path: PathBuf,
    },
    /// The run ended as it should.
    Stopped {
        /// Why.
        reason: StopReason,
    },
    /// The run ended with an error, which [`fit`](super::fit) returns.
    Failed {
        /// The text of the error.
        message: String,
    },
}

/// Someone who is told what happens in a run: a progress bar, a log, a test.
pub trait Observer {
    /// Called with each event as it happens, on the thread of the run.
    fn event(&mut self, event: &Event);
}

/// Nobody is told.
impl Observer for () {
    fn event(&mut self, _event: &Event) {}
}
