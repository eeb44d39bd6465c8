//! `data/results.jsonl`: one finished run a line, only ever added to.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    experiment::{Bound, Published},
    workspace::Workspace,
};

/// One finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Name of the experiment or bench.
    pub(crate) experiment: String,
    /// Domain.
    pub(crate) domain: String,
    /// Commit that was checked out, `-dirty` after it when the code was changed.
    pub(crate) commit: String,
    /// Commits that the programs of the run were built from, in the order of their use, where that is not `commit` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) built_from: Vec<String>,
    /// When it ended, ISO 8601 in UTC.
    pub(crate) date: String,
    /// Device that computed it.
    pub(crate) device: String,
    /// Random seeds.
    #[serde(default)]
    pub(crate) seeds: Vec<u64>,
    /// Models behind each figure; the smallest number when steps differ.
    #[serde(default)]
    pub(crate) models: u64,
    /// Epochs of each model.
    #[serde(default)]
    pub(crate) epochs: Vec<u64>,
    /// SHA-256 of the input files.
    #[serde(default)]
    pub(crate) data: BTreeMap<String, String>,
    /// How it was obtained, in words.
    #[serde(default)]
    pub(crate) protocol: String,
    /// Arguments that departed from the experiment's file.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// What else a reader must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// Metrics with their spread.
    pub(crate) metrics: BTreeMap<String, Metric>,
    /// Trivial baselines of the same split, by name and metric.
    #[serde(default)]
    pub(crate) baselines: BTreeMap<String, BTreeMap<String, f64>>,
    /// Published values.
    #[serde(default)]
    pub(crate) published: BTreeMap<String, Published>,
    /// What was accepted.
    #[serde(default)]
    pub(crate) bounds: BTreeMap<String, Bound>,
    /// Whether every bound holds.
    pub(crate) passed: bool,
    /// The bounds that do not.
    #[serde(default)]
    pub(crate) failures: Vec<String>,
    /// Time of all steps.
    pub(crate) wall_seconds: f64,
    /// Largest memory of a step in MB, where it was measured.
    #[serde(default)]
    pub(crate) peak_mb: Option<f64>,
}

/// A metric over several models or rounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metric {
    /// Mean over models. For a bench the median over rounds.
    pub(crate) mean: f64,
    /// Standard deviation over models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sd: Option<f64>,
    /// Lower end of the interval; the smallest round of a bench.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<f64>,
    /// Upper end of the interval; the largest round of a bench.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<f64>,
    /// One value a model or round.
    #[serde(default)]
    pub(crate) values: Vec<f64>,
}

impl Metric {
    /// One value without spread.
    pub(crate) fn single(value: f64) -> Self {
        Self { mean: value, values: vec![value], ..Self::default() }
    }

    /// Median and range of rounds. None of no rounds.
    pub(crate) fn rounds(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&low, &high) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { mean: median, sd: None, low: Some(low), high: Some(high), values: values.to_vec() })
    }
}

/// The bounds that `metrics` breaks, each as a sentence.
pub(crate) fn broken(
    bounds: &BTreeMap<String, Bound>,
    metrics: &BTreeMap<String, Metric>,
    baselines: &BTreeMap<String, BTreeMap<String, f64>>,
) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, bound) in bounds {
        let Some(value) = metrics.get(name).map(|metric| metric.mean) else {
            broken.push(format!("{name} was not measured"));
            continue;
        };
        // A value that is not a number breaks every bound.
        if let Some(max) = bound.max
            && (value.is_nan() || value > max)
        {
            broken.push(format!("{name} is {value:.4}, more than {max:.4} ({})", bound.why));
        }
        if let Some(min) = bound.min
            && (value.is_nan() || value < min)
        {
            broken.push(format!("{name} is {value:.4}, less than {min:.4} ({})", bound.why));
        }
        for (baseline, wants_below) in [(&bound.below, true), (&bound.above, false)] {
            let Some(baseline) = baseline else { continue };
            match baselines.get(baseline).and_then(|values| values.get(name)) {
                None => broken
                    .push(format!("{name} is to be compared with the baseline {baseline:?}, which was not measured")),
                Some(&other) if (wants_below && value < other) || (!wants_below && value > other) => {}
                Some(&other) => {
                    let side = if wants_below { "below" } else { "above" };
                    broken.push(format!(
                        "{name} is {value:.4}, not {side} the baseline {baseline:?} at {other:.4} ({})",
                        bound.why
                    ));
                }
            }
        }
    }
    broken
}

