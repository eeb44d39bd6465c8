//! What the models and the baselines of a run come to: scores with their intervals, predictions, the table of results.

use super::Means;
use crate::cli::counted;
use crate::config::RunConfig;
use ehr::baselines::Severity;
use ehr::evaluate::{Judged, Recalibration, SCORES, Scores, logit};
use ehr::model::RiskModel;
use ehr::study::Study;
use ehr::view::View;
use nn_core::metrics::MetricError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use workbench::args::Common;
use workbench::observe::say;
use workbench::record::{RunMetrics, Summary};
use workbench::table::Table;
use workbench::training::Trained;

/// Resamples behind each interval of the results.
const RESAMPLES: usize = 500;
/// Level of those intervals.
const LEVEL: f64 = 0.95;
/// Scores that stand in printed tables, and that get an interval.
pub(crate) const SHOWN: [&str; 6] = ["auroc", "auprc", "brier", "ece", "calibration_slope", "calibration_intercept"];

/// The baselines beside each model, with what they say of its held-out part.
pub(crate) type Beside = Vec<Vec<(String, Judged)>>;

/// Fits the baselines beside every model; with one held-out part for all, once.
pub(super) fn baselines(
    common: &Common,
    study: &Study<'_>,
    severities: &[(String, Vec<f32>)],
) -> anyhow::Result<Beside> {
    let severities: Vec<Severity<'_>> =
        severities.iter().map(|(name, scores)| Severity { name: name.as_str(), scores: scores.as_slice() }).collect();
    let rounds = if study.config().folds > 0 { study.config().models } else { 1 };
    say(common, "fitting the baselines");
    let mut beside = Beside::new();
    for i in 0..rounds {
        beside.push(study.baselines(i, &severities)?);
    }
    Ok(beside)
}

/// What the models make of the held-out parts.
pub(crate) struct Tested {
    /// Each model on its own held-out part.
    scores: Vec<Scores>,
    /// Labels that are in a held-out part, ascending.
    pub(crate) rows: Vec<usize>,
    /// Mean probabilities of the models that hold a label out, beside its value.
    pub(crate) together: Judged,
    /// The baselines, as they stand beside each model.
    beside: Beside,
}

impl Tested {
    /// Mean scores of each baseline.
    pub(crate) fn baselines(&self) -> Means {
        let mut sums: BTreeMap<String, BTreeMap<String, (f64, usize)>> = BTreeMap::new();
        for (name, judged) in self.beside.iter().flatten() {
            let of = sums.entry(name.clone()).or_default();
            for score in SCORES {
                // What a baseline does not define, as the AUROC of one that says the same of everybody, is left out.
                if let Ok(value) = judged.score(score) {
                    let (sum, count) = of.entry(score.to_owned()).or_insert((0.0, 0));
                    *sum += value;
                    *count += 1;
                }
            }
        }
        let mean = |of: BTreeMap<String, (f64, usize)>| -> BTreeMap<String, f64> {
            of.into_iter().map(|(score, (sum, count))| (score, sum / count as f64)).collect()
        };
        sums.into_iter().map(|(name, of)| (name, mean(of))).collect()
    }

    /// The baselines beside the first model.
    pub(crate) fn first_baselines(&self) -> &[(String, Judged)] {
        self.beside.first().map_or(&[], Vec::as_slice)
    }
}

/// Predicts and scores the held-out part of each model.
pub(super) fn test(study: &Study<'_>, models: &[Trained<RiskModel>], beside: Beside) -> anyhow::Result<Tested> {
    let mut scores = Vec::new();
    let mut sums: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for (i, model) in models.iter().enumerate() {
        let rows = &study.plan().rows(i).test;
        let judged = study.judge(&model.model, rows)?;
        for (&row, probability) in rows.iter().zip(judged.probabilities()) {
            let (sum, count) = sums.entry(row).or_insert((0.0, 0));
            *sum += probability;
            *count += 1;
        }
        scores.push(judged.scores()?);
    }
    let rows: Vec<usize> = sums.keys().copied().collect();
    let logits = sums.values().map(|(sum, count)| logit(sum / *count as f64)).collect();
    let together = Judged::new(study.truth_of(&rows), logits, &study.subjects_of(&rows), &Recalibration::None)?;
    Ok(Tested { scores, rows, together, beside })
}

/// Mean and spread of each score over the models, with the interval of their mean predictions.
pub(super) fn summaries(study: &Study<'_>, tested: &Tested) -> anyhow::Result<BTreeMap<String, Summary>> {
    let mut found = BTreeMap::new();
    for name in SCORES {
        let values: Vec<f64> = tested.scores.iter().filter_map(|scores| scores.get(name).copied()).collect();
        let Some(mut summary) = Summary::of(values) else { continue };
        if SHOWN.contains(&name) {
            match tested.together.interval(name, RESAMPLES, LEVEL, study.config().seed) {
                Ok(interval) => summary = summary.interval(interval.low, interval.high),
                Err(MetricError::Undefined { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        found.insert(name.to_owned(), summary);
    }
    Ok(found)
}

/// Each held-out label with the mean of the models that it tests.
pub(super) fn predictions(study: &Study<'_>, tested: &Tested) -> Result<String, std::fmt::Error> {
    let mut text = String::from("subject,prediction_time,label,probability\n");
    for (&row, probability) in tested.rows.iter().zip(tested.together.probabilities()) {
        let label = &study.labels()[row];
        writeln!(text, "{},{},{},{probability:.6}", label.subject, label.prediction_time, label.value)?;
    }
    Ok(text)
}

/// The table of results: baselines, then the models.
pub(super) fn table(config: &RunConfig, metrics: &RunMetrics) -> Table {
    let part = if config.study.folds > 0 { "held-out folds" } else { "held-out part" };
    let mut table = Table::new(format!("{}, {} split, {part}", metrics.dataset, metrics.split)).text("model");
    for name in SHOWN {
        table = table.number(name);
    }
    for (name, scores) in &metrics.baselines {
        let cell = |score: &&str| scores.get(*score).map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        table.push([name.clone()].into_iter().chain(SHOWN.iter().map(cell)));
    }
    let cell = |score: &&str| match metrics.metrics.get(*score) {
        None => "–".to_owned(),
        Some(Summary { mean, sd: Some(sd), .. }) => format!("{mean:.3} ± {sd:.3}"),
        Some(Summary { mean, .. }) => format!("{mean:.3}"),
    };
    let system = format!("{} ({})", config.study.network.system(), counted(metrics.models, "model"));
    table.push([system].into_iter().chain(SHOWN.iter().map(cell)));
    table
}

/// The group of each view: what stands behind `prefix` in the last of its codes that begin with it.
pub(crate) fn groups_of(views: &[View<'_>], prefix: &str) -> Vec<String> {
    let group = |view: &View<'_>| {
        let book = view.codebook();
        let name = view.events().rev().map(|event| book.name(event.code)).find(|name| name.starts_with(prefix));
        name.and_then(|name| name.strip_prefix(prefix)).map_or_else(|| "not known".to_owned(), str::to_owned)
    };
    views.iter().map(group).collect()
}
