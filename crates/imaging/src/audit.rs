//! What stands in the way of believing a score: images in two parts, subjects in two parts, labels that contradict each
//! other, images that do not belong, and baselines that do as well.
//!
//! The facts of each image are gathered one by one ([`Facts`]), so that a set larger than the memory can be audited; then
//! [`Audit::new`] compares them. [`Audit::pictures`] does both for a set of pictures and adds the scores of the baselines.
//! The audit serialises, and [`Audit::to_text`] is the same for people.

mod counts;
mod facts;
mod findings;
pub(crate) mod near;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{DataError, Part, Split, group_ids};
use nn_core::metrics::MetricError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::facts::{Facts, LabelCount};

use self::counts::{duplicates, outliers, overlap, part_audit};
use self::near::Look;
use crate::baselines::{self, BaselineError};
use crate::evaluate::Spread;
use crate::pictures::{PictureSet, PictureSetError};

/// Names that a list has at most.
const LISTED: usize = 30;
/// Images of the largest set in which each is compared with each.
const COMPARED: usize = 2000;

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A division of another set.
    #[error(transparent)]
    Split(#[from] DataError),
    /// A set that does not fit together.
    #[error(transparent)]
    Pictures(#[from] PictureSetError),
    /// A baseline that cannot be fitted.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// A baseline that has no score.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// What counts as alike, and as standing out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Bits of 64 in which the difference hashes of two images may differ, 0 to 7.
    pub near_bits: u32,
    /// Correlation of the thumbnails from which two images are near duplicates, 0.5 to 1. Of the 5232 chest X-rays of
    /// PneumoniaMNIST, which all look alike, the likest two that are no copies reach 0.979.
    pub near_correlation: f64,
    /// Modified z-score from which an intensity stands out, 2 or more.
    pub outlier: f64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { near_bits: 6, near_correlation: 0.98, outlier: 6.0 }
    }
}

impl AuditConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("near_bits", self.near_bits, 0..=7)?;
        in_range("near_correlation", self.near_correlation, 0.5..=1.0)?;
        in_range("outlier", self.outlier, 2.0..=1e6)
    }
}

/// An image in a list: its name and part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Its name.
    pub id: String,
    /// Its part, if it is in any.
    pub part: Option<Part>,
}

/// Images that are the same or alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Duplicate {
    /// Two, or more where they are exact copies.
    pub images: Vec<Named>,
    /// Whether every pixel is the same.
    pub exact: bool,
    /// Correlation of the thumbnails, 1 for exact copies.
    pub correlation: f64,
    /// Whether they are of different classes.
    pub conflicting: bool,
}

/// One label in one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelAudit {
    /// Its name.
    pub name: String,
    /// Cases that have it.
    pub cases: usize,
    /// Its volume in mm³ in those; `None` where there are none.
    pub mm3: Option<Spread>,
}

/// Images and labels of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartAudit {
    /// Which part.
    pub part: Part,
    /// Images.
    pub rows: usize,
    /// Subjects.
    pub subjects: usize,
    /// Images that are an exact copy of another one of the part that comes before.
    pub repeats: usize,
    /// Images of each class, with its name; empty for a set without classes.
    pub classes: Vec<(String, usize)>,
    /// The labels; empty for a set without.
    pub labels: Vec<LabelAudit>,
    /// Images that nobody has labelled.
    pub unlabelled: usize,
    /// Smallest and largest size along each axis.
    pub sizes: [[usize; 2]; 3],
    /// Smallest and largest spacing along each axis, in mm.
    pub spacings: [[f64; 2]; 3],
    /// Median intensities of the images.
    pub medians: Spread,
}

/// What a part has in common with the training part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// Which part.
    pub part: Part,
    /// Its images.
    pub rows: usize,
    /// Images of which training has an exact copy.
    pub exact: usize,
    /// Images of which training has a near duplicate, but no exact copy.
    pub near: usize,
    /// Images of either kind whose class is another in training.
    pub conflicting: usize,
    /// Subjects that are in training as well.
    pub subjects: usize,
    /// Images of those subjects.
    pub rows_of_subjects: usize,
    /// Names of the first few of those subjects.
    pub shared_subjects: Vec<String>,
}

/// An image whose intensities stand out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    /// Its name.
    pub image: Named,
    /// Which intensity: `1 %`, `median` or `99 %`.
    pub what: String,
    /// Its value.
    pub value: f64,
    /// Modified z-score, on a logarithmic scale.
    pub z: f64,
}

/// Images whose likest other image has the next name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    /// How many there are.
    pub found: usize,
    /// How many there would be by chance.
    pub expected: f64,
}

/// Scores of a predictor on one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Name of the predictor.
    pub name: String,
    /// Whether it is a baseline.
    pub baseline: bool,
    /// The part.
    pub part: Part,
    /// Its scores; what the labels do not define is absent.
    pub scores: BTreeMap<String, f64>,
}

