//! A learning rate that falls from epoch to epoch to zero, `η (1 − epoch / epochs)^power`, as segmentation networks are
//! trained since Chen et al. 2018, *`DeepLab`*, section 4.1; nnU-Net takes the power 0.9 (Isensee et al. 2021, methods).

use nn_core::train::{Learner, StepContext, StepError, StepReport};

/// Lets a learner take steps at the fallen rate. It has no state of its own: the rate is a function of the epoch.
pub struct PolynomialDecay<L> {
    inner: L,
    epochs: usize,
    power: f64,
}

impl<L: Learner> PolynomialDecay<L> {
    /// `inner` with rates that fall over `epochs`; with a power of 0 they stay.
    pub fn new(inner: L, epochs: usize, power: f64) -> Self {
        Self { inner, epochs, power }
    }

    /// The learner.
    pub fn into_inner(self) -> L {
        self.inner
    }
}

/// What is left of the rate in `epoch` of `epochs`, above 0 in every epoch of the run.
pub(super) fn factor(epoch: usize, epochs: usize, power: f64) -> f64 {
    let done = epoch.min(epochs.saturating_sub(1)) as f64 / epochs.max(1) as f64;
    (1.0 - done).powf(power)
}

impl<L: Learner> Learner for PolynomialDecay<L> {
    fn step(&mut self, rows: &[usize], context: &StepContext) -> Result<StepReport, StepError> {
        let learning_rate = context.learning_rate * factor(context.epoch, self.epochs, self.power);
        self.inner.step(rows, &StepContext { learning_rate, ..*context })
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError> {
        self.inner.validate()
    }

    fn weights(&self) -> Result<Vec<u8>, StepError> {
        self.inner.weights()
    }

    fn optimizer(&self) -> Result<Vec<u8>, StepError> {
        self.inner.optimizer()
    }

    fn restore(&mut self, weights: &[u8], optimizer: &[u8]) -> Result<(), StepError> {
        self.inner.restore(weights, optimizer)
    }

    fn restore_weights(&mut self, weights: &[u8]) -> Result<(), StepError> {
        self.inner.restore_weights(weights)
    }

    fn name_of(&self, row: usize) -> String {
        self.inner.name_of(row)
    }

    fn blame(&self, rows: &[usize], context: &StepContext) -> Result<Vec<usize>, StepError> {
        self.inner.blame(rows, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Rates(Vec<f64>);

    impl Learner for Rates {
        fn step(&mut self, _rows: &[usize], context: &StepContext) -> Result<StepReport, StepError> {
            self.0.push(context.learning_rate);
            Ok(StepReport { loss: 0.0, grad_norm: None })
        }
        fn validate(&mut self) -> Result<Vec<(String, f64)>, StepError> {
            Ok(Vec::new())
        }
        fn weights(&self) -> Result<Vec<u8>, StepError> {
            Ok(Vec::new())
        }
        fn optimizer(&self) -> Result<Vec<u8>, StepError> {
            Ok(Vec::new())
        }
        fn restore(&mut self, _weights: &[u8], _optimizer: &[u8]) -> Result<(), StepError> {
            Ok(())
        }
        fn restore_weights(&mut self, _weights: &[u8]) -> Result<(), StepError> {
            Ok(())
        }
        fn name_of(&self, row: usize) -> String {
            format!("picture {row}")
        }
        fn blame(&self, rows: &[usize], _context: &StepContext) -> Result<Vec<usize>, StepError> {
            Ok(rows[1..].to_vec())
        }
    }

    fn rates(power: f64) -> Vec<f64> {
        let mut learner = PolynomialDecay::new(Rates::default(), 4, power);
        for epoch in 0..5 {
            let context = StepContext { seed: 1, epoch, step: 0, learning_rate: 0.8 };
            learner.step(&[0], &context).unwrap();
        }
        learner.into_inner().0
    }

    #[test]
    fn what_the_learner_knows_of_rows_is_told() {
        let learner = PolynomialDecay::new(Rates::default(), 4, 0.9);
        let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.8 };
        assert_eq!(learner.blame(&[4, 2, 7], &context).unwrap(), [2, 7]);
        assert_eq!(learner.name_of(2), "picture 2");
    }

    #[test]
    fn the_rate_falls_by_its_closed_form() {
        // 0.8 · (1, 3/4, 2/4, 1/4); an epoch behind the last has the rate of the last. 1e-12: one power in double precision
        for (found, expected) in rates(1.0).iter().zip([0.8, 0.6, 0.4, 0.2, 0.2]) {
            assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
        }
        assert_eq!(rates(0.0), [0.8; 5]);
        assert!((rates(2.0)[1] - 0.8 * 0.5625).abs() < 1e-12);
    }
}
