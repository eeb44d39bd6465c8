//! Each operation alone: its time, and its share of the machine's peak and memory bandwidth as measured beside it.
//!
//! `cargo run --release -p nn-core --example ops [FILTER]` prints a table. The peak is that of the convolution tiles' own
//! instruction on operands in the first cache, which no kernel can exceed; the bandwidth that of a copy of 256 MB.
#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

use std::time::Instant;

use nn_core::burn::module::Param;
use nn_core::burn::tensor::ops::ConvOptions;
use nn_core::burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::ops;
use rand::RngExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of each operation; the fastest is shown.
const RUNS: usize = 7;

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let device = Device::flex().autodiff();
    let (peak, bandwidth) = (product(), copy());
    println!("a product of two matrices of 2048 x 2048: {peak:.0} GFLOP/s; a copy: {bandwidth:.1} GB/s\n");
    println!(
        "{:40} {:>9} {:>9} {:>7} {:>9} {:>9} {:>7}",
        "operation", "forward", "GFLOP/s", "share", "backward", "GFLOP/s", "share"
    );
    let shapes: [(&str, [usize; 4], usize, usize); 9] = [
        ("unet2d level 1, first", [2, 1, 256, 256], 32, 3),
        ("unet2d level 1", [2, 32, 256, 256], 32, 3),
        ("unet2d level 2", [2, 64, 128, 128], 64, 3),
        ("unet2d level 3", [2, 128, 64, 64], 128, 3),
        ("unet2d level 4", [2, 256, 32, 32], 256, 3),
        ("unet2d level 5", [2, 512, 16, 16], 512, 3),
        ("unet2d head", [2, 32, 256, 256], 1, 1),
        ("wide rows, 7 x 7", [4, 3, 224, 224], 64, 7),
        ("one row of pixels", [64, 300, 1, 200], 200, 1),
    ];
    for (name, shape, outputs, kernel) in shapes {
        let positions = shape[0] * shape[2] * shape[3];
        let work = 2.0 * (positions * shape[1] * outputs * kernel * kernel) as f64;
        let x = uniform(shape, &device);
        let weight = uniform([outputs, shape[1], kernel, kernel], &device);
        let options = ConvOptions::new([1, 1], [kernel / 2, kernel / 2], [1, 1], 1);
        row(&filter, &format!("{name}, {shape:?} to {outputs}"), peak, work, 2.0, || {
            ops::conv(x.val(), weight.val(), None, options.clone())
        });
    }
    for (name, shape, outputs, kernel) in [
        ("basset 1", [64, 4, 600], 300, 19),
        ("basset 2", [64, 300, 200], 200, 11),
        ("basset 3", [64, 200, 50], 200, 7),
    ] {
        let work = 2.0 * (shape[0] * shape[2] * shape[1] * outputs * kernel) as f64;
        let (x, weight) = (uniform(shape, &device), uniform([outputs, shape[1], kernel], &device));
        let options = ConvOptions::new([1], [kernel / 2], [1], 1);
        row(&filter, &format!("{name}, {shape:?} to {outputs}"), peak, work, 2.0, || {
            ops::conv(x.val(), weight.val(), None, options.clone())
        });
    }
    for (name, shape, outputs) in [
        ("unet3d level 1", [2, 16, 40, 56, 40], 16),
        ("unet3d level 2", [2, 32, 20, 28, 20], 32),
        ("unet3d level 3", [2, 64, 10, 14, 10], 64),
        ("unet3d level 4", [2, 128, 5, 7, 5], 128),
    ] {
        let positions: usize = shape[0] * shape[2..].iter().product::<usize>();
        let work = 2.0 * (positions * shape[1] * outputs * 27) as f64;
        let (x, weight) = (uniform(shape, &device), uniform([outputs, shape[1], 3, 3, 3], &device));
        let options = ConvOptions::new([1; 3], [1; 3], [1; 3], 1);
        row(&filter, &format!("{name}, {shape:?} to {outputs}"), peak, work, 2.0, || {
            ops::conv(x.val(), weight.val(), None, options.clone())
        });
    }
}

/// One line: the fastest forward and backward pass.
fn row<const D: usize>(filter: &str, name: &str, peak: f64, work: f64, backward: f64, forward: impl Fn() -> Tensor<D>) {
    if !name.contains(filter) {
        return;
    }
    let (mut ahead, mut back) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..RUNS {
        let began = Instant::now();
        let y = forward();
        ahead = ahead.min(began.elapsed().as_secs_f64());
        let loss = y.sum();
        let began = Instant::now();
        let _gradients = loss.backward();
        back = back.min(began.elapsed().as_secs_f64());
    }
    let share = |work: f64, seconds: f64| (work / seconds / 1e9, 100.0 * work / seconds / 1e9 / peak);
    let ((a, b), (c, d)) = (share(work, ahead), share(backward * work, back));
    println!("{name:40} {:7.2}ms {a:9.0} {b:6.0}% {:7.2}ms {c:9.0} {d:6.0}%", ahead * 1e3, back * 1e3);
}

fn uniform<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let mut generator = rng(1, &[]);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| generator.random()).collect();
    Param::from_data(TensorData::new(values, shape), device)
}

/// GFLOP/s of a large matrix product by the crate `gemm`, on all threads.
fn product() -> f64 {
    let n = 2048;
    let device = Device::flex();
    let a = uniform([n, n], &device).val();
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let began = Instant::now();
        let _ = a.clone().matmul(a.clone());
        best = best.min(began.elapsed().as_secs_f64());
    }
    2.0 * (n * n * n) as f64 / best / 1e9
}

/// GB/s of a copy, reading and writing counted, on one thread.
fn copy() -> f64 {
    let from = vec![1.0_f32; 1 << 26];
    let mut to = vec![0.0_f32; 1 << 26];
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let began = Instant::now();
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&to);
        best = best.min(began.elapsed().as_secs_f64());
    }
    2.0 * 4.0 * f64::from(1 << 26) / best / 1e9
}
