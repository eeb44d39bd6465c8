//! Capsule network with dynamic routing.
//!
//! Sabour, Frosst and Hinton 2017, *Dynamic routing between capsules*, NIPS 30. A capsule is a group of units whose vector
//! says by its length how likely an entity is present and by its direction what it is like. Two convolutions make the
//! primary capsules; each of them votes for the pose of each class by a matrix of its own, and routing by agreement decides
//! which votes count. A decoder that sees the capsule of the right class alone has to draw the input again, which is the
//! regulariser.
//!
//! With the paper's sizes the network has 6,804,224 parameters, 8,215,568 with the decoder (6.8 and 8.2 million in its
//! section 5).
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::capsule::CapsuleConfig;
//! let config = CapsuleConfig {
//!     input: [1, 8, 8],
//!     filters: 16,
//!     kernel: 3,
//!     primary_types: 4,
//!     primary_kernel: 3,
//!     decoder: vec![],
//!     ..CapsuleConfig::default()
//! };
//! let device = Device::flex();
//! let model = config.init(&device, &mut rng(1, &[]))?;
//! let capsules = model.forward(Tensor::zeros([5, 1, 8, 8], &device));
//! assert_eq!(capsules.dims(), [5, 10, 16]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::cnn::one_hot;
use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};
use crate::layers::{Conv2d, ConvConfig, dense};

/// Below this squared length a vector counts as having it: where the root has a slope still.
const LEAST: f32 = 1e-12;

/// Sizes and constants; the defaults are the paper's (sections 3 and 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CapsuleConfig {
    /// Channels, height and width of an input; values in 0 to 1 if there is a decoder.
    pub input: [usize; 3],
    /// Channels of the first convolution.
    pub filters: usize,
    /// Height and width of its kernel; stride 1, no padding.
    pub kernel: usize,
    /// Types of primary capsules, of which there is one at each place of the second convolution.
    pub primary_types: usize,
    /// Units of a primary capsule.
    pub primary_size: usize,
    /// Height and width of the second convolution's kernel; no padding.
    pub primary_kernel: usize,
    /// Stride of the second convolution.
    pub primary_stride: usize,
    /// Classes to tell apart.
    pub classes: usize,
    /// Units of a class capsule.
    pub class_size: usize,
    /// Routing iterations r; 1 gives every class the same share of each capsule.
    pub routing: usize,
    /// Standard deviation of the votes' starting weights, of which the paper says nothing; larger for fewer capsules.
    pub votes_sd: f64,
    /// Widths of the decoder's hidden layers; no decoder if empty.
    pub decoder: Vec<usize>,
    /// m⁺: the length that the capsule of a present class should exceed.
    pub margin_present: f64,
    /// m⁻: the length that the others should stay below.
    pub margin_absent: f64,
    /// λ: what an absent class weighs in the loss.
    pub absent_weight: f64,
    /// What the sum of squared errors over an input's values weighs beside the margin loss.
    pub reconstruction_weight: f64,
}

impl Default for CapsuleConfig {
    fn default() -> Self {
        Self {
            input: [1, 28, 28],
            filters: 256,
            kernel: 9,
            primary_types: 32,
            primary_size: 8,
            primary_kernel: 9,
            primary_stride: 2,
            classes: 10,
            class_size: 16,
            routing: 3,
            votes_sd: 0.1,
            decoder: vec![512, 1024],
            margin_present: 0.9,
            margin_absent: 0.1,
            absent_weight: 0.5,
            reconstruction_weight: 0.0005,
        }
    }
}

