//! Where the downloaded data sets are.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::args::Common;

/// A data set that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// No folder of data sets is known.
    #[error(
        "data set {name} is needed, but there is no folder of data sets; fetch it with `cargo xtask data get {name}`, or \
         name the folder that holds it with --data-root or GALEN_DATA"
    )]
    NoRoot {
        /// Name of the data set, as `drug/davis`.
        name: String,
    },
    /// The folder of data sets does not hold it.
    #[error(
        "data set {name} is not at {path}; fetch it with `cargo xtask data get {name}`, or name the folder that holds it \
         with --data-root or GALEN_DATA"
    )]
    Absent {
        /// Name of the data set, as `drug/davis`.
        name: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// A name that leads out of the folder of data sets.
    #[error("{name:?} does not name a data set; names look like drug/davis")]
    Name {
        /// The name found.
        name: String,
    },
    /// A path that cannot be made whole.
    #[error("cannot use {path}: {reason}")]
    Path {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
}

/// Chooses the folder of data sets: the one asked for, else `default` if that folder exists, else the one that the
/// environment names.
pub fn root(asked: Option<&Path>, default: &Path, environment: Option<OsString>) -> Option<PathBuf> {
    match asked {
        Some(folder) => Some(folder.to_path_buf()),
        None if default.is_dir() => Some(default.to_path_buf()),
        None => environment.map(PathBuf::from),
    }
}

/// The path of data set `name` (a file or a folder, such as `drug/davis`) below `root`.
///
/// # Errors
/// [`DatasetError`] that says where it was looked for and how to get it.
pub fn dataset(root: Option<&Path>, name: &str) -> Result<PathBuf, DatasetError> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain {
        return Err(DatasetError::Name { name: name.to_owned() });
    }
    let Some(root) = root else {
        return Err(DatasetError::NoRoot { name: name.to_owned() });
    };
    let path = root.join(relative);
    if path.exists() { Ok(path) } else { Err(DatasetError::Absent { name: name.to_owned(), path }) }
}

/// Where what a user names is: the path itself, or the data set of that name where nothing is at a relative path.
///
/// # Errors
/// [`DatasetError`] as of [`dataset`].
pub fn locate(path: &Path, common: &Common) -> Result<PathBuf, DatasetError> {
    if path.exists() || path.is_absolute() {
        return Ok(path.to_path_buf());
    }
    dataset(common.data_root().as_deref(), &path.to_string_lossy())
}

/// As [`locate`], from the root of the file system on, so that a run can be continued from another folder and without
/// `--data-root`.
///
/// # Errors
/// [`DatasetError`] as of [`dataset`], and where the present folder is not known.
pub fn whole(path: &Path, common: &Common) -> Result<PathBuf, DatasetError> {
    let path = locate(path, common)?;
    match std::path::absolute(&path) {
        Ok(whole) => Ok(whole),
        Err(error) => Err(DatasetError::Path { path, reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_option_then_default_folder_then_environment() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let environment = Some(OsString::from("/from/environment"));
        let asked = Path::new("/asked/for");
        assert_eq!(root(Some(asked), folder.path(), environment.clone()).unwrap(), asked);
        assert_eq!(root(None, folder.path(), environment.clone()).unwrap(), folder.path());
        assert_eq!(root(None, &absent, environment).unwrap(), Path::new("/from/environment"));
        assert_eq!(root(None, &absent, None), None);
    }

    #[test]
    fn what_is_absent_is_named_with_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("drug/davis")).unwrap();
        assert_eq!(dataset(Some(folder.path()), "drug/davis").unwrap(), folder.path().join("drug/davis"));

        let message = dataset(Some(folder.path()), "drug/kiba").unwrap_err().to_string();
        for part in ["drug/kiba", "cargo xtask data get drug/kiba", "GALEN_DATA", &folder.path().display().to_string()]
        {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
        assert!(matches!(dataset(None, "drug/kiba"), Err(DatasetError::NoRoot { .. })));
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        for name in ["", "../secret", "/etc/passwd", "drug/../../x"] {
            assert!(matches!(dataset(Some(Path::new(".")), name), Err(DatasetError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn what_is_there_is_used_and_else_the_data_set_of_that_name() {
        let folder = tempfile::tempdir().unwrap();
        let set = folder.path().join("drug/davis");
        std::fs::create_dir_all(&set).unwrap();
        let common = Common { data_root: Some(folder.path().to_path_buf()), ..Common::default() };
        // The tests run in the folder of the crate.
        let here = Path::new("src/data.rs");
        assert_eq!(locate(here, &common).unwrap(), here);
        assert_eq!(whole(here, &common).unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join(here));
        for found in [locate(Path::new("drug/davis"), &common), whole(Path::new("drug/davis"), &common)] {
            assert_eq!(found.unwrap(), set);
        }
        assert!(matches!(locate(Path::new("drug/kiba"), &common), Err(DatasetError::Absent { .. })));
        // That nothing is there is said by who opens it.
        let absent = folder.path().join("absent");
        assert_eq!(whole(&absent, &common).unwrap(), absent);
    }
}
