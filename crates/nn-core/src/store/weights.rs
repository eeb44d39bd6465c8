//! A model's weights as a safetensors file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{BurnToPyTorchAdapter, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter};

use super::container::{self, LENGTH_BYTES};
use super::{ARCHITECTURE, Metadata, Mismatch, StoreError, digest};
use crate::atomic;

/// Metadata name under which the store notes the layout.
const LAYOUT: &str = "layout";

/// Names and orientations of the tensors in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// As the Rust modules hold them: linear weights `[in, out]`, normalisation `gamma` and `beta`.
    #[default]
    Burn,
    /// As PyTorch's modules hold them: linear weights `[out, in]`, normalisation `weight` and `bias`.
    PyTorch,
}

impl Layout {
    fn name(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::PyTorch => "pytorch",
        }
    }

    fn from_name(name: Option<&str>) -> Result<Self, StoreError> {
        match name {
            Some("burn") => Ok(Self::Burn),
            Some("pytorch") => Ok(Self::PyTorch),
            Some(other) => Err(StoreError::Format(format!("its layout {other:?} is not known"))),
            None => Err(StoreError::Format(
                "its metadata has no layout, so another program wrote it; import it as PyTorch weights".to_string(),
            )),
        }
    }
}

/// The model's tensors in `layout`, not yet fetched from the device. Running statistics that batch normalisation has
/// noted but not yet averaged in are counted.
fn collect<M: Module>(model: &M, layout: Layout) -> Vec<PackTensor> {
    let model = model.valid();
    match layout {
        Layout::Burn => model.collect(None, None, false),
        Layout::PyTorch => model.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true),
    }
}

/// The weights of `model` as a safetensors file, with `metadata` and a digest of everything in its header. Equal weights
/// and metadata give equal bytes.
///
/// # Errors
/// [`StoreError`] for an element type that safetensors lacks, a reserved metadata name, or a failing device.
pub fn to_safetensors<M: Module>(model: &M, metadata: &Metadata) -> Result<Vec<u8>, StoreError> {
    to_safetensors_as(model, metadata, Layout::Burn)
}

/// As [`to_safetensors`], in the layout asked for.
///
/// # Errors
/// As [`to_safetensors`].
pub fn to_safetensors_as<M: Module>(model: &M, metadata: &Metadata, layout: Layout) -> Result<Vec<u8>, StoreError> {
    if let Some(name) = [LAYOUT, digest::NAME].into_iter().find(|name| metadata.contains_key(*name)) {
        return Err(StoreError::Reserved(name.to_string()));
    }
    let mut metadata = metadata.clone();
    metadata.insert(LAYOUT.to_string(), layout.name().to_string());
    container::encode(collect(model, layout), &metadata)
}

/// Puts the weights of a file of this crate, in either layout, into `model`, which keeps its device and its parameter
/// ids; comes back with the metadata. A file without a digest, of an earlier version or made by hand, is not checked for
/// damage.
///
/// # Errors
/// [`StoreError::Damaged`] if weights or metadata are not those that were written; [`StoreError::Mismatch`] with every
/// tensor that is missing, superfluous, or of another shape or element type; [`StoreError::Format`] and
/// [`StoreError::HeaderTooLarge`] for bytes that are not such a file.
pub fn from_safetensors<M: Module>(mut model: M, bytes: &[u8]) -> Result<(M, Metadata), StoreError> {
    let (tensors, mut metadata) = container::decode(bytes)?;
    let layout = Layout::from_name(metadata.remove(LAYOUT).as_deref())?;
    // Collecting also settles the running statistics, which would otherwise be averaged over the loaded ones later.
    let mismatch = compare(&tensors, &collect(&model, layout));
    if !mismatch.is_empty() {
        return Err(StoreError::Mismatch(mismatch));
    }
    let tensors = tensors.into_values().collect();
    let result = match layout {
        Layout::Burn => model.apply(tensors, None, None, false),
        Layout::PyTorch => {
            let adapter: Box<dyn ModuleAdapter> = Box::new(PyTorchToBurnAdapter);
            model.apply(tensors, None, Some(adapter), true)
        }
    };
    let mismatch = Mismatch {
        missing: result.missing.into_iter().map(|(name, _)| name).collect(),
        unused: result.unused,
        different: result.errors.iter().map(ToString::to_string).collect(),
    };
    if mismatch.is_empty() { Ok((model, metadata)) } else { Err(StoreError::Mismatch(mismatch)) }
}

