//! Everything a network needs that no medical domain owns.
//!
//! `nn-core` stands between [burn] and the domain crates: it picks the device, adds the
//! operations, optimisers, metrics and splits that burn lacks, and holds the one training engine
//! that every gradient-trained system of the workspace uses. It knows no domain word and no file
//! format but those of tensors.
//!
//! ```
//! use nn_core::metrics::concordance_index;
//! let (measured, predicted) = ([5.0, 6.5, 7.2], [5.1, 6.0, 7.9]);
//! assert_eq!(concordance_index(&measured, &predicted)?, 1.0);
//! # Ok::<(), nn_core::metrics::MetricError>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`compute`] | device strings (`cpu`, `ndarray`, `cuda:0`, `gpu:0`) to burn devices |
//! | [`ops`] | operations with a hand-written backward for the CPU |
//! | [`layers`] | layers over these operations, and the initialisers of the papers |
//! | [`losses`] | losses with missing labels, weights and regions |
//! | [`models`] | the networks that the systems are made of, each with its paper's constants |
//! | [`explain`] | attributions, each with its check |
//! | [`transfer`] | a trained body under a new head, frozen parts |
//! | [`optim`] | optimisers with the reference constants, clipping, schedules |
//! | [`metrics`] | regression, ranking, classification, calibration, bootstrap intervals |
//! | [`data`] | splits, samplers, padding, and the one source of randomness |
//! | [`train`] | the engine: fit, checkpoint, exact resume, events |
//! | [`store`] | weights to and from safetensors and PyTorch |
//! | [`parity`] | whether a network computes the same on every device |
//!
//! Cargo features: `ndarray`, `cuda` and `vulkan` add devices; the CPU is always there.

pub use burn;

pub mod atomic;
pub mod compute;
pub mod config;
pub mod data;
pub mod explain;
pub mod layers;
pub mod losses;
pub mod metrics;
pub mod models;
pub mod ops;
pub mod optim;
pub mod parity;
pub mod store;
pub mod train;
pub mod transfer;
