//! `cargo xtask data`: what data sets there are, whether they are intact, and their download.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use crate::{
    fetch::{Patience, fetch},
    manifest::{Dataset, Manifest, State, byte_bar},
    text,
    workspace::Workspace,
};

/// Arguments of `data`.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every data set: what is present, what can be fetched, source and licence
    List,
    /// Compare files on disk with the manifest, by size and SHA-256
    Verify {
        /// Data sets (default: those that are present)
        names: Vec<String>,
    },
    /// Download the files that have an address; fails while one without is needed and absent
    Get(GetArgs),
}

#[derive(Debug, Args)]
struct GetArgs {
    /// Data sets
    #[arg(required = true)]
    names: Vec<String>,
    /// Replace files that differ from the manifest
    #[arg(long)]
    replace: bool,
    /// Requests in a row that bring nothing before a file is given up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,
    /// Seconds after which a connection is given up that brings nothing, or less than 1 kB in a second
    #[arg(long, default_value_t = 30.0, value_parser = seconds, value_name = "SECONDS")]
    stall: f64,
    /// Seconds to wait before a request is repeated, times the failures so far
    #[arg(long, default_value_t = 1.0, value_parser = seconds, value_name = "SECONDS")]
    retry_wait: f64,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=86_400.0).contains(&value) => Ok(value),
        _ => Err("expected seconds, 0 to 86400".to_owned()),
    }
}

/// Runs the verb.
///
/// # Errors
/// The manifest is broken, a name is unknown, a file differs from the manifest or cannot be had.
pub(crate) fn run(workspace: &Workspace, args: &DataArgs) -> Result<()> {
    let manifest = Manifest::load(workspace)?;
    match &args.action {
        Action::List => list(workspace, &manifest),
        Action::Verify { names } => verify(workspace, &manifest, names),
        Action::Get(get_args) => get(workspace, &manifest, get_args),
    }
}

fn list(workspace: &Workspace, manifest: &Manifest) -> Result<()> {
    let mut rows = Vec::new();
    let mut origins = String::new();
    for dataset in &manifest.datasets {
        let root = workspace.data_root(dataset);
        let present = dataset.files.iter().filter(|file| file.at(root).is_file()).count();
        let replaced = dataset.files.iter().filter(|file| !file.at(root).is_file() && file.is_replaced(root)).count();
        let fetchable = dataset.files.iter().filter(|file| file.url.is_some()).count();
        let total = dataset.files.len();
        let state = match present {
            0 => "absent".to_owned(),
            some if some + replaced == total => "present".to_owned(),
            some => format!("{some} of {total} files"),
        };
        rows.push(vec![
            dataset.name.clone(),
            dataset.domain.clone(),
            state,
            text::size(dataset.files.iter().map(|file| file.bytes).sum()),
            format!("{fetchable} of {total}"),
            dataset.about.clone(),
        ]);
        let _ = writeln!(origins, "{}: {}. Licence: {}", dataset.name, dataset.source, dataset.licence);
    }
    let head = ["data set", "domain", "state", "size", "fetchable", "what"];
    text::print(&format!("{}\n{origins}\nlooked in: {}\n", text::table(&head, &rows), workspace.data_roots_text()))
}

fn verify(workspace: &Workspace, manifest: &Manifest, names: &[String]) -> Result<()> {
    let mut good = 0;
    let mut wrong = Vec::new();
    let mut absent_sets = Vec::new();
    for dataset in manifest.select(names)? {
        let root = workspace.data_root(dataset);
        let here = dataset.files.iter().any(|file| file.at(root).is_file());
        if !here && names.is_empty() {
            absent_sets.push(dataset.name.as_str());
            continue;
        }
        let states = states(dataset, workspace)?;
        for (file, state) in dataset.files.iter().zip(states) {
            match state {
                State::Good => good += 1,
                State::Replaced => {}
                State::Absent => wrong.push(format!("{}: absent", file.at(root).display())),
                State::Different(how) => wrong.push(format!("{}: {how}", file.at(root).display())),
            }
        }
    }
    let mut report = format!("{good} files are what the manifest says, {} are not\n", wrong.len());
    for line in &wrong {
        report.push_str(line);
        report.push('\n');
    }
    if !absent_sets.is_empty() {
        let _ = writeln!(report, "not present: {}", absent_sets.join(", "));
    }
    text::print(&report)?;
    if !wrong.is_empty() {
        bail!(
            "{} files are absent or differ; `cargo xtask data get NAME --replace` fetches those that have an address",
            wrong.len()
        );
    }
    if good == 0 {
        bail!("no data set is present in {}", workspace.data_roots_text());
    }
    Ok(())
}

