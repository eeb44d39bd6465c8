//! What the models of a run come to: scores with their intervals, predictions, the table of results.

use crate::inputs::Loaded;
use drug::baselines::{self, Baseline};
use drug::io::parquet::{PredictionRow, PredictionWriter};
use drug::model::Ensemble;
use drug::predict::status;
use drug::study::{Protocol, Scores, Study, strong_binding};
use drug::table::Quantity;
use nn_core::burn::tensor::Device;
use nn_core::metrics::{self, Interval};
use std::collections::BTreeMap;
use workbench::args::Common;
use workbench::observe::say;
use workbench::page;
use workbench::record::{RunMetrics, Summary};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Resamples behind each interval of the results.
pub(crate) const RESAMPLES: usize = 500;
/// Level of those intervals.
pub(crate) const LEVEL: f64 = 0.95;
/// What the names of the scores of the models' mean prediction begin with in `metrics.json`. A run of one model has none:
/// it is its own mean.
const TOGETHER: &str = "ensemble.";

/// A score that gets an interval and stands in the printed table.
struct Shown {
    name: &'static str,
    heading: &'static str,
    meaning: &'static str,
}

static SHOWN: [Shown; 6] = [
    Shown { name: "mse", heading: "MSE", meaning: "mean squared error; less is better" },
    Shown {
        name: "ci",
        heading: "CI",
        meaning: "concordance index: of two pairs that were measured to differ, how often the tighter one is predicted to be; 0.5 is chance, 1 best",
    },
    Shown {
        name: "ci_above_floor",
        heading: "CI above floor",
        meaning: "concordance index of the pairs above the lowest value; more than a tenth of the pairs have that value, so that it is taken for where the assay stops measuring",
    },
    Shown {
        name: "rm2",
        heading: "rm²",
        meaning: "r² less a penalty for predictions off the measured scale: r²(1 − √|r⁴ − r₀⁴|) as DeepDTA's code computes it, with r₀² of the line through the origin; 1 is best",
    },
    Shown { name: "pearson", heading: "Pearson r", meaning: "linear correlation of predicted and measured values" },
    Shown {
        name: "average_precision",
        heading: "average precision",
        meaning: "mean precision where strong binders are looked for from the highest prediction down; chance is their share of the pairs",
    },
];

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

/// Intervals of the shown scores of predictions for the test part, by resampling its groups.
pub(super) fn intervals(
    study: &Study<'_>,
    measured: &[f64],
    predicted: &[f64],
) -> anyhow::Result<BTreeMap<&'static str, Interval>> {
    let groups = study.bootstrap_groups();
    let mut found = BTreeMap::new();
    for &Shown { name, .. } in &SHOWN {
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

/// Mean and spread of each score over the models, and the scores of their mean prediction, whose intervals these are.
pub(super) fn summaries(
    scores: &[Scores],
    ensemble: &Scores,
    intervals: &BTreeMap<&'static str, Interval>,
) -> BTreeMap<String, Summary> {
    let with_interval = |name: &str, summary: Summary| match intervals.get(name) {
        Some(interval) => summary.interval(interval.low, interval.high),
        None => summary,
    };
    let mut found = BTreeMap::new();
    for name in scores.iter().take(1).flat_map(BTreeMap::keys) {
        let values = scores.iter().filter_map(|of| of.get(name).copied()).collect();
        let Some(summary) = Summary::of(values) else { continue };
        let summary = if scores.len() == 1 { with_interval(name, summary) } else { summary };
        found.insert(name.clone(), summary);
    }
    for (name, &value) in ensemble.iter().filter(|_| scores.len() > 1) {
        let Some(summary) = Summary::of(vec![value]) else { continue };
        found.insert(format!("{TOGETHER}{name}"), with_interval(name, summary));
    }
    found
}

/// Writes `predictions.parquet`: each pair of the test part with the mean of the models, which is what the scores of the
/// ensemble are made from whatever the status says. Rows are counted from 1, as those of a list of compounds are; the files
/// of the split count from 0.
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
            row: row as u64 + 1,
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

/// The rows of the models: what they are called, and what the names of their scores begin with.
fn rows(models: usize) -> Vec<(String, &'static str)> {
    match models {
        1 => vec![("DeepDTA".to_owned(), "")],
        n => vec![(format!("DeepDTA, each of {n}"), ""), (format!("DeepDTA, mean of {n}"), TOGETHER)],
    }
}

/// The table of results: baselines, then the models. A score that none of them has gets no column.
pub(crate) fn table(metrics: &RunMetrics, baselines: &[Baseline]) -> Table {
    let means: Vec<_> = baselines.iter().map(Baseline::mean).collect();
    let there = |name: &str| metrics.metrics.contains_key(name) || means.iter().any(|mean| mean.contains_key(name));
    let shown: Vec<&Shown> = SHOWN.iter().filter(|score| there(score.name)).collect();
    let title = format!("{}, {} protocol, {} split, test part", metrics.dataset, metrics.protocol, metrics.split);
    let mut table = shown.iter().fold(Table::new(title).text("model"), |table, score| table.number(score.heading));
    let absent = || "–".to_owned();
    for (baseline, mean) in baselines.iter().zip(&means) {
        let cells = shown.iter().map(|score| mean.get(score.name).map_or_else(absent, |value| format!("{value:.3}")));
        table.push(std::iter::once(baseline.name.clone()).chain(cells));
    }
    for (name, prefix) in rows(metrics.models) {
        let cells = shown.iter().map(|score| match metrics.metrics.get(&format!("{prefix}{}", score.name)) {
            None => absent(),
            // In a narrow window the line breaks before the sign and not behind it.
            Some(Summary { mean, sd: Some(sd), .. }) => format!("{mean:.3} ±\u{a0}{sd:.3}"),
            Some(Summary { mean, .. }) => format!("{mean:.3}"),
        });
        table.push(std::iter::once(name).chain(cells));
    }
    table
}

/// What the rows and the columns of [`table`] mean.
pub(crate) fn legend(metrics: &RunMetrics, protocol: Protocol, quantity: &Quantity) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let [(each, _), (mean, _)] = rows(metrics.models).as_slice() {
        found.push((each.clone(), "mean ± standard deviation over the models, each scored alone".to_owned()));
        found.push((mean.clone(), "the mean of the models' predictions, which is what predict gives".to_owned()));
    }
    for Shown { name, heading, meaning } in SHOWN.iter().filter(|score| metrics.metrics.contains_key(score.name)) {
        let more = match (*name, strong_binding(quantity)) {
            ("mse", _) => format!(", in squares of {}", quantity.label()),
            ("ci", _) if protocol == Protocol::Paper => {
                ". Over the half of the pairs that DeepDTA's code visits".into()
            }
            ("average_precision", Some(least)) => format!(". Strong is a {} of {least} or more", quantity.label()),
            _ => String::new(),
        };
        found.push(((*heading).to_owned(), format!("{meaning}{more}")));
    }
    found
}

