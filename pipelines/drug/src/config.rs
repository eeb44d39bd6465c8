//! The settings of each command: defaults, file, environment, options.

use crate::cli::{Format, Source, Train};
use drug::io::deepdta::Ligands;
use drug::study::{StudyConfig, TokenizerKind};
use drug::synthetic::SyntheticConfig;
use drug::systems::deepdta::DeepDtaConfig;
use nn_core::config::in_range;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::{Flags, earlier, resolve};
use workbench::exit::Usage;

pub(crate) use workbench::config::{DeviceConfig, NoConfig, not_resumed, print, settings, without_run_folder};

/// Where affinity data comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceConfig {
    /// Folder or file, or a name below the data root.
    pub(crate) data: PathBuf,
    /// Layout; told by `data` where it is not given.
    pub(crate) format: Option<Format>,
    /// `ROLE=NAME` for each column that is named.
    pub(crate) column: Vec<String>,
    /// What the values are.
    pub(crate) quantity: Option<String>,
    /// Which SMILES of a folder in DeepDTA's layout; the canonical ones where it is not given.
    pub(crate) ligands: Option<Ligands>,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self { data: "drug/davis".into(), format: None, column: Vec::new(), quantity: None, ligands: None }
    }
}

/// The options that say where the data comes from, added to `flags`.
fn source(flags: Flags, args: &Source) -> Flags {
    flags
        .set("source.data", args.data.as_ref())
        .set("source.format", args.format)
        .set("source.column", (!args.column.is_empty()).then_some(&args.column))
        .set("source.quantity", args.quantity.as_deref())
        .set("source.ligands", args.ligands.as_deref())
}

/// What the data of a demo is generated from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DemoConfig {
    /// Fewer pairs and epochs.
    pub(crate) quick: bool,
    /// The data; its seed is that of the run.
    pub(crate) synthetic: SyntheticConfig,
}

/// Everything that decides a run.
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
    /// The data of a run on files.
    pub(crate) source: Option<SourceConfig>,
    /// The data of a demo.
    pub(crate) demo: Option<DemoConfig>,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { dataset: String::new(), device: "cpu".into(), study: StudyConfig::default(), source: None, demo: None }
    }
}

impl RunConfig {
    /// Puts the settings of `train` together and checks them, with the folder that the run writes to. A run that is
    /// continued starts from its own settings, so that they need not be said again.
    pub(crate) fn for_train(common: &Common, args: &Train) -> anyhow::Result<(Self, PathBuf)> {
        let on = |source: SourceConfig| Self { source: Some(source), ..Self::default() };
        let fresh = on(SourceConfig::default());
        let folder = match common.named_run_dir() {
            Some(folder) => folder,
            None => Path::new("runs").join(format!("{}-deepdta", Self::over(&fresh, common, args)?.dataset)),
        };
        match earlier::<Self>(common, &folder)? {
            Some(earlier) if earlier.source.is_none() => {
                let folder = folder.display();
                Err(Usage(format!("config.toml in {folder} names no data, so `train` did not write it")).into())
            }
            Some(earlier) => Ok((Self::over(&earlier, common, args)?, folder)),
            None if common.resume => {
                // A mistyped folder must not become a run on the default data; whoever names data may begin one.
                let unnamed = on(SourceConfig { data: PathBuf::new(), ..SourceConfig::default() });
                let config = Self::over(&unnamed, common, args)?;
                if config.source.as_ref().is_some_and(|source| source.data.as_os_str().is_empty()) {
                    let folder = folder.display();
                    return Err(Usage(format!(
                        "{folder} holds no run to continue; name the folder of one with --run-dir, or the data of a new one with --data"
                    ))
                    .into());
                }
                Ok((config, folder))
            }
            None => Ok((Self::over(&fresh, common, args)?, folder)),
        }
    }

    /// File, environment and options of `train` over `defaults`.
    fn over(defaults: &Self, common: &Common, args: &Train) -> anyhow::Result<Self> {
        let flags = args
            .repeats
            .flags()
            .set("dataset", args.dataset.as_deref())
            .set("protocol", args.protocol.as_deref())
            .set("split", args.split.as_deref())
            .set("sampler", args.sampler.as_deref());
        let mut config = Self::resolved(defaults, common, source(flags, &args.source))?;
        if config.demo.is_some() {
            return Err(Usage("the settings below demo are those of `galen-drug demo`; train has none".into()).into());
        }
        if config.dataset.is_empty() {
            let data = config.source.as_ref().and_then(|source| source.data.file_stem()).unwrap_or_default();
            config.dataset = data.to_string_lossy().into_owned();
        }
        Ok(config)
    }

    /// Layers the settings and checks them.
    pub(crate) fn resolved(defaults: &Self, common: &Common, flags: Flags) -> anyhow::Result<Self> {
        let mut config = resolve(defaults, common, flags)?;
        config.study = config.study.resolved();
        config.study.validate()?;
        Ok(config)
    }
}

/// Settings of `evaluate` and `bench`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct EvaluateConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl EvaluateConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source) -> anyhow::Result<Option<Self>> {
        let defaults = Self { device: "cpu".into(), source: SourceConfig::default() };
        Ok(settings(&defaults, common, source(Flags::new(), args))?)
    }
}

/// Settings of `explain`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExplainConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Residues hidden together.
    pub(crate) window: usize,
}

impl ExplainConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, window: Option<usize>) -> anyhow::Result<Option<Self>> {
        let defaults = Self { device: "cpu".into(), window: 5 };
        let found = settings(&defaults, common, Flags::new().set("window", window))?;
        found.as_ref().map_or(Ok(()), |config| in_range("window", config.window, 1..=100_000))?;
        Ok(found)
    }
}

/// Settings of `prepare` and `audit`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SplitConfig {
    /// Seed of the split.
    pub(crate) seed: u64,
    /// How to divide the rows; `auto` takes the folds that the data came with, else a random division.
    pub(crate) split: String,
    /// Share of the groups that a split other than the upstream one holds out for the test.
    pub(crate) test_fraction: f64,
    /// What SMILES strings are cut into.
    pub(crate) tokenizer: TokenizerKind,
    /// The data.
    pub(crate) source: SourceConfig,
    /// Sizes of the network that is to be trained: the audit counts what it does not read of the strings.
    pub(crate) network: DeepDtaConfig,
}

impl SplitConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source, split: Option<&str>) -> anyhow::Result<Option<Self>> {
        let StudyConfig { seed, test_fraction, tokenizer, network, .. } = StudyConfig::default();
        let (split_name, data) = ("auto".into(), SourceConfig::default());
        let defaults = Self { seed, split: split_name, test_fraction, tokenizer, source: data, network };
        let found = settings(&defaults, common, source(Flags::new(), args).set("split", split))?;
        if let Some(config) = &found {
            in_range("test_fraction", config.test_fraction, 0.01..=0.9)?;
            config.network.validate()?;
        }
        Ok(found)
    }
}
