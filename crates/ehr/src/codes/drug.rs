//! Codes of drugs: the National Drug Code in eleven digits, its concepts of `RxNorm`, and the levels of ATC.
//!
//! An NDC names labeller, product and package, in 4-4-2, 5-3-2 or 5-4-1 digits with dashes; billing fills the short
//! part up to 5-4-2 with a zero. Ten digits without dashes may therefore be any of three codes, and a column that was
//! read as numbers has lost its leading zeros; such a text is a list of [`Ndc::candidates`], among which a table may
//! decide.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

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
    /// Reads `ndc2rxnorm_mapping.txt`: a Python dictionary of texts. Entries whose key is no NDC are counted and passed
    /// over; an empty value is a code without a concept.
    ///
    /// # Errors
    /// [`CodesError`] for a file that is no such dictionary.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let text = read::text(path, Encoding::Utf8)?;
        let pairs = dictionary(&text).map_err(|at| {
            read::format(path, format!("at byte {at} a Python dictionary of texts, as {{'0033…': u'16…'}}, breaks off"))
        })?;
        let mut table = Self { concepts: HashMap::new(), products: HashMap::new(), skipped: 0 };
        for (key, value) in pairs {
            let (Ok(ndc), Some(value)) = (Ndc::parse(key), value) else {
                table.skipped += 1;
                continue;
            };
            let concept = (!value.trim().is_empty()).then(|| value.trim().to_owned());
            if let Some(concept) = &concept {
                let agreed = table.products.entry(ndc.product().to_owned()).or_insert_with(|| Some(concept.clone()));
                if agreed.as_ref() != Some(concept) {
                    *agreed = None;
                }
            }
            table.concepts.insert(ndc.0, concept);
        }
        if table.concepts.is_empty() {
            return Err(read::format(path, "it has no codes"));
        }
        Ok(table)
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

/// The fourteen main groups of ATC.
pub const ATC_GROUPS: [(&str, &str); 14] = [
    ("A", "Alimentary tract and metabolism"),
    ("B", "Blood and blood forming organs"),
    ("C", "Cardiovascular system"),
    ("D", "Dermatologicals"),
    ("G", "Genito-urinary system and sex hormones"),
    ("H", "Systemic hormonal preparations, excluding sex hormones and insulins"),
    ("J", "Antiinfectives for systemic use"),
    ("L", "Antineoplastic and immunomodulating agents"),
    ("M", "Musculo-skeletal system"),
    ("N", "Nervous system"),
    ("P", "Antiparasitic products, insecticides and repellents"),
    ("R", "Respiratory system"),
    ("S", "Sensory organs"),
    ("V", "Various"),
];

/// Places of the five levels of ATC.
const ATC_LEVELS: [usize; 5] = [1, 3, 4, 5, 7];

/// A code of ATC of any level in capitals.
///
/// # Errors
/// [`CodeError`] for another form than a letter, two digits, two letters and two digits, or a beginning of that.
pub fn atc(text: &str) -> Result<String, CodeError> {
    let code = text.trim().to_ascii_uppercase();
    let fits = |(at, byte): (usize, u8)| match at {
        1 | 2 | 5 | 6 => byte.is_ascii_digit(),
        _ => byte.is_ascii_uppercase(),
    };
    let group = ATC_GROUPS.iter().any(|(group, _)| code.starts_with(group));
    if !group || !ATC_LEVELS.contains(&code.len()) || !code.bytes().enumerate().all(fits) {
        let problem = "a letter, two digits, two letters and two digits are due, or one of its upper levels";
        return Err(CodeError::new(System::Atc, text, problem));
    }
    Ok(code)
}

/// The code one level above.
pub fn atc_parent(code: &str) -> Option<&str> {
    let above = ATC_LEVELS.iter().rev().find(|length| **length < code.len())?;
    code.get(..*above)
}

/// Concepts of drugs to codes of ATC: a drug has one for each use.
#[derive(Debug, Clone)]
pub struct AtcTable {
    codes: HashMap<String, Vec<String>>,
}

impl AtcTable {
    /// Reads lines of a concept and one or more codes of ATC with commas between: `drug-atc.csv` (STITCH identifiers),
    /// or a table of `RxNorm` identifiers. A first line without a code of ATC is a header.
    ///
    /// # Errors
    /// [`CodesError`] with the line that cannot be used.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let mut codes: HashMap<String, Vec<String>> = HashMap::new();
        for (index, line) in read::text(path, Encoding::Utf8)?.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
            let concept = cells.next().unwrap_or("");
            let found: Result<Vec<String>, CodeError> = cells.filter(|cell| !cell.is_empty()).map(atc).collect();
            match found {
                Err(_) if index == 0 => {}
                Err(error) => return Err(read::line(path, index, error.to_string())),
                Ok(found) if found.is_empty() || concept.is_empty() => {
                    return Err(read::line(path, index, "a concept and a code of ATC are due"));
                }
                Ok(found) => {
                    let own = codes.entry(concept.to_owned()).or_default();
                    found.into_iter().for_each(|code| {
                        if !own.contains(&code) {
                            own.push(code);
                        }
                    });
                }
            }
        }
        if codes.is_empty() {
            return Err(read::format(path, "it has no codes"));
        }
        Ok(Self { codes })
    }

    /// The codes of a concept, in the order of the table.
    pub fn get(&self, concept: &str) -> &[String] {
        self.codes.get(concept).map_or(&[], Vec::as_slice)
    }

    /// Number of concepts.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no concept.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}
