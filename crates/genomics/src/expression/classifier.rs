//! Classes of samples from their expression.

use std::collections::HashSet;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::data::{DataError, rng, stratified_folds};
use nn_core::models::mlp::{Mlp, MlpConfig, TableError, TableModel, TableObjective, Targets, Task};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Monitor, StepError, TRAIN_LOSS};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Scale, Scaler, top_genes};
use crate::dataset::{DatasetError, ExpressionSet};
use crate::evaluate::{highest, softmax};
use crate::systems::mostavi::{Kind, Mostavi, MostaviConfig};
use crate::systems::recipe::{Recipe, RecipeError};

/// What reads the genes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NetworkKind {
    /// Dense layers of these widths; none for a linear model.
    Perceptron {
        /// Units of each hidden layer.
        hidden: Vec<usize>,
        /// Dropout behind each.
        dropout: f64,
        /// Factor of the weights' squares in the penalty.
        l2: f64,
    },
    /// One of the networks of Mostavi et al. 2020, on an image of about their proportions.
    Mostavi {
        /// Which one.
        network: Kind,
    },
}

/// How samples are classified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Genes that are read: those of the largest F statistic between the classes of the training part; all if 0.
    pub genes: usize,
    /// Scale of a gene.
    pub scale: Scale,
    /// What reads them.
    pub network: NetworkKind,
    /// How it is trained.
    pub recipe: Recipe,
}

impl Default for ClassifierConfig {
    /// A linear model of 96 standardised genes: Khan et al. 2001, *Classification and diagnostic prediction of cancers
    /// using gene expression profiling and artificial neural networks*, Nature Medicine 7:673, train networks without a
    /// hidden layer and find 96 genes to be enough. They rank genes by how much the networks' output depends on them.
    fn default() -> Self {
        Self {
            genes: 96,
            scale: Scale::Standard,
            network: NetworkKind::Perceptron { hidden: Vec::new(), dropout: 0.0, l2: 1e-2 },
            recipe: Recipe::new(OptimizerConfig::adam(), 1e-2, 64, 200),
        }
    }
}

/// Why samples cannot be classified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The set does not fit together.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The samples cannot be divided.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The samples make no table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Training failed.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Predicting failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// There is nothing to learn or to read.
    #[error("{0}")]
    Unusable(String),
}

/// A network of either kind.
// one of them at a time
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum ClassifierNet {
    /// Dense layers.
    Perceptron(Mlp),
    /// Convolutions over genes.
    Mostavi(Mostavi),
}

impl TableModel for ClassifierNet {
    fn logits(&self, x: Tensor<2>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        match self {
            Self::Perceptron(net) => net.logits(x, rng),
            Self::Mostavi(net) => net.logits(x, rng),
        }
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        match self {
            Self::Perceptron(net) => net.penalty(),
            Self::Mostavi(_) => None,
        }
    }
}

impl ClassifierConfig {
    /// # Errors
    /// [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("genes", self.genes, 0..=10_000_000)?;
        self.recipe.validate()
    }

    fn init(
        &self,
        [genes, classes]: [usize; 2],
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<ClassifierNet, ConfigError> {
        Ok(match &self.network {
            NetworkKind::Perceptron { hidden, dropout, l2 } => {
                let linear = MlpConfig::logistic_regression(genes, classes);
                let start = if hidden.is_empty() { linear } else { MlpConfig::new(genes, hidden, classes) };
                let config = MlpConfig { dropout: *dropout, l2: *l2, ..start };
                ClassifierNet::Perceptron(config.init(device, rng)?)
            }
            NetworkKind::Mostavi { network } => {
                ClassifierNet::Mostavi(MostaviConfig::for_genes(*network, genes, classes).init(device, rng)?)
            }
        })
    }
}

/// A trained classifier with everything that it does to a sample first.
#[derive(Debug, Clone)]
pub struct ExpressionClassifier {
    /// Names of the genes that it reads, in its order.
    genes: Vec<String>,
    scaler: Scaler,
    classes: Vec<String>,
    network: ClassifierNet,
    device: Device,
}

