//! The safetensors container: an 8-byte length, a JSON header, the tensors' bytes.
//!
//! Reading goes through the `safetensors` crate, which checks that the tensors' places cover the file without holes or
//! overlaps. Writing is done here because that crate keeps the metadata in a hash map, whose order changes from run to
//! run: equal models must give equal bytes.
//!
//! The metadata begins with a digest of everything else ([`digest`]), which is compared when the tensors are read. Files
//! of other programs and of earlier versions have none and are taken as they are.

use std::collections::BTreeMap;

use burn::store::burn_pack::Tensor as PackTensor;
use burn::tensor::{BoolStore, Bytes, DType};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::digest::{self, ContentHash};
use super::{Metadata, StoreError};

/// Longest header that is read, in bytes: ten thousand tensors need less than 2 MB. The format itself allows 100 MB.
pub const HEADER_LIMIT: u64 = 8_000_000;

/// Bytes of the length in front of the header.
pub(super) const LENGTH_BYTES: usize = 8;

/// One tensor in the header.
#[derive(Serialize)]
struct Entry {
    dtype: &'static str,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The part of the header that is not about tensors.
#[derive(Deserialize)]
struct MetadataOnly {
    #[serde(rename = "__metadata__", default)]
    metadata: Metadata,
}

/// Name of an element type in the header.
pub(super) fn element_name(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::F64 => "F64",
        DType::F32 | DType::Flex32 => "F32",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::I64 => "I64",
        DType::I32 => "I32",
        DType::I16 => "I16",
        DType::I8 => "I8",
        DType::U64 => "U64",
        DType::U32 => "U32",
        DType::U16 => "U16",
        DType::U8 => "U8",
        DType::Bool(BoolStore::Native | BoolStore::U8) => "BOOL",
        DType::Bool(BoolStore::U32) | DType::QFloat(_) => return None,
    })
}

fn element_type(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        Dtype::I32 => DType::I32,
        Dtype::I16 => DType::I16,
        Dtype::I8 => DType::I8,
        Dtype::U64 => DType::U64,
        Dtype::U32 => DType::U32,
        Dtype::U16 => DType::U16,
        Dtype::U8 => DType::U8,
        Dtype::BOOL => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Format(error.to_string()))
}

/// The file for `tensors`, ordered by falling element size (so that each is aligned) and then by name.
pub(super) fn encode(mut tensors: Vec<PackTensor>, metadata: &Metadata) -> Result<Vec<u8>, StoreError> {
    tensors.sort_by(|a, b| b.dtype.size().cmp(&a.dtype.size()).then_with(|| a.name.cmp(&b.name)));
    // The digest is known last. It stands first, so that its place does not depend on the rest.
    let mut header = format!("{{\"__metadata__\":{{\"{}\":\"", digest::NAME);
    let place = LENGTH_BYTES + header.len();
    header.push_str(&"0".repeat(digest::DIGITS));
    header.push('"');
    for (name, text) in metadata {
        header.push(',');
        header.push_str(&json(name.as_str())?);
        header.push(':');
        header.push_str(&json(text.as_str())?);
    }
    header.push('}');
    let mut entries = BTreeMap::new();
    let mut end = 0;
    for tensor in &tensors {
        let Some(dtype) = element_name(tensor.dtype) else {
            return Err(StoreError::Element { name: tensor.name.clone(), element: tensor.dtype.name().to_string() });
        };
        let start = end;
        end += tensor.byte_len();
        let entry = Entry { dtype, shape: tensor.shape.to_vec(), data_offsets: [start, end] };
        header.push(',');
        header.push_str(&json(tensor.name.as_str())?);
        header.push(':');
        header.push_str(&json(&entry)?);
        entries.insert(tensor.name.clone(), entry);
    }
    header.push('}');
    while !header.len().is_multiple_of(LENGTH_BYTES) {
        header.push(' ');
    }
    let length = header.len() as u64;
    if length > HEADER_LIMIT {
        return Err(StoreError::HeaderTooLarge { found: length, limit: HEADER_LIMIT });
    }

    let mut file = Vec::with_capacity(LENGTH_BYTES + header.len() + end);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    for tensor in tensors {
        let name = tensor.name.clone();
        let bytes = tensor.into_bytes().map_err(|error| StoreError::Device { name, reason: error.to_string() })?;
        file.extend_from_slice(&bytes);
    }
    let data = &file[LENGTH_BYTES + header.len()..];
    let mut hash = ContentHash::new(metadata, entries.len());
    for (name, entry) in &entries {
        let [start, end] = entry.data_offsets;
        hash.tensor(name, entry.dtype, &entry.shape, data.get(start..end).unwrap_or_default());
    }
    let digest = hash.finish();
    file[place..place + digest.len()].copy_from_slice(digest.as_bytes());
    Ok(file)
}

/// Length of the header that follows the first 8 bytes of a file, refused where it is beyond [`HEADER_LIMIT`]. `start`
/// is the file or its beginning; with one byte more than the 8 a file of another format is told as such.
pub(super) fn header_length(start: &[u8]) -> Result<usize, StoreError> {
    let Some(length) = start.first_chunk::<LENGTH_BYTES>() else {
        return Err(StoreError::Format(format!("it has {} bytes, too few for a header", start.len())));
    };
    // The format's description prescribes the brace. Without this a text would be said to have a header of exabytes.
    if start.get(LENGTH_BYTES).is_some_and(|&byte| byte != b'{') {
        let text = format!("no header begins behind its first {LENGTH_BYTES} bytes, so it is a file of another kind");
        return Err(StoreError::Format(text));
    }
    let length = u64::from_le_bytes(*length);
    if length > HEADER_LIMIT {
        return Err(StoreError::HeaderTooLarge { found: length, limit: HEADER_LIMIT });
    }
    Ok(length as usize)
}

