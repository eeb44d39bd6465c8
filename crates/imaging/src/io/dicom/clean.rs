//! One file without the people in it: the data set is rebuilt attribute by attribute by the table of
//! [`deidentify`](crate::deidentify), the pixels are copied as they are.

mod rebuild;
mod risk;
mod words;

use std::fs;
use std::path::Path;

use dicom_core::VR;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_encoding::TransferSyntaxIndex;
use dicom_object::meta::FileMetaTableBuilder;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use serde::Serialize;

use self::rebuild::Rebuild;
use self::words::Words;
use super::dataset::PixelElement;
use super::derived::Code;
use super::encode::{derived_uid, digest, refusal, sequence, text};
use super::error::DicomError;
use super::prescan::Encoding;
use super::values::{self, Object};

/// Attributes that say who it is: they cannot be retained.
pub(crate) const IDENTITY: [u32; 6] = [
    0x0010_0010, // PatientName
    0x0010_0020, // PatientID
    0x0010_0030, // PatientBirthDate
    0x0010_1000, // OtherPatientIDs
    0x0010_1001, // OtherPatientNames
    0x0010_1002, // OtherPatientIDsSequence
];

/// What is to be done. Not to be printed: it holds the key.
pub(crate) struct Rules {
    /// Secret of the project.
    pub(crate) key: String,
    /// What names of patients begin with.
    pub(crate) prefix: String,
    /// Dates move by up to so many days; `None` to go by the table.
    pub(crate) shift: Option<u32>,
    pub(crate) keep_characteristics: bool,
    pub(crate) refuse_burned_in: bool,
    /// Tags that stay, and their keywords.
    pub(crate) retain: Vec<u32>,
    pub(crate) retained: Vec<String>,
    /// Words, in lower case, that identify nobody.
    pub(crate) allow: Vec<String>,
}

/// How many attributes were changed in which way, those within sequences included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Removed by the table, with curves and overlays.
    pub removed: usize,
    /// Left without a value.
    pub emptied: usize,
    /// Given another value.
    pub replaced: usize,
    /// Given another UID.
    pub uids: usize,
    /// Moved in time.
    pub dates: usize,
    /// Private ones that were removed.
    pub private: usize,
    /// Removed because no dictionary knows what they hold.
    pub unknown: usize,
    /// Texts that held a name or number of the patient, and were replaced although the table would have kept them.
    pub scrubbed: usize,
}

/// A file that can be written.
pub(crate) struct Cleaned {
    pub(crate) bytes: Vec<u8>,
    /// What the patient is called now.
    pub(crate) pseudonym: String,
    /// The new UIDs, as names of files and folders.
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) instance: String,
    /// What a person should look at.
    pub(crate) flags: Vec<String>,
    pub(crate) tally: Tally,
    /// Why it must not be written.
    pub(crate) refusal: Option<String>,
}

/// The tag of a keyword, as `SeriesDescription`.
pub(crate) fn tag_of(keyword: &str) -> Option<u32> {
    let tag = StandardDataDictionary.by_name(keyword)?.tag();
    Some(u32::from(tag.0) << 16 | u32::from(tag.1))
}

