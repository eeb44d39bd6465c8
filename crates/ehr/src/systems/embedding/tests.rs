//! Vectors of codes and the measures of their neighbours.

use nn_core::models::embedding::{Cooccurrence, Decay, SkipGramConfig, SkipGramObjective, Window};
use rand::RngExt;
use serde_json::Value;

use super::measures::{mcsm, most_frequent, mrm, ndcg, nearest};
use super::*;
use crate::events::{Events, EventsBuilder};
use crate::time::{Span, Time};
use crate::view::{View, VisitRule};

/// Values of `tests/golden/embedding.py`.
fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/embedding.json")).unwrap()
}

fn day(number: i64) -> Time {
    Time::from_civil(2130, 1, 1, 8, 0, 0).unwrap().plus(Span::days(number))
}

fn events(rows: &[(i64, i64, &str)]) -> Events {
    let mut builder = EventsBuilder::new();
    rows.iter().for_each(|(subject, at, code)| builder.push(*subject, Some(day(*at)), code, None, None));
    builder.finish().unwrap()
}

/// Views of everybody that end at a day.
fn views(events: &Events, end: i64) -> Vec<View<'_>> {
    events.iter().map(|subject| subject.as_of(day(end))).collect()
}

fn names(view: &View<'_>, groups: &[Vec<CodeId>]) -> Vec<Vec<String>> {
    let name = |code: &CodeId| view.codebook().name(*code).to_owned();
    groups.iter().map(|group| group.iter().map(name).collect()).collect()
}

#[test]
fn groups_are_visits_or_stretches_of_time() {
    let rows = [(1, 0, "MEDS_BIRTH"), (1, 5, "A"), (1, 5, "B"), (1, 5, "A"), (1, 6, "C"), (1, 40, "A"), (1, 99, "D")];
    let events = events(&rows);
    let views = views(&events, 50);
    let view = &views[0];
    let visits = CodeEmbeddingConfig::default();
    // what comes behind the prediction time is not there
    assert_eq!(names(view, &visits.groups(view)), [vec!["A", "B"], vec!["C"], vec!["A"]]);
    let month = CodeEmbeddingConfig::claims(Span::days(30));
    assert_eq!(names(view, &month.groups(view)), [vec!["A", "B", "C"], vec!["A"]]);
    let some = CodeEmbeddingConfig { prefixes: vec!["B".to_owned(), "C".to_owned()], ..month };
    assert_eq!(names(view, &some.groups(view)), [["B", "C"]]);
}

#[test]
fn sequences_are_groups_or_records() {
    let rows: Vec<(i64, i64, &str)> = (1..=4)
        .flat_map(|subject| {
            [(0, "A"), (0, "B"), (0, "C"), (0, "D"), (9, "E"), (9, "F")].map(|(at, code)| (subject, at, code))
        })
        .collect();
    let events = events(&rows);
    let views = views(&events, 10);
    let config = CodeEmbeddingConfig { min_count: 4, ..CodeEmbeddingConfig::default() };
    let groups = config.corpus(&views).unwrap();
    assert_eq!((groups.names.len(), groups.corpus.len(), groups.counts.as_slice()), (6, 8, &[4; 6][..]));
    assert_eq!(config.window(), Window::WholeSequence);
    let config = CodeEmbeddingConfig { min_count: 4, ..CodeEmbeddingConfig::heart_failure(VisitRule::Day) };
    let records = config.corpus(&views).unwrap();
    assert_eq!((records.corpus.len(), config.window()), (4, Window::Shrinking(5)));
    let spelt = |at: usize| -> Vec<&str> {
        records.corpus.get(at).iter().map(|row| records.names[*row as usize].as_str()).collect()
    };
    for at in 0..4 {
        // the first visit stays first, whatever the order within
        let (mut first, mut second) = (spelt(at)[..4].to_vec(), spelt(at)[4..].to_vec());
        first.sort_unstable();
        second.sort_unstable();
        assert_eq!((first, second), (vec!["A", "B", "C", "D"], vec!["E", "F"]));
    }
    // four random orders of 4! · 2! are one with a probability of 48⁻³
    assert!((1..4).any(|at| spelt(at) != spelt(0)));
    assert_eq!(records.corpus, config.corpus(&views).unwrap().corpus);
}

