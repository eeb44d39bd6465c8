//! The settings of a run: defaults, file, environment, options.

use crate::cli::Train;
use drug::study::StudyConfig;
use serde::{Deserialize, Serialize};
use std::path::Path;
use workbench::args::Common;
use workbench::config::{Flags, resolve};
use workbench::run::RunFolder;

/// Everything that decides a run besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunConfig {
    /// Name of the data set in the results.
    pub(crate) dataset: String,
    /// Where to compute.
    pub(crate) device: String,
    /// The study.
    #[serde(flatten)]
    pub(crate) study: StudyConfig,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { dataset: String::new(), device: "cpu".into(), study: StudyConfig::default() }
    }
}

impl RunConfig {
    /// Puts the settings together and checks them. A run that is continued starts from its own
    /// settings, so that they need not be said again.
    pub(crate) fn new(common: &Common, args: &Train, run_dir: Option<&Path>) -> anyhow::Result<Self> {
        let earlier = run_dir.filter(|_| common.resume).map(RunFolder::earlier_config).transpose()?.flatten();
        let defaults: Self = earlier.unwrap_or_default();
        let flags = Flags::new()
            .set("dataset", args.dataset.as_deref())
            .set("protocol", args.protocol.as_deref())
            .set("split", args.split.as_deref())
            .set("models", args.models)
            .set("epochs", args.epochs)
            .set("sampler", args.sampler.as_deref());
        let mut config = resolve(&defaults, common, flags)?;
        if config.dataset.is_empty() {
            let name = args.source.data.file_stem().unwrap_or_default();
            config.dataset = name.to_string_lossy().into_owned();
        }
        config.study.validate()?;
        Ok(config)
    }
}
