//! Attention by a small net (Bahdanau, Cho and Bengio 2015, *Neural machine translation by jointly learning to align and
//! translate*, section 3.1 and appendix A.1.2), over steps or over the places of a feature map (Xu et al. 2015, *Show,
//! attend and tell*, section 4.2).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{Bool, Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Attended, linear, masked_softmax};
use crate::config::{ConfigError, in_range};

/// Sizes; the defaults are those of Bahdanau et al. 2015 (appendix A.2: 1,000 units, keys of two directions).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdditiveConfig {
    /// Width of the query, or 0 for none: each key is then scored by itself (Yang et al. 2016, *Hierarchical attention
    /// networks*, section 2.2).
    pub query: usize,
    /// Width of a key.
    pub key: usize,
    /// Units of the net.
    pub hidden: usize,
    /// Whether the net's hidden units have a bias; the paper leaves it out.
    pub bias: bool,
}

impl Default for AdditiveConfig {
    fn default() -> Self {
        Self { query: 1000, key: 2000, hidden: 1000, bias: false }
    }
}

impl AdditiveConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("query", self.query, 0..=1_000_000)?;
        in_range("key", self.key, 1..=1_000_000)?;
        in_range("hidden", self.hidden, 1..=1_000_000)
    }

    /// Builds the net with Glorot's uniform weights and a bias of zero.
    ///
    /// # Errors
    /// What [`AdditiveConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Additive, ConfigError> {
        self.validate()?;
        Ok(Additive {
            query: (self.query > 0).then(|| linear(self.query, self.hidden, false, device, rng)),
            key: linear(self.key, self.hidden, self.bias, device, rng),
            score: linear(self.hidden, 1, false, device, rng),
        })
    }
}

/// vᵀ tanh(W query + U key + b) as the score of each key.
#[derive(Module, Debug)]
pub struct Additive {
    query: Option<Linear>,
    key: Linear,
    score: Linear,
}

impl Additive {
    /// The mean of the keys by their weights.
    ///
    /// # Shapes
    /// - query `[batch, query]`, absent if the configuration has none; keys `[batch, steps, key]`
    /// - excluded `[batch, steps]`, such as [`padding`](super::padding)
    /// - context `[batch, key]`, weights `[batch, steps]`
    ///
    /// # Panics
    /// When a query is missing or superfluous.
    pub fn forward(
        &self,
        query: Option<Tensor<2>>,
        keys: Tensor<3>,
        excluded: Option<Tensor<2, Bool>>,
    ) -> Attended<2, 2> {
        let mut hidden = self.key.forward(keys.clone()); // [batch, steps, hidden]
        assert_eq!(self.query.is_some(), query.is_some(), "whether attention has a query");
        if let (Some(layer), Some(query)) = (&self.query, query) {
            hidden = hidden + layer.forward(query).unsqueeze_dim::<3>(1);
        }
        let scores = self.score.forward(tanh(hidden)).squeeze_dim::<2>(2); // [batch, steps]
        let weights = masked_softmax(scores, excluded); // [batch, steps]
        let context = weights.clone().unsqueeze_dim::<3>(1).matmul(keys).squeeze_dim::<2>(1); // [batch, key]
        Attended { context, weights }
    }

    /// Soft attention over the places of a feature map: the channels at each place are a key.
    ///
    /// # Shapes
    /// - query `[batch, query]`, absent if the configuration has none; map `[batch, key, height, width]`
    /// - context `[batch, key]`, weights `[batch, height, width]`
    ///
    /// # Panics
    /// When a query is missing or superfluous.
    pub fn over_map(&self, query: Option<Tensor<2>>, map: Tensor<4>) -> Attended<2, 3> {
        let [batch, channels, height, width] = map.dims();
        let keys = map.reshape([batch, channels, height * width]).swap_dims(1, 2); // [batch, places, key]
        let Attended { context, weights } = self.forward(query, keys, None);
        Attended { context, weights: weights.reshape([batch, height, width]) }
    }
}
