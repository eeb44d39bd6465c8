//! ICD-9-CM: the forms of its codes, its chapters, and the titles of version 32.
//!
//! A diagnosis has a category of three digits (`V` and two, `E` and three) and up to two more places; a procedure has a
//! category of two and up to two more. Without their dots the two overlap, so a code is read by the column that it is
//! from. Leading zeros belong to a code: `10` is what a spreadsheet leaves of `0010`, and cannot be told from `010`.

use std::collections::HashMap;
use std::path::Path;

use super::read::{self, Encoding};
use super::{CodeError, CodesError, System};

/// First and last category of each chapter, and its title (the tabular list of volume 1).
pub const CHAPTERS: [(&str, &str, &str); 19] = [
    ("001", "139", "Infectious and parasitic diseases"),
    ("140", "239", "Neoplasms"),
    ("240", "279", "Endocrine, nutritional and metabolic diseases, and immunity disorders"),
    ("280", "289", "Diseases of the blood and blood-forming organs"),
    ("290", "319", "Mental disorders"),
    ("320", "389", "Diseases of the nervous system and sense organs"),
    ("390", "459", "Diseases of the circulatory system"),
    ("460", "519", "Diseases of the respiratory system"),
    ("520", "579", "Diseases of the digestive system"),
    ("580", "629", "Diseases of the genitourinary system"),
    ("630", "679", "Complications of pregnancy, childbirth, and the puerperium"),
    ("680", "709", "Diseases of the skin and subcutaneous tissue"),
    ("710", "739", "Diseases of the musculoskeletal system and connective tissue"),
    ("740", "759", "Congenital anomalies"),
    ("760", "779", "Certain conditions originating in the perinatal period"),
    ("780", "799", "Symptoms, signs, and ill-defined conditions"),
    ("800", "999", "Injury and poisoning"),
    ("V01", "V91", "Factors influencing health status and contact with health services"),
    ("E000", "E999", "External causes of injury and poisoning"),
];

/// Places of a category: 4 for external causes, 3 for all others.
pub fn category_length(code: &str) -> usize {
    if code.starts_with('E') { 4 } else { 3 }
}

/// A diagnosis in its normal form: `250.00` is `25000`, ` v45.81` is `V4581`, `1.0` is `0010`.
///
/// # Errors
/// [`CodeError`] for a text of another form.
pub fn diagnosis(text: &str) -> Result<String, CodeError> {
    let refuse = |problem| Err(CodeError::new(System::Icd9Cm, text, problem));
    let code = text.trim().to_ascii_uppercase();
    let (letter, rest) = match code.as_bytes().first() {
        Some(b'V') => ("V", &code[1..]),
        Some(b'E') => ("E", &code[1..]),
        _ => ("", code.as_str()),
    };
    let (category, places) = match letter {
        "V" => (2, 2),
        "E" => (3, 1),
        _ => (3, 2),
    };
    let Some(digits) = joined(rest, category) else {
        return refuse("three digits (V and two, E and three) are due, then up to two more behind a dot or none");
    };
    if digits.len() < category {
        return refuse("it is too short; a table that was read as numbers loses leading zeros");
    }
    if digits.len() > category + places {
        return refuse("it is too long");
    }
    Ok(format!("{letter}{digits}"))
}

/// A procedure in its normal form: `00.10` is `0010`, `3.9` is `039`.
///
/// # Errors
/// [`CodeError`] for a text of another form.
pub fn procedure(text: &str) -> Result<String, CodeError> {
    let refuse = |problem| Err(CodeError::new(System::Icd9Procedure, text, problem));
    let Some(digits) = joined(text.trim(), 2) else {
        return refuse("two digits are due, then up to two more behind a dot or none");
    };
    if !(2..=4).contains(&digits.len()) {
        return refuse("it has not two to four digits; a table that was read as numbers loses leading zeros");
    }
    Ok(digits)
}

/// The digits of a code. A dot says where the category ends, and so which zeros it lost.
fn joined(text: &str, category: usize) -> Option<String> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((before, behind)) => {
            let fits = !before.is_empty() && before.len() <= category && digits(before) && digits(behind);
            fits.then(|| format!("{before:0>category$}{behind}"))
        }
        None => digits(text).then(|| text.to_owned()),
    }
}

/// A diagnosis with its dot, as it is printed.
pub fn dotted(code: &str) -> String {
    match code.split_at_checked(category_length(code)) {
        Some((category, rest)) if !rest.is_empty() => format!("{category}.{rest}"),
        _ => code.to_owned(),
    }
}

/// The chapter of a diagnosis in normal form, as its number from 1, its range and its title.
pub fn chapter(code: &str) -> Option<(usize, String, &'static str)> {
    let category = code.get(..category_length(code))?;
    let inside =
        |(first, last, _): &(&str, &str, &str)| first.len() == category.len() && (*first..=*last).contains(&category);
    let at = CHAPTERS.iter().position(inside)?;
    let (first, last, title) = CHAPTERS[at];
    Some((at + 1, format!("{first}-{last}"), title))
}

/// Titles of codes.
#[derive(Debug, Clone, Default)]
pub struct Titles {
    titles: HashMap<String, String>,
}

impl Titles {
    /// Reads a table of titles as CMS publishes it (`CMS32_DESC_LONG_DX.txt`, `CMS32_DESC_LONG_SG.txt`): a code,
    /// blanks, a title, in Latin-1. `system` is [`System::Icd9Cm`] or [`System::Icd9Procedure`].
    ///
    /// # Errors
    /// [`CodesError`] with the line that cannot be used.
    pub fn load(path: &Path, system: System) -> Result<Self, CodesError> {
        let mut titles = HashMap::new();
        for (index, line) in read::text(path, Encoding::Latin1)?.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let (code, title) = line.trim_end().split_once(' ').unwrap_or((line, ""));
            let code = system.normal(code).map_err(|error| read::line(path, index, error.to_string()))?;
            if title.trim().is_empty() {
                return Err(read::line(path, index, format!("{code} has no title")));
            }
            titles.insert(code, title.trim().to_owned());
        }
        if titles.is_empty() {
            return Err(read::format(path, "it has no titles"));
        }
        Ok(Self { titles })
    }

    /// The title of a code in normal form.
    pub fn get(&self, code: &str) -> Option<&str> {
        self.titles.get(code).map(String::as_str)
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.titles.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.titles.is_empty()
    }
}
