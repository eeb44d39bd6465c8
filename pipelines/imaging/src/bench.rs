//! `bench`: how fast the parts are. Prints `{"seconds", "items", …}`; `cargo xtask bench` compares it with peers.

use crate::cli::{Bench, Measure};
use crate::config::{DeviceConfig, without_run_folder};
use anyhow::Context;
use imaging::augment::{AugmentConfig, Draw, patch};
use imaging::case::Case;
use imaging::geometry::Geometry;
use imaging::inference::{WindowConfig, segment};
use imaging::io::dicom::series::{SeriesOptions, scan};
use imaging::io::{ReadOptions, read_volume};
use imaging::sampling::{Foreground, SamplingConfig};
use imaging::study::{SegmentLoss, Truth};
use imaging::systems::unet::UnetConfig;
use imaging::systems::{SegmentConfig, Segmenter};
use imaging::volume::{LabelMap, Volume};
use nn_core::burn::optim::GradientsParams;
use nn_core::burn::tensor::{Device, Tensor, TensorData, activation};
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use nn_core::train::StepError;
use rand::RngExt;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::record::peak_memory_mb;

/// Features of the finest level of the network that is measured.
const BASE: usize = 16;
/// Its levels.
const LEVELS: usize = 4;

pub(crate) fn run(common: &Common, args: &Bench) -> anyhow::Result<()> {
    without_run_folder(common, "bench")?;
    let Some(settings) = DeviceConfig::new(common)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let mut found = match args.what {
        Measure::Series => series(needed(args.input.as_ref())?, args.items)?,
        Measure::Nifti => nifti(needed(args.input.as_ref())?, args.items)?,
        Measure::Augment => augment(args)?,
        Measure::Window => window(args, &device)?,
        Measure::Train => train(args, &device)?,
    };
    if let Value::Object(fields) = &mut found {
        fields.insert("peak_mb".into(), json!(peak_memory_mb()));
        fields.insert("device".into(), json!(settings.device));
        fields.insert(
            "version".into(),
            json!(format!("galen-imaging {}, {} threads", env!("CARGO_PKG_VERSION"), rayon::current_num_threads())),
        );
    }
    writeln!(std::io::stdout().lock(), "{found}")?;
    Ok(())
}

fn needed(path: Option<&PathBuf>) -> Result<&Path, Usage> {
    path.map(PathBuf::as_path).ok_or_else(|| Usage("this needs --input PATH".to_owned()))
}

/// A folder of DICOM files to volumes, again and again; the sum of the voxels, so that nothing is left out.
fn series(path: &Path, rounds: usize) -> anyhow::Result<Value> {
    let (mut volumes, mut voxels, mut sum) = (0, 0, 0.0);
    let began = Instant::now();
    for _ in 0..rounds {
        for series in scan(path)? {
            for volume in series.read(&SeriesOptions::default())?.0 {
                volumes += 1;
                voxels += volume.voxels.len();
                sum += total(&volume.voxels);
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "seconds": seconds, "items": volumes, "voxels": voxels, "value": sum / rounds as f64 }))
}

fn nifti(path: &Path, rounds: usize) -> anyhow::Result<Value> {
    let mut sum = 0.0;
    let began = Instant::now();
    for _ in 0..rounds {
        sum += total(&read_volume(path, &ReadOptions::default())?.0.voxels);
    }
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": rounds, "value": sum / rounds as f64 }))
}

fn total(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum()
}

/// A volume of noise with a ball in its middle.
fn generated(size: usize) -> anyhow::Result<Case> {
    let grid = Geometry::axial([size; 3], [1.0; 3]);
    let mut draw = rng(1, &[]);
    let voxels = (0..grid.len()).map(|_| draw.random::<f32>()).collect();
    let middle = size as f64 / 2.0;
    let labels = (0..grid.len())
        .map(|place| {
            let at = [place % size, place / size % size, place / (size * size)];
            let far: f64 = at.iter().map(|at| (*at as f64 - middle).powi(2)).sum();
            u8::from(far < (middle / 2.0).powi(2))
        })
        .collect();
    let label = LabelMap::with_default_names(labels, grid.clone())?;
    Ok(Case::new("noise", "noise", vec![Volume::new(voxels, grid)?], Some(label))?)
}

/// Augmented patches: one map, one interpolation, image and label.
fn augment(args: &Bench) -> anyhow::Result<Value> {
    let case = generated(args.size)?;
    let foreground = case.label.as_ref().map(Foreground::of);
    let sampling = SamplingConfig { patch: [args.patch; 3], ..SamplingConfig::default() };
    let config = AugmentConfig::default();
    let began = Instant::now();
    let sum: f64 = (0..args.items)
        .into_par_iter()
        .map(|row| {
            total(&patch(&case, foreground.as_ref(), row % 3 == 0, &sampling, &config, Draw::new(1, 0, row)).image)
        })
        .sum();
    anyhow::ensure!(sum.is_finite(), "a patch has a value that is not finite");
    let voxels = args.items * args.patch.pow(3);
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": args.items, "voxels": voxels }))
}

fn network() -> SegmentConfig {
    SegmentConfig::Unet(UnetConfig { dims: 3, base: BASE, levels: LEVELS, classes: 3, ..UnetConfig::default() })
}

/// Sliding-window inference by a fresh network: time does not depend on the weights.
fn window(args: &Bench, device: &Device) -> anyhow::Result<Value> {
    let case = generated(args.size)?;
    let network = network().init(device, &mut rng(1, &[]))?;
    let config = WindowConfig { patch: [args.patch; 3], ..WindowConfig::default() };
    let mut predict = |values: Vec<f32>, batch: usize| -> Result<Vec<f32>, StepError> {
        let shape = [batch, 1, args.patch, args.patch, args.patch];
        let x = Tensor::<5>::from_data(TensorData::new(values, shape), device);
        let map = network.maps(x, None).into_iter().next();
        let map = map.ok_or_else(|| StepError::other("the network gave no map"))?;
        let found = activation::softmax(map, 1).try_into_vec_as::<f32>();
        found.map_err(|error| StepError::Device { what: "probabilities", reason: error.to_string() })
    };
    let channels: Vec<&Volume> = case.channels.iter().collect();
    let began = Instant::now();
    let found = segment(&channels, 3, &config, &mut predict)?;
    let seconds = began.elapsed().as_secs_f64();
    let windows = config.passes([args.size; 3]);
    Ok(json!({ "seconds": seconds, "items": windows, "voxels": found.labels.len() }))
}

/// Training steps of a fresh network on one patch.
fn train(args: &Bench, device: &Device) -> anyhow::Result<Value> {
    let device = device.clone().autodiff();
    let case = generated(args.patch)?;
    let mut network = network().init(&device, &mut rng(1, &[]))?;
    let mut optimizer = OptimizerConfig::adam().init();
    let labels = &case.label.as_ref().context("the generated case has labels")?.labels;
    let shape = [1, 1, args.patch, args.patch, args.patch];
    let truth = Truth { labels, shape: [1, args.patch, args.patch, args.patch] };
    let began = Instant::now();
    let mut last = 0.0;
    for step in 0..args.items {
        let x = Tensor::<5>::from_data(TensorData::new(case.channels[0].voxels.clone(), shape), &device);
        let loss = SegmentLoss::default().forward(network.maps(x, Some(&mut rng(1, &[step as u64]))), truth);
        last = loss.clone().try_into_scalar::<f64>()?;
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(1e-3, network, gradients);
    }
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": args.items, "loss": last }))
}
