//! Networks small enough to enumerate, and digits.

mod multimodal;
mod up_down;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::data::{Shuffled, rng};
use crate::models::mlp::{TableObjective, Targets, Task};
use crate::models::rbm::digits::{Digits, PIXELS};
use crate::models::rbm::{Negative, RbmLearning};
use crate::optim::OptimizerConfig;
use crate::store::{self, Metadata};
use crate::train::{Event, FitConfig, Monitor, Observer, Supervised, TRAIN_LOSS, fit};

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Tensor<2> {
    let flat: Vec<f32> = rows.iter().flatten().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(flat, [rows.len(), rows[0].len()]), &Device::flex())
}

/// All `2^n` rows of zeros and ones.
fn states(n: usize) -> Vec<Vec<f64>> {
    (0..1_usize << n).map(|number| (0..n).map(|bit| ((number >> bit) & 1) as f64).collect()).collect()
}

fn log_sum_exp(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + values.iter().map(|value| (value - top).exp()).sum::<f64>().ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Probabilities of the units that a dense layer gives, in double precision; weight `[from][to]`.
fn dense(input: &[f64], weight: &[Vec<f64>], bias: &[f64]) -> Vec<f64> {
    let total = |to: usize| bias[to] + input.iter().zip(weight).map(|(x, w)| x * w[to]).sum::<f64>();
    (0..bias.len()).map(|to| sigmoid(total(to))).collect()
}

/// Probability of a state of units that are on with these probabilities.
fn chance(state: &[f64], on: &[f64]) -> f64 {
    state.iter().zip(on).map(|(&s, &p)| if s > 0.0 { p } else { 1.0 - p }).product()
}

fn rows_of(tensor: Tensor<2>) -> Vec<Vec<f64>> {
    let [_, columns] = tensor.dims();
    values(tensor).chunks_exact(columns).map(<[f64]>::to_vec).collect()
}

/// A network of two hidden layers of Bernoulli units, in double precision and loops.
struct Exact {
    recognition: (Vec<Vec<f64>>, Vec<f64>),
    generative: (Vec<Vec<f64>>, Vec<f64>),
    top: Vec<Vec<f64>>,
    /// Of the units below the top and of those of the top.
    top_bias: (Vec<f64>, Vec<f64>),
}

impl Exact {
    fn of(dbn: &Dbn) -> Self {
        let layer = &dbn.stack.layers[0];
        Self {
            recognition: (rows_of(layer.recognition.val()), values(layer.recognition_bias.val())),
            generative: (rows_of(layer.generative.val()), values(layer.generative_bias.val())),
            top: rows_of(dbn.top.weight.val()),
            top_bias: (values(dbn.top.visible_bias.val()), values(dbn.top.hidden_bias.val())),
        }
    }

    /// log p(h¹) of each state of the lower hidden layer under the top machine.
    fn prior(&self) -> Vec<f64> {
        let hidden = states(self.top_bias.1.len());
        let of = |h: &Vec<f64>| {
            let alone: f64 = h.iter().zip(&self.top_bias.0).map(|(h, b)| h * b).sum();
            let terms: Vec<f64> = hidden
                .iter()
                .map(|t| {
                    let pairs = h.iter().zip(&self.top);
                    let weights: f64 = pairs.map(|(h, w)| h * w.iter().zip(t).map(|(w, t)| w * t).sum::<f64>()).sum();
                    alone + weights + t.iter().zip(&self.top_bias.1).map(|(t, c)| t * c).sum::<f64>()
                })
                .collect();
            log_sum_exp(&terms)
        };
        let free: Vec<f64> = states(self.top_bias.0.len()).iter().map(of).collect();
        let total = log_sum_exp(&free);
        free.iter().map(|f| f - total).collect()
    }

    /// log p(v) of each row.
    fn log_likelihood(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let prior = self.prior();
        let hidden = states(self.top_bias.0.len());
        let means: Vec<Vec<f64>> = hidden.iter().map(|h| dense(h, &self.generative.0, &self.generative.1)).collect();
        let of = |row: &Vec<f64>| {
            let terms: Vec<f64> = prior.iter().zip(&means).map(|(p, means)| p + chance(row, means).ln()).collect();
            log_sum_exp(&terms)
        };
        rows.iter().map(of).collect()
    }
}

/// A network 4 – 3 – 2 whose recognition and generative weights differ, all by a formula.
fn small() -> Dbn {
    let device = Device::flex();
    let config = DbnConfig { visible: 4, layers: vec![3, 2], ..DbnConfig::default() };
    let mut dbn = config.init(&device, &mut rng(0, &[])).unwrap();
    let values = |size: usize, shift: usize| -> Vec<f32> {
        (0..size).map(|at| ((at * 7 + shift * 5) % 11) as f32 / 4.0 - 1.25).collect()
    };
    let two = |shape: [usize; 2], shift| {
        Param::<Tensor<2>>::from_data(TensorData::new(values(shape[0] * shape[1], shift), shape), &device)
    };
    let one = |size: usize, shift| Param::<Tensor<1>>::from_data(TensorData::new(values(size, shift), [size]), &device);
    let layer = &mut dbn.stack.layers[0];
    (layer.recognition, layer.recognition_bias) = (two([4, 3], 0), one(3, 1));
    (layer.generative, layer.generative_bias) = (two([3, 4], 2), one(4, 3));
    (dbn.top.weight, dbn.top.visible_bias, dbn.top.hidden_bias) = (two([3, 2], 4), one(3, 5), one(2, 6));
    dbn
}

/// The 14 patterns of full rows, or of full columns, of a square of 3 × 3.
fn bars() -> Vec<Vec<f64>> {
    let mut found = Vec::new();
    for mask in states(3) {
        let rows: Vec<f64> = (0..9).map(|at| mask[at / 3]).collect();
        let columns: Vec<f64> = (0..9).map(|at| mask[at % 3]).collect();
        for pattern in [rows, columns] {
            if !found.contains(&pattern) {
                found.push(pattern);
            }
        }
    }
    assert_eq!(found.len(), 14);
    found
}

/// Trains without checkpoints.
fn greedy(config: &DbnConfig, greedy: &GreedyConfig, data: &Tensor<2>) -> Dbn {
    let (mut observer, stop) = ((), AtomicBool::new(false));
    let mut session = Session { folder: None, observer: &mut observer, stop: &stop };
    let [_, columns] = data.dims();
    pretrain(config, greedy, data, &Tensor::zeros([0, columns], &Device::flex()), &mut session).unwrap()
}

fn bytes(dbn: &Dbn) -> Vec<u8> {
    store::to_safetensors(dbn, &Metadata::new()).unwrap()
}

#[test]
fn sizes_are_checked_and_the_default_is_the_paper_s() {
    let config = DbnConfig::default();
    let machines: Vec<(usize, usize)> = config.machines().iter().map(|m| (m.visible, m.hidden)).collect();
    assert_eq!(machines, [(784, 500), (500, 500), (500, 2000)]);
    config.validate().unwrap();
    for layers in [vec![], vec![0], vec![5, 0]] {
        assert!(DbnConfig { layers, ..config.clone() }.validate().is_err());
    }
    let good = GreedyConfig::default();
    good.validate().unwrap();
    assert!(GreedyConfig { epochs: 0, ..good.clone() }.validate().is_err());
    assert!(GreedyConfig { learning_rate: 0.0, ..good.clone() }.validate().is_err());
    let learning = RbmLearning { weight_decay: -1.0, ..RbmLearning::default() };
    assert!(GreedyConfig { learning, ..good }.validate().is_err());
}

#[test]
fn a_machine_that_becomes_a_layer_keeps_both_its_directions() {
    for units in [VisibleUnits::Bernoulli, VisibleUnits::Gaussian, VisibleUnits::ReplicatedSoftmax] {
        let config = RbmConfig { units, visible: 5, hidden: 3, weight_sd: 1.0, hidden_bias: 0.3 };
        let machine = config.init(&Device::flex(), &mut rng(2, &[])).unwrap();
        let rows: Vec<Vec<f64>> = (0..6_usize).map(|i| (0..5).map(|j| ((i + j) % 3) as f64).collect()).collect();
        let machine = machine.with_visible_bias_of(matrix(&rows) * 0.5).unwrap();
        let stack = Stack::of(std::slice::from_ref(&machine));
        let data = matrix(&rows);
        let lengths = units.lengths(&data);
        let code = stack.up(data.clone());
        assert_eq!(values(code.clone()), values(machine.transform(data)));
        let down = values(stack.down(code.clone(), lengths.as_ref()));
        for (found, expected) in down.iter().zip(values(machine.visible_mean(code, lengths.as_ref()))) {
            // the weight lies transposed in memory, and sums may be in another order
            assert!((found - expected).abs() < 1e-5, "{units:?}: {found} instead of {expected}");
        }
        let written = store::to_safetensors(&stack, &Metadata::new()).unwrap();
        let other = Stack::of(&[config.init(&Device::flex(), &mut rng(3, &[])).unwrap()]);
        let (read, _) = store::from_safetensors(other, &written).unwrap();
        assert_eq!(values(read.layers[0].generative.val()), values(stack.layers[0].generative.val()));
    }
}

#[test]
fn draws_have_the_probabilities_of_the_model() {
    let dbn = small();
    let exact = Exact::of(&dbn);
    let visible = states(4);
    let n = 20_000;
    // the means of the last step downwards; averaging them leaves less noise than drawing from them
    let dreams = rows_of(dbn.sample(n, 40, 1, &mut rng(4, &[])).unwrap());
    for (state, log_p) in visible.iter().zip(exact.log_likelihood(&visible)) {
        let p = log_p.exp();
        let found = dreams.iter().map(|means| chance(state, means)).sum::<f64>() / n as f64;
        let limit = 4.5 * (p * (1.0 - p) / n as f64).sqrt();
        assert!((found - p).abs() < limit, "{state:?}: {found} instead of {p}");
    }
}

/// Raises the flag at a step.
struct StopAt<'a> {
    stop: &'a AtomicBool,
    left: usize,
}

