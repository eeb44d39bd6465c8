//! Divisions of a picture into segments: adapted Rand error and variation of information.
//!
//! The membranes of electron micrographs are judged by the cells they enclose: one pixel missing in a membrane merges two
//! cells, and the pixel error hardly sees it. Both measures look at the pixels that belong to a true cell only (foreground
//! restricted; Arganda-Carreras and others 2015, Frontiers in Neuroanatomy 9:142). Pixels of those that the prediction puts
//! in no segment form one segment of their own, as in scikit-image's `adapted_rand_error` and `variation_of_information`,
//! whose values the tests compare with.

use std::collections::BTreeMap;

use nn_core::metrics::MetricError;
use serde::{Deserialize, Serialize};

use crate::components::{self, Connectivity};
use crate::volume::LabelMap;

/// How well a division into segments agrees with the true one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// 1 − the harmonic mean of `rand_precision` and `rand_recall`, 0 for the same division.
    pub rand_error: f64,
    /// Of the pairs of pixels in one predicted segment, the share that is in one true segment: low where cells are merged.
    pub rand_precision: f64,
    /// Of the pairs of pixels in one true segment, the share that is in one predicted segment: low where cells are split.
    pub rand_recall: f64,
    /// Entropy of the prediction given the truth, in bits: what was split.
    pub split: f64,
    /// Entropy of the truth given the prediction, in bits: what was merged.
    pub merge: f64,
    /// True segments.
    pub segments_truth: usize,
    /// Predicted segments that they meet.
    pub segments_predicted: usize,
}

impl Partition {
    /// Variation of information, in bits: `split` + `merge` (Meilă 2007, Journal of Multivariate Analysis 98:873).
    pub fn variation(self) -> f64 {
        self.split + self.merge
    }
}

/// Compares two divisions, pixel by pixel; what the truth numbers 0 does not count.
///
/// # Errors
/// [`MetricError::Length`], or [`MetricError::Undefined`] where no two pixels of the truth share a segment on either side.
pub fn partition(truth: &[u32], predicted: &[u32]) -> Result<Partition, MetricError> {
    if truth.len() != predicted.len() {
        return Err(MetricError::Length { truth: truth.len(), pred: predicted.len() });
    }
    let counted = truth.iter().zip(predicted).filter(|(wanted, _)| **wanted > 0);
    let mut pixels: Vec<(u32, u32)> = counted.map(|(wanted, given)| (*wanted, *given)).collect();
    pixels.sort_unstable();
    let (mut wanted, mut given) = (BTreeMap::<u32, usize>::new(), BTreeMap::<u32, usize>::new());
    let both: Vec<(u32, u32, usize)> =
        pixels.chunk_by(|one, other| one == other).map(|same| (same[0].0, same[0].1, same.len())).collect();
    for &(one, other, count) in &both {
        *wanted.entry(one).or_default() += count;
        *given.entry(other).or_default() += count;
    }
    // Ordered pairs of different pixels.
    let pairs = |count: usize| count as f64 * (count as f64 - 1.0);
    let together: f64 = both.iter().map(|(_, _, count)| pairs(*count)).sum();
    let of = |sizes: &BTreeMap<u32, usize>| sizes.values().map(|count| pairs(*count)).sum::<f64>();
    let (in_truth, in_prediction) = (of(&wanted), of(&given));
    if in_truth == 0.0 || in_prediction == 0.0 {
        let why = format!("no two of the {} pixels of true segments are in one segment on both sides", pixels.len());
        return Err(MetricError::Undefined { metric: "adapted Rand error", why });
    }
    let n = pixels.len() as f64;
    let entropy = |sizes: &BTreeMap<u32, usize>, side: fn(&(u32, u32, usize)) -> u32| -> f64 {
        let term = |pair: &(u32, u32, usize)| {
            let whole = sizes.get(&side(pair)).copied().unwrap_or(pair.2);
            pair.2 as f64 / n * (whole as f64 / pair.2 as f64).log2()
        };
        both.iter().map(term).sum()
    };
    Ok(Partition {
        rand_error: 1.0 - together / (0.5 * in_truth + 0.5 * in_prediction),
        rand_precision: together / in_prediction,
        rand_recall: together / in_truth,
        split: entropy(&wanted, |pair| pair.0),
        merge: entropy(&given, |pair| pair.1),
        segments_truth: wanted.len(),
        segments_predicted: given.len(),
    })
}

/// The segments of a map: the connected areas of `label` in each slice, pixels joined by their edges, numbered from 1; 0 is
/// what lies between them.
pub fn segments(map: &LabelMap, label: u8) -> Vec<u32> {
    let [columns, rows, slices] = map.geometry.size;
    let mut segments = Vec::with_capacity(map.labels.len());
    let mut before = 0_u32;
    for k in 0..slices {
        let mask: Vec<bool> = map.slice(k).iter().map(|found| *found == label).collect();
        let found = components::label(&mask, [columns, rows, 1], Connectivity::Six);
        segments.extend(found.labels.iter().map(|segment| if *segment > 0 { segment + before } else { 0 }));
        before += found.sizes.len() as u32;
    }
    segments
}