/// The intervals of what `predict` gives: the mean of the models, or the one there is.
pub(crate) fn interval_table(metrics: &RunMetrics) -> Table {
    let named: Vec<(String, &Summary)> = rows(metrics.models)
        .last()
        .into_iter()
        .flat_map(|(_, prefix)| SHOWN.iter().map(move |score| (score, format!("{prefix}{}", score.name))))
        .filter_map(|(score, name)| Some((score.heading.to_owned(), metrics.metrics.get(&name)?)))
        .collect();
    let of = match metrics.models {
        1 => "the model".to_owned(),
        n => format!("the mean of {n} models"),
    };
    let caption = format!("{:.0} % intervals of {of}, by resampling whole groups of the test part", LEVEL * 100.0);
    page::intervals(caption, named.iter().map(|(name, summary)| (name, *summary)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scores(mse: f64, ci: f64) -> Scores {
        Scores::from([("mse".to_owned(), mse), ("ci".to_owned(), ci)])
    }

    fn intervals() -> BTreeMap<&'static str, Interval> {
        let interval =
            Interval { estimate: 0.6, low: 0.5, high: 0.75, level: LEVEL, resamples: RESAMPLES, undefined: 0 };
        BTreeMap::from([("mse", interval)])
    }

    fn metrics(models: usize, metrics: &BTreeMap<String, Summary>) -> RunMetrics {
        let run = json!({
            "task": "affinity", "dataset": "toy", "protocol": "clean", "split": "random", "models": models, "seeds": [1],
            "epochs": [1], "metrics": metrics, "baselines": {}, "data": { "rows": 1, "sha256": {} }, "device": "cpu",
            "wall_seconds": 1.0, "peak_mb": null, "version": "0", "commit": null,
        });
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn the_interval_is_that_of_the_mean_of_the_models() {
        let found = summaries(&[scores(1.0, 0.6), scores(0.8, 0.8)], &scores(0.6, 0.75), &intervals());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["ci", "ensemble.ci", "ensemble.mse", "mse"]);
        assert_eq!((found["mse"].mean, found["mse"].low), (0.9, None));
        let together = &found["ensemble.mse"];
        assert_eq!((together.mean, together.sd, together.low, together.high), (0.6, None, Some(0.5), Some(0.75)));

        let metrics = metrics(2, &found);
        let table = table(&metrics, &[Baseline { name: "mean".into(), scores: vec![scores(2.0, 0.5)] }]);
        let headings: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(headings, ["model", "MSE", "CI"]);
        // Standard deviation of 1.0 and 0.8, and of 0.6 and 0.8: 0.2 / √2.
        assert_eq!(
            table.rows,
            [
                ["mean", "2.000", "0.500"],
                ["DeepDTA, each of 2", "0.900 ±\u{a0}0.141", "0.700 ±\u{a0}0.141"],
                ["DeepDTA, mean of 2", "0.600", "0.750"],
            ]
        );
        let intervals = interval_table(&metrics);
        assert!(intervals.caption.starts_with("95 % intervals of the mean of 2 models"), "{}", intervals.caption);
        assert_eq!(intervals.rows, [["MSE", "0.500", "0.750"]]);
    }

    #[test]
    fn one_model_is_its_own_mean() {
        let found = summaries(&[scores(0.6, 0.75)], &scores(0.6, 0.75), &intervals());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["ci", "mse"]);
        let metrics = metrics(1, &found);
        assert_eq!(table(&metrics, &[]).rows, [["DeepDTA", "0.600", "0.750"]]);
        assert_eq!(interval_table(&metrics).rows, [["MSE", "0.500", "0.750"]]);
    }

    #[test]
    fn the_legend_says_what_a_strong_binder_is() {
        let mut of = scores(0.6, 0.75);
        of.insert("average_precision".to_owned(), 0.9);
        let metrics = metrics(1, &summaries(std::slice::from_ref(&of), &of, &BTreeMap::new()));
        let legend = |protocol, quantity: Quantity| legend(&metrics, protocol, &quantity);
        let found = legend(Protocol::Clean, Quantity::KibaScore);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["MSE", "CI", "average precision"]);
        assert!(found[2].1.ends_with("Strong is a KIBA score of 12.1 or more"), "{found:?}");
        assert!(!found[1].1.contains("DeepDTA"), "{found:?}");
        assert!(legend(Protocol::Paper, Quantity::Pkd)[1].1.ends_with("that DeepDTA's code visits"));
    }
}
