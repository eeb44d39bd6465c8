//! The options that the binaries share, and the environment variables that stand for them.
//!
//! Precedence, lowest first: the command's defaults, the `--config` file, environment variables `GALEN_…`, `--set`,
//! named options. [`crate::config::resolve`] does the layering.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::Flags;

/// What every environment variable of this project starts with.
pub const PREFIX: &str = "GALEN_";

/// How much a command says on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress on a terminal, one line an epoch elsewhere.
    Normal,
    /// As normal, and what was read, written and chosen.
    Verbose,
    /// Everything.
    Debug,
}

/// Options that every command takes; flatten it into the binary's own arguments with `#[command(flatten)]`.
#[derive(Debug, Clone, Default, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[allow(clippy::doc_markdown, reason = "documentation comments are the help here, which shows backticks as they are")]
pub struct Common {
    /// Configuration file; what it does not name keeps its default
    #[arg(long, global = true, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// One setting, such as `--set train.epochs=5`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Where to compute: cpu, ndarray, cuda:N or gpu:N
    #[arg(long, global = true)]
    pub device: Option<String>,
    /// Seed of everything random: the same seed, configuration, data and version give the same result
    #[arg(long, global = true)]
    pub seed: Option<u64>,
    /// Folder that the run writes to
    #[arg(long, global = true, value_name = "FOLDER")]
    pub run_dir: Option<PathBuf>,
    /// Continue the run in the run folder from its last checkpoint
    #[arg(long, global = true)]
    pub resume: bool,
    /// Folder of the downloaded data sets [default: data/raw if it exists, else the folder that GALEN_DATA names]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_root: Option<PathBuf>,
    /// Print results as JSON instead of tables
    #[arg(long, global = true)]
    pub json: bool,
    /// Print the configuration that results from defaults, file, environment and options, and stop
    #[arg(long, global = true)]
    pub print_config: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Common {
    /// How much to say.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        }
    }

    /// The run folder: `--run-dir`, else `$GALEN_RUN_DIR`, else `default`.
    pub fn run_dir_or(&self, default: impl Into<PathBuf>) -> PathBuf {
        self.named_run_dir().unwrap_or_else(|| default.into())
    }

    /// The run folder that was named: `--run-dir`, else `$GALEN_RUN_DIR`.
    pub fn named_run_dir(&self) -> Option<PathBuf> {
        self.run_dir.clone().or_else(|| variable("GALEN_RUN_DIR").map(PathBuf::from))
    }

    /// The folder of the downloaded data sets: `--data-root`, else `data/raw` if that is a folder, else `$GALEN_DATA`;
    /// `None` if there is none of the three.
    pub fn data_root(&self) -> Option<PathBuf> {
        crate::data::root(self.data_root.as_deref(), Path::new("data/raw"), variable("GALEN_DATA"))
    }
}

/// How much is trained: options of every command that trains several models, with the settings `models` and `epochs`.
/// Flatten it with `#[command(flatten)]`; a command whose models differ by something else than their seeds says so with
/// `#[command(mut_arg("models", |arg| arg.help("…")))]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Repeats {
    /// Models to train, each with a seed of its own
    #[arg(long)]
    pub models: Option<usize>,
    /// Epochs at most
    #[arg(long)]
    pub epochs: Option<usize>,
}

impl Repeats {
    /// The settings that were given.
    pub fn flags(self) -> Flags {
        Flags::new().set("models", self.models).set("epochs", self.epochs)
    }
}

/// The `GALEN_…` variables of this process with their values, in the order of their names.
pub fn environment() -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    variables.sort();
    variables
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Splits `key=value`; the value may contain further equals signs.
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if key.trim().split('.').all(|part| !part.is_empty()) => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("{text:?} is not of the form key=value, such as train.epochs=5")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resolve_with;
    use clap::Parser;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        common: Common,
        #[command(subcommand)]
        verb: Verb,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Verb {
        Train,
        /// Leaves folds out
        #[command(mut_arg("models", |arg| arg.help("Models to train, each leaving out another fold")))]
        Folds(Repeats),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        models: usize,
        epochs: usize,
    }

    #[test]
    fn options_may_stand_before_or_after_the_verb() {
        for line in ["galen --seed 7 -vv train", "galen train --seed 7 -vv"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.common.seed, Some(7), "{line}");
            assert_eq!(cli.common.verbosity(), Verbosity::Debug, "{line}");
            assert!(matches!(cli.verb, Verb::Train));
        }
    }

    #[test]
    fn repeats_are_settings_where_they_are_given() {
        let defaults = Settings { models: 1, epochs: 100 };
        for (line, expected) in [
            ("galen folds", Settings { models: 1, epochs: 100 }),
            ("galen folds --models 5", Settings { models: 5, epochs: 100 }),
            ("galen folds --epochs 3 --models 5", Settings { models: 5, epochs: 3 }),
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Verb::Folds(repeats) = cli.verb else { panic!("{line}") };
            assert_eq!(resolve_with(&defaults, &cli.common, &[], repeats.flags()).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn a_command_says_what_its_models_differ_by() {
        let help = Cli::try_parse_from(["galen", "folds", "--help"]).unwrap_err().to_string();
        assert!(help.contains("Models to train, each leaving out another fold"), "{help}");
        assert!(help.contains("Leaves folds out") && help.contains("Epochs at most"), "{help}");
    }

    #[test]
    fn settings_repeat_and_keep_their_order() {
        let cli = Cli::try_parse_from(["galen", "train", "--set", "a.b=1", "--set", "note=x=y"]).unwrap();
        let expected = [("a.b".to_owned(), "1".to_owned()), ("note".to_owned(), "x=y".to_owned())];
        assert_eq!(cli.common.set, expected);
    }

    #[test]
    fn a_malformed_setting_is_a_usage_error() {
        for setting in ["epochs", "=5", "a..b=5", ".a=1"] {
            let error = Cli::try_parse_from(["galen", "train", "--set", setting]).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(crate::exit::USAGE), "{setting}");
            assert!(error.to_string().contains("key=value"), "{error}");
        }
    }

    #[test]
    fn quiet_and_verbose_exclude_each_other() {
        assert!(Cli::try_parse_from(["galen", "train", "-q", "-v"]).is_err());
        assert_eq!(Cli::try_parse_from(["galen", "train", "-q"]).unwrap().common.verbosity(), Verbosity::Quiet);
    }
}
