//! Names and numbers of a file, to be looked for in what is left of it.

use dicom_core::header::Header as _;
use dicom_core::value::Value;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::super::values::{self, Object};

/// Numbers and places that name somebody by themselves.
const NUMBERS: [Tag; 9] = [
    tags::PATIENT_ID,
    Tag(0x0010, 0x1000), // OtherPatientIDs, retired
    tags::ACCESSION_NUMBER,
    Tag(0x0010, 0x1090), // MedicalRecordLocator, retired
    tags::PATIENT_ADDRESS,
    tags::PATIENT_TELEPHONE_NUMBERS,
    tags::ADMISSION_ID,
    tags::INSTITUTION_NAME,
    tags::INSTITUTION_ADDRESS,
];

/// Objects that everything else refers to.
const UIDS: [Tag; 4] =
    [tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID, tags::SOP_INSTANCE_UID, tags::FRAME_OF_REFERENCE_UID];

/// Parts of names that are words of their own.
const COMMON: [&str; 14] = [
    "anon",
    "anonymous",
    "anonymised",
    "anonymized",
    "unknown",
    "phantom",
    "patient",
    "none",
    "test",
    "the",
    "van",
    "von",
    "der",
    "den",
];

/// Shorter words are taken out of texts, but not looked for among bytes, where they occur by chance.
const BYTES: usize = 5;

/// As [`BYTES`], among pixels.
const PIXEL_BYTES: usize = 7;

/// What is looked for, in lower case.
#[derive(Debug, Default)]
pub(super) struct Words {
    words: Vec<String>,
    uids: Vec<String>,
}

impl Words {
    pub(super) fn of(object: &Object, allow: &[String]) -> Self {
        let mut found = Self::default();
        found.collect(object);
        found.words.retain(|word| !allow.contains(word) && !COMMON.contains(&word.as_str()));
        found.words.sort();
        found.words.dedup();
        for tag in UIDS {
            found
                .uids
                .extend(values::text(object, tag).filter(|uid| uid.len() >= 10 && !uid.starts_with("1.2.840.10008.")));
        }
        found
    }

    fn collect(&mut self, object: &Object) {
        for element in object {
            match element.value() {
                Value::Sequence(sequence) => sequence.items().iter().for_each(|item| self.collect(item)),
                Value::Primitive(value) if element.vr() == VR::PN => {
                    let name = value.to_str().to_lowercase();
                    let parts = name.split(|c: char| !c.is_alphanumeric()).filter(|part| part.chars().count() >= 3);
                    self.words.extend(parts.map(str::to_owned));
                }
                Value::Primitive(value) if NUMBERS.contains(&element.tag()) => {
                    let whole = value.to_str().to_lowercase();
                    let parts = whole.split('\\').map(str::trim).filter(|part| part.chars().count() >= 4);
                    self.words.extend(parts.map(str::to_owned));
                }
                _ => {}
            }
        }
    }

    /// Whether a text holds one of the words, as a word of its own.
    pub(super) fn in_text(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.words.iter().any(|word| {
            text.match_indices(word.as_str()).any(|(start, _)| {
                let before = text[..start].chars().next_back();
                let after = text[start + word.len()..].chars().next();
                !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
            })
        })
    }

    /// Where one of the words or UIDs stands among the bytes of a file, in words that do not repeat it; the pixels
    /// begin at `pixels`.
    pub(super) fn found(&self, bytes: &[u8], pixels: usize) -> Option<String> {
        let mut by_first: Vec<Vec<(&[u8], bool)>> = vec![Vec::new(); 256];
        let words = self.words.iter().filter(|word| word.len() >= BYTES).map(|word| (word.as_bytes(), false));
        for (needle, uid) in words.chain(self.uids.iter().map(|uid| (uid.as_bytes(), true))) {
            let first = needle[0];
            by_first[usize::from(first)].push((needle, uid));
            if first.is_ascii_lowercase() {
                by_first[usize::from(first.to_ascii_uppercase())].push((needle, uid));
            }
        }
        for (at, &byte) in bytes.iter().enumerate() {
            for &(needle, uid) in &by_first[usize::from(byte)] {
                let end = at + needle.len();
                let Some(there) = bytes.get(at..end) else { continue };
                if !there.eq_ignore_ascii_case(needle) || (at >= pixels && needle.len() < PIXEL_BYTES) {
                    continue;
                }
                // what follows a value may be the tag of the next, which can look like a letter; what precedes it
                // cannot
                let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
                let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                if at < pixels && before.is_some_and(letter) {
                    continue;
                }
                let what = if uid { "a UID of the original" } else { "a name or number of the original" };
                let length = needle.len();
                return Some(format!(
                    "{what} ({length} characters) would remain at byte {at}; if it identifies nobody, name it in allow"
                ));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::encode::{item, sequence, text};
    use super::*;

    fn words() -> Words {
        let inner = item([text(tags::PERSON_NAME, VR::PN, "Müller^Zoë")]);
        let object = item([
            text(tags::PATIENT_NAME, VR::PN, "Doe-Smith^Jane^van"),
            text(tags::PATIENT_ID, VR::LO, "MRN 4711"),
            text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.4.5.6.7"),
            sequence(tags::CONTENT_SEQUENCE, vec![inner]),
        ]);
        Words::of(&object, &["jane".to_owned()])
    }

    #[test]
    fn names_are_found_in_texts_as_words() {
        let words = words();
        assert_eq!(words.words, ["doe", "mrn 4711", "müller", "smith", "zoë"]);
        for text in ["DOE", "seen with dr. smith.", "mrn 4711/2", "ZOË", "head_MÜLLER"] {
            assert!(words.in_text(text), "{text}");
        }
        for text in ["does", "jane", "blacksmiths", "mrn 47112", ""] {
            assert!(!words.in_text(text), "{text}");
        }
    }

    #[test]
    fn bytes_are_searched_without_case_and_the_message_says_nothing() {
        let words = words();
        let found = words.found(b"..\0SMITH\0..", 100).unwrap();
        assert!(found.contains("at byte 3") && !found.to_lowercase().contains("smith"), "{found}");
        assert!(words.found("x Müller y".as_bytes(), 100).is_some());
        assert!(words.found(b"\x001.2.3.4.5.6.7\x00", 100).unwrap().starts_with("a UID"));
        // too short for bytes, within another word, too short for pixels
        assert_eq!(words.found(b"doe \0\0", 100), None);
        assert_eq!(words.found(b"blacksmiths", 100), None);
        assert_eq!(words.found(b"\0smith\0", 0), None);
        assert!(words.found(b"xxmrn 4711yy", 0).is_some());
    }
}
