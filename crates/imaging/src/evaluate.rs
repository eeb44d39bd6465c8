//! How good a segmentation or a classification is, case by case, with the missed cases counted.
//!
//! | file | what |
//! |---|---|
//! | [`overlap`] | Dice, Jaccard, sensitivity, precision, volume |
//! | [`surface`] | distances of surfaces in mm: Hausdorff, its 95th percentile, the mean |
//! | [`lesions`] | connected components that were found, missed and invented |
//! | [`mod@partition`] | adapted Rand error and variation of information of a division into segments |
//! | [`classes`] | pictures: AUROC, sensitivity at a fixed specificity, calibration |
//! | [`curves`] | the curves behind those |
//!
//! Everything is measured on the grid of the truth, label by label, without the background. Where one of the two masks is
//! empty, most definitions give 0/0, and leaving such a case out rewards the model that finds nothing. So:
//!
//! | truth | prediction | counted as |
//! |---|---|---|
//! | there | there | measured |
//! | there | empty | missed: Dice 0, distances the diagonal of the grid ([`Geometry::diagonal`]) |
//! | empty | there | invented: the same |
//! | empty | empty | left out, and counted |
//!
//! ```
//! use imaging::evaluate::judge;
//! use imaging::geometry::Geometry;
//! use imaging::volume::LabelMap;
//! let names = vec!["background".to_owned(), "lesion".to_owned()];
//! let map = |labels: Vec<u8>| LabelMap::new(labels, Geometry::axial([4, 1, 1], [2.0, 1.0, 1.0]), names.clone());
//! let found = judge("case 1", "ann", &map(vec![0, 1, 1, 0])?, &map(vec![0, 1, 0, 0])?)?;
//! assert_eq!(found[0].dice, Some(2.0 / 3.0));
//! let missed = judge("case 1", "ann", &map(vec![0, 1, 1, 0])?, &map(vec![0; 4])?)?;
//! assert_eq!((missed[0].dice, missed[0].hd95), (Some(0.0), Some((64.0_f64 + 1.0 + 1.0).sqrt())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod classes;
pub mod curves;
pub mod lesions;
pub mod overlap;
pub mod partition;
mod scores;
pub mod surface;

use nn_core::metrics::MetricError;
use serde::{Deserialize, Serialize};

pub use self::classes::{ClassNumbers, JudgedPictures};
pub use self::lesions::Lesions;
pub use self::overlap::Overlap;
pub use self::partition::{Partition, partition, segments};
pub use self::scores::{LabelSummary, Scores, Spread};
pub use self::surface::Surfaces;

use crate::case::GRID_TOLERANCE_MM;
use crate::components::Connectivity;
use crate::geometry::Geometry;
use crate::volume::LabelMap;

/// Why a prediction cannot be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A prediction on another grid.
    #[error(
        "case {case}: the prediction has {predicted} and the truth {truth}; bring the prediction back to the grid of the truth first"
    )]
    Grid {
        /// The case.
        case: String,
        /// Size, spacing and place of the prediction.
        predicted: String,
        /// Size, spacing and place of the truth.
        truth: String,
    },
    /// Labels that are called differently on the two sides.
    #[error("case {case}: label {label} is {predicted:?} in the prediction and {truth:?} in the truth")]
    Names {
        /// The case.
        case: String,
        /// The label.
        label: usize,
        /// Its name in the prediction.
        predicted: String,
        /// Its name in the truth.
        truth: String,
    },
    /// A score that has no value, or an interval of too little.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A table that cannot be written.
    #[error(transparent)]
    Write(#[from] nn_core::atomic::AtomicError),
}

/// Which of the two masks has the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// Both.
    Both,
    /// The truth alone.
    Missed,
    /// The prediction alone.
    Invented,
    /// Neither: the row is in no mean.
    Neither,
}

impl Presence {
    /// Name, as tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Missed => "missed",
            Self::Invented => "invented",
            Self::Neither => "neither",
        }
    }
}

