//! Capsule network against convolutional network where data are few or unevenly spread over the classes: the question of
//! Jiménez-Sánchez, Albarqouni and Mateus 2018, *Capsule networks against medical imaging data challenges* (MICCAI LABELS),
//! asked of the digits.

use anyhow::Result;
use nn_core::data::{Fractions, rng, stratified};
use rand::seq::SliceRandom;

use crate::data::{Parts, Table};
use crate::report::Report;
use crate::suite::{self, Plan};
use crate::training::{Recipe, accuracy, classify, classify_by_capsules, confusion};

/// Shares of the training part, in per cent.
const SHARES: [usize; 5] = [5, 10, 25, 50, 100];
/// What is left of a class that was cut.
const KEPT: f64 = 0.2;
/// Purpose of the random numbers that choose the classes to be cut, and the rows that stay.
const CUT: u64 = 0x0043_5554;

/// Test scores of the three models.
struct Scores {
    capsule: f64,
    cnn: f64,
    logistic: f64,
}

/// Runs all conditions over all seeds; a seed decides the division, the rows that are kept, and all else that is random.
pub(crate) fn run(table: &Table, plan: &Plan, report: &mut Report) -> Result<()> {
    for share in SHARES {
        let mut found = Vec::new();
        for &seed in &plan.seeds {
            let parts = reduced(table, &table.parts(seed as u32, seed)?, share, seed)?;
            let scores = compare(table, &parts, share, plan, seed)?;
            let accuracy = |scores: &[f32]| accuracy(table, &parts.test, scores);
            found.push(scores.map_each(accuracy)?);
        }
        record(report, &share.to_string(), &found);
    }
    let (mut all, mut rare) = (Vec::new(), Vec::new());
    for &seed in &plan.seeds {
        let (parts, cut) = uneven(table, &table.parts(seed as u32, seed)?, seed)?;
        let scores = compare(table, &parts, 100, plan, seed)?;
        all.push(scores.map_each(|scores| accuracy(table, &parts.test, scores))?);
        rare.push(scores.map_each(|scores| {
            let matrix = confusion(table, &parts.test, scores)?;
            let recalls = cut.iter().map(|&class| matrix.one_against_rest(class).recall());
            let sum = recalls.sum::<Result<f64, _>>()?;
            Ok(sum / cut.len() as f64)
        })?);
    }
    record(report, "imbalanced", &all);
    record(report, "imbalanced_rare", &rare);
    Ok(())
}

/// Scores of the test rows from the three models.
struct Outputs {
    capsule: Vec<f32>,
    cnn: Vec<f32>,
    logistic: Vec<f32>,
}

impl Outputs {
    fn map_each(&self, judge: impl Fn(&[f32]) -> Result<f64>) -> Result<Scores> {
        Ok(Scores { capsule: judge(&self.capsule)?, cnn: judge(&self.cnn)?, logistic: judge(&self.logistic)? })
    }
}

/// Both networks get the same number of passes, more where the rows are fewer: 1 / √share times as many.
fn compare(table: &Table, parts: &Parts, share: usize, plan: &Plan, seed: u64) -> Result<Outputs> {
    let longer = |recipe: Recipe| {
        let epochs = (recipe.epochs as f64 / (share as f64 / 100.0).sqrt()).round() as usize;
        plan.limited(Recipe { epochs, ..recipe })
    };
    let capsule = classify_by_capsules(table, parts, suite::capsule(seed)?, longer(suite::CAPSULE), seed)?;
    let cnn = classify(table, parts, suite::cnn(seed)?, longer(suite::CAPSULE), seed)?;
    let logistic = suite::logistic_scores(table, parts, 1.0, plan, seed)?;
    Ok(Outputs { capsule, cnn, logistic })
}

/// `share` per cent of the rows that may be learnt from, by classes; a tenth of them validates.
fn reduced(table: &Table, parts: &Parts, share: usize, seed: u64) -> Result<Parts> {
    if share == 100 {
        return Ok(parts.clone());
    }
    let learnt = parts.learnt();
    let labels: Vec<u64> = learnt.iter().map(|&row| table.labels[row] as u64).collect();
    let kept = stratified(&labels, Fractions { validation: 0.0, test: share as f64 / 100.0 }, seed)?.test;
    let rows = kept.into_iter().map(|place| learnt[place]).collect();
    table.divided(rows, parts.test.clone(), seed)
}

/// Half of the classes lose four of five rows that may be learnt from; which ones are second.
fn uneven(table: &Table, parts: &Parts, seed: u64) -> Result<(Parts, Vec<usize>)> {
    let mut generator = rng(seed, &[CUT]);
    let mut classes: Vec<usize> = (0..table.classes).collect();
    classes.shuffle(&mut generator);
    classes.truncate(table.classes / 2);
    let mut rows = Vec::new();
    for class in 0..table.classes {
        let mut of_class: Vec<usize> = parts.learnt().into_iter().filter(|&row| table.labels[row] == class).collect();
        if classes.contains(&class) {
            of_class.shuffle(&mut generator);
            of_class.truncate((of_class.len() as f64 * KEPT).round() as usize);
        }
        rows.extend(of_class);
    }
    Ok((table.divided(rows, parts.test.clone(), seed)?, classes))
}

/// Each model's score and the difference of the two networks, seed by seed; logistic regression as the baseline of both.
fn record(report: &mut Report, condition: &str, scores: &[Scores]) {
    let of = |pick: fn(&Scores) -> f64| -> Vec<f64> { scores.iter().map(pick).collect() };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (capsule, cnn, logistic) = (of(|s| s.capsule), of(|s| s.cnn), of(|s| s.logistic));
    report.metric(&format!("capsule_{condition}"), &capsule);
    report.metric(&format!("cnn_{condition}"), &cnn);
    report.metric(&format!("logistic_{condition}"), &logistic);
    report.metric(&format!("capsule_minus_cnn_{condition}"), &of(|s| s.capsule - s.cnn));
    report.baseline("convolutional network", &format!("capsule_{condition}"), mean(&cnn));
    for model in ["capsule", "cnn"] {
        report.baseline("logistic regression", &format!("{model}_{condition}"), mean(&logistic));
    }
}
