//! Systems whose rows are more than one window of a sequence: pairs, sites with their neighbours, genes with features,
//! marks, samples, and windows that several networks read.
//!
//! A [`Task`] is a system on its data: what is to be predicted of each row ([`Rows`]), how rows become the network's
//! inputs, and what is learnt before the network ([`Fitted`]). The rest is written once: [`TaskStudy`] divides the
//! rows, trains by a [`TaskObjective`] and predicts; a [`TaskModel`] is a trained network with its [`TaskCard`].
//!
//! | task | rows | system |
//! |---|---|---|
//! | [`SpeidTask`](crate::systems::speid::SpeidTask) | pairs of elements | SPEID |
//! | [`DeepCpgTask`](crate::systems::deep_cpg::DeepCpgTask) | methylated sites | `DeepCpG` |
//! | [`XpressoTask`](crate::systems::xpresso::XpressoTask) | genes with features | Xpresso |
//! | [`ExpectoTask`](crate::systems::expecto::ExpectoTask) | genes with the marks around their starts | `ExPecto` |
//! | [`MarkTask`](crate::systems::marks::MarkTask) | genes with marks | `DeepChrome`, `AttentiveChrome` |
//! | [`TableTask`](crate::systems::table::TableTask) | samples | Mostavi's, GEDFN, D-GEX |
//! | [`Gene2vecTask`](crate::systems::gene2vec::Gene2vecTask) | windows | Gene2vec |

mod config;
mod model;
mod network;
mod objective;
mod phases;
mod plan;
mod rows;
mod study;
#[cfg(test)]
mod tests;

pub use self::config::TaskConfig;
pub use self::model::{ARCHITECTURE, TaskCard, TaskModel, together};
pub use self::network::{Reads, TASKS, TaskNetConfig};
pub use self::objective::TaskObjective;
pub use self::phases::{Phase, Phases};
pub use self::rows::Rows;
pub use self::study::TaskStudy;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::metrics::MetricError;
use nn_core::models::embedding::EmbeddingError;
use nn_core::train::{StepContext, StepError, TrainError};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::baselines::{Baseline, BaselineError};
use crate::coverage::Counting;
use crate::dataset::DatasetError;
use crate::expression::Scaler;
use crate::genes::PSEUDOCOUNT;
use crate::genome::GenomeError;
use crate::split::{SplitError, SplitKind};
use crate::study::{PlanError, loss};
use crate::systems::expecto::RidgeError;

/// Stream of the noise in a step.
pub(crate) const NOISE: u64 = 1;

/// Why a task cannot be learnt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A setting is out of range, or does not fit the data.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data do not fit together.
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
    /// The vectors of words cannot be learnt.
    #[error(transparent)]
    Embedding(#[from] EmbeddingError),
    /// A simple predictor cannot be fitted.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// A linear step cannot be solved.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
    /// A window cannot be had.
    #[error(transparent)]
    Genome(#[from] GenomeError),
}

/// What is done to the numbers of files before anything is learnt from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prepare {
    /// Words in the names of those features of a gene of which the logarithm to base 10 is read.
    pub logarithms: Vec<String>,
    /// Whether the logarithm to base 10 of the levels of genes is learnt.
    pub levels: bool,
    /// What is added in front of the logarithms of features and levels.
    pub pseudocount: f64,
    /// Whether log₂(x + 1) of the expression in samples is read and learnt: for counts and abundances.
    pub expression: bool,
}

impl Default for Prepare {
    /// Lengths, densities and levels as the authors of Xpresso have them; expression as it is in the file.
    fn default() -> Self {
        let logarithms = ["length", "len", "density", "junction"].map(str::to_owned).to_vec();
        Self { logarithms, levels: true, pseudocount: PSEUDOCOUNT, expression: false }
    }
}