/// The metadata out of a header, without the 8 bytes before it; the digest is left out and not looked at.
pub(super) fn header_metadata(header: &[u8]) -> Result<Metadata, StoreError> {
    let mut parsed: MetadataOnly =
        serde_json::from_slice(header).map_err(|error| StoreError::Format(format!("its header: {error}")))?;
    parsed.metadata.remove(digest::NAME);
    Ok(parsed.metadata)
}

/// The tensors of a file by name, and its metadata without the digest, with which they agree if the file has one.
pub(super) fn decode(file: &[u8]) -> Result<(BTreeMap<String, PackTensor>, Metadata), StoreError> {
    header_length(file)?;
    let (header, parsed) = SafeTensors::read_metadata(file).map_err(|error| StoreError::Format(error.to_string()))?;
    let data = file.get(LENGTH_BYTES + header..).unwrap_or_default();
    let mut metadata: Metadata =
        parsed.metadata().iter().flatten().map(|(name, text)| (name.clone(), text.clone())).collect();
    let written = metadata.remove(digest::NAME);
    let infos: BTreeMap<_, _> = parsed.tensors().into_iter().collect();
    let mut hash = written.is_some().then(|| ContentHash::new(&metadata, infos.len()));
    let mut tensors = BTreeMap::new();
    for (name, info) in infos {
        let dtype = element_type(info.dtype);
        let Some((dtype, element)) = dtype.and_then(|dtype| Some((dtype, element_name(dtype)?))) else {
            return Err(StoreError::Element { name, element: format!("{:?}", info.dtype) });
        };
        let (start, end) = info.data_offsets;
        let Some(bytes) = data.get(start..end) else {
            return Err(StoreError::Format(format!("tensor {name:?} lies outside of the file")));
        };
        if let Some(hash) = &mut hash {
            hash.tensor(&name, element, &info.shape, bytes);
        }
        let bytes = Bytes::from_bytes_vec(bytes.to_vec());
        let tensor = PackTensor::new(name.clone(), dtype, info.shape.clone(), None, bytes);
        tensors.insert(name, tensor);
    }
    if let (Some(written), Some(hash)) = (written, hash) {
        let found = hash.finish();
        if found != written {
            return Err(StoreError::Damaged { found, written });
        }
    }
    Ok((tensors, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dtype: DType, shape: &[usize], bytes: Vec<u8>) -> PackTensor {
        PackTensor::new(name.to_string(), dtype, shape.to_vec(), None, Bytes::from_bytes_vec(bytes))
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        // Written out by hand from the format's description: wide elements first, then by name, header padded to 8. The
        // digest is that of Python's hashlib over the bytes that the description of the digest lists.
        let tensors = vec![
            tensor("b", DType::U8, &[2], vec![1, 2]),
            tensor("a", DType::F32, &[1], 1.5f32.to_le_bytes().to_vec()),
        ];
        let metadata = Metadata::from([("k".to_string(), "v".to_string())]);
        let file = encode(tensors, &metadata).unwrap();
        let header = concat!(
            r#"{"__metadata__":{"galen_sha256":"1df75161f41770fa24d1f6f5e10dc2621929a73e69c5c9c325658047f06151a8","#,
            r#""k":"v"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#,
            r#""b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}"#
        );
        let padded = header.len().next_multiple_of(8);
        let mut expected = (padded as u64).to_le_bytes().to_vec();
        expected.extend_from_slice(header.as_bytes());
        expected.resize(8 + padded, b' ');
        expected.extend_from_slice(&1.5f32.to_le_bytes());
        expected.extend_from_slice(&[1, 2]);
        assert_eq!(file, expected);

        let (read, again) = decode(&file).unwrap();
        assert_eq!(again, metadata);
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(read["b"].to_bytes().unwrap().to_vec(), [1, 2]);
    }

    #[test]
    fn hostile_headers_are_refused() {
        let file = |header: &str, data: usize| {
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend_from_slice(header.as_bytes());
            file.resize(file.len() + data, 0);
            file
        };
        let refused = |file: &[u8]| decode(file).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused(&[]).contains("0 bytes"));
        assert!(refused(&99_000_000u64.to_le_bytes()).contains("99000000 bytes; at most 8000000"));
        assert!(refused(&u64::MAX.to_le_bytes()).contains("at most 8000000"));
        assert!(refused(&[&u64::MAX.to_le_bytes()[..], b"{}"].concat()).contains("at most 8000000"));
        // Texts, archives and pickles have no header there.
        for other in [&b"name,height,weight\na,1,2\n"[..], b"PK\x03\x04 and so on", b"\x80\x02cposix\nsystem\n"] {
            let text = refused(other);
            assert!(
                text.starts_with("not a usable safetensors file: no header") && text.contains("another kind"),
                "{text}"
            );
        }
        // Two tensors on the same bytes.
        let overlap = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#;
        assert!(refused(&file(overlap, 6)).contains("invalid offset"));
        // Shape and bytes disagree; the shape overflows; bytes beyond the last tensor.
        let short = r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,4]}}"#;
        assert!(refused(&file(short, 4)).contains("not a usable safetensors file"));
        let vast = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#;
        assert!(refused(&file(vast, 0)).contains("overflow"));
        let fits = r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#;
        assert!(decode(&file(fits, 4)).is_ok());
        assert!(refused(&file(fits, 5)).contains("not fully covered"));
        assert!(refused(&file(fits, 3)).contains("not fully covered"));
        let strange = r#"{"a":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}}"#;
        assert!(refused(&file(strange, 4)).contains("F8_E5M2"));
    }
}
