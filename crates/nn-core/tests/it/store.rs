//! Weight files from outside: PyTorch's results, hostile checkpoints, strictness.
//!
//! The golden files are made by `tests/golden/torch_toy.py` (PyTorch 2.15) and `tests/golden/evil_pickle.py`.

mod damage;

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::store::{self, Layout, Metadata, PyTorchImport, Report, StoreError};
use serde::Deserialize;

/// PyTorch and burn both compute in float32 here; outputs are of size 1.
const TOLERANCE: f32 = 1e-5;

#[derive(Module, Debug)]
struct Toy {
    fc1: Linear,
    norm: BatchNorm,
    fc2: Linear,
}

fn toy(hidden: usize, device: &Device) -> Toy {
    Toy {
        fc1: LinearConfig::new(3, hidden).init(device),
        norm: BatchNormConfig::new(hidden).init(device),
        fc2: LinearConfig::new(hidden, 2).init(device),
    }
}

impl Toy {
    fn predict(&self, inputs: &[[f32; 3]]) -> Vec<f32> {
        let flat: Vec<f32> = inputs.iter().flatten().copied().collect();
        let x = Tensor::<2>::from_data(TensorData::new(flat, [inputs.len(), 3]), &Device::flex());
        self.fc2.forward(relu(self.norm.forward(self.fc1.forward(x)))).try_into_vec_as::<f32>().unwrap()
    }
}

#[derive(Deserialize)]
struct Golden {
    inputs: Vec<[f32; 3]>,
    imported: Vec<[f32; 2]>,
    exported: Vec<[f32; 2]>,
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn expected() -> Golden {
    serde_json::from_slice(&fs::read(golden("toy.json")).unwrap()).unwrap()
}

fn assert_predictions(model: &Toy, inputs: &[[f32; 3]], expected: &[[f32; 2]]) {
    let found = model.predict(inputs);
    assert_eq!(found.len(), 2 * expected.len());
    for (found, expected) in found.iter().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < TOLERANCE, "{found} instead of {expected}");
    }
}

