//! Why a model gave the output it gave, and how far the answer can be trusted.
//!
//! Everything here works on a model that turns rows of floats into logits: a closure `Fn(Tensor<D>) -> Tensor<2>`, or
//! any [`Scorer`]. The rows must not depend on each other, so the model is given in evaluation state (`model.valid()`,
//! without dropout and batch statistics). Inputs need no gradient tracking; they get it inside. Every method returns
//! the values together with their [`Check`]: how far the values are from summing to what they explain, how much they
//! still moved when the work was doubled, and how many rows the model has seen.
//!
//! | question | methods |
//! |---|---|
//! | how does the output react to a small change | [`gradient()`], [`saliency`], [`SmoothGrad`] |
//! | how is the output made up of the inputs | [`input_x_gradient`], [`IntegratedGradients`], [`deep_lift()`] |
//! | what if a part were missing | [`Occlusion`], [`FeatureAblation`], [`ExactShapley`], [`KernelShap`] |
//! | what did a layer see | [`layer_gradient`], [`grad_cam()`], [`AttentionRecorder`] |
//! | what does the whole table need | [`PermutationImportance`] |
//! | is the explanation any good | [`Infidelity`], [`SensitivityMax`], [`SensitivityN`], [`weight_randomisation`] |
//!
//! "Missing" and "made up" are relative to a [`Baseline`], which the caller chooses; parts that belong together are
//! [`Groups`].
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::explain::{Baseline, IntegratedGradients, Target};
//! let device = Device::flex();
//! let model = |x: Tensor<2>| x.clone().sum_dim(1) * x.sum_dim(1);
//! let x = Tensor::<2>::from_floats([[1.0, 2.0], [0.5, -0.5]], &device);
//! let found = IntegratedGradients::default().attribute(&model, &x, &Baseline::zero(), &Target::All(0))?;
//! // (1 + 2)² = 9 is divided as 3 and 6
//! let rows = found.rows()?;
//! assert!((rows[0][0] - 3.0).abs() < 1e-4 && (rows[0][1] - 6.0).abs() < 1e-4);
//! assert!(found.check.largest_gap().unwrap_or(f64::INFINITY) < 1e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attention;
mod attribution;
mod baseline;
mod deep_lift;
mod error;
mod grad_cam;
mod gradient;
mod groups;
mod integrated;
mod kernel_shap;
mod model;
mod occlusion;
mod permutation;
mod perturb;
mod quality;
mod shapley;
#[cfg(test)]
mod tests;

pub use self::attention::{AttentionMap, AttentionRecorder};
pub use self::attribution::{Attribution, Check};
pub use self::baseline::Baseline;
pub use self::deep_lift::{Rescale, deep_lift};
pub use self::error::ExplainError;
pub use self::grad_cam::{LayerGradient, Probe, grad_cam, layer_gradient};
pub use self::gradient::{SmoothGrad, gradient, input_x_gradient, saliency};
pub use self::groups::Groups;
pub use self::integrated::{IntegratedGradients, gauss_legendre};
pub use self::kernel_shap::KernelShap;
pub use self::model::{Scorer, Target};
pub use self::occlusion::{FeatureAblation, Occlusion};
pub use self::permutation::{Importance, Importances, PermutationImportance};
pub use self::quality::{Infidelity, SensitivityMax, SensitivityN, rank_correlation, weight_randomisation};
pub use self::shapley::ExactShapley;
