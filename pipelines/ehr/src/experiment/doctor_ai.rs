//! Doctor AI (Choi et al. 2016, MLHC): at every visit, the diagnoses of the next one, as categories of CCS. Judged by
//! the share of the next visit's categories that are among the first k, beside three predictors that count alone: the
//! most frequent categories, those of the visit before, filled up with the most frequent, and those that followed the
//! same categories in the training part.
//!
//! The optimiser is that of the authors' code: from its small initial weights, Adam with a rate of 0.001 gets less far.
//! Most patients have two visits, and one layer of units foretells them better than the two of that code.

use super::histories::{Histories, histories};
use super::{Bench, Found};
use ehr::evaluate::recall_at_k;
use ehr::features::{Vocabulary, sequence};
use ehr::split::Part;
use ehr::systems::doctor_ai::{DoctorAi, DoctorAiConfig};
use ehr::systems::{VisitBatch, VisitSequence};
use nn_core::burn::tensor::{Device, Tensor};
use nn_core::data::{Shuffled, rng};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, Objective, StepContext, StepError, StopReason, Supervised, fit};
use std::collections::BTreeMap;
use workbench::exit::Stopped;
use workbench::observe::Reporter;
use workbench::observe::say;

/// Epochs at most; 10 in the paper's code, of twenty times the patients.
pub(super) const EPOCHS: usize = 40;
/// Epochs without a better loss on the tuning part.
const PATIENCE: usize = 4;
/// Recurrent layers; two in the paper's code, which has longer histories to read.
const LAYERS: usize = 1;
/// Factor of Adadelta's steps, which have a length of their own.
const RATE: f64 = 1.0;
/// Patients of a step, as in the paper's code.
const BATCH: usize = 100;
/// Training patients that a code must occur in.
const LEAST: usize = 20;
/// How many of the first categories are counted.
const FIRST: [usize; 4] = [5, 10, 20, 30];
/// Visits of the frequent kind that count besides those that followed a category, so that rare ones are not led by one.
const LEAN: f32 = 10.0;

/// Cross-entropy of the categories of the next visit.
struct NextVisit<'a> {
    sequences: &'a [VisitSequence],
    classes: &'a [Option<u32>],
    tuning: &'a [usize],
}

impl NextVisit<'_> {
    fn batch(&self, rows: &[usize]) -> VisitBatch {
        VisitBatch::new(rows.iter().map(|&row| &self.sequences[row]))
    }
}

impl Objective for NextVisit<'_> {
    type Model = DoctorAi;

    fn loss(&self, model: &DoctorAi, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let loss = model.loss(&self.batch(rows), self.classes, Some(&mut context.rng(1)));
        loss.ok_or_else(|| StepError::other("no patient of the step has two visits"))
    }

    fn validate(&self, model: &DoctorAi) -> Result<Vec<(String, f64)>, StepError> {
        let (mut sum, mut count) = (0.0, 0.0);
        for rows in self.tuning.chunks(BATCH) {
            let Some(loss) = model.loss(&self.batch(rows), self.classes, None) else { continue };
            let value = loss.try_into_scalar::<f64>();
            let value = value.map_err(|error| StepError::Device { what: "loss", reason: error.to_string() })?;
            sum += value * rows.len() as f64;
            count += rows.len() as f64;
        }
        Ok(if count > 0.0 { vec![("loss".to_owned(), sum / count)] } else { Vec::new() })
    }
}

