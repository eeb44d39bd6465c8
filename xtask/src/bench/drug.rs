//! The benches of `galen-drug`.
//!
//! `galen-drug bench export --out FILE` writes the inputs, so that both sides work on the same ones.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Instant};

use anyhow::{Context, Result, bail};

use super::{
    Which,
    measure::{Measure, Rounds},
    outcome::{Outcome, at_most},
    session::{Peer, Session},
};
use crate::{
    experiment::Bound,
    manifest::{Manifest, digests},
    process,
    results::Metric,
};

/// Rounds where the user asks for no number.
const ROUNDS: u32 = 3;

/// The pipeline and the inputs that it wrote for both sides.
pub(super) struct Drug<'a> {
    session: &'a Session<'a>,
    binary: PathBuf,
    inputs: PathBuf,
}

fn peer(which: Which) -> Option<Peer> {
    let (script, modules, install) = match which {
        Which::Deepdta => ("torch_deepdta_epoch.py", "torch", "pip install torch"),
        Which::Ci => ("lifelines_ci.py", "lifelines", "pip install lifelines"),
        Which::Tokens => ("python_tokens.py", "numpy", "pip install numpy"),
        Which::Fingerprints => ("rdkit_fingerprints.py", "rdkit", "pip install rdkit"),
        _ => return None,
    };
    Some(Peer { script, modules, install })
}

/// What a bench is meant to reach.
fn targets(which: Which) -> BTreeMap<String, Bound> {
    match which {
        Which::Deepdta => BTreeMap::from([
            at_most("ratio", 0.25, "an epoch at least four times faster than the plain PyTorch network"),
            at_most("peak_mb", 4096.0, "training fits into 4 GB"),
            at_most("screen_seconds", 60.0, "100,000 molecules against one target in a minute"),
        ]),
        _ => BTreeMap::new(),
    }
}

impl<'a> Drug<'a> {
    /// Builds the pipeline and writes the inputs.
    ///
    /// # Errors
    /// The build or the export fails.
    pub(super) fn prepare(session: &'a Session<'a>) -> Result<Self> {
        let workspace = session.workspace;
        let binary = workspace.binary(&workspace.pipeline("drug")?)?;
        let folder = workspace.scratch("bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let drug = Self { session, binary, inputs: std::path::absolute(folder.join("inputs.json"))? };
        drug.export()?;
        Ok(drug)
    }

    fn export(&self) -> Result<()> {
        let inputs = self.inputs.display().to_string();
        let args = [self.own_args(&["export", "--out", &inputs]), self.session.args.extra.clone()].concat();
        process::run(&self.binary, &args, &self.session.workspace.root)?;
        if !self.inputs.is_file() {
            bail!("the export left no {inputs}");
        }
        Ok(())
    }

    fn own_args(&self, words: &[&str]) -> Vec<String> {
        let mut args = vec!["bench".to_owned()];
        args.extend(words.iter().map(|&word| word.to_owned()));
        args.extend(["--data-root".to_owned(), self.session.workspace.any_data_root().display().to_string()]);
        args
    }

    fn own(&self, which: Which) -> Result<Measure> {
        let (name, batches) = (which.name(), self.session.args.batches.to_string());
        let mut words = vec![name.as_str(), "--json"];
        if which == Which::Deepdta {
            words.extend(["--batches", batches.as_str()]);
        }
        self.session.own(&name, &self.binary, &self.own_args(&words))
    }

    fn peer(&self, which: Which, peer: &Peer) -> Result<Measure> {
        let mut args = vec![self.inputs.display().to_string()];
        if which == Which::Deepdta {
            args.extend(["--batches".to_owned(), self.session.args.batches.to_string()]);
            args.extend(self.session.threads());
        }
        self.session.peer(peer, &args)
    }

    /// Hashes of the data sets that the bench reads.
    fn data(&self, which: Which) -> Result<BTreeMap<String, String>> {
        let workspace = self.session.workspace;
        let mut sets = Vec::new();
        // Another table than the usual one stands among the arguments, which are recorded.
        if !self.session.args.extra.iter().any(|arg| arg == "--data" || arg.starts_with("--data=")) {
            sets.push("davis");
        }
        // Where the molecules of the screen are from.
        if matches!(which, Which::Deepdta | Which::Screen) {
            sets.push("zinc250k_part");
        }
        let manifest = Manifest::load(workspace)?;
        let mut found = BTreeMap::new();
        for set in sets {
            let files = manifest.get(set)?.files.iter().map(|file| file.path.as_str());
            found.extend(digests(workspace.any_data_root(), files)?);
        }
        Ok(found)
    }

    /// Runs one bench.
    ///
    /// # Errors
    /// A side fails, or the two sides come to different results.
    pub(super) fn measure(&self, which: Which) -> Result<Outcome> {
        let began = Instant::now();
        let peer = match peer(which) {
            Some(peer) => self.session.usable(&which.name(), peer)?,
            None => None,
        };
        let data = self.data(which)?;
        let theirs = peer.map(|peer| move || self.peer(which, &peer));
        let count = self.session.rounds(ROUNDS);
        let rounds = Rounds::take(count, || self.own(which), theirs.as_ref())?;
        let mut metrics = rounds.compare()?;
        if which == Which::Deepdta {
            metrics.insert("screen_seconds".to_owned(), Metric::single(self.own(Which::Screen)?.seconds));
        }
        Ok(Outcome {
            domain: "drug",
            data,
            complete: metrics.contains_key("ratio"),
            metrics,
            bounds: targets(which),
            protocol: "our time divided by the peer's".to_owned(),
            rounds: count,
            device: rounds.device(),
            peer: rounds.peer(),
            peak_mb: rounds.peak_mb(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}
