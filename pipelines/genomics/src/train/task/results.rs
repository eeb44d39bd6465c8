//! What the models of a task come to: baselines, scores with their intervals, predictions.

use super::{Baseline, Model};
use crate::train::results::resampled;
use genomics::evaluate::{Judged, Scores};
use genomics::io::parquet::PredictionWriter;
use genomics::model::shown;
use genomics::predict::{OK, Prediction};
use genomics::study::Drawn;
use genomics::task::{Task, TaskStudy};
use nn_core::metrics::Interval;
use std::collections::BTreeMap;
use workbench::run::RunFolder;

/// What the models make of the test parts.
pub(super) struct Tested {
    /// Each model on its own test part.
    pub(super) scores: Vec<Scores>,
    /// Rows that are in a test part, ascending.
    pub(super) rows: Vec<usize>,
    /// Mean logits, or values, of the models that a row tests, `[rows, outputs]`.
    pub(super) logits: Vec<f64>,
    /// The same beside what was measured.
    pub(super) together: Judged,
    /// Intervals of the first model's scores; none where its test part cannot be resampled.
    pub(super) intervals: BTreeMap<&'static str, Interval>,
    /// What was drawn for them.
    pub(super) drawn: Drawn,
}

/// Scores of all baselines on the test part of each model.
pub(super) fn baselines<T: Task>(study: &TaskStudy<'_, T>) -> anyhow::Result<Vec<Baseline>> {
    let mut found: Vec<Baseline> = Vec::new();
    for model in 0..study.plan().models() {
        let test = &study.plan().split(model).test;
        // With one test part for all, what follows would be the same for each model.
        if model > 0 && *test == study.plan().split(0).test {
            found.iter_mut().for_each(|baseline| baseline.scores.extend_from_within(..1));
            continue;
        }
        for (place, baseline) in study.baselines(model)?.into_iter().enumerate() {
            let scores = study.task().rows().judge(test, baseline.predicted)?.scores()?;
            match found.get_mut(place) {
                Some(known) => known.scores.push(scores),
                None => found.push(Baseline { name: baseline.name, scores: vec![scores] }),
            }
        }
    }
    Ok(found)
}

/// Predicts and scores the test part of each model.
pub(super) fn test<T: Task>(study: &TaskStudy<'_, T>, models: &[Model<T>]) -> anyhow::Result<Tested> {
    let (task, table) = (study.task(), study.task().rows());
    let mut scores = Vec::new();
    let mut sums: BTreeMap<usize, (Vec<f64>, usize)> = BTreeMap::new();
    let (mut drawn, mut intervals) = (Drawn::Groups, BTreeMap::new());
    for (i, trained) in models.iter().enumerate() {
        let rows = &study.plan().split(i).test;
        let logits = trained.model.predict(task, rows)?;
        let outputs = logits.len() / rows.len().max(1);
        for (&row, values) in rows.iter().zip(logits.chunks(outputs.max(1))) {
            let (sum, count) = sums.entry(row).or_insert_with(|| (vec![0.0; values.len()], 0));
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            *count += 1;
        }
        let judged = table.judge(rows, logits)?;
        scores.push(judged.scores()?);
        if i == 0 {
            let (kind, groups) = study.bootstrap_groups(rows);
            drawn = kind;
            intervals = resampled(&groups, &table.predicts.labels, &judged, study.config().seed)?;
        }
    }
    let rows: Vec<usize> = sums.keys().copied().collect();
    let mean = |(sum, count): &(Vec<f64>, usize)| sum.iter().map(|value| value / *count as f64).collect::<Vec<_>>();
    let logits: Vec<f64> = sums.values().flat_map(mean).collect();
    let together = table.judge(&rows, logits.clone())?;
    Ok(Tested { scores, rows, logits, together, intervals, drawn })
}

/// Writes `predictions.parquet`: each row of a test part with the mean of the models that it tests.
pub(super) fn write_predictions<T: Task>(
    folder: &RunFolder,
    study: &TaskStudy<'_, T>,
    tested: &Tested,
) -> anyhow::Result<()> {
    let table = study.task().rows();
    let outputs = table.predicts.outputs();
    let mut writer = PredictionWriter::create(&folder.file("predictions.parquet")?, outputs)?;
    let values = shown(&table.predicts.labels, &tested.logits);
    for (&row, values) in tested.rows.iter().zip(values.chunks(outputs.len().max(1))) {
        writer.push(Prediction {
            row: row as u64 + 1,
            name: table.names[row].clone(),
            locus: table.loci[row].clone(),
            status: OK.to_owned(),
            values: Some(values.to_vec()),
        })?;
    }
    writer.finish()?;
    Ok(())
}