pub(super) fn run(bench: &Bench<'_>, device: &Device) -> anyhow::Result<Found> {
    let made = histories(bench, bench.config.seed)?;
    let vocabulary = made.vocabulary(LEAST)?;
    let (classes, outputs) = made.classes(&vocabulary)?;
    let (train, tuning, held) = (
        sequences(&made, &vocabulary, Part::Train)?,
        sequences(&made, &vocabulary, Part::Tuning)?,
        sequences(&made, &vocabulary, Part::HeldOut)?,
    );
    anyhow::ensure!(
        !train.is_empty() && !tuning.is_empty() && !held.is_empty(),
        "too few patients have two visits: {} to learn from, {} to tune with, {} to be judged on",
        train.len(),
        tuning.len(),
        held.len()
    );
    let truth = truth(&held, &classes);
    let mut found = Found {
        task: "diagnoses of the next visit",
        text: format!(
            "{} patients with two visits or more to learn from, {} that decide when to stop, {} to be judged on. Of each \
             visit the network foretells which of {outputs} categories of CCS the next one will have.",
            train.len(),
            tuning.len(),
            held.len()
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: made.record(),
        tables: Vec::new(),
    };
    let frequent = frequencies(&train, &classes, outputs);
    found.baselines.insert("most frequent", recalls(&truth, &constant(&frequent, truth.len()), outputs)?);
    found
        .baselines
        .insert("as before, then most frequent", recalls(&truth, &as_before(&held, &classes, &frequent), outputs)?);
    let followed = as_followed(&held, &classes, &frequent, &followers(&train, &classes, &frequent));
    found.baselines.insert("what followed the same", recalls(&truth, &followed, outputs)?);
    let all: Vec<VisitSequence> = train.iter().chain(&tuning).cloned().collect();
    let tuned: Vec<usize> = (train.len()..all.len()).collect();
    for model in 0..bench.config.models as u64 {
        let seed = bench.config.seed + model;
        let network = DoctorAiConfig {
            codes: vocabulary.len(),
            outputs,
            predict_time: false,
            time: false,
            layers: LAYERS,
            ..DoctorAiConfig::default()
        };
        let fresh = network.init(&device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let objective = NextVisit { sequences: &all, classes: &classes, tuning: &tuned };
        let mut learner = Supervised::new(objective, fresh, OptimizerConfig::adadelta_zeiler().init(), "doctor-ai");
        let fit_config = FitConfig {
            patience: Some(PATIENCE),
            seed,
            ..FitConfig::new(bench.config.epochs, RATE, Monitor::lower("loss"))
        };
        let mut reporter = Reporter::new(&bench.folder.file(&format!("logs/seed-{model}"))?, bench.common.verbosity())
            .title("doctor-ai");
        let sampler = Shuffled::new((0..train.len()).collect(), BATCH);
        let outcome = fit(&mut learner, &sampler, &fit_config, None, false, &mut reporter, bench.stop)?;
        reporter.finish()?;
        if outcome.stopped == StopReason::Interrupted {
            return Err(Stopped("nothing was written".to_owned()).into());
        }
        let trained = learner.into_model()?;
        for (name, value) in recalls(&truth, &scores(&trained, &held)?, outputs)? {
            say(bench.common, &format!("model {model}: {name} {value:.3}"));
            found.metrics.entry(name).or_default().push(value);
        }
        found.epochs.push(outcome.epochs_run);
    }
    Ok(found)
}

/// The visits of the patients of a part that have two or more.
fn sequences(made: &Histories, vocabulary: &Vocabulary, part: Part) -> anyhow::Result<Vec<VisitSequence>> {
    let encoder = vocabulary.encoder(&made.loaded.events.codebook)?;
    let views = made.last_views(part);
    let all = views.iter().map(|view| sequence(view, &encoder, &made.sequence, Vec::new()));
    Ok(all.filter(|sequence| sequence.len() > 1).collect())
}

/// The categories of each visit of a sequence, ascending.
fn categories(sequence: &VisitSequence, visit: usize, classes: &[Option<u32>]) -> Vec<usize> {
    let of = |code: &u32| classes.get(*code as usize).copied().flatten().map(|class| class as usize);
    let mut found: Vec<usize> = sequence.codes(visit).iter().filter_map(of).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// What each visit but the last should have foretold.
fn truth(held: &[VisitSequence], classes: &[Option<u32>]) -> Vec<Vec<usize>> {
    held.iter()
        .flat_map(|sequence| (1..sequence.len()).map(move |visit| categories(sequence, visit, classes)))
        .collect()
}

/// How many visits of the training part have each category.
fn frequencies(train: &[VisitSequence], classes: &[Option<u32>], outputs: usize) -> Vec<f32> {
    let mut counts = vec![0.0_f32; outputs];
    for sequence in train {
        for visit in 0..sequence.len() {
            categories(sequence, visit, classes).into_iter().for_each(|class| counts[class] += 1.0);
        }
    }
    counts
}

fn constant(frequent: &[f32], rows: usize) -> Vec<f32> {
    frequent.iter().copied().cycle().take(rows * frequent.len()).collect()
}

/// The categories of the visit itself first.
fn as_before(held: &[VisitSequence], classes: &[Option<u32>], frequent: &[f32]) -> Vec<f32> {
    let most = frequent.iter().copied().fold(0.0, f32::max) + 1.0;
    let mut scores = Vec::new();
    for sequence in held {
        for visit in 0..sequence.len() - 1 {
            let start = scores.len();
            scores.extend_from_slice(frequent);
            categories(sequence, visit, classes).into_iter().for_each(|class| scores[start + class] += most);
        }
    }
    scores
}

/// Of the training visits after one with each category, the share of each category among theirs: `[before, after]`.
fn followers(train: &[VisitSequence], classes: &[Option<u32>], frequent: &[f32]) -> Vec<f32> {
    let outputs = frequent.len();
    let all = frequent.iter().sum::<f32>().max(1.0);
    let lean: Vec<f32> = frequent.iter().map(|count| LEAN * count / all).collect();
    let mut shares = constant(&lean, outputs);
    for sequence in train {
        for visit in 1..sequence.len() {
            let after = categories(sequence, visit, classes);
            for before in categories(sequence, visit - 1, classes) {
                after.iter().for_each(|class| shares[before * outputs + class] += 1.0);
            }
        }
    }
    for row in shares.chunks_exact_mut(outputs) {
        let sum = row.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|share| *share /= sum);
    }
    shares
}

/// Sums of what followed each category of the visit; the most frequent behind one without any.
fn as_followed(held: &[VisitSequence], classes: &[Option<u32>], frequent: &[f32], followers: &[f32]) -> Vec<f32> {
    let outputs = frequent.len();
    let mut scores = Vec::new();
    for sequence in held {
        for visit in 0..sequence.len() - 1 {
            let found = categories(sequence, visit, classes);
            let start = scores.len();
            scores.extend(frequent.iter().map(|count| if found.is_empty() { *count } else { 0.0 }));
            for class in found {
                let row = &followers[class * outputs..][..outputs];
                scores[start..].iter_mut().zip(row).for_each(|(score, share)| *score += share);
            }
        }
    }
    scores
}

/// What the network foretells at each visit but the last.
fn scores(model: &DoctorAi, held: &[VisitSequence]) -> anyhow::Result<Vec<f32>> {
    let mut found = Vec::new();
    for sequences in held.chunks(BATCH) {
        let batch = VisitBatch::new(sequences);
        let logits = model.foretell(&batch, None).logits;
        let [_, visits, outputs] = logits.dims();
        let values = logits.try_into_vec_as::<f32>();
        let values = values.map_err(|error| StepError::Device { what: "logits", reason: error.to_string() })?;
        for (row, sequence) in sequences.iter().enumerate() {
            let start = row * visits * outputs;
            found.extend_from_slice(&values[start..start + (sequence.len() - 1) * outputs]);
        }
    }
    Ok(found)
}

fn recalls(truth: &[Vec<usize>], scores: &[f32], outputs: usize) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut found = BTreeMap::new();
    for k in FIRST {
        found.insert(format!("recall_at_{k}"), recall_at_k(truth, scores, outputs, k)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_first() {
        let mut sequence = VisitSequence::new(Vec::new());
        sequence.push(0.0, false, [2, 3]);
        sequence.push(5.0, false, [4]);
        let classes = [None, None, Some(0), Some(2), Some(1)];
        assert_eq!(truth(std::slice::from_ref(&sequence), &classes), [vec![1]]);
        let frequent = frequencies(std::slice::from_ref(&sequence), &classes, 3);
        assert_eq!(frequent, [1.0, 1.0, 1.0]);
        assert_eq!(as_before(&[sequence], &classes, &frequent), [3.0, 1.0, 3.0]);
    }

    /// By hand: every category was there once, so ten visits lean by 10/3 to each; 0 and 2 were followed by 1 once, 1 by
    /// none. Single precision leaves 1e-6.
    #[test]
    fn what_followed_is_counted() {
        let mut sequence = VisitSequence::new(Vec::new());
        sequence.push(0.0, false, [2, 3]);
        sequence.push(5.0, false, [4]);
        sequence.push(5.0, false, [1]);
        let (sequences, classes) = ([sequence], [None, None, Some(0), Some(2), Some(1)]);
        let frequent = frequencies(&sequences, &classes, 3);
        let shares = followers(&sequences, &classes, &frequent);
        let (third, other) = (1.0 / 3.0, 10.0 / 33.0);
        let expected: [f32; 9] = [other, 13.0 / 33.0, other, third, third, third, other, 13.0 / 33.0, other];
        let scores = as_followed(&sequences, &classes, &frequent, &shares);
        let sums: [f32; 6] = [2.0 * other, 26.0 / 33.0, 2.0 * other, third, third, third];
        for (found, expected) in shares.iter().chain(&scores).zip(expected.iter().chain(&sums)) {
            assert!((found - expected).abs() < 1e-6, "{shares:?} {scores:?}");
        }
        assert_eq!((shares.len(), scores.len()), (9, 6));
    }
}
