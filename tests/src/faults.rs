//! Faults that every pipeline must survive: damaged models and checkpoints, wrong clocks, processes that are killed or
//! quit, full disks.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::command::{Finished, Program, Started};
use crate::run::{nothing_is_left, started};

/// Epochs of the runs whose checkpoints are looked at.
const EPOCHS: &str = "3";

/// Fails unless the program ended with `code` and said `text`, in words of its own.
pub fn told(finished: Finished, code: i32, text: &str) -> Finished {
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished.ends_with(code).says(text)
}

/// Fails unless a model that is damaged is refused by its name and executed by nobody: cut short anywhere, with another
/// bit in its weights, with another bit before them (unless that changes nothing), or made up. `whole` is a sound model;
/// `predict` uses the model of these bytes, which it writes to the file `name`.
pub fn damaged_models_are_refused(whole: &[u8], name: &str, predict: impl Fn(&[u8]) -> Finished) {
    let expected = predict(whole).ends_with(0).stdout;
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in (0..8).map(|part| whole.len() * part / 8).chain([7, 8, header - 1, header, whole.len() - 1]) {
        told(predict(&whole[..length]), 1, name);
    }
    let flipped = |place: usize| {
        let mut bytes = whole.to_vec();
        bytes[place] ^= 1 << (place % 8);
        predict(&bytes)
    };
    for place in [header, header + (whole.len() - header) / 2, whole.len() - 1] {
        told(flipped(place), 1, name).says("its content is not what was written");
    }
    for place in (0..header).step_by(header / 12) {
        let finished = flipped(place);
        match finished.code {
            Some(0) => assert_eq!(finished.stdout, expected, "byte {place}"),
            // What is out of range is told as it is in settings.
            Some(2) => drop(told(finished, 2, name)),
            _ => drop(told(finished, 1, name)),
        }
    }
    // A header that would take 99 MB, and what a checkpoint that runs a command when it is unpickled begins with.
    told(predict(&[&99_000_000_u64.to_le_bytes()[..], b"{}"].concat()), 1, "header takes 99000000 bytes");
    let touch = std::env::temp_dir().join("galen-pickle-was-run");
    let _ = fs::remove_file(&touch);
    let command = format!("touch {}", touch.display());
    let mut pickle = b"\x80\x02cposix\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    told(predict(&pickle), 1, name);
    told(predict(b"PK\x03\x04 and so on"), 1, name);
    assert!(!touch.exists(), "a file of weights was executed");
}

/// A program that can train one model, and where.
pub struct Training<'a> {
    /// The program.
    pub program: &'a Program,
    /// The folder with its data, in which run folders are made.
    pub folder: &'a Path,
    /// What models are numbered by in the names of their files; see [`crate::run::has_checkpoint`].
    pub noun: &'a str,
    /// The words that make it train one model in a run folder, which is the first argument, for the epochs that are the
    /// second.
    pub words: &'a dyn Fn(&str, &str) -> Vec<String>,
    /// Epochs that take longer than it takes to notice the first checkpoint.
    pub long: &'a str,
}

