//! The norm of all gradients together, and clipping by it.

use super::rule::Real;
use crate::compute::is_cpu;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use std::collections::HashSet;

/// Keeps the division defined when every gradient is zero (PyTorch's `clip_grad_norm_`).
const EPSILON: f64 = 1e-6;
/// Below this many values a gradient is summed by one thread.
const SERIAL: usize = 1 << 15;
/// Sums kept side by side, so that the additions do not wait for each other.
const LANES: usize = 16;

/// The Euclidean norm of the gradient of each parameter, by path, in the order of the module.
///
/// NaN or infinity means that a value of this gradient is not finite: the first such entry is the
/// parameter to name when a run is stopped for it. The gradients keep their values.
///
/// # Panics
/// When a device fails to give its values.
pub fn gradient_norms<M: Module>(grads: &mut GradientsParams, model: &M) -> Vec<(String, f64)> {
    let mut visitor = Squares { grads, path: Vec::new(), seen: HashSet::new(), found: Vec::new(), waiting: Vec::new() };
    model.visit(&mut visitor);
    let Squares { mut found, waiting, .. } = visitor;
    if !waiting.is_empty() {
        let (places, sums): (Vec<usize>, Vec<Tensor<1>>) = waiting.into_iter().unzip();
        // one transfer for all of them: each would wait for the device
        let sums = Tensor::cat(sums, 0).into_data();
        for (place, sum) in places.into_iter().zip(sums.iter::<f64>()) {
            found[place].1 = sum;
        }
    }
    for (_, value) in &mut found {
        *value = value.sqrt();
    }
    found
}

/// Scales all gradients together so that their common Euclidean norm is at most `max_norm`, and
/// returns the norm before, as PyTorch's `clip_grad_norm_` does.
///
/// When the norm is not finite the gradients stay as they are; the caller sees it in the result, and
/// [`gradient_norms`] tells which parameter it comes from.
///
/// # Panics
/// When a device fails to give its values.
pub fn clip_global_norm<M: Module>(grads: &mut GradientsParams, model: &M, max_norm: f64) -> f64 {
    let norm = gradient_norms(grads, model).iter().map(|(_, norm)| norm * norm).sum::<f64>().sqrt();
    let factor = max_norm / (norm + EPSILON);
    if norm.is_finite() && factor < 1.0 {
        model.visit(&mut Scale { grads, factor, seen: HashSet::new() });
    }
    norm
}

struct Squares<'a> {
    grads: &'a mut GradientsParams,
    path: Vec<String>,
    seen: HashSet<ParamId>,
    /// Path and sum of squares.
    found: Vec<(String, f64)>,
    /// Sums that a device still computes, with their place in `found`.
    waiting: Vec<(usize, Tensor<1>)>,
}

impl ModuleVisitor for Squares<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) {
            return;
        }
        let Some(grad) = self.grads.remove::<D>(param.id) else { return };
        let (grad, sum) = match (is_cpu(&grad.device()), grad.dtype()) {
            (true, DType::F32) => sum_on_host::<f32, D>(grad),
            (true, DType::F64) => sum_on_host::<f64, D>(grad),
            _ => (grad, None),
        };
        if sum.is_none() {
            let wide = if grad.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
            let values = grad.clone().cast(wide);
            self.waiting.push((self.found.len(), (values.clone() * values).sum()));
        }
        self.found.push((self.path.join("."), sum.unwrap_or_default()));
        self.grads.register::<D>(param.id, grad);
    }
}

struct Scale<'a> {
    grads: &'a mut GradientsParams,
    factor: f64,
    seen: HashSet<ParamId>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.seen.insert(param.id) {
            return;
        }
        if let Some(grad) = self.grads.remove::<D>(param.id) {
            self.grads.register::<D>(param.id, grad.mul_scalar(self.factor));
        }
    }
}

/// The gradient and its sum of squares, `None` when its memory cannot be read as numbers.
fn sum_on_host<F: Real, const D: usize>(grad: Tensor<D>) -> (Tensor<D>, Option<f64>) {
    let device = grad.device();
    // The gradient's only handle: taking its values out and putting them back copies nothing.
    let data = grad.into_data();
    let sum = data.as_slice::<F>().ok().map(sum_of_squares);
    (Tensor::from_data(data, (&device, F::dtype())), sum)
}

