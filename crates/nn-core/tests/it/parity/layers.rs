//! Convolutions, normalisations, poolings and U-Nets: kernels of `ops` on `cpu`, burn's operations elsewhere.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use nn_core::data::rng;
use nn_core::layers::{
    AvgPoolConfig, BatchNormConfig, Conv1d, Conv2d, Conv3d, ConvConfig, ConvTranspose1d, ConvTranspose2d,
    ConvTranspose3d, GroupNorm, GroupNormConfig, InstanceNorm, InstanceNormConfig, LayerNorm, LayerNormConfig,
    MaxPoolConfig, NormConfig, NormKind, UNet, UNetConfig,
};
use nn_core::ops::{Activation, bias_act, global_avg_pool, global_max_pool, join};

use super::{agree, agree_on, flat, input, predicted, traced};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2)];

/// Compares a layer of `parameters` tensors: its output and all gradients, that of the input included.
#[track_caller]
fn agree_layer<M: Module, const D: usize, const E: usize>(
    parameters: usize,
    shape: [usize; D],
    init: impl Fn(&Device) -> M,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<E>,
) {
    agree(1.0, |device| {
        let model = (init(device), input(shape, 1, device));
        let output = flat(forward(&model.0, model.1.val()));
        traced(&model, vec![("output", output)], parameters + 1)
    });
}

/// Settings that a convolution of any rank is tried with: plain, padded, with steps of more than one and a rest behind
/// the last window, without a bias.
fn convolutions() -> [ConvConfig; 4] {
    [
        ConvConfig::new(4, 6, 3),
        ConvConfig::new(4, 3, 3).same(),
        ConvConfig::new(4, 6, 3).with_stride(2).with_padding(1).with_dilation(2),
        ConvConfig::new(4, 5, 2).with_stride(3).with_bias(false),
    ]
}

/// The same in groups, for inputs that are odd along each axis: with them the last window ends with the padded input.
/// Where a rest follows on it, burn 0.22.1 has a wrong gradient of the weight.
fn grouped_convolutions() -> [ConvConfig; 3] {
    [
        ConvConfig::new(4, 6, 3).with_groups(2),
        ConvConfig::new(4, 6, 3).with_groups(2).with_stride(2).with_padding(1),
        // each channel for itself
        ConvConfig::new(4, 8, 3).with_groups(4).with_padding(2).with_dilation(2),
    ]
}

fn parameters(config: &ConvConfig) -> usize {
    1 + usize::from(config.bias)
}

#[test]
fn convolutions_over_one_axis() {
    let init = |config: &ConvConfig, device: &Device| -> Conv1d { config.init(device, &mut rng(1, &[])).unwrap() };
    for config in convolutions() {
        agree_layer(parameters(&config), [3, 4, 18], |device| init(&config, device), Conv1d::forward);
    }
    for config in grouped_convolutions() {
        agree_layer(parameters(&config), [3, 4, 17], |device| init(&config, device), Conv1d::forward);
    }
}

#[test]
fn convolutions_over_two_axes() {
    let init = |config: &ConvConfig, device: &Device| -> Conv2d { config.init(device, &mut rng(1, &[])).unwrap() };
    for config in convolutions() {
        agree_layer(parameters(&config), [2, 4, 8, 11], |device| init(&config, device), Conv2d::forward);
    }
    for config in grouped_convolutions() {
        agree_layer(parameters(&config), [2, 4, 7, 11], |device| init(&config, device), Conv2d::forward);
    }
}

#[test]
fn convolutions_over_three_axes() {
    let init = |config: &ConvConfig, device: &Device| -> Conv3d { config.init(device, &mut rng(1, &[])).unwrap() };
    for config in convolutions() {
        agree_layer(parameters(&config), [2, 4, 6, 5, 8], |device| init(&config, device), Conv3d::forward);
    }
    for config in grouped_convolutions() {
        agree_layer(parameters(&config), [2, 4, 5, 5, 7], |device| init(&config, device), Conv3d::forward);
    }
}

/// Settings of a transposed convolution of any rank: without overlap, with overlap and cut edges, with gaps, in groups.
fn transposed_convolutions() -> [ConvConfig; 4] {
    [
        ConvConfig::new(4, 3, 2).with_stride(2),
        ConvConfig::new(4, 3, 4).with_stride(2).with_padding(1).with_bias(false),
        ConvConfig::new(4, 3, 3).with_padding(1).with_dilation(2),
        ConvConfig::new(4, 6, 3).with_groups(2).with_stride(2),
    ]
}

