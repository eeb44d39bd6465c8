//! `bench skipgram`: skip-gram with negative sampling, against gensim on the same corpus with as many threads.
//!
//! Our side is the example `skip_gram_bench` of `nn-core`, which writes the corpus, theirs `xtask/peers/gensim_skip_gram.py`. Unlike that of
//! the other benches the ratio is one of speeds, so more is better.

use std::{collections::BTreeMap, fs, thread, time::Instant};

use anyhow::{Context, Result};

use super::{
    measure::{Measure, Rounds, each, named},
    outcome::{Outcome, at_least},
    session::{Peer, Session},
};
use crate::results::Metric;

/// Rounds where the user asks for no number.
const ROUNDS: u32 = 3;

const PEER: Peer = Peer { script: "gensim_skip_gram.py", modules: "gensim", install: "pip install gensim" };

/// Runs the bench.
///
/// # Errors
/// A side fails, or the two sides read different corpora.
pub(super) fn measure(session: &Session) -> Result<Outcome> {
    let began = Instant::now();
    let peer = session.usable("skipgram", PEER)?;
    let program = session.workspace.example("nn-core", "skip_gram_bench")?;
    let folder = session.workspace.scratch("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let corpus = std::path::absolute(folder.join("skip_gram.txt"))?.display().to_string();
    // Either side takes one thread unless it is told: both are told the same.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = session.args.threads.map_or(cores, |threads| threads as usize).to_string();
    let own_args = ["--corpus", &corpus, "--threads", &threads].map(str::to_owned);
    let peer_args = [corpus.as_str(), "--threads", &threads].map(str::to_owned);
    let theirs = peer.as_ref().map(|peer| move || session.peer(peer, &peer_args));
    let count = session.rounds(ROUNDS);
    // Our side goes first in the first round, so that the corpus is there.
    let rounds = Rounds::take(count, || session.own("skipgram", &program, &own_args), theirs.as_ref())?;
    Ok(Outcome {
        domain: "foundations",
        data: BTreeMap::new(),
        metrics: compare(&rounds)?,
        bounds: BTreeMap::from([at_least("ratio", 1.0, "at least as many tokens per second as gensim")]),
        protocol: format!(
            "our tokens per second divided by the peer's (the other benches divide times: here more is better), {threads} threads each"
        ),
        rounds: count,
        device: rounds.device(),
        peer: rounds.peer(),
        peak_mb: rounds.peak_mb(),
        seconds: began.elapsed().as_secs_f64(),
        complete: peer.is_some(),
    })
}

fn compare(rounds: &Rounds) -> Result<BTreeMap<String, Metric>> {
    rounds.check()?;
    let speed = |side: &Measure| side.items / side.seconds;
    Ok(named([
        ("ratio", rounds.paired(|own, peer| Some(speed(own) / speed(peer)))),
        ("tokens_per_second", each(&rounds.ours, |side| Some(speed(side)))),
        ("seconds", each(&rounds.ours, |side| Some(side.seconds))),
        ("peak_mb", each(&rounds.ours, |side| side.peak_mb)),
        ("peer_tokens_per_second", each(&rounds.theirs, |side| Some(speed(side)))),
        ("peer_seconds", each(&rounds.theirs, |side| Some(side.seconds))),
        ("peer_peak_mb", each(&rounds.theirs, |side| side.peak_mb)),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_one_of_speeds() {
        let side = |seconds: f64, items: f64| Measure { seconds, items, ..Measure::default() };
        let rounds = Rounds { ours: vec![side(2.0, 100.0)], theirs: vec![side(8.0, 100.0)] };
        let metrics = compare(&rounds).unwrap();
        assert_eq!(metrics["ratio"].mean, 4.0);
        assert_eq!((metrics["tokens_per_second"].mean, metrics["peer_tokens_per_second"].mean), (50.0, 12.5));
        assert!(compare(&Rounds { ours: vec![side(2.0, 100.0)], theirs: vec![side(8.0, 99.0)] }).is_err());
    }
}
