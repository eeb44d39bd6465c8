//! Files that belong together under one number, and the manifest that says whether they are whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CheckpointError;
use crate::atomic;
use crate::train::state::VERSION;

pub(super) const WEIGHTS: &str = "weights.safetensors";
pub(super) const OPTIMIZER: &str = "optimizer.bin";
pub(super) const STATE: &str = "state.json";
pub(super) const METRICS: &str = "metrics.json";
pub(super) const MANIFEST: &str = "manifest.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    version: u32,
    generation: u64,
    files: Vec<Entry>,
    /// SHA-256 of the manifest with this field empty.
    seal: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

/// `weights.safetensors` of generation 7 is `weights-0007.safetensors`.
pub(super) fn file_name(name: &str, generation: u64) -> String {
    match name.split_once('.') {
        Some((stem, extension)) => format!("{stem}-{generation:04}.{extension}"),
        None => format!("{name}-{generation:04}"),
    }
}

/// The generation in a name made by [`file_name`] from one of ours; other files are none of our business.
fn generation_of(file: &str) -> Option<u64> {
    let (stem, rest) = file.split_once('-')?;
    let (digits, extension) = rest.split_once('.')?;
    let ours = [WEIGHTS, OPTIMIZER, STATE, METRICS, MANIFEST];
    if ours.iter().any(|name| name.split_once('.') == Some((stem, extension))) { digits.parse().ok() } else { None }
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

pub(super) fn make(folder: &Path) -> Result<(), CheckpointError> {
    fs::create_dir_all(folder).map_err(|cause| CheckpointError::Io {
        action: "make",
        path: folder.to_path_buf(),
        cause,
    })
}

/// The names in a folder; none if it does not exist.
fn names(folder: &Path) -> Result<Vec<String>, CheckpointError> {
    let failed = |cause| CheckpointError::Io { action: "list", path: folder.to_path_buf(), cause };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(failed(cause)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Generations that have a manifest, oldest first.
pub(super) fn generations(folder: &Path) -> Result<Vec<u64>, CheckpointError> {
    let names = names(folder)?;
    let manifests = names.iter().filter(|name| name.starts_with("manifest-") && name.ends_with(".json"));
    let mut generations: Vec<u64> = manifests.filter_map(|name| generation_of(name)).collect();
    generations.sort_unstable();
    Ok(generations)
}

pub(super) fn write(folder: &Path, generation: u64, files: &[(&str, &[u8])]) -> Result<PathBuf, CheckpointError> {
    let mut manifest = Manifest { version: VERSION, generation, files: Vec::new(), seal: String::new() };
    for (name, bytes) in files {
        let name = file_name(name, generation);
        atomic::write(&folder.join(&name), bytes)?;
        manifest.files.push(Entry { name, bytes: bytes.len() as u64, sha256: sha256(bytes) });
    }
    manifest.seal = sha256(&text_of(&manifest).map_err(CheckpointError::State)?);
    let text = text_of(&manifest).map_err(CheckpointError::State)?;
    let path = folder.join(file_name(MANIFEST, generation));
    atomic::write(&path, &text)?;
    Ok(path)
}

fn text_of(manifest: &Manifest) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(manifest).map_err(|error| error.to_string())
}

/// The files of one generation by their names without the number, each checked against the manifest; or what is wrong.
pub(super) fn verified(folder: &Path, generation: u64) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let name = file_name(MANIFEST, generation);
    let read = |name: &str| fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"));
    let text = read(&name)?;
    let mut manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format!("{name}: {error}"))?;
    // The text must be the one that this program would write, so that no other text can pass for it.
    if text_of(&manifest)? != text {
        return Err(format!("{name} was altered"));
    }
    let seal = std::mem::take(&mut manifest.seal);
    if sha256(&text_of(&manifest)?) != seal {
        return Err(format!("{name} was altered"));
    }
    if manifest.version != VERSION || manifest.generation != generation {
        return Err(format!(
            "{name} is of version {} and generation {}, not {VERSION} and {generation}",
            manifest.version, manifest.generation
        ));
    }
    let mut files = BTreeMap::new();
    for entry in manifest.files {
        let bytes = read(&entry.name)?;
        if bytes.len() as u64 != entry.bytes {
            return Err(format!("{} has {} bytes, {} were written", entry.name, bytes.len(), entry.bytes));
        }
        if sha256(&bytes) != entry.sha256 {
            return Err(format!("{} was altered", entry.name));
        }
        files.insert(entry.name.replacen(&format!("-{generation:04}"), "", 1), bytes);
    }
    Ok(files)
}

