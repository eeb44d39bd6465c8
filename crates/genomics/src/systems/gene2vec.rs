//! Gene2vec: sites of N6-methyladenosine in messenger RNA, by the vote of four networks that read a window in four ways.
//!
//! Zou, Xing, Wei and Liu 2019, *Gene2vec: gene subsequence embedding for prediction of mammalian N6-methyladenosine sites
//! from mRNA*, RNA 25:205: four convolutional networks whose probabilities are averaged. No code is public; the sizes here
//! are ours, chosen on a validation part.
//!
//! | [`Encoding`] | a place of the window is |
//! |---|---|
//! | one-hot | its base |
//! | neighbours | its base and those on both sides, from the sequence alone |
//! | words | the 3-mer that begins there, as a vector that is learnt with the network |
//! | gene2vec | the same 3-mer, as a vector that skip-gram has learnt from the training part, and that stays |

use burn::module::{Module, Param};
use burn::nn::{Embedding, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Conv1d, ConvConfig, dense, dropout};
use nn_core::models::embedding::{SkipGramConfig, Window};
use nn_core::ops::max_pool;
use nn_core::optim::OptimizerConfig;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::pad_same;
use super::recipe::Recipe;

mod encoding;
mod task;
#[cfg(test)]
mod tests;
mod vote;

pub use self::encoding::{Encoding, WORDS};
pub use self::task::Gene2vecTask;
pub use self::vote::{Gene2vec, skip_gram};

use self::encoding::Encoded;

/// Sizes of the four networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gene2vecConfig {
    /// Bases of a window, with the adenosine in the middle; 1,001 in the paper, 41 in the sets of Dao et al. 2020.
    pub length: usize,
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Their widths; both keep the length.
    pub kernels: [usize; 2],
    /// Places that a maximum takes together behind the first.
    pub pool: usize,
    /// Units of the dense layer.
    pub hidden: usize,
    /// Dropout behind each of the three.
    pub dropout: f64,
    /// Numbers of a word's vector that is learnt with the network.
    pub embedding: usize,
    /// How the other vectors are learnt, from the training part alone.
    pub skip_gram: SkipGramConfig,
}

impl Default for Gene2vecConfig {
    fn default() -> Self {
        Self {
            length: 1001,
            filters: [64, 64],
            kernels: [9, 5],
            pool: 2,
            hidden: 64,
            dropout: 0.5,
            embedding: 32,
            skip_gram: SkipGramConfig {
                dimension: 100,
                window: Window::Shrinking(5),
                subsample: 0.0,
                epochs: 10,
                ..SkipGramConfig::default()
            },
        }
    }
}

impl Gene2vecConfig {
    /// Adam at 1e-3, batches of 128, 40 epochs, patience of 5.
    pub fn recipe() -> Recipe {
        Recipe::new(OptimizerConfig::adam(), 1e-3, 128, 40).with_patience(5)
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; the length must hold a word and the maximum.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for at in 0..2 {
            in_range("filters", self.filters[at], 1..=65_536)?;
            in_range("kernels", self.kernels[at], 1..=4096)?;
        }
        in_range("pool", self.pool, 1..=4096)?;
        in_range("length", self.length, self.pool + 2..=1_000_000)?;
        in_range("hidden", self.hidden, 1..=1_000_000)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("embedding", self.embedding, 1..=65_536)?;
        self.skip_gram.validate()
    }

