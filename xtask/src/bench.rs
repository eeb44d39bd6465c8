//! `cargo xtask bench`: our programs and their peers, taken in turns in one session on one machine.
//!
//! A side is a process that prints as its last line what it measured ([`measure::Measure`]): of ours `galen-drug bench NAME --json` and
//! the examples `steps` and `skip_gram_bench`, of the peers `xtask/peers/*.py`. A ratio is taken in each round; recorded are the median
//! of the rounds and their range.
//!
//! | module | what |
//! |---|---|
//! | `session` | what the benches of one call share: interpreter, threads, starting a side |
//! | `measure` | what a side printed, rounds in turns, what makes two sides comparable |
//! | `outcome` | what a bench found, and its line in `data/results.jsonl` |
//! | `domain`, `drug`, `steps`, `skip_gram` | the benches |

mod domain;
mod drug;
mod measure;
mod outcome;
mod session;
mod skip_gram;
mod steps;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use self::{drug::Drug, session::Session, steps::Workload};
use crate::{report, text, workspace::Workspace};

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure (default: all)
    #[arg(value_enum)]
    which: Vec<Which>,
    /// Rounds; in each, both sides run once (default: 7 of `steps`, 5 of `genomics`, `imaging` and `ehr`, 3 of the others)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// Training steps timed in a round of `deepdta`
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batches: u32,
    /// Training steps timed in a round of each workload of `steps`
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// Only these workloads of `steps`, which is then not recorded
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WORKLOAD")]
    only: Vec<Workload>,
    /// Fail where a peer cannot run, instead of measuring our side alone
    #[arg(long)]
    peer: bool,
    /// Threads for both sides (default: each side's own choice)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Python interpreter with the peers installed (default: $`GALEN_PYTHON`, then python3)
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Print, and record nothing
    #[arg(long)]
    no_record: bool,
    /// Arguments passed on to our side, recorded with the result
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// An epoch of DeepDTA on Davis, against the plain network in PyTorch
    Deepdta,
    /// The concordance index of 19,709 pairs, against lifelines
    Ci,
    /// Strings to labels, against a Python dictionary
    Tokens,
    /// Canonical SMILES and Morgan fingerprints, against RDKit
    Fingerprints,
    /// 100,000 molecules against one target; no peer
    Screen,
    /// A training step of five networks, against PyTorch
    Steps,
    /// Skip-gram with negative sampling, against gensim
    Skipgram,
    /// Coverage, windows and variants, against samtools, pysam, pyfaidx and kipoiseq
    Genomics,
    /// DICOM series, NIfTI, augmentation and sliding windows, against pydicom, SimpleITK, nibabel and MONAI
    Imaging,
    /// Tables to MEDS, features and an epoch of GRU-D, against MEDS-Extract, polars, pandas and PyTorch
    Ehr,
    /// All of them
    All,
}

impl Which {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

impl BenchArgs {
    /// The benches asked for, in the order in which they run.
    fn chosen(&self) -> Vec<Which> {
        let all = self.which.is_empty() || self.which.contains(&Which::All);
        let wanted = |which: &Which| match which {
            Which::All => false,
            // The screen is a part of `deepdta`'s result.
            Which::Screen if all => false,
            which => all || self.which.contains(which),
        };
        Which::value_variants().iter().copied().filter(wanted).collect()
    }
}

/// Runs the verb.
///
/// # Errors
/// A side fails, or the two sides did different work.
pub(crate) fn run(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    let chosen = args.chosen();
    if !args.only.is_empty() && !chosen.contains(&Which::Steps) {
        bail!("--only chooses among the workloads of `steps`, which is not among the benches asked for");
    }
    let session = Session::new(workspace, args);
    let mut drug = None;
    let mut rows = Vec::new();
    for which in chosen {
        let name = which.name();
        let outcome = match which {
            Which::Steps => steps::measure(&session),
            Which::Skipgram => skip_gram::measure(&session),
            Which::Genomics => domain::measure(&session, &domain::GENOMICS),
            Which::Imaging => domain::measure(&session, &domain::IMAGING),
            Which::Ehr => domain::measure(&session, &domain::EHR),
            _ => {
                let drug = match &mut drug {
                    Some(ready) => ready,
                    // All of the domain's benches work on the inputs that the first of them writes.
                    none => none.insert(Drug::prepare(&session)?),
                };
                drug.measure(which)
            }
        };
        let outcome = outcome.with_context(|| format!("bench {name}"))?;
        for (metric, value) in &outcome.metrics {
            rows.push(vec![name.clone(), metric.clone(), report::spread(value)]);
        }
        outcome.record(&name, &session)?;
    }
    text::print(&format!("\n{}", text::table(&["bench", "metric", "median [range]"], &rows)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn chosen(line: &str) -> Vec<Which> {
        Line::try_parse_from(line.split_whitespace()).unwrap().bench.chosen()
    }

    #[test]
    fn all_is_everything_but_the_screen_that_deepdta_includes() {
        let all = chosen("bench");
        assert_eq!(all, chosen("bench ci all"));
        assert!(all.contains(&Which::Steps) && all.contains(&Which::Skipgram) && all.contains(&Which::Deepdta));
        assert!(!all.contains(&Which::Screen) && !all.contains(&Which::All));
        assert_eq!(chosen("bench screen ci"), [Which::Ci, Which::Screen]);
    }

    #[test]
    fn workloads_are_given_as_one_list() {
        let line = "bench steps --only unet2d,unet3d,cnn1d,gru,deepdta";
        let parsed = Line::try_parse_from(line.split_whitespace()).unwrap().bench;
        assert_eq!(parsed.only, Workload::value_variants());
        assert!(Line::try_parse_from(["bench", "steps", "--only", "unet4d"]).is_err());
    }
}