#[test]
fn transposed_convolutions_over_each_number_of_axes() {
    for config in transposed_convolutions() {
        let count = parameters(&config);
        let init = |device: &Device| -> ConvTranspose1d { config.init_transposed(device, &mut rng(1, &[])).unwrap() };
        agree_layer(count, [3, 4, 9], init, ConvTranspose1d::forward);
        let init = |device: &Device| -> ConvTranspose2d { config.init_transposed(device, &mut rng(1, &[])).unwrap() };
        agree_layer(count, [2, 4, 5, 6], init, ConvTranspose2d::forward);
        let init = |device: &Device| -> ConvTranspose3d { config.init_transposed(device, &mut rng(1, &[])).unwrap() };
        agree_layer(count, [2, 4, 3, 2, 4], init, ConvTranspose3d::forward);
    }
}

/// In training, with running statistics on a device with gradients, as in a frozen body, and in prediction.
#[track_caller]
fn agree_batch_norm<const D: usize>(shape: [usize; D]) {
    for activation in ACTIVATIONS {
        agree(1.0, |device| {
            let channels = shape[1];
            let mut norm = BatchNormConfig::new(channels).with_activation(activation).init(device);
            norm.gamma = input([channels], 2, device);
            norm.beta = input([channels], 3, device);
            let mut model = (norm, input(shape, 1, device));
            let output = flat(model.0.forward(model.1.val()));
            let mut trace = traced(&model, vec![("output", output)], 3);
            trace.tensor("running mean", model.0.running_mean.value());
            trace.tensor("running variance", model.0.running_var.value());
            model.0.training = Param::from_bool(false);
            let output = flat(model.0.forward(model.1.val()));
            trace.extend("frozen: ", traced(&model, vec![("output", output)], 3));
            let output = flat(model.0.valid().forward(model.1.val().inner()));
            predicted(&mut trace, vec![("output", output)]);
            trace
        });
    }
}

#[test]
fn batch_normalisation() {
    agree_batch_norm([9, 5]);
    agree_batch_norm([4, 5, 7]);
    agree_batch_norm([3, 5, 4, 6]);
    agree_batch_norm([2, 5, 3, 4, 2]);
}

#[test]
fn group_instance_and_layer_normalisation() {
    for activation in ACTIVATIONS {
        let group = |device: &Device| {
            let mut norm = GroupNormConfig::new(2, 6).with_activation(activation).init(device);
            (norm.gamma, norm.beta) = (input([6], 2, device), input([6], 3, device));
            norm
        };
        agree_layer(2, [3, 6, 7], group, GroupNorm::forward);
        agree_layer(2, [3, 6, 4, 5], group, GroupNorm::forward);
        agree_layer(2, [2, 6, 3, 4, 2], group, GroupNorm::forward);
        let instance = |device: &Device| {
            let mut norm = InstanceNormConfig::new(5).with_activation(activation).init(device);
            (norm.gamma, norm.beta) = (input([5], 2, device), input([5], 3, device));
            norm
        };
        agree_layer(2, [3, 5, 7], instance, InstanceNorm::forward);
        agree_layer(2, [3, 5, 4, 5], instance, InstanceNorm::forward);
        agree_layer(2, [2, 5, 3, 4, 2], instance, InstanceNorm::forward);
        let layer = |device: &Device| {
            let mut norm = LayerNormConfig::new(7).with_activation(activation).init(device);
            (norm.gamma, norm.beta) = (input([7], 2, device), input([7], 3, device));
            norm
        };
        agree_layer(2, [4, 7], layer, LayerNorm::forward);
        agree_layer(2, [3, 5, 7], layer, LayerNorm::forward);
    }
}

#[test]
fn every_kind_of_normalisation_by_its_setting() {
    for kind in [NormKind::Batch, NormKind::Instance, NormKind::Group(2)] {
        let config = NormConfig { kind, ..NormConfig::default() };
        agree(1.0, |device| {
            let model = (config.init(6, device).unwrap(), input([3, 6, 4, 5], 1, device));
            let output = flat(model.0.forward(model.1.val()));
            let mut trace = traced(&model, vec![("output", output)], 3);
            let output = flat(model.0.valid().forward(model.1.val().inner()));
            predicted(&mut trace, vec![("output", output)]);
            trace
        });
    }
}

