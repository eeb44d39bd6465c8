//! Khan et al. 2001, Nature Medicine 7:673: four kinds of small round blue cell tumours told apart by the expression of
//! 2,308 genes, 63 to learn from and 20 to be tested on, with the library's classifier of expression.

use super::{ExperimentConfig, Found};
use crate::inputs::locate;
use anyhow::Context;
use genomics::dataset::ExpressionSet;
use genomics::evaluate::highest;
use genomics::expression::{ClassifierConfig, ExpressionClassifier, top_genes};
use genomics::io::sets;
use nn_core::burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::Stopped;
use workbench::observe::say;
use workbench::record::{DataRecord, Input};

/// Passes over the 63 tumours.
pub(super) const EPOCHS: usize = 200;
/// The files, expression and class of the training and of the test part.
const FILES: [&str; 4] = ["Khan_xtrain.csv", "Khan_ytrain.csv", "Khan_xtest.csv", "Khan_ytest.csv"];

pub(super) fn run(
    common: &Common,
    config: &ExperimentConfig,
    device: &Device,
    stop: &AtomicBool,
) -> anyhow::Result<Found> {
    let data = locate(&config.data, common)?;
    let train = sets::khan(&data.join(FILES[0]), &data.join(FILES[1]))?;
    let test = sets::khan(&data.join(FILES[2]), &data.join(FILES[3]))?;
    let mut classifier = ClassifierConfig::default();
    classifier.recipe.epochs = config.epochs;
    let rows: Vec<usize> = (0..train.len()).collect();
    let mut found = Found {
        task: "tumour class",
        dataset: "Khan 2001",
        text: format!(
            "{} tumours to learn from, {} to be tested on. The {} genes whose expression differs most between the classes \
             of the training part, standardised there, and a network without a hidden layer, as in the paper. Nothing was \
             chosen on the test part.",
            train.len(),
            test.len(),
            classifier.genes
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: DataRecord {
            inputs: inputs(&data)?,
            kept: train.len() + test.len(),
            split: Some("upstream".to_owned()),
            parts: BTreeMap::from([("train".to_owned(), train.len()), ("test".to_owned(), test.len())]),
            ..DataRecord::default()
        },
        figures: Vec::new(),
    };
    for model in 0..config.models {
        if stop.load(Ordering::Relaxed) {
            return Err(Stopped(format!("{model} models were trained; nothing was written")).into());
        }
        let seed = config.seed + model as u64;
        let fitted = ExpressionClassifier::fit(&train, &rows, &classifier, device, seed)?;
        let right = fitted.predict(&test)?.iter().zip(&test.labels).filter(|(found, class)| found == class).count();
        say(common, &format!("model {model}: {right} of {} right", test.len()));
        found.epochs.push(config.epochs);
        found.metrics.entry("correct").or_default().push(right as f64);
        found.metrics.entry("accuracy").or_default().push(right as f64 / test.len() as f64);
    }
    let chosen = top_genes(&train, &rows, classifier.genes);
    let all: Vec<usize> = (0..train.genes.len()).collect();
    for (name, genes) in [("nearest centroid, all genes", &all), ("nearest centroid, the same genes", &chosen)] {
        let right = nearest_centroid(&train, &test, genes) as f64;
        let scores = [("correct", right), ("accuracy", right / test.len() as f64)];
        found.baselines.insert(name, scores.map(|(name, value)| (name.to_owned(), value)).into());
    }
    Ok(found)
}

/// The files with their hashes; one may be there gzip-compressed under its name and `.gz`.
fn inputs(data: &Path) -> anyhow::Result<Vec<Input>> {
    let of = |name: &&str| {
        let path = sets::plain_or_gz(&data.join(name));
        Input::of(name, &path).with_context(|| format!("cannot hash {}", path.display()))
    };
    FILES.iter().map(of).collect()
}

/// Test samples whose class has the nearest mean of the training part, by Euclidean distance.
fn nearest_centroid(train: &ExpressionSet, test: &ExpressionSet, genes: &[usize]) -> usize {
    let centroids: Vec<Vec<f64>> = (0..train.classes.len())
        .map(|class| {
            let rows: Vec<usize> = (0..train.len()).filter(|&row| train.labels[row] == class).collect();
            let mean = |&gene: &usize| {
                rows.iter().map(|&row| f64::from(train.row(row)[gene])).sum::<f64>() / rows.len().max(1) as f64
            };
            genes.iter().map(mean).collect()
        })
        .collect();
    let nearest = |row: usize| {
        let values = test.row(row);
        let distance = |centroid: &Vec<f64>| {
            genes.iter().zip(centroid).map(|(&gene, mean)| (f64::from(values[gene]) - mean).powi(2)).sum::<f64>()
        };
        let nearness: Vec<f64> = centroids.iter().map(|centroid| -distance(centroid)).collect();
        highest(&nearness)
    };
    (0..test.len()).filter(|&row| nearest(row) == test.labels[row]).count()
}
