//! Recurrent networks over whole sequences: a plain network, the gated recurrent unit, long short-term memory.
//!
//! A sequence is one node of the tape. The products with the inputs are computed for several steps at a time, those with
//! the state in register tiles over a few rows of the batch; chunks of rows go through time side by side, each on its
//! thread, and the gradients of the weights are one large product at the end. A step behind the end of a row is never
//! computed, so padding costs nothing and changes no bit.
//!
//! Weights lie as in PyTorch. On a device that has no kernel of ours the functions are composed of burn's operations,
//! step by step.

mod cell;
mod composed;
mod kernel;
mod node;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::node::{Plan, RecurrentOps};
use super::runs_here;

/// The kind of a recurrent network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Elman 1990, *Finding structure in time*, with the hyperbolic tangent: `torch.nn.RNN`.
    Tanh,
    /// The same with the rectifier: `torch.nn.RNN(nonlinearity="relu")`.
    Relu,
    /// The gated recurrent unit of Cho et al. 2014, in the form of `torch.nn.GRU`, where the reset gate acts behind the
    /// weights of the state (Keras' `reset_after`).
    Gru,
    /// Long short-term memory of Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000: `torch.nn.LSTM`.
    Lstm,
}

impl Cell {
    /// Blocks of `hidden` rows in the weights.
    pub fn gates(self) -> usize {
        match self {
            Self::Tanh | Self::Relu => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Vectors of `hidden` values in a state: 2 for [`Lstm`](Self::Lstm), output and cell; otherwise 1.
    pub fn states(self) -> usize {
        if self == Self::Lstm { 2 } else { 1 }
    }
}

/// Weights of one layer in one direction, as PyTorch lays them out.
#[derive(Debug, Clone)]
pub struct RecurrentWeights {
    /// `[gates * hidden, inputs]`; gates in the order reset, update, new (GRU) or input, forget, cell, output (LSTM).
    pub weight_ih: Tensor<2>,
    /// `[gates * hidden, hidden]`.
    pub weight_hh: Tensor<2>,
    /// `[gates * hidden]`; zeros if absent.
    pub bias_ih: Option<Tensor<1>>,
    /// `[gates * hidden]`; zeros if absent.
    pub bias_hh: Option<Tensor<1>>,
}

/// Which steps of each row are real, and in which direction they are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps {
    lengths: Arc<[usize]>,
    reverse: bool,
}

impl Steps {
    /// The first `lengths[i]` steps of row `i`, forwards; what follows is padding.
    pub fn new(lengths: &[usize]) -> Self {
        Self { lengths: lengths.into(), reverse: false }
    }

    /// All of `time` steps of each row, forwards.
    pub fn all(rows: usize, time: usize) -> Self {
        Self { lengths: vec![time; rows].into(), reverse: false }
    }

    /// The same steps the other way round: each row begins at its last real step.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self { lengths: Arc::clone(&self.lengths), reverse: !self.reverse }
    }

    /// Real steps of each row.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Whether the steps are taken from the last to the first.
    pub fn is_reverse(&self) -> bool {
        self.reverse
    }
}

/// Plain recurrent network, `h' = f(W x + b + U h + c)`; `cell` is [`Cell::Tanh`] or [`Cell::Relu`].
///
/// Shapes as of [`recurrence`], without the cell in the state.
///
/// # Panics
/// As [`recurrence`], and for a cell with gates.
pub fn rnn(
    cell: Cell,
    x: Tensor<3>,
    weights: RecurrentWeights,
    initial: Option<Tensor<2>>,
    steps: &Steps,
) -> (Tensor<3>, Tensor<2>) {
    assert!(matches!(cell, Cell::Tanh | Cell::Relu), "{cell:?} is no plain recurrent network");
    recurrence(cell, x, weights, initial, steps)
}

/// Gated recurrent unit: `torch.nn.GRU` with one layer and one direction.
///
/// Shapes and panics as of [`recurrence`].
pub fn gru(
    x: Tensor<3>,
    weights: RecurrentWeights,
    initial: Option<Tensor<2>>,
    steps: &Steps,
) -> (Tensor<3>, Tensor<2>) {
    recurrence(Cell::Gru, x, weights, initial, steps)
}

