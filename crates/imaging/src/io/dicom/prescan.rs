//! The bytes before the data set, and the heads of attributes: nothing is believed that the file has no bytes for.
//!
//! PS3.10 puts 128 bytes, `DICM` and a meta group in explicit little endian before the data set. Old files lack all of
//! it, some lack the preamble only, some the length of the group or the transfer syntax; what is missing is told from
//! the first attribute, and said in the header's notices.

use std::io::Read as _;
use std::path::Path;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use flate2::read::DeflateDecoder;

use super::error::{DicomError, Fault};
use super::header::TransferSyntax;
use super::values::name_of;

/// Sequences within sequences that are followed. The deepest that the standard defines are content trees of reports,
/// rarely beyond ten.
pub const MAX_DEPTH: usize = 64;

/// A deflated data set may be this many times its stored size, beyond [`ALWAYS_INFLATED`]. Pictures reach 100; the
/// format allows 1032.
const MAX_INFLATION: usize = 200;

/// Inflated sizes that are never refused, in bytes.
const ALWAYS_INFLATED: usize = 64 << 20;

const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
const IMPLICIT_LITTLE: &str = "1.2.840.10008.1.2";
const EXPLICIT_BIG: &str = "1.2.840.10008.1.2.2";

/// Transfer syntaxes whose data set is a deflate stream.
const DEFLATED: [&str; 3] = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"];

/// How the heads of attributes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) explicit: bool,
    pub(crate) big: bool,
}

impl Encoding {
    pub(crate) const IMPLICIT: Self = Self { explicit: false, big: false };
    const EXPLICIT: Self = Self { explicit: true, big: false };
    const BIG: Self = Self { explicit: true, big: true };

    fn uid(self) -> &'static str {
        match (self.explicit, self.big) {
            (_, true) => EXPLICIT_BIG,
            (true, false) => EXPLICIT_LITTLE,
            (false, false) => IMPLICIT_LITTLE,
        }
    }
}

/// Why parsing stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The file has more bytes than were given; at least so many are needed.
    More(usize),
    Bad(Fault),
}

impl Stop {
    /// The fault, where no more bytes can come.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Bad(fault) => fault,
            Self::More(needed) => {
                Fault { offset: needed, attribute: "data set".to_owned(), problem: "the file ends here".to_owned() }
            }
        }
    }
}

/// The head of an attribute, an item or a delimiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) tag: Tag,
    pub(crate) vr: VR,
    /// `None` where the end is marked by a delimiter.
    pub(crate) length: Option<usize>,
    /// Where the head begins and where the value does.
    pub(crate) start: usize,
    pub(crate) value: usize,
}

/// The first bytes of a data set whose whole length is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) total: usize,
}

impl<'a> Source<'a> {
    /// The bytes of a value, which end within `limit`.
    pub(crate) fn take(&self, at: usize, length: usize, limit: usize, tag: Tag) -> Result<&'a [u8], Stop> {
        let end = self.check(at, length, limit, tag)?;
        self.bytes.get(at..end).ok_or(Stop::More(end))
    }

    /// The end of a value of `length` bytes, if there is room for it.
    pub(crate) fn check(&self, at: usize, length: usize, limit: usize, tag: Tag) -> Result<usize, Stop> {
        let limit = limit.min(self.total);
        match at.checked_add(length) {
            Some(end) if end <= limit => Ok(end),
            _ => {
                let left = limit.saturating_sub(at);
                Err(bad(at, tag, format!("declares {length} bytes where {left} are left")))
            }
        }
    }

    /// Reads the head at `at`.
    pub(crate) fn head(&self, at: usize, limit: usize, encoding: Encoding) -> Result<Head, Stop> {
        let short = |word: &[u8]| {
            let pair = [word[0], word[1]];
            if encoding.big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
        };
        let long = |word: &[u8]| {
            let four = [word[0], word[1], word[2], word[3]];
            if encoding.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
        };
        let left = limit.min(self.total).saturating_sub(at);
        if left < 8 {
            let problem = format!("ends within the head of an attribute: {left} bytes are left");
            return Err(Stop::Bad(Fault { offset: at, attribute: "data set".to_owned(), problem }));
        }
        let first = self.bytes.get(at..at + 8).ok_or(Stop::More(at + 8))?;
        let tag = Tag(short(first), short(&first[2..]));
        let (vr, length, value) = if tag.0 == 0xFFFE {
            (VR::UN, long(&first[4..]), at + 8)
        } else if encoding.explicit {
            let vr = VR::from_binary([first[4], first[5]]).unwrap_or(VR::UN);
            if has_short_length(vr) {
                (vr, u32::from(short(&first[6..])), at + 8)
            } else {
                (vr, long(self.take(at + 8, 4, limit, tag)?), at + 12)
            }
        } else {
            (dictionary_vr(tag).unwrap_or(VR::UN), long(&first[4..]), at + 8)
        };
        let length = (length != u32::MAX).then_some(length as usize);
        Ok(Head { tag, vr, length, start: at, value })
    }
}