fn metadata() -> Metadata {
    Metadata::from([
        (store::ARCHITECTURE.to_string(), "toy".to_string()),
        (store::CONFIG.to_string(), r#"{"hidden":4,"unit":"µmol/l"}"#.to_string()),
    ])
}

#[test]
fn exported_weights_are_what_pytorch_reads_and_predicts_from() {
    let bytes = fs::read(golden("toy_export.safetensors")).unwrap();
    let (model, read) = store::from_safetensors(toy(4, &Device::flex()), &bytes).unwrap();
    assert_eq!(read, metadata());
    // The bytes that the script's own writer made and the safetensors package read into PyTorch.
    assert!(store::to_safetensors_as(&model, &metadata(), Layout::PyTorch).unwrap() == bytes);
    let golden = expected();
    assert_predictions(&model, &golden.inputs, &golden.exported);
    // Weights on the training device are exported alike.
    let training = toy(4, &Device::flex().autodiff());
    let (training, _) = store::from_safetensors(training, &bytes).unwrap();
    assert!(store::to_safetensors_as(&training, &metadata(), Layout::PyTorch).unwrap() == bytes);
    assert!(training.fc1.weight.val().is_require_grad());
}

#[test]
fn a_state_dict_of_pytorch_is_imported_with_a_report() {
    let (model, report) =
        store::import_pytorch(toy(4, &Device::flex()), &golden("toy.pt"), &PyTorchImport::default()).unwrap();
    assert_eq!(report.applied.len(), 8);
    assert_eq!((report.missing.len(), report.unused.as_slice()), (0, &["norm.num_batches_tracked".to_string()][..]));
    report.complete().unwrap();
    let golden_values = expected();
    assert_predictions(&model, &golden_values.inputs, &golden_values.imported);

    // The same weights as float64, nested and renamed.
    let options = PyTorchImport {
        top_level_key: Some("state_dict".to_string()),
        renames: vec![("^module\\.".to_string(), String::new())],
        ..PyTorchImport::default()
    };
    let (nested, again) = store::import_pytorch(toy(4, &Device::flex()), &golden("toy_nested.pt"), &options).unwrap();
    assert_eq!(again, report);
    let bytes = |model: &Toy| store::to_safetensors(model, &Metadata::new()).unwrap();
    assert!(bytes(&nested) == bytes(&model));
}

#[test]
fn safetensors_files_of_other_programs_are_imported_too() {
    let path = golden("toy_export.safetensors");
    let (model, report) = store::import_pytorch(toy(4, &Device::flex()), &path, &PyTorchImport::default()).unwrap();
    assert_eq!((report.missing.len(), report.unused.len()), (0, 0));
    let golden_values = expected();
    assert_predictions(&model, &golden_values.inputs, &golden_values.exported);
}

#[test]
fn what_an_import_leaves_open_is_named() {
    let device = Device::flex();
    let options = PyTorchImport { renames: vec![("^fc2".to_string(), "head".to_string())], ..PyTorchImport::default() };
    let (_, report) = store::import_pytorch(toy(4, &device), &golden("toy.pt"), &options).unwrap();
    assert_eq!(report.missing, ["fc2.bias", "fc2.weight"]);
    assert_eq!(report.unused, ["head.bias", "head.weight", "norm.num_batches_tracked"]);
    let error = report.complete().unwrap_err().to_string();
    assert!(error.contains("missing from the file: fc2.bias, fc2.weight"), "{error}");
    assert!(error.contains("head.weight") && !error.contains("num_batches_tracked"), "{error}");

    let import = |hidden, options: &PyTorchImport| -> Result<Report, StoreError> {
        store::import_pytorch(toy(hidden, &Device::flex()), &golden("toy.pt"), options).map(|(_, report)| report)
    };
    let error = import(5, &PyTorchImport::default()).unwrap_err().to_string();
    assert!(error.contains("toy.pt") && error.contains("fc1.weight") && error.contains('5'), "{error}");
    let clash = PyTorchImport { renames: vec![("fc[12]".to_string(), "fc".to_string())], ..PyTorchImport::default() };
    assert!(import(4, &clash).unwrap_err().to_string().contains("two tensors are called \"fc.bias\""));
    let broken = PyTorchImport { renames: vec![("(".to_string(), String::new())], ..PyTorchImport::default() };
    assert!(import(4, &broken).unwrap_err().to_string().contains("not a regular expression"));
    let absent = PyTorchImport { top_level_key: Some("ema".to_string()), ..PyTorchImport::default() };
    assert!(import(4, &absent).unwrap_err().to_string().contains("ema"));
}

#[test]
fn a_checkpoint_that_would_run_code_is_refused_and_runs_nothing() {
    for name in ["evil_entry.pt", "evil_popped.pt", "evil_stack_global.pt", "evil_plain.pt"] {
        let layer: Linear = LinearConfig::new(3, 2).init(&Device::flex());
        let error = store::import_pytorch(layer, &golden(name), &PyTorchImport::default()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("refused") && error.contains("pickle"), "{error}");
        let named = error.contains("calls for os.system") || error.contains("puts together the name");
        assert!(named, "{error}");
    }
    assert!(!Path::new("galen-pickle-was-run").exists());
}

#[test]
fn damaged_checkpoints_of_pytorch_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pt");
    let whole = fs::read(golden("toy.pt")).unwrap();
    let import = || store::import_pytorch(toy(4, &Device::flex()), &path, &PyTorchImport::default());
    for length in (0..whole.len()).step_by(64) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = import().unwrap_err().to_string();
        assert!(error.contains("cut.pt"), "{error}");
    }
    fs::write(&path, b"weights, honestly").unwrap();
    assert!(import().unwrap_err().to_string().contains("not an archive as PyTorch 1.6"));
    fs::remove_file(&path).unwrap();
    assert!(matches!(import(), Err(StoreError::Read { .. })));
}

