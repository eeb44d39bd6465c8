//! The learning rate from epoch to epoch.

use super::config::not_negative;
use crate::config::ConfigError;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Cuts of the rate below this size are not made (the `eps` of PyTorch's `ReduceLROnPlateau`).
const SMALLEST_CUT: f64 = 1e-8;

/// How the learning rate changes between epochs, with PyTorch's rules; epochs count from 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The same rate throughout.
    #[default]
    Constant,
    /// Multiplied by `factor` after each `every` epochs (`StepLR`).
    Step {
        /// Epochs between two changes.
        every: usize,
        /// 0 to 1.
        factor: f64,
    },
    /// Multiplied by `factor` after each epoch (`ExponentialLR`).
    Exponential {
        /// 0 to 1.
        factor: f64,
    },
    /// Half a cosine from the base rate down to `minimum`, which then stays (`CosineAnnealingLR` up to its end).
    Cosine {
        /// Epochs until the minimum.
        epochs: usize,
        /// The rate at the end.
        minimum: f64,
    },
    /// Rises in equal steps, from base/(epochs + 1) in the first epoch to the base rate in the first
    /// epoch of `then` (`LinearLR` followed by `then` in a `SequentialLR`).
    Warmup {
        /// Epochs below the base rate.
        epochs: usize,
        /// What follows; its epochs count from its own start.
        then: Box<Schedule>,
    },
    /// Multiplied by `factor` when the monitored value has not improved for more than `patience`
    /// epochs (`ReduceLROnPlateau` with a relative threshold).
    ReduceOnPlateau {
        /// 0 to below 1; PyTorch's is 0.1.
        #[serde(default = "plateau_factor")]
        factor: f64,
        /// Epochs without improvement that are borne; PyTorch's is 10.
        #[serde(default = "plateau_patience")]
        patience: usize,
        /// The smallest improvement that counts, as a fraction of the best value; PyTorch's is 1e-4.
        #[serde(default = "plateau_threshold")]
        threshold: f64,
        /// Epochs after a cut in which none is counted as bad.
        #[serde(default)]
        cooldown: usize,
        /// The rate never falls below this.
        #[serde(default)]
        minimum: f64,
    },
}

fn plateau_factor() -> f64 {
    0.1
}
fn plateau_patience() -> usize {
    10
}
fn plateau_threshold() -> f64 {
    1e-4
}

impl Schedule {
    /// [`Schedule::ReduceOnPlateau`] with PyTorch's constants.
    pub fn reduce_on_plateau() -> Self {
        Self::ReduceOnPlateau {
            factor: plateau_factor(),
            patience: plateau_patience(),
            threshold: plateau_threshold(),
            cooldown: 0,
            minimum: 0.0,
        }
    }

    /// Checks every constant, those of a schedule inside included.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] that names the first field out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        use crate::config::in_range;
        match self {
            Self::Constant => Ok(()),
            Self::Step { every, factor } => {
                in_range("every", *every, 1..=usize::MAX)?;
                in_range("factor", *factor, 0.0..=1.0)
            }
            Self::Exponential { factor } => in_range("factor", *factor, 0.0..=1.0),
            Self::Cosine { epochs, minimum } => {
                in_range("epochs", *epochs, 1..=usize::MAX)?;
                not_negative("minimum", *minimum)
            }
            Self::Warmup { then, .. } => then.validate(),
            Self::ReduceOnPlateau { factor, threshold, minimum, .. } => {
                if *factor == 1.0 {
                    return Err(ConfigError::OutOfRange {
                        field: "factor",
                        value: "1".to_owned(),
                        allowed: "0 to below 1".to_owned(),
                    });
                }
                in_range("factor", *factor, 0.0..=1.0)?;
                in_range("threshold", *threshold, 0.0..=1.0)?;
                not_negative("minimum", *minimum)
            }
        }
    }

    /// The rate in `epoch` for a base rate; `plateau` is the rate that the cuts have left.
    fn rate(&self, base: f64, epoch: usize, plateau: f64) -> f64 {
        match self {
            Self::Constant => base,
            Self::Step { every, factor } => base * factor.powf((epoch / (*every).max(1)) as f64),
            Self::Exponential { factor } => base * factor.powf(epoch as f64),
            Self::Cosine { epochs, minimum } => {
                let done = epoch.min(*epochs) as f64 / (*epochs).max(1) as f64;
                minimum + (base - minimum) * (1.0 + (PI * done).cos()) / 2.0
            }
            Self::Warmup { epochs, then } => match epoch.checked_sub(*epochs) {
                Some(after) => then.rate(base, after, plateau),
                None => base * (epoch + 1) as f64 / (epochs + 1) as f64,
            },
            Self::ReduceOnPlateau { .. } => plateau,
        }
    }
}