pub(crate) fn bad(offset: usize, tag: Tag, problem: impl Into<String>) -> Stop {
    Stop::Bad(Fault { offset, attribute: name_of(tag), problem: problem.into() })
}

/// Value representations whose length has two bytes (PS3.5, 7.1.2).
fn has_short_length(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::AS
            | VR::AT
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::FL
            | VR::FD
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::SL
            | VR::SS
            | VR::ST
            | VR::TM
            | VR::UI
            | VR::UL
            | VR::US
    )
}

/// What the standard's dictionary says of an attribute; words where it leaves a choice.
pub(crate) fn dictionary_vr(tag: Tag) -> Option<VR> {
    StandardDataDictionary.by_tag(tag).map(|entry| entry.vr().relaxed())
}

/// What stands before the data set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Preamble {
    /// First byte of the data set.
    pub(crate) start: usize,
    pub(crate) encoding: Encoding,
    pub(crate) deflated: bool,
    pub(crate) syntax: TransferSyntax,
    /// Class and object, as the meta group names them.
    pub(crate) class: Option<String>,
    pub(crate) instance: Option<String>,
    /// What had to be guessed.
    pub(crate) notices: Vec<String>,
}

/// Reads what stands before the data set, or says how many bytes that takes.
pub(crate) fn preamble(path: &Path, bytes: &[u8], total: usize) -> Result<Result<Preamble, usize>, DicomError> {
    match read(bytes, total) {
        Ok(preamble) => Ok(Ok(preamble)),
        Err(Refusal::Stop(Stop::More(needed))) => Ok(Err(needed)),
        Err(Refusal::Stop(Stop::Bad(fault))) => Err(fault.at(path)),
        Err(Refusal::Other(problem)) => Err(DicomError::NotDicom { path: path.to_path_buf(), problem }),
    }
}

