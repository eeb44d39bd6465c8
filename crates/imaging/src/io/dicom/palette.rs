//! Palettes: three tables that make colours of indices (PS3.3, C.7.6.3.1.5), plain or as segments (C.7.9.2).

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::error::DicomError;
use super::lut::Table;
use super::pixels::StoredFrame;
use super::values::{Object, name_of, words};

/// Descriptor, entries, and segmented entries of one colour.
type Tags = [Tag; 3];

const COLOURS: [Tags; 3] = [
    [
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
    [
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
    [
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
        tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
    ],
];

/// The colours of a frame of indices, interleaved, and their greatest value.
pub(super) fn colours(
    path: &Path,
    object: &Object,
    frame: &StoredFrame,
    signed: bool,
) -> Result<(Vec<f32>, f64), DicomError> {
    let tables: Vec<Table> =
        COLOURS.iter().map(|colour| table(path, object, *colour, signed)).collect::<Result<_, _>>()?;
    let [red, green, blue] = tables.as_slice() else { return Ok((Vec::new(), 1.0)) };
    let pixels = frame.map(|index| [red.at(index), green.at(index), blue.at(index)]);
    Ok((pixels.into_iter().flatten().map(|value| value as f32).collect(), red.top()))
}

fn table(path: &Path, object: &Object, [descriptor, data, segments]: Tags, signed: bool) -> Result<Table, DicomError> {
    if words(object, data).is_some() {
        return Table::read(path, object, descriptor, data, signed);
    }
    let Some(segmented) = words(object, segments) else {
        return Err(DicomError::attribute(path, name_of(data), "is missing from an image of palette colours"));
    };
    let (count, first, bits) = Table::descriptor(path, object, descriptor, signed)?;
    let problem = |problem: String| DicomError::attribute(path, name_of(segments), problem);
    let entries = if bits <= 8 {
        let bytes: Vec<u16> = segmented.iter().flat_map(|word| word.to_le_bytes()).map(u16::from).collect();
        expanded(&bytes, count, false)
    } else {
        expanded(&segmented, count, true)
    };
    let entries = entries.map_err(problem)?;
    Table::new(entries, first, bits).ok_or_else(|| problem("has no entries".to_owned()))
}

/// The entries that segments stand for: literal ones, straight lines, and (`wide`) repetitions of earlier segments.
fn expanded(words: &[u16], count: usize, wide: bool) -> Result<Vec<u16>, String> {
    let mut entries: Vec<u16> = Vec::with_capacity(count);
    let mut at = 0;
    while at < words.len() && entries.len() < count {
        at = segment(words, at, count, &mut entries, wide)?;
    }
    if entries.len() == count { Ok(entries) } else { Err(format!("has {} entries, not {count}", entries.len())) }
}

/// Expands the segment at `at` and says where the next begins.
fn segment(words: &[u16], at: usize, count: usize, entries: &mut Vec<u16>, outer: bool) -> Result<usize, String> {
    let word = |place: usize| words.get(place).copied().ok_or_else(|| "ends within a segment".to_owned());
    let length = usize::from(word(at + 1)?);
    match word(at)? {
        0 => {
            let literal = words.get(at + 2..at + 2 + length).ok_or("ends within a segment")?;
            entries.extend_from_slice(literal);
            Ok(at + 2 + length)
        }
        1 => {
            let last = f64::from(word(at + 2)?);
            let from = f64::from(*entries.last().ok_or("begins with a line from nowhere")?);
            let step = (last - from) / length.max(1) as f64;
            entries.extend((1..=length).map(|place| (from + step * place as f64).round() as u16));
            Ok(at + 3)
        }
        2 if outer => {
            let offset = usize::from(word(at + 2)?) | (usize::from(word(at + 3)?) << 16);
            // counted in bytes
            let mut place = offset / 2;
            for _ in 0..length {
                if place >= at || entries.len() > count {
                    return Err("repeats what has not been yet".to_owned());
                }
                place = segment(words, place, count, entries, false)?;
            }
            Ok(at + 4)
        }
        kind => Err(format!("has a segment of kind {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of PS3.3, C.7.9.2 in small: a literal, a line, and both again.
    #[test]
    fn segments_expand() {
        let words = [0, 2, 10, 20, 1, 4, 60, 2, 2, 0, 0];
        let entries = expanded(&words, 12, true).unwrap();
        assert_eq!(entries, [10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60]);
        assert!(expanded(&words, 11, true).is_err());
        for cut in 0..words.len() {
            assert!(expanded(&words[..cut], 12, true).is_err());
        }
        assert!(expanded(&[2, 1, 0, 0], 4, true).is_err());
    }
}
