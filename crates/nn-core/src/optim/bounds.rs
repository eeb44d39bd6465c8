//! Bounds on single values of gradients and on the weights that lead to one unit, as older systems set them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use std::collections::HashSet;

/// Keeps the division defined when all weights of a unit are zero (PyTorch's `renorm`).
const EPSILON: f64 = 1e-7;

/// Cuts each value of each gradient to `-limit ..= limit`, as PyTorch's `clip_grad_value_` does. NaN stays.
pub fn clip_values<M: Module>(grads: &mut GradientsParams, model: &M, limit: f64) {
    model.visit(&mut Cut { grads, limit, seen: HashSet::new() });
}

/// Scales the weights that lead to one unit down to a Euclidean length of `max_norm` where they are longer, as
/// PyTorch's `renorm` does: the columns of a matrix, which is `[inputs, units]` here, and the kernels of a convolution,
/// `[units, channels, …]`. Vectors, such as biases, stay. Not for recurrent stacks, whose matrices are `[units, inputs]`.
pub fn renormalise<M: Module>(model: M, max_norm: f64) -> M {
    model.map(&mut Shorten { max_norm })
}

struct Cut<'a> {
    grads: &'a mut GradientsParams,
    limit: f64,
    seen: HashSet<ParamId>,
}

impl ModuleVisitor for Cut<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) {
            return;
        }
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register::<D>(param.id, grad.clamp(-self.limit, self.limit));
        }
    }
}

struct Shorten {
    max_norm: f64,
}

impl ModuleMapper for Shorten {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D < 2 {
            return param;
        }
        let (id, value, mapper) = param.consume();
        let tracked = value.is_require_grad();
        let checkpointing = value.gradient_checkpointing_strategy();
        let mut value = if checkpointing.is_some() { value.inner() } else { value };
        let unit = usize::from(D == 2);
        let squares = value.clone() * value.clone();
        let sums = (0..D).filter(|&axis| axis != unit).fold(squares, Tensor::sum_dim);
        let factor = ((sums.sqrt() + EPSILON).recip() * self.max_norm).clamp_max(1.0);
        value = value * factor;
        if let Some(strategy) = checkpointing {
            value = value.autodiff().with_gradient_checkpointing_strategy(strategy).set_require_grad(tracked);
        }
        Param::from_mapped_value(id, value, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[derive(Module, Debug)]
    struct Layers {
        bias: Param<Tensor<1>>,
        dense: Param<Tensor<2>>,
        kernel: Param<Tensor<3>>,
    }

    fn layers(device: &Device) -> Layers {
        let tensor = |values: &[f32]| Tensor::<1>::from_data(TensorData::new(values.to_vec(), [values.len()]), device);
        Layers {
            bias: Param::from_tensor(tensor(&[9.0])),
            // columns (3, 4) and (0.3, 0.4), of lengths 5 and 0.5
            dense: Param::from_tensor(tensor(&[3.0, 0.3, 4.0, 0.4]).reshape([2, 2])),
            // two kernels of two channels, of lengths 10 and 0
            kernel: Param::from_tensor(tensor(&[6.0, 8.0, 0.0, 0.0]).reshape([2, 2, 1])),
        }
    }

    fn close(found: Vec<f32>, expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        // single precision, and renorm's 1e-7 beside the length
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6);
        assert!(near, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn what_leads_to_a_unit_is_no_longer_than_the_bound() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let found = renormalise(layers(&device), 1.0);
            close(found.bias.val().try_into_vec_as::<f32>().unwrap(), &[9.0]);
            close(found.dense.val().try_into_vec_as::<f32>().unwrap(), &[0.6, 0.3, 0.8, 0.4]);
            close(found.kernel.val().try_into_vec_as::<f32>().unwrap(), &[0.6, 0.8, 0.0, 0.0]);
        }
    }

    #[test]
    fn weights_under_the_bound_are_still_learnt() {
        let device = Device::flex().autodiff();
        let found = renormalise(layers(&device), 1.0);
        let gradients = (found.dense.val() * found.dense.val()).sum().backward();
        let dense = found.dense.val().grad(&gradients).unwrap().try_into_vec_as::<f32>().unwrap();
        close(dense, &[1.2, 0.6, 1.6, 0.8]);
    }

    #[test]
    fn each_value_of_a_gradient_is_cut() {
        let device = Device::flex();
        let model = layers(&device);
        let mut grads = GradientsParams::new();
        let values = TensorData::new(vec![-3.0_f32, 0.5, 1.0, f32::INFINITY], [2, 2]);
        grads.register::<2>(model.dense.id, Tensor::from_data(values, &device));
        clip_values(&mut grads, &model, 1.0);
        let found = grads.get::<2>(model.dense.id).unwrap().try_into_vec_as::<f32>().unwrap();
        assert_eq!(found, [-1.0, 0.5, 1.0, 1.0]);
        assert!(grads.get::<1>(model.bias.id).is_none());
    }
}
