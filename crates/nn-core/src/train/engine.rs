//! The loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::checkpoint::{Checkpoints, Whole};
use super::config::{FitConfig, TRAIN_LOSS};
use super::error::TrainError;
use super::event::{Event, Observer, StopReason};
use super::learner::{Learner, StepContext, StepError};
use super::state::{Best, State};
use crate::data::Sampler;

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Epochs done, those before a resumption included.
    pub epochs_run: usize,
    /// Steps done, likewise.
    pub total_steps: u64,
    /// The best epoch, from 0; none if the run was interrupted in its first epoch.
    pub best_epoch: Option<usize>,
    /// Metrics after the best epoch, in the learner's order.
    pub best_metrics: Vec<(String, f64)>,
    /// Metrics after the last epoch.
    pub last_metrics: Vec<(String, f64)>,
    /// Why the run ended.
    pub stopped: StopReason,
}

/// Runs `learner` through epochs of the steps that `sampler` makes.
///
/// With `checkpoints`, the run can be taken up again by calling this with `resume`, the same learner, sampler and
/// settings (epochs and patience may be other ones): it goes on at the step where its last whole checkpoint was
/// written, and ends in the same bits as if nothing had happened. `resume` begins anew where there is no checkpoint
/// yet. Without `checkpoints` nothing is written.
///
/// At the end the learner has the weights of the best epoch if the settings say so, otherwise those of the last one.
/// Raising `stop` ends the run before its next step, with a checkpoint and the learner as it is then.
///
/// # Errors
/// [`TrainError`]; `observer` is told of it too.
pub fn fit(
    learner: &mut dyn Learner,
    sampler: &dyn Sampler,
    config: &FitConfig,
    checkpoints: Option<&Checkpoints>,
    resume: bool,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let run = Run {
        learner,
        sampler,
        config,
        checkpoints,
        observer: &mut *observer,
        stop,
        state: State::new(config),
        whole: None,
        saved: None,
        best_weights: None,
    };
    let result = config.validate().map_err(TrainError::from).and_then(|()| run.all(resume));
    if let Err(error) = &result {
        observer.event(&Event::Failed { message: error.to_string() });
    }
    result
}

struct Run<'a> {
    learner: &'a mut dyn Learner,
    sampler: &'a dyn Sampler,
    config: &'a FitConfig,
    checkpoints: Option<&'a Checkpoints>,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
    state: State,
    /// The last checkpoint known to be whole.
    whole: Option<Whole>,
    /// Epoch and total steps when it was written.
    saved: Option<(usize, u64)>,
    /// Weights of the best epoch, where there is no folder to keep them in.
    best_weights: Option<Vec<u8>>,
}

