//! The Anatomical Therapeutic Chemical classification, and which of its codes a drug has.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::super::read::{self, Encoding};
use super::super::{CodeError, CodesError, System};
use super::rrf;

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

/// Steps at most from a package to its ingredients; the longest of `RxNorm`'s has five: branded pack, branded drug, drug,
/// component, precise ingredient, ingredient.
const STEPS: usize = 8;

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

/// Concepts of drugs to codes of ATC: a drug has one for each use, and those of what it consists of where it has none of
/// its own.
#[derive(Debug, Clone, Default)]
pub struct AtcTable {
    codes: HashMap<String, Vec<String>>,
    /// What concepts consist of; known from `RxNorm`'s release alone.
    parts: HashMap<String, Vec<String>>,
    /// What codes are called; known from there alone as well.
    names: HashMap<String, String>,
}

impl AtcTable {
    /// Reads a table by its name: `RXNCONSO.RRF` of `RxNorm`'s release, with `RXNREL.RRF` beside it if it is there, else
    /// lines of a concept and one or more codes of ATC with commas between (`drug-atc.csv` has STITCH identifiers, a table
    /// of one's own those of `RxNorm`). A first line without a code of ATC is a header.
    ///
    /// # Errors
    /// [`CodesError`] with the line that cannot be used.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let mut table = Self::default();
        if rrf::is_release(path, "RXNCONSO") {
            rrf::classes(path, &mut |concept, code, name| {
                // retired codes of other forms stand there too
                if let Ok(code) = atc(code) {
                    table.names.entry(code.clone()).or_insert_with(|| name.to_owned());
                    add(&mut table.codes, concept, code);
                }
            })?;
            if let Some(relations) = rrf::beside(path, "RXNREL") {
                rrf::parts(&relations, &mut |whole, part| add(&mut table.parts, whole, part.to_owned()))?;
            }
        } else {
            table.read_lines(path)?;
        }
        if table.codes.is_empty() {
            return Err(read::format(path, "it has no codes of ATC"));
        }
        Ok(table)
    }

    fn read_lines(&mut self, path: &Path) -> Result<(), CodesError> {
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
                Ok(found) => found.into_iter().for_each(|code| add(&mut self.codes, concept, code)),
            }
        }
        Ok(())
    }

    /// The codes of a concept in the order of the table; where it has none, those of what it consists of, as a tablet has
    /// those of its ingredients: of the nearest parts that have any.
    pub fn get(&self, concept: &str) -> Vec<String> {
        let (mut level, mut seen) = (vec![concept], HashSet::from([concept]));
        for _ in 0..STEPS {
            let mut found: Vec<String> = Vec::new();
            for code in level.iter().filter_map(|one| self.codes.get(*one)).flatten() {
                if !found.contains(code) {
                    found.push(code.clone());
                }
            }
            if !found.is_empty() {
                return found;
            }
            let parts = level.iter().filter_map(|one| self.parts.get(*one)).flatten().map(String::as_str);
            level = parts.filter(|part| seen.insert(*part)).collect();
        }
        Vec::new()
    }

    /// What a code is called, where the table says so.
    pub fn name(&self, code: &str) -> Option<&str> {
        self.names.get(code).map(String::as_str)
    }

    /// Number of concepts that have a code of their own.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no concept.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// Adds a text to those of a key, once.
fn add(lists: &mut HashMap<String, Vec<String>>, key: &str, text: String) {
    let own = lists.entry(key.to_owned()).or_default();
    if !own.contains(&text) {
        own.push(text);
    }
}