enum Refusal {
    Stop(Stop),
    /// The file is of another kind, for this reason.
    Other(String),
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn read(bytes: &[u8], total: usize) -> Result<Preamble, Refusal> {
    if total < 8 {
        return Err(Refusal::Other(format!("it has {total} bytes only")));
    }
    let mut notices = Vec::new();
    let mut at = 0;
    if bytes.get(128..132) == Some(b"DICM".as_slice()) {
        at = 132;
    } else if bytes.len() < 132.min(total) {
        return Err(Stop::More(132.min(total)).into());
    } else {
        if bytes.starts_with(b"DICM") {
            at = 4;
        }
        notices.push("no preamble: taken for DICOM by its first attribute".to_owned());
    }
    let source = Source { bytes, total };
    let mut meta: [Option<String>; 3] = [None, None, None];
    let mut grouped = false;
    while at < total {
        // a group other than 2, in either byte order, is the data set
        if source.take(at, 2.min(total - at), total, tags::TRANSFER_SYNTAX_UID)? != [2, 0] {
            break;
        }
        let head = source.head(at, total, Encoding::EXPLICIT)?;
        let Some(length) = head.length else {
            return Err(bad(at, head.tag, "has no length, which the meta group does not allow").into());
        };
        let value = source.take(head.value, length, total, head.tag)?;
        let place =
            [tags::MEDIA_STORAGE_SOP_CLASS_UID, tags::MEDIA_STORAGE_SOP_INSTANCE_UID, tags::TRANSFER_SYNTAX_UID]
                .iter()
                .position(|&tag| tag == head.tag);
        if let Some(place) = place {
            let text = String::from_utf8_lossy(value);
            let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            meta[place] = (!text.is_empty()).then(|| text.to_owned());
        }
        grouped = true;
        at = head.value + length;
    }
    if bytes.len() < total.min(at + 8) {
        return Err(Stop::More(at + 8).into());
    }
    let [class, instance, syntax] = meta;
    let seen = guess(bytes.get(at..).unwrap_or_default());
    let (syntax, encoding) = match (syntax, seen) {
        (Some(uid), seen) => {
            let stated = match uid.as_str() {
                IMPLICIT_LITTLE => Encoding::IMPLICIT,
                EXPLICIT_BIG => Encoding::BIG,
                _ => Encoding::EXPLICIT,
            };
            let syntax = TransferSyntax::new(&uid);
            match seen {
                Some(seen) if seen != stated && !DEFLATED.contains(&uid.as_str()) => {
                    notices.push(format!("declared as {syntax}, but written as {}", TransferSyntax::new(seen.uid())));
                    (syntax, seen)
                }
                _ => (syntax, stated),
            }
        }
        (None, Some(seen)) => {
            let syntax = TransferSyntax::new(seen.uid());
            notices.push(format!("no transfer syntax: read as {syntax}"));
            (syntax, seen)
        }
        (None, None) if grouped && at >= total => (TransferSyntax::new(EXPLICIT_LITTLE), Encoding::EXPLICIT),
        (None, None) => {
            return Err(Refusal::Other("it has no preamble, and does not begin with a DICOM attribute".to_owned()));
        }
    };
    let deflated = DEFLATED.contains(&syntax.uid.as_str());
    Ok(Preamble { start: at, encoding, deflated, syntax, class, instance, notices })
}

/// How the first attribute is written; `None` if it does not look like one.
fn guess(bytes: &[u8]) -> Option<Encoding> {
    let head = bytes.get(..8)?;
    let little = u16::from_le_bytes([head[0], head[1]]);
    let big = u16::from_be_bytes([head[0], head[1]]);
    // data sets begin with a group of small number: 0008 nearly always
    let plausible = |group: u16| (1..=0x60).contains(&group);
    let written = VR::from_binary([head[4], head[5]]).is_some();
    match (plausible(little), plausible(big), written) {
        (true, _, true) => Some(Encoding::EXPLICIT),
        (false, true, true) => Some(Encoding::BIG),
        (true, _, false) => {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            (length == u32::MAX || length <= 1 << 24).then_some(Encoding::IMPLICIT)
        }
        _ => None,
    }
}

/// The data set of a deflated file, refused if it is a bomb.
pub(crate) fn inflate(path: &Path, deflated: &[u8]) -> Result<Vec<u8>, DicomError> {
    let limit = deflated.len().saturating_mul(MAX_INFLATION).max(ALWAYS_INFLATED);
    let mut bytes = Vec::new();
    let mut decoder = DeflateDecoder::new(deflated).take(limit as u64 + 1);
    let outcome = decoder.read_to_end(&mut bytes);
    let attribute = "deflated data set".to_owned();
    let fault = |offset, problem| Fault { offset, attribute, problem }.at(path);
    if bytes.len() > limit {
        let stored = deflated.len();
        return Err(fault(limit, format!("inflates beyond {limit} bytes from {stored}, as no image does")));
    }
    match outcome {
        Ok(_) => Ok(bytes),
        Err(cause) => Err(fault(bytes.len(), format!("cannot be inflated: {cause}"))),
    }
}