impl Run<'_> {
    fn all(mut self, resume: bool) -> Result<Outcome, TrainError> {
        let skipped = self.begin(resume)?;
        self.observer.event(&Event::Started {
            epochs: self.config.epochs,
            epoch: self.state.epoch,
            step: self.state.step,
            resumed: self.whole.is_some(),
        });
        for reason in skipped {
            self.observer.event(&Event::Damaged { reason });
        }
        let stopped = loop {
            if self.state.epoch >= self.config.epochs {
                break StopReason::Finished;
            }
            if self.state.out_of_patience(self.config.patience) {
                break StopReason::NoImprovement;
            }
            if !self.epoch()? {
                break StopReason::Interrupted;
            }
        };
        if stopped != StopReason::Interrupted {
            self.restore_best()?;
        }
        self.observer.event(&Event::Stopped { reason: stopped });
        let best = self.state.best;
        Ok(Outcome {
            epochs_run: self.state.epoch,
            total_steps: self.state.total_steps,
            best_epoch: best.as_ref().map(|best| best.epoch),
            best_metrics: best.map(|best| best.metrics).unwrap_or_default(),
            last_metrics: self.state.last_metrics,
            stopped,
        })
    }

    /// Reads the last checkpoint if asked to, and returns what had to be passed over or mended, and why.
    fn begin(&mut self, resume: bool) -> Result<Vec<String>, TrainError> {
        let Some(checkpoints) = self.checkpoints else {
            return if resume { Err(TrainError::NoFolder) } else { Ok(Vec::new()) };
        };
        if !resume {
            if checkpoints.exist()? {
                return Err(TrainError::Exists { folder: checkpoints.dir().to_path_buf() });
            }
            return Ok(Vec::new());
        }
        let Some(snapshot) = checkpoints.latest()? else {
            return Ok(Vec::new());
        };
        let path = snapshot.path.clone();
        if let Some((field, now, then)) = self.config.difference(&snapshot.state.config) {
            return Err(TrainError::Changed { path, field, then, now });
        }
        if let Err(error) = self.learner.restore(&snapshot.weights, &snapshot.optimizer) {
            return Err(TrainError::Foreign { path, error });
        }
        // What the run needs at its end is looked at before hours are spent on it.
        let mended = if self.config.restore_best { checkpoints.mend_best(&snapshot)? } else { Vec::new() };
        self.whole = Some(snapshot.whole());
        self.state = snapshot.state;
        self.state.config = self.config.clone();
        self.saved = Some((self.state.epoch, self.state.total_steps));
        Ok([snapshot.skipped, mended].concat())
    }

    /// Runs what is left of an epoch; false if it was interrupted.
    fn epoch(&mut self) -> Result<bool, TrainError> {
        let epoch = self.state.epoch;
        let batches = self.sampler.batches(self.config.seed, epoch);
        if batches.is_empty() || batches.iter().any(Vec::is_empty) {
            return Err(TrainError::NoSteps { epoch });
        }
        let before = self.state.steps_in_epoch;
        if self.state.step > 0 && before != batches.len() {
            return Err(TrainError::Changed {
                path: self.whole.as_ref().map(|whole| whole.path.clone()).unwrap_or_default(),
                field: "steps in an epoch",
                then: before.to_string(),
                now: batches.len().to_string(),
            });
        }
        self.state.steps_in_epoch = batches.len();
        let started = Instant::now();
        for (step, rows) in batches.iter().enumerate().skip(self.state.step) {
            if self.stop.load(Ordering::Relaxed) {
                self.save(epoch, None)?;
                return Ok(false);
            }
            self.step(epoch, step, rows)?;
        }
        self.end_of_epoch(epoch, started.elapsed().as_secs_f64())?;
        Ok(true)
    }

    fn step(&mut self, epoch: usize, step: usize, rows: &[usize]) -> Result<(), TrainError> {
        let learning_rate = self.state.schedule.learning_rate();
        let context = StepContext { seed: self.config.seed, epoch, step: step as u64, learning_rate };
        let report = self.learner.step(rows, &context).map_err(|error| TrainError::Step {
            epoch,
            step,
            rows: self.names(rows),
            error,
        })?;
        if !report.loss.is_finite() {
            // The loss is what has to be told, whether or not its rows can be told apart.
            let blamed = self.learner.blame(rows, &context).unwrap_or_default();
            let rows = if blamed.is_empty() { rows } else { blamed.as_slice() };
            return Err(self.non_finite("loss".to_string(), epoch, step, rows));
        }
        if report.grad_norm.is_some_and(|norm| !norm.is_finite()) {
            return Err(self.non_finite("gradient".to_string(), epoch, step, rows));
        }
        self.state.step += 1;
        self.state.total_steps += 1;
        self.state.loss_sum += report.loss * rows.len() as f64;
        self.state.rows += rows.len();
        self.observer.event(&Event::Step {
            epoch,
            step,
            steps_in_epoch: self.state.steps_in_epoch,
            total_steps: self.state.total_steps,
            rows: rows.len(),
            loss: report.loss,
            grad_norm: report.grad_norm,
            learning_rate,
        });
        Ok(())
    }

    fn end_of_epoch(&mut self, epoch: usize, seconds: f64) -> Result<(), TrainError> {
        let rows = self.state.rows;
        let train_loss = self.state.loss_sum / rows as f64;
        self.observer.event(&Event::EpochEnd { epoch, train_loss, seconds, rows });
        let metrics = self.learner.validate().map_err(|error| self.learner_failed("validate", error))?;
        let score = self.score(epoch, train_loss, &metrics)?;

        let monitor = &self.config.monitor;
        let improved = match &self.state.best {
            Some(best) => monitor.improves(score, best.score, self.config.min_delta),
            None => true,
        };
        let mut weights = None;
        if improved {
            weights = self.keep_best(epoch, &metrics)?;
            self.state.best = Some(Best { epoch, score, metrics: metrics.clone() });
            self.state.stale = 0;
        } else {
            self.state.stale += 1;
        }
        self.state.schedule.step(Some(score));
        self.state.last_metrics.clone_from(&metrics);
        self.state.epoch = epoch + 1;
        self.state.step = 0;
        self.state.steps_in_epoch = 0;
        self.state.loss_sum = 0.0;
        self.state.rows = 0;
        self.observer.event(&Event::Validated { epoch, metrics, improved });

        let done = epoch + 1;
        let last = done >= self.config.epochs || self.state.out_of_patience(self.config.patience);
        if last || done.is_multiple_of(self.config.checkpoint_every_epochs) {
            self.save(epoch, weights)?;
        }
        Ok(())
    }

    /// The monitored metric.
    fn score(&self, epoch: usize, train_loss: f64, metrics: &[(String, f64)]) -> Result<f64, TrainError> {
        let wanted = &self.config.monitor.metric;
        let found = metrics.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
        let score = match found {
            Some(value) => value,
            None if wanted == TRAIN_LOSS => train_loss,
            None => {
                let mut names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
                names.push(TRAIN_LOSS);
                return Err(TrainError::Monitor { metric: wanted.clone(), available: names.join(", ") });
            }
        };
        if score.is_finite() {
            Ok(score)
        } else {
            let step = self.state.step.saturating_sub(1);
            Err(self.non_finite(format!("validation metric {wanted}"), epoch, step, &[]))
        }
    }

    /// Keeps the weights of the best epoch so far, on disk or in memory, and returns them for the checkpoint.
    fn keep_best(&mut self, epoch: usize, metrics: &[(String, f64)]) -> Result<Option<Vec<u8>>, TrainError> {
        let Some(checkpoints) = self.checkpoints else {
            if self.config.restore_best {
                self.best_weights = Some(self.weights()?);
            }
            return Ok(None);
        };
        let weights = self.weights()?;
        checkpoints.save_best(epoch, &weights, metrics)?;
        Ok(Some(weights))
    }

    fn restore_best(&mut self) -> Result<(), TrainError> {
        let Some(epoch) = self.state.best.as_ref().map(|best| best.epoch) else {
            return Ok(());
        };
        // After the last epoch the learner has that epoch's weights.
        if !self.config.restore_best || epoch + 1 == self.state.epoch {
            return Ok(());
        }
        let weights = match (self.checkpoints, self.best_weights.take()) {
            (Some(checkpoints), _) => checkpoints.best_weights_of(epoch)?,
            (None, Some(weights)) => weights,
            (None, None) => return Ok(()),
        };
        self.learner.restore_weights(&weights).map_err(|error| self.learner_failed("restore the best weights", error))
    }

    /// Writes a checkpoint unless the last one is of this very moment.
    fn save(&mut self, epoch: usize, weights: Option<Vec<u8>>) -> Result<(), TrainError> {
        let now = (self.state.epoch, self.state.total_steps);
        let Some(checkpoints) = self.checkpoints else {
            return Ok(());
        };
        if self.saved == Some(now) {
            return Ok(());
        }
        let weights = match weights {
            Some(weights) => weights,
            None => self.weights()?,
        };
        let optimizer =
            self.learner.optimizer().map_err(|error| self.learner_failed("write the optimiser's state", error))?;
        let written = checkpoints.save_last(&weights, &optimizer, &self.state, self.whole.as_ref())?;
        let path = written.path.clone();
        self.whole = Some(written);
        self.saved = Some(now);
        self.observer.event(&Event::Checkpointed { epoch, path });
        Ok(())
    }

    fn weights(&self) -> Result<Vec<u8>, TrainError> {
        self.learner.weights().map_err(|error| self.learner_failed("write the weights", error))
    }

    fn learner_failed(&self, action: &'static str, error: StepError) -> TrainError {
        TrainError::Learner { action, epochs: self.state.epoch, error }
    }

    fn non_finite(&self, what: String, epoch: usize, step: usize, rows: &[usize]) -> TrainError {
        let last_checkpoint = self.whole.as_ref().map(|whole| whole.path.clone());
        TrainError::NonFinite { what, epoch, step, rows: self.names(rows), last_checkpoint }
    }

    fn names(&self, rows: &[usize]) -> Vec<String> {
        rows.iter().map(|&row| self.learner.name_of(row)).collect()
    }
}
