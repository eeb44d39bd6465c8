//! Why a run fails.

use std::path::PathBuf;

use super::checkpoint::CheckpointError;
use super::learner::StepError;
use crate::config::ConfigError;

/// Rows that a message names.
const SHOWN_ROWS: usize = 16;

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The sampler made no steps of an epoch, or one without rows.
    #[error("epoch {} has no step, or one without rows; the training part needs at least one row", .epoch + 1)]
    NoSteps {
        /// The epoch, from 0.
        epoch: usize,
    },
    /// The learner could not do a step.
    #[error("epoch {}, step {}, rows {}: {error}", .epoch + 1, .step + 1, shown(.rows))]
    Step {
        /// The epoch, from 0.
        epoch: usize,
        /// The step in the epoch, from 0.
        step: usize,
        /// The rows of the step, by name.
        rows: Vec<String>,
        /// What went wrong.
        error: StepError,
    },
    /// The learner could not be judged, written or read.
    #[error("cannot {action} after {epochs} epochs: {error}")]
    Learner {
        /// What was tried.
        action: &'static str,
        /// Epochs done.
        epochs: usize,
        /// What went wrong.
        error: StepError,
    },
    /// A number that must be finite is not.
    #[error(
        "the {what} is not finite in epoch {}, step {}{}lower the learning rate or clip the gradient; {}",
        .epoch + 1, .step + 1, to_look_at(.rows), last_good(.last_checkpoint.as_ref())
    )]
    NonFinite {
        /// Which number: `loss`, `gradient` or a metric of the validation.
        what: String,
        /// The epoch, from 0.
        epoch: usize,
        /// The step in the epoch, from 0.
        step: usize,
        /// The rows of the step whose own loss is not finite, or all of them where they cannot be told apart, by name;
        /// none for a metric.
        rows: Vec<String>,
        /// Manifest of the last checkpoint, written before.
        last_checkpoint: Option<PathBuf>,
    },
    /// The monitored metric is not among those of the validation.
    #[error("monitor.metric = {metric:?} is not measured; use one of: {available}")]
    Monitor {
        /// The metric asked for.
        metric: String,
        /// Those there are, comma separated.
        available: String,
    },
    /// There are checkpoints of an earlier run.
    #[error("{folder} holds checkpoints of an earlier run; resume it or choose another folder")]
    Exists {
        /// The folder of the checkpoints.
        folder: PathBuf,
    },
    /// Resuming was asked for without a place to resume from.
    #[error("there is no folder of checkpoints to resume from; name the folder of the run")]
    NoFolder,
    /// The checkpoint was written by a run that would go on differently.
    #[error(
        "{path} was written with {field} = {then}, this run has {now}; use the old setting or start in another folder"
    )]
    Changed {
        /// Manifest of the checkpoint.
        path: PathBuf,
        /// The setting.
        field: &'static str,
        /// Its value in the checkpoint.
        then: String,
        /// Its value now.
        now: String,
    },
    /// The learner does not take the bytes of the checkpoint.
    #[error("{path} does not belong to this model: {error}")]
    Foreign {
        /// Manifest of the checkpoint.
        path: PathBuf,
        /// What does not fit.
        error: StepError,
    },
}

fn shown(rows: &[String]) -> String {
    let text = rows[..rows.len().min(SHOWN_ROWS)].join(", ");
    match rows.len().checked_sub(SHOWN_ROWS) {
        None | Some(0) => text,
        Some(more) => format!("{text} and {more} more"),
    }
}

fn to_look_at(rows: &[String]) -> String {
    if rows.is_empty() { "; ".to_string() } else { format!(", rows {}; look at these rows, ", shown(rows)) }
}

fn last_good(checkpoint: Option<&PathBuf>) -> String {
    match checkpoint {
        Some(path) => format!("the last good checkpoint is {}", path.display()),
        None => "there is no checkpoint yet".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_finite_names_its_place_and_the_way_back() {
        let error = TrainError::NonFinite {
            what: "loss".to_string(),
            epoch: 1,
            step: 4,
            rows: (100..120).map(|row| format!("patient {row}")).collect(),
            last_checkpoint: Some(PathBuf::from("run/checkpoint/last/manifest-0001.json")),
        };
        let text = error.to_string();
        assert!(
            text.starts_with("the loss is not finite in epoch 2, step 5, rows patient 100, patient 101, "),
            "{text}"
        );
        assert!(text.contains("patient 115 and 4 more; look at these rows"), "{text}");
        assert!(text.ends_with("the last good checkpoint is run/checkpoint/last/manifest-0001.json"), "{text}");
    }

    #[test]
    fn a_step_that_cannot_be_done_names_its_rows() {
        let rows = vec!["ethanol".to_string(), "water".to_string()];
        let error = TrainError::Step { epoch: 0, step: 1, rows, error: StepError::Lost };
        assert!(error.to_string().starts_with("epoch 1, step 2, rows ethanol, water: the model was lost"), "{error}");
    }
}
