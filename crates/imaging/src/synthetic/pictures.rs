//! Pictures with a known rule: a disc or a ring.

use std::f64::consts::PI;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::SyntheticError;
use crate::pictures::PictureSet;

/// What generated pictures are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PicturesConfig {
    /// Subjects; each has a disc or a ring in all its pictures.
    pub subjects: usize,
    /// Pictures of each subject.
    pub per_subject: usize,
    /// Height and width, 16 or more.
    pub size: usize,
    /// Standard deviation of the noise, in grey values; the shape is 100 above its ground.
    pub noise: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for PicturesConfig {
    fn default() -> Self {
        Self { subjects: 100, per_subject: 2, size: 28, noise: 20.0, seed: 1 }
    }
}

impl PicturesConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("subjects", self.subjects, 2..=1_000_000)?;
        in_range("per_subject", self.per_subject, 1..=1000)?;
        in_range("size", self.size, 16..=4096)?;
        in_range("noise", self.noise, 0.0..=1000.0)
    }
}

/// Generates grey pictures, every other subject with a ring: class 1, where a disc is class 0.
///
/// # Errors
/// [`SyntheticError::Config`] for a setting out of range.
pub fn pictures(config: &PicturesConfig) -> Result<PictureSet, SyntheticError> {
    config.validate()?;
    let n = config.size;
    let mut set = PictureSet {
        channels: 1,
        height: n,
        width: n,
        classes: vec!["disc".to_owned(), "ring".to_owned()],
        ..PictureSet::default()
    };
    for subject in 0..config.subjects {
        for number in 0..config.per_subject {
            let mut draw = rng(config.seed, &[subject as u64, number as u64]);
            let ring = subject % 2 == 1;
            let area = PI * (n as f64 * draw.random_range(0.15..0.2)).powi(2);
            // The hole takes 0.6 of the outer radius: (1 − 0.36) π r² is the same area.
            let outer = (area / PI / if ring { 0.64 } else { 1.0 }).sqrt();
            let inner = if ring { 0.6 * outer } else { 0.0 };
            let room = n as f64 / 2.0 - outer - 1.0;
            let [x, y] = [0; 2].map(|_: i32| n as f64 / 2.0 + draw.random_range(-room..room));
            for row in 0..n {
                for column in 0..n {
                    let distance = (column as f64 + 0.5 - x).hypot(row as f64 + 0.5 - y);
                    // Edges are one pixel wide.
                    let hole = if ring { (inner - distance + 0.5).clamp(0.0, 1.0) } else { 0.0 };
                    let covered = (outer - distance + 0.5).clamp(0.0, 1.0) - hole;
                    set.pixels.push((60.0 + 100.0 * covered + config.noise * standard_normal(&mut draw)) as f32);
                }
            }
            set.ids.push(format!("picture {subject:04}-{number}"));
            set.subjects.push(format!("subject {subject:04}"));
            set.labels.push(usize::from(ring));
        }
    }
    Ok(set)
}
