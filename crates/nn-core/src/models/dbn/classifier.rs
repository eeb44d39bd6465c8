//! A feed-forward classifier that starts from what a network has learnt without labels.
//!
//! Hinton & Salakhutdinov 2006: the recognition weights become those of a sigmoid network, a softmax layer is put on
//! top, and backpropagation adjusts all of it.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::Dbn;
use crate::config::in_range;
use crate::layers::init::{Fan, Init};
use crate::models::mlp::TableModel;
use crate::models::rbm::sampling::host;
use crate::models::rbm::units::hidden_inputs;
use crate::models::rbm::{RbmError, VisibleUnits};

/// Standard deviation of the head's starting weights, as of all others of these networks.
const HEAD_SD: f64 = 0.01;

/// Sigmoid layers and a linear head, whose outputs a softmax makes into probabilities. As a [`TableModel`] it is
/// fine-tuned by [`TableObjective`](crate::models::mlp::TableObjective).
#[derive(Module, Debug)]
pub struct DbnClassifier {
    layers: Vec<Linear>,
    head: Linear,
    #[module(skip)]
    units: VisibleUnits,
}

impl DbnClassifier {
    /// Activities of the last hidden layer; before any fine-tuning those of [`Dbn::transform`].
    ///
    /// # Shapes
    /// - x `[batch, visible]`; output `[batch, last of layers]`
    pub fn features(&self, x: Tensor<2>) -> Tensor<2> {
        let mut lengths = self.units.lengths(&x);
        let mut x = x;
        for layer in &self.layers {
            let [_, outputs] = layer.weight.dims();
            let bias = layer.bias.as_ref().map_or_else(|| Tensor::zeros([outputs], &x.device()), Param::val);
            x = sigmoid(hidden_inputs(x, layer.weight.val(), bias, lengths.as_ref())); // [batch, outputs]
            lengths = None;
        }
        x
    }

    /// Logits of the classes.
    ///
    /// # Shapes
    /// - x `[batch, visible]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.head.forward(self.features(x))
    }
}

impl TableModel for DbnClassifier {
    fn logits(&self, x: Tensor<2>, _rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.forward(x)
    }
}

impl Dbn {
    /// The recognition weights, the top machine's included, as a network with `outputs` classes on `device`, which has
    /// autodiff if it is to be trained. The head's weights are N(0, 0.01²), its biases zero.
    ///
    /// # Errors
    /// [`RbmError::Config`] if there are no outputs, [`RbmError::Device`].
    pub fn into_classifier(
        self,
        outputs: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<DbnClassifier, RbmError> {
        in_range("outputs", outputs, 1..=10_000_000)?;
        let units = self.config.units;
        let [_, features] = self.top.weight.dims();
        let mut layers = Vec::with_capacity(self.stack.layers.len() + 1);
        for layer in &self.into_stack().layers {
            let [inputs, outputs] = layer.recognition.dims();
            let weight = host("weights", layer.recognition.val())?;
            let bias = host("biases", layer.recognition_bias.val())?;
            layers.push(linear(weight, bias, [inputs, outputs], device));
        }
        let shape = [features, outputs];
        let weight = Init::Normal(HEAD_SD).values(&shape, Fan::dense(shape), rng);
        let head = linear(weight, vec![0.0; outputs], shape, device);
        Ok(DbnClassifier { layers, head, units })
    }
}

fn linear(weight: Vec<f32>, bias: Vec<f32>, shape: [usize; 2], device: &Device) -> Linear {
    let [inputs, outputs] = shape;
    let mut layer = LinearConfig::new(inputs, outputs).init(device);
    layer.weight = Param::from_data(TensorData::new(weight, shape), device);
    layer.bias = Some(Param::from_data(TensorData::new(bias, [outputs]), device));
    layer
}
