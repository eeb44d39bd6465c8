//! The training engine: one loop for every system that learns by steps.
//!
//! [`fit`] takes a [`Learner`] (what a step, a validation and a checkpoint are), a [`Sampler`](crate::data::Sampler)
//! (which rows make up which step) and a [`FitConfig`], and runs epochs until they are done, the monitored metric
//! stops improving, or someone asks to stop. A system with one loss and one optimiser writes an [`Objective`] and lets
//! [`Supervised`] be the learner; contrastive divergence, adversarial pairs and the like implement [`Learner`]
//! themselves.
//!
//! - **Resuming is exact.** Everything that decides the course of a run is in its [`State`] or is a function of
//!   (seed, epoch, step): the order of the rows, and the noise that a model draws through [`StepContext::rng`]. On the
//!   CPU four epochs in one go, and two epochs, a `kill -9` and a resumed run, end in the same bits.
//! - **A checkpoint is whole or absent.** Weights, optimiser and state are written each to a temporary file, synced and
//!   renamed; a manifest with their hashes comes last. Reading checks every hash and falls back to the previous
//!   generation, or to the second copy of the best epoch's weights: see [`Checkpoints`].
//! - **Silent.** What happens is told to an [`Observer`]; nothing is printed.
//! - **A number that is not finite ends the run** with the step, the rows by name (only those that it lies on, where
//!   they can be told apart), and the last good checkpoint.
//!
//! Epochs, and the steps of an epoch, count from 0 everywhere in this module; only the text of errors counts from 1.

mod checkpoint;
mod config;
mod engine;
mod error;
mod event;
mod learner;
mod state;
mod supervised;

pub use checkpoint::{CheckpointError, Checkpoints, Snapshot};
pub use config::{FitConfig, Goal, Monitor, TRAIN_LOSS};
pub use engine::{Outcome, fit};
pub use error::TrainError;
pub use event::{Event, Observer, StopReason};
pub use learner::{Learner, StepContext, StepError, StepReport};
pub use state::{Best, State};
pub use supervised::{Named, Objective, Supervised};
