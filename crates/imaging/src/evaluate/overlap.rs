//! Voxels that two masks have in common.

use serde::{Deserialize, Serialize};

/// Voxels of a true mask, of a predicted one, and of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overlap {
    /// Voxels of the truth.
    pub truth: usize,
    /// Voxels of the prediction.
    pub predicted: usize,
    /// Voxels of both.
    pub both: usize,
}

impl Overlap {
    /// Counts two masks of one grid.
    ///
    /// # Panics
    /// If the masks differ in length.
    pub fn of(truth: &[bool], predicted: &[bool]) -> Self {
        assert_eq!(truth.len(), predicted.len(), "two masks of one grid");
        let mut counts = Self::default();
        for (&wanted, &given) in truth.iter().zip(predicted) {
            counts.truth += usize::from(wanted);
            counts.predicted += usize::from(given);
            counts.both += usize::from(wanted && given);
        }
        counts
    }

    /// 2 |T ∩ P| / (|T| + |P|) (Dice 1945, Ecology 26:297); `None` if both are empty.
    pub fn dice(self) -> Option<f64> {
        share(2 * self.both, self.truth + self.predicted)
    }

    /// |T ∩ P| / |T ∪ P| (Jaccard 1912, New Phytologist 11:37); `None` if both are empty.
    pub fn iou(self) -> Option<f64> {
        share(self.both, self.truth + self.predicted - self.both)
    }

    /// |T ∩ P| / |T|; `None` if the truth is empty.
    pub fn sensitivity(self) -> Option<f64> {
        share(self.both, self.truth)
    }

    /// |T ∩ P| / |P|; `None` if the prediction is empty.
    pub fn precision(self) -> Option<f64> {
        share(self.both, self.predicted)
    }

    /// (|P| − |T|) / |T|; `None` if the truth is empty.
    pub fn volume_error(self) -> Option<f64> {
        share(self.predicted, self.truth).map(|ratio| ratio - 1.0)
    }
}

/// A quotient, if there is one.
pub(super) fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