/// Reads and cleans one file; nothing is written.
pub(crate) fn clean(path: &Path, rules: &Rules) -> Result<Cleaned, DicomError> {
    let bytes = fs::read(path).map_err(DicomError::read(path))?;
    let Ok((preamble, parsed, inflated)) = super::parse(path, &bytes, bytes.len())? else {
        return Err(DicomError::NotDicom { path: path.to_path_buf(), problem: "it ends in its header".to_owned() });
    };
    let bytes = inflated.unwrap_or(bytes);
    let (mut original, pixels) = (parsed.object, parsed.pixels);
    let class = values::text(&original, tags::SOP_CLASS_UID).or(preamble.class).unwrap_or_default();
    let instance = values::text(&original, tags::SOP_INSTANCE_UID).or(preamble.instance);
    let instance = instance.unwrap_or_else(|| derived_uid(&["object", &path.to_string_lossy()]));
    // files without these are no valid objects; the meta group may know them
    original.put(text(tags::SOP_CLASS_UID, VR::UI, &class));
    original.put(text(tags::SOP_INSTANCE_UID, VR::UI, &instance));
    let (flags, mut refusal) = risk::of(&original, &class, rules.refuse_burned_in);
    let words = Words::of(&original, &rules.allow);
    let subject = subject(&original);
    let pseudonym = format!("{}{}", rules.prefix, name(&rules.key, &subject));
    let shift = rules.shift.map(|most| -days(&rules.key, &subject, most));
    let mut rebuild = Rebuild { rules, words: &words, pseudonym: &pseudonym, shift, tally: Tally::default() };
    let mut object = rebuild.object(original, false);
    let tally = rebuild.tally;
    declare(&mut object, rules, &pseudonym);
    let known = |tag| values::text(&object, tag);
    let instance = known(tags::SOP_INSTANCE_UID).unwrap_or_default();
    let (study, series) = (known(tags::STUDY_INSTANCE_UID), known(tags::SERIES_INSTANCE_UID));
    // pixels that are compressed keep their syntax; what was deflated as a whole is not
    let compressed = pixels.filter(|pixels| pixels.length.is_none());
    let syntax = if compressed.is_some() { preamble.syntax.uid.as_str() } else { native(preamble.encoding) };
    let mut written = head(path, syntax, &class, &instance)?;
    let registry = TransferSyntaxRegistry;
    let Some(codec) = registry.get(native(preamble.encoding)) else {
        return Err(refusal_of_syntax(path, preamble.encoding));
    };
    object.write_dataset_with_ts(&mut written, codec).map_err(|error| refusal_of(path, &error))?;
    let data_set = written.len();
    if let Some(element) = pixels {
        copy(path, &bytes, element, preamble.encoding, &mut written)?;
    }
    if let (None, Some(place)) = (&refusal, words.found(&written, data_set)) {
        refusal = Some(place);
    }
    // what nobody can read again is no copy
    super::parse(path, &written, written.len())?.map_err(|_| refusal_text(path))?;
    Ok(Cleaned {
        bytes: written,
        pseudonym,
        study: part_of_path(&study.unwrap_or_default(), "study"),
        series: part_of_path(&series.unwrap_or_default(), "series"),
        instance: part_of_path(&instance, "object"),
        flags,
        tally,
        refusal,
    })
}

/// A UID as the name of a file or folder: UIDs that the standards define stay as the file had them, whatever stood
/// behind.
fn part_of_path(uid: &str, instead: &str) -> String {
    let kept: String = uid.chars().filter(|&c| c.is_ascii_digit() || c == '.').take(64).collect();
    if kept.bytes().any(|byte| byte.is_ascii_digit()) { kept } else { instead.to_owned() }
}

fn refusal_of(path: &Path, error: &dyn std::error::Error) -> DicomError {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    refusal(path, format!("its data set cannot be written again: {words}"))
}

fn refusal_of_syntax(path: &Path, encoding: Encoding) -> DicomError {
    refusal(path, format!("no encoder of {}", native(encoding)))
}

fn refusal_text(path: &Path) -> DicomError {
    refusal(path, "what was made of it cannot be read again; look at it with `inspect`")
}

/// UID of the transfer syntax of a data set without compressed pixels.
fn native(encoding: Encoding) -> &'static str {
    match (encoding.explicit, encoding.big) {
        (_, true) => "1.2.840.10008.1.2.2",
        (true, false) => uids::EXPLICIT_VR_LITTLE_ENDIAN,
        (false, false) => uids::IMPLICIT_VR_LITTLE_ENDIAN,
    }
}

/// What tells patients apart: the identifier and who gave it; without one, name and date of birth; without these, the
/// study.
fn subject(object: &Object) -> Vec<String> {
    let known = |tag| values::text(object, tag);
    let named = [known(tags::PATIENT_NAME), known(tags::PATIENT_BIRTH_DATE)];
    if let Some(id) = known(tags::PATIENT_ID) {
        return vec!["id".to_owned(), id, known(tags::ISSUER_OF_PATIENT_ID).unwrap_or_default()];
    }
    if named[0].is_some() {
        return std::iter::once("name".to_owned()).chain(named.into_iter().map(Option::unwrap_or_default)).collect();
    }
    let study = known(tags::STUDY_INSTANCE_UID).or_else(|| known(tags::SOP_INSTANCE_UID));
    vec!["study".to_owned(), study.unwrap_or_default()]
}

fn hashed(purpose: &str, key: &str, subject: &[String]) -> [u8; 32] {
    let parts: Vec<&str> = [purpose, key].into_iter().chain(subject.iter().map(String::as_str)).collect();
    digest(&parts)
}

