//! Codes of drugs: the National Drug Code in eleven digits, its concepts of `RxNorm`, and the levels of ATC.
//!
//! An NDC names labeller, product and package, in 4-4-2, 5-3-2 or 5-4-1 digits with dashes; billing fills the short
//! part up to 5-4-2 with a zero. Ten digits without dashes may therefore be any of three codes, and a column that was
//! read as numbers has lost its leading zeros; such a text is a list of [`Ndc::candidates`], among which a table may
//! decide.
//!
//! From a package to its classes it is three steps: [`NdcTable`] gives the concept of `RxNorm`, what this consists of is
//! in `RxNorm`'s relations, and its ingredients have codes of ATC ([`AtcTable`]). Both tables read a file of two columns
//! of one's own, or the files of `RxNorm`'s release (`RXNSAT.RRF`; `RXNCONSO.RRF` with `RXNREL.RRF` beside it).

mod classes;
mod rrf;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::classes::{ATC_GROUPS, AtcTable, atc, atc_parent};

use super::read::{self, Encoding};
use super::{CodeError, CodesError, System};

/// A package in eleven digits. Shown with dashes, 5-4-2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ndc(String);

impl Ndc {
    /// Reads eleven digits, or groups of 4-4-2, 5-3-2, 5-4-1 or 5-4-2 digits with dashes between.
    ///
    /// # Errors
    /// [`CodeError`] for another form, for `0`, which stands for a missing code, and for ten digits without dashes,
    /// which may be three codes.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let refuse = |problem| Err(CodeError::new(System::Ndc, text, problem));
        let text = text.trim();
        let groups: Vec<&str> = text.split('-').collect();
        if !groups.iter().all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit())) {
            return refuse("digits with dashes between or without are due");
        }
        if text.bytes().all(|byte| byte == b'0' || byte == b'-') {
            return refuse("zero stands for no code");
        }
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        match lengths.as_slice() {
            [11] => Ok(Self(text.to_owned())),
            [4, 4, 2] | [5, 3, 2] | [5, 4, 1 | 2] => {
                Ok(Self(format!("{:0>5}{:0>4}{:0>2}", groups[0], groups[1], groups[2])))
            }
            [10] => refuse("ten digits without dashes may be three codes; give the dashes or eleven digits"),
            [length] if *length < 10 => refuse("it is too short; a table that was read as numbers loses leading zeros"),
            _ => refuse("eleven digits, or groups of 4-4-2, 5-3-2 or 5-4-1 digits, are due"),
        }
    }

    /// The codes that a text may stand for: one where [`Ndc::parse`] reads it, the three ways to fill up ten digits,
    /// and for eight or nine digits the one that lost its leading zeros; none for anything else.
    pub fn candidates(text: &str) -> Vec<Self> {
        let text = text.trim();
        if let Ok(ndc) = Self::parse(text) {
            return vec![ndc];
        }
        if text.bytes().any(|byte| !byte.is_ascii_digit()) || text.bytes().all(|byte| byte == b'0') {
            return Vec::new();
        }
        match text.len() {
            10 => [0, 5, 9].map(|at| Self(format!("{}0{}", &text[..at], &text[at..]))).to_vec(),
            8 | 9 => vec![Self(format!("{text:0>11}"))],
            _ => Vec::new(),
        }
    }

    /// All eleven digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Labeller and product, nine digits: all packages of a product share them.
    pub fn product(&self) -> &str {
        self.0.get(..9).unwrap_or(&self.0)
    }

    /// The labeller, five digits.
    pub fn labeller(&self) -> &str {
        self.0.get(..5).unwrap_or(&self.0)
    }
}

impl fmt::Display for Ndc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.labeller(), self.0.get(5..9).unwrap_or(""), self.0.get(9..).unwrap_or(""))
    }
}

/// What the table says about an NDC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NdcMatch {
    /// The package has this concept.
    Package(String),
    /// The package is not there, but those of its product that are have this one concept.
    Product(String),
    /// The package is there, without a concept.
    Unmapped,
    /// The text may be several codes that are there with different concepts.
    Ambiguous(Vec<Ndc>),
    /// It is not there.
    Unknown,
}

impl NdcMatch {
    /// The concept, where there is one.
    pub fn rxcui(&self) -> Option<&str> {
        match self {
            Self::Package(rxcui) | Self::Product(rxcui) => Some(rxcui),
            Self::Unmapped | Self::Ambiguous(_) | Self::Unknown => None,
        }
    }
}

/// NDC to `RxNorm`.
#[derive(Debug, Clone)]
pub struct NdcTable {
    concepts: HashMap<String, Option<String>>,
    /// The concept of a product whose packages agree; none where they do not.
    products: HashMap<String, Option<String>>,
    skipped: usize,
}

