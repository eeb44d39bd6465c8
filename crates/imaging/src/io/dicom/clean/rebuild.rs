//! The data set, attribute by attribute.

use dicom_core::dictionary::DataDictionary as _;
use dicom_core::header::Header as _;
use dicom_core::value::{DataSetSequence, PrimitiveValue, Value};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::mem::InMemElement;

use super::super::dates::{shifted_date, shifted_date_time};
use super::super::encode::{Element, derived_uid};
use super::super::values::Object;
use super::words::Words;
use super::{Rules, Tally};
use crate::deidentify::table::{Action, action};

/// What a text becomes that must hold something.
const REPLACED: &str = "REMOVED";

/// Root of the UIDs that the standards themselves define: they name no object.
const REGISTERED: &str = "1.2.840.10008.";

/// UIDs that name classes and schemes, and stay whoever defined them.
const CLASSES: [Tag; 7] = [
    tags::SOP_CLASS_UID,
    tags::REFERENCED_SOP_CLASS_UID,
    tags::RELATED_GENERAL_SOP_CLASS_UID,
    tags::ORIGINAL_SPECIALIZED_SOP_CLASS_UID,
    tags::CODING_SCHEME_UID,
    tags::CONTEXT_UID,
    tags::MAPPING_RESOURCE_UID,
];

/// Texts of coded concepts: they stay where all other texts go.
const CODED: [Tag; 6] = [
    tags::CODE_VALUE,
    tags::LONG_CODE_VALUE,
    tags::CODING_SCHEME_DESIGNATOR,
    tags::CODING_SCHEME_VERSION,
    tags::CODE_MEANING,
    tags::MAPPING_RESOURCE,
];

/// Age, sex, size and weight.
const CHARACTERISTICS: [Tag; 4] = [tags::PATIENT_AGE, tags::PATIENT_SEX, tags::PATIENT_SIZE, tags::PATIENT_WEIGHT];

/// Dates that say who it is, however far they are moved.
const PERSONAL_DATES: [Tag; 2] = [tags::PATIENT_BIRTH_DATE, tags::PATIENT_BIRTH_TIME];

/// Ages above are one: so few people reach them that they are known by it.
const OLDEST: u32 = 90;

/// What an attribute holds.
type ObjectValue = Value<Object, Vec<u8>>;

/// One file on its way.
pub(super) struct Rebuild<'a> {
    pub(super) rules: &'a Rules,
    pub(super) words: &'a Words,
    pub(super) pseudonym: &'a str,
    /// Days that dates move by.
    pub(super) shift: Option<i64>,
    pub(super) tally: Tally,
}

