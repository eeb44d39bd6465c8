//! The scores of many cases: tables, means and intervals.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use nn_core::atomic;
use nn_core::data::group_ids;
use nn_core::metrics::{Interval, MetricError, interval};
use serde::{Deserialize, Serialize};

use super::surface::quantile;
use super::{CaseScore, EvaluateError, Presence};

/// Share of the intervals that covers the truth.
const LEVEL: f64 = 0.95;

/// What one score is called and where it is found.
type Field = (&'static str, fn(&CaseScore) -> Option<f64>);

/// The scores that have a mean, in the order in which tables show them.
const FIELDS: [Field; 9] = [
    ("dice", |score| score.dice),
    ("iou", |score| score.iou),
    ("hd95", |score| score.hd95),
    ("asd", |score| score.asd),
    ("sensitivity", |score| score.sensitivity),
    ("precision", |score| score.precision),
    ("volume_error", |score| score.volume_error),
    ("lesion_f1", |score| score.lesion_f1),
    ("lesion_sensitivity", |score| score.lesion_sensitivity),
];

/// How a score spreads over cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Cases that have it.
    pub cases: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, with the number of cases as divisor.
    pub sd: f64,
    /// Lowest, lower quartile, median, upper quartile, highest.
    pub quartiles: [f64; 5],
}

impl Spread {
    /// Of some values; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let quartiles = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&sorted, share));
        Some(Self { cases: values.len(), mean, sd, quartiles })
    }
}

/// The scores of one label over all cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelSummary {
    /// The label.
    pub label: u8,
    /// Its name.
    pub name: String,
    /// Cases that count.
    pub cases: usize,
    /// Of those, the cases in which it was not found at all.
    pub missed: usize,
    /// Of those, the cases in which it was found and is not.
    pub invented: usize,
    /// Cases without it on either side, which do not count.
    pub left_out: usize,
    /// By the name of the score.
    pub scores: BTreeMap<String, Spread>,
}

/// The scores of many cases, one row for each label of each case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// In the order in which the cases were judged.
    pub cases: Vec<CaseScore>,
}

impl Scores {
    /// No scores yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the rows of a case ([`judge`](super::judge)).
    pub fn push(&mut self, case: Vec<CaseScore>) {
        self.cases.extend(case);
    }

    /// The names of the scores that have a mean.
    pub fn names() -> [&'static str; 9] {
        FIELDS.map(|(name, _)| name)
    }

    /// Labels and their names, in ascending order.
    pub fn labels(&self) -> Vec<(u8, String)> {
        let labels: BTreeMap<u8, &str> = self.cases.iter().map(|score| (score.label, score.name.as_str())).collect();
        labels.into_iter().map(|(label, name)| (label, name.to_owned())).collect()
    }

    /// The rows of a label.
    pub fn of_label(&self, label: u8) -> impl Iterator<Item = &CaseScore> {
        self.cases.iter().filter(move |score| score.label == label)
    }

    /// Means and spreads, label by label.
    pub fn summaries(&self) -> Vec<LabelSummary> {
        let summary = |(label, name): (u8, String)| {
            let count = |presence: Presence| self.of_label(label).filter(|score| score.presence == presence).count();
            let values =
                |field: fn(&CaseScore) -> Option<f64>| self.of_label(label).filter_map(field).collect::<Vec<_>>();
            let scores = FIELDS
                .iter()
                .filter_map(|&(called, field)| Some((called.to_owned(), Spread::of(&values(field))?)))
                .collect();
            let left_out = count(Presence::Neither);
            LabelSummary {
                label,
                name,
                cases: self.of_label(label).count() - left_out,
                missed: count(Presence::Missed),
                invented: count(Presence::Invented),
                left_out,
                scores,
            }
        };
        self.labels().into_iter().map(summary).collect()
    }

