//! Khan et al. 2001, Nature Medicine 7:673: four kinds of small round blue cell tumours told apart by the expression of
//! 2,308 genes, 63 to learn from and 20 to be tested on.
//!
//! As in the paper 96 genes are used. There they are those that a first committee of networks depends on most; here those
//! whose expression differs most between the classes of the training part (the F statistic), which needs no network. The
//! classifier is a perceptron with one hidden layer on the standardised expression of these genes.

use super::{ExperimentConfig, Found};
use crate::cli::say;
use crate::inputs::locate;
use anyhow::Context;
use genomics::dataset::ExpressionSet;
use genomics::evaluate::highest;
use genomics::io::sets;
use nn_core::burn::module::Module;
use nn_core::burn::tensor::Device;
use nn_core::data::{Shuffled, rng};
use nn_core::models::mlp::{MlpConfig, MlpObjective, Targets, Task};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, StopReason, Supervised, TRAIN_LOSS, fit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Stopped;
use workbench::observe::Reporter;
use workbench::record::{DataRecord, Input};
use workbench::run::RunFolder;

/// Passes over the 63 tumours.
pub(super) const EPOCHS: usize = 60;
/// Genes of the classifier, as many as in the paper.
const GENES: usize = 96;
const HIDDEN: usize = 64;
const BATCH: usize = 16;
const RATE: f64 = 1e-3;
/// The files, expression and class of the training and of the test part.
const FILES: [&str; 4] = ["Khan_xtrain.csv", "Khan_ytrain.csv", "Khan_xtest.csv", "Khan_ytest.csv"];

