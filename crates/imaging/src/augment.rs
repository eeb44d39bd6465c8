//! Random changes of training patches, one draw for image and label.
//!
//! Rotation, scale, translation (which is also what a random crop is), mirroring and elastic deformation are composed
//! into one map from the voxels of the patch to places in the whole volume, and each channel is interpolated once;
//! labels are looked up at the same places by their nearest voxel. Then come the changes of grey values: noise, blur,
//! brightness, contrast and gamma. Order, ranges and probabilities are those of Isensee and others 2021, *nnU-Net*,
//! supplementary note 4, in its program's version 2.8; elastic deformation, off by default, is that of Ronneberger and
//! others 2015, *U-Net*, section 3.1.
//!
//! Distances are in millimetres where the voxels are not cubes, so that a rotated ball stays one. Mirroring along the
//! axis from left to right exchanges the labels of [`AugmentConfig::swap`]. What is drawn is a function of seed, epoch
//! and row, and no bit of it depends on the number of threads.

mod blur;
mod elastic;
mod gather;
mod grey;
mod math;
mod spatial;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use self::blur::blur;
pub use self::spatial::Spatial;

use crate::case::Case;
use crate::geometry::Geometry;
use crate::plan::ANISOTROPY;
use crate::sampling::{Fill, Foreground, Patch, SamplingConfig};

/// Purpose of the streams of this module.
const AUGMENT: u64 = 0x696d_6175_676d_656e;
/// Streams of a draw.
const PLACE: u64 = 0;
const SPACE: u64 = 1;
const GREY: u64 = 2;
/// How often a patch is mirrored along each axis.
const MIRRORED: f64 = 0.5;

/// A change that is made with a probability, by an amount drawn evenly from a range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chance {
    /// How often it is made, 0 to 1.
    pub probability: f64,
    /// Least and largest amount.
    pub range: [f64; 2],
}

impl Chance {
    /// A change made with `probability`, by `low` to `high`.
    pub const fn new(probability: f64, low: f64, high: f64) -> Self {
        Self { probability, range: [low, high] }
    }

    /// A change that is never made.
    pub const fn never() -> Self {
        Self::new(0.0, 0.0, 0.0)
    }

    fn validate(&self, field: &'static str, least: f64, most: f64) -> Result<(), ConfigError> {
        in_range(field, self.probability, 0.0..=1.0)?;
        if self.probability == 0.0 {
            return Ok(());
        }
        let [low, high] = self.range;
        in_range(field, low, least..=most)?;
        in_range(field, high, low..=most)
    }

    /// Whether the change is made this time. The number is drawn in any case, so that nothing else shifts.
    fn happens(&self, rng: &mut ChaCha8Rng) -> bool {
        rng.random::<f64>() < self.probability
    }

    /// An amount.
    fn amount(&self, rng: &mut ChaCha8Rng) -> f64 {
        let [low, high] = self.range;
        low + (high - low) * rng.random::<f64>()
    }

    /// A factor: half of them below 1 and half above, if the range has both.
    fn factor(&self, rng: &mut ChaCha8Rng) -> f64 {
        let [low, high] = self.range;
        let (below, at) = (rng.random::<f64>() < 0.5, rng.random::<f64>());
        let (low, high) = if low < 1.0 && (below || high <= 1.0) { (low, high.min(1.0)) } else { (low.max(1.0), high) };
        low + (high - low) * at
    }
}

/// What may happen to a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Degrees about each axis, drawn for each.
    pub rotation: Chance,
    /// Factor by which structures grow, one for all axes.
    pub scale: Chance,
    /// Shift along each axis as a share of the patch, in whole voxels: the random crop of pictures.
    pub translation: Chance,
    /// Standard deviation in voxels by which the points of a coarse grid are displaced; between them cubic splines run.
    pub elastic: Chance,
    /// Points of that grid along each axis.
    pub elastic_points: usize,
    /// Whether rotation, scale and deformation stay within slices.
    pub in_plane: bool,
    /// Axes (0 = `i`, 1 = `j`, 2 = `k`) along which a patch is mirrored with probability 1/2 each. Leave the axis from
    /// left to right out where the side is what is to be learnt.
    pub flip: Vec<usize>,
    /// Labels that change places when a patch is mirrored along the axis from left to right, such as left and right
    /// kidney.
    pub swap: Vec<[u8; 2]>,
    /// Standard deviation of Gaussian noise.
    pub noise: Chance,
    /// Standard deviation, in voxels, of a Gaussian filter; for half of the channels.
    pub blur: Chance,
    /// Factor of the values.
    pub brightness: Chance,
    /// Factor of the distance from the mean; values stay in the range that they had.
    pub contrast: Chance,
    /// Exponent of the values, scaled to 0 to 1 and back; mean and deviation stay.
    pub gamma: Chance,
    /// As `gamma`, of the negative image.
    pub gamma_inverted: Chance,
}

impl Default for AugmentConfig {
    /// nnU-Net's, for blocks that are about as thick as they are wide.
    fn default() -> Self {
        Self {
            rotation: Chance::new(0.2, -30.0, 30.0),
            scale: Chance::new(0.2, 0.7, 1.4),
            translation: Chance::never(),
            elastic: Chance::never(),
            elastic_points: 3,
            in_plane: false,
            flip: vec![0, 1, 2],
            swap: Vec::new(),
            noise: Chance::new(0.1, 0.0, 0.1),
            blur: Chance::new(0.2, 0.5, 1.0),
            brightness: Chance::new(0.15, 0.75, 1.25),
            contrast: Chance::new(0.15, 0.75, 1.25),
            gamma: Chance::new(0.3, 0.7, 1.5),
            gamma_inverted: Chance::new(0.1, 0.7, 1.5),
        }
    }
}

