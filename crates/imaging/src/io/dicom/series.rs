//! A folder of DICOM files as volumes that stand where the patient stood.
//!
//! [`scan`] reads the headers of all files and puts those of one series together. [`Series::check`] says what keeps them
//! from being a grid, with the names of the slices; [`Series::read`] refuses such a series, unless it is told to resample
//! it or to read each kind of slices by itself, and then says what it did. Distances are those of the positions: nothing
//! is averaged, numbered or guessed in silence.
//!
//! The unit is the plane: a file of one frame, a frame of an enhanced object, a tile of a Siemens mosaic. Planes are put
//! in order along their normal, so that `k` always grows along the vector product of rows and columns; planes of the same
//! place become several volumes (time points, echoes, b-values, …) in the order of what tells them apart.

mod arrange;
mod faults;
mod mosaic;
mod plane;
mod read;
mod regrid;
mod split;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::faults::{FaultKind, Remedy, SeriesFault};
pub use self::write::{SeriesTags, write_series};

use self::plane::{Opened, Plane, SourceFile};
use super::DicomError;
use crate::io::{IoError, Kind, Notice, kind};
use crate::volume::{Modality, Volume};

/// Folders below the one that is scanned.
const MAX_DEPTH: usize = 32;

/// How a series is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeriesOptions {
    /// Whether slices that are tilted, shifted, missing or uneven are resampled to a grid, and the first of those that
    /// are twice is taken.
    pub allow_resample: bool,
    /// Whether slices of several sizes, spacings or orientations become volumes of their own, localisers and slices
    /// without a position among them.
    pub split: bool,
    /// Bytes that the voxels of one series may need in memory.
    pub max_bytes: u64,
}

impl Default for SeriesOptions {
    fn default() -> Self {
        Self { allow_resample: false, split: false, max_bytes: 8 << 30 }
    }
}

/// The images of one series, by their headers.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Series instance UID.
    pub uid: Option<String>,
    /// Patient ID of the first file.
    pub subject: Option<String>,
    /// Study instance UID of the first file.
    pub study: Option<String>,
    /// Series number.
    pub number: Option<i64>,
    /// Series description, else the name of the protocol.
    pub description: Option<String>,
    /// What it was made with.
    pub modality: Modality,
    units: Option<String>,
    files: Vec<SourceFile>,
    planes: Vec<Plane>,
}

/// All that lies in a folder.
#[derive(Debug)]
pub struct Survey {
    /// The series, by patient, study, number and UID.
    pub series: Vec<Series>,
    /// DICOM files that cannot be read, and why.
    pub refused: Vec<(PathBuf, DicomError)>,
    /// DICOM objects that are no images of the patient: reports, plans, segmentations, directories.
    pub others: Vec<PathBuf>,
    /// Files of other formats.
    pub foreign: Vec<PathBuf>,
}

/// The series of a folder and the folders below it, or of one file. Files of other formats and DICOM objects that are no
/// images are passed over; [`survey`] names them.
///
/// # Errors
/// [`DicomError`] of the first DICOM file that cannot be read: the slice that is missing then may be at the end of a
/// series, where nothing else would tell.
pub fn scan(path: &Path) -> Result<Vec<Series>, DicomError> {
    let found = survey(path)?;
    match found.refused.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(found.series),
    }
}

/// As [`scan`], with all that was passed over, and the files that cannot be read beside those that can.
///
/// # Errors
/// [`DicomError::Read`] if the folder, or one below it, cannot be listed.
pub fn survey(path: &Path) -> Result<Survey, DicomError> {
    let mut paths = Vec::new();
    if std::fs::metadata(path).map_err(DicomError::read(path))?.is_dir() {
        list(path, 0, &mut paths)?;
        paths.sort();
    } else {
        paths.push(path.to_path_buf());
    }
    let outcomes: Vec<Outcome> = paths.par_iter().map(|path| look(path)).collect();
    let mut found = Survey { series: Vec::new(), refused: Vec::new(), others: Vec::new(), foreign: Vec::new() };
    let mut opened = Vec::new();
    for (path, outcome) in paths.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Image(image) => opened.push(*image),
            Outcome::Other => found.others.push(path),
            Outcome::Foreign => found.foreign.push(path),
            Outcome::Refused(error) => found.refused.push((path, error)),
        }
    }
    found.series = group(opened);
    Ok(found)
}