/// The state of each file of `dataset`, with a progress bar over all of them.
///
/// # Errors
/// A file is there and cannot be read.
pub(crate) fn states(dataset: &Dataset, workspace: &Workspace) -> Result<Vec<State>> {
    let bar = byte_bar(dataset.files.iter().map(|file| file.bytes).sum()).with_message(dataset.name.clone());
    let root = workspace.data_root(dataset);
    let states = dataset.files.iter().map(|file| file.state(root, &bar)).collect();
    bar.finish_and_clear();
    states
}

fn get(workspace: &Workspace, manifest: &Manifest, args: &GetArgs) -> Result<()> {
    let patience = Patience {
        tries: args.tries,
        stall: Duration::from_secs_f64(args.stall.max(0.001)),
        wait: Duration::from_secs_f64(args.retry_wait),
    };
    let (mut failures, mut by_hand) = (0, 0);
    for dataset in manifest.select(&args.names)? {
        let (failed, missed) = get_one(workspace, dataset, args.replace, &patience)?;
        failures += failed;
        by_hand += missed;
    }
    if failures > 0 {
        bail!("{failures} files could not be fetched; the messages above say why");
    }
    if by_hand > 0 {
        bail!("{by_hand} files have no address and are not there; put those named above in place by hand");
    }
    Ok(())
}

/// Fetches what is missing of `dataset`; returns how many files failed, and how many are still missed because they have no address.
fn get_one(workspace: &Workspace, dataset: &Dataset, replace: bool, patience: &Patience) -> Result<(usize, usize)> {
    let root = workspace.data_root(dataset);
    let (mut there, mut fetched, mut failures) = (0, 0, 0);
    let mut without = Vec::new();
    for (file, state) in dataset.files.iter().zip(states(dataset, workspace)?) {
        let path = file.at(root);
        match (&state, &file.url) {
            (State::Good, _) => there += 1,
            (State::Different(how), None) => {
                eprintln!("{}: {how}; it has no address, put the right one in its place by hand", path.display());
                failures += 1;
            }
            (State::Different(how), Some(_)) if !replace => {
                eprintln!("{}: {how}; left as it is, pass --replace to fetch it anew", path.display());
                failures += 1;
            }
            (_, Some(url)) => {
                let bar: ProgressBar = byte_bar(file.bytes).with_message(file.path.clone());
                let outcome = fetch(file, url, &path, patience, &bar);
                bar.finish_and_clear();
                match outcome {
                    Ok(()) => fetched += 1,
                    Err(error) => {
                        eprintln!("{}: {error:#}", file.path);
                        failures += 1;
                    }
                }
            }
            (State::Absent | State::Replaced, None) => without.push(file),
        }
    }
    // What was fetched just now may do in the place of one of them.
    without.retain(|file| !file.is_replaced(root));
    let mut report = format!("{}: {fetched} fetched, {there} already there, {failures} failed\n", dataset.name);
    if !without.is_empty() {
        report.push_str(
            "files without an address, to be put in place by hand and checked with `cargo xtask data verify`:\n",
        );
    }
    for file in &without {
        let why = file.derived.as_deref().or(file.note.as_deref()).unwrap_or_default();
        let other = file.replaced_by.as_ref().map_or_else(String::new, |path| format!("; {path} will do instead"));
        let _ = writeln!(report, "  {} ({why}{other})", file.at(root).display());
    }
    text::print(&report)?;
    Ok((failures, without.len()))
}
