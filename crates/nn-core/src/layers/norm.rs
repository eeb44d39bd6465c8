//! Normalisation layers with the nonlinearity behind them, over the operations of [`crate::ops`].
//!
//! Parameters and buffers are named as in burn's layers, so weights of PyTorch are read in the same way.

use crate::ops::{
    Activation, batch_norm_act, batch_norm_act_inference, group_norm_act, instance_norm_act, layer_norm_act,
};
use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

/// PyTorch's addition to the variance.
const EPSILON: f64 = 1e-5;

fn filled(size: usize, value: f64, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::full([size], value, device))
}

/// Settings of a [`BatchNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct BatchNormConfig {
    /// Channels of the input, 1 or more.
    pub channels: usize,
    /// The nonlinearity behind it.
    pub activation: Activation,
    /// Added to the variance, above 0; 1e-5 as in PyTorch.
    pub epsilon: f64,
    /// Share of a new batch in the running statistics, in 0..=1; 0.1 as in PyTorch.
    pub momentum: f64,
}

impl BatchNormConfig {
    /// PyTorch's constants, and no nonlinearity.
    pub fn new(channels: usize) -> Self {
        Self { channels, activation: Activation::None, epsilon: EPSILON, momentum: 0.1 }
    }

    /// Sets the nonlinearity.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets the share of a new batch in the running statistics.
    #[must_use]
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets what is added to the variance.
    #[must_use]
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Gamma one, beta zero, running mean zero and variance one.
    ///
    /// # Panics
    /// When there are no channels, or epsilon or the momentum are out of range.
    pub fn init(&self, device: &Device) -> BatchNorm {
        let Self { channels, activation, epsilon, momentum } = *self;
        assert!(channels > 0, "batch normalisation of 0 channels");
        assert!(epsilon > 0.0 && epsilon.is_finite(), "epsilon {epsilon} of a normalisation; use more than 0");
        assert!((0.0..=1.0).contains(&momentum), "momentum {momentum} of a batch normalisation; allowed: 0 to 1");
        BatchNorm {
            gamma: filled(channels, 1.0, device),
            beta: filled(channels, 0.0, device),
            training: Param::from_bool(true),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            activation,
            epsilon,
            momentum,
        }
    }
}

/// Batch normalisation (Ioffe & Szegedy 2015) and a nonlinearity.
///
/// It trains when the input lies on a device with gradients and the layer isn't frozen: then it normalises
/// with the statistics of the batch and updates the running ones, their variance with the unbiased estimate
/// as PyTorch does. Otherwise it normalises with the running statistics.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// Shift of each channel.
    pub beta: Param<Tensor<1>>,
    /// Whether the layer trains on a device with gradients.
    pub training: Param<Flag>,
    /// Running mean of each channel.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance of each channel.
    pub running_var: RunningState<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    epsilon: f64,
    momentum: f64,
}

impl BatchNorm {
    /// # Shapes
    /// - x `[batch, channels, positions…]` or `[batch, channels]`; output as x
    ///
    /// # Panics
    /// When the channels disagree, or in training a channel has one value only.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let device = x.device();
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        if !(device.is_autodiff() && self.training.is_enabled()) {
            let mean = self.running_mean.value().to_device(&device);
            let variance = self.running_var.value().to_device(&device);
            return batch_norm_act_inference(x, gamma, beta, mean, variance, self.activation, self.epsilon);
        }
        let channels = gamma.dims()[0];
        let count = x.shape().num_elements() / channels;
        let (out, mean, variance) = batch_norm_act(x, gamma, beta, self.activation, self.epsilon);
        // A batch of no rows says nothing about the data.
        if count > 0 {
            let unbiased = variance.mul_scalar(count as f64 / (count as f64 - 1.0));
            for (running, found) in [(&self.running_mean, mean), (&self.running_var, unbiased)] {
                let kept = running.value_sync().to_device(&device).mul_scalar(1.0 - self.momentum);
                running.update((kept + found.detach().mul_scalar(self.momentum)).detach());
                // At once, so that a checkpoint taken now holds this batch too.
                let _ = running.value_sync();
            }
        }
        out
    }
}

/// Settings of a [`GroupNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct GroupNormConfig {
    /// Groups of consecutive channels; they divide the channels.
    pub groups: usize,
    /// Channels of the input, 1 or more.
    pub channels: usize,
    /// The nonlinearity behind it.
    pub activation: Activation,
    /// Added to the variance, above 0; 1e-5 as in PyTorch.
    pub epsilon: f64,
}

impl GroupNormConfig {
    /// PyTorch's constants, and no nonlinearity.
    pub fn new(groups: usize, channels: usize) -> Self {
        Self { groups, channels, activation: Activation::None, epsilon: EPSILON }
    }

