//! Counts against counting by hand, models against scikit-learn (`tests/golden/linear.json`) and closed forms.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::sequence::reverse_complement;

fn dense(counts: &Counts) -> Vec<Vec<f64>> {
    (0..counts.rows())
        .map(|row| {
            let mut values = vec![0.0; counts.columns()];
            for &(column, value) in counts.row(row) {
                values[column as usize] += value;
            }
            values
        })
        .collect()
}

#[test]
fn words_are_counted_by_strand() {
    let one = Features::Kmers { k: 2, both_strands: false };
    assert_eq!(one.columns(), 16);
    let counts = dense(&one.count(&[b"ACGTNAC", b"A", b"NN", b""]));
    let place = |word: &str| one.names().iter().position(|name| name == word).unwrap();
    assert_eq!(counts[0][place("AC")], 2.0);
    assert_eq!(counts[0].iter().sum::<f64>(), 4.0, "no word has an N in it");
    assert!(counts[1..].iter().flatten().all(|count| *count == 0.0));

    let both = Features::Kmers { k: 2, both_strands: true };
    let names = both.names();
    assert_eq!(names, ["AA", "AC", "AG", "AT", "CA", "CC", "CG", "GA", "GC", "TA"]);
    // AC, CG, GT (which is AC), AC.
    let counts = dense(&both.count(&[b"ACGTNAC"]));
    assert_eq!(counts[0], [0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    // 4^k words, of which those equal to their reverse complement (4^(k/2) for even k) have no partner.
    let columns = [1, 2, 3, 4, 5, 6].map(|k| Features::Kmers { k, both_strands: true }.columns());
    assert_eq!(columns, [2, 10, 32, 136, 512, 2080]);
    assert_eq!(dense(&Features::Gc.count(&[b"GGCA", b"N"])), [[0.75], [0.5]]);
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, field) in [
        (KmerConfig { k: 0, ..KmerConfig::default() }, "k"),
        (KmerConfig { k: 9, ..KmerConfig::default() }, "k"),
        (KmerConfig { penalty: 0.0, ..KmerConfig::default() }, "penalty"),
        (KmerConfig { penalty: f64::NAN, ..KmerConfig::default() }, "penalty"),
    ] {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(KmerConfig::default().validate().is_ok());
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The gradient of a fit is below 1e-7 of the first, which is about 100, and the curvature at least the penalty, so
/// that weights are exact to 1e-5 and logits, over a dozen standardised features, to 1e-4.
#[test]
fn models_are_those_of_scikit_learn() {
    let golden: Value = serde_json::from_str(include_str!("../../tests/golden/linear.json")).unwrap();
    let sequences: Vec<&[u8]> =
        golden["sequences"].as_array().unwrap().iter().map(|text| text.as_str().unwrap().as_bytes()).collect();
    let fitted = golden["fitted"].as_u64().unwrap() as usize;
    let (learnt, unseen) = sequences.split_at(fitted);
    for expected in golden["models"].as_array().unwrap() {
        let features = Features::Kmers {
            k: expected["k"].as_u64().unwrap() as usize,
            both_strands: expected["both_strands"].as_bool().unwrap(),
        };
        assert_eq!(features.columns() as u64, expected["columns"].as_u64().unwrap());
        let penalty = expected["penalty"].as_f64().unwrap();
        for (what, loss) in
            [("yes", Loss::Logistic), ("classes", Loss::Softmax { classes: 3 }), ("values", Loss::Squared)]
        {
            let targets = &numbers(&golden[what])[..fitted];
            let model = KmerModel::fit(features, learnt, targets, loss, penalty);
            let mut found = model.predict(unseen);
            let mut wanted = expected[what].as_array().unwrap().clone();
            if what == "classes" {
                for row in found.chunks_exact_mut(3) {
                    let mean = row.iter().sum::<f64>() / 3.0;
                    row.iter_mut().for_each(|logit| *logit -= mean);
                }
                wanted = wanted.iter().flat_map(|row| row.as_array().unwrap().clone()).collect();
            }
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(numbers(&Value::from(wanted))) {
                assert!((found - wanted).abs() < 1e-4, "{features:?} {what} {penalty}: {found}, not {wanted}");
            }
        }
    }
}

/// Least squares on one column: slope covariance / (variance + penalty / n), by hand.
#[test]
fn ridge_on_gc_is_the_closed_form() {
    let sequences: [&[u8]; 4] = [b"AAAA", b"GAAA", b"GGAA", b"GGGG"];
    let targets = [1.0, 3.0, 2.0, 6.0];
    let model = KmerModel::fit(Features::Gc, &sequences, &targets, Loss::Squared, 2.0);
    let (x, n) = ([0.0, 0.25, 0.5, 1.0], 4.0);
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, targets.iter().sum::<f64>() / n);
    let variance = x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>() / n;
    let covariance = x.iter().zip(targets).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / n;
    // Of the standardised column, the slope is sum(x y) / (n + penalty).
    let slope = covariance / variance * n / (n + 2.0);
    for (found, x) in model.predict(&sequences).into_iter().zip(x) {
        assert!((found - (mean_y + slope * (x - mean_x))).abs() < 1e-6, "{found} at {x}");
    }
}

#[test]
fn constant_columns_and_single_classes_are_survived() {
    // All words are AA or nothing at all: no column varies.
    let sequences: [&[u8]; 3] = [b"AAA", b"AAA", b"AAA"];
    let features = Features::Kmers { k: 2, both_strands: false };
    let model = KmerModel::fit(features, &sequences, &[1.0, 2.0, 6.0], Loss::Squared, 1.0);
    assert!(model.predict(&[b"AAA", b"CCCC"]).into_iter().all(|value| (value - 3.0).abs() < 1e-6));
    let model = KmerModel::fit(features, &sequences, &[1.0; 3], Loss::Logistic, 1.0);
    assert!(model.predict(&[b"AAA"])[0] > 10.0);
    let model = KmerModel::fit(features, &sequences, &[0.0, 2.0, 2.0], Loss::Softmax { classes: 3 }, 1.0);
    let logits = model.predict(&[b"AAA"]);
    assert!((logits[2] - logits[0] - 2.0_f64.ln()).abs() < 1e-4 && logits[1] < logits[0] - 10.0, "{logits:?}");
    assert!(KmerModel::fit(features, &[], &[], Loss::Logistic, 1.0).predict(&[b"AAA"])[0].abs() < 1e-12);
}

#[test]
fn the_heaviest_word_is_the_one_that_decides() {
    let mut sequences = Vec::new();
    for filler in ["AATTA", "TATAT", "TTAAC", "ACATA", "CAATT", "ATTTA", "TCTAA", "AATCA"] {
        sequences.push(format!("{filler}GGG{filler}"));
        sequences.push(format!("{filler}GAG{filler}"));
    }
    let sequences: Vec<&[u8]> = sequences.iter().map(String::as_bytes).collect();
    let targets: Vec<f64> = (0..sequences.len()).map(|row| f64::from(row % 2 == 0)).collect();
    let features = Features::Kmers { k: 2, both_strands: false };
    let model = KmerModel::fit(features, &sequences, &targets, Loss::Logistic, 1.0);
    let (word, weight) = model.weights(0)[0].clone();
    assert!(weight > 0.0 && word == "GG", "{word} {weight}");
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<KmerModel>(&text).unwrap(), model);
}

proptest! {
    /// Against counting with the text of the words.
    #[test]
    fn counts_are_those_of_the_words(sequence in "[ACGTN]{0,40}", k in 1_usize..5, both_strands in any::<bool>()) {
        let features = Features::Kmers { k, both_strands };
        let names = features.names();
        let mut expected = vec![0.0; names.len()];
        for word in sequence.as_bytes().windows(k).filter(|word| !word.contains(&b'N')) {
            let other = reverse_complement(word);
            let word = if both_strands && other.as_slice() < word { other.as_slice() } else { word };
            expected[names.iter().position(|name| name.as_bytes() == word).unwrap()] += 1.0;
        }
        let counts = features.count(&[sequence.as_bytes()]);
        prop_assert_eq!(&dense(&counts)[0], &expected);
        if both_strands {
            let other = features.count(&[&reverse_complement(sequence.as_bytes())]);
            prop_assert_eq!(counts, other);
        }
    }
}
