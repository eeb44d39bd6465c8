//! Parameters that an implementation in another language can make as well, so that the outputs of the two can be
//! compared without a file of weights.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::{GOLDEN, mixed};

/// `count` numbers in −1..1 that depend on a name and the place alone: splitmix64 (Steele, Lea and Flood 2014) of the
/// name's FNV-1a hash and the place from 1, of which the upper 24 bits, so that they are exact in single precision.
pub fn noise(name: &str, count: usize) -> impl Iterator<Item = f32> + use<> {
    let start = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (1..=count as u64).map(move |place| {
        let bits = mixed(start.wrapping_add(place.wrapping_mul(GOLDEN)));
        (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// The model with [`noise`] of each parameter's path for its values, on `device`, of the size that keeps activations
/// near 1.
///
/// A path is the names of the fields from the outermost in, with dots between; variants of an enum are no part of it.
/// With z for the noise, `gamma` and `running_var` become 1 + z/2, `beta`, `running_mean` and biases z/4, all others
/// z · √(3 / inputs), where the inputs are the first axis of a matrix called `weight`, as dense layers have it, and
/// else all axes but the first.
pub fn filled<M: Module>(model: M, device: &Device) -> M {
    model.map(&mut Fill { path: Vec::new(), device })
}

struct Fill<'a> {
    path: Vec<String>,
    device: &'a Device,
}

impl ModuleMapper for Fill<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        if !container_type.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if !container_type.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (path, shape) = (self.path.join("."), param.val().dims());
        let name = self.path.last().map_or("", String::as_str);
        let count: usize = shape.iter().product();
        // a dense layer's weight is [inputs, outputs], the others' [outputs, inputs…]
        let inputs = if name == "weight" && D == 2 { shape[0] } else { count / shape[0].max(1) };
        let values: Vec<f32> = noise(&path, count)
            .map(|value| match name {
                "gamma" | "running_var" => 1.0 + 0.5 * value,
                "beta" | "bias" | "bias_ih" | "bias_hh" | "running_mean" => 0.25 * value,
                _ => value * (3.0 / inputs as f32).sqrt(),
            })
            .collect();
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;
    use crate::layers::init::Init;
    use crate::layers::{Norm, NormConfig, dense};
    use burn::nn::Linear;

    #[derive(Module, Debug)]
    struct Net {
        layer: Linear,
        norm: Norm,
    }

    fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.try_into_vec_as::<f32>().unwrap()
    }

    /// The same in Python, whose hash of `foobar` is the published 85944171f73967e8, in units of 2⁻²³ above −1.
    #[test]
    fn noise_is_that_of_the_scripts() {
        let units = |name: &str| noise(name, 4).map(|z| (f64::from(z) + 1.0) * 8_388_608.0).collect::<Vec<f64>>();
        assert_eq!(units("layer.weight"), [170_755.0, 9_995_596.0, 9_971_763.0, 3_407_148.0]);
        assert_eq!(units(""), [12_812_668.0, 1_051_866.0, 5_555_109.0, 2_909_586.0]);
    }

    #[test]
    fn parameters_are_noise_of_their_paths() {
        let device = Device::flex();
        let layer = dense([3, 2], Init::Constant(0.0), &device, &mut rng(1, &[]));
        let net = filled(Net { layer, norm: NormConfig::default().init(2, &device).unwrap() }, &device);
        let made = |name: &str, count, of: fn(f32) -> f32| noise(name, count).map(of).collect::<Vec<f32>>();
        // three inputs: √(3 / 3)
        assert_eq!(values(net.layer.weight.val()), made("layer.weight", 6, |z| z));
        assert_eq!(values(net.layer.bias.unwrap().val()), made("layer.bias", 2, |z| 0.25 * z));
        let Norm::Batch(norm) = net.norm else { panic!("batch normalisation is the default") };
        assert_eq!(values(norm.gamma.val()), made("norm.gamma", 2, |z| 1.0 + 0.5 * z));
        assert_eq!(values(norm.beta.val()), made("norm.beta", 2, |z| 0.25 * z));
        assert_eq!(values(norm.running_mean.value()), made("norm.running_mean", 2, |z| 0.25 * z));
        assert_eq!(values(norm.running_var.value()), made("norm.running_var", 2, |z| 1.0 + 0.5 * z));
    }
}
