//! Connected components that were found, missed and invented.
//!
//! A model that outlines the large lesion well and misses nine small ones has a good Dice coefficient and is of no use. The
//! counts are those of the lesion-wise F1 of ATLAS v2.0 and ISLES 2022 (Liew and others 2022, Scientific Data 9:320;
//! Hernandez Petzsche and others 2022, Scientific Data 9:762): one common voxel is enough for a component to be found.

use serde::{Deserialize, Serialize};

use super::overlap::share;
use crate::components::{self, Connectivity};

/// Connected components of a true and of a predicted mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lesions {
    /// Components of the truth.
    pub truth: usize,
    /// Components of the prediction.
    pub predicted: usize,
    /// Components of the truth that the prediction touches.
    pub found: usize,
    /// Components of the prediction that touch the truth.
    pub right: usize,
}

impl Lesions {
    /// Counts the components of two masks of one grid.
    ///
    /// # Panics
    /// If the masks are not of `size`.
    pub fn of(truth: &[bool], predicted: &[bool], size: [usize; 3], connectivity: Connectivity) -> Self {
        assert_eq!([truth.len(), predicted.len()], [size.iter().product::<usize>(); 2], "two masks of one grid");
        let [wanted, given] = [truth, predicted].map(|mask| components::label(mask, size, connectivity));
        let mut found = vec![false; wanted.sizes.len()];
        let mut right = vec![false; given.sizes.len()];
        for (&one, &other) in wanted.labels.iter().zip(&given.labels) {
            // 0 is the background.
            if one > 0 && other > 0 {
                found[one as usize - 1] = true;
                right[other as usize - 1] = true;
            }
        }
        let count = |hits: &[bool]| hits.iter().filter(|hit| **hit).count();
        Self { truth: found.len(), predicted: right.len(), found: count(&found), right: count(&right) }
    }

    /// found / (found + (missed + invented) / 2); `None` if neither mask has a component.
    pub fn f1(self) -> Option<f64> {
        let (missed, invented) = (self.truth - self.found, self.predicted - self.right);
        share(2 * self.found, 2 * self.found + missed + invented)
    }

    /// Share of the true components that were found; `None` if there are none.
    pub fn sensitivity(self) -> Option<f64> {
        share(self.found, self.truth)
    }

    /// Share of the predicted components that are right; `None` if there are none.
    pub fn precision(self) -> Option<f64> {
        share(self.right, self.predicted)
    }
}
