//! Bytes of a value as numbers or text.

use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

/// The character set that the value of `SpecificCharacterSet` names: the first that is known, since code extensions
/// begin with what the text begins with.
pub(super) fn charset(value: &[u8]) -> SpecificCharacterSet {
    let names = String::from_utf8_lossy(value);
    names
        .split('\\')
        .map(|name| name.trim_matches([' ', '\0']))
        .filter(|name| !name.is_empty())
        .find_map(SpecificCharacterSet::from_code)
        .unwrap_or_default()
}

/// A value as its representation says. Bytes that do not make whole numbers stay bytes.
pub(super) fn primitive(vr: VR, bytes: &[u8], big: bool, charset: &SpecificCharacterSet) -> PrimitiveValue {
    if bytes.is_empty() {
        return PrimitiveValue::Empty;
    }
    let whole = |size: usize| bytes.len().is_multiple_of(size);
    match vr {
        VR::AE | VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::TM | VR::UI => {
            several(&String::from_utf8_lossy(bytes))
        }
        VR::LO | VR::PN | VR::SH | VR::UC => several(&decoded(bytes, charset)),
        VR::LT | VR::ST | VR::UT => PrimitiveValue::Str(trimmed(&decoded(bytes, charset)).to_owned()),
        VR::UR => PrimitiveValue::Str(trimmed(&String::from_utf8_lossy(bytes)).to_owned()),
        VR::US | VR::OW if whole(2) => PrimitiveValue::U16(each(bytes, big, u16::from_le_bytes).into()),
        VR::SS if whole(2) => PrimitiveValue::I16(each(bytes, big, i16::from_le_bytes).into()),
        VR::UL | VR::OL if whole(4) => PrimitiveValue::U32(each(bytes, big, u32::from_le_bytes).into()),
        VR::SL if whole(4) => PrimitiveValue::I32(each(bytes, big, i32::from_le_bytes).into()),
        VR::FL | VR::OF if whole(4) => PrimitiveValue::F32(each(bytes, big, f32::from_le_bytes).into()),
        VR::FD | VR::OD if whole(8) => PrimitiveValue::F64(each(bytes, big, f64::from_le_bytes).into()),
        VR::UV | VR::OV if whole(8) => PrimitiveValue::U64(each(bytes, big, u64::from_le_bytes).into()),
        VR::SV if whole(8) => PrimitiveValue::I64(each(bytes, big, i64::from_le_bytes).into()),
        VR::AT if whole(4) => {
            let words = each(bytes, big, u16::from_le_bytes);
            let tags: Vec<Tag> = words.chunks_exact(2).map(|pair| Tag(pair[0], pair[1])).collect();
            PrimitiveValue::Tags(tags.into())
        }
        _ => PrimitiveValue::U8(bytes.to_vec().into()),
    }
}

fn each<const N: usize, T>(bytes: &[u8], big: bool, from: fn([u8; N]) -> T) -> Vec<T> {
    let turned = bytes.chunks_exact(N).map(|chunk| {
        let mut number = [0; N];
        number.copy_from_slice(chunk);
        if big {
            number.reverse();
        }
        from(number)
    });
    turned.collect()
}

/// Text in the character set of the data set; what is not in it becomes replacement characters.
fn decoded(bytes: &[u8], charset: &SpecificCharacterSet) -> String {
    charset.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

fn trimmed(text: &str) -> &str {
    text.trim_end_matches([' ', '\0'])
}

fn several(text: &str) -> PrimitiveValue {
    let values: Vec<String> = trimmed(text).split('\\').map(str::to_owned).collect();
    PrimitiveValue::Strs(values.into())
}
