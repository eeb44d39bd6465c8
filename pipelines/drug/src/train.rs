//! `train`: models, baselines, scores, files and the report of one study.

mod results;

pub(crate) use self::results::{LEVEL, RESAMPLES, interval_table, legend, table as results_table};

use crate::cli::Train;
use crate::config::{self, RunConfig};
use crate::inputs::{self, Loaded};
use crate::page::{self, Findings};
use anyhow::Context;
use drug::model::{AffinityModel, Ensemble};
use drug::seen::{self, Seen};
use drug::study::{Plan, Study};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::config::earlier;
use workbench::data::whole;
use workbench::observe::say;
use workbench::record::{DataRecord, DataSummary, Environment, RunMetrics, peak_memory_mb};
use workbench::run::{METRICS, REPORT, RunError};
use workbench::training::{Opening, TrainingRun, quoted};

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = RunConfig::for_train(common, args)?;
    if common.print_config {
        return Ok(config::print(&config)?);
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    // Written down whole, so that the run can be continued from another folder and without --data-root.
    source.data = whole(&source.data, common)?;
    let loaded = if earlier::<RunConfig>(common, &run_dir)?.is_some() {
        inputs::load_again(source, common, &run_dir)?
    } else {
        inputs::load(source, common)?
    };
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
    let device = nn_core::compute::device(&config.device)?;
    let plan = inputs::plan(loaded, &config.study)?;
    let record = record(loaded, &plan, config);
    let run = open(common, run_dir, config, &record, resume)?;
    plan.write(&run.folder.splits()?)?;
    // Every row that has a part in a model: the fold that one leaves out, others learn from.
    let trained_on = Seen::new(&loaded.table, &plan.whole().train);
    run.folder.write(&format!("model/{}", seen::FILE), trained_on.to_bytes())?;
    let study = Study::new(&loaded.table, plan, config.study.clone())?;
    let audit = inputs::audit(&study);
    run.folder.write_json("audit.json", &audit)?;
    say(common, &audit.to_text());

    let baselines = results::baselines(common, &run.folder, &study, &device)?;
    let mut models = Vec::new();
    for i in 0..config.study.models {
        models.push(run.model(
            i,
            study.config().epochs,
            |file| anyhow::Ok(AffinityModel::load(file, &device)?),
            |checkpoints, resumed, reporter| {
                say(common, &format!("model {i}: training on {} rows", study.plan().split(i).train.len()));
                let trained = study.train(i, &device, (Some(checkpoints), resumed), reporter, stop)?;
                Ok((trained.model, trained.outcome))
            },
            |model, file| Ok(model.save(file)?),
        )?);
    }

    let test = study.plan().test();
    let predictions = models.iter().map(|m| study.predict(&m.model, test)).collect::<Result<Vec<_>, _>>()?;
    let scores = predictions.iter().map(|p| study.score(p)).collect::<Result<Vec<_>, _>>()?;
    let ensemble = results::mean_of(&predictions);
    let ensemble_scores = study.score(&ensemble)?;
    let intervals = results::intervals(&study, &loaded.table.values(test), &ensemble)?;
    let together = Ensemble::new(models.iter().map(|m| m.model.clone()).collect())?;
    results::write_predictions(&run.folder, &study, loaded, &together, &ensemble)?;

    let metrics = RunMetrics {
        task: "affinity".into(),
        dataset: config.dataset.clone(),
        protocol: name_of(&config.study.protocol),
        split: config.study.split.name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| study.seed(i)).collect(),
        epochs: models.iter().map(|m| m.epochs).collect(),
        metrics: results::summaries(&scores, &ensemble_scores, &intervals),
        baselines: baselines.iter().map(|b| (b.name.clone(), b.mean())).collect(),
        data: DataSummary {
            rows: loaded.table.pairs.len(),
            sha256: loaded.inputs.iter().map(|i| (i.name.clone(), i.sha256.clone())).collect(),
        },
        device: config.device.clone(),
        wall_seconds: run.seconds(),
        peak_mb: peak_memory_mb(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: run.environment.commit.clone(),
    };
    let findings = Findings {
        config,
        study: &study,
        loaded,
        audit: &audit,
        record: &record,
        environment: &run.environment,
        metrics: &metrics,
        baselines: &baselines,
        models: &models,
        ensemble: &ensemble,
        ensemble_scores,
    };
    page::write(&run.folder, &findings)?;
    run.folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results_table(&metrics, &baselines).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", run.folder.file(REPORT)?.display())?;
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

/// A serialised name without its quotes, such as `paper`.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Opens the folder of a run. One that goes on may train more models, and train them longer.
fn open<'a>(
    common: &'a Common,
    run_dir: &'a Path,
    config: &'a RunConfig,
    data: &'a DataRecord,
    resume: &'a str,
) -> Result<TrainingRun<'a>, RunError> {
    // All members have the version of the workspace.
    let versions = ["galen-drug", "drug"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    let environment = Environment::collect(option_env!("GALEN_COMMIT"), &versions, &config.device, config.study.seed);
    let models = config.study.models;
    let opening = Opening { common, folder: run_dir, config, data, environment, models, resume };
    TrainingRun::open_by("fold", opening, |key| matches!(key, "epochs" | "models" | "device"))
}
