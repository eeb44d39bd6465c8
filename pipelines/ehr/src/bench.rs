//! `bench`: how fast the parts are. Prints `{"seconds", "items", …}`; `cargo xtask bench` compares it with peers.

use crate::cli::{Bench, Format, Measure};
use crate::config::{DeviceConfig, SourceConfig, without_run_folder};
use crate::inputs;
use anyhow::Context;
use ehr::features::{Recipe, SeriesConfig, Table};
use ehr::io::{etl, meds, mimic3};
use ehr::study::{Inputs, NetworkConfig, RiskObjective};
use ehr::synthetic::mimic_tables;
use ehr::systems::gru_d::{GruDConfig, intervals};
use ehr::view::View;
use nn_core::burn::module::Module;
use nn_core::burn::tensor::Device;
use nn_core::data::rng;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Learner, StepContext, Supervised};
use rand::RngExt;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::record::peak_memory_mb;

/// Variables of a generated series, and the share of them that is measured in an hour: about those of `PhysioNet` 2012.
const VARIABLES: usize = 33;
const MEASURED: f64 = 0.2;

pub(crate) fn run(common: &Common, args: &Bench) -> anyhow::Result<()> {
    without_run_folder(common, "bench")?;
    let Some(settings) = DeviceConfig::new(common)? else { return Ok(()) };
    let mut found = match args.what {
        Measure::Convert => convert(common, args)?,
        Measure::Read => read(needed(args.input.as_ref(), "--input FOLDER")?, args.items)?,
        Measure::Table => table(common, args)?,
        Measure::Series => series(common, args)?,
        Measure::GruD => gru_d(args, &nn_core::compute::device(&settings.device)?)?,
    };
    if let Value::Object(fields) = &mut found {
        fields.insert("peak_mb".into(), json!(peak_memory_mb()));
        fields.insert("device".into(), json!(settings.device));
        fields.insert(
            "version".into(),
            json!(format!("galen-ehr {}, {} threads", env!("CARGO_PKG_VERSION"), rayon::current_num_threads())),
        );
    }
    writeln!(std::io::stdout().lock(), "{found}")?;
    Ok(())
}

fn needed<'a>(path: Option<&'a PathBuf>, option: &str) -> Result<&'a Path, Usage> {
    path.map(PathBuf::as_path).ok_or_else(|| Usage(format!("this needs {option}")))
}

/// Where the records of a measurement are.
fn source(args: &Bench) -> Result<SourceConfig, Usage> {
    let data = needed(args.input.as_ref(), "--input PATH")?.to_owned();
    Ok(SourceConfig { data, format: args.format, max_memory: args.max_memory.clone(), ..SourceConfig::default() })
}

/// Tables to a MEDS data set on disk; without an input, tables in the shape of MIMIC are generated beside the output.
fn convert(common: &Common, args: &Bench) -> anyhow::Result<Value> {
    let out = needed(args.out.as_ref(), "--out FOLDER")?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let config = inputs::etl_config(&SourceConfig { max_memory: args.max_memory.clone(), ..SourceConfig::default() })?;
    let mut tables = if args.input.is_some() {
        let source = source(args)?;
        let path = inputs::locate(&source.data, common)?;
        match inputs::layout(&source, &path)? {
            // The peers leave values in the units in which they are written.
            Format::Mimic3 => mimic3::open(&path, &etl::TableConfig { normalise_units: false })?,
            format => inputs::open(common, &source, &path, format)?.context("these records are MEDS already")?,
        }
    } else {
        let folder = out.join("tables");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        mimic_tables(&folder, args.events, 1)?;
        mimic3::open(&folder, &etl::TableConfig::default())?
    };
    let made = out.join("meds");
    let began = Instant::now();
    let report = etl::convert(tables.as_mut(), &made, &config)?;
    let seconds = began.elapsed().as_secs_f64();
    let found = json!({
        "seconds": seconds,
        "items": report.events,
        "value": report.codes,
        "subjects": report.subjects,
        "shards": report.shards,
    });
    if args.input.is_some() {
        // `convert` writes into no folder that holds a data set, so this one is its own; the next round needs the name.
        std::fs::remove_dir_all(&made).with_context(|| format!("cannot remove {}", made.display()))?;
    }
    Ok(found)
}

