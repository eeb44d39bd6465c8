//! The two protocols on generated affinities, with a network of few filters.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use drug::affinity::{forward, numbers};
use drug::baselines::{MlpConfig, mlp};
use drug::io::deepdta::Folds;
use drug::model::{AffinityModel, Ensemble};
use drug::split::{SplitKind, groups};
use drug::study::{Plan, Protocol, Study, StudyConfig, TokenizerKind, Trained};
use drug::synthetic::{SyntheticConfig, affinity_table};
use drug::systems::deepdta::{DeepDtaConfig, Padding};
use drug::table::{AffinityTable, Pair};
use drug::tokens::Tokenizer;
use nn_core::data::rng;
use nn_core::metrics::mse;
use nn_core::train::{Event, Observer, StopReason};

/// Folds of the training part.
const FOLDS: usize = 5;

fn table(drugs: usize, targets: usize) -> AffinityTable {
    affinity_table(&SyntheticConfig { drugs, targets, ..SyntheticConfig::default() }).unwrap().0
}

fn tiny() -> DeepDtaConfig {
    DeepDtaConfig { filters: 4, embedding: 8, smiles_length: 60, protein_length: 120, ..DeepDtaConfig::default() }
}

/// Folds as a data set brings them: of all drugs and targets, and not in the table's order.
fn folds(table: &AffinityTable) -> Folds {
    let mut parts = vec![Vec::new(); FOLDS + 1];
    for row in (0..table.pairs.len()).rev() {
        parts[(row + row / table.targets.len()) % (FOLDS + 1)].push(row);
    }
    let test = parts.pop().unwrap();
    Folds { train: parts, test }
}

/// The monitored error after each epoch.
#[derive(Default)]
struct Heard(Vec<f64>);

impl Observer for Heard {
    fn event(&mut self, event: &Event) {
        if let Event::Validated { metrics, .. } = event {
            self.0.extend(metrics.iter().find(|(name, _)| name == "mse").map(|(_, value)| *value));
        }
    }
}

fn train(study: &Study<'_>) -> (Trained, Vec<f64>) {
    train_model(study, 0)
}

fn train_model(study: &Study<'_>, i: usize) -> (Trained, Vec<f64>) {
    let mut heard = Heard::default();
    let trained = study.train(i, &Device::flex(), (None, false), &mut heard, &AtomicBool::new(false)).unwrap();
    (trained, heard.0)
}

fn error(study: &Study<'_>, model: &AffinityModel, rows: &[usize]) -> f64 {
    mse(&study.table().values(rows), &study.predict(model, rows).unwrap()).unwrap()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A study on the folds of `folds`, whose learning rate is so large that the error soon rises again.
fn unsteady(table: &AffinityTable, protocol: Protocol) -> Study<'_> {
    let config = StudyConfig {
        protocol,
        split: SplitKind::Upstream,
        epochs: 60,
        patience: 1,
        batch_size: 64,
        learning_rate: 0.01,
        network: tiny(),
        ..StudyConfig::default()
    };
    let plan = Plan::new(table, Some(&folds(table)), SplitKind::Upstream, config.test_fraction, config.seed).unwrap();
    Study::new(table, plan, config).unwrap()
}

#[test]
fn the_paper_stops_on_the_test_part_and_keeps_the_last_weights() {
    let table = table(24, 24);
    let study = unsteady(&table, Protocol::Paper);
    let plan = study.plan();
    assert_eq!(plan.monitored(0), plan.split(0).test);
    assert_eq!(plan.calibration(0), plan.split(0).validation);
    assert_eq!(study.config().network.padding, Padding::Seen);
    let (Trained { model, outcome }, heard) = train(&study);
    let best = outcome.best_epoch.unwrap();
    assert_eq!((outcome.stopped, outcome.epochs_run), (StopReason::NoImprovement, heard.len()));
    assert_eq!(best + 2, heard.len());
    assert_eq!(error(&study, &model, &plan.split(0).test), heard[best + 1]);
    assert_ne!(heard[best], heard[best + 1]);
    assert_eq!(model.card.calibration.unwrap().pairs, plan.split(0).validation.len());
}

