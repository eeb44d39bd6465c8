//! `train`: models, baselines, scores, files and the report of one study.

mod models;
mod results;

pub(crate) use self::models::Model;
pub(crate) use self::results::table as results_table;

use crate::cli::Train;
use crate::config::{self, RunConfig};
use crate::inputs::{self, Loaded};
use crate::page::{self, Findings};
use anyhow::Context;
use drug::model::Ensemble;
use drug::study::{Plan, Study};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use workbench::args::Common;
use workbench::observe::say;
use workbench::observe::{METRICS_LOG, logged_seconds};
use workbench::record::{DataRecord, DataSummary, Environment, RunMetrics, peak_memory_mb};
use workbench::run::{DATA, ENVIRONMENT, METRICS, REPORT, RunFolder};
use workbench::training::{quoted, refuse_other_data, refuse_other_settings};

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = RunConfig::for_train(common, args)?;
    if common.print_config {
        return config::print(&config);
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    // Written down whole, so that the run can be continued from another folder and without --data-root.
    let data = inputs::locate(&source.data, common)?;
    source.data = std::path::absolute(&data).with_context(|| format!("cannot use {}", data.display()))?;
    let loaded = inputs::load(source, common)?;
    let resume = format!("galen-drug train --run-dir {} --resume", quoted(&run_dir));
    study(common, &config, &loaded, &run_dir, &resume, stop)
}

/// Trains, judges and reports one study in `run_dir`; `resume` is the command that would continue it.
pub(crate) fn study(
    common: &Common,
    config: &RunConfig,
    loaded: &Loaded,
    run_dir: &Path,
    resume: &str,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let device = nn_core::compute::device(&config.device)?;
    let folder = RunFolder::open(run_dir, common.resume)?;
    let plan = inputs::plan(loaded, &config.study)?;
    let record = record(loaded, &plan, config);
    // A run that goes on may train more models, and train them longer.
    refuse_other_settings(&folder, config, |key| matches!(key, "epochs" | "models" | "device"))?;
    refuse_other_data(&folder, &record)?;
    let earlier = earlier_seconds(&folder, config.study.models)?;
    remove_results(&folder)?;

    folder.write_config(config)?;
    let environment = environment(config);
    folder.write_json(ENVIRONMENT, &environment)?;
    inputs::write_splits(&folder, &plan)?;
    folder.write_json(DATA, &record)?;
    let study = Study::new(&loaded.table, plan, config.study.clone())?;
    let audit = inputs::audit(&study);
    folder.write_json("audit.json", &audit)?;
    say(common, &audit.to_text());

    let baselines = models::baselines(common, &folder, &study, &device)?;
    let mut models = Vec::new();
    for i in 0..config.study.models {
        models.push(models::model(common, &folder, &study, i, &device, resume, stop)?);
    }

    let test = study.plan().test();
    let predictions = models.iter().map(|m| study.predict(&m.affinity, test)).collect::<Result<Vec<_>, _>>()?;
    let scores = predictions.iter().map(|p| study.score(p)).collect::<Result<Vec<_>, _>>()?;
    let ensemble = results::mean_of(&predictions);
    let intervals = results::intervals(&study, &loaded.table.values(test), &predictions[0])?;
    let together = Ensemble::new(models.iter().map(|m| m.affinity.clone()).collect())?;
    results::write_predictions(&folder, &study, loaded, &together, &ensemble)?;

    let metrics = RunMetrics {
        task: "affinity".into(),
        dataset: config.dataset.clone(),
        protocol: name_of(&config.study.protocol),
        split: config.study.split.name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| study.seed(i)).collect(),
        epochs: models.iter().map(|m| m.epochs).collect(),
        metrics: results::summaries(&scores, &intervals),
        baselines: baselines.iter().map(|b| (b.name.clone(), b.mean())).collect(),
        data: DataSummary {
            rows: loaded.table.pairs.len(),
            sha256: loaded.inputs.iter().map(|i| (i.name.clone(), i.sha256.clone())).collect(),
        },
        device: config.device.clone(),
        wall_seconds: earlier + began.elapsed().as_secs_f64(),
        peak_mb: peak_memory_mb(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: environment.commit.clone(),
    };
    let findings = Findings {
        config,
        study: &study,
        loaded,
        audit: &audit,
        record: &record,
        environment: &environment,
        metrics: &metrics,
        baselines: &baselines,
        models: &models,
        ensemble: &ensemble,
        ensemble_scores: study.score(&ensemble)?,
    };
    page::write(&folder, &findings)?;
    folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results_table(&metrics, &baselines).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", folder.file(REPORT)?.display())?;
    }
    Ok(())
}

/// What went in, and the parts it was divided into.
fn record(loaded: &Loaded, plan: &Plan, config: &RunConfig) -> DataRecord {
    let split = plan.split(0);
    DataRecord {
        inputs: loaded.inputs.clone(),
        kept: loaded.table.pairs.len(),
        dropped: loaded.dropped.clone(),
        split: Some(config.study.split.name().to_owned()),
        parts: [("train", split.train.len()), ("validation", split.validation.len()), ("test", split.test.len())]
            .map(|(name, rows)| (name.to_owned(), rows))
            .into(),
    }
}

/// Seconds that earlier processes of a continued run trained, from their logs.
fn earlier_seconds(folder: &RunFolder, models: usize) -> anyhow::Result<f64> {
    let mut seconds = 0.0;
    for i in 0..models {
        let log = folder.file(&format!("logs/fold-{i}/{METRICS_LOG}"))?;
        if log.is_file() {
            seconds += logged_seconds(&log)?;
        }
    }
    Ok(seconds)
}

/// Removes what a run writes last: a folder that has it is finished, and a run that goes on is not.
fn remove_results(folder: &RunFolder) -> anyhow::Result<()> {
    for name in [METRICS, REPORT] {
        let path = folder.file(name)?;
        if path.is_file() {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// A serialised name without its quotes, such as `paper`.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn environment(config: &RunConfig) -> Environment {
    // All members have the version of the workspace.
    let versions = ["galen-drug", "drug"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    Environment::collect(option_env!("GALEN_COMMIT"), &versions, &config.device, config.study.seed)
}
