//! Recurrent layers against PyTorch, and what padding and batch size must not change.

use super::*;
use crate::data::rng;
use burn::tensor::{Gradients, TensorData};
use serde_json::Value;

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Against PyTorch in double precision: sums of up to 15 products over 6 steps and 2 layers in single precision, which
/// keeps some seven digits.
const TOLERANCE: f32 = 1e-5;

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= TOLERANCE * (1.0 + e.abs()), "{what}[{at}]: {f}, expected {e}");
    }
}

/// The weights of a direction with their names in PyTorch's state dictionary.
fn named(network: &mut Recurrent) -> Vec<(String, &mut Direction)> {
    let mut all = Vec::new();
    for (index, layer) in network.layers.iter_mut().enumerate() {
        all.push((format!("l{index}"), &mut layer.forward));
        all.extend(layer.reverse.as_mut().map(|reverse| (format!("l{index}_reverse"), reverse)));
    }
    all
}

#[test]
fn stacks_agree_with_pytorch_in_values_and_gradients() {
    let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/recurrent.json")).unwrap();
    let sizes = &golden["sizes"];
    let size = |name: &str| sizes[name].as_u64().unwrap() as usize;
    let lengths: Vec<usize> =
        sizes["lengths"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let (batch, time) = (lengths.len(), size("time"));
    let config = RecurrentConfig {
        layers: size("layers"),
        bidirectional: true,
        ..RecurrentConfig::new(size("input"), size("hidden"))
    };
    let device = Device::flex().autodiff();
    for (name, cell) in [("tanh", Cell::Tanh), ("relu", Cell::Relu), ("gru", Cell::Gru), ("lstm", Cell::Lstm)] {
        let golden = &golden["cells"][name];
        let mut network = config.init(cell, &device, &mut rng(1, &[])).unwrap();
        for (suffix, direction) in named(&mut network) {
            let get = |weight: &str| floats(&golden["weights"][format!("{weight}_{suffix}")]);
            let matrix = |weight: &str, old: &Param<Tensor<2>>| {
                Param::from_data(TensorData::new(get(weight), old.val().dims()), &device)
            };
            let bias = |weight: &str| {
                let values = get(weight);
                let count = values.len();
                Some(Param::from_data(TensorData::new(values, [count]), &device))
            };
            direction.weight_ih = matrix("weight_ih", &direction.weight_ih);
            direction.weight_hh = matrix("weight_hh", &direction.weight_hh);
            direction.bias_ih = bias("bias_ih");
            direction.bias_hh = bias("bias_hh");
        }
        let x = TensorData::new(floats(&golden["x"]), [batch, time, config.input]);
        let x = Tensor::<3>::from_data(x, &device).require_grad();
        let output = network.forward(x.clone(), Some(&lengths), None);
        assert_eq!(output.cell.is_some(), cell == Cell::Lstm);
        assert_close(name, &numbers(output.sequence.clone()), &floats(&golden["found"]["sequence"]));
        let factor = |which: &str| floats(&golden["factors"][which]);
        let factors = TensorData::new(factor("sequence"), [batch, time, config.output()]);
        let mut loss = (output.sequence * Tensor::<3>::from_data(factors, &device)).sum();
        for (which, state) in [("last", Some(output.last)), ("cell", output.cell)] {
            if let Some(state) = state {
                assert_close(&format!("{name} {which}"), &numbers(state.clone()), &floats(&golden["found"][which]));
                let factors = TensorData::new(factor(which), [batch, config.output()]);
                loss = loss + (state * Tensor::<2>::from_data(factors, &device)).sum();
            }
        }
        let gradients = loss.backward();
        let expected = |weight: &str| floats(&golden["gradients"][weight]);
        assert_close(&format!("{name} x"), &numbers(x.grad(&gradients).unwrap()), &expected("x"));
        for (suffix, direction) in named(&mut network) {
            let check = |weight: &str, found: Vec<f32>| {
                let weight = format!("{weight}_{suffix}");
                assert_close(&format!("{name} {weight}"), &found, &expected(&weight));
            };
            check("weight_ih", gradient(&direction.weight_ih, &gradients));
            check("weight_hh", gradient(&direction.weight_hh, &gradients));
            check("bias_ih", gradient(direction.bias_ih.as_ref().unwrap(), &gradients));
            check("bias_hh", gradient(direction.bias_hh.as_ref().unwrap(), &gradients));
        }
    }
}

fn gradient<const D: usize>(param: &Param<Tensor<D>>, gradients: &Gradients) -> Vec<f32> {
    numbers(param.val().grad(gradients).unwrap())
}

#[test]
fn the_number_of_parameters_is_pytorchs() {
    let device = Device::flex();
    let sizes = RecurrentConfig { layers: 2, bidirectional: true, ..RecurrentConfig::new(3, 5) };
    // sum(p.numel() for p in torch.nn.GRU(3, 5, 2, bidirectional=True).parameters()) and so on: gates × 540.
    assert_eq!(sizes.rnn(&device, &mut rng(1, &[])).unwrap().num_params(), 270);
    assert_eq!(sizes.gru(&device, &mut rng(1, &[])).unwrap().num_params(), 810);
    assert_eq!(sizes.lstm(&device, &mut rng(1, &[])).unwrap().num_params(), 1080);
    let bare = RecurrentConfig { bias: false, ..sizes };
    assert_eq!(bare.lstm(&device, &mut rng(1, &[])).unwrap().num_params(), 920);
}

#[test]
fn all_weights_start_within_one_over_the_root_of_the_width() {
    let config = RecurrentConfig::new(40, 100);
    let mut network = config.init(Cell::Gru, &Device::flex(), &mut rng(2, &[])).unwrap();
    for (_, direction) in named(&mut network) {
        let weights = [direction.weight_ih.val(), direction.weight_hh.val()].map(numbers);
        let biases = [&direction.bias_ih, &direction.bias_hh].map(|bias| numbers(bias.as_ref().unwrap().val()));
        for values in weights.iter().chain(&biases) {
            let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            // 300 draws or more: the largest below 0.09 has a probability of 0.9³⁰⁰ < 1e-13.
            assert!((0.09..=0.1 + 1e-7).contains(&largest), "{largest}");
        }
    }
}

#[test]
fn a_batch_of_one_and_one_of_64_agree_in_every_bit() {
    let device = Device::flex();
    let config = RecurrentConfig { layers: 2, bidirectional: true, ..RecurrentConfig::new(6, 17) };
    let (batch, time) = (64, 20);
    let mut generator = rng(9, &[]);
    let x = Init::Normal(1.0).values(&[batch, time, 6], Fan { inputs: 1, outputs: 1 }, &mut generator);
    let lengths: Vec<usize> = (0..batch).map(|row| 1 + row * 7 % time).collect();
    for cell in [Cell::Tanh, Cell::Gru, Cell::Lstm] {
        let network = config.init(cell, &device, &mut rng(3, &[])).unwrap();
        let run = |x: &[f32], lengths: &[usize], time: usize| {
            let x = Tensor::<3>::from_data(TensorData::new(x.to_vec(), [lengths.len(), time, 6]), &device);
            let output = network.forward(x, Some(lengths), None);
            (numbers(output.sequence), numbers(output.last))
        };
        let (sequence, last) = run(&x, &lengths, time);
        for (row, &length) in lengths.iter().enumerate() {
            // Without its padding too.
            let part = &x[row * time * 6..][..length * 6];
            let (alone, end) = run(part, &[length], length);
            let among = &sequence[row * time * 34..][..length * 34];
            assert!(alone.iter().zip(among).all(|(a, b)| a.to_bits() == b.to_bits()), "{cell:?}, row {row}");
            let among = &last[row * 34..][..34];
            assert!(end.iter().zip(among).all(|(a, b)| a.to_bits() == b.to_bits()), "{cell:?}, row {row}");
        }
    }
}

#[test]
fn dropout_stands_between_layers_and_the_variational_one_stays_for_all_steps() {
    let device = Device::flex();
    let sizes = RecurrentConfig { layers: 2, dropout: 0.4, ..RecurrentConfig::new(3, 50) };
    let x = Tensor::<3>::ones([4, 9, 50], &device);
    for variational in [false, true] {
        let network = RecurrentConfig { variational, ..sizes.clone() };
        let network = network.init(Cell::Gru, &device, &mut rng(1, &[])).unwrap();
        let masks = numbers(network.masked(x.clone(), Some(&mut rng(2, &[]))));
        // 200 or 1,800 draws: the share of zeros has a standard deviation of 0.035 or 0.012.
        let share = masks.iter().filter(|&&value| value == 0.0).count() as f64 / masks.len() as f64;
        assert!((share - 0.4).abs() < 0.12, "{share}");
        assert!(masks.iter().all(|&value| value == 0.0 || (value - 1.0 / 0.6).abs() < 1e-6));
        let rows: Vec<&[f32]> = masks.chunks(9 * 50).collect();
        assert!(rows[0] != rows[1], "each sequence has a mask of its own");
        let constant = rows.iter().all(|row| row.chunks(50).all(|step| step == &row[..50]));
        assert_eq!(constant, variational);
        assert_eq!(numbers(network.masked(x.clone(), None)), numbers(x.clone()));
    }
    // One layer has nothing between layers.
    let single = RecurrentConfig { layers: 1, ..sizes.clone() }.init(Cell::Gru, &device, &mut rng(1, &[])).unwrap();
    let double = sizes.init(Cell::Gru, &device, &mut rng(1, &[])).unwrap();
    let x = Tensor::<3>::ones([2, 5, 3], &device);
    let run = |network: &Recurrent, noise: bool| {
        let mut generator = rng(3, &[]);
        numbers(network.forward(x.clone(), None, noise.then_some(&mut generator)).sequence)
    };
    assert_eq!(run(&single, true), run(&single, false));
    assert_ne!(run(&double, true), run(&double, false));
    assert_eq!(run(&double, true), run(&double, true));
}

#[test]
fn settings_out_of_range_are_named() {
    let good = RecurrentConfig::new(3, 5);
    assert_eq!(good.validate(), Ok(()));
    for (config, start) in [
        (RecurrentConfig { input: 0, ..good.clone() }, "input = 0"),
        (RecurrentConfig { hidden: 0, ..good.clone() }, "hidden = 0"),
        (RecurrentConfig { layers: 0, ..good.clone() }, "layers = 0"),
        (RecurrentConfig { dropout: 1.0, ..good }, "dropout = 1"),
    ] {
        let error = config.gru(&Device::flex(), &mut rng(1, &[])).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }
}
