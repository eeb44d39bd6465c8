//! What the models of a run come to: scores with their intervals, predictions, the table of results.

use super::{Baseline, Model};
use crate::cli::counted;
use crate::config::RunConfig;
use genomics::dataset::Labels;
use genomics::evaluate::{Judged, Scores, names};
use genomics::io::parquet::PredictionWriter;
use genomics::model::shown;
use genomics::predict::{OK, Prediction};
use genomics::study::{Drawn, Study};
use nn_core::metrics::{self, Interval};
use std::collections::BTreeMap;
use workbench::record::{RunMetrics, Summary};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Resamples behind each interval of the results.
const RESAMPLES: usize = 500;
/// Level of those intervals.
const LEVEL: f64 = 0.95;
/// Scores that stand in printed tables.
const SHOWN: usize = 6;

/// The scores that get an interval and stand in the printed table.
pub(crate) fn shown_scores(labels: &Labels) -> &'static [&'static str] {
    let all = names(labels);
    &all[..all.len().min(SHOWN)]
}

/// What the models make of the test parts.
pub(crate) struct Tested {
    /// Each model on its own test part.
    pub(crate) scores: Vec<Scores>,
    /// Rows of the set that are in a test part, ascending.
    pub(crate) rows: Vec<usize>,
    /// Mean logits of the models that a row tests, beside the labels.
    pub(crate) together: Judged,
    /// The same logits, `[rows, outputs]`.
    pub(crate) logits: Vec<f64>,
    /// Intervals of the first model's scores; none where its test part cannot be resampled.
    pub(crate) intervals: BTreeMap<&'static str, Interval>,
    /// What was drawn for them.
    pub(crate) drawn: Drawn,
}

/// Predicts and scores the test part of each model.
pub(super) fn test(study: &Study<'_>, models: &[Model]) -> anyhow::Result<Tested> {
    let mut scores = Vec::new();
    let mut sums: BTreeMap<usize, (Vec<f64>, usize)> = BTreeMap::new();
    let (mut drawn, mut found) = (Drawn::Groups, BTreeMap::new());
    for (i, model) in models.iter().enumerate() {
        let rows = &study.plan().split(i).test;
        let logits = study.predict(&model.model, rows)?;
        let outputs = logits.len() / rows.len().max(1);
        for (&row, values) in rows.iter().zip(logits.chunks(outputs.max(1))) {
            let (sum, count) = sums.entry(row).or_insert_with(|| (vec![0.0; values.len()], 0));
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            *count += 1;
        }
        let judged = study.judge(rows, logits)?;
        scores.push(judged.scores()?);
        if i == 0 {
            (drawn, found) = intervals(study, rows, &judged)?;
        }
    }
    let rows: Vec<usize> = sums.keys().copied().collect();
    let mean = |(sum, count): &(Vec<f64>, usize)| sum.iter().map(|value| value / *count as f64).collect::<Vec<_>>();
    let logits: Vec<f64> = sums.values().flat_map(mean).collect();
    let together = study.judge(&rows, logits.clone())?;
    Ok(Tested { scores, rows, together, logits, intervals: found, drawn })
}

/// Intervals of the shown scores of one model, by resampling the groups of its test part, with what these are.
fn intervals(
    study: &Study<'_>,
    rows: &[usize],
    judged: &Judged,
) -> anyhow::Result<(Drawn, BTreeMap<&'static str, Interval>)> {
    let (drawn, groups) = study.bootstrap_groups(rows);
    Ok((drawn, resampled(&groups, &study.set().labels, judged, study.config().seed)?))
}

/// Intervals of the shown scores, by resampling the groups of the rows.
pub(super) fn resampled(
    groups: &[u64],
    labels: &Labels,
    judged: &Judged,
    seed: u64,
) -> anyhow::Result<BTreeMap<&'static str, Interval>> {
    let mut found = BTreeMap::new();
    for &name in shown_scores(labels) {
        let statistic = |rows: &[usize]| judged.select(rows).score(name);
        match metrics::interval(groups, RESAMPLES, LEVEL, seed, statistic) {
            Ok(interval) => drop(found.insert(name, interval)),
            Err(metrics::MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Mean and spread of each score over the models, with the interval of the first.
pub(super) fn summaries(scores: &[Scores], intervals: &BTreeMap<&'static str, Interval>) -> BTreeMap<String, Summary> {
    let names = scores.first().into_iter().flat_map(|scores| scores.keys());
    names
        .filter_map(|name| {
            let values: Vec<f64> = scores.iter().filter_map(|scores| scores.get(name).copied()).collect();
            let summary = Summary::of(values)?;
            let summary = match intervals.get(name.as_str()) {
                Some(interval) => summary.interval(interval.low, interval.high),
                None => summary,
            };
            Some((name.clone(), summary))
        })
        .collect()
}

/// Writes `predictions.parquet`: each row of a test part with the mean of the models that it tests.
pub(super) fn write_predictions(folder: &RunFolder, study: &Study<'_>, tested: &Tested) -> anyhow::Result<()> {
    let set = study.set();
    let outputs = genomics::evaluate::outputs(&set.labels, set.tasks.len());
    let names = match &set.labels {
        Labels::Classes(classes) => classes.clone(),
        Labels::Binary | Labels::Values => set.tasks.clone(),
    };
    let mut writer = PredictionWriter::create(&folder.file("predictions.parquet")?, &names)?;
    let values = shown(&set.labels, &tested.logits);
    for (&row, values) in tested.rows.iter().zip(values.chunks(outputs.max(1))) {
        writer.push(Prediction {
            row: row as u64 + 1,
            name: set.names[row].clone(),
            locus: set.loci[row].clone(),
            status: OK.to_owned(),
            values: Some(values.to_vec()),
        })?;
    }
    writer.finish()?;
    Ok(())
}

/// The table of results: baselines, then the models.
pub(crate) fn table(config: &RunConfig, labels: &Labels, metrics: &RunMetrics, baselines: &[Baseline]) -> Table {
    table_of(config.study.network.system(), config.study.folds, labels, metrics, baselines)
}

/// The same for any system.
pub(super) fn table_of(
    system: &str,
    folds: usize,
    labels: &Labels,
    metrics: &RunMetrics,
    baselines: &[Baseline],
) -> Table {
    let shown = shown_scores(labels);
    let part = if folds > 0 { "test folds" } else { "test part" };
    let mut table = Table::new(format!("{}, {} split, {part}", metrics.dataset, metrics.split)).text("model");
    for &name in shown {
        table = table.number(name);
    }
    let cell = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
    for baseline in baselines {
        let mean = baseline.mean();
        table.push([baseline.name.clone()].into_iter().chain(shown.iter().map(|name| cell(mean.get(*name)))));
    }
    let row = shown.iter().map(|name| match metrics.metrics.get(*name) {
        None => "–".to_owned(),
        Some(s) => match s.sd {
            Some(sd) => format!("{:.3} ± {sd:.3}", s.mean),
            None => format!("{:.3}", s.mean),
        },
    });
    table.push([format!("{system} ({})", counted(metrics.models, "model"))].into_iter().chain(row));
    table
}
