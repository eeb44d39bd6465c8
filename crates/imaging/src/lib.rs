//! Deep learning for medical images: from folders of DICOM files to models that segment and classify, and back to files
//! that a radiologist's tools open.
//!
//! Every value knows where it stands in the patient. A [`volume::Volume`] has a [`geometry::Geometry`]; whatever turns,
//! resamples or crops it moves the geometry along, so that what a network finds on its own grid goes back to the grid
//! of the scanner. Labels are a type of their own, [`volume::LabelMap`], that nothing interpolates. A reader that
//! cannot tell where a voxel belongs refuses the file and says which slices are in the way.
//!
//! ```
//! use imaging::geometry::Geometry;
//! use imaging::transform::{Interpolation, crop, foreground_box, reorient, resample, target_grid, uncrop};
//! use imaging::volume::Volume;
//! // 4 x 4 slices of 2 mm, 1 mm pixels, with one bright voxel
//! let grid = Geometry::axial([4, 4, 2], [1.0, 1.0, 2.0]);
//! let mut voxels = vec![0.0; grid.len()];
//! voxels[grid.offset(1, 2, 1)] = 10.0;
//! let scan = Volume::new(voxels, grid)?;
//! assert_eq!(scan.geometry.orientation(), "LPS");
//!
//! let turned = reorient(&scan, "RAS")?;
//! assert_eq!(turned.at(2, 1, 1), 10.0);
//! let found = crop(&turned, &foreground_box(&turned, 0.5));
//! assert_eq!(found.geometry.point([0.0; 3]), [1.0, 2.0, 2.0]);
//! assert_eq!(reorient(&uncrop(&found, &turned.geometry, 0.0), "LPS")?, scan);
//!
//! let finer = resample(&scan, &target_grid(&scan.geometry, [1.0; 3]), Interpolation::Linear);
//! assert_eq!(finer.geometry.size, [4, 4, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`io`] | DICOM, NIfTI, pictures and arrays of numpy, in and out |
//! | [`geometry`], [`volume`] | where voxels stand, grey values, labels |
//! | [`transform`] | grids turned, resampled, cropped and padded |
//! | [`components`], [`distance`] | connected parts of a mask, distances to it |
//! | [`deidentify`] | files without the people in them |
//! | [`case`], [`pictures`] | examples to segment and to classify |
//! | [`split`], [`audit`] | parts that share no patient, and what they share all the same |
//! | [`intensity`], [`augment`], [`sampling`] | scales of grey values, random changes, patches |
//! | [`cache`], [`loader`] | prepared cases in memory and on disk, ahead of their use |
//! | [`plan`] | spacing, patch and depth from the data |
//! | [`systems`] | the published networks |
//! | [`study`], [`evaluate`], [`baselines`] | training and judging them, and the simple predictors beside them |
//! | [`inference`] | whole volumes through networks that read patches |
//! | [`model`], [`predict`] | using them |
//! | [`explain`] | where in a picture an answer comes from |
//! | [`synthetic`] | generated bodies with known volumes |
//!
//! Cargo features `ndarray`, `cuda` and `vulkan` add devices.

pub mod audit;
pub mod augment;
pub mod baselines;
pub mod cache;
pub mod case;
pub mod components;
pub mod deidentify;
pub mod distance;
pub mod evaluate;
pub mod explain;
pub mod geometry;
pub mod inference;
pub mod intensity;
pub mod io;
pub mod loader;
pub mod model;
pub mod pictures;
pub mod plan;
pub mod predict;
pub mod sampling;
pub mod split;
pub mod study;
pub mod synthetic;
pub mod systems;
pub mod transform;
pub mod volume;
