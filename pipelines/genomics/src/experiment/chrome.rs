//! `AttentiveChrome` (Singh et al. 2017, NIPS 30) on generated histone marks with a planted rule for expression: the
//! public set cannot be had any more. Beside it stand logistic regression on the same bins, which the rule is made to
//! defeat, and `DeepChrome`.
//!
//! The rule is that of [`genomics::synthetic::marks`]: two marks count one by one, two others as in an exclusive or, one
//! says nothing. Where the network looks is measured against where the marks that count were put.

use super::{ExperimentConfig, Found};
use anyhow::Context;
use genomics::dataset::{Labels, MarkSet};
use genomics::evaluate::{Judged, Scores};
use genomics::synthetic::{MarkConfig, MarkTruth, marks};
use genomics::systems::attentive_chrome::{AttentiveChrome, AttentiveChromeConfig};
use genomics::systems::deep_chrome::DeepChromeConfig;
use genomics::systems::marks::{MarkSizes, MarkTask};
use genomics::task::{Fitted, Task as _, TaskObjective};
use nn_core::burn::module::Module;
use nn_core::burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::{Fractions, Shuffled, Split, random, rng};
use nn_core::models::mlp::{MlpConfig, MlpObjective, Targets, Task};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, StopReason, Supervised, fit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Stopped;
use workbench::figure::{Axes, Series, lines};
use workbench::observe::Reporter;
use workbench::observe::say;
use workbench::record::DataRecord;
use workbench::run::RunFolder;

/// Epochs at most; 30 in the paper's code.
pub(super) const EPOCHS: usize = 30;
/// More than the epochs that the network stands still before it finds the two marks that count together.
const PATIENCE: usize = 12;
/// Genes of a batch, and longest gradient, as in the paper's code; its rate is 0.0002 for 6,600 genes of real marks.
const BATCH: usize = 16;
const CLIP: f64 = 1.0;
const RATE: f64 = 1e-3;
/// Mean count that a mark adds to a bin at its middle.
const SIGNAL: f64 = 10.0;
/// Places of the marks in the generated sets.
const H3K4ME3: usize = 3;
const H3K9ME3: usize = 4;
/// Bins around the start of the gene where `H3K4me3` counts.
const START: std::ops::Range<usize> = 45..55;

pub(super) fn run(
    common: &Common,
    config: &ExperimentConfig,
    folder: &RunFolder,
    device: &Device,
    stop: &AtomicBool,
) -> anyhow::Result<Found> {
    let (set, truth) = marks(&MarkConfig { signal: SIGNAL, ..MarkConfig::default() })?;
    let split = random(set.len(), Fractions { validation: 0.1, test: 0.3 }, config.seed)?;
    let run = Run { common, config, folder, device, stop, set: &set, split: &split };
    let mut found = Found {
        task: "expression",
        dataset: "generated marks",
        text: format!(
            "{} generated genes with five marks in {} bins: {} to learn from, {} that decide when to stop, {} to be tested \
             on. Expression follows two marks one by one and two others together, so that no linear model of the bins \
             can be better than an AUROC of 0.78; who knows the rule reaches 0.98.",
            set.len(),
            set.bins,
            split.train.len(),
            split.validation.len(),
            split.test.len()
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: DataRecord {
            kept: set.len(),
            split: Some("random".to_owned()),
            parts: [("train", split.train.len()), ("validation", split.validation.len()), ("test", split.test.len())]
                .map(|(name, rows)| (name.to_owned(), rows))
                .into(),
            ..DataRecord::default()
        },
        figures: Vec::new(),
    };
    for model in 0..config.models {
        let seed = config.seed + model as u64;
        let task = MarkTask::new(&set, AttentiveChromeConfig::default())?;
        let (network, epochs, scores) = run.train(&format!("seed-{model}"), &task, seed)?;
        for name in ["auroc", "average_precision", "accuracy"] {
            found.metrics.entry(name).or_default().extend(scores.get(name));
        }
        let looked = looked(&network, &set, &truth, &split.test, device)?;
        found.metrics.entry("attention_at_start").or_default().push(looked.at_start);
        found.metrics.entry("attention_on_nothing").or_default().push(looked.on_nothing);
        found.epochs.push(epochs);
        if model == 0 {
            found.figures.push((
                "attention",
                "Mean attention to the bins of each mark, first model.".to_owned(),
                looked.figure,
            ));
        }
    }
    let deep = MarkTask::new(&set, DeepChromeConfig::default())?;
    let (_, _, scores) = run.train("deepchrome", &deep, config.seed)?;
    found.baselines.insert("DeepChrome", scores);
    found.baselines.insert("logistic regression on all bins", run.logistic()?);
    Ok(found)
}

/// One division of one set, which several networks learn from.
struct Run<'a> {
    common: &'a Common,
    config: &'a ExperimentConfig,
    folder: &'a RunFolder,
    device: &'a Device,
    stop: &'a AtomicBool,
    set: &'a MarkSet,
    split: &'a Split,
}

