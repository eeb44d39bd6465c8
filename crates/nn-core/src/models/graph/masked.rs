//! A dense layer whose connections a graph decides.

use burn::module::{Module, Param};
use burn::tensor::module::linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use crate::config::ConfigError;
use crate::layers::init::{Fan, Init};

/// x (W ⊙ M) + b: an output sees the inputs that the mask M connects it with (Kong and Yu 2018, equation 2, where M is
/// the adjacency matrix of the features with ones on its diagonal).
///
/// Weights outside the mask are zero from the start and get a gradient of exactly zero, so that every optimiser of
/// [`optim`](crate::optim) leaves them there. The mask is not trained and not in the weights file: it belongs to the
/// configuration.
#[derive(Module, Debug)]
pub struct MaskedLinear {
    /// `[inputs, outputs]`
    weight: Param<Tensor<2>>,
    /// `[outputs]`
    bias: Option<Param<Tensor<1>>>,
    /// `[inputs, outputs]`, 1 where there is a connection and 0 elsewhere
    mask: Tensor<2>,
}

impl MaskedLinear {
    /// A layer with the connections `mask`, `inputs × outputs` values row by row. Weights are drawn from `init`; its fans
    /// are the mean numbers of connections of an output and of an input. The bias starts from zero.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] if a size is 0 or the mask has another number of values than they ask for.
    pub fn new(
        mask: &[bool],
        [inputs, outputs]: [usize; 2],
        init: Init,
        bias: bool,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, ConfigError> {
        if inputs == 0 || outputs == 0 || mask.len() != inputs * outputs {
            return Err(ConfigError::OutOfRange {
                field: "mask",
                value: format!("{} values", mask.len()),
                allowed: format!("{inputs} inputs times {outputs} outputs, each at least 1"),
            });
        }
        let connections = mask.iter().filter(|&&connected| connected).count();
        let fan = Fan { inputs: connections.div_ceil(outputs), outputs: connections.div_ceil(inputs) };
        let mask: Vec<f32> = mask.iter().map(|&connected| f32::from(u8::from(connected))).collect();
        let shape = [inputs, outputs];
        let weight: Vec<f32> = init.values(&shape, fan, rng).iter().zip(&mask).map(|(w, m)| w * m).collect();
        Ok(Self {
            weight: Param::from_data(TensorData::new(weight, shape), device),
            bias: bias.then(|| Param::from_tensor(Tensor::zeros([outputs], device))),
            mask: Tensor::from_data(TensorData::new(mask, shape), device),
        })
    }

    /// The weights, `[inputs, outputs]`, zero outside the mask.
    pub fn weight(&self) -> Tensor<2> {
        self.weight.val()
    }

    /// Applies the layer, without an activation.
    ///
    /// # Shapes
    /// - input `[.., inputs]`; output `[.., outputs]`
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        linear(input, self.weight.val() * self.mask.clone(), self.bias.as_ref().map(Param::val))
    }
}
