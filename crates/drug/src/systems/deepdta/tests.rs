//! The published parameter count, and the fast path against the plain network.

use super::*;
use nn_core::data::rng;
use rand::RngExt;

fn strings(n: usize, longest: usize, labels: u8, seed: u64) -> Vec<Vec<u8>> {
    let mut rng = rng(seed, &[0]);
    (0..n).map(|_| (0..rng.random_range(1..=longest)).map(|_| rng.random_range(1..=labels)).collect()).collect()
}

fn views(strings: &[Vec<u8>]) -> Vec<&[u8]> {
    strings.iter().map(Vec::as_slice).collect()
}

fn small(padding: Padding) -> DeepDtaConfig {
    DeepDtaConfig { smiles_length: 40, protein_length: 90, filters: 8, padding, ..DeepDtaConfig::default() }
}

#[test]
fn parameter_counts_are_those_of_the_published_network() {
    // Counted by layer from the published sizes: 2,030,337 at k = 8, 12.
    let device = Device::flex();
    let count = |smiles_kernel, protein_kernel| {
        let config = DeepDtaConfig { smiles_kernel, protein_kernel, ..DeepDtaConfig::default() };
        config.init(&device, &mut rng(1, &[])).unwrap().num_params()
    };
    assert_eq!(count(8, 12), 2_030_337);
    assert_eq!(count(4, 8), 2_030_337 - 4 * (128 * 32 + 32 * 64 + 64 * 96) * 2);
}

