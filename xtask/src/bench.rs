//! `cargo xtask bench`: our programs and their peers, taken in turns in one session on one machine.
//!
//! `galen-drug bench export --out FILE` writes the inputs, so that both sides work on the same ones; `galen-drug bench NAME --json` and
//! `xtask/peers/*.py` print as their last line what they measured ([`Measure`]). A ratio is our time divided by the peer's, one for each
//! round; recorded are its median and range.

use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::{
    experiment::Bound,
    process, report,
    results::{self, Entry, Metric},
    text,
    workspace::Workspace,
};

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure (default: all)
    #[arg(value_enum)]
    which: Vec<Which>,
    /// Rounds; in each, both sides run once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Training steps timed in a round of `deepdta`
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batches: u32,
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
    /// All of them
    All,
}

/// What one side measured: `seconds` for `items`. For `deepdta` an item is a training pair and the time that of an epoch.
#[derive(Debug, Clone, Deserialize)]
struct Measure {
    seconds: f64,
    items: f64,
    /// The result, where both sides must agree.
    value: Option<f64>,
    peak_mb: Option<f64>,
    device: Option<String>,
    /// Name and version of the program.
    version: Option<String>,
}

/// A peer's script and what it needs.
struct Peer {
    script: &'static str,
    modules: &'static str,
    install: &'static str,
}

/// The programs of one session.
struct Sides<'a> {
    workspace: &'a Workspace,
    args: &'a BenchArgs,
    binary: PathBuf,
    python: PathBuf,
    inputs: PathBuf,
}

/// One bench: metrics, and what to say about where they come from.
struct Outcome {
    metrics: BTreeMap<String, Metric>,
    device: String,
    peer: Option<String>,
    seconds: f64,
}

impl Which {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn peer(self) -> Option<Peer> {
        let (script, modules, install) = match self {
            Self::Deepdta => ("torch_deepdta_epoch.py", "torch", "pip install torch"),
            Self::Ci => ("lifelines_ci.py", "lifelines", "pip install lifelines"),
            Self::Tokens => ("python_tokens.py", "numpy", "pip install numpy"),
            Self::Fingerprints => ("rdkit_fingerprints.py", "rdkit", "pip install rdkit"),
            Self::Screen | Self::All => return None,
        };
        Some(Peer { script, modules, install })
    }

