//! Variational graph autoencoder.

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, relu};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{GraphConvolution, GraphConvolutionConfig, normalised_adjacency};
use crate::config::{ConfigError, in_range};
use crate::layers::dropout;
use crate::layers::init::{Fan, Init};

/// Widths of the encoder; the defaults are the paper's for Cora (section 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VgaeConfig {
    /// Features of a node; a graph without features takes the identity, one feature for each node.
    pub inputs: usize,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// Dimensions of a node's latent vector.
    pub latent: usize,
    /// Dropout before each of the two layers.
    pub dropout: f64,
}

impl Default for VgaeConfig {
    fn default() -> Self {
        Self { inputs: 1433, hidden: 32, latent: 16, dropout: 0.0 }
    }
}

impl VgaeConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=1_000_000)?;
        in_range("hidden", self.hidden, 1..=65_536)?;
        in_range("latent", self.latent, 1..=65_536)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Builds the encoder; the decoder has no parameters.
    ///
    /// # Errors
    /// What [`VgaeConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Vgae, ConfigError> {
        self.validate()?;
        let mut layer =
            |inputs, outputs| GraphConvolutionConfig { inputs, outputs, bias: false }.init(device, &mut *rng);
        let hidden = layer(self.inputs, self.hidden)?;
        let mean = layer(self.hidden, self.latent)?;
        let log_sd = layer(self.hidden, self.latent)?;
        Ok(Vgae { hidden, mean, log_sd, config: self.clone() })
    }
}

/// The distribution of each node's latent vector: independent normals.
#[derive(Debug, Clone)]
pub struct Latent<const D: usize> {
    /// `[.., nodes, latent]`
    pub mean: Tensor<D>,
    /// Natural logarithm of the standard deviation, `[.., nodes, latent]`
    pub log_sd: Tensor<D>,
}

impl<const D: usize> Latent<D> {
    /// mean + sd · noise.
    ///
    /// # Shapes
    /// - noise and output `[.., nodes, latent]`
    pub fn at(&self, noise: Tensor<D>) -> Tensor<D> {
        self.mean.clone() + self.log_sd.clone().exp() * noise
    }

    /// A draw.
    ///
    /// # Shapes
    /// - output `[.., nodes, latent]`
    pub fn sample(&self, rng: &mut ChaCha8Rng) -> Tensor<D> {
        let shape = self.mean.dims();
        let noise = Init::Normal(1.0).values(&shape, Fan { inputs: 1, outputs: 1 }, rng);
        self.at(Tensor::from_data(TensorData::new(noise, shape), &self.mean.device()))
    }

    /// Kullback–Leibler divergence from the standard normal in nats, summed over a node's dimensions, mean over nodes and
    /// graphs.
    ///
    /// # Shapes
    /// - output `[1]`
    pub fn kl(&self) -> Tensor<1> {
        let variance = self.log_sd.clone().mul_scalar(2.0).exp();
        let inner = self.log_sd.clone().mul_scalar(2.0).add_scalar(1.0) - self.mean.clone().square() - variance;
        inner.sum_dim(D - 1).mean().mul_scalar(-0.5)
    }
}

/// The two parts of the loss, each of shape `[1]`.
#[derive(Debug, Clone)]
pub struct VgaeLoss {
    /// Weighted binary cross-entropy, mean over pairs of nodes.
    pub reconstruction: Tensor<1>,
    /// [`Latent::kl`] divided by the number of nodes.
    pub kl: Tensor<1>,
}

impl VgaeLoss {
    /// The negative lower bound, scaled as the authors' code scales it.
    pub fn total(self) -> Tensor<1> {
        self.reconstruction + self.kl
    }
}

/// Two graph convolutions that give each node a distribution, and the inner product that says which nodes are linked.
#[derive(Module, Debug)]
pub struct Vgae {
    pub(super) hidden: GraphConvolution,
    pub(super) mean: GraphConvolution,
    pub(super) log_sd: GraphConvolution,
    #[module(skip)]
    config: VgaeConfig,
}

impl Vgae {
    /// What it was built with.
    pub fn config(&self) -> &VgaeConfig {
        &self.config
    }

    /// Where the nodes lie. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - features `[.., nodes, inputs]`, normalised: [`normalised_adjacency`], `[.., nodes, nodes]`
    pub fn encode<const D: usize>(
        &self,
        features: Tensor<D>,
        normalised: Tensor<D>,
        mut rng: Option<&mut ChaCha8Rng>,
    ) -> Latent<D> {
        let features = dropout(features, self.config.dropout, rng.as_deref_mut());
        let x = relu(self.hidden.forward(features, normalised.clone())); // [.., nodes, hidden]
        let x = dropout(x, self.config.dropout, rng);
        Latent {
            mean: self.mean.forward(x.clone(), normalised.clone()), // [.., nodes, latent]
            log_sd: self.log_sd.forward(x, normalised),             // [.., nodes, latent]
        }
    }

    /// Logit of a link between each two nodes: the inner product of their vectors (equation 2).
    ///
    /// # Shapes
    /// - latent `[.., nodes, latent]`; output `[.., nodes, nodes]`
    pub fn decode<const D: usize>(latent: Tensor<D>) -> Tensor<D> {
        latent.clone().matmul(latent.transpose())
    }

    /// The loss of a draw from the latent distribution, or of its mean without a generator.
    ///
    /// # Shapes
    /// - features `[.., nodes, inputs]`; adjacency `[.., nodes, nodes]`, 0 or 1, symmetric, diagonal empty
    pub fn loss<const D: usize>(
        &self,
        features: Tensor<D>,
        adjacency: Tensor<D>,
        mut rng: Option<&mut ChaCha8Rng>,
    ) -> VgaeLoss {
        let latent = self.encode(features, normalised_adjacency(adjacency.clone()), rng.as_deref_mut());
        let drawn = match rng {
            Some(rng) => latent.sample(rng),
            None => latent.mean.clone(),
        };
        link_loss(&latent, drawn, adjacency)
    }
}

/// The loss of the latent vectors `drawn`. As in the authors' code links weigh as much as all pairs without one, loops
/// count as links, and the sum of both is halved.
pub(super) fn link_loss<const D: usize>(latent: &Latent<D>, drawn: Tensor<D>, adjacency: Tensor<D>) -> VgaeLoss {
    let dims = adjacency.dims();
    let nodes = dims[D - 1];
    let pairs = dims.iter().product::<usize>() as f64;
    // a graph without links still has a weight for them that is finite
    let links = adjacency.clone().sum().clamp_min(1.0); // [1]
    let others = links.clone().neg().add_scalar(pairs); // [1]
    let truth = adjacency + Tensor::<2>::eye(nodes, &drawn.device()).unsqueeze::<D>();
    let logits = Vgae::decode(drawn); // [.., nodes, nodes]
    let absent = truth.clone().neg().add_scalar(1.0) * log_sigmoid(logits.clone().neg());
    let weight = (others.clone() / links).unsqueeze::<D>();
    let present = truth * log_sigmoid(logits) * weight;
    let scale = others.recip().mul_scalar(-0.5 * pairs); // [1]
    VgaeLoss { reconstruction: (present + absent).mean() * scale, kl: latent.kl().div_scalar(nodes as f64) }
}