/// Halved by length alone, so the result does not depend on the number of threads.
fn sum_of_squares<F: Real>(values: &[F]) -> f64 {
    if values.len() > SERIAL {
        let (left, right) = values.split_at(values.len() / 2);
        let (left, right) = rayon::join(|| sum_of_squares(left), || sum_of_squares(right));
        return left + right;
    }
    let mut sums = [0.0; LANES];
    let (rows, rest) = values.as_chunks::<LANES>();
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(row) {
            let value = value.wide();
            *sum += value * value;
        }
    }
    let rest: f64 = rest.iter().map(|value| value.wide() * value.wide()).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[derive(Module, Debug)]
    struct Pair {
        a: Param<Tensor<1>>,
        b: Param<Tensor<2>>,
    }

    /// A module whose gradients are 3, 0 and 4: norm 5.
    fn pair(b: [f32; 2], dtype: DType) -> (Pair, GradientsParams) {
        let device = Device::flex();
        let tensor = |values: Vec<f32>| {
            let shape = [values.len()];
            Tensor::<1>::from_data(TensorData::new(values, shape), (&device, dtype))
        };
        let model = Pair {
            a: Param::from_tensor(tensor(vec![1.0])),
            b: Param::from_tensor(tensor(vec![1.0, 2.0]).reshape::<2, _>([1, 2])),
        };
        let mut grads = GradientsParams::new();
        grads.register::<1>(model.a.id, tensor(vec![3.0]));
        grads.register::<2>(model.b.id, tensor(b.to_vec()).reshape::<2, _>([1, 2]));
        (model, grads)
    }

    fn values(model: &Pair, grads: &GradientsParams) -> Vec<f32> {
        let mut found = grads.get::<1>(model.a.id).unwrap().try_into_vec_as::<f32>().unwrap();
        found.extend(grads.get::<2>(model.b.id).unwrap().try_into_vec_as::<f32>().unwrap());
        found
    }

    #[test]
    fn the_norm_is_that_of_all_parameters_together() {
        // half precision takes the path of the other devices
        for dtype in [DType::F32, DType::F64, DType::F16] {
            let (model, mut grads) = pair([0.0, 4.0], dtype);
            let norms = gradient_norms(&mut grads, &model);
            assert_eq!(norms, [("a".to_owned(), 3.0), ("b".to_owned(), 4.0)], "{dtype:?}");
            assert_eq!(clip_global_norm(&mut grads, &model, 10.0), 5.0);
            assert_eq!(values(&model, &grads), [3.0, 0.0, 4.0]);

            // clip_grad_norm_ multiplies by max_norm / (norm + 1e-6)
            assert_eq!(clip_global_norm(&mut grads, &model, 1.0), 5.0);
            let tolerance = if dtype == DType::F16 { 1e-3 } else { 1e-6 };
            for (found, expected) in values(&model, &grads).into_iter().zip([0.6, 0.0, 0.8]) {
                assert!((found - expected).abs() < tolerance, "{dtype:?}: {found} instead of {expected}");
            }
            assert!((clip_global_norm(&mut grads, &model, 1.0) - 1.0).abs() < f64::from(tolerance));
        }
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_reported_and_left_alone() {
        let (model, mut grads) = pair([f32::NAN, 4.0], DType::F32);
        assert!(clip_global_norm(&mut grads, &model, 1.0).is_nan());
        assert_eq!(values(&model, &grads)[0], 3.0);
        let norms = gradient_norms(&mut grads, &model);
        let first = norms.iter().find(|(_, norm)| !norm.is_finite()).unwrap();
        assert_eq!(first.0, "b");

        let (model, mut grads) = pair([f32::INFINITY, 4.0], DType::F32);
        assert_eq!(clip_global_norm(&mut grads, &model, 1.0), f64::INFINITY);
        assert_eq!(values(&model, &grads), [3.0, f32::INFINITY, 4.0]);
    }

    #[test]
    fn long_gradients_are_summed_exactly() {
        // 1² + … + n² = n(n+1)(2n+1)/6, with every partial sum below 2⁵³
        let n = 70_001_u64;
        let numbers: Vec<f32> = (1..=n).map(|i| i as f32).collect();
        assert_eq!(sum_of_squares(&numbers), (n * (n + 1) * (2 * n + 1) / 6) as f64);
    }
}
