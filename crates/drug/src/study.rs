//! A study: one affinity table, one split rule, one protocol, several models and the baselines.
//!
//! Two protocols are offered, because the published one flatters itself:
//!
//! | | `paper` (DeepDTA's code) | `clean` |
//! |---|---|---|
//! | stops on | the loss of the **test** part | the loss of half of the fold left out |
//! | weights kept | those of the last epoch | those of the best epoch |
//! | order of the rows | as in the file, every epoch | shuffled by (seed, epoch) |
//! | padding | seen by the global maximum | masked |
//! | SMILES are cut into | characters | characters, or atoms ([`TokenizerKind`]) |
//! | concordance index | half of the pairs, by file order | all pairs |
//!
//! Both train each model on all folds but one. In the paper's protocol the fold left out calibrates the
//! interval; in the clean one half of it decides when to stop and the other half, which no choice was
//! made on, calibrates (see [`Plan`]). The test part is the same for all models.

mod plan;
mod reading;
mod score;

pub use self::plan::{FOLDS, Plan, PlanError};
pub use self::reading::TokenizerKind;
pub use self::score::{Scores, score, score_one, strong_binding};

use self::reading::{Reading, readings};
use crate::affinity::{AffinityObjective, Entities, predict};
use crate::model::{ARCHITECTURE, AffinityModel, Calibration, ModelCard};
use crate::split::{SplitKind, drug_groups, target_groups};
use crate::systems::deepdta::{DeepDtaConfig, Padding};
use crate::table::{AffinityTable, Pair};
use crate::tokens::TokenError;
use burn::tensor::Device;
use nn_core::config::{ConfigError, in_range};
use nn_core::data::{Blocks, InOrder, Sampler, Shuffled, rng};
use nn_core::metrics::MetricError;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{
    Checkpoints, FitConfig, Monitor, Named, Observer, Outcome, StepError, Supervised, TrainError, fit,
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;

/// How a study stops, orders, pads and scores; see the module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// As DeepDTA's code does it.
    Paper,
    /// As it should be done.
    Clean,
}

/// How rows become batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Any rows together, as published.
    Pairs,
    /// Rows of a few drugs and a few targets together, so that a batch has few strings to encode.
    Blocks,
}

/// Everything that decides a study's result, with the paper's values as defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StudyConfig {
    /// Which protocol.
    pub protocol: Protocol,
    /// How rows are divided into training and test part.
    pub split: SplitKind,
    /// Models to train, each without another fold (1 to the number of folds).
    pub models: usize,
    /// Epochs at most (100 in the paper).
    pub epochs: usize,
    /// Epochs without improvement after which training stops (15 in the paper's code).
    pub patience: usize,
    /// Rows of a batch (256 in the paper).
    pub batch_size: usize,
    /// Adam's step size (Keras' default, 1e-3, in the paper's code).
    pub learning_rate: f64,
    /// How rows become batches.
    pub sampler: SamplerKind,
    /// Share of the groups that a split other than the upstream one holds out for the test.
    pub test_fraction: f64,
    /// Share of pairs that the prediction interval is made to hold.
    pub interval: f64,
    /// Seed of split, initial weights, order and dropout; a TOML integer, with room for one seed a model.
    pub seed: u64,
    /// What SMILES strings are cut into; characters in the paper.
    pub tokenizer: TokenizerKind,
    /// Sizes of the network; `padding` is set by the protocol ([`StudyConfig::resolved`]), and with a fitted vocabulary
    /// each model has `smiles_vocabulary` from its own.
    pub network: DeepDtaConfig,
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self {
            protocol: Protocol::Clean,
            split: SplitKind::Random,
            models: 5,
            epochs: 100,
            patience: 15,
            batch_size: 256,
            learning_rate: 1e-3,
            sampler: SamplerKind::Pairs,
            test_fraction: 1.0 / 6.0,
            interval: 0.9,
            seed: 1,
            tokenizer: TokenizerKind::DeepDta,
            network: DeepDtaConfig::default(),
        }
    }
}