#[test]
fn poolings() {
    // side by side with a rest, overlapping with a padding
    agree_on([2, 3, 11], |x| MaxPoolConfig::new([3]).init().forward(x));
    agree_on([2, 3, 11], |x| MaxPoolConfig::new([3]).with_stride([2]).with_padding([1]).init().forward(x));
    agree_on([2, 3, 6, 9], |x| MaxPoolConfig::new([2, 3]).init().forward(x));
    agree_on([2, 3, 6, 9], |x| MaxPoolConfig::new([3, 3]).with_stride([2, 1]).with_padding([1, 1]).init().forward(x));
    agree_on([2, 3, 4, 6, 5], |x| MaxPoolConfig::new([2, 2, 2]).init().forward(x));
    agree_on([2, 3, 4, 6, 5], |x| {
        MaxPoolConfig::new([3, 2, 3]).with_stride([1, 2, 2]).with_padding([1, 0, 1]).init().forward(x)
    });
    for counted in [true, false] {
        agree_on([2, 3, 11], |x| AvgPoolConfig::new([3]).with_count_padding(counted).init().forward(x));
        agree_on([2, 3, 6, 9], |x| {
            let config = AvgPoolConfig::new([3, 3]).with_stride([2, 1]).with_padding([1, 1]);
            config.with_count_padding(counted).init().forward(x)
        });
        agree_on([2, 3, 4, 6, 5], |x| {
            let config = AvgPoolConfig::new([3, 2, 3]).with_stride([1, 2, 2]).with_padding([1, 0, 1]);
            config.with_count_padding(counted).init().forward(x)
        });
    }
    agree_on([2, 3, 4, 5], global_max_pool);
    agree_on([2, 3, 4, 5], global_avg_pool);
}

#[test]
fn operations_that_stand_in_no_layer() {
    for activation in ACTIVATIONS {
        agree(1.0, |device| {
            let model = (input([2, 3, 4, 5], 1, device), input([3], 2, device));
            let output = flat(bias_act(model.0.val(), model.1.val(), activation));
            traced(&model, vec![("output", output)], 2)
        });
        agree(1.0, |device| {
            let model = (input([6, 3], 1, device), input([3], 2, device));
            let output = flat(bias_act(model.0.val(), model.1.val(), activation));
            traced(&model, vec![("output", output)], 2)
        });
    }
    agree(1.0, |device| {
        let model = (input([2, 3, 4, 5], 1, device), input([2, 2, 4, 5], 2, device));
        let output = flat(join(model.0.val(), model.1.val()));
        traced(&model, vec![("output", output)], 2)
    });
}

/// In training and in prediction, with batch normalisation by the statistics of one step.
#[track_caller]
fn agree_unet<const D: usize, const N: usize>(levels: usize, norm: NormConfig, shape: [usize; D]) {
    // a block, one for each level down and each up, has two convolutions with bias and two normalisations; beside them
    // stand the transposed convolutions and the head
    let parameters = 8 * (2 * levels - 1) + 2 * (levels - 1) + 2;
    // ten normalisations one behind the other
    agree(10.0, |device| {
        let config = UNetConfig { inputs: 2, outputs: 3, base: 4, levels, norm };
        let unet: UNet<D, N> = config.init(device, &mut rng(1, &[])).unwrap();
        let model = (unet, input(shape, 1, device));
        let output = flat(model.0.forward(model.1.val()));
        let mut trace = traced(&model, vec![("output", output)], parameters + 1);
        let output = flat(model.0.valid().forward(model.1.val().inner()));
        predicted(&mut trace, vec![("output", output)]);
        trace
    });
}

#[test]
fn unets_in_two_dimensions() {
    agree_unet::<4, 2>(3, NormConfig::default(), [2, 2, 8, 12]);
    for kind in [NormKind::Instance, NormKind::Group(2)] {
        agree_unet::<4, 2>(3, NormConfig { kind, activation: Activation::LeakyRelu(0.01) }, [2, 2, 8, 12]);
    }
}

#[test]
fn unets_in_three_dimensions() {
    agree_unet::<5, 3>(2, NormConfig::default(), [2, 2, 4, 6, 8]);
    let norm = NormConfig { kind: NormKind::Instance, activation: Activation::LeakyRelu(0.01) };
    agree_unet::<5, 3>(2, norm, [2, 2, 4, 6, 8]);
}