pub(super) fn run(
    common: &Common,
    config: &ExperimentConfig,
    folder: &RunFolder,
    device: &Device,
    stop: &AtomicBool,
) -> anyhow::Result<Found> {
    let data = locate(&config.data, common)?;
    let [train, test] = [&FILES[..2], &FILES[2..]].map(|pair| sets::khan(&data.join(pair[0]), &data.join(pair[1])));
    let (train, test) = (train?, test?);
    anyhow::ensure!(
        train.genes == test.genes && train.classes.len() >= test.classes.len(),
        "the training part has {} genes and {} classes, the test part {} and {}; they must be of one study",
        train.genes.len(),
        train.classes.len(),
        test.genes.len(),
        test.classes.len()
    );
    let genes = most_different(&train, GENES);
    let scale = Scale::of(&train, &genes);
    let (learnt, judged) = (scale.apply(&train, &genes), scale.apply(&test, &genes));
    let classes = train.classes.len();

    let mut found = Found {
        task: "tumour class",
        dataset: "Khan 2001",
        text: format!(
            "{} tumours to learn from, {} to be tested on. The {} genes whose expression differs most between the classes \
             of the training part, standardised by its mean and deviation; a perceptron with {HIDDEN} hidden units. \
             Nothing was chosen on the test part.",
            train.len(),
            test.len(),
            genes.len()
        ),
        metrics: BTreeMap::from([("accuracy", Vec::new()), ("correct", Vec::new())]),
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
        let seed = config.seed + model as u64;
        say(common, &format!("model {model}: training on {} tumours", train.len()));
        let mlp = MlpConfig { dropout: 0.5, ..MlpConfig::new(genes.len(), &[HIDDEN], classes) };
        let network = mlp.init(&device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let rows: Vec<f32> = learnt.iter().chain(&judged).copied().collect();
        let labels: Vec<usize> = train.labels.iter().chain(&test.labels).copied().collect();
        // Labels of the test part are never asked for: its rows are in no batch and in no validation part.
        let task = Task::new("class", Targets::Classes { count: classes, rows: labels });
        let objective = MlpObjective::new(rows, genes.len(), vec![task], Vec::new(), device)?;
        let mut learner = Supervised::new(objective, network, OptimizerConfig::adam().init(), "khan");
        let sampler = Shuffled::new((0..train.len()).collect(), BATCH);
        let fit_config =
            FitConfig { seed, restore_best: false, ..FitConfig::new(config.epochs, RATE, Monitor::lower(TRAIN_LOSS)) };
        let mut reporter =
            Reporter::new(&folder.file(&format!("logs/seed-{model}"))?, common.verbosity()).title(&format!("model {model}"));
        let outcome = fit(&mut learner, &sampler, &fit_config, None, false, &mut reporter, stop)?;
        reporter.finish().context("cannot write the log")?;
        if outcome.stopped == StopReason::Interrupted {
            return Err(Stopped(format!("{model} models were trained; nothing was written")).into());
        }
        let tested: Vec<usize> = (train.len()..train.len() + test.len()).collect();
        let logits = learner.objective().logits(&learner.model()?.valid(), &tested)?;
        let correct = logits.chunks(classes).zip(&test.labels).filter(|(row, class)| {
            let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
            highest(&row) == **class
        });
        let correct = correct.count() as f64;
        found.epochs.push(outcome.epochs_run);
        found.metrics.entry("correct").or_default().push(correct);
        found.metrics.entry("accuracy").or_default().push(correct / test.len() as f64);
    }
    for (name, genes) in [("nearest centroid, all genes", (0..train.genes.len()).collect()), ("nearest centroid", genes)] {
        let correct = nearest_centroid(&train, &test, &genes) as f64;
        let scores = [("correct", correct), ("accuracy", correct / test.len() as f64)];
        found.baselines.insert(name, scores.map(|(name, value)| (name.to_owned(), value)).into());
    }
    Ok(found)
}

/// The files with their hashes; one may be there gzip-compressed under its name and `.gz`.
fn inputs(data: &std::path::Path) -> anyhow::Result<Vec<Input>> {
    let of = |name: &str| {
        let path = sets::plain_or_gz(&data.join(name));
        Input::of(name, &path).with_context(|| format!("cannot hash {}", path.display()))
    };
    FILES.iter().map(|name| of(name)).collect()
}

/// The `count` genes with the largest ratio of variance between the classes to variance within, best first.
fn most_different(set: &ExpressionSet, count: usize) -> Vec<usize> {
    let classes = set.classes.len();
    let of_class: Vec<Vec<usize>> =
        (0..classes).map(|class| (0..set.len()).filter(|&row| set.labels[row] == class).collect()).collect();
    let ratio = |gene: usize| {
        let value = |row: usize| f64::from(set.row(row)[gene]);
        let mean = |rows: &[usize]| rows.iter().map(|&row| value(row)).sum::<f64>() / rows.len().max(1) as f64;
        let all: Vec<usize> = (0..set.len()).collect();
        let centre = mean(&all);
        let (mut between, mut within) = (0.0, 0.0);
        for rows in &of_class {
            let own = mean(rows);
            between += rows.len() as f64 * (own - centre).powi(2);
            within += rows.iter().map(|&row| (value(row) - own).powi(2)).sum::<f64>();
        }
        let freedom = (set.len() as f64 - classes as f64).max(1.0);
        (between / (classes as f64 - 1.0).max(1.0)) / (within / freedom).max(1e-12)
    };
    let ratios: Vec<f64> = (0..set.genes.len()).map(ratio).collect();
    let mut order: Vec<usize> = (0..ratios.len()).collect();
    order.sort_by(|&a, &b| ratios[b].total_cmp(&ratios[a]));
    order.truncate(count);
    order
}

/// Mean and deviation of each gene in the training part.
struct Scale {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Scale {
    fn of(set: &ExpressionSet, genes: &[usize]) -> Self {
        let n = set.len() as f64;
        let moments = |&gene: &usize| {
            let values = (0..set.len()).map(|row| f64::from(set.row(row)[gene]));
            let mean = values.clone().sum::<f64>() / n;
            let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / n;
            (mean as f32, variance.sqrt().max(1e-6) as f32)
        };
        let (mean, deviation) = genes.iter().map(moments).unzip();
        Self { mean, deviation }
    }

    /// `[samples, genes]`.
    fn apply(&self, set: &ExpressionSet, genes: &[usize]) -> Vec<f32> {
        let scaled = |row: usize| {
            let values = set.row(row);
            genes.iter().enumerate().map(move |(at, &gene)| (values[gene] - self.mean[at]) / self.deviation[at])
        };
        (0..set.len()).flat_map(scaled).collect()
    }
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
        let distances: Vec<f64> = centroids.iter().map(|centroid| -distance(centroid)).collect();
        highest(&distances)
    };
    (0..test.len()).filter(|&row| nearest(row) == test.labels[row]).count()
}
