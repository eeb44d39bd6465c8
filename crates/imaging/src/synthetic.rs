//! Generated images with a known truth, for the demo and for tests.
//!
//! A phantom ([`phantom`]) is a body with an organ, which is an ellipsoid, some nodules, which are spheres, and vessels:
//! tubes as bright as the nodules that carry no label. So neither a threshold nor the mean shape finds the nodules, and who
//! looks at shapes does. A bias field and noise lie over the whole. The volume of every structure is known from its radii.
//!
//! The pictures of [`pictures()`] show a disc or a ring of the same area and brightness at a random place: the mean of the
//! pixels says nothing, nor does any single pixel.
//!
//! ```
//! use imaging::synthetic::{PhantomConfig, phantom};
//! let made = phantom(&PhantomConfig::default(), 0)?;
//! let label = made.case.label.as_ref().map(|map| map.volume_mm3(1)).unwrap_or_default();
//! // Voxels are counted by their centres: good to a few per cent for an ellipsoid of twenty millimetres.
//! assert!((label / made.volumes_mm3[1] - 1.0).abs() < 0.03);
//! # Ok::<(), imaging::synthetic::SyntheticError>(())
//! ```

mod pictures;

use std::f64::consts::PI;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::pictures::{PicturesConfig, pictures};

use crate::case::{Case, CaseError};
use crate::geometry::Geometry;
use crate::volume::{LabelMap, Modality, Volume, VolumeError};

/// Names of the labels of a phantom.
pub const NAMES: [&str; 3] = ["background", "organ", "nodule"];
/// Grey values of the air, the body, the organ, and the nodules and vessels.
const GREY: [f64; 4] = [20.0, 100.0, 160.0, 230.0];
/// Parts of a voxel along each axis of which it is known whether they are inside.
const PARTS: usize = 3;
/// Radius of a nodule as a share of the shortest side: 5.4 to 7.2 mm in a phantom of 60 mm, two to five hundred voxels, of
/// which half lie wholly inside (48 to 59 %).
const NODULE: std::ops::Range<f64> = 0.09..0.12;
/// Draws of a place for a nodule before it is left out.
const TRIES: usize = 1000;

/// Why there are no generated data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Voxels that do not fit their grid.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// A case that does not fit together.
    #[error(transparent)]
    Case(#[from] CaseError),
}

/// What phantoms are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhantomConfig {
    /// Columns, rows, slices; each 16 or more.
    pub size: [usize; 3],
    /// Spacing in mm; the grid should be 40 mm or more along each axis.
    pub spacing: [f64; 3],
    /// Nodules at most; each phantom has one or more.
    pub nodules: usize,
    /// Vessels.
    pub vessels: usize,
    /// Standard deviation of the noise, in grey values; body and organ differ by 60.
    pub noise: f64,
    /// Share by which the bias field brightens one side and darkens the other, 0 to 0.9.
    pub bias: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for PhantomConfig {
    fn default() -> Self {
        Self {
            size: [48, 48, 32],
            spacing: [1.25, 1.25, 2.0],
            nodules: 3,
            vessels: 2,
            noise: 12.0,
            bias: 0.15,
            seed: 1,
        }
    }
}

impl PhantomConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for axis in 0..3 {
            in_range("size", self.size[axis], 16..=2048)?;
            in_range("spacing", self.spacing[axis], 0.01..=100.0)?;
            in_range("size × spacing", self.size[axis] as f64 * self.spacing[axis], 40.0..=100_000.0)?;
        }
        in_range("nodules", self.nodules, 1..=100)?;
        in_range("vessels", self.vessels, 0..=100)?;
        in_range("noise", self.noise, 0.0..=1000.0)?;
        in_range("bias", self.bias, 0.0..=0.9)
    }
}

/// A solid with known volume: an ellipsoid, turned about the axis of the slices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipsoid {
    /// Its label.
    pub label: u8,
    /// Its centre, in LPS mm.
    pub centre: [f64; 3],
    /// Its half axes, in mm.
    pub radii: [f64; 3],
    /// Angle of its first axis to the patient's left, in radians.
    pub angle: f64,
}

impl Ellipsoid {
    /// Volume in mm³: 4/3 π a b c.
    pub fn volume(&self) -> f64 {
        4.0 / 3.0 * PI * self.radii.iter().product::<f64>()
    }