/// What is learnt from the training part before the network, and what a row's numbers are called.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fitted {
    /// What was done to the numbers of the files.
    pub prepare: Prepare,
    /// Names of the numbers that a row has, such as genes, features or marks, in the order in which they are read.
    pub columns: Vec<String>,
    /// Scale of these numbers.
    pub inputs: Option<Scaler>,
    /// Scale of the targets that are values: the network learns and gives scaled ones.
    pub targets: Option<Scaler>,
    /// Columns that are connected, by their numbers; both directions are listed where both are.
    pub edges: Vec<[u32; 2]>,
    /// How reads became the counts of marks, where they were counted here.
    pub counting: Option<Counting>,
    /// Weights that the network starts from, such as vectors of words; read back with the network's, not with the rest.
    #[serde(skip)]
    pub weights: Vec<f32>,
}

/// A system on its data.
pub trait Task {
    /// The network.
    type Net: Module;

    /// The rows and what is to be predicted of each.
    fn rows(&self) -> &Rows;

    /// The system with its sizes.
    fn network(&self) -> TaskNetConfig;

    /// How rows are divided where nothing else is asked for.
    fn split(&self) -> SplitKind;

    /// For each row the number of the group that a kind of split keeps together.
    ///
    /// # Errors
    /// [`SplitError`] where the rows have no such groups.
    fn groups(&self, kind: SplitKind) -> Result<Vec<u64>, SplitError> {
        self.rows().groups(kind)
    }

    /// What is learnt before the network, from the rows `train` alone.
    ///
    /// # Errors
    /// [`TaskError`].
    fn fit(&self, _train: &[usize], _seed: u64) -> Result<Fitted, TaskError> {
        Ok(Fitted::default())
    }

    /// The network with starting values from `rng`.
    ///
    /// # Errors
    /// [`ConfigError`] for sizes that are out of range.
    fn init(&self, fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<Self::Net, ConfigError>;

    /// The phases in which the authors train the network; none where they train it in one go.
    fn phases(&self) -> Option<Phases> {
        None
    }

    /// The network that a phase in front of the last one starts from.
    ///
    /// # Errors
    /// As [`Task::init`].
    fn begin(
        &self,
        _phase: &Phase,
        fitted: &Fitted,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self::Net, ConfigError> {
        self.init(fitted, device, rng)
    }

    /// The network that the last phase starts from: a fresh one, with what was trained in each of the first phases.
    ///
    /// # Errors
    /// [`ConfigError`] where they do not fit together.
    fn joined(&self, fresh: Self::Net, _trained: Vec<Self::Net>) -> Result<Self::Net, ConfigError> {
        Ok(fresh)
    }

    /// Whether [`Task::fit`] finds the network as it is to be, so that no step of training is left.
    fn is_solved(&self) -> bool {
        false
    }

    /// Logits of labels or classes, or scaled values. Noise such as dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - output `[rows, outputs]`
    ///
    /// # Errors
    /// [`StepError`] where a row cannot become inputs.
    ///
    /// # Panics
    /// If a row is not there.
    fn logits(
        &self,
        net: &Self::Net,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError>;

    /// The loss of a step, `[1]`: by default the mean cross-entropy of labels and classes and the mean squared error of
    /// scaled values, where a missing target counts nothing.
    ///
    /// # Errors
    /// As [`Task::logits`].
    fn loss(
        &self,
        net: &Self::Net,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        context: &StepContext,
    ) -> Result<Tensor<1>, StepError> {
        let logits = self.logits(net, fitted, rows, device, Some(&mut context.rng(NOISE)))?; // [rows, outputs]
        Ok(loss(&self.rows().predicts.labels, logits, &scaled_targets(self.rows(), fitted, rows)))
    }

    /// What the network's weights add to the loss, `[1]`.
    fn penalty(&self, _net: &Self::Net) -> Option<Tensor<1>> {
        None
    }

    /// What a network has to beat on the rows `query`, learnt from the rows `train`; the simplest first.
    ///
    /// # Errors
    /// [`TaskError`].
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError>;

    /// Rows that pass the network at once in prediction.
    fn at_once(&self) -> usize {
        512
    }
}

/// Targets of some rows on the scale that the network learns, `[rows, tasks]`.
pub(crate) fn scaled_targets(table: &Rows, fitted: &Fitted, rows: &[usize]) -> Vec<f32> {
    let mut targets = table.targets_of(rows);
    if let Some(scaler) = &fitted.targets {
        scaler.apply(&mut targets);
    }
    targets
}
