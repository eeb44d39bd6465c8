//! Series of unequal length as the tensors that GRU-D reads.

use burn::tensor::{Device, Tensor, TensorData};

/// Series that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeriesError {
    /// Parts of unequal length.
    #[error("series {row}: {what} has {found} numbers, {expected} are needed")]
    Length {
        /// Place in the batch, from 0.
        row: usize,
        /// The part.
        what: &'static str,
        /// Numbers it has.
        found: usize,
        /// Numbers it should have.
        expected: usize,
    },
    /// A number that its place does not allow.
    #[error("series {row}, step {step}: {what} is {value}; allowed: {allowed}")]
    Value {
        /// Place in the batch, from 0.
        row: usize,
        /// Step, from 0.
        step: usize,
        /// The part.
        what: &'static str,
        /// The number found.
        value: String,
        /// What would be accepted.
        allowed: &'static str,
    },
}

/// One series on its own grid of steps, standardised so that 0 is a variable's mean over the observed values of
/// training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesRow<'a> {
    /// `[steps, variables]`; what stands where nothing was measured is not read.
    pub values: &'a [f32],
    /// `[steps, variables]`: 1 where a value was measured, otherwise 0.
    pub mask: &'a [f32],
    /// `[steps, variables]`: hours since the variable was last measured, as [`intervals`] gives them.
    pub delta: &'a [f32],
    /// `[statics]`, all finite.
    pub statics: &'a [f32],
}

/// Hours since each variable was last measured (Che et al. 2018, equation 2): 0 at the first step, then the time since
/// the step before, to which what it has been waiting for is added if it was not measured there.
///
/// `hours` are those of the steps; `mask` is `[steps, variables]`, and so is the output. A mask of another length gives
/// as many steps as both have.
pub fn intervals(hours: &[f32], mask: &[f32], variables: usize) -> Vec<f32> {
    let steps = hours.len().min(mask.len().checked_div(variables).unwrap_or(0));
    let mut delta = vec![0.0; steps * variables];
    for step in 1..steps {
        let passed = hours[step] - hours[step - 1];
        for variable in 0..variables {
            let before = (step - 1) * variables + variable;
            let waited = if mask[before] > 0.0 { 0.0 } else { delta[before] };
            delta[step * variables + variable] = passed + waited;
        }
    }
    delta
}

/// A batch of series, step by step; constants without a gradient. Behind a series' end everything is 0.
#[derive(Debug, Clone)]
pub struct SeriesBatch {
    /// Measured values, and where there is none the last one before, 0 if there is none either: `[time, batch,
    /// variables]`.
    pub carried: Tensor<3>,
    /// 1 where a value was measured: `[time, batch, variables]`.
    pub mask: Tensor<3>,
    /// Hours since the variable was last measured: `[time, batch, variables]`.
    pub delta: Tensor<3>,
    /// `[batch, statics]`; none where there are none.
    pub statics: Option<Tensor<2>>,
    /// Steps of each series.
    pub lengths: Vec<usize>,
}

impl SeriesBatch {
    /// Lays the series of a batch side by side on `device`, padded to the longest; each has `variables` and `statics`
    /// numbers.
    ///
    /// # Errors
    /// [`SeriesError`] for parts of unequal length, a mask that is neither 0 nor 1, a measured value, interval or
    /// static that is not finite, a negative interval.
    pub fn new(
        series: &[SeriesRow<'_>],
        variables: usize,
        statics: usize,
        device: &Device,
    ) -> Result<Self, SeriesError> {
        let variables = variables.max(1);
        let lengths: Vec<usize> = series.iter().map(|row| row.mask.len() / variables).collect();
        let (rows, time) = (series.len(), lengths.iter().copied().max().unwrap_or(0).max(1));
        let size = time * rows * variables;
        let (mut carried, mut mask, mut delta) = (vec![0.0_f32; size], vec![0.0_f32; size], vec![0.0_f32; size]);
        for (row, one) in series.iter().enumerate() {
            check(one, row, lengths[row] * variables, variables, statics)?;
            let mut last = vec![0.0_f32; variables];
            for step in 0..lengths[row] {
                let (from, to) = (step * variables, (step * rows + row) * variables);
                for (variable, last) in last.iter_mut().enumerate() {
                    if one.mask[from + variable] > 0.0 {
                        *last = one.values[from + variable];
                    }
                    carried[to + variable] = *last;
                }
                mask[to..to + variables].copy_from_slice(&one.mask[from..from + variables]);
                delta[to..to + variables].copy_from_slice(&one.delta[from..from + variables]);
            }
        }
        let tensor =
            |values: Vec<f32>| Tensor::<3>::from_data(TensorData::new(values, [time, rows, variables]), device);
        let described: Vec<f32> = series.iter().flat_map(|row| row.statics).copied().collect();
        let statics =
            (statics > 0).then(|| Tensor::<2>::from_data(TensorData::new(described, [rows, statics]), device));
        Ok(Self { carried: tensor(carried), mask: tensor(mask), delta: tensor(delta), statics, lengths })
    }
}

fn check(series: &SeriesRow<'_>, row: usize, size: usize, variables: usize, statics: usize) -> Result<(), SeriesError> {
    let parts = [
        ("mask", series.mask.len(), size),
        ("values", series.values.len(), size),
        ("delta", series.delta.len(), size),
        ("statics", series.statics.len(), statics),
    ];
    for (what, found, expected) in parts {
        if found != expected {
            return Err(SeriesError::Length { row, what, found, expected });
        }
    }
    let fail = |at: usize, what, value: f32, allowed| {
        Err(SeriesError::Value { row, step: at / variables, what, value: value.to_string(), allowed })
    };
    for at in 0..size {
        let (mask, value, delta) = (series.mask[at], series.values[at], series.delta[at]);
        if mask != 0.0 && mask != 1.0 {
            return fail(at, "mask", mask, "0 or 1");
        }
        if mask == 1.0 && !value.is_finite() {
            return fail(at, "a measured value", value, "finite numbers");
        }
        if !(delta.is_finite() && delta >= 0.0) {
            return fail(at, "an interval", delta, "hours, 0 or more");
        }
    }
    match series.statics.iter().find(|value| !value.is_finite()) {
        Some(&value) => fail(0, "a static", value, "finite numbers"),
        None => Ok(()),
    }
}
