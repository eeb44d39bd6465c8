//! `DeepCpG`: methylation states of single cells from the sequence around a site and from its neighbours' states.
//!
//! Angermueller, Lee, Reik and Stegle 2017, *`DeepCpG`: accurate prediction of single-cell DNA methylation states using
//! deep learning*, Genome Biology 18:67. Layers and constants as in the authors' repository cangermueller/deepcpg:
//! `CnnL2h128` of `models/dna.py`, `RnnL1` of `models/cpg.py`, `JointL2h512` of `models/joint.py`, training as in
//! `scripts/dcpg_train.py` at 89abdc0.
//!
//! The module for sequence and the one for neighbours can each stand alone; [`DeepCpg::with_trained`] puts two that
//! were trained so into a joint network, as the phases of [`DeepCpgTask`] do: the authors keep the modules as they are
//! while the layers over both are trained. Each cell is a task of its own, and a site without a call in a cell counts
//! nothing there. The gated unit is that of `nn_core`, with the reset gate behind the product and two biases. The
//! authors' weights of the two classes, and outputs other than cells, are left out.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{Conv1d, ConvConfig, RecurrentConfig, dense, dropout};
use nn_core::losses::penalty;
use nn_core::optim::{OptimizerConfig, Schedule};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::Stage;
use super::recipe::Recipe;

mod modules;
mod task;
#[cfg(test)]
mod tests;

pub use self::modules::{CpgModule, DnaModule};
pub use self::task::DeepCpgTask;

/// What a network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modules {
    /// The sequence around a site.
    Dna,
    /// The states of its neighbours.
    Cpg,
    /// Both.
    #[default]
    Joint,
}

impl Modules {
    /// Whether the sequence is read.
    pub fn dna(self) -> bool {
        self != Self::Cpg
    }

    /// Whether the neighbours are read.
    pub fn cpg(self) -> bool {
        self != Self::Dna
    }
}

/// Sizes of the network; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepCpgConfig {
    /// What is read.
    pub modules: Modules,
    /// Cells, whose states are read and predicted.
    pub cells: usize,
    /// Bases around a site, which stands in the middle.
    pub window: usize,
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Their widths.
    pub kernels: [usize; 2],
    /// Positions that a maximum takes together behind each.
    pub pools: [usize; 2],
    /// Units of the dense layer behind them.
    pub hidden: usize,
    /// Neighbours on each side.
    pub neighbours: usize,
    /// Bases at which the distance of a neighbour is capped, and its unit.
    pub reach: usize,
    /// Units of the dense layer that reads the neighbours in one cell.
    pub per_cell: usize,
    /// Units, in each direction, of the gated layer that reads cell after cell.
    pub recurrent: usize,
    /// Units of the dense layers over both modules; none are used with one alone.
    pub joint: Vec<usize>,
    /// Dropout behind the last layer of each module and the joint layers.
    pub dropout: f64,
    /// Factor of the weights' absolute values in the penalty.
    pub l1: f64,
    /// Factor of their squares.
    pub l2: f64,
}

impl Default for DeepCpgConfig {
    fn default() -> Self {
        Self {
            modules: Modules::Joint,
            cells: 1,
            window: 1001,
            filters: [128, 256],
            kernels: [11, 3],
            pools: [4, 2],
            hidden: 128,
            neighbours: 25,
            reach: 25_000,
            per_cell: 256,
            recurrent: 256,
            joint: vec![512, 512],
            dropout: 0.0,
            l1: 1e-4,
            l2: 1e-4,
        }
    }
}

impl DeepCpgConfig {
    /// Adam at 1e-4, which falls to 97.5 % after each epoch; batches of 128, 30 epochs, patience of 5.
    pub fn recipe() -> Recipe {
        let schedule = Schedule::Exponential { factor: 0.975 };
        Recipe { schedule, ..Recipe::new(OptimizerConfig::adam_keras(), 1e-4, 128, 30).with_patience(5) }
    }

    fn stages(&self) -> [Stage; 2] {
        [0, 1].map(|at| Stage { kernel: self.kernels[at], pool: self.pools[at] })
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; the window must hold both convolutions.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("cells", self.cells, 1..=1_000_000)?;
        for at in 0..2 {
            in_range("filters", self.filters[at], 1..=65_536)?;
            in_range("kernels", self.kernels[at], 1..=4096)?;
            in_range("pools", self.pools[at], 1..=4096)?;
        }
        Stage::check(&self.stages(), "window", self.window)?;
        in_range("neighbours", self.neighbours, 1..=10_000)?;
        in_range("reach", self.reach, 1..=1_000_000_000)?;
        let (hidden, per_cell, recurrent) = (self.hidden, self.per_cell, self.recurrent);
        for (field, units) in [("hidden", hidden), ("per_cell", per_cell), ("recurrent", recurrent)] {
            in_range(field, units, 1..=65_536)?;
        }
        self.joint.iter().try_for_each(|&units| in_range("joint", units, 1..=65_536))?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("l1", self.l1, 0.0..=1e6)?;
        in_range("l2", self.l2, 0.0..=1e6)
    }

