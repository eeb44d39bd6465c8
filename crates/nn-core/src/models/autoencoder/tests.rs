//! What the tests of this folder share: the digits, reference values, and a training run in a line.

mod dense;
mod penalties;
mod stacked;
mod variational;

use std::io::Read;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Tensor, TensorData};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::Rows;
use crate::data::Shuffled;
use crate::optim::{OptimizerConfig, Schedule};
use crate::train::{Event, FitConfig, Monitor, Objective, Observer, Supervised, TRAIN_LOSS, fit};

/// The handwritten digits of scikit-learn, pixels from 0 to 1, and the division of
/// `train_test_split(test_size=0.2, random_state=0)`.
struct Digits {
    train: Rows,
    test: Rows,
    train_labels: Vec<usize>,
    test_labels: Vec<usize>,
}

impl Digits {
    fn read() -> Self {
        let packed = include_bytes!("../../../../../data/samples/digits.csv.gz");
        let mut text = String::new();
        GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        let table: Vec<Vec<f32>> =
            text.lines().map(|line| line.split(',').map(|cell| cell.trim().parse().unwrap()).collect()).collect();
        assert_eq!((table.len(), table[0].len()), (1797, 65));
        let split = golden();
        let pick = |part: &str| {
            let places = split[part].as_array().unwrap().iter().map(|row| &table[row.as_u64().unwrap() as usize]);
            let (pixels, labels): (Vec<&[f32]>, Vec<usize>) = places.map(|row| (&row[..64], row[64] as usize)).unzip();
            (Rows::new(pixels.concat().iter().map(|pixel| pixel / 16.0).collect(), 64).unwrap(), labels)
        };
        let ((train, train_labels), (test, test_labels)) = (pick("train"), pick("test"));
        assert_eq!((train.len(), test.len()), (1437, 360));
        Self { train, test, train_labels, test_labels }
    }
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/autoencoder.json")).unwrap()
}

/// A nested list of numbers as tensor data of its shape.
fn data(value: &Value) -> TensorData {
    let mut shape = Vec::new();
    let mut inner = value;
    while let Some(list) = inner.as_array() {
        shape.push(list.len());
        inner = &list[0];
    }
    let values: Vec<f32> = flat(value).into_iter().map(|value| value as f32).collect();
    TensorData::new(values, shape)
}

/// The numbers of a nested list in their order.
fn flat(value: &Value) -> Vec<f64> {
    match value.as_array() {
        Some(list) => list.iter().flat_map(flat).collect(),
        None => vec![value.as_f64().unwrap()],
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

/// Largest deviation within `tolerance` times the largest value: what single precision can be held to.
fn assert_close<const D: usize>(found: Tensor<D>, expected: &Value, tolerance: f64, what: &str) {
    let (found, expected) = (values(found), flat(expected));
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((f64::from(*found) - expected).abs() <= tolerance * size, "{what}: {found} instead of {expected}");
    }
}

/// Mean squared difference of two lists, in double precision.
fn mse(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>() / a.len() as f64
}

/// The mean loss of each epoch.
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn event(&mut self, event: &Event) {
        if let Event::EpochEnd { train_loss, .. } = event {
            self.0.push(*train_loss);
        }
    }
}

/// How long and how fast something is learnt.
struct Course {
    epochs: usize,
    batch: usize,
    rate: f64,
    schedule: Schedule,
}

/// Learns with Adam from `rows` rows; comes back with the model for use and the mean loss of each epoch.
fn learn<O: Objective>(objective: O, model: O::Model, rows: usize, course: Course) -> (O::Model, Vec<f64>) {
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "test");
    let config = FitConfig {
        seed: 3,
        schedule: course.schedule,
        restore_best: false,
        ..FitConfig::new(course.epochs, course.rate, Monitor::lower(TRAIN_LOSS))
    };
    let sampler = Shuffled::new((0..rows).collect(), course.batch);
    let mut losses = Losses(Vec::new());
    fit(&mut learner, &sampler, &config, None, false, &mut losses, &AtomicBool::new(false)).unwrap();
    (learner.into_model().unwrap(), losses.0)
}
