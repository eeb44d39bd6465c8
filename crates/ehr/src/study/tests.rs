//! What a study does with settings, labels and views; that it learns, that it is the same twice, and that the audit of
//! it finds what was put in.

use std::sync::atomic::AtomicBool;

use super::objective::log_loss;
use super::*;
use crate::audit::{AuditConfig, Leak};
use crate::baselines::{BaselineConfig, BoostingConfig};
use crate::events::EventsBuilder;
use crate::features::{Provenance, SeriesConfig, VocabularyConfig};
use crate::split::{Part, Split, SplitConfig, SplitKind};
use crate::systems::gru::GruConfig;
use crate::systems::gru_d::GruDConfig;
use crate::time::{Span, Time};

/// Hours from a subject's first visit to its prediction time: right behind the third.
const ASKED: i64 = 60 * 24 + 1;

#[allow(clippy::unnecessary_wraps, reason = "as events have it")]
fn at(hours: i64) -> Option<Time> {
    Some(Time(0).plus(Span::hours(hours)))
}

/// Whether a subject has the outcome: every third.
fn sick(subject: i64) -> bool {
    subject % 3 == 0
}

/// Subjects with three visits; the second of those who will be sick has a code of its own, and so has one in eleven of
/// the others. Their laboratory values are higher. Behind the prediction time stand the outcome, and a code of the
/// future.
pub(crate) fn toy(subjects: i64) -> (Events, Vec<Label>) {
    let mut rows = EventsBuilder::new();
    let mut labels = Vec::new();
    for subject in 1..=subjects {
        rows.push(subject, None, if subject % 2 == 0 { "GENDER//F" } else { "GENDER//M" }, None, None);
        rows.push(subject, at(-24 * 365 * (30 + subject % 40)), "MEDS_BIRTH", None, None);
        for visit in 0..3 {
            let time = at(visit * 30 * 24);
            rows.push(subject, time, "ENCOUNTER//OUTPATIENT", None, None);
            let value = 1.0 + 2.0 * f32::from(u8::from(sick(subject))) + (subject % 5) as f32 / 10.0;
            rows.push(subject, time, "LAB//X", Some(value), None);
            if visit == 1 && (sick(subject) || subject % 11 == 0) {
                rows.push(subject, time, "DIAGNOSIS//RISK", None, None);
            }
        }
        if sick(subject) {
            rows.push(subject, at(100 * 24), "DIAGNOSIS//OUTCOME", None, None);
        }
        rows.push(subject, at(400 * 24), "CONTACT//LAST", None, None);
        labels.push(Label::boolean(subject, Time(0).plus(Span::hours(ASKED)), sick(subject)));
    }
    (rows.finish().unwrap(), labels)
}

/// Settings that make a study of the toy quick.
pub(crate) fn small(network: NetworkConfig) -> StudyConfig {
    let inputs = InputConfig {
        vocabulary: VocabularyConfig { min_subjects: 2, ..VocabularyConfig::default() },
        series: SeriesConfig { min_subjects: 2, step: Span::days(1), ..SeriesConfig::default() },
        ..InputConfig::default()
    };
    let boosting = BoostingConfig { trees: 10, leaf_rows: 5, ..BoostingConfig::default() };
    StudyConfig {
        epochs: 8,
        batch_size: 16,
        learning_rate: 0.02,
        inputs,
        baselines: BaselineConfig { boosting, ..BaselineConfig::default() },
        network,
        ..StudyConfig::default()
    }
    .resolved()
    .unwrap()
}

pub(crate) fn gru() -> NetworkConfig {
    NetworkConfig::Gru(GruConfig { embedding: 8, hidden: 8, dropout: 0.0, ..GruConfig::default() })
}

pub(crate) fn gru_d() -> NetworkConfig {
    let plain =
        GruDConfig { hidden: 8, dropout: 0.0, recurrent_dropout: 0.0, head_dropout: 0.0, ..GruDConfig::default() };
    NetworkConfig::GruD(plain)
}

/// A study of the toy.
pub(crate) fn study<'a>(events: &'a Events, labels: &'a [Label], config: StudyConfig) -> Study<'a> {
    let plan = Plan::new(events, labels, None, &config).unwrap();
    let predicts = Predicts { task: "toy".to_owned(), definition: None };
    Study::new(events, labels, ("toy", predicts), plan, config).unwrap()
}

pub(crate) fn trained(study: &Study<'_>) -> Trained {
    study.train(0, &Device::flex(), (None, false), &mut (), &AtomicBool::new(false)).unwrap()
}