    /// Builds the network for one encoding with PyTorch's starting values; `vectors` are those of the words, `[words,
    /// dimension]`, which gene2vec needs and the others do not.
    ///
    /// # Errors
    /// What [`Gene2vecConfig::validate`] finds, and [`ConfigError::OutOfRange`] for other vectors than are due.
    pub fn init(
        &self,
        encoding: Encoding,
        vectors: Option<&[f32]>,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<M6aNet, ConfigError> {
        self.validate()?;
        let embedding = match encoding {
            Encoding::OneHot | Encoding::Neighbours => None,
            Encoding::Words => {
                let shape = [WORDS, self.embedding];
                Some(Init::Normal(1.0).param(shape, Fan::dense(shape), rng, device))
            }
            Encoding::Gene2vec => {
                let (found, dimension) = (vectors.map_or(0, <[f32]>::len), self.skip_gram.dimension);
                in_range("vectors", found, WORDS * dimension..=WORDS * dimension)?;
                let values = TensorData::new(vectors.unwrap_or_default().to_vec(), [WORDS, dimension]);
                Some(Param::from_data(values, device).set_require_grad(false))
            }
        };
        let channels = match encoding {
            Encoding::OneHot => 4,
            Encoding::Neighbours => 12,
            Encoding::Words => self.embedding,
            Encoding::Gene2vec => self.skip_gram.dimension,
        };
        let mut conv = |inputs: usize, at: usize| -> Result<Conv1d, ConfigError> {
            ConvConfig::new(inputs, self.filters[at], self.kernels[at]).init(device, rng)
        };
        let (conv1, conv2) = (conv(channels, 0)?, conv(self.filters[0], 1)?);
        let width = self.filters[1] * (encoding.places(self.length) / self.pool);
        let hidden = dense([width, self.hidden], Init::PyTorchDefault, device, rng);
        let output = dense([self.hidden, 1], Init::PyTorchDefault, device, rng);
        let embedding = embedding.map(|weight| Embedding { weight });
        Ok(M6aNet { embedding, conv1, conv2, hidden, output, encoding, config: self.clone() })
    }
}

/// One of the four networks.
#[derive(Module, Debug)]
pub struct M6aNet {
    embedding: Option<Embedding>,
    conv1: Conv1d,
    conv2: Conv1d,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    encoding: Encoding,
    #[module(skip)]
    config: Gene2vecConfig,
}

impl M6aNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &Gene2vecConfig {
        &self.config
    }

    /// How it reads a window.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Logits of windows. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - windows: `batch` sequences, at most as long as the network reads; output `[batch, 1]`
    ///
    /// # Panics
    /// If a window is longer.
    pub fn logits(&self, windows: &[&[u8]], device: &Device, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let (batch, length) = (windows.len(), self.config.length);
        let x = match self.encoding.encode(windows, length) {
            Encoded::Values(values, channels) => {
                Tensor::from_data(TensorData::new(values, [batch, channels, length]), device) // [batch, channels, places]
            }
            Encoded::Codes(codes) => {
                let places = self.encoding.places(length);
                self.embed(Tensor::from_data(TensorData::new(codes, [batch, places]), device))
            }
        };
        self.read(x, rng)
    }

    /// # Shapes
    /// - codes `[batch, places]`; output `[batch, dimension, places]`, without an embedding zeros
    fn embed(&self, codes: Tensor<2, Int>) -> Tensor<3> {
        match &self.embedding {
            Some(embedding) => embedding.forward(codes).swap_dims(1, 2),
            None => codes.float().unsqueeze_dim(1),
        }
    }

    /// # Shapes
    /// - x `[batch, channels, places]`; output `[batch, 1]`
    fn read(&self, x: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let Gene2vecConfig { kernels, pool, dropout: rate, .. } = &self.config;
        let x = relu(self.conv1.forward(pad_same(x, kernels[0]))); // [batch, filters 0, places]
        let x = dropout(max_pool(x, [*pool], [*pool], [0]), *rate, rng.as_deref_mut()); // [batch, filters 0, places / pool]
        let x = relu(self.conv2.forward(pad_same(x, kernels[1]))); // [batch, filters 1, places / pool]
        let x = dropout(x, *rate, rng.as_deref_mut()).flatten::<2>(1, 2);
        let x = dropout(relu(self.hidden.forward(x)), *rate, rng); // [batch, hidden]
        self.output.forward(x) // [batch, 1]
    }
}
