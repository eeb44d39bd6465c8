//! Clocks that are wrong, and files that belong to another moment of the run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nn_core::train::{Checkpoints, Event, Observer};

use super::toy::{Ended, train, uninterrupted};

/// A hundred years.
const CENTURY: Duration = Duration::from_hours(24 * 365 * 100);

fn resume(folder: &Path, epochs: usize, observer: &mut dyn Observer) -> Ended {
    train(Some(folder), epochs, observer, &AtomicBool::new(false))
}

/// Where the run began.
#[derive(Default)]
struct Began(Option<(usize, bool)>);

impl Observer for Began {
    fn event(&mut self, event: &Event) {
        if let Event::Started { epoch, resumed, .. } = event {
            self.0 = Some((*epoch, *resumed));
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = ["last", "best", "best-copy"].into_iter().flat_map(|part| fs::read_dir(folder.join(part)).unwrap());
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn set_time(path: &Path, time: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// The order of checkpoints is that of their numbers: the time of a file says when a clock stood where, and a clock may
/// be set back, run ahead on another machine, or stand still.
#[test]
fn clocks_do_not_choose_the_checkpoint() {
    let reference = uninterrupted(4);
    let now = SystemTime::now();
    let newest = |path: &Path| path.to_string_lossy().contains("-0002.");
    let set_back = |path: &Path| if newest(path) { UNIX_EPOCH + CENTURY / 5 } else { now + CENTURY };
    let ahead = |_: &Path| now + CENTURY;
    let standing = |_: &Path| UNIX_EPOCH;
    let manifests_first =
        |path: &Path| if path.extension().is_some_and(|end| end == "json") { now } else { now + CENTURY };
    let clocks: [&dyn Fn(&Path) -> SystemTime; 4] = [&set_back, &ahead, &standing, &manifests_first];
    for (clock, time) in clocks.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        resume(folder, 2, &mut ()).outcome.unwrap();
        let written = files(folder);
        assert!(written.iter().any(|path| newest(path)) && written.iter().any(|path| !newest(path)), "{written:?}");
        for path in &written {
            set_time(path, time(path));
        }
        let snapshot = Checkpoints::new(folder).latest().unwrap().unwrap();
        assert_eq!((snapshot.state.epoch, snapshot.skipped.len()), (2, 0), "clock {clock}");
        let mut began = Began::default();
        resume(folder, 4, &mut began).assert_equals(&reference);
        assert_eq!(began.0, Some((2, true)), "clock {clock}");
        // What the new checkpoints replace goes by its number too.
        assert!(!files(folder).iter().any(|path| newest(path) && path.starts_with(folder.join("last"))));
    }
}

/// A file is part of a checkpoint only where the manifest says so: neither the optimiser's state of an earlier epoch nor
/// that of another run goes with these weights, although both are whole.
#[test]
fn a_file_of_another_moment_or_run_is_no_part_of_the_checkpoint() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    resume(folder.path(), 2, &mut ()).outcome.unwrap();
    resume(other.path(), 3, &mut ()).outcome.unwrap();
    let checkpoints = Checkpoints::new(folder.path());
    let whole = checkpoints.latest().unwrap().unwrap();
    assert_eq!(whole.state.epoch, 2);
    let last = |folder: &Path, name: &str| folder.join("last").join(name);
    for (stem, ending) in [("weights", "safetensors"), ("optimizer", "bin"), ("state", "json"), ("manifest", "json")] {
        let path = last(folder.path(), &format!("{stem}-0002.{ending}"));
        let bytes = fs::read(&path).unwrap();
        let earlier = last(folder.path(), &format!("{stem}-0001.{ending}"));
        let foreign = last(other.path(), &format!("{stem}-0003.{ending}"));
        for from in [earlier, foreign] {
            fs::copy(&from, &path).unwrap();
            let found = checkpoints.latest().unwrap().unwrap();
            assert_eq!((found.state.epoch, found.skipped.len()), (1, 1), "{}", from.display());
            assert!(found.skipped[0].contains(&format!("{stem}-0002.{ending}")), "{:?}", found.skipped);
        }
        fs::write(&path, &bytes).unwrap();
        assert_eq!(checkpoints.latest().unwrap().unwrap(), whole);
    }
}
