//! Tasks of the workspace, started as `cargo xtask VERB`.
//!
//! A dispatcher and one file a verb. Nothing here links a network or a data frame: pipelines are started as processes and what they
//! wrote is read back, so that a figure in the README is one that a user's own run would give.
#![allow(clippy::print_stderr, reason = "a command-line program reports progress and errors there")]

mod bench;
mod ci;
mod data;
mod demo;
mod experiment;
mod fetch;
mod manifest;
mod process;
mod report;
mod reproduce;
mod results;
mod systems;
mod text;
mod workspace;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "xtask", version, about = "Tasks of the workspace")]
struct Cli {
    /// Root of the workspace (default: the one this program was built in)
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Where the data sets are (default: data/raw, then $`GALEN_DATA`)
    #[arg(long, global = true, value_name = "DIR")]
    data_root: Option<PathBuf>,
    /// Use the pipeline binaries of this folder instead of building them
    #[arg(long, global = true, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// Build with these features of nn-core, for devices besides the CPU: vulkan, cuda, ndarray
    #[arg(long, global = true, value_delimiter = ',', value_name = "LIST")]
    features: Vec<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Train, evaluate and predict on generated data in every domain present
    Demo(demo::DemoArgs),
    /// List, verify and download the data sets of data/manifest.toml
    Data(data::DataArgs),
    /// Run a published experiment, check its bounds and record the result
    Reproduce(reproduce::ReproduceArgs),
    /// Rewrite the README's results table from data/results.jsonl
    Report(report::ReportArgs),
    /// Print every system of the review: state, published and own figure
    Systems(systems::SystemsArgs),
    /// Measure against peer programs and record the ratios
    Bench(bench::BenchArgs),
    /// Everything that must pass before a change is merged
    Ci(ci::CiArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let workspace = Workspace::new(cli.root, cli.data_root, cli.bin_dir, cli.features);
    let outcome = match &cli.verb {
        Verb::Demo(args) => demo::run(&workspace, args),
        Verb::Data(args) => data::run(&workspace, args),
        Verb::Reproduce(args) => reproduce::run(&workspace, args),
        Verb::Report(args) => report::run(&workspace, args),
        Verb::Systems(args) => systems::run(&workspace, args),
        Verb::Bench(args) => bench::run(&workspace, args),
        Verb::Ci(args) => ci::run(&workspace, args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
