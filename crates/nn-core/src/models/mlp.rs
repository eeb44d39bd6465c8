//! The multilayer perceptron: dense layers with normalisation, nonlinearity and dropout between them, and one or more
//! linear heads.
//!
//! Rumelhart, Hinton and Williams 1986, *Learning representations by back-propagating errors*, Nature 323:533. Several
//! heads on one body are the multi-task network of Caruana 1997, *Multitask learning*, Machine Learning 28:41. Without
//! hidden layers it is logistic or linear regression: [`MlpConfig::logistic_regression`].
//!
//! [`TableObjective`] trains it, and whatever else is a [`TableModel`], on a table in memory.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::mlp::MlpConfig;
//!
//! let device = Device::flex();
//! let config = MlpConfig { heads: vec![3, 1], ..MlpConfig::new(8, &[16], 3) };
//! let model = config.init(&device, &mut rng(7, &[]))?;
//! let heads = model.forward(Tensor::zeros([5, 8], &device), None);
//! assert_eq!((heads[0].dims(), heads[1].dims()), ([5, 3], [5, 1]));
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

mod activation;
#[cfg(test)]
pub(crate) mod golden;
mod objective;

pub use activation::Activation;
pub use objective::{TableError, TableModel, TableObjective, Targets, Task};

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::Init;
use crate::layers::{dense, dropout};

/// The perceptron's own objective.
pub type MlpObjective = TableObjective<Mlp>;

/// What stands between a dense layer and its nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Nothing.
    #[default]
    None,
    /// Batch normalisation (Ioffe and Szegedy 2015) with burn's and PyTorch's ε of 1e-5 and momentum of 0.1.
    Batch,
    /// Layer normalisation (Ba, Kiros and Hinton 2016), ε 1e-5.
    Layer,
}

/// Sizes and regularisation of a perceptron. The defaults are those of scikit-learn's `MLPClassifier`: one layer of 100
/// rectified units, Glorot's initialisation. Inputs and heads have no default that could be right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Columns of the input.
    pub inputs: usize,
    /// Units of each hidden layer, from the input on; none for a linear model.
    pub hidden: Vec<usize>,
    /// Outputs of each head.
    pub heads: Vec<usize>,
    /// Nonlinearity of the hidden layers; the heads have none.
    pub activation: Activation,
    /// Probability with which a hidden unit is dropped, 0 to 0.95.
    pub dropout: f64,
    /// Probability with which an input is dropped, 0 to 0.95.
    pub input_dropout: f64,
    /// Normalisation in front of each nonlinearity.
    pub norm: Norm,
    /// Distribution of the weights. Biases start at zero, with [`Init::PyTorchDefault`] as PyTorch draws them.
    pub init: Init,
    /// Factor of the sum of the weights' absolute values in [`Mlp::penalty`], 0 or more.
    pub l1: f64,
    /// Factor of the sum of the weights' squares in [`Mlp::penalty`], 0 or more.
    pub l2: f64,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self {
            inputs: 1,
            hidden: vec![100],
            heads: vec![1],
            activation: Activation::Relu,
            dropout: 0.0,
            input_dropout: 0.0,
            norm: Norm::None,
            init: Init::GlorotUniform,
            l1: 0.0,
            l2: 0.0,
        }
    }
}

impl MlpConfig {
    /// One head, and the defaults for the rest.
    pub fn new(inputs: usize, hidden: &[usize], outputs: usize) -> Self {
        Self { inputs, hidden: hidden.to_vec(), heads: vec![outputs], ..Self::default() }
    }

