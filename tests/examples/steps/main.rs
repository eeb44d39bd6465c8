//! One training step (forward, backward, Adam) of five reference workloads: our side of `cargo xtask bench steps`.
//!
//! `steps --only NAME --steps N` prints one JSON line. Shapes, loss (the mean of the squared output) and optimiser are
//! those of `xtask/peers/torch_steps.py`, so that a ratio of the two is a fair one.
#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

mod nets;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;
use nets::{Basset, GruNet, Pairs};
use nn_core::burn::module::{Module, ModuleVisitor, Param};
use nn_core::burn::optim::GradientsParams;
use nn_core::burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::compute;
use nn_core::data::rng;
use nn_core::layers::{UNet2d, UNet3d, UNetConfig};
use nn_core::optim::OptimizerConfig;
use rand::RngExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Steps before the first that is timed.
const WARM_UP: usize = 2;

/// Arguments of the program.
#[derive(Debug, Parser)]
struct Args {
    /// Workload: unet2d, unet3d, cnn1d, gru or deepdta
    #[arg(long)]
    only: String,
    /// Steps to time
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Device: cpu, ndarray, cuda:N, gpu:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Accepted for the form of the other benches; the output is JSON in any case
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let device = compute::device(&args.device)?.autodiff();
    let mut generator = rng(1, &[]);
    match args.only.as_str() {
        "unet2d" => {
            let config = UNetConfig { base: 32, levels: 5, ..UNetConfig::default() };
            let net: UNet2d = config.init(&device, &mut generator)?;
            let x = uniform([2, 1, 256, 256], &device);
            run(&args, &device, net, |net| net.forward(x.clone()).powi_scalar(2).mean())
        }
        "unet3d" => {
            let config = UNetConfig { base: 16, levels: 4, ..UNetConfig::default() };
            let net: UNet3d = config.init(&device, &mut generator)?;
            let x = uniform([2, 1, 40, 56, 40], &device);
            run(&args, &device, net, |net| net.forward(x.clone()).powi_scalar(2).mean())
        }
        "cnn1d" => {
            let net = Basset::init(&device, &mut generator)?;
            let x = uniform([64, 4, 600], &device);
            run(&args, &device, net, |net| net.forward(x.clone()).powi_scalar(2).mean())
        }
        "gru" => {
            let net = GruNet::init(&device, &mut generator)?;
            let codes = Tensor::<2, Int>::from_data(TensorData::new(codes(5000, 6400), [64, 100]), &device);
            run(&args, &device, net, |net| net.forward(codes.clone()).powi_scalar(2).mean())
        }
        "deepdta" => {
            let pairs = Pairs::init(&device, &mut generator)?;
            let net = pairs.net();
            let mut step = 0;
            run(&args, &device, net, |net| {
                step += 1;
                pairs.forward(net, &mut rng(2, &[step])).powi_scalar(2).mean()
            })
        }
        other => bail!("no workload {other:?}; use unet2d, unet3d, cnn1d, gru or deepdta"),
    }
}

/// Uniform numbers below 1.
fn uniform<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut generator = rng(3, &[]);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| generator.random()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// `count` codes below `high`.
fn codes(high: i64, count: usize) -> Vec<i64> {
    let mut generator = rng(4, &[]);
    (0..count).map(|_| generator.random_range(0..high)).collect()
}

/// Times the steps and prints what they took.
fn run<M: Module>(args: &Args, device: &Device, net: M, mut loss: impl FnMut(&M) -> Tensor<1>) -> Result<()> {
    let mut optimizer = OptimizerConfig::adam().init();
    let mut counter = Trainable(0);
    net.visit(&mut counter);
    let (mut net, mut seconds, mut faults) = (net, Vec::new(), 0);
    for step in 0..WARM_UP + args.steps.max(1) {
        let (began, before) = (Instant::now(), page_faults());
        let gradients = GradientsParams::from_grads(loss(&net).backward(), &net);
        net = optimizer.step(1e-3, net, gradients);
        device.sync().context("waiting for the device")?;
        if step >= WARM_UP {
            seconds.push(began.elapsed().as_secs_f64());
            faults += page_faults() - before;
        }
    }
    seconds.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({
            "name": args.only,
            "seconds": seconds[seconds.len() / 2],
            "min_seconds": seconds[0],
            "items": seconds.len(),
            "page_faults": faults / seconds.len() as u64,
            "params": counter.0,
            "peak_mb": peak_mb(),
            "device": args.device,
            "version": concat!("galen ", env!("CARGO_PKG_VERSION")),
        })
    );
    Ok(())
}

/// Counts the values that have gradients; burn's own count has running statistics in it.
struct Trainable(usize);

impl ModuleVisitor for Trainable {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0 += param.val().dims().iter().product::<usize>();
        }
    }
}

/// A number of `/proc/self/status` or 0 where there is no such file.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Page faults of this process so far that needed no disk.
fn page_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // the name in brackets may hold blanks; minflt is the eighth field behind it
    let behind = stat.rsplit(')').next().unwrap_or_default();
    behind.split_whitespace().nth(7).and_then(|field| field.parse().ok()).unwrap_or(0)
}