#[test]
fn settings_out_of_range_and_contradictions_are_refused() {
    let good = small(gru());
    let error = |config: StudyConfig| config.validate().unwrap_err().to_string();
    assert!(error(StudyConfig { epochs: 0, ..good.clone() }).starts_with("epochs = 0"));
    assert!(error(StudyConfig { folds: 3, models: 5, ..good.clone() }).contains("only 3 folds"));
    let division = SplitConfig { kind: SplitKind::Upstream, ..SplitConfig::default() };
    assert!(error(StudyConfig { folds: 3, models: 1, division, ..good.clone() }).contains("upstream split"));
    let division = SplitConfig { tuning_fraction: 0.0, ..SplitConfig::default() };
    assert!(error(StudyConfig { division, ..good.clone() }).starts_with("tuning_fraction = 0"));
    let inputs = InputConfig { history: Some(Span::ZERO), ..InputConfig::default() };
    assert!(error(StudyConfig { inputs, ..good }).starts_with("history = "));
    assert!(NetworkConfig::named("grud").unwrap_err().to_string().contains("gru-d, gru-mean"));
    for (name, _) in NetworkConfig::systems() {
        let config = NetworkConfig::named(name).unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<NetworkConfig>(&text).unwrap(), config, "{text}");
        assert!(NetworkConfig::named(config.system()).is_ok());
    }
}

#[test]
fn every_fold_is_held_out_once_and_parts_share_no_subject() {
    let (events, labels) = toy(90);
    let config = StudyConfig { folds: 3, models: 3, ..small(gru()) };
    let plan = Plan::new(&events, &labels, None, &config).unwrap();
    let mut held = vec![0; labels.len()];
    for model in 0..3 {
        let split = plan.rows(model);
        assert_eq!(split.train.len() + split.validation.len() + split.test.len(), 90);
        split.test.iter().for_each(|&row| held[row] += 1);
        for part in Part::ALL {
            let rows = plan.subjects(model).rows(&labels, part);
            assert!(rows.iter().any(|&row| sick(labels[row].subject)), "{part} of model {model}");
        }
    }
    assert!(held.iter().all(|&times| times == 1));
}

#[test]
fn an_upstream_split_gets_its_tuning_part_from_training() {
    let (events, labels) = toy(90);
    let parts = (1..=90).map(|id| (id, if id <= 60 { Part::Train } else { Part::HeldOut }));
    let upstream = Split::from_pairs(parts).unwrap();
    let division = SplitConfig { kind: SplitKind::Upstream, ..SplitConfig::default() };
    let config = StudyConfig { division, ..small(gru()) };
    assert!(matches!(Plan::new(&events, &labels, None, &config), Err(PlanError::Split(_))));
    let plan = Plan::new(&events, &labels, Some(&upstream), &config).unwrap();
    let split = plan.rows(0);
    assert_eq!(split.test, (60..90).collect::<Vec<_>>());
    assert_eq!(split.validation.len(), 6, "a tenth of the sixty");
    assert!(split.validation.iter().all(|&row| row < 60));
}

#[test]
fn a_part_of_one_class_is_refused() {
    let (events, mut labels) = toy(90);
    for label in &mut labels {
        label.value = crate::labels::LabelValue::Boolean(label.subject <= 30);
    }
    let parts = (1..=90).map(|id| (id, if id <= 60 { Part::Train } else { Part::HeldOut }));
    let upstream = Split::from_pairs(parts).unwrap();
    let division = SplitConfig { kind: SplitKind::Upstream, ..SplitConfig::default() };
    let error = Plan::new(&events, &labels, Some(&upstream), &StudyConfig { division, ..small(gru()) }).unwrap_err();
    assert!(error.to_string().starts_with("the held_out part of model 0 has 0 positive labels of 30"), "{error}");
}

/// Inputs are a function of what was known: another future makes the same ones.
#[test]
fn inputs_end_at_the_prediction_time_and_are_fitted_on_training_alone() {
    let (events, labels) = toy(60);
    for network in [gru(), gru_d()] {
        let study = study(&events, &labels, small(network));
        let fitted = study.preprocessing(0).unwrap();
        let training = study.plan().rows(0).train.iter().map(|&row| labels[row].subject);
        assert_eq!(*fitted.provenance(), Provenance::of(training));
        if let Some(vocabulary) = fitted.vocabulary() {
            assert!(vocabulary.codes().iter().any(|code| code == "DIAGNOSIS//RISK"), "{:?}", vocabulary.codes());
            let future = |code: &String| code == "DIAGNOSIS//OUTCOME" || code == "CONTACT//LAST";
            assert!(!vocabulary.codes().iter().any(future), "{:?}", vocabulary.codes());
        }
        let mut rows = EventsBuilder::new();
        for subject in events.iter() {
            for event in subject.events() {
                let known = event.time.is_none_or(|time| time <= labels[0].prediction_time);
                let code = if known { events.codebook.name(event.code) } else { "LAB//X" };
                rows.push(subject.id(), event.time, code, if known { event.value } else { Some(1e6) }, event.text);
            }
        }
        let other = rows.finish().unwrap();
        let views = crate::labels::views(&other, &labels).unwrap();
        assert_eq!(fitted.apply(&views).unwrap(), fitted.apply(study.views()).unwrap());
        assert_eq!(fitted.apply(study.views()).unwrap().len(), 60);
    }
}

