//! The poolings against PyTorch, against burn's operations, and against their definition.

use super::*;
use crate::data::rng;
use burn::tensor::{Device, TensorData};
use rand::RngExt;
use serde::Deserialize;

/// Sums of up to 60 numbers around one in single precision.
const TOLERANCE: f32 = 1e-5;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= TOLERANCE * (1.0 + b.abs()), "{what}[{at}]: {a}, expected {b}");
    }
}

fn tensor<const D: usize>(values: &[f32], shape: &[usize], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    shape: Vec<usize>,
    kernel: Vec<usize>,
    stride: Vec<usize>,
    padding: Vec<usize>,
    count_padding: bool,
    x: Vec<f32>,
    grad: Vec<f32>,
    y_shape: Vec<usize>,
    y: Vec<f32>,
    dx: Vec<f32>,
}

impl Case {
    fn check<const D: usize, const N: usize>(&self) {
        let device = Device::flex().autodiff();
        let what = format!("{} {:?} of {:?}", self.kind, self.kernel, self.shape);
        let x = tensor::<D>(&self.x, &self.shape, &device).require_grad();
        let axes = |numbers: &[usize]| <[usize; N]>::try_from(numbers).unwrap();
        let weighed = |y: Tensor<D>| {
            assert_eq!(y.dims()[..], self.y_shape[..], "{what}");
            (values(y.clone()), (y * tensor(&self.grad, &self.y_shape, &device)).sum().backward())
        };
        let weighed_global = |y: Tensor<2>| {
            assert_eq!(y.dims()[..], self.y_shape[..], "{what}");
            (values(y.clone()), (y * tensor(&self.grad, &self.y_shape, &device)).sum().backward())
        };
        let (y, grads) = match self.kind.as_str() {
            "max" => weighed(max_pool(x.clone(), axes(&self.kernel), axes(&self.stride), axes(&self.padding))),
            "avg" => weighed(avg_pool(
                x.clone(),
                axes(&self.kernel),
                axes(&self.stride),
                axes(&self.padding),
                self.count_padding,
            )),
            "global max" => weighed_global(global_max_pool(x.clone())),
            "global avg" => weighed_global(global_avg_pool(x.clone())),
            other => panic!("unknown kind {other}"),
        };
        assert_close(&what, &y, &self.y);
        assert_close(&format!("gradient of {what}"), &values(x.grad(&grads).unwrap()), &self.dx);
    }
}

/// `tests/golden/pool.py`: PyTorch in double precision.
#[test]
fn values_and_gradients_are_those_of_pytorch() {
    #[derive(Deserialize)]
    struct Golden {
        cases: Vec<Case>,
    }
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/pool.json")).unwrap();
    assert_eq!(golden.cases.len(), 23);
    for case in &golden.cases {
        match case.shape.len() {
            3 => case.check::<3, 1>(),
            4 => case.check::<4, 2>(),
            _ => case.check::<5, 3>(),
        }
    }
}

/// A pooling drawn at random: shape, kernel, stride, padding.
fn drawn(seed: u64, axes: usize) -> ([usize; 5], [[usize; 3]; 3]) {
    let mut generator = rng(seed, &[1]);
    let (mut shape, mut kernel, mut stride, mut padding) = ([1; 5], [1; 3], [1; 3], [0; 3]);
    (shape[0], shape[1]) = (generator.random_range(1..4), generator.random_range(1..4));
    let tiled = generator.random_range(0..3) == 0;
    for axis in 3 - axes..3 {
        kernel[axis] = generator.random_range(1..5);
        stride[axis] = if tiled { kernel[axis] } else { generator.random_range(1..4) };
        padding[axis] = if tiled { 0 } else { generator.random_range(0..=kernel[axis] / 2) };
        shape[axis + 2] = kernel[axis] + generator.random_range(0..9);
    }
    (shape, [kernel, stride, padding])
}

/// Output and gradient of a pooling of a drawn input, which is a transposed view when asked.
fn run(shape: [usize; 5], seed: u64, transposed: bool, pool: &dyn Fn(Tensor<5>) -> Tensor<5>) -> [Vec<f32>; 2] {
    let device = Device::flex().autodiff();
    let mut generator = rng(seed, &[2]);
    let mut stored = shape;
    if transposed {
        stored.swap(1, 4);
    }
    let x: Vec<f32> = (0..shape.iter().product::<usize>()).map(|_| generator.random_range(-1.0..1.0)).collect();
    let x = tensor::<5>(&x, &stored, &device).require_grad();
    let y = pool(if transposed { x.clone().swap_dims(1, 4) } else { x.clone() });
    let factor: Vec<f32> = (0..y.shape().num_elements()).map(|_| generator.random_range(-1.0..1.0)).collect();
    let grads = (y.clone() * tensor(&factor, &y.dims(), &device)).sum().backward();
    [values(y), values(x.grad(&grads).unwrap())]
}

