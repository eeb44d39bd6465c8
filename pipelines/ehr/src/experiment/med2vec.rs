//! `Med2Vec` (Choi et al. 2016, KDD): vectors of codes and of visits, learnt together. Judged by the share of the next
//! visit's codes that are among the first 30 that a visit foretells, beside two predictors that read no other visit, and
//! by whether the nearest codes are of the same category of CCS, beside those that most often stand in the same visit.
//! The tables of codes are not learnt from.

use super::histories::{Histories, histories};
use super::{Bench, Found};
use anyhow::Context;
use ehr::evaluate::recall_at_k;
use ehr::features::{Vocabulary, sequence};
use ehr::split::Part;
use ehr::systems::VisitSequence;
use ehr::systems::embedding::CodeEmbedding;
use ehr::systems::embedding::measures::{Similarity, most_frequent, ndcg, nearest};
use ehr::systems::med2vec::{Med2Vec, Med2VecConfig, Med2VecObjective};
use nn_core::burn::tensor::Device;
use nn_core::data::rng;
use nn_core::models::embedding::{Cooccurrence, Corpus, Decay, Vectors, Window};
use nn_core::train::{FitConfig, Monitor, Objective, StopReason, Supervised, fit};
use std::collections::BTreeMap;
use workbench::exit::Stopped;
use workbench::observe::{Reporter, say};
use workbench::table::Table;

/// Epochs at most; 10 in the paper, of far more visits.
pub(super) const EPOCHS: usize = 20;
/// Epochs without a better loss on the tuning part.
const PATIENCE: usize = 3;
/// Visits of a step, as in the paper.
const VISITS: usize = 1000;
/// Training patients that a code must occur in.
const LEAST: usize = 20;
/// How many of the first codes are counted, as in the paper.
const FIRST: usize = 30;
/// Nearest codes that are looked at, as for skip-gram vectors.
const NEAREST: usize = 40;
/// Places of the vectors that the report shows with their codes.
const SHOWN: usize = 12;
/// What is said where nothing can be judged.
const LONE: &str = "every code is the only one of its category, so that nothing can be judged";