    /// What this bench is meant to reach.
    fn targets(self) -> BTreeMap<String, Bound> {
        let at_most = |name: &str, max: f64, why: &str| {
            (name.to_owned(), Bound { max: Some(max), min: None, below: None, above: None, why: why.to_owned() })
        };
        match self {
            Self::Deepdta => BTreeMap::from([
                at_most("ratio", 0.25, "an epoch at least four times faster than the plain PyTorch network"),
                at_most("peak_mb", 4096.0, "training fits into 4 GB"),
                at_most("screen_seconds", 60.0, "100,000 molecules against one target in a minute"),
            ]),
            _ => BTreeMap::new(),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// A side fails, or the two sides come to different results.
pub(crate) fn run(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    let all = args.which.is_empty() || args.which.contains(&Which::All);
    let python = args
        .python
        .clone()
        .or_else(|| env::var_os("GALEN_PYTHON").map(PathBuf::from))
        .unwrap_or_else(|| "python3".into());
    let binary = workspace.binary(&workspace.pipeline("drug")?)?;
    let folder = workspace.scratch("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let sides = Sides { workspace, args, binary, python, inputs: std::path::absolute(folder.join("inputs.json"))? };
    sides.export()?;

    let mut rows = Vec::new();
    for &which in Which::value_variants() {
        let chosen = all || args.which.contains(&which);
        // The screen is a part of `deepdta`'s result.
        if which == Which::All || !chosen || (which == Which::Screen && all) {
            continue;
        }
        let outcome = sides.measure(which)?;
        for (name, metric) in &outcome.metrics {
            rows.push(vec![which.name(), name.clone(), report::spread(metric)]);
        }
        sides.record(which, outcome)?;
    }
    text::print(&format!("\n{}", text::table(&["bench", "metric", "median [range]"], &rows)))
}

impl Sides<'_> {
    fn environment(&self) -> Vec<(&'static str, String)> {
        let threads = self.args.threads.map(|threads| threads.to_string());
        ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
            .into_iter()
            .filter_map(|name| threads.clone().map(|threads| (name, threads)))
            .collect()
    }

    fn own_args(&self, words: &[&str]) -> Vec<String> {
        let mut args = vec!["bench".to_owned()];
        args.extend(words.iter().map(|&word| word.to_owned()));
        args.extend(["--data-root".to_owned(), self.workspace.any_data_root().display().to_string()]);
        args.extend(self.args.extra.iter().cloned());
        args
    }

    fn export(&self) -> Result<()> {
        let inputs = self.inputs.display().to_string();
        process::run(&self.binary, &self.own_args(&["export", "--out", &inputs]), &self.workspace.root)?;
        if !self.inputs.is_file() {
            bail!("the export left no {inputs}");
        }
        Ok(())
    }

    fn own(&self, which: Which) -> Result<Measure> {
        let (name, batches) = (which.name(), self.args.batches.to_string());
        let mut words = vec![name.as_str(), "--json"];
        if which == Which::Deepdta {
            words.extend(["--batches", batches.as_str()]);
        }
        eprintln!("ours: {name}");
        process::json(&self.binary, &self.own_args(&words), &self.workspace.root, &self.environment())
    }

    fn peer(&self, which: Which, peer: &Peer) -> Result<Measure> {
        let script = self.workspace.root.join("xtask").join("peers").join(peer.script);
        let mut args = vec![script.display().to_string(), self.inputs.display().to_string()];
        if which == Which::Deepdta {
            args.extend(["--batches".to_owned(), self.args.batches.to_string()]);
            if let Some(threads) = self.args.threads {
                args.extend(["--threads".to_owned(), threads.to_string()]);
            }
        }
        eprintln!("peer: {}", peer.script);
        process::json(&self.python, &args, &self.workspace.root, &self.environment())
    }

    /// The peer of `which` if it can run here; if not, how to make it, on standard error.
    fn usable_peer(&self, which: Which) -> Option<Peer> {
        let peer = which.peer()?;
        let found = Command::new(&self.python)
            .args(["-c", &format!("import {}", peer.modules)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !found {
            eprintln!(
                "{}: {} cannot import {}; only our side is measured, and nothing is recorded. To compare: `{}`, then --python or $GALEN_PYTHON",
                which.name(),
                self.python.display(),
                peer.modules,
                peer.install
            );
        }
        found.then_some(peer)
    }

    fn measure(&self, which: Which) -> Result<Outcome> {
        let began = Instant::now();
        let peer = self.usable_peer(which);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..self.args.rounds {
            let Some(peer) = &peer else {
                ours.push(self.own(which)?);
                continue;
            };
            // Who goes first changes, so that a machine that warms up or slows down favours neither.
            if round % 2 == 0 {
                ours.push(self.own(which)?);
                theirs.push(self.peer(which, peer)?);
            } else {
                theirs.push(self.peer(which, peer)?);
                ours.push(self.own(which)?);
            }
        }
        let mut metrics = compare(&ours, &theirs).with_context(|| format!("bench {}", which.name()))?;
        if which == Which::Deepdta {
            metrics.insert("screen_seconds".to_owned(), Metric::single(self.own(Which::Screen)?.seconds));
        }
        Ok(Outcome {
            metrics,
            device: ours.iter().find_map(|side| side.device.clone()).unwrap_or_else(|| "cpu".to_owned()),
            peer: theirs.iter().find_map(|side| side.version.clone()),
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    fn record(&self, which: Which, outcome: Outcome) -> Result<()> {
        if self.args.no_record || !outcome.metrics.contains_key("ratio") {
            return Ok(());
        }
        let bounds = which.targets();
        let failures = results::broken(&bounds, &outcome.metrics, &BTreeMap::new());
        for failure in &failures {
            eprintln!("{}: target missed: {failure}", which.name());
        }
        let threads = self.args.threads.map_or_else(String::new, |threads| format!(", {threads} threads"));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let entry = Entry {
            experiment: format!("bench-{}", which.name()),
            domain: "drug".to_owned(),
            commit: self.workspace.commit(),
            date: text::now()?,
            device: outcome.device,
            seeds: Vec::new(),
            models: 0,
            epochs: Vec::new(),
            data: BTreeMap::new(),
            protocol: format!(
                "our time divided by the peer's, {} rounds in turns on {cores} cores{threads}; median and range",
                self.args.rounds
            ),
            arguments: self.args.extra.clone(),
            note: outcome.peer.map(|peer| format!("Peer: {peer}.")),
            metrics: outcome.metrics,
            baselines: BTreeMap::new(),
            published: BTreeMap::new(),
            passed: failures.is_empty(),
            bounds,
            failures,
            wall_seconds: text::milliseconds(outcome.seconds),
            peak_mb: None,
        };
        let peak_mb = entry.metrics.get("peak_mb").and_then(|metric| metric.high.or(Some(metric.mean)));
        results::append(self.workspace, &Entry { peak_mb, ..entry })
    }
}

/// Ratios and times of the rounds.
fn compare(ours: &[Measure], theirs: &[Measure]) -> Result<BTreeMap<String, Metric>> {
    for side in ours.iter().chain(theirs) {
        if !(side.seconds.is_finite() && side.seconds > 0.0 && side.items > 0.0) {
            bail!("{} seconds for {} items is no measurement", side.seconds, side.items);
        }
    }
    for (own, peer) in ours.iter().zip(theirs) {
        if own.items != peer.items {
            bail!("our side measured {} items, the peer {}", own.items, peer.items);
        }
        if let (Some(a), Some(b)) = (own.value, peer.value)
            && (a - b).abs() > 1e-9
        {
            bail!("our side computes {a}, the peer {b}");
        }
    }
    let mut metrics = BTreeMap::new();
    let mut put = |name: &str, values: Vec<f64>| {
        if let Some(metric) = Metric::rounds(&values) {
            metrics.insert(name.to_owned(), metric);
        }
    };
    put("ratio", ours.iter().zip(theirs).map(|(own, peer)| own.seconds / peer.seconds).collect());
    put("seconds", ours.iter().map(|side| side.seconds).collect());
    put("items_per_second", ours.iter().map(|side| side.items / side.seconds).collect());
    put("peak_mb", ours.iter().filter_map(|side| side.peak_mb).collect());
    put("peer_seconds", theirs.iter().map(|side| side.seconds).collect());
    put("peer_peak_mb", theirs.iter().filter_map(|side| side.peak_mb).collect());
    Ok(metrics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(seconds: f64, items: f64, value: Option<f64>) -> Measure {
        Measure { seconds, items, value, peak_mb: Some(seconds * 100.0), device: None, version: None }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let ours = [side(1.0, 10.0, None), side(2.0, 10.0, None), side(3.0, 10.0, None)];
        let theirs = [side(4.0, 10.0, None), side(4.0, 10.0, None), side(4.0, 10.0, None)];
        let metrics = compare(&ours, &theirs).unwrap();
        assert_eq!(metrics["ratio"].values, [0.25, 0.5, 0.75]);
        assert_eq!(metrics["ratio"].mean, 0.5);
        assert_eq!(metrics["items_per_second"].high, Some(10.0));
        assert_eq!(metrics["peak_mb"].high, Some(300.0));
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let metrics = compare(&[side(1.0, 10.0, None)], &[]).unwrap();
        assert!(!metrics.contains_key("ratio") && metrics.contains_key("seconds"));
    }

    #[test]
    fn sides_that_did_different_work_are_refused() {
        let own = [side(1.0, 10.0, Some(0.8))];
        assert!(compare(&own, &[side(1.0, 11.0, Some(0.8))]).is_err());
        assert!(compare(&own, &[side(1.0, 10.0, Some(0.801))]).is_err());
        assert!(compare(&own, &[side(0.0, 10.0, Some(0.8))]).is_err());
    }
}