/// How well one label of one case was found. `None` is a score that has no meaning: all of them where nobody has the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseScore {
    /// The case.
    pub case: String,
    /// Whom it was taken from.
    pub subject: String,
    /// The label.
    pub label: u8,
    /// Its name.
    pub name: String,
    /// Which of the masks has it.
    pub presence: Presence,
    /// Volume in the truth, in mm³.
    pub truth_mm3: f64,
    /// Volume in the prediction, in mm³.
    pub predicted_mm3: f64,
    /// Dice coefficient, 0 to 1.
    pub dice: Option<f64>,
    /// Jaccard index (intersection over union), 0 to 1.
    pub iou: Option<f64>,
    /// Share of the truth that was found; `None` where the truth is empty.
    pub sensitivity: Option<f64>,
    /// Share of the prediction that is right; `None` where the prediction is empty.
    pub precision: Option<f64>,
    /// 95th percentile of the surface distances in mm, the larger of the two directions.
    pub hd95: Option<f64>,
    /// Mean surface distance in mm, over the surface voxels of both masks.
    pub asd: Option<f64>,
    /// (predicted − true volume) / true volume; `None` where the truth is empty.
    pub volume_error: Option<f64>,
    /// Connected components in the truth.
    pub lesions_truth: usize,
    /// Connected components in the prediction.
    pub lesions_predicted: usize,
    /// F1 of the components; `None` where there are none.
    pub lesion_f1: Option<f64>,
    /// Share of the true components that was touched; `None` where there are none.
    pub lesion_sensitivity: Option<f64>,
}

/// How every label but the background was found in one case. Both maps must stand on one grid: the score of a resampled
/// truth is not that of the truth.
///
/// # Errors
/// [`EvaluateError::Grid`], or [`EvaluateError::Names`] for a label that has two names.
pub fn judge(
    case: &str,
    subject: &str,
    truth: &LabelMap,
    predicted: &LabelMap,
) -> Result<Vec<CaseScore>, EvaluateError> {
    if !predicted.geometry.same_grid(&truth.geometry, GRID_TOLERANCE_MM) {
        let (predicted, truth) = (grid(&predicted.geometry), grid(&truth.geometry));
        return Err(EvaluateError::Grid { case: case.to_owned(), predicted, truth });
    }
    let labels = truth.names.len().max(predicted.names.len());
    let mut scores = Vec::with_capacity(labels.saturating_sub(1));
    for label in 1..labels {
        let (wanted, given) = (truth.names.get(label), predicted.names.get(label));
        if let (Some(wanted), Some(given)) = (wanted, given)
            && wanted != given
        {
            return Err(EvaluateError::Names {
                case: case.to_owned(),
                label,
                predicted: given.clone(),
                truth: wanted.clone(),
            });
        }
        let name = wanted.or(given).cloned().unwrap_or_default();
        scores.push(judge_label(case, subject, label as u8, name, truth, predicted));
    }
    Ok(scores)
}

/// A grid in words.
fn grid(geometry: &Geometry) -> String {
    let [columns, rows, slices] = geometry.size;
    let [spacing, origin] =
        [geometry.spacing, geometry.origin].map(|values| values.map(|value| format!("{value:.3}")).join(", "));
    format!("{columns} × {rows} × {slices} voxels of ({spacing}) mm from ({origin}), {}", geometry.orientation())
}

fn judge_label(
    case: &str,
    subject: &str,
    label: u8,
    name: String,
    truth: &LabelMap,
    predicted: &LabelMap,
) -> CaseScore {
    let geometry = &truth.geometry;
    let (wanted, given) = (truth.mask(label), predicted.mask(label));
    let overlap = Overlap::of(&wanted, &given);
    let presence = match (overlap.truth > 0, overlap.predicted > 0) {
        (true, true) => Presence::Both,
        (true, false) => Presence::Missed,
        (false, true) => Presence::Invented,
        (false, false) => Presence::Neither,
    };
    let worst = geometry.diagonal();
    let (hd95, asd) = match presence {
        Presence::Neither => (None, None),
        Presence::Missed | Presence::Invented => (Some(worst), Some(worst)),
        Presence::Both => match Surfaces::of(&wanted, &given, geometry.size, geometry.spacing) {
            Some(surfaces) => (Some(surfaces.hausdorff(95.0)), Some(surfaces.mean())),
            None => (Some(worst), Some(worst)),
        },
    };
    // A plain picture has no neighbours above and below; 26 are then 8.
    let lesions = Lesions::of(&wanted, &given, geometry.size, Connectivity::TwentySix);
    CaseScore {
        case: case.to_owned(),
        subject: subject.to_owned(),
        label,
        name,
        presence,
        truth_mm3: overlap.truth as f64 * geometry.voxel_volume(),
        predicted_mm3: overlap.predicted as f64 * geometry.voxel_volume(),
        dice: overlap.dice(),
        iou: overlap.iou(),
        sensitivity: overlap.sensitivity(),
        precision: overlap.precision(),
        hd95,
        asd,
        volume_error: overlap.volume_error(),
        lesions_truth: lesions.truth,
        lesions_predicted: lesions.predicted,
        lesion_f1: lesions.f1(),
        lesion_sensitivity: lesions.sensitivity(),
    }
}

#[cfg(test)]
mod tests;
