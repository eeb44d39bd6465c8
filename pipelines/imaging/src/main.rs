//! `galen-imaging`: from DICOM, NIfTI and pictures to segmentations and classifications, and back.
//!
//! A thin binary over the `imaging` crate: arguments, configuration, files and the report.

mod audit;
mod bench;
mod classify;
mod cli;
mod config;
mod convert;
mod crops;
mod deidentify;
mod demo;
mod evaluate;
mod explain;
mod inputs;
mod inspect;
mod page;
mod plan;
mod predict;
mod prepare;
mod run;
mod segment;
mod systems;
mod train;

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
        Verb::Explain(args) => explain::run(&common, &args),
        Verb::Audit(args) => audit::run(&common, &args),
        Verb::Plan(args) => plan::run(&common, &args),
        Verb::Systems => systems::run(&common),
        Verb::Deidentify(args) => deidentify::run(&common, &args),
        Verb::Inspect(args) => inspect::run(&common, &args),
        Verb::Convert(args) => convert::run(&common, &args),
        Verb::Demo(args) => demo::run(&common, &args, &stop),
        Verb::Bench(args) => bench::run(&common, &args),
    })
}
