//! Labelled pictures, for classifiers.
//!
//! [`PictureSet::read`] takes what published sets are: the arrays of MedMNIST (Yang and others 2023, Scientific Data 10:41),
//! a folder for each class, with or without folders for the parts above them, or a table of files and labels. Pixels stay
//! as they are in the files (0 to 255 for most); what they are divided by is learnt from the training part. For networks
//! that see a part of a picture by itself a [`Cropper`] cuts it out before the picture is made smaller.

mod crop;
mod planes;
mod read;

use std::io;
use std::path::PathBuf;

use nn_core::data::{Part, Split};
use sha2::{Digest as _, Sha256};

pub use self::crop::{AUTO, CropConfig, Cropper};
pub use self::planes::{one_picture, resized};
pub use self::read::PictureOptions;

use crate::io::IoError;

/// Why there is no set of pictures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureSetError {
    /// Columns of a set that differ in length.
    #[error("{what}: {found} values for {rows} pictures; each picture has {each}")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Pictures.
        rows: usize,
        /// Values that belong to one picture.
        each: usize,
    },
    /// A label without a class.
    #[error("picture {id} has class {label}, but there are {classes}, numbered from 0")]
    Class {
        /// The picture.
        id: String,
        /// Its class.
        label: usize,
        /// Classes of the set.
        classes: usize,
    },
    /// A pixel that is not a number.
    #[error("picture {id} has a pixel that is {value}; repair it or leave the picture out")]
    Pixel {
        /// The picture.
        id: String,
        /// The value.
        value: f32,
    },
    /// A set without pictures.
    #[error("no pictures in {path}: {wanted}")]
    Empty {
        /// Where they were looked for.
        path: PathBuf,
        /// What would have been found.
        wanted: &'static str,
    },
    /// Pictures of two sizes.
    #[error(
        "picture {id} has {found}, but the first has {expected}; set the size and the number of channels that all should have"
    )]
    Size {
        /// The picture.
        id: String,
        /// Its size and channels.
        found: String,
        /// Those of the first picture.
        expected: String,
    },
    /// A table or an archive that does not say what is needed.
    #[error("{path}: {problem}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A folder or file that the operating system does not give.
    #[error("cannot read {path}: {cause}")]
    Os {
        /// What was to be read.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// What should find a part of the pictures cannot.
    #[error("{from}: {problem}")]
    Cropper {
        /// What was named.
        from: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A picture of which a part cannot be found.
    #[error("picture {id}: {problem}")]
    Crop {
        /// The picture.
        id: String,
        /// What is in the way.
        problem: String,
    },
    /// A picture that cannot be read.
    #[error(transparent)]
    Read(#[from] IoError),
}

/// Pictures of one size, each of one class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PictureSet {
    /// Name of each, unique in the set.
    pub ids: Vec<String>,
    /// Whom each was taken of; pictures of one subject belong in one part.
    pub subjects: Vec<String>,
    /// `[n, channels, height, width]`.
    pub pixels: Vec<f32>,
    /// 1 for grey, 3 for colour; twice as many where a part of each picture lies behind it.
    pub channels: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Class of each picture, a place in `classes`.
    pub labels: Vec<usize>,
    /// The part that the set itself puts each picture in, if it has parts.
    pub part: Option<Vec<Part>>,
}

impl PictureSet {
    /// Pictures.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Values of one picture: channels × height × width.
    pub fn stride(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The pixels of a picture, `[channels, height, width]`.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn picture(&self, row: usize) -> &[f32] {
        let stride = self.stride();
        &self.pixels[row * stride..][..stride]
    }

    /// The pictures `rows`, in that order; one may come several times.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            ids: rows.iter().map(|&row| self.ids[row].clone()).collect(),
            subjects: rows.iter().map(|&row| self.subjects[row].clone()).collect(),
            pixels: rows.iter().flat_map(|&row| self.picture(row)).copied().collect(),
            channels: self.channels,
            height: self.height,
            width: self.width,
            classes: self.classes.clone(),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            part: self.part.as_ref().map(|parts| rows.iter().map(|&row| parts[row]).collect()),
        }
    }

    /// Checks that the columns have one length, every label a class and every pixel a value.
    ///
    /// # Errors
    /// [`PictureSetError::Length`], [`PictureSetError::Class`], [`PictureSetError::Pixel`].
    pub fn check(&self) -> Result<(), PictureSetError> {
        let rows = self.len();
        let columns = [
            ("subjects", self.subjects.len(), 1),
            ("labels", self.labels.len(), 1),
            ("pixels", self.pixels.len(), self.stride()),
            ("parts", self.part.as_ref().map_or(rows, Vec::len), 1),
        ];
        for (what, found, each) in columns {
            if rows.checked_mul(each) != Some(found) {
                return Err(PictureSetError::Length { what, found, rows, each });
            }
        }
        let classes = self.classes.len();
        if let Some(row) = self.labels.iter().position(|label| *label >= classes) {
            return Err(PictureSetError::Class { id: self.ids[row].clone(), label: self.labels[row], classes });
        }
        match self.pixels.iter().position(|value| !value.is_finite()) {
            Some(place) => {
                let id = self.ids[place / self.stride().max(1)].clone();
                Err(PictureSetError::Pixel { id, value: self.pixels[place] })
            }
            None => Ok(()),
        }
    }

    /// The division that the set comes with, if it does.
    pub fn upstream(&self) -> Option<Split> {
        let parts = self.part.as_ref()?;
        let rows = |part: Part| (0..parts.len()).filter(|&row| parts[row] == part).collect::<Vec<usize>>();
        Some(Split::new(rows(Part::Train), rows(Part::Validation), rows(Part::Test)))
    }

    /// How many pictures of `rows` each class has.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn class_counts(&self, rows: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        rows.iter().for_each(|&row| counts[self.labels[row]] += 1);
        counts
    }

    /// The SHA-256 of a picture's pixels, in hexadecimal digits: pictures with equal ones are copies.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn digest(&self, row: usize) -> String {
        digest([self.channels, self.height, self.width], self.picture(row))
    }

    /// [`PictureSet::digest`] of every picture.
    pub fn digests(&self) -> Vec<String> {
        (0..self.len()).map(|row| self.digest(row)).collect()
    }
}

/// SHA-256 of a shape and of values, in hexadecimal digits. Minus zero counts as zero.
pub(crate) fn digest(shape: [usize; 3], values: &[f32]) -> String {
    let mut hash = Sha256::new();
    for size in shape {
        hash.update((size as u64).to_le_bytes());
    }
    let mut bytes = Vec::with_capacity(4 * 4096);
    for block in values.chunks(4096) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|value| (value + 0.0).to_bits().to_le_bytes()));
        hash.update(&bytes);
    }
    hex(&hash.finalize())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

#[cfg(test)]
mod tests;