pub(super) fn run(bench: &Bench<'_>, device: &Device) -> anyhow::Result<Found> {
    let made = histories(bench, bench.config.seed)?;
    let vocabulary = made.vocabulary(LEAST)?;
    let (kinds, _) = made.classes(&vocabulary)?;
    let (train, tuning, held) = (
        sequences(&made, &vocabulary, Part::Train)?,
        sequences(&made, &vocabulary, Part::Tuning)?,
        sequences(&made, &vocabulary, Part::HeldOut)?,
    );
    anyhow::ensure!(
        !train.is_empty() && !tuning.is_empty() && held.iter().any(|sequence| sequence.len() > 1),
        "too few patients: {} to learn from, {} to tune with, and {} to be judged on, one of whom needs two visits",
        train.len(),
        tuning.len(),
        held.len()
    );
    let mut found = Found {
        task: "codes of the next visit, and category of the nearest codes",
        text: format!(
            "{} patients to learn from, {} that decide when to stop, {} to be judged on; {} codes that {LEAST} training \
             patients or more have. `recall_at_{FIRST}` is the share of the next visit's codes among the first {FIRST} that \
             a visit foretells, `ndcg` the discounted gain of the {NEAREST} nearest codes divided by the best possible, \
             `first` the share of codes whose nearest one is of their category of CCS.",
            train.len(),
            tuning.len(),
            held.len(),
            vocabulary.codes().len()
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: made.record(),
        tables: Vec::new(),
    };
    let (recall, frequent) = (format!("recall_at_{FIRST}"), frequencies(&train, vocabulary.len()));
    let plain = foretold_by(&held, |_| frequent.clone())?;
    found.baselines.insert("most frequent", [(recall.clone(), plain)].into());
    let before = foretold_by(&held, |codes| as_before(&frequent, codes))?;
    found.baselines.insert("as before, then most frequent", [(recall.clone(), before)].into());
    found.baselines.insert("most often in the same visit", near(together(&train, &kinds)?).into());

    let objective = Med2VecObjective::new(train.clone(), tuning)?;
    let (blocks, judge) = (objective.blocks(VISITS), Med2VecObjective::new(train, held)?.with_recall_at(FIRST));
    let network = Med2VecConfig { codes: vocabulary.len(), ..Med2VecConfig::default() };
    for model in 0..bench.config.models as u64 {
        let seed = bench.config.seed + model;
        let fresh = network.init(&device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let optimizer = Med2VecConfig::optimizer().init();
        let mut learner = Supervised::new(objective.clone(), fresh, optimizer, "med2vec");
        // Adadelta finds its own pace: the published rate is 1.
        let fit_config = FitConfig {
            patience: Some(PATIENCE),
            seed,
            ..FitConfig::new(bench.config.epochs, 1.0, Monitor::lower("loss"))
        };
        let mut reporter = Reporter::new(&bench.folder.file(&format!("logs/seed-{model}"))?, bench.common.verbosity())
            .title("med2vec");
        let outcome = fit(&mut learner, &blocks, &fit_config, None, false, &mut reporter, bench.stop)?;
        reporter.finish()?;
        if outcome.stopped == StopReason::Interrupted {
            return Err(Stopped("nothing was written".to_owned()).into());
        }
        let trained = learner.into_model()?;
        let judged = judge.validate(&trained)?;
        let own = judged.iter().find(|(name, _)| name.starts_with("recall")).context("no patient has two visits")?;
        let vectors = trained.vectors()?;
        let similarity = ndcg(&nearest(&vectors, &kinds, NEAREST)?, &kinds, NEAREST).context(LONE)?;
        say(bench.common, &format!("model {model}: {recall} {:.3}, ndcg {:.3}", own.1, similarity.ndcg));
        for (name, value) in [(recall.clone(), own.1)].into_iter().chain(near(similarity)) {
            found.metrics.entry(name).or_default().push(value);
        }
        if model == 0 {
            found.tables.push(places(&trained, &vocabulary)?);
            let mut text = Vec::new();
            named(&vectors, &vocabulary)?.write(&mut text)?;
            bench.folder.write("vectors.txt", text)?;
        }
        found.epochs.push(outcome.epochs_run);
    }
    Ok(found)
}

/// The visits of the patients of a part who have one; codes beside each other are learnt from single visits too.
fn sequences(made: &Histories, vocabulary: &Vocabulary, part: Part) -> anyhow::Result<Vec<VisitSequence>> {
    let encoder = vocabulary.encoder(&made.loaded.events.codebook)?;
    let views = made.last_views(part);
    let all = views.iter().map(|view| sequence(view, &encoder, &made.sequence, Vec::new()));
    Ok(all.filter(|sequence| !sequence.is_empty()).collect())
}

/// How many visits have each code.
fn frequencies(train: &[VisitSequence], codes: usize) -> Vec<f32> {
    let mut counts = vec![0.0_f32; codes];
    for sequence in train {
        for visit in 0..sequence.len() {
            sequence.codes(visit).iter().for_each(|code| counts[*code as usize] += 1.0);
        }
    }
    counts
}

/// The codes of the visit itself first, then the others.
fn as_before(frequent: &[f32], codes: &[u32]) -> Vec<f32> {
    let most = frequent.iter().copied().fold(0.0, f32::max) + 1.0;
    let mut scores = frequent.to_vec();
    codes.iter().for_each(|code| scores[*code as usize] += most);
    scores
}

/// The mean share of the next visit's codes among the first, where `scores` tells them by the codes of a visit.
fn foretold_by(held: &[VisitSequence], scores: impl Fn(&[u32]) -> Vec<f32>) -> anyhow::Result<f64> {
    let (mut sum, mut pairs) = (0.0, 0_usize);
    for sequence in held {
        for visit in 1..sequence.len() {
            let scores = scores(sequence.codes(visit - 1));
            let truth: Vec<usize> = sequence.codes(visit).iter().map(|code| *code as usize).collect();
            sum += recall_at_k(&[truth], &scores, scores.len(), FIRST)?;
            pairs += 1;
        }
    }
    Ok(sum / pairs.max(1) as f64)
}

/// How well the codes that most often stand in the same visit tell categories.
fn together(train: &[VisitSequence], kinds: &[Option<u32>]) -> anyhow::Result<Similarity> {
    let mut corpus = Corpus::new();
    for sequence in train {
        (0..sequence.len()).for_each(|visit| corpus.push(sequence.codes(visit).iter().copied()));
    }
    let counts = Cooccurrence::count(&corpus, kinds.len(), Window::WholeSequence, Decay::None)?;
    ndcg(&most_frequent(&counts, kinds, NEAREST)?, kinds, NEAREST).context(LONE)
}

fn near(similarity: Similarity) -> [(String, f64); 2] {
    [("ndcg".to_owned(), similarity.ndcg), ("first".to_owned(), similarity.first)]
}

/// The vectors with their codes, without those of padding and of the unknown code.
fn named(vectors: &Vectors, vocabulary: &Vocabulary) -> anyhow::Result<CodeEmbedding> {
    let width = vectors.width();
    let known = Vectors::new(vectors.values().iter().skip(2 * width).copied().collect(), width)?;
    Ok(CodeEmbedding::new(vocabulary.codes().to_vec(), known)?)
}

/// What some places of the vectors stand for, by the codes that are largest there (section 5.4 of the paper).
fn places(model: &Med2Vec, vocabulary: &Vocabulary) -> anyhow::Result<Table> {
    let mut table =
        Table::new("Places of the vectors and the codes that are largest there").text("place").text("codes");
    for place in 0..SHOWN.min(model.config().code_size) {
        let top = model.top_codes(place, 4)?;
        let names: Vec<&str> = top.iter().filter_map(|(id, _)| vocabulary.name(*id)).collect();
        table.push([place.to_string(), names.join(", ")]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient() -> VisitSequence {
        let mut sequence = VisitSequence::new(Vec::new());
        sequence.push(0.0, false, [2, 3]);
        sequence.push(5.0, false, [2, 4]);
        sequence
    }

    #[test]
    fn predictors_that_learn_nothing_are_counted_by_hand() {
        let frequent = frequencies(&[patient()], 60);
        assert_eq!(frequent[..6], [0.0, 0.0, 2.0, 1.0, 1.0, 0.0]);
        assert_eq!(as_before(&frequent, &[3, 5])[..6], [0.0, 0.0, 2.0, 4.0, 1.0, 3.0]);
        // Thirty codes of equal scores are those of the smallest numbers.
        let flat = foretold_by(&[patient()], |_| vec![0.0; 60]).unwrap();
        assert_eq!(flat, 1.0);
        // Of codes 2 and 4, only 2 was in the visit before.
        let other = |codes: &[u32]| {
            let mut scores: Vec<f32> = (0..60_u8).map(f32::from).collect();
            codes.iter().for_each(|code| scores[*code as usize] = 100.0);
            scores
        };
        assert_eq!(foretold_by(&[patient()], other).unwrap(), 0.5);
    }

    #[test]
    fn codes_of_one_visit_stand_together() {
        // 2 is with 3 and with 4 once each; 3 and 4 are of one kind and never together.
        let kinds = [None, None, Some(0), Some(1), Some(1)];
        let similarity = together(&[patient()], &kinds).unwrap();
        assert_eq!((similarity.codes, similarity.first), (2, 0.0));
        assert!(together(&[patient()], &[None, None, Some(0), Some(1), Some(2)]).is_err());
    }
}
