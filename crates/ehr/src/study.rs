//! A study: one set of records, one task, one rule by which subjects are divided, several models and the baselines.
//!
//! What is fitted, vocabulary, scaling, weights, baselines and the epoch that is kept, is fitted to the training part
//! and chosen on the tuning part, where probabilities are put right as well; the held-out part is read once, at the
//! end. Inputs are made from [views](crate::view::View), which end at the prediction time.

mod asked;
mod config;
mod inputs;
mod network;
mod objective;
mod plan;
#[cfg(test)]
pub(crate) mod tests;

pub use self::asked::Asked;
pub use self::config::{MODELS, OptimizerKind, RecalibrationKind, StudyConfig};
pub use self::inputs::{InputConfig, Inputs, Preprocessing, ReadVisit};
pub use self::network::{Network, NetworkConfig, Reads};
pub use self::objective::RiskObjective;
pub use self::plan::{Plan, PlanError};

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::{Shuffled, rng};
use nn_core::metrics::MetricError;
use nn_core::store::Metadata;
use nn_core::train::{Checkpoints, FitConfig, Named, Observer, Outcome, StepError, Supervised, TrainError, fit};

use crate::audit::AuditError;
use crate::baselines::{self, Baseline, BaselineError, Severity};
use crate::evaluate::{Judged, Recalibration};
use crate::events::Events;
use crate::features::{FeatureError, Table};
use crate::labels::{self, Label, LabelError};
use crate::model::{ARCHITECTURE, Calibration, ModelCard, Origin, Predicts, Reliability, RiskModel, logits};
use crate::view::View;

/// Bins of the shares that intervals are read from.
const BINS: usize = 10;

/// Why a study cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A setting is out of range, or two exclude each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Labels that cannot be used.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// Views that cannot be made into inputs.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The subjects cannot be divided as asked.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Predicting failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A baseline cannot be fitted.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The audit cannot be made.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A score has no value, for example because all labels are equal.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// One trained model of a study and what training came to.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model with its card, ready to be saved.
    pub model: RiskModel,
    /// How training ended.
    pub outcome: Outcome,
}

/// Records with a task and a split, ready to train on.
#[derive(Debug)]
pub struct Study<'a> {
    events: &'a Events,
    labels: &'a [Label],
    truth: Vec<bool>,
    views: Vec<View<'a>>,
    dataset: String,
    predicts: Predicts,
    config: StudyConfig,
    plan: Plan,
}

impl<'a> Study<'a> {
    /// A study of `labels` on `events`, a set called `dataset`, under a [resolved](StudyConfig::resolved)
    /// configuration.
    ///
    /// # Errors
    /// [`StudyError::Config`]; [`StudyError::Label`] for labels that are not yes or no, or of subjects without events.
    pub fn new(
        events: &'a Events,
        labels: &'a [Label],
        (dataset, predicts): (&str, Predicts),
        plan: Plan,
        config: StudyConfig,
    ) -> Result<Self, StudyError> {
        config.validate()?;
        labels::check(labels)?;
        let (truth, views) = (labels::booleans(labels)?, labels::views(events, labels)?);
        Ok(Self { events, labels, truth, views, dataset: dataset.to_owned(), predicts, config, plan })
    }

