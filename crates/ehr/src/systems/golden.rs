//! What tests of the systems share: weights and patients that a script has as well, and learning by heart.

pub(crate) use nn_core::parity::noise;

use std::sync::OnceLock;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;
use nn_core::parity;
use serde_json::Value;

use super::{SequenceNet, VisitBatch, VisitSequence};

/// Ids that the patients of the script have: 0 to 11.
pub(crate) const VOCABULARY: usize = 12;
/// Statics of the patients of the script.
pub(crate) const STATICS: usize = 2;

/// Outputs of `tests/golden/systems.py`.
fn golden() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| serde_json::from_str(include_str!("../../tests/golden/systems.json")).unwrap())
}

/// The numbers of that name.
pub(crate) fn expected(name: &str) -> Vec<f64> {
    let values = golden()[name].as_array().unwrap_or_else(|| panic!("{name} is not in systems.json"));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The patients of the script: four visits, none, one, and three of which one is empty.
pub(crate) fn patients() -> Vec<VisitSequence> {
    let patient = |patient: &Value| {
        let statics = patient["statics"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32);
        let mut sequence = VisitSequence::new(statics.collect());
        for visit in patient["visits"].as_array().unwrap() {
            let codes = visit["codes"].as_array().unwrap().iter().map(|code| code.as_u64().unwrap() as u32);
            sequence.push(visit["days"].as_f64().unwrap() as f32, visit["planned"].as_bool().unwrap(), codes);
        }
        sequence
    };
    golden()["patients"].as_array().unwrap().iter().map(patient).collect()
}

/// The same in one batch.
pub(crate) fn batch() -> VisitBatch {
    VisitBatch::new(&patients())
}

/// `count` patients of noise with up to six visits of up to three codes each.
pub(crate) fn random_patients(count: usize) -> Vec<VisitSequence> {
    let patient = |row: usize| {
        let mut draw = noise(&format!("patient {row}"), 100).map(|value| f64::from(value) * 0.5 + 0.5);
        // in 0..bound: the draws are below 1
        let mut below = |bound: f64| (draw.next().unwrap() * bound) as usize;
        let mut sequence = VisitSequence::new((0..STATICS).map(|_| below(100.0) as f32 / 50.0 - 1.0).collect());
        for _ in 0..below(7.0) {
            let (days, planned) = (below(400.0) as f32, below(2.0) == 1);
            let codes: Vec<u32> = (0..below(4.0)).map(|_| below(VOCABULARY as f64) as u32).collect();
            sequence.push(days, planned, codes);
        }
        sequence
    };
    (0..count).map(patient).collect()
}

/// The values of a tensor in row-major order.
pub(crate) fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.try_into_vec_as::<f64>().unwrap()
}

/// The model with the script's weights.
pub(crate) fn filled<M: Module>(model: M) -> M {
    parity::filled(model, &Device::flex())
}

/// Compares the output of a filled model; `tolerance` is of the golden values, which are near 1.
pub(crate) fn assert_golden<const D: usize>(found: Tensor<D>, name: &str, tolerance: f64) {
    assert_close(&values(found), &expected(name), tolerance, name);
}

/// Compares numbers one by one.
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < tolerance, "{what}[{at}]: {found} instead of {expected}");
    }
}

/// The loss that is left after `steps` of Adam on 8 patients of noise whose labels are drawn at random; a net of one
/// output that learns knows them by heart.
pub(crate) fn left_after<M: SequenceNet>(net: M, steps: u64, rate: f64) -> f64 {
    let device = Device::flex().autodiff();
    // each has something to read
    let patients: Vec<VisitSequence> = random_patients(40)
        .into_iter()
        .filter(|patient| (0..patient.len()).any(|visit| !patient.codes(visit).is_empty()))
        .take(8)
        .collect();
    let batch = VisitBatch::new(&patients);
    let labels = TensorData::new(vec![1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0], [8, 1]);
    let labels = Tensor::<2>::from_data(labels, &device);
    let loss = |logits| BinaryCrossEntropy::default().forward(logits, labels.clone(), None, Reduction::Mean);
    let mut optimizer = OptimizerConfig::adam().init();
    let mut net = net;
    for step in 0..steps {
        let gradients = loss(net.logits(&batch, Some(&mut rng(1, &[step])))).backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = optimizer.step(rate, net, gradients);
    }
    loss(net.logits(&batch, None)).try_into_scalar::<f64>().unwrap()
}