#[test]
fn reading_is_strict_and_lists_every_difference() {
    let device = Device::flex();
    let bytes = store::to_safetensors(&toy(4, &device), &metadata()).unwrap();
    let error = store::from_safetensors(toy(5, &device), &bytes).unwrap_err();
    let StoreError::Mismatch(mismatch) = &error else { panic!("{error}") };
    assert_eq!((mismatch.missing.len(), mismatch.unused.len(), mismatch.different.len()), (0, 0, 7));
    assert_eq!(mismatch.different[0], "fc1.bias is F32 [4] in the file, F32 [5] in the model");

    let layer: Linear = LinearConfig::new(3, 2).init(&device);
    let error = store::from_safetensors(layer, &bytes).unwrap_err();
    let StoreError::Mismatch(mismatch) = &error else { panic!("{error}") };
    assert_eq!(mismatch.missing, ["bias", "weight"]);
    assert_eq!(mismatch.unused.len(), 8);

    assert!(store::check_architecture(&metadata(), "toy").is_ok());
    let error = store::check_architecture(&metadata(), "deepdta").unwrap_err().to_string();
    assert!(error.contains("of toy, the model is deepdta"), "{error}");
    let reserved = Metadata::from([("layout".to_string(), "mine".to_string())]);
    assert!(matches!(store::to_safetensors(&toy(4, &device), &reserved), Err(StoreError::Reserved(_))));
}

#[test]
fn files_are_written_read_and_named_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let device = Device::flex();
    let model = toy(4, &device);
    store::save(&model, &metadata(), &path).unwrap();
    assert!(fs::read(&path).unwrap() == store::to_safetensors(&model, &metadata()).unwrap());
    assert_eq!(store::load_metadata(&path).unwrap(), metadata());
    assert_eq!(store::load_metadata_of(&path, "toy").unwrap(), metadata());
    let error = store::load_metadata_of(&path, "deepdta").unwrap_err().to_string();
    assert!(error.contains("model.safetensors: the weights are of toy, the model is deepdta"), "{error}");
    let (again, read) = store::load(toy(4, &device), &path).unwrap();
    assert_eq!(read, metadata());
    let inputs = expected().inputs;
    assert_eq!(again.predict(&inputs), model.predict(&inputs));

    // Every prefix of the file is refused with its name, by both readers as far as the header goes.
    let whole = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = store::load(toy(4, &device), &path).unwrap_err().to_string();
        assert!(error.contains("model.safetensors"), "{error}");
        assert_eq!(store::load_metadata(&path).is_err(), length < header, "{length}");
    }
    fs::remove_file(&path).unwrap();
    let error = store::load(toy(4, &device), &path).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("model.safetensors"), "{error}");
    let nowhere = folder.path().join("absent/model.safetensors");
    assert!(matches!(store::save(&model, &metadata(), &nowhere), Err(StoreError::Write(_))));
}

#[test]
fn running_statistics_not_yet_averaged_in_are_saved_and_do_not_leak_into_loaded_ones() {
    let device = Device::flex().autodiff();
    let bytes = fs::read(golden("toy_export.safetensors")).unwrap();
    let (model, _) = store::from_safetensors(toy(4, &device), &bytes).unwrap();
    let x = Tensor::<2>::from_data(TensorData::new(vec![1.0f32, -2.0, 0.5, 3.0, 0.0, 1.0], [2, 3]), &device);
    let train = |model: &Toy| drop(model.norm.forward(model.fc1.forward(x.clone())));
    train(&model);
    let save = |model: &Toy| store::to_safetensors_as(model, &metadata(), Layout::PyTorch).unwrap();
    // The step noted new statistics: they are in the file, and saving again gives the same file.
    let after = save(&model);
    assert!(after != bytes && save(&model) == after);
    // Loading right after another step gives what was loaded.
    train(&model);
    let (model, _) = store::from_safetensors(model, &bytes).unwrap();
    train(&model);
    assert!(save(&model) == after);
}
