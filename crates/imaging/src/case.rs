//! Examples of a segmentation set: where their files are, and what is in them.
//!
//! | layout | looks like |
//! |---|---|
//! | [`Layout::Folders`] | `images/NAME…` and `labels/NAME…`, as the Medical Segmentation Decathlon has it (Antonelli and others 2022); an image may be a folder of DICOM files |
//! | [`Layout::NnUnet`] | `imagesTr/NAME_0000…`, one file for each channel, and `labelsTr/NAME…` (Isensee and others 2021) |
//! | [`Layout::Slices`] | `image/0.png, 1.png, …` and `label/0.png, …`, one case for each picture |
//! | [`Layout::Table`] | a file with the columns `id`, `subject`, `image`, `image2` …, `label` |
//! | [`Layout::Series`] | a folder for each case, of DICOM files, without labels |
//!
//! [`discover`] only looks at names, so that a set can be divided before a voxel is read; [`read_case`] reads one case and
//! checks that its channels and its label stand on one grid.

mod layout;

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::layout::{Layout, discover, natural_order};

use crate::geometry::Geometry;
use crate::io::{self, IoError, ReadOptions};
use crate::volume::{LabelMap, Volume};

/// How far, in millimetres, the corners of two grids may lie apart for them to be one grid. Affines are stored in single
/// precision, which is good for a hundredth of a millimetre at the far corner of a large volume.
pub const GRID_TOLERANCE_MM: f64 = 0.05;

/// Why a set of cases cannot be found, or a case not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A folder that looks like none of the layouts.
    #[error(
        "{folder} is laid out like no set that is known: there is no images/, imagesTr/, image/ or cases.csv in it, and no folder of DICOM files; arrange it so, or give a table with the columns id, subject, image and label"
    )]
    NoLayout {
        /// The folder.
        folder: PathBuf,
    },
    /// A layout without any case.
    #[error("no case in {folder}: {wanted}")]
    NoCases {
        /// The folder.
        folder: PathBuf,
        /// What would have been one.
        wanted: &'static str,
    },
    /// A channel that is missing.
    #[error("case {id} has no channel {channel:04} in {folder}; others have it")]
    NoChannel {
        /// The case.
        id: String,
        /// The channel, from 0.
        channel: usize,
        /// Where it should be.
        folder: PathBuf,
    },
    /// Two files of one name.
    #[error("case {id} is there twice, as {first} and as {second}; remove one of them")]
    Twice {
        /// The case.
        id: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A table that does not say what is needed.
    #[error("{path}, line {line}: {problem}")]
    Table {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A folder or file that the operating system does not give.
    #[error("cannot read {path}: {cause}")]
    Os {
        /// What was to be read.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// An image or label that cannot be read.
    #[error("case {id}: {cause}")]
    Read {
        /// The case.
        id: String,
        /// Why.
        cause: Box<IoError>,
    },
    /// Cases of one set with different numbers of channels.
    #[error(
        "case {id} has {found} channels, but case {other} has {expected}; a set has the same channels in every case"
    )]
    Channels {
        /// The case.
        id: String,
        /// Its channels.
        found: usize,
        /// Another case.
        other: String,
        /// The channels of that one.
        expected: usize,
    },
    /// A case without an image.
    #[error("case {id} has no image; a case has at least one channel")]
    NoImage {
        /// The case.
        id: String,
    },
    /// Channels or a label on another grid.
    #[error(
        "case {id}: {what} has {found}, but channel 0 has {expected}; resample it to the grid of channel 0, or correct its header"
    )]
    Grid {
        /// The case.
        id: String,
        /// Which of its files.
        what: String,
        /// Its grid.
        found: String,
        /// That of channel 0.
        expected: String,
    },
}

/// One example of a segmentation set.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Name, unique in its set.
    pub id: String,
    /// Whom it was taken from; cases of one subject belong in one part.
    pub subject: String,
    /// At least one, all on one grid.
    pub channels: Vec<Volume>,
    /// What is where, on the same grid, if anybody has drawn it.
    pub label: Option<LabelMap>,
}

