//! A dense layer whose starting values come from a generator that the caller gives.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

use super::init::{Fan, Init};

/// A dense layer, `[inputs, outputs]`; the weight is drawn before the bias. Biases start at zero, with
/// [`Init::PyTorchDefault`] as PyTorch draws them.
pub fn dense(shape: [usize; 2], init: Init, device: &Device, rng: &mut ChaCha8Rng) -> Linear {
    let fan = Fan::dense(shape);
    let weight = init.param(shape, fan, rng, device);
    let bias = match init {
        Init::PyTorchDefault => init.param([shape[1]], fan, rng, device),
        _ => Param::from_tensor(Tensor::zeros([shape[1]], device)),
    };
    Linear { weight, bias: Some(bias) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;

    fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
        param.val().try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn sums_its_inputs_and_adds_nothing() {
        let device = Device::flex();
        let layer = dense([2, 3], Init::Constant(2.0), &device, &mut rng(1, &[]));
        let x = Tensor::<2>::from_data([[1.0, 3.0], [-1.0, 0.5]], &device);
        let y = layer.forward(x).try_into_vec_as::<f32>().unwrap();
        assert_eq!(y, [8.0, 8.0, 8.0, -1.0, -1.0, -1.0]);
    }

    #[test]
    fn biases_are_drawn_where_pytorch_draws_them() {
        let (device, shape) = (Device::flex(), [25, 4000]);
        let bias = |init| values(&dense(shape, init, &device, &mut rng(1, &[])).bias.unwrap());
        assert!(bias(Init::GlorotUniform).iter().all(|value| *value == 0.0));
        // U(−1/√25, 1/√25): that none of 4,000 lies in the outermost hundredth has a probability of e⁻⁴⁰
        let drawn = bias(Init::PyTorchDefault);
        let (low, high) = drawn.iter().fold((0.0_f32, 0.0_f32), |(low, high), &v| (low.min(v), high.max(v)));
        for end in [-low, high] {
            assert!((0.196..=0.2).contains(&end), "{low} to {high}");
        }
    }
}
