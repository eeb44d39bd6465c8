//! `bench` with shell scripts for our programs and for Python.

use std::{fs, process::Output};

use tempfile::TempDir;

use crate::{fails_with, program, sha256, stderr, stdout, succeeds, write, xtask};

/// Our side: notes that it ran, and prints what a bench of ours prints.
const OURS: &str = r#"#!/bin/sh
name="$(basename "$0")"
steps=1
[ "$1 $2" = "bench export" ] && name=export
while [ $# -gt 0 ]; do
  case "$1" in
    --only) name="$2" ;;
    --steps) steps="$2" ;;
    --corpus) words="$words $(basename "$2")" ;;
    --threads) words="$words $2" ;;
    --out) echo "{}" > "$2" ;;
  esac
  shift
done
echo "ours $name$words" >> "$(dirname "$0")/log"
echo "a line before the last"
echo "{\"name\":\"$name\",\"seconds\":0.5,\"items\":$steps,\"peak_mb\":300.0,\"page_faults\":7,\"params\":12,\"device\":\"cpu\",\"version\":\"galen 0\"}"
"#;

/// Python: has every module unless there is a file `bare` beside it, and prints what a peer prints.
const PYTHON: &str = r#"#!/bin/sh
here="$(dirname "$0")"
if [ "$1" = "-c" ]; then
  [ ! -e "$here/bare" ]
  exit
fi
name="$(basename "$1")"
steps=1
while [ $# -gt 0 ]; do
  case "$1" in
    --only) name="$2" ;;
    --steps) steps="$2" ;;
    --threads) words="$words $2" ;;
  esac
  shift
done
echo "peer $name$words" >> "$here/log"
echo "{\"seconds\":1.0,\"items\":$steps,\"peak_mb\":200.0,\"params\":${PEER_PARAMS:-12},\"version\":\"peer 1\"}"
"#;

/// A workspace whose programs are all scripts.
struct Fake {
    root: TempDir,
}

