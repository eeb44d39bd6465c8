//! `bench steps`: a training step of five networks, against the same networks in PyTorch.
//!
//! Our side is the example `steps` of the package `tests`, theirs `xtask/peers/torch_steps.py`. Each workload of each round runs in a
//! process of its own on either side, so that its peak of memory is its own.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::{
    measure::{Measure, Rounds, each, named},
    outcome::{Outcome, at_most},
    session::{Peer, Session},
};
use crate::{experiment::Bound, results::Metric};

/// Rounds where the user asks for no number.
const ROUNDS: u32 = 7;
/// Our largest memory divided by PyTorch's.
const MEMORY: f64 = 1.2;

const PEER: Peer = Peer { script: "torch_steps.py", modules: "torch", install: "pip install torch" };

/// One network with its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Workload {
    /// U-Net in two dimensions
    Unet2d,
    /// U-Net in three dimensions
    Unet3d,
    /// The convolutional network of Basset
    Cnn1d,
    /// Embedding and a GRU
    Gru,
    /// DeepDTA
    Deepdta,
}

impl Workload {
    /// Name of the workload and of its metric.
    fn name(self) -> &'static str {
        match self {
            Self::Unet2d => "unet2d",
            Self::Unet3d => "unet3d",
            Self::Cnn1d => "cnn1d",
            Self::Gru => "gru",
            Self::Deepdta => "deepdta",
        }
    }

    /// What our time divided by PyTorch's may be at most, and why that.
    fn target(self) -> (f64, &'static str) {
        match self {
            Self::Unet2d => (1.15, "PyTorch stands at the rate of a large matrix product; room for 15 %"),
            Self::Unet3d => (1.2, "as in two dimensions, with more of the time in memory traffic"),
            Self::Cnn1d => (1.0, "as fast as PyTorch"),
            Self::Gru => (0.8, "faster than PyTorch: one buffer for all times"),
            Self::Deepdta => (0.25, "four times faster: each distinct string of a batch is encoded once"),
        }
    }
}

/// Runs the bench.
///
/// # Errors
/// A side fails, or the two sides train different networks.
pub(super) fn measure(session: &Session) -> Result<Outcome> {
    let began = Instant::now();
    let peer = session.usable("steps", PEER)?;
    let program = session.workspace.example("tests", "steps")?;
    let wanted = |workload: &Workload| session.args.only.is_empty() || session.args.only.contains(workload);
    let count = session.rounds(ROUNDS);
    let (mut metrics, mut bounds) = (BTreeMap::new(), BTreeMap::new());
    let mut all = Rounds { ours: Vec::new(), theirs: Vec::new() };
    for &workload in Workload::value_variants().iter().filter(|&workload| wanted(workload)) {
        let name = workload.name();
        let args = ["--only", name, "--steps", &session.args.steps.to_string()].map(str::to_owned);
        let own_args = [args.as_slice(), &["--json".to_owned()]].concat();
        let peer_args = [args.as_slice(), &session.threads()].concat();
        let theirs = peer.as_ref().map(|peer| move || session.peer(peer, &peer_args));
        let own = || session.own(&format!("steps, {name}"), &program, &own_args);
        let rounds = Rounds::take(count, own, theirs.as_ref())?;
        metrics.extend(compare(name, &rounds).with_context(|| format!("workload {name}"))?);
        bounds.extend(targets(workload));
        all.ours.extend(rounds.ours);
        all.theirs.extend(rounds.theirs);
    }
    let part = !session.args.only.is_empty();
    if part && peer.is_some() && !session.args.no_record {
        eprintln!("steps: a part of the workloads is no result; nothing is recorded");
    }
    Ok(Outcome {
        domain: "foundations",
        data: BTreeMap::new(),
        metrics,
        bounds,
        protocol: format!(
            "time of a training step and peak memory, ours divided by PyTorch's, each of {} steps after two to warm up",
            session.args.steps
        ),
        rounds: count,
        device: all.device(),
        peer: all.peer(),
        peak_mb: all.peak_mb(),
        seconds: began.elapsed().as_secs_f64(),
        complete: peer.is_some() && !part,
    })
}

/// The metrics of the workload `name`: `NAME` is our time divided by the peer's.
fn compare(name: &str, rounds: &Rounds) -> Result<BTreeMap<String, Metric>> {
    rounds.check()?;
    // A program that cannot read its memory off the system may say 0.
    let peak = |side: &Measure| side.peak_mb.filter(|&peak| peak > 0.0);
    let memory = rounds.paired(|own, peer| Some(peak(own)? / peak(peer)?));
    Ok(named([
        (name.to_owned(), rounds.paired(|own, peer| Some(own.seconds / peer.seconds))),
        (format!("{name}_memory"), memory),
        (format!("{name}_seconds"), each(&rounds.ours, |side| Some(side.seconds))),
        (format!("{name}_peak_mb"), each(&rounds.ours, peak)),
        (format!("{name}_page_faults"), each(&rounds.ours, |side| side.page_faults)),
        (format!("{name}_peer_seconds"), each(&rounds.theirs, |side| Some(side.seconds))),
        (format!("{name}_peer_peak_mb"), each(&rounds.theirs, peak)),
    ]))
}

/// What the workload is meant to reach.
fn targets(workload: Workload) -> BTreeMap<String, Bound> {
    let (name, (most, why)) = (workload.name(), workload.target());
    let memory = format!("{name}_memory");
    BTreeMap::from([at_most(name, most, why), at_most(&memory, MEMORY, "about the memory that PyTorch takes")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::broken;

    fn side(seconds: f64, peak_mb: Option<f64>) -> Measure {
        Measure { seconds, items: 5.0, peak_mb, page_faults: Some(12.0), ..Measure::default() }
    }

    #[test]
    fn a_workload_is_called_what_the_command_line_calls_it() {
        for workload in Workload::value_variants() {
            assert_eq!(workload.to_possible_value().unwrap().get_name(), workload.name());
        }
    }

    #[test]
    fn time_and_memory_are_divided_round_by_round() {
        let ours = vec![side(1.0, Some(100.0)), side(3.0, Some(300.0)), side(2.0, Some(150.0))];
        let theirs = vec![side(2.0, Some(100.0)), side(2.0, Some(200.0)), side(2.0, Some(300.0))];
        let metrics = compare("gru", &Rounds { ours, theirs }).unwrap();
        assert_eq!(metrics["gru"].values, [0.5, 1.5, 1.0]);
        assert_eq!((metrics["gru"].mean, metrics["gru"].low, metrics["gru"].high), (1.0, Some(0.5), Some(1.5)));
        assert_eq!(metrics["gru_memory"].values, [1.0, 1.5, 0.5]);
        assert_eq!((metrics["gru_seconds"].mean, metrics["gru_peer_seconds"].mean), (2.0, 2.0));
        assert_eq!(metrics["gru_page_faults"].mean, 12.0);
    }

    #[test]
    fn a_side_that_does_not_know_its_memory_gives_no_ratio_of_it() {
        let rounds = Rounds { ours: vec![side(1.0, Some(1.0))], theirs: vec![side(1.0, None)] };
        let metrics = compare("gru", &rounds).unwrap();
        assert!(metrics.contains_key("gru") && !metrics.contains_key("gru_memory"));
        let failures = broken(&targets(Workload::Gru), &metrics, &BTreeMap::new());
        assert!(failures.iter().any(|failure| failure == "gru_memory was not measured"), "{failures:?}");
    }
}
