//! The sets that the published studies used, each from the files in which it is passed on.
//!
//! | set | files | what comes out |
//! |---|---|---|
//! | [`diabetes`]: Diabetes 130-US hospitals (Strack 2014) | `diabetic_data.csv` | events and labels |
//! | [`pbc2`]: primary biliary cirrhosis, followed over years | `pbc2_cleaned.csv` | a [`Longitudinal`] |
//! | [`support2`], [`metabric`], [`competing`], [`deepsurv`] | CSV and HDF5 | [`SurvivalSet`]s |

pub mod diabetes;
mod hdf5;
mod longitudinal;
mod survival;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

pub use self::longitudinal::{Longitudinal, LongitudinalSubject, pbc2};
pub use self::survival::{SurvivalSet, competing, deepsurv, metabric, support2};
use super::IoError;

/// A file, or the one of a folder that has one of these names, plain or gzip.
fn found(path: &Path, names: &[&str]) -> Result<PathBuf, IoError> {
    if !fs::metadata(path).map_err(IoError::open(path))?.is_dir() {
        return Ok(path.to_path_buf());
    }
    let mut candidates = names.iter().flat_map(|name| [path.join(name), path.join(format!("{name}.gz"))]);
    candidates
        .find(|file| file.is_file())
        .ok_or_else(|| IoError::format(path, format!("there is no {} in it", names.join(" or "))))
}
