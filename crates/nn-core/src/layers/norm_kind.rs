//! Which normalisation stands behind a convolution, as a setting.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::norm::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, InstanceNorm, InstanceNormConfig};
use crate::config::ConfigError;
use crate::ops::Activation;

/// A normalisation with the nonlinearity behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormConfig {
    /// What is normalised together.
    pub kind: NormKind,
    /// What follows.
    pub activation: Activation,
}

/// What is normalised together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// A channel over the whole batch (Ioffe & Szegedy 2015).
    Batch,
    /// A channel of one row (Ulyanov et al. 2016), which a batch of two large volumes needs.
    Instance,
    /// This many groups of channels of one row (Wu & He 2018).
    Group(usize),
}

impl Default for NormConfig {
    /// Batch normalisation and a rectifier.
    fn default() -> Self {
        Self { kind: NormKind::Batch, activation: Activation::Relu }
    }
}

impl NormConfig {
    /// # Errors
    /// [`ConfigError::Conflict`] when the groups don't divide the channels.
    pub fn validate(&self, channels: usize) -> Result<(), ConfigError> {
        match self.kind {
            NormKind::Group(groups) if groups == 0 || !channels.is_multiple_of(groups) => {
                Err(ConfigError::Conflict(format!("{groups} groups do not divide {channels} channels")))
            }
            _ => Ok(()),
        }
    }

    /// The layer for `channels` channels, with weight 1 and bias 0.
    ///
    /// # Errors
    /// [`ConfigError`], as [`NormConfig::validate`].
    pub fn init(&self, channels: usize, device: &Device) -> Result<Norm, ConfigError> {
        self.validate(channels)?;
        let act = self.activation;
        Ok(match self.kind {
            NormKind::Batch => Norm::Batch(BatchNormConfig::new(channels).with_activation(act).init(device)),
            NormKind::Instance => Norm::Instance(InstanceNormConfig::new(channels).with_activation(act).init(device)),
            NormKind::Group(groups) => {
                Norm::Group(GroupNormConfig::new(groups, channels).with_activation(act).init(device))
            }
        })
    }
}

/// A normalisation of any kind.
#[derive(Module, Debug)]
pub enum Norm {
    /// Over the batch.
    Batch(BatchNorm),
    /// Over one channel of one row.
    Instance(InstanceNorm),
    /// Over groups of channels of one row.
    Group(GroupNorm),
}

impl Norm {
    /// # Shapes
    /// - x and output `[batch, channels, axes…]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Batch(norm) => norm.forward(x),
            Self::Instance(norm) => norm.forward(x),
            Self::Group(norm) => norm.forward(x),
        }
    }
}
