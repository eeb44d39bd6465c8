//! What a bench found, and its line in `data/results.jsonl`.

use std::{collections::BTreeMap, thread};

use anyhow::Result;

use super::session::Session;
use crate::{
    experiment::Bound,
    results::{self, Entry, Metric},
    text,
};

/// One bench: metrics, and what to say about where they come from.
pub(super) struct Outcome {
    pub(super) domain: &'static str,
    /// SHA-256 of the files of data sets that went in.
    pub(super) data: BTreeMap<String, String>,
    pub(super) metrics: BTreeMap<String, Metric>,
    /// What the bench is meant to reach.
    pub(super) bounds: BTreeMap<String, Bound>,
    /// What was compared and how, in words.
    pub(super) protocol: String,
    pub(super) rounds: u32,
    pub(super) device: String,
    /// Name and version.
    pub(super) peer: Option<String>,
    /// Largest memory of our side.
    pub(super) peak_mb: Option<f64>,
    pub(super) seconds: f64,
    /// Whether it is a result: our side alone, or a part of a bench, is none.
    pub(super) complete: bool,
}

impl Outcome {
    /// Adds the result to the others, unless it is none or the user wants none; says which targets were missed.
    ///
    /// # Errors
    /// The results cannot be written.
    pub(super) fn record(self, name: &str, session: &Session) -> Result<()> {
        if session.args.no_record || !self.complete {
            return Ok(());
        }
        let failures = results::broken(&self.bounds, &self.metrics, &BTreeMap::new());
        for failure in &failures {
            eprintln!("{name}: target missed: {failure}");
        }
        let threads = session.args.threads.map_or_else(String::new, |threads| format!(", {threads} threads"));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let entry = Entry {
            experiment: format!("bench-{name}"),
            domain: self.domain.to_owned(),
            commit: session.workspace.commit(),
            built_from: Vec::new(),
            date: text::now()?,
            device: self.device,
            seeds: Vec::new(),
            models: 0,
            epochs: Vec::new(),
            data: self.data,
            protocol: format!(
                "{}, {} rounds in turns on {cores} cores{threads}; median and range",
                self.protocol, self.rounds
            ),
            arguments: session.args.extra.clone(),
            note: self.peer.map(|peer| format!("Peer: {peer}.")),
            metrics: self.metrics,
            baselines: BTreeMap::new(),
            published: BTreeMap::new(),
            bounds: self.bounds,
            passed: failures.is_empty(),
            failures,
            wall_seconds: text::milliseconds(self.seconds),
            peak_mb: self.peak_mb,
        };
        results::append(session.workspace, &entry)
    }
}

/// A bound from above.
pub(super) fn at_most(name: &str, max: f64, why: &str) -> (String, Bound) {
    (name.to_owned(), Bound { max: Some(max), min: None, below: None, above: None, why: why.to_owned() })
}

/// A bound from below.
pub(super) fn at_least(name: &str, min: f64, why: &str) -> (String, Bound) {
    (name.to_owned(), Bound { max: None, min: Some(min), below: None, above: None, why: why.to_owned() })
}
