//! Volumes of grey values and of labels: two types, so that labels cannot be interpolated.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::geometry::Geometry;

/// What the values were measured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Modality {
    /// Computed tomography.
    Ct,
    /// Magnetic resonance.
    Mr,
    /// Projection radiography, angiography and fluoroscopy.
    Xray,
    /// Mammography.
    Mammography,
    /// Ultrasound.
    Ultrasound,
    /// Positron emission tomography.
    Pet,
    /// Optical coherence tomography.
    Oct,
    /// Photographs of the retina and the front of the eye.
    Fundus,
    /// Microscopy.
    Microscopy,
    /// Anything else, or unknown.
    #[default]
    Other,
}

impl Modality {
    /// The modality of a value of DICOM's tag (0008,0060), as `CT` or `DX`; [`Other`](Self::Other) for those not named
    /// here.
    pub fn from_dicom(code: &str) -> Self {
        match code.trim_matches(['\0', ' ']) {
            "CT" => Self::Ct,
            "MR" => Self::Mr,
            "CR" | "DX" | "RG" | "XA" | "RF" | "PX" | "IO" => Self::Xray,
            "MG" => Self::Mammography,
            "US" | "IVUS" => Self::Ultrasound,
            "PT" => Self::Pet,
            "OPT" | "OCT" | "IVOCT" => Self::Oct,
            "OP" => Self::Fundus,
            "SM" | "GM" => Self::Microscopy,
            _ => Self::Other,
        }
    }

    /// The value of DICOM's tag (0008,0060) that a file of this modality carries; `OT` for [`Other`](Self::Other).
    pub fn dicom(self) -> &'static str {
        match self {
            Self::Ct => "CT",
            Self::Mr => "MR",
            Self::Xray => "DX",
            Self::Mammography => "MG",
            Self::Ultrasound => "US",
            Self::Pet => "PT",
            Self::Oct => "OPT",
            Self::Fundus => "OP",
            Self::Microscopy => "SM",
            Self::Other => "OT",
        }
    }
}

/// What the values count.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// Hounsfield units: water 0, air −1000.
    Hounsfield,
    /// No unit: values of two volumes cannot be compared.
    #[default]
    Arbitrary,
    /// A unit by its name, as `BQML`.
    Named(String),
}

/// Where a volume was read from, as far as the files say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    /// Patient ID.
    pub subject: Option<String>,
    /// Study instance UID.
    pub study: Option<String>,
    /// Series instance UID.
    pub series: Option<String>,
    /// Frame of reference UID: volumes that share it share their coordinates.
    pub frame_of_reference: Option<String>,
    /// For each slice `k`, in order, where it was read from; empty if unknown.
    pub slices: Vec<SliceFile>,
}

/// The file of one slice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SliceFile {
    /// The file.
    pub path: PathBuf,
    /// Frame in it, from 0.
    pub frame: usize,
    /// SOP instance UID.
    pub instance: String,
}

/// Voxels that do not fit their grid or names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// There are more or fewer voxels than places.
    #[error("{found} voxels for a grid of {} x {} x {} = {expected}", .size[0], .size[1], .size[2])]
    Length {
        /// Voxels that were given.
        found: usize,
        /// Voxels of the grid.
        expected: usize,
        /// Columns, rows, slices.
        size: [usize; 3],
    },
    /// A label has no name.
    #[error(
        "label {label} occurs in the voxels but only 0 to {} have names; add its name or correct the voxels",
        .names.saturating_sub(1)
    )]
    Unnamed {
        /// The label.
        label: u8,
        /// How many names there are.
        names: usize,
    },
    /// There are no names at all, or more than labels can count.
    #[error("{count} names of labels; there must be 1 (the background) to 256")]
    Names {
        /// How many names there are.
        count: usize,
    },
}

/// Grey values on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// One value a voxel, `i` fastest.
    pub voxels: Vec<f32>,
    /// Where they stand.
    pub geometry: Geometry,
    /// What they were measured with.
    pub modality: Modality,
    /// What they count.
    pub units: Units,
    /// Where they were read from.
    pub source: Source,
}

