//! `train`: models, baselines, scores, files and the report of one study.

mod models;
mod motifs;
mod results;
mod task;

pub(crate) use self::models::{Baseline, Model};
pub(crate) use self::motifs::Motifs;
pub(crate) use self::results::{Tested, table as results_table};
pub(crate) use self::task::{Asked, Visit, is_of_tasks, load as load_task, with_task};

use crate::cli::Train;
use crate::config::{self, RunConfig};
use crate::inputs::{self, Loaded};
use crate::page::{self, Findings};
use anyhow::Context;
use genomics::audit::Audit;
use genomics::dataset::Labels;
use genomics::kmer::KmerConfig;
use genomics::model::StrandPolicy;
use genomics::study::{Plan, ScheduleKind, Study};
use genomics::task::TaskNetConfig;
use nn_core::data::Part;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use workbench::args::Common;
use workbench::observe::say;
use workbench::observe::{METRICS_LOG, logged_seconds};
use workbench::record::{DataRecord, DataSummary, Environment, Input, RunMetrics, Summary, peak_memory_mb};
use workbench::run::{DATA, ENVIRONMENT, METRICS, REPORT, RunFolder};
use workbench::training::{quoted, refuse_other_data, refuse_other_settings};

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    if let Some(system) = config::chosen_system(common, args.system.as_deref())
        && let Ok(network) = TaskNetConfig::named(&system)
    {
        return task::run(common, args, network, stop);
    }
    let (mut config, run_dir) = RunConfig::for_train(common, args)?;
    if common.print_config {
        return config::print(&config);
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    source.located(|path| whole(common, path))?;
    if let Some(database) = &mut config.motifs.database {
        *database = whole(common, database)?;
    }
    let loaded = inputs::load(source, common, config.study.window, config.study.seed)?;
    config.study = config.study.clone().resolved(&loaded.set, loaded.upstream.is_some())?;
    let resume = format!("galen-genomics train --run-dir {} --resume", quoted(&run_dir));
    study(common, &config, &loaded, &run_dir, &resume, stop)
}

/// A path as it is written down: whole, so that the run can be continued from another folder and without --data-root.
fn whole(common: &Common, path: &Path) -> anyhow::Result<PathBuf> {
    let found = inputs::locate(path, common)?;
    std::path::absolute(&found).with_context(|| format!("cannot use {}", found.display()))
}

/// Settings of the k-mer models: words and their reverse complements are one unless sequences have a direction.
pub(crate) fn kmers(strands: StrandPolicy) -> KmerConfig {
    KmerConfig { both_strands: strands != StrandPolicy::Given, ..KmerConfig::default() }
}

/// Trains, judges and reports one study in `run_dir`, whose configuration is resolved; `resume` is the command that
/// would continue it.
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
    let record = record(loaded, &plan);
    // A run that goes on may train more models, and train them longer where the rate does not depend on the epochs.
    let longer = config.study.schedule == ScheduleKind::Constant;
    refuse_other_settings(&folder, config, |key| {
        (longer && key == "epochs") || matches!(key, "models" | "device") || key.starts_with("motifs")
    })?;
    refuse_other_data(&folder, &record)?;
    let earlier = earlier_seconds(&folder, config.study.models)?;
    remove_results(&folder)?;

    folder.write_config(config)?;
    let environment = environment(&config.device, config.study.seed);
    folder.write_json(ENVIRONMENT, &environment)?;
    inputs::write_splits(&folder, &plan)?;
    folder.write_json(DATA, &record)?;
    let study = Study::new(&loaded.set, &config.dataset, plan, config.study.clone())?;
    let audit = Audit::new(&loaded.set, study.plan().split(0), &kmers(config.study.strands))?;
    say(common, &audit.to_text());

    let baselines = models::baselines(common, &folder, &study)?;
    let mut models = Vec::new();
    for i in 0..config.study.models {
        models.push(models::model(common, &folder, &study, i, &device, resume, stop)?);
    }
    let tested = results::test(&study, &models)?;
    results::write_predictions(&folder, &study, &tested)?;
    let name = config.study.network.system();
    let audit = match tested.scores.first() {
        Some(scores) => audit.with_scores(name, Part::Test, scores.clone()),
        None => audit,
    };
    folder.write_json("audit.json", &audit)?;

    let mut scores = results::summaries(&tested.scores, &tested.intervals);
    let motifs = Motifs::find(common, &folder, config, &study, &models)?;
    if let Some(recovered) = motifs.as_ref().and_then(Motifs::recovered)
        && let Some(summary) = Summary::of(vec![f64::from(u8::from(recovered))])
    {
        scores.insert("motif_recovered".to_owned(), summary);
    }
    let metrics = RunMetrics {
        task: task(&loaded.set.labels).to_owned(),
        dataset: config.dataset.clone(),
        protocol: "clean".to_owned(),
        split: study.split_kind().name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| study.seed(i)).collect(),
        epochs: models.iter().map(|m| m.epochs).collect(),
        metrics: scores,
        baselines: baselines.iter().map(|b| (b.name.clone(), b.mean())).collect(),
        data: DataSummary {
            rows: loaded.set.len(),
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
        tested: &tested,
        motifs: motifs.as_ref(),
    };
    page::write(&folder, &findings)?;
    folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results_table(config, &loaded.set.labels, &metrics, &baselines).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", folder.file(REPORT)?.display())?;
    }
    Ok(())
}

/// What is predicted, in a word.
fn task(labels: &Labels) -> &'static str {
    match labels {
        Labels::Binary => "binary",
        Labels::Classes(_) => "classes",
        Labels::Values => "values",
    }
}

/// What went in, and the parts it was divided into.
pub(crate) fn record(loaded: &Loaded, plan: &Plan) -> DataRecord {
    DataRecord { dropped: loaded.dropped.clone(), ..recorded(&loaded.inputs, plan) }
}

/// The record of data all of whose rows are used.
fn recorded(inputs: &[Input], plan: &Plan) -> DataRecord {
    let split = plan.split(0);
    DataRecord {
        inputs: inputs.to_vec(),
        kept: plan.groups().len(),
        dropped: BTreeMap::new(),
        split: Some(plan.kind().name().to_owned()),
        parts: [("train", split.train.len()), ("validation", split.validation.len()), ("test", split.test.len())]
            .map(|(name, rows)| (name.to_owned(), rows))
            .into(),
    }
}

/// Seconds that earlier processes of a continued run trained, from their logs.
fn earlier_seconds(folder: &RunFolder, models: usize) -> anyhow::Result<f64> {
    let mut seconds = 0.0;
    for i in 0..models {
        let log = folder.file(&format!("logs/seed-{i}/{METRICS_LOG}"))?;
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

fn environment(device: &str, seed: u64) -> Environment {
    // All members have the version of the workspace.
    let versions = ["galen-genomics", "genomics"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    Environment::collect(option_env!("GALEN_COMMIT"), &versions, device, seed)
}