    /// Whether a point, in LPS mm, is inside.
    pub fn contains(&self, point: [f64; 3]) -> bool {
        let [x, y, z] = [0, 1, 2].map(|axis: usize| point[axis] - self.centre[axis]);
        let (sin, cos) = self.angle.sin_cos();
        let along = [cos * x + sin * y, cos * y - sin * x, z];
        along.iter().zip(self.radii).map(|(distance, radius)| (distance / radius).powi(2)).sum::<f64>() <= 1.0
    }

    /// With longer half axes.
    fn grown(&self, by: f64) -> Self {
        Self { radii: self.radii.map(|radius| radius + by), ..*self }
    }

    fn reach(&self) -> f64 {
        self.radii.iter().copied().fold(0.0, f64::max)
    }
}

/// A generated case and the truth about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Phantom {
    /// The case, with its label.
    pub case: Case,
    /// The structures.
    pub structures: Vec<Ellipsoid>,
    /// Volume of each label in mm³, from the radii; 0 for the background.
    pub volumes_mm3: Vec<f64>,
}

/// Phantom number `index`; of one seed each number is another one.
///
/// # Errors
/// [`SyntheticError::Config`] for a setting out of range.
pub fn phantom(config: &PhantomConfig, index: u64) -> Result<Phantom, SyntheticError> {
    config.validate()?;
    let geometry = Geometry::axial(config.size, config.spacing);
    let mut draw = rng(config.seed, &[index]);
    let far = [0, 1, 2].map(|axis: usize| config.size[axis] as f64 * config.spacing[axis]);
    let middle = [0, 1, 2].map(|axis: usize| (config.size[axis] - 1) as f64 * config.spacing[axis] / 2.0);
    let body = Ellipsoid { label: 0, centre: middle, radii: far.map(|length| 0.47 * length), angle: 0.0 };

    let mut structures = vec![organ(far, middle, &mut draw)];
    let wanted = draw.random_range(1..=config.nodules);
    for _ in 0..TRIES {
        if structures.len() > wanted {
            break;
        }
        let radius = far.iter().copied().fold(f64::INFINITY, f64::min) * draw.random_range(NODULE);
        let centre = [0, 1, 2].map(|axis: usize| middle[axis] + far[axis] * draw.random_range(-0.38..0.38));
        let nodule = Ellipsoid { label: 2, centre, radii: [radius; 3], angle: 0.0 };
        let apart = |other: &Ellipsoid| !other.grown(radius + 3.0).contains(centre);
        // Inside the body by its own radius.
        if body.grown(-radius - 2.0).contains(centre) && structures.iter().all(apart) {
            structures.push(nodule);
        }
    }

    let mut voxels = vec![GREY[0] as f32; geometry.len()];
    let mut labels = vec![0; geometry.len()];
    paint(&geometry, &mut voxels, GREY[1], None, |point| body.contains(point));
    for _ in 0..config.vessels {
        let vessel = Vessel::new(far, middle, &mut draw);
        let free =
            |point: [f64; 3]| !structures.iter().any(|other| distance(point, other.centre) < other.reach() + 2.0);
        paint(&geometry, &mut voxels, GREY[3], None, |point| {
            vessel.contains(point) && body.contains(point) && free(point)
        });
    }
    for structure in &structures {
        let grey = GREY[1 + usize::from(structure.label)];
        paint(&geometry, &mut voxels, grey, Some(structure), |point| structure.contains(point));
        for (place, label) in labels.iter_mut().enumerate() {
            if structure.contains(geometry.point(index_of(place, config.size))) {
                *label = structure.label;
            }
        }
    }
    soil(&geometry, &mut voxels, config, &mut draw);

    let mut volume = Volume::new(voxels, geometry.clone())?;
    volume.modality = Modality::Mr;
    let label = LabelMap::new(labels, geometry, NAMES.map(str::to_owned).to_vec())?;
    let mut volumes_mm3 = vec![0.0; NAMES.len()];
    structures.iter().for_each(|structure| volumes_mm3[usize::from(structure.label)] += structure.volume());
    let id = format!("phantom {index:03}");
    Ok(Phantom { case: Case::new(id.clone(), id, vec![volume], Some(label))?, structures, volumes_mm3 })
}

