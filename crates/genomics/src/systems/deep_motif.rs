//! `DeepMotif`: three networks that tell whether a transcription factor binds a stretch of DNA.
//!
//! Lanchantin, Singh, Lin and Qi 2016, *Deep Motif: visualizing genomic sequence classifications*, ICLR workshop, and
//! Lanchantin, Singh, Wang and Qi 2017, *Deep Motif Dashboard*, Pacific Symposium on Biocomputing 22:254. Layers and
//! sizes as in the authors' `model.lua` and `main.lua` (repository QData/DeepMotif at 14e6885 and 2cb36be).
//!
//! The recurrent networks take the mean of their states over the bases. Where the code has two outputs and a softmax,
//! one logit says the same. The layers here have two biases a gate as in PyTorch, the code's one.
//!
//! Trained as `main.lua` does it ([`DeepMotifConfig::recipe`]), which is what a [study](crate::study::StudyConfig) does
//! by default, but that the best epoch is that of the validation part; the code's is that of the training part.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Rescale;
use nn_core::layers::{Lstm, RecurrentConfig, dropout};
use nn_core::optim::{OptimizerConfig, Schedule};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SequenceNet;
use super::blocks::{ConvBlock, ConvBlockConfig, LONGEST, Stage, dense, pool, strongest_place};
use super::recipe::Recipe;

/// Which of the three networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Convolutions with pooling between them, and the maximum over all places.
    #[default]
    Cnn,
    /// A long short-term memory in both directions.
    Rnn,
    /// One convolution, of which the memory reads the maps; the best of the three in the paper.
    CnnRnn,
}

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepMotifConfig {
    /// Which of the three networks.
    pub architecture: Architecture,
    /// Bases of a sequence.
    pub length: usize,
    /// Logits.
    pub outputs: usize,
    /// Filters of each convolution.
    pub filters: usize,
    /// Positions that a filter of each convolution sees; the convolution in front of a memory has the first of them.
    pub kernels: Vec<usize>,
    /// Positions of a pooling.
    pub pool: usize,
    /// Units of the memory in each direction.
    pub hidden: usize,
    /// Dropout behind each layer but the output, 0 to 0.95.
    pub dropout: f64,
}

impl Default for DeepMotifConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::Cnn,
            length: 101,
            outputs: 1,
            filters: 128,
            kernels: vec![9, 5, 3],
            pool: 2,
            hidden: 32,
            dropout: 0.5,
        }
    }
}

impl DeepMotifConfig {
    /// The published sizes of one of the networks.
    pub fn of(architecture: Architecture) -> Self {
        Self { architecture, ..Self::default() }
    }