impl NdcTable {
    /// Reads a table by its name and its content: `RXNSAT.RRF` of `RxNorm`'s release, of which the attributes `NDC` count;
    /// `ndc2rxnorm_mapping.txt`, a Python dictionary of texts; otherwise lines of an NDC and a concept with a comma between,
    /// of which the first may be a header. Entries whose key is no NDC are counted and passed over; an empty value is a
    /// code without a concept.
    ///
    /// # Errors
    /// [`CodesError`] for a file that is none of these.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let mut table = Self { concepts: HashMap::new(), products: HashMap::new(), skipped: 0 };
        if rrf::is_release(path, "RXNSAT") {
            rrf::packages(path, &mut |ndc, concept| table.add(ndc, Some(concept)))?;
        } else {
            let text = read::text(path, Encoding::Utf8)?;
            if text.trim_start().starts_with('{') {
                let pairs = dictionary(&text).map_err(|at| {
                    let problem = "a Python dictionary of texts, as {'0033…': u'16…'}, breaks off";
                    read::format(path, format!("at byte {at} {problem}"))
                })?;
                pairs.into_iter().for_each(|(key, value)| table.add(key, value));
            } else {
                for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                    let (key, value) = line.split_once(',').ok_or_else(|| {
                        read::line(path, index, "an NDC and a concept of RxNorm with a comma between are due")
                    })?;
                    // a header is no code
                    if index > 0 || Ndc::parse(bare(key)).is_ok() {
                        table.add(bare(key), Some(bare(value)));
                    }
                }
            }
        }
        if table.concepts.is_empty() {
            return Err(read::format(path, "it has no codes"));
        }
        Ok(table)
    }

    /// Takes an entry over; a package that is there twice keeps the last concept.
    fn add(&mut self, key: &str, value: Option<&str>) {
        let (Ok(ndc), Some(value)) = (Ndc::parse(key), value) else {
            self.skipped += 1;
            return;
        };
        let concept = (!value.trim().is_empty()).then(|| value.trim().to_owned());
        if let Some(concept) = &concept {
            let agreed = self.products.entry(ndc.product().to_owned()).or_insert_with(|| Some(concept.clone()));
            if agreed.as_ref() != Some(concept) {
                *agreed = None;
            }
        }
        self.concepts.insert(ndc.0, concept);
    }

    /// Number of codes, those without a concept included.
    pub fn len(&self) -> usize {
        self.concepts.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty()
    }

    /// Number of codes that have a concept.
    pub fn mapped(&self) -> usize {
        self.concepts.values().flatten().count()
    }

    /// Number of entries of the file that were no codes.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// What the table says about a text, whichever way it is written.
    pub fn find(&self, text: &str) -> NdcMatch {
        let candidates = Ndc::candidates(text);
        let there: Vec<&Ndc> = candidates.iter().filter(|ndc| self.concepts.contains_key(ndc.digits())).collect();
        match there.as_slice() {
            [] => {
                let mut products: Vec<&String> =
                    candidates.iter().filter_map(|ndc| self.products.get(ndc.product())?.as_ref()).collect();
                products.dedup();
                match products.as_slice() {
                    [concept] => NdcMatch::Product((*concept).clone()),
                    _ => NdcMatch::Unknown,
                }
            }
            [first, rest @ ..] => {
                let concept = |ndc: &Ndc| self.concepts.get(ndc.digits()).cloned().flatten();
                let own = concept(first);
                if rest.iter().any(|other| concept(other) != own) {
                    return NdcMatch::Ambiguous(there.iter().map(|ndc| (*ndc).clone()).collect());
                }
                own.map_or(NdcMatch::Unmapped, NdcMatch::Package)
            }
        }
    }
}

/// A cell without blanks and quotation marks.
fn bare(cell: &str) -> &str {
    cell.trim().trim_matches('"')
}

/// Keys and values of a dictionary; a value that is no text is none. The error is the place where it breaks off.
fn dictionary(text: &str) -> Result<Vec<(&str, Option<&str>)>, usize> {
    let mut pairs = Vec::new();
    let at = |rest: &str| text.len() - rest.len();
    let mut rest = text.trim_start().strip_prefix('{').ok_or(0_usize)?.trim_start();
    while !rest.starts_with('}') {
        let (key, behind) = quoted(rest).ok_or_else(|| at(rest))?;
        let behind = behind.trim_start();
        rest = behind.strip_prefix(':').ok_or_else(|| at(behind))?.trim_start();
        let value = if let Some((value, behind)) = quoted(rest) {
            rest = behind;
            Some(value)
        } else {
            let end = rest.find([',', '}']).ok_or_else(|| at(rest))?;
            if rest[..end].trim().is_empty() || rest[..end].contains(['\'', '"', '{']) {
                return Err(at(rest));
            }
            rest = &rest[end..];
            None
        };
        pairs.push((key, value));
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind.trim_start(),
            None if rest.starts_with('}') => {}
            None => return Err(at(rest)),
        }
    }
    Ok(pairs)
}

/// A text between quotes, perhaps with `u` before, and what stands behind it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('u').unwrap_or(text);
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
    let (inside, rest) = text[1..].split_once(quote)?;
    // no code has an escape in it
    (!inside.contains('\\')).then_some((inside, rest))
}

#[cfg(test)]
mod tests;
