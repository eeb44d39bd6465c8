//! The perceptron against PyTorch, closed forms and scikit-learn's digits.

use std::io::Read as _;
use std::sync::atomic::AtomicBool;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::golden::{assert_close, assert_gradients, counts, numbers, tensor, values, with_parameters};
use super::*;
use crate::data::{Shuffled, rng};
use crate::optim::OptimizerConfig;
use crate::train::{FitConfig, Monitor, Objective, StepContext, Supervised, TRAIN_LOSS, fit};

/// Of single precision: sums of some ten products of numbers around 1 lose about 1e-6.
const TOLERANCE: f64 = 1e-5;
const CONTEXT: StepContext = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/mlp.json")).unwrap()
}

#[test]
fn activations_and_their_slopes_are_those_of_pytorch() {
    let golden = golden();
    let activations = golden["activations"].as_object().unwrap();
    assert_eq!(activations.len(), 1 + 9);
    let grid = numbers(&activations["x"]);
    let device = Device::flex().autodiff();
    let at = |x: Vec<f64>, dtype: DType| {
        let length = x.len();
        Tensor::<1>::from_data(TensorData::new(x, [length]), (&device, dtype))
    };
    for (name, expected) in activations.iter().filter(|(name, _)| *name != "x") {
        let activation: Activation = serde_json::from_value(Value::from(name.as_str())).unwrap();
        // the file has ten digits
        for (dtype, tolerance) in [(DType::F64, 1e-9), (DType::F32, TOLERANCE)] {
            let x = at(grid.clone(), dtype).require_grad();
            let y = activation.forward(x.clone());
            let slope = x.grad(&y.clone().sum().backward()).unwrap();
            assert_close(&values(y), &numbers(&expected["y"]), tolerance, name);
            assert_close(&values(slope.clone()), &numbers(&expected["slope"]), tolerance, name);
            if dtype == DType::F64 {
                // error of a central difference: 2⁻⁵³ |y| / h of rounding, h² y''' / 6 of the series
                let step = |x: &f64| 1e-6 * x.abs().max(1.0);
                let shifted = |sign: f64| grid.iter().map(|x| x + sign * step(x)).collect::<Vec<_>>();
                let [up, down] = [1.0, -1.0].map(|sign| values(activation.forward(at(shifted(sign), dtype))));
                let difference: Vec<f64> =
                    grid.iter().zip(up.iter().zip(&down)).map(|(x, (u, d))| (u - d) / (2.0 * step(x))).collect();
                assert_close(&values(slope), &difference, 1e-8, name);
            }
        }
    }
}

fn config(network: &Value) -> MlpConfig {
    MlpConfig {
        inputs: network["inputs"].as_u64().unwrap() as usize,
        hidden: counts(&network["hidden"]),
        heads: counts(&network["heads"]),
        activation: serde_json::from_value(network["activation"].clone()).unwrap(),
        norm: serde_json::from_value(network["norm"].clone()).unwrap(),
        ..MlpConfig::default()
    }
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let device = Device::flex().autodiff();
    for network in golden()["networks"].as_array().unwrap() {
        let config = config(network);
        let width = config.heads.iter().sum::<usize>();
        let model = config.init(&device, &mut rng(1, &[])).unwrap();
        let model = with_parameters(model, &network["parameters"], &device);
        let x = tensor(&network["x"], [6, config.inputs], &device);
        let heads = model.forward(x.clone(), None);
        assert_eq!(heads.iter().map(|head| head.dims()[1]).collect::<Vec<_>>(), config.heads);
        let y = model.logits(x, None);
        assert_eq!(values(Tensor::cat(heads, 1)), values(y.clone()));
        assert_close(&values(y.clone()), &numbers(&network["y"]), TOLERANCE, "outputs");
        let loss = (y * tensor(&network["coefficients"], [6, width], &device)).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        assert_gradients(&model, &gradients, &network["parameters"], TOLERANCE);
    }
}

#[test]
fn parameters_are_as_many_as_the_layers_have() {
    let device = Device::flex();
    let count = |config: MlpConfig| config.init(&device, &mut rng(1, &[])).unwrap().num_params();
    let plain = MlpConfig { heads: vec![3, 2], ..MlpConfig::new(5, &[7, 6], 1) };
    let dense = (5 * 7 + 7) + (7 * 6 + 6) + (6 * 3 + 3) + (6 * 2 + 2);
    assert_eq!(count(plain.clone()), dense);
    assert_eq!(count(MlpConfig { norm: Norm::Layer, ..plain.clone() }), dense + 2 * (7 + 6));
    // burn counts the running means and variances too
    assert_eq!(count(MlpConfig { norm: Norm::Batch, ..plain }), dense + 4 * (7 + 6));
    assert_eq!(count(MlpConfig::logistic_regression(64, 10)), 650);
}

