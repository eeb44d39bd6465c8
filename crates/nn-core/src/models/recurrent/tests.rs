//! Sequence models: sizes, padding, and the adding problem.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::data::{Shuffled, rng};
use crate::optim::OptimizerConfig;
use crate::train::{FitConfig, Monitor, Objective, StepContext, StepError, Supervised, fit};
use burn::tensor::TensorData;
use rand::RngExt;

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// The adding problem (Hochreiter & Schmidhuber 1997, experiment 4, in the form with inputs from 0 to 1): at each step a
/// number and a mark; the answer is the sum of the two marked numbers, one in each half.
struct Adding {
    device: Device,
    time: usize,
    validation: usize,
}

impl Adding {
    /// Sequences `[rows, time, 2]` and sums `[rows, 1]`.
    fn batch(&self, rows: impl Iterator<Item = usize>, device: &Device) -> (Tensor<3>, Tensor<2>) {
        let half = self.time / 2;
        let (mut x, mut sums) = (Vec::new(), Vec::new());
        for row in rows {
            let mut generator = rng(1997, &[row as u64]);
            let marked = [generator.random_range(0..half), generator.random_range(half..self.time)];
            let mut sum = 0.0;
            for step in 0..self.time {
                let number: f32 = generator.random_range(0.0..1.0);
                let mark = if marked.contains(&step) { 1.0 } else { 0.0 };
                sum += mark * number;
                x.extend([number, mark]);
            }
            sums.push(sum);
        }
        let rows = sums.len();
        (
            Tensor::from_data(TensorData::new(x, [rows, self.time, 2]), device),
            Tensor::from_data(TensorData::new(sums, [rows, 1]), device),
        )
    }
}

impl Objective for Adding {
    type Model = SequenceModel;

    fn loss(&self, model: &SequenceModel, rows: &[usize], _: &StepContext) -> Result<Tensor<1>, StepError> {
        let (x, y) = self.batch(rows.iter().copied(), &self.device);
        Ok((model.forward(Sequences::Values(x), None, None) - y).powi_scalar(2).mean())
    }

    fn validate(&self, model: &SequenceModel) -> Result<Vec<(String, f64)>, StepError> {
        // Rows that no epoch sees.
        let (x, y) = self.batch((0..self.validation).map(|row| 1_000_000 + row), &Device::flex());
        let error = (model.forward(Sequences::Values(x), None, None) - y).powi_scalar(2).mean();
        Ok(vec![("mse".to_string(), error.try_into_scalar::<f64>().map_err(StepError::other)?)])
    }
}

/// 800 steps of 50 rows, some 5 s in release on two cores.
#[test]
fn a_gated_network_adds_two_numbers_a_hundred_steps_apart() {
    let device = Device::flex().autodiff();
    let problem = Adding { device: device.clone(), time: 100, validation: 500 };
    // Always answering 1 has the variance of the sum of two uniform numbers, 1/6.
    let (_, sums) = problem.batch(0..5000, &Device::flex());
    let constant = numbers(sums).iter().map(|sum| f64::from(*sum - 1.0).powi(2)).sum::<f64>() / 5000.0;
    // Standard error 0.0028: the fourth moment of the sum about its mean is 1/15.
    assert!((constant - 1.0 / 6.0).abs() < 0.01, "{constant}");

    let config = SequenceModelConfig { input: 2, hidden: 32, ..SequenceModelConfig::default() };
    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let mut learner =
        Supervised::new(problem, model, OptimizerConfig::adam().init(), "adding").with_clip_norm(Some(1.0));
    let sampler = Shuffled::new((0..5000).collect(), 50);
    let run = FitConfig::new(8, 1e-2, Monitor::lower("mse"));
    let outcome = fit(&mut learner, &sampler, &run, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let error = outcome.best_metrics[0].1;
    // torch.nn.GRU with these settings is at 0.002 to 0.003 after four epochs, for four seeds.
    assert!(error < 0.01, "mean squared error {error}");
}

#[test]
fn codes_are_read_up_to_their_length() {
    let device = Device::flex();
    let config = SequenceModelConfig {
        vocabulary: 6,
        input: 4,
        hidden: 10,
        layers: 2,
        bidirectional: true,
        outputs: 3,
        ..SequenceModelConfig::default()
    };
    let model = config.init(&device, &mut rng(4, &[])).unwrap();
    let codes = |rows: [[i64; 4]; 2]| {
        let data = TensorData::new(rows.concat(), [2, 4]);
        Sequences::Codes(Tensor::<2, Int>::from_data(data, &device))
    };
    let (first, other) = (codes([[1, 2, 3, 4], [5, 1, 0, 0]]), codes([[1, 2, 3, 4], [5, 1, 2, 3]]));
    let lengths = [4, 2];
    let answer = numbers(model.forward(first.clone(), Some(&lengths), None));
    assert_eq!(answer.len(), 6);
    assert_eq!(answer, numbers(model.forward(other.clone(), Some(&lengths), None)));
    assert_ne!(answer, numbers(model.forward(other, None, None)));
    let steps = model.forward_steps(first, Some(&lengths), None);
    assert_eq!(steps.dims(), [2, 4, 3]);
    let bias = numbers(model.head.bias.as_ref().unwrap().val());
    assert_eq!(numbers(steps)[6 * 3..7 * 3], bias);
}

#[test]
fn dropout_acts_in_front_of_the_head_when_a_generator_is_given() {
    let device = Device::flex();
    let config = SequenceModelConfig { input: 3, dropout: 0.5, ..SequenceModelConfig::default() };
    let model = config.init(&device, &mut rng(4, &[])).unwrap();
    let x = Sequences::Values(Tensor::ones([2, 5, 3], &device));
    let run = |noise: bool| {
        let mut generator = rng(3, &[]);
        numbers(model.forward(x.clone(), None, noise.then_some(&mut generator)))
    };
    assert_ne!(run(true), run(false));
    assert_eq!(run(true), run(true));
}

#[test]
fn values_stand_behind_the_embedding_and_codes_without_one_are_numbers() {
    let device = Device::flex();
    let config = SequenceModelConfig { vocabulary: 5, input: 3, ..SequenceModelConfig::default() };
    let model = config.init(&device, &mut rng(4, &[])).unwrap();
    let codes = Tensor::<2, Int>::from_data([[3, 1, 4]], &device);
    let embedded = model.embedding.as_ref().unwrap().forward(codes.clone());
    let answer = |x: Sequences| numbers(model.forward(x, None, None));
    assert_eq!(answer(Sequences::Codes(codes.clone())), answer(Sequences::Values(embedded)));
    let config = SequenceModelConfig { input: 1, ..SequenceModelConfig::default() };
    let model = config.init(&device, &mut rng(4, &[])).unwrap();
    let answer = |x: Sequences| numbers(model.forward(x, None, None));
    let values = Tensor::<3>::from_data([[[3.0], [1.0], [4.0]]], &device);
    assert_eq!(answer(Sequences::Codes(codes)), answer(Sequences::Values(values)));
}

#[test]
fn settings_out_of_range_are_named() {
    let good = SequenceModelConfig::default();
    assert_eq!(good.validate(), Ok(()));
    for (config, start) in [
        (SequenceModelConfig { outputs: 0, ..good.clone() }, "outputs = 0"),
        (SequenceModelConfig { hidden: 0, ..good.clone() }, "hidden = 0"),
        (SequenceModelConfig { input: 0, ..good }, "input = 0"),
    ] {
        let error = config.init(&Device::flex(), &mut rng(1, &[])).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }
}