/// Keras 2.2 (`initializers.py`): Glorot uniform on ±√(6 / (fan in + fan out)), with fans times the kernel for
/// convolutions; embeddings on ±0.05; `RandomNormal` with 0.05; biases 0.
#[test]
fn weights_start_as_keras_draws_them() {
    let config = DeepDtaConfig::default();
    let model = config.init(&Device::flex(), &mut rng(5, &[])).unwrap();
    let flat = |values: TensorData| values.try_to_vec::<f32>().unwrap().into_iter().map(f64::from).collect::<Vec<_>>();
    let uniform = |values: TensorData, bound: f64, what: &str| {
        let values = flat(values);
        let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let sd = (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt();
        // At least 3,328 draws: the largest is within 1 % of the bound but once in e³³, and 3 % are over four errors of the sd.
        assert!(largest <= bound && largest > 0.99 * bound, "{what}: {largest} of {bound}");
        assert!((sd * 3.0_f64.sqrt() / bound - 1.0).abs() < 0.03, "{what}: sd {sd} of {bound}");
    };
    let zero = |bias: Option<&Param<Tensor<1>>>| flat(bias.unwrap().val().into_data()).iter().all(|&b| b == 0.0);
    for (branch, kernel) in [(&model.drug, config.smiles_kernel), (&model.protein, config.protein_kernel)] {
        uniform(branch.embedding.weight.val().into_data(), 0.05, "embedding");
        for conv in [&branch.conv1, &branch.conv2, &branch.conv3] {
            let [outputs, inputs, _] = conv.weight.dims();
            let bound = (6.0 / (kernel * (inputs + outputs)) as f64).sqrt();
            uniform(conv.weight.val().into_data(), bound, "convolution");
            assert!(zero(conv.bias.as_ref()));
        }
    }
    for dense in [&model.dense1, &model.dense2, &model.dense3] {
        let [inputs, outputs] = dense.weight.dims();
        uniform(dense.weight.val().into_data(), (6.0 / (inputs + outputs) as f64).sqrt(), "dense");
        assert!(zero(dense.bias.as_ref()));
    }
    assert!(zero(model.output.bias.as_ref()));
    let output = flat(model.output.weight.val().into_data());
    let sd = (output.iter().map(|value| value * value).sum::<f64>() / output.len() as f64).sqrt();
    // four standard errors of the sd of 512 draws
    assert!((sd - 0.05).abs() < 4.0 * 0.05 / 1024.0_f64.sqrt(), "{sd}");
}

#[test]
fn sharing_and_lookups_change_no_prediction() {
    // 1e-5 on predictions of order 0.1: the sums run in another order.
    let device = Device::flex();
    // Lengths up to the maximum, so that the padded tail is cut at every possible place.
    let (drugs, proteins) = (strings(30, 40, 64, 1), strings(30, 90, 25, 2));
    for padding in [Padding::Seen, Padding::Masked] {
        let model = small(padding).init(&device, &mut rng(3, &[])).unwrap();
        let plain: Vec<f32> = model.forward(&views(&drugs), &views(&proteins)).into_data().try_to_vec().unwrap();
        let fast =
            model.join(model.encode(Side::Drug, &views(&drugs)), model.encode(Side::Protein, &views(&proteins)), None);
        let fast: Vec<f32> = fast.into_data().try_to_vec().unwrap();
        for (i, (a, b)) in fast.iter().zip(&plain).enumerate() {
            assert!((a - b).abs() < 1e-5, "{padding:?}, pair {i}: {a} but the plain network gives {b}");
        }
    }
}

#[test]
fn a_mask_over_one_rectangle_equals_each_string_alone() {
    // Large biases make a window of nothing but padding win wherever it is let in.
    let device = Device::flex();
    let model = small(Padding::Masked).init(&device, &mut rng(8, &[])).unwrap();
    let mut protein = model.protein.clone();
    protein.conv3.bias = Some(Param::from_tensor(Tensor::ones([24], &device)));
    let model = DeepDta { protein, ..model };
    // Shorter than the reach of 34, as long, one longer, and the longest that is read.
    let lengths = [1, 33, 34, 35, 60, 90];
    let strings: Vec<Vec<u8>> = lengths.iter().map(|&n| (0..n).map(|i| (i * 7 % 25 + 1) as u8).collect()).collect();
    let values = |x: Tensor<2>| x.into_data().try_to_vec::<f32>().unwrap();
    let together = values(model.plain(Side::Protein, &views(&strings)));
    let alone: Vec<f32> = strings.iter().flat_map(|s| values(model.plain(Side::Protein, &[s.as_slice()]))).collect();
    let fast = values(model.encode(Side::Protein, &views(&strings)));
    assert_eq!((together.len(), alone.len(), fast.len()), (6 * 24, 6 * 24, 6 * 24));
    for (i, value) in together.iter().enumerate() {
        let (alone, fast) = (alone[i], fast[i]);
        assert!((value - alone).abs() < 1e-5 && (value - fast).abs() < 1e-5, "{i}: {value}, {alone}, {fast}");
    }
}

#[test]
fn no_strings_have_an_empty_encoding() {
    let model = small(Padding::Seen).init(&Device::flex(), &mut rng(9, &[])).unwrap();
    assert_eq!(model.encode(Side::Drug, &[]).dims(), [0, 24]);
}

#[test]
fn sharing_and_lookups_change_no_gradient() {
    [Padding::Seen, Padding::Masked].into_iter().for_each(gradients_agree);
}

fn gradients_agree(padding: Padding) {
    let device = Device::flex().autodiff();
    let model = small(padding).init(&device, &mut rng(4, &[])).unwrap();
    let (drugs, proteins) = (strings(6, 40, 64, 5), strings(6, 90, 25, 6));
    // Three drugs and two proteins, repeated as in a batch.
    let pairs: Vec<(usize, usize)> = (0..6).map(|i| (i % 3, i % 2)).collect();
    let d: Vec<&[u8]> = pairs.iter().map(|p| drugs[p.0].as_slice()).collect();
    let p: Vec<&[u8]> = pairs.iter().map(|p| proteins[p.1].as_slice()).collect();
    let plain = model.forward(&d, &p).powi_scalar(2).sum().backward();
    let select =
        |x: Tensor<2>, at: Vec<i64>| x.select(0, Tensor::<1, Int>::from_data(TensorData::new(at, [6]), &device));
    let drug = select(model.encode(Side::Drug, &views(&drugs[..3])), pairs.iter().map(|p| p.0 as i64).collect());
    let protein =
        select(model.encode(Side::Protein, &views(&proteins[..2])), pairs.iter().map(|p| p.1 as i64).collect());
    let fast = model.join(drug, protein, None).powi_scalar(2).sum().backward();
    let compare = |name: &str, a: Vec<f32>, b: Vec<f32>| {
        let scale = b.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(scale > 0.0, "{name} has no gradient");
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() <= 1e-5 * scale.max(1.0), "{name}: {a} but the plain network gives {b}");
        }
    };
    for (name, branch) in [("drug", &model.drug), ("protein", &model.protein)] {
        let embedding = |g| branch.embedding.weight.val().grad(g).unwrap().into_data().try_to_vec::<f32>().unwrap();
        compare(name, embedding(&fast), embedding(&plain));
        for conv in [&branch.conv1, &branch.conv2, &branch.conv3] {
            let weight = |g| conv.weight.val().grad(g).unwrap().into_data().try_to_vec::<f32>().unwrap();
            compare(name, weight(&fast), weight(&plain));
        }
    }
}

#[test]
fn masked_pooling_does_not_depend_on_the_maximal_length() {
    let device = Device::flex();
    let predict = |padding, protein_length| {
        let config = DeepDtaConfig { protein_length, ..small(padding) };
        let model = config.init(&device, &mut rng(5, &[])).unwrap();
        // Large biases make the unmasked maximum see the tail.
        let mut protein = model.protein.clone();
        protein.conv3.bias = Some(Param::from_tensor(Tensor::ones([24], &device)));
        let model = DeepDta { protein, ..model };
        let (drug, short) = (strings(1, 40, 64, 7), vec![vec![1_u8; 34]]);
        let joined =
            model.join(model.encode(Side::Drug, &views(&drug)), model.encode(Side::Protein, &views(&short)), None);
        joined.into_scalar::<f32>()
    };
    assert_eq!(predict(Padding::Masked, 40), predict(Padding::Masked, 90));
    assert_ne!(predict(Padding::Seen, 34), predict(Padding::Seen, 90));
}

#[test]
fn a_length_that_cannot_hold_three_convolutions_is_refused() {
    let config = DeepDtaConfig { protein_length: 20, ..DeepDtaConfig::default() };
    assert_eq!(
        config.validate().unwrap_err().to_string(),
        "protein_length = 20 is out of range; allowed: 34 to 100000"
    );
}
