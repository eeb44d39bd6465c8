//! SPEID: whether an enhancer and a promoter interact, from their sequences.
//!
//! Singh, Yang, Póczos and Ma 2019, *Predicting enhancer–promoter interaction from genomic sequence with deep neural
//! networks*, Quantitative Biology 7:122. Layers and constants as in the authors' repository ma-compbio/SPEID:
//! `pairwise/build_small_model.py` at ed744b6, `util.py`, `basic_training.py`. (Its comments give 1,024 kernels and 512
//! recurrent units for an earlier version.) The recurrent unit is that of `nn_core`, whose gates have the logistic
//! function where Keras 1 had a piecewise linear one.
//!
//! The authors divide pairs at random, so that test pairs contain enhancers and promoters of the training part;
//! [`InteractionTable::groups`](crate::interactions::InteractionTable::groups) keeps them apart.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNorm, BatchNormConfig, Conv1d, ConvConfig, Lstm, RecurrentConfig, dense, dropout};
use nn_core::losses::penalty;
use nn_core::ops::max_pool;
use nn_core::optim::OptimizerConfig;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::Stage;
use super::parts::normalised;
use super::recipe::Recipe;

mod task;
#[cfg(test)]
mod tests;

pub use self::task::SpeidTask;

/// Keras 1's addition to the variance.
const EPSILON: f64 = 1e-3;
/// Share of a new batch in Keras' running statistics.
const MOMENTUM: f64 = 0.01;

/// Sizes of the network; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpeidConfig {
    /// Bases of an enhancer's window.
    pub enhancer: usize,
    /// Bases of a promoter's window.
    pub promoter: usize,
    /// Filters of each branch.
    pub filters: usize,
    /// Bases that a filter sees.
    pub kernel: usize,
    /// Positions that a maximum takes together.
    pub pool: usize,
    /// Recurrent units in each direction.
    pub recurrent: usize,
    /// Units of the dense layer.
    pub hidden: usize,
    /// Dropout in front of the recurrent layer, behind it, and behind the dense layer.
    pub dropout: [f64; 3],
    /// Factor of the squares of the filters' weights in the penalty.
    pub l2_filters: f64,
    /// Factor of the squares of the dense layer's weights.
    pub l2_hidden: f64,
}

impl Default for SpeidConfig {
    fn default() -> Self {
        Self {
            enhancer: 3000,
            promoter: 2000,
            filters: 200,
            kernel: 40,
            pool: 20,
            recurrent: 50,
            hidden: 800,
            dropout: [0.25, 0.5, 0.5],
            l2_filters: 1e-5,
            l2_hidden: 1e-6,
        }
    }
}

