//! A study: one sequence set, one split rule, several models and the baselines.
//!
//! Rows are divided into a training and a test part by what must not stand on both sides ([`Plan`]); each model has its
//! own seed and its own validation part, a tenth of the training part in whole groups. What is fitted, weights, baselines
//! and the epoch that is kept, is fitted to the training part and chosen on the validation part; the test part is read
//! once, at the end.

mod config;
mod motifs;
mod objective;
mod plan;
mod resample;
#[cfg(test)]
mod tests;

pub(crate) use self::config::monitor;
pub use self::config::{MODELS, OptimizerKind, ScheduleKind, StudyConfig};
pub use self::motifs::{LearntMotif, LearntMotifError, learnt_motifs};
pub use self::objective::SequenceObjective;
pub(crate) use self::objective::{loss, monitored};
pub(crate) use self::plan::picked;
pub use self::plan::{Plan, PlanError};
pub use self::resample::Drawn;
pub(crate) use self::resample::FEWEST_CONTIGS;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::{Shuffled, rng};
use nn_core::metrics::MetricError;
use nn_core::train::{Checkpoints, Observer, Outcome, StepError, TrainError, fit};

use crate::dataset::{DatasetError, SequenceSet};
use crate::evaluate::Judged;
use crate::model::{ARCHITECTURE, ModelCard, Origin, Predicts, Preprocessing, SequenceModel};
use crate::split::SplitKind;

/// Why a study cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A setting is out of range, or two exclude each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The set does not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The rows cannot be divided as asked.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Predicting failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A score has no value, for example because all labels are equal.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// One trained model of a study and what training came to.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model with its card, ready to be saved.
    pub model: SequenceModel,
    /// How training ended.
    pub outcome: Outcome,
}

/// A set with its split, ready to train on.
#[derive(Debug)]
pub struct Study<'a> {
    set: &'a SequenceSet,
    dataset: String,
    config: StudyConfig,
    plan: Plan,
    preprocessing: Preprocessing,
}

impl<'a> Study<'a> {
    /// A study of `set`, called `dataset`, under a configuration that was [resolved](StudyConfig::resolved) for it.
    ///
    /// # Errors
    /// [`StudyError::Config`], [`StudyError::Dataset`].
    pub fn new(set: &'a SequenceSet, dataset: &str, plan: Plan, config: StudyConfig) -> Result<Self, StudyError> {
        set.check()?;
        config.validate()?;
        let window = config.window.unwrap_or_else(|| set.longest());
        let preprocessing = Preprocessing::new(window, config.strands, config.unknown);
        Ok(Self { set, dataset: dataset.to_owned(), config, plan, preprocessing })
    }

    /// The rows.
    pub fn set(&self) -> &'a SequenceSet {
        self.set
    }

    /// The configuration.
    pub fn config(&self) -> &StudyConfig {
        &self.config
    }

    /// How the rows are divided.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How sequences become input.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// How the rows are divided, by name.
    pub fn split_kind(&self) -> SplitKind {
        self.plan.kind()
    }

    /// Seed of model `i`: the first has the study's.
    pub fn seed(&self, i: usize) -> u64 {
        self.config.seed + i as u64
    }

    fn card(&self, i: usize) -> ModelCard {
        let learnt = self.plan.split(i).train.iter().filter_map(|&row| self.set.loci[row].as_ref());
        let contigs: BTreeSet<&str> = learnt.map(|locus| locus.contig.as_ref()).collect();
        ModelCard {
            network: self.config.network.clone(),
            preprocessing: self.preprocessing.clone(),
            predicts: Predicts { tasks: self.set.tasks.clone(), labels: self.set.labels.clone() },
            origin: Origin {
                dataset: self.dataset.clone(),
                split: self.split_kind().name().to_owned(),
                seed: self.seed(i),
                contigs: contigs.into_iter().map(str::to_owned).collect(),
            },
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
        let (config, seed, split) = (&self.config, self.seed(i), self.plan.split(i));
        let device = device.clone().autodiff();
        let network = config.network.init(&device, &mut rng(seed, &[0]))?;
        let card = self.card(i);
        let objective = SequenceObjective {
            set: self.set,
            preprocessing: &self.preprocessing,
            monitored: &split.validation,
            device,
        };
        let clip = (config.clip_norm > 0.0).then_some(config.clip_norm);
        let recipe = config.recipe();
        let mut learner =
            recipe.learner(objective, network, ARCHITECTURE)?.with_clip_norm(clip).with_metadata(card.metadata());
        let fit_config = recipe.fit_config(config.monitor(), seed);
        let sampler = Shuffled::new(split.train.clone(), recipe.batch_size);
        let outcome = fit(&mut learner, &sampler, &fit_config, checkpoints, resume, observer, stop)?;
        Ok(Trained { model: SequenceModel { network: learner.into_model()?, card }, outcome })
    }

    /// Logits, or values, of a model for rows of the set: `[rows, outputs]`.
    ///
    /// # Errors
    /// [`StudyError::Step`] when the device does not give the numbers back.
    pub fn predict(&self, model: &SequenceModel, rows: &[usize]) -> Result<Vec<f64>, StudyError> {
        Ok(model.logits(&self.sequences(rows))?)
    }

    fn sequences(&self, rows: &[usize]) -> Vec<&'a [u8]> {
        rows.iter().map(|&row| self.set.sequences[row].as_slice()).collect()
    }

    /// Logits of rows beside their labels.
    ///
    /// # Errors
    /// [`StudyError::Metric`] when a prediction is not a number.
    pub fn judge(&self, rows: &[usize], logits: Vec<f64>) -> Result<Judged, StudyError> {
        Ok(Judged::of(self.set, rows, logits)?)
    }

    /// What a bootstrap of `rows` draws whole, and the number of the group of each row: rows that share one are not
    /// independent.
    pub fn bootstrap_groups(&self, rows: &[usize]) -> (Drawn, Vec<u64>) {
        resample::groups(self.set, &self.plan, rows)
    }
}
