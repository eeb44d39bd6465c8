//! A study of labelled pictures: models, baselines, scores, files and the report.

use crate::cli::{Train, counted};
use crate::config::{self, RunConfig};
use crate::inputs::{self, LoadedPictures};
use crate::page::{self, Figures};
use crate::run::{self, whole};
use anyhow::Context;
use imaging::audit::{Audit, AuditConfig};
use imaging::evaluate::{JudgedPictures, classes};
use imaging::model::{ClassifyEnsemble, ClassifyModel};
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
use workbench::figure::{Axes, Series};
use workbench::observe::say;
use workbench::record::{DataRecord, DataSummary, RunMetrics, Summary, peak_memory_mb};
use workbench::report::Section;
use workbench::run::{METRICS, REPORT};
use workbench::table::Table;
use workbench::training::{Trained, TrainingRun, quoted};

/// Resamples behind each interval of the results.
const RESAMPLES: usize = 500;
/// Scores that stand in printed tables.
const SHOWN: usize = 6;

type Config = RunConfig<ClassifyStudyConfig>;

pub(crate) fn train(common: &Common, args: &Train, system: &str, stop: &AtomicBool) -> anyhow::Result<()> {
    let (mut config, run_dir) = Config::for_train(common, args, system)?;
    if config.plan.is_some() {
        return Err(Usage("--plan is for segmentations; leave it out".into()).into());
    }
    if common.print_config {
        return config::print(&config);
    }
    if config.study.freeze && config.weights.is_none() {
        return Err(Usage("--freeze needs a body that has learnt something; give --weights FILE".into()).into());
    }
    let source = config.source.as_mut().context("the configuration names no data")?;
    source.data = whole(&source.data, common)?;
    if let Some(weights) = &mut config.weights {
        *weights = whole(weights, common)?;
    }
    let loaded = inputs::pictures(common, source)?;
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
    inputs::write_splits(&run.folder, &rows, &divided)?;
    let weights = match &config.weights {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?),
        None => None,
    };
    let audit = Audit::pictures(set, divided.split(0), &AuditConfig::default())?;
    say(common, &audit.to_text());
    let study = ClassifyStudy::new(set, &config.dataset, divided, settings.clone(), weights)?;
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
    run.folder.write("predictions.csv", predictions(&study, &tested)?)?;
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
    report(&run, config, &study, &models, &tested, &audit, &record, &metrics)?;
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