impl Observer for StopAt<'_> {
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { .. }) && self.left > 0 {
            self.left -= 1;
            self.stop.store(self.left == 0, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let rows: Vec<Vec<f64>> = bars();
    let data = matrix(&rows);
    let config = DbnConfig { visible: 9, layers: vec![5, 4], ..DbnConfig::default() };
    let settings = GreedyConfig { epochs: 3, batch_size: 4, ..GreedyConfig::default() };
    let straight = bytes(&greedy(&config, &settings, &data));
    let folder = tempfile::tempdir().unwrap();
    let run = |folder: &Path, left: usize| {
        let stop = AtomicBool::new(false);
        let mut observer = StopAt { stop: &stop, left };
        let mut session = Session { folder: Some(folder), observer: &mut observer, stop: &stop };
        pretrain(&config, &settings, &data, &data, &mut session)
    };
    // 4 steps an epoch, 12 for each of the two machines
    for (left, machine) in [(5, "layer-0"), (10, "layer-1")] {
        let error = run(folder.path(), left).unwrap_err().to_string();
        assert_eq!(error, format!("stopped while {machine} was learnt; call again with the same folder to go on"));
    }
    assert!(bytes(&run(folder.path(), 0).unwrap()) == straight);
    assert!(bytes(&run(folder.path(), 0).unwrap()) == straight, "and what is done stays done");
}

#[test]
fn digits_are_told_apart_by_a_fine_tuned_network() {
    let digits = Digits::read();
    let config = DbnConfig { visible: PIXELS, layers: vec![200, 200], ..DbnConfig::default() };
    let settings = GreedyConfig { epochs: 10, batch_size: 20, ..GreedyConfig::default() };
    let dbn = greedy(&config, &settings, &digits.images(&digits.train));
    let test = digits.images(&digits.test);
    // numpy, two seeds, through both machines: 0.024
    let error = values((dbn.reconstruct(test.clone()) - test.clone()).square().mean())[0];
    assert!(error < 0.035, "reconstruction error {error}");

    let device = Device::flex().autodiff();
    let features = values(dbn.transform(test.clone()));
    let model = dbn.into_classifier(10, &device, &mut rng(1, &[])).unwrap();
    let found = values(model.valid().features(test));
    assert!(found.iter().zip(&features).all(|(f, e)| (f - e).abs() < 1e-5), "features before fine-tuning");

    let task = Task::new("digit", Targets::Classes { count: 10, rows: digits.classes.clone() });
    let (pixels, judged) = (digits.pixels.clone(), digits.test.clone());
    let objective = TableObjective::<DbnClassifier>::new(pixels, PIXELS, vec![task], judged, &device).unwrap();
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "dbn-classifier");
    let sampler = Shuffled::new(digits.train.clone(), 32);
    let run = FitConfig { restore_best: false, ..FitConfig::new(15, 3e-3, Monitor::lower(TRAIN_LOSS)) };
    let outcome = fit(&mut learner, &sampler, &run, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let accuracy = outcome.last_metrics.iter().find(|(name, _)| name == "accuracy").unwrap().1;
    // numpy and PyTorch with the same settings: 0.978, 0.978, 0.981 on three seeds, and 0.957 after 20 epochs without
    // the machines; scikit-learn's LogisticRegression has 0.964 on this division
    assert!(accuracy >= 0.96, "{accuracy}");
}
