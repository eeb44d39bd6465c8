//! Clinical Classifications of the Healthcare Cost and Utilization Project (AHRQ): a few hundred categories that codes
//! of diagnoses are grouped into, and which of them stand for chronic conditions.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::path::Path;

use super::read::{self, Encoding};
use super::{CodesError, System};

/// Single-level CCS for ICD-9-CM: 283 categories.
#[derive(Debug, Clone)]
pub struct Ccs {
    categories: BTreeMap<u16, String>,
    codes: BTreeMap<String, u16>,
}

impl Ccs {
    /// Reads `$DXREF`'s printed form, appendix A (`CCS-SingleDiagnosisGrouper.txt`): lines with a number and a name,
    /// each followed by indented lines of codes.
    ///
    /// # Errors
    /// [`CodesError`] with the line that cannot be used; a code in two categories is one.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let mut ccs = Self { categories: BTreeMap::new(), codes: BTreeMap::new() };
        let mut current = None;
        for (index, line) in read::text(path, Encoding::Utf8)?.lines().enumerate() {
            let refuse = |problem: String| read::line(path, index, problem);
            if line.trim().is_empty() {
                continue;
            }
            if line.starts_with(char::is_whitespace) {
                let category = current.ok_or_else(|| refuse("codes stand before the first category".to_owned()))?;
                for code in line.split_whitespace() {
                    let code = System::Icd9Cm.normal(code).map_err(|error| refuse(error.to_string()))?;
                    // some are printed twice, in one category
                    let before = ccs.codes.insert(code.clone(), category).unwrap_or(category);
                    if before != category {
                        return Err(refuse(format!("{code} is in category {before} and in {category}")));
                    }
                }
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                let (number, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let number: u16 =
                    number.parse().map_err(|_| refuse(format!("{number:?} is no number of a category")))?;
                if name.trim().is_empty() {
                    return Err(refuse(format!("category {number} has no name")));
                }
                if ccs.categories.insert(number, name.trim().to_owned()).is_some() {
                    return Err(refuse(format!("category {number} is there twice")));
                }
                current = Some(number);
            } else if current.is_some() {
                return Err(refuse("neither a category nor an indented line of codes".to_owned()));
            }
        }
        if ccs.codes.is_empty() {
            return Err(read::format(path, "it has no codes"));
        }
        Ok(ccs)
    }

    /// The category of a diagnosis in normal form.
    pub fn category(&self, code: &str) -> Option<u16> {
        self.codes.get(code).copied()
    }

    /// As [`Ccs::category`]; of a code that is not there the category of most codes that begin with it, as tables of
    /// categories alone (`428`) need it.
    pub fn category_of_most(&self, code: &str) -> Option<u16> {
        self.category(code).or_else(|| most(&self.codes, code).copied())
    }

    /// The name of a category.
    pub fn name(&self, category: u16) -> Option<&str> {
        self.categories.get(&category).map(String::as_str)
    }

    /// All categories with their names, by number.
    pub fn categories(&self) -> impl Iterator<Item = (u16, &str)> {
        self.categories.iter().map(|(number, name)| (*number, name.as_str()))
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// CCSR for ICD-10-CM, in its first category for each code, as counts of inpatient principal diagnoses use it.
#[derive(Debug, Clone)]
pub struct Ccsr {
    codes: BTreeMap<String, String>,
}

impl Ccsr {
    /// Reads a JSON object of codes and categories: `dx_cat1_mapping.json`.
    ///
    /// # Errors
    /// [`CodesError`] for a file that is none, or has a category of another form than `END002`.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let text = read::text(path, Encoding::Utf8)?;
        let table: BTreeMap<String, String> =
            serde_json::from_str(&text).map_err(|error| read::format(path, error.to_string()))?;
        let mut codes = BTreeMap::new();
        for (code, category) in table {
            let code = System::Icd10Cm.normal(&code).map_err(|error| read::format(path, error.to_string()))?;
            let bytes = category.as_bytes();
            let fits = bytes.len() == 6
                && bytes[..3].iter().all(u8::is_ascii_uppercase)
                && bytes[3..].iter().all(u8::is_ascii_digit);
            if !fits {
                return Err(read::format(path, format!("{code} has the category {category:?}; one as END002 is due")));
            }
            codes.insert(code, category);
        }
        if codes.is_empty() {
            return Err(read::format(path, "it has no codes"));
        }
        Ok(Self { codes })
    }

    /// The category of a diagnosis in normal form.
    pub fn category(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(String::as_str)
    }

    /// As [`Ccsr::category`]; of a code that is not there the category of most codes that begin with it.
    pub fn category_of_most(&self, code: &str) -> Option<&str> {
        self.category(code).or_else(|| most(&self.codes, code).map(String::as_str))
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// The chronic condition indicator for ICD-9-CM.
#[derive(Debug, Clone)]
pub struct Chronic {
    codes: HashMap<String, (bool, u8)>,
}

impl Chronic {
    /// Reads `cci2015.csv`: code, description, 0 or 1, body system. Its codes stand between single quotes, with blanks
    /// behind short ones, and its descriptions hold commas and quotes of both kinds.
    ///
    /// # Errors
    /// [`CodesError`] with the line that cannot be used.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        let mut codes = HashMap::new();
        for (index, line) in read::text(path, Encoding::Latin1)?.lines().enumerate() {
            if index == 0 || line.trim().is_empty() {
                continue;
            }
            let cells = cells(line)
                .ok_or_else(|| read::line(path, index, "'code',\"description\",'0 or 1','1 to 18' is due"))?;
            let (code, chronic, body) = cells;
            let code = System::Icd9Cm.normal(code).map_err(|error| read::line(path, index, error.to_string()))?;
            codes.insert(code, (chronic, body));
        }
        if codes.is_empty() {
            return Err(read::format(path, "it has no codes"));
        }
        Ok(Self { codes })
    }

    /// Whether a diagnosis in normal form stands for a chronic condition.
    pub fn is_chronic(&self, code: &str) -> Option<bool> {
        self.codes.get(code).map(|(chronic, _)| *chronic)
    }

    /// The body system of a diagnosis in normal form, 1 to 18.
    pub fn body_system(&self, code: &str) -> Option<u8> {
        self.codes.get(code).map(|(_, body)| *body)
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no code.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }
}

/// The value of most keys that begin with a text; of equally frequent ones the smallest.
fn most<'a, V: Ord>(table: &'a BTreeMap<String, V>, start: &str) -> Option<&'a V> {
    let from: (Bound<&str>, Bound<&str>) = (Bound::Included(start), Bound::Unbounded);
    let mut counts: BTreeMap<&V, usize> = BTreeMap::new();
    for (_, value) in table.range::<str, _>(from).take_while(|(key, _)| key.starts_with(start)) {
        *counts.entry(value).or_insert(0) += 1;
    }
    // the first of equals is the last that `max_by_key` sees
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}

/// Code, indicator and body system of a line; what stands between is the description.
fn cells(line: &str) -> Option<(&str, bool, u8)> {
    let (code, rest) = line.strip_prefix('\'')?.split_once('\'')?;
    let (rest, body) = rest.trim_end().rsplit_once(',')?;
    let (_, chronic) = rest.rsplit_once(',')?;
    let chronic = match chronic.trim_matches('\'') {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let body: u8 = body.trim_matches('\'').trim().parse().ok()?;
    (1..=18).contains(&body).then_some((code, chronic, body))
}