impl ExpressionClassifier {
    /// Chooses genes, fits the scale and trains the network, all on the samples `rows`. It keeps the weights of the epoch
    /// of the least loss on them: no other sample is looked at.
    ///
    /// # Errors
    /// [`ExpressionError`]; `Unusable` where the samples have no classes.
    ///
    /// # Panics
    /// If a sample is not there.
    pub fn fit(
        set: &ExpressionSet,
        rows: &[usize],
        config: &ClassifierConfig,
        device: &Device,
        seed: u64,
    ) -> Result<Self, ExpressionError> {
        config.validate()?;
        set.check()?;
        if set.labels.is_empty() || set.classes.len() < 2 || rows.is_empty() {
            let (samples, classes) = (rows.len(), set.classes.len());
            let problem =
                format!("{samples} samples of {classes} classes; at least one sample and two classes are due");
            return Err(ExpressionError::Unusable(problem));
        }
        let count = if config.genes == 0 { set.genes.len() } else { config.genes };
        let chosen = top_genes(set, rows, count);
        let part = columns(&set.select(rows), &chosen);
        // a sample finds its genes by their names
        let mut known = HashSet::new();
        if let Some(twice) = set.genes.iter().find(|gene| !known.insert(gene.as_str())) {
            return Err(ExpressionError::Unusable(format!("gene {twice} is there twice; give each a name of its own")));
        }
        let all: Vec<usize> = (0..part.len()).collect();
        let scaler = Scaler::fit(&part, &all, config.scale);
        let mut values = part.values.clone();
        scaler.apply(&mut values);

        let (device, inner) = (device.clone().autodiff(), device.clone().inner());
        let network = config.init([chosen.len(), set.classes.len()], &device, &mut rng(seed, &[0]))?;
        let task = Task::new("class", Targets::Classes { count: set.classes.len(), rows: part.labels.clone() });
        let objective = TableObjective::<ClassifierNet>::new(values, chosen.len(), vec![task], Vec::new(), &device)?;
        let monitor = Monitor::lower(TRAIN_LOSS);
        let (network, _) = config.recipe.train("expression classifier", objective, network, &all, monitor, seed)?;
        Ok(Self { genes: part.genes, scaler, classes: part.classes, network, device: inner })
    }

    /// Names of the genes that it reads.
    pub fn genes(&self) -> &[String] {
        &self.genes
    }

    /// Names of the classes, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Probability of each class for each sample, which may have other genes and in another order: `[samples, classes]`.
    ///
    /// # Errors
    /// `Unusable` with the first gene that is missing, and what the device does not give back.
    pub fn probabilities(&self, set: &ExpressionSet) -> Result<Vec<Vec<f64>>, ExpressionError> {
        let place = |name: &String| {
            let found = set.genes.iter().position(|gene| gene == name);
            found.ok_or_else(|| ExpressionError::Unusable(format!("the samples have no gene {name}, which is read")))
        };
        let chosen = self.genes.iter().map(place).collect::<Result<Vec<usize>, ExpressionError>>()?;
        let part = columns(set, &chosen);
        if part.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = part.values;
        self.scaler.apply(&mut values);
        let rows: Vec<usize> = (0..set.len()).collect();
        // the objective turns rows into logits; its targets are not looked at
        let zeros = vec![0; rows.len()];
        let task = Task::new("class", Targets::Classes { count: self.classes.len(), rows: zeros });
        let table = TableObjective::<ClassifierNet>::new(values, chosen.len(), vec![task], Vec::new(), &self.device)?;
        let logits = table.logits(&self.network, &rows)?;
        let of_row = |row: &[f32]| softmax(&row.iter().copied().map(f64::from).collect::<Vec<f64>>());
        Ok(logits.chunks_exact(self.classes.len()).map(of_row).collect())
    }

    /// The most probable class of each sample.
    ///
    /// # Errors
    /// As [`ExpressionClassifier::probabilities`].
    pub fn predict(&self, set: &ExpressionSet) -> Result<Vec<usize>, ExpressionError> {
        Ok(self.probabilities(set)?.iter().map(|row| highest(row)).collect())
    }

    /// The class that each sample gets from a classifier that was fitted without it, genes and scale included: `folds`
    /// parts with the classes in proportion.
    ///
    /// # Errors
    /// As [`ExpressionClassifier::fit`], and [`ExpressionError::Data`] for too few samples.
    pub fn cross_validate(
        set: &ExpressionSet,
        folds: usize,
        config: &ClassifierConfig,
        device: &Device,
        seed: u64,
    ) -> Result<Vec<usize>, ExpressionError> {
        let labels: Vec<u64> = set.labels.iter().map(|&label| label as u64).collect();
        let parts = stratified_folds(&labels, folds, seed)?;
        let mut found = vec![0; set.len()];
        for test in &parts {
            let train: Vec<usize> = (0..set.len()).filter(|row| !test.contains(row)).collect();
            let classifier = Self::fit(set, &train, config, device, seed)?;
            for (&row, class) in test.iter().zip(classifier.predict(&set.select(test))?) {
                found[row] = class;
            }
        }
        Ok(found)
    }
}

/// The set with some of its genes, in the order given.
fn columns(set: &ExpressionSet, genes: &[usize]) -> ExpressionSet {
    ExpressionSet {
        samples: set.samples.clone(),
        genes: genes.iter().map(|&gene| set.genes[gene].clone()).collect(),
        values: (0..set.len()).flat_map(|row| genes.iter().map(move |&gene| set.row(row)[gene])).collect(),
        classes: set.classes.clone(),
        labels: set.labels.clone(),
    }
}
