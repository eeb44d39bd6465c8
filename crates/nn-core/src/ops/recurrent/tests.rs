//! The operations against burn's composed form, against a plain loop in double precision, and against themselves: other
//! rows, other padding, other threads.

mod reference;

use super::{Cell, RecurrentWeights, Steps, composed, gru, lstm, recurrence, rnn};
use crate::data::rng;
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use rand::RngExt;

const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Gru, Cell::Lstm];

/// One of the two forms of the operation.
type Call = fn(Cell, Tensor<3>, RecurrentWeights, Tensor<2>, &Steps) -> (Tensor<3>, Tensor<2>);

fn kernel(
    cell: Cell,
    x: Tensor<3>,
    weights: RecurrentWeights,
    state: Tensor<2>,
    steps: &Steps,
) -> (Tensor<3>, Tensor<2>) {
    recurrence(cell, x, weights, Some(state), steps)
}

/// A call with all of its tensors, and the factors of sequence and last state in the loss.
#[derive(Clone)]
struct Case {
    cell: Cell,
    /// Rows, time, inputs, hidden.
    sizes: [usize; 4],
    /// x, the two weights, the two biases, the initial state.
    data: [Vec<f32>; 6],
    factors: [Vec<f32>; 2],
    steps: Steps,
    /// x and the weights are views that aren't contiguous.
    turned: bool,
    /// Whether the loss depends on the sequence and on the last state.
    used: [bool; 2],
}

/// Sequence, last state, and the gradients of the six tensors.
type Found = [Vec<f32>; 8];

impl Case {
    fn new(cell: Cell, sizes: [usize; 4], steps: Steps, seed: u64) -> Self {
        let [rows, time, inputs, hidden] = sizes;
        let (gates, state) = (cell.gates() * hidden, cell.states() * hidden);
        let numbers = |stream: u64, count: usize, scale: f32| -> Vec<f32> {
            let mut generator = rng(seed, &[stream]);
            (0..count).map(|_| scale * generator.random_range(-1.0..1.0)).collect()
        };
        // As large as PyTorch's initialisation, so that no unit is saturated.
        let scale = 1.0 / (hidden as f32).sqrt();
        let data = [
            numbers(0, rows * time * inputs, 1.0),
            numbers(1, gates * inputs, scale),
            numbers(2, gates * hidden, scale),
            numbers(3, gates, scale),
            numbers(4, gates, scale),
            numbers(5, rows * state, 1.0),
        ];
        let factors = [numbers(6, rows * time * hidden, 1.0), numbers(7, rows * state, 1.0)];
        Self { cell, sizes, data, factors, steps, turned: false, used: [true; 2] }
    }

    fn run(&self, call: Call) -> Found {
        let device = Device::flex().autodiff();
        let ([rows, time, inputs, hidden], cell) = (self.sizes, self.cell);
        let (gates, width) = (cell.gates() * hidden, cell.states() * hidden);
        let leaf = |index: usize, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(self.data[index].clone(), shape), &device).require_grad()
        };
        let bias = |index: usize| {
            Tensor::<1>::from_data(TensorData::new(self.data[index].clone(), [gates]), &device).require_grad()
        };
        let x_shape = if self.turned { [time, rows, inputs] } else { [rows, time, inputs] };
        let x = Tensor::<3>::from_data(TensorData::new(self.data[0].clone(), x_shape), &device).require_grad();
        let turn = |shape: [usize; 2]| if self.turned { [shape[1], shape[0]] } else { shape };
        let (weight_ih, weight_hh) = (leaf(1, turn([gates, inputs])), leaf(2, turn([gates, hidden])));
        let (bias_ih, bias_hh, state) = (bias(3), bias(4), leaf(5, [rows, width]));
        let view = |weight: &Tensor<2>| if self.turned { weight.clone().transpose() } else { weight.clone() };
        let weights = RecurrentWeights {
            weight_ih: view(&weight_ih),
            weight_hh: view(&weight_hh),
            bias_ih: Some(bias_ih.clone()),
            bias_hh: Some(bias_hh.clone()),
        };
        let given = if self.turned { x.clone().swap_dims(0, 1) } else { x.clone() };
        let (sequence, last) = call(cell, given, weights, state.clone(), &self.steps);
        assert_eq!((sequence.dims(), last.dims()), ([rows, time, hidden], [rows, width]));
        let factors = TensorData::new(self.factors[0].clone(), [rows, time, hidden]);
        let of_sequence = (sequence.clone() * Tensor::<3>::from_data(factors, &device)).sum();
        let factors = TensorData::new(self.factors[1].clone(), [rows, width]);
        let of_last = (last.clone() * Tensor::<2>::from_data(factors, &device)).sum();
        let gradients = match self.used {
            [true, false] => of_sequence,
            [false, true] => of_last,
            _ => of_sequence + of_last,
        }
        .backward();
        [
            numbers(sequence),
            numbers(last),
            numbers(x.grad(&gradients).unwrap()),
            numbers(weight_ih.grad(&gradients).unwrap()),
            numbers(weight_hh.grad(&gradients).unwrap()),
            numbers(bias_ih.grad(&gradients).unwrap()),
            numbers(bias_hh.grad(&gradients).unwrap()),
            numbers(state.grad(&gradients).unwrap()),
        ]
    }
}

