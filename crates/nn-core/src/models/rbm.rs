//! Restricted Boltzmann machines: an energy over a visible and a hidden layer with no connection inside a layer.
//!
//! Smolensky 1986, *Information processing in dynamical systems*, for the model; Hinton 2002, *Training products of
//! experts by minimizing contrastive divergence*, Neural Computation 14:1771, for the learning rule; Hinton 2010, *A
//! practical guide to training restricted Boltzmann machines*, UTML TR 2010-003, for the constants ("the guide" below).
//!
//! The hidden units are Bernoulli; what the visible ones are is [`VisibleUnits`]. With weights W `[visible, hidden]`,
//! visible biases b and hidden biases c:
//!
//! | visible units | energy E(v, h) |
//! |---|---|
//! | Bernoulli | −b·v − c·h − vᵀWh |
//! | Gaussian, unit variance | ½‖v − b‖² − c·h − vᵀWh |
//! | replicated softmax, D words | −b·v − D c·h − vᵀWh |
//!
//! - [`RbmConfig`] builds an [`Rbm`]: conditionals, [`Rbm::free_energy`], [`Rbm::gibbs`], pseudo-likelihoods;
//! - [`RbmLearner`] trains it by contrastive divergence, persistent or not, through [`crate::train::fit`];
//! - [`Rbm::log_partition`] estimates log Z by annealed importance sampling.
//!
//! Nothing here is differentiated: gradients are differences of statistics, so that models live on a device without
//! autodiff.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::rbm::RbmConfig;
//!
//! let device = Device::flex();
//! let rbm = RbmConfig { visible: 6, hidden: 3, ..RbmConfig::default() }.init(&device, &mut rng(7, &[]))?;
//! let rows = Tensor::<2>::ones([4, 6], &device);
//! assert_eq!(rbm.transform(rows.clone()).dims(), [4, 3]);
//! assert_eq!(rbm.free_energy(rows).dims(), [4]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

mod ais;
#[cfg(test)]
pub(in crate::models) mod digits;
mod learner;
mod likelihood;
pub(in crate::models) mod sampling;
pub(in crate::models) mod statistics;
#[cfg(test)]
mod tests;
pub(in crate::models) mod units;

pub use self::ais::{AisConfig, LogPartition, Stage};
pub use self::learner::{Negative, RbmLearner, RbmLearning, Sparsity};
pub use self::units::VisibleUnits;

use burn::module::{Module, Param};
use burn::tensor::activation::{sigmoid, softplus};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};
use crate::train::StepError;

/// What a Boltzmann machine cannot do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RbmError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value cannot be fetched from the device.
    #[error("cannot fetch the {what} from the device: {reason}")]
    Device {
        /// The value.
        what: &'static str,
        /// What the backend said.
        reason: String,
    },
    /// Asked of visible units for which it is not defined.
    #[error("the {what} is defined for {needed} visible units, the model has {found} ones")]
    Units {
        /// What was asked for.
        what: &'static str,
        /// Name of the units that it needs.
        needed: &'static str,
        /// Name of the units that the model has.
        found: &'static str,
    },
    /// A matrix of the wrong width.
    #[error("the {what} has {found} columns, the model takes {expected}; use the data that the model was built for")]
    Columns {
        /// The matrix.
        what: &'static str,
        /// Its columns.
        found: usize,
        /// Those of the model.
        expected: usize,
    },
    /// A matrix without rows where one is needed.
    #[error("the {0} has no rows; at least one is needed")]
    NoRows(&'static str),
}

impl From<RbmError> for StepError {
    fn from(error: RbmError) -> Self {
        Self::other(error)
    }
}

/// Sizes and starting values of an [`Rbm`]; the defaults are the lowest layer of Hinton, Osindero & Teh 2006 for images
/// of 28 × 28, with the starting values of the guide, section 8.1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RbmConfig {
    /// What the visible units are.
    pub units: VisibleUnits,
    /// Number of visible units: columns of the data.
    pub visible: usize,
    /// Number of hidden units.
    pub hidden: usize,
    /// Standard deviation of the starting weights, 0 to 10.
    pub weight_sd: f64,
    /// Starting bias of the hidden units, −100 to 100; about −4 makes their activities sparse (section 8).
    pub hidden_bias: f64,
}

