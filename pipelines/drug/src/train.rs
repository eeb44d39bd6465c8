//! `train`: models, baselines, scores, files and the report of one study.

use crate::cli::Train;
use crate::config::RunConfig;
use crate::inputs::{self, Loaded};
use crate::page::{self, Findings};
use anyhow::Context;
use drug::baselines::{self, Baseline};
use drug::io::parquet::{PredictionRow, PredictionWriter};
use drug::model::AffinityModel;
use drug::study::{Scores, Study, Trained};
use nn_core::metrics::{self, Interval};
use nn_core::train::{Checkpoints, StopReason};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use workbench::args::Common;
use workbench::exit::Interrupted;
use workbench::observe::{METRICS_LOG, Reporter, logged_seconds};
use workbench::record::{DataRecord, DataSummary, Environment, RunMetrics, Summary, peak_memory_mb};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Resamples behind each interval of the results.
const RESAMPLES: usize = 500;
/// Level of those intervals.
const LEVEL: f64 = 0.95;
/// Scores that get an interval and stand in the printed table.
pub(crate) const SHOWN: [&str; 5] = ["mse", "ci", "rm2", "pearson", "average_precision"];

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    let named = common.named_run_dir();
    let config = RunConfig::new(common, args, named.as_deref())?;
    if common.print_config {
        std::io::stdout().lock().write_all(workbench::config::to_toml(&config)?.as_bytes())?;
        return Ok(());
    }
    let loaded = inputs::load(&args.source, common)?;
    let run_dir = named.unwrap_or_else(|| Path::new("runs").join(format!("{}-deepdta", config.dataset)));
    let resume =
        format!("galen-drug train --data {} --run-dir {} --resume", args.source.data.display(), run_dir.display());
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
    refuse_other_settings(&folder, config)?;
    let earlier = earlier_seconds(&folder, config.study.models)?;
    folder.write_config(config)?;
    let environment = environment(config);
    folder.write_json("environment.json", &environment)?;

    let plan = inputs::plan(loaded, &config.study)?;
    inputs::write_splits(&folder, &plan)?;
    let split = plan.split(0);
    let record = DataRecord {
        inputs: loaded.inputs.clone(),
        kept: loaded.table.pairs.len(),
        dropped: loaded.dropped.clone(),
        split: Some(config.study.split.name().to_owned()),
        parts: [("train", split.train.len()), ("validation", split.validation.len()), ("test", split.test.len())]
            .map(|(name, rows)| (name.to_owned(), rows))
            .into(),
    };
    folder.write_json("data.json", &record)?;
    let study = Study::new(&loaded.table, plan, config.study.clone())?;
    let audit = inputs::audit(&study);
    folder.write_json("audit.json", &audit)?;
    say(common, &audit.to_text());

    let baselines = baselines(common, &folder, &study, &device)?;
    let mut models = Vec::new();
    for i in 0..config.study.models {
        models.push(model(common, &folder, &study, i, &device, resume, stop)?);
    }

    let predictions =
        models.iter().map(|m| study.predict(&m.affinity, study.plan().test())).collect::<Result<Vec<_>, _>>()?;
    let scores = predictions.iter().map(|p| study.score(p)).collect::<Result<Vec<_>, _>>()?;
    let ensemble = mean_of(&predictions);
    let intervals = intervals(&study, &loaded.table.values(study.plan().test()), &predictions[0])?;
    write_predictions(&folder, &study, loaded, &models, &ensemble)?;

    let metrics = RunMetrics {
        task: "affinity".into(),
        dataset: config.dataset.clone(),
        protocol: name_of(&config.study.protocol),
        split: config.study.split.name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| study.seed(i)).collect(),
        epochs: models.iter().map(|m| m.epochs).collect(),
        metrics: summaries(&scores, &intervals),
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
        predictions: &predictions,
        ensemble: &ensemble,
        ensemble_scores: study.score(&ensemble)?,
    };
    page::write(&folder, &findings)?;
    folder.write_json("metrics.json", &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results(&metrics, &baselines).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", folder.file("report.html")?.display())?;
    }
    Ok(())
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