impl Run<'_> {
    /// The network after its best epoch, the epochs that were run, and the scores on the test part.
    fn train<C: MarkSizes>(
        &self,
        name: &str,
        task: &MarkTask<'_, C>,
        seed: u64,
    ) -> anyhow::Result<(C::Net, usize, Scores)> {
        say(self.common, &format!("{name}: training on {} genes", self.split.train.len()));
        let objective = TaskObjective::new(task, Fitted::default(), self.split.validation.clone(), self.device);
        let network = task.init(&Fitted::default(), &self.device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let mut learner =
            Supervised::new(objective, network, OptimizerConfig::adam().init(), name).with_clip_norm(Some(CLIP));
        let sampler = Shuffled::new(self.split.train.clone(), BATCH);
        let config = FitConfig {
            seed,
            patience: Some(PATIENCE),
            ..FitConfig::new(self.config.epochs, RATE, Monitor::lower("loss"))
        };
        let mut reporter =
            Reporter::new(&self.folder.file(&format!("logs/{name}"))?, self.common.verbosity()).title(name);
        let outcome = fit(&mut learner, &sampler, &config, None, false, &mut reporter, self.stop)?;
        reporter.finish().context("cannot write the log")?;
        if outcome.stopped == StopReason::Interrupted {
            return Err(Stopped(format!("{name} was not trained to its end; nothing was written")).into());
        }
        let network = learner.model()?.valid();
        let scores = self.judge(learner.objective().predict(&network, &self.split.test)?)?;
        Ok((network, outcome.epochs_run, scores))
    }

    fn judge(&self, logits: Vec<f64>) -> anyhow::Result<Scores> {
        let labels = self.split.test.iter().map(|&gene| self.set.labels[gene]).collect();
        Ok(Judged::new(Labels::Binary, vec!["expression".to_owned()], labels, logits)?.scores()?)
    }

    /// Logistic regression on the counts of all bins of all marks, standardised on the training part.
    fn logistic(&self) -> anyhow::Result<Scores> {
        let columns = self.set.marks.len() * self.set.bins;
        let (mut mean, mut square) = (vec![0.0_f64; columns], vec![0.0_f64; columns]);
        for &gene in &self.split.train {
            for (column, &value) in self.set.values[gene * columns..][..columns].iter().enumerate() {
                mean[column] += f64::from(value);
                square[column] += f64::from(value).powi(2);
            }
        }
        let n = self.split.train.len() as f64;
        let scaled = |(place, &value): (usize, &f32)| {
            let (mean, square) = (mean[place % columns] / n, square[place % columns] / n);
            ((f64::from(value) - mean) / (square - mean * mean).max(1e-12).sqrt()) as f32
        };
        let features: Vec<f32> = self.set.values.iter().enumerate().map(scaled).collect();
        let labels = self.set.labels.iter().map(|&label| label as usize).collect();
        let tasks = vec![Task::new("expression", Targets::Classes { count: 2, rows: labels })];
        let objective = MlpObjective::new(features, columns, tasks, self.split.validation.clone(), self.device)?;
        let network = MlpConfig::logistic_regression(columns, 2)
            .init(&self.device.clone().autodiff(), &mut rng(self.config.seed, &[1]))?;
        let mut learner = Supervised::new(objective, network, OptimizerConfig::adam().init(), "logistic-regression");
        let sampler = Shuffled::new(self.split.train.clone(), 64);
        let config = FitConfig {
            seed: self.config.seed,
            patience: Some(PATIENCE),
            ..FitConfig::new(self.config.epochs, RATE, Monitor::lower("cross_entropy"))
        };
        fit(&mut learner, &sampler, &config, None, false, &mut (), self.stop)?;
        let logits = learner.objective().logits(&learner.model()?.valid(), &self.split.test)?;
        // Of two classes, the difference of the logits is the logit of the second.
        self.judge(logits.chunks(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0])).collect())
    }
}

/// Where a network looked in the genes of the test part.
struct Looked {
    /// Share of the attention to `H3K4me3` that lies at the start of genes that have it there; 0.1 if it looked everywhere.
    at_start: f64,
    /// Share of the attention to marks that goes to `H3K9me3`, which says nothing; 0.2 if it looked at all alike.
    on_nothing: f64,
    figure: String,
}

fn looked(
    network: &AttentiveChrome,
    set: &MarkSet,
    truth: &MarkTruth,
    genes: &[usize],
    device: &Device,
) -> anyhow::Result<Looked> {
    let (marks, bins) = (set.marks.len(), set.bins);
    let size = marks * bins;
    let (mut at_start, mut with, mut on_nothing) = (0.0, 0_usize, 0.0);
    let mut mean = vec![0.0_f64; size];
    for genes in genes.chunks(512) {
        let values: Vec<f32> = genes.iter().flat_map(|gene| &set.values[gene * size..][..size]).copied().collect();
        let x = Tensor::<3>::from_data(TensorData::new(values, [genes.len(), marks, bins]), device);
        let found = network.forward(x);
        let of_bins =
            found.bins.try_into_vec_as::<f32>().map_err(|error| anyhow::anyhow!("attention to bins: {error}"))?;
        let of_marks =
            found.marks.try_into_vec_as::<f32>().map_err(|error| anyhow::anyhow!("attention to marks: {error}"))?;
        for (row, &gene) in genes.iter().enumerate() {
            let weights = &of_bins[row * size..][..size];
            mean.iter_mut().zip(weights).for_each(|(mean, &weight)| *mean += f64::from(weight));
            if truth.present[gene][H3K4ME3] {
                at_start += weights[H3K4ME3 * bins..][START].iter().copied().map(f64::from).sum::<f64>();
                with += 1;
            }
            on_nothing += f64::from(of_marks[row * marks + H3K9ME3]);
        }
    }
    let n = genes.len().max(1) as f64;
    let curves: Vec<Vec<(f64, f64)>> = mean
        .chunks(bins)
        .map(|of_mark| of_mark.iter().enumerate().map(|(bin, sum)| (bin as f64 + 1.0, sum / n)).collect())
        .collect();
    let series: Vec<Series<'_>> = set.marks.iter().zip(&curves).map(|(name, points)| Series { name, points }).collect();
    let axes = Axes { title: "Attention to bins", x: "bin of 100 bases, the gene starts at 51", y: "mean weight" };
    let figure = lines(&axes, &series, None)?;
    Ok(Looked { at_start: at_start / with.max(1) as f64, on_nothing: on_nothing / n, figure })
}
