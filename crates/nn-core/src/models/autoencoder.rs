//! Autoencoders: networks that learn a code of a row by reconstructing the row from it.
//!
//! | what | from |
//! |---|---|
//! | [`Autoencoder`]: plain or with tied weights | Rumelhart, Hinton & Williams 1986, Nature 323:533; Bourlard & Kamp 1988, Biol. Cybern. 59:291 |
//! | [`Corruption`]: denoising | Vincent et al. 2008, ICML; Vincent et al. 2010, JMLR 11:3371 |
//! | [`Sparsity`] | Ng 2011, CS294A lecture notes, section 2 |
//! | [`Contraction`] | Rifai et al. 2011, ICML |
//! | [`StackedConfig`]: layer by layer, then as a classifier | Bengio et al. 2007, NIPS 19; Vincent et al. 2010 |
//! | [`VariationalAutoencoder`] | Kingma & Welling 2014, ICLR; Rezende, Mohamed & Wierstra 2014, ICML |
//!
//! All of them learn in [`fit`](crate::train::fit): [`Reconstruct`] and [`ElboObjective`] are objectives for
//! [`Supervised`](crate::train::Supervised), and a stack drives `fit` once for each of its layers.
//!
//! ```
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! use nn_core::models::autoencoder::AutoencoderConfig;
//!
//! let config = AutoencoderConfig { inputs: 8, hidden: vec![5, 2], ..AutoencoderConfig::default() };
//! let device = Device::flex();
//! let model = config.init(&device, &mut rng(7, &[]))?;
//! let x = Tensor::<2>::zeros([3, 8], &device);
//! assert_eq!(model.encode(x.clone()).dims(), [3, 2]);
//! assert_eq!(model.forward(x).dims(), [3, 8]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```

mod denoising;
mod dense;
mod objective;
mod penalties;
mod rows;
mod stacked;
mod variational;

pub use self::denoising::Corruption;
pub use self::dense::{Autoencoder, AutoencoderConfig, Dense};
pub use self::objective::{Reconstruct, ReconstructConfig, ReconstructionLoss};
pub use self::penalties::{Contraction, Sparsity, jacobian_norm, jacobian_norm_estimate};
pub use self::rows::{Rows, RowsError};
pub use self::stacked::{LayerReport, LayerTraining, StackError, StackedAutoencoder, StackedClassifier, StackedConfig};
pub use self::variational::{ElboObjective, Likelihood, Posterior, VariationalAutoencoder, VariationalConfig};

pub(crate) use self::dense::{chain, check_widths, through};
pub(crate) use self::objective::check_columns;
pub(crate) use self::rows::{normal, scalar};

#[cfg(test)]
mod tests;