impl Volume {
    /// A volume of unknown modality, unit and source.
    ///
    /// # Errors
    /// [`VolumeError::Length`] if the number of voxels is not that of the grid.
    pub fn new(voxels: Vec<f32>, geometry: Geometry) -> Result<Self, VolumeError> {
        check_length(voxels.len(), &geometry)?;
        Ok(Self::of(voxels, geometry))
    }

    /// As [`new`](Self::new), where the number of voxels is known to be right.
    pub(crate) fn of(voxels: Vec<f32>, geometry: Geometry) -> Self {
        let (modality, units, source) = (Modality::default(), Units::default(), Source::default());
        Self { voxels, geometry, modality, units, source }
    }

    /// Other voxels on another grid, of the same modality, unit and patient. The files of the slices go with them only
    /// if `slices` still are those of the new grid.
    pub(crate) fn derived(&self, voxels: Vec<f32>, geometry: Geometry, slices: Vec<SliceFile>) -> Self {
        let source = Source {
            subject: self.source.subject.clone(),
            study: self.source.study.clone(),
            series: self.source.series.clone(),
            frame_of_reference: self.source.frame_of_reference.clone(),
            slices,
        };
        Self { voxels, geometry, modality: self.modality, units: self.units.clone(), source }
    }

    /// The value of one voxel.
    ///
    /// # Panics
    /// If the offset of the voxel lies outside the volume.
    pub fn at(&self, i: usize, j: usize, k: usize) -> f32 {
        self.voxels[self.geometry.offset(i, j, k)]
    }

    /// The values of slice `k`, row by row.
    ///
    /// # Panics
    /// If there is no such slice.
    pub fn slice(&self, k: usize) -> &[f32] {
        let plane = self.geometry.size[0] * self.geometry.size[1];
        &self.voxels[k * plane..(k + 1) * plane]
    }

    /// Smallest and largest finite value; `None` if there is no finite value.
    pub fn range(&self) -> Option<(f32, f32)> {
        self.voxels.iter().filter(|value| value.is_finite()).fold(None, |range, &value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
    }
}

/// Labels on a grid. Labels are never interpolated but by nearest neighbour: no function takes a `LabelMap` where it
/// takes a [`Volume`].
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMap {
    /// One label a voxel, `i` fastest; 0 is the background.
    pub labels: Vec<u8>,
    /// Where they stand.
    pub geometry: Geometry,
    /// Name of each label; `names[0]` is `background`.
    pub names: Vec<String>,
}

impl LabelMap {
    /// A label map with the names of its labels, the background first.
    ///
    /// # Errors
    /// [`VolumeError`] if the number of labels is not that of the grid, or a label has no name.
    pub fn new(labels: Vec<u8>, geometry: Geometry, names: Vec<String>) -> Result<Self, VolumeError> {
        check_length(labels.len(), &geometry)?;
        if names.is_empty() || names.len() > 256 {
            return Err(VolumeError::Names { count: names.len() });
        }
        let label = labels.iter().copied().max().unwrap_or(0);
        if usize::from(label) >= names.len() {
            return Err(VolumeError::Unnamed { label, names: names.len() });
        }
        Ok(Self { labels, geometry, names })
    }

    /// A label map whose labels are named `background`, `label 1`, `label 2`, …, up to the largest that occurs.
    ///
    /// # Errors
    /// [`VolumeError::Length`] if the number of labels is not that of the grid.
    pub fn with_default_names(labels: Vec<u8>, geometry: Geometry) -> Result<Self, VolumeError> {
        let largest = labels.iter().copied().max().unwrap_or(0);
        Self::new(labels, geometry, default_names(usize::from(largest) + 1))
    }

    /// The label of one voxel.
    ///
    /// # Panics
    /// If the offset of the voxel lies outside the map.
    pub fn at(&self, i: usize, j: usize, k: usize) -> u8 {
        self.labels[self.geometry.offset(i, j, k)]
    }

    /// The labels of slice `k`, row by row.
    ///
    /// # Panics
    /// If there is no such slice.
    pub fn slice(&self, k: usize) -> &[u8] {
        let plane = self.geometry.size[0] * self.geometry.size[1];
        &self.labels[k * plane..(k + 1) * plane]
    }