/// The first `count` phantoms.
///
/// # Errors
/// As [`phantom`].
pub fn phantoms(config: &PhantomConfig, count: usize) -> Result<Vec<Phantom>, SyntheticError> {
    let made: Vec<Result<Phantom, SyntheticError>> =
        (0..count as u64).into_par_iter().map(|index| phantom(config, index)).collect();
    made.into_iter().collect()
}

fn organ(far: [f64; 3], middle: [f64; 3], draw: &mut ChaCha8Rng) -> Ellipsoid {
    let radii = far.map(|length| length * draw.random_range(0.16..0.21));
    let centre = [0, 1, 2].map(|axis: usize| middle[axis] + far[axis] * draw.random_range(-0.1..0.1));
    Ellipsoid { label: 1, centre, radii, angle: draw.random_range(0.0..PI) }
}

/// A straight tube through the body.
struct Vessel {
    point: [f64; 3],
    along: [f64; 3],
    radius: f64,
}

impl Vessel {
    fn new(far: [f64; 3], middle: [f64; 3], draw: &mut ChaCha8Rng) -> Self {
        let point = [0, 1, 2].map(|axis: usize| middle[axis] + far[axis] * draw.random_range(-0.25..0.25));
        let along = [0; 3].map(|_: i32| standard_normal(draw));
        let length = distance(along, [0.0; 3]).max(1e-6);
        let radius = far.iter().copied().fold(f64::INFINITY, f64::min) * draw.random_range(0.025..0.04);
        Self { point, along: along.map(|value| value / length), radius }
    }

    fn contains(&self, point: [f64; 3]) -> bool {
        let from = [0, 1, 2].map(|axis: usize| point[axis] - self.point[axis]);
        let along: f64 = from.iter().zip(self.along).map(|(step, unit)| step * unit).sum();
        distance(from, self.along.map(|unit| unit * along)) <= self.radius
    }
}

fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn index_of(place: usize, size: [usize; 3]) -> [f64; 3] {
    [(place % size[0]) as f64, (place / size[0] % size[1]) as f64, (place / (size[0] * size[1])) as f64]
}

/// Gives voxels a grey value as far as they are inside: one that is half inside gets the mean, as a scanner has it. Only
/// the surroundings of a `solid` are looked at, if there is one.
fn paint(
    geometry: &Geometry,
    voxels: &mut [f32],
    grey: f64,
    solid: Option<&Ellipsoid>,
    inside: impl Fn([f64; 3]) -> bool,
) {
    let offsets: Vec<f64> = (0..PARTS).map(|part| (part as f64 + 0.5) / PARTS as f64 - 0.5).collect();
    let voxel_diagonal = distance(geometry.spacing, [0.0; 3]);
    for (place, voxel) in voxels.iter_mut().enumerate() {
        let index = index_of(place, geometry.size);
        let far = |solid: &Ellipsoid| distance(geometry.point(index), solid.centre) > solid.reach() + voxel_diagonal;
        if solid.is_some_and(far) {
            continue;
        }
        let mut hits = 0;
        for dk in &offsets {
            for dj in &offsets {
                for di in &offsets {
                    hits += usize::from(inside(geometry.point([index[0] + di, index[1] + dj, index[2] + dk])));
                }
            }
        }
        let share = hits as f64 / PARTS.pow(3) as f64;
        *voxel = (f64::from(*voxel) * (1.0 - share) + grey * share) as f32;
    }
}

/// Lays the bias field and the noise over an image.
fn soil(geometry: &Geometry, voxels: &mut [f32], config: &PhantomConfig, draw: &mut ChaCha8Rng) {
    let along = [0; 3].map(|_: i32| standard_normal(draw));
    let length = distance(along, [0.0; 3]).max(1e-6);
    for (place, voxel) in voxels.iter_mut().enumerate() {
        let index = index_of(place, geometry.size);
        // From −1 to 1 between opposite corners.
        let at: f64 = (0..3)
            .map(|axis| along[axis] / length * (2.0 * index[axis] / (geometry.size[axis] - 1) as f64 - 1.0))
            .sum::<f64>()
            / 3.0_f64.sqrt();
        let grey =
            f64::from(*voxel) * (1.0 + config.bias * (at * PI / 2.0).sin()) + config.noise * standard_normal(draw);
        *voxel = grey as f32;
    }
}

#[cfg(test)]
mod tests;
