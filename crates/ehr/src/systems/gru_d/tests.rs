//! Equations in plain loops, PyTorch's outputs, padding, intervals and a pattern that only the times tell.

use super::*;
use crate::systems::golden;
use burn::module::ModuleMapper;
use burn::optim::GradientsParams;
use burn::tensor::TensorData;
use nn_core::data::rng;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;
use rand::RngExt;
use serde_json::Value;

/// The script's numbers in −1..1, which depend on a name alone.
pub(crate) fn noise(name: &str, count: usize) -> Vec<f32> {
    golden::noise(name, count).collect()
}

struct Fill(Vec<String>);

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.0.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.0.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.val().dims();
        let values: Vec<f32> =
            noise(&self.0.join("."), shape.iter().product()).into_iter().map(|value| 0.5 * value).collect();
        Param::from_data(TensorData::new(values, shape), &param.val().device())
    }
}

/// The model with the script's weights: half the noise of each parameter's path.
pub(crate) fn filled<M: Module>(model: M) -> M {
    model.map(&mut Fill(Vec::new()))
}

/// Compares with values of `tests/golden/series.json`.
pub(crate) fn assert_golden<const D: usize>(found: Tensor<D>, name: &str, tolerance: f64) {
    let file: Value = serde_json::from_str(include_str!("../../../tests/golden/series.json")).unwrap();
    let expected: Vec<f64> = file[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let found = found.try_into_vec_as::<f64>().unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < tolerance, "{name}[{at}]: {found} instead of {expected}");
    }
}

/// Values, mask, intervals and statics.
struct Owned {
    values: Vec<f32>,
    mask: Vec<f32>,
    delta: Vec<f32>,
    statics: Vec<f32>,
}

impl Owned {
    fn noise(row: usize, steps: usize, variables: usize, statics: usize) -> Self {
        let mask: Vec<f32> = noise(&format!("mask{row}"), steps * variables)
            .into_iter()
            .map(|value| f32::from(u8::from(value > 0.0)))
            .collect();
        let hours: Vec<f32> = (0..steps).map(|step| 1.5 * step as f32 * (1.0 + 0.25 * row as f32)).collect();
        Self {
            values: noise(&format!("values{row}"), steps * variables),
            delta: intervals(&hours, &mask, variables),
            mask,
            statics: noise(&format!("statics{row}"), statics),
        }
    }

    fn row(&self) -> SeriesRow<'_> {
        SeriesRow { values: &self.values, mask: &self.mask, delta: &self.delta, statics: &self.statics }
    }
}

fn small() -> GruDConfig {
    GruDConfig { variables: 3, statics: 2, hidden: 4, outputs: 2, interval_hours: 6.0, ..GruDConfig::default() }
}

fn batch(lengths: &[usize]) -> Vec<Owned> {
    lengths.iter().enumerate().map(|(row, &steps)| Owned::noise(row, steps, 3, 2)).collect()
}

fn tensors(series: &[Owned], device: &Device) -> SeriesBatch {
    let rows: Vec<SeriesRow<'_>> = series.iter().map(Owned::row).collect();
    SeriesBatch::new(&rows, 3, 2, device).unwrap()
}

fn values(x: Tensor<2>) -> Vec<f64> {
    x.try_into_vec_as::<f64>().unwrap()
}

/// Values and gradients are near 1; single precision and 7 steps leave an error of about 1e-6.
#[test]
fn outputs_are_those_of_a_pytorch_twin() {
    let device = Device::flex();
    let series = tensors(&batch(&[7, 5, 0, 1]), &device);
    for (name, config) in [
        ("gru_d", small()),
        ("gru_forward", GruDConfig { imputation: Imputation::Forward, state_decay: false, ..small() }),
        ("gru_mean", GruDConfig { statics: 2, variables: 3, hidden: 4, outputs: 2, ..GruDConfig::mean() }),
    ] {
        let model = filled(config.init(&device, &mut rng(1, &[])).unwrap());
        assert_golden(model.forward(&series, None), name, 1e-5);
    }
}

#[test]
fn gradients_are_those_of_a_pytorch_twin() {
    let device = Device::flex().autodiff();
    let model = filled(small().init(&device, &mut rng(1, &[])).unwrap());
    let loss = model.forward(&tensors(&batch(&[7, 5, 0, 1]), &device), None).square().sum();
    let gradients = loss.backward();
    assert_golden(model.state_gates.val().grad(&gradients).unwrap(), "grad_state_gates", 2e-5);
    assert_golden(model.gates.val().grad(&gradients).unwrap(), "grad_gates", 2e-5);
    assert_golden(model.state_decay.as_ref().unwrap().val().grad(&gradients).unwrap(), "grad_state_decay", 2e-5);
    assert_golden(model.input_decay.as_ref().unwrap().val().grad(&gradients).unwrap(), "grad_input_decay", 2e-5);
}

/// Issue's bound: 1e-6.
#[test]
fn neither_padding_nor_the_other_rows_change_an_output() {
    let device = Device::flex();
    let model = filled(small().init(&device, &mut rng(1, &[])).unwrap());
    let series = batch(&[4, 11, 0, 2, 7]);
    let together = values(model.forward(&tensors(&series, &device), None));
    for (row, one) in series.iter().enumerate() {
        let alone = values(model.forward(&tensors(std::slice::from_ref(one), &device), None));
        for (alone, together) in alone.iter().zip(&together[2 * row..]) {
            assert!((alone - together).abs() < 1e-6, "row {row}: {alone} and {together}");
        }
    }
}

