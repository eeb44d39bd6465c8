//! The recurrent networks as plain loops in double precision.

use super::{Case, Cell};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Sequence and last state of a case whose tensors have the values of `data`.
// Units are numbers here, as in the formulas.
#[allow(clippy::needless_range_loop)]
pub(super) fn run(case: &Case, data: &[Vec<f64>; 6]) -> (Vec<f64>, Vec<f64>) {
    let [rows, time, inputs, hidden] = case.sizes;
    let [x, weight_ih, weight_hh, bias_ih, bias_hh, initial] = data;
    let width = case.cell.states() * hidden;
    let (mut sequence, mut last) = (vec![0.0; rows * time * hidden], initial.clone());
    for (row, &length) in case.steps.lengths().iter().enumerate() {
        let state = &mut last[row * width..(row + 1) * width];
        for step in 0..length {
            let at = row * time + if case.steps.is_reverse() { length - 1 - step } else { step };
            let before = state.to_vec();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let of_input = |gate: usize, unit: usize| {
                let index = gate * hidden + unit;
                bias_ih[index] + dot(&weight_ih[index * inputs..(index + 1) * inputs], &x[at * inputs..])
            };
            let of_state = |gate: usize, unit: usize| {
                let index = gate * hidden + unit;
                bias_hh[index] + dot(&weight_hh[index * hidden..(index + 1) * hidden], &before)
            };
            for unit in 0..hidden {
                let sum = |gate: usize| of_input(gate, unit) + of_state(gate, unit);
                match case.cell {
                    Cell::Tanh => state[unit] = sum(0).tanh(),
                    Cell::Relu => state[unit] = sum(0).max(0.0),
                    Cell::Gru => {
                        let (reset, update) = (sigmoid(sum(0)), sigmoid(sum(1)));
                        let new = (of_input(2, unit) + reset * of_state(2, unit)).tanh();
                        state[unit] = (1.0 - update) * new + update * before[unit];
                    }
                    Cell::Lstm => {
                        let memory = sigmoid(sum(1)) * before[hidden + unit] + sigmoid(sum(0)) * sum(2).tanh();
                        state[hidden + unit] = memory;
                        state[unit] = sigmoid(sum(3)) * memory.tanh();
                    }
                }
            }
            sequence[at * hidden..(at + 1) * hidden].copy_from_slice(&state[..hidden]);
        }
    }
    (sequence, last)
}

/// The loss of [`Case::run`].
pub(super) fn loss(case: &Case, data: &[Vec<f64>; 6]) -> f64 {
    let (sequence, last) = run(case, data);
    let weighted =
        |values: &[f64], factors: &[f32]| values.iter().zip(factors).map(|(v, &f)| v * f64::from(f)).sum::<f64>();
    weighted(&sequence, &case.factors[0]) + weighted(&last, &case.factors[1])
}
