//! All files of a folder, several at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::{DeidentifyConfig, DeidentifyError, FileReport, Outcome, one};
use crate::io::dicom::clean::{self, Rules, Tally};
use crate::io::dicom::{DicomError, open_header};

/// What became of the files of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// One entry a file, in the order of their paths.
    pub files: Vec<FileReport>,
}

impl Report {
    /// How many files have this kind of outcome.
    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.files.iter().filter(|file| is(&file.outcome)).count()
    }

    /// Files that were written.
    pub fn written(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Written))
    }

    /// Files that were not written because they could still tell who it is.
    pub fn refused(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Refused(_)))
    }

    /// Files that could not be read or written.
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Files that are no DICOM files.
    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }
}

/// De-identifies every file below `input` into `output`, as `<patient>/<study>/<series>/<object>.dcm`: names of folders
/// and files may hold names of people, and are not kept. Files that are no DICOM are not copied. One bad file does not
/// stop the others.
///
/// # Errors
/// [`DeidentifyError`] if the configuration cannot be used, the folders lie within each other, or `input` cannot be
/// listed.
pub fn deidentify_folder(input: &Path, output: &Path, config: &DeidentifyConfig) -> Result<Report, DeidentifyError> {
    let rules = config.rules()?;
    let folder = |action, path: &Path| {
        let path = path.to_path_buf();
        move |cause| DeidentifyError::Folder { action, path, cause }
    };
    let from = fs::canonicalize(input).map_err(folder("find", input))?;
    // the output need not be there yet: then the nearest folder above it tells where it will be
    let standing = output.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let to = fs::canonicalize(standing).map_err(folder("find", standing))?;
    if to.starts_with(&from) || (output.exists() && from.starts_with(&to)) {
        return Err(DeidentifyError::Nested { input: input.to_path_buf(), output: output.to_path_buf() });
    }
    fs::create_dir_all(output).map_err(folder("make", output))?;
    let mut paths = Vec::new();
    list(input, &mut paths)?;
    // two files of one object would get one name: the first keeps it
    let instances: Vec<Option<String>> =
        paths.par_iter().map(|path| open_header(path).ok().and_then(|file| file.header().instance.clone())).collect();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, instance) in instances.iter().enumerate() {
        if let Some(instance) = instance {
            first.entry(instance).or_insert(index);
        }
    }
    let twin = |index: usize| {
        let instance = instances[index].as_deref()?;
        first.get(instance).copied().filter(|&earlier| earlier != index)
    };
    let files = paths
        .par_iter()
        .enumerate()
        .map(|(index, path)| match twin(index) {
            Some(earlier) => {
                let name = paths[earlier].display();
                unwritten(path, Outcome::Skipped(format!("it is the same object as {name}")))
            }
            None => entry(path, output, &rules),
        })
        .collect();
    Ok(Report { files })
}

fn entry(path: &Path, output: &Path, rules: &Rules) -> FileReport {
    let place = |cleaned: &clean::Cleaned| {
        let folder = output.join(&cleaned.pseudonym).join(&cleaned.study).join(&cleaned.series);
        folder.join(format!("{}.dcm", cleaned.instance))
    };
    match one(path, rules, place) {
        Ok(report) => report,
        Err(DeidentifyError::Refused { problem, .. }) => unwritten(path, Outcome::Refused(problem)),
        Err(DeidentifyError::Dicom(error @ DicomError::NotDicom { .. })) => {
            unwritten(path, Outcome::Skipped(error.to_string()))
        }
        Err(error) => unwritten(path, Outcome::Failed(error.to_string())),
    }
}

fn unwritten(path: &Path, outcome: Outcome) -> FileReport {
    FileReport { input: path.to_path_buf(), output: None, outcome, flags: Vec::new(), tally: Tally::default() }
}

/// All files below `folder`, in the order of their paths; links are not followed.
fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), DeidentifyError> {
    let failed = |cause| DeidentifyError::Folder { action: "list", path: folder.to_path_buf(), cause };
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            list(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}