    /// No hidden layer: multinomial logistic regression when it is trained on classes, and linear regression on values.
    /// Its weights start at zero, from where its one minimum is reached from every side alike.
    pub fn logistic_regression(inputs: usize, classes: usize) -> Self {
        Self { init: Init::Constant(0.0), ..Self::new(inputs, &[], classes) }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=10_000_000)?;
        self.hidden.iter().try_for_each(|&units| in_range("hidden", units, 1..=1_000_000))?;
        self.heads.iter().try_for_each(|&outputs| in_range("heads", outputs, 1..=10_000_000))?;
        if self.heads.is_empty() {
            let (value, allowed) = ("[]".to_owned(), "the width of at least one head".to_owned());
            return Err(ConfigError::OutOfRange { field: "heads", value, allowed });
        }
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("input_dropout", self.input_dropout, 0.0..=0.95)?;
        in_range("l1", self.l1, 0.0..=1e6)?;
        in_range("l2", self.l2, 0.0..=1e6)
    }

    /// Builds the network; layer by layer from the input, each weight before its bias, values are drawn from `rng`.
    ///
    /// # Errors
    /// What [`MlpConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Mlp, ConfigError> {
        self.validate()?;
        let mut width = self.inputs;
        let mut hidden = Vec::with_capacity(self.hidden.len());
        for &units in &self.hidden {
            hidden.push(Dense {
                linear: dense([width, units], self.init, device, rng),
                batch: (self.norm == Norm::Batch).then(|| BatchNormConfig::new(units).init(device)),
                layer: (self.norm == Norm::Layer).then(|| LayerNormConfig::new(units).init(device)),
            });
            width = units;
        }
        let heads = self.heads.iter().map(|&outputs| dense([width, outputs], self.init, device, rng)).collect();
        Ok(Mlp { hidden, heads, config: self.clone() })
    }
}

/// A dense layer with its normalisation.
#[derive(Module, Debug)]
pub struct Dense {
    linear: Linear,
    batch: Option<BatchNorm>,
    layer: Option<LayerNorm>,
}

impl Dense {
    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, units]`
    fn forward(&self, x: Tensor<2>, activation: Activation) -> Tensor<2> {
        let mut x = self.linear.forward(x); // [batch, units]
        if let Some(norm) = &self.batch {
            x = norm.forward(x);
        }
        if let Some(norm) = &self.layer {
            x = norm.forward(x);
        }
        activation.forward(x)
    }
}

/// The network. Parameters are called `hidden.0.linear.weight`, `heads.0.bias` and so on.
#[derive(Module, Debug)]
pub struct Mlp {
    hidden: Vec<Dense>,
    heads: Vec<Linear>,
    #[module(skip)]
    config: MlpConfig,
}

impl Mlp {
    /// The sizes it was built with.
    pub fn config(&self) -> &MlpConfig {
        &self.config
    }

    /// What the heads see: the last hidden layer. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`; output `[batch, units of the last hidden layer]`
    pub fn features(&self, x: Tensor<2>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let mut x = dropout(x, self.config.input_dropout, rng.as_deref_mut()); // [batch, inputs]
        for dense in &self.hidden {
            x = dense.forward(x, self.config.activation); // [batch, units]
            x = dropout(x, self.config.dropout, rng.as_deref_mut());
        }
        x
    }

    /// Each head's output, without any nonlinearity.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`; outputs `[batch, head]`
    pub fn forward(&self, x: Tensor<2>, rng: Option<&mut ChaCha8Rng>) -> Vec<Tensor<2>> {
        let x = self.features(x, rng); // [batch, units]
        self.heads.iter().map(|head| head.forward(x.clone())).collect()
    }

    /// `l1 · Σ|w| + l2 · Σw²` over the weights of all dense layers, biases and normalisation apart; shape `[1]`. None
    /// if both factors are zero.
    pub fn penalty(&self) -> Option<Tensor<1>> {
        let (l1, l2) = (self.config.l1, self.config.l2);
        let mut terms = Vec::new();
        for linear in self.hidden.iter().map(|dense| &dense.linear).chain(&self.heads) {
            if l1 > 0.0 {
                terms.push(linear.weight.val().abs().sum().mul_scalar(l1));
            }
            if l2 > 0.0 {
                terms.push(linear.weight.val().square().sum().mul_scalar(l2));
            }
        }
        terms.into_iter().reduce(|sum, term| sum + term)
    }
}

impl TableModel for Mlp {
    /// The heads' outputs side by side: `[batch, sum of the heads]`.
    fn logits(&self, x: Tensor<2>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        Tensor::cat(self.forward(x, rng), 1)
    }

    fn penalty(&self) -> Option<Tensor<1>> {
        self.penalty()
    }
}

#[cfg(test)]
mod tests;
