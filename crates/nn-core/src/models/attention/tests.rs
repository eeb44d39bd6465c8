//! Attention against PyTorch and against what each form must do exactly.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor};
use rand::RngExt;
use serde_json::Value;

use super::*;
use crate::config::ConfigError;
use crate::data::rng;
use crate::models::mlp::golden::{assert_close, assert_gradients, counts, numbers, tensor, values, with_parameters};

/// Of single precision: sums of some ten products of numbers around 1 lose about 1e-6.
const TOLERANCE: f64 = 1e-5;

fn golden(block: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../../tests/golden/attention.json")).unwrap();
    all[block].clone()
}

fn on_autodiff() -> Device {
    Device::flex().autodiff()
}

/// An input of the file, whose gradient can be asked for.
fn input<const D: usize>(golden: &Value, name: &str) -> Tensor<D> {
    let input = &golden["inputs"][name];
    let shape: [usize; D] = counts(&input["shape"]).try_into().unwrap();
    tensor(&input["value"], shape, &on_autodiff()).require_grad()
}

/// Compares context, weights and the parameters' gradients; comes back with those of the inputs.
fn assert_golden<M: Module, const C: usize, const W: usize>(
    golden: &Value,
    model: &M,
    context: Tensor<C>,
    weights: Tensor<W>,
) -> Gradients {
    assert_close(&values(context.clone()), &numbers(&golden["context"]), TOLERANCE, "context");
    assert_close(&values(weights), &numbers(&golden["weights"]), TOLERANCE, "weights");
    let coefficients = tensor(&golden["coefficients"], context.dims(), &on_autodiff());
    let mut gradients = (context * coefficients).sum().backward();
    let of_parameters = GradientsParams::from_module(&mut gradients, model);
    assert_gradients(model, &of_parameters, &golden["parameters"], TOLERANCE);
    gradients
}

fn assert_input<const D: usize>(golden: &Value, gradients: &Gradients, name: &str, input: &Tensor<D>) {
    let found = values(input.grad(gradients).unwrap());
    assert_close(&found, &numbers(&golden["inputs"][name]["gradient"]), TOLERANCE, name);
}

fn random<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let mut noise = rng(seed, &[]);
    let numbers: Vec<f32> = (0..shape.iter().product::<usize>()).map(|_| noise.random::<f32>() * 4.0 - 2.0).collect();
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

/// Sums of rows of `width` numbers.
fn sums(numbers: &[f64], width: usize) -> Vec<f64> {
    numbers.chunks(width).map(|row| row.iter().sum()).collect()
}

#[test]
fn additive_attention_is_that_of_the_paper() {
    let golden = golden("additive");
    let device = on_autodiff();
    let config = AdditiveConfig { query: 3, key: 5, hidden: 6, bias: false };
    let model = with_parameters(config.init(&device, &mut rng(1, &[])).unwrap(), &golden["parameters"], &device);
    let (query, keys) = (input::<2>(&golden, "query"), input::<3>(&golden, "keys"));
    let excluded = padding(&counts(&golden["lengths"]), 4, &device);
    let Attended { context, weights } = model.forward(Some(query.clone()), keys.clone(), Some(excluded));
    assert_eq!(values(weights.clone())[6..], [0.0, 0.0]);
    let gradients = assert_golden(&golden, &model, context, weights);
    assert_input(&golden, &gradients, "query", &query);
    assert_input(&golden, &gradients, "keys", &keys);
}

#[test]
fn attention_over_a_feature_map_pools_its_places() {
    let golden = golden("map");
    let device = on_autodiff();
    let config = AdditiveConfig { query: 0, key: 3, hidden: 6, bias: true };
    let model = with_parameters(config.init(&device, &mut rng(1, &[])).unwrap(), &golden["parameters"], &device);
    let map = input::<4>(&golden, "map");
    let Attended { context, weights } = model.over_map(None, map.clone());
    assert_eq!((context.dims(), weights.dims()), ([2, 3], [2, 2, 4]));
    assert_close(&sums(&values(weights.clone()), 8), &[1.0, 1.0], 1e-6, "sum of the weights");
    let gradients = assert_golden(&golden, &model, context, weights);
    assert_input(&golden, &gradients, "map", &map);
}

