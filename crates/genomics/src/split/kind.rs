//! The kinds of splits and their names.

use std::fmt;
use std::str::FromStr;

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

/// What the test part has not in common with the training part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum SplitKind {
    /// The test part that the data came with.
    Upstream,
    /// No sequence of the test part, nor its reverse complement, in the training part.
    Random,
    /// No contig of the test part in the training part.
    #[default]
    Chromosome,
    /// No sequence of the test part like one of the training part, by the words that they share.
    Cluster,
    /// No group of the test part in the training part.
    Group,
}

impl SplitKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Upstream, Self::Random, Self::Chromosome, Self::Cluster, Self::Group];

    /// Name, as configurations and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Random => "random",
            Self::Chromosome => "chromosome",
            Self::Cluster => "cluster",
            Self::Group => "group",
        }
    }

    /// What a result on this split says, in one sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Upstream => {
                "The test part that the data set is published with: what it shares with training is in the audit."
            }
            Self::Random => {
                "Sequences drawn at random, copies and reverse complements kept together: similar and overlapping sequences occur on both sides."
            }
            Self::Chromosome => {
                "Whole chromosomes held out: no position of the test part occurs in training; copies elsewhere in the genome do."
            }
            Self::Cluster => {
                "Clusters of similar sequences held out, by the words that they share on either strand: no sequence of the test part resembles one in training."
            }
            Self::Group => {
                "Groups held out whole, such as gene families or pairs: no group of the test part occurs in training."
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
