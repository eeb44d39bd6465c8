//! The program behind `cargo xtask reproduce foundations`: the networks of [`nn_core::models`] on two small tables, each
//! over several seeds beside logistic regression, with `metrics.json` in the run folder.
//!
//! ```text
//! cargo run --release -p nn-core --example foundations -- --data-root data --run-dir runs/foundations --seeds 5
//! cargo run --release -p nn-core --example foundations -- --data-root data --run-dir runs/efficiency \
//!     --experiment capsule-data-efficiency
//! ```
#![allow(clippy::print_stdout, reason = "an example shows its results there")]

#[path = "foundations/data.rs"]
mod data;
#[path = "foundations/efficiency.rs"]
mod efficiency;
#[path = "foundations/numpy.rs"]
mod numpy;
#[path = "foundations/pca.rs"]
mod pca;
#[path = "foundations/report.rs"]
mod report;
#[path = "foundations/suite.rs"]
mod suite;
#[path = "foundations/training.rs"]
mod training;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};

use crate::data::{Parts, Table};
use crate::report::Report;
use crate::suite::Plan;
use crate::training::{accuracy, area, classify_by_capsules};

/// `random_state` of the division that the reference figures were measured on.
const SPLIT: u32 = 0;
/// Codes of the linear autoencoders.
const CODES: [usize; 3] = [8, 16, 32];
/// What `--only` may name.
const NAMES: [&str; 8] = ["mlp", "logistic", "rbm", "dbn", "sdae", "capsule", "cnn", "pca"];

/// Test scores of a classifier that was trained with a seed.
type Scores = fn(&Table, &Parts, &Plan, u64) -> Result<Vec<f32>>;

/// Which experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Experiment {
    /// Every network on the whole table.
    Foundations,
    /// Capsule network against convolutional network on parts of the table.
    CapsuleDataEfficiency,
}

/// Trains the foundation networks on the digits and the tumours of data/samples.
#[derive(Debug, Parser)]
#[command(name = "foundations")]
struct Args {
    /// Folder that holds the folder `samples`
    #[arg(long, value_name = "DIR", default_value = "data")]
    data_root: PathBuf,
    /// Folder of digits.csv.gz and `breast_cancer.csv` (default: `samples` in the data root)
    #[arg(long, value_name = "DIR")]
    samples: Option<PathBuf>,
    /// Folder that metrics.json is written to
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    /// Seeds, from 1
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Only this network (mlp, logistic, rbm, dbn, sdae, capsule, cnn, pca); may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// One pass of everything with one seed: shows that it runs, the figures mean nothing
    #[arg(long)]
    smoke: bool,
    /// What to run
    #[arg(long, value_enum, default_value_t = Experiment::Foundations)]
    experiment: Experiment,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(unknown) = args.only.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("--only {unknown}: known are {}", NAMES.join(", "));
    }
    let samples = args.samples.clone().unwrap_or_else(|| args.data_root.join("samples"));
    let seeds = if args.smoke { 1 } else { args.seeds };
    let plan = Plan { seeds: (1..=seeds).collect(), smoke: args.smoke };
    let digits = data::digits(&samples)?;
    let report = match args.experiment {
        Experiment::Foundations => {
            let split = "train_test_split(test_size=0.2, random_state=0); a tenth of the training part picks the epoch";
            let mut report = Report::new("foundations", split, &plan.seeds);
            foundations(&args, &plan, &digits, &mut report)?;
            report
        }
        Experiment::CapsuleDataEfficiency => {
            let split = "train_test_split(test_size=0.2, random_state=seed); a tenth of what is kept picks the epoch";
            let mut report = Report::new("capsule-data-efficiency", split, &plan.seeds);
            efficiency::run(&digits, &plan, &mut report)?;
            report
        }
    };
    report.write(&args.run_dir)
}

