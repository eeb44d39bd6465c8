//! The kinds of splits and their names.

use std::fmt;
use std::str::FromStr;

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

/// What the held-out part has not in common with the training part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum SplitKind {
    /// The parts that the data set came with.
    Upstream,
    /// No subject.
    #[default]
    Subject,
    /// No subject, and no time.
    Calendar,
    /// No subject, and no site.
    Site,
}

impl SplitKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Upstream, Self::Subject, Self::Calendar, Self::Site];

    /// Name, as configurations and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Subject => "subject",
            Self::Calendar => "calendar",
            Self::Site => "site",
        }
    }

    /// What a result on this split says, in one sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Upstream => "The parts that the data set is published with, by subject.",
            Self::Subject => "Subjects drawn at random, each with all of its stays: the next patient of this hospital.",
            Self::Calendar => {
                "Subjects whose last prediction is behind a date: practice and population have moved on since training."
            }
            Self::Site => "Whole sites held out: other coding, other devices, other patients.",
        }
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SplitKind {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| ConfigError::Unknown {
            field: "split",
            value: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// How configurations are read: the one place that knows the names is [`FromStr`].
impl TryFrom<String> for SplitKind {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        text.parse()
    }
}

impl From<SplitKind> for &'static str {
    fn from(kind: SplitKind) -> Self {
        kind.name()
    }
}
