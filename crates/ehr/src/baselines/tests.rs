//! scikit-learn's numbers, planted patterns, and tables that are refused.

use super::*;
use nn_core::data::rng;
use nn_core::metrics::auroc;
use rand::RngExt;
use serde_json::Value;

fn golden() -> Value {
    let file: Value = serde_json::from_str(include_str!("../../tests/golden/judgement.json")).unwrap();
    file["tables"].clone()
}

/// Numbers, null being a gap.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

fn labels(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < tolerance, "{at}: {found} instead of {expected}");
    }
}

/// Both find the one minimum: 1e-6 is scikit-learn's distance from it.
#[test]
fn logistic_regression_is_scikit_learns() {
    let file = golden();
    let (values, query) = (floats(&file["values"]), floats(&file["query"]));
    let model = Logistic::fit(&values, 4, &labels(&file["labels"]), 0.5).unwrap();
    let all: Vec<f32> = values.into_iter().chain(query).collect();
    near(&model.logits(&all), &numbers(&file["logistic"]), 1e-5);
    // a constant column
    assert_eq!(model.weights()[3], 0.0);
}

/// The same splits and leaves; single-precision gradients in both leave 1e-6.
#[test]
fn boosted_trees_are_scikit_learns() {
    let file = golden();
    let (values, query) = (floats(&file["values"]), floats(&file["query"]));
    let config = BoostingConfig { trees: 20, learning_rate: 0.2, leaves: 6, leaf_rows: 8, l2: 0.5 };
    let model = config.fit(&values, 4, &labels(&file["labels"])).unwrap();
    let all: Vec<f32> = values.into_iter().chain(query).collect();
    near(&model.logits(&all), &numbers(&file["boosting"]), 1e-5);
    assert_eq!(model.splits()[3], 0);
    let again: Boosting = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
    assert_eq!(again.logits(&all), model.logits(&all));
}

/// A forest of one tree that sees all rows and columns is a classification tree with Gini impurity.
#[test]
fn a_tree_is_scikit_learns() {
    let file = golden();
    let values = floats(&file["dense"]);
    let config = ForestConfig { trees: 1, leaf_rows: 12, columns: Some(2), bootstrap: false, seed: 0 };
    let model = config.fit(&values, 2, &labels(&file["labels"])).unwrap();
    near(&model.probabilities(&values), &numbers(&file["tree"]), 1e-9);
}

/// Rows of `columns` numbers in −1..1 whose label is whether the first two have one sign: no line parts them.
fn checkers(rows: usize, columns: usize, seed: u64) -> (Vec<f32>, Vec<bool>) {
    let mut draw = rng(seed, &[]);
    let values: Vec<f32> = (0..rows * columns).map(|_| draw.random::<f32>() * 2.0 - 1.0).collect();
    let labels = values.chunks(columns).map(|row| (row[0] > 0.0) == (row[1] > 0.0)).collect();
    (values, labels)
}

#[test]
fn trees_see_what_no_line_can() {
    let (values, labels) = checkers(800, 4, 1);
    let (asked, truth) = checkers(400, 4, 2);
    let score = |logits: &[f64]| auroc(&truth, logits).unwrap();
    let line = score(&Logistic::fit(&values, 4, &labels, 1.0).unwrap().logits(&asked));
    let boosted = score(&BoostingConfig::default().fit(&values, 4, &labels).unwrap().logits(&asked));
    let forest = ForestConfig { trees: 30, ..ForestConfig::default() }.fit(&values, 4, &labels).unwrap();
    let forest = score(&forest.probabilities(&asked));
    // an AUROC without information has a standard error of 0.03 on 400 rows
    assert!((line - 0.5).abs() < 0.12 && boosted > 0.95 && forest > 0.95, "{line} {boosted} {forest}");
}

