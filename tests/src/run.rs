//! The folder that a run leaves behind, and a run that is stopped and goes on.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{Program, Started};

/// Name of the run folder of [`started`].
const STOPPED: &str = "stopped";

/// What is in a JSON file.
pub fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails unless the folder `run` has each of the files `names` with something in it, at least `figures` figures, and
/// nothing that is half written.
pub fn is_complete(run: &Path, names: &[&str], figures: usize) {
    for name in names {
        let size = fs::metadata(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).len();
        assert!(size > 0, "{name} is empty");
    }
    let found = fs::read_dir(run.join("figures")).unwrap().count();
    assert!(found >= figures, "only {found} figures, and not {figures}");
    nothing_is_left(run);
}

/// Fails if there is a file in the folder `run` that was being written when a process ended.
pub fn nothing_is_left(run: &Path) {
    let names = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
    assert!(left.is_empty(), "half-written files are left: {left:?}");
}

/// Whether the first model of the run in a folder has a checkpoint. `noun` is what models are numbered by in the names
/// of their files, as `seed`.
pub fn has_checkpoint(run: &Path, noun: &str) -> bool {
    let Ok(entries) = fs::read_dir(run.join(format!("checkpoint/{noun}-0/last"))) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("manifest-"))
}

/// Starts a run in `folder` and waits for its first checkpoint. `words` make the program train in the run folder
/// `stopped`; see [`has_checkpoint`] for `noun`.
pub fn started(program: &Program, folder: &Path, noun: &str, words: &[String]) -> Started {
    let mut run = program.start(folder, words);
    run.wait_for(|| has_checkpoint(&folder.join(STOPPED), noun));
    run
}

/// Fails unless a run in `folder` that is stopped by Ctrl-C and taken up again with the command that it names ends in
/// the bytes of one that was never stopped. `words` make the program train two models in the run folder that they are
/// given; see [`has_checkpoint`] for `noun`.
#[cfg(unix)]
pub fn ends_in_the_same_bytes(program: &Program, folder: &Path, noun: &str, words: impl Fn(&str) -> Vec<String>) {
    program.run_in(folder, &words("whole")).ends_with(0);

    let run = started(program, folder, noun, &words(STOPPED));
    run.interrupt();
    let stopped = run.finish().ends_with(130).says("interrupted: stopped by Ctrl-C after a checkpoint was written");
    assert!(!folder.join(STOPPED).join("metrics.json").exists());
    let command = stopped.stderr.split("resume with: ").nth(1).expect("a command").lines().next().unwrap();
    assert_eq!(command, format!("{} train --run-dir {STOPPED} --resume", program.name()));
    let resume: Vec<&str> = command.split(' ').skip(1).collect();
    program.run_in(folder, &resume).ends_with(0).says("resumed at epoch");

    let both = ["whole", STOPPED].map(|run| folder.join(run));
    for model in [0, 1].map(|i| format!("model/{noun}-{i}.safetensors")) {
        let [whole, stopped] = both.each_ref().map(|run| fs::read(run.join(&model)).unwrap());
        assert!(whole == stopped, "{model} differs");
    }
    let [whole, stopped] = both.each_ref().map(|run| json(&run.join("metrics.json")));
    for key in ["metrics", "baselines", "epochs", "seeds", "data"] {
        assert_eq!(whole[key], stopped[key], "{key}");
    }
}

/// Fails unless a second process in the folder of a run is told the first one, with `--resume` and without. `words`
/// make the program train in the run folder `stopped`, and for longer than a test takes; see [`has_checkpoint`] for
/// `noun`.
pub fn names_the_holder(program: &Program, folder: &Path, noun: &str, words: &[String]) {
    let first = started(program, folder, noun, words);
    let holder = format!("in use by process {}", first.id());
    for resume in [None, Some("--resume".to_owned())] {
        let words: Vec<String> = words.iter().cloned().chain(resume).collect();
        program.run_in(folder, &words).ends_with(1).says(&holder).says("--run-dir");
    }
    first.kill();
}
