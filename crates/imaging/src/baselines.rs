//! What a model has to beat, on the very images that it is judged on.
//!
//! | baseline | of | knows |
//! |---|---|---|
//! | mean shape ([`MeanShape`]) | cases | where in the picture the structure usually is |
//! | intensity threshold ([`Threshold`]) | cases | the band of grey values that fits it best |
//! | nearest case ([`NearestCase`]) | cases | the labels of the training case that looks most alike |
//! | pixel-wise logistic regression ([`PixelLogistic`]) | cases | grey values, means and edges around each voxel |
//! | majority class | pictures | how many there are of each class |
//! | brightness | pictures | mean and standard deviation of the pixels |
//! | nearest neighbours | pictures | the classes of the training pictures that look most alike |
//! | logistic regression on pixels | pictures | all pixels, each by itself |
//!
//! Everything is learnt from the training part; labels of what is predicted are not looked at.

pub mod logistic;
mod pixels;
mod shape;
mod threshold;

use std::collections::BTreeMap;

use nn_core::config::{ConfigError, in_range};
use nn_core::data::group_ids;
use nn_core::metrics::MetricError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::pixels::PixelLogistic;
pub use self::shape::{MeanShape, NearestCase};
pub use self::threshold::Threshold;

use self::logistic::{Logistic, Rows};
use crate::case::Case;
use crate::evaluate::JudgedPictures;
use crate::pictures::{PictureSet, PictureSetError, resized};
use crate::volume::{LabelMap, VolumeError};

/// Height and width to which pictures are reduced for the baselines.
const REDUCED: usize = 28;
/// Neighbours that are asked.
const NEIGHBOURS: usize = 15;
/// Training pictures that are compared with, at most.
const COMPARED: usize = 20_000;

/// Why a baseline has no predictions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// There is nothing to learn from.
    #[error("the training part has no {what}; the baselines need some")]
    Empty {
        /// Images, or labels.
        what: &'static str,
    },
    /// A row that the set does not have.
    #[error("picture {row} is asked for, but the set has {rows}, numbered from 0")]
    NoSuchRow {
        /// The row.
        row: usize,
        /// Pictures of the set.
        rows: usize,
    },
    /// Cases whose labels have other names.
    #[error("case {case} has the labels {found}, but the first case has {expected}")]
    Names {
        /// The case.
        case: String,
        /// Its labels.
        found: String,
        /// Those of the first case.
        expected: String,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A set that does not fit together.
    #[error(transparent)]
    Pictures(#[from] PictureSetError),
    /// Predictions that cannot be scored.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Labels that do not fit their grid.
    #[error(transparent)]
    Volume(#[from] VolumeError),
}

/// Settings of the baselines on cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineConfig {
    /// Voxels that the pixel-wise regression learns from, drawn evenly from all cases.
    pub voxels: usize,
    /// Half of it times the sum of the squared weights, of standardised features, is added to the sum of the losses.
    pub penalty: f64,
    /// Seed of the draw.
    pub seed: u64,
}

impl Default for BaselineConfig {
    fn default() -> Self {
        Self { voxels: 200_000, penalty: 1.0, seed: 1 }
    }
}

impl BaselineConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("voxels", self.voxels, 100..=100_000_000)?;
        in_range("penalty", self.penalty, 1e-9..=1e9)
    }
}

/// A baseline that labels cases, fitted.
#[derive(Debug, Clone, PartialEq)]
pub enum SegmentBaseline {
    /// Where it usually is.
    MeanShape(MeanShape),
    /// A band of grey values.
    Threshold(Threshold),
    /// The labels of the likest case.
    NearestCase(NearestCase),
    /// Regression on the neighbourhood of a voxel.
    Pixels(PixelLogistic),
}