/// The test part of the first model: a row for each picture with its class and the probability of each.
fn predictions(study: &ClassifyStudy<'_>, tested: &Tested) -> Result<String, std::fmt::Error> {
    let set = study.set();
    let plain = |text: &str| text.replace([',', '"', '\n', '\r'], " ");
    let mut text = String::from("id,subject,class");
    for class in &set.classes {
        write!(text, ",{}", plain(class))?;
    }
    text.push('\n');
    for (&row, probabilities) in tested.rows.iter().zip(tested.probabilities.chunks(set.classes.len().max(1))) {
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

#[allow(clippy::too_many_arguments, reason = "a report shows everything that a run has come to")]
fn report(
    run: &TrainingRun<'_>,
    config: &Config,
    study: &ClassifyStudy<'_>,
    models: &[Trained<ClassifyModel>],
    tested: &Tested,
    audit: &Audit,
    record: &DataRecord,
    metrics: &RunMetrics,
) -> anyhow::Result<()> {
    let set = study.set();
    let figures = Figures { folder: &run.folder };
    let system = config.study.network.name();
    let facts = [
        ("Classes".to_owned(), set.classes.join(", ")),
        ("Pictures".to_owned(), format!("{} x {} x {}", set.channels, set.height, set.width)),
    ];
    let mut section = Section::new("Results").table(results(config, set.classes.len(), metrics));
    let caption = "95 % intervals of the first model, by resampling the subjects of its test part";
    let mut intervals = Table::new(caption).text("score").number("low").number("high");
    for (name, summary) in &metrics.metrics {
        if let (Some(low), Some(high)) = (summary.low, summary.high) {
            intervals.push([name.clone(), format!("{low:.3}"), format!("{high:.3}")]);
        }
    }
    section = section.table(intervals).table(confusion(study, &tested.first));
    section = calibration(figures, study, &tested.first, section)?;
    let data = Section::new("Data and audit")
        .definitions([("Pictures", set.len().to_string()), ("Left out", page::dropped(record))])
        .code(audit.to_text());
    let kept = if config.study.learning.keep_best {
        format!("The weights are those of the epoch with the best {} on the validation part.", config.study.monitor)
    } else {
        "The weights are those of the last epoch.".to_owned()
    };
    let page = page::head(format!("{system} on {}", config.dataset), metrics, &run.environment, facts)
        .section(section)
        .section(data)
        .section(page::split(study.divided(), config.study.division.folds))
        .section(page::learning(figures, models, &kept)?)
        .section(page::surroundings(&run.environment, metrics, record, config)?);
    page::write(&run.folder, &page)
}

/// True classes against chosen ones.
fn confusion(study: &ClassifyStudy<'_>, judged: &JudgedPictures) -> Table {
    let names = &study.set().classes;
    let mut table =
        Table::new("Pictures of the test part by class (rows) and by what the first model says").text("class");
    for name in names {
        table = table.number(name.as_str());
    }
    let mut counts = vec![vec![0_usize; names.len()]; names.len()];
    for (&truth, chosen) in judged.labels().iter().zip(judged.chosen()) {
        counts[truth][chosen] += 1;
    }
    for (name, counts) in names.iter().zip(counts) {
        table.push([name.clone()].into_iter().chain(counts.iter().map(usize::to_string)));
    }
    table
}

/// Observed share by predicted probability, in ten bins.
fn calibration(
    figures: Figures<'_>,
    study: &ClassifyStudy<'_>,
    judged: &JudgedPictures,
    section: Section,
) -> anyhow::Result<Section> {
    let names = &study.set().classes;
    // Of two classes the second says all.
    let shown: Vec<usize> = if names.len() == 2 { vec![1] } else { (0..names.len().min(6)).collect() };
    let curves: Vec<(&str, Vec<(f64, f64)>)> = shown
        .into_iter()
        .map(|class| {
            let (labels, probabilities) = judged.against_rest(class);
            (names[class].as_str(), reliability(&labels, &probabilities))
        })
        .collect();
    let series: Vec<Series<'_>> = curves.iter().map(|(name, points)| Series { name, points }).collect();
    let axes = Axes { title: "Reliability", x: "predicted probability", y: "observed share" };
    if series.iter().all(|series| series.points.is_empty()) {
        return Ok(section);
    }
    let svg = workbench::figure::calibration(&axes, &series)?;
    let caption = "Pictures of the test part in ten bins of predicted probability. On the diagonal, probabilities are \
                   shares; classes must be as frequent in use for that to hold there.";
    Ok(section.figure(caption, figures.keep("reliability", svg)?))
}

/// Mean probability and share of positives in each of ten bins that has a picture.
fn reliability(labels: &[bool], probabilities: &[f64]) -> Vec<(f64, f64)> {
    let mut bins = [(0.0, 0.0, 0.0); 10];
    for (&label, &probability) in labels.iter().zip(probabilities) {
        let bin = &mut bins[((probability * 10.0) as usize).min(9)];
        *bin = (bin.0 + probability, bin.1 + f64::from(u8::from(label)), bin.2 + 1.0);
    }
    bins.into_iter().filter(|bin| bin.2 > 0.0).map(|(sum, positives, n)| (sum / n, positives / n)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_means_and_shares() {
        let found = reliability(&[true, false, true, true], &[0.9, 0.1, 0.95, 0.12]);
        // Two pictures of about 0.1, one of them positive; two of about 0.9, both.
        assert_eq!(found.len(), 2);
        for ((x, y), (a, b)) in found.iter().zip([(0.11, 0.5), (0.925, 1.0)]) {
            assert!((x - a).abs() < 1e-12 && (y - b).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(reliability(&[true], &[1.0]), [(1.0, 1.0)]);
    }
}
