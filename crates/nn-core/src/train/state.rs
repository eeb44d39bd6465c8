//! What a run is, as a value.

use serde::{Deserialize, Serialize};

use super::FitConfig;
use crate::optim::ScheduleState;

/// Version of the form of [`State`] in a checkpoint.
pub(super) const VERSION: u32 = 1;

/// The best epoch so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The monitored metric after it.
    pub score: f64,
    /// All metrics after it, in the learner's order.
    pub metrics: Vec<(String, f64)>,
}

/// Everything that decides how a run goes on, save what the learner keeps. There is no state of a random generator in
/// it: random numbers are functions of seed, epoch and step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this form.
    pub(super) version: u32,
    /// The settings that the run was last continued with.
    pub config: FitConfig,
    /// Epoch under way or next, from 0.
    pub epoch: usize,
    /// Steps of that epoch already done.
    pub step: usize,
    /// Steps that the epoch under way has; 0 between epochs.
    pub steps_in_epoch: usize,
    /// Steps done in all epochs.
    pub total_steps: u64,
    /// Sum over the rows of the epoch under way of the loss in their step.
    pub loss_sum: f64,
    /// Rows of the epoch under way already used.
    pub rows: usize,
    /// The learning rate and what its schedule remembers.
    pub schedule: ScheduleState,
    /// The best epoch so far.
    pub best: Option<Best>,
    /// Epochs since then.
    pub stale: usize,
    /// Metrics after the last epoch.
    pub last_metrics: Vec<(String, f64)>,
}

impl State {
    /// The state of a run that has not begun.
    pub(super) fn new(config: &FitConfig) -> Self {
        let higher = config.monitor.goal == super::Goal::Higher;
        Self {
            version: VERSION,
            config: config.clone(),
            epoch: 0,
            step: 0,
            steps_in_epoch: 0,
            total_steps: 0,
            loss_sum: 0.0,
            rows: 0,
            schedule: ScheduleState::new(config.schedule.clone(), config.learning_rate, higher),
            best: None,
            stale: 0,
            last_metrics: Vec::new(),
        }
    }

    /// Whether the run has lost its patience.
    pub(super) fn out_of_patience(&self, patience: Option<usize>) -> bool {
        patience.is_some_and(|patience| self.stale >= patience.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::train::Monitor;

    proptest! {
        // Resuming is exact only if numbers come back from the text to the last bit.
        #[test]
        fn numbers_survive_the_checkpoint_bit_for_bit(sum in -1e300f64..1e300, score in -1.0f64..1.0, rate in 1e-9f64..1.0) {
            let config = FitConfig::new(3, rate, Monitor::higher("ci"));
            let mut state = State::new(&config);
            state.loss_sum = sum;
            state.best = Some(Best { epoch: 1, score, metrics: vec![("ci".to_string(), score)] });
            let text = serde_json::to_vec(&state).unwrap();
            let again: State = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(again.loss_sum.to_bits(), sum.to_bits());
            prop_assert_eq!(again, state);
        }
    }

    #[test]
    fn patience_counts_epochs_without_improvement() {
        let mut state = State::new(&FitConfig::new(3, 0.1, Monitor::lower("mse")));
        assert!(!state.out_of_patience(Some(0)));
        state.stale = 1;
        assert!(state.out_of_patience(Some(0)) && state.out_of_patience(Some(1)));
        assert!(!state.out_of_patience(Some(2)) && !state.out_of_patience(None));
    }
}
