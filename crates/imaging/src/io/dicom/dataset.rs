//! The data set up to its pixels, parsed without recursion and without believing any length.
//!
//! Unlike the general parser of dicom-object, this one stops where the pixels begin, needs no more than the first bytes
//! of the file for that, reads attributes that were written with an unknown value representation by the dictionary
//! (PS3.5, 6.2.2, note 2), and refuses what is deeper or longer than it can be.

mod primitive;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::text::SpecificCharacterSet;

use self::primitive::{charset, primitive};
use super::prescan::{Encoding, MAX_DEPTH, Source, Stop, bad, dictionary_vr};
use super::values::{Object, name_of};

/// More attributes than any object has: segmentations of thousands of frames reach some 100 000.
const MAX_ATTRIBUTES: usize = 5_000_000;

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// The attribute that holds the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixelElement {
    pub(crate) tag: Tag,
    pub(crate) vr: VR,
    /// First byte of the value.
    pub(crate) start: usize,
    /// `None` where the pixels are encapsulated.
    pub(crate) length: Option<usize>,
}

/// What stands before the pixels, and where they are.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) object: Object,
    pub(crate) pixels: Option<PixelElement>,
}

/// What is being read at one depth.
enum Kind {
    Item {
        object: Object,
        charset: SpecificCharacterSet,
    },
    Sequence {
        tag: Tag,
        items: Vec<Object>,
    },
    /// Compressed pixels within an item, as those of an icon: passed over.
    Fragments,
}

struct Level {
    kind: Kind,
    encoding: Encoding,
    /// Where it ends; `None` if a delimiter says so.
    end: Option<usize>,
    /// Where it must have ended: its own end, or that of the levels around it.
    limit: usize,
}

