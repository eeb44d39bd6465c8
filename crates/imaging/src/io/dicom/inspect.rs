//! What would be read, what is refused and why, and what may tell who the patient is: from the header alone, before any
//! pixel is decoded.

use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_core::dictionary::{UidDictionary, UidDictionaryEntry};
use dicom_dictionary_std::{StandardSopClassDictionary, tags};
use serde::{Deserialize, Serialize};

use super::error::DicomError;
use super::pixels::{is_decoded, remedy};
use super::values::{self, Object, text};
use super::{DicomFile, open_header};

/// Attributes that name a person, and what a report calls them.
const NAMES: [(Tag, &str); 8] = [
    (tags::PATIENT_NAME, "PatientName"),
    (tags::PATIENT_BIRTH_DATE, "PatientBirthDate"),
    (tags::PATIENT_ADDRESS, "PatientAddress"),
    // retired, and still written
    (Tag(0x0010, 0x1000), "OtherPatientIDs"),
    (tags::REFERRING_PHYSICIAN_NAME, "ReferringPhysicianName"),
    (tags::PERFORMING_PHYSICIAN_NAME, "PerformingPhysicianName"),
    (tags::INSTITUTION_NAME, "InstitutionName"),
    (tags::ACCESSION_NUMBER, "AccessionNumber"),
];

/// Modalities whose pictures often carry the patient's name as pixels.
const OFTEN_BURNED_IN: [&str; 7] = ["US", "IVUS", "XA", "RF", "ES", "OT", "SC"];

/// One file, as a row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// Whether its pixels would be decoded.
    pub readable: bool,
    /// Why not, and what to do.
    pub problem: Option<String>,
    /// Name of the transfer syntax.
    pub syntax: Option<String>,
    /// Name of the object's class, as `CT Image Storage`.
    pub class: Option<String>,
    /// As `CT`.
    pub modality: Option<String>,
    /// As `MONOCHROME2`.
    pub photometric: Option<String>,
    /// Columns, rows, frames.
    pub size: Option<[usize; 3]>,
    /// Bits that a sample takes, and those of them that hold its value.
    pub bits: Option<[u32; 2]>,
    /// What may tell who the patient is.
    pub risks: Vec<String>,
    /// What had to be guessed.
    pub notices: Vec<String>,
}

/// Looks at one file. What is wrong with it is part of the answer.
pub fn inspect(path: &Path) -> Inspection {
    match open_header(path) {
        Ok(file) => row(&file),
        Err(error) => Inspection {
            path: path.to_path_buf(),
            readable: false,
            problem: Some(error.to_string()),
            syntax: None,
            class: None,
            modality: None,
            photometric: None,
            size: None,
            bits: None,
            risks: Vec::new(),
            notices: Vec::new(),
        },
    }
}

/// The name of a class of objects; its UID if it is not in the standard.
pub fn class_name(uid: &str) -> String {
    match StandardSopClassDictionary.by_uid(uid) {
        Some(entry) => entry.name().to_owned(),
        None => uid.to_owned(),
    }
}

fn row(file: &DicomFile) -> Inspection {
    let header = file.header();
    let problem = problem(file).map(|error| error.to_string());
    let format = header.format.as_ref();
    Inspection {
        path: header.path.clone(),
        readable: problem.is_none(),
        problem,
        syntax: Some(header.syntax.name.clone()),
        class: header.class.as_deref().map(class_name),
        modality: header.modality.clone(),
        photometric: format.map(|format| format.photometric.to_string()),
        size: format.map(|format| [format.columns, format.rows, header.frames]),
        bits: format.map(|format| [format.allocated, format.stored]),
        risks: risks(file.object(), header.burned_in, header.modality.as_deref()),
        notices: header.notices.clone(),
    }
}

/// Why the pixels would not be decoded, as far as the header tells.
fn problem(file: &DicomFile) -> Option<DicomError> {
    let header = file.header();
    let path = &header.path;
    if !file.has_pixels() {
        let class = header.class.as_deref().map_or_else(|| "an unknown class".to_owned(), class_name);
        return Some(DicomError::no_pixels(path, format!("it is an object of {class}")));
    }
    if header.format.is_none() {
        return Some(DicomError::no_pixels(path, "it does not say how many rows, columns and bits they have"));
    }
    let uid = header.syntax.uid.as_str();
    if file.is_encapsulated() && !is_decoded(uid) {
        return Some(DicomError::Unsupported {
            path: path.clone(),
            syntax: header.syntax.to_string(),
            remedy: remedy(uid).to_owned(),
        });
    }
    match file.native_bytes() {
        Some((held, implied)) if implied > held => {
            Some(DicomError::pixels(path, format!("pixel data has {held} bytes, but the header implies {implied}")))
        }
        _ => None,
    }
}

fn risks(object: &Object, burned_in: Option<bool>, modality: Option<&str>) -> Vec<String> {
    let mut risks: Vec<String> = NAMES
        .iter()
        .filter(|(tag, _)| text(object, *tag).is_some())
        .map(|(_, name)| format!("{name} is filled in"))
        .collect();
    let private = object.tags().filter(|tag| tag.0 % 2 == 1).count();
    if private > 0 {
        risks.push(format!("{private} private attributes"));
    }
    match (burned_in, modality) {
        (Some(true), _) => risks.push("text is burned into the pixels".to_owned()),
        (None, Some(code)) if OFTEN_BURNED_IN.contains(&code) => {
            risks.push(format!("pictures of {code} often have text burned in, and this one does not say"));
        }
        _ => {}
    }
    if values::text(object, tags::RECOGNIZABLE_VISUAL_FEATURES).as_deref() == Some("YES") {
        risks.push("the face can be recognised".to_owned());
    }
    risks
}
