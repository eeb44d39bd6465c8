//! What can be wrong with a DICOM file, a series of them, or the pixels within: always which file, which attribute or
//! byte, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use nn_core::atomic::AtomicError;

/// A DICOM file or series that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DicomError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file is something else.
    #[error("{path} is no DICOM file: {problem}")]
    NotDicom {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        problem: String,
    },
    /// The data set is damaged, cut short, or declares more than the file holds.
    #[error("{path}, byte {offset}, {attribute}: {problem}; the file is damaged or was cut short: fetch it again")]
    Structure {
        /// The file.
        path: PathBuf,
        /// Where, in bytes from the start of the file (of the inflated data set, where it is deflated).
        offset: u64,
        /// The attribute that was being read, as `(7FE0,0010) PixelData`.
        attribute: String,
        /// What is wrong, with both numbers.
        problem: String,
    },
    /// An attribute is missing or holds what it may not.
    #[error("{path}, {attribute}: {problem}")]
    Attribute {
        /// The file.
        path: PathBuf,
        /// As `(0028,0010) Rows`.
        attribute: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The pixels are stored in a way that this build does not decode.
    #[error("{path} is stored in transfer syntax {syntax}, which is not decoded: {remedy}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Name and UID.
        syntax: String,
        /// What reads it: a feature to build with, or a program to convert with.
        remedy: String,
    },
    /// The pixel data do not fit what the header says of them.
    #[error("{path}: {problem}")]
    Pixels {
        /// The file.
        path: PathBuf,
        /// Both numbers and where they are from.
        problem: String,
    },
    /// The compressed stream of one frame is damaged.
    #[error("{path}, frame {frame} of {frames}, {syntax}: {problem}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// The frame, from 1.
        frame: usize,
        /// Frames of the file.
        frames: usize,
        /// Name of the transfer syntax.
        syntax: String,
        /// What the decoder said.
        problem: String,
    },
    /// A frame was asked for that is not there.
    #[error("{path} has {frames} frames; there is no frame {frame}")]
    NoFrame {
        /// The file.
        path: PathBuf,
        /// The frame that was asked for, from 1.
        frame: usize,
        /// Frames of the file.
        frames: usize,
    },
    /// The object is no image, or was opened up to its pixels only.
    #[error("{path} has no pixels: {problem}")]
    NoPixels {
        /// The file.
        path: PathBuf,
        /// Why: the class of the object, or how it was opened.
        problem: String,
    },
    /// The files of a folder do not make a volume.
    #[error("{path}: {problem}")]
    Series {
        /// The folder, or the first file of the series.
        path: PathBuf,
        /// The series, what is wrong with it, which slices, and what to do.
        problem: String,
    },
    /// What is to be written does not make a valid object.
    #[error("cannot write {path}: {problem}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The file cannot be put on disk; what was there before is untouched.
    #[error(transparent)]
    Atomic(#[from] AtomicError),
}

impl DicomError {
    /// For `map_err` on what the operating system refused.
    pub(crate) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |cause| Self::Read { path: path.to_path_buf(), cause }
    }

    pub(crate) fn attribute(path: &Path, attribute: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Attribute { path: path.to_path_buf(), attribute: attribute.into(), problem: problem.into() }
    }

    pub(crate) fn pixels(path: &Path, problem: impl Into<String>) -> Self {
        Self::Pixels { path: path.to_path_buf(), problem: problem.into() }
    }

    pub(crate) fn no_pixels(path: &Path, problem: impl Into<String>) -> Self {
        Self::NoPixels { path: path.to_path_buf(), problem: problem.into() }
    }

    /// One word for tables: why a file was refused.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read { .. } => "unreadable",
            Self::NotDicom { .. } => "not DICOM",
            Self::Structure { .. } => "damaged",
            Self::Attribute { .. } => "attribute",
            Self::Unsupported { .. } => "unsupported",
            Self::Pixels { .. } => "pixel length",
            Self::Decode { .. } => "pixel stream",
            Self::NoFrame { .. } => "no frame",
            Self::NoPixels { .. } => "no pixels",
            Self::Series { .. } => "series",
            Self::Write { .. } | Self::Atomic(_) => "unwritable",
        }
    }
}

/// What is wrong inside bytes that do not know which file they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte in the data set.
    pub(crate) offset: usize,
    /// The attribute that was being read.
    pub(crate) attribute: String,
    pub(crate) problem: String,
}

impl Fault {
    pub(crate) fn at(self, path: &Path) -> DicomError {
        DicomError::Structure {
            path: path.to_path_buf(),
            offset: self.offset as u64,
            attribute: self.attribute,
            problem: self.problem,
        }
    }
}
