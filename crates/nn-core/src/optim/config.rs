//! Which optimiser, with which constants.

use super::Optimizer;
use crate::config::ConfigError;
use serde::{Deserialize, Serialize};

/// The update rule and its constants; the learning rate is given at each step.
///
/// The constructors hold the constants of PyTorch 2, unless their name says otherwise. In a
/// configuration file the fields left out take the same values: `kind = "adam"` is
/// [`OptimizerConfig::adam`].
///
/// `weight_decay` λ adds λ·x to the gradient (an L2 penalty of λ/2·‖x‖²), except in
/// [`AdamW`](Self::AdamW), where it shrinks the parameter itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Stochastic gradient descent: b ← μb + (1−d)g, x ← x − ηb; the first b is g.
    Sgd {
        /// μ, 0 to below 1; 0 is plain gradient descent.
        #[serde(default)]
        momentum: f64,
        /// d, 0 to 1; 0 in the literature.
        #[serde(default)]
        dampening: f64,
        /// Steps along g + μb instead of b.
        #[serde(default)]
        nesterov: bool,
        /// L2 penalty.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma & Ba 2015, algorithm 1).
    Adam {
        /// Decay of the mean, 0 to below 1.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the mean square, 0 to below 1.
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε in the denominator.
        #[serde(default = "epsilon_8")]
        epsilon: f64,
        /// L2 penalty.
        #[serde(default)]
        weight_decay: f64,
        /// Adds ε before the mean square is corrected for its start at zero, as Keras and TensorFlow
        /// do (ε̂ in section 2 of the paper); algorithm 1 and PyTorch add it after.
        #[serde(default)]
        epsilon_hat: bool,
    },
    /// Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019).
    AdamW {
        /// Decay of the mean, 0 to below 1.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the mean square, 0 to below 1.
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε in the denominator.
        #[serde(default = "epsilon_8")]
        epsilon: f64,
        /// The parameter is multiplied by 1 − `η·weight_decay` at each step.
        #[serde(default = "adamw_decay")]
        weight_decay: f64,
    },
    /// RMSprop (Hinton, lecture 6e of the course of 2012), not centred.
    RmsProp {
        /// Decay of the mean square, 0 to below 1.
        #[serde(default = "rmsprop_alpha")]
        alpha: f64,
        /// ε, added to the root.
        #[serde(default = "epsilon_8")]
        epsilon: f64,
        /// 0 to below 1.
        #[serde(default)]
        momentum: f64,
        /// L2 penalty.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adadelta (Zeiler 2012); the paper's learning rate is 1.
    Adadelta {
        /// Decay of both mean squares, 0 to below 1.
        #[serde(default = "adadelta_rho")]
        rho: f64,
        /// ε, added under both roots.
        #[serde(default = "epsilon_6")]
        epsilon: f64,
        /// L2 penalty.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adagrad (Duchi et al. 2011).
    Adagrad {
        /// ε, added to the root.
        #[serde(default = "epsilon_10")]
        epsilon: f64,
        /// L2 penalty.
        #[serde(default)]
        weight_decay: f64,
    },
}

fn beta1() -> f64 {
    0.9
}
fn beta2() -> f64 {
    0.999
}
fn epsilon_6() -> f64 {
    1e-6
}
fn epsilon_8() -> f64 {
    1e-8
}
fn epsilon_10() -> f64 {
    1e-10
}
fn adamw_decay() -> f64 {
    1e-2
}
fn rmsprop_alpha() -> f64 {
    0.99
}
fn adadelta_rho() -> f64 {
    0.9
}

impl Default for OptimizerConfig {
    /// [`OptimizerConfig::adam`].
    fn default() -> Self {
        Self::adam()
    }
}

impl OptimizerConfig {
    /// Plain stochastic gradient descent.
    pub fn sgd() -> Self {
        Self::sgd_momentum(0.0)
    }

    /// Gradient descent with classical momentum and dampening 0.
    pub fn sgd_momentum(momentum: f64) -> Self {
        Self::Sgd { momentum, dampening: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// Adam with the constants of the paper and of PyTorch: 0.9, 0.999, ε 1e-8.
    pub fn adam() -> Self {
        Self::Adam { beta1: beta1(), beta2: beta2(), epsilon: epsilon_8(), weight_decay: 0.0, epsilon_hat: false }
    }

    /// Adam as Keras computes it: ε 1e-7, added before the bias correction.
    pub fn adam_keras() -> Self {
        Self::Adam { beta1: beta1(), beta2: beta2(), epsilon: 1e-7, weight_decay: 0.0, epsilon_hat: true }
    }

    /// `AdamW`: the constants of [`adam`](Self::adam) and a weight decay of 1e-2.
    pub fn adamw() -> Self {
        Self::AdamW { beta1: beta1(), beta2: beta2(), epsilon: epsilon_8(), weight_decay: adamw_decay() }
    }

    /// RMSprop with α 0.99, ε 1e-8 and no momentum.
    pub fn rmsprop() -> Self {
        Self::RmsProp { alpha: rmsprop_alpha(), epsilon: epsilon_8(), momentum: 0.0, weight_decay: 0.0 }
    }

    /// Adadelta with ρ 0.9 and ε 1e-6.
    pub fn adadelta() -> Self {
        Self::Adadelta { rho: adadelta_rho(), epsilon: epsilon_6(), weight_decay: 0.0 }
    }

    /// Adadelta with the constants of Zeiler 2012, section 4.1: ρ 0.95, ε 1e-6.
    pub fn adadelta_zeiler() -> Self {
        Self::Adadelta { rho: 0.95, epsilon: epsilon_6(), weight_decay: 0.0 }
    }

    /// Adagrad with ε 1e-10.
    pub fn adagrad() -> Self {
        Self::Adagrad { epsilon: epsilon_10(), weight_decay: 0.0 }
    }

    /// The same rule with another weight decay.
    pub fn with_weight_decay(mut self, value: f64) -> Self {
        match &mut self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. }
            | Self::RmsProp { weight_decay, .. }
            | Self::Adadelta { weight_decay, .. }
            | Self::Adagrad { weight_decay, .. } => *weight_decay = value,
        }
        self
    }

    /// The name in configuration files and saved states.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
            Self::RmsProp { .. } => "rmsprop",
            Self::Adadelta { .. } => "adadelta",
            Self::Adagrad { .. } => "adagrad",
        }
    }

    /// What the rule remembers of each parameter, besides the count of its steps: at most two.
    pub(super) fn buffers(&self) -> &'static [&'static str] {
        match *self {
            Self::Sgd { momentum: 0.0, .. } => &[],
            Self::Sgd { .. } => &["momentum"],
            Self::Adam { .. } | Self::AdamW { .. } => &["mean", "square"],
            Self::RmsProp { momentum: 0.0, .. } | Self::Adagrad { .. } => &["square"],
            Self::RmsProp { .. } => &["square", "momentum"],
            Self::Adadelta { .. } => &["square", "delta"],
        }
    }

    /// Checks every constant.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first field out of its range, or settings that exclude each other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::Sgd { momentum, dampening, nesterov, weight_decay } => {
                fraction("momentum", momentum)?;
                crate::config::in_range("dampening", dampening, 0.0..=1.0)?;
                not_negative("weight_decay", weight_decay)?;
                if nesterov && (momentum == 0.0 || dampening != 0.0) {
                    return Err(ConfigError::Conflict(format!(
                        "nesterov = true needs a momentum above 0 and a dampening of 0, \
                         found momentum = {momentum} and dampening = {dampening}"
                    )));
                }
                Ok(())
            }
            Self::Adam { beta1, beta2, epsilon, weight_decay, .. }
            | Self::AdamW { beta1, beta2, epsilon, weight_decay } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                not_negative("epsilon", epsilon)?;
                not_negative("weight_decay", weight_decay)
            }
            Self::RmsProp { alpha, epsilon, momentum, weight_decay } => {
                fraction("alpha", alpha)?;
                not_negative("epsilon", epsilon)?;
                fraction("momentum", momentum)?;
                not_negative("weight_decay", weight_decay)
            }
            Self::Adadelta { rho, epsilon, weight_decay } => {
                fraction("rho", rho)?;
                not_negative("epsilon", epsilon)?;
                not_negative("weight_decay", weight_decay)
            }
            Self::Adagrad { epsilon, weight_decay } => {
                not_negative("epsilon", epsilon)?;
                not_negative("weight_decay", weight_decay)
            }
        }
    }

    /// An optimiser without any memory yet.
    pub fn init(&self) -> Optimizer {
        Optimizer::new(*self)
    }
}