impl SpeidConfig {
    /// Parts of the network that stay as they are in [`SpeidConfig::frozen_recipe`].
    pub const FROZEN: [&'static str; 3] = ["enhancer", "promoter", "recurrent"];

    /// Adam at 1e-5, batches of 100, 32 epochs.
    pub fn recipe() -> Recipe {
        // Keras 1 has PyTorch's constants, and adds ε before the correction
        let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, 0.0);
        let adam = OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat: true };
        Recipe::new(adam, 1e-5, 100, 32)
    }

    /// As [`SpeidConfig::recipe`] with the convolutions and the recurrent layer as they are (`build_frozen_model`): for
    /// training on pairs in their true proportion a network that was trained on as many that interact as do not.
    pub fn frozen_recipe() -> Recipe {
        let rates = Self::FROZEN.map(|part| (part.to_owned(), 0.0)).to_vec();
        Recipe { rates, ..Self::recipe() }
    }

    fn stage(&self) -> [Stage; 1] {
        [Stage { kernel: self.kernel, pool: self.pool }]
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; both windows must hold a filter and a pool.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("filters", self.filters, 1..=65_536)?;
        in_range("kernel", self.kernel, 1..=4096)?;
        in_range("pool", self.pool, 1..=4096)?;
        Stage::check(&self.stage(), "enhancer", self.enhancer)?;
        Stage::check(&self.stage(), "promoter", self.promoter)?;
        in_range("recurrent", self.recurrent, 1..=65_536)?;
        in_range("hidden", self.hidden, 1..=1_000_000)?;
        self.dropout.iter().try_for_each(|&rate| in_range("dropout", rate, 0.0..=0.95))?;
        in_range("l2_filters", self.l2_filters, 0.0..=1e6)?;
        in_range("l2_hidden", self.l2_hidden, 0.0..=1e6)
    }

    /// Builds the network from Glorot's uniform distribution; the recurrent layer has PyTorch's.
    ///
    /// # Errors
    /// What [`SpeidConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Speid, ConfigError> {
        self.validate()?;
        let conv = ConvConfig::new(4, self.filters, self.kernel).with_init(Init::GlorotUniform);
        let (enhancer, promoter) = (conv.init(device, rng)?, conv.init(device, rng)?);
        let steps = [self.enhancer, self.promoter].map(|length| Stage::after(&self.stage(), length));
        let config = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(self.filters, self.recurrent) };
        let recurrent = config.lstm(device, rng)?;
        let width = 2 * self.recurrent;
        let hidden = dense([(steps[0] + steps[1]) * width, self.hidden], Init::GlorotUniform, device, rng);
        let output = dense([self.hidden, 1], Init::GlorotUniform, device, rng);
        let norms = [self.filters, width, self.hidden, 1];
        let norms = norms
            .map(|channels| BatchNormConfig::new(channels).with_epsilon(EPSILON).with_momentum(MOMENTUM).init(device));
        Ok(Speid { enhancer, promoter, recurrent, hidden, output, norms: norms.into(), config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Speid {
    enhancer: Conv1d,
    promoter: Conv1d,
    recurrent: Lstm,
    hidden: Linear,
    output: Linear,
    /// Behind the convolutions, the recurrent layer, the dense layer and the output.
    norms: Vec<BatchNorm>,
    #[module(skip)]
    config: SpeidConfig,
}

impl Speid {
    /// The sizes it was built with.
    pub fn config(&self) -> &SpeidConfig {
        &self.config
    }

    /// Logits of an interaction. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - enhancers `[batch, 4, enhancer]`, promoters `[batch, 4, promoter]`; output `[batch, 1]`
    ///
    /// # Panics
    /// If the shapes disagree.
    pub fn logits(&self, enhancers: Tensor<3>, promoters: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let Self { norms, config, .. } = self;
        let branch = |conv: &Conv1d, x: Tensor<3>| max_pool(relu(conv.forward(x)), [config.pool], [config.pool], [0]);
        let (first, second) = (branch(&self.enhancer, enhancers), branch(&self.promoter, promoters));
        let x = norms[0].forward(Tensor::cat(vec![first, second], 2)); // [batch, filters, steps]
        let x = dropout(x, config.dropout[0], rng.as_deref_mut()).swap_dims(1, 2); // [batch, steps, filters]
        let x = self.recurrent.forward(x, None, None).sequence; // [batch, steps, 2 recurrent]
        let [batch, steps, width] = x.dims();
        let x = norms[1].forward(x.reshape::<2, _>([batch * steps, width])); // [batch * steps, 2 recurrent]
        let x = dropout(x, config.dropout[1], rng.as_deref_mut()).reshape::<2, _>([batch, steps * width]);
        let x = relu(normalised(&norms[2], self.hidden.forward(x), EPSILON)); // [batch, hidden]
        let x = dropout(x, config.dropout[2], rng);
        normalised(&norms[3], self.output.forward(x), EPSILON) // [batch, 1]
    }

    /// The penalty on the weights of the filters and of the dense layer; shape `[1]`.
    pub fn penalty(&self) -> Option<Tensor<1>> {
        penalty(self, |path| match path {
            "enhancer.weight" | "promoter.weight" => [0.0, self.config.l2_filters],
            "hidden.weight" => [0.0, self.config.l2_hidden],
            _ => [0.0; 2],
        })
    }

    /// Starts the first filters of both branches from known motifs, as the authors do from JASPAR's: probabilities of A,
    /// C, G and T at each place, less a quarter, at a random place of a filter whose other weights stay; the filter's
    /// bias is drawn from U(−1, 0).
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] for more motifs than filters, or one longer than a filter.
    pub fn with_motifs(self, motifs: &[Vec<[f32; 4]>], rng: &mut ChaCha8Rng) -> Result<Self, ConfigError> {
        let (filters, kernel) = (self.config.filters, self.config.kernel);
        in_range("motifs", motifs.len(), 0..=filters)?;
        motifs.iter().try_for_each(|motif| in_range("motif length", motif.len(), 0..=kernel))?;
        // Both branches start alike.
        let places: Vec<(usize, f32)> =
            motifs.iter().map(|motif| (rng.random_range(0..=kernel - motif.len()), -rng.random::<f32>())).collect();
        let start = |mut conv: Conv1d| -> Result<Conv1d, ConfigError> {
            let failed =
                |error: &dyn std::error::Error| ConfigError::Conflict(format!("cannot fetch the filters: {error}"));
            let device = conv.weight.val().device();
            let mut weights = conv.weight.val().try_into_vec_as::<f32>().map_err(|error| failed(&error))?;
            let mut biases = vec![0.0; filters];
            for (filter, (motif, &(start, bias))) in motifs.iter().zip(&places).enumerate() {
                biases[filter] = bias;
                for (place, shares) in motif.iter().enumerate() {
                    for (base, share) in shares.iter().enumerate() {
                        weights[(filter * 4 + base) * kernel + start + place] = share - 0.25;
                    }
                }
            }
            conv.weight = Param::from_data(TensorData::new(weights, [filters, 4, kernel]), &device);
            conv.bias = Some(Param::from_data(TensorData::new(biases, [filters]), &device));
            Ok(conv)
        };
        let (enhancer, promoter) = (start(self.enhancer.clone())?, start(self.promoter.clone())?);
        Ok(Self { enhancer, promoter, ..self })
    }
}