impl Default for RbmConfig {
    fn default() -> Self {
        Self { units: VisibleUnits::Bernoulli, visible: 784, hidden: 500, weight_sd: 0.01, hidden_bias: 0.0 }
    }
}

impl RbmConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("visible", self.visible, 1..=10_000_000)?;
        in_range("hidden", self.hidden, 1..=1_000_000)?;
        in_range("weight_sd", self.weight_sd, 0.0..=10.0)?;
        in_range("hidden_bias", self.hidden_bias, -100.0..=100.0)
    }

    /// Builds the machine: weights N(0, `weight_sd`²), visible biases 0 ([`Rbm::with_visible_bias_of`] fits them to
    /// data), hidden biases `hidden_bias`.
    ///
    /// # Errors
    /// What [`RbmConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Rbm, ConfigError> {
        self.validate()?;
        let fan = Fan::dense([self.visible, self.hidden]);
        Ok(Rbm {
            weight: Init::Normal(self.weight_sd).param([self.visible, self.hidden], fan, rng, device),
            visible_bias: Init::Constant(0.0).param([self.visible], fan, rng, device),
            hidden_bias: Init::Constant(self.hidden_bias).param([self.hidden], fan, rng, device),
            config: self.clone(),
        })
    }
}

/// A restricted Boltzmann machine. `lengths` below are the row sums of word counts, `[rows, 1]`; they matter for
/// replicated softmax units alone, which without them have one word a row.
#[derive(Module, Debug)]
pub struct Rbm {
    /// W, `[visible, hidden]`.
    pub weight: Param<Tensor<2>>,
    /// b, `[visible]`.
    pub visible_bias: Param<Tensor<1>>,
    /// c, `[hidden]`.
    pub hidden_bias: Param<Tensor<1>>,
    #[module(skip)]
    config: RbmConfig,
}

impl Rbm {
    /// What it was built from.
    pub fn config(&self) -> &RbmConfig {
        &self.config
    }

    /// What the visible units are.
    pub fn units(&self) -> VisibleUnits {
        self.config.units
    }

    /// Where its parameters are.
    pub fn device(&self) -> Device {
        self.weight.device()
    }

    /// Sets the visible biases to those of a machine without weights that fits `data` best (the guide, section 8.1):
    /// log odds of the means, means, or log shares of the words. Counts are smoothed so that no bias is infinite.
    ///
    /// # Shapes
    /// - data `[rows, visible]`, at least one row
    ///
    /// # Errors
    /// [`RbmError::Columns`], [`RbmError::NoRows`], [`RbmError::Device`].
    pub fn with_visible_bias_of(mut self, data: Tensor<2>) -> Result<Self, RbmError> {
        self.check("data", &data)?;
        let [rows, visible] = data.dims();
        if rows == 0 {
            return Err(RbmError::NoRows("data"));
        }
        let sums = sampling::host("sums of the data", data.sum_dim(0))?;
        let bias = self.units().fitted_bias(&sums, rows);
        let device = self.device();
        let bias = Tensor::<1>::from_data(TensorData::new(bias, [visible]), &device);
        self.visible_bias = self.visible_bias.map(|_| bias);
        Ok(self)
    }

    /// Probability of each hidden unit to be on, given the visible ones: the features of the rows.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`; output `[rows, hidden]`
    pub fn transform(&self, visible: Tensor<2>) -> Tensor<2> {
        let lengths = self.units().lengths(&visible);
        sigmoid(self.hidden_inputs(visible, lengths.as_ref()))
    }

    /// Mean of each visible unit given the hidden ones: a probability, a mean, or an expected count.
    ///
    /// # Shapes
    /// - hidden `[rows, hidden]`, lengths `[rows, 1]`; output `[rows, visible]`
    pub fn visible_mean(&self, hidden: Tensor<2>, lengths: Option<&Tensor<2>>) -> Tensor<2> {
        self.units().mean(self.visible_inputs(hidden), lengths)
    }