/// A schedule in progress: part of a checkpoint.
///
/// Written as JSON it comes back exactly, provided the reader parses numbers exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleState {
    schedule: Schedule,
    base: f64,
    higher_is_better: bool,
    epoch: usize,
    /// The base rate after the cuts made on plateaus.
    plateau: f64,
    /// The best monitored value; none before the first.
    best: Option<f64>,
    bad_epochs: usize,
    cooling: usize,
}

impl ScheduleState {
    /// At the start of epoch 0. `higher_is_better` is the direction of the monitored value, which
    /// only a plateau schedule looks at.
    pub fn new(schedule: Schedule, learning_rate: f64, higher_is_better: bool) -> Self {
        Self {
            schedule,
            base: learning_rate,
            higher_is_better,
            epoch: 0,
            plateau: learning_rate,
            best: None,
            bad_epochs: 0,
            cooling: 0,
        }
    }

    /// The rate of the current epoch.
    pub fn learning_rate(&self) -> f64 {
        self.schedule.rate(self.base, self.epoch, self.plateau)
    }

    /// The current epoch, counted from 0.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// Ends an epoch, with the monitored value it came to. An epoch without a value (`None`) is not
    /// counted by a plateau schedule; neither are those of a warm-up before it. NaN is no improvement.
    pub fn step(&mut self, monitored: Option<f64>) {
        let mut schedule = &self.schedule;
        let mut epoch = self.epoch;
        self.epoch += 1;
        while let Schedule::Warmup { epochs, then } = schedule {
            let Some(after) = epoch.checked_sub(*epochs) else { return };
            (schedule, epoch) = (then.as_ref(), after);
        }
        let Schedule::ReduceOnPlateau { factor, patience, threshold, cooldown, minimum } = *schedule else { return };
        let Some(value) = monitored else { return };

        let improved = match self.best {
            None => !value.is_nan(),
            Some(best) if self.higher_is_better => value > best * (1.0 + threshold),
            Some(best) => value < best * (1.0 - threshold),
        };
        if improved {
            self.best = Some(value);
            self.bad_epochs = 0;
        } else {
            self.bad_epochs += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad_epochs = 0;
        }
        if self.bad_epochs > patience {
            let cut = (self.plateau * factor).max(minimum);
            if self.plateau - cut > SMALLEST_CUT {
                self.plateau = cut;
            }
            self.cooling = cooldown;
            self.bad_epochs = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rates of the first epochs, with the monitored value of each.
    fn rates(schedule: Schedule, base: f64, values: &[f64]) -> Vec<f64> {
        schedule.validate().unwrap();
        let mut state = ScheduleState::new(schedule, base, false);
        values
            .iter()
            .map(|value| {
                let rate = state.learning_rate();
                state.step(Some(*value));
                rate
            })
            .collect()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= 1e-12 * e.abs(), "{found:?} instead of {expected:?}");
        }
    }

    #[test]
    fn closed_forms() {
        assert_close(&rates(Schedule::Constant, 0.3, &[0.0; 3]), &[0.3; 3]);
        let step = Schedule::Step { every: 2, factor: 0.1 };
        assert_close(&rates(step, 1.0, &[0.0; 5]), &[1.0, 1.0, 0.1, 0.1, 0.01]);
        assert_close(&rates(Schedule::Exponential { factor: 0.5 }, 1.0, &[0.0; 4]), &[1.0, 0.5, 0.25, 0.125]);
        // CosineAnnealingLR(T_max=4, eta_min=0.2) from 1: 0.2 + 0.8·(1 + cos(πt/4))/2
        let half = 0.5_f64.sqrt();
        let cosine = Schedule::Cosine { epochs: 4, minimum: 0.2 };
        let expected = [1.0, 0.2 + 0.4 * (1.0 + half), 0.6, 0.2 + 0.4 * (1.0 - half), 0.2, 0.2];
        assert_close(&rates(cosine, 1.0, &[0.0; 6]), &expected);
        // LinearLR(start_factor=1/4, total_iters=3) and then StepLR(1, 0.1)
        let warmup = Schedule::Warmup { epochs: 3, then: Box::new(Schedule::Step { every: 1, factor: 0.1 }) };
        assert_close(&rates(warmup, 2.0, &[0.0; 6]), &[0.5, 1.0, 1.5, 2.0, 0.2, 0.02]);
    }