#[test]
fn the_clean_protocol_stops_on_half_a_fold_and_keeps_the_best_weights() {
    let table = table(24, 24);
    let study = unsteady(&table, Protocol::Clean);
    let plan = study.plan();
    assert_eq!(study.config().network.padding, Padding::Masked);
    let (Trained { model, outcome }, heard) = train(&study);
    let best = outcome.best_epoch.unwrap();
    assert_eq!((outcome.stopped, best + 2), (StopReason::NoImprovement, heard.len()));
    assert_eq!(error(&study, &model, plan.monitored(0)), heard[best]);
    assert_ne!(heard[best], heard[best + 1]);
    assert_eq!(model.card.calibration.unwrap().pairs, plan.calibration(0).len());
}

#[test]
fn the_halves_of_a_fold_share_no_group() {
    let table = table(24, 24);
    for kind in SplitKind::ALL {
        let plan = Plan::new(&table, Some(&folds(&table)), kind, 1.0 / 6.0, 1).unwrap();
        let groups = groups(&table, if kind == SplitKind::Upstream { SplitKind::Random } else { kind }).unwrap();
        for fold in 0..FOLDS {
            let (monitored, calibration) = (plan.monitored(fold), plan.calibration(fold));
            let mut all = [monitored, calibration].concat();
            all.sort_unstable();
            assert_eq!(all, plan.split(fold).validation, "{kind}");
            let of = |rows: &[usize]| rows.iter().map(|&row| groups[row]).collect::<BTreeSet<_>>();
            assert!(of(monitored).is_disjoint(&of(calibration)), "{kind}");
            assert!(!monitored.is_empty(), "{kind}");
            if kind != SplitKind::Scaffold {
                assert!(monitored.len().abs_diff(calibration.len()) <= table.targets.len(), "{kind}");
            }
        }
    }
    // Six drugs: one for the test part and one for each fold, which leaves nothing to halve.
    let small = self::table(6, 8);
    let plan = Plan::new(&small, None, SplitKind::ColdDrug, 1.0 / 6.0, 1).unwrap();
    for fold in 0..FOLDS {
        assert_eq!((plan.monitored(fold), plan.calibration(fold).len()), (&plan.split(fold).validation[..], 0));
    }
}

#[test]
fn training_rows_come_in_the_order_of_the_files() {
    let table = table(12, 12);
    let folds = folds(&table);
    let plan = Plan::new(&table, Some(&folds), SplitKind::Upstream, 0.2, 1).unwrap();
    let expected: Vec<usize> = [0, 2, 3, 4].into_iter().flat_map(|fold: usize| folds.train[fold].clone()).collect();
    assert_eq!(plan.train_in_order(1), expected);
    assert_ne!(plan.split(1).train, expected);
    assert_eq!(plan.test(), folds.test);
}

/// A study on a random division, of a network with much dropout.
fn random_study(table: &AffinityTable, epochs: usize, test_fraction: f64, interval: f64) -> Study<'_> {
    let network = DeepDtaConfig { dropout: 0.5, ..tiny() };
    let config = StudyConfig { epochs, test_fraction, interval, network, ..StudyConfig::default() };
    let plan = Plan::new(table, None, config.split, config.test_fraction, config.seed).unwrap();
    Study::new(table, plan, config).unwrap()
}

#[test]
fn a_saved_model_predicts_the_same_bits_and_without_dropout() {
    let table = table(16, 16);
    let study = random_study(&table, 1, 0.2, 0.8);
    let (Trained { model, .. }, _) = train(&study);
    let predicted = study.predict(&model, study.plan().test()).unwrap();
    assert_eq!(bits(&study.predict(&model, study.plan().test()).unwrap()), bits(&predicted));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fold-0.safetensors");
    model.save(&path).unwrap();
    let read = AffinityModel::load(&path, &Device::flex()).unwrap();
    assert_eq!(read.card, model.card);
    assert!(read.card.calibration.is_some());
    assert_eq!(bits(&study.predict(&read, study.plan().test()).unwrap()), bits(&predicted));

    // With a generator, dropout does act.
    let pairs: Vec<Pair> = study.plan().test().iter().map(|&row| table.pairs[row]).collect();
    let dropped = forward(&model.network, study.entities(), &pairs, Some(&mut rng(1, &[])));
    assert_ne!(numbers(dropped).unwrap(), predicted);
}

