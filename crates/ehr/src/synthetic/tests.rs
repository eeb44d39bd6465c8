//! Generated records: what was planted is there, and nothing else tells it.

use nn_core::metrics::auroc;

use super::*;
use crate::features::{FittedRecipe, Recipe};
use crate::labels::views;

#[test]
fn the_demo_has_what_it_says() {
    let demo = Demo::new(&DemoConfig::default()).unwrap();
    let found = Demo::cohort().unwrap().labels(&demo.events).unwrap();
    // a twentieth is lost, and most of those who are have had no squall by then
    let dropped: usize = found.attrition.dropped.values().sum();
    assert_eq!(found.labels.len() + dropped, 1_200);
    assert!((10..80).contains(&dropped), "{}", found.attrition);
    let truth = |id: i64| demo.truth[(id - 1) as usize];
    let labels: Vec<bool> = found.labels.iter().filter_map(|label| label.value.boolean()).collect();
    let risks: Vec<f64> = found.labels.iter().map(|label| truth(label.subject).risk).collect();
    // 0.95² + 0.95 · 0.05; three standard errors of 1150 labels are 0.02
    let known = auroc(&labels, &risks).unwrap();
    assert!((known - 0.95).abs() < 0.02, "{known}");
    // order alone, and the interval alone, know less
    let order: Vec<f64> = found.labels.iter().map(|label| f64::from(u8::from(truth(label.subject).in_order))).collect();
    let soon: Vec<f64> = found.labels.iter().map(|label| -(truth(label.subject).gap as f64)).collect();
    for part in [order, soon] {
        assert!((0.6..0.87).contains(&auroc(&labels, &part).unwrap()));
    }
    for truth in &demo.truth {
        let planted = truth.in_order && truth.gap <= 25;
        assert_eq!(truth.risk, if planted { 0.95 } else { 0.05 }, "{truth:?}");
        assert!((5..=25).contains(&truth.gap) || (150..=300).contains(&truth.gap), "{truth:?}");
    }
}

/// Each column that a count of codes can have, alone: none comes near what order and interval tell.
#[test]
fn counts_of_codes_know_nothing_of_the_demo() {
    let demo = Demo::new(&DemoConfig::default()).unwrap();
    let found = Demo::cohort().unwrap().labels(&demo.events).unwrap();
    let views = views(&demo.events, &found.labels).unwrap();
    let labels: Vec<bool> = found.labels.iter().filter_map(|label| label.value.boolean()).collect();
    let fitted: FittedRecipe = Recipe::default().fit(&views).unwrap();
    let table = fitted.table(&views);
    assert!(table.names.iter().any(|name| name == "MEDICATION//TIDE|events"));
    for column in 0..table.columns() {
        let values: Vec<f64> = table.column(column).map(f64::from).collect();
        let area = auroc(&labels, &values).unwrap();
        // forty columns at a standard error of 0.017
        assert!((area - 0.5).abs() < 0.07, "{}: {area}", table.names[column]);
    }
    for name in ["MEDICATION//TIDE|events", "MEDICATION//EMBER|events"] {
        let column = table.names.iter().position(|own| own == name).unwrap();
        assert!(table.column(column).all(|count| count == 1.0), "{name}");
    }
}

#[test]
fn a_larger_demo_begins_with_the_smaller_one() {
    let small = Demo::new(&DemoConfig { subjects: 5, ..DemoConfig::default() }).unwrap();
    let large = Demo::new(&DemoConfig { subjects: 8, ..DemoConfig::default() }).unwrap();
    assert_eq!(small.truth[..], large.truth[..5]);
    let rows = |events: &crate::events::Events| -> Vec<(String, Option<Time>)> {
        let subject = events.find(4).unwrap();
        subject.events().map(|event| (events.codebook.name(event.code).to_owned(), event.time)).collect()
    };
    assert_eq!(rows(&small.events), rows(&large.events));
    let other = Demo::new(&DemoConfig { subjects: 5, seed: 2, ..DemoConfig::default() }).unwrap();
    assert_ne!(rows(&small.events), rows(&other.events));
    assert!(DemoConfig { visits: [3, 9], ..DemoConfig::default() }.validate().is_err());
}

#[test]
fn a_canary_differs_from_its_twin_in_the_leak_alone() {
    let clean = Canary::new(&CanaryConfig::default()).unwrap();
    for leak in crate::audit::Leak::ALL {
        let canary = Canary::new(&CanaryConfig { leak: Some(leak), ..CanaryConfig::default() }).unwrap();
        let values = |canary: &Canary| -> Vec<f32> {
            canary.events.iter().flat_map(|subject| subject.timed().filter_map(|event| event.value)).collect()
        };
        assert_eq!(values(&canary), values(&clean), "{leak}");
    }
    assert!(Canary::new(&CanaryConfig { subjects: 7, ..CanaryConfig::default() }).is_err());
}