fn read(path: &Path, rounds: usize) -> anyhow::Result<Value> {
    let mut events = 0;
    let began = Instant::now();
    for _ in 0..rounds {
        events = meds::read(path)?.events.rows();
    }
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": rounds * events, "events": events }))
}

fn table(common: &Common, args: &Bench) -> anyhow::Result<Value> {
    let loaded = inputs::load(common, &source(args)?)?;
    let views = last_views(&loaded);
    let began = Instant::now();
    let mut made = Table::default();
    for _ in 0..args.items {
        made = Recipe::default().fit(&views)?.table(&views);
        std::hint::black_box(&made);
    }
    let seconds = began.elapsed().as_secs_f64();
    let (items, rows) = (args.items * loaded.events.rows(), views.len());
    let known = made.values.iter().filter(|value| value.is_finite()).count();
    Ok(json!({ "seconds": seconds, "items": items, "value": known, "rows": rows, "columns": made.columns() }))
}

fn series(common: &Common, args: &Bench) -> anyhow::Result<Value> {
    let loaded = inputs::load(common, &source(args)?)?;
    let views = last_views(&loaded);
    let began = Instant::now();
    let mut steps = 0;
    for _ in 0..args.items {
        let found = SeriesConfig::default().fit(&views)?.apply_all(&views)?;
        steps = found.iter().map(|series| series.steps).sum();
        std::hint::black_box(&found);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(json!({ "seconds": seconds, "items": args.items * loaded.events.rows(), "value": steps, "rows": views.len() }))
}

/// Every subject at its last event.
fn last_views(loaded: &inputs::Loaded) -> Vec<View<'_>> {
    loaded.events.iter().filter_map(|subject| Some(subject.as_of(subject.last_time()?))).collect()
}

/// Epochs of GRU-D with its published sizes on generated hourly series.
fn gru_d(args: &Bench, device: &Device) -> anyhow::Result<Value> {
    let mut draw = rng(1, &[]);
    let hours: Vec<f32> = (0..args.steps).map(|hour| hour as f32).collect();
    let size = args.steps * VARIABLES;
    let made: Vec<ehr::features::Series> = (0..args.rows)
        .map(|_| {
            let mask: Vec<f32> = (0..size).map(|_| f32::from(u8::from(draw.random_bool(MEASURED)))).collect();
            ehr::features::Series {
                steps: args.steps,
                variables: VARIABLES,
                hours: hours.clone(),
                values: mask.iter().map(|mask| mask * draw.random_range(-2.0..2.0_f32)).collect(),
                delta: intervals(&hours, &mask, VARIABLES),
                mask,
                statics: Vec::new(),
            }
        })
        .collect();
    let targets: Vec<bool> = made.iter().map(|_| draw.random_bool(0.15)).collect();
    let inputs = Inputs::Series(made);
    let device = device.clone().autodiff();
    let config = NetworkConfig::GruD(GruDConfig { variables: VARIABLES, ..GruDConfig::default() });
    let network = config.init(&device, &mut rng(1, &[0]))?;
    let params = network.num_params();
    let objective = RiskObjective { inputs: &inputs, targets: &targets, monitored: &[], device };
    let mut learner = Supervised::new(objective, network, OptimizerConfig::adam().init(), "bench");
    let rows: Vec<usize> = (0..args.rows).collect();
    let mut seconds = Vec::new();
    for epoch in 0..args.items {
        let began = Instant::now();
        for (step, rows) in rows.chunks(args.batch).enumerate() {
            let context = StepContext { seed: 1, epoch, step: step as u64, learning_rate: 1e-3 };
            let report = learner.step(rows, &context)?;
            anyhow::ensure!(report.loss.is_finite(), "the loss is {}", report.loss);
        }
        seconds.push(began.elapsed().as_secs_f64());
    }
    let total: f64 = seconds.iter().sum();
    let (items, steps) = (args.items * args.rows, args.steps);
    Ok(json!({
        "seconds": total,
        "items": items,
        "params": params,
        "epochs": seconds,
        "steps": steps,
        "batch": args.batch,
    }))
}
