//! Grids turned, resampled, cropped and padded; the geometry goes with the voxels.
//!
//! Volumes and label maps have functions of their own: labels are only ever copied or taken from the nearest voxel.
//! Every change of grid can be undone, because the grid says where it is: [`uncrop_labels`] puts labels back that were
//! found on a crop or a padded grid, [`resample_labels`] those on another spacing, and [`reorient_labels`] with the
//! orientation of the source turns them back exactly.

mod crop;
mod orient;
mod resample;

pub use self::crop::{
    Margins, crop, crop_labels, foreground_box, label_box, pad_labels_to, pad_to, uncrop, uncrop_labels,
};
pub use self::orient::{reorient, reorient_geometry, reorient_labels};
pub use self::resample::{Interpolation, resample, resample_labels, target_grid};

/// What a grid cannot be turned to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// The letters are no orientation.
    #[error("\"{code}\" is no orientation; give one of R or L, one of A or P and one of S or I, as RAS")]
    Orientation {
        /// What was given.
        code: String,
    },
}