    /// Means by name: `dice_anterior`, `hd95_anterior` and so on, the counts `missed_anterior` and `invented_anterior`, and
    /// the means over the labels as `dice`, `hd95` …
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let summaries = self.summaries();
        let mut metrics = BTreeMap::new();
        for summary in &summaries {
            let called = spelt(&summary.name);
            for (name, spread) in &summary.scores {
                metrics.insert(format!("{name}_{called}"), spread.mean);
            }
            metrics.insert(format!("missed_{called}"), summary.missed as f64);
            metrics.insert(format!("invented_{called}"), summary.invented as f64);
        }
        for (name, _) in FIELDS {
            let means: Vec<f64> =
                summaries.iter().filter_map(|summary| summary.scores.get(name)).map(|spread| spread.mean).collect();
            if !means.is_empty() {
                metrics.insert(name.to_owned(), means.iter().sum::<f64>() / means.len() as f64);
            }
        }
        metrics
    }

    /// 95 % interval of the mean of a score, by a bootstrap over subjects; of one label, or of the mean over the labels.
    ///
    /// # Errors
    /// [`MetricError`] when there are fewer than two subjects, no case has the score, or there is none of that name.
    pub fn interval(
        &self,
        name: &str,
        label: Option<u8>,
        resamples: usize,
        seed: u64,
    ) -> Result<Interval, MetricError> {
        let Some((_, field)) = FIELDS.into_iter().find(|(known, _)| *known == name) else {
            let why = format!("there is no score {name}; there are {}", Self::names().join(", "));
            return Err(MetricError::Undefined { metric: "interval", why });
        };
        let labels: Vec<u8> = match label {
            Some(label) => vec![label],
            None => self.labels().into_iter().map(|(label, _)| label).collect(),
        };
        let rows: Vec<&CaseScore> = self.cases.iter().filter(|score| labels.contains(&score.label)).collect();
        let subjects = group_ids(rows.iter().map(|score| score.subject.as_str()));
        let values: Vec<(u8, Option<f64>)> = rows.iter().map(|score| (score.label, field(score))).collect();
        interval(&subjects, resamples, LEVEL, seed, |drawn| {
            // The mean over the cases of each label, then over the labels, as in `metrics`.
            let mean = |label: u8| {
                let of_label = drawn.iter().map(|&row| values[row]).filter(|(of, _)| *of == label);
                let found: Vec<f64> = of_label.filter_map(|(_, value)| value).collect();
                (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
            };
            let means: Vec<f64> = labels.iter().filter_map(|&label| mean(label)).collect();
            if means.is_empty() {
                let why = format!("no case has the score {name}");
                return Err(MetricError::Undefined { metric: "interval", why });
            }
            Ok(means.iter().sum::<f64>() / means.len() as f64)
        })
    }

    /// Writes a comma-separated table, one line for each label of each case; scores without a value are empty.
    ///
    /// # Errors
    /// [`EvaluateError::Write`] with the path.
    pub fn write_csv(&self, path: &Path) -> Result<(), EvaluateError> {
        let write = |file: &mut dyn io::Write| -> Result<(), csv::Error> {
            let mut writer = csv::Writer::from_writer(file);
            let fixed = ["case", "subject", "label", "name", "presence", "truth_mm3", "predicted_mm3"];
            let counts = ["lesions_truth", "lesions_predicted"];
            writer.write_record(fixed.iter().chain(&Self::names()).chain(&counts))?;
            for score in &self.cases {
                let mut record = vec![
                    score.case.clone(),
                    score.subject.clone(),
                    score.label.to_string(),
                    score.name.clone(),
                    score.presence.name().to_owned(),
                    score.truth_mm3.to_string(),
                    score.predicted_mm3.to_string(),
                ];
                record
                    .extend(FIELDS.map(|(_, field)| field(score).map_or_else(String::new, |value| value.to_string())));
                record.extend([score.lesions_truth, score.lesions_predicted].map(|count| count.to_string()));
                writer.write_record(&record)?;
            }
            Ok(writer.flush()?)
        };
        Ok(atomic::write_with(path, |file| write(file).map_err(io::Error::other))?)
    }
}

/// A name as the names of metrics spell it.
fn spelt(name: &str) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    name.chars().map(plain).collect()
}
