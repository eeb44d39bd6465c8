//! DICOM segmentations (PS3.3, A.51): one bit-packed frame a segment and slice, or the probabilities of it.
//!
//! Frames without a voxel are left out, as readers expect; all frames together are one stream of bits, so that a frame
//! of 23 x 38 pixels begins within a byte. Each frame names the slice that it was made from.

mod codes;
mod grid;
mod read;
mod write;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::read::{read_seg, segmentation};
pub use self::write::{write_fractional_seg, write_seg};
pub use super::derived::{Code, OutputOptions, Written};

use super::error::DicomError;
use crate::geometry::Geometry;
use crate::volume::{LabelMap, default_names};

/// What a segment is, for who reads the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentMeta {
    /// Name of the segment, up to 64 characters.
    pub name: String,
    /// What sort of thing it is, as "Anatomical Structure".
    pub category: Code,
    /// What it is, as "Liver".
    pub kind: Code,
    /// Colour (sRGB) to show it with.
    pub colour: Option<[u8; 3]>,
}

impl SegmentMeta {
    /// The segment of label `label` (from 1), whose concept is found by the words of its name: organs and findings that
    /// are common in published sets are known by their SNOMED CT codes, anything else is "Tissue".
    pub fn named(name: &str, label: usize) -> Self {
        let (category, kind) = codes::concept(name);
        Self { name: name.to_owned(), category, kind, colour: Some(codes::colour(label)) }
    }
}

/// A segment of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentInfo {
    /// Its number, from 1.
    pub number: u16,
    /// Its name.
    pub name: String,
    /// What sort of thing it is, where the file says so.
    pub category: Option<Code>,
    /// What it is, where the file says so.
    pub kind: Option<Code>,
    /// Colour (sRGB) to show it with.
    pub colour: Option<[u8; 3]>,
    /// `AUTOMATIC`, `SEMIAUTOMATIC` or `MANUAL`.
    pub algorithm_type: Option<String>,
    /// Name of what made it.
    pub algorithm: Option<String>,
}

/// What the values of the frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SegmentationKind {
    /// 1 within the segment.
    Binary,
    /// Probability of the segment.
    Probability,
    /// Part of the voxel that the segment fills.
    Occupancy,
    /// One frame a slice that held the numbers of the segments; here taken apart, and binary.
    LabelMap,
}

/// Where one segment is on one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFrame {
    /// Number of the segment.
    pub segment: u16,
    /// Slice of the grid.
    pub slice: usize,
    /// SOP instance UID of the image that it was made from, and the frame in it (from 1) if it has several.
    pub source: Option<(String, Option<usize>)>,
    /// One value a pixel, row by row, from 0 to [`Segmentation::maximum`].
    pub values: Vec<u8>,
}

/// The content of a segmentation object.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// The file.
    pub path: PathBuf,
    /// What the values are.
    pub kind: SegmentationKind,
    /// The value that stands for 1.
    pub maximum: u8,
    /// The segments, in the order of the file.
    pub segments: Vec<SegmentInfo>,
    /// The frames, in the order of the file.
    pub frames: Vec<SegmentFrame>,
    /// The smallest grid that holds all frames. Slices without a frame at either end are not known; see
    /// [`on_grid`](Self::on_grid).
    pub geometry: Geometry,
    /// Frame of reference UID.
    pub frame_of_reference: Option<String>,
}

impl Segmentation {
    /// The same frames on another grid, that of the images: it has the slices that no frame shows.
    ///
    /// # Errors
    /// [`DicomError::Pixels`] if a frame does not lie on a slice of the grid.
    pub fn on_grid(mut self, grid: &Geometry) -> Result<Self, DicomError> {
        let slices = grid::slices_of(&self.path, &self.geometry, grid)?;
        for frame in &mut self.frames {
            frame.slice = slices[frame.slice];
        }
        self.geometry = grid.clone();
        Ok(self)
    }

    /// One value a voxel of the segment of this number, from 0 to 1; 0 where it has no frame.
    pub fn fraction(&self, number: u16) -> Vec<f32> {
        let mut voxels = vec![0.0; self.geometry.len()];
        let plane = self.geometry.size[0] * self.geometry.size[1];
        for frame in self.frames.iter().filter(|frame| frame.segment == number) {
            for (voxel, &value) in voxels[frame.slice * plane..].iter_mut().zip(&frame.values) {
                *voxel = f32::from(value) / f32::from(self.maximum);
            }
        }
        voxels
    }

    /// One label a voxel, and how many voxels several segments claim. A segment has a voxel if its value is at least
    /// half of 1; among several the largest value wins, and of equal ones the highest number.
    ///
    /// # Errors
    /// [`DicomError::Pixels`] if a segment has a number above 255.
    pub fn label_map(&self) -> Result<(LabelMap, usize), DicomError> {
        let highest = self.segments.iter().map(|segment| segment.number).max().unwrap_or(0);
        if highest > 255 {
            let problem = format!("segment {highest}; labels go up to 255: read the segments one by one");
            return Err(DicomError::pixels(&self.path, problem));
        }
        let mut names = default_names(usize::from(highest) + 1);
        for segment in &self.segments {
            if let Some(name) = names.get_mut(usize::from(segment.number)) {
                name.clone_from(&segment.name);
            }
        }
        let mut labels = vec![0_u8; self.geometry.len()];
        let mut values = vec![0_u8; self.geometry.len()];
        let plane = self.geometry.size[0] * self.geometry.size[1];
        let mut shared = vec![false; self.geometry.len()];
        for frame in &self.frames {
            let label = frame.segment as u8;
            for (at, &value) in (frame.slice * plane..).zip(&frame.values) {
                if value == 0 || u16::from(value) * 2 < u16::from(self.maximum) {
                    continue;
                }
                shared[at] |= labels[at] != 0 && labels[at] != label;
                if (value, label) > (values[at], labels[at]) {
                    labels[at] = label;
                    values[at] = value;
                }
            }
        }
        let shared = shared.into_iter().filter(|&is| is).count();
        let map = LabelMap::new(labels, self.geometry.clone(), names);
        Ok((map.map_err(|error| DicomError::pixels(&self.path, error.to_string()))?, shared))
    }
}