/// Adds `entry` as one line.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn append(workspace: &Workspace, entry: &Entry) -> Result<()> {
    let path = workspace.results_file();
    let mut line = serde_json::to_string(entry).context("cannot write the result as JSON")?;
    line.push('\n');
    if fs::read(&path).is_ok_and(|old| old.last().is_some_and(|&byte| byte != b'\n')) {
        line.insert(0, '\n');
    }
    let written = OpenOptions::new().create(true).append(true).open(&path).and_then(|mut file| {
        file.write_all(line.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Every result, in the order of the file; none when there is no file yet.
///
/// # Errors
/// The file cannot be read, or a line is not a result; the message names the line.
pub(crate) fn all(workspace: &Workspace) -> Result<Vec<Entry>> {
    let path = workspace.results_file();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            entries.push(
                serde_json::from_str(line)
                    .with_context(|| format!("{} line {} is not a result", path.display(), index + 1))?,
            );
        }
    }
    Ok(entries)
}

/// The newest result of each experiment, by name. Of two with the same date the later line counts.
pub(crate) fn newest(entries: Vec<Entry>) -> BTreeMap<String, Entry> {
    let mut newest: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in entries {
        let superseded = newest.get(&entry.experiment).is_some_and(|known| known.date > entry.date);
        if !superseded {
            newest.insert(entry.experiment.clone(), entry);
        }
    }
    newest
}

/// What is the smaller, the better `value` is for `metric`; `honest.auroc` counts as `auroc`.
pub(crate) fn badness(metric: &str, value: f64) -> f64 {
    match bare(metric) {
        // Neither much nor little is good: 1 and 0 are right.
        "calibration_slope" => (value - 1.0).abs(),
        "calibration_intercept" | "in_the_large" => value.abs(),
        bare if lower_is_better(bare) => value,
        _ => -value,
    }
}

/// The name of a metric without that of its step.
fn bare(metric: &str) -> &str {
    metric.rsplit('.').next().unwrap_or(metric)
}

/// Whether a smaller value of `metric` is the better one; `cold-drug.mse` counts as `mse`, `hd95_anterior` as `hd95`.
fn lower_is_better(metric: &str) -> bool {
    let bare = bare(metric);
    matches!(bare, "mse" | "mae" | "rmse" | "loss" | "ece" | "ece_equal_mass" | "ratio")
        || matches!(bare, "pixel_error" | "rand_error" | "variation_of_information")
        // Of each cause and each horizon, or integrated over them.
        || bare.starts_with("brier")
        || bare.starts_with("integrated_brier")
        // Of each label of a segmentation.
        || ["hd95", "asd", "missed_", "invented_"].iter().any(|name| bare.starts_with(name))
        || bare.ends_with("_mb")
        || bare.ends_with("seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(max: Option<f64>, min: Option<f64>, below: Option<&str>) -> BTreeMap<String, Bound> {
        let bound = Bound { max, min, below: below.map(str::to_owned), above: None, why: "test".to_owned() };
        BTreeMap::from([("mse".to_owned(), bound)])
    }

    fn mse(value: f64) -> BTreeMap<String, Metric> {
        BTreeMap::from([("mse".to_owned(), Metric::single(value))])
    }

    #[test]
    fn bounds_are_inclusive_and_not_a_number_breaks_them() {
        let none = BTreeMap::new();
        assert!(broken(&bound(Some(0.276), None, None), &mse(0.276), &none).is_empty());
        assert_eq!(broken(&bound(Some(0.276), None, None), &mse(0.2761), &none).len(), 1);
        assert_eq!(broken(&bound(Some(1.0), Some(0.0), None), &mse(f64::NAN), &none).len(), 2);
        assert_eq!(broken(&bound(Some(1.0), None, None), &BTreeMap::new(), &none), ["mse was not measured"]);
    }

    #[test]
    fn a_bound_may_be_a_baseline_of_the_same_run() {
        let baselines = BTreeMap::from([("mean".to_owned(), BTreeMap::from([("mse".to_owned(), 0.8)]))]);
        assert!(broken(&bound(None, None, Some("mean")), &mse(0.7), &baselines).is_empty());
        assert_eq!(broken(&bound(None, None, Some("mean")), &mse(0.8), &baselines).len(), 1);
        assert_eq!(broken(&bound(None, None, Some("kNN")), &mse(0.1), &baselines).len(), 1);
    }

    #[test]
    fn rounds_give_median_and_range() {
        let odd = Metric::rounds(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.mean, odd.low, odd.high), (2.0, Some(1.0), Some(3.0)));
        assert_eq!(Metric::rounds(&[4.0, 1.0]).unwrap().mean, 2.5);
        assert!(Metric::rounds(&[]).is_none());
    }

    #[test]
    fn prefixes_and_labels_do_not_change_what_is_better() {
        for metric in ["mse", "cold-drug.mse", "peak_mb", "screen_seconds", "ratio"] {
            assert!(lower_is_better(metric), "{metric}");
        }
        for metric in ["hd95", "hd95_anterior", "asd_posterior", "missed_nodule", "invented_nodule"] {
            assert!(lower_is_better(metric), "{metric}");
        }
        for metric in ["unet.pixel_error", "unet.rand_error", "linknet.variation_of_information"] {
            assert!(lower_is_better(metric), "{metric}");
        }
        for metric in ["brier", "brier_death", "integrated_brier", "gru-d.ece", "ece_equal_mass", "honest.loss"] {
            assert!(lower_is_better(metric), "{metric}");
        }
        for metric in ["ci", "cold-drug.ci", "rm2", "auroc", "dice_anterior", "lesion_sensitivity"] {
            assert!(!lower_is_better(metric), "{metric}");
        }
        for metric in ["average_precision", "c_death", "recall_at_30", "diabetes130.ndcg", "mimic3-demo.first"] {
            assert!(!lower_is_better(metric), "{metric}");
        }
    }

    #[test]
    fn calibration_is_good_at_its_own_value_and_bad_on_both_sides() {
        assert!(badness("brier", 0.1) < badness("brier", 0.2));
        assert!(badness("honest.auroc", 0.7) < badness("honest.auroc", 0.6));
        for (metric, right) in [("calibration_slope", 1.0), ("b.calibration_intercept", 0.0), ("in_the_large", 0.0)] {
            assert_eq!(badness(metric, right), 0.0, "{metric}");
            assert_eq!(badness(metric, right + 0.5), badness(metric, right - 0.5), "{metric}");
            assert!(badness(metric, right + 0.5) < badness(metric, right - 1.0), "{metric}");
        }
    }
}
