//! `galen-ehr`: from hospital tables, FHIR and MEDS to cohorts, calibrated predictions and reports.
//!
//! A thin binary over the `ehr` crate: arguments, configuration, files and the report.

mod audit;
mod bench;
mod cli;
mod codes;
mod config;
mod demo;
mod evaluate;
mod experiment;
mod explain;
mod features;
mod inputs;
mod page;
mod phenotype;
mod predict;
mod prepare;
mod run;
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
        Verb::Features(args) => features::run(&common, &args),
        Verb::Train(args) => train::run(&common, &args, &stop),
        Verb::Evaluate(args) => evaluate::run(&common, &args),
        Verb::Predict(args) => predict::run(&common, &args),
        Verb::Explain(args) => explain::run(&common, &args),
        Verb::Audit(args) => audit::run(&common, &args),
        Verb::Phenotype(args) => phenotype::run(&common, &args),
        Verb::Codes(args) => codes::run(&common, &args),
        Verb::Systems => systems::run(&common),
        Verb::Demo(args) => demo::run(&common, &args, &stop),
        Verb::Experiment(args) => experiment::run(&common, &args, &stop),
        Verb::Bench(args) => bench::run(&common, &args),
    })
}