/// A serialised name without its quotes, such as `paper`.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(crate) fn say(common: &Common, text: &str) {
    if common.verbosity() >= workbench::args::Verbosity::Normal {
        // A closed stderr is no reason to stop a run.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

fn environment(config: &RunConfig) -> Environment {
    let versions = [("galen-drug", env!("CARGO_PKG_VERSION")), ("burn", "0.22.1"), ("chematic", "1.2.1")];
    Environment::collect(option_env!("GALEN_COMMIT"), &versions, &config.device, config.study.seed)
}

/// A continued run may run longer and train more models; anything else would make its result a mixture.
fn refuse_other_settings(folder: &RunFolder, config: &RunConfig) -> anyhow::Result<()> {
    let changed: Vec<String> = folder
        .changes(config)?
        .into_iter()
        .filter(|c| !matches!(c.key.as_str(), "epochs" | "models" | "device"))
        .map(|c| format!("{} was {}, is {}", c.key, c.before, c.after))
        .collect();
    anyhow::ensure!(
        changed.is_empty(),
        "the run in {} was started with other settings ({}); give the same ones, or another --run-dir",
        folder.path().display(),
        changed.join("; ")
    );
    Ok(())
}

/// A model with what training it came to.
pub(crate) struct Model {
    pub(crate) affinity: AffinityModel,
    pub(crate) epochs: usize,
    pub(crate) best_epoch: Option<usize>,
    /// Name of the folder in the run folder with the model's learning curve.
    pub(crate) log: String,
}

fn model(
    common: &Common,
    folder: &RunFolder,
    study: &Study<'_>,
    i: usize,
    device: &nn_core::burn::tensor::Device,
    resume: &str,
    stop: &AtomicBool,
) -> anyhow::Result<Model> {
    let file = folder.file(&format!("model/fold-{i}.safetensors"))?;
    let log = format!("logs/fold-{i}");
    let summary = format!("{log}/outcome.json");
    if file.is_file() {
        let (epochs, best_epoch) = folder.read_json(&summary)?;
        say(common, &format!("model {i}: trained before, read from {}", file.display()));
        return Ok(Model { affinity: AffinityModel::load(&file, device)?, epochs, best_epoch, log });
    }
    say(common, &format!("model {i}: training on {} rows", study.plan().split(i).train.len()));
    let checkpoints = Checkpoints::new(folder.checkpoints().join(format!("fold-{i}")));
    let mut reporter = Reporter::new(&folder.file(&log)?, common.verbosity()).title(&format!("model {i}"));
    let Trained { model, outcome } =
        study.train(i, device, (Some(&checkpoints), folder.resumed()), &mut reporter, stop).with_context(|| {
            format!("model {i} was not trained to its end; its checkpoints are in {}", folder.checkpoints().display())
        })?;
    reporter.finish()?;
    if outcome.stopped == StopReason::Interrupted {
        return Err(Interrupted { resume: resume.to_owned() }.into());
    }
    folder.write_json(&summary, &(outcome.epochs_run, outcome.best_epoch))?;
    std::fs::create_dir_all(folder.file("model")?)?;
    model.save(&file)?;
    Ok(Model { affinity: model, epochs: outcome.epochs_run, best_epoch: outcome.best_epoch, log })
}

/// Scores of all baselines, read back where an earlier part of the run computed them.
fn baselines(
    common: &Common,
    folder: &RunFolder,
    study: &Study<'_>,
    device: &nn_core::burn::tensor::Device,
) -> anyhow::Result<Vec<Baseline>> {
    if folder.resumed() && folder.file("baselines.json")?.is_file() {
        return Ok(folder.read_json("baselines.json")?);
    }
    say(common, "baselines");
    let found = baselines::all(study, device)?;
    folder.write_json("baselines.json", &found)?;
    Ok(found)
}

/// The mean prediction for each row.
fn mean_of(predictions: &[Vec<f64>]) -> Vec<f64> {
    let n = predictions.len() as f64;
    (0..predictions[0].len()).map(|row| predictions.iter().map(|p| p[row]).sum::<f64>() / n).collect()
}

/// Intervals of the shown scores of the first model, by resampling the groups of the test part.
fn intervals(
    study: &Study<'_>,
    measured: &[f64],
    predicted: &[f64],
) -> anyhow::Result<BTreeMap<&'static str, Interval>> {
    let groups = study.bootstrap_groups();
    let mut found = BTreeMap::new();
    for name in SHOWN {
        let statistic = |rows: &[usize]| {
            let pick = |of: &[f64]| rows.iter().map(|&r| of[r]).collect::<Vec<_>>();
            study.score_one(name, &pick(measured), &pick(predicted))
        };
        match metrics::interval(&groups, RESAMPLES, LEVEL, study.config().seed, statistic) {
            Ok(interval) => drop(found.insert(name, interval)),
            Err(metrics::MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Mean and spread of each score over the models, with the interval of the first.
fn summaries(scores: &[Scores], intervals: &BTreeMap<&'static str, Interval>) -> BTreeMap<String, Summary> {
    let names = scores.first().into_iter().flat_map(|s| s.keys());
    names
        .filter_map(|name| {
            let values: Vec<f64> = scores.iter().filter_map(|s| s.get(name).copied()).collect();
            let summary = Summary::of(values)?;
            let summary = match intervals.get(name.as_str()) {
                Some(interval) => summary.interval(interval.low, interval.high),
                None => summary,
            };
            Some((name.clone(), summary))
        })
        .collect()
}

fn write_predictions(
    folder: &RunFolder,
    study: &Study<'_>,
    loaded: &Loaded,
    models: &[Model],
    ensemble: &[f64],
) -> anyhow::Result<()> {
    let radii: Vec<f64> = models.iter().filter_map(|m| m.affinity.card.calibration.map(|c| c.radius)).collect();
    let radius = (!radii.is_empty()).then(|| radii.iter().sum::<f64>() / radii.len() as f64);
    let mut writer = PredictionWriter::create(&folder.file("predictions.parquet")?)?;
    for (&row, &value) in study.plan().test().iter().zip(ensemble) {
        let pair = loaded.table.pairs[row];
        let (drug, target) = (&loaded.table.drugs[pair.drug as usize], &loaded.table.targets[pair.target as usize]);
        writer.push(PredictionRow {
            row: row as u64,
            id: drug.id.clone(),
            smiles: drug.smiles.clone(),
            target: target.id.clone(),
            status: "ok".into(),
            prediction: Some(value as f32),
            low: radius.map(|r| (value - r) as f32),
            high: radius.map(|r| (value + r) as f32),
        })?;
    }
    writer.finish()?;
    Ok(())
}

/// The table of results: baselines, then the models.
pub(crate) fn results(metrics: &RunMetrics, baselines: &[Baseline]) -> Table {
    let mut table =
        Table::new(format!("{}, {} protocol, {} split, test part", metrics.dataset, metrics.protocol, metrics.split))
            .text("model");
    for name in SHOWN {
        table = table.number(name);
    }
    let cell = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
    for baseline in baselines {
        let mean = baseline.mean();
        table.push([baseline.name.clone()].into_iter().chain(SHOWN.map(|name| cell(mean.get(name)))));
    }
    let row = SHOWN.map(|name| match metrics.metrics.get(name) {
        None => "–".to_owned(),
        Some(s) => match s.sd {
            Some(sd) => format!("{:.3} ± {sd:.3}", s.mean),
            None => format!("{:.3}", s.mean),
        },
    });
    table.push([format!("DeepDTA ({} models)", metrics.models)].into_iter().chain(row));
    table
}
