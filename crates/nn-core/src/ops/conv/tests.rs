//! Convolutions against burn's own and against finite differences of the definition in double precision.

use super::*;
use crate::data::rng;
use burn::tensor::{Device, Distribution, TensorData, module};
use proptest::prelude::*;
use rand::RngExt;

/// Sums of up to a few thousand products of numbers below 1, in another order: single precision.
const TOLERANCE: f32 = 1e-4;

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device).require_grad()
}

fn numbers<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().try_to_vec().unwrap()
}

fn assert_close<const D: usize>(what: &str, ours: &Tensor<D>, theirs: &Tensor<D>) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}");
    for (at, (a, b)) in numbers(ours).iter().zip(numbers(theirs)).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "{what}[{at}]: {a}, but burn's own gives {b}");
    }
}

/// Compares values and all gradients of two functions of the same input, weight and bias. Where `trusted` is false the
/// weight gradient is left out: burn 0.22.1 computes a wrong one for groups whose last window ends before the input does
/// (it misses the trim that it does for one group); the definition is the judge there, in a test of its own.
fn compare<const D: usize>(
    [x, weight]: [Tensor<D>; 2],
    bias: Option<Tensor<1>>,
    trusted: bool,
    ours: impl Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D>,
    burns: impl Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D>,
) {
    let (a, b) = (ours(x.clone(), weight.clone(), bias.clone()), burns(x.clone(), weight.clone(), bias.clone()));
    assert_close("output", &a, &b);
    let factor = Tensor::<D>::random(b.dims(), Distribution::Uniform(-1.0, 1.0), &x.device());
    let (a, b) = ((a * factor.clone()).sum().backward(), (b * factor).sum().backward());
    assert_close("input gradient", &x.grad(&a).unwrap(), &x.grad(&b).unwrap());
    if trusted {
        assert_close("weight gradient", &weight.grad(&a).unwrap(), &weight.grad(&b).unwrap());
    }
    if let Some(bias) = bias {
        assert_close("bias gradient", &bias.grad(&a).unwrap(), &bias.grad(&b).unwrap());
    }
}

/// Whether the last window ends with the padded axis.
fn ends([length, kernel, stride, padding, dilation]: [usize; 5]) -> bool {
    (length + 2 * padding - (kernel - 1) * dilation - 1).is_multiple_of(stride)
}