#[test]
fn equal_burns_operations_over_random_shapes() {
    for seed in 0..90 {
        let (shape, [kernel, stride, padding]) = drawn(seed, 1 + seed as usize % 3);
        let what = format!("{shape:?}, kernel {kernel:?}, stride {stride:?}, padding {padding:?}, seed {seed}");
        let windows = |x: &Tensor<5>| window(x, kernel, stride, padding);
        let other = |x: Tensor<5>| {
            let (window, shape) = windows(&x);
            composed(x, &window, shape, |x, [kernel, stride, padding]| {
                module::max_pool2d(x, MaxPoolOptions::new(kernel).with_stride(stride).with_padding(padding))
            })
        };
        let transposed = seed % 2 == 1;
        let ours = run(shape, seed, transposed, &|x| max_pool(x, kernel, stride, padding));
        for (found, expected) in ours.iter().zip(run(shape, seed, transposed, &other)) {
            assert_close(&format!("maximum over {what}"), found, &expected);
        }
        for count_padding in [true, false] {
            let other = |x: Tensor<5>| {
                let (window, shape) = windows(&x);
                composed(x, &window, shape, |x, [kernel, stride, padding]| {
                    let options = AvgPoolOptions::new(kernel).with_stride(stride).with_padding(padding);
                    module::avg_pool2d(x, options.with_count_include_pad(count_padding))
                })
            };
            let ours = run(shape, seed, transposed, &|x| avg_pool(x, kernel, stride, padding, count_padding));
            for (found, expected) in ours.iter().zip(run(shape, seed, transposed, &other)) {
                assert_close(&format!("average over {what}, padding counted: {count_padding}"), found, &expected);
            }
        }
    }
}

/// The gradient of a weighted sum of averages is linear, so a difference quotient of any step is exact but for rounding,
/// which is done here in double precision over the definition.
#[test]
fn gradients_of_averages_are_difference_quotients() {
    let (shape, kernel, stride, padding) = ([1, 1, 1, 5, 6], [1, 3_usize, 2], [1, 2_usize, 1], [0, 1, 1]);
    let device = Device::flex().autodiff();
    let output = [3_usize, 7];
    let factor = |at: usize| (at as f64 * 0.9).cos();
    let value = |x: &[f64]| -> f64 {
        let mut total = 0.0;
        for row in 0..output[0] {
            for column in 0..output[1] {
                let (mut sum, mut count) = (0.0, 0.0);
                for y in (row * stride[1]).saturating_sub(1)..(row * stride[1] + kernel[1] - 1).min(5) {
                    for z in column.saturating_sub(1)..(column + kernel[2] - 1).min(6) {
                        sum += x[y * 6 + z];
                        count += 1.0;
                    }
                }
                total += factor(row * output[1] + column) * sum / count;
            }
        }
        total
    };
    let x: Vec<f64> = (0..30).map(|at| f64::from((at as f32 * 1.3).sin())).collect();
    let single: Vec<f32> = x.iter().map(|&v| v as f32).collect();
    let leaf = tensor::<5>(&single, &shape, &device).require_grad();
    let y = avg_pool(leaf.clone(), kernel, stride, padding, false);
    assert_eq!(y.dims()[3..], output);
    let weights: Vec<f32> = (0..21).map(|at| factor(at) as f32).collect();
    let loss = (y * tensor(&weights, &[1, 1, 1, 3, 7], &device)).sum();
    let quotients: Vec<f32> = (0..30)
        .map(|at| {
            let nudged = |by: f64| {
                let mut x = x.clone();
                x[at] += by;
                value(&x)
            };
            ((nudged(1e-5) - nudged(-1e-5)) / 2e-5) as f32
        })
        .collect();
    let grads = loss.backward();
    assert_close("gradient of an average", &values(leaf.grad(&grads).unwrap()), &quotients);
}

#[test]
fn a_broken_value_wins_and_equal_values_give_way_to_the_first() {
    let device = Device::flex().autodiff();
    let x = Tensor::<3>::from_data([[[f32::NAN, 1.0, 2.0, 2.0, f32::NEG_INFINITY, f32::NEG_INFINITY]]], &device)
        .require_grad();
    // Windows side by side begin at 0, 2 and 4, those of stride 1 at each of the first five.
    for (stride, expected) in [(2, [1.0_f32, 0.0, 1.0, 0.0, 1.0, 0.0]), (1, [1.0, 0.0, 2.0, 1.0, 1.0, 0.0])] {
        let y = max_pool(x.clone(), [2], [stride], [0]);
        let found = values(y.clone());
        assert!(found[0].is_nan() && found[found.len() - 1] == f32::NEG_INFINITY, "{found:?}");
        // The sum is NaN, its gradient is one everywhere.
        let gradient = values(x.grad(&y.sum().backward()).unwrap());
        assert_eq!(gradient, expected, "stride {stride}");
    }
    let y = global_max_pool(x.clone());
    assert!(values(y.clone())[0].is_nan());
    assert_eq!(values(x.grad(&y.sum().backward()).unwrap()), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn an_empty_batch_gives_an_empty_output() {
    let device = Device::flex().autodiff();
    let x = Tensor::<4>::zeros([0, 3, 6, 6], &device).require_grad();
    let y = max_pool(x.clone(), [2, 2], [2, 2], [0, 0]);
    assert_eq!(y.dims(), [0, 3, 3, 3]);
    let y = avg_pool(y, [3, 3], [1, 1], [1, 1], true);
    assert_eq!(global_max_pool(y.clone()).dims(), [0, 3]);
    assert_eq!(global_avg_pool(y).dims(), [0, 3]);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let all = || {
        let shape = [3, 5, 7, 40, 41];
        let tiles = run(shape, 6, false, &|x| max_pool(x, [2, 2, 2], [2, 2, 2], [0, 0, 0]));
        let sliding = run(shape, 6, false, &|x| max_pool(x, [3, 3, 3], [1, 2, 1], [1, 1, 1]));
        let averages = run(shape, 6, false, &|x| avg_pool(x, [3, 3, 3], [1, 2, 1], [1, 1, 1], false));
        [tiles, sliding, averages].concat()
    };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(all)
    };
    assert_eq!(with(1), with(3));
}