#[test]
fn the_interval_holds_its_share_of_new_pairs() {
    let table = table(80, 48);
    let level = 0.8;
    let study = random_study(&table, 4, 1.0 / 3.0, level);
    let (Trained { model, .. }, _) = train(&study);
    let calibration = model.card.calibration.unwrap();
    let test = study.plan().test();
    let predicted = study.predict(&model, test).unwrap();
    let measured = table.values(test);
    let inside = measured.iter().zip(&predicted).filter(|(m, p)| (*m - *p).abs() <= calibration.radius).count();
    let coverage = inside as f64 / test.len() as f64;
    // Both parts are drawn at random: the binomial errors of the two add up. Four standard deviations.
    let error = (level * (1.0 - level) * (1.0 / test.len() as f64 + 1.0 / calibration.pairs as f64)).sqrt();
    assert!((coverage - level).abs() < 4.0 * error, "{coverage} of {level}, standard deviation {error}");
}

#[test]
fn impossible_studies_are_refused() {
    let table = table(12, 12);
    let plan = Plan::new(&table, None, SplitKind::Random, 0.2, 1).unwrap();
    let network = DeepDtaConfig { smiles_vocabulary: 30, ..tiny() };
    let config = StudyConfig { network, ..StudyConfig::default() };
    let error = Study::new(&table, plan, config).unwrap_err().to_string();
    assert!(error.starts_with("smiles_vocabulary = 30, but the tokeniser (DeepDTA SMILES characters)"), "{error}");
    let error = StudyConfig { seed: u64::MAX, ..StudyConfig::default() }.validate().unwrap_err().to_string();
    assert!(error.starts_with("seed = 18446744073709551615 is out of range"), "{error}");

    let chemistry = StudyConfig { tokenizer: TokenizerKind::Chemistry, ..StudyConfig::default() };
    chemistry.validate().unwrap();
    let (protocol, split) = (Protocol::Paper, SplitKind::Upstream);
    let error = StudyConfig { protocol, split, ..chemistry.clone() }.validate().unwrap_err().to_string();
    assert!(error.contains("reads SMILES by DeepDTA's characters"), "{error}");
    let network = DeepDtaConfig { smiles_vocabulary: 30, ..tiny() };
    let error = StudyConfig { network, ..chemistry }.validate().unwrap_err().to_string();
    assert!(error.starts_with("smiles_vocabulary = 30 cannot be set beside tokenizer = \"chemistry\""), "{error}");
}