#[test]
fn codes_that_come_together_have_vectors_that_do() {
    // three kinds of visits, each with four of its own six codes
    let mut rows = Vec::new();
    let codes: Vec<Vec<String>> = (0..3)
        .map(|kind| (0..6).map(|code| format!("DIAGNOSIS//ICD//9//{}", 100 + 10 * kind + code)).collect())
        .collect();
    let mut draw = nn_core::data::rng(4, &[]);
    for subject in 0..150 {
        for visit in 0..4 {
            let kind = draw.random_range(0..3);
            for _ in 0..4 {
                rows.push((subject, visit * 100, codes[kind][draw.random_range(0..6)].as_str()));
            }
        }
    }
    let events = events(&rows);
    let config = CodeEmbeddingConfig {
        skip_gram: SkipGramConfig {
            dimension: 12,
            window: Window::WholeSequence,
            subsample: 0.0,
            epochs: 40,
            ..SkipGramConfig::default()
        },
        ..CodeEmbeddingConfig::default()
    };
    let views = views(&events, 1000);
    let embedding = config.fit(&views).unwrap();
    assert_eq!(embedding, config.fit(&views).unwrap());
    let kind = |name: &str| name.rsplit("//").next().and_then(|code| code.parse::<u32>().ok()).map(|code| code / 10);
    let kinds: Vec<Option<u32>> = embedding.names().iter().map(|name| kind(name)).collect();
    let lists = nearest(embedding.vectors(), &kinds, 5).unwrap();
    let similarity = ndcg(&lists, &kinds, 5).unwrap();
    assert_eq!(similarity.codes, 18);
    // chance is 5/17
    assert!(similarity.ndcg > 0.95, "{similarity:?}");
    // counts tell them apart as well: here no two kinds ever meet
    let corpus = config.corpus(&views).unwrap();
    let counts = Cooccurrence::count(&corpus.corpus, corpus.names.len(), config.window(), Decay::None).unwrap();
    assert_eq!(ndcg(&most_frequent(&counts, &kinds, 5).unwrap(), &kinds, 5).unwrap().ndcg, 1.0);
    // a patient is the sum over visits
    let groups = config.groups(&views[0]);
    let patient = embedding.patient(&groups, &embedding.rows_in(&events.codebook));
    let mut sum = vec![0.0_f64; 12];
    for code in groups.iter().flatten() {
        let vector = embedding.get(events.codebook.name(*code)).unwrap();
        sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    // single precision, about 16 terms
    assert!(patient.iter().zip(&sum).all(|(own, sum)| (f64::from(*own) - sum).abs() < 1e-4 * (1.0 + sum.abs())));
    let near = embedding.neighbours(&embedding.names()[0], 2).unwrap();
    assert_eq!(kind(near[0].0), kinds[0]);
    assert!(embedding.neighbours("absent", 2).is_none());
}

#[test]
fn measures_are_those_of_scikit_learn_and_numpy() {
    let golden = golden();
    let number = |name: &str| golden[name].as_f64().unwrap();
    let list = |name: &str| golden[name].as_array().unwrap().clone();
    let (k, width) = (number("k") as usize, number("width") as usize);
    let values = list("vectors").iter().map(|value| value.as_f64().unwrap() as f32).collect();
    let vectors = Vectors::new(values, width).unwrap();
    let kinds: Vec<Option<u32>> = list("kinds").iter().map(|kind| kind.as_u64().map(|kind| kind as u32)).collect();
    let lists = nearest(&vectors, &kinds, k).unwrap();
    let similarity = ndcg(&lists, &kinds, k).unwrap();
    // the order of the neighbours is the same, so only the sums are rounded
    assert!((similarity.ndcg - number("ndcg")).abs() < 1e-12, "{similarity:?}");
    assert!((similarity.first - number("first")).abs() < 1e-12);
    assert_eq!(similarity.codes, number("codes") as usize);
    let own = mcsm(&lists, &kinds, k);
    assert_eq!(own.len(), golden["mcsm"].as_object().unwrap().len());
    for (kind, expected) in golden["mcsm"].as_object().unwrap() {
        let found = own[&kind.parse::<u32>().unwrap()];
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-12, "{kind}: {found}");
    }
    let pairs = |name: &str| -> Vec<(u32, u32)> {
        let row = |value: &Value| value.as_u64().unwrap() as u32;
        list(name).iter().map(|pair| (row(&pair[0]), row(&pair[1]))).collect()
    };
    let related = mrm(&vectors, &pairs("pairs"), &pairs("seeds"), k).unwrap().unwrap();
    for (found, name) in [(related.neighbours, "neighbours"), (related.mean, "mean"), (related.best, "best")] {
        assert!((found - number(name)).abs() < 1e-12, "{name}: {found}");
    }
    assert!(mrm(&vectors, &[], &[], k).unwrap().is_none() && mrm(&vectors, &[(99, 0)], &[], k).is_err());
    assert!(nearest(&vectors, &kinds[1..], k).is_err() && ndcg(&lists, &[None; 40], k).is_none());
}

