//! Weights that a classifier starts from: the body of a trained model of ours, or of a network that PyTorch saved.

use std::fs;
use std::path::Path;

use burn::module::Module;
use nn_core::atomic;
use nn_core::store::{self, Layout, Metadata, Report, StoreError, import_pytorch};
use nn_core::transfer::{load_body, under};

use super::{CLASSIFIER, ClassifyModel, ModelError};
use crate::systems::{ClassifyConfig, ClassifyNet, LEFT};

/// What a file of PyTorch begins with: an archive, or a bare pickle, which is refused with the reason.
const PYTORCH: [&[u8]; 2] = [b"PK", b"\x80"];

/// `network` with the body of the weights file at `path`; its head starts anew. The file is one of ours for the same
/// network, whatever its classes are, or one of PyTorch's (`.pt`, `.pth`, `.safetensors`) with torchvision's names. A
/// network of several branches takes the body of the network that they are made of, in each branch.
///
/// # Errors
/// [`ModelError::Store`] naming the file and the tensors that do not fit, and what [`ClassifyModel::load`] finds.
pub(crate) fn with_body(network: ClassifyNet, path: &Path) -> Result<ClassifyNet, ModelError> {
    let unread = |cause| StoreError::Read { path: path.to_path_buf(), cause };
    let bytes = fs::read(path).map_err(unread)?;
    let metadata = store::read_metadata(&bytes).ok();
    // A safetensors file begins with the length of its header, which may look like the start of a pickle.
    let foreign = match &metadata {
        Some(metadata) => !metadata.contains_key(store::ARCHITECTURE),
        None => PYTORCH.iter().any(|start| bytes.starts_with(start)),
    };
    if foreign {
        return imported(network, path);
    }
    let branch = matches!(metadata.as_ref().and_then(config_of), Some(ClassifyConfig::Densenet(_)));
    if branch && matches!(network, ClassifyNet::Sdfn(_)) {
        // In PyTorch's layout its parts have names that either branch can be read from.
        let device = network.devices().into_iter().next().unwrap_or_default();
        let trained = ClassifyModel::load(path, &device)?;
        let bytes = store::to_safetensors_as(&trained.network, &Metadata::new(), Layout::PyTorch)
            .map_err(|error| in_file(path, error))?;
        let folder = tempfile::tempdir().map_err(unread)?;
        let copy = folder.path().join("branch.safetensors");
        atomic::write(&copy, &bytes).map_err(StoreError::from)?;
        return imported(network, &copy);
    }
    let head = network.head();
    let (network, _) = load_body(network, &bytes, &head).map_err(|error| in_file(path, error))?;
    Ok(network)
}

/// The network that a file of ours is of, where its metadata says so.
fn config_of(metadata: &Metadata) -> Option<ClassifyConfig> {
    let classifier = metadata.get(store::ARCHITECTURE).is_some_and(|name| name == CLASSIFIER);
    serde_json::from_str(metadata.get(store::CONFIG).filter(|_| classifier)?).ok()
}

/// The network with the tensors of a file of PyTorch, of which none but the head's may be missing or left over.
fn imported(mut network: ClassifyNet, path: &Path) -> Result<ClassifyNet, ModelError> {
    let (head, left) = (network.head(), [LEFT]);
    let (in_head, is_left) = (under(&head), under(&left));
    let mut missing: Option<Vec<String>> = None;
    for options in network.config().pytorch_body() {
        let (next, report) = import_pytorch(network, path, &options)?;
        network = next;
        let unused = report.unused.into_iter().filter(|name| !is_left(name)).collect();
        Report { unused, ..Report::default() }.complete().map_err(|error| in_file(path, error))?;
        // What one branch lacks another one may have taken.
        missing = Some(match missing {
            Some(before) => before.into_iter().filter(|name| report.missing.contains(name)).collect(),
            None => report.missing,
        });
    }
    let missing = missing.unwrap_or_default().into_iter().filter(|name| !in_head(name)).collect();
    Report { missing, ..Report::default() }.complete().map_err(|error| in_file(path, error))?;
    Ok(network)
}

fn in_file(path: &Path, error: StoreError) -> StoreError {
    StoreError::InFile { path: path.to_path_buf(), error: Box::new(error) }
}
