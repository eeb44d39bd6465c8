//! Elements, numbers and UIDs as they are written.

use std::path::Path;

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::uids;
use dicom_object::meta::FileMetaTableBuilder;
use sha2::{Digest, Sha256};

use super::error::DicomError;
use super::values::Object;

/// Bytes that one element can hold: its length has 32 bits, and the largest stands for "unknown".
const MAX_PIXEL_BYTES: usize = u32::MAX as usize - 1;

/// One attribute.
pub(crate) type Element = DataElement<Object>;

pub(crate) fn text(tag: Tag, vr: VR, value: &str) -> Element {
    DataElement::new(tag, vr, PrimitiveValue::from(value))
}

pub(crate) fn short(tag: Tag, value: u16) -> Element {
    DataElement::new(tag, VR::US, PrimitiveValue::from(value))
}

pub(crate) fn double(tag: Tag, value: f64) -> Element {
    DataElement::new(tag, VR::FD, PrimitiveValue::from(value))
}

pub(crate) fn pointer(tag: Tag, value: Tag) -> Element {
    DataElement::new(tag, VR::AT, PrimitiveValue::from(value))
}

pub(crate) fn sequence(tag: Tag, items: Vec<Object>) -> Element {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

pub(crate) fn item<const N: usize>(elements: [Element; N]) -> Object {
    Object::from_element_iter(elements)
}

/// The first `length` characters; a backslash would start another value.
pub(crate) fn limited(value: &str, length: usize) -> String {
    let kept = value.chars().filter(|character| *character != '\\' && !character.is_control()).take(length);
    kept.collect::<String>().trim().to_owned()
}

/// A number as DICOM writes decimals: at most 16 characters, with as many digits as fit.
pub(crate) fn decimal(value: f64) -> String {
    // 0 and -0 are one number
    let value = value + 0.0;
    let shortest = format!("{value}");
    if shortest.len() <= 16 {
        return shortest;
    }
    let fixed = (1e-4..1e15).contains(&value.abs());
    for digits in (0..=14).rev() {
        let text = if fixed { format!("{value:.digits$}") } else { format!("{value:.digits$e}") };
        if text.len() <= 16 {
            return text;
        }
    }
    shortest
}

/// Several numbers of one element.
pub(crate) fn decimals(values: &[f64]) -> String {
    values.iter().map(|&value| decimal(value)).collect::<Vec<_>>().join("\\")
}

/// A UID below the root 2.25 (PS3.5, B.2: one number of 128 bits), made from `parts`: the same parts give the same UID.
pub(crate) fn derived_uid(parts: &[&str]) -> String {
    let digest = digest(parts);
    let mut number = [0; 16];
    number.copy_from_slice(&digest[..16]);
    format!("2.25.{}", u128::from_be_bytes(number))
}

/// SHA-256 of `parts`, each behind its length, so that `ab, c` is not `a, bc`.
pub(crate) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Checks that the pixels fit into one element, and makes their number even.
pub(crate) fn padded(path: &Path, mut pixels: Vec<u8>) -> Result<Vec<u8>, DicomError> {
    if pixels.len() > MAX_PIXEL_BYTES {
        let length = pixels.len();
        let problem = format!("{length} bytes of pixels, but one object holds up to {MAX_PIXEL_BYTES}; split it");
        return Err(refusal(path, problem));
    }
    if pixels.len() % 2 == 1 {
        pixels.push(0);
    }
    Ok(pixels)
}

pub(crate) fn refusal(path: &Path, problem: impl Into<String>) -> DicomError {
    DicomError::Write { path: path.to_path_buf(), problem: problem.into() }
}

/// Puts a data set with SOP class and instance UID on disk, explicit VR little endian.
pub(crate) fn save(path: &Path, object: Object) -> Result<(), DicomError> {
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let file = object.with_meta(meta).map_err(|error| refusal(path, error.to_string()))?;
    let mut bytes = Vec::new();
    file.write_all(&mut bytes).map_err(|error| refusal(path, error.to_string()))?;
    Ok(nn_core::atomic::write(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_sixteen_characters_and_keep_their_value() {
        let values = [0.0, -0.0, 1.0, -624.0, 0.1, 1.0 / 3.0, -2.0 / 3.0, -661.826_588_622_11, -1e-16, 3.6e-5, 1e20];
        for value in values {
            let text = decimal(value);
            assert!(text.len() <= 16, "{text}");
            let back: f64 = text.parse().unwrap();
            // at least 9 digits are left beside sign, point and exponent
            assert!((back - value).abs() <= 1e-9 * value.abs(), "{value} {text}");
        }
        assert_eq!(decimal(-0.0), "0");
        assert_eq!(decimals(&[1.0, -2.5]), "1\\-2.5");
        assert!(decimal(-1.234_567_890_123_456_7e-300).len() <= 16);
    }

    #[test]
    fn uids_follow_from_their_parts() {
        let uid = derived_uid(&["a", "b"]);
        assert!(uid.starts_with("2.25.") && uid.len() <= 64, "{uid}");
        assert_eq!(uid, derived_uid(&["a", "b"]));
        assert_ne!(uid, derived_uid(&["ab", ""]));
        // Python: int.from_bytes(sha256(struct.pack('<Q', 1) + b'a' + struct.pack('<Q', 1) + b'b').digest()[:16])
        assert_eq!(uid, "2.25.275704271568797416021015442327703787136");
    }

    #[test]
    fn texts_are_cut_at_what_would_start_another_value() {
        assert_eq!(limited(" a\\b\nc ", 64), "abc");
        assert_eq!(limited("abcdef", 3), "abc");
        assert_eq!(padded(Path::new("x"), vec![1, 2, 3]).unwrap(), [1, 2, 3, 0]);
    }
}