/// The audit of a set and a division.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Images of the set.
    pub rows: usize,
    /// Images in no part.
    pub unused: usize,
    /// Different images of the set, exact copies being one.
    pub distinct: usize,
    /// The parts that have images.
    pub parts: Vec<PartAudit>,
    /// The validation and the test part, as far as they have images, against the training part.
    pub overlaps: Vec<Overlap>,
    /// Images that are there more than once, exact copies first.
    pub duplicates: Vec<Duplicate>,
    /// Images whose likest other image has the next name; of sets of up to 2000 images.
    pub neighbours: Option<Neighbours>,
    /// Labelled cases without a single labelled voxel.
    pub empty_labels: Vec<Named>,
    /// Images that are all of one value.
    pub blank: Vec<Named>,
    /// Images with a value that is not a number.
    pub not_finite: Vec<Named>,
    /// Images whose intensities stand out, the farthest first.
    pub outliers: Vec<Outlier>,
    /// The baselines, fitted to the training part, and what was added by [`Audit::with_scores`].
    pub scores: Vec<Scored>,
}

impl Audit {
    /// Audits a division of images by their facts; `classes` are the names of the classes, if they have any.
    ///
    /// # Errors
    /// [`AuditError`] for a setting out of range or a division of another set.
    pub fn new(facts: &[Facts], classes: &[String], split: &Split, config: &AuditConfig) -> Result<Self, AuditError> {
        config.validate()?;
        split.check(facts.len())?;
        let mut parts = vec![None; facts.len()];
        for part in Part::ALL {
            split.part(part).iter().for_each(|&row| parts[row] = Some(part));
        }
        let copies = group_ids(facts.iter().map(|facts| facts.digest.as_str()));
        let looks: Vec<&Look> = facts.iter().map(|facts| &facts.look).collect();
        let near = near::pairs(&looks, &copies, config.near_bits, config.near_correlation);
        let named = |row: usize| Named { id: facts[row].id.clone(), part: parts[row] };
        let those = |chosen: fn(&Facts) -> bool| -> Vec<Named> {
            (0..facts.len()).filter(|&row| chosen(&facts[row])).map(named).collect()
        };
        let filled: Vec<Part> = Part::ALL.into_iter().filter(|&part| !split.part(part).is_empty()).collect();
        let tested = filled.iter().filter(|part| **part != Part::Train && !split.train.is_empty());
        let neighbours = (2..=COMPARED).contains(&facts.len()).then(|| Neighbours {
            found: near::like_their_neighbours(&looks),
            // One of n − 1 others for each neighbour that an image has, of which there are 2 (n − 1) together.
            expected: 2.0,
        });
        Ok(Self {
            rows: facts.len(),
            unused: parts.iter().filter(|part| part.is_none()).count(),
            distinct: copies.iter().collect::<BTreeSet<_>>().len(),
            parts: filled.iter().map(|&part| part_audit(facts, classes, &copies, part, split.part(part))).collect(),
            overlaps: tested.map(|&part| overlap(facts, &copies, &near, part, split)).collect(),
            duplicates: duplicates(facts, &copies, &near, &named),
            neighbours,
            empty_labels: those(|facts| {
                facts.labels.as_ref().is_some_and(|labels| labels.iter().all(|label| label.voxels == 0))
            }),
            blank: those(|facts| facts.look.thumbnail.iter().all(|value| *value == 0.0)),
            not_finite: those(|facts| facts.not_finite > 0),
            outliers: outliers(facts, config.outlier, &named),
            scores: Vec::new(),
        })
    }

    /// Audits a division of pictures, and scores the baselines on its validation and test parts.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn pictures(set: &PictureSet, split: &Split, config: &AuditConfig) -> Result<Self, AuditError> {
        set.check()?;
        let facts: Vec<Facts> = (0..set.len()).into_par_iter().map(|row| Facts::of_picture(set, row)).collect();
        let mut audit = Self::new(&facts, &set.classes, split, config)?;
        if split.train.is_empty() {
            return Ok(audit);
        }
        for part in [Part::Validation, Part::Test] {
            let rows = split.part(part);
            if rows.is_empty() {
                continue;
            }
            for baseline in baselines::pictures(set, &split.train, rows)? {
                let scores = baseline.scores(set, rows)?;
                audit.scores.push(Scored { name: baseline.name, baseline: true, part, scores });
            }
        }
        Ok(audit)
    }

    /// Puts the scores of a model, or of a baseline on cases, beside those that are there.
    pub fn with_scores(
        mut self,
        name: impl Into<String>,
        baseline: bool,
        part: Part,
        scores: BTreeMap<String, f64>,
    ) -> Self {
        self.scores.push(Scored { name: name.into(), baseline, part, scores });
        self
    }

    /// Scores on a part, in the order in which they were added: baselines first, the simplest of them first.
    pub fn scores_on(&self, part: Part) -> impl Iterator<Item = &Scored> {
        self.scores.iter().filter(move |scored| scored.part == part)
    }

    /// The audit as a text of a few dozen lines, for terminals and reports.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests;
