//! Each planted leak is found, and the clean twin passes.

use nn_core::metrics::auroc;

use super::*;
use crate::events::EventsBuilder;
use crate::features::Provenance;
use crate::synthetic::{Canary, CanaryConfig};
use crate::time::Span;

fn canary(leak: Option<Leak>) -> Canary {
    Canary::new(&CanaryConfig { leak, ..CanaryConfig::default() }).unwrap()
}

#[test]
fn the_clean_twin_passes() {
    for seed in 1..=5 {
        let canary = Canary::new(&CanaryConfig { seed, ..CanaryConfig::default() }).unwrap();
        let audit = canary.audit(&AuditConfig::default()).unwrap();
        assert!(audit.passed() && audit.findings.is_empty(), "{}", audit.to_text());
        assert!(audit.to_text().ends_with("passed: none of the known leaks was found\n"));
        assert_eq!((audit.labels, audit.unused, audit.parts.len()), (480, 0, 3));
    }
}

#[test]
fn every_leak_is_found() {
    for leak in Leak::ALL {
        for seed in 1..=3 {
            let canary = Canary::new(&CanaryConfig { leak: Some(leak), seed, ..CanaryConfig::default() }).unwrap();
            let audit = canary.audit(&AuditConfig::default()).unwrap();
            assert!(audit.found(leak) && !audit.passed(), "{leak}: {}", audit.to_text());
            assert!(audit.to_text().contains(&format!("LEAK {leak}: ")), "{}", audit.to_text());
        }
    }
}

/// What a leak is worth on the held-out part: everything, where the honest value is worth Φ(0.75 / √2 / √1.09) = 0.69.
#[test]
fn whoever_uses_a_leak_is_always_right() {
    let area = |canary: &Canary| {
        let rows = (0..canary.labels.len()).filter(|&row| canary.parts[row] == Some(Part::HeldOut));
        let (labels, scores): (Vec<bool>, Vec<f64>) =
            rows.map(|row| (canary.labels[row].value.boolean().unwrap(), canary.cheat(row))).unzip();
        auroc(&labels, &scores).unwrap()
    };
    for leak in
        [Leak::SharedSubject, Leak::FutureEvent, Leak::LabelCode, Leak::WindowLength, Leak::Discharge, Leak::Proxy]
    {
        assert_eq!(area(&canary(Some(leak))), 1.0, "{leak}");
    }
    let honest = area(&Canary::new(&CanaryConfig { subjects: 4_000, ..CanaryConfig::default() }).unwrap());
    // 1200 subjects held out, 360 of them positive: three standard errors (Hanley and McNeil 1982) are 0.05
    assert!((honest - 0.694).abs() < 0.06, "{honest}");
}

/// The parts of a task over `canary` that tests change.
fn task<'a>(canary: &'a Canary, inputs: &'a (dyn Fn(usize) -> Vec<Event<'a>> + Sync)) -> Task<'a, 'a> {
    Task {
        events: &canary.events,
        labels: &canary.labels,
        parts: &canary.parts,
        inputs,
        codes: &canary.codes,
        outcome_codes: &canary.outcome_codes,
        recurrent: false,
        starts: Some(&canary.starts),
        split: Some(&canary.split),
        fitted: &[],
    }
}

#[test]
fn a_digest_alone_shows_what_was_fitted_elsewhere() {
    let canary = canary(None);
    let inputs = |row: usize| canary.inputs[row].iter().map(|&row| canary.events.event(row)).collect::<Vec<_>>();
    let read = |provenance: &Provenance| -> Provenance {
        serde_json::from_str(&serde_json::to_string(provenance).unwrap()).unwrap()
    };
    let all = Provenance::of(canary.labels.iter().map(|label| label.subject));
    let (right, wrong) = (read(&canary.vocabulary), read(&all));
    let fitted = [("scaler", &right), ("embedding", &wrong)];
    let audit = Audit::new(&Task { fitted: &fitted, ..task(&canary, &inputs) }, &AuditConfig::default()).unwrap();
    assert_eq!(audit.findings.len(), 1);
    let message = &audit.findings[0].message;
    assert!(message.contains("the embedding was fitted on 240 subjects, and not on the"), "{message}");
    // fewer subjects than the training part has are no leak
    let some = Provenance::of(canary.split.subjects(Part::Train).take(20));
    let fitted = [("imputer", &some)];
    let audit = Audit::new(&Task { fitted: &fitted, ..task(&canary, &inputs) }, &AuditConfig::default()).unwrap();
    assert!(audit.passed());
}

#[test]
fn a_label_code_in_the_vocabulary_is_found_although_no_row_has_it() {
    let canary = canary(None);
    let inputs = |row: usize| canary.inputs[row].iter().map(|&row| canary.events.event(row)).collect::<Vec<_>>();
    let codes = ["LAB//FLINT".to_owned(), "MEDS_DEATH//WARD".to_owned()];
    let changed = Task { codes: &codes, ..task(&canary, &inputs) };
    let audit = Audit::new(&changed, &AuditConfig::default()).unwrap();
    assert!(audit.found(Leak::LabelCode), "{}", audit.to_text());
    let audit = Audit::new(&Task { recurrent: true, ..changed }, &AuditConfig::default()).unwrap();
    assert!(audit.passed(), "{}", audit.to_text());
}

#[test]
fn one_patient_under_two_numbers_is_found() {
    let mut builder = EventsBuilder::new();
    let day = |days: i64| Time(0).plus(Span::days(days));
    // the records of 1 and 11 are the same, moved by 1000 days
    for (subject, shift) in [(1, 0), (11, 1_000), (2, 0), (12, 1_000)] {
        for event in 0..12 {
            let value = if subject == 12 && event == 11 { 0.5 } else { event as f32 };
            builder.push(subject, Some(day(shift + 3 * event)), "LAB", Some(value + subject as f32 % 10.0), None);
        }
    }
    let events = builder.finish().unwrap();
    let rows = [(1, 10, true), (11, 1_010, false), (2, 10, false), (12, 1_010, true)];
    let labels = rows.map(|(subject, days, value)| Label::boolean(subject, day(days), value));
    let views = crate::labels::views(&events, &labels).unwrap();
    let inputs = seen_through(&views);
    let parts = [Some(Part::Train), Some(Part::HeldOut), Some(Part::Train), Some(Part::HeldOut)];
    let task = Task {
        events: &events,
        labels: &labels,
        parts: &parts,
        inputs: &inputs,
        codes: &[],
        outcome_codes: &[],
        recurrent: false,
        starts: None,
        split: None,
        fitted: &[],
    };
    let audit = Audit::new(&task, &AuditConfig::default()).unwrap();
    assert_eq!(audit.findings.len(), 1, "{}", audit.to_text());
    assert_eq!(audit.findings[0].examples, ["subject 1 = subject 11"]);
    let same = [Some(Part::Train), Some(Part::Train), Some(Part::HeldOut), Some(Part::HeldOut)];
    assert!(Audit::new(&Task { parts: &same, ..task }, &AuditConfig::default()).unwrap().passed());
    let error = Audit::new(&Task { parts: &parts[..3], ..task }, &AuditConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "there are 3 parts for 4 labels; give one for each");
}