impl AugmentConfig {
    /// Nothing happens.
    pub fn none() -> Self {
        let never = Chance::never();
        Self {
            rotation: never,
            scale: never,
            noise: never,
            blur: never,
            brightness: never,
            contrast: never,
            gamma: never,
            gamma_inverted: never,
            flip: Vec::new(),
            ..Self::default()
        }
    }

    /// nnU-Net's for a patch of `[i, j, k]`: slices, and blocks of few slices, turn in their plane, by any angle unless
    /// a slice is long and narrow.
    pub fn for_patch(patch: [usize; 3]) -> Self {
        let [i, j, k] = patch.map(|edge| edge as f64);
        let slices = patch[2] == 1;
        let in_plane = slices || i.max(j).max(k) / k > ANISOTROPY;
        let narrow = slices && i.max(j) / i.min(j) > 1.5;
        let degrees = match (in_plane, narrow) {
            (true, true) => 15.0,
            (true, false) => 180.0,
            (false, _) => 30.0,
        };
        Self {
            rotation: Chance::new(0.2, -degrees, degrees),
            in_plane,
            flip: if slices { vec![0, 1] } else { vec![0, 1, 2] },
            ..Self::default()
        }
    }

    /// For pictures of a few dozen pixels that show one thing in its place: small shifts, turns and scales, a little
    /// brightness and contrast, and no mirror image, since the heart is on the left.
    pub fn pictures() -> Self {
        Self {
            rotation: Chance::new(0.5, -10.0, 10.0),
            scale: Chance::new(0.5, 0.9, 1.1),
            translation: Chance::new(0.5, -0.08, 0.08),
            in_plane: true,
            brightness: Chance::new(0.3, 0.9, 1.1),
            contrast: Chance::new(0.3, 0.8, 1.2),
            ..Self::none()
        }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.rotation.validate("augment.rotation", -360.0, 360.0)?;
        self.scale.validate("augment.scale", 0.05, 20.0)?;
        self.translation.validate("augment.translation", -1.0, 1.0)?;
        self.elastic.validate("augment.elastic", 0.0, 1000.0)?;
        in_range("augment.elastic_points", self.elastic_points, 2..=32)?;
        self.noise.validate("augment.noise", 0.0, 1e6)?;
        self.blur.validate("augment.blur", 0.0, 64.0)?;
        self.brightness.validate("augment.brightness", 0.0, 100.0)?;
        self.contrast.validate("augment.contrast", 0.0, 100.0)?;
        self.gamma.validate("augment.gamma", 0.01, 100.0)?;
        self.gamma_inverted.validate("augment.gamma_inverted", 0.01, 100.0)?;
        self.flip.iter().try_for_each(|&axis| in_range("augment.flip", axis, 0..=2))?;
        let mut swapped = [false; 256];
        for label in self.swap.iter().flatten().map(|&label| usize::from(label)) {
            if label == 0 || std::mem::replace(&mut swapped[label], true) {
                let text =
                    format!("augment.swap names label {label} twice, or the background; each label has one other side");
                return Err(ConfigError::Conflict(text));
            }
        }
        Ok(())
    }
}

/// The random numbers of one patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    seed: u64,
    epoch: u64,
    row: u64,
}

impl Draw {
    /// Those of a row in an epoch. A row is a case, or a case and its turn
    /// ([`PatchOrder`](crate::sampling::PatchOrder)).
    pub fn new(seed: u64, epoch: usize, row: usize) -> Self {
        Self { seed, epoch: epoch as u64, row: row as u64 }
    }

    fn rng(self, stream: &[u64]) -> ChaCha8Rng {
        rng(self.seed, &[&[AUGMENT, self.epoch, self.row][..], stream].concat())
    }
}

/// Cuts a patch out of `case` and changes it: the place, the map and the grey values are those of `draw`. `forced` asks
/// for a place around a voxel of `foreground`.
pub fn patch(
    case: &Case,
    foreground: Option<&Foreground>,
    forced: bool,
    sampling: &SamplingConfig,
    config: &AugmentConfig,
    draw: Draw,
) -> Patch {
    let geometry = case.geometry();
    let start = sampling.place(geometry.size, foreground, forced, &mut draw.rng(&[PLACE]));
    let spatial = Spatial::draw(config, sampling, geometry, start, draw);
    let mut cut = spatial.cut(case, sampling);
    let voxels = sampling.reach().iter().product();
    grey::change(&mut cut.image, voxels, sampling.reach(), config, draw);
    cut
}

/// The patch at `start` as it is, for validation and for what must not be changed.
pub fn plain(case: &Case, sampling: &SamplingConfig, start: [i64; 3]) -> Patch {
    Spatial::at(start, sampling).cut(case, sampling)
}

/// Changes a picture `[channels, height, width]`; it keeps its size. What comes in over its edges is as `fill` says.
///
/// # Panics
/// If `pixels` are not `channels · height · width`.
pub fn picture(
    pixels: &[f32],
    [channels, height, width]: [usize; 3],
    fill: Fill,
    config: &AugmentConfig,
    draw: Draw,
) -> Vec<f32> {
    let plane = height * width;
    assert_eq!(pixels.len(), channels * plane, "{channels} x {height} x {width} pixels");
    let sampling = SamplingConfig { patch: [width, height, 1], fill, ..SamplingConfig::default() };
    let geometry = Geometry::axial([width, height, 1], [1.0; 3]);
    let spatial = Spatial::draw(config, &sampling, &geometry, [0; 3], draw);
    let channels: Vec<&[f32]> = pixels.chunks_exact(plane.max(1)).collect();
    let mut image = spatial.resample(&channels, geometry.size);
    grey::change(&mut image, plane, [width, height, 1], config, draw);
    image
}

#[cfg(test)]
mod tests;
