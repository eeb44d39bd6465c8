//! Where a run leaves its weights.

use std::fs;
use std::path::{Path, PathBuf};

/// The weights files of `path`, at least one: itself where it is a file, else every `.safetensors` file of its folder
/// `model`, or of itself where it has no such folder, in the order of their names. None where there is none, or the
/// folder cannot be read.
pub fn weights_files(path: &Path) -> Option<Vec<PathBuf>> {
    if path.is_file() {
        return Some(vec![path.to_owned()]);
    }
    let inside = path.join("model");
    let folder = if inside.is_dir() { inside } else { path.to_owned() };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    files.sort();
    (!files.is_empty()).then_some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_a_run_and_a_folder_of_weights() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        assert_eq!(weights_files(run), None);
        assert_eq!(weights_files(&run.join("absent")), None);
        let write = |name: &str| {
            let path = run.join(name);
            fs::write(&path, "").unwrap();
            path
        };
        let (second, first) = (write("b.safetensors"), write("a.safetensors"));
        write("config.toml");
        assert_eq!(weights_files(run), Some(vec![first.clone(), second]));
        assert_eq!(weights_files(&first), Some(vec![first]));
        // a run's own folder counts, and alone
        fs::create_dir(run.join("model")).unwrap();
        assert_eq!(weights_files(run), None);
        let (second, first) = (write("model/fold-1.safetensors"), write("model/fold-0.safetensors"));
        assert_eq!(weights_files(run), Some(vec![first, second]));
    }
}