#[test]
fn files_keep_codes_with_blanks() {
    let names =
        ["MEDICATION//Docusate Sodium (Liquid)", "LAB//50852//%", "a\u{a0}b", "100%25"].map(str::to_owned).to_vec();
    let vectors = Vectors::new((0..8).map(|value| value as f32 / 3.0).collect(), 2).unwrap();
    let embedding = CodeEmbedding::new(names, vectors).unwrap();
    let mut text = Vec::new();
    embedding.write(&mut text).unwrap();
    assert!(text.starts_with(b"4 2\nMEDICATION//Docusate%20Sodium%20(Liquid) 0 "));
    assert_eq!(CodeEmbedding::read(text.as_slice()).unwrap(), embedding);
    for length in 0..text.len() {
        // an error or fewer digits of the last number, but never a panic
        let _ = CodeEmbedding::read(&text[..length]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let default = CodeEmbeddingConfig::default();
    assert!(default.validate().is_ok());
    assert!(matches!(
        CodeEmbeddingConfig::claims(Span::days(7)).skip_gram.objective,
        SkipGramObjective::HierarchicalSoftmax
    ));
    assert!(CodeEmbeddingConfig::claims(Span::days(0)).validate().is_err());
    assert!(CodeEmbeddingConfig { reach: Reach::Sequence, ..default.clone() }.validate().is_err());
    assert!(CodeEmbeddingConfig { min_count: 0, ..default.clone() }.validate().is_err());
    let (one, other) = (events(&[(1, 0, "A")]), events(&[(2, 0, "B")]));
    let both = [one.subject(0).as_of(day(1)), other.subject(0).as_of(day(1))];
    let error = default.corpus(&both).unwrap_err().to_string();
    assert!(error.starts_with("the views are of several sets"), "{error}");
    let rare = default.corpus(&both[..1]).map(|corpus| corpus.names.len());
    assert!(matches!(rare, Err(EmbeddingError::Empty(_))));
    assert!(matches!(default.corpus(&[]).map(drop), Err(EmbeddingError::Empty(_))));
    let text = "min_count = 3\nreach = \"group\"\ngrouping = { visits = { gap = \"1d\" } }\n";
    let config: CodeEmbeddingConfig = toml::from_str(text).unwrap();
    assert_eq!((config.min_count, config.grouping), (3, Grouping::Visits(VisitRule::Gap(Span::days(1)))));
}