#[test]
fn intervals_follow_the_papers_example() {
    // Che et al. 2018, figure 3: two variables at 0, 0.1, 0.6, 1.6, 2.2, 2.5, 3.1 hours
    let hours = [0.0, 0.1, 0.6, 1.6, 2.2, 2.5, 3.1];
    let first = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let second = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
    let mask: Vec<f32> = first.iter().zip(&second).flat_map(|(a, b)| [*a, *b]).collect();
    let found = intervals(&hours, &mask, 2);
    let expected = [0.0, 0.1, 0.5, 1.5, 2.1, 2.4, 0.6].into_iter().zip([0.0, 0.1, 0.6, 1.6, 0.6, 0.9, 1.5]);
    for (step, (a, b)) in expected.enumerate() {
        assert!((found[2 * step] - a).abs() < 1e-6 && (found[2 * step + 1] - b).abs() < 1e-6, "step {step}");
    }
    assert!(intervals(&hours, &[], 2).is_empty() && intervals(&hours, &mask, 0).is_empty());
}

#[test]
fn a_value_that_was_not_measured_is_never_read() {
    let device = Device::flex();
    let model = filled(small().init(&device, &mut rng(1, &[])).unwrap());
    let mut series = batch(&[6, 6]);
    let before = values(model.forward(&tensors(&series, &device), None));
    for one in &mut series {
        let hidden = one.values.iter_mut().zip(&one.mask).filter(|(_, mask)| **mask == 0.0);
        hidden.for_each(|(value, _)| *value = f32::NAN);
    }
    assert_eq!(before, values(model.forward(&tensors(&series, &device), None)));
}

#[test]
fn bad_series_name_the_place() {
    let device = Device::flex();
    let mut one = Owned::noise(0, 2, 3, 2);
    let make = |one: &Owned| SeriesBatch::new(&[one.row()], 3, 2, &device).map(drop).unwrap_err().to_string();
    one.delta[4] = -1.0;
    assert_eq!(make(&one), "series 0, step 1: an interval is -1; allowed: hours, 0 or more");
    one.delta.pop();
    assert_eq!(make(&one), "series 0: delta has 5 numbers, 6 are needed");
    one = Owned::noise(0, 2, 3, 2);
    one.mask[0] = 0.5;
    assert_eq!(make(&one), "series 0, step 0: mask is 0.5; allowed: 0 or 1");
    let config = GruDConfig { dropout: 1.0, ..small() };
    assert!(config.validate().unwrap_err().to_string().starts_with("dropout = 1"));
}

#[test]
fn the_decay_curve_is_the_equation() {
    let model = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    let (rate, bias) = (0.5 * noise("input_decay", 3)[1], 0.5 * noise("input_decay_bias", 3)[1]);
    let found = model.decay_curve(1, &[0.0, 12.0]).unwrap();
    for (found, interval) in found.iter().zip([0.0, 2.0]) {
        let expected = (-(f64::from(rate) * interval + f64::from(bias)).max(0.0)).exp();
        assert!((found - expected).abs() < 1e-9, "{found} {expected}");
    }
    assert_eq!(model.decay_curve(3, &[0.0]), None);
}

/// Two variables, each measured once and then at its mean; the label is whether the second was measured later than the
/// first. The mask and the intervals tell, the values do not.
#[test]
fn the_times_of_measurements_are_learnt() {
    let device = Device::flex().autodiff();
    let mut draw = rng(4, &[]);
    let (rows, steps) = (64, 8);
    let mut labels = Vec::new();
    let series: Vec<Owned> = (0..rows)
        .map(|_| {
            let later = draw.random::<f64>() < 0.5;
            let mut mask = vec![0.0; steps * 2];
            let (early, late) = (draw.random_range(0..4), draw.random_range(4..8));
            mask[2 * if later { early } else { late }] = 1.0;
            mask[2 * if later { late } else { early } + 1] = 1.0;
            labels.push(f32::from(u8::from(later)));
            let hours: Vec<f32> = (0..steps).map(|step| step as f32).collect();
            Owned { values: vec![0.0; steps * 2], delta: intervals(&hours, &mask, 2), mask, statics: Vec::new() }
        })
        .collect();
    let views: Vec<SeriesRow<'_>> = series.iter().map(Owned::row).collect();
    let batch = SeriesBatch::new(&views, 2, 0, &device).unwrap();
    let labels = Tensor::<2>::from_data(TensorData::new(labels, [rows, 1]), &device);
    let config = GruDConfig { variables: 2, hidden: 8, interval_hours: 8.0, dropout: 0.0, ..GruDConfig::default() };
    let config = GruDConfig { recurrent_dropout: 0.0, head_dropout: 0.0, ..config };
    let blind = GruDConfig { imputation: Imputation::Mean, state_decay: false, mask_inputs: false, ..config.clone() };
    let left = |config: &GruDConfig| {
        let mut model = config.init(&device, &mut rng(3, &[])).unwrap();
        let mut optimizer = OptimizerConfig::adam().init();
        let loss = |model: &GruD| {
            let logits = model.forward(&batch, None);
            BinaryCrossEntropy::default().forward(logits, labels.clone(), None, Reduction::Mean)
        };
        for _ in 0..150 {
            let gradients = GradientsParams::from_grads(loss(&model).backward(), &model);
            model = optimizer.step(0.03, model, gradients);
        }
        loss(&model).try_into_scalar::<f64>().unwrap()
    };
    let (sees, guesses) = (left(&config), left(&blind));
    // chance is the entropy of the labels, near ln 2 = 0.69
    assert!(sees < 0.2 && guesses > 0.6, "{sees} and {guesses}");
}
