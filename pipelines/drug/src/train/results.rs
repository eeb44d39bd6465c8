//! What the models of a run come to: scores with their intervals, predictions, the table of results.

use crate::cli::counted;
use crate::inputs::Loaded;
use drug::baselines::{self, Baseline};
use drug::io::parquet::{PredictionRow, PredictionWriter};
use drug::model::Ensemble;
use drug::predict::status;
use drug::study::{Scores, Study};
use nn_core::burn::tensor::Device;
use nn_core::metrics::{self, Interval};
use std::collections::BTreeMap;
use workbench::args::Common;
use workbench::observe::say;
use workbench::record::{RunMetrics, Summary};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Resamples behind each interval of the results.
const RESAMPLES: usize = 500;
/// Level of those intervals.
const LEVEL: f64 = 0.95;
/// Scores that get an interval and stand in the printed table.
const SHOWN: [&str; 6] = ["mse", "ci", "ci_above_floor", "rm2", "pearson", "average_precision"];

/// Scores of all baselines, read back where an earlier part of the run computed them for as many models.
pub(super) fn baselines(
    common: &Common,
    folder: &RunFolder,
    study: &Study<'_>,
    device: &Device,
) -> anyhow::Result<Vec<Baseline>> {
    const FILE: &str = "baselines.json";
    if folder.resumed() && folder.file(FILE)?.is_file() {
        let found: Vec<Baseline> = folder.read_json(FILE)?;
        // The slow ones are fitted once, all others for each model.
        let fitted = found.iter().map(|baseline| baseline.scores.len()).max();
        if fitted == Some(study.config().models) {
            return Ok(found);
        }
    }
    say(common, "baselines");
    let found = baselines::all(study, device)?;
    folder.write_json(FILE, &found)?;
    Ok(found)
}

/// The mean prediction for each row.
pub(super) fn mean_of(predictions: &[Vec<f64>]) -> Vec<f64> {
    let n = predictions.len() as f64;
    (0..predictions[0].len()).map(|row| predictions.iter().map(|p| p[row]).sum::<f64>() / n).collect()
}

/// Intervals of the shown scores of the first model, by resampling the groups of the test part.
pub(super) fn intervals(
    study: &Study<'_>,
    measured: &[f64],
    predicted: &[f64],
) -> anyhow::Result<BTreeMap<&'static str, Interval>> {
    let groups = study.bootstrap_groups();
    let mut found = BTreeMap::new();
    for name in SHOWN {
        let statistic = |rows: &[usize]| {
            let pick = |of: &[f64]| rows.iter().map(|&r| of[r]).collect::<Vec<_>>();
            study.score_one(name, &pick(measured), &pick(predicted))
        };
        match metrics::interval(&groups, RESAMPLES, LEVEL, study.config().seed, statistic) {
            Ok(interval) => drop(found.insert(name, interval)),
            Err(metrics::MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Mean and spread of each score over the models, with the interval of the first.
pub(super) fn summaries(scores: &[Scores], intervals: &BTreeMap<&'static str, Interval>) -> BTreeMap<String, Summary> {
    let names = scores.first().into_iter().flat_map(|s| s.keys());
    names
        .filter_map(|name| {
            let values: Vec<f64> = scores.iter().filter_map(|s| s.get(name).copied()).collect();
            let summary = Summary::of(values)?;
            let summary = match intervals.get(name.as_str()) {
                Some(interval) => summary.interval(interval.low, interval.high),
                None => summary,
            };
            Some((name.clone(), summary))
        })
        .collect()
}

/// Writes `predictions.parquet`: each pair of the test part with the mean of the models, which is what the scores of the
/// ensemble are made from whatever the status says.
pub(super) fn write_predictions(
    folder: &RunFolder,
    study: &Study<'_>,
    loaded: &Loaded,
    models: &Ensemble,
    predicted: &[f64],
) -> anyhow::Result<()> {
    let radius = models.interval().map(|interval| interval.radius);
    let mut writer = PredictionWriter::create(&folder.file("predictions.parquet")?)?;
    for (&row, &value) in study.plan().test().iter().zip(predicted) {
        let pair = loaded.table.pairs[row];
        let (drug, target) = (&loaded.table.drugs[pair.drug as usize], &loaded.table.targets[pair.target as usize]);
        writer.push(PredictionRow {
            row: row as u64,
            id: drug.id.clone(),
            smiles: drug.smiles.clone(),
            target: target.id.clone(),
            status: status(models.card(), drug, target),
            prediction: Some(value as f32),
            low: radius.map(|r| (value - r) as f32),
            high: radius.map(|r| (value + r) as f32),
        })?;
    }
    writer.finish()?;
    Ok(())
}

/// The table of results: baselines, then the models.
pub(crate) fn table(metrics: &RunMetrics, baselines: &[Baseline]) -> Table {
    let mut table =
        Table::new(format!("{}, {} protocol, {} split, test part", metrics.dataset, metrics.protocol, metrics.split))
            .text("model");
    for name in SHOWN {
        table = table.number(name);
    }
    let cell = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"));
    for baseline in baselines {
        let mean = baseline.mean();
        table.push([baseline.name.clone()].into_iter().chain(SHOWN.map(|name| cell(mean.get(name)))));
    }
    let row = SHOWN.map(|name| match metrics.metrics.get(name) {
        None => "–".to_owned(),
        Some(s) => match s.sd {
            Some(sd) => format!("{:.3} ± {sd:.3}", s.mean),
            None => format!("{:.3}", s.mean),
        },
    });
    table.push([format!("DeepDTA ({})", counted(metrics.models, "model"))].into_iter().chain(row));
    table
}