const NAMES: [&str; 8] = [
    "sequence",
    "last state",
    "gradient of x",
    "gradient of weight_ih",
    "gradient of weight_hh",
    "gradient of bias_ih",
    "gradient of bias_hh",
    "gradient of the initial state",
];

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Compares the first `count` of what was found.
fn assert_close(found: &Found, expected: &Found, count: usize, tolerance: f32) {
    for ((name, found), expected) in NAMES.iter().zip(found).zip(expected).take(count) {
        assert_eq!(found.len(), expected.len(), "{name}");
        for (at, (f, e)) in found.iter().zip(expected).enumerate() {
            assert!((f - e).abs() <= tolerance * (1.0 + e.abs()), "{name}[{at}]: {f}, expected {e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Rows beyond one chunk, time beyond one group of steps, units beyond one vector and block.
    #[test]
    fn the_kernel_equals_the_composed_form(
        cell in prop::sample::select(CELLS.to_vec()), shares in prop::collection::vec(0.0_f64..1.3, 1..21),
        time in 1_usize..12, inputs in 1_usize..36, hidden in 1_usize..40, reverse in any::<bool>(),
        turned in any::<bool>(), used in prop::sample::select(vec![[true, true], [true, false], [false, true]]),
        seed in any::<u64>(),
    ) {
        let lengths: Vec<usize> = shares.iter().map(|share| ((share * time as f64) as usize).min(time)).collect();
        let steps = Steps::new(&lengths);
        let steps = if reverse { steps.reversed() } else { steps };
        let case = Case::new(cell, [lengths.len(), time, inputs, hidden], steps, seed);
        let case = Case { turned, used, ..case };
        // The gradient of the rectifier jumps where its argument passes zero, which rounding can make it do.
        let count = if cell == Cell::Relu { 2 } else { 8 };
        // Sums of up to 80 products over up to 12 steps, gradients over up to 240 positions: single precision.
        assert_close(&case.run(kernel), &case.run(composed::recurrence), count, 1e-4);
    }
}

#[test]
fn gradients_agree_with_finite_differences_of_a_plain_loop() {
    for cell in CELLS {
        for reverse in [false, true] {
            let steps = Steps::new(&[4, 2, 0]);
            let steps = if reverse { steps.reversed() } else { steps };
            let case = Case::new(cell, [3, 4, 3, 5], steps, 11);
            let found = case.run(kernel);
            let mut data = case.data.clone().map(|values| values.into_iter().map(f64::from).collect::<Vec<f64>>());
            let (sequence, last) = reference::run(&case, &data);
            let close = |found: f32, expected: f64, tolerance: f64| {
                (f64::from(found) - expected).abs() <= tolerance * (1.0 + expected.abs())
            };
            // Values: a few roundings of single precision.
            assert!(found[0].iter().zip(&sequence).all(|(&f, &e)| close(f, e, 2e-6)), "{cell:?}");
            assert!(found[1].iter().zip(&last).all(|(&f, &e)| close(f, e, 2e-6)), "{cell:?}");
            for tensor in 0..6 {
                for at in 0..data[tensor].len() {
                    let middle = data[tensor][at];
                    let mut loss = |by: f64| {
                        data[tensor][at] = middle + by;
                        reference::loss(&case, &data)
                    };
                    // The difference quotient is exact to 1e-10 here; what remains is the kernel's rounding.
                    let expected = (loss(1e-5) - loss(-1e-5)) / 2e-5;
                    data[tensor][at] = middle;
                    let value = found[tensor + 2][at];
                    assert!(
                        close(value, expected, 1e-5),
                        "{cell:?} {}[{at}]: {value}, not {expected}",
                        NAMES[tensor + 2]
                    );
                }
            }
        }
    }
}

/// The part of a case that belongs to one row.
fn row_of(case: &Case, row: usize) -> Case {
    let [_, time, inputs, hidden] = case.sizes;
    let width = case.cell.states() * hidden;
    let part = |values: &[f32], size: usize| values[row * size..(row + 1) * size].to_vec();
    let mut one = case.clone();
    one.sizes[0] = 1;
    one.data[0] = part(&case.data[0], time * inputs);
    one.data[5] = part(&case.data[5], width);
    one.factors = [part(&case.factors[0], time * hidden), part(&case.factors[1], width)];
    let steps = Steps::new(&case.steps.lengths()[row..=row]);
    one.steps = if case.steps.is_reverse() { steps.reversed() } else { steps };
    one
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_row_alone_has_the_bits_it_has_among_others() {
    let lengths: Vec<usize> = (0..37).map(|row| row * 5 % 12).collect();
    for (cell, reverse) in CELLS.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let steps = Steps::new(&lengths);
        let steps = if reverse { steps.reversed() } else { steps };
        let [inputs, hidden, time] = [7, 21, 11];
        let case = Case::new(cell, [lengths.len(), time, inputs, hidden], steps, 5);
        let all = case.run(kernel);
        let width = cell.states() * hidden;
        for row in 0..lengths.len() {
            let alone = row_of(&case, row).run(kernel);
            // Sequence, last state, gradients of x and of the initial state.
            for (which, size) in [(0, time * hidden), (1, width), (2, time * inputs), (7, width)] {
                let among = &all[which][row * size..(row + 1) * size];
                assert!(bits(among) == bits(&alone[which]), "{cell:?}, row {row}: {}", NAMES[which]);
            }
        }
    }
}

#[test]
fn padding_changes_no_bit_whatever_it_holds() {
    let (lengths, time, more) = ([3, 9, 0, 5, 9], 9, 14);
    for (cell, reverse) in CELLS.into_iter().flat_map(|cell| [(cell, false), (cell, true)]) {
        let steps = Steps::new(&lengths);
        let steps = if reverse { steps.reversed() } else { steps };
        let [inputs, hidden] = [4, 19];
        let short = Case::new(cell, [lengths.len(), time, inputs, hidden], steps, 8);
        let mut long = short.clone();
        long.sizes[1] = more;
        // Each row gets `more` steps; all behind its end is no number in x, and counts in the loss.
        let stretch = |values: &[f32], size: usize, fill: f32| -> Vec<f32> {
            let rows = values.chunks(time * size).zip(lengths);
            rows.flat_map(|(row, length)| {
                let padding = std::iter::repeat_n(fill, (more - length) * size);
                row[..length * size].iter().copied().chain(padding)
            })
            .collect()
        };
        long.data[0] = stretch(&short.data[0], inputs, f32::NAN);
        long.factors[0] = stretch(&short.factors[0], hidden, 3.0);
        let (short, long) = (short.run(kernel), long.run(kernel));
        for (which, size) in [(0, hidden), (2, inputs)] {
            let expected = stretch(&short[which], size, 0.0);
            assert!(bits(&long[which]) == bits(&expected), "{cell:?}: {}", NAMES[which]);
        }
        for which in [1, 7] {
            assert!(bits(&long[which]) == bits(&short[which]), "{cell:?}: {}", NAMES[which]);
        }
        // The sums over positions may be cut elsewhere.
        for which in 3..7 {
            let pairs = long[which].iter().zip(&short[which]);
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + b.abs())), "{cell:?}: {}", NAMES[which]);
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for cell in CELLS {
        let lengths: Vec<usize> = (0..70).map(|row| 13 - row % 4).collect();
        let case = Case::new(cell, [70, 13, 10, 40], Steps::new(&lengths), 3);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| case.run(kernel)).map(|values| bits(&values))
        };
        let (one, three) = (with(1), with(3));
        for ((name, one), three) in NAMES.iter().zip(&one).zip(&three) {
            assert!(one.iter().any(|&bits| bits != 0) && one == three, "{cell:?}: {name} depends on the threads");
        }
    }
}

