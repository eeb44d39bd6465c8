//! A two-layer regression with everything that a checkpoint must not lose: an adaptive optimiser, running statistics,
//! dropout, a schedule.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::module::{Module, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::{Sampler, rng};
use nn_core::optim::{OptimizerConfig, Schedule};
use nn_core::train::{
    Checkpoints, FitConfig, Learner, Monitor, Objective, Observer, Outcome, StepContext, StepError, Supervised,
    TrainError, fit,
};
use rand::Rng;

pub(crate) const ROWS: usize = 64;
pub(crate) const BATCH: usize = 10;
/// Wide enough for files of several times 4 KiB.
const HIDDEN: usize = 700;

#[derive(Module, Debug)]
pub(crate) struct Net {
    first: Linear,
    norm: BatchNorm,
    second: Linear,
}

impl Net {
    /// Weights by a formula: burn's generators are global to the process, and tests run side by side.
    pub(crate) fn new(device: &Device) -> Self {
        let values = |count: usize, scale: f32| -> Vec<f32> {
            (0..count).map(|i| scale * ((i * 37 % 101) as f32 - 50.0) / 50.0).collect()
        };
        let mut first = LinearConfig::new(3, HIDDEN).init(device);
        first.weight = Param::from_data(TensorData::new(values(3 * HIDDEN, 0.5), [3, HIDDEN]), device);
        first.bias = Some(Param::from_data(TensorData::new(values(HIDDEN, 0.1), [HIDDEN]), device));
        let mut second = LinearConfig::new(HIDDEN, 1).init(device);
        second.weight = Param::from_data(TensorData::new(values(HIDDEN, 0.05), [HIDDEN, 1]), device);
        second.bias = Some(Param::from_data(TensorData::new(vec![0.0f32], [1]), device));
        Self { first, norm: BatchNormConfig::new(HIDDEN).init(device), second }
    }

    fn forward(&self, x: Tensor<2>, mask: Option<Tensor<2>>) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(x)).tanh();
        let hidden = match mask {
            Some(mask) => hidden * mask,
            None => hidden,
        };
        self.second.forward(hidden)
    }
}

/// What goes wrong from epoch 1 on in the step that holds the row.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    Never,
    Loss(usize),
    Gradient(usize),
}

pub(crate) struct Regression {
    device: Device,
    trouble: Trouble,
}

fn inputs(row: usize) -> [f32; 3] {
    [0, 1, 2].map(|column| ((row * 7 + column * 13 + row * column) % 32) as f32 / 16.0 - 1.0)
}

fn target(row: usize) -> f32 {
    let [a, b, c] = inputs(row);
    a * b + c.sin()
}

fn batch(rows: &[usize], device: &Device) -> (Tensor<2>, Tensor<2>) {
    let x: Vec<f32> = rows.iter().flat_map(|&row| inputs(row)).collect();
    let y: Vec<f32> = rows.iter().map(|&row| target(row)).collect();
    let x = Tensor::<2>::from_data(TensorData::new(x, [rows.len(), 3]), device);
    (x, Tensor::<2>::from_data(TensorData::new(y, [rows.len(), 1]), device))
}

impl Objective for Regression {
    type Model = Net;

    fn loss(&self, model: &Net, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let (x, y) = batch(rows, &self.device);
        let mut noise = context.rng(0);
        let mask: Vec<f32> =
            (0..rows.len() * HIDDEN).map(|_| if noise.next_u32().is_multiple_of(5) { 0.0 } else { 1.25 }).collect();
        let mask = Tensor::<2>::from_data(TensorData::new(mask, [rows.len(), HIDDEN]), &self.device);
        let loss = (model.forward(x, Some(mask)) - y).powi_scalar(2).mean();
        Ok(match self.trouble {
            Trouble::Loss(row) if context.epoch > 0 && rows.contains(&row) => loss.mul_scalar(f32::NAN),
            // Zero, with the derivative of the square root at zero.
            Trouble::Gradient(row) if context.epoch > 0 && rows.contains(&row) => {
                loss + model.second.weight.val().mul_scalar(0.0).sqrt().sum()
            }
            _ => loss,
        })
    }