/// Twelve letters and digits: among a million patients two share them once in 500 projects.
fn name(key: &str, subject: &[String]) -> String {
    let hash = hashed("patient", key, subject);
    let number = hash[..6].iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    format!("{number:012X}")
}

/// 1 to `most` days.
fn days(key: &str, subject: &[String], most: u32) -> i64 {
    let hash = hashed("days", key, subject);
    let number = hash[..8].iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    (number % u64::from(most.max(1))) as i64 + 1
}

/// Says what was done (PS3.15, E.1.1, and the codes of PS3.16, CID 7050).
fn declare(object: &mut Object, rules: &Rules, pseudonym: &str) {
    let mut codes = vec![Code::new("113100", "DCM", "Basic Application Confidentiality Profile")];
    if rules.shift.is_some() {
        let meaning = "Retain Longitudinal Temporal Information Modified Dates Option";
        codes.push(Code::new("113107", "DCM", meaning));
    }
    if rules.keep_characteristics {
        codes.push(Code::new("113108", "DCM", "Retain Patient Characteristics Option"));
    }
    let retained = rules.retained.iter().map(|keyword| format!("retained {keyword}"));
    let method: Vec<String> = std::iter::once("PS3.15 E.1-1 2026c by Galen".to_owned()).chain(retained).collect();
    let limited = method.iter().map(|words| words.chars().take(64).collect::<String>());
    let method = limited.collect::<Vec<_>>().join("\\");
    let modified = if rules.shift.is_some() { "MODIFIED" } else { "REMOVED" };
    for element in [
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::PATIENT_NAME, VR::PN, pseudonym),
        text(tags::PATIENT_ID, VR::LO, pseudonym),
        text(tags::PATIENT_IDENTITY_REMOVED, VR::CS, "YES"),
        text(tags::DEIDENTIFICATION_METHOD, VR::LO, &method),
        sequence(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE, codes.iter().map(Code::item).collect()),
        text(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED, VR::CS, modified),
    ] {
        object.put(element);
    }
}

/// Preamble and meta group. The preamble of the original may hold anything, and is left out.
fn head(path: &Path, syntax: &str, class: &str, instance: &str) -> Result<Vec<u8>, DicomError> {
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid(instance);
    let meta = meta.build().map_err(|error| refusal_of(path, &error))?;
    let mut bytes = vec![0; 128];
    bytes.extend_from_slice(b"DICM");
    meta.write(&mut bytes).map_err(|error| refusal_of(path, &error))?;
    Ok(bytes)
}

/// Copies the attribute with the pixels. What follows it in the file is padding or signatures, which go.
fn copy(
    path: &Path,
    bytes: &[u8],
    element: PixelElement,
    encoding: Encoding,
    written: &mut Vec<u8>,
) -> Result<(), DicomError> {
    let end = match element.length {
        Some(length) => element.start.saturating_add(length),
        None => fragments_end(bytes, element.start)
            .ok_or_else(|| DicomError::pixels(path, "compressed pixels without an end; the file was cut short"))?,
    };
    let Some(value) = bytes.get(element.start..end) else {
        return Err(DicomError::pixels(path, format!("pixels end at byte {end} of {}", bytes.len())));
    };
    let length = element.length.map_or(u32::MAX, |length| (length + length % 2) as u32);
    let word = |value: u16| if encoding.big { value.to_be_bytes() } else { value.to_le_bytes() };
    written.extend(word(element.tag.0));
    written.extend(word(element.tag.1));
    if encoding.explicit {
        let long = matches!(element.vr, VR::OB | VR::OW | VR::OF | VR::OD | VR::UN);
        written.extend(if long { element.vr.to_bytes() } else { *b"OW" });
        written.extend([0, 0]);
    }
    written.extend(if encoding.big { length.to_be_bytes() } else { length.to_le_bytes() });
    written.extend_from_slice(value);
    if value.len() % 2 == 1 {
        written.push(0);
    }
    Ok(())
}

/// Where compressed pixels end, their delimiter included.
fn fragments_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let head = bytes.get(at..at.checked_add(8)?)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        at += 8;
        match head[..4] {
            [0xFE, 0xFF, 0x00, 0xE0] => at = at.checked_add(length as usize)?,
            [0xFE, 0xFF, 0xDD, 0xE0] => return Some(at),
            _ => return None,
        }
    }
}
