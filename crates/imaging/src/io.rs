//! Files in and out. Only this module and those below it name the crates of file formats.
//!
//! [`read_volume`] and [`read_labels`] take a file or a folder and decide by its first bytes, never by its name, what
//! it is: a DICOM file or a folder of series, NIfTI, a picture or a numbered stack of them, an array of numpy. Every
//! reader checks what a file declares against its length and against [`ReadOptions::max_bytes`] before it makes room
//! for it.
//!
//! Nothing is corrected in silence: what a reader had to decide for itself comes back as [`Notice`]s.
//!
//! | module | reads or writes |
//! |---|---|
//! | [`dicom`] | DICOM files, series, segmentations, captures |
//! | [`nifti`] | NIfTI-1 and NIfTI-2, `.nii`, `.nii.gz`, `.hdr` and `.img` |
//! | [`picture`] | PNG, TIFF, JPEG and GIF, numbered stacks of them; PNG out |
//! | [`npz`] | arrays of numpy, alone and zipped, as MedMNIST has them |

pub mod dicom;
pub mod nifti;
pub mod npz;
pub mod picture;
mod sniff;
mod stored;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nn_core::atomic::AtomicError;
use serde::{Deserialize, Serialize};

pub use self::dicom::DicomError;
pub use self::nifti::{NiftiError, write_labels, write_volume};
pub use self::npz::NpzError;
pub use self::picture::PictureError;
pub use self::sniff::{Kind, kind};

use self::dicom::series::SeriesOptions;
use crate::volume::{LabelMap, Volume, VolumeError};

/// What a reader corrected or found suspicious, in words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notice {
    /// What it is, and what was done.
    pub text: String,
}

impl Notice {
    /// A notice of these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// How files are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Which of the volumes of a file or folder, from 0, where it holds several: echoes, time points, series, the
    /// channels of a coloured picture. Without it such a file is refused.
    pub index: Option<usize>,
    /// Whether a DICOM series with uneven gaps or a tilted gantry is resampled to a grid instead of refused.
    pub allow_resample: bool,
    /// Whether the slices of a DICOM series that differ in size, spacing or orientation, and localisers, become volumes
    /// of their own instead of the series being refused.
    pub split_series: bool,
    /// Bytes that the voxels of one file may need in memory.
    pub max_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { index: None, allow_resample: false, split_series: false, max_bytes: 8 << 30 }
    }
}

