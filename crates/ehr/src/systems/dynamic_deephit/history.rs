//! Measurements of each subject over time, what ended its follow-up, and batches of them.

use burn::tensor::{Device, Tensor, TensorData};

use super::DynamicDeepHitConfig;

/// A trajectory that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrajectoryError {
    /// No measurement.
    #[error("trajectory {row} has no measurement; leave it out, or give it one of missing values")]
    Empty {
        /// Place in the batch, from 0.
        row: usize,
    },
    /// Values that do not fill the measurements.
    #[error("trajectory {row} has {found} values for {times} measurements of {variables} variables")]
    Length {
        /// Place in the batch, from 0.
        row: usize,
        /// Values found.
        found: usize,
        /// Measurements.
        times: usize,
        /// Variables of each.
        variables: usize,
    },
    /// A number that its place does not allow.
    #[error("trajectory {row}: {what} is {value}; allowed: {allowed}")]
    Value {
        /// Place in the batch, from 0.
        row: usize,
        /// The number's meaning.
        what: &'static str,
        /// The number found.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
}

/// One subject: measurements, and the time and cause of the event that ended the follow-up.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// Times of the measurements, ascending from 0 or more, in the unit of the configuration's interval.
    pub times: Vec<f64>,
    /// `[measurements, variables]`, standardised so that 0 is the training mean; NaN is missing.
    pub values: Vec<f32>,
    /// Time of the event or of censoring; not before the last measurement.
    pub end: f64,
    /// Cause of the event, from 1; 0 if the subject was censored.
    pub cause: u32,
}

impl Trajectory {
    /// What was known at `time`: measurements up to and including it, with the same end. None where there is no such
    /// measurement, or the subject was not followed beyond `time`.
    pub fn until(&self, time: f64) -> Option<Self> {
        let kept = self.times.partition_point(|&measured| measured <= time);
        if kept == 0 || self.end <= time {
            return None;
        }
        Some(self.first(kept))
    }

    /// What was known right after each measurement: as many histories as there are measurements, all with the same end.
    /// The authors learn from these (`f_get_boosted_trainset`): who is asked about has such a history, while the last
    /// measurement of a whole trajectory is often the one right before the event.
    pub fn histories(&self) -> Vec<Self> {
        (1..=self.times.len()).map(|kept| self.first(kept)).collect()
    }

    /// The first measurements, of which there is one at least.
    fn first(&self, kept: usize) -> Self {
        let variables = self.values.len() / self.times.len();
        Self {
            times: self.times[..kept].to_vec(),
            values: self.values[..kept * variables].to_vec(),
            end: self.end,
            cause: self.cause,
        }
    }

    fn check(&self, row: usize, config: &DynamicDeepHitConfig) -> Result<(), TrajectoryError> {
        let (found, times, variables) = (self.values.len(), self.times.len(), config.variables);
        let fail = |what, value: String, allowed: String| Err(TrajectoryError::Value { row, what, value, allowed });
        let Some(&last) = self.times.last() else {
            return Err(TrajectoryError::Empty { row });
        };
        if found != times * variables {
            return Err(TrajectoryError::Length { row, found, times, variables });
        }
        if let Some(time) = self.times.iter().find(|time| !(time.is_finite() && **time >= 0.0)) {
            return fail("a time", time.to_string(), "finite numbers from 0".to_owned());
        }
        if let Some(pair) = self.times.windows(2).find(|pair| pair[1] < pair[0]) {
            return fail("a time", pair[1].to_string(), format!("the time before, {}, or more", pair[0]));
        }
        if !(self.end.is_finite() && self.end >= last) {
            return fail("the end", self.end.to_string(), format!("the last measurement's time, {last}, or more"));
        }
        if self.cause as usize > config.causes {
            return fail("the cause", self.cause.to_string(), format!("0 to {}", config.causes));
        }
        match self.values.iter().find(|value| value.is_infinite()) {
            Some(value) => fail("a value", value.to_string(), "finite numbers, NaN for missing".to_owned()),
            None => Ok(()),
        }
    }
}

/// Trajectories as tensors, without gradients. Shapes count `past` steps: the most measurements less one, at least one.
#[derive(Debug, Clone)]
pub struct HistoryBatch {
    /// All measurements but the last: time to the next, values (0 where missing), then 1 for each that is missing.
    /// `[batch, past, 2 (1 + variables)]`
    pub past: Tensor<3>,
    /// The last measurement: values, then 1 for each that is missing. `[batch, 2 variables]`
    pub last: Tensor<2>,
    /// 1 for each past measurement, 0 behind them. `[batch, past]`
    pub real: Tensor<2>,
    /// Past measurements of each row.
    pub lengths: Vec<usize>,
    /// What follows each past measurement, as in `past`. `[batch, past, 1 + variables]`
    pub(super) next: Tensor<3>,
    /// 1 where it was measured. `[batch, past, 1 + variables]`
    pub(super) next_known: Tensor<3>,
    /// Intervals up to the last measurement. `[batch, categories]`
    pub(super) passed: Tensor<2>,
    /// Where the event lies or, of a censored row, may lie. `[batch, causes, categories]`
    pub(super) happened: Tensor<3>,
    /// Intervals from the last measurement to the end. `[batch, categories]`
    pub(super) window: Tensor<2>,
    /// Time of each row's end.
    pub(super) ends: Vec<f64>,
    /// Cause of each row, 0 if censored.
    pub(super) observed: Vec<u32>,
}

