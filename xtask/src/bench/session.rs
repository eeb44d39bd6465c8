//! What the benches of one call share: the interpreter of the peers, the number of threads, how a side is started.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use super::{BenchArgs, measure::Measure};
use crate::{process, workspace::Workspace};

/// A peer's script and what it needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// File in `xtask/peers`.
    pub(super) script: &'static str,
    /// Modules that Python must be able to import.
    pub(super) modules: &'static str,
    /// How to get them.
    pub(super) install: &'static str,
}

/// One call of `bench`.
pub(super) struct Session<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) args: &'a BenchArgs,
    python: PathBuf,
}

impl<'a> Session<'a> {
    pub(super) fn new(workspace: &'a Workspace, args: &'a BenchArgs) -> Self {
        let named = || env::var_os("GALEN_PYTHON").map(PathBuf::from);
        let python = args.python.clone().or_else(named).unwrap_or_else(|| "python3".into());
        Self { workspace, args, python }
    }

    /// The number of rounds asked for, else `usual`.
    pub(super) fn rounds(&self, usual: u32) -> u32 {
        self.args.rounds.unwrap_or(usual)
    }

    /// `--threads N` for a peer that takes it; nothing where each side chooses.
    pub(super) fn threads(&self) -> Vec<String> {
        self.args.threads.map_or_else(Vec::new, |threads| vec!["--threads".to_owned(), threads.to_string()])
    }

    /// What our program measures; the arguments that the user passes on come last.
    ///
    /// # Errors
    /// It fails, or its last line is no measurement.
    pub(super) fn own(&self, what: &str, program: &Path, args: &[String]) -> Result<Measure> {
        eprintln!("ours: {what}");
        let args = [args, &self.args.extra].concat();
        process::json(program, &args, &self.workspace.root, &self.environment())
    }

    /// What the peer measures.
    ///
    /// # Errors
    /// As [`Session::own`].
    pub(super) fn peer(&self, peer: &Peer, args: &[String]) -> Result<Measure> {
        eprintln!("peer: {}", peer.script);
        let script = self.workspace.root.join("xtask").join("peers").join(peer.script);
        let mut words = vec![script.display().to_string()];
        words.extend_from_slice(args);
        process::json(&self.python, &words, &self.workspace.root, &self.environment())
    }

    /// `peer` if it can run here; if not, how to make it, on standard error.
    ///
    /// # Errors
    /// It cannot, and the user insists on it.
    pub(super) fn usable(&self, what: &str, peer: Peer) -> Result<Option<Peer>> {
        let found = Command::new(&self.python)
            .args(["-c", &format!("import {}", peer.modules)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if found {
            return Ok(Some(peer));
        }
        let (python, Peer { modules, install, .. }) = (self.python.display(), peer);
        if self.args.peer {
            bail!("{python} cannot import {modules}; `{install}`, then --python or $GALEN_PYTHON");
        }
        eprintln!(
            "{what}: {python} cannot import {modules}; only our side is measured, and nothing is recorded. To compare: `{install}`, then --python or $GALEN_PYTHON"
        );
        Ok(None)
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(threads) = self.args.threads else { return Vec::new() };
        ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, threads.to_string())).into()
    }
}
