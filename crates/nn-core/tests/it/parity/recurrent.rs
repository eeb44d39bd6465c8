//! Recurrent layers and the models around them: whole sequences as one operation on `cpu`, step by step elsewhere.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::data::rng;
use nn_core::layers::{Gru, Lstm, RecurrentConfig, RecurrentOutput, Rnn};
use nn_core::models::recurrent::{SequenceModelConfig, Sequences};
use nn_core::ops::{Cell, RecurrentWeights, Steps, recurrence};

use super::{Outputs, agree, flat, input, predicted, traced};

const CELLS: [Cell; 4] = [Cell::Tanh, Cell::Relu, Cell::Gru, Cell::Lstm];
/// Steps of four rows, of seven at most: all of them, some, none, some.
const LENGTHS: &[usize] = &[7, 3, 0, 5];
/// Weights and biases of one layer in one direction.
const DIRECTION: usize = 4;

fn outputs(found: RecurrentOutput) -> Outputs {
    let mut outputs = vec![("sequence", flat(found.sequence)), ("last", flat(found.last))];
    outputs.extend(found.cell.map(|cell| ("cell", flat(cell))));
    outputs
}

#[test]
fn one_layer_of_every_cell() {
    for cell in CELLS {
        for (lengths, bias) in [(None, true), (Some(LENGTHS), true), (Some(LENGTHS), false)] {
            let config = RecurrentConfig { bias, ..RecurrentConfig::new(3, 5) };
            let parameters = if bias { DIRECTION } else { 2 };
            agree(1.0, |device| {
                let model = (config.init(cell, device, &mut rng(1, &[])).unwrap(), input([4, 7, 3], 1, device));
                let found = model.0.forward(model.1.val(), lengths, None);
                traced(&model, outputs(found), parameters + 1)
            });
        }
    }
}

#[test]
fn two_layers_in_both_directions_with_dropout() {
    for cell in CELLS {
        for variational in [false, true] {
            let sizes = RecurrentConfig::new(3, 5);
            let config = RecurrentConfig { layers: 2, bidirectional: true, dropout: 0.4, variational, ..sizes };
            agree(1.0, |device| {
                let model = (config.init(cell, device, &mut rng(1, &[])).unwrap(), input([4, 7, 3], 1, device));
                let found = model.0.forward(model.1.val(), Some(LENGTHS), Some(&mut rng(2, &[])));
                let mut trace = traced(&model, outputs(found), 2 * 2 * DIRECTION + 1);
                let found = model.0.valid().forward(model.1.val().inner(), Some(LENGTHS), None);
                predicted(&mut trace, outputs(found));
                trace
            });
        }
    }
}

/// The layers that are called by the name of their cell.
#[track_caller]
fn agree_by_name<M: Module>(
    init: impl Fn(&RecurrentConfig, &Device) -> M,
    forward: impl Fn(&M, Tensor<3>) -> RecurrentOutput,
) {
    let config = RecurrentConfig::new(3, 5);
    agree(1.0, |device| {
        let model = (init(&config, device), input([4, 7, 3], 1, device));
        let found = forward(&model.0, model.1.val());
        traced(&model, outputs(found), DIRECTION + 1)
    });
}

#[test]
fn plain_gated_and_long_short_term_memory() {
    let rng = || rng(1, &[]);
    agree_by_name(|config, device| config.rnn(device, &mut rng()).unwrap(), |rnn: &Rnn, x| rnn.forward(x, None, None));
    agree_by_name(|config, device| config.gru(device, &mut rng()).unwrap(), |gru: &Gru, x| gru.forward(x, None, None));
    agree_by_name(
        |config, device| config.lstm(device, &mut rng()).unwrap(),
        |lstm: &Lstm, x| lstm.forward(x, None, None),
    );
}

#[test]
fn a_given_state_in_both_directions() {
    for cell in CELLS {
        for steps in [Steps::new(LENGTHS), Steps::new(LENGTHS).reversed()] {
            agree(1.0, |device| {
                let (gates, width) = (cell.gates() * 4, cell.states() * 4);
                let model = (
                    input([4, 7, 3], 1, device),
                    input([4, width], 2, device),
                    input([gates, 3], 3, device),
                    input([gates, 4], 4, device),
                    input([gates], 5, device),
                    input([gates], 6, device),
                );
                let weights = RecurrentWeights {
                    weight_ih: model.2.val(),
                    weight_hh: model.3.val(),
                    bias_ih: Some(model.4.val()),
                    bias_hh: Some(model.5.val()),
                };
                let (sequence, last) = recurrence(cell, model.0.val(), weights, Some(model.1.val()), &steps);
                traced(&model, vec![("sequence", flat(sequence)), ("last", flat(last))], 6)
            });
        }
    }
}

/// Four rows of seven codes below 9.
fn codes(device: &Device) -> Sequences {
    let codes: Vec<i64> = (0..28).map(|at| at * 5 % 9).collect();
    Sequences::Codes(Tensor::<2, Int>::from_data(TensorData::new(codes, [4, 7]), device))
}

#[test]
fn sequences_of_codes() {
    // embedded, or as the numbers that they are
    let embedded = SequenceModelConfig {
        cell: Cell::Gru,
        vocabulary: 9,
        input: 4,
        hidden: 5,
        layers: 2,
        bidirectional: true,
        dropout: 0.3,
        variational: true,
        outputs: 2,
    };
    let plain =
        SequenceModelConfig { cell: Cell::Lstm, input: 1, hidden: 5, outputs: 2, ..SequenceModelConfig::default() };
    // the head has a weight and a bias
    for (config, parameters) in [(embedded, 1 + 2 * 2 * DIRECTION + 2), (plain, DIRECTION + 2)] {
        agree(1.0, |device| {
            let model = config.init(device, &mut rng(1, &[])).unwrap();
            let outputs = vec![
                ("answer", flat(model.forward(codes(device), Some(LENGTHS), Some(&mut rng(2, &[]))))),
                ("answers", flat(model.forward_steps(codes(device), Some(LENGTHS), Some(&mut rng(3, &[]))))),
            ];
            let mut trace = traced(&model, outputs, parameters);
            let plain = device.clone().inner();
            predicted(&mut trace, vec![("answer", flat(model.valid().forward(codes(&plain), Some(LENGTHS), None)))]);
            trace
        });
    }
}

#[test]
fn sequences_of_vectors() {
    for cell in CELLS {
        let config = SequenceModelConfig {
            cell,
            input: 3,
            hidden: 5,
            dropout: 0.3,
            outputs: 2,
            ..SequenceModelConfig::default()
        };
        agree(1.0, |device| {
            let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([4, 7, 3], 1, device));
            let values = || Sequences::Values(model.1.val());
            let outputs = vec![
                ("answer", flat(model.0.forward(values(), Some(LENGTHS), Some(&mut rng(2, &[]))))),
                ("answers", flat(model.0.forward_steps(values(), None, Some(&mut rng(3, &[]))))),
            ];
            traced(&model, outputs, DIRECTION + 2 + 1)
        });
    }
}
