//! Marks of windows around a start of transcription, summed with weights that fall off exponentially.

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

/// Which windows are read, and how fast their weights fall off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpatialConfig {
    /// Bases from the middle of a window to that of the next.
    pub step: usize,
    /// Bases that are read on each side of a start.
    pub reach: usize,
    /// Rates by which the weight falls off from step to step. Each gives one sum upstream and one downstream.
    pub decays: Vec<f64>,
    /// Bases from a variant to the middle of the farthest window that is read for it.
    pub shift: usize,
}

impl Default for SpatialConfig {
    /// 200 windows in 40,000 bases, five rates, and for a variant nine windows: the authors'.
    fn default() -> Self {
        Self { step: 200, reach: 20_000, decays: vec![0.01, 0.02, 0.05, 0.1, 0.2], shift: 800 }
    }
}

impl SpatialConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("step", self.step, 1..=1_000_000)?;
        in_range("reach", self.reach, self.step..=1_000_000_000)?;
        in_range("decays", self.decays.len(), 1..=1000)?;
        self.decays.iter().try_for_each(|&decay| in_range("decays", decay, 0.0..=100.0))?;
        in_range("shift", self.shift, 0..=1_000_000)
    }

    /// Sums for each mark.
    pub fn sums(&self) -> usize {
        2 * self.decays.len()
    }

    /// Middles of the windows as distances to the start, negative upstream: half a step on either side of it, and so on
    /// from step to step as far as the reach.
    pub fn offsets(&self) -> Vec<i64> {
        let (step, each_side) = (self.step as i64, (self.reach / self.step) as i64);
        (-each_side..each_side).map(|window| window * step + step / 2).collect()
    }

    /// Shifts of the windows that are read for a variant, from upstream on.
    pub fn shifts(&self) -> Vec<i64> {
        let (step, each_side) = (self.step as i64, (self.shift / self.step) as i64);
        (-each_side..=each_side).map(|window| window * step).collect()
    }

    /// Weights of a window whose middle lies at `distance`: for each rate λ upstream, then for each downstream,
    /// exp(−λ ⌊|distance| / step⌋) on the own side and 0 on the other. The start itself is on both.
    pub fn weights(&self, distance: i64) -> Vec<f64> {
        let steps = (distance.unsigned_abs() / self.step as u64) as f64;
        let side = |on: bool| self.decays.iter().map(move |decay| if on { (-decay * steps).exp() } else { 0.0 });
        side(distance <= 0).chain(side(distance >= 0)).collect()
    }

    /// The sums of the marks of windows at `distances`: all marks for the first weight, then for the second.
    ///
    /// # Shapes
    /// - marks `[windows, outputs]`; output `[sums, outputs]`
    ///
    /// # Panics
    /// If there are not as many marks for each window.
    pub fn features(&self, marks: &[f64], distances: &[i64]) -> Vec<f64> {
        let outputs = marks.len() / distances.len().max(1);
        assert_eq!(outputs * distances.len(), marks.len(), "marks of {} windows", distances.len());
        let mut sums = vec![0.0; self.sums() * outputs];
        if outputs == 0 {
            return sums;
        }
        for (marks, &distance) in marks.chunks_exact(outputs).zip(distances) {
            let weights = self.weights(distance);
            for (sums, weight) in sums.chunks_exact_mut(outputs).zip(weights).filter(|(_, weight)| *weight > 0.0) {
                sums.iter_mut().zip(marks).for_each(|(sum, mark)| *sum += weight * mark);
            }
        }
        sums
    }
}
