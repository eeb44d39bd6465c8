//! Cohorts, features and the audit on the MEDS sample. `golden/cohorts.json` holds what pandas finds in the same files
//! (`cohorts.py` beside it).

use ehr::audit::{Audit, AuditConfig, Leak, Task, seen_through};
use ehr::cohort::{Cohort, CohortLabels};
use ehr::events::{Event, Events};
use ehr::features::{Provenance, Recipe, Statistic, VocabularyConfig};
use ehr::io::meds;
use ehr::labels::{self, Label};
use ehr::split::{Part, Split};
use ehr::time::{Span, Time};
use ehr::view::View;
use serde_json::Value;

use crate::data;

const STAY: &str = "name = 'stay of more than four days'\nindex.codes = ['ADMISSION']\nend.codes = ['DISCHARGE']\n\
    which = 'every'\nprediction.after = '24h'\noutcome.kind = 'stay'\noutcome.longer_than = '4d'";

const READMISSION: &str = "name = 'readmission'\nindex.codes = ['ADMISSION']\nend.codes = ['DISCHARGE']\n\
    which = 'every'\nprediction.anchor = 'end'\noutcome.when.codes = ['ADMISSION']\noutcome.horizon = '30d'\n\
    outcome.recurrent = true\ncensoring = 'negative'";

fn golden(what: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../golden/cohorts.json")).unwrap();
    all[what].as_array().unwrap().clone()
}

fn sample() -> Option<(Events, Split)> {
    let set = meds::read(&data::path("meds_sample/sample_data/meds_sample")?).unwrap();
    Some((set.events, set.split.unwrap()))
}

fn found(text: &str, events: &Events) -> CohortLabels {
    Cohort::from_toml(text).unwrap().labels(events).unwrap()
}

#[test]
fn cohorts_equal_those_of_pandas() {
    let Some((events, _)) = sample() else { return };
    for (what, text) in [("stay", STAY), ("readmission", READMISSION)] {
        let found = found(text, &events);
        let mut expected: Vec<Label> = golden(what)
            .iter()
            .map(|row| {
                let [subject, time] = [0, 1].map(|place| row[place].as_i64().unwrap());
                Label::boolean(subject, Time(time), row[2].as_bool().unwrap())
            })
            .collect();
        labels::sort(&mut expected);
        assert_eq!(found.labels, expected, "{what}: {}", found.attrition);
    }
}

#[test]
fn features_equal_those_of_pandas() {
    let Some((events, _)) = sample() else { return };
    let text = STAY.replace("'every'", "'first'");
    let found = found(&text, &events);
    let views = labels::views(&events, &found.labels).unwrap();
    let recipe = Recipe {
        variables: vec!["HR".to_owned(), "LAB//creatinine".to_owned()],
        statistics: vec![Statistic::Last, Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Count],
        windows: vec![Span::hours(24)],
        counts: false,
        statics: false,
        age: false,
        ..Recipe::default()
    };
    let table = recipe.fit(&views).unwrap().table(&views);
    let golden = golden("features");
    assert_eq!((table.rows(), table.columns()), (golden.len(), 10));
    for ((row, label), expected) in (0..table.rows()).zip(&found.labels).zip(&golden) {
        assert_eq!(expected[0], label.subject);
        for (column, value) in table.row(row).iter().enumerate() {
            match expected[column + 1].as_f64() {
                // pandas keeps float64, and so a mean has seven digits here
                Some(wanted) => {
                    assert!((f64::from(*value) - wanted).abs() < 1e-5, "{label:?} {column}: {value} {wanted}");
                }
                None => assert!(value.is_nan(), "{label:?} {column}: {value}"),
            }
        }
    }
}

/// The parts of a task on the sample.
fn task<'a, 'e>(
    events: &'e Events,
    labels: &'a [Label],
    parts: &'a [Option<Part>],
    inputs: &'a (dyn Fn(usize) -> Vec<Event<'e>> + Sync),
) -> Task<'a, 'e> {
    let (codes, outcome_codes): (&[String], &[String]) = (&[], &[]);
    Task {
        events,
        labels,
        parts,
        inputs,
        codes,
        outcome_codes,
        recurrent: false,
        starts: None,
        split: None,
        fitted: &[],
    }
}

#[test]
fn the_sample_passes_the_audit_and_its_whole_records_do_not() {
    let Some((events, split)) = sample() else { return };
    let found = found(STAY, &events);
    let parts = split.assign(&found.labels);
    let views = labels::views(&events, &found.labels).unwrap();
    let inputs = seen_through(&views);
    let training: Vec<View<'_>> =
        split.rows(&found.labels, Part::Train).into_iter().map(|row| views[row].clone()).collect();
    let vocabulary = VocabularyConfig::default().fit(&training).unwrap();
    let fitted = [("vocabulary", vocabulary.provenance())];
    let starts: Vec<Time> = found.episodes.iter().map(|episode| episode.start).collect();
    let honest = Task {
        codes: vocabulary.codes(),
        starts: Some(&starts),
        split: Some(&split),
        fitted: &fitted,
        ..task(&events, &found.labels, &parts, &inputs)
    };
    let audit = Audit::new(&honest, &AuditConfig::default()).unwrap();
    assert!(audit.passed(), "{audit}");
    assert_eq!(audit.parts.iter().map(|part| part.labels).sum::<usize>(), 183);

    let whole = |row: usize| {
        let subject = events.find(found.labels[row].subject);
        subject.map(|subject| subject.events().collect::<Vec<Event<'_>>>()).unwrap_or_default()
    };
    let audit = Audit::new(&task(&events, &found.labels, &parts, &whole), &AuditConfig::default()).unwrap();
    assert!(audit.found(Leak::FutureEvent), "{audit}");

    let everybody = Provenance::of_views(&views);
    let fitted = [("vocabulary", &everybody)];
    let leaky = Task { fitted: &fitted, split: Some(&split), ..task(&events, &found.labels, &parts, &inputs) };
    let audit = Audit::new(&leaky, &AuditConfig::default()).unwrap();
    assert!(audit.found(Leak::FittedOutside), "{audit}");
}