fn fraction(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { field, value: value.to_string(), allowed: "0 to below 1".to_owned() })
}

pub(super) fn not_negative(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { field, value: value.to_string(), allowed: "0 or more, finite".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_alone_means_the_reference_constants() {
        for config in [
            OptimizerConfig::sgd(),
            OptimizerConfig::adam(),
            OptimizerConfig::adamw(),
            OptimizerConfig::rmsprop(),
            OptimizerConfig::adadelta(),
            OptimizerConfig::adagrad(),
        ] {
            let read: OptimizerConfig = serde_json::from_str(&format!(r#"{{"kind":"{}"}}"#, config.name())).unwrap();
            assert_eq!(read, config);
            config.validate().unwrap();
            let text = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<OptimizerConfig>(&text).unwrap(), config);
        }
        assert!(serde_json::from_str::<OptimizerConfig>(r#"{"kind":"adam","rho":0.9}"#).is_err());
    }

    #[test]
    fn constants_out_of_range_are_named() {
        let bad = [
            (OptimizerConfig::sgd_momentum(1.0), "momentum = 1"),
            (OptimizerConfig::adam().with_weight_decay(-0.1), "weight_decay = -0.1"),
            (OptimizerConfig::Adagrad { epsilon: f64::NAN, weight_decay: 0.0 }, "epsilon = NaN"),
            (OptimizerConfig::Adadelta { rho: 1.0, epsilon: 1e-6, weight_decay: 0.0 }, "rho = 1"),
            (
                OptimizerConfig::Sgd { momentum: 0.9, dampening: 0.1, nesterov: true, weight_decay: 0.0 },
                "nesterov = true needs",
            ),
        ];
        for (config, start) in bad {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
