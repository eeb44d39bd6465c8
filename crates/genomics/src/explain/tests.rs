//! Explanations against brute force, closed forms, and what must add up.

use burn::tensor::activation::relu;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::data::rng;
use rand::RngExt;

use super::*;
use crate::sequence::{ALPHABET, Unknown, one_hot};

/// Rounding of some hundred operations in single precision on values near 1.
const SINGLE: f64 = 1e-4;

/// Filters, a rectifier, the maximum over all places, and two outputs.
struct Net {
    filters: Tensor<3>,
    bias: Tensor<1>,
    output: Tensor<2>,
}

impl Net {
    fn new(filters: usize, width: usize, seed: u64) -> Self {
        let (rng, device) = (&mut rng(seed, &[]), Device::flex());
        let mut draw = |count: usize| -> Vec<f32> { (0..count).map(|_| rng.random_range(-1.0..1.0)).collect() };
        Self {
            filters: Tensor::from_data(TensorData::new(draw(filters * 4 * width), [filters, 4, width]), &device),
            bias: Tensor::from_data(TensorData::new(draw(filters), [filters]), &device),
            output: Tensor::from_data(TensorData::new(draw(filters * 2), [filters, 2]), &device),
        }
    }

    fn maps(&self, x: Tensor<3>) -> Tensor<3> {
        let (filters, bias) = (self.filters.clone(), self.bias.clone());
        conv1d(x, filters, Some(bias), ConvOptions::new([1], [0], [1], 1))
    }

    fn rescaled(&self, x: Tensor<3>, rule: &Rescale) -> Tensor<2> {
        rule.global_max(rule.activation(self.maps(x), relu)).matmul(self.output.clone())
    }
}

impl Scorer<3> for Net {
    fn logits(&self, x: Tensor<3>) -> Tensor<2> {
        self.rescaled(x, &Rescale::off())
    }
}

/// Random sequences, some of them shorter than 30, with an N in every third.
fn sequences(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let rng = &mut rng(seed, &[]);
    let sequence = |row: usize| {
        let mut bases: Vec<u8> = (0..30 - row % 4).map(|_| ALPHABET[rng.random_range(0..4)]).collect();
        if row.is_multiple_of(3) {
            bases[12] = b'N';
        }
        bases
    };
    (0..count).map(sequence).collect()
}

fn inputs(sequences: &[Vec<u8>], unknown: Unknown) -> Inputs {
    let sequences: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
    Inputs::new(&sequences, 30, unknown, &Device::flex()).unwrap()
}

/// The output of one sequence, alone.
fn output(net: &Net, sequence: &[u8], output: usize, unknown: Unknown) -> f64 {
    let x = TensorData::new(one_hot(&[sequence], 30, unknown), [1, 4, 30]);
    let logits = net.logits(Tensor::from_data(x, &Device::flex())).try_into_vec_as::<f64>().unwrap();
    logits[output]
}

#[test]
fn mutagenesis_is_one_sequence_after_the_other() {
    let (net, sequences) = (Net::new(6, 7, 1), sequences(7, 2));
    let chosen: Vec<usize> = (0..7).map(|row| row % 2).collect();
    for unknown in [Unknown::Zeros, Unknown::Quarter] {
        let inputs = inputs(&sequences, unknown);
        let map = Mutagenesis { rows_per_call: 5 }.run(&net, &inputs, &Target::Each(chosen.clone())).unwrap();
        let mut evaluations = 0;
        for (row, sequence) in sequences.iter().enumerate() {
            let whole = output(&net, sequence, chosen[row], unknown);
            evaluations += 1;
            assert!((map.outputs[row] - whole).abs() < SINGLE);
            assert_eq!(map.changes[row].len(), sequence.len());
            for (place, &there) in sequence.iter().enumerate() {
                let (mut sum, mut count) = (0.0, 0);
                for (base, letter) in ALPHABET.into_iter().enumerate() {
                    let mut mutant = sequence.clone();
                    mutant[place] = letter;
                    let expected = output(&net, &mutant, chosen[row], unknown) - whole;
                    assert!((map.changes[row][place][base] - expected).abs() < SINGLE, "{row} {place} {base}");
                    if letter != there {
                        (sum, count) = (sum + expected, count + 1);
                    }
                }
                evaluations += count;
                assert!((map.per_base()[row][place] + sum / f64::from(count as u32)).abs() < SINGLE);
            }
        }
        assert_eq!(map.evaluations, evaluations);
        let at_once = Mutagenesis::default().run(&net, &inputs, &Target::Each(chosen.clone())).unwrap();
        for (a, b) in map.changes.iter().flatten().flatten().zip(at_once.changes.iter().flatten().flatten()) {
            assert!((a - b).abs() < SINGLE);
        }
    }
}

