//! What all objects that are made from images have in common: patient and study of the source, the references to its
//! slices, the grid of the frames (PS3.3, C.7.6.16), the series and the equipment.

mod origin;

use std::path::Path;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

pub(crate) use self::origin::Origin;

use super::encode::{self, item, limited, text};
use super::error::DicomError;
use super::values::{self, Object};

/// What the files say of where they are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputOptions {
    /// Series number; viewers sort by it.
    pub series_number: u32,
    /// What the series is, in words of up to 64 characters.
    pub description: String,
    /// Name of what made it, up to 64 characters.
    pub algorithm: String,
    /// Version of what made it, up to 64 characters.
    pub version: String,
    /// When it was made, as `YYYYMMDDHHMMSS`; without it, this moment in UTC. With it the same content gives the same
    /// bytes.
    pub created: Option<String>,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            series_number: 900,
            description: "Galen".to_owned(),
            algorithm: "Galen".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created: None,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// SOP instance UID.
    pub instance: String,
    /// Series instance UID.
    pub series: String,
    /// Number of frames.
    pub frames: usize,
}

/// A concept of a coding scheme (PS3.3, 8.8).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// As `10200004`, up to 16 characters.
    pub value: String,
    /// As `SCT` for SNOMED CT, `DCM` for DICOM's own.
    pub scheme: String,
    /// The concept in words, up to 64 characters.
    pub meaning: String,
}

impl Code {
    /// A concept.
    pub fn new(value: &str, scheme: &str, meaning: &str) -> Self {
        Self { value: value.to_owned(), scheme: scheme.to_owned(), meaning: meaning.to_owned() }
    }

    pub(crate) fn item(&self) -> Object {
        item([
            text(tags::CODE_VALUE, VR::SH, &limited(&self.value, 16)),
            text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, &limited(&self.scheme, 16)),
            text(tags::CODE_MEANING, VR::LO, &limited(&self.meaning, 64)),
        ])
    }

    pub(crate) fn read(object: &Object, sequence: Tag) -> Option<Self> {
        let item = values::first_item(object, sequence)?;
        Some(Self {
            value: values::text(item, tags::CODE_VALUE)?,
            scheme: values::text(item, tags::CODING_SCHEME_DESIGNATOR).unwrap_or_default(),
            meaning: values::text(item, tags::CODE_MEANING).unwrap_or_default(),
        })
    }
}

/// What sort of object it is.
pub(crate) struct Kind {
    /// SOP class UID.
    pub(crate) class: &'static str,
    /// Value of (0008,0060).
    pub(crate) modality: &'static str,
    /// Value of (0008,0008).
    pub(crate) image_type: &'static str,
    /// Whether the class has laterality: a segmentation may not have it, a capture must.
    pub(crate) laterality: bool,
}

/// Puts the finished object on disk.
pub(crate) fn finish(path: &Path, object: Object, frames: usize) -> Result<Written, DicomError> {
    let known = |tag| values::text(&object, tag).unwrap_or_default();
    let written = Written { instance: known(tags::SOP_INSTANCE_UID), series: known(tags::SERIES_INSTANCE_UID), frames };
    encode::save(path, object)?;
    Ok(written)
}