#[test]
fn what_is_excluded_reaches_no_input_and_no_table() {
    let (events, labels) = toy(60);
    let mut config = small(gru());
    config.inputs.exclude = vec!["DIAGNOSIS//RISK".to_owned()];
    let config = config.resolved().unwrap();
    assert!(config.table.exclude.contains(&"DIAGNOSIS//RISK".to_owned()));
    let study = study(&events, &labels, config);
    let codes = study.preprocessing(0).unwrap().vocabulary().map(|vocabulary| vocabulary.codes().to_vec()).unwrap();
    assert!(!codes.contains(&"DIAGNOSIS//RISK".to_owned()), "{codes:?}");
    assert!(study.table(0).unwrap().names.iter().all(|name| !name.contains("RISK")));
}

// ln 2 for a logit of 0; ln(1 + e^-2) and 2 + ln(1 + e^-2) for 2. Tolerance: rounding of 64-bit numbers.
#[test]
fn the_loss_is_the_cross_entropy() {
    let tail = (-2.0_f64).exp().ln_1p();
    for (truth, logits, expected) in [
        (vec![true], vec![0.0], std::f64::consts::LN_2),
        (vec![true, false], vec![2.0, 2.0], f64::midpoint(tail, 2.0 + tail)),
        (vec![false], vec![1000.0], 1000.0),
    ] {
        let found = log_loss(&truth, &logits).unwrap();
        assert!((found - expected).abs() < 1e-12 * expected.max(1.0), "{found} {expected}");
    }
    assert!(log_loss(&[], &[]).is_err());
}

#[test]
fn networks_of_both_kinds_learn_and_stand_beside_baselines() {
    let (events, labels) = toy(150);
    for network in [gru(), gru_d()] {
        let study = study(&events, &labels, small(network));
        let model = trained(&study).model;
        let judged = study.judge(&model, &study.plan().rows(0).test).unwrap();
        // One in eleven of the others has the code too, which alone gives an AUROC of 0.95; the values part them
        // wholly.
        assert!(judged.score("auroc").unwrap() > 0.9, "{}: {:?}", model.card.network.system(), judged.scores());
        assert!(model.card.calibration.reliability.bins().len() > 1);
        let severity = [Severity { name: "number", scores: &(1..=150).map(|id| id as f32).collect::<Vec<_>>() }];
        let beside = study.baselines(0, &severity).unwrap();
        let names: Vec<&str> = beside.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["prior", "number", "logistic regression", "gradient-boosted trees"]);
        assert!(beside[2].1.score("auroc").unwrap() > 0.99, "values part the classes");
    }
}

#[test]
fn the_same_seed_trains_the_same_weights_and_another_others() {
    let (events, labels) = toy(60);
    let weights = |seed: u64| {
        let config = StudyConfig { epochs: 2, seed, ..small(gru()) };
        let model = trained(&study(&events, &labels, config)).model;
        nn_core::store::to_safetensors(&model.network, &Metadata::new()).unwrap()
    };
    let first = weights(1);
    assert!(first == weights(1) && first != weights(2));
}

#[test]
fn the_audit_passes_a_clean_study_and_finds_the_outcome_among_inputs() {
    let (events, labels) = toy(110);
    let study = study(&events, &labels, small(gru()));
    let clean = Asked { outcome_codes: vec!["DIAGNOSIS//OUTCOME".to_owned()], ..Asked::plain("toy", labels.clone()) };
    // That the values part the classes is what the toy is made for: no limit on what a code may tell.
    let config = AuditConfig { proxy_auroc: 1.0, min_class: 1000, ..AuditConfig::default() };
    let audit = study.audit(0, &clean, &config).unwrap();
    assert!(audit.passed(), "{audit}");
    let leaky = Asked { outcome_codes: vec!["DIAGNOSIS//RISK".to_owned()], ..clean };
    assert!(study.audit(0, &leaky, &config).unwrap().found(Leak::LabelCode));
    assert_eq!(leaky.excluded(), ["DIAGNOSIS//RISK"]);
    assert!(Asked { recurrent: true, ..leaky }.excluded().is_empty());
}
