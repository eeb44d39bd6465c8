//! What there is to predict: series of a DICOM folder, volumes of files, files of a folder.

use crate::cli::counted;
use imaging::io::dicom::DicomError;
use imaging::io::dicom::series::{SeriesOptions, survey};
use imaging::io::{IoError, Kind, Notice, ReadOptions, kind, read_volume, read_volumes};
use imaging::volume::Volume;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;

/// Files that were passed over and are named.
const NAMED: usize = 6;

/// A case to be predicted.
pub(crate) struct Target {
    /// What its results are called.
    pub(crate) name: String,
    /// One volume for each channel, or why there are none.
    pub(crate) channels: Result<Vec<Volume>, IoError>,
}

/// The cases of `inputs`: with one channel, each volume of each input; with several, the inputs are the channels of one
/// case.
pub(crate) fn targets(
    common: &Common,
    inputs: &[PathBuf],
    channels: usize,
    reading: &ReadOptions,
) -> anyhow::Result<Vec<Target>> {
    if channels > 1 {
        if inputs.len() != channels {
            let found = inputs.len();
            let text =
                format!("the model reads {channels} channels, but --input is given {found} times; give it for each");
            return Err(Usage(text).into());
        }
        let mut volumes = Vec::with_capacity(channels);
        for path in inputs {
            let (volume, notices) = read_volume(path, reading)?;
            tell(common, path, &notices);
            volumes.push(volume);
        }
        return Ok(vec![Target { name: stem(&inputs[0]), channels: Ok(volumes) }]);
    }
    let mut found = Vec::new();
    for path in inputs {
        let files = if path.is_dir() { of_folder(common, path, reading, &mut found)? } else { vec![path.clone()] };
        for file in files {
            match read_volumes(&file, reading) {
                Ok((volumes, notices)) => {
                    tell(common, &file, &notices);
                    push(&mut found, &stem(&file), volumes);
                }
                Err(error) => found.push(Target { name: stem(&file), channels: Err(error) }),
            }
        }
    }
    unique(&mut found);
    anyhow::ensure!(!found.is_empty(), "there is no volume in {}; give DICOM, NIfTI or pictures", list(inputs));
    Ok(found)
}

/// The DICOM series of a folder become targets; what comes back are the other files to be read.
fn of_folder(
    common: &Common,
    path: &Path,
    reading: &ReadOptions,
    found: &mut Vec<Target>,
) -> Result<Vec<PathBuf>, DicomError> {
    let options = SeriesOptions {
        allow_resample: reading.allow_resample,
        split: reading.split_series,
        max_bytes: reading.max_bytes,
    };
    let survey = survey(path)?;
    for series in survey.series {
        let name = series.name();
        match series.read(&options) {
            Ok((volumes, notices)) => {
                tell(common, Path::new(&name), &notices);
                push(found, &name, volumes);
            }
            Err(error) => found.push(Target { name, channels: Err(IoError::Dicom(error)) }),
        }
    }
    for (file, error) in survey.refused {
        found.push(Target { name: stem(&file), channels: Err(IoError::Dicom(error)) });
    }
    let readable = |file: &PathBuf| matches!(kind(file), Ok(Some(Kind::Nifti | Kind::Picture)));
    let (files, passed): (Vec<PathBuf>, Vec<PathBuf>) = survey.foreign.into_iter().partition(readable);
    let passed: Vec<&PathBuf> = survey.others.iter().chain(&passed).collect();
    if !passed.is_empty() {
        let name = |file: &&PathBuf| file.strip_prefix(path).unwrap_or(file).display().to_string();
        let mut names: Vec<String> = passed.iter().take(NAMED).map(name).collect();
        if passed.len() > NAMED {
            names.push(format!("and {} more", passed.len() - NAMED));
        }
        let count = counted(passed.len(), "file");
        say(common, &format!("{}: {count} passed over, no images: {}", path.display(), names.join(", ")));
    }
    Ok(files)
}

/// One target for each volume.
fn push(found: &mut Vec<Target>, name: &str, volumes: Vec<Volume>) {
    let several = volumes.len() > 1;
    for (place, volume) in volumes.into_iter().enumerate() {
        let name = if several { format!("{name}-{}", place + 1) } else { name.to_owned() };
        found.push(Target { name, channels: Ok(vec![volume]) });
    }
}

/// Makes names that occur more than once different, so that no result overwrites another.
fn unique(found: &mut [Target]) {
    let mut seen = std::collections::HashMap::<String, usize>::new();
    for target in found {
        let key = crate::segment::plain(&target.name);
        let count = seen.entry(key).or_insert(0);
        *count += 1;
        if *count > 1 {
            target.name = format!("{} ({count})", target.name);
        }
    }
}

fn tell(common: &Common, what: &Path, notices: &[Notice]) {
    for notice in notices {
        say(common, &format!("{}: {notice}", what.display()));
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The name of a file or folder without its ending.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let short = name.strip_suffix(".gz").unwrap_or(&name);
    match short.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_results_have_one_name() {
        let target = |name: &str| Target { name: name.into(), channels: Ok(Vec::new()) };
        let mut found = [target("a/b"), target("a b"), target("c"), target("a_b")];
        unique(&mut found);
        let names: Vec<&str> = found.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["a/b", "a b (2)", "c", "a_b (3)"]);
    }

    #[test]
    fn endings_go() {
        for (path, name) in [("x/a.nii.gz", "a"), ("b.dcm", "b"), ("folder", "folder"), (".hidden", ".hidden")] {
            assert_eq!(stem(Path::new(path)), name);
        }
    }
}