    /// How many voxels each named label has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = [0_usize; 256];
        for &label in &self.labels {
            counts[usize::from(label)] += 1;
        }
        counts[..self.names.len().min(256)].to_vec()
    }

    /// The labels that occur, the background among them, in ascending order.
    pub fn present(&self) -> Vec<u8> {
        let mut seen = [false; 256];
        for &label in &self.labels {
            seen[usize::from(label)] = true;
        }
        (0..=u8::MAX).filter(|&label| seen[usize::from(label)]).collect()
    }

    /// Where `label` is.
    pub fn mask(&self, label: u8) -> Vec<bool> {
        self.labels.iter().map(|&found| found == label).collect()
    }

    /// mm³ of all voxels of `label`.
    pub fn volume_mm3(&self, label: u8) -> f64 {
        let count = self.counts().get(usize::from(label)).copied().unwrap_or(0);
        count as f64 * self.geometry.voxel_volume()
    }
}

/// `background`, `label 1`, …: `count` names.
pub fn default_names(count: usize) -> Vec<String> {
    (0..count).map(|label| if label == 0 { "background".to_owned() } else { format!("label {label}") }).collect()
}

fn check_length(found: usize, geometry: &Geometry) -> Result<(), VolumeError> {
    let expected = geometry.len();
    if found == expected { Ok(()) } else { Err(VolumeError::Length { found, expected, size: geometry.size }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Geometry {
        Geometry::axial([3, 2, 2], [0.5, 2.0, 3.0])
    }

    #[test]
    fn columns_are_the_fastest_index() {
        let volume = Volume::new((0..12).map(|value| value as f32).collect(), grid()).unwrap();
        assert_eq!(volume.at(1, 0, 0), 1.0);
        assert_eq!(volume.at(0, 1, 0), 3.0);
        assert_eq!(volume.at(2, 1, 1), 11.0);
        assert_eq!(volume.slice(1), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        let error = Volume::new(vec![0.0; 11], grid()).unwrap_err();
        assert_eq!(error.to_string(), "11 voxels for a grid of 3 x 2 x 2 = 12");
    }

    #[test]
    fn the_range_leaves_out_what_is_not_finite() {
        let mut voxels = vec![f32::NAN; 12];
        let none = Volume::new(voxels.clone(), grid()).unwrap();
        assert_eq!(none.range(), None);
        voxels[3] = -2.0;
        voxels[4] = 7.0;
        voxels[5] = f32::INFINITY;
        assert_eq!(Volume::new(voxels, grid()).unwrap().range(), Some((-2.0, 7.0)));
    }

    #[test]
    fn every_label_has_a_name() {
        let labels = vec![0, 1, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0];
        let names = ["background", "anterior", "posterior"].map(str::to_owned).to_vec();
        let error = LabelMap::new(labels.clone(), grid(), names).unwrap_err();
        assert_eq!(error, VolumeError::Unnamed { label: 3, names: 3 });
        assert!(error.to_string().starts_with("label 3 occurs in the voxels but only 0 to 2 have names"), "{error}");
        let map = LabelMap::with_default_names(labels, grid()).unwrap();
        assert_eq!(map.names, ["background", "label 1", "label 2", "label 3"]);
        assert_eq!(map.present(), [0, 1, 3]);
        assert_eq!(map.counts(), [9, 2, 0, 1]);
        // 2 voxels of 0.5 · 2 · 3 mm³
        assert_eq!(map.volume_mm3(1), 6.0);
        assert_eq!(map.mask(3).iter().filter(|&&is| is).count(), 1);
    }

    #[test]
    fn modalities_have_the_codes_of_dicom() {
        assert_eq!(Modality::from_dicom("DX "), Modality::Xray);
        assert_eq!(Modality::from_dicom("OPT\0"), Modality::Oct);
        assert_eq!(Modality::from_dicom("SEG"), Modality::Other);
        for modality in [Modality::Ct, Modality::Mr, Modality::Xray, Modality::Pet, Modality::Fundus, Modality::Other] {
            assert_eq!(Modality::from_dicom(modality.dicom()), modality);
        }
        assert_eq!(serde_json::to_string(&Modality::Xray).unwrap(), "\"xray\"");
    }
}
