//! The kinds of splits and their names.

use std::fmt;
use std::str::FromStr;

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

/// What the test part has not in common with the training part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum SplitKind {
    /// The parts that the data came with.
    Upstream,
    /// No copy of an image.
    Random,
    /// No subject.
    #[default]
    Subject,
    /// No neighbour in the order of the names, but at the borders of the blocks.
    Blocks,
}

impl SplitKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Upstream, Self::Random, Self::Subject, Self::Blocks];

    /// Name, as configurations and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Random => "random",
            Self::Subject => "subject",
            Self::Blocks => "blocks",
        }
    }

    /// What a result on this split says, in one sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Upstream => "The parts that the data set is published with: what they share is in the audit.",
            Self::Random => {
                "Images drawn at random, exact copies kept together: images of one subject occur on both sides."
            }
            Self::Subject => {
                "Whole subjects held out, as far as the data say who they are: no subject of the test part occurs in training."
            }
            Self::Blocks => {
                "Contiguous blocks in the order of the names held out: neighbours stay together, but for those at the borders."
            }
        }
    }
}

impl fmt::Display for SplitKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
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