/// A file or folder that cannot be read, or a file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IoError {
    /// The file or folder cannot be opened.
    #[error("cannot open {path}: {cause}")]
    Open {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file cannot be written; what was there before is untouched.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// The first bytes are of no format that is read here.
    #[error("{path} is neither DICOM, NIfTI, PNG, TIFF, JPEG, GIF nor an array of numpy; convert it to one of these")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to read in the folder.
    #[error("{path} has no file that can be read; it needs DICOM files, a NIfTI file or pictures")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Several volumes, and none was asked for.
    #[error("{path} holds {count} volumes ({names}); say which one to use, from 0 to {}", .count - 1)]
    Several {
        /// The file or folder.
        path: PathBuf,
        /// How many there are.
        count: usize,
        /// What they are.
        names: String,
    },
    /// The volume that was asked for is not there.
    #[error("{path} has no volume {index}: it holds {count}, counted from 0")]
    Index {
        /// The file or folder.
        path: PathBuf,
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A value is no label.
    #[error(
        "{path}: voxel ({}, {}, {}) has the value {value}, which is no label; labels are whole numbers from 0 to 255",
        .voxel[0], .voxel[1], .voxel[2]
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// Column, row, slice.
        voxel: [usize; 3],
        /// What was found.
        value: f64,
    },
    /// A DICOM file or series.
    #[error(transparent)]
    Dicom(#[from] DicomError),
    /// A NIfTI file.
    #[error("{path}: {error}")]
    Nifti {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: NiftiError,
    },
    /// A picture or a stack of them.
    #[error("{path}: {error}")]
    Picture {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        error: PictureError,
    },
    /// An array of numpy.
    #[error("{path}: {error}")]
    Npz {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: NpzError,
    },
    /// The voxels do not fit the grid or the names.
    #[error("{path}: {error}")]
    Volume {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        error: VolumeError,
    },
}

impl IoError {
    pub(crate) fn open(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |cause| Self::Open { path: path.clone(), cause }
    }

    pub(crate) fn volume(path: &Path) -> impl Fn(VolumeError) -> Self + use<> {
        let path = path.to_path_buf();
        move |error| Self::Volume { path: path.clone(), error }
    }
}

/// Reads the one volume of a file or folder, or the one that `options` asks for.
///
/// # Errors
/// [`IoError`] if nothing here reads the file, its reader refuses it, or it holds several volumes and none was asked
/// for.
pub fn read_volume(path: &Path, options: &ReadOptions) -> Result<(Volume, Vec<Notice>), IoError> {
    let (named, notices) = named_volumes(path, options)?;
    let count = named.len();
    let index = match options.index {
        Some(index) => index,
        None if count > 1 => {
            let names = named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(IoError::Several { path: path.to_path_buf(), count, names });
        }
        None => 0,
    };
    let found = named.into_iter().nth(index);
    let (_, volume) = found.ok_or_else(|| IoError::Index { path: path.to_path_buf(), index, count })?;
    Ok((volume, notices))
}

/// Reads all volumes of a file or folder: time points, echoes, series, the channels of a coloured picture.
/// [`ReadOptions::index`] does not count here.
///
/// # Errors
/// [`IoError`] if nothing here reads the file or its reader refuses it.
pub fn read_volumes(path: &Path, options: &ReadOptions) -> Result<(Vec<Volume>, Vec<Notice>), IoError> {
    let (named, notices) = named_volumes(path, options)?;
    Ok((named.into_iter().map(|(_, volume)| volume).collect(), notices))
}

/// Reads a map of labels: a NIfTI file, a DICOM segmentation, a picture or a numbered stack of them, an array of numpy.
///
/// `names` are those of the labels, the background first; without any they become `background`, `label 1`, … . Values
/// must be whole numbers from 0 to 255, whatever their type in the file. Of a picture with a palette its indices are
/// the labels, not its colours. A picture or stack that has no other values than 0 and 255 is a mask: 255 becomes label
/// 1.
///
/// # Errors
/// [`IoError`] if nothing here reads the file, its reader refuses it, a value is no label or a label has no name.
pub fn read_labels(path: &Path, names: &[String]) -> Result<LabelMap, IoError> {
    let options = ReadOptions::default();
    let (labels, geometry) = match content(path)? {
        Content::File(Kind::Nifti) => nifti::labels(path, &options)?,
        Content::File(Kind::Picture) => picture::labels(path, &options)?,
        Content::Stack(files) => picture::stack_labels(path, &files, &options)?,
        Content::File(Kind::Npy | Kind::Npz) => npz::labels(path, &options)?,
        Content::Inner(inner) => return read_labels(&inner, names),
        Content::File(Kind::Dicom) | Content::Dicom => return dicom_labels(path, names),
    };
    let map = if names.is_empty() {
        LabelMap::with_default_names(labels, geometry)
    } else {
        LabelMap::new(labels, geometry, names.to_vec())
    };
    map.map_err(IoError::volume(path))
}

/// What a path holds.
enum Content {
    /// One file of that kind.
    File(Kind),
    /// A folder of DICOM files, or one with such folders.
    Dicom,
    /// A folder of pictures, in the order of their numbers.
    Stack(Vec<PathBuf>),
    /// A folder whose one file or folder that counts is this.
    Inner(PathBuf),
}

fn content(path: &Path) -> Result<Content, IoError> {
    if !fs::metadata(path).map_err(IoError::open(path))?.is_dir() {
        return match kind(path)? {
            Some(kind) => Ok(Content::File(kind)),
            None => Err(IoError::Unknown { path: path.to_path_buf() }),
        };
    }
    let (mut pictures, mut others, mut folders) = (Vec::new(), Vec::new(), 0);
    for entry in fs::read_dir(path).map_err(IoError::open(path))? {
        let entry = entry.map_err(IoError::open(path))?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let file = entry.path();
        if file.is_dir() {
            folders += 1;
            continue;
        }
        match kind(&file)? {
            // A series may lie beside exports of it: DICOM goes first.
            Some(Kind::Dicom) => return Ok(Content::Dicom),
            Some(Kind::Picture) => pictures.push(file),
            Some(_) => others.push(file),
            None => {}
        }
    }
    if others.len() == 1 && pictures.is_empty() {
        return Ok(Content::Inner(others.swap_remove(0)));
    }
    if others.is_empty() && !pictures.is_empty() {
        picture::sort_by_number(&mut pictures);
        return Ok(Content::Stack(pictures));
    }
    if others.len() > 1 {
        others.sort();
        let names = others.iter().map(|file| sniff::name(file)).collect::<Vec<_>>().join(", ");
        return Err(IoError::Several { path: path.to_path_buf(), count: others.len(), names });
    }
    if others.is_empty() && folders > 0 { Ok(Content::Dicom) } else { Err(IoError::Empty { path: path.to_path_buf() }) }
}

type Named = (Vec<(String, Volume)>, Vec<Notice>);

fn named_volumes(path: &Path, options: &ReadOptions) -> Result<Named, IoError> {
    match content(path)? {
        Content::File(Kind::Nifti) => {
            let (volumes, notices) = nifti::read(path, options)?;
            Ok((numbered(volumes, "volume"), notices))
        }
        Content::File(Kind::Picture) => picture::volumes(path, options),
        Content::Stack(files) => picture::stack(path, &files, options),
        Content::File(Kind::Npy | Kind::Npz) => npz::volumes(path, options),
        Content::Inner(inner) => named_volumes(&inner, options),
        Content::File(Kind::Dicom) | Content::Dicom => dicom_volumes(path, options),
    }
}

fn numbered(volumes: Vec<Volume>, what: &str) -> Vec<(String, Volume)> {
    volumes.into_iter().enumerate().map(|(index, volume)| (format!("{what} {index}"), volume)).collect()
}

/// The labels that the values of a volume are.
fn whole_labels(path: &Path, volume: &Volume) -> Result<Vec<u8>, IoError> {
    let is_label = |value: f32| value.fract() == 0.0 && (0.0..=255.0).contains(&value);
    if let Some(offset) = volume.voxels.iter().position(|&value| !is_label(value)) {
        let [columns, rows, _] = volume.geometry.size;
        let voxel = [offset % columns, offset / columns % rows, offset / columns / rows];
        return Err(IoError::Label { path: path.to_path_buf(), voxel, value: f64::from(volume.voxels[offset]) });
    }
    Ok(volume.voxels.iter().map(|&value| value as u8).collect())
}

/// All volumes of all series of a DICOM file or folder.
fn dicom_volumes(path: &Path, options: &ReadOptions) -> Result<Named, IoError> {
    let settings = SeriesOptions {
        allow_resample: options.allow_resample,
        split: options.split_series,
        max_bytes: options.max_bytes,
    };
    let (mut named, mut notices) = (Vec::new(), Vec::new());
    for series in dicom::series::scan(path)? {
        let (volumes, more) = series.read(&settings)?;
        notices.extend(more);
        let name = series.name();
        named.extend(volumes.into_iter().map(|volume| (name.clone(), volume)));
    }
    if named.is_empty() { Err(IoError::Empty { path: path.to_path_buf() }) } else { Ok((named, notices)) }
}

/// A DICOM segmentation, or the only one of a folder; `names` replace those of its segments.
fn dicom_labels(path: &Path, names: &[String]) -> Result<LabelMap, IoError> {
    let (map, _) = dicom::seg::read_seg(&only_dicom(path)?)?.label_map()?;
    if names.is_empty() {
        return Ok(map);
    }
    LabelMap::new(map.labels, map.geometry, names.to_vec()).map_err(IoError::volume(path))
}

/// The DICOM file that a path is, or the only one that is in it.
fn only_dicom(path: &Path) -> Result<PathBuf, IoError> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(IoError::open(path))? {
        let file = entry.map_err(IoError::open(path))?.path();
        if file.is_file() && kind(&file)? == Some(Kind::Dicom) {
            files.push(file);
        }
    }
    files.sort();
    match files.len() {
        0 => Err(IoError::Empty { path: path.to_path_buf() }),
        1 => Ok(files.swap_remove(0)),
        count => {
            let names = files.iter().map(|file| sniff::name(file)).collect::<Vec<_>>().join(", ");
            Err(IoError::Several { path: path.to_path_buf(), count, names })
        }
    }
}
