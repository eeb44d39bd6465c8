//! Attention of each kind, with the weights that it gives to the reader.

use burn::module::Module;
use burn::tensor::Tensor;
use nn_core::data::rng;
use nn_core::models::attention::{AdditiveConfig, Mask, MultiHeadConfig, RetainConfig, padding, scaled_dot_product};
use nn_core::transfer::{freeze, under};

use super::{agree, flat, input, predicted, traced};

#[test]
fn scaled_dot_products() {
    for lengths in [None, Some([5_usize, 2])] {
        agree(1.0, |device| {
            let model = (input([2, 3, 4], 1, device), input([2, 5, 4], 2, device), input([2, 5, 6], 3, device));
            let excluded = lengths.map(|lengths| padding(&lengths, 5, device).unsqueeze_dim::<3>(1)); // [2, 1, 5]
            let found = scaled_dot_product(model.0.val(), model.1.val(), model.2.val(), excluded);
            traced(&model, vec![("context", flat(found.context)), ("weights", flat(found.weights))], 3)
        });
    }
}

#[test]
fn additive_attention_over_steps_and_places() {
    let config = AdditiveConfig { query: 3, key: 4, hidden: 5, bias: true };
    agree(1.0, |device| {
        let net = config.init(device, &mut rng(1, &[])).unwrap();
        let model = (net, input([2, 3], 1, device), input([2, 6, 4], 2, device));
        let found = model.0.forward(Some(model.1.val()), model.2.val(), Some(padding(&[6, 4], 6, device)));
        // weights of query and key, the key's bias, the score, both inputs
        traced(&model, vec![("context", flat(found.context)), ("weights", flat(found.weights))], 3 + 1 + 2)
    });
    let config = AdditiveConfig { query: 0, ..config };
    agree(1.0, |device| {
        let model = (config.init(device, &mut rng(1, &[])).unwrap(), input([2, 4, 3, 2], 1, device));
        let found = model.0.over_map(None, model.1.val());
        traced(&model, vec![("context", flat(found.context)), ("weights", flat(found.weights))], 2 + 1 + 1)
    });
}

#[test]
fn multi_head_attention() {
    let config = MultiHeadConfig { width: 6, heads: 2, dropout: 0.3, bias: true };
    for (causal, lengths) in [(false, None), (false, Some([4_usize, 2])), (true, None), (true, Some([4, 2]))] {
        agree(1.0, |device| {
            let net = config.init(device, &mut rng(1, &[])).unwrap();
            let inputs = [1, 2, 3].map(|stream| input([2, 4, 6], stream, device));
            let model = (net, inputs);
            let mask = Mask { padding: lengths.map(|lengths| padding(&lengths, 4, device)), causal };
            let [query, key, value] = [0, 1, 2].map(|at: usize| model.1[at].val());
            let found = model.0.forward(query.clone(), key.clone(), value.clone(), &mask, Some(&mut rng(2, &[])));
            let outputs = vec![("context", flat(found.context)), ("weights", flat(found.weights))];
            // projections into and out of the heads, with biases; three inputs
            let mut trace = traced(&model, outputs, 4 + 3);
            let [query, key, value] = [query, key, value].map(Tensor::inner);
            let plain = device.clone().inner();
            let mask = Mask { padding: lengths.map(|lengths| padding(&lengths, 4, &plain)), causal };
            let found = model.0.valid().forward(query, key, value, &mask, None);
            predicted(&mut trace, vec![("context", flat(found.context))]);
            trace
        });
    }
}

#[test]
fn attention_over_steps_and_over_their_numbers() {
    let config = RetainConfig { embedding: 4, extra: 2, alpha: 5, beta: 3 };
    agree(1.0, |device| {
        let net = config.init(device, &mut rng(1, &[])).unwrap();
        // The softmax takes the bias of the scores away again: its gradient is one number of rounding, or exactly zero.
        let (net, frozen) = freeze(net, under(&["alpha.bias"]));
        assert_eq!(frozen, ["alpha.bias"]);
        let model = (net, input([3, 6, 4], 1, device), input([3, 6, 2], 2, device));
        let found = model.0.forward(model.1.val(), Some(model.2.val()), &[6, 1, 4]);
        let outputs = vec![
            ("context", flat(found.context)),
            ("alpha", flat(found.alpha)),
            ("beta", flat(found.beta)),
            ("contributions", flat(found.contributions)),
        ];
        // two recurrent nets, the weight of the scores, weight and bias of the numbers', two inputs
        traced(&model, outputs, 2 * 4 + 1 + 2 + 2)
    });
}
