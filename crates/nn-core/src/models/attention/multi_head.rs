//! Multi-head attention (Vaswani et al. 2017, *Attention is all you need*, section 3.2.2), with the parameters of
//! PyTorch's `nn.MultiheadAttention`.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Bool, Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Attended, attend, future};
use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};

/// Sizes; the defaults are the paper's base model (table 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiHeadConfig {
    /// Width of queries, keys, values and output.
    pub width: usize,
    /// Number of heads, a divisor of the width.
    pub heads: usize,
    /// Probability with which a weight is dropped, 0 to 0.95.
    pub dropout: f64,
    /// Whether projections have a bias.
    pub bias: bool,
}

impl Default for MultiHeadConfig {
    fn default() -> Self {
        Self { width: 512, heads: 8, dropout: 0.1, bias: true }
    }
}

impl MultiHeadConfig {
    /// # Errors
    /// [`ConfigError`] for a field out of its range, or heads that do not divide the width.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("width", self.width, 1..=1_000_000)?;
        in_range("heads", self.heads, 1..=self.width)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        let (width, heads) = (self.width, self.heads);
        if !width.is_multiple_of(heads) {
            return Err(ConfigError::Conflict(format!(
                "heads = {heads} does not divide width = {width}; each head takes an equal part of it"
            )));
        }
        Ok(())
    }

    /// Builds the block with PyTorch's initialisation: Glorot uniform over the three input projections together, U(−a,
    /// a) with a = 1/√width for the output projection, zero biases.
    ///
    /// # Errors
    /// What [`MultiHeadConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<MultiHead, ConfigError> {
        self.validate()?;
        let width = self.width;
        let zeros = |size: usize| self.bias.then(|| Param::from_tensor(Tensor::zeros([size], device)));
        let fan = Fan { inputs: width, outputs: 3 * width };
        let in_proj_weight = Init::GlorotUniform.param([3 * width, width], fan, rng, device);
        let mut out_proj = LinearConfig::new(width, width).with_bias(false).init(device);
        out_proj.weight = Init::PyTorchDefault.param([width, width], Fan::dense([width, width]), rng, device);
        out_proj.bias = zeros(width);
        Ok(MultiHead { in_proj_weight, in_proj_bias: zeros(3 * width), out_proj, config: self.clone() })
    }
}

/// What must not be looked at.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    /// Keys that are excluded for every query, `[batch, keys]`, such as [`padding`](super::padding).
    pub padding: Option<Tensor<2, Bool>>,
    /// Whether a query sees only the keys up to its own step; queries and keys must then be as many.
    pub causal: bool,
}

impl Mask {
    /// # Shapes
    /// - output `[batch, 1, queries, keys]`, none if nothing is excluded
    fn excluded(&self, [batch, queries, keys]: [usize; 3], device: &Device) -> Option<Tensor<4, Bool>> {
        let shape = [batch, 1, queries, keys];
        let padding = self.padding.clone().map(|mask| mask.reshape([batch, 1, 1, keys]).expand(shape));
        let future = self.causal.then(|| {
            assert_eq!(queries, keys, "a causal mask needs as many queries as keys");
            future(keys, device).reshape([1, 1, queries, keys]).expand(shape)
        });
        match (padding, future) {
            (Some(padding), Some(future)) => Some(padding.bool_or(future)),
            (one, None) | (None, one) => one,
        }
    }
}

/// Several attentions side by side, each over its own projection. Parameters lie and are called as in PyTorch's
/// `nn.MultiheadAttention`: `in_proj_weight` `[3 · width, width]` holds the projections of query, key and value one
/// above the other.
#[derive(Module, Debug)]
pub struct MultiHead {
    in_proj_weight: Param<Tensor<2>>,
    in_proj_bias: Option<Param<Tensor<1>>>,
    out_proj: Linear,
    #[module(skip)]
    config: MultiHeadConfig,
}

impl MultiHead {
    /// The sizes it was built with.
    pub fn config(&self) -> &MultiHeadConfig {
        &self.config
    }

    /// Dropout acts when a generator is given; the weights returned are those before it.
    ///
    /// # Shapes
    /// - query `[batch, queries, width]`, key and value `[batch, keys, width]`
    /// - context `[batch, queries, width]`, weights `[batch, heads, queries, keys]`
    ///
    /// # Panics
    /// When the mask is causal and there are not as many queries as keys.
    pub fn forward(
        &self,
        query: Tensor<3>,
        key: Tensor<3>,
        value: Tensor<3>,
        mask: &Mask,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Attended<3, 4> {
        let ([batch, queries, width], [_, keys, _]) = (query.dims(), key.dims());
        let heads = self.config.heads;
        let excluded = mask
            .excluded([batch, queries, keys], &query.device())
            .map(|excluded| excluded.expand([batch, heads, queries, keys]));
        let (query, key, value) = (self.project(0, query), self.project(1, key), self.project(2, value));
        let Attended { context, weights } = attend(query, key, value, excluded, self.config.dropout, rng);
        let context = context.swap_dims(1, 2).reshape([batch, queries, width]); // [batch, queries, width]
        Attended { context: self.out_proj.forward(context), weights }
    }

    /// One of the three projections, cut into heads.
    ///
    /// # Shapes
    /// - x `[batch, steps, width]`; output `[batch, heads, steps, width / heads]`
    fn project(&self, part: usize, x: Tensor<3>) -> Tensor<4> {
        let [batch, steps, width] = x.dims();
        let heads = self.config.heads;
        let weight = self.in_proj_weight.val().narrow(0, part * width, width).transpose(); // [width, width]
        let mut y = x.reshape([batch * steps, width]).matmul(weight); // [batch * steps, width]
        if let Some(bias) = &self.in_proj_bias {
            y = y + bias.val().narrow(0, part * width, width).unsqueeze::<2>();
        }
        y.reshape([batch, steps, heads, width / heads]).swap_dims(1, 2) // [batch, heads, steps, width / heads]
    }
}
