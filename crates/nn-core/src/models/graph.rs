//! Layers over graphs that are given as dense adjacency matrices.
//!
//! - [`normalised_adjacency`] and [`GraphConvolution`]: Kipf and Welling 2017, *Semi-supervised classification with graph
//!   convolutional networks*, ICLR;
//! - [`Vgae`]: Kipf and Welling 2016, *Variational graph auto-encoders*, NIPS workshop on Bayesian deep learning;
//! - [`MaskedLinear`]: Kong and Yu 2018, *A graph-embedded deep feedforward network for disease outcome classification and
//!   feature selection using gene expression data*, Bioinformatics 34:3727.
//!
//! All functions take one graph, `[nodes, nodes]` with features `[nodes, width]`, or a batch of graphs with the same number
//! of nodes, `[batch, nodes, nodes]` with `[batch, nodes, width]`. One graph is shared by a batch of features if it is
//! given as `[1, nodes, nodes]`.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::graph::{GraphConvolutionConfig, normalised_adjacency};
//! let device = Device::flex();
//! let path = Tensor::<2>::from_data([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], &device);
//! let config = GraphConvolutionConfig { inputs: 4, outputs: 2, ..GraphConvolutionConfig::default() };
//! let layer = config.init(&device, &mut rng(1, &[]))?;
//! let hidden = layer.forward(Tensor::<2>::ones([3, 4], &device), normalised_adjacency(path));
//! assert_eq!(hidden.dims(), [3, 2]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

mod masked;
#[cfg(test)]
mod tests;
mod vgae;

pub use masked::MaskedLinear;
pub use vgae::{Latent, Vgae, VgaeConfig, VgaeLoss};

use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, in_range};
use crate::layers::init::{Fan, Init};

/// D̃^(−1/2) (A + I) D̃^(−1/2), where D̃ holds the row sums of A + I (Kipf and Welling 2017, equation 2).
///
/// The adjacency is symmetric with weights of at least 0 and an empty diagonal: the loops are added here.
///
/// # Shapes
/// - adjacency and output `[.., nodes, nodes]`
pub fn normalised_adjacency<const D: usize>(adjacency: Tensor<D>) -> Tensor<D> {
    let nodes = adjacency.dims()[D - 1];
    let looped = adjacency.clone() + Tensor::<2>::eye(nodes, &adjacency.device()).unsqueeze::<D>();
    let scale = looped.clone().sum_dim(D - 1).sqrt().recip(); // [.., nodes, 1]
    looped * scale.clone() * scale.transpose()
}

/// Widths of a graph convolution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphConvolutionConfig {
    /// Features of a node.
    pub inputs: usize,
    /// Features of a node after the layer.
    pub outputs: usize,
    /// Whether a bias is added; the paper has none.
    pub bias: bool,
}

impl Default for GraphConvolutionConfig {
    /// The first layer of the paper's network for Cora (section 5.2).
    fn default() -> Self {
        Self { inputs: 1433, outputs: 16, bias: false }
    }
}

impl GraphConvolutionConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("inputs", self.inputs, 1..=1_000_000)?;
        in_range("outputs", self.outputs, 1..=65_536)
    }

    /// Builds the layer from Glorot and Bengio's distribution (section 5.2) and a bias of zero.
    ///
    /// # Errors
    /// What [`GraphConvolutionConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<GraphConvolution, ConfigError> {
        self.validate()?;
        let shape = [self.inputs, self.outputs];
        let weight = Init::GlorotUniform.param(shape, Fan::dense(shape), rng, device);
        let bias = self.bias.then(|| Param::from_tensor(Tensor::zeros([self.outputs], device)));
        Ok(GraphConvolution { weight, bias })
    }
}

/// Â H W: each node takes the weighted mean of its neighbours' transformed features.
#[derive(Module, Debug)]
pub struct GraphConvolution {
    /// `[inputs, outputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
}

impl GraphConvolution {
    /// Applies the layer, without an activation.
    ///
    /// # Shapes
    /// - features `[.., nodes, inputs]`, normalised: what [`normalised_adjacency`] gives, `[.., nodes, nodes]`; output
    ///   `[.., nodes, outputs]`
    pub fn forward<const D: usize>(&self, features: Tensor<D>, normalised: Tensor<D>) -> Tensor<D> {
        let x = normalised.matmul(linear(features, self.weight.val(), None)); // [.., nodes, outputs]
        match &self.bias {
            Some(bias) => x + bias.val().unsqueeze::<D>(),
            None => x,
        }
    }
}