    /// Sets the nonlinearity.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Gamma one, beta zero.
    ///
    /// # Panics
    /// When the groups do not divide the channels, or epsilon is out of range.
    pub fn init(&self, device: &Device) -> GroupNorm {
        let Self { groups, channels, activation, epsilon } = *self;
        let divides = groups > 0 && channels > 0 && channels.is_multiple_of(groups);
        assert!(divides, "{groups} groups do not divide {channels} channels");
        assert!(epsilon > 0.0 && epsilon.is_finite(), "epsilon {epsilon} of a normalisation; use more than 0");
        let (gamma, beta) = (filled(channels, 1.0, device), filled(channels, 0.0, device));
        GroupNorm { gamma, beta, groups, activation, epsilon }
    }
}

/// Group normalisation (Wu & He 2018) and a nonlinearity.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// Scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// Shift of each channel.
    pub beta: Param<Tensor<1>>,
    groups: usize,
    #[module(skip)]
    activation: Activation,
    epsilon: f64,
}

impl GroupNorm {
    /// # Shapes
    /// - x `[batch, channels, positions…]`; output as x
    ///
    /// # Panics
    /// When the channels disagree.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        group_norm_act(x, self.gamma.val(), self.beta.val(), self.groups, self.activation, self.epsilon)
    }
}

/// Settings of an [`InstanceNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceNormConfig {
    /// Channels of the input, 1 or more.
    pub channels: usize,
    /// The nonlinearity behind it.
    pub activation: Activation,
    /// Added to the variance, above 0; 1e-5 as in PyTorch.
    pub epsilon: f64,
}

impl InstanceNormConfig {
    /// PyTorch's epsilon, and no nonlinearity. Scale and shift are learned, which PyTorch's default leaves out.
    pub fn new(channels: usize) -> Self {
        Self { channels, activation: Activation::None, epsilon: EPSILON }
    }

    /// Sets the nonlinearity.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Gamma one, beta zero.
    ///
    /// # Panics
    /// When there are no channels, or epsilon is out of range.
    pub fn init(&self, device: &Device) -> InstanceNorm {
        let Self { channels, activation, epsilon } = *self;
        assert!(channels > 0, "instance normalisation of 0 channels");
        assert!(epsilon > 0.0 && epsilon.is_finite(), "epsilon {epsilon} of a normalisation; use more than 0");
        let (gamma, beta) = (filled(channels, 1.0, device), filled(channels, 0.0, device));
        InstanceNorm { gamma, beta, activation, epsilon }
    }
}

/// Instance normalisation (Ulyanov et al. 2016) and a nonlinearity.
#[derive(Module, Debug)]
pub struct InstanceNorm {
    /// Scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// Shift of each channel.
    pub beta: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    epsilon: f64,
}

impl InstanceNorm {
    /// # Shapes
    /// - x `[batch, channels, positions…]` with more than one position; output as x
    ///
    /// # Panics
    /// When the channels disagree, or there is one position only.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        instance_norm_act(x, self.gamma.val(), self.beta.val(), self.activation, self.epsilon)
    }
}

/// Settings of a [`LayerNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormConfig {
    /// Length of the last axis, 1 or more.
    pub columns: usize,
    /// The nonlinearity behind it.
    pub activation: Activation,
    /// Added to the variance, above 0; 1e-5 as in PyTorch.
    pub epsilon: f64,
}

impl LayerNormConfig {
    /// PyTorch's constants, and no nonlinearity.
    pub fn new(columns: usize) -> Self {
        Self { columns, activation: Activation::None, epsilon: EPSILON }
    }

    /// Sets the nonlinearity.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Gamma one, beta zero.
    ///
    /// # Panics
    /// When there are no columns, or epsilon is out of range.
    pub fn init(&self, device: &Device) -> LayerNorm {
        let Self { columns, activation, epsilon } = *self;
        assert!(columns > 0, "layer normalisation of 0 columns");
        assert!(epsilon > 0.0 && epsilon.is_finite(), "epsilon {epsilon} of a normalisation; use more than 0");
        let (gamma, beta) = (filled(columns, 1.0, device), filled(columns, 0.0, device));
        LayerNorm { gamma, beta, activation, epsilon }
    }
}

/// Layer normalisation over the last axis (Ba et al. 2016) and a nonlinearity.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale of each column.
    pub gamma: Param<Tensor<1>>,
    /// Shift of each column.
    pub beta: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
    epsilon: f64,
}

impl LayerNorm {
    /// # Shapes
    /// - x `[…, columns]`; output as x
    ///
    /// # Panics
    /// When the columns disagree.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        layer_norm_act(x, self.gamma.val(), self.beta.val(), self.activation, self.epsilon)
    }
}

#[cfg(test)]
mod tests;
