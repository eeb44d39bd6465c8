//! How often what was predicted has come true: the honest interval around a single probability.

use serde::{Deserialize, Serialize};

/// Normal quantile of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// Tuning labels with about the same predicted probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// The largest of their probabilities.
    pub upto: f64,
    /// Their mean.
    pub predicted: f64,
    /// Labels.
    pub labels: usize,
    /// Those that came true.
    pub positives: usize,
}

impl Bin {
    /// Share of the labels that came true.
    pub fn observed(&self) -> f64 {
        self.positives as f64 / self.labels.max(1) as f64
    }

    /// The 95 % interval of that share by Wilson's score (Wilson 1927, J Am Stat Assoc 22:209), which stays within 0
    /// and 1 and holds for small numbers.
    pub fn interval(&self) -> (f64, f64) {
        let n = self.labels.max(1) as f64;
        let (p, z2) = (self.observed(), Z * Z);
        let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        ((centre - half).max(0.0), (centre + half).min(1.0))
    }
}

/// Predicted against observed shares, in bins of equally many labels.
///
/// It is measured on the tuning part, on which the recalibration was fitted as well: it says how far the share among
/// patients with such a score is known, not how the model does elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    bins: Vec<Bin>,
}

impl Reliability {
    /// Puts labels and probabilities into `bins` bins by probability. Equal probabilities stay together.
    pub fn of(truth: &[bool], probabilities: &[f64], bins: usize) -> Self {
        let mut pairs: Vec<(f64, bool)> = probabilities.iter().copied().zip(truth.iter().copied()).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut found: Vec<Bin> = Vec::new();
        let mut start = 0;
        for bin in 1..=bins.max(1) {
            let mut end = (pairs.len() * bin / bins.max(1)).max(start);
            while end > start && end < pairs.len() && pairs[end].0 == pairs[end - 1].0 {
                end += 1;
            }
            let Some(&(upto, _)) = pairs[start..end].last() else { continue };
            let labels = end - start;
            found.push(Bin {
                upto,
                predicted: pairs[start..end].iter().map(|pair| pair.0).sum::<f64>() / labels as f64,
                labels,
                positives: pairs[start..end].iter().filter(|pair| pair.1).count(),
            });
            start = end;
        }
        Self { bins: found }
    }

    /// The bins, by rising probability.
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// The bin that a probability belongs to; none where nothing was measured.
    pub fn bin(&self, probability: f64) -> Option<&Bin> {
        self.bins.iter().find(|bin| probability <= bin.upto).or(self.bins.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy 1.17.1, binomtest(12, 80).proportion_ci(method="wilson"), and of 0 in 20. Tolerance: the digits quoted.
    #[test]
    fn intervals_are_wilsons() {
        let bin = |positives, labels| Bin { upto: 1.0, predicted: 0.5, labels, positives };
        for (found, expected) in
            [(bin(12, 80).interval(), (0.087_940, 0.244_132)), (bin(0, 20).interval(), (0.0, 0.161_125))]
        {
            assert!((found.0 - expected.0).abs() < 1e-6 && (found.1 - expected.1).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn every_label_is_in_one_bin_and_ties_stay_together() {
        let probabilities = [0.1, 0.3, 0.3, 0.3, 0.3, 0.9, 0.8, 0.2];
        let truth = [false, true, false, false, false, true, true, false];
        let found = Reliability::of(&truth, &probabilities, 4);
        assert_eq!(found.bins().iter().map(|bin| bin.labels).collect::<Vec<_>>(), [2, 4, 2]);
        assert_eq!(found.bins().iter().map(|bin| bin.positives).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(found.bin(0.25).map(|bin| bin.upto), Some(0.3));
        assert_eq!(found.bin(0.95).map(|bin| bin.upto), Some(0.9));
        assert_eq!(Reliability::of(&[], &[], 4).bin(0.5), None);
    }
}
