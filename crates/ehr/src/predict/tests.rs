//! Every query gets its row; shares of RETAIN sum to the logit, and what is left out changes the logit by its share.

use burn::tensor::Device;

use super::*;
use crate::events::EventsBuilder;
use crate::model::RiskModel;
use crate::study::NetworkConfig;
use crate::study::tests::{gru, gru_d, small, study, toy, trained};
use crate::systems::retain::RetainConfig;
use crate::time::Span;

fn of(network: NetworkConfig) -> RiskModel {
    let (events, labels) = toy(60);
    let model = trained(&study(&events, &labels, small(network))).model;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();
    RiskModel::load(&path, &Device::flex()).unwrap()
}

#[test]
fn every_query_has_its_row_in_order() {
    let ensemble = Ensemble::new(vec![of(gru())]).unwrap();
    let (events, labels) = toy(12);
    let mut queries = Query::of_labels(&labels[..3]);
    queries.insert(1, Query { subject: 999, at: None });
    queries.push(Query { subject: 4, at: Some(labels[0].prediction_time.minus(Span::days(4000))) });
    let rows = predict(&ensemble, &events, &queries).unwrap();
    assert_eq!(rows.iter().map(|row| row.subject).collect::<Vec<_>>(), [1, 999, 2, 3, 4]);
    assert_eq!(rows[0].status, OK);
    assert!(rows[1].status.starts_with("invalid: ") && !rows[1].is_scored() && rows[1].interval.is_none());
    assert!(rows[4].is_scored(), "who has no history is scored too: {:?}", rows[4]);
    for row in rows.iter().filter(|row| row.is_scored()) {
        let (low, high) = row.interval.unwrap();
        assert!((0.0..=1.0).contains(&row.probability.unwrap()) && low <= high);
    }
    // The same at the last event, which is behind the prediction time and has codes that the model does not know.
    let last = predict(&ensemble, &events, &Query::of_all(&events, None)).unwrap();
    assert!(last[0].status.contains("no code that the model knows"), "{}", last[0].status);
    assert!(predict(&ensemble, &events, &[]).unwrap().is_empty());
}

#[test]
fn a_record_of_foreign_codes_says_so() {
    let mut rows = EventsBuilder::new();
    rows.push(5, Some(Time(0)), "SOMETHING//ELSE", None, None);
    let events = rows.finish().unwrap();
    for (network, text) in [(gru(), "none of the codes"), (gru_d(), "none of the measurements")] {
        let ensemble = Ensemble::new(vec![of(network)]).unwrap();
        let found = predict(&ensemble, &events, &Query::of_all(&events, None)).unwrap();
        assert!(found[0].status.contains(text) && found[0].is_scored(), "{:?}", found[0]);
    }
}

// Sums of some tens of products in single precision: 1e-5 of the logit and of 1.
#[test]
fn the_shares_of_retain_sum_to_the_logit() {
    let network = RetainConfig { embedding: 8, alpha: 8, beta: 8, ..RetainConfig::default() };
    let model = of(NetworkConfig::Retain(network));
    let (events, labels) = toy(9);
    for label in &labels {
        let view = events.find(label.subject).unwrap().as_of(label.prediction_time);
        let found = explain(&model, &view).unwrap();
        let sum = found.bias.unwrap() + found.shares.iter().map(|share| share.value).sum::<f64>();
        assert!((sum - found.logit).abs() < 1e-5 * (1.0 + found.logit.abs()), "{sum} {}", found.logit);
        let weights: f64 = found.visits.iter().map(|visit| visit.1).sum();
        assert!((weights - 1.0).abs() < 1e-5, "{weights}");
        let probability = model.probabilities(std::slice::from_ref(&view)).unwrap()[0];
        assert!((probability - found.probability).abs() < 1e-6);
        // A visit of a code is that in the record.
        assert!(found.shares.iter().filter_map(|share| share.time).all(|time| time <= label.prediction_time));
    }
}

/// A code's share is what the logit loses when the code is taken out of the record.
#[test]
fn an_occluded_code_is_one_that_was_never_written() {
    let model = of(gru());
    let (events, labels) = toy(3);
    let subject = events.find(3).unwrap();
    let view = subject.as_of(labels[2].prediction_time);
    let found = explain(&model, &view).unwrap();
    assert!(found.bias.is_none() && found.left_out == 0);
    let share = found.shares.iter().find(|share| share.what == "DIAGNOSIS//RISK").unwrap();
    let risk = events.codebook.get("DIAGNOSIS//RISK").unwrap();
    let without = explain(&model, &view.excluding(&|code| code == risk)).unwrap();
    assert!((share.value - (found.logit - without.logit)).abs() < 1e-5, "{share:?}");
    assert!(share.value > 0.0, "it makes the event likelier: {share:?}");
}

#[test]
fn a_measurement_has_its_share_and_what_is_left_of_it() {
    let model = of(gru_d());
    let (events, labels) = toy(3);
    let view = events.find(3).unwrap().as_of(labels[2].prediction_time);
    let found = explain(&model, &view).unwrap();
    let share = found.shares.iter().find(|share| share.what == "LAB//X").unwrap();
    let note = share.note.as_deref().unwrap();
    assert!(note.starts_with("last 3.3, in 3 of 3 steps") && note.contains("% of it left"), "{note}");
    assert_eq!(
        share.time,
        events
            .find(3)
            .unwrap()
            .as_of(labels[2].prediction_time)
            .last(events.codebook.get("LAB//X").unwrap())
            .and_then(|event| event.time)
    );
}