impl StudyConfig {
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("models", self.models, 1..=FOLDS)?;
        in_range("epochs", self.epochs, 1..=100_000)?;
        in_range("patience", self.patience, 1..=100_000)?;
        in_range("batch_size", self.batch_size, 1..=1_000_000)?;
        in_range("learning_rate", self.learning_rate, 1e-9..=10.0)?;
        in_range("test_fraction", self.test_fraction, 0.01..=0.9)?;
        in_range("interval", self.interval, 0.5..=0.999)?;
        in_range("seed", self.seed, 0..=i64::MAX as u64 - FOLDS as u64)?;
        if self.protocol == Protocol::Paper && self.split != SplitKind::Upstream {
            let problem = "protocol = \"paper\" is defined on the upstream folds alone; use split = \"upstream\" or \
                           protocol = \"clean\"";
            return Err(ConfigError::Conflict(problem.into()));
        }
        if self.protocol == Protocol::Paper && self.sampler == SamplerKind::Blocks {
            let problem = "protocol = \"paper\" takes the rows in the order of the file; use sampler = \"pairs\" or \
                           protocol = \"clean\"";
            return Err(ConfigError::Conflict(problem.into()));
        }
        if self.tokenizer == TokenizerKind::Chemistry {
            if self.protocol == Protocol::Paper {
                let problem = "protocol = \"paper\" reads SMILES by DeepDTA's characters; use tokenizer = \"deepdta\" or \
                               protocol = \"clean\"";
                return Err(ConfigError::Conflict(problem.into()));
            }
            if self.network.smiles_vocabulary != DeepDtaConfig::default().smiles_vocabulary {
                let problem = format!(
                    "smiles_vocabulary = {} cannot be set beside tokenizer = \"chemistry\", which takes it from the \
                     training strings; leave it out",
                    self.network.smiles_vocabulary
                );
                return Err(ConfigError::Conflict(problem));
            }
        }
        self.network.validate()
    }

    /// The same with the network's padding as the protocol prescribes it, so that a record of the
    /// configuration says what was run.
    pub fn resolved(mut self) -> Self {
        self.network.padding = match self.protocol {
            Protocol::Paper => Padding::Seen,
            Protocol::Clean => Padding::Masked,
        };
        self
    }

    fn sampler(&self, table: &AffinityTable, rows: Vec<usize>) -> Box<dyn Sampler> {
        match (self.sampler, self.protocol) {
            (SamplerKind::Pairs, Protocol::Paper) => Box::new(InOrder::new(rows, self.batch_size)),
            (SamplerKind::Pairs, Protocol::Clean) => Box::new(Shuffled::new(rows, self.batch_size)),
            (SamplerKind::Blocks, _) => {
                let side = (self.batch_size as f64).sqrt().round().max(1.0) as usize;
                let column = |of: fn(&Pair) -> u32| rows.iter().map(|&r| of(&table.pairs[r])).collect::<Vec<_>>();
                let (drugs, targets) = (column(|p| p.drug), column(|p| p.target));
                Box::new(Blocks::new(rows, drugs, targets, side, side))
            }
        }
    }
}

/// Why a study cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A setting is out of range, or two exclude each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table cannot be divided as asked.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The training strings give no vocabulary.
    #[error(transparent)]
    Tokens(#[from] TokenError),
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
    pub model: AffinityModel,
    /// How training ended.
    pub outcome: Outcome,
}

/// A table with its split and its encoded strings, ready to train on.
#[derive(Debug)]
pub struct Study<'a> {
    table: &'a AffinityTable,
    config: StudyConfig,
    plan: Plan,
    /// One that all models share, or one for each.
    readings: Vec<Reading>,
}

impl<'a> Study<'a> {
    /// Encodes the table's strings for a division made before. The configuration is
    /// [resolved](StudyConfig::resolved) and the plan put [under](Plan::under) its protocol.
    ///
    /// # Errors
    /// [`StudyError::Config`], also when the network's vocabularies are not those of the character tables;
    /// [`StudyError::Tokens`] when no token of the training strings is frequent enough for a vocabulary.
    pub fn new(table: &'a AffinityTable, plan: Plan, config: StudyConfig) -> Result<Self, StudyError> {
        config.validate()?;
        let config = config.resolved();
        let plan = plan.under(config.protocol);
        let readings = readings(table, &plan, &config)?;
        Ok(Self { table, config, plan, readings })
    }

    /// The configuration.
    pub fn config(&self) -> &StudyConfig {
        &self.config
    }

    /// How the rows are divided.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The strings as the first model reads them, with the counts of what was cut or unknown. All models cut them alike;
    /// what is unknown is the same for all only where no vocabulary is fitted.
    pub fn entities(&self) -> &Entities {
        &self.readings[0].entities
    }

    /// How model `i` reads the strings.
    fn reading(&self, i: usize) -> Result<&Reading, ConfigError> {
        in_range("model", i, 0..=self.config.models - 1)?;
        Ok(&self.readings[i.min(self.readings.len() - 1)])
    }

    /// Seed of model `i`: the first has the study's.
    pub fn seed(&self, i: usize) -> u64 {
        self.config.seed + i as u64
    }

