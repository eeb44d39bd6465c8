//! What the table cannot take out: text and faces in the pixels, documents within the object.

use dicom_dictionary_std::{tags, uids};

use super::super::values::{self, Object};

/// Classes whose whole content is a document of another format.
const DOCUMENTS: &str = "1.2.840.10008.5.1.4.1.1.104.";

/// Classes of pictures that screens and cameras made: they often have text in them.
const CAPTURES: [&str; 4] = [
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.77.1.",
];

/// Reports and drawings, whose text is replaced word for word by nothing.
const REPORTS: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11."];

/// What a person should look at, and why the file must not be written, if so.
pub(super) fn of(object: &Object, class: &str, refuse_burned_in: bool) -> (Vec<String>, Option<String>) {
    let mut flags = Vec::new();
    let says = |tag, answer: &str| values::text(object, tag).is_some_and(|found| found.eq_ignore_ascii_case(answer));
    if class.starts_with(DOCUMENTS) {
        return (flags, Some(format!("it holds a document (class {class}), which is not looked into")));
    }
    if class == uids::MEDIA_STORAGE_DIRECTORY_STORAGE {
        return (flags, Some("it is a directory of other files (DICOMDIR); make a new one of the output".to_owned()));
    }
    if says(tags::BURNED_IN_ANNOTATION, "YES") {
        let problem = "BurnedInAnnotation says that text is part of the pixels";
        if refuse_burned_in {
            let remedy = "blacken it first, or set burned_in to flag";
            return (flags, Some(format!("{problem}; {remedy}")));
        }
        flags.push(problem.to_owned());
    } else if !says(tags::BURNED_IN_ANNOTATION, "NO") {
        let captured = CAPTURES.iter().any(|prefix| class.starts_with(prefix));
        let converted = values::text(object, tags::CONVERSION_TYPE).is_some();
        let screen = values::texts(object, tags::IMAGE_TYPE).iter().any(|word| word.contains("SCREEN"));
        if captured || converted || screen {
            flags.push("pictures of this kind often have text in their pixels; look at it".to_owned());
        }
    }
    if says(tags::RECOGNIZABLE_VISUAL_FEATURES, "YES") {
        flags.push("RecognizableVisualFeatures says that a face can be made out".to_owned());
    }
    if REPORTS.iter().any(|prefix| class.starts_with(prefix)) {
        flags.push("a report or a drawing: its texts were replaced, its numbers and codes stay".to_owned());
    }
    (flags, None)
}