#[test]
fn a_forest_is_a_function_of_its_seed() {
    let (values, labels) = checkers(100, 3, 1);
    let fit = |seed| ForestConfig { trees: 5, seed, ..ForestConfig::default() }.fit(&values, 3, &labels).unwrap();
    assert_eq!(fit(1), fit(1));
    assert_ne!(fit(1), fit(2));
    // without a limit each drawn row is known by heart: rows that are in most draws are all right
    let right = fit(1).probabilities(&values).iter().zip(&labels).filter(|(p, label)| (**p > 0.5) == **label).count();
    assert!(right > 85, "{right}");
}

/// A gap that says something is used, wherever the value would be.
#[test]
fn gaps_are_a_value_of_their_own_for_trees() {
    let mut draw = rng(3, &[]);
    let labels: Vec<bool> = (0..200).map(|_| draw.random::<f64>() < 0.5).collect();
    let values: Vec<f32> = labels.iter().map(|label| if *label { f32::NAN } else { draw.random::<f32>() }).collect();
    let model = BoostingConfig { trees: 10, ..BoostingConfig::default() }.fit(&values, 1, &labels).unwrap();
    assert_eq!(auroc(&labels, &model.logits(&values)).unwrap(), 1.0);
}

#[test]
fn the_table_of_baselines_has_them_all() {
    let (values, labels) = checkers(300, 2, 4);
    let table = Table { names: vec!["a".to_owned(), "b".to_owned()], values };
    let scores: Vec<f32> = labels
        .iter()
        .enumerate()
        .map(|(row, label)| if row < 5 { -1.0 } else { f32::from(u8::from(*label)) })
        .collect();
    let severity = [Severity { name: "SAPS-I", scores: &scores }];
    let (train, query): (Vec<usize>, Vec<usize>) = (0..300).partition(|row| row % 3 != 0);
    let config = BaselineConfig::default();
    let found = all(&table, &labels, &severity, &train, &query, &config).unwrap();
    let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["prior", "SAPS-I", "logistic regression", "gradient-boosted trees"]);
    assert!(found.iter().all(|one| one.logits.len() == 100 && one.logits.iter().all(|logit| logit.is_finite())));
    let positives = train.iter().filter(|row| labels[**row]).count() as f64;
    assert_eq!(found[0].logits[0], ((positives + 1.0) / (201.0 - positives)).ln());
    // missing scores stand at the mean, between the two values
    let truth: Vec<bool> = query.iter().map(|&row| labels[row]).collect();
    assert!(auroc(&truth, &found[1].logits).unwrap() > 0.97);
}

#[test]
fn tables_that_cannot_be_used_are_refused() {
    let labels = [true, false];
    let fit =
        |values: &[f32], columns, labels: &[bool]| Logistic::fit(values, columns, labels, 1.0).unwrap_err().to_string();
    assert_eq!(fit(&[1.0, 2.0, 3.0], 2, &labels), "the table has 3 values for 2 labels and 2 columns; give 4 values");
    assert!(fit(&[1.0, f32::INFINITY], 1, &labels).starts_with("row 1, column 0 of a baseline's table is inf"));
    assert!(fit(&[], 1, &[]).contains("0 rows of 1 columns"));
    let error = Logistic::fit(&[1.0, 2.0], 1, &labels, 0.0).unwrap_err();
    assert!(error.to_string().starts_with("penalty = 0 is out of range"), "{error}");
    assert!(ForestConfig { trees: 0, ..ForestConfig::default() }.fit(&[1.0, 2.0], 1, &labels).is_err());
    let table = Table { names: vec!["a".to_owned()], values: vec![1.0, 2.0] };
    let error = all(&table, &labels, &[], &[0, 2], &[1], &BaselineConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "row 2 was asked for, the table has 2, numbered from 0");
    // one class alone has finite logits
    let model = BoostingConfig::default().fit(&[1.0, 2.0], 1, &[true, true]).unwrap();
    assert!(model.logits(&[1.0])[0].is_finite());
}