    /// Trains model `i`, counted from 0, which leaves out fold `i`.
    ///
    /// # Errors
    /// [`StudyError`], also when the study has no such model; see [`fit`] for what of a failed run is kept.
    pub fn train(
        &self,
        i: usize,
        device: &Device,
        (checkpoints, resume): (Option<&Checkpoints>, bool),
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Trained, StudyError> {
        let (config, seed) = (&self.config, self.seed(i));
        let reading = self.reading(i)?;
        let monitored = self.plan.monitored(i);
        let network = reading.network.init(&device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let card = ModelCard {
            config: network.config().clone(),
            tokenizers: reading.tokenizers.clone(),
            quantity: self.table.quantity.clone(),
            calibration: None,
        };
        let objective = AffinityObjective { entities: &reading.entities, pairs: &self.table.pairs, monitored };
        let objective = Named::new(objective, |row| self.table.name_of(row));
        let mut learner = Supervised::new(objective, network, OptimizerConfig::adam_keras().init(), ARCHITECTURE)
            .with_metadata(card.metadata());
        let fit_config = FitConfig {
            patience: Some(config.patience),
            seed,
            restore_best: config.protocol == Protocol::Clean,
            ..FitConfig::new(config.epochs, config.learning_rate, Monitor::lower("mse"))
        };
        let sampler = config.sampler(self.table, self.plan.train_in_order(i));
        let outcome = fit(&mut learner, sampler.as_ref(), &fit_config, checkpoints, resume, observer, stop)?;
        let mut model = AffinityModel { network: learner.into_model()?, card };
        model.card.calibration = self.calibrate(&model, self.plan.calibration(i))?;
        Ok(Trained { model, outcome })
    }

    /// The interval's half width, from rows that had no part in the model.
    fn calibrate(&self, model: &AffinityModel, rows: &[usize]) -> Result<Option<Calibration>, StudyError> {
        let predicted = self.predict(model, rows)?;
        let measured = self.table.values(rows);
        let residuals = measured.iter().zip(&predicted).map(|(m, p)| (m - p).abs()).collect();
        Ok(Calibration::from_residuals(residuals, self.config.interval))
    }

    /// Predictions of one of the study's models for rows of the table.
    ///
    /// # Errors
    /// [`StudyError::Step`] when the device does not give the numbers back, or the model reads the strings otherwise than
    /// any of this study.
    pub fn predict(&self, model: &AffinityModel, rows: &[usize]) -> Result<Vec<f64>, StudyError> {
        let reading = self.readings.iter().find(|reading| reading.tokenizers == model.card.tokenizers);
        let reading = reading.ok_or_else(|| {
            StepError::other("the model's tokenisers are those of no model of this study; predict with its ensemble")
        })?;
        let pairs: Vec<Pair> = rows.iter().map(|&r| self.table.pairs[r]).collect();
        Ok(predict(&model.network, &reading.entities, &pairs)?)
    }

    /// The scores of predictions for the test part, by the study's protocol.
    ///
    /// # Errors
    /// [`StudyError::Metric`] when a prediction is not a number or the test part is empty.
    pub fn score(&self, predicted: &[f64]) -> Result<Scores, StudyError> {
        Ok(score(&self.table.values(self.plan.test()), predicted, self.config.protocol, &self.table.quantity)?)
    }

    /// One score of a resampled test part, by the study's protocol.
    ///
    /// # Errors
    /// [`MetricError`] when it has no value there.
    pub fn score_one(&self, name: &str, measured: &[f64], predicted: &[f64]) -> Result<f64, MetricError> {
        score_one(name, measured, predicted, self.config.protocol, &self.table.quantity)
    }

    /// The table that is studied.
    pub fn table(&self) -> &'a AffinityTable {
        self.table
    }

    /// The groups that a bootstrap of the test part draws whole: molecules where drugs are held out,
    /// sequences otherwise, because rows that share one are not independent. They are those of
    /// [`drug_groups`] and [`target_groups`], which see through other spellings and names.
    pub fn bootstrap_groups(&self) -> Vec<u64> {
        let by_drug = matches!(self.config.split, SplitKind::ColdDrug | SplitKind::Scaffold);
        let groups = if by_drug { drug_groups(self.table) } else { target_groups(self.table) };
        let test = self.plan.test().iter().map(|&r| self.table.pairs[r]);
        let entity = |p: Pair| if by_drug { p.drug } else { p.target };
        test.map(|p| groups[entity(p) as usize]).collect()
    }
}
