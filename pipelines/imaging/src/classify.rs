//! A study of labelled pictures: models, baselines, scores, files and the report.

mod report;

use crate::cli::{Train, counted};
use crate::config::{self, RunConfig, SourceConfig};
use crate::crops;
use crate::inputs::{self, LoadedPictures};
use crate::run::{self, whole};
use anyhow::Context;
use imaging::audit::{Audit, AuditConfig};
use imaging::evaluate::{JudgedPictures, classes};
use imaging::model::{ClassifyEnsemble, ClassifyModel};
use imaging::pictures::{AUTO, PictureSet};
use imaging::split::Rows;
use imaging::study::{ClassifyStudy, ClassifyStudyConfig, Divided, TrainedClassifier};
use nn_core::data::Part;
use nn_core::metrics::MetricError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::{DataSummary, RunMetrics, Summary, peak_memory_mb};
use workbench::run::{METRICS, REPORT};
use workbench::table::Table;
use workbench::training::{Trained, quoted};

/// Resamples behind each interval of the results.
pub(crate) const RESAMPLES: usize = 500;
/// Scores that stand in printed tables.
const SHOWN: usize = 6;

type Config = RunConfig<ClassifyStudyConfig>;

pub(crate) fn train(common: &Common, args: &Train, system: &str, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = Config::for_train(common, args, system)?;
    if config.plan.is_some() {
        return Err(Usage("--plan is for segmentations; leave it out".into()).into());
    }
    if config.cache.is_some() || config.loader.is_some() {
        let text = "cache and loader are for segmentations, since pictures are held in memory; leave them out";
        return Err(Usage(text.into()).into());
    }
    let twice = config.study.network.pictures() > 1;
    let source = config.source.get_or_insert_default();
    if twice && source.crop.is_none() {
        source.crop = Some(AUTO.into());
    }
    if !twice && source.crop.is_some() {
        let text = format!("{system} sees pictures as a whole; leave out --crop, or use --system sdfn");
        return Err(Usage(text).into());
    }
    if common.print_config {
        return Ok(config::print(&config)?);
    }
    if config.study.freeze && config.weights.is_none() {
        return Err(Usage("--freeze needs a body that has learnt something; give --weights FILE".into()).into());
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    source.data = whole(&source.data, common)?;
    if let Some(weights) = &mut config.weights {
        *weights = whole(weights, common)?;
    }
    if let Some(crop) = &mut source.crop {
        *crop = crops::settled(crop, common)?;
    }
    let cropping = source.cropping();
    let crop = crops::cropper(cropping.as_ref(), &nn_core::compute::device(&config.device)?)?;
    let mut loaded = inputs::pictures(common, source, crop.as_ref())?;
    if let Some(cropping) = &cropping {
        crops::hash(cropping, &mut loaded.inputs)?;
    }
    let set = &loaded.set;
    let study = config.study.clone();
    config.study = study.resolved(set.channels, set.classes.len(), [set.height, set.width])?;
    let resume = format!("galen-imaging train --run-dir {} --resume", quoted(&run_dir));
    study_of(common, &config, &loaded, &run_dir, &resume, stop)
}

/// What the models make of the test parts.
struct Tested {
    /// Each model on its own test part.
    scores: Vec<BTreeMap<String, f64>>,
    /// The first model.
    first: JudgedPictures,
    /// Its rows and its probabilities, `[rows, classes]`.
    rows: Vec<usize>,
    probabilities: Vec<f64>,
}

/// Trains, judges and reports one study in `run_dir`, whose configuration is resolved.
fn study_of(
    common: &Common,
    config: &Config,
    loaded: &LoadedPictures,
    run_dir: &Path,
    resume: &str,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let device = nn_core::compute::device(&config.device)?;
    let (set, settings) = (&loaded.set, &config.study);
    let rows = Rows::of_pictures(set);
    let divided = Divided::new(&rows, &settings.division, settings.models, settings.seed, settings.drop_duplicates)?;
    let record = inputs::record(&loaded.inputs, set.len(), &BTreeMap::new(), &divided);
    let run = run::open(common, run_dir, config, &record, resume)?;
    divided.write(&rows, &run.folder.splits()?)?;
    let audit = Audit::pictures(set, divided.split(0), &AuditConfig::default())?;
    say(common, &audit.to_text());
    let crop = config.source.as_ref().and_then(SourceConfig::cropping);
    let study = ClassifyStudy::new(set, &config.dataset, divided, settings.clone())?
        .with_weights(config.weights.clone())
        .with_crop(crop);
    let mut models = Vec::new();
    for i in 0..settings.models {
        say(common, &format!("model {i}: {}", counted(study.divided().split(i).train.len(), "picture")));
        models.push(run.model(
            i,
            settings.epochs,
            |file| anyhow::Ok(ClassifyModel::load(file, &device)?),
            |checkpoints, resumed, reporter| {
                let trained = study.train(i, &device, (Some(checkpoints), resumed), reporter, stop)?;
                let TrainedClassifier { model, outcome } = trained;
                Ok((model, outcome))
            },
            |model, file| Ok(model.save(file)?),
        )?);
    }
    let tested = test(&study, &models)?;
    run.folder.write("predictions.csv", predictions(set, &tested.rows, &tested.probabilities)?)?;
    let system = settings.network.name();
    let audit = match tested.scores.first() {
        Some(scores) => audit.with_scores(system, false, Part::Test, scores.clone()),
        None => audit,
    };
    run.folder.write_json("audit.json", &audit)?;
    let baselines: BTreeMap<String, BTreeMap<String, f64>> = audit
        .scores_on(Part::Test)
        .filter(|scored| scored.baseline)
        .map(|scored| (scored.name.clone(), scored.scores.clone()))
        .collect();
    let metrics = RunMetrics {
        task: "classes".to_owned(),
        dataset: config.dataset.clone(),
        protocol: "clean".to_owned(),
        split: study.divided().kind().name().to_owned(),
        models: models.len(),
        seeds: (0..models.len()).map(|i| settings.seed_of(i)).collect(),
        epochs: models.iter().map(|model| model.epochs).collect(),
        metrics: summaries(&study, &tested)?,
        baselines,
        data: DataSummary {
            rows: set.len(),
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
        results(config, set.classes.len(), &metrics).write(&mut out, false)?;
        writeln!(out, "\nreport: {}", run.folder.file(REPORT)?.display())?;
    }
    Ok(())
}

/// Predicts and scores the test part of each model.
fn test(study: &ClassifyStudy<'_>, models: &[Trained<ClassifyModel>]) -> anyhow::Result<Tested> {
    let mut scores = Vec::new();
    let mut first = None;
    for (i, model) in models.iter().enumerate() {
        let rows = &study.divided().split(i).test;
        let probabilities = ClassifyEnsemble::new(vec![model.model.clone()])?.probabilities(study.set(), rows)?;
        let judged = study.judge(rows, probabilities.clone())?;
        scores.push(judged.scores()?);
        first.get_or_insert((judged, rows.clone(), probabilities));
    }
    let (first, rows, probabilities) = first.context("no model was trained")?;
    Ok(Tested { scores, first, rows, probabilities })
}

/// Mean and spread of each score over the models, with the interval of the first.
fn summaries(study: &ClassifyStudy<'_>, tested: &Tested) -> anyhow::Result<BTreeMap<String, Summary>> {
    let names = classes::names(study.set().classes.len());
    let mut found = BTreeMap::new();
    for name in tested.scores.iter().flat_map(BTreeMap::keys) {
        if found.contains_key(name) {
            continue;
        }
        let values: Vec<f64> = tested.scores.iter().filter_map(|scores| scores.get(name).copied()).collect();
        let Some(mut summary) = Summary::of(values) else { continue };
        if names.iter().take(SHOWN).any(|shown| shown == name) {
            match tested.first.interval(name, RESAMPLES, study.config().seed) {
                Ok(interval) => summary = summary.interval(interval.low, interval.high),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        found.insert(name.clone(), summary);
    }
    Ok(found)
}

/// A row for each of some pictures with its class and the probability of each, given as `[rows, classes]`.
pub(crate) fn predictions(set: &PictureSet, rows: &[usize], probabilities: &[f64]) -> Result<String, std::fmt::Error> {
    let plain = |text: &str| text.replace([',', '"', '\n', '\r'], " ");
    let mut text = String::from("id,subject,class");
    for class in &set.classes {
        write!(text, ",{}", plain(class))?;
    }
    text.push('\n');
    for (&row, probabilities) in rows.iter().zip(probabilities.chunks(set.classes.len().max(1))) {
        let class = &set.classes[set.labels[row]];
        write!(text, "{},{},{}", plain(&set.ids[row]), plain(&set.subjects[row]), plain(class))?;
        for value in probabilities {
            write!(text, ",{value:.6}")?;
        }
        text.push('\n');
    }
    Ok(text)
}

/// The table of results: baselines, then the models.
fn results(config: &Config, count: usize, metrics: &RunMetrics) -> Table {
    let names = classes::names(count);
    let shown = &names[..names.len().min(SHOWN)];
    let mut table = Table::new(format!("{}, {} split, test part", metrics.dataset, metrics.split)).text("model");
    for &name in shown {
        table = table.number(name);
    }
    for (name, scores) in &metrics.baselines {
        let cell = |score: &&str| scores.get(*score).map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        table.push([name.clone()].into_iter().chain(shown.iter().map(cell)));
    }
    let cell = |score: &&str| match metrics.metrics.get(*score) {
        None => "–".to_owned(),
        Some(Summary { mean, sd: Some(sd), .. }) => format!("{mean:.3} ± {sd:.3}"),
        Some(Summary { mean, .. }) => format!("{mean:.3}"),
    };
    let system = format!("{} ({})", config.study.network.name(), counted(metrics.models, "model"));
    table.push([system].into_iter().chain(shown.iter().map(cell)));
    table
}
