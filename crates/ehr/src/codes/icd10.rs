//! ICD-10-CM and ICD-10-PCS: the forms of their codes, blocks and chapters.

use std::collections::BTreeMap;
use std::path::Path;

use super::read::{self, Encoding};
use super::{CodeError, CodesError, System};

/// A diagnosis in its normal form: a letter, a digit, a digit or letter, then up to four more places; `e11.9` is
/// `E119`.
///
/// # Errors
/// [`CodeError`] for a text of another form.
pub fn diagnosis(text: &str) -> Result<String, CodeError> {
    let refuse = |problem| Err(CodeError::new(System::Icd10Cm, text, problem));
    let code = text.trim().to_ascii_uppercase();
    let joined = match code.split_once('.') {
        Some((category, rest)) if category.len() == 3 => format!("{category}{rest}"),
        Some(_) => return refuse("the dot stands behind three places"),
        None => code,
    };
    let places = joined.as_bytes();
    if !(3..=7).contains(&places.len()) {
        return refuse("three to seven places are due");
    }
    let category = places[0].is_ascii_uppercase() && (places[1].is_ascii_digit() || places[1] == b'A');
    if !category || !places[2..].iter().all(u8::is_ascii_alphanumeric) {
        return refuse("a letter, a digit, and then letters or digits are due");
    }
    Ok(joined)
}

/// A procedure in its normal form: seven digits or letters other than I and O; shorter ones are rows of the tables.
///
/// # Errors
/// [`CodeError`] for a text of another form.
pub fn procedure(text: &str) -> Result<String, CodeError> {
    let code = text.trim().to_ascii_uppercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() && byte != b'I' && byte != b'O';
    if !(3..=7).contains(&code.len()) || !code.bytes().all(fits) {
        let problem = "three to seven digits or letters are due, without I and O";
        return Err(CodeError::new(System::Icd10Pcs, text, problem));
    }
    Ok(code)
}

/// A code without the places at its end that only fill it up: `S4290X` is `S4290`.
pub fn without_filler(code: &str) -> &str {
    let trimmed = code.trim_end_matches('X');
    if trimmed.len() >= 3 { trimmed } else { code.get(..3).unwrap_or(code) }
}

/// A diagnosis with its dot, as it is printed.
pub fn dotted(code: &str) -> String {
    match code.split_at_checked(3) {
        Some((category, rest)) if !rest.is_empty() => format!("{category}.{rest}"),
        _ => code.to_owned(),
    }
}

/// A range of categories with a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// As the table spells it, such as `E08-E13`.
    pub name: String,
    /// The title.
    pub title: String,
    first: String,
    last: String,
}

/// Blocks or chapters of ICD-10-CM.
#[derive(Debug, Clone, Default)]
pub struct Ranges {
    ranges: Vec<Range>,
}

impl Ranges {
    /// Reads a JSON object of ranges and titles: `icd10cmblocks.json`, `icd10cmchapters.json`.
    ///
    /// # Errors
    /// [`CodesError`] for a file that is none.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let text = read::text(path, Encoding::Utf8)?;
        let table: BTreeMap<String, String> =
            serde_json::from_str(&text).map_err(|error| read::format(path, error.to_string()))?;
        let mut ranges = Vec::with_capacity(table.len());
        for (name, title) in table {
            let ends = name.split_once('-').map(|(first, last)| (category(first), category(last)));
            let Some((Some(first), Some(last))) = ends else {
                return Err(read::format(path, format!("{name:?} is no range of categories such as A00-A09")));
            };
            ranges.push(Range { name, title, first, last });
        }
        if ranges.is_empty() {
            return Err(read::format(path, "it has no ranges"));
        }
        Ok(Self { ranges })
    }

    /// The range that a code in normal form is in. Categories with a letter, as D3A, stand in the alphabet between two
    /// others but have a range of their own: of several the one that begins last is taken.
    pub fn get(&self, code: &str) -> Option<&Range> {
        let category = code.get(..3)?;
        let inside =
            self.ranges.iter().filter(|range| (range.first.as_str()..=range.last.as_str()).contains(&category));
        inside.max_by(|a, b| a.first.cmp(&b.first))
    }

    /// All ranges, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Range> {
        self.ranges.iter()
    }
}

/// The category of an end of a range, such as `B10.89`.
fn category(end: &str) -> Option<String> {
    diagnosis(end).ok().and_then(|code| code.get(..3).map(str::to_owned))
}
