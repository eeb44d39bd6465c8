//! The operations against burn's composed form, values and gradients, over random shapes.

use super::{Codes, Ragged, conv_relu, conv_relu_max, lookup_conv_relu};
use crate::data::rng;
use burn::tensor::activation::relu;
use burn::tensor::module::{conv1d, embedding};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use proptest::prelude::*;
use rand::RngExt;

/// Sums of up to 12 × 8 products of numbers around 1, in another order: single precision.
const TOLERANCE: f32 = 2e-4;

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device).require_grad()
}

fn assert_close<const D: usize>(what: &str, ours: Tensor<D>, composed: Tensor<D>) {
    assert_eq!(ours.dims(), composed.dims(), "{what}");
    let (ours, composed): (Vec<f32>, Vec<f32>) =
        (ours.into_data().try_to_vec().unwrap(), composed.into_data().try_to_vec().unwrap());
    for (at, (a, b)) in ours.iter().zip(&composed).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "{what}[{at}]: {a} but the composed form gives {b}");
    }
}

/// burn's convolution over one sequence `[length, inputs]`, weight `[kernel * inputs, channels]`.
fn composed_conv(x: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    let ([_, inputs], [span, channels]) = (x.dims(), weight.dims());
    let weight = weight.reshape([span / inputs, inputs, channels]).permute([2, 1, 0]);
    let options = ConvOptions::new([1], [0], [1], 1);
    relu(conv1d(x.transpose().unsqueeze::<3>(), weight, Some(bias), options).squeeze_dim::<2>(0).transpose())
}

fn sequence(x: &Tensor<2>, rows: std::ops::Range<usize>) -> Tensor<2> {
    x.clone().slice([rows])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn convolutions_equal_the_composed_form(
        lengths in prop::collection::vec(0_usize..12, 1..6), kernel in 1_usize..5,
        inputs in 1_usize..8, channels in 1_usize..9, pooled in any::<bool>(), transposed in any::<bool>(),
    ) {
        let device = Device::flex().autodiff();
        let layout = Ragged::new(lengths.iter().map(|n| if pooled { n + kernel } else { *n }));
        let x = random([layout.rows(), inputs], &device);
        // A transposed view is not contiguous in memory.
        let weight = random(if transposed { [channels, kernel * inputs] } else { [kernel * inputs, channels] }, &device);
        // Made anew for each of the two graphs: burn's tape is consumed by one backward pass.
        let view = || if transposed { weight.clone().transpose() } else { weight.clone() };
        let bias = random([channels], &device);
        let composed: Vec<Tensor<2>> = (0..layout.len())
            .filter(|&i| layout.span(i).len() >= kernel)
            .map(|i| composed_conv(sequence(&x, layout.span(i)), view(), bias.clone()))
            .map(|y| if pooled { y.max_dim(0) } else { y })
            .collect();
        prop_assume!(!composed.is_empty());
        let composed = Tensor::cat(composed, 0);
        let ours = if pooled {
            conv_relu_max(x.clone(), view(), bias.clone(), &layout)
        } else {
            let y = conv_relu(x.clone(), view(), bias.clone(), &layout);
            let after = layout.after(kernel);
            Tensor::cat((0..layout.len()).filter(|&i| !after.valid(i).is_empty()).map(|i| sequence(&y, after.valid(i))).collect(), 0)
        };
        assert_close("output", ours.clone(), composed.clone());
        let factor = Tensor::<2>::random(composed.dims(), Distribution::Uniform(-1.0, 1.0), &device);
        let (a, b) = ((ours * factor.clone()).sum().backward(), (composed * factor).sum().backward());
        assert_close("input gradient", x.grad(&a).unwrap(), x.grad(&b).unwrap());
        assert_close("weight gradient", weight.grad(&a).unwrap(), weight.grad(&b).unwrap());
        assert_close("bias gradient", bias.grad(&a).unwrap(), bias.grad(&b).unwrap());
    }

    #[test]
    fn a_lookup_equals_embedding_and_convolution(
        sequences in prop::collection::vec(prop::collection::vec(0_u8..7, 0..9), 1..5), kernel in 1_usize..4, channels in 1_usize..6,
    ) {
        let device = Device::flex().autodiff();
        let codes = Codes::new(sequences.iter().map(Vec::as_slice), |n| kernel.saturating_sub(n));
        let (embed, weight, bias) = (random([7, 3], &device), random([3, kernel * channels], &device), random([channels], &device));
        let table = embed.clone().matmul(weight.clone()).reshape([7, kernel, channels]);
        let y = lookup_conv_relu(table, bias.clone(), &codes);
        let after = codes.layout().after(kernel);
        let ours = Tensor::cat((0..after.len()).map(|i| sequence(&y, after.valid(i))).collect(), 0);
        let offset_major = weight.clone().reshape([3, kernel, channels]).swap_dims(0, 1).reshape([kernel * 3, channels]);
        let composed = (0..after.len()).map(|i| {
            let ids: Vec<i64> = codes.ids()[after.span(i)].iter().map(|&id| i64::from(id)).collect();
            let ids = Tensor::<2, Int>::from_data(TensorData::new(ids.clone(), [1, ids.len()]), &device);
            composed_conv(embedding(embed.clone(), ids).squeeze_dim(0), offset_major.clone(), bias.clone())
        });
        let composed = Tensor::cat(composed.collect(), 0);
        assert_close("output", ours.clone(), composed.clone());
        let factor = Tensor::<2>::random(composed.dims(), Distribution::Uniform(-1.0, 1.0), &device);
        let (a, b) = ((ours * factor.clone()).sum().backward(), (composed * factor).sum().backward());
        assert_close("embedding gradient", embed.grad(&a).unwrap(), embed.grad(&b).unwrap());
        assert_close("weight gradient", weight.grad(&a).unwrap(), weight.grad(&b).unwrap());
        assert_close("bias gradient", bias.grad(&a).unwrap(), bias.grad(&b).unwrap());
    }
}

