//! From a volume as it was read to the input of a network, and the way back for its labels.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::geometry::Geometry;
use crate::intensity::Fitted;
use crate::transform::{
    Interpolation, TransformError, crop, foreground_box, reorient, resample, resample_labels, target_grid,
};
use crate::volume::{LabelMap, Volume};

/// How far two spacings may differ, as a share, without a volume being resampled.
const SAME_SPACING: f64 = 1e-3;
/// How far two grids may lie apart, in mm, and be one.
const SAME_GRID_MM: f64 = crate::case::GRID_TOLERANCE_MM;

/// Volumes that a model cannot read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessingError {
    /// More or fewer channels than the network reads.
    #[error(
        "{found} volumes were given, but the model reads {expected} channels; give one volume for each, in their order"
    )]
    Channels {
        /// Volumes that were given.
        found: usize,
        /// Channels of the model.
        expected: usize,
    },
    /// Channels on different grids.
    #[error("channel {channel} does not stand on the grid of channel 0; resample it there first")]
    Grid {
        /// The channel, from 0.
        channel: usize,
    },
    /// The axes cannot be turned.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

/// What is done to the channels of a case before the network reads them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Where the axes grow to, as `RAS`; empty for as they come.
    pub orientation: String,
    /// Whether the channels are cut to the smallest box that holds what is above 0 in any of them.
    #[serde(default)]
    pub crop: bool,
    /// Spacing along i, j, k in mm, 0 along an axis for as it comes; none for all axes as they come.
    pub spacing: Option<[f64; 3]>,
    /// For each channel how its intensities become numbers near zero.
    pub channels: Vec<Fitted>,
}

impl Preprocessing {
    /// The channels as the network reads them.
    ///
    /// # Errors
    /// [`PreprocessingError`] for a wrong number of channels, different grids, or axes that cannot be turned.
    pub fn apply(&self, channels: &[&Volume]) -> Result<Vec<Volume>, PreprocessingError> {
        if channels.len() != self.channels.len() {
            return Err(PreprocessingError::Channels { found: channels.len(), expected: self.channels.len() });
        }
        let first = &channels[0].geometry;
        let apart = channels.iter().position(|volume| !volume.geometry.same_grid(first, SAME_GRID_MM));
        if let Some(channel) = apart {
            return Err(PreprocessingError::Grid { channel });
        }
        let mut prepared = self.on_grid(channels)?;
        for (volume, fitted) in prepared.iter_mut().zip(&self.channels) {
            fitted.apply(volume);
        }
        Ok(prepared)
    }

    /// The channels turned, cut and resampled, with their intensities as they were.
    ///
    /// # Errors
    /// [`PreprocessingError::Transform`] for axes that cannot be turned.
    pub fn on_grid(&self, channels: &[&Volume]) -> Result<Vec<Volume>, PreprocessingError> {
        let mut turned = channels.iter().map(|volume| self.turned(volume)).collect::<Result<Vec<_>, _>>()?;
        if self.crop {
            let boxed = together(&turned);
            turned = turned.iter().map(|volume| Cow::Owned(crop(volume, &boxed))).collect();
        }
        let on_grid = |volume: Cow<'_, Volume>| match self.resampled_grid(&volume.geometry) {
            Some(grid) => resample(&volume, &grid, Interpolation::Linear),
            None => volume.into_owned(),
        };
        Ok(turned.into_iter().map(on_grid).collect())
    }

    fn turned<'a>(&self, volume: &'a Volume) -> Result<Cow<'a, Volume>, PreprocessingError> {
        if self.orientation.is_empty() || volume.geometry.orientation() == self.orientation {
            return Ok(Cow::Borrowed(volume));
        }
        Ok(Cow::Owned(reorient(volume, &self.orientation)?))
    }

    /// The grid that a turned volume is resampled to; none where it has the spacing already.
    fn resampled_grid(&self, geometry: &Geometry) -> Option<Geometry> {
        let wanted = self.spacing?;
        let spacing: [f64; 3] =
            std::array::from_fn(|axis| if wanted[axis] > 0.0 { wanted[axis] } else { geometry.spacing[axis] });
        let same = |axis: usize| (geometry.spacing[axis] / spacing[axis] - 1.0).abs() <= SAME_SPACING;
        if (0..3).all(same) { None } else { Some(target_grid(geometry, spacing)) }
    }

    /// Labels of a case on the grid that its channels were brought to.
    pub fn labels(&self, label: &LabelMap, grid: &Geometry) -> LabelMap {
        on(label, grid)
    }

    /// Labels that were found on the network's grid, on the grid of the source.
    pub fn back(&self, found: &LabelMap, source: &Geometry) -> LabelMap {
        on(found, source)
    }
}

/// The smallest box that holds what is above 0 in any of the channels; all of them where nothing is.
fn together(channels: &[Cow<'_, Volume>]) -> [Range<usize>; 3] {
    let boxes: Vec<[Range<usize>; 3]> = channels
        .iter()
        .filter(|volume| volume.voxels.iter().any(|&value| value > 0.0))
        .map(|volume| foreground_box(volume, 0.0))
        .collect();
    let full = channels.first().map_or([0; 3], |volume| volume.geometry.size);
    [0, 1, 2].map(|axis| {
        let start = boxes.iter().map(|found| found[axis].start).min().unwrap_or(0);
        let end = boxes.iter().map(|found| found[axis].end).max().unwrap_or(full[axis]);
        start..end
    })
}

/// Labels on another grid; the same ones where it is the same.
fn on(label: &LabelMap, grid: &Geometry) -> LabelMap {
    if label.geometry.same_grid(grid, 1e-6) { label.clone() } else { resample_labels(label, grid) }
}
