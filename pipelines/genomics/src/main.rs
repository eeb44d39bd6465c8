//! `galen-genomics`: from sequences, peaks, reads and variants to models, motifs and effects.
//!
//! A thin binary over the `genomics` crate: arguments, configuration, files and the report.

mod audit;
mod bench;
mod cli;
mod config;
mod coverage;
mod demo;
mod evaluate;
mod experiment;
mod explain;
mod inputs;
mod page;
mod predict;
mod prepare;
mod systems;
mod train;
mod variants;

use clap::Parser;
use cli::{Cli, Verb};
use std::process::ExitCode;

/// A third off the time of a training step against the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Cli { common, verb } = Cli::parse();
    workbench::exit::run(|stop| match verb {
        Verb::Prepare(args) => prepare::run(&common, &args),
        Verb::Train(args) => train::run(&common, &args, &stop),
        Verb::Evaluate(args) => evaluate::run(&common, &args),
        Verb::Predict(args) => predict::run(&common, &args, &stop),
        Verb::Variants(args) => variants::run(&common, &args, &stop),
        Verb::Explain(args) => explain::run(&common, &args),
        Verb::Audit(args) => audit::run(&common, &args),
        Verb::Coverage(args) => coverage::run(&common, &args),
        Verb::Systems => systems::run(&common),
        Verb::Demo(args) => demo::run(&common, &args, &stop),
        Verb::Bench(args) => bench::run(&common, &args),
        Verb::Experiment(args) => experiment::run(&common, &args, &stop),
    })
}