#[test]
fn without_rows_or_steps_the_state_stays_what_it_was() {
    let device = Device::flex();
    let weights = || RecurrentWeights {
        weight_ih: Tensor::ones([12, 3], &device),
        weight_hh: Tensor::ones([12, 4], &device),
        bias_ih: None,
        bias_hh: None,
    };
    let (sequence, last) = gru(Tensor::zeros([0, 5, 3], &device), weights(), None, &Steps::all(0, 5));
    assert_eq!((sequence.dims(), last.dims()), ([0, 5, 4], [0, 4]));
    let initial = Tensor::<2>::from_data([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], &device);
    let (sequence, last) = gru(Tensor::zeros([2, 0, 3], &device), weights(), Some(initial.clone()), &Steps::all(2, 0));
    assert_eq!(sequence.dims(), [2, 0, 4]);
    assert_eq!(last.into_data(), initial.clone().into_data());
    let (sequence, last) =
        gru(Tensor::ones([2, 1, 3], &device), weights(), Some(initial.clone()), &Steps::new(&[0, 0]));
    assert_eq!(sequence.into_data(), Tensor::<3>::zeros([2, 1, 4], &device).into_data());
    assert_eq!(last.into_data(), initial.into_data());
    let weights = RecurrentWeights {
        weight_ih: Tensor::ones([16, 3], &device),
        weight_hh: Tensor::ones([16, 4], &device),
        bias_ih: None,
        bias_hh: None,
    };
    let (sequence, output, cell) = lstm(Tensor::zeros([0, 5, 3], &device), weights, None, &Steps::all(0, 5));
    assert_eq!((sequence.dims(), output.dims(), cell.dims()), ([0, 5, 4], [0, 4], [0, 4]));
}

#[test]
fn absent_biases_are_zeros_and_the_rectifier_lets_nan_through() {
    let device = Device::flex();
    let weights = |first: f32| RecurrentWeights {
        weight_ih: Tensor::from_data([[first], [2.0]], &device),
        weight_hh: Tensor::from_data([[0.0, 1.0], [0.5, 0.0]], &device),
        bias_ih: None,
        bias_hh: None,
    };
    let x = Tensor::<3>::from_data([[[1.0], [-1.0]]], &device);
    // h1 = relu(1, 2); h2 = relu(-1 + 2, -2 + 0.5).
    let (sequence, last) = rnn(Cell::Relu, x.clone(), weights(1.0), None, &Steps::all(1, 2));
    assert_eq!(numbers(sequence), [1.0, 2.0, 1.0, 0.0]);
    assert_eq!(numbers(last), [1.0, 0.0]);
    for cell in [Cell::Relu, Cell::Tanh] {
        let (_, last) = rnn(cell, x.clone(), weights(f32::NAN), None, &Steps::all(1, 2));
        assert!(numbers(last).iter().all(|value| value.is_nan()));
    }
}
