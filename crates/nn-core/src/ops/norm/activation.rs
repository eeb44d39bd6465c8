//! The nonlinearity that a normalisation or a bias applies on its way out.

use burn::tensor::{Tensor, activation};
use serde::{Deserialize, Serialize};

/// A nonlinearity that costs no pass of its own.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// `max(z, 0)` (Nair & Hinton 2010).
    Relu,
    /// z above zero, and below it z times this slope, which is finite and not negative (Maas et al. 2013).
    LeakyRelu(f32),
}

impl Activation {
    /// The nonlinearity as burn's own operation.
    pub fn forward<const D: usize>(self, z: Tensor<D>) -> Tensor<D> {
        match self {
            Self::None => z,
            Self::Relu => activation::relu(z),
            Self::LeakyRelu(slope) => activation::leaky_relu(z, f64::from(slope)),
        }
    }

    /// # Panics
    /// When a slope is negative or not finite.
    pub(in crate::ops) fn check(self) {
        if let Self::LeakyRelu(slope) = self {
            assert!(slope.is_finite() && slope >= 0.0, "slope {slope} of a leaky rectifier; use 0 or more");
        }
    }
}

/// A nonlinearity inside a loop.
pub(in crate::ops) trait Act: Copy + Send + Sync {
    fn value(self, z: f32) -> f32;
    /// The gradient in front of the nonlinearity. Its sign is all that is used of `z`, so the value behind
    /// the nonlinearity serves as well.
    fn gradient(self, z: f32, grad: f32) -> f32;
}

#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Identity;

#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Rectifier;

#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct LeakyRectifier(pub(in crate::ops) f32);

impl Act for Identity {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        z
    }

    #[inline(always)]
    fn gradient(self, _: f32, grad: f32) -> f32 {
        grad
    }
}

impl Act for Rectifier {
    // Unlike `f32::max` it lets NaN through, so that a broken weight reaches the loss check.
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        if z < 0.0 { 0.0 } else { z }
    }

    #[inline(always)]
    fn gradient(self, z: f32, grad: f32) -> f32 {
        if z > 0.0 { grad } else { 0.0 }
    }
}

impl Act for LeakyRectifier {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        if z > 0.0 { z } else { z * self.0 }
    }

    #[inline(always)]
    fn gradient(self, z: f32, grad: f32) -> f32 {
        if z > 0.0 { grad } else { grad * self.0 }
    }
}

/// Evaluates an expression with the loop form of an [`Activation`].
macro_rules! with_activation {
    ($activation:expr, |$act:ident| $body:expr) => {
        match $activation {
            $crate::ops::norm::activation::Activation::None => {
                let $act = $crate::ops::norm::activation::Identity;
                $body
            }
            $crate::ops::norm::activation::Activation::Relu => {
                let $act = $crate::ops::norm::activation::Rectifier;
                $body
            }
            $crate::ops::norm::activation::Activation::LeakyRelu(slope) => {
                let $act = $crate::ops::norm::activation::LeakyRectifier(slope);
                $body
            }
        }
    };
}
pub(in crate::ops) use with_activation;
