//! Deep Patient (Miotto et al. 2016, Scientific Reports 6:26094): a description of patients learnt without labels, from
//! which a forest foretells each of many diseases of the next visit, beside the same forests on the counts themselves.

use super::histories::{Histories, histories};
use super::{Bench, Found};
use ehr::baselines::{ForestConfig, Logistic};
use ehr::features::{FittedRecipe, Recipe};
use ehr::split::Part;
use ehr::systems::deep_patient::{DeepPatientConfig, DiseaseForests, UnitScaler};
use ehr::view::View;
use nn_core::burn::tensor::Device;
use nn_core::data::rng;
use nn_core::metrics::{auroc, average_precision};
use nn_core::models::autoencoder::{LayerTraining, Rows};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use workbench::exit::Stopped;
use workbench::observe::Reporter;
use workbench::observe::say;
use workbench::table::Table;

/// Passes of each layer.
pub(super) const EPOCHS: usize = 10;
/// Training patients that the stack learns from at most, the first of the division.
const PATIENTS: usize = 20_000;
/// Training patients that a code must occur in.
const LEAST: usize = 50;
/// Diseases: those that enough training patients will have, the most frequent first; the paper has 78.
const DISEASES: usize = 30;
const POSITIVES: usize = 60;
/// Held-out patients that must have a disease for it to be judged.
const JUDGED: usize = 10;

/// What was known before the last visit of patients, and the categories that this visit has.
struct Asked<'a> {
    views: Vec<View<'a>>,
    diseases: Vec<BTreeSet<u32>>,
}

pub(super) fn run(bench: &Bench<'_>, device: &Device) -> anyhow::Result<Found> {
    let made = histories(bench, bench.config.seed)?;
    let vocabulary = made.vocabulary(LEAST)?;
    let (classes, outputs) = made.classes(&vocabulary)?;
    let encoder = vocabulary.encoder(&made.loaded.events.codebook)?;
    let class_of = |code| encoder.id(code).and_then(|id| classes.get(id as usize).copied().flatten());
    let asked = |part: Part| -> Asked<'_> {
        let mut found = Asked { views: Vec::new(), diseases: Vec::new() };
        for view in made.last_views(part) {
            let Some((start, before)) = made.before_last(&view) else { continue };
            let last = view.timed().filter(|event| event.time.is_some_and(|time| time >= start));
            found.diseases.push(last.filter_map(|event| class_of(event.code)).collect());
            found.views.push(before);
        }
        found
    };
    let (train, held) = (asked(Part::Train), asked(Part::HeldOut));
    let diseases = diseases(&train, &held, outputs);
    anyhow::ensure!(
        !diseases.is_empty(),
        "no category of CCS has {POSITIVES} of {} training patients and {JUDGED} of {} to be judged on",
        train.views.len(),
        held.views.len()
    );
    // Whoever has a single visit has no label, but the stack needs none.
    let mut alone: Vec<View<'_>> =
        made.last_views(Part::Train).into_iter().filter(|view| made.before_last(view).is_none()).collect();
    alone.truncate(PATIENTS.saturating_sub(train.views.len()));
    let recipe = Recipe { statistics: Vec::new(), min_subjects: LEAST, ..Recipe::default() };
    let all: Vec<View<'_>> = train.views.iter().chain(&alone).cloned().collect();
    let recipe = recipe.fit(&all)?;
    let columns = recipe.names().len();
    let scaler = UnitScaler::fit(&recipe.table(&all).values, columns);
    let scaled = |views: &[View<'_>]| counts(&recipe, &scaler, views);
    let (learnt, known, queried) = (scaled(&all), scaled(&train.views), scaled(&held.views));
    let labels = |asked: &Asked<'_>| -> Vec<Vec<bool>> {
        diseases.iter().map(|disease| asked.diseases.iter().map(|has| has.contains(disease)).collect()).collect()
    };
    let (taught, truth) = (labels(&train), labels(&held));
    let mut found = Found {
        task: "diseases of the next visit",
        text: format!(
            "{} training patients in {columns} columns teach the stack, {} of them with a next visit the forests; {} are \
             judged. A disease is one of the {} categories of CCS that enough patients have at their last visit; metrics \
             are means over them.",
            all.len(),
            train.views.len(),
            held.views.len(),
            diseases.len()
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: made.record(),
        tables: Vec::new(),
    };
    say(bench.common, &format!("{} diseases, {columns} columns, {} patients to learn from", diseases.len(), all.len()));
    let forest = ForestConfig { leaf_rows: 5, seed: bench.config.seed, ..ForestConfig::default() };
    let raw = DiseaseForests::fit(&forest, &known, columns, &taught)?.probabilities(&queried);
    found.baselines.insert("random forests on counts", scores(&truth, &raw));
    let mut linear = Vec::new();
    for labels in &taught {
        linear.push(Logistic::fit(&known, columns, labels, 10.0)?.logits(&queried));
    }
    found.baselines.insert("logistic regression on counts", scores(&truth, &linear));
    for model in 0..bench.config.models as u64 {
        let seed = bench.config.seed + model;
        let training = LayerTraining { epochs: bench.config.epochs, seed, ..LayerTraining::default() };
        let config = DeepPatientConfig { inputs: columns, training, ..DeepPatientConfig::default() };
        let mut reporter = Reporter::new(&bench.folder.file(&format!("logs/seed-{model}"))?, bench.common.verbosity())
            .title("deep-patient");
        let rows = Rows::new(learnt.clone(), columns)?;
        let (stack, _) = config.pretrain(&rows, device, &mut rng(seed, &[0]), None, &mut reporter, bench.stop)?;
        reporter.finish()?;
        if bench.stop.load(Ordering::Relaxed) {
            return Err(Stopped("nothing was written".to_owned()).into());
        }
        let known = stack.describe(&Rows::new(known.clone(), columns)?, device)?;
        let queried = stack.describe(&Rows::new(queried.clone(), columns)?, device)?;
        let forests = DiseaseForests::fit(&ForestConfig { seed, ..forest.clone() }, &known, stack.width(), &taught)?;
        let predicted = forests.probabilities(&queried);
        for (name, value) in scores(&truth, &predicted) {
            say(bench.common, &format!("model {model}: {name} {value:.3}"));
            found.metrics.entry(name).or_default().push(value);
        }
        if model == 0 {
            found.tables.push(table(&made, &vocabulary, &classes, &diseases, &truth, &predicted));
        }
        found.epochs.push(bench.config.epochs);
    }
    Ok(found)
}

