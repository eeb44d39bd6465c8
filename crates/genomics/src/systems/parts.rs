//! What the networks of this folder share: Keras' padding, batch normalisation of a single row, and values on the way
//! to and from a device.

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::layers::BatchNorm;
use nn_core::ops::{Activation, batch_norm_act_inference};
use nn_core::train::StepError;

/// Rows that are judged or predicted at a time.
pub(super) const CHUNK: usize = 512;

/// Values in row-major order as a tensor.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values of a tensor in row-major order.
pub(super) fn numbers<const D: usize>(x: Tensor<D>, what: &'static str) -> Result<Vec<f64>, StepError> {
    x.try_into_vec_as::<f64>().map_err(|error| StepError::Device { what, reason: error.to_string() })
}

/// Keras' padding `same` in front of a convolution of stride 1: `kernel − 1` zeros, of an odd number one more behind.
///
/// # Shapes
/// - x `[batch, channels, length]`; output `[batch, channels, length + kernel − 1]`
pub(super) fn pad_same(x: Tensor<3>, kernel: usize) -> Tensor<3> {
    let ([batch, channels, _], device) = (x.dims(), x.device());
    let (before, behind) = ((kernel - 1) / 2, kernel / 2);
    let zeros = |length: usize| Tensor::<3>::zeros([batch, channels, length], &device);
    let mut pieces = Vec::with_capacity(3);
    if before > 0 {
        pieces.push(zeros(before));
    }
    pieces.push(x);
    if behind > 0 {
        pieces.push(zeros(behind));
    }
    Tensor::cat(pieces, 2)
}

/// Batch normalisation of a dense layer without a nonlinearity. The last batch of an epoch can be a single row, which has
/// no statistics; it gets the running ones. `epsilon` is the layer's.
///
/// # Shapes
/// - x and output `[batch, units]`
pub(super) fn normalised(norm: &BatchNorm, x: Tensor<2>, epsilon: f64) -> Tensor<2> {
    if x.dims()[0] != 1 {
        return norm.forward(x);
    }
    let device = x.device();
    let mean = norm.running_mean.value().to_device(&device);
    let variance = norm.running_var.value().to_device(&device);
    batch_norm_act_inference(x, norm.gamma.val(), norm.beta.val(), mean, variance, Activation::None, epsilon)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nn_core::layers::BatchNormConfig;
    use nn_core::optim::OptimizerConfig;
    use nn_core::train::{Learner, Objective, StepContext, Supervised};

    /// The losses of the first and the last of `steps` steps of Adam, each on all of `rows`.
    pub(crate) fn losses<O: Objective>(
        objective: O,
        model: O::Model,
        rows: &[usize],
        steps: u64,
        learning_rate: f64,
    ) -> [f64; 2] {
        let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "test");
        let mut found = Vec::new();
        for step in 0..steps {
            let context = StepContext { seed: 1, epoch: 0, step, learning_rate };
            found.push(learner.step(rows, &context).unwrap().loss);
        }
        [found[0], found[found.len() - 1]]
    }

    /// Outputs of `tests/golden/networks.py`, of weights and inputs that [`golden`](crate::systems::golden) makes as well.
    pub(crate) fn expected(name: &str) -> Vec<f64> {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../tests/golden/networks.json")).unwrap();
        let values = file[name].as_array().unwrap_or_else(|| panic!("{name} is not in networks.json"));
        values.iter().map(|value| value.as_f64().unwrap()).collect()
    }

    /// No output is further than 1e-5 from the script's, or that part of it where it is above 1: single precision on
    /// sums of up to some hundred products.
    pub(crate) fn assert_golden<const D: usize>(found: Tensor<D>, name: &str) {
        let (found, expected) = (numbers(found, "outputs").unwrap(), expected(name));
        assert_eq!(found.len(), expected.len(), "{name}");
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{name}[{at}]: {found}, not {expected}");
        }
    }

    #[test]
    fn padding_keeps_the_length_and_puts_the_odd_zero_behind() {
        let device = Device::flex();
        let x = tensor(vec![1.0, 2.0], [1, 1, 2], &device);
        let padded = |kernel| numbers(pad_same(x.clone(), kernel), "x").unwrap();
        assert_eq!(padded(1), [1.0, 2.0]);
        assert_eq!(padded(2), [1.0, 2.0, 0.0]);
        assert_eq!(padded(3), [0.0, 1.0, 2.0, 0.0]);
        assert_eq!(padded(6), [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_single_row_gets_the_running_statistics() {
        let device = Device::flex().autodiff();
        let norm = BatchNormConfig::new(2).with_epsilon(1e-3).init(&device);
        let x = tensor(vec![1.0, 2.0, 3.0, 6.0], [2, 2], &device);
        // of a batch: (x − mean) / √(variance + ε), with variances 1 and 4
        let found = numbers(normalised(&norm, x.clone(), 1e-3), "x").unwrap();
        for (found, expected) in found.iter().zip([-0.9995, -0.999_88, 0.9995, 0.999_88]) {
            assert!((found - expected).abs() < 1e-5, "{found}");
        }
        // the running mean is 0.1 of the batch's 2 and 4, the variance 0.9 + 0.1 of the unbiased 2 and 8
        let found = numbers(normalised(&norm, x.narrow(0, 0, 1), 1e-3), "x").unwrap();
        for (found, expected) in found.iter().zip([0.8 / 1.101_f64.sqrt(), 1.6 / 1.701_f64.sqrt()]) {
            assert!((found - expected).abs() < 1e-5, "{found}");
        }
    }
}