impl HistoryBatch {
    /// Lays trajectories side by side on `device`.
    ///
    /// # Errors
    /// [`TrajectoryError`] for a trajectory without a measurement, with times that fall or an end before the last of
    /// them, an infinite value, or a cause that the configuration does not have.
    pub fn new(
        trajectories: &[&Trajectory],
        config: &DynamicDeepHitConfig,
        device: &Device,
    ) -> Result<Self, TrajectoryError> {
        for (row, trajectory) in trajectories.iter().enumerate() {
            trajectory.check(row, config)?;
        }
        let (rows, variables, categories) = (trajectories.len(), config.variables, config.categories);
        let lengths: Vec<usize> = trajectories.iter().map(|one| one.times.len() - 1).collect();
        let time = lengths.iter().copied().max().unwrap_or(0).max(1);
        let seen = variables + 1;
        let (mut past, mut last) = (vec![0.0_f32; rows * time * 2 * seen], vec![0.0_f32; rows * 2 * variables]);
        let mut real = vec![0.0_f32; rows * time];
        let (mut next, mut known) = (vec![0.0_f32; rows * time * seen], vec![0.0_f32; rows * time * seen]);
        let (mut passed, mut window) = (vec![0.0_f32; rows * categories], vec![0.0_f32; rows * categories]);
        let mut happened = vec![0.0_f32; rows * config.causes * categories];
        for (row, one) in trajectories.iter().enumerate() {
            let length = lengths[row];
            let at = |step: usize| &one.values[step * variables..][..variables];
            // the time to the next measurement, 0 behind the last one
            let since = |step: usize, next: f64| ((next - one.times[step]) / config.gap) as f32;
            let gap = |step: usize| one.times.get(step + 1).map_or(0.0, |&next| since(step, next));
            for step in 0..length {
                real[row * time + step] = 1.0;
                let slot = &mut past[(row * time + step) * 2 * seen..][..2 * seen];
                slot[0] = gap(step);
                put(&mut slot[1..seen], at(step));
                put_missing(&mut slot[seen + 1..], at(step));
                let slot = (row * time + step) * seen;
                (next[slot], known[slot]) = (gap(step + 1), 1.0);
                put(&mut next[slot + 1..slot + seen], at(step + 1));
                put_missing(&mut known[slot + 1..slot + seen], at(step + 1));
                known[slot + 1..slot + seen].iter_mut().for_each(|missing| *missing = 1.0 - *missing);
            }
            let slot = &mut last[row * 2 * variables..][..2 * variables];
            put(&mut slot[..variables], at(length));
            put_missing(&mut slot[variables..], at(length));

            // An event in the interval of the last measurement still lies ahead of it, and a censored row has an
            // interval left, the one that stands for all later times.
            let latest = if one.cause == 0 { categories.saturating_sub(2) } else { categories.saturating_sub(1) };
            let end = config.category(one.end).min(latest);
            let begin = if one.cause == 0 { end + 1 } else { end };
            let gone = config.passed(one.times[length]).min(begin);
            passed[row * categories..][..gone].fill(1.0);
            window[row * categories..][gone.min(end)..=end].fill(1.0);
            for cause in 0..config.causes {
                let slot = &mut happened[(row * config.causes + cause) * categories..][..categories];
                if one.cause == 0 {
                    slot[end + 1..].fill(1.0);
                } else if one.cause as usize == cause + 1 {
                    slot[end] = 1.0;
                }
            }
        }
        let flat =
            |values: Vec<f32>, width: usize| Tensor::<2>::from_data(TensorData::new(values, [rows, width]), device);
        let cube = |values: Vec<f32>, shape: [usize; 3]| Tensor::<3>::from_data(TensorData::new(values, shape), device);
        Ok(Self {
            past: cube(past, [rows, time, 2 * seen]),
            last: flat(last, 2 * variables),
            real: flat(real, time),
            lengths,
            next: cube(next, [rows, time, seen]),
            next_known: cube(known, [rows, time, seen]),
            passed: flat(passed, categories),
            happened: cube(happened, [rows, config.causes, categories]),
            window: flat(window, categories),
            ends: trajectories.iter().map(|one| one.end).collect(),
            observed: trajectories.iter().map(|one| one.cause).collect(),
        })
    }
}

/// Values, 0 where they are missing.
fn put(slot: &mut [f32], values: &[f32]) {
    slot.iter_mut().zip(values).for_each(|(slot, &value)| *slot = if value.is_nan() { 0.0 } else { value });
}

/// 1 for each missing value.
fn put_missing(slot: &mut [f32], values: &[f32]) {
    slot.iter_mut().zip(values).for_each(|(slot, value)| *slot = f32::from(u8::from(value.is_nan())));
}