    /// The authors' training (`main.lua`): Adam with a rate of 0.01 that is halved every 10 epochs, 50 epochs in batches
    /// of 256, each value of a gradient cut at 5. Torch7 adds its 1e-8 before the mean square is corrected for its start.
    pub fn recipe() -> Recipe {
        let adam =
            OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, epsilon_hat: true };
        let schedule = Schedule::Step { every: 10, factor: 0.5 };
        Recipe { schedule, clip_value: Some(5.0), ..Recipe::new(adam, 0.01, 256, 50) }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range; the length must leave one position to the last convolution.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("filters", self.filters, 1..=65_536)?;
        in_range("kernels", self.kernels.len(), 1..=16)?;
        self.kernels.iter().try_for_each(|&kernel| in_range("kernels", kernel, 1..=4096))?;
        in_range("pool", self.pool, 1..=4096)?;
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        match self.architecture {
            Architecture::Cnn => Stage::check(&self.stages(), "length", self.length),
            Architecture::Rnn => in_range("length", self.length, 1..=LONGEST),
            // one window that holds no padding
            Architecture::CnnRnn => in_range("length", self.length, self.kernels[0]..=LONGEST),
        }
    }

    fn stages(&self) -> Vec<Stage> {
        let last = self.kernels.len() - 1;
        let pool = |place: usize| if place == last { 1 } else { self.pool };
        self.kernels.iter().enumerate().map(|(place, &kernel)| Stage { kernel, pool: pool(place) }).collect()
    }

    /// Builds the network with PyTorch's starting values, from the input on.
    ///
    /// # Errors
    /// What [`DeepMotifConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepMotif, ConfigError> {
        self.validate()?;
        let (layers, padding) = match self.architecture {
            Architecture::Cnn => (self.kernels.len(), 0),
            Architecture::Rnn => (0, 0),
            Architecture::CnnRnn => (1, self.kernels[0] / 2),
        };
        let mut inputs = 4;
        let mut convolutions = Vec::with_capacity(layers);
        for &kernel in &self.kernels[..layers] {
            let block = ConvBlockConfig { padding, ..ConvBlockConfig::new(inputs, self.filters, kernel) };
            convolutions.push(block.init(device, rng)?);
            inputs = self.filters;
        }
        let memory = if self.architecture == Architecture::Cnn {
            None
        } else {
            Some(
                RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(inputs, self.hidden) }
                    .lstm(device, rng)?,
            )
        };
        let width = if memory.is_some() { 2 * self.hidden } else { self.filters };
        let output = dense([width, self.outputs], device, rng);
        Ok(DeepMotif { convolutions, memory, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DeepMotif {
    convolutions: Vec<ConvBlock>,
    memory: Option<Lstm>,
    output: Linear,
    #[module(skip)]
    config: DeepMotifConfig,
}

impl DeepMotif {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepMotifConfig {
        &self.config
    }

    /// Logits. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn run(&self, x: Tensor<3>, mut rng: Option<&mut ChaCha8Rng>, rescale: Option<&Rescale>) -> Tensor<2> {
        if self.memory.is_some() {
            return self.read(self.maps(x), rng);
        }
        let mut x = x;
        for (place, block) in self.convolutions.iter().enumerate() {
            x = block.forward(x, rescale); // [batch, filters, length - kernel + 1]
            if place + 1 < self.convolutions.len() {
                x = pool(x, self.config.pool, rescale); // [batch, filters, length / pool]
            }
            x = dropout(x, self.config.dropout, rng.as_deref_mut());
        }
        self.output.forward(strongest_place(x, rescale)) // [batch, outputs]
    }

    /// What the memory reads: the bases themselves, or the rectified maps of the convolution. With [`DeepMotif::read`]
    /// this is what the paper's temporal output needs, which reads the beginnings and the ends of the maps.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, 4 or filters, places]`
    pub fn maps(&self, x: Tensor<3>) -> Tensor<3> {
        self.convolutions.iter().fold(x, |x, block| block.forward(x, None))
    }

    /// Logits from some places of the maps; those of a network without a memory are the strongest of each map.
    ///
    /// # Shapes
    /// - maps `[batch, 4 or filters, places]`; output `[batch, outputs]`
    pub fn read(&self, maps: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let Some(memory) = &self.memory else {
            return self.output.forward(strongest_place(maps, None)); // [batch, outputs]
        };
        let states = memory.forward(maps.swap_dims(1, 2), None, None).sequence; // [batch, places, 2 hidden]
        let states = dropout(states, self.config.dropout, rng);
        self.output.forward(states.mean_dim(1).squeeze_dim::<2>(1)) // [batch, outputs]
    }

    /// Whether it reads from place to place and so has an output after each of them.
    pub fn is_recurrent(&self) -> bool {
        self.memory.is_some()
    }

    pub(super) fn first_block(&self) -> Option<&ConvBlock> {
        self.convolutions.first()
    }
}

impl SequenceNet for DeepMotif {
    fn logits(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, None)
    }

    fn rescaled(&self, x: Tensor<3>, rescale: &Rescale) -> Option<Tensor<2>> {
        self.memory.is_none().then(|| self.run(x, None, Some(rescale)))
    }
}

#[cfg(test)]
mod tests;