/// What a file is.
enum Outcome {
    Image(Box<Opened>),
    Other,
    Foreign,
    Refused(DicomError),
}

fn look(path: &Path) -> Outcome {
    match kind(path) {
        Ok(Some(Kind::Dicom)) => {}
        Err(IoError::Open { cause, .. }) => return Outcome::Refused(DicomError::read(path)(cause)),
        Ok(_) | Err(_) => return Outcome::Foreign,
    }
    match plane::planes(path) {
        Ok(Some(opened)) => Outcome::Image(Box::new(opened)),
        Ok(None) => Outcome::Other,
        Err(DicomError::NotDicom { .. }) => Outcome::Foreign,
        Err(error) => Outcome::Refused(error),
    }
}

/// All files below a folder but hidden ones. A link to a folder is not followed: it may lead back.
fn list(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), DicomError> {
    for entry in std::fs::read_dir(folder).map_err(DicomError::read(folder))? {
        let entry = entry.map_err(DicomError::read(folder))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let file_type = entry.file_type().map_err(DicomError::read(folder))?;
        let path = entry.path();
        if file_type.is_dir() {
            if depth < MAX_DEPTH {
                list(&path, depth + 1, paths)?;
            }
        } else if path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

/// Files of the same series UID together; those without one, by their folders.
fn group(opened: Vec<Opened>) -> Vec<Series> {
    let mut found: BTreeMap<String, Series> = BTreeMap::new();
    for Opened { header, units, file, planes } in opened {
        let folder = || file.path.parent().unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let key = header.series.clone().unwrap_or_else(folder);
        let series = found.entry(key).or_insert_with(|| Series {
            uid: header.series.clone(),
            subject: header.patient.clone(),
            study: header.study.clone(),
            number: header.series_number,
            description: header.series_description.clone().or_else(|| header.protocol.clone()),
            modality: header.modality(),
            units,
            files: Vec::new(),
            planes: Vec::new(),
        });
        let index = series.files.len();
        series.planes.extend(planes.into_iter().map(|plane| Plane { file: index, ..plane }));
        series.files.push(file);
    }
    let mut series: Vec<Series> = found.into_values().collect();
    series.sort_by(|a, b| (&a.subject, &a.study, a.number, &a.uid).cmp(&(&b.subject, &b.study, b.number, &b.uid)));
    series
}

impl Series {
    /// What the series is called: its description, else its number, else its UID.
    pub fn name(&self) -> String {
        match (&self.description, self.number, &self.uid) {
            (Some(description), ..) => description.clone(),
            (None, Some(number), _) => format!("series {number}"),
            (None, None, Some(uid)) => uid.clone(),
            (None, None, None) => "series without a UID".to_owned(),
        }
    }

    /// The files, in the order of their names.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// Number of slices: of files, of frames where they have several, of tiles of mosaics.
    pub fn len(&self) -> usize {
        self.planes.len()
    }

    /// Whether there is no slice.
    pub fn is_empty(&self) -> bool {
        self.planes.is_empty()
    }

    /// Number of volumes that [`read`](Self::read) makes of them.
    pub fn volumes(&self) -> usize {
        arrange::arrange(&self.files, &self.planes).stacks.len()
    }

    /// What keeps the slices from being grids; nothing if [`read`](Self::read) takes them as they are.
    pub fn check(&self) -> Vec<SeriesFault> {
        arrange::arrange(&self.files, &self.planes).faults
    }

    /// Reads the pixels: one volume, or several where the slices repeat. Rescaling is that of every single slice.
    ///
    /// Files are decoded on all threads, one at a time by each, straight into the volume: beside it, no more than that
    /// is in memory, unless it is resampled.
    ///
    /// # Errors
    /// [`DicomError::Series`] with all that [`check`](Self::check) finds and `options` do not allow, or if more than
    /// [`SeriesOptions::max_bytes`] are needed; the error of the first file whose pixels cannot be read.
    pub fn read(&self, options: &SeriesOptions) -> Result<(Vec<Volume>, Vec<Notice>), DicomError> {
        read::read(self, options)
    }

    /// The error of this series.
    fn refuse(&self, problem: String) -> DicomError {
        let path = self.files.first().map(|file| file.path.clone()).unwrap_or_default();
        let path = if self.files.len() > 1 { path.parent().unwrap_or(&path).to_path_buf() } else { path };
        DicomError::Series { path, problem: format!("{}: {problem}", self.name()) }
    }
}

#[cfg(test)]
mod tests;