fn multi_head(golden: &Value) -> MultiHead {
    let config = MultiHeadConfig { width: 8, heads: 2, dropout: 0.3, bias: true };
    let device = on_autodiff();
    with_parameters(config.init(&device, &mut rng(1, &[])).unwrap(), &golden["parameters"], &device)
}

#[test]
fn multi_head_attention_is_that_of_pytorch() {
    let golden_padded = golden("multi_head");
    let model = multi_head(&golden_padded);
    let [query, key, value] = ["query", "key", "value"].map(|name| input::<3>(&golden_padded, name));
    let padding = padding(&counts(&golden_padded["lengths"]), 5, &on_autodiff());
    let mask = Mask { padding: Some(padding), causal: false };
    let Attended { context, weights } = model.forward(query.clone(), key.clone(), value.clone(), &mask, None);
    assert_eq!(weights.dims(), [2, 2, 3, 5]);
    let gradients = assert_golden(&golden_padded, &model, context, weights);
    assert_input(&golden_padded, &gradients, "query", &query);
    assert_input(&golden_padded, &gradients, "key", &key);
    assert_input(&golden_padded, &gradients, "value", &value);

    let golden_causal = golden("causal");
    let model = multi_head(&golden_causal);
    let x = input::<3>(&golden_causal, "query");
    let mask = Mask { padding: None, causal: true };
    let Attended { context, weights } = model.forward(x.clone(), x.clone(), x.clone(), &mask, None);
    let gradients = assert_golden(&golden_causal, &model, context, weights);
    assert_input(&golden_causal, &gradients, "query", &x);
}

#[test]
fn equal_keys_share_the_weight() {
    let device = Device::flex();
    let keys = random([3, 1, 5], 1, &device).expand([3, 7, 5]);
    let config = AdditiveConfig { query: 4, key: 5, hidden: 6, bias: true };
    let model = config.init(&device, &mut rng(2, &[])).unwrap();
    let attended = model.forward(Some(random([3, 4], 3, &device)), keys.clone(), None);
    assert_close(&values(attended.weights), &[1.0 / 7.0; 21], 1e-6, "additive");
    let attended = scaled_dot_product(random([3, 2, 5], 4, &device), keys.clone(), keys, None);
    assert_close(&values(attended.weights), &[1.0 / 7.0; 42], 1e-6, "scaled dot product");
    let config = MultiHeadConfig { width: 6, heads: 3, ..MultiHeadConfig::default() };
    let model = config.init(&device, &mut rng(5, &[])).unwrap();
    let keys = random([2, 1, 6], 6, &device).expand([2, 4, 6]);
    let query = random([2, 5, 6], 7, &device);
    // the second sequence has three keys
    let mask = Mask { padding: Some(padding(&[4, 3], 4, &device)), causal: false };
    let weights = values(model.forward(query, keys.clone(), keys, &mask, None).weights);
    let third = 1.0 / 3.0;
    let expected: Vec<f64> = [[0.25; 4].repeat(15), [third, third, third, 0.0].repeat(15)].concat();
    assert_close(&weights, &expected, 1e-6, "multi-head");
}

#[test]
fn the_future_does_not_leak() {
    let device = Device::flex();
    let config = MultiHeadConfig { width: 8, heads: 2, ..MultiHeadConfig::default() };
    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let mask = Mask { padding: None, causal: true };
    let run = |x: Tensor<3>| {
        let attended = model.forward(x.clone(), x.clone(), x, &mask, None);
        (values(attended.context), values(attended.weights))
    };
    let (x, other) = (random([1, 6, 8], 2, &device), random([1, 6, 8], 3, &device));
    let (context, weights) = run(x.clone());
    assert_close(&sums(&weights, 6), &[1.0; 12], 1e-6, "sums of the weights");
    for (row, weights) in weights.chunks(6).enumerate() {
        assert!(weights[row % 6 + 1..].iter().all(|&weight| weight == 0.0), "step {row}: {weights:?}");
    }
    for past in 1..6 {
        let changed = Tensor::cat(vec![x.clone().narrow(1, 0, past), other.clone().narrow(1, past, 6 - past)], 1);
        let (found, _) = run(changed);
        assert_eq!(found[..past * 8], context[..past * 8], "the first {past} steps");
        assert!(found[past * 8..] != context[past * 8..], "the steps from {past} on");
    }
}

