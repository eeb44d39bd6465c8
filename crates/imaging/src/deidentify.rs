//! Files without the people in them: the basic application level confidentiality profile of PS3.15 (annex E), with
//! dates moved or removed.
//!
//! Attributes are kept, emptied, replaced or removed by the [`table`]; private attributes, unknown ones, curves and
//! overlays go. UIDs and patients get others, made from the old ones and the key of the project by SHA-256: the same in
//! every file and every run of the project, and nobody finds the old ones without the key. What is left is searched for
//! the names and numbers that were found in the file, text first and then every byte of what would be written; where
//! one remains, nothing is written.
//!
//! What is drawn into the pixels is not looked at. Files that say that text is burned in are refused, and those of a
//! kind that often has it are flagged.

mod folder;
pub mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

pub use self::folder::{Report, deidentify_folder};
pub use crate::io::dicom::clean::Tally;

use crate::io::dicom::DicomError;
use crate::io::dicom::clean::{self, Rules};

/// What becomes of dates and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// All dates of a patient move into the past by the same number of days, which follows from the key: what lies
    /// between them stays (PS3.15, E.3.6, "modified dates"). Dates of birth go.
    #[default]
    Shift,
    /// They go as the table says.
    Remove,
}

/// What becomes of files that say that text is burned into their pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BurnedIn {
    /// They are not written.
    #[default]
    Refuse,
    /// They are written and flagged.
    Flag,
}

/// How files are de-identified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeidentifyConfig {
    /// Secret of the project, 16 characters or more: who has it can tell which patient is which. Without a default.
    pub key: String,
    /// What becomes of dates.
    pub dates: Dates,
    /// Dates move by 1 to so many days, up to 36 500.
    pub max_shift_days: u32,
    /// Whether age (90 at most), sex, size and weight stay (PS3.15, E.3.7, "retain patient characteristics").
    pub keep_characteristics: bool,
    /// What becomes of files with text in their pixels.
    pub burned_in: BurnedIn,
    /// Keywords of attributes that stay although the table would change them, as `SeriesDescription`. Names and numbers
    /// of the patient are taken out of them all the same.
    pub retain: Vec<String>,
    /// Words that are no identifiers although they stand in a name, as `PHANTOM`.
    pub allow: Vec<String>,
    /// What patients are called, with 12 letters and digits behind it; up to 16 letters, digits and dashes.
    pub prefix: String,
}

impl Default for DeidentifyConfig {
    fn default() -> Self {
        Self {
            key: String::new(),
            dates: Dates::default(),
            max_shift_days: 3650,
            keep_characteristics: false,
            burned_in: BurnedIn::default(),
            retain: Vec::new(),
            allow: Vec::new(),
            prefix: "P-".to_owned(),
        }
    }
}