fn compare(file: &BTreeMap<String, PackTensor>, model: &[PackTensor]) -> Mismatch {
    let describe = |tensor: &PackTensor| {
        format!("{} {:?}", container::element_name(tensor.dtype).unwrap_or("unknown"), tensor.shape.as_slice())
    };
    let mut mismatch = Mismatch::default();
    let mut expected = BTreeMap::new();
    for tensor in model {
        expected.insert(tensor.name.as_str(), tensor);
    }
    for (&name, &tensor) in &expected {
        match file.get(name) {
            None => mismatch.missing.push(name.to_string()),
            Some(found) => {
                let (found, wanted) = (describe(found), describe(tensor));
                if found != wanted {
                    mismatch.different.push(format!("{name} is {found} in the file, {wanted} in the model"));
                }
            }
        }
    }
    mismatch.unused = file.keys().filter(|name| !expected.contains_key(name.as_str())).cloned().collect();
    mismatch
}

/// The metadata of a file with the note of its layout, after its content was compared with its digest.
///
/// # Errors
/// [`StoreError::Damaged`], [`StoreError::Format`], [`StoreError::HeaderTooLarge`] and [`StoreError::Element`].
pub(crate) fn notes(bytes: &[u8]) -> Result<Metadata, StoreError> {
    Ok(container::decode(bytes)?.1)
}

/// The metadata of a safetensors file in memory, for building the model that its weights belong to. Nothing is compared
/// with the digest before the weights are read.
///
/// # Errors
/// [`StoreError::Format`] and [`StoreError::HeaderTooLarge`].
pub fn read_metadata(bytes: &[u8]) -> Result<Metadata, StoreError> {
    let length = container::header_length(bytes)?;
    let Some(header) = bytes.get(LENGTH_BYTES..LENGTH_BYTES + length) else {
        return Err(StoreError::Format(format!("its header of {length} bytes is cut short")));
    };
    let mut metadata = container::header_metadata(header)?;
    metadata.remove(LAYOUT);
    Ok(metadata)
}

/// Checks that the metadata names the system `expected` under [`ARCHITECTURE`].
///
/// # Errors
/// [`StoreError::Architecture`] with both names.
pub fn check_architecture(metadata: &Metadata, expected: &str) -> Result<(), StoreError> {
    match metadata.get(ARCHITECTURE) {
        Some(found) if found == expected => Ok(()),
        found => Err(StoreError::Architecture {
            expected: expected.to_string(),
            found: found.cloned().unwrap_or_else(|| "no named system".to_string()),
        }),
    }
}

/// Writes [`to_safetensors`] to `path`, whole or not at all.
///
/// # Errors
/// Those of [`to_safetensors`], with the path, and [`StoreError::Write`].
pub fn save<M: Module>(model: &M, metadata: &Metadata, path: &Path) -> Result<(), StoreError> {
    let bytes = to_safetensors(model, metadata).map_err(|error| in_file(path, error))?;
    Ok(atomic::write(path, &bytes)?)
}

/// Reads `path` as [`from_safetensors`] does.
///
/// # Errors
/// Those of [`from_safetensors`], with the path, and [`StoreError::Read`].
pub fn load<M: Module>(model: M, path: &Path) -> Result<(M, Metadata), StoreError> {
    let bytes = fs::read(path).map_err(|cause| StoreError::Read { path: path.to_path_buf(), cause })?;
    from_safetensors(model, &bytes).map_err(|error| in_file(path, error))
}

/// Reads the metadata of the file at `path`, and no more of it than the header.
///
/// # Errors
/// [`StoreError::Read`], and those of [`read_metadata`], with the path.
pub fn load_metadata(path: &Path) -> Result<Metadata, StoreError> {
    let failed = |cause| StoreError::Read { path: path.to_path_buf(), cause };
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(LENGTH_BYTES as u64 + 1).read_to_end(&mut start).map_err(failed)?;
    let length = container::header_length(&start).map_err(|error| in_file(path, error))?;
    // One byte of the header is read already.
    file.take(length.saturating_sub(1) as u64).read_to_end(&mut start).map_err(failed)?;
    read_metadata(&start).map_err(|error| in_file(path, error))
}

/// As [`load_metadata`], for the file of a model of the system `expected`.
///
/// # Errors
/// Those of [`load_metadata`] and of [`check_architecture`], with the path.
pub fn load_metadata_of(path: &Path, expected: &str) -> Result<Metadata, StoreError> {
    let metadata = load_metadata(path)?;
    check_architecture(&metadata, expected).map_err(|error| in_file(path, error))?;
    Ok(metadata)
}

pub(super) fn in_file(path: &Path, error: StoreError) -> StoreError {
    match error {
        // These name the file already.
        StoreError::Read { .. } | StoreError::Write(_) | StoreError::InFile { .. } => error,
        error => StoreError::InFile { path: path.to_path_buf(), error: Box::new(error) },
    }
}