impl CapsuleConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; both kernels must fit into what they see.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let [channels, height, width] = self.input;
        in_range("input", channels, 1..=4096)?;
        in_range("input", height, 1..=4096)?;
        in_range("input", width, 1..=4096)?;
        in_range("filters", self.filters, 1..=65_536)?;
        let side = height.min(width);
        in_range("kernel", self.kernel, 1..=side)?;
        in_range("primary_types", self.primary_types, 1..=4096)?;
        in_range("primary_size", self.primary_size, 1..=4096)?;
        in_range("primary_kernel", self.primary_kernel, 1..=side - self.kernel + 1)?;
        in_range("primary_stride", self.primary_stride, 1..=4096)?;
        in_range("classes", self.classes, 2..=65_536)?;
        in_range("class_size", self.class_size, 1..=4096)?;
        in_range("routing", self.routing, 1..=100)?;
        in_range("votes_sd", self.votes_sd, 0.0..=100.0)?;
        for &width in &self.decoder {
            in_range("decoder", width, 1..=65_536)?;
        }
        in_range("margin_present", self.margin_present, 0.0..=1.0)?;
        in_range("margin_absent", self.margin_absent, 0.0..=1.0)?;
        in_range("absent_weight", self.absent_weight, 0.0..=1e3)?;
        in_range("reconstruction_weight", self.reconstruction_weight, 0.0..=1e3)
    }

    /// How many primary capsules there are; 0 if the kernels do not fit.
    pub fn capsules(&self) -> usize {
        let [_, height, width] = self.input;
        let places = |length: usize| {
            let room = (length + 1).checked_sub(self.kernel + self.primary_kernel);
            room.map_or(0, |room| room / self.primary_stride.max(1) + 1)
        };
        self.primary_types * places(height) * places(width)
    }

    /// Builds the network. Votes start from N(0, `votes_sd`²), all other weights from Glorot and Bengio's distribution,
    /// biases from 0.
    ///
    /// # Errors
    /// What [`CapsuleConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<CapsuleNetwork, ConfigError> {
        self.validate()?;
        let glorot = Init::GlorotUniform;
        let shape = [self.capsules(), self.primary_size, self.classes * self.class_size];
        let conv = ConvConfig::new(self.input[0], self.filters, self.kernel).with_init(glorot).init(device, rng)?;
        let primary = ConvConfig::new(self.filters, self.primary_types * self.primary_size, self.primary_kernel)
            .with_stride(self.primary_stride)
            .with_init(glorot)
            .init(device, rng)?;
        let votes = Init::Normal(self.votes_sd).param(shape, Fan::dense([shape[1], shape[2]]), rng, device);
        let mut decoder = Vec::new();
        if !self.decoder.is_empty() {
            let mut inputs = self.classes * self.class_size;
            for outputs in self.decoder.iter().copied().chain([self.input.iter().product::<usize>()]) {
                decoder.push(dense([inputs, outputs], glorot, device, rng));
                inputs = outputs;
            }
        }
        Ok(CapsuleNetwork { conv, primary, votes, decoder, config: self.clone() })
    }
}

/// Shrinks each vector of the last axis to a length below 1 and keeps its direction:
/// ‖squash(s)‖ = ‖s‖² / (1 + ‖s‖²) (equation 1). The zero vector stays, with a finite gradient.
pub fn squash<const D: usize>(vectors: Tensor<D>) -> Tensor<D> {
    let square = vectors.clone().square().sum_dim(D - 1); // [.., 1]
    let length = square.clone().clamp_min(LEAST).sqrt();
    vectors * (length / square.add_scalar(1.0))
}

/// Length of each capsule: how likely what it stands for is present, 0 to 1.
///
/// # Shapes
/// - capsules `[batch, classes, size]`; output `[batch, classes]`
pub fn lengths(capsules: Tensor<3>) -> Tensor<2> {
    capsules.square().sum_dim(2).clamp_min(LEAST).sqrt().squeeze_dim(2)
}

/// What routing comes to.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The output capsules, `[batch, out, size]`.
    pub capsules: Tensor<3>,
    /// Which share of each input capsule went to each output capsule, `[batch, out, in]`: sums to 1 over `out`.
    pub couplings: Tensor<3>,
}

/// Routing by agreement (procedure 1): each input capsule sends more of its vote where it agrees with the sum of all.
///
/// `iterations` is at least 1 (0 counts as 1). The gradient flows through the votes of the last iteration only, with the
/// couplings as constants: the earlier iterations see detached votes. So do the common implementations in PyTorch and Keras;
/// the authors' TensorFlow program differentiates through every iteration.
///
/// # Shapes
/// - votes û `[batch, out, in, size]`
pub fn route(votes: Tensor<4>, iterations: usize) -> Routed {
    let [batch, outputs, inputs, size] = votes.dims();
    let constant = votes.clone().detach();
    let mut logits = Tensor::<4>::zeros([batch, outputs, 1, inputs], &constant.device());
    let mut couplings = softmax(logits.clone(), 1); // [batch, out, 1, in]
    for _ in 1..iterations {
        let capsules = squash(couplings.matmul(constant.clone())); // [batch, out, 1, size]
        logits = logits + capsules.matmul(constant.clone().transpose()); // [batch, out, 1, in]
        couplings = softmax(logits.clone(), 1);
    }
    let capsules = squash(couplings.clone().matmul(votes)); // [batch, out, 1, size]
    Routed {
        capsules: capsules.reshape([batch, outputs, size]),
        couplings: couplings.reshape([batch, outputs, inputs]),
    }
}