    /// The visible means that the features of `visible` give: the mean-field reconstruction.
    ///
    /// # Shapes
    /// - visible and output `[rows, visible]`
    pub fn reconstruct(&self, visible: Tensor<2>) -> Tensor<2> {
        let lengths = self.units().lengths(&visible);
        let hidden = sigmoid(self.hidden_inputs(visible, lengths.as_ref())); // [rows, hidden]
        self.visible_mean(hidden, lengths.as_ref())
    }

    /// E(v, h) of each row.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`, hidden `[rows, hidden]`; output `[rows]`
    pub fn energy(&self, visible: Tensor<2>, hidden: Tensor<2>) -> Tensor<1> {
        let alone = self.units().bias_energy(visible.clone(), self.visible_bias.val()); // [rows]
        let lengths = self.units().lengths(&visible);
        let inputs = self.hidden_inputs(visible, lengths.as_ref()); // [rows, hidden]
        alone - (inputs * hidden).sum_dim(1).squeeze_dim::<1>(1)
    }

    /// `F(v) = −log Σ_h exp(−E(v, h))` of each row; p(v) = exp(−F(v)) / Z.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`; output `[rows]`
    pub fn free_energy(&self, visible: Tensor<2>) -> Tensor<1> {
        let alone = self.units().bias_energy(visible.clone(), self.visible_bias.val()); // [rows]
        let lengths = self.units().lengths(&visible);
        let inputs = self.hidden_inputs(visible, lengths.as_ref()); // [rows, hidden]
        alone - softplus(inputs, 1.0).sum_dim(1).squeeze_dim::<1>(1)
    }

    /// A draw of the hidden units given the visible ones.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`; output `[rows, hidden]` of zeros and ones
    pub fn sample_hidden(&self, visible: Tensor<2>, rng: &mut ChaCha8Rng) -> Tensor<2> {
        sampling::bernoulli(self.transform(visible), rng)
    }

    /// A draw of the visible units given the hidden ones.
    ///
    /// # Shapes
    /// - hidden `[rows, hidden]`, lengths `[rows, 1]`; output `[rows, visible]`
    ///
    /// # Errors
    /// [`RbmError::Device`].
    pub fn sample_visible(
        &self,
        hidden: Tensor<2>,
        lengths: Option<&Tensor<2>>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor<2>, RbmError> {
        self.units().sample(self.visible_inputs(hidden), lengths, rng)
    }

    /// The visible units after `steps` of alternating Gibbs sampling that starts from `visible`; the lengths of rows of
    /// word counts stay as they are.
    ///
    /// # Shapes
    /// - visible and output `[rows, visible]`
    ///
    /// # Errors
    /// [`RbmError::Device`].
    pub fn gibbs(&self, visible: Tensor<2>, steps: usize, rng: &mut ChaCha8Rng) -> Result<Tensor<2>, RbmError> {
        let lengths = self.units().lengths(&visible);
        let mut visible = visible;
        for _ in 0..steps {
            let hidden = sigmoid(self.hidden_inputs(visible, lengths.as_ref())); // [rows, hidden]
            visible = self.sample_visible(sampling::bernoulli(hidden, rng), lengths.as_ref(), rng)?; // [rows, visible]
        }
        Ok(visible)
    }

    /// Total input of each hidden unit, `[rows, hidden]`.
    pub(in crate::models) fn hidden_inputs(&self, visible: Tensor<2>, lengths: Option<&Tensor<2>>) -> Tensor<2> {
        units::hidden_inputs(visible, self.weight.val(), self.hidden_bias.val(), lengths)
    }

    /// Total input of each visible unit, `[rows, visible]`.
    pub(in crate::models) fn visible_inputs(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden.matmul(self.weight.val().transpose()) + self.visible_bias.val().unsqueeze::<2>()
    }

    /// Checks that a matrix has as many columns as there are visible units.
    pub(in crate::models) fn check(&self, what: &'static str, matrix: &Tensor<2>) -> Result<(), RbmError> {
        let ([_, found], [expected, _]) = (matrix.dims(), self.weight.dims());
        if found == expected { Ok(()) } else { Err(RbmError::Columns { what, found, expected }) }
    }
}