#[test]
fn a_broken_weight_is_not_hidden_by_the_rectifier() {
    let device = Device::flex();
    let layout = Ragged::new([4]);
    let x = Tensor::<2>::ones([4, 1], &device);
    let weight = Tensor::<2>::from_data([[f32::NAN], [1.0]], &device);
    let y = conv_relu_max(x, weight, Tensor::zeros([1], &device), &layout);
    assert!(y.into_scalar::<f32>().is_nan());
}

#[test]
fn gradients_agree_with_finite_differences() {
    // Central differences of a smooth point: bias 5 keeps every unit active, so the sum is linear in x.
    let device = Device::flex().autodiff();
    let layout = Ragged::new([5, 3]);
    let (x, weight) = (random([8, 2], &device), random([4, 3], &device));
    let bias = Tensor::<1>::from_data([5.0, 5.0, 5.0], &device).require_grad();
    let value = |x: Tensor<2>| conv_relu(x, weight.clone(), bias.clone(), &layout).sum().into_scalar::<f32>();
    let grads = conv_relu(x.clone(), weight.clone(), bias.clone(), &layout).sum().backward();
    let gradient: Vec<f32> = x.grad(&grads).unwrap().into_data().try_to_vec().unwrap();
    for (at, g) in gradient.iter().enumerate() {
        let nudge = |by: f32| {
            let mut data: Vec<f32> = x.clone().inner().into_data().try_to_vec().unwrap();
            data[at] += by;
            value(Tensor::<2>::from_data(TensorData::new(data, [8, 2]), &device))
        };
        let difference = (nudge(0.25) - nudge(-0.25)) / 0.5;
        assert!((difference - g).abs() < 1e-3, "row {at}: {g} but the difference quotient is {difference}");
    }
}

#[test]
fn an_empty_batch_gives_an_empty_output() {
    let device = Device::flex();
    let layout = Ragged::new([]);
    let y = conv_relu_max(
        Tensor::zeros([0, 2], &device),
        Tensor::zeros([4, 3], &device),
        Tensor::zeros([3], &device),
        &layout,
    );
    assert_eq!(y.dims(), [0, 3]);
}

/// Values and gradients of two layers over forty sequences, more than the backward pass has groups.
fn two_layers() -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let layout = Ragged::new((0..40).map(|i| 5 + i * 7 % 23));
    let tensor = |shape: [usize; 2], stream: u64| {
        let mut generator = rng(3, &[stream]);
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| generator.random_range(-1.0..1.0)).collect();
        Tensor::<2>::from_data(TensorData::new(values, shape), &device).require_grad()
    };
    let (x, first, second) = (tensor([layout.rows(), 6], 0), tensor([3 * 6, 8], 1), tensor([3 * 8, 10], 2));
    let (first_bias, second_bias) = (tensor([1, 8], 3), tensor([1, 10], 4));
    let y = conv_relu(x.clone(), first.clone(), first_bias.clone().reshape([8]), &layout);
    let z = conv_relu_max(y.clone(), second.clone(), second_bias.clone().reshape([10]), &layout.after(3));
    let values = |t: Tensor<2>| t.into_data().try_to_vec::<f32>().unwrap();
    let mut found = vec![values(y), values(z.clone())];
    let gradients = z.powi_scalar(2).sum().backward();
    found.extend([x, first, second, first_bias, second_bias].map(|t| values(t.grad(&gradients).unwrap())));
    found
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(two_layers)
    };
    let bits = |found: Vec<Vec<f32>>| -> Vec<Vec<u32>> {
        found.into_iter().map(|values| values.into_iter().map(f32::to_bits).collect()).collect()
    };
    let (one, three) = (bits(with(1)), bits(with(3)));
    assert!(one.iter().all(|values| values.iter().any(|&bits| bits != 0)));
    for (which, (one, three)) in one.iter().zip(&three).enumerate() {
        assert!(one == three, "output or gradient {which} depends on the number of threads");
    }
}
