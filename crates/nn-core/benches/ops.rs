//! Micro-benchmarks of the operations that memory bounds, beside a copy of as many bytes.
//!
//! `cargo bench -p nn-core [FILTER]` prints the time of each and the gigabytes of its input and output a second, for the
//! forward and the backward pass; the row `copy` is what one thread of the machine can do. What arithmetic bounds, the
//! convolutions, stands in the example `ops` with its share of the machine's peak.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use nn_core::burn::module::Param;
use nn_core::burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::losses::{CrossEntropy, Dice, Reduction};
use nn_core::ops::{self, Activation};
use rand::RngExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

/// Maps of a U-Net's first level and of a later one.
const MAPS: [[usize; 4]; 2] = [[2, 32, 256, 256], [2, 256, 32, 32]];

/// Values in 0 to 1 that gradients go to.
fn uniform<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let mut generator = rng(1, &[]);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| generator.random()).collect();
    Param::from_data(TensorData::new(values, shape), &Device::flex().autodiff()).val()
}

/// Classes of each position.
fn classes<const D: usize>(shape: [usize; D], classes: i32) -> Tensor<D, Int> {
    let values: Vec<i32> = (0..shape.iter().product::<usize>() as i32).map(|i| i % classes).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

/// Bytes that `values` of single precision are read or written as.
fn bytes(values: usize) -> BytesCount {
    BytesCount::new(4 * values)
}

/// The forward pass of `f` over an input of `shape`, reading it and writing `outputs` values.
fn forward<const D: usize, const O: usize>(
    bencher: Bencher,
    shape: [usize; D],
    outputs: usize,
    f: impl Fn(Tensor<D>) -> Tensor<O>,
) {
    let x = uniform(shape);
    let size: usize = shape.iter().product();
    bencher.counter(bytes(size + outputs)).bench_local(|| black_box(f(x.clone())));
}

/// The backward pass of `f`, reading the output's gradient and the input, and writing the input's gradient.
fn backward<const D: usize, const O: usize>(
    bencher: Bencher,
    shape: [usize; D],
    outputs: usize,
    f: impl Fn(Tensor<D>) -> Tensor<O>,
) {
    let x = uniform(shape);
    let size: usize = shape.iter().product();
    bencher
        .counter(bytes(2 * size + outputs))
        .with_inputs(|| f(x.clone()).sum())
        .bench_local_values(|loss| loss.backward());
}

#[divan::bench(args = [1 << 20, 1 << 26])]
fn copy(bencher: Bencher, values: usize) {
    let (from, mut to) = (vec![1.0_f32; values], vec![0.0_f32; values]);
    bencher.counter(bytes(2 * values)).bench_local(|| black_box(&mut to).copy_from_slice(black_box(&from)));
}

/// One module an operation, with both passes; `$f` makes it for a shape.
macro_rules! operation {
    ($name:ident, $shapes:expr, $outputs:expr, $f:expr) => {
        mod $name {
            use super::*;

            #[divan::bench(args = $shapes)]
            fn forward(bencher: Bencher, shape: [usize; 4]) {
                super::forward(bencher, shape, $outputs(shape), $f(shape));
            }

            #[divan::bench(args = $shapes)]
            fn backward(bencher: Bencher, shape: [usize; 4]) {
                super::backward(bencher, shape, $outputs(shape), $f(shape));
            }
        }
    };
}

fn same(shape: [usize; 4]) -> usize {
    shape.iter().product()
}

fn quarter(shape: [usize; 4]) -> usize {
    same(shape) / 4
}

fn one(_: [usize; 4]) -> usize {
    1
}

operation!(batch_norm_relu, MAPS, same, |[_, channels, ..]: [usize; 4]| {
    let (gamma, beta) = (uniform([channels]), uniform([channels]));
    move |x: Tensor<4>| ops::batch_norm_act(x, gamma.clone(), beta.clone(), Activation::Relu, 1e-5).0
});
operation!(instance_norm_relu, MAPS, same, |[_, channels, ..]: [usize; 4]| {
    let (gamma, beta) = (uniform([channels]), uniform([channels]));
    move |x: Tensor<4>| ops::instance_norm_act(x, gamma.clone(), beta.clone(), Activation::Relu, 1e-5)
});
operation!(bias_relu, MAPS, same, |[_, channels, ..]: [usize; 4]| {
    let bias = uniform([channels]);
    move |x: Tensor<4>| ops::bias_act(x, bias.clone(), Activation::Relu)
});
operation!(max_pool, MAPS, quarter, |_: [usize; 4]| |x: Tensor<4>| ops::max_pool(x, [2, 2], [2, 2], [0, 0]));
operation!(avg_pool, MAPS, quarter, |_: [usize; 4]| |x: Tensor<4>| ops::avg_pool(x, [2, 2], [2, 2], [0, 0], true));
operation!(cross_entropy, [[2, 4, 256, 256]], one, |[batch, count, height, width]: [usize; 4]| {
    let targets = classes([batch, height, width], count as i32);
    move |x: Tensor<4>| CrossEntropy::default().forward(x, targets.clone(), Reduction::Mean)
});
operation!(dice, [[2, 4, 256, 256]], one, |[batch, count, height, width]: [usize; 4]| {
    let targets = classes([batch, height, width], count as i32);
    move |x: Tensor<4>| Dice::default().forward(x, targets.clone())
});
