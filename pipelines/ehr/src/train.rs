//! `train`: models, baselines, scores, files and the report of one study.

mod report;
mod results;

pub(crate) use self::results::{SHOWN, groups_of};

use crate::cli::{Train, counted};
use crate::config::{self, RunConfig};
use crate::inputs::{self, Loaded};
use crate::run;
use anyhow::Context;
use ehr::audit::Audit;
use ehr::model::RiskModel;
use ehr::study::{Asked, Plan, Study};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::observe::say;
use workbench::record::{DataRecord, DataSummary, RunMetrics, peak_memory_mb};
use workbench::run::{METRICS, REPORT};
use workbench::training::{Trained, quoted};

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = RunConfig::for_train(common, args)?;
    if common.print_config {
        return Ok(config::print(&config)?);
    }
    // Written down whole, so that the run can be continued from another folder and without --data-root.
    let source = config.source.as_mut().context("the configuration names no data")?;
    source.located(common)?;
    let loaded = inputs::load(common, source)?;
    let asked = inputs::asked(common, source, &loaded)?;
    let resume = format!("galen-ehr train --run-dir {} --resume", quoted(&run_dir));
    study_of(common, &mut config, &loaded, &asked, (&run_dir, &resume), stop)?;
    Ok(())
}

/// Everything that a report shows of a study.
pub(crate) struct Findings<'a> {
    pub(crate) config: &'a RunConfig,
    pub(crate) loaded: &'a Loaded,
    pub(crate) study: &'a Study<'a>,
    pub(crate) models: &'a [Trained<RiskModel>],
    pub(crate) tested: &'a results::Tested,
    pub(crate) audit: &'a Audit,
    pub(crate) record: &'a DataRecord,
    pub(crate) metrics: &'a RunMetrics,
}

/// Trains, judges and reports one study in the folder; the second text is the command that would continue it.
pub(crate) fn study_of(
    common: &Common,
    config: &mut RunConfig,
    loaded: &Loaded,
    asked: &Asked,
    (run_dir, resume): (&Path, &str),
    stop: &AtomicBool,
) -> anyhow::Result<RunMetrics> {
    let device = nn_core::compute::device(&config.device)?;
    for code in asked.excluded() {
        if !config.study.inputs.exclude.contains(code) {
            config.study.inputs.exclude.push(code.clone());
        }
    }
    config.study = config.study.clone().resolved()?;
    let config: &RunConfig = config;
    let settings = &config.study;
    let plan = Plan::new(&loaded.events, &asked.labels, loaded.split.as_ref(), settings)?;
    let record = inputs::record(loaded, asked, &plan);
    let run = run::open(common, run_dir, config, &record, resume)?;
    plan.write(&run.folder.splits()?)?;
    let study =
        Study::new(&loaded.events, &asked.labels, (&config.dataset, asked.predicts.clone()), plan, settings.clone())?;
    let audit = study.audit(0, asked, &config.audit)?;
    say(common, &audit.to_text());
    run.folder.write_json("audit.json", &audit)?;
    anyhow::ensure!(
        audit.passed() || config.allow_leaks,
        "the audit found {}, so no score would mean anything; mend the task or the inputs, or train all the same with \
         --allow-leaks",
        counted(audit.errors().count(), "leak")
    );
    let severities = inputs::severities(loaded, &asked.labels);
    let baselines = results::baselines(common, &study, &severities)?;
    let mut models = Vec::new();
    for i in 0..settings.models {
        say(common, &format!("model {i}: {}", counted(study.plan().rows(i).train.len(), "label")));
        models.push(run.model(
            i,
            settings.epochs,
            |file| anyhow::Ok(RiskModel::load(file, &device)?),
            |checkpoints, resumed, reporter| {
                let trained = study.train(i, &device, (Some(checkpoints), resumed), reporter, stop)?;
                Ok((trained.model, trained.outcome))
            },
            |model, file| Ok(model.save(file)?),
        )?);
    }
    let tested = results::test(&study, &models, baselines)?;
    run.folder.write("predictions.csv", results::predictions(&study, &tested)?)?;
    let metrics = RunMetrics {
        task: asked.predicts.task.clone(),
        dataset: config.dataset.clone(),
        protocol: if audit.passed() { "clean" } else { "leaky" }.to_owned(),
        split: study.plan().kind().name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| study.seed(i)).collect(),
        epochs: models.iter().map(|model| model.epochs).collect(),
        metrics: results::summaries(&study, &tested)?,
        baselines: tested.baselines(),
        data: DataSummary {
            rows: asked.labels.len(),
            sha256: loaded.inputs.iter().map(|input| (input.name.clone(), input.sha256.clone())).collect(),
        },
        device: config.device.clone(),
        wall_seconds: run.seconds(),
        peak_mb: peak_memory_mb(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: run.environment.commit.clone(),
    };
    let findings = Findings {
        config,
        loaded,
        study: &study,
        models: &models,
        tested: &tested,
        audit: &audit,
        record: &record,
        metrics: &metrics,
    };
    report::write(&run, &findings)?;
    run.folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results::table(config, &metrics).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", run.folder.file(REPORT)?.display())?;
    }
    Ok(metrics)
}

/// Scores by baseline, each the mean over the models that it stands beside.
pub(crate) type Means = BTreeMap<String, BTreeMap<String, f64>>;
