//! Encapsulated pixel data (PS3.5, A.4): a table of offsets, then fragments, one or more of which make a frame.

use std::borrow::Cow;
use std::ops::Range;

use dicom_core::Tag;
use dicom_core::value::PrimitiveValue;
use dicom_dictionary_std::tags;

use crate::io::dicom::dataset::PixelElement;
use crate::io::dicom::error::Fault;
use crate::io::dicom::prescan::{Encoding, Source, Stop, bad};
use crate::io::dicom::values::{Object, primitive};

/// Where the fragments are.
#[derive(Debug)]
pub(super) struct Fragments {
    /// The value of each fragment, in bytes of the file.
    pieces: Vec<Range<usize>>,
    /// Where each frame begins, counted from the head of the first fragment; empty if the file does not say.
    offsets: Vec<u64>,
}

impl Fragments {
    pub(super) fn read(
        bytes: &[u8],
        element: PixelElement,
        encoding: Encoding,
        object: &Object,
    ) -> Result<Self, Fault> {
        collect(bytes, element, encoding, object).map_err(Stop::fault)
    }

    /// The stream of one frame, from 0.
    pub(super) fn frame<'a>(&self, bytes: &'a [u8], index: usize, frames: usize) -> Result<Cow<'a, [u8]>, String> {
        let pieces = self.pieces_of(bytes, index, frames)?;
        let slice = |piece: &Range<usize>| bytes.get(piece.clone()).unwrap_or_default();
        match pieces {
            [] => Err("there is no fragment for it".to_owned()),
            [piece] => Ok(Cow::Borrowed(slice(piece))),
            several => Ok(Cow::Owned(several.iter().flat_map(slice).copied().collect())),
        }
    }

    fn pieces_of(&self, bytes: &[u8], index: usize, frames: usize) -> Result<&[Range<usize>], String> {
        let pieces = self.pieces.as_slice();
        if frames == 1 {
            return Ok(pieces);
        }
        if pieces.len() == frames {
            return Ok(pieces.get(index..=index).unwrap_or_default());
        }
        let starts: Vec<usize> = if self.offsets.len() == frames {
            // an offset counts from the head of the first fragment, which is 8 bytes before its value
            let origin = pieces.first().map_or(0, |piece| piece.start);
            let place = |&offset: &u64| pieces.partition_point(|piece| ((piece.start - origin) as u64) < offset);
            self.offsets.iter().map(place).collect()
        } else {
            // without a table, a frame begins where a stream of JPEG, JPEG-LS or JPEG 2000 does
            let begins = |piece: &Range<usize>| {
                let head = bytes.get(piece.clone()).unwrap_or_default();
                head.starts_with(&[0xFF, 0xD8]) || head.starts_with(&[0xFF, 0x4F, 0xFF, 0x51])
            };
            (0..pieces.len()).filter(|&place| begins(&pieces[place])).collect()
        };
        if starts.len() != frames {
            let (held, begun) = (pieces.len(), starts.len());
            return Err(format!("{held} fragments, {begun} of which begin a frame, for {frames} frames"));
        }
        let end = starts.get(index + 1).copied().unwrap_or(pieces.len());
        Ok(pieces.get(starts[index]..end).unwrap_or_default())
    }
}

fn collect(bytes: &[u8], element: PixelElement, encoding: Encoding, object: &Object) -> Result<Fragments, Stop> {
    let source = Source { bytes, total: bytes.len() };
    let mut pieces = Vec::new();
    let mut table = None;
    let mut at = element.start;
    // the delimiter at the end is often missing; a fragment must be whole
    while bytes.len().saturating_sub(at) >= 8 {
        let head = source.head(at, bytes.len(), encoding)?;
        if head.tag == Tag(0xFFFE, 0xE0DD) {
            break;
        }
        let (Tag(0xFFFE, 0xE000), Some(length)) = (head.tag, head.length) else {
            return Err(bad(at, head.tag, "stands where a fragment of pixels should begin"));
        };
        let end = source.check(head.value, length, bytes.len(), tags::PIXEL_DATA)?;
        if table.is_none() {
            table = Some(head.value..end);
        } else {
            pieces.push(head.value..end);
        }
        at = end;
    }
    let basic = bytes.get(table.unwrap_or_default()).unwrap_or_default();
    let basic = basic.chunks_exact(4).map(|four| u64::from(u32::from_le_bytes([four[0], four[1], four[2], four[3]])));
    let offsets = match primitive(object, tags::EXTENDED_OFFSET_TABLE) {
        Some(PrimitiveValue::U64(offsets)) => offsets.to_vec(),
        _ => basic.collect(),
    };
    Ok(Fragments { pieces, offsets })
}
