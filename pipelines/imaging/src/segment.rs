//! A study of segmentations: models, baselines, scores, files and the report.

mod report;
mod results;

pub(crate) use self::results::{extra, interval, judged, plain, table as case_table};

use crate::cli::{Train, counted};
use crate::config::{self, RunConfig};
use crate::inputs::{self, LoadedCases};
use crate::run::{self, whole};
use anyhow::Context;
use imaging::audit::{Audit, AuditConfig, Facts};
use imaging::model::{SegmentEnsemble, SegmentModel};
use imaging::plan::Plan;
use imaging::study::{Divided, SegmentStudy, SegmentStudyConfig, TrainedSegmenter, plan};
use nn_core::data::Part;
use rayon::prelude::*;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::{DataSummary, RunMetrics, peak_memory_mb};
use workbench::run::{METRICS, REPORT};
use workbench::training::quoted;

pub(crate) type Config = RunConfig<SegmentStudyConfig>;

pub(crate) fn train(common: &Common, args: &Train, system: &str, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = Config::for_train(common, args, system)?;
    if config.weights.is_some() {
        return Err(Usage("--weights is for classifiers; leave it out".into()).into());
    }
    if config.source.as_ref().is_some_and(|source| source.crop.is_some()) {
        return Err(Usage("--crop is for classifiers that see the lungs by themselves; leave it out".into()).into());
    }
    if let Some(loader) = &config.loader {
        loader.validate()?;
    }
    if config.cache.as_ref().is_some_and(|cache| cache.folder.is_none()) {
        let text = "cache.memory_mb is set, but no folder; give cache.folder, where the other cases are kept";
        return Err(Usage(text.into()).into());
    }
    if common.print_config {
        return Ok(config::print(&config)?);
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    source.data = whole(&source.data, common)?;
    if inputs::is_pictures(source) {
        let text = format!("{system} labels voxels, but the data is labelled pictures; use --system resnet18");
        return Err(Usage(text).into());
    }
    if let Some(plan) = &mut config.plan {
        *plan = whole(plan, common)?;
    }
    if let Some(folder) = config.cache.as_mut().and_then(|cache| cache.folder.as_mut()) {
        *folder = std::path::absolute(&*folder).with_context(|| format!("cannot use {}", folder.display()))?;
    }
    let loaded = inputs::cases(common, source, true)?;
    let resume = format!("galen-imaging train --run-dir {} --resume", quoted(&run_dir));
    study_of(common, &mut config, &loaded, &run_dir, &resume, stop)
}

/// Trains, judges and reports one study in `run_dir`. What the configuration leaves open is taken from its plan, or from
/// one that is made of the training part of the first model.
pub(crate) fn study_of(
    common: &Common,
    config: &mut Config,
    loaded: &LoadedCases,
    run_dir: &Path,
    resume: &str,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let device = nn_core::compute::device(&config.device)?;
    let (cases, rows) = (&loaded.cases, loaded.rows());
    let divided = Divided::new(&rows, &config.study.division, config.study.models, config.study.seed, false)?;
    let plan = match &config.plan {
        Some(path) => Plan::read(path)?,
        None => plan(cases, &divided.split(0).train, &config.study)?,
    };
    config.study = config.study.clone().resolved(&plan, loaded.channels(), loaded.names.len())?;
    let (config, settings) = (&*config, &config.study);
    let record = inputs::record(&loaded.inputs, cases.len(), &loaded.dropped, &divided);
    let run = run::open(common, run_dir, config, &record, resume)?;
    run.folder.write("plan.toml", plan.to_toml())?;
    divided.write(&rows, &run.folder.splits()?)?;
    let facts: Vec<Facts> = cases.par_iter().map(Facts::of_case).collect();
    let audit = Audit::new(&facts, &[], divided.split(0), &AuditConfig::default())?;
    say(common, &audit.to_text());

    let mut study = SegmentStudy::new(cases, &loaded.names, &config.dataset, divided, settings.clone())?;
    if let Some(cache) = &config.cache {
        study = study.with_cache(cache)?;
    }
    if let Some(loader) = &config.loader {
        study = study.with_loader(loader.clone())?;
    }
    let baselines = results::baselines(&run, &study)?;
    let mut models = Vec::new();
    for i in 0..settings.models {
        let learnt = study.divided().split(i).train.len();
        say(common, &format!("model {i}: {} on {}", settings.network.name(), counted(learnt, "case")));
        models.push(run.model(
            i,
            settings.epochs,
            |file| anyhow::Ok(SegmentModel::load(file, &device)?),
            |checkpoints, resumed, reporter| {
                let trained = study.train(i, &device, (Some(checkpoints), resumed), reporter, stop)?;
                let TrainedSegmenter { model, outcome } = trained;
                Ok((model, outcome))
            },
            |model, file| Ok(model.save(file)?),
        )?);
    }
    let tested = results::test(&run, &study, &models, stop)?;
    let mut audit = audit;
    for (name, scores) in &baselines {
        audit = audit.with_scores(name, true, Part::Test, scores.clone());
    }
    if let Some(scores) = tested.numbers.first() {
        audit = audit.with_scores(settings.network.name(), false, Part::Test, scores.clone());
    }
    run.folder.write_json("audit.json", &audit)?;
    tested.scores.write_csv(&run.folder.file("cases.csv")?)?;
    let metrics = RunMetrics {
        task: "segmentation".to_owned(),
        dataset: config.dataset.clone(),
        protocol: "clean".to_owned(),
        split: study.divided().kind().name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| settings.seed_of(i)).collect(),
        epochs: models.iter().map(|model| model.epochs).collect(),
        metrics: results::summaries(&study, &tested)?,
        baselines,
        data: DataSummary {
            rows: cases.len(),
            sha256: loaded.inputs.iter().map(|input| (input.name.clone(), input.sha256.clone())).collect(),
        },
        device: config.device.clone(),
        wall_seconds: run.seconds(),
        peak_mb: peak_memory_mb(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: run.environment.commit.clone(),
    };
    let found =
        report::Findings { config, study: &study, models: &models, tested: &tested, audit: &audit, record: &record };
    report::write(&run, &found, &metrics)?;
    run.folder.write_json(METRICS, &metrics)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&metrics)?)?;
    } else {
        results::shown(config, &loaded.names, &metrics).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", run.folder.file(REPORT)?.display())?;
    }
    Ok(())
}

/// One model as an ensemble.
pub(crate) fn alone(model: &SegmentModel) -> anyhow::Result<SegmentEnsemble> {
    Ok(SegmentEnsemble::new(vec![model.clone()])?)
}
