//! Name, version and origin of a data set: `metadata/dataset.json`.

use std::fs;
use std::path::Path;

use nn_core::atomic;
use serde::{Deserialize, Serialize};

use super::METADATA;
use crate::io::IoError;

pub(super) const FILE: &str = "dataset.json";

/// Version of the standard that is written.
pub const VERSION: &str = "0.4.1";

/// Longest file that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// What `DatasetMetadataSchema` has; every field may be absent. Fields that are not of the schema are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Name of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    /// Version of the data set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<String>,
    /// Program that made it of its sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etl_name: Option<String>,
    /// Version of that program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etl_version: Option<String>,
    /// Version of MEDS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meds_version: Option<String>,
    /// When it was made, as ISO 8601 has it: `2026-11-27T12:00:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Its licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_uri: Option<String>,
    /// Where it is described.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description_uri: Option<String>,
    /// Extension columns that are keys of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_source_id_columns: Option<Vec<String>>,
    /// Extension columns that modify the code, as a unit does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_modifier_columns: Option<Vec<String>>,
    /// Extension columns with values that are neither numbers nor text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_value_modality_columns: Option<Vec<String>>,
    /// Extension columns that say where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_id_columns: Option<Vec<String>>,
    /// All other extension columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_extension_columns: Option<Vec<String>>,
}

/// Reads a `dataset.json`.
///
/// # Errors
/// [`IoError`] if it cannot be read, or [`IoError::Format`] with line and column if it is no such file.
pub fn read_metadata(file: &Path) -> Result<Metadata, IoError> {
    let length = fs::metadata(file).map_err(IoError::open(file))?.len();
    if length > LONGEST {
        return Err(IoError::format(file, format!("it has {length} bytes, more than the {LONGEST} that are read")));
    }
    let bytes = fs::read(file).map_err(IoError::open(file))?;
    let text = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|error| IoError::format(file, format!("no metadata of MEDS: {error}")))
}

/// Writes `metadata/dataset.json` of a data set; `meds_version` is [`VERSION`] unless it is given.
///
/// # Errors
/// [`IoError`] if it cannot be written.
pub fn write_metadata(folder: &Path, metadata: &Metadata) -> Result<(), IoError> {
    let folder = folder.join(METADATA);
    fs::create_dir_all(&folder).map_err(IoError::write(&folder))?;
    let mut metadata = metadata.clone();
    metadata.meds_version.get_or_insert_with(|| VERSION.to_owned());
    let path = folder.join(FILE);
    let mut text =
        serde_json::to_string_pretty(&metadata).map_err(|error| IoError::format(&path, error.to_string()))?;
    text.push('\n');
    Ok(atomic::write(&path, text.as_bytes())?)
}