impl DeidentifyConfig {
    /// The defaults with this key.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// Checks all fields.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, what it holds and what is allowed; the key is never quoted.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("length of key", self.key.chars().count(), 16..=1024)?;
        in_range("max_shift_days", self.max_shift_days, 1..=36_500)?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.prefix.len() > 16 || !self.prefix.chars().all(word) {
            return Err(ConfigError::OutOfRange {
                field: "prefix",
                value: self.prefix.clone(),
                allowed: "up to 16 letters, digits and dashes".to_owned(),
            });
        }
        self.retained().map(|_| ())
    }

    /// Tags of what is retained.
    fn retained(&self) -> Result<Vec<u32>, ConfigError> {
        let tag = |keyword: &String| match clean::tag_of(keyword) {
            Some(tag) if !clean::IDENTITY.contains(&tag) => Ok(tag),
            Some(_) => {
                Err(ConfigError::Conflict(format!("retain = {keyword:?} would leave the patient in; remove it")))
            }
            None => Err(ConfigError::Unknown {
                field: "retain",
                value: keyword.clone(),
                known: "the keywords of DICOM's attributes, as SeriesDescription".to_owned(),
            }),
        };
        self.retain.iter().map(tag).collect()
    }

    fn rules(&self) -> Result<Rules, ConfigError> {
        self.validate()?;
        Ok(Rules {
            key: self.key.clone(),
            prefix: self.prefix.clone(),
            shift: (self.dates == Dates::Shift).then_some(self.max_shift_days),
            keep_characteristics: self.keep_characteristics,
            refuse_burned_in: self.burned_in == BurnedIn::Refuse,
            retain: self.retained()?,
            retained: self.retain.clone(),
            allow: self.allow.iter().map(|word| word.to_lowercase()).collect(),
        })
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeidentifyError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file cannot be read or written.
    #[error(transparent)]
    Dicom(#[from] DicomError),
    /// What would be written could still tell who it is.
    #[error("{path} is not written: {problem}")]
    Refused {
        /// The file that was read.
        path: PathBuf,
        /// Why, and what to do.
        problem: String,
    },
    /// The folder cannot be listed or made.
    #[error("cannot {action} {path}: {cause}")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// One folder is within the other.
    #[error("{output} and {input} lie within each other; write to a folder beside the input")]
    Nested {
        /// Where files are read.
        input: PathBuf,
        /// Where they would be written.
        output: PathBuf,
    },
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "reason")]
pub enum Outcome {
    /// It was written.
    Written,
    /// What would be written could still tell who it is.
    Refused(String),
    /// It cannot be read or written.
    Failed(String),
    /// It is no DICOM file, and was not copied.
    Skipped(String),
}

/// What was done to one file. The input's path may itself say who it is: reports stay with the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file that was read.
    pub input: PathBuf,
    /// What was written.
    pub output: Option<PathBuf>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What a person should look at.
    pub flags: Vec<String>,
    /// How many attributes were changed in which way.
    pub tally: Tally,
}

/// De-identifies one file; returns what was done to it. Nothing is written under `output` unless all of it is.
///
/// # Errors
/// [`DeidentifyError`] if the configuration cannot be used, the file cannot be read or written, or what would be
/// written could still tell who it is.
pub fn deidentify_file(input: &Path, output: &Path, config: &DeidentifyConfig) -> Result<FileReport, DeidentifyError> {
    one(input, &config.rules()?, |_| output.to_path_buf())
}

/// Cleans one file and writes it to where `place` says.
fn one(
    input: &Path,
    rules: &Rules,
    place: impl FnOnce(&clean::Cleaned) -> PathBuf,
) -> Result<FileReport, DeidentifyError> {
    let cleaned = clean::clean(input, rules)?;
    if let Some(problem) = cleaned.refusal {
        return Err(DeidentifyError::Refused { path: input.to_path_buf(), problem });
    }
    let output = place(&cleaned);
    if let Some(folder) = output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |cause| DeidentifyError::Folder { action: "make", path: folder.to_path_buf(), cause };
        fs::create_dir_all(folder).map_err(failed)?;
    }
    nn_core::atomic::write(&output, &cleaned.bytes).map_err(DicomError::from)?;
    Ok(FileReport {
        input: input.to_path_buf(),
        output: Some(output),
        outcome: Outcome::Written,
        flags: cleaned.flags,
        tally: cleaned.tally,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_and_the_key_is_not_quoted() {
        let error = DeidentifyConfig::default().validate().unwrap_err().to_string();
        assert_eq!(error, "length of key = 0 is out of range; allowed: 16 to 1024");
        let error = DeidentifyConfig::new("short secret").validate().unwrap_err().to_string();
        assert!(!error.contains("short secret"), "{error}");
        let good = DeidentifyConfig::new("a key of sixteen or more");
        good.validate().unwrap();
        let retain = |keyword: &str| DeidentifyConfig { retain: vec![keyword.to_owned()], ..good.clone() }.validate();
        retain("SeriesDescription").unwrap();
        assert!(retain("SeriesDescripton").unwrap_err().to_string().contains("is not known"));
        assert!(retain("PatientName").unwrap_err().to_string().contains("would leave the patient in"));
        assert!(DeidentifyConfig { prefix: "../".to_owned(), ..good }.validate().is_err());
    }
}
