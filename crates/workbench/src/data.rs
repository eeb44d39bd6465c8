//! Where the downloaded data sets are.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::args::Common;

/// A data set that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// Nothing is at a path that cannot be the name of a data set.
    #[error(
        "there is no file or folder {path}{}; check the path (`cargo xtask data list` names the data sets)",
        below(.root.as_deref())
    )]
    NoFile {
        /// The path.
        path: PathBuf,
        /// The folder of data sets, which was looked into as well; none where none is known.
        root: Option<PathBuf>,
    },
    /// No folder of data sets is known.
    #[error(
        "there is no file or folder {name}, and no folder of data sets is known; if it is a data set, fetch it with \
         `cargo xtask data get {name}`, or name the folder that holds it with --data-root or GALEN_DATA"
    )]
    NoRoot {
        /// Name of the data set, as `drug/davis`.
        name: String,
    },
    /// The folder of data sets does not hold it.
    #[error(
        "there is no file or folder {name}, and no data set at {path}; fetch it with `cargo xtask data get {name}`, or \
         name the folder that holds it with --data-root or GALEN_DATA"
    )]
    Absent {
        /// Name of the data set, as `drug/davis`.
        name: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// A name that leads out of the folder of data sets.
    #[error("there is no file or folder {name:?}, and it names no data set; their names look like drug/davis")]
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

/// Where a path was looked for besides the present folder.
fn below(root: Option<&Path>) -> String {
    root.map_or_else(String::new, |root| format!(", neither here nor below {}", root.display()))
}

/// Whether a relative path cannot be the name of a data set, which is a domain and a word.
fn is_path(relative: &Path) -> bool {
    relative.components().count() != 2 || relative.extension().is_some()
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
    match root.map(|root| root.join(relative)) {
        Some(path) if path.exists() => Ok(path),
        _ if is_path(relative) => {
            Err(DatasetError::NoFile { path: relative.to_path_buf(), root: root.map(Path::to_path_buf) })
        }
        Some(path) => Err(DatasetError::Absent { name: name.to_owned(), path }),
        None => Err(DatasetError::NoRoot { name: name.to_owned() }),
    }
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
    fn a_mistyped_path_is_no_data_set_to_fetch() {
        let folder = tempfile::tempdir().unwrap();
        let common = Common { data_root: Some(folder.path().to_path_buf()), ..Common::default() };
        for name in ["pairs.csv", "scans", "mine/pairs.csv", "runs/prepared/pairs", "runs/prepared/pairs.csv"] {
            let found = locate(Path::new(name), &common).unwrap_err();
            assert!(matches!(found, DatasetError::NoFile { .. }), "{name}");
            let message = found.to_string();
            assert!(message.starts_with(&format!("there is no file or folder {name}, neither here nor")), "{message}");
            assert!(
                message.contains(&folder.path().display().to_string()) && !message.contains("data get"),
                "{message}"
            );
            let message = dataset(None, name).unwrap_err().to_string();
            assert!(message.starts_with(&format!("there is no file or folder {name}; check the path")), "{message}");
        }
        // What may be either is said to be neither.
        for root in [None, Some(folder.path())] {
            let message = dataset(root, "runs/prepared").unwrap_err().to_string();
            assert!(message.starts_with("there is no file or folder runs/prepared, and no "), "{message}");
        }
        let up = Path::new("../absent/pairs.csv");
        assert!(locate(up, &common).unwrap_err().to_string().starts_with("there is no file or folder \"../absent"));
        // A file of a set is found below the folder of data sets whatever its name looks like.
        std::fs::create_dir_all(folder.path().join("drug/davis")).unwrap();
        std::fs::write(folder.path().join("drug/davis/drugs.csv"), "id").unwrap();
        assert!(locate(Path::new("drug/davis/drugs.csv"), &common).unwrap().is_file());
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