/// Sizes of one axis: length, kernel, stride, padding, dilation; the kernel always fits.
fn axis(longest: usize) -> impl Strategy<Value = [usize; 5]> {
    (1..=longest, 1_usize..5, 1_usize..4, 0_usize..3, 1_usize..3).prop_map(
        |(length, kernel, stride, padding, dilation)| {
            [length.max((kernel - 1) * dilation + 1), kernel, stride, padding, dilation]
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_axis_equals_burns(
        [length, kernel, stride, padding, dilation] in axis(90), batch in 1_usize..4, inputs in 1_usize..7,
        outputs in 1_usize..21, groups in 1_usize..3, biased in any::<bool>(),
    ) {
        let device = Device::flex().autodiff();
        let x = random([batch, inputs * groups, length], &device);
        let weight = random([outputs * groups, inputs, kernel], &device);
        let bias = biased.then(|| random([outputs * groups], &device));
        let options = ConvOptions::new([stride], [padding], [dilation], groups);
        let [a, b] = [options.clone(), options];
        let trusted = groups == 1 || ends([length, kernel, stride, padding, dilation]);
        compare([x, weight], bias, trusted, |x, w, c| conv(x, w, c, a.clone()), |x, w, c| module::conv1d(x, w, c, b.clone()));
    }

    #[test]
    fn two_axes_equal_burns(
        h in axis(20), w in axis(40), batch in 1_usize..3, inputs in 1_usize..5, outputs in 1_usize..19,
        groups in 1_usize..3, turned in any::<bool>(),
    ) {
        let device = Device::flex().autodiff();
        // turned: a view that does not lie in one piece
        let x = if turned { random([batch, inputs * groups, w[0], h[0]], &device) } else { random([batch, inputs * groups, h[0], w[0]], &device) };
        let view = move |x: Tensor<4>| if turned { x.swap_dims(2, 3) } else { x };
        let weight = random([outputs * groups, inputs, h[1], w[1]], &device);
        let bias = random([outputs * groups], &device);
        let options = ConvOptions::new([h[2], w[2]], [h[3], w[3]], [h[4], w[4]], groups);
        let [a, b] = [options.clone(), options];
        let trusted = groups == 1 || (ends(h) && ends(w));
        compare([x, weight], Some(bias), trusted, |x, w, c| conv(view(x), w, c, a.clone()), |x, w, c| module::conv2d(view(x), w, c, b.clone()));
    }

    #[test]
    fn three_axes_equal_burns(d in axis(6), h in axis(7), w in axis(9), batch in 1_usize..3, inputs in 1_usize..4, outputs in 1_usize..11) {
        let device = Device::flex().autodiff();
        let x = random([batch, inputs, d[0], h[0], w[0]], &device);
        let weight = random([outputs, inputs, d[1], h[1], w[1]], &device);
        let bias = random([outputs], &device);
        let options = ConvOptions::new([d[2], h[2], w[2]], [d[3], h[3], w[3]], [d[4], h[4], w[4]], 1);
        let [a, b] = [options.clone(), options];
        compare([x, weight], Some(bias), true, |x, w, c| conv(x, w, c, a.clone()), |x, w, c| module::conv3d(x, w, c, b.clone()));
    }

    #[test]
    fn transposed_convolutions_equal_burns(
        h in axis(8), w in axis(30), batch in 1_usize..3, inputs in 1_usize..6, outputs in 1_usize..11, groups in 1_usize..3,
        more in 0_usize..2,
    ) {
        let device = Device::flex().autodiff();
        let x = random([batch, inputs * groups, h[0], w[0]], &device);
        let weight = random([inputs * groups, outputs, h[1], w[1]], &device);
        let bias = random([outputs * groups], &device);
        let more = [more.min(h[2].max(h[4]) - 1), more.min(w[2].max(w[4]) - 1)];
        let grown = |a: [usize; 5], more: usize| (a[0] - 1) * a[2] + a[4] * (a[1] - 1) + 1 + more;
        prop_assume!(grown(h, more[0]) > 2 * h[3] && grown(w, more[1]) > 2 * w[3]);
        let options = ConvTransposeOptions::new([h[2], w[2]], [h[3], w[3]], more, [h[4], w[4]], groups);
        let [a, b] = [options.clone(), options];
        compare(
            [x, weight],
            Some(bias),
            groups == 1,
            |x, w, c| conv_transpose(x, w, c, a.clone()),
            |x, w, c| module::conv_transpose2d(x, w, c, b.clone()),
        );
    }
}

#[test]
fn one_and_three_axes_of_a_transposed_convolution_equal_burns() {
    let device = Device::flex().autodiff();
    let (x, weight) = (random([2, 3, 11], &device), random([3, 5, 4], &device));
    let options = ConvTransposeOptions::new([2], [1], [1], [1], 1);
    let [a, b] = [options.clone(), options];
    compare(
        [x, weight],
        Some(random([5], &device)),
        true,
        |x, w, c| conv_transpose(x, w, c, a.clone()),
        |x, w, c| module::conv_transpose1d(x, w, c, b.clone()),
    );
    let (x, weight) = (random([2, 9, 3, 4, 5], &device), random([9, 4, 2, 2, 2], &device));
    let options = ConvTransposeOptions::new([2; 3], [0; 3], [0; 3], [1; 3], 1);
    let [a, b] = [options.clone(), options];
    compare(
        [x, weight],
        None,
        true,
        |x, w, c| conv_transpose(x, w, c, a.clone()),
        |x, w, c| module::conv_transpose3d(x, w, c, b.clone()),
    );
}

/// The definition in double precision: sum over the output of `factor · convolution`.
fn definition(x: &[f64], weight: &[f64], factor: &[f64], g: &Geometry) -> f64 {
    let ([_, height, width], [_, rows, columns], [_, kh, kw]) = (g.input, g.output, g.kernel);
    let mut total = 0.0;
    let mut at = 0;
    for n in 0..g.batch {
        for o in 0..g.groups * g.outputs {
            for y in 0..rows {
                for column in 0..columns {
                    let mut sum = 0.0;
                    for i in 0..g.inputs {
                        let channel = o / g.outputs * g.inputs + i;
                        for ky in 0..kh {
                            for kx in 0..kw {
                                let row = (y * g.stride[1] + ky * g.dilation[1]).checked_sub(g.padding[1]);
                                let place = (column * g.stride[2] + kx * g.dilation[2]).checked_sub(g.padding[2]);
                                if let (Some(row), Some(place)) = (row, place)
                                    && row < height
                                    && place < width
                                {
                                    let x = x[((n * g.groups * g.inputs + channel) * height + row) * width + place];
                                    sum += weight[((o * g.inputs + i) * kh + ky) * kw + kx] * x;
                                }
                            }
                        }
                    }
                    total += factor[at] * sum;
                    at += 1;
                }
            }
        }
    }
    total
}

#[test]
fn gradients_are_the_difference_quotients_of_the_definition() {
    let geometry = Geometry {
        batch: 2,
        groups: 2,
        inputs: 2,
        outputs: 3,
        input: [1, 5, 6],
        output: [1, 3, 6],
        kernel: [1, 3, 2],
        stride: [1, 2, 1],
        padding: [0, 1, 1],
        dilation: [1, 1, 2],
    };
    check_against_the_definition(geometry);
    // the last window ends one value before the input does
    check_against_the_definition(Geometry {
        inputs: 1,
        outputs: 2,
        input: [1, 4, 6],
        output: [1, 2, 2],
        kernel: [1, 1, 2],
        stride: [1, 2, 3],
        padding: [0; 3],
        dilation: [1; 3],
        ..geometry
    });
}

fn check_against_the_definition(geometry: Geometry) {
    let device = Device::flex().autodiff();
    let draw = |size: usize, stream: u64| -> Vec<f64> {
        let mut generator = rng(11, &[stream]);
        (0..size).map(|_| f64::from(generator.random_range(-1.0_f32..1.0))).collect()
    };
    let Geometry { batch, groups, inputs, outputs, input, output, kernel, stride, padding, dilation } = geometry;
    let shapes = [
        [batch, groups * inputs, input[1], input[2]],
        [groups * outputs, inputs, kernel[1], kernel[2]],
        [batch, groups * outputs, output[1], output[2]],
    ];
    let [x, weight, factor] = [0, 1, 2].map(|i| draw(shapes[i].iter().product(), i as u64));
    let tensor = |values: &[f64], shape: [usize; 4]| {
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        Tensor::<4>::from_data(TensorData::new(values, shape), &device)
    };
    let (tx, tw) = (tensor(&x, shapes[0]).require_grad(), tensor(&weight, shapes[1]).require_grad());
    let last = |axes: Axes| [axes[1], axes[2]];
    let y = conv(tx.clone(), tw.clone(), None, ConvOptions::new(last(stride), last(padding), last(dilation), groups));
    assert_eq!(y.dims(), shapes[2]);
    let grads = (y * tensor(&factor, shapes[2])).sum().backward();
    // The sum is linear in each operand, so a difference quotient has no error but rounding.
    let check = |what: &str, gradient: Vec<f32>, values: &[f64], of: &dyn Fn(&[f64]) -> f64| {
        for at in 0..values.len() {
            let mut nudged = values.to_vec();
            nudged[at] += 0.5;
            let up = of(&nudged);
            nudged[at] -= 1.0;
            let quotient = up - of(&nudged);
            assert!((quotient - f64::from(gradient[at])).abs() < 1e-5, "{what}[{at}]: {} or {quotient}", gradient[at]);
        }
    };
    check("input", numbers(&tx.grad(&grads).unwrap()), &x, &|x| definition(x, &weight, &factor, &geometry));
    check("weight", numbers(&tw.grad(&grads).unwrap()), &weight, &|w| definition(&x, w, &factor, &geometry));
}

#[test]
fn an_empty_batch_gives_an_empty_output_and_zero_gradients() {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::zeros([0, 3, 8, 8], &device).require_grad();
    let weight = random([5, 3, 3, 3], &device);
    let y = conv(x, weight.clone(), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    assert_eq!(y.dims(), [0, 5, 8, 8]);
    let grads = y.sum().backward();
    assert!(numbers(&weight.grad(&grads).unwrap()).iter().all(|&g| g == 0.0));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = || {
        let device = Device::flex().autodiff();
        let tensor = |shape: [usize; 4], stream: u64| {
            let mut generator = rng(3, &[stream]);
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| generator.random_range(-1.0..1.0)).collect();
            Tensor::<4>::from_data(TensorData::new(values, shape), &device).require_grad()
        };
        let (x, weight) = (tensor([2, 9, 40, 50], 0), tensor([21, 9, 3, 3], 1));
        let y = conv(x.clone(), weight.clone(), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        let grads = y.clone().powi_scalar(2).sum().backward();
        [y, x.grad(&grads).unwrap(), weight.grad(&grads).unwrap()]
            .map(|t| numbers(&t).into_iter().map(f32::to_bits).collect::<Vec<_>>())
    };
    let with = |threads: usize| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run);
    assert!(with(1) == with(3));
}