#[test]
fn padding_has_no_weight_and_changes_no_bit() {
    let device = Device::flex();
    let lengths = [5, 2, 0];
    let excluded = || padding(&lengths, 5, &device);
    // a thousand times larger numbers where nothing should be read
    let mask = excluded().float().unsqueeze_dim::<3>(2).expand([3, 5, 8]); // [3, 5, 8]
    let x = random([3, 5, 8], 1, &device);
    let filled = x.clone() + mask * 1000.0;

    let additive = AdditiveConfig { query: 4, key: 8, hidden: 6, bias: true }.init(&device, &mut rng(2, &[])).unwrap();
    let query = random([3, 4], 3, &device);
    let run = |keys: Tensor<3>| {
        let attended = additive.forward(Some(query.clone()), keys, Some(excluded()));
        (values(attended.context), values(attended.weights))
    };
    let (context, weights) = run(x.clone());
    assert_eq!(run(filled.clone()), (context.clone(), weights.clone()));
    assert_eq!(weights[7..], [0.0; 8], "a sequence of two steps and one of none");
    assert_eq!(context[16..], [0.0; 8]);
    assert_close(&sums(&weights, 5), &[1.0, 1.0, 0.0], 1e-6, "sums of the weights");

    let config = MultiHeadConfig { width: 8, heads: 2, ..MultiHeadConfig::default() };
    let model = config.init(&device, &mut rng(4, &[])).unwrap();
    let query = random([3, 3, 8], 5, &device);
    let run = |keys: Tensor<3>| {
        let mask = Mask { padding: Some(excluded()), causal: false };
        let attended = model.forward(query.clone(), keys.clone(), keys, &mask, None);
        (values(attended.context), values(attended.weights))
    };
    let (context, weights) = run(x.clone());
    assert_eq!(run(filled), (context.clone(), weights.clone()));
    for (row, weights) in weights.chunks(5).enumerate() {
        let length = lengths[row / 6];
        assert!(weights[length..].iter().all(|&weight| weight == 0.0), "row {row}: {weights:?}");
    }
    // alone, without any padding, up to the order of summation in a shorter row
    let short = model.forward(
        query.narrow(0, 1, 1),
        x.clone().slice([1..2, 0..2]),
        x.slice([1..2, 0..2]),
        &Mask::default(),
        None,
    );
    assert_close(&values(short.context), &context[24..48], TOLERANCE, "a batch of one");
}

#[test]
fn dropout_of_weights_acts_with_a_generator_only() {
    let device = Device::flex();
    let config = MultiHeadConfig { width: 8, heads: 2, dropout: 0.5, bias: false };
    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let x = random([2, 6, 8], 2, &device);
    let run = |rng: Option<&mut ChaCha8Rng>| {
        let attended = model.forward(x.clone(), x.clone(), x.clone(), &Mask::default(), rng);
        (values(attended.context), values(attended.weights))
    };
    let (still, weights) = run(None);
    let (noisy, same_weights) = run(Some(&mut rng(3, &[])));
    assert_eq!(weights, same_weights);
    assert_ne!(still, noisy);
    assert_eq!(run(Some(&mut rng(3, &[]))).0, noisy);
    assert_eq!(model.num_params(), 4 * 8 * 8);
}

#[test]
fn retain_is_that_of_the_paper() {
    let golden = golden("retain");
    let device = on_autodiff();
    let config = RetainConfig { embedding: 4, extra: 0, alpha: 5, beta: 6 };
    let model = with_parameters(config.init(&device, &mut rng(1, &[])).unwrap(), &golden["parameters"], &device);
    let v = input::<3>(&golden, "v");
    let retained = model.forward(v.clone(), None, &counts(&golden["lengths"]));
    let contributions = numbers(&golden["contributions"]);
    assert_close(&values(retained.contributions.clone()), &contributions, TOLERANCE, "contributions");
    let gradients = assert_golden(&golden, &model, retained.context, retained.alpha);
    assert_input(&golden, &gradients, "v", &v);
}