impl Rebuild<'_> {
    /// The data set or item, cleaned. Where `strict`, all texts go that are no codes.
    pub(super) fn object(&mut self, object: Object, strict: bool) -> Object {
        let kept: Vec<Element> = object.into_iter().filter_map(|element| self.element(element, strict)).collect();
        Object::from_element_iter(kept)
    }

    fn element(&mut self, element: InMemElement, strict: bool) -> Option<Element> {
        let (tag, vr) = (element.tag(), element.vr());
        let number = u32::from(tag.0) << 16 | u32::from(tag.1);
        if tag.0 % 2 == 1 {
            self.tally.private += 1;
            return None;
        }
        // curves and overlays may hold drawn text; lengths of groups would be wrong; the character set is set once
        if matches!(tag.0 & 0xFF00, 0x5000 | 0x6000) {
            self.tally.removed += 1;
            return None;
        }
        if tag.1 == 0 || tag == tags::SPECIFIC_CHARACTER_SET {
            return None;
        }
        if vr == VR::UN || StandardDataDictionary.by_tag(tag).is_none() {
            self.tally.unknown += 1;
            return None;
        }
        if tag == tags::PATIENT_NAME || tag == tags::PATIENT_ID {
            self.tally.replaced += 1;
            return Some(Element::new(tag, vr, self.pseudonym));
        }
        let value = element.into_value();
        if self.rules.retain.contains(&number) {
            return Some(self.kept(tag, vr, value, false));
        }
        if self.rules.keep_characteristics && CHARACTERISTICS.contains(&tag) {
            return Some(self.characteristic(tag, vr, value));
        }
        if matches!(vr, VR::DA | VR::DT | VR::TM) && !PERSONAL_DATES.contains(&tag) {
            match (self.shift, action(number)) {
                (Some(days), _) => return Some(self.moved(tag, vr, &value, days)),
                // the table knows all dates of the standard's edition; another goes
                (None, None) => {
                    self.tally.removed += 1;
                    return None;
                }
                (None, Some(_)) => {}
            }
        }
        match action(number) {
            Some(Action::Remove) => {
                self.tally.removed += 1;
                None
            }
            Some(Action::Empty) => {
                self.tally.emptied += usize::from(!is_empty(&value));
                Some(Element::empty(tag, vr))
            }
            Some(Action::Replace) => Some(self.replaced(tag, vr, value)),
            Some(Action::Uid) => Some(self.other_uid(tag, vr, &value)),
            Some(Action::References) => Some(self.kept(tag, vr, value, strict)),
            None => self.unlisted(tag, vr, value, strict),
        }
    }

    /// What the table does not name.
    fn unlisted(&mut self, tag: Tag, vr: VR, value: ObjectValue, strict: bool) -> Option<Element> {
        match vr {
            VR::UI if !CLASSES.contains(&tag) => Some(self.other_uid(tag, vr, &value)),
            // the standard's people are all in the table
            VR::PN => {
                self.tally.emptied += usize::from(!is_empty(&value));
                Some(Element::empty(tag, vr))
            }
            // addresses of servers
            VR::UR => {
                self.tally.removed += 1;
                None
            }
            _ => Some(self.kept(tag, vr, value, strict)),
        }
    }

    /// The value as it is, but for what stands within it and names of the patient.
    fn kept(&mut self, tag: Tag, vr: VR, value: ObjectValue, strict: bool) -> Element {
        match value {
            Value::Sequence(sequence) => {
                let items = sequence.into_items().into_iter().map(|item| self.object(item, strict));
                Element::new(tag, VR::SQ, DataSetSequence::from(items.collect::<Vec<_>>()))
            }
            Value::Primitive(value) if is_text(vr) => {
                let text = value.to_str().into_owned();
                if !text.is_empty() && self.words.in_text(&text) {
                    self.tally.scrubbed += 1;
                    return Element::new(tag, vr, dummy(vr));
                }
                if strict && !text.is_empty() && !CODED.contains(&tag) {
                    self.tally.replaced += 1;
                    return Element::new(tag, vr, dummy(vr));
                }
                Element::new(tag, vr, value)
            }
            Value::Primitive(value) => Element::new(tag, vr, plain(vr, value)),
            // compressed pixels within an item: icons, which the table removes
            Value::PixelSequence(_) => Element::empty(tag, vr),
        }
    }

    /// Another value of the same sort.
    fn replaced(&mut self, tag: Tag, vr: VR, value: ObjectValue) -> Element {
        match value {
            Value::Sequence(_) => self.kept(tag, vr, value, true),
            value if is_empty(&value) => Element::empty(tag, vr),
            value if vr == VR::UI => self.other_uid(tag, vr, &value),
            _ => {
                self.tally.replaced += 1;
                match vr {
                    VR::FL | VR::OF => Element::new(tag, vr, PrimitiveValue::from(0.0_f32)),
                    VR::FD | VR::OD => Element::new(tag, vr, PrimitiveValue::from(0.0_f64)),
                    VR::US | VR::OW => Element::new(tag, vr, PrimitiveValue::from(0_u16)),
                    VR::SS => Element::new(tag, vr, PrimitiveValue::from(0_i16)),
                    VR::UL | VR::OL => Element::new(tag, vr, PrimitiveValue::from(0_u32)),
                    VR::SL => Element::new(tag, vr, PrimitiveValue::from(0_i32)),
                    VR::OB => Element::new(tag, vr, PrimitiveValue::from([0_u8; 2])),
                    VR::AT | VR::OV | VR::UV | VR::SV | VR::SQ | VR::UN => Element::empty(tag, vr),
                    _ => Element::new(tag, vr, dummy(vr)),
                }
            }
        }
    }

    /// Each UID becomes the one that stands for it in the whole project.
    fn other_uid(&mut self, tag: Tag, vr: VR, value: &ObjectValue) -> Element {
        let Some(value) = value.primitive() else { return Element::empty(tag, vr) };
        let text = value.to_str();
        let key = self.rules.key.as_str();
        let mut changed = false;
        let uids = text.split('\\').map(|uid| uid.trim_matches(|c: char| c.is_whitespace() || c == '\0'));
        let others: Vec<String> = uids
            .map(|uid| {
                if uid.is_empty() || uid.starts_with(REGISTERED) {
                    return uid.to_owned();
                }
                changed = true;
                derived_uid(&["uid", key, uid])
            })
            .collect();
        self.tally.uids += usize::from(changed);
        Element::new(tag, vr, others.join("\\"))
    }

    /// Dates move; times of day stay. What is neither goes.
    fn moved(&mut self, tag: Tag, vr: VR, value: &ObjectValue, days: i64) -> Element {
        let Some(value) = value.primitive() else { return Element::empty(tag, vr) };
        let text = value.to_str();
        let parts = text.split('\\').map(|part| part.trim_matches(|c: char| c.is_whitespace() || c == '\0'));
        let moved: Option<Vec<String>> = parts
            .filter(|part| !part.is_empty())
            .map(|part| match vr {
                VR::DA => shifted_date(part, days),
                VR::DT => shifted_date_time(part, days),
                _ => part
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'))
                    .then(|| part.to_owned()),
            })
            .collect();
        let moved = moved.unwrap_or_default().join("\\");
        if moved.is_empty() {
            self.tally.emptied += usize::from(!text.trim().is_empty());
            return Element::empty(tag, vr);
        }
        self.tally.dates += usize::from(vr != VR::TM);
        Element::new(tag, vr, moved)
    }

    fn characteristic(&mut self, tag: Tag, vr: VR, value: ObjectValue) -> Element {
        let age = value.primitive().filter(|_| tag == tags::PATIENT_AGE).map(|value| value.to_str().trim().to_owned());
        let years = age.as_deref().and_then(|age| age.strip_suffix('Y')).and_then(|years| years.parse::<u32>().ok());
        if years.is_some_and(|years| years >= OLDEST) {
            self.tally.replaced += 1;
            return Element::new(tag, vr, format!("{OLDEST:03}Y"));
        }
        self.kept(tag, vr, value, false)
    }
}