/// What `accept` makes of the newest generation that is whole, and what is wrong with those newer than it.
pub(super) fn newest<T>(
    folder: &Path,
    accept: impl Fn(u64, BTreeMap<String, Vec<u8>>) -> Result<T, String>,
) -> Result<Option<(T, Vec<String>)>, CheckpointError> {
    let mut reasons = Vec::new();
    for generation in generations(folder)?.into_iter().rev() {
        match verified(folder, generation).and_then(|files| accept(generation, files)) {
            Ok(found) => return Ok(Some((found, reasons))),
            Err(reason) => reasons.push(reason),
        }
    }
    if reasons.is_empty() { Ok(None) } else { Err(CheckpointError::Damaged { folder: folder.to_path_buf(), reasons }) }
}

/// Removes the generations that `keep` does not want, their manifests first, and what killed processes left.
pub(super) fn prune(folder: &Path, keep: impl Fn(u64) -> bool) -> Result<(), CheckpointError> {
    let mut names = names(folder)?;
    names.retain(|name| generation_of(name).is_some_and(|generation| !keep(generation)));
    names.sort_by_key(|name| !name.starts_with("manifest-"));
    for name in names {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(|cause| CheckpointError::Io { action: "remove", path, cause })?;
    }
    atomic::sweep(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_generation() {
        assert_eq!(file_name(WEIGHTS, 7), "weights-0007.safetensors");
        assert_eq!(generation_of("weights-0007.safetensors"), Some(7));
        assert_eq!(generation_of("manifest-12345.json"), Some(12345));
        for other in [".weights-0007.safetensors.1-0.tmp", "notes-3.txt", "weights-.safetensors", "weights-0007.bin"] {
            assert_eq!(generation_of(other), None, "{other}");
        }
    }

    #[test]
    fn only_whole_generations_are_found_and_unknown_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, 1, &[(WEIGHTS, b"one")]).unwrap();
        write(folder, 2, &[(WEIGHTS, b"two")]).unwrap();
        // Killed after the data and before the manifest.
        fs::write(folder.join("weights-0003.safetensors"), b"three").unwrap();
        fs::write(folder.join("notes.txt"), b"keep me").unwrap();
        let read = || newest(folder, |generation, files| Ok((generation, files[WEIGHTS].clone())));
        assert_eq!(read().unwrap().unwrap().0, (2, b"two".to_vec()));
        fs::write(folder.join("weights-0002.safetensors"), b"twO").unwrap();
        let ((generation, bytes), skipped) = read().unwrap().unwrap();
        assert_eq!((generation, bytes), (1, b"one".to_vec()));
        assert_eq!(skipped, ["weights-0002.safetensors was altered"]);
        fs::write(folder.join("weights-0001.safetensors"), b"on").unwrap();
        let error = read().unwrap_err().to_string();
        assert!(
            error
                .contains("weights-0002.safetensors was altered; weights-0001.safetensors has 2 bytes, 3 were written"),
            "{error}"
        );

        prune(folder, |generation| generation == 2).unwrap();
        let mut left = names(folder).unwrap();
        left.sort();
        assert_eq!(left, ["manifest-0002.json", "notes.txt", "weights-0002.safetensors"]);
    }
}