#[test]
fn the_penalty_is_that_of_the_weights_alone() {
    let device = Device::flex().autodiff();
    let golden = golden();
    let network = &golden["networks"][2];
    let weights: Vec<f64> = network["parameters"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("weight"))
        .flat_map(|(_, parameter)| numbers(&parameter["value"]))
        .collect();
    let (absolute, squares) =
        weights.iter().fold((0.0, 0.0), |(absolute, squares), w| (absolute + w.abs(), squares + w * w));
    for (l1, l2) in [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)] {
        let config = MlpConfig { l1, l2, ..config(network) };
        let model = config.init(&device, &mut rng(1, &[])).unwrap();
        let model = with_parameters(model, &network["parameters"], &device);
        let Some(penalty) = model.penalty() else {
            assert_eq!((l1, l2), (0.0, 0.0));
            continue;
        };
        assert_close(&values(penalty.clone()), &[l1 * absolute + l2 * squares], TOLERANCE, "penalty");
        let gradients = GradientsParams::from_grads(penalty.backward(), &model);
        let weight = &model.heads[1].weight;
        let expected: Vec<f64> = values(weight.val()).iter().map(|w| l1 * w.signum() + 2.0 * l2 * w).collect();
        let found = gradients.get::<2>(weight.id).unwrap();
        assert_close(&values(found), &expected, TOLERANCE, "gradient of the penalty");
        assert!(gradients.get::<1>(model.heads[1].bias.as_ref().unwrap().id).is_none());
    }
}

#[test]
fn dropout_acts_with_a_generator_only_and_is_its_function() {
    let device = Device::flex();
    let config = MlpConfig { dropout: 0.5, input_dropout: 0.2, ..MlpConfig::new(6, &[40], 3) };
    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let x = Tensor::<2>::ones([4, 6], &device);
    let with = |stream| values(model.logits(x.clone(), Some(&mut rng(2, &[stream]))));
    let without = values(model.logits(x.clone(), None));
    assert_eq!(without, values(model.logits(x.clone(), None)));
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
    assert_ne!(with(1), without);
    // of 160 hidden units about half are zero besides those that are negative
    let features = values(model.features(x, Some(&mut rng(2, &[3]))));
    assert!(features.iter().filter(|&&unit| unit == 0.0).count() > 60);
}

