//! What an audit needs to know of an image, so that no two need be in memory at once.

use serde::{Deserialize, Serialize};

use super::near::Look;
use crate::case::Case;
use crate::evaluate::surface::quantile;
use crate::pictures::{PictureSet, digest};

/// Labelled voxels of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelCount {
    /// Name of the label.
    pub name: String,
    /// Its voxels.
    pub voxels: usize,
    /// Their volume in mm³.
    pub mm3: f64,
}

/// What an audit knows of a case or a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Name.
    pub id: String,
    /// Whom it was taken of.
    pub subject: String,
    /// Its class, if it has one.
    pub class: Option<usize>,
    /// Columns, rows, slices.
    pub size: [usize; 3],
    /// Spacing in mm.
    pub spacing: [f64; 3],
    /// SHA-256 of all its channels.
    pub digest: String,
    /// First percentile, median and 99th percentile of the first channel.
    pub intensity: [f64; 3],
    /// Voxels that are not a number, of all channels.
    pub not_finite: usize,
    /// Its labels without the background; `None` of an image that nobody has labelled.
    pub labels: Option<Vec<LabelCount>>,
    /// What is compared to find images that are alike.
    pub(crate) look: Look,
}

impl Facts {
    /// Of a case.
    pub fn of_case(case: &Case) -> Self {
        let geometry = case.geometry();
        let first = &case.channels[0].voxels;
        let digests: Vec<String> =
            case.channels.iter().map(|channel| digest(channel.geometry.size, &channel.voxels)).collect();
        let labels = case.label.as_ref().map(|map| {
            let count = |(name, voxels): (&String, usize)| LabelCount {
                name: name.clone(),
                voxels,
                mm3: voxels as f64 * geometry.voxel_volume(),
            };
            map.names.iter().zip(map.counts()).skip(1).map(count).collect()
        });
        let not_finite =
            case.channels.iter().flat_map(|channel| &channel.voxels).filter(|value| !value.is_finite()).count();
        Self {
            id: case.id.clone(),
            subject: case.subject.clone(),
            class: None,
            size: geometry.size,
            spacing: geometry.spacing,
            digest: digests.join("+"),
            intensity: intensity(first),
            not_finite,
            labels,
            look: Look::of(first, geometry.size),
        }
    }

    /// Of a picture.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn of_picture(set: &PictureSet, row: usize) -> Self {
        let pixels = set.picture(row);
        let size = [set.width, set.height, 1];
        let first = &pixels[..set.width * set.height];
        Self {
            id: set.ids[row].clone(),
            subject: set.subjects[row].clone(),
            class: Some(set.labels[row]),
            size,
            spacing: [1.0; 3],
            digest: set.digest(row),
            intensity: intensity(first),
            not_finite: pixels.iter().filter(|value| !value.is_finite()).count(),
            labels: None,
            look: Look::of(first, size),
        }
    }
}

/// First percentile, median and 99th percentile of what is a number; zeros where nothing is.
fn intensity(values: &[f32]) -> [f64; 3] {
    let mut sorted: Vec<f64> = values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value)).collect();
    if sorted.is_empty() {
        return [0.0; 3];
    }
    sorted.sort_unstable_by(f64::total_cmp);
    [0.01, 0.5, 0.99].map(|share| quantile(&sorted, share))
}

/// Modified z-scores (Iglewicz and Hoaglin 1993, How to Detect and Handle Outliers, section 3.3): 0.6745 times the distance
/// to the median, over the median of these distances. Nothing stands out where more than half of the values are the same.
pub(crate) fn modified_z(values: &[f64]) -> Vec<f64> {
    let median = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() { 0.0 } else { quantile(&sorted, 0.5) }
    };
    let centre = median(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    let spread = median(&distances);
    values.iter().map(|value| if spread > 0.0 { 0.6745 * (value - centre) / spread } else { 0.0 }).collect()
}