/// Each drug has an ion of its own, twice, so that the vocabulary tells the drugs that it was fitted on.
#[test]
fn a_vocabulary_is_fitted_on_what_its_model_learns_from() {
    const IONS: [&str; 12] = [
        "[Na+]", "[K+]", "[Li+]", "[Rb+]", "[Cs+]", "[Ag+]", "[Mg+2]", "[Ca+2]", "[Zn+2]", "[Fe+2]", "[Cu+2]", "[Mn+2]",
    ];
    let mut table = table(12, 12);
    for (drug, ion) in table.drugs.iter_mut().zip(IONS) {
        drug.smiles = format!("{ion}.{ion}.CCO");
    }
    let (split, tokenizer) = (SplitKind::ColdDrug, TokenizerKind::Chemistry);
    let config = StudyConfig { split, tokenizer, models: 2, epochs: 1, network: tiny(), ..StudyConfig::default() };
    let plan = Plan::new(&table, None, split, config.test_fraction, config.seed).unwrap();
    let study = Study::new(&table, plan, config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut models = Vec::new();
    for i in 0..2 {
        let (Trained { model, .. }, _) = train_model(&study, i);
        let learnt: BTreeSet<u32> = study.plan().split(i).train.iter().map(|&row| table.pairs[row].drug).collect();
        let mut expected: BTreeSet<&str> = learnt.into_iter().map(|drug| IONS[drug as usize]).collect();
        expected.extend([".", "C", "O"]);
        let stored = serde_json::to_value(&model.card.tokenizers.drug).unwrap();
        let found: BTreeSet<&str> = stored["tokens"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        assert_eq!(found, expected, "model {i}");
        // One label more, for what is unknown.
        assert_eq!(model.card.config.smiles_vocabulary, expected.len() + 1);
        assert_eq!(model.network.config(), &model.card.config);

        let path = folder.path().join(format!("fold-{i}.safetensors"));
        model.save(&path).unwrap();
        let read = AffinityModel::load(&path, &Device::flex()).unwrap();
        assert_eq!(read.card, model.card);
        let test = study.plan().test();
        assert_eq!(bits(&study.predict(&read, test).unwrap()), bits(&study.predict(&model, test).unwrap()));
        models.push(model);
    }
    assert_ne!(models[0].card.tokenizers, models[1].card.tokenizers);
    // Three tokens of common atoms and two points, and the ion twice.
    assert!(study.entities().drugs.iter().all(|labels| labels.len() == 7), "{:?}", study.entities().drugs);

    // Together they predict the mean of what each predicts from its own labels.
    let test = study.plan().test();
    let alone: Vec<Vec<f64>> = models.iter().map(|model| study.predict(model, test).unwrap()).collect();
    let together = Ensemble::new(models).unwrap().predict(&table, test).unwrap();
    let mean: Vec<f64> = alone[0].iter().zip(&alone[1]).map(|(&a, &b)| f64::midpoint(a, b)).collect();
    assert_eq!(bits(&together), bits(&mean));

    let error = study.train(2, &Device::flex(), (None, false), &mut Heard::default(), &AtomicBool::new(false)).err();
    assert_eq!(error.unwrap().to_string(), "model = 2 is out of range; allowed: 0 to 1");
}

#[test]
fn characters_are_the_rule() {
    let table = table(12, 12);
    let study = random_study(&table, 1, 0.2, 0.8);
    assert_eq!(study.config().tokenizer, TokenizerKind::DeepDta);
    let config = serde_json::to_value(study.config()).unwrap();
    assert_eq!(config["tokenizer"], "deepdta");
    let (Trained { mut model, .. }, _) = train(&study);
    assert_eq!(model.card.tokenizers.drug, Tokenizer::deepdta_smiles());
    assert_eq!(&model.card.config, &study.config().network);
    // A model that reads otherwise is not given this study's labels.
    model.card.tokenizers.drug = Tokenizer::fit_chemistry(["CCO"], 1).unwrap();
    let error = study.predict(&model, study.plan().test()).unwrap_err().to_string();
    assert!(error.starts_with("the model's tokenisers are those of no model of this study"), "{error}");
}

#[test]
fn a_bootstrap_draws_sequences_and_molecules_not_table_places() {
    let mut table = table(12, 12);
    // The second target under another name, the second drug in another spelling.
    table.targets[1].sequence = table.targets[0].sequence.clone();
    table.drugs[0].smiles = "OCC".to_owned();
    table.drugs[1].smiles = "CCO".to_owned();
    for split in [SplitKind::Random, SplitKind::ColdDrug] {
        let of = |p: &Pair| if split == SplitKind::Random { p.target.max(1) } else { p.drug.max(1) };
        let config = StudyConfig { split, network: tiny(), ..StudyConfig::default() };
        let plan = Plan::new(&table, None, split, 0.3, 1).unwrap();
        let study = Study::new(&table, plan, config).unwrap();
        let drawn = study.bootstrap_groups();
        let expected: Vec<u32> = study.plan().test().iter().map(|&row| of(&table.pairs[row])).collect();
        for (i, a) in expected.iter().enumerate() {
            for (j, b) in expected.iter().enumerate() {
                assert_eq!(drawn[i] == drawn[j], a == b, "{split}: rows {i} and {j}");
            }
        }
    }
}

#[test]
fn the_perceptron_learns_nothing_from_the_rows_that_it_predicts() {
    let mut table = table(16, 12);
    let rows = |targets: std::ops::Range<u32>| -> Vec<usize> {
        (0..table.pairs.len()).filter(|&row| targets.contains(&table.pairs[row].target)).collect()
    };
    let (train, validation, query) = (rows(0..8), rows(8..10), rows(10..12));
    let last: Vec<bool> = query.iter().map(|&row| table.pairs[row].target == 11).collect();
    let config = MlpConfig { hidden: [16, 8], epochs: 2, batch_size: 32, ..MlpConfig::default() };
    let predict = |table: &AffinityTable| mlp(table, [&train, &validation, &query], &config, &Device::flex()).unwrap();
    let before = predict(&table);
    table.targets[11].sequence = "WWWWWCCCCC".repeat(8);
    let after = predict(&table);
    for ((before, after), last) in before.iter().zip(&after).zip(last) {
        assert_eq!(before.to_bits() != after.to_bits(), last, "{before} and {after}");
    }
}
