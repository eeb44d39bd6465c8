//! The settings of `explain`.

use super::optimum::OptimumConfig;
use crate::config::settings;
use nn_core::config::in_range;
use serde::{Deserialize, Serialize};
use workbench::args::Common;
use workbench::config::Flags;

/// Settings of `explain`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExplainConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Seed of the shuffled references, and of the starts of the method optimum.
    pub(crate) seed: u64,
    /// How bases get their share, or which view of the dashboard is shown.
    pub(crate) method: String,
    /// Sequences that are drawn.
    pub(crate) shown: usize,
    /// Shuffles of each sequence that it is compared with, by gradients and deeplift.
    pub(crate) shuffles: usize,
    /// How the method optimum looks for the best sequence.
    pub(crate) optimum: OptimumConfig,
}

impl Default for ExplainConfig {
    fn default() -> Self {
        Self {
            device: "cpu".into(),
            seed: 1,
            method: "mutagenesis".into(),
            shown: 4,
            shuffles: 10,
            optimum: OptimumConfig::default(),
        }
    }
}

impl ExplainConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, method: Option<&str>, shown: Option<usize>) -> anyhow::Result<Option<Self>> {
        let found = settings(&Self::default(), common, Flags::new().set("method", method).set("shown", shown))?;
        found.as_ref().map_or(Ok(()), |config| in_range("shown", config.shown, 1..=100))?;
        Ok(found)
    }
}
