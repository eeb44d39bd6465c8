//! Codes of diagnoses, procedures and drugs: their normal forms, their hierarchies, and the public tables that lead
//! from one coding system to another.
//!
//! Sites do not agree on how a code is written (`250.00`, `25000`, `DIAGNOSIS//ICD9CM//25000`), and the same four
//! digits are a diagnosis in one column and an operation in the next. [`Coded::parse`] reads the system and the code
//! out of a MEDS code, [`System::normal`] writes a code in one way, and [`System::parent`] goes up one step, so that a
//! code that a model has never seen can stand for its nearest known ancestor ([`hierarchy::back_off`]).
//!
//! The tables are not part of the crate: [`CodeTables::load`] reads what it finds of them in a folder.
//!
//! ```
//! use ehr::codes::{Coded, System};
//! let coded = Coded::parse("DIAGNOSIS//ICD9CM//250.00").ok_or("no code")?;
//! assert_eq!((coded.system, coded.code.as_str()), (System::Icd9Cm, "25000"));
//! assert_eq!(coded.parents(), ["DIAGNOSIS//ICD9CM//2500", "DIAGNOSIS//ICD9CM//250"]);
//! // an operation of the same digits as cholera
//! assert_eq!(Coded::parse("PROCEDURE//ICD9//0010").ok_or("no code")?.system, System::Icd9Procedure);
//! # Ok::<(), &'static str>(())
//! ```
//!
//! | module | table |
//! |---|---|
//! | [`icd9`], [`icd10`] | normal forms, categories, blocks, chapters, titles |
//! | [`gem`] | general equivalence mappings between ICD-9-CM and ICD-10-CM, both ways, with their flags |
//! | [`ccs`] | Clinical Classifications: single-level CCS, CCSR, the chronic condition indicator |
//! | [`drug`] | NDC normal forms, NDC to `RxNorm`, `RxNorm` to ATC |
//! | [`hierarchy`] | ancestors of MEDS codes, back-off, descriptions for a codebook |

pub mod ccs;
pub mod drug;
pub mod gem;
pub mod hierarchy;
pub mod icd10;
pub mod icd9;
mod read;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::tables::{CodeReport, CodeTables};

/// A coding system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum System {
    /// Diagnoses of ICD-9-CM, volumes 1 and 2.
    Icd9Cm,
    /// Procedures of ICD-9-CM, volume 3.
    Icd9Procedure,
    /// Diagnoses of ICD-10-CM.
    Icd10Cm,
    /// Procedures of ICD-10-PCS.
    Icd10Pcs,
    /// Packages of drugs, National Drug Code.
    Ndc,
    /// Drugs, `RxNorm` concept identifiers.
    #[serde(rename = "rxnorm")]
    RxNorm,
    /// Drugs, Anatomical Therapeutic Chemical classification.
    Atc,
    /// Observations, LOINC.
    Loinc,
    /// SNOMED CT.
    Snomed,
}

/// Every system with its name as MEDS codes spell it.
const NAMES: [(System, &str); 9] = [
    (System::Icd9Cm, "ICD9CM"),
    (System::Icd9Procedure, "ICD9Proc"),
    (System::Icd10Cm, "ICD10CM"),
    (System::Icd10Pcs, "ICD10PCS"),
    (System::Ndc, "NDC"),
    (System::RxNorm, "RxNorm"),
    (System::Atc, "ATC"),
    (System::Loinc, "LOINC"),
    (System::Snomed, "SNOMED"),
];

