//! Attributes as Rust values. An attribute that is absent, empty or not what it should be is `None` here; who needs it
//! says so.

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::InMemDicomObject;

/// A data set, or an item of a sequence.
pub(crate) type Object = InMemDicomObject;

/// As `(0028,0010) Rows`, for messages.
pub(crate) fn name_of(tag: Tag) -> String {
    match StandardDataDictionary.by_tag(tag) {
        Some(entry) => format!("{tag} {}", entry.alias()),
        None if tag.0 % 2 == 1 => format!("{tag} (private)"),
        None => tag.to_string(),
    }
}

/// The value as it stands in the data set.
pub(crate) fn primitive(object: &Object, tag: Tag) -> Option<&PrimitiveValue> {
    object.get(tag)?.value().primitive()
}

/// The whole text, trimmed, several values joined by `\`.
pub(crate) fn text(object: &Object, tag: Tag) -> Option<String> {
    let text = primitive(object, tag)?.to_str();
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// Each of several values, trimmed.
pub(crate) fn texts(object: &Object, tag: Tag) -> Vec<String> {
    text(object, tag).map(|text| text.split('\\').map(|part| part.trim().to_owned()).collect()).unwrap_or_default()
}

/// All values as numbers; `None` if there are none, or one of them is no finite number.
pub(crate) fn numbers(object: &Object, tag: Tag) -> Option<Vec<f64>> {
    let values: Vec<f64> = match primitive(object, tag)? {
        PrimitiveValue::Str(_) | PrimitiveValue::Strs(_) => {
            texts(object, tag).iter().map(|part| part.parse().ok()).collect::<Option<_>>()?
        }
        PrimitiveValue::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        PrimitiveValue::F64(values) => values.to_vec(),
        PrimitiveValue::I16(values) => values.iter().map(|&value| f64::from(value)).collect(),
        PrimitiveValue::U16(values) => values.iter().map(|&value| f64::from(value)).collect(),
        PrimitiveValue::I32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        PrimitiveValue::U32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        PrimitiveValue::I64(values) => values.iter().map(|&value| value as f64).collect(),
        PrimitiveValue::U64(values) => values.iter().map(|&value| value as f64).collect(),
        _ => return None,
    };
    (!values.is_empty() && values.iter().all(|value| value.is_finite())).then_some(values)
}

/// The first value as a number.
pub(crate) fn number(object: &Object, tag: Tag) -> Option<f64> {
    numbers(object, tag)?.first().copied()
}

/// Exactly `N` numbers, as the six of an orientation.
pub(crate) fn array<const N: usize>(object: &Object, tag: Tag) -> Option<[f64; N]> {
    numbers(object, tag)?.try_into().ok()
}

/// The first value as a whole number.
pub(crate) fn integer(object: &Object, tag: Tag) -> Option<i64> {
    whole(number(object, tag)?)
}

fn whole(value: f64) -> Option<i64> {
    // beyond 2^53 a float is no exact count of anything
    (value.fract() == 0.0 && value.abs() <= 9.0e15).then_some(value as i64)
}

/// As [`integer`], but what stands there and is no whole number is an error that quotes it.
pub(crate) fn count(object: &Object, tag: Tag) -> Result<Option<i64>, String> {
    let Some(quoted) = text(object, tag) else { return Ok(None) };
    match integer(object, tag) {
        Some(value) => Ok(Some(value)),
        None => Err(format!("holds `{}`, which is no whole number", quoted.chars().take(32).collect::<String>())),
    }
}

/// The items of a sequence; none if it is absent or empty.
pub(crate) fn items(object: &Object, tag: Tag) -> &[Object] {
    object.get(tag).and_then(|element| element.value().items()).unwrap_or_default()
}

/// The first item of a sequence.
pub(crate) fn first_item(object: &Object, tag: Tag) -> Option<&Object> {
    items(object, tag).first()
}

/// Words of a look-up table, whether they were written as words or as bytes; `None` if the attribute holds neither.
pub(crate) fn words(object: &Object, tag: Tag) -> Option<Vec<u16>> {
    match primitive(object, tag)? {
        PrimitiveValue::U16(values) => Some(values.to_vec()),
        PrimitiveValue::I16(values) => Some(values.iter().map(|&value| value as u16).collect()),
        PrimitiveValue::U8(bytes) => {
            Some(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
        }
        _ => None,
    }
}