/// Margin loss (equation 4): Σ over classes of T max(0, m⁺ − ‖v‖)² + λ (1 − T) max(0, ‖v‖ − m⁻)², mean over the batch.
///
/// # Shapes
/// - lengths `[batch, classes]`; present `[batch, classes]`: T, 1 for what is present and 0 for what is not, any number of
///   each; output `[1]`
pub fn margin_loss(lengths: Tensor<2>, present: Tensor<2>, config: &CapsuleConfig) -> Tensor<1> {
    let short = relu(lengths.clone().neg().add_scalar(config.margin_present)).square();
    let long = relu(lengths.sub_scalar(config.margin_absent)).square().mul_scalar(config.absent_weight);
    let absent = present.clone().neg().add_scalar(1.0);
    (present * short + absent * long).sum_dim(1).mean()
}

/// The network.
#[derive(Module, Debug)]
pub struct CapsuleNetwork {
    conv: Conv2d,
    primary: Conv2d,
    /// `[primary capsules, primary size, classes * class size]`
    votes: Param<Tensor<3>>,
    decoder: Vec<Linear>,
    #[module(skip)]
    config: CapsuleConfig,
}

impl CapsuleNetwork {
    /// What it was built with.
    pub fn config(&self) -> &CapsuleConfig {
        &self.config
    }

    /// The primary capsules: those of one type lie together, in the order of their places.
    ///
    /// # Shapes
    /// - input `[batch, channels, height, width]`; output `[batch, primary capsules, primary size]`
    pub fn primary_capsules(&self, input: Tensor<4>) -> Tensor<3> {
        let x = relu(self.conv.forward(input)); // [batch, filters, h, w]
        let x = self.primary.forward(x); // [batch, types * size, h', w']
        let [batch, _, height, width] = x.dims();
        let (types, size) = (self.config.primary_types, self.config.primary_size);
        let x = x.reshape([batch, types, size, height * width]).swap_dims(2, 3); // [batch, types, places, size]
        squash(x.reshape([batch, types * height * width, size]))
    }

    /// What each primary capsule predicts for each class.
    ///
    /// # Shapes
    /// - capsules `[batch, primary capsules, primary size]`; output `[batch, classes, primary capsules, class size]`
    pub fn votes(&self, capsules: Tensor<3>) -> Tensor<4> {
        let [batch, inputs, _] = capsules.dims();
        // one product for each primary capsule, over the batch
        let votes = capsules.swap_dims(0, 1).matmul(self.votes.val()); // [in, batch, classes * class size]
        votes.reshape([inputs, batch, self.config.classes, self.config.class_size]).permute([1, 2, 0, 3])
    }

    /// The class capsules; [`lengths`] of them are the classes' scores.
    ///
    /// # Shapes
    /// - input `[batch, channels, height, width]`; output `[batch, classes, class size]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<3> {
        self.routed(input).capsules
    }

    /// [`CapsuleNetwork::forward`] with the couplings.
    ///
    /// # Shapes
    /// - input `[batch, channels, height, width]`
    pub fn routed(&self, input: Tensor<4>) -> Routed {
        route(self.votes(self.primary_capsules(input)), self.config.routing)
    }

    /// Draws the input from the capsule of one class of each row, all others masked out; none without a decoder.
    ///
    /// # Shapes
    /// - capsules `[batch, classes, class size]`, labels: `batch` classes from 0; output
    ///   `[batch, channels * height * width]`, values in 0 to 1
    pub fn reconstruct(&self, capsules: Tensor<3>, labels: &[usize]) -> Option<Tensor<2>> {
        let (last, hidden) = self.decoder.split_last()?;
        let mask = one_hot(labels, self.config.classes, &capsules.device()); // [batch, classes]
        let mut x = (capsules * mask.unsqueeze_dim::<3>(2)).flatten::<2>(1, 2); // [batch, classes * class size]
        for layer in hidden {
            x = relu(layer.forward(x)); // [batch, width]
        }
        Some(sigmoid(last.forward(x))) // [batch, channels * height * width]
    }

    /// Margin loss, with the decoder's weighted squared error if there is one; mean over the batch.
    ///
    /// # Shapes
    /// - input `[batch, channels, height, width]`, labels: `batch` classes from 0; output `[1]`
    pub fn loss(&self, input: Tensor<4>, labels: &[usize]) -> Tensor<1> {
        let capsules = self.forward(input.clone());
        let present = one_hot(labels, self.config.classes, &input.device());
        let margin = margin_loss(lengths(capsules.clone()), present, &self.config);
        match self.reconstruct(capsules, labels) {
            None => margin,
            Some(drawn) => {
                let error = (drawn - input.flatten::<2>(1, 3)).square().sum_dim(1).mean();
                margin + error.mul_scalar(self.config.reconstruction_weight)
            }
        }
    }
}

#[cfg(test)]
mod tests;
