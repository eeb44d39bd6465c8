//! A study: one set, one rule of division, several models.
//!
//! Cases or pictures are divided by what must not stand on both sides ([`Divided`]); each model has its own seed, and of
//! the rows that are no test a part that is watched while it learns. What is fitted, weights and the scale of
//! intensities, is fitted to the training part; the test part is read once, at the end, on the grid of its sources.
//!
//! [`SegmentStudy`] is about cases with labels, [`ClassifyStudy`] about labelled pictures. Both learn through
//! [`fit`](nn_core::train::fit): a run that was stopped goes on as if nothing had happened.
//!
//! A study holds its prepared cases in memory and cuts the patches of a step on all threads when the step begins: on two
//! cores 2 ms for a block of 48 voxels along each axis, of whose step the network takes 660. For cases that do not fit into
//! memory it can keep them in a [`cache`](crate::cache) on disk, and for a network on a fast device cut patches ahead of
//! their step with a [`loader`](crate::loader); what is learnt is the same bit for bit.

mod ahead;
mod batches;
mod classify;
mod config;
mod data;
mod decay;
mod division;
mod loss;
mod objective;
mod segment;
#[cfg(test)]
mod tests;

pub use self::classify::{CLASSIFY_MONITORS, ClassifyStudy, ClassifyStudyConfig, TrainedClassifier};
pub use self::config::{LearningConfig, OptimizerKind, SegmentStudyConfig};
pub use self::decay::PolynomialDecay;
pub use self::division::{Divided, Division, MODELS};
pub use self::loss::{SegmentLoss, Truth};
pub use self::segment::{SegmentStudy, TrainedSegmenter, plan};

use nn_core::config::ConfigError;
use nn_core::metrics::MetricError;
use nn_core::train::{StepError, TrainError};

use crate::cache::CacheError;
use crate::evaluate::EvaluateError;
use crate::intensity::IntensityError;
use crate::model::{ModelError, PreprocessingError};
use crate::plan::PlanError;
use crate::predict::PredictError;
use crate::split::SplitError;

/// Why a study cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A setting is out of range, or two exclude each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The rows cannot be divided as asked.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// There is no plan for the cases.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A case without labels cannot be learnt from.
    #[error("case {id} has no labels; leave it out, or give its label map")]
    Unlabelled {
        /// The case.
        id: String,
    },
    /// A label that the network has no class for.
    #[error(
        "case {id} has label {label}, but there are names for {names} labels, the background included; name them all"
    )]
    Label {
        /// The case.
        id: String,
        /// The label.
        label: u8,
        /// Names that there are.
        names: usize,
    },
    /// A part of the split without rows.
    #[error("the {part} part of model {model} has no rows; give more data or another split")]
    EmptyPart {
        /// The part.
        part: &'static str,
        /// The model, from 0.
        model: usize,
    },
    /// A case that cannot be brought to the grid of the network.
    #[error("case {id}: {error}")]
    Case {
        /// The case.
        id: String,
        /// Why.
        error: PreprocessingError,
    },
    /// Intensities that cannot be scaled.
    #[error(transparent)]
    Intensity(#[from] IntensityError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Predicting failed.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// Predicting pictures failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A prediction cannot be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A score has no value, for example because all labels are equal.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Models do not belong together, or a network cannot start from the weights of a file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The folder of prepared cases cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A prepared case cannot be kept, or is no longer there.
    #[error("case {id}: {error}")]
    Kept {
        /// The case.
        id: String,
        /// Why.
        error: CacheError,
    },
}
