//! `train`: models, baselines, scores, files and the report of one study.

mod baselines;
mod motifs;
mod results;
mod task;

pub(crate) use self::baselines::Baseline;
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
use genomics::model::{SequenceModel, StrandPolicy};
use genomics::study::{Plan, ScheduleKind, Study};
use genomics::task::TaskNetConfig;
use nn_core::data::Part;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::data::whole;
use workbench::observe::say;
use workbench::record::{DataRecord, DataSummary, Environment, Input, RunMetrics, Summary, peak_memory_mb};
use workbench::run::{METRICS, REPORT};
use workbench::training::{Opening, Trained, TrainingRun, quoted};

/// A model with what training it came to.
pub(crate) type Model = Trained<SequenceModel>;

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    if let Some(system) = config::chosen_system(common, args.system.as_deref())
        && let Ok(network) = TaskNetConfig::named(&system)
    {
        return task::run(common, args, network, stop);
    }
    let (mut config, run_dir) = RunConfig::for_train(common, args)?;
    if common.print_config {
        return Ok(config::print(&config)?);
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    source.located(common)?;
    if let Some(database) = &mut config.motifs.database {
        *database = whole(database, common)?;
    }
    let loaded = inputs::load(source, common, config.study.window, config.study.seed)?;
    config.study = config.study.clone().resolved(&loaded.set, loaded.upstream.is_some())?;
    let resume = format!("galen-genomics train --run-dir {} --resume", quoted(&run_dir));
    study(common, &config, &loaded, &run_dir, &resume, stop)
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
    let device = nn_core::compute::device(&config.device)?;
    let plan = inputs::plan(loaded, &config.study)?;
    let record = record(loaded, &plan);
    let environment = environment(&config.device, config.study.seed);
    let models = config.study.models;
    let opening = Opening { common, folder: run_dir, config, data: &record, environment, models, resume };
    // A run that goes on may train more models, and train them longer where the rate does not depend on the epochs.
    let longer = config.study.schedule == ScheduleKind::Constant;
    let run = TrainingRun::open(opening, |key| {
        (longer && key == "epochs") || matches!(key, "models" | "device") || key.starts_with("motifs")
    })?;
    plan.write(&run.folder.splits()?)?;
    let study = Study::new(&loaded.set, &config.dataset, plan, config.study.clone())?;
    let audit = Audit::new(&loaded.set, study.plan().split(0), &kmers(config.study.strands))?;
    say(common, &audit.to_text());

    let baselines = baselines::all(common, &run.folder, &study)?;
    let mut models = Vec::new();
    for i in 0..config.study.models {
        models.push(run.model(
            i,
            config.study.epochs,
            |file| anyhow::Ok(SequenceModel::load(file, &device)?),
            |checkpoints, resumed, reporter| {
                say(common, &format!("model {i}: training on {} rows", study.plan().split(i).train.len()));
                let trained = study.train(i, &device, (Some(checkpoints), resumed), reporter, stop)?;
                Ok((trained.model, trained.outcome))
            },
            |model, file| Ok(model.save(file)?),
        )?);
    }
    let tested = results::test(&study, &models)?;
    results::write_predictions(&run.folder, &study, &tested)?;
    let name = config.study.network.system();
    let audit = match tested.scores.first() {
        Some(scores) => audit.with_scores(name, Part::Test, scores.clone()),
        None => audit,
    };
    run.folder.write_json("audit.json", &audit)?;

    let mut scores = results::summaries(&tested.scores, &tested.intervals);
    let motifs = Motifs::find(common, &run.folder, config, &study, &models)?;
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
        tested: &tested,
        motifs: motifs.as_ref(),
    };
    page::write(&run.folder, &findings)?;
    run.folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results_table(config, &loaded.set.labels, &metrics, &baselines).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", run.folder.file(REPORT)?.display())?;
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

fn environment(device: &str, seed: u64) -> Environment {
    // All members have the version of the workspace.
    let versions = ["galen-genomics", "genomics"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    Environment::collect(option_env!("GALEN_COMMIT"), &versions, device, seed)
}