/// Long short-term memory: `torch.nn.LSTM` with one layer and one direction. Initial state and last state are output and
/// cell.
///
/// # Shapes
/// - x, weights and sequence as of [`recurrence`]; output and cell `[rows, hidden]` each
///
/// # Panics
/// As [`recurrence`].
pub fn lstm(
    x: Tensor<3>,
    weights: RecurrentWeights,
    initial: Option<(Tensor<2>, Tensor<2>)>,
    steps: &Steps,
) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
    let initial = initial.map(|(output, cell)| Tensor::cat(vec![output, cell], 1)); // [rows, 2 hidden]
    let (sequence, last) = recurrence(Cell::Lstm, x, weights, initial, steps);
    let (output, cell) = halves(last);
    (sequence, output, cell)
}

/// The two halves of the columns of `[rows, 2 n]`.
fn halves(state: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [_, width] = state.dims();
    (state.clone().narrow(1, 0, width / 2), state.narrow(1, width / 2, width / 2))
}

/// Takes each row of a batch through its real steps. Returns the outputs of all steps, zeros in the padding, and the
/// state after each row's last step, which is the initial one if it has none.
///
/// Without an initial state it is zero. In single precision on the CPU, the values and gradients of a row do not depend
/// on the other rows, to the last bit, and none on the number of threads or on what the padding holds.
///
/// # Shapes
/// - x `[rows, time, inputs]`; weights as [`RecurrentWeights`] says
/// - initial state `[rows, states * hidden]`, where [`Cell::Lstm`] has two states, output and cell
/// - sequence `[rows, time, hidden]`, last state as the initial one
///
/// # Panics
/// When the shapes disagree, or a length exceeds `time`.
pub fn recurrence(
    cell: Cell,
    x: Tensor<3>,
    weights: RecurrentWeights,
    initial: Option<Tensor<2>>,
    steps: &Steps,
) -> (Tensor<3>, Tensor<2>) {
    let ([rows, time, inputs], [_, hidden]) = (x.dims(), weights.weight_hh.dims());
    let (gates, width) = (cell.gates() * hidden, cell.states() * hidden);
    assert!(inputs > 0 && hidden > 0, "a recurrent network of {inputs} inputs and {hidden} units");
    assert_eq!(weights.weight_ih.dims(), [gates, inputs], "input weights of {cell:?} with {hidden} units");
    assert_eq!(weights.weight_hh.dims(), [gates, hidden], "state weights of {cell:?} with {hidden} units");
    for bias in [&weights.bias_ih, &weights.bias_hh].into_iter().flatten() {
        assert_eq!(bias.dims(), [gates], "bias of {cell:?} with {hidden} units");
    }
    assert_eq!(steps.lengths.len(), rows, "lengths of a batch");
    let longest = steps.lengths.iter().copied().max().unwrap_or(0);
    assert!(longest <= time, "a row of {longest} steps in a batch of {time}");
    let device = x.device();
    let options = (&device, x.dtype());
    let state = initial.unwrap_or_else(|| Tensor::zeros([rows, width], options));
    assert_eq!(state.dims(), [rows, width], "initial state of {cell:?} with {hidden} units");
    if rows == 0 || time == 0 {
        return (Tensor::zeros([rows, time, hidden], options), state);
    }
    if !runs_here(&x) {
        return composed::recurrence(cell, x, weights, state, steps);
    }
    let RecurrentWeights { weight_ih, weight_hh, bias_ih, bias_hh } = weights;
    let bias = |bias: Option<Tensor<1>>| bias.unwrap_or_else(|| Tensor::zeros([gates], options)).into_dispatch();
    let plan = Plan { cell, lengths: Arc::clone(&steps.lengths), reverse: steps.reverse, of_input: true };
    let (bias_ih, bias_hh) = (bias(bias_ih), bias(bias_hh));
    let (sequence, last) = <Dispatch as RecurrentOps>::recurrent(
        x.into_dispatch(),
        weight_ih.into_dispatch(),
        weight_hh.into_dispatch(),
        bias_ih,
        bias_hh,
        state.into_dispatch(),
        plan,
    );
    (Tensor::from_dispatch(sequence), Tensor::from_dispatch(last))
}