impl Training<'_> {
    fn train(&self, run: &str, epochs: &str) -> Finished {
        self.program.run_in(self.folder, &(self.words)(run, epochs)).ends_with(0)
    }

    fn resume(&self, run: &str) -> Finished {
        self.program.run_in(self.folder, &["train", "--run-dir", run, "--resume"])
    }

    fn model(&self, run: &str) -> PathBuf {
        self.folder.join(run).join(format!("model/{}-0.safetensors", self.noun))
    }

    fn last(&self, run: &str) -> PathBuf {
        self.folder.join(run).join(format!("checkpoint/{}-0/last", self.noun))
    }

    /// Fails unless the model of a run is that of another to the last byte.
    fn assert_same(&self, run: &str, other: &str) {
        let [model, expected] = [run, other].map(|run| fs::read(self.model(run)).unwrap());
        assert!(model == expected, "the models of {run} and {other} differ");
    }

    /// Copies the run `whole` to `run` as it was before its model was written.
    fn copy_without_model(&self, run: &str) {
        copy(&self.folder.join("whole"), &self.folder.join(run));
        for path in [self.model(run), self.folder.join(run).join(format!("logs/{}-0/outcome.json", self.noun))] {
            fs::remove_file(path).unwrap();
        }
    }

    /// The files of the newest checkpoint of a run and of the one before, each by what it is of.
    fn checkpoints(&self, run: &str) -> [Vec<PathBuf>; 2] {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.last(run)).unwrap().map(|entry| entry.unwrap().path()).collect();
        let number = |path: &Path| {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            stem.rsplit('-').next().and_then(|digits| digits.parse::<u64>().ok()).expect("files are numbered")
        };
        files.sort();
        let newest = files.iter().map(|path| number(path)).max().expect("a checkpoint");
        let (newest, before): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|path| number(path) == newest);
        assert_eq!((newest.len(), before.len()), (4, 4), "{newest:?} {before:?}");
        [newest, before]
    }

    /// Fails unless the run goes on from the checkpoint before where a part of the newest is damaged, and ends in the
    /// same bytes; and says so where both are.
    pub fn passes_over_damaged_checkpoints(&self) {
        self.train("whole", EPOCHS);
        let damage = |path: &Path, cut: bool| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            if cut {
                bytes.truncate(middle);
            } else {
                bytes[middle] ^= 4;
            }
            fs::write(path, bytes).unwrap();
        };
        let [parts, _] = self.checkpoints("whole");
        for (at, part) in parts.iter().enumerate() {
            let (run, name) = (format!("run-{at}"), part.file_name().unwrap().to_string_lossy());
            self.copy_without_model(&run);
            damage(&self.last(&run).join(&*name), at % 2 == 1);
            told(self.resume(&run), 0, &format!("a checkpoint was passed over: {name}"));
            self.assert_same(&run, "whole");
        }
        self.copy_without_model("both");
        let [newest, before] = self.checkpoints("both");
        for path in [&newest[1], &before[2]] {
            damage(path, false);
        }
        told(self.resume("both"), 1, "no checkpoint in").says("was altered").says("start again in another folder");
        assert!(!self.model("both").exists());
    }

    /// Fails unless a run goes on from the checkpoint of the highest number, and is locked by whoever has its lock,
    /// whatever the clocks of the machines said that wrote its files.
    pub fn heeds_no_clock(&self) {
        self.train("whole", EPOCHS);
        let [newest, _] = self.checkpoints("whole");
        let newest: Vec<_> = newest.iter().map(|path| path.file_name().unwrap()).collect();
        let future = SystemTime::now() + Duration::from_hours(24 * 365 * 20);
        let is_newest = |path: &Path| path.file_name().is_some_and(|name| newest.contains(&name));
        let set_back = |path: &Path| if is_newest(path) { UNIX_EPOCH } else { future };
        let ahead = |_: &Path| future;
        let clocks = [("back", &set_back as &dyn Fn(&Path) -> SystemTime), ("ahead", &ahead)];
        for (run, time) in clocks {
            self.copy_without_model(run);
            // Left by a process that was killed; the number is that of a process that runs.
            fs::write(self.folder.join(run).join(".lock"), "1\n").unwrap();
            set_times(&self.folder.join(run), time);
            let finished = told(self.resume(run), 0, "");
            // The last checkpoint is the end of the run: nothing is learnt again.
            let again = ["resumed at epoch", "passed over"].iter().any(|text| finished.stderr.contains(text));
            assert!(!again, "clocks {run}: {}", finished.stderr);
            self.assert_same(run, "whole");
        }
    }

    /// Fails unless a run that was killed twice, as if the machine had lost its power, ends in the same bytes.
    pub fn survives_being_killed(&self) {
        self.is_broken_off(|run| {
            run.kill();
            self.program.start(self.folder, &["train", "--run-dir", "stopped", "--resume"]).kill();
        });
    }

    /// Fails unless a run that was quit by pressing Ctrl-C twice ends in the same bytes.
    #[cfg(unix)]
    pub fn survives_being_quit(&self) {
        self.is_broken_off(|run| {
            run.interrupt();
            run.interrupt();
            run.finish().ends_with(130);
        });
    }

    fn is_broken_off(&self, end: impl FnOnce(Started)) {
        self.train("whole", self.long);
        end(started(self.program, self.folder, self.noun, &(self.words)("stopped", self.long)));
        assert!(!self.folder.join("stopped/metrics.json").exists());
        told(self.resume("stopped"), 0, "");
        self.assert_same("stopped", "whole");
        let last = self.last("stopped");
        for folder in [&self.folder.join("stopped"), &last, &last.with_file_name("best")] {
            nothing_is_left(folder);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

fn set_times(folder: &Path, time: &dyn Fn(&Path) -> SystemTime) {
    let paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in paths {
        if path.is_dir() {
            set_times(&path, time);
        } else {
            File::options().write(true).open(&path).unwrap().set_modified(time(&path)).unwrap();
        }
    }
}

/// Runs the binary at `path` in `folder`, in which the folder `small` is a disk of `kilobytes`; its output ends with the
/// files that are there afterwards. A mount of one's own needs no privileges where user namespaces are allowed; `None`,
/// with the reason on stderr, elsewhere.
#[cfg(target_os = "linux")]
pub fn on_a_small_disk(path: &str, folder: &Path, kilobytes: u32, words: &[String]) -> Option<Finished> {
    use std::io::Write as _;

    fs::create_dir_all(folder.join("small")).unwrap();
    let script = format!(
        "mount -t tmpfs -o size={kilobytes}k tmpfs small && touch mounted || exit 99; \
         \"$0\" \"$@\"; code=$?; find small -type f; exit $code"
    );
    let mut command = std::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script, path]).args(words).current_dir(folder);
    let finished = command.output().ok().map(Finished::from);
    if !folder.join("mounted").exists() {
        let text = "ignored: needs unshare(1) and user namespaces, to mount a small disk";
        let _ = writeln!(std::io::stderr(), "{text}");
        return None;
    }
    finished
}