impl SegmentBaseline {
    /// Name, as tables print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MeanShape(_) => "mean shape",
            Self::Threshold(_) => "intensity threshold",
            Self::NearestCase(_) => "nearest case",
            Self::Pixels(_) => "pixel-wise logistic regression",
        }
    }

    /// The labels of a case, on its own grid.
    ///
    /// # Errors
    /// [`BaselineError::Volume`], which no case that has been checked gives.
    pub fn predict(&self, case: &Case) -> Result<LabelMap, BaselineError> {
        let (labels, names) = match self {
            Self::MeanShape(shape) => (shape.labels(case.geometry().size), shape.names()),
            Self::Threshold(threshold) => (threshold.labels(&case.channels[0]), threshold.names()),
            Self::NearestCase(nearest) => (nearest.labels(case), nearest.names()),
            Self::Pixels(pixels) => (pixels.labels(case), pixels.names()),
        };
        Ok(LabelMap::new(labels, case.geometry().clone(), names.to_vec())?)
    }
}

/// All baselines on cases, the simplest first.
///
/// # Errors
/// As [`shortcuts`], and for a setting out of range.
pub fn segment(cases: &[&Case], config: &BaselineConfig) -> Result<Vec<SegmentBaseline>, BaselineError> {
    config.validate()?;
    let mut found = shortcuts(cases)?;
    found.push(SegmentBaseline::Pixels(PixelLogistic::fit(&labelled(cases)?, config)));
    Ok(found)
}

/// The baselines on cases that look at one thing only, place, grey value or likeness, and are fitted in seconds.
///
/// # Errors
/// [`BaselineError`] without labelled cases or for cases whose labels have other names.
pub fn shortcuts(cases: &[&Case]) -> Result<Vec<SegmentBaseline>, BaselineError> {
    let labelled = labelled(cases)?;
    Ok(vec![
        SegmentBaseline::MeanShape(MeanShape::fit(&labelled)),
        SegmentBaseline::Threshold(Threshold::fit(&labelled)),
        SegmentBaseline::NearestCase(NearestCase::fit(&labelled)),
    ])
}

/// Cases with their labels, all of which have the same names.
fn labelled<'a>(cases: &[&'a Case]) -> Result<Vec<(&'a Case, &'a LabelMap)>, BaselineError> {
    let labelled: Vec<(&Case, &LabelMap)> =
        cases.iter().filter_map(|case| case.label.as_ref().map(|map| (*case, map))).collect();
    let Some((_, first)) = labelled.first() else { return Err(BaselineError::Empty { what: "labelled case" }) };
    if let Some((case, map)) = labelled.iter().find(|(_, map)| map.names != first.names) {
        return Err(BaselineError::Names {
            case: case.id.clone(),
            found: map.names.join(", "),
            expected: first.names.join(", "),
        });
    }
    Ok(labelled)
}

/// What a baseline predicts of pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureBaseline {
    /// Name, as tables print it.
    pub name: String,
    /// `[query, classes]`.
    pub probabilities: Vec<f64>,
}

impl PictureBaseline {
    /// Every score that the labels of the pictures that were predicted define.
    ///
    /// # Errors
    /// [`MetricError`] for rows other in number than the predictions.
    pub fn scores(&self, set: &PictureSet, query: &[usize]) -> Result<BTreeMap<String, f64>, MetricError> {
        self.judged(set, query)?.scores()
    }

    /// The predictions beside the true classes.
    ///
    /// # Errors
    /// As [`PictureBaseline::scores`].
    pub fn judged(&self, set: &PictureSet, query: &[usize]) -> Result<JudgedPictures, MetricError> {
        let labels = query.iter().map(|&row| set.labels[row]).collect();
        let subjects = group_ids(query.iter().map(|&row| set.subjects[row].as_str()));
        JudgedPictures::new(labels, self.probabilities.clone(), set.classes.len(), subjects)
    }
}

