//! Weights in and out: our own files, and PyTorch's.
//!
//! - [`to_safetensors`] and [`from_safetensors`] (as files: [`save`], [`load`]) keep a model in the safetensors format,
//!   with its architecture, configuration and preprocessing in the metadata. Reading is strict: a tensor that is
//!   missing, superfluous or of another shape is an error that lists them all. A digest in the metadata gives a file away
//!   in which a single bit is another one than was written; files without one, of PyTorch or of earlier versions, are
//!   read without that check.
//! - [`to_safetensors_as`] with [`Layout::PyTorch`] writes what `safetensors.torch.load_file` and `load_state_dict`
//!   take: linear weights as `[out, in]`, normalisation parameters by PyTorch's names. Our own reader takes both
//!   layouts.
//! - [`weights_files`] finds the files of a run.
//! - [`import_pytorch`] reads a `state_dict` that PyTorch saved and reports what was applied, missing and unused.
//!
//! No file is ever executed. A checkpoint whose pickle names a function that a `state_dict` has no use for is refused
//! before anything is read from it, although the reader behind could not run it either: such a file is hostile.
//!
//! Equal models and metadata give equal bytes.
//!
//! ```
//! use burn::nn::{Linear, LinearConfig};
//! use burn::tensor::Device;
//! use nn_core::store::{self, Metadata};
//!
//! let device = Device::flex();
//! let model: Linear = LinearConfig::new(3, 2).init(&device);
//! let metadata = Metadata::from([(store::ARCHITECTURE.to_string(), "linear".to_string())]);
//! let bytes = store::to_safetensors(&model, &metadata)?;
//! let (again, read) = store::from_safetensors(LinearConfig::new(3, 2).init(&device), &bytes)?;
//! assert_eq!(read, metadata);
//! assert_eq!(again.weight.val().to_data(), model.weight.val().to_data());
//! # Ok::<(), store::StoreError>(())
//! ```

mod container;
mod digest;
mod error;
mod files;
mod pickle;
mod pytorch;
mod weights;

use std::collections::BTreeMap;

pub use container::HEADER_LIMIT;
pub use error::{Mismatch, StoreError};
pub use files::weights_files;
pub use pytorch::{PyTorchImport, Report, import_pytorch};
pub(crate) use weights::notes;
pub use weights::{
    Layout, check_architecture, from_safetensors, load, load_metadata, load_metadata_of, read_metadata, save,
    to_safetensors, to_safetensors_as,
};

/// What a weights file says about itself: text by name.
pub type Metadata = BTreeMap<String, String>;

/// Metadata: name of the system that the weights belong to.
pub const ARCHITECTURE: &str = "architecture";
/// Metadata: the system's configuration, as the system serialises it.
pub const CONFIG: &str = "config";
/// Metadata: what was fitted on the training part and must be applied before the model (vocabulary, scaler, …).
pub const PREPROCESSING: &str = "preprocessing";
