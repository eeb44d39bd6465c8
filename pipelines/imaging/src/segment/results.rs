//! What the models of a run come to: scores of each case, means and intervals, beside the baselines.

use super::{Config, alone};
use crate::cli::counted;
use anyhow::Context;
use imaging::baselines::{self, BaselineConfig, SegmentBaseline};
use imaging::case::Case;
use imaging::evaluate::{Scores, partition, segments};
use imaging::io;
use imaging::model::SegmentModel;
use imaging::study::SegmentStudy;
use imaging::volume::LabelMap;
use nn_core::metrics::{Interval, MetricError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::exit::Interrupted;
use workbench::observe::say;
use workbench::record::{RunMetrics, Summary};
use workbench::table::Table;
use workbench::training::{Trained, TrainingRun};

/// Resamples behind each interval of the results.
const RESAMPLES: usize = 500;
/// Scores whose means stand in printed tables, label by label.
const SHOWN: [&str; 4] = ["dice", "hd95", "asd", "volume_error"];
/// Scores of whole cases that stand there too, where a run has them.
const WHOLE: [&str; 3] = ["pixel_error", "rand_error", "variation_of_information"];

/// Scores by name.
pub(crate) type Numbers = BTreeMap<String, f64>;

/// What the models make of the test parts.
pub(crate) struct Tested {
    /// The scores of each model on its own test part.
    pub(crate) numbers: Vec<Numbers>,
    /// Every case of a test part, judged by the first model that it tests.
    pub(crate) scores: Scores,
    /// The scores of the first model alone, for intervals.
    pub(crate) first: Scores,
    /// What was found in those cases: row and labels.
    pub(crate) found: Vec<(usize, LabelMap)>,
}

/// Scores that are not of one label: the share of wrong voxels, and the division into the connected parts of
/// `partition_of` (Rand error and variation of information of each slice, restricted to the true parts).
pub(crate) fn extra(truth: &LabelMap, found: &LabelMap, partition_of: u8) -> anyhow::Result<Numbers> {
    let wrong = truth.labels.iter().zip(&found.labels).filter(|(a, b)| a != b).count();
    let mut numbers = Numbers::from([("pixel_error".to_owned(), wrong as f64 / truth.labels.len().max(1) as f64)]);
    if partition_of > 0 {
        match partition(&segments(truth, partition_of), &segments(found, partition_of)) {
            Ok(division) => {
                numbers.insert("rand_error".to_owned(), division.rand_error);
                numbers.insert("variation_of_information".to_owned(), division.variation());
            }
            // Nothing of the truth is in a part.
            Err(MetricError::Undefined { .. } | MetricError::Empty) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(numbers)
}

/// Mean of each score over the cases that have it.
fn means(cases: &[Numbers]) -> Numbers {
    let mut sums: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for (name, value) in cases.iter().flatten() {
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + value, sum.1 + 1);
    }
    sums.into_iter().map(|(name, (sum, n))| (name.to_owned(), sum / n as f64)).collect()
}

/// Segments and scores the test part of each model, and keeps the labels as files.
pub(super) fn test(
    run: &TrainingRun<'_>,
    study: &SegmentStudy<'_>,
    models: &[Trained<SegmentModel>],
    stop: &AtomicBool,
) -> anyhow::Result<Tested> {
    let folder = run.folder.file("predictions")?;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut tested = Tested { numbers: Vec::new(), scores: Scores::new(), first: Scores::new(), found: Vec::new() };
    let mut seen = BTreeSet::new();
    for (i, model) in models.iter().enumerate() {
        let rows = &study.divided().split(i).test;
        say(run.common, &format!("model {i}: testing on {}", counted(rows.len(), "case")));
        let ensemble = alone(&model.model)?;
        let (mut scores, mut whole) = (Scores::new(), Vec::new());
        for &row in rows {
            if stop.load(Ordering::Relaxed) {
                return Err(Interrupted { resume: run.resume.to_owned() }.into());
            }
            let found = study.predict(&ensemble, row)?;
            study.judge(row, &found, &mut scores)?;
            let case = &study.cases()[row];
            if let Some(truth) = &case.label {
                whole.push(extra(truth, &found.labels, study.config().partition)?);
            }
            if seen.insert(row) {
                study.judge(row, &found, &mut tested.scores)?;
                io::write_labels(&folder.join(format!("{}.nii.gz", plain(&case.id))), &found.labels)?;
                tested.found.push((row, found.labels));
            }
        }
        let mut numbers = scores.metrics();
        numbers.extend(means(&whole));
        tested.numbers.push(numbers);
        if i == 0 {
            tested.first = scores;
        }
    }
    Ok(tested)
}

/// A name that is one of a file.
pub(crate) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

/// Scores of the baselines on the test part of the first model, read back where an earlier part of the run has them.
pub(super) fn baselines(run: &TrainingRun<'_>, study: &SegmentStudy<'_>) -> anyhow::Result<BTreeMap<String, Numbers>> {
    const FILE: &str = "baselines.json";
    if run.folder.resumed() && run.folder.file(FILE)?.is_file() {
        return Ok(run.folder.read_json(FILE)?);
    }
    say(run.common, "baselines");
    let split = study.divided().split(0);
    // Nothing is chosen for them on the validation part, so they learn from it too.
    let mut learnt: Vec<usize> = split.train.iter().chain(&split.validation).copied().collect();
    learnt.sort_unstable();
    let train: Vec<_> = learnt.iter().map(|&row| &study.cases()[row]).collect();
    let config = BaselineConfig { seed: study.config().seed, ..BaselineConfig::default() };
    let asked: Vec<_> = split.test.iter().map(|&row| &study.cases()[row]).collect();
    let found = judged(&baselines::segment(&train, &config)?, &asked, study.config().partition)?;
    run.folder.write_json(FILE, &found)?;
    Ok(found)
}

/// Scores of baselines on the labelled of some cases, by the name of the baseline.
pub(crate) fn judged(
    baselines: &[SegmentBaseline],
    cases: &[&Case],
    partition_of: u8,
) -> anyhow::Result<BTreeMap<String, Numbers>> {
    let mut found = BTreeMap::new();
    for baseline in baselines {
        let (mut scores, mut whole) = (Scores::new(), Vec::new());
        for case in cases {
            let Some(truth) = &case.label else { continue };
            let labels = baseline.predict(case)?;
            whole.push(extra(truth, &labels, partition_of)?);
            scores.push(imaging::evaluate::judge(&case.id, &case.subject, truth, &labels)?);
        }
        let mut numbers = scores.metrics();
        numbers.extend(means(&whole));
        found.insert(baseline.name().to_owned(), numbers);
    }
    Ok(found)
}

/// Mean and spread of each score over the models, with the interval of the first.
pub(super) fn summaries(study: &SegmentStudy<'_>, tested: &Tested) -> anyhow::Result<BTreeMap<String, Summary>> {
    let names: BTreeSet<&String> = tested.numbers.iter().flat_map(BTreeMap::keys).collect();
    let mut found = BTreeMap::new();
    for name in names {
        let values: Vec<f64> = tested.numbers.iter().filter_map(|numbers| numbers.get(name).copied()).collect();
        let Some(mut summary) = Summary::of(values) else { continue };
        if let Some(interval) = interval(&tested.first, name, study.config().seed)? {
            summary = summary.interval(interval.low, interval.high);
        }
        found.insert(name.clone(), summary);
    }
    Ok(found)
}

/// 95 % interval of a mean by its name among the metrics, as far as the cases define it.
pub(crate) fn interval(scores: &Scores, name: &str, seed: u64) -> anyhow::Result<Option<Interval>> {
    let labels = scores.labels();
    for score in Scores::names() {
        let label = labels.iter().find(|(_, label)| name == format!("{score}_{}", spelt(label)));
        if label.is_some() || name == score {
            return match scores.interval(score, label.map(|(label, _)| *label), RESAMPLES, seed) {
                Ok(interval) => Ok(Some(interval)),
                Err(MetricError::Undefined { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
    }
    Ok(None)
}

/// A label's name as the names of scores spell it.
pub(super) fn spelt(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// The table of results: a row for each label of each baseline, then of the models.
pub(super) fn shown(config: &Config, names: &[String], metrics: &RunMetrics) -> Table {
    let caption = format!("{}, {} split, test part", metrics.dataset, metrics.split);
    let mut table = Table::new(caption).text("model").text("label");
    for name in SHOWN {
        table = table.number(name);
    }
    let system = format!("{} ({})", config.study.network.name(), counted(metrics.models, "model"));
    let rows = metrics.baselines.iter().map(|(name, numbers)| (name.clone(), Some(numbers)));
    for (model, numbers) in rows.chain([(system, None)]) {
        let value = |name: &str| match numbers {
            Some(numbers) => numbers.get(name).map(|value| (*value, None)),
            None => metrics.metrics.get(name).map(|summary| (summary.mean, summary.sd)),
        };
        let cell = |name: &str| match value(name) {
            None => "–".to_owned(),
            Some((mean, None)) => format!("{mean:.3}"),
            Some((mean, Some(sd))) => format!("{mean:.3} ± {sd:.3}"),
        };
        for label in names.iter().skip(1) {
            let cells = SHOWN.map(|score| cell(&format!("{score}_{}", spelt(label))));
            table.push([model.clone(), label.clone()].into_iter().chain(cells));
        }
        for name in WHOLE.into_iter().filter(|name| metrics.metrics.contains_key(*name)) {
            let cells = SHOWN.iter().enumerate().map(|(place, _)| if place == 0 { cell(name) } else { "–".to_owned() });
            table.push([model.clone(), format!("({})", name.replace('_', " "))].into_iter().chain(cells));
        }
    }
    table
}

/// The scores of cases, a row for each label of each; the worst first.
pub(crate) fn table(caption: &str, scores: &Scores, most: usize) -> Table {
    let mut table = Table::new(caption)
        .text("case")
        .text("label")
        .text("presence")
        .number("true ml")
        .number("found ml")
        .number("Dice")
        .number("HD95 mm")
        .number("ASD mm");
    let mut rows: Vec<_> = scores.cases.iter().collect();
    rows.sort_by(|a, b| a.dice.unwrap_or(2.0).total_cmp(&b.dice.unwrap_or(2.0)));
    for score in rows.into_iter().take(most) {
        let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        table.push([
            score.case.clone(),
            score.name.clone(),
            score.presence.name().to_owned(),
            format!("{:.3}", score.truth_mm3 / 1000.0),
            format!("{:.3}", score.predicted_mm3 / 1000.0),
            cell(score.dice),
            cell(score.hd95),
            cell(score.asd),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::geometry::Geometry;

    fn map(labels: Vec<u8>) -> LabelMap {
        let names = ["membrane", "cell"].map(String::from).to_vec();
        LabelMap::new(labels, Geometry::axial([5, 1, 1], [1.0; 3]), names).unwrap()
    }

    #[test]
    fn a_merged_pair_of_cells_has_a_rand_error() {
        let (truth, merged) = (map(vec![1, 1, 0, 1, 1]), map(vec![1; 5]));
        let found = extra(&truth, &merged, 1).unwrap();
        assert!((found["pixel_error"] - 0.2).abs() < 1e-12);
        // Ordered pairs of different voxels in one segment: 4 of the truth, 12 of the prediction, 4 of both.
        assert!((found["rand_error"] - 0.5).abs() < 1e-12, "{found:?}");
        assert!((found["variation_of_information"] - 1.0).abs() < 1e-12, "{found:?}");
        let right = extra(&truth, &truth, 1).unwrap();
        assert!(right.values().all(|value| value.abs() < 1e-12), "{right:?}");
        assert_eq!(extra(&truth, &truth, 0).unwrap().len(), 1);
    }

    #[test]
    fn a_mean_is_over_the_cases_that_have_the_score() {
        let number = |name: &str, value: f64| Numbers::from([(name.to_owned(), value)]);
        let found = means(&[number("a", 1.0), number("a", 3.0), number("b", 5.0)]);
        assert_eq!(found, Numbers::from([("a".to_owned(), 2.0), ("b".to_owned(), 5.0)]));
    }

    #[test]
    fn a_mean_of_a_label_has_an_interval() {
        let mut scores = Scores::new();
        // Half of the cell is found in one case, all of it in the other: Dice of 2 / 3 and 1.
        for (case, found) in [("one", vec![1, 0, 0, 0, 0]), ("two", vec![1, 1, 0, 0, 0])] {
            let truth = map(vec![1, 1, 0, 0, 0]);
            scores.push(imaging::evaluate::judge(case, case, &truth, &map(found)).unwrap());
        }
        for name in ["dice", "dice_cell"] {
            let found = interval(&scores, name, 1).unwrap().unwrap();
            assert!((found.estimate - 5.0 / 6.0).abs() < 1e-12, "{found:?}");
            assert!((found.low - 2.0 / 3.0).abs() < 1e-12 && (found.high - 1.0).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(interval(&scores, "missed_cell", 1).unwrap(), None);
        assert_eq!(interval(&scores, "dice_nucleus", 1).unwrap(), None);
    }

    #[test]
    fn names_become_files() {
        assert_eq!(plain("a/b c:1"), "a_b_c_1");
    }
}