    /// Builds the network from Glorot's uniform distribution; the gated layer has PyTorch's.
    ///
    /// # Errors
    /// What [`DeepCpgConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepCpg, ConfigError> {
        self.validate()?;
        let dna = self.modules.dna().then(|| self.dna(device, rng)).transpose()?;
        let cpg = self.modules.cpg().then(|| self.cpg(device, rng)).transpose()?;
        let mut width = match self.modules {
            Modules::Dna => self.hidden,
            Modules::Cpg => 2 * self.recurrent,
            Modules::Joint => self.hidden + 2 * self.recurrent,
        };
        let mut joint = Vec::new();
        if self.modules == Modules::Joint {
            for &units in &self.joint {
                joint.push(dense([width, units], Init::GlorotUniform, device, rng));
                width = units;
            }
        }
        let output = dense([width, self.cells], Init::GlorotUniform, device, rng);
        Ok(DeepCpg { dna, cpg, joint, output, config: self.clone() })
    }

    fn dna(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DnaModule, ConfigError> {
        let mut conv = |inputs: usize, at: usize| -> Result<Conv1d, ConfigError> {
            let config = ConvConfig::new(inputs, self.filters[at], self.kernels[at]);
            config.with_init(Init::GlorotUniform).init(device, rng)
        };
        let (conv1, conv2) = (conv(4, 0)?, conv(self.filters[0], 1)?);
        let width = self.filters[1] * Stage::after(&self.stages(), self.window);
        let hidden = dense([width, self.hidden], Init::GlorotUniform, device, rng);
        Ok(DnaModule { conv1, conv2, hidden, pools: self.pools })
    }

    fn cpg(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<CpgModule, ConfigError> {
        let cell = dense([4 * self.neighbours, self.per_cell], Init::GlorotUniform, device, rng);
        let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(self.per_cell, self.recurrent) };
        Ok(CpgModule { cell, recurrent: config.gru(device, rng)? })
    }
}

/// What a network reads of some sites.
#[derive(Debug, Clone)]
pub struct DeepCpgInput {
    /// One-hot sequences, `[batch, 4, window]`.
    pub dna: Option<Tensor<3>>,
    /// What [`MethylationTable::neighbours`](crate::methylation::MethylationTable::neighbours) gives,
    /// `[batch, cells, 4 * neighbours]`.
    pub neighbours: Option<Tensor<3>>,
}

/// The network.
#[derive(Module, Debug)]
pub struct DeepCpg {
    dna: Option<DnaModule>,
    cpg: Option<CpgModule>,
    joint: Vec<Linear>,
    output: Linear,
    #[module(skip)]
    config: DeepCpgConfig,
}

impl DeepCpg {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepCpgConfig {
        &self.config
    }

    /// Logits of the cells' states. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - output `[batch, cells]`
    ///
    /// # Panics
    /// If the input of a module is missing, or the shapes disagree.
    pub fn logits(&self, input: DeepCpgInput, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let rate = self.config.dropout;
        let mut features = Vec::with_capacity(2);
        if let Some(module) = &self.dna {
            assert!(input.dna.is_some(), "the sequences are missing from the input");
            let found = input.dna.map(|x| module.forward(x)); // [batch, hidden]
            features.extend(found.map(|x| dropout(x, rate, rng.as_deref_mut())));
        }
        if let Some(module) = &self.cpg {
            assert!(input.neighbours.is_some(), "the neighbours are missing from the input");
            let found = input.neighbours.map(|x| module.forward(x)); // [batch, 2 recurrent]
            features.extend(found.map(|x| dropout(x, rate, rng.as_deref_mut())));
        }
        let mut x = Tensor::cat(features, 1);
        for layer in &self.joint {
            x = dropout(relu(layer.forward(x)), rate, rng.as_deref_mut()); // [batch, joint]
        }
        self.output.forward(x) // [batch, cells]
    }

    /// The penalty on the weights, those that read a state of the gated layer and those of the output apart; shape `[1]`.
    pub fn penalty(&self) -> Option<Tensor<1>> {
        let factors = [self.config.l1, self.config.l2];
        let counts = |path: &str| path.ends_with(".weight") || path.ends_with(".weight_ih");
        penalty(self, |path| if counts(path) && !path.starts_with("output") { factors } else { [0.0; 2] })
    }

    /// A joint network with the modules of two that were trained alone.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] when this is no joint network, or their sizes differ.
    pub fn with_trained(self, dna: &Self, cpg: &Self) -> Result<Self, ConfigError> {
        let sizes = |config: &DeepCpgConfig| {
            let (modules, joint, dropout, l1, l2) = (Modules::Joint, Vec::new(), 0.0, 0.0, 0.0);
            DeepCpgConfig { modules, joint, dropout, l1, l2, ..config.clone() }
        };
        let alike = sizes(&self.config) == sizes(&dna.config) && sizes(&self.config) == sizes(&cpg.config);
        match (&dna.dna, &cpg.cpg) {
            (Some(first), Some(second)) if alike && self.config.modules == Modules::Joint => {
                Ok(Self { dna: Some(first.clone()), cpg: Some(second.clone()), ..self })
            }
            _ => Err(ConfigError::Conflict(
                "a joint network takes the modules of a dna and a cpg network of its own sizes".to_owned(),
            )),
        }
    }
}
