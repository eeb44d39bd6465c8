//! The recurrent operations composed of burn's own, step by step: for every device, and the specification of the kernel.

use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::{Cell, RecurrentWeights, Steps, halves};

/// As [`super::recurrence`], which checks the shapes; there is at least one row and one step.
pub(super) fn recurrence(
    cell: Cell,
    x: Tensor<3>,
    weights: RecurrentWeights,
    state: Tensor<2>,
    steps: &Steps,
) -> (Tensor<3>, Tensor<2>) {
    let ([rows, time, inputs], [_, hidden]) = (x.dims(), weights.weight_hh.dims());
    let device = x.device();
    let padding = padding(steps, time, &device);
    // What stands in the padding may be no number, which no later mask would take out of the gradients.
    let x = match &padding {
        Some(padding) => x.mask_fill(wide(padding, inputs), 0.0),
        None => x,
    };
    let order = steps.is_reverse().then(|| reversed(steps, time, &device));
    let x = reordered(x, order.as_ref()).reshape([rows * time, inputs]);
    let terms = affine(x, weights.weight_ih, weights.bias_ih).reshape([rows, time, cell.gates() * hidden]);
    let mut state = state;
    let mut outputs = Vec::with_capacity(time);
    for step in 0..time {
        let input = terms.clone().narrow(1, step, 1).squeeze_dim::<2>(1); // [rows, gates hidden]
        let mut next = advance(cell, input, state.clone(), &weights.weight_hh, weights.bias_hh.as_ref());
        let mut output = next.clone().narrow(1, 0, hidden); // [rows, hidden]
        if let Some(padding) = &padding {
            let over = padding.clone().narrow(1, step, 1); // [rows, 1]
            output = output.mask_fill(over.clone().expand([rows, hidden]), 0.0);
            next = next.mask_where(over.expand([rows, cell.states() * hidden]), state);
        }
        outputs.push(output);
        state = next;
    }
    let sequence = Tensor::stack::<3>(outputs, 1); // [rows, time, hidden]
    (reordered(sequence, order.as_ref()), state)
}

/// `x · weightᵀ + bias`.
fn affine(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let product = x.matmul(weight.transpose());
    match bias {
        Some(bias) => product + bias.unsqueeze_dim::<2>(0),
        None => product,
    }
}

/// One step of all rows: `[rows, gates * hidden]` and the state before it to the state behind it.
fn advance(cell: Cell, input: Tensor<2>, state: Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Tensor<2> {
    let [_, hidden] = weight.dims();
    let own = state.clone().narrow(1, 0, hidden);
    let terms = affine(own, weight.clone(), bias.cloned());
    let gate = |from: &Tensor<2>, index: usize| from.clone().narrow(1, index * hidden, hidden);
    match cell {
        Cell::Tanh => tanh(input + terms),
        Cell::Relu => relu(input + terms),
        Cell::Gru => {
            let reset = sigmoid(gate(&input, 0) + gate(&terms, 0));
            let update = sigmoid(gate(&input, 1) + gate(&terms, 1));
            let new = tanh(gate(&input, 2) + reset * gate(&terms, 2));
            new.clone() + update * (state - new)
        }
        Cell::Lstm => {
            let sum = input + terms;
            let [enter, forget, output] = [0, 1, 3].map(|index| sigmoid(gate(&sum, index)));
            let (_, before) = halves(state);
            let after = forget * before + enter * tanh(gate(&sum, 2));
            Tensor::cat(vec![output * tanh(after.clone()), after], 1)
        }
    }
}

/// `[rows, time]`, true behind the end of a row; none if all rows are full.
fn padding(steps: &Steps, time: usize, device: &Device) -> Option<Tensor<2, Bool>> {
    let lengths = steps.lengths();
    if lengths.iter().all(|&length| length == time) {
        return None;
    }
    let mask: Vec<bool> = lengths.iter().flat_map(|&length| (0..time).map(move |step| step >= length)).collect();
    Some(Tensor::from_data(TensorData::new(mask, [lengths.len(), time]), device))
}

/// A mask `[rows, time]` for `[rows, time, width]`.
fn wide(mask: &Tensor<2, Bool>, width: usize) -> Tensor<3, Bool> {
    let [rows, time] = mask.dims();
    mask.clone().unsqueeze_dim::<3>(2).expand([rows, time, width])
}

/// For each position of a batch the one that changes places with it when every row's real steps are turned round.
fn reversed(steps: &Steps, time: usize, device: &Device) -> Tensor<1, Int> {
    let lengths = steps.lengths().iter().enumerate();
    let places: Vec<i64> = lengths
        .flat_map(|(row, &length)| {
            let turned = move |step: usize| if step < length { length - 1 - step } else { step };
            (0..time).map(move |step| (row * time + turned(step)) as i64)
        })
        .collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

fn reordered(x: Tensor<3>, order: Option<&Tensor<1, Int>>) -> Tensor<3> {
    let [rows, time, width] = x.dims();
    match order {
        Some(order) => x.reshape([rows * time, width]).select(0, order.clone()).reshape([rows, time, width]),
        None => x,
    }
}