    /// The records.
    pub fn events(&self) -> &'a Events {
        self.events
    }

    /// What is to be predicted of whom, and when.
    pub fn labels(&self) -> &'a [Label] {
        self.labels
    }

    /// The labels' values.
    pub fn truth(&self) -> &[bool] {
        &self.truth
    }

    /// What is known at each label's prediction time.
    pub fn views(&self) -> &[View<'a>] {
        &self.views
    }

    /// The configuration.
    pub fn config(&self) -> &StudyConfig {
        &self.config
    }

    /// How the labels are divided.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Seed of model `i`: the first has the study's.
    pub fn seed(&self, i: usize) -> u64 {
        self.config.seed + i as u64
    }

    /// The views of some labels.
    pub fn views_of(&self, rows: &[usize]) -> Vec<View<'a>> {
        rows.iter().map(|&row| self.views[row].clone()).collect()
    }

    /// The values of some labels.
    pub fn truth_of(&self, rows: &[usize]) -> Vec<bool> {
        rows.iter().map(|&row| self.truth[row]).collect()
    }

    /// The subject of some labels, for a bootstrap that draws subjects whole.
    pub fn subjects_of(&self, rows: &[usize]) -> Vec<i64> {
        rows.iter().map(|&row| self.labels[row].subject).collect()
    }

    /// What the baselines of model `i` read: a row for each label, the columns chosen on the training part.
    ///
    /// # Errors
    /// [`StudyError::Features`] where there is nothing to choose from.
    pub fn table(&self, i: usize) -> Result<Table, StudyError> {
        let seen = |view: &View<'a>| self.config.inputs.seen(view);
        let train: Vec<View<'a>> = self.plan.rows(i).train.iter().map(|&row| seen(&self.views[row])).collect();
        let recipe = self.config.table.fit(&train)?;
        Ok(recipe.table(&self.views.iter().map(seen).collect::<Vec<_>>()))
    }

    /// How views become inputs, fitted on the training part of model `i`.
    ///
    /// # Errors
    /// [`StudyError::Features`] where there is nothing to fit on.
    pub fn preprocessing(&self, i: usize) -> Result<Preprocessing, StudyError> {
        let views = self.views_of(&self.plan.rows(i).train);
        Ok(self.config.inputs.fit(&views, self.config.network.reads())?)
    }

    fn origin(&self, i: usize) -> Origin {
        let truth = self.truth_of(&self.plan.rows(i).train);
        let positives = truth.iter().filter(|&&value| value).count();
        Origin {
            dataset: self.dataset.clone(),
            split: self.plan.kind().name().to_owned(),
            seed: self.seed(i),
            labels: truth.len(),
            prevalence: positives as f64 / truth.len().max(1) as f64,
        }
    }

    /// Trains model `i`.
    ///
    /// # Errors
    /// [`StudyError`]; see [`fit`] for what of a failed run is kept.
    pub fn train(
        &self,
        i: usize,
        device: &Device,
        (checkpoints, resume): (Option<&Checkpoints>, bool),
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Trained, StudyError> {
        let (config, seed, split) = (&self.config, self.seed(i), self.plan.rows(i));
        let device = device.clone().autodiff();
        let preprocessing = self.preprocessing(i)?;
        let inputs = preprocessing.apply(&self.views)?;
        let statics = preprocessing.statics().len();
        let network = config.network.clone().with_shape(preprocessing.width(), statics, &preprocessing.interventions());
        let fresh = network.init(&device, &mut rng(seed, &[0]))?;
        let objective = RiskObjective { inputs: &inputs, targets: &self.truth, monitored: &split.validation, device };
        let objective = Named::new(objective, |row| {
            let Label { subject, prediction_time, .. } = &self.labels[row];
            format!("subject {subject} at {prediction_time}")
        });
        // What the checkpoints say of the network; the whole card is written at the end, when there is a calibration.
        let config_entry = serde_json::to_string(&network).unwrap_or_default();
        let metadata = Metadata::from([(nn_core::store::CONFIG.to_owned(), config_entry)]);
        let clip = (config.clip_norm > 0.0).then_some(config.clip_norm);
        let mut learner = Supervised::new(objective, fresh, config.optimizer().init(), ARCHITECTURE)
            .with_clip_norm(clip)
            .with_metadata(metadata);
        let fit_config = FitConfig {
            patience: Some(config.patience),
            seed,
            ..FitConfig::new(config.epochs, config.learning_rate, config.monitor())
        };
        let sampler = Shuffled::new(split.train.clone(), config.batch_size);
        let outcome = fit(&mut learner, &sampler, &fit_config, checkpoints, resume, observer, stop)?;
        let trained = learner.into_model()?;
        let calibration = self.calibrate(&trained, &inputs, &split.validation)?;
        let card =
            ModelCard { network, preprocessing, predicts: self.predicts.clone(), calibration, origin: self.origin(i) };
        Ok(Trained { model: RiskModel { network: trained, card }, outcome })
    }

    /// Puts the probabilities right on the tuning part.
    fn calibrate(&self, network: &Network, inputs: &Inputs, tuning: &[usize]) -> Result<Calibration, StudyError> {
        let (truth, logits) = (self.truth_of(tuning), logits(network, inputs, tuning)?);
        let recalibration = match self.config.recalibration {
            RecalibrationKind::None => Recalibration::None,
            RecalibrationKind::Temperature => Recalibration::temperature(&truth, &logits)?,
            RecalibrationKind::Line => Recalibration::line(&truth, &logits)?,
            RecalibrationKind::Isotonic => Recalibration::isotonic(&truth, &logits)?,
        };
        let probabilities: Vec<f64> = logits.iter().map(|&logit| recalibration.probability(logit)).collect();
        let reliability = Reliability::of(&truth, &probabilities, BINS);
        Ok(Calibration { recalibration, reliability })
    }

    /// What a model says of some labels, beside their values, with its own recalibration.
    ///
    /// # Errors
    /// [`StudyError::Features`], [`StudyError::Step`] when the model does not compute, [`StudyError::Metric`] for a
    /// prediction that is no number.
    pub fn judge(&self, model: &RiskModel, rows: &[usize]) -> Result<Judged, StudyError> {
        let inputs = model.card.preprocessing.apply(&self.views_of(rows))?;
        let logits = model.logits(&inputs)?;
        let recalibration = &model.card.calibration.recalibration;
        Ok(Judged::new(self.truth_of(rows), logits, &self.subjects_of(rows), recalibration)?)
    }

    /// The baselines of model `i` on its held-out part. `severities` have a value for each label of the study.
    ///
    /// # Errors
    /// [`StudyError::Features`], [`StudyError::Baseline`].
    pub fn baselines(&self, i: usize, severities: &[Severity<'_>]) -> Result<Vec<(String, Judged)>, StudyError> {
        let (table, split) = (self.table(i)?, self.plan.rows(i));
        let config = &self.config.baselines;
        let found = baselines::all(&table, &self.truth, severities, &split.train, &split.test, config)?;
        let judged = |baseline: Baseline| -> Result<(String, Judged), StudyError> {
            let (truth, subjects) = (self.truth_of(&split.test), self.subjects_of(&split.test));
            let judged = Judged::new(truth, baseline.logits, &subjects, &Recalibration::None)?;
            Ok((baseline.name, judged))
        };
        found.into_iter().map(judged).collect()
    }
}