/// Reads the attributes from `start` on, of a file of `total` bytes that begins with `bytes`.
pub(crate) fn parse(bytes: &[u8], total: usize, start: usize, encoding: Encoding) -> Result<Parsed, Stop> {
    let source = Source { bytes, total };
    let root = Kind::Item { object: Object::new_empty(), charset: SpecificCharacterSet::default() };
    let mut stack = vec![Level { kind: root, encoding, end: Some(total), limit: total }];
    let mut at = start;
    let mut attributes = 0_usize;
    loop {
        while stack.len() > 1 && stack.last().is_some_and(|level| level.end.is_some_and(|end| at >= end)) {
            close(&mut stack);
        }
        let depth = stack.len();
        let Some(level) = stack.last_mut() else { break };
        // up to seven bytes behind the last attribute are padding
        if depth == 1 && total.saturating_sub(at) < 8 {
            break;
        }
        let head = source.head(at, level.limit, level.encoding)?;
        let (limit, encoding) = (level.limit, level.encoding);
        let open = level.end.is_none();
        match &mut level.kind {
            Kind::Sequence { tag, .. } => {
                at = head.value;
                if head.tag == ITEM {
                    let end = head.length.map(|length| source.check(at, length, limit, *tag)).transpose()?;
                    let charset = inherited(&stack);
                    let kind = Kind::Item { object: Object::new_empty(), charset };
                    stack.push(Level { kind, encoding, end, limit: end.unwrap_or(limit) });
                } else if head.tag != SEQUENCE_END {
                    let name = name_of(*tag);
                    return Err(bad(head.start, head.tag, format!("stands where an item of {name} should begin")));
                } else if open {
                    close(&mut stack);
                }
            }
            Kind::Fragments => {
                at = head.value;
                if head.tag == SEQUENCE_END {
                    close(&mut stack);
                } else if let (ITEM, Some(length)) = (head.tag, head.length) {
                    at = source.check(at, length, limit, tags::PIXEL_DATA)?;
                } else {
                    return Err(bad(head.start, head.tag, "stands where a fragment of pixels should begin"));
                }
            }
            Kind::Item { .. } if head.tag == ITEM_END => {
                at = head.value;
                if open {
                    close(&mut stack);
                }
            }
            Kind::Item { .. } if head.tag.0 == ITEM.0 => {
                return Err(bad(head.start, head.tag, "stands outside of any sequence"));
            }
            Kind::Item { object, charset: codes } => {
                attributes += 1;
                if attributes > MAX_ATTRIBUTES {
                    return Err(bad(head.start, head.tag, format!("is attribute {MAX_ATTRIBUTES} of the file")));
                }
                let of_pixels = [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA];
                if depth == 1 && of_pixels.contains(&head.tag) {
                    if let Some(length) = head.length {
                        source.check(head.value, length, limit, head.tag)?;
                    }
                    let pixels = PixelElement { tag: head.tag, vr: head.vr, start: head.value, length: head.length };
                    return Ok(Parsed { object: root_of(stack), pixels: Some(pixels) });
                }
                // what was written as unknown is in implicit little endian, and the dictionary knows what it is
                let unknown = encoding.explicit && head.vr == VR::UN;
                let known = dictionary_vr(head.tag).filter(|_| unknown && head.length.is_some());
                let vr = known.unwrap_or(head.vr);
                let inner = if known.is_some() { Encoding::IMPLICIT } else { encoding };
                if head.length.is_none() || vr == VR::SQ {
                    if depth > 2 * MAX_DEPTH {
                        return Err(bad(head.start, head.tag, format!("is nested deeper than {MAX_DEPTH} sequences")));
                    }
                    at = head.value;
                    let end = head.length.map(|length| source.check(at, length, limit, head.tag)).transpose()?;
                    let fragments = of_pixels.contains(&head.tag);
                    let kind =
                        if fragments { Kind::Fragments } else { Kind::Sequence { tag: head.tag, items: vec![] } };
                    let inner = if unknown && end.is_none() { sniffed(&source, at, encoding)? } else { inner };
                    stack.push(Level { kind, encoding: inner, end, limit: end.unwrap_or(limit) });
                    continue;
                }
                let length = head.length.unwrap_or_default();
                let value = source.take(head.value, length, limit, head.tag)?;
                at = head.value + length;
                // lengths of groups (retired) are wrong as soon as anything changes
                if head.tag.1 == 0 {
                    continue;
                }
                if head.tag == tags::SPECIFIC_CHARACTER_SET {
                    *codes = charset(value);
                }
                object.put(DataElement::new(head.tag, vr, primitive(vr, value, inner.big, codes)));
            }
        }
    }
    Ok(Parsed { object: root_of(stack), pixels: None })
}

/// Puts what has ended into what is around it.
fn close(stack: &mut Vec<Level>) {
    let Some(ended) = stack.pop() else { return };
    let Some(outer) = stack.last_mut() else { return };
    match (ended.kind, &mut outer.kind) {
        (Kind::Item { object, .. }, Kind::Sequence { items, .. }) => items.push(object),
        (Kind::Sequence { tag, items }, Kind::Item { object, .. }) => {
            object.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        }
        _ => {}
    }
}

/// The data set around everything that was read.
fn root_of(stack: Vec<Level>) -> Object {
    match stack.into_iter().next().map(|level| level.kind) {
        Some(Kind::Item { object, .. }) => object,
        _ => Object::new_empty(),
    }
}

/// The character set of the innermost item.
fn inherited(stack: &[Level]) -> SpecificCharacterSet {
    let found = stack.iter().rev().find_map(|level| match &level.kind {
        Kind::Item { charset, .. } => Some(charset.clone()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// A sequence of unknown representation and unknown length holds implicit little endian (PS3.5, 6.2.2, note 4); some
/// writers go on in the encoding of the file.
fn sniffed(source: &Source, at: usize, outer: Encoding) -> Result<Encoding, Stop> {
    if source.total.saturating_sub(at) < 16 {
        return Ok(Encoding::IMPLICIT);
    }
    let first = source.bytes.get(at..at + 16).ok_or(Stop::More(at + 16))?;
    let explicit = VR::from_binary([first[12], first[13]]).is_some();
    Ok(if explicit { outer } else { Encoding::IMPLICIT })
}