    fn plateau(factor: f64, patience: usize, cooldown: usize, minimum: f64) -> Schedule {
        Schedule::ReduceOnPlateau { factor, patience, threshold: 1e-4, cooldown, minimum }
    }

    #[test]
    fn a_plateau_is_patience_plus_one_bad_epochs() {
        // the first value is the best; two bad epochs are borne, the third cuts
        let found = rates(plateau(0.1, 2, 0, 0.0), 1.0, &[5.0; 9]);
        assert_close(&found, &[1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01]);
        // an improvement by less than the threshold is none: 5·(1 − 1e-4) = 4.9995
        let found = rates(plateau(0.1, 0, 0, 0.0), 1.0, &[5.0, 4.9996, 4.9, 4.8]);
        assert_close(&found, &[1.0, 1.0, 0.1, 0.1]);
        let found = rates(plateau(0.1, 0, 0, 0.0), 1.0, &[5.0, f64::NAN, 4.9]);
        assert_close(&found, &[1.0, 1.0, 0.1]);
    }

    #[test]
    fn cooldown_and_minimum_hold_the_cuts_back() {
        // after a cut two epochs are not counted, so cuts come every 3 epochs instead of every one
        let found = rates(plateau(0.1, 0, 2, 0.0), 1.0, &[5.0; 8]);
        assert_close(&found, &[1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]);
        let found = rates(plateau(0.1, 0, 0, 0.05), 1.0, &[5.0; 5]);
        assert_close(&found, &[1.0, 1.0, 0.1, 0.05, 0.05]);
    }

    #[test]
    fn the_direction_and_a_warm_up_reach_the_plateau() {
        let mut rising = ScheduleState::new(plateau(0.5, 0, 0, 0.0), 1.0, true);
        for value in [0.5, 0.6, 0.7] {
            rising.step(Some(value));
        }
        assert_eq!(rising.learning_rate(), 1.0);
        rising.step(None);
        assert_eq!(rising.learning_rate(), 1.0);
        rising.step(Some(0.7));
        assert_eq!((rising.learning_rate(), rising.epoch()), (0.5, 5));

        // the values of the warm-up are not compared: epoch 2 is the first best, epoch 3 is bad
        let warmup = Schedule::Warmup { epochs: 2, then: Box::new(plateau(0.1, 0, 0, 0.0)) };
        assert_close(&rates(warmup, 3.0, &[1.0, 2.0, 9.0, 9.0, 8.0]), &[1.0, 2.0, 3.0, 3.0, 0.3]);
    }

    #[test]
    fn constants_out_of_range_are_refused() {
        let bad = [
            Schedule::Step { every: 0, factor: 0.1 },
            Schedule::Exponential { factor: f64::NAN },
            Schedule::Cosine { epochs: 0, minimum: 0.0 },
            Schedule::Warmup { epochs: 1, then: Box::new(Schedule::Exponential { factor: 1.1 }) },
            plateau(1.0, 1, 1, 0.0),
            plateau(0.5, 1, 1, -1.0),
        ];
        for schedule in bad {
            assert!(matches!(schedule.validate(), Err(ConfigError::OutOfRange { .. })), "{schedule:?}");
        }
        let read: Schedule = serde_json::from_str(r#"{"kind":"reduce-on-plateau"}"#).unwrap();
        assert_eq!(read, Schedule::reduce_on_plateau());
    }

    proptest! {
        /// Stopped after any epoch, written as JSON and read back, a schedule goes on as if never stopped.
        #[test]
        fn a_state_survives_json_exactly(
            base in 1e-6_f64..1.0,
            factor in 0.01_f64..0.99,
            values in prop::collection::vec(0.0_f64..1.0, 1..30),
            stop in 0_usize..30,
        ) {
            let mut state = ScheduleState::new(plateau(factor, 1, 1, 0.0), base, true);
            let mut copy = state.clone();
            for (epoch, value) in values.into_iter().enumerate() {
                if epoch == stop {
                    copy = serde_json::from_str(&serde_json::to_string(&copy).unwrap()).unwrap();
                    prop_assert_eq!(&copy, &state);
                }
                state.step(Some(value));
                copy.step(Some(value));
                prop_assert_eq!(copy.learning_rate().to_bits(), state.learning_rate().to_bits());
            }
        }
    }
}