fn counts(recipe: &FittedRecipe, scaler: &UnitScaler, views: &[View<'_>]) -> Vec<f32> {
    scaler.apply(&recipe.table(views).values)
}

/// The categories that enough patients have, the most frequent first.
fn diseases(train: &Asked<'_>, held: &Asked<'_>, outputs: usize) -> Vec<u32> {
    let count = |asked: &Asked<'_>| {
        let mut counts = vec![0_usize; outputs];
        asked.diseases.iter().flatten().for_each(|&disease| counts[disease as usize] += 1);
        counts
    };
    let (taught, judged) = (count(train), count(held));
    let mut found: Vec<u32> = (0..outputs as u32)
        .filter(|&disease| taught[disease as usize] >= POSITIVES && judged[disease as usize] >= JUDGED)
        .collect();
    found.sort_by(|&a, &b| taught[b as usize].cmp(&taught[a as usize]).then(a.cmp(&b)));
    found.truncate(DISEASES);
    found
}

/// Means over the diseases.
fn scores(truth: &[Vec<bool>], predicted: &[Vec<f64>]) -> BTreeMap<String, f64> {
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let pairs = || truth.iter().zip(predicted);
    [
        ("auroc".to_owned(), mean(pairs().filter_map(|(truth, found)| auroc(truth, found).ok()).collect())),
        ("auprc".to_owned(), mean(pairs().filter_map(|(truth, found)| average_precision(truth, found).ok()).collect())),
    ]
    .into()
}

/// Each disease with one of its codes.
fn table(
    made: &Histories,
    vocabulary: &ehr::features::Vocabulary,
    classes: &[Option<u32>],
    diseases: &[u32],
    truth: &[Vec<bool>],
    predicted: &[Vec<f64>],
) -> Table {
    let mut table = Table::new("Diseases of the first model").text("category").number("patients").number("auroc");
    for ((disease, truth), predicted) in diseases.iter().zip(truth).zip(predicted) {
        // Ids 0 and 1 are no codes.
        let id = classes.iter().position(|class| class == &Some(*disease)).unwrap_or(0);
        let name = vocabulary.name(id as u32).unwrap_or("");
        let coded = ehr::codes::Coded::parse(name);
        let group = coded.and_then(|coded| ehr::codes::hierarchy::group(&made.tables, coded.system, &coded.code));
        table.push([
            group.unwrap_or_else(|| name.to_owned()),
            truth.iter().filter(|&&has| has).count().to_string(),
            auroc(truth, predicted).map_or_else(|_| "–".to_owned(), |value| format!("{value:.3}")),
        ]);
    }
    table
}