#[test]
fn values_add_up_to_the_change_of_the_output() {
    let (net, sequences) = (Net::new(6, 7, 3), sequences(70, 4));
    let target = Target::All(1);
    let rescaled = |x: Tensor<3>, rule: &Rescale| net.rescaled(x, rule);
    let background = Reference::Background([0.3, 0.2, 0.2, 0.3]);
    let references = [Reference::Zeros, Reference::uniform(), background, Reference::Shuffled { count: 3, seed: 5 }];
    for unknown in [Unknown::Zeros, Unknown::Quarter] {
        let inputs = inputs(&sequences, unknown);
        for reference in &references {
            let found = deep_lift(&rescaled, &inputs, &target, reference).unwrap();
            // no chord is left out, so that only rounding is
            assert!(found.largest_gap().unwrap() < SINGLE, "{reference:?} {:?}", found.largest_gap());
            for (row, (values, complete)) in found.per_base().iter().zip(found.completeness.unwrap()).enumerate() {
                assert_eq!(values.len(), sequences[row].len());
                let sum: f64 = values.iter().sum();
                assert!((sum - complete.change - complete.gap).abs() < SINGLE);
                // what is not known gets nothing
                assert!(sequences[row][12] != b'N' || values[12] == 0.0);
            }
        }
        // the change is the output less that of the reference, here of nothing at all
        let found = deep_lift(&rescaled, &inputs, &target, &Reference::Zeros).unwrap().completeness.unwrap();
        for (row, complete) in found.iter().enumerate() {
            let empty: Vec<u8> = vec![b'N'; sequences[row].len()];
            if unknown == Unknown::Zeros {
                let expected = output(&net, &sequences[row], 1, unknown) - output(&net, &empty, 1, unknown);
                assert!((complete.change - expected).abs() < SINGLE);
            }
        }
    }
}

#[test]
fn the_way_from_a_reference_adds_up_but_for_its_steps() {
    let (net, sequences) = (Net::new(6, 7, 3), sequences(70, 4));
    let inputs = inputs(&sequences, Unknown::Zeros);
    let method = IntegratedGradients { nodes: 200, ..IntegratedGradients::default() };
    for reference in [Reference::Zeros, Reference::uniform(), Reference::Shuffled { count: 3, seed: 5 }] {
        let found = integrated_gradients(&net, &inputs, &Target::All(1), &method, &reference).unwrap();
        let changes =
            deep_lift(&|x: Tensor<3>, rule: &Rescale| net.rescaled(x, rule), &inputs, &Target::All(1), &reference);
        for (complete, expected) in found.completeness.unwrap().iter().zip(changes.unwrap().completeness.unwrap()) {
            // the gradient jumps where another place becomes the largest: 0.03 at most in a twin in PyTorch
            assert!(complete.gap.abs() < 0.06, "{reference:?} {complete:?}");
            assert!(complete.convergence.is_some_and(|delta| delta < 0.5));
            assert!((complete.change - expected.change).abs() < SINGLE);
        }
    }
    let default = IntegratedGradients { nodes: 2, ..method };
    let shuffled = integrated_gradients(&net, &inputs, &Target::All(1), &default, &Reference::default()).unwrap();
    // 20 shuffles, two nodes and one, input and reference
    assert_eq!(shuffled.evaluations, 20 * 70 * (2 + 1 + 2));
}