impl Fake {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let manifest = "[[dataset]]\nname = 'davis'\ndomain = 'drug'\nabout = 'a'\nsource = 's'\nlicence = 'l'\n\
                        [[dataset.file]]\npath = 'drug/davis/Y'\nbytes = 3\nsha256 = 'SHA'\nnote = 'n'\n";
        write(root.path(), "data/manifest.toml", manifest.replace("SHA", &sha256(b"abc")));
        write(root.path(), "data/raw/drug/davis/Y", "abc");
        write(root.path(), "pipelines/drug/Cargo.toml", "");
        for name in ["steps", "skip_gram_bench", "galen-drug"] {
            program(root.path(), &format!("bin/{name}"), OURS);
        }
        program(root.path(), "bin/python", PYTHON);
        Self { root }
    }

    fn bench(&self, args: &[&str], params: &str) -> Output {
        let root = self.root.path();
        xtask(root)
            .arg("--bin-dir")
            .arg(root.join("bin"))
            .args(["bench", "--python"])
            .arg(root.join("bin/python"))
            .args(args)
            .env("CARGO_TARGET_DIR", root.join("target"))
            .env("PEER_PARAMS", params)
            .output()
            .unwrap()
    }

    fn without_peers(self) -> Self {
        write(self.root.path(), "bin/bare", "");
        self
    }

    fn lines(&self, path: &str) -> Vec<String> {
        let text = fs::read_to_string(self.root.path().join(path)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn log(&self) -> Vec<String> {
        self.lines("bin/log")
    }

    fn results(&self) -> Vec<String> {
        self.lines("data/results.jsonl")
    }
}

#[test]
fn steps_are_taken_in_turns_and_recorded_as_one_result() {
    let fake = Fake::new();
    let output = fake.bench(&["steps", "--peer", "--rounds", "2"], "12");
    succeeds(&output);
    let log = fake.log();
    assert_eq!(log.len(), 5 * 2 * 2);
    assert_eq!(log[..5], ["ours unet2d", "peer unet2d", "peer unet2d", "ours unet2d", "ours unet3d"]);
    let results = fake.results();
    assert_eq!(results.len(), 1);
    for expected in [
        r#""experiment":"bench-steps","domain":"foundations""#,
        r#""gru":{"mean":0.5,"low":0.5,"high":0.5,"values":[0.5,0.5]}"#,
        r#""gru_memory":{"mean":1.5,"#,
        r#""unet2d_seconds":{"mean":0.5,"#,
        r#""deepdta_peer_seconds":{"mean":1.0,"#,
        r#""cnn1d_page_faults":{"mean":7.0,"#,
        r#""unet3d":{"max":1.2,"#,
        "each of 5 steps after two to warm up, 2 rounds in turns on",
        r#""note":"Peer: peer 1.""#,
        r#""passed":false"#,
        r#""peak_mb":300.0}"#,
    ] {
        assert!(results[0].contains(expected), "no {expected} in {}", results[0]);
    }
    for missed in ["deepdta is 0.5000, more than 0.2500", "gru_memory is 1.5000, more than 1.2000"] {
        assert!(stderr(&output).contains(missed), "no {missed:?} in {}", stderr(&output));
    }
    assert!(!stderr(&output).contains("missed: gru is"), "{}", stderr(&output));
}

#[test]
fn networks_of_different_size_are_not_compared() {
    let fake = Fake::new();
    let output = fake.bench(&["steps", "--rounds", "1"], "13");
    fails_with(&output, "bench steps: workload unet2d: our side trains 12 parameters, the peer 13");
    assert!(fake.results().is_empty());
}

#[test]
fn a_part_of_the_workloads_is_shown_and_not_recorded() {
    let fake = Fake::new();
    let output = fake.bench(&["steps", "--only", "gru,cnn1d", "--rounds", "1", "--threads", "3"], "12");
    succeeds(&output);
    assert_eq!(fake.log(), ["ours cnn1d", "peer cnn1d 3", "ours gru", "peer gru 3"]);
    let shown = |metric: &str| stdout(&output).lines().any(|line| line.split_whitespace().nth(1) == Some(metric));
    assert!(shown("gru") && shown("cnn1d_memory") && !shown("unet2d"), "{}", stdout(&output));
    assert!(fake.results().is_empty());
    fails_with(&fake.bench(&["ci", "--only", "gru"], "12"), "--only chooses among the workloads of `steps`");
}

#[test]
fn without_a_peer_our_side_is_measured_alone_unless_the_user_insists() {
    let fake = Fake::new().without_peers();
    let output = fake.bench(&["steps", "skipgram", "--rounds", "1"], "12");
    succeeds(&output);
    assert!(stderr(&output).contains("cannot import gensim; only our side is measured"), "{}", stderr(&output));
    assert!(fake.log().iter().all(|line| line.starts_with("ours ")), "{:?}", fake.log());
    assert!(stdout(&output).contains("gru_seconds") && stdout(&output).contains("tokens_per_second"));
    assert!(fake.results().is_empty());
    fails_with(&fake.bench(&["steps", "--peer"], "12"), "cannot import torch; `pip install torch`");
}

#[test]
fn the_ratio_of_skip_gram_is_one_of_speeds_with_the_same_threads() {
    let fake = Fake::new();
    succeeds(&fake.bench(&["skipgram", "--rounds", "1", "--threads", "3"], "12"));
    assert_eq!(fake.log(), ["ours skip_gram_bench skip_gram.txt 3", "peer gensim_skip_gram.py 3"]);
    let results = fake.results();
    for expected in [r#""experiment":"bench-skipgram""#, r#""ratio":{"mean":2.0,"#, r#""min":1.0"#, "more is better"] {
        assert!(results[0].contains(expected), "no {expected} in {}", results[0]);
    }
    assert!(results[0].contains(r#""passed":true"#), "{}", results[0]);
}

#[test]
fn the_domain_s_benches_work_on_inputs_written_once() {
    let fake = Fake::new();
    succeeds(&fake.bench(&["ci", "tokens", "--rounds", "1"], "12"));
    let expected =
        ["ours export", "ours galen-drug", "peer lifelines_ci.py", "ours galen-drug", "peer python_tokens.py"];
    assert_eq!(fake.log(), expected);
    let results = fake.results();
    assert_eq!(results.len(), 2);
    assert!(results[0].contains(r#""experiment":"bench-ci","domain":"drug""#), "{}", results[0]);
    assert!(results[0].contains(r#""ratio":{"mean":0.5,"#), "{}", results[0]);
    let data = format!(r#""data":{{"drug/davis/Y":"{}"}}"#, sha256(b"abc"));
    assert!(results.iter().all(|result| result.contains(&data)), "{results:?}");
    assert!(
        results[0].contains(r#""protocol":"our time divided by the peer's, 1 rounds in turns on"#),
        "{}",
        results[0]
    );

    succeeds(&fake.bench(&["ci", "--rounds", "1", "--no-record"], "12"));
    assert_eq!(fake.results().len(), 2);
    // Of another table nothing is known but what the recorded arguments say.
    succeeds(&fake.bench(&["ci", "--rounds", "1", "--", "--data", "other.csv"], "12"));
    assert!(fake.results()[2].contains(r#""data":{},"#), "{}", fake.results()[2]);
}
