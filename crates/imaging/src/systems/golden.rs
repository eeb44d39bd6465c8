//! What tests of the systems share: weights that a script can compute as well, files of PyTorch, and learning by heart.

pub(crate) use nn_core::parity::noise;

use std::sync::OnceLock;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::losses::{CrossEntropy, Reduction};
use nn_core::optim::OptimizerConfig;
use nn_core::parity;
use nn_core::store::{Layout, Metadata, PyTorchImport, Report, import_pytorch, to_safetensors_as};
use serde_json::Value;

use super::{Classifier, ClassifyConfig, SegmentConfig, Segmenter};

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

/// The model with the script's weights.
pub(crate) fn filled<M: Module>(model: M) -> M {
    parity::filled(model, &Device::flex())
}

/// The input of a golden value: noise.
pub(crate) fn input<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<D> {
    let values: Vec<f32> = noise(name, shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Compares the output of a model; of large ones the script keeps every n-th number, so that 400 or fewer are left.
/// `tolerance` is by the largest of the golden values.
pub(crate) fn assert_golden<const D: usize>(found: Tensor<D>, name: &str, tolerance: f64) {
    let (found, expected) = (found.try_into_vec_as::<f64>().unwrap(), expected(name));
    let step = found.len().div_ceil(400).max(1);
    assert_eq!(found.len().div_ceil(step), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (at, (found, expected)) in found.iter().step_by(step).zip(&expected).enumerate() {
        assert!((found - expected).abs() < tolerance * largest, "{name}[{at}]: {found} instead of {expected}");
    }
}

/// The model with the weights of a file of PyTorch, of which none may be missing or left over.
pub(crate) fn imported<M: Module>(model: M, name: &str, file: &[u8], options: &PyTorchImport) -> M {
    let (model, report) = partly_imported(model, name, file, options);
    report.complete().unwrap();
    model
}

/// The model with those weights of a file of PyTorch that fit, and what became of them, sorted.
pub(crate) fn partly_imported<M: Module>(model: M, name: &str, file: &[u8], options: &PyTorchImport) -> (M, Report) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, file).unwrap();
    let (model, mut report) = import_pytorch(model, &path, options).unwrap();
    [&mut report.applied, &mut report.missing, &mut report.unused].into_iter().for_each(|names| names.sort());
    (model, report)
}

/// Compares the names of a network's weights in PyTorch's layout with those that torchvision gives them.
pub(crate) fn is_named<M: Module>(net: &M, name: &str) {
    let bytes = to_safetensors_as(net, &Metadata::new(), Layout::PyTorch).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut found: Vec<String> =
        header.as_object().unwrap().keys().filter(|key| *key != "__metadata__").cloned().collect();
    found.sort();
    let expected = golden()[format!("{name}.names").as_str()].as_array().unwrap();
    let expected: Vec<&str> = expected.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(found, expected);
}

/// The cross-entropy that is left after `steps` of Adam on two noisy images with a disc (a ball) of each class; a
/// network that learns knows them by heart.
pub(crate) fn segments_by_heart(config: &SegmentConfig, steps: u64, rate: f64) -> f64 {
    let device = Device::flex().autodiff();
    let classes = config.classes();
    let output = if config.dims() == 2 { [64, 64, 1] } else { [16, 16, 8] };
    let (size, margin) = (config.input_for(output), config.margin());
    let (mut image, mut labels) = (Vec::new(), Vec::new());
    for row in 0..2 {
        let noise: Vec<f32> = noise(&format!("image {row}"), size.iter().product()).collect();
        for (voxel, noise) in noise.into_iter().enumerate() {
            let at = [voxel % size[0], voxel / size[0] % size[1], voxel / (size[0] * size[1])];
            // class c is centred c parts along i, and the discs of the second image lie lower
            let label = (1..classes).find(|&class| {
                let centre = [
                    size[0] as f64 * class as f64 / classes as f64,
                    size[1] as f64 * (0.45 + 0.1 * f64::from(row)),
                    size[2] as f64 / 2.0,
                ];
                let radius = output[0] as f64 / (2.5 * classes as f64);
                let squared: f64 = (0..3).map(|axis| (at[axis] as f64 + 0.5 - centre[axis]).powi(2)).sum();
                squared < radius * radius
            });
            let label = label.unwrap_or(0);
            image.push(label as f32 + 0.3 * noise);
            if (0..3).all(|axis| at[axis] >= margin[axis] && at[axis] < size[axis] - margin[axis]) {
                labels.push(label as i64);
            }
        }
    }
    let inner: [usize; 3] = std::array::from_fn(|axis| size[axis] - 2 * margin[axis]);
    let x = TensorData::new(image, [2, 1, size[2], size[1], size[0]]);
    let x = Tensor::<5>::from_data(x, &device);
    let labels = TensorData::new(labels, [2, inner[2], inner[1], inner[0]]);
    let labels = Tensor::<4, Int>::from_data(labels, &device);
    let loss = |maps: Vec<Tensor<5>>| {
        let finest = maps.into_iter().next().unwrap();
        CrossEntropy::default().forward(finest, labels.clone(), Reduction::Mean)
    };
    let mut optimizer = OptimizerConfig::adam().init();
    let mut net = config.init(&device, &mut rng(1, &[])).unwrap();
    for step in 0..steps {
        let gradients = loss(net.maps(x.clone(), Some(&mut rng(1, &[step])))).backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = optimizer.step(rate, net, gradients);
    }
    loss(net.maps(x, None)).try_into_scalar::<f64>().unwrap()
}

/// The cross-entropy that is left after `steps` of Adam on 8 noisy pictures, whose class is their brightness.
pub(crate) fn classifies_by_heart(config: &ClassifyConfig, size: usize, steps: u64, rate: f64) -> f64 {
    let device = Device::flex().autodiff();
    let rows = 8;
    let classes: Vec<i64> = (0..rows).map(|row| (row % config.classes()) as i64).collect();
    let picture = config.channels() * size * size;
    let x: Vec<f32> = noise("pictures", rows * picture)
        .enumerate()
        .map(|(at, noise)| noise + classes[at / picture] as f32 - 1.0)
        .collect();
    let x = Tensor::<4>::from_data(TensorData::new(x, [rows, config.channels(), size, size]), &device);
    let classes = Tensor::<1, Int>::from_data(TensorData::new(classes, [rows]), &device);
    let loss = |logits: Tensor<2>| CrossEntropy::default().forward(logits, classes.clone(), Reduction::Mean);
    let mut optimizer = OptimizerConfig::adam().init();
    let mut net = config.init(&device, &mut rng(1, &[])).unwrap();
    for step in 0..steps {
        let gradients = loss(net.logits(x.clone(), Some(&mut rng(1, &[step])))).backward();
        let gradients = GradientsParams::from_grads(gradients, &net);
        net = optimizer.step(rate, net, gradients);
    }
    loss(net.logits(x, None)).try_into_scalar::<f64>().unwrap()
}
