//! The command line, and what is said to who typed it.
#![allow(clippy::doc_markdown, reason = "documentation comments are the help here, which shows backticks as they are")]

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use workbench::args::{Common, Repeats};

pub(crate) use workbench::observe::counted;

/// Deep learning for drug development: train, judge and use affinity models.
#[derive(Debug, Parser)]
#[command(name = "galen-drug", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Read affinity data, check every row, and write it as one table with its audit and its split
    Prepare(Prepare),
    /// Train models, judge them beside the baselines, and write a report
    Train(Train),
    /// Judge trained models on a table with measured affinities
    Evaluate(Evaluate),
    /// Score compounds against targets, one output row for each input row
    Predict(Predict),
    /// Show which atoms and residues a prediction rests on; writes to --run-dir [default: explanation]
    Explain(Explain),
    /// Look for duplicates, conflicting labels and leakage between the parts of a split
    Audit(Audit),
    /// List the published systems this binary has
    Systems,
    /// Train, judge and predict on data generated on the spot
    Demo(Demo),
    /// Measure speed
    #[command(hide = true)]
    Bench(Bench),
}

/// How the affinity data is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A folder as DeepDTA distributes it
    Deepdta,
    /// A table with one row a measurement, columns named as TDC, DeepPurpose or DrugBAN do or as --column says
    Table,
}

/// Where affinity data comes from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Folder or file with affinities; names such as drug/davis are looked up under the data root
    /// [default: drug/davis, and for a run that is continued the run's own]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Layout [default: deepdta for a folder, table for a file]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Which column holds what: smiles, sequence, value, drug-id, target-id (repeatable)
    #[arg(long, value_name = "ROLE=NAME")]
    pub(crate) column: Vec<String>,
    /// What the values are: pkd, kd-nm, kd-um or kd-m (converted to pKd), the same with ki, ic50 or ec50, kiba, or any
    /// other name
    #[arg(long, value_name = "QUANTITY")]
    pub(crate) quantity: Option<String>,
    /// Which SMILES of a folder in DeepDTA's layout: canonical (as published, without stereochemistry) or isomeric
    /// [default: canonical]
    #[arg(long, value_name = "FORM")]
    pub(crate) ligands: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide the rows: upstream, random, cold-drug, cold-target, cold-both, scaffold
    #[arg(long)]
    pub(crate) split: Option<String>,
}

#[derive(Debug, Args)]
#[command(mut_arg("models", |arg| arg.help("Models to train, each leaving out another fold")))]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Name of the data set in the results [default: name of the data folder or file]
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// paper (as DeepDTA's code) or clean
    #[arg(long)]
    pub(crate) protocol: Option<String>,
    /// How to divide the rows: upstream, random, cold-drug, cold-target, cold-both, scaffold
    #[arg(long)]
    pub(crate) split: Option<String>,
    #[command(flatten)]
    pub(crate) repeats: Repeats,
    /// How rows become batches: pairs or blocks
    #[arg(long)]
    pub(crate) sampler: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Run folder (all its models, as an ensemble) or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// Compounds, also gzipped: .csv, .tsv or .tab with a header; any other file is a list, a SMILES and a name in each
    /// line
    #[arg(long, value_name = "FILE")]
    pub(crate) smiles: PathBuf,
    /// Which column of a table of compounds holds what: smiles, id (repeatable)
    #[arg(long, value_name = "ROLE=NAME")]
    pub(crate) column: Vec<String>,
    /// In a list of compounds, the name stands before the SMILES
    #[arg(long)]
    pub(crate) id_first: bool,
    /// Targets
    #[arg(long, value_name = "FILE")]
    pub(crate) fasta: PathBuf,
    /// Output: .csv or .parquet, or - for CSV on stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// One SMILES string
    #[arg(long)]
    pub(crate) smiles: String,
    /// FASTA file; its first sequence is explained
    #[arg(long, value_name = "FILE")]
    pub(crate) fasta: PathBuf,
    /// Residues hidden together [default: 5]
    #[arg(long)]
    pub(crate) window: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide the rows: upstream, random, cold-drug, cold-target, cold-both, scaffold
    #[arg(long)]
    pub(crate) split: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fewer pairs and epochs: shows that everything runs, not that it learns
    #[arg(long)]
    pub(crate) quick: bool,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Seconds for an epoch of DeepDTA
    Deepdta,
    /// Concordance index over the rows of a table
    Ci,
    /// SMILES tokenised a second
    Tokens,
    /// Canonical SMILES and fingerprints a second
    Fingerprints,
    /// 100,000 compounds against one target
    Screen,
    /// Write the encoded pairs that a peer needs to do the same work
    Export,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) what: Measure,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Training steps to time
    #[arg(long, default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) batches: usize,
    /// File that `export` writes
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}
