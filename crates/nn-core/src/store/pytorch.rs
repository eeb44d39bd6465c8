//! Weights that PyTorch saved.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::pytorch_reader::PytorchReader;
use burn::store::{
    FloatCastAdapter, KeyRemapper, ModuleAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge, map_indices_contiguous,
};
use zip::ZipArchive;

use super::weights::in_file;
use super::{Mismatch, StoreError, container, pickle};

/// Longest pickle that is looked through, in bytes: it holds names and shapes, not the tensors.
const PICKLE_LIMIT: u64 = 64 << 20;

/// Buffer that PyTorch's batch normalisation counts its batches in; no computation of ours reads it.
const BATCH_COUNT: &str = "num_batches_tracked";

/// How the names of a checkpoint become those of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PyTorchImport {
    /// Entry of the checkpoint that holds the weights, such as `state_dict`; the whole checkpoint if absent.
    pub top_level_key: Option<String>,
    /// Regular expressions and what to put in place of each match (`$1` for the first group), applied in this order.
    pub renames: Vec<(String, String)>,
    /// Keep the numbers of list elements as they are. By default they are closed up, because `nn.Sequential` counts the
    /// layers without parameters too: `0, 2, 4` become `0, 1, 2`.
    pub keep_indices: bool,
}

/// What became of the tensors of a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Tensors of the model that were set, by the model's names.
    pub applied: Vec<String>,
    /// Tensors of the model that the checkpoint lacks; they keep their values.
    pub missing: Vec<String>,
    /// Tensors of the checkpoint that the model has no place for, by their names after renaming.
    pub unused: Vec<String>,
}

impl Report {
    /// Checks that the model was set whole and nothing was left over. Batch counters of PyTorch's batch normalisation,
    /// which no computation uses, may be left over.
    ///
    /// # Errors
    /// [`StoreError::Mismatch`] with the names.
    pub fn complete(&self) -> Result<(), StoreError> {
        let leftover = |name: &&String| name.rsplit('.').next() != Some(BATCH_COUNT);
        let mismatch = Mismatch {
            missing: self.missing.clone(),
            unused: self.unused.iter().filter(leftover).cloned().collect(),
            different: Vec::new(),
        };
        if mismatch.is_empty() { Ok(()) } else { Err(StoreError::Mismatch(mismatch)) }
    }
}

/// Puts PyTorch weights into `model`: a `.pt` or `.pth` file of PyTorch 1.6 or later, or a `.safetensors` file in
/// PyTorch's layout. Linear weights are transposed, normalisation parameters renamed, floating-point tensors cast to
/// the model's element type. The model keeps its device and its parameter ids.
///
/// # Errors
/// [`StoreError::Pickle`] for a file that names a function which weights do not need; [`StoreError::PyTorch`] and
/// [`StoreError::Format`] for one that is damaged or no such checkpoint; [`StoreError::Mismatch`] if a tensor has
/// another shape than the model's. Missing and unused tensors are no error here: see [`Report::complete`].
pub fn import_pytorch<M: Module>(model: M, path: &Path, options: &PyTorchImport) -> Result<(M, Report), StoreError> {
    import(model, path, options).map_err(|error| in_file(path, error))
}

fn import<M: Module>(mut model: M, path: &Path, options: &PyTorchImport) -> Result<(M, Report), StoreError> {
    let mut tensors: Vec<PackTensor> = if path.extension().is_some_and(|extension| extension == "safetensors") {
        let bytes = fs::read(path).map_err(|cause| StoreError::Read { path: path.to_path_buf(), cause })?;
        container::decode(&bytes)?.0.into_values().collect()
    } else {
        read_checkpoint(path, options.top_level_key.as_deref())?
    };
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let tensors = rename(tensors, options)?;

    // `valid` settles the running statistics, which would otherwise be averaged over the imported ones later.
    let float =
        model.valid().collect(None, None, false).iter().map(|tensor| tensor.dtype).find(burn::tensor::DType::is_float);
    let adapter: Box<dyn ModuleAdapter> = match float {
        Some(float) => Box::new(PyTorchToBurnAdapter.chain(FloatCastAdapter::to(float))),
        None => Box::new(PyTorchToBurnAdapter),
    };
    let result = model.apply(tensors, None, Some(adapter), true);
    let missing = result.missing.into_iter().map(|(name, _)| name).collect();
    if !result.errors.is_empty() {
        let different = result.errors.iter().map(ToString::to_string).collect();
        return Err(StoreError::Mismatch(Mismatch { missing, unused: result.unused, different }));
    }
    let mut applied = result.applied;
    applied.sort();
    Ok((model, Report { applied, missing, unused: result.unused }))
}

fn rename(tensors: Vec<PackTensor>, options: &PyTorchImport) -> Result<Vec<PackTensor>, StoreError> {
    let mut remapper = KeyRemapper::new();
    for (pattern, replacement) in &options.renames {
        remapper = remapper
            .add_pattern(pattern, replacement.as_str())
            .map_err(|error| StoreError::Rename { pattern: pattern.clone(), reason: error.to_string() })?;
    }
    let (mut tensors, _) = remapper.remap(tensors);
    if !options.keep_indices {
        tensors = map_indices_contiguous(tensors).0;
    }
    let mut names = BTreeSet::new();
    for tensor in &tensors {
        if !names.insert(tensor.name.as_str()) {
            return Err(StoreError::Duplicate(tensor.name.clone()));
        }
    }
    Ok(tensors)
}

fn read_checkpoint(path: &Path, top_level_key: Option<&str>) -> Result<Vec<PackTensor>, StoreError> {
    check_pickles(path)?;
    let reader = match top_level_key {
        Some(key) => PytorchReader::with_top_level_key(path, key),
        None => PytorchReader::new(path),
    };
    let reader = reader.map_err(|error| StoreError::PyTorch(error.to_string()))?;
    Ok(reader.into_tensors().into_values().map(bridge::from_pytorch).collect())
}

/// Refuses a file that is no archive of PyTorch, and one whose pickles name what weights do not need.
fn check_pickles(path: &Path) -> Result<(), StoreError> {
    let unreadable = |cause| StoreError::Read { path: path.to_path_buf(), cause };
    let damaged = StoreError::PyTorch;
    let mut file = File::open(path).map_err(unreadable)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(unreadable)?;
    if start != b"PK\x03\x04" {
        file.take(PICKLE_LIMIT).read_to_end(&mut start).map_err(unreadable)?;
        // A bare pickle cannot carry tensors; what it would do is worth telling all the same.
        if matches!(start.first(), Some(0x80 | b'(' | b'}' | b']' | b'c')) {
            pickle::check(&start).map_err(StoreError::Pickle)?;
        }
        return Err(damaged(
            "it is not an archive as PyTorch 1.6 and later write it; load it there and save its state_dict again"
                .to_string(),
        ));
    }
    file.rewind().map_err(unreadable)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        let name = entry.name().map_err(|error| damaged(error.to_string()))?.into_owned();
        if !name.ends_with(".pkl") {
            continue;
        }
        let mut content = Vec::new();
        entry.take(PICKLE_LIMIT + 1).read_to_end(&mut content).map_err(|error| damaged(format!("{name}: {error}")))?;
        if content.len() as u64 > PICKLE_LIMIT {
            return Err(damaged(format!("{name} is longer than {PICKLE_LIMIT} bytes")));
        }
        pickle::check(&content).map_err(StoreError::Pickle)?;
    }
    Ok(())
}