#[test]
fn configurations_are_checked_and_stored() {
    let good = MlpConfig { heads: vec![2, 4], norm: Norm::Layer, l2: 1e-4, ..MlpConfig::new(3, &[5], 1) };
    assert_eq!(good.validate(), Ok(()));
    let text = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<MlpConfig>(&text).unwrap(), good);
    assert!(serde_json::from_str::<MlpConfig>(r#"{"layers": 3}"#).is_err());
    let field = |config: MlpConfig| match config.validate() {
        Err(ConfigError::OutOfRange { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(MlpConfig { inputs: 0, ..good.clone() }), "inputs");
    assert_eq!(field(MlpConfig { hidden: vec![3, 0], ..good.clone() }), "hidden");
    assert_eq!(field(MlpConfig { heads: vec![], ..good.clone() }), "heads");
    assert_eq!(field(MlpConfig { heads: vec![0], ..good.clone() }), "heads");
    assert_eq!(field(MlpConfig { dropout: 1.0, ..good.clone() }), "dropout");
    assert_eq!(field(MlpConfig { input_dropout: -0.1, ..good.clone() }), "input_dropout");
    assert_eq!(field(MlpConfig { l1: f64::NAN, ..good.clone() }), "l1");
    assert_eq!(field(MlpConfig { l2: -1.0, ..good }), "l2");
}

/// Logits that are the table's columns, times 1 and plus 0, which both have gradients.
#[derive(Module, Debug)]
struct Columns {
    factor: Param<Tensor<2>>,
    shift: Param<Tensor<2>>,
}

impl Columns {
    fn new(width: usize, device: &Device) -> Self {
        let param = |value: f32| Param::from_data(TensorData::new(vec![value; width], [1, width]), device);
        Self { factor: param(1.0), shift: param(0.0) }
    }
}

impl TableModel for Columns {
    fn logits(&self, x: Tensor<2>, _rng: Option<&mut rand_chacha::ChaCha8Rng>) -> Tensor<2> {
        x * self.factor.val() + self.shift.val()
    }
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

/// The three tasks of the golden file, and what their loss is with and without weights.
fn tasks(losses: &Value) -> Vec<(Task, Vec<f32>, &'static str, [f64; 2])> {
    let three = |key: &str| (3, floats(&losses[key]));
    let (labels, values) = (three("labels"), three("values"));
    let targets = [
        (Targets::Classes { count: 3, rows: counts(&losses["classes"]) }, "row_weights", "cross_entropy"),
        (Targets::Labels { width: labels.0, values: labels.1 }, "entry_weights", "binary"),
        (Targets::Values { width: values.0, values: values.1 }, "entry_weights", "squared"),
    ];
    let entry = |(targets, mask, name): (Targets, &str, &'static str)| {
        let expected = numbers(&losses[name]);
        (Task::new(name, targets), floats(&losses[mask]), name, [expected[0], expected[1]])
    };
    targets.into_iter().map(entry).collect()
}

#[test]
fn losses_and_metrics_are_those_of_pytorch() {
    let device = Device::flex();
    let golden = golden();
    let losses = &golden["losses"];
    let model = Columns::new(3, &device.clone().autodiff());
    let rows = [0, 1, 2, 3];
    for (task, mask, name, expected) in tasks(losses) {
        for (task, expected) in [task.clone(), task.clone().with_mask(mask)].into_iter().zip(expected) {
            let features = floats(&losses["logits"]);
            let objective = TableObjective::<Columns>::new(features, 3, vec![task], rows.to_vec(), &device).unwrap();
            let loss = objective.loss(&model, &rows, &CONTEXT).unwrap();
            assert_eq!(loss.dims(), [1]);
            assert_close(&values(loss), &[expected], TOLERANCE, name);
            // from single-precision logits, in double precision
            let metrics = objective.validate(&model.valid()).unwrap();
            assert_close(&[metrics[0].1], &[expected], 1e-6, name);
        }
    }
}

#[test]
fn tasks_add_up_and_unknown_targets_do_not_count() {
    let device = Device::flex();
    let golden = golden();
    let losses = &golden["losses"];
    let logits = floats(&losses["logits"]);
    let features: Vec<f32> = logits.chunks(3).flat_map(|row| [row, row, row].concat()).collect();
    let found = tasks(losses);
    let weights = [1.0, 0.5, 2.0];
    let expected: f64 = found.iter().zip(weights).map(|((.., values), weight)| f64::from(weight) * values[0]).sum();
    let together: Vec<Task> =
        found.iter().zip(weights).map(|((task, ..), weight)| task.clone().with_weight(weight)).collect();
    let model = Columns::new(9, &device.clone().autodiff());
    let rows = [0, 1, 2, 3];
    let objective = TableObjective::<Columns>::new(features, 9, together, rows.to_vec(), &device).unwrap();
    let loss = objective.loss(&model, &rows, &CONTEXT).unwrap();
    assert_close(&values(loss), &[expected], TOLERANCE, "sum of the tasks");
    let names: Vec<String> = objective.validate(&model.valid()).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], "cross_entropy.cross_entropy");
    assert!(names.contains(&"binary.auroc".to_owned()) && names.contains(&"squared.mse".to_owned()), "{names:?}");

    let loss = |value: f32, mask: Vec<f32>| {
        let task = Task::new("y", Targets::Values { width: 1, values: vec![1.0, value] }).with_mask(mask);
        let model = Columns::new(1, &device.clone().autodiff());
        let objective = TableObjective::<Columns>::new(vec![3.0, 3.0], 1, vec![task], vec![], &device).unwrap();
        let loss = objective.loss(&model, &[0, 1], &CONTEXT).unwrap();
        assert!(objective.validate(&model.valid()).unwrap().is_empty());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        (values(loss), values(gradients.get::<2>(model.shift.id).unwrap()))
    };
    assert_eq!(loss(7.0, vec![1.0, 0.0]), (vec![4.0], vec![4.0]));
    assert_eq!(loss(-8e3, vec![1.0, 0.0]), (vec![4.0], vec![4.0]));
    assert_eq!(loss(7.0, vec![0.0, 0.0]), (vec![0.0], vec![0.0]));
}

#[test]
fn a_label_pulls_a_logit_of_zero_by_a_half() {
    // d/dx of −ln σ(x) at 0 is −1/2: a maximum or a modulus inside the loss would have no slope there
    let device = Device::flex();
    let model = Columns::new(2, &device.clone().autodiff());
    let task = Task::new("y", Targets::Labels { width: 2, values: vec![1.0, 0.0] });
    let objective = TableObjective::<Columns>::new(vec![0.0, 0.0], 2, vec![task], vec![], &device).unwrap();
    let loss = objective.loss(&model, &[0], &CONTEXT).unwrap();
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    assert_close(&values(gradients.get::<2>(model.shift.id).unwrap()), &[-0.25, 0.25], 1e-7, "mean of two");
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let classes = |count, rows: Vec<usize>| Task::new("y", Targets::Classes { count, rows });
    let refused = |features: Vec<f32>, columns, task: Task, validation: Vec<usize>| {
        TableObjective::<Mlp>::new(features, columns, vec![task], validation, &device).unwrap_err().to_string()
    };
    let features = vec![0.0; 6];
    let two = || classes(2, vec![0, 1, 1]);
    assert!(TableObjective::<Mlp>::new(features.clone(), 2, vec![two()], vec![], &device).is_ok());
    for (error, part) in [
        (refused(features.clone(), 4, two(), vec![]), "the feature table has 6 numbers, 4 are needed for 1 rows"),
        (refused(features.clone(), 3, two(), vec![]), "task y has 3 numbers, 2 are needed"),
        (refused(features.clone(), 2, two(), vec![3]), "row 3 was asked for, the table has 3"),
        (refused(features.clone(), 2, classes(2, vec![0, 1, 2]), vec![]), "task y of row 2 is 2"),
        (refused(features.clone(), 2, classes(0, vec![]), vec![]), "task y has 0 numbers, 3 are needed"),
        (refused(features.clone(), 2, two().with_weight(f32::NAN), vec![]), "the weight of task y is NaN"),
        (refused(features.clone(), 2, two().with_mask(vec![1.0, -1.0, 1.0]), vec![]), "the mask of task y of row 1"),
        (refused(vec![0.0, 1.0, f32::NAN, 0.0, 0.0, 0.0], 2, two(), vec![]), "feature of row 1 is NaN"),
    ] {
        assert!(error.contains(part), "{error}");
    }
    let wide = MlpConfig::new(2, &[], 3).init(&device.clone().autodiff(), &mut rng(1, &[])).unwrap();
    let objective = TableObjective::<Mlp>::new(features, 2, vec![two()], vec![], &device).unwrap();
    let error = objective.loss(&wide, &[0], &CONTEXT).unwrap_err().to_string();
    assert_eq!(error, "the model has 3 outputs, the tasks need 2");
    assert!(objective.loss(&wide, &[5], &CONTEXT).unwrap_err().to_string().contains("row 5"));
}

/// Pixels in 0 to 1 and the digit of each row.
fn digits() -> (Vec<f32>, Vec<usize>) {
    let mut text = String::new();
    let bytes: &[u8] = include_bytes!("../../../../../data/samples/digits.csv.gz");
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let row: Vec<f32> = line.split(',').map(|field| field.trim().parse().unwrap()).collect();
        let (&class, row) = row.split_last().unwrap();
        classes.push(class as usize);
        pixels.extend(row.iter().map(|pixel| pixel / 16.0));
    }
    (pixels, classes)
}

#[test]
fn digits_are_learnt_as_well_as_by_scikit_learn() {
    let test = counts(&golden()["digits_test"]);
    let (pixels, classes) = digits();
    assert_eq!((pixels.len(), classes.len(), test.len()), (1797 * 64, 1797, 360));
    let train: Vec<usize> = (0..1797).filter(|row| !test.contains(row)).collect();
    let device = Device::flex();
    // scikit-learn 1.9: LogisticRegression 0.9639, MLPClassifier(64) 0.9778 with each of three seeds. The same training
    // by PyTorch, eight seeds: at least 0.9667 and 0.9750. One row is 0.0028.
    for (config, epochs, rate, least) in
        [(MlpConfig::logistic_regression(64, 10), 30, 1e-2, 0.955), (MlpConfig::new(64, &[64], 10), 40, 3e-3, 0.97)]
    {
        let task = Task::new("digit", Targets::Classes { count: 10, rows: classes.clone() });
        let objective = MlpObjective::new(pixels.clone(), 64, vec![task], test.clone(), &device).unwrap();
        let model = config.init(&device.clone().autodiff(), &mut rng(1, &[])).unwrap();
        let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "mlp");
        let run = FitConfig { restore_best: false, ..FitConfig::new(epochs, rate, Monitor::lower(TRAIN_LOSS)) };
        let order = Shuffled::new(train.clone(), 32);
        let outcome = fit(&mut learner, &order, &run, None, false, &mut (), &AtomicBool::new(false)).unwrap();
        let (name, accuracy) = &outcome.last_metrics[1];
        assert_eq!(name, "accuracy");
        assert!(*accuracy >= least, "{config:?}: {accuracy}");
    }
}