fn foundations(args: &Args, plan: &Plan, digits: &Table, report: &mut Report) -> Result<()> {
    let wanted = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let classifiers: [(&str, Scores); 7] = [
        ("logistic", |table, parts, plan, seed| suite::logistic_scores(table, parts, 1.0, plan, seed)),
        ("mlp", suite::mlp_scores),
        ("cnn", suite::cnn_scores),
        ("capsule", |table, parts, plan, seed| {
            classify_by_capsules(table, parts, suite::capsule(seed)?, plan.limited(suite::CAPSULE), seed)
        }),
        ("rbm", suite::rbm_scores),
        ("dbn", suite::dbn_scores),
        ("sdae", suite::stack_scores),
    ];
    for (name, scores) in classifiers {
        if wanted(name) {
            let mut found = Vec::new();
            for &seed in &plan.seeds {
                let parts = digits.parts(SPLIT, seed)?;
                found.push(accuracy(digits, &parts.test, &scores(digits, &parts, plan, seed)?)?);
            }
            report.metric(&format!("{name}_digits"), &found);
        }
    }
    baselines(digits, report)?;
    if wanted("logistic") {
        breast_cancer(args, plan, report)?;
    }
    if wanted("pca") {
        principal_components(plan, digits, report)?;
    }
    Ok(())
}

/// The most frequent class, and logistic regression beside all others.
fn baselines(digits: &Table, report: &mut Report) -> Result<()> {
    let majority = majority(digits, &digits.parts(SPLIT, 1)?);
    let logistic = report.mean("logistic_digits");
    for name in report.names() {
        report.baseline("most frequent class", &name, majority);
        if let Some(logistic) = logistic.filter(|_| name != "logistic_digits") {
            report.baseline("logistic regression", &name, logistic);
        }
    }
    Ok(())
}

/// Share of the test rows that have the training part's most frequent class.
fn majority(table: &Table, parts: &Parts) -> f64 {
    let count = |rows: &[usize], class: usize| rows.iter().filter(|&&row| table.labels[row] == class).count();
    let learnt = parts.learnt();
    let most = (0..table.classes).max_by_key(|&class| count(&learnt, class)).unwrap_or(0);
    count(&parts.test, most) as f64 / parts.test.len() as f64
}

/// Logistic regression on the standardised measures.
fn breast_cancer(args: &Args, plan: &Plan, report: &mut Report) -> Result<()> {
    let samples = args.samples.clone().unwrap_or_else(|| args.data_root.join("samples"));
    let table = data::breast_cancer(&samples)?;
    let (mut accuracies, mut areas) = (Vec::new(), Vec::new());
    for &seed in &plan.seeds {
        let parts = table.stratified_parts(SPLIT, seed)?;
        let table = table.standardised(&parts.learnt(), true);
        let scores = suite::logistic_scores(&table, &parts, 1.0, plan, seed)?;
        accuracies.push(accuracy(&table, &parts.test, &scores)?);
        areas.push(area(&table, &parts.test, &scores)?);
    }
    report.metric("logistic_breast_cancer", &accuracies);
    report.metric("logistic_breast_cancer_auroc", &areas);
    let parts = table.stratified_parts(SPLIT, 1)?;
    report.baseline("most frequent class", "logistic_breast_cancer", majority(&table, &parts));
    report.baseline("most frequent class", "logistic_breast_cancer_auroc", 0.5);
    Ok(())
}

/// Linear autoencoders against the best that any linear map can do on the same rows.
fn principal_components(plan: &Plan, digits: &Table, report: &mut Report) -> Result<()> {
    let learnt = digits.parts(SPLIT, 1)?.learnt();
    let bounds = pca::bounds(digits, &learnt);
    for code in CODES {
        let bound = bounds[code];
        let mut errors = Vec::new();
        for &seed in &plan.seeds {
            errors.push(suite::linear_error(digits, &learnt, code, plan, seed)?);
        }
        let gaps: Vec<f64> = errors.iter().map(|error| error / bound - 1.0).collect();
        report.metric(&format!("linear_autoencoder_mse_{code}"), &errors);
        report.baseline("principal components", &format!("linear_autoencoder_mse_{code}"), bound);
        report.metric(&format!("pca_gap_{code}"), &gaps);
    }
    Ok(())
}