/// A text that is no code of its system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no code of {system}: {problem}")]
pub struct CodeError {
    /// The system.
    pub system: System,
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl CodeError {
    fn new(system: System, text: &str, problem: &'static str) -> Self {
        // a cell of a damaged file may be long
        Self { system, text: text.chars().take(40).collect(), problem }
    }
}

/// A table of codes that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodesError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or the decompressor said.
        cause: io::Error,
    },
    /// One line cannot be used.
    #[error("{path}, line {line}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what is due there.
        problem: String,
    },
    /// The file is not what it should be.
    #[error("{path}: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The folder has none of the tables.
    #[error("{folder} has no table of codes; looked for: {wanted}")]
    Nothing {
        /// The folder.
        folder: PathBuf,
        /// The names of the files.
        wanted: String,
    },
    /// A table is asked for that was not loaded.
    #[error("the {what} is needed, which is in {file}; put it into the folder of code tables")]
    Absent {
        /// The table.
        what: &'static str,
        /// The name of its file.
        file: &'static str,
    },
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl System {
    /// The name in MEDS codes, as OMOP spells the vocabulary.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(system, _)| *system == self).map_or("", |(_, name)| name)
    }

    /// The system of a name in whichever spelling is met: `ICD9CM`, `ICD-9-CM`, `icd9`, a FHIR system URL. `procedure`
    /// says whether the code stands among procedures, which is what tells the two halves of a bare `ICD9` apart.
    pub fn named(name: &str, procedure: bool) -> Option<Self> {
        let letters: String =
            name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect();
        Some(match letters.as_str() {
            "ICD9" | "ICD9CM" | "HTTPHL7ORGFHIRSIDICD9CM" => {
                if procedure {
                    Self::Icd9Procedure
                } else {
                    Self::Icd9Cm
                }
            }
            "ICD9PROC" | "ICD9PROCEDURE" | "ICD9PCS" => Self::Icd9Procedure,
            "ICD10" => {
                if procedure {
                    Self::Icd10Pcs
                } else {
                    Self::Icd10Cm
                }
            }
            "ICD10CM" | "HTTPHL7ORGFHIRSIDICD10CM" | "HTTPHL7ORGFHIRSIDICD10" => Self::Icd10Cm,
            "ICD10PCS" | "HTTPWWWCMSGOVMEDICARECODINGICD10" => Self::Icd10Pcs,
            "NDC" | "HTTPHL7ORGFHIRSIDNDC" => Self::Ndc,
            "RXNORM" | "RXCUI" | "HTTPWWWNLMNIHGOVRESEARCHUMLSRXNORM" => Self::RxNorm,
            "ATC" | "HTTPWWWWHOCCNOATC" => Self::Atc,
            "LOINC" | "HTTPLOINCORG" => Self::Loinc,
            "SNOMED" | "SNOMEDCT" | "HTTPSNOMEDINFOSCT" => Self::Snomed,
            _ => return None,
        })
    }

    /// A code of this system in its normal form: capitals, no dot, no blanks; an NDC in eleven digits.
    ///
    /// # Errors
    /// [`CodeError`] for a text that has not the form of a code; whether the code exists is not looked up.
    pub fn normal(self, text: &str) -> Result<String, CodeError> {
        match self {
            Self::Icd9Cm => icd9::diagnosis(text),
            Self::Icd9Procedure => icd9::procedure(text),
            Self::Icd10Cm => icd10::diagnosis(text),
            Self::Icd10Pcs => icd10::procedure(text),
            Self::Ndc => drug::Ndc::parse(text).map(|ndc| ndc.digits().to_owned()),
            Self::Atc => drug::atc(text),
            Self::RxNorm | Self::Snomed => {
                let code = text.trim();
                let digits = !code.is_empty() && code.len() <= 18 && code.bytes().all(|byte| byte.is_ascii_digit());
                digits.then(|| code.to_owned()).ok_or_else(|| CodeError::new(self, text, "digits alone are due"))
            }
            Self::Loinc => {
                let code = text.trim();
                let parts = code.split_once('-').filter(|(number, check)| {
                    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                    (1..=7).contains(&number.len()) && digits(number) && check.len() == 1 && digits(check)
                });
                parts
                    .map(|_| code.to_owned())
                    .ok_or_else(|| CodeError::new(self, text, "digits, a dash and one digit are due"))
            }
        }
    }

    /// The code one step above one in normal form; none for a category, and none in a system without levels.
    pub fn parent(self, code: &str) -> Option<String> {
        let shorter = |top: usize| (code.len() > top).then(|| code.get(..code.len() - 1).map(str::to_owned)).flatten();
        match self {
            Self::Icd9Cm => shorter(icd9::category_length(code)),
            Self::Icd9Procedure => shorter(2),
            // what fills a place up ("X") is no level of its own
            Self::Icd10Cm => shorter(3).map(|parent| icd10::without_filler(&parent).to_owned()),
            Self::Icd10Pcs => shorter(3),
            Self::Ndc => match code.len() {
                11 => code.get(..9).map(str::to_owned),
                9 => code.get(..5).map(str::to_owned),
                _ => None,
            },
            Self::Atc => drug::atc_parent(code).map(str::to_owned),
            Self::RxNorm | Self::Loinc | Self::Snomed => None,
        }
    }

    /// All codes above one in normal form, the nearest first.
    pub fn ancestors(self, code: &str) -> Vec<String> {
        std::iter::successors(self.parent(code), |code| self.parent(code)).collect()
    }
}

/// What a MEDS code says: a system, a code of it, and what stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded<'a> {
    /// The system.
    pub system: System,
    /// The code in normal form.
    pub code: String,
    /// The MEDS code up to the code itself, such as `DIAGNOSIS//ICD9CM//`.
    pub prefix: &'a str,
}

impl<'a> Coded<'a> {
    /// Reads `KIND//SYSTEM//CODE`, `KIND//ICD//9//CODE`, `SYSTEM//CODE` and, as OMOP's sets in MEDS have it,
    /// `SYSTEM/CODE`; what stands behind the code is passed over. None where no system is named or the code has not its
    /// form.
    pub fn parse(code: &'a str) -> Option<Self> {
        let separator = if code.contains("//") { "//" } else { "/" };
        let (mut at, mut procedure, mut family) = (0, false, false);
        let mut system = None;
        for segment in code.split(separator) {
            if let Some(system) = system {
                // of the vocabularies, only ICD stands with its version in a place of its own
                let normal = System::normal(system, segment).ok()?;
                return Some(Self { system, code: normal, prefix: &code[..at] });
            }
            if family {
                let name = match segment.trim() {
                    "9" => "ICD9",
                    "10" => "ICD10",
                    _ => return None,
                };
                system = System::named(name, procedure);
            } else if segment.eq_ignore_ascii_case("ICD") {
                family = true;
            } else {
                system = System::named(segment, procedure);
            }
            procedure |= segment.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("PROC"));
            at += segment.len() + separator.len();
        }
        None
    }

    /// The MEDS code with its code in normal form.
    pub fn meds(&self) -> String {
        format!("{}{}", self.prefix, self.code)
    }

    /// The MEDS codes above this one, the nearest first.
    pub fn parents(&self) -> Vec<String> {
        self.system.ancestors(&self.code).into_iter().map(|code| format!("{}{code}", self.prefix)).collect()
    }
}