fn is_empty(value: &ObjectValue) -> bool {
    match value {
        Value::Primitive(value) => value.to_str().trim_matches(|c: char| c.is_whitespace() || c == '\0').is_empty(),
        Value::Sequence(sequence) => sequence.items().is_empty(),
        Value::PixelSequence(_) => false,
    }
}

/// Representations that hold words of people.
fn is_text(vr: VR) -> bool {
    matches!(vr, VR::AE | VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UR | VR::UT)
}

/// A value of this representation that says nothing.
fn dummy(vr: VR) -> &'static str {
    match vr {
        VR::AS => "000Y",
        VR::DA => "19000101",
        VR::DT => "19000101000000",
        VR::TM => "000000",
        VR::DS | VR::IS => "0",
        VR::UR => "http://removed.invalid",
        _ => REPLACED,
    }
}

/// Codes, numbers and dates are ASCII; what is not would not be written.
fn plain(vr: VR, value: PrimitiveValue) -> PrimitiveValue {
    let ascii = matches!(vr, VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::TM | VR::UI);
    match value {
        PrimitiveValue::Str(text) if ascii && !text.is_ascii() => {
            PrimitiveValue::Str(text.chars().filter(char::is_ascii).collect())
        }
        PrimitiveValue::Strs(texts) if ascii => PrimitiveValue::Strs(
            texts.into_iter().map(|text| text.chars().filter(char::is_ascii).collect::<String>()).collect(),
        ),
        value => value,
    }
}
