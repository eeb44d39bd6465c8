//! Small records that the tests make, and a question about them.

use ehr::events::{Events, EventsBuilder};
use ehr::io::meds::{self, Metadata};
use ehr::time::{Span, Time};
use std::fs;
use std::path::{Path, PathBuf};
use tests::draw::Draw;

/// Whether the outcome comes within a year of the check-up.
pub(crate) const TASK: &str = "name = 'toy'\nindex.codes = ['CHECKUP']\noutcome.when.codes = ['DIAGNOSIS//OUTCOME']\n\
                               outcome.horizon = '365d'\n";

/// Subjects with three visits and a check-up; a third of them will have the outcome. Four in five of those have a code
/// of risk before, and one in five of the others.
pub(crate) fn events(subjects: i64, seed: u64) -> Events {
    let mut draw = Draw::new(seed);
    let mut rows = EventsBuilder::new();
    let at = |hours: i64| Some(Time(0).plus(Span::hours(hours)));
    for subject in 1..=subjects {
        let sick = subject % 3 == 0;
        rows.push(subject, None, if draw.next(2) == 0 { "GENDER//F" } else { "GENDER//M" }, None, None);
        rows.push(subject, at(-24 * (365 * 40 + subject)), "MEDS_BIRTH", None, None);
        let risk = draw.next(5) < if sick { 4 } else { 1 };
        for visit in 0..3 {
            let time = at(24 * (30 * visit + draw.next(5) as i64) + 8);
            rows.push(subject, time, "ENCOUNTER//OUTPATIENT", None, None);
            rows.push(subject, time, "LAB//X", Some(5.0 + draw.next(1000) as f32 / 100.0), None);
            rows.push(subject, time, &format!("DIAGNOSIS//NOISE//{}", draw.next(6)), None, None);
            if risk && visit == 1 {
                rows.push(subject, time, "DIAGNOSIS//RISK", None, None);
            }
        }
        rows.push(subject, at(24 * 70), "CHECKUP", None, None);
        if sick {
            rows.push(subject, at(24 * (100 + draw.next(200) as i64)), "DIAGNOSIS//OUTCOME", None, None);
        }
        rows.push(subject, at(24 * 600), "CONTACT//LAST", None, None);
    }
    rows.finish().unwrap()
}

/// Writes a MEDS data set `set` and the question `task.toml` into a folder.
pub(crate) fn write_set(folder: &Path, subjects: i64, seed: u64) -> PathBuf {
    let root = folder.join("set");
    fs::create_dir_all(&root).unwrap();
    meds::write(&root, &events(subjects, seed), None, &Metadata::default()).unwrap();
    fs::write(folder.join("task.toml"), TASK).unwrap();
    root
}

/// A folder with a set and its question.
pub(crate) fn set(subjects: i64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_set(folder.path(), subjects, 1);
    folder
}

/// Options that make `train` quick: a network of a few units.
pub(crate) fn quick(command: &[&str]) -> Vec<String> {
    let settings = [
        "network.embedding=8",
        "network.hidden=8",
        "inputs.vocabulary.min_subjects=2",
        "table.min_subjects=2",
        "baselines.boosting.trees=5",
        "batch_size=16",
        "learning_rate=0.02",
    ];
    let mut words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    for setting in settings {
        words.extend(["--set".to_owned(), setting.to_owned()]);
    }
    words
}

/// The folder of real data below `$GALEN_DATA/ehr`; without it the test says so and does nothing.
pub(crate) fn real(relative: &str) -> Option<PathBuf> {
    let found = std::env::var_os("GALEN_DATA").map(|root| PathBuf::from(root).join("ehr").join(relative));
    let found = found.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("ignored: needs {relative} below $GALEN_DATA/ehr");
    }
    found
}