impl Case {
    /// Puts a case together.
    ///
    /// # Errors
    /// [`CaseError::NoImage`], or [`CaseError::Grid`] when a channel or the label stands elsewhere than channel 0.
    pub fn new(
        id: impl Into<String>,
        subject: impl Into<String>,
        channels: Vec<Volume>,
        label: Option<LabelMap>,
    ) -> Result<Self, CaseError> {
        let id = id.into();
        let Some(first) = channels.first() else { return Err(CaseError::NoImage { id }) };
        let others = channels.iter().enumerate().skip(1).map(|(place, volume)| (format!("channel {place}"), volume));
        let grids = others
            .map(|(what, volume)| (what, &volume.geometry))
            .chain(label.iter().map(|map| ("the label".to_owned(), &map.geometry)));
        for (what, grid) in grids {
            if !grid.same_grid(&first.geometry, GRID_TOLERANCE_MM) {
                let (found, expected) = apart(grid, &first.geometry);
                return Err(CaseError::Grid { id, what, found, expected });
            }
        }
        Ok(Self { id, subject: subject.into(), channels, label })
    }

    /// Where its voxels stand.
    ///
    /// # Panics
    /// If the case has been left without a channel, which [`Case::new`] does not.
    pub fn geometry(&self) -> &Geometry {
        &self.channels[0].geometry
    }
}

/// How two grids differ, each in the words of the difference.
fn apart(found: &Geometry, expected: &Geometry) -> (String, String) {
    if found.size != expected.size {
        let size = |grid: &Geometry| format!("{} × {} × {} voxels", grid.size[0], grid.size[1], grid.size[2]);
        return (size(found), size(expected));
    }
    let place = |grid: &Geometry| {
        let rounded = |values: [f64; 3]| values.map(|value| format!("{value:.3}")).join(", ");
        format!("voxels of {} mm from ({}) along {}", rounded(grid.spacing), rounded(grid.origin), grid.orientation())
    };
    (place(found), place(expected))
}

/// Where the files of a case are. A path is a file, or a folder of DICOM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFiles {
    /// Name, unique in its set.
    pub id: String,
    /// Whom it was taken from.
    pub subject: String,
    /// One for each channel.
    pub channels: Vec<PathBuf>,
    /// The label, if there is one.
    pub label: Option<PathBuf>,
}

/// Reads one case. `names` are those of the labels, from 0, the background; with none they are called by their number.
/// A file of several volumes, as the channels of a coloured picture or the contrasts of one NIfTI file, gives as many
/// channels.
///
/// # Errors
/// [`CaseError`] with the name of the case and the file.
pub fn read_case(files: &CaseFiles, names: &[String]) -> Result<Case, CaseError> {
    let unread = |cause| CaseError::Read { id: files.id.clone(), cause: Box::new(cause) };
    let mut channels = Vec::with_capacity(files.channels.len());
    for path in &files.channels {
        let (volumes, _) = io::read_volumes(path, &ReadOptions::default()).map_err(unread)?;
        channels.extend(volumes);
    }
    let label = match &files.label {
        Some(path) => Some(io::read_labels(path, names).map_err(unread)?),
        None => None,
    };
    Case::new(&files.id, &files.subject, channels, label)
}

/// Reads cases, on all threads, in their order. What is read stays in memory.
///
/// # Errors
/// [`CaseError`] of the first case in the list that cannot be read, or has more or fewer channels than the one before.
pub fn read_cases(files: &[CaseFiles], names: &[String]) -> Result<Vec<Case>, CaseError> {
    let read: Vec<Result<Case, CaseError>> = files.par_iter().map(|files| read_case(files, names)).collect();
    let cases = read.into_iter().collect::<Result<Vec<Case>, CaseError>>()?;
    let count = |case: &Case| case.channels.len();
    match cases.windows(2).find(|pair| count(&pair[0]) != count(&pair[1])) {
        Some(pair) => Err(CaseError::Channels {
            id: pair[1].id.clone(),
            found: count(&pair[1]),
            other: pair[0].id.clone(),
            expected: count(&pair[0]),
        }),
        None => Ok(cases),
    }
}

#[cfg(test)]
mod tests;