#[test]
fn a_linear_model_is_divided_by_its_weights() {
    let rng = &mut rng(5, &[]);
    let weights: Vec<f32> = (0..4 * 30).map(|_| rng.random_range(-1.0..1.0)).collect();
    let weight = Tensor::<3>::from_data(TensorData::new(weights.clone(), [1, 4, 30]), &Device::flex());
    let model = |x: Tensor<3>| (x * weight.clone()).sum_dim(1).sum_dim(2).squeeze_dim::<2>(2);
    let sequences = sequences(5, 6);
    let (inputs, target) = (inputs(&sequences, Unknown::Zeros), Target::All(0));
    let background = [0.4, 0.3, 0.2, 0.1];
    let rescaled = |x: Tensor<3>, _: &Rescale| model(x);
    let method = IntegratedGradients::default();
    let against_background = [
        deep_lift(&rescaled, &inputs, &target, &Reference::Background(background)).unwrap(),
        integrated_gradients(&model, &inputs, &target, &method, &Reference::Background(background)).unwrap(),
    ];
    let product = gradient_x_input(&model, &inputs, &target).unwrap();
    let map = saliency_map(&model, &inputs, &target).unwrap();
    let mutants = Mutagenesis::default().run(&model, &inputs, &target).unwrap();
    assert!(product.largest_gap().unwrap() < SINGLE);
    assert_eq!(map.completeness, None);
    for (row, sequence) in sequences.iter().enumerate() {
        let first = inputs.span(row).start;
        for (place, &letter) in sequence.iter().enumerate() {
            for (base, other) in ALPHABET.into_iter().enumerate() {
                let weight = f64::from(weights[base * 30 + first + place]);
                let there = if letter == other { 1.0 } else { 0.0 };
                let close = |found: f64, expected: f64| {
                    assert!((found - expected).abs() < SINGLE, "{row} {place} {base}: {found}, not {expected}");
                };
                let reference = if letter == b'N' { 0.0 } else { background[base] };
                for found in &against_background {
                    close(found.values[row][place][base], weight * (there - reference));
                }
                close(product.values[row][place][base], weight * there);
                close(map.values[row][place][base], weight.abs() * there);
                let present = ALPHABET.iter().position(|other| *other == letter);
                let now = present.map_or(0.0, |base| f64::from(weights[base * 30 + first + place]));
                close(mutants.changes[row][place][base], weight - now);
            }
        }
    }
}

#[test]
fn a_site_that_is_there_twice_is_named() {
    let net = Net::new(3, 5, 7);
    let sequence = b"ACGTTGCAAGACGTTGCAAGACGTTCCCCC";
    let inputs = Inputs::new(&[sequence], 30, Unknown::Zeros, &Device::flex()).unwrap();
    let maps = relu(net.maps(inputs.tensor().clone()));
    let ties = PoolTies::default().find(&maps).unwrap();
    let values = maps.try_into_vec_as::<f64>().unwrap();
    let mut expected = 0;
    for (channel, values) in values.chunks(26).enumerate() {
        let most = values.iter().copied().fold(0.0, f64::max);
        let places: Vec<usize> = (0..26).filter(|at| values[*at] >= most - 1e-6 * most).collect();
        if most > 0.0 && places.len() > 1 {
            let tie = ties.iter().find(|tie| tie.channel == channel).unwrap();
            assert_eq!((tie.row, &tie.positions), (0, &places));
            expected += 1;
        }
    }
    // the sequence is made of copies, so that at least one filter has found one of them
    assert!(expected > 0 && ties.len() == expected);
    let windows = PoolTies { window: Some(3), stride: Some(2), ..PoolTies::default() };
    let found = windows.find(&Tensor::<3>::from_floats([[[1.0; 4]]], &Device::flex())).unwrap();
    assert_eq!(found.len(), 1, "a window that hangs over is passed over");
    assert_eq!(found[0].to_string(), "row 0, channel 0: the maximum of 1 is reached at positions 0, 1 and 2");
}

#[test]
fn temporal_outputs_are_those_of_beginnings_and_ends() {
    // the number of As, and the place of the last base
    let model = |x: Tensor<3>| {
        let [rows, _, steps] = x.dims();
        let counted = x.narrow(1, 0, 1).sum_dim(2).squeeze_dim::<2>(2);
        Tensor::cat(vec![counted, Tensor::full([rows, 1], steps as f64, &Device::flex())], 1)
    };
    let inputs = Inputs::new(&[b"AACA", b"CAAC"], 4, Unknown::Zeros, &Device::flex()).unwrap();
    let found = temporal_outputs(&model, inputs.tensor(), &Target::Each(vec![0, 1])).unwrap();
    assert_eq!(found.forward, [[1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]]);
    assert_eq!(found.backward, [[3.0, 2.0, 1.0, 1.0], [4.0, 3.0, 2.0, 1.0]]);
}