/// All baselines on pictures, the simplest first: fitted to `train`, predicting `query`.
///
/// # Errors
/// [`BaselineError`] without pictures to learn from or for rows that are not there.
pub fn pictures(set: &PictureSet, train: &[usize], query: &[usize]) -> Result<Vec<PictureBaseline>, BaselineError> {
    set.check()?;
    if train.is_empty() {
        return Err(BaselineError::Empty { what: "picture" });
    }
    if let Some(&row) = train.iter().chain(query).find(|row| **row >= set.len()) {
        return Err(BaselineError::NoSuchRow { row, rows: set.len() });
    }
    let classes = set.classes.len();
    if classes < 2 {
        return Err(BaselineError::Empty { what: "second class" });
    }
    let targets: Vec<usize> = train.iter().map(|&row| set.labels[row]).collect();
    let reduced = |rows: &[usize]| rows.par_iter().map(|&row| small(set, row)).collect::<Vec<Vec<f32>>>();
    let (learnt, asked) = (reduced(train), reduced(query));
    let brightness = |rows: &[Vec<f32>]| rows.iter().map(|row| moments(row)).collect::<Vec<Vec<f32>>>();
    let regression = |learnt: &[Vec<f32>], asked: &[Vec<f32>]| {
        let model = Logistic::fit(&Rows::new(learnt), &targets, classes, 1.0);
        model.probabilities(&Rows::new(asked))
    };
    let baseline = |name: &str, probabilities: Vec<f64>| PictureBaseline { name: name.to_owned(), probabilities };
    Ok(vec![
        baseline("majority class", prior(&targets, classes).repeat(query.len())),
        baseline("brightness", regression(&brightness(&learnt), &brightness(&asked))),
        baseline("nearest neighbours", neighbours(&learnt, &targets, classes, &asked)),
        baseline("logistic regression on pixels", regression(&learnt, &asked)),
    ])
}

/// The shares of the classes, with one more picture of each.
fn prior(targets: &[usize], classes: usize) -> Vec<f64> {
    let mut counts = vec![1.0; classes];
    targets.iter().for_each(|&class| counts[class] += 1.0);
    counts.iter().map(|count: &f64| count / (targets.len() + classes) as f64).collect()
}

/// A picture at the size that the baselines see, channel after channel.
fn small(set: &PictureSet, row: usize) -> Vec<f32> {
    let to = [set.height.min(REDUCED), set.width.min(REDUCED)];
    let planes = set.picture(row).chunks_exact(set.height * set.width);
    planes.flat_map(|plane| resized(plane, [set.height, set.width], to)).collect()
}

/// Mean and standard deviation.
fn moments(values: &[f32]) -> Vec<f32> {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    let variance = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / n;
    vec![mean as f32, variance.sqrt() as f32]
}

/// The shares of the classes among the likest training pictures by the distance of their pixels, with one more of each.
fn neighbours(learnt: &[Vec<f32>], targets: &[usize], classes: usize, asked: &[Vec<f32>]) -> Vec<f64> {
    let every = learnt.len().div_ceil(COMPARED);
    let shares: Vec<Vec<f64>> = asked
        .par_iter()
        .map(|picture| {
            let compared = learnt.iter().zip(targets).step_by(every);
            let mut found: Vec<(f32, usize)> =
                compared.map(|(other, target)| (squared_distance(picture, other), *target)).collect();
            let count = NEIGHBOURS.min(found.len());
            // Equal distances are ordered by class, so that the result does not depend on how they are selected.
            if count < found.len() {
                found.select_nth_unstable_by(count, |one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
            }
            let nearest: Vec<usize> = found[..count].iter().map(|(_, target)| *target).collect();
            prior(&nearest, classes)
        })
        .collect();
    shares.concat()
}

/// Sum of the squared differences, in eight sums that the compiler may keep in one vector.
fn squared_distance(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (ones, others) = (one.chunks_exact(8), other.chunks_exact(8));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (one, other) in ones.zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += (a - b) * (a - b);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests;
