//! What Galen's pipeline binaries share, so that a binary is arguments → configuration → library call and nothing else.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | the options that binaries share, and the environment variables that stand for them |
//! | [`config`] | defaults < file < environment < command line, with unknown keys refused |
//! | [`data`] | where the downloaded data sets are |
//! | [`run`] | the run folder: one process, whole files, resumable |
//! | [`record`] | what a run writes down: environment, data, metrics |
//! | [`observe`] | progress, `metrics.jsonl`, TensorBoard |
//! | [`figure`] | figures as SVG |
//! | [`report`] | one self-contained HTML page |
//! | [`page`] | what the pages of all studies have |
//! | [`table`] | tables as text and as JSON |
//! | [`tensorboard`] | event files |
//! | [`training`] | a run that trains models one after the other, and goes on where it was stopped |
//! | [`exit`] | exit status, printing of errors, Ctrl-C |
//!
//! A binary in outline:
//!
//! ```no_run
//! use clap::Parser;
//! use serde::{Deserialize, Serialize};
//! use workbench::args::Common;
//! use workbench::config::{self, Flags};
//! use workbench::run::RunFolder;
//!
//! /// Counts to a number
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     common: Common,
//!     /// How far to count
//!     #[arg(long)]
//!     to: Option<u32>,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Settings {
//!     to: u32,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let cli = Cli::parse();
//!     workbench::exit::run(|_stop| {
//!         let settings = config::resolve(&Settings { to: 3 }, &cli.common, Flags::new().set("to", cli.to))?;
//!         let run = RunFolder::open(&cli.common.run_dir_or("runs/count"), cli.common.resume)?;
//!         run.write_config(&settings)?;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! This crate is for binaries: it reads the environment in [`args`] and [`exit`], and writes to stderr in [`observe`]
//! and [`exit`], and to stdout in [`config::print`]; nothing else does.

pub mod args;
pub mod config;
pub mod data;
pub mod exit;
pub mod figure;
pub mod observe;
pub mod page;
pub mod record;
pub mod report;
pub mod run;
pub mod table;
pub mod tensorboard;
pub mod training;

pub use args::{Common, Verbosity};
pub use observe::Reporter;
pub use report::{Page, Section};
pub use run::RunFolder;
pub use table::Table;
