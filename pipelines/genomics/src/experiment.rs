//! `experiment`: studies whose input is no sequence, for `cargo xtask reproduce`. They write a run folder with
//! `metrics.json` and `report.html` as `train` does.

mod chrome;
mod khan;

use crate::cli::{Experiment, Which, counted};
use crate::config::{not_resumed, settings};
use nn_core::config::in_range;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use workbench::args::Common;
use workbench::page::results;
use workbench::record::{DataRecord, DataSummary, Environment, RunMetrics, Summary, peak_memory_mb};
use workbench::report::{Page, Section};
use workbench::run::{DATA, ENVIRONMENT, METRICS, REPORT, RunFolder};

/// Settings of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ExperimentConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Seed of the first model.
    pub(crate) seed: u64,
    /// Models, each with a seed of its own.
    pub(crate) models: usize,
    /// Epochs at most.
    pub(crate) epochs: usize,
    /// Folder of the data.
    pub(crate) data: PathBuf,
}

/// What an experiment came to.
pub(crate) struct Found {
    /// What was predicted, as `tumour class`.
    pub(crate) task: &'static str,
    /// Name of the data set.
    pub(crate) dataset: &'static str,
    /// What was done, in a few sentences.
    pub(crate) text: String,
    /// Each metric with one value for each model.
    pub(crate) metrics: BTreeMap<&'static str, Vec<f64>>,
    /// The same metrics of simple predictors.
    pub(crate) baselines: BTreeMap<&'static str, BTreeMap<String, f64>>,
    /// Epochs of each model.
    pub(crate) epochs: Vec<usize>,
    /// What went in.
    pub(crate) record: DataRecord,
    /// Figures: file, caption, SVG.
    pub(crate) figures: Vec<(&'static str, String, String)>,
}

pub(crate) fn run(common: &Common, args: &Experiment, stop: &AtomicBool) -> anyhow::Result<()> {
    not_resumed(common, "experiment")?;
    let (name, epochs, data) = match args.which {
        Which::Khan => ("khan", khan::EPOCHS, "genomics/expr_cancer"),
        Which::AttentiveChrome => ("attentive-chrome", chrome::EPOCHS, ""),
    };
    let defaults = ExperimentConfig { device: "cpu".into(), seed: 1, models: 5, epochs, data: data.into() };
    let flags = args.repeats.flags().set("data", args.data.as_ref());
    let Some(config) = settings(&defaults, common, flags)? else { return Ok(()) };
    in_range("models", config.models, 1..=100)?;
    in_range("epochs", config.epochs, 1..=100_000)?;
    in_range("seed", config.seed, 0..=i64::MAX as u64 - 100)?;
    let began = Instant::now();
    let device = nn_core::compute::device(&config.device)?;
    let folder = RunFolder::open(&common.run_dir_or(format!("runs/{name}")), false)?;
    folder.write_config(&config)?;
    let versions = ["galen-genomics", "genomics"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    let environment = Environment::collect(option_env!("GALEN_COMMIT"), &versions, &config.device, config.seed);
    folder.write_json(ENVIRONMENT, &environment)?;
    let found = match args.which {
        Which::Khan => khan::run(common, &config, &device, stop)?,
        Which::AttentiveChrome => chrome::run(common, &config, &folder, &device, stop)?,
    };
    folder.write_json(DATA, &found.record)?;
    let metrics = RunMetrics {
        task: found.task.to_owned(),
        dataset: found.dataset.to_owned(),
        protocol: "clean".to_owned(),
        split: found.record.split.clone().unwrap_or_default(),
        models: config.models,
        seeds: (0..config.models as u64).map(|i| config.seed + i).collect(),
        epochs: found.epochs.clone(),
        metrics: found
            .metrics
            .iter()
            .filter_map(|(name, values)| Some(((*name).to_owned(), Summary::of(values.clone())?)))
            .collect(),
        baselines: found.baselines.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect(),
        data: DataSummary {
            rows: found.record.kept,
            sha256: found.record.inputs.iter().map(|i| (i.name.clone(), i.sha256.clone())).collect(),
        },
        device: config.device.clone(),
        wall_seconds: began.elapsed().as_secs_f64(),
        peak_mb: peak_memory_mb(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: environment.commit.clone(),
    };
    let table = results(format!("{name}, test part"), &metrics);
    let mut section = Section::new("Results").paragraph(found.text).table(table.clone());
    for (file, caption, svg) in found.figures {
        folder.write(&format!("figures/{file}.svg"), &svg)?;
        section = section.figure(caption, svg);
    }
    let page = Page::new(name, format!("{}, {}", found.dataset, counted(metrics.models, "model")))
        .fact("Device", &metrics.device)
        .fact("Version", &metrics.version)
        .section(section)
        .section(Section::new("Configuration").code(workbench::config::to_toml(&config)?));
    folder.write(REPORT, page.render()?)?;
    folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        table.write(&mut out, false)?;
        writeln!(out, "\nreport: {}", folder.file(REPORT)?.display())?;
    }
    Ok(())
}
