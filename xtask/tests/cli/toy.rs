//! A small workspace whose pipeline and cargo are shell scripts.

use std::{
    fs,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::{program, sha256, write, xtask};

/// Two steps of the same arguments, one with a published value.
pub(crate) const EXPERIMENT: &str = r#"
title = "a test"
domain = "toy"
paper = "nobody"
citation = "nowhere"
dataset = "one"
protocol = "as it comes"
cost = "nothing"
smoke = ["--epochs", "1"]

[[step]]
name = "first"
args = ["train", "--data", "{data}/toy", "--epochs", "9", "--run-dir", "{run}"]

[[step]]
name = "second"
args = ["train", "--data", "{data}/toy", "--epochs", "9", "--run-dir", "{run}"]

[published."first.mse"]
value = 0.30
source = "a later paper"
seen = false

[bounds."first.mse"]
max = 0.31
why = "the paper"

[bounds."second.mse"]
below = "mean"
why = "must have learnt"
"#;

/// Stands for cargo: notes what is asked of it, and names the pipeline as what it has built.
const CARGO: &str = r#"#!/bin/sh
here="$(dirname "$0")"
echo "$*" >> "$here/builds"
echo "{\"target\":{\"name\":\"galen-toy\"},\"executable\":\"$here/galen-toy\"}"
"#;

/// Writes its arguments and the metrics that a pipeline would.
pub(crate) const PIPELINE: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --run-dir) run="$2" ;;
    --fail) echo "asked to fail" >&2; exit 1 ;;
  esac
  echo "$1" >> "$(dirname "$0")/arguments"
  shift
done
mkdir -p "$run"
echo "<html></html>" > "$run/report.html"
cat > "$run/metrics.json" <<END
{"task":"toy","models":2,"seeds":[1,2],"epochs":[9,9],"metrics":{"mse":{"mean":0.305,"sd":0.01,"values":[0.295,0.315],"low":0.29,"high":0.32}},
"baselines":{"mean":{"mse":0.8},"neighbours":{"mse":{"mean":0.4}}},"device":"cpu","wall_seconds":1.0,"peak_mb":12.5,"version":"0","commit":"x"}
END
"#;

/// A workspace with the domain `toy`.
pub(crate) struct Toy {
    pub(crate) root: TempDir,
}

impl Toy {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let manifest = format!(
            "[[dataset]]\nname = 'one'\ndomain = 'toy'\nabout = 'a'\nsource = 's'\nlicence = 'l'\n\
             [[dataset.file]]\npath = 'toy/file'\nbytes = 3\nsha256 = '{}'\nnote = 'n'\n",
            sha256(b"abc")
        );
        write(root.path(), "data/manifest.toml", manifest);
        write(root.path(), "data/raw/toy/file", "abc");
        write(root.path(), "data/experiments/toy/test.toml", EXPERIMENT);
        write(root.path(), "pipelines/toy/Cargo.toml", "");
        write(root.path(), "README.md", "# Toy\n<!-- results:begin -->\n<!-- results:end -->\nend\n");
        program(root.path(), "bin/galen-toy", PIPELINE);
        program(root.path(), "bin/cargo", CARGO);
        Self { root }
    }

    /// Runs xtask with the finished pipeline.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.xtask().arg("--bin-dir").arg(self.root.path().join("bin")).args(args).output().unwrap()
    }

    /// Runs xtask with a pipeline that has to be built.
    pub(crate) fn build(&self, args: &[&str]) -> Output {
        self.xtask().args(args).env("CARGO", self.root.path().join("bin/cargo")).output().unwrap()
    }

    fn xtask(&self) -> Command {
        let root = self.root.path();
        let mut command = xtask(root);
        command.env("CARGO_TARGET_DIR", root.join("target"));
        command
    }

    fn lines(&self, path: &str) -> Vec<String> {
        let text = fs::read_to_string(self.root.path().join(path)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What was recorded.
    pub(crate) fn results(&self) -> Vec<String> {
        self.lines("data/results.jsonl")
    }

    /// What the pipeline was given, a word a line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        self.lines("bin/arguments")
    }

    /// What cargo was given, a call a line.
    pub(crate) fn builds(&self) -> Vec<String> {
        self.lines("bin/builds")
    }
}