/// Torch7's `rmsprop` on w x − λ x², one number at a time and in double precision.
#[test]
fn class_optimisation_takes_the_steps_of_the_original() {
    let weights = [[[0.5_f32, -0.2], [0.1, 0.3], [-0.4, 0.0], [0.2, 0.7]]];
    let weight = Tensor::<3>::from_floats(weights, &Device::flex());
    let model = |x: Tensor<3>| (x * weight.clone()).sum_dim(1).sum_dim(2).squeeze_dim::<2>(2);
    let method = ClassOptimisation {
        score: ClassScore::Logit,
        steps: 30,
        starts: 2,
        penalty: 0.1,
        ..ClassOptimisation::default()
    };
    let found = method.run(&model, 2, 0, &Device::flex()).unwrap();
    let rng = &mut rng(method.seed, &[]);
    for optimum in &found {
        let mut x: Vec<f64> = (0..8).map(|_| f64::from(rng.random::<f32>())).collect();
        let weights: Vec<f64> = weights.as_flattened().as_flattened().iter().map(|w| f64::from(*w)).collect();
        let mut moments = [0.0; 8];
        let value = |x: &[f64]| -> f64 { x.iter().zip(&weights).map(|(x, w)| w * x - method.penalty * x * x).sum() };
        for step in 0..method.steps {
            assert!((optimum.history[step] - value(&x)).abs() < SINGLE);
            for ((x, w), moment) in x.iter_mut().zip(&weights).zip(&mut moments) {
                let gradient = w - 2.0 * method.penalty * *x;
                *moment = method.decay * *moment + (1.0 - method.decay) * gradient * gradient;
                *x += method.rate * gradient / (moment.sqrt() + 1e-8);
            }
        }
        assert_eq!(optimum.history.len(), 31);
        assert!((optimum.history[30] - value(&x)).abs() < SINGLE && optimum.history[30] > optimum.history[0]);
        for (at, column) in optimum.x.iter().enumerate() {
            for (base, found) in column.iter().enumerate() {
                assert!((found - x[base * 2 + at]).abs() < 1e-3, "{found} {}", x[base * 2 + at]);
            }
        }
    }
}

#[test]
fn logarithms_of_probabilities_rise_to_zero() {
    let net = Net::new(4, 5, 9);
    for score in [ClassScore::LogSigmoid, ClassScore::LogSoftmax] {
        let method = ClassOptimisation { score, steps: 60, penalty: 0.0, ..ClassOptimisation::default() };
        let found = &method.run(&net, 12, 1, &Device::flex()).unwrap()[0];
        let (first, last) = (found.history[0], found.history[60]);
        assert!(first < last && last <= 0.0, "{score:?}: {first} to {last}");
        let motif = found.motif("best").unwrap();
        assert_eq!(motif.width(), 12);
        for (base, column) in found.sequence().iter().zip(&found.x) {
            let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let at = ALPHABET.iter().position(|letter| letter == base).unwrap();
            assert!(column[at] == largest && column[..at].iter().all(|value| *value < largest), "{column:?}");
        }
    }
}

#[test]
fn what_cannot_be_explained_says_why() {
    let device = Device::flex();
    let message = |error: ExplainError| error.to_string();
    let long = Inputs::new(&[b"ACG", b"ACGTA"], 4, Unknown::Zeros, &device).unwrap_err();
    assert_eq!(message(long), "sequence 1 has 5 bases; the model reads 1 to 4");
    assert!(
        message(Inputs::new(&[b""], 4, Unknown::Zeros, &device).unwrap_err()).starts_with("sequence 0 has 0 bases")
    );
    assert!(message(Inputs::new(&[], 4, Unknown::Zeros, &device).unwrap_err()).starts_with("the input is empty"));
    let inputs = Inputs::new(&[b"ACGT"], 4, Unknown::Zeros, &device).unwrap();
    let model = |x: Tensor<3>| x.sum_dim(1).squeeze_dim::<2>(1);
    let run = |target| Mutagenesis::default().run(&model, &inputs, &target).unwrap_err().to_string();
    assert_eq!(run(Target::All(4)), "row 0: output 4 does not exist; the model has 4, counted from 0");
    assert_eq!(run(Target::Each(vec![0, 1])), "2 targets for 1 rows; give one for all, or one for each row");
    let infinite = |x: Tensor<3>| x.sum_dim(1).squeeze_dim::<2>(1) / 0.0;
    let error = Mutagenesis::default().run(&infinite, &inputs, &Target::All(0)).unwrap_err();
    assert!(message(error).starts_with("row 0: the model's output is inf, not a finite number"));
    let none = Reference::Shuffled { count: 0, seed: 1 };
    let method = IntegratedGradients::default();
    let error = integrated_gradients(&model, &inputs, &Target::All(0), &method, &none).unwrap_err();
    assert!(message(error).starts_with("count = 0 is out of range"));
    assert!(PoolTies { window: Some(0), ..PoolTies::default() }.find(inputs.tensor()).is_err());
}