    fn validate(&self, model: &Net) -> Result<Vec<(String, f64)>, StepError> {
        let rows: Vec<usize> = (0..ROWS).collect();
        let (x, y) = batch(&rows, &Device::flex());
        let error = (model.forward(x, None) - y).powi_scalar(2).mean();
        let mse = error.try_into_scalar::<f64>().map_err(StepError::other)?;
        Ok(vec![("mse".to_string(), mse), ("rmse".to_string(), mse.sqrt())])
    }

    fn name_of(&self, row: usize) -> String {
        format!("sample {row}")
    }

    /// Of the row that breaks the loss not a number; of the others any.
    fn losses(&self, _: &Net, rows: &[usize], _: &StepContext) -> Result<Option<Tensor<1>>, StepError> {
        let Trouble::Loss(broken) = self.trouble else { return Ok(None) };
        let each: Vec<f32> = rows.iter().map(|&row| if row == broken { f32::NAN } else { 1.0 }).collect();
        Ok(Some(Tensor::<1>::from_data(TensorData::new(each, [rows.len()]), &self.device)))
    }
}

/// Every row once an epoch, in an order of (seed, epoch).
pub(crate) struct Rows;

impl Sampler for Rows {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..ROWS).collect();
        let mut noise = rng(seed, &[epoch as u64]);
        for last in (1..ROWS).rev() {
            order.swap(last, noise.next_u32() as usize % (last + 1));
        }
        order.chunks(BATCH).map(<[usize]>::to_vec).collect()
    }
}

pub(crate) fn regression(trouble: Trouble) -> (Regression, Net) {
    let device = Device::flex().autodiff();
    let net = Net::new(&device);
    (Regression { device, trouble }, net)
}

pub(crate) fn learner(trouble: Trouble, architecture: &str) -> Supervised<Regression> {
    let (objective, net) = regression(trouble);
    Supervised::new(objective, net, OptimizerConfig::adam().init(), architecture).with_clip_norm(Some(1.0))
}

pub(crate) fn config(epochs: usize) -> FitConfig {
    FitConfig {
        seed: 11,
        schedule: Schedule::Exponential { factor: 0.8 },
        restore_best: false,
        ..FitConfig::new(epochs, 1e-2, Monitor::lower("mse"))
    }
}

/// How a run ended: its outcome and the bytes of what the learner then holds.
pub(crate) struct Ended {
    pub(crate) outcome: Result<Outcome, TrainError>,
    pub(crate) weights: Vec<u8>,
    pub(crate) optimizer: Vec<u8>,
}

impl Ended {
    /// Both runs are the same to the last bit.
    pub(crate) fn assert_equals(&self, other: &Self) {
        assert_eq!(self.outcome.as_ref().unwrap(), other.outcome.as_ref().unwrap());
        assert!(self.weights == other.weights, "the weights differ");
        assert!(self.optimizer == other.optimizer, "the optimisers differ");
    }
}

/// Runs, or with a folder begins or resumes, the regression up to `epochs`.
pub(crate) fn train(folder: Option<&Path>, epochs: usize, observer: &mut dyn Observer, stop: &AtomicBool) -> Ended {
    train_with(learner(Trouble::Never, "toy"), folder, epochs, observer, stop)
}

pub(crate) fn train_with(
    mut learner: Supervised<Regression>,
    folder: Option<&Path>,
    epochs: usize,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Ended {
    let checkpoints = folder.map(Checkpoints::new);
    let resume = checkpoints.is_some();
    let outcome = fit(&mut learner, &Rows, &config(epochs), checkpoints.as_ref(), resume, observer, stop);
    Ended { outcome, weights: learner.weights().unwrap(), optimizer: learner.optimizer().unwrap() }
}

/// Runs the regression in one go, writing nothing.
pub(crate) fn uninterrupted(epochs: usize) -> Ended {
    train(None, epochs, &mut (), &AtomicBool::new(false))
}
