//! The settings of a run of a task: defaults, file, environment, options.

use crate::cli::Train;
use crate::config::{AUTO, SourceConfig, source, stem};
use crate::coverage::Counts;
use genomics::coverage::Counting;
use genomics::model::StrandPolicy;
use genomics::task::{TaskConfig, TaskNetConfig};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::{Flags, earlier, resolve};
use workbench::exit::Usage;

/// Bases of a bin around the start of a gene (Singh et al. 2016, Bioinformatics 32:i639, section 3.1).
const BIN: u32 = 100;

/// Everything that decides a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TaskRunConfig {
    /// Name of the data set in the results.
    pub(crate) dataset: String,
    /// Where to compute.
    pub(crate) device: String,
    /// Bases of a window of labelled sequences; as many as the longest has by default.
    pub(crate) window: Option<usize>,
    /// What the two strands count: these systems read the one that is given.
    pub(crate) strands: StrandPolicy,
    /// The study.
    #[serde(flatten)]
    pub(crate) study: TaskConfig,
    /// How the reads of --bam are counted around the starts of genes.
    pub(crate) reads: Counts,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl Default for TaskRunConfig {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            device: "cpu".into(),
            window: None,
            strands: StrandPolicy::Given,
            study: TaskConfig::default(),
            reads: Counts::of(BIN),
            source: SourceConfig::default(),
        }
    }
}

impl TaskRunConfig {
    /// How reads become counts of marks; none for a system that reads something else.
    pub(crate) fn counting(&self) -> anyhow::Result<Option<Counting>> {
        let bins = match &self.study.network {
            TaskNetConfig::DeepChrome(sizes) => sizes.bins,
            TaskNetConfig::AttentiveChrome(sizes) => sizes.bins,
            _ => return Ok(None),
        };
        self.reads.counting(bins).map(Some)
    }

    /// Puts the settings of `train` together and checks them, with the folder that the run writes to; `network` has the
    /// default sizes of the system that was chosen. A run that is continued starts from its own settings, so that they
    /// need not be said again.
    pub(crate) fn for_train(common: &Common, args: &Train, network: TaskNetConfig) -> anyhow::Result<(Self, PathBuf)> {
        let fresh = Self { study: TaskConfig::of(network), ..Self::default() };
        let folder = if let Some(folder) = common.named_run_dir() {
            folder
        } else {
            let config = Self::over(&fresh, common, args)?;
            Path::new("runs").join(format!("{}-{}", config.dataset, config.study.network.system()))
        };
        let defaults = earlier(common, &folder)?.unwrap_or(fresh);
        Ok((Self::over(&defaults, common, args)?, folder))
    }

    /// File, environment and options of `train` over `defaults`.
    fn over(defaults: &Self, common: &Common, args: &Train) -> anyhow::Result<Self> {
        if args.motifs.is_some() || args.expect_motif.is_some() {
            let text = "--motifs and --expect-motif are for networks that read windows; leave them out";
            return Err(Usage(text.into()).into());
        }
        // Several names stand for one system with other sizes; the sizes are in the defaults already.
        let system = args.system.as_deref().map(TaskNetConfig::named).transpose()?;
        let flags = Flags::new()
            .set("dataset", args.dataset.as_deref())
            .set("network.system", system.map(|network| network.system()))
            .set("split", args.split.as_deref().filter(|name| *name != AUTO))
            .set("models", args.repeats.models)
            .set("folds", args.folds)
            .set("recipe.epochs", args.repeats.epochs);
        let mut config: Self = resolve(defaults, common, source(flags, &args.source))?;
        config.study.validate()?;
        if config.strands != StrandPolicy::Given {
            let text = "strands is not \"given\", but this system reads the strand that is given; leave it out";
            return Err(Usage(text.into()).into());
        }
        config.counting()?;
        if config.source.bam.is_empty() && config.reads != Counts::of(BIN) {
            let text = "the settings below reads say how those of --bam are counted; leave them out, or give --bam";
            return Err(Usage(text.into()).into());
        }
        if config.source.data.as_os_str().is_empty() {
            let text = "no data is named; give --data PATH (see `galen-genomics systems` for what each system reads)";
            return Err(Usage(text.into()).into());
        }
        if config.dataset.is_empty() {
            config.dataset = stem(&config.source.data);
        }
        Ok(config)
    }
}