#[test]
fn retain_adds_up_and_reads_no_padding() {
    let device = Device::flex();
    let config = RetainConfig { embedding: 3, extra: 2, alpha: 5, beta: 4 };
    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let (batch, steps) = (4, 6);
    let lengths = [6, 1, 4, 3];
    let v: Tensor<3> = random([batch, steps, 3], 2, &device);
    let extra: Tensor<3> = random([batch, steps, 2], 3, &device);
    let found = model.forward(v.clone(), Some(extra.clone()), &lengths);
    let [context, alpha] = [found.context.clone(), found.alpha.clone()].map(values);
    let [beta, inputs] = [found.beta.clone(), v.clone()].map(values);
    assert_close(&sums(&alpha, steps), &[1.0; 4], 1e-6, "sums of alpha");
    assert!(beta.iter().all(|beta| beta.abs() <= 1.0));
    for (row, length) in lengths.into_iter().enumerate() {
        assert!(alpha[row * steps..][length..steps].iter().all(|&alpha| alpha == 0.0), "row {row}: {alpha:?}");
        // the sum over steps, in double precision
        let expected: Vec<f64> = (0..3)
            .map(|number| {
                let of = |step: usize| {
                    alpha[row * steps + step] * beta[at(row, step, number)] * inputs[at(row, step, number)]
                };
                (0..length).map(of).sum()
            })
            .collect();
        assert_close(&context[row * 3..][..3], &expected, TOLERANCE, "closed form of the context");
    }

    let mask = padding(&lengths, steps, &device).float().unsqueeze_dim::<3>(2) * 1000.0; // [batch, steps, 1]
    let filled = model.forward(v.clone() + mask.clone(), Some(extra.clone() + mask), &lengths);
    assert_eq!(values(filled.context), context);
    assert_eq!(values(filled.alpha), alpha);
    assert_eq!(values(filled.contributions), values(found.contributions));

    // a row alone, cut where it ends: other shapes, so other orders of summation
    let alone = |x: &Tensor<3>| x.clone().narrow(0, 2, 1).narrow(1, 0, 4);
    let alone = model.forward(alone(&v), Some(alone(&extra)), &[4]);
    assert_close(&values(alone.context), &context[6..9], TOLERANCE, "a batch of one");
    assert_close(&values(alone.alpha), &alpha[12..16], TOLERANCE, "weights of a batch of one");
}

/// Place of a number in `[batch, 6, 3]`.
fn at(row: usize, step: usize, number: usize) -> usize {
    (row * 6 + step) * 3 + number
}

#[test]
fn configurations_are_checked() {
    let field = |result: Result<(), ConfigError>| match result {
        Err(ConfigError::OutOfRange { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(AdditiveConfig { key: 0, ..AdditiveConfig::default() }.validate()), "key");
    assert_eq!(field(AdditiveConfig { hidden: 0, ..AdditiveConfig::default() }.validate()), "hidden");
    assert_eq!(field(MultiHeadConfig { heads: 0, ..MultiHeadConfig::default() }.validate()), "heads");
    assert_eq!(field(MultiHeadConfig { dropout: 1.0, ..MultiHeadConfig::default() }.validate()), "dropout");
    assert_eq!(field(RetainConfig { embedding: 0, ..RetainConfig::default() }.validate()), "embedding");
    assert_eq!(field(RetainConfig { beta: 0, ..RetainConfig::default() }.validate()), "beta");
    let error = MultiHeadConfig { heads: 3, ..MultiHeadConfig::default() }.validate().unwrap_err().to_string();
    assert!(error.starts_with("heads = 3 does not divide width = 512"), "{error}");
    let text = serde_json::to_string(&MultiHeadConfig::default()).unwrap();
    assert_eq!(serde_json::from_str::<MultiHeadConfig>(&text).unwrap(), MultiHeadConfig::default());
    assert!(serde_json::from_str::<RetainConfig>(r#"{"units": 3}"#).is_err());
}
