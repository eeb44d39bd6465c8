//! The settings of each command: defaults, file, environment, options.

mod study;

pub(crate) use self::study::StudySettings;

use crate::cli::{Format, Method, Source, Train};
use imaging::cache::CacheConfig;
use imaging::loader::LoaderConfig;
use imaging::pictures::CropConfig;
use imaging::plan::PlanConfig;
use imaging::split::SplitKind;
use imaging::study::Division;
use nn_core::config::in_range;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::{Flags, choice, earlier, resolve};
use workbench::exit::Usage;

pub(crate) use workbench::config::{DeviceConfig, NoConfig, not_resumed, print, settings, without_run_folder};

/// The name of a split that is told by the data.
pub(crate) const AUTO: &str = "auto";

/// Where labelled cases or pictures come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceConfig {
    /// Folder, table or npz file, or a name below the data root.
    pub(crate) data: PathBuf,
    /// Layout; told by `data` where it is not given.
    pub(crate) format: Option<Format>,
    /// Names of the labels 1, 2, …
    pub(crate) names: Vec<String>,
    /// Cases that are used; 0 for all.
    pub(crate) limit: usize,
    /// Height and width that pictures are brought to, where they differ.
    pub(crate) size: Option<[usize; 2]>,
    /// Channels that pictures are brought to, 1 or 3; by default as they come.
    pub(crate) channels: Option<usize>,
    /// Where the lungs are, for a network that sees them by themselves: `auto`, a folder of masks of the names of the
    /// pictures, or a segmentation model.
    pub(crate) crop: Option<PathBuf>,
    /// By how much what is cut out is larger on each side than the lungs, as a share.
    pub(crate) crop_margin: f64,
}

impl SourceConfig {
    /// How a part of each picture is cut out, where one is.
    pub(crate) fn cropping(&self) -> Option<CropConfig> {
        self.crop.as_ref().map(|from| CropConfig { from: from.clone(), margin: self.crop_margin })
    }
}

/// The options that say where the data comes from, added to `flags`.
fn source(flags: Flags, args: &Source) -> Flags {
    flags
        .set("source.data", args.data.as_ref())
        .set("source.format", args.format)
        .set("source.names", (!args.names.is_empty()).then_some(&args.names))
        .set("source.limit", args.limit)
}

/// What the data of a demo is generated from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DemoConfig {
    /// Fewer cases and epochs.
    pub(crate) quick: bool,
    /// Phantoms that are generated.
    pub(crate) cases: usize,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self { quick: false, cases: 24 }
    }
}

/// Everything that decides a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(serialize = "S: Serialize", deserialize = "S: Default + DeserializeOwned"))]
pub(crate) struct RunConfig<S> {
    /// Name of the data set in the results.
    pub(crate) dataset: String,
    /// Where to compute.
    pub(crate) device: String,
    /// Plan that the study takes what it leaves open from; by default one of the training cases.
    pub(crate) plan: Option<PathBuf>,
    /// Weights that a classifier starts from.
    pub(crate) weights: Option<PathBuf>,
    /// The study.
    #[serde(flatten)]
    pub(crate) study: S,
    /// Where prepared cases are kept besides in memory (segmentations); no part of the result.
    pub(crate) cache: Option<CacheConfig>,
    /// How far ahead of their step patches are cut, on threads of their own (segmentations); no part of the result.
    pub(crate) loader: Option<LoaderConfig>,
    /// The data of a run on files.
    pub(crate) source: Option<SourceConfig>,
    /// The data of a demo.
    pub(crate) demo: Option<DemoConfig>,
}

impl<S: Default> Default for RunConfig<S> {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            device: "cpu".into(),
            plan: None,
            weights: None,
            study: S::default(),
            cache: None,
            loader: None,
            source: None,
            demo: None,
        }
    }
}

impl<S: StudySettings> RunConfig<S> {
    /// Puts the settings of `train` together and checks them, with the folder that the run writes to. A run that is
    /// continued starts from its own settings, so that they need not be said again.
    pub(crate) fn for_train(common: &Common, args: &Train, system: &str) -> anyhow::Result<(Self, PathBuf)> {
        let mut fresh = Self { source: Some(SourceConfig::default()), ..Self::default() };
        fresh.study.choose(system)?;
        let name = fresh.study.system();
        let folder = if let Some(folder) = common.named_run_dir() {
            folder
        } else {
            let config = Self::over(&fresh, common, args, name)?;
            Path::new("runs").join(format!("{}-{}", config.dataset, config.study.system()))
        };
        match earlier::<Self>(common, &folder)? {
            Some(earlier) if earlier.source.is_none() => {
                let folder = folder.display();
                Err(Usage(format!("config.toml in {folder} names no data, so `train` did not write it")).into())
            }
            Some(earlier) => Ok((Self::over(&earlier, common, args, name)?, folder)),
            None => Ok((Self::over(&fresh, common, args, name)?, folder)),
        }
    }

    /// File, environment and options of `train` over `defaults`.
    fn over(defaults: &Self, common: &Common, args: &Train, system: &str) -> anyhow::Result<Self> {
        let flags = args
            .repeats
            .flags()
            .set("dataset", args.dataset.as_deref())
            .set("network.system", args.system.as_ref().map(|_| system))
            .set("plan", args.plan.as_ref())
            .set("weights", args.weights.as_ref())
            .set("freeze", args.freeze.then_some(true))
            .set("cache.folder", args.cache.as_ref())
            .set("loader.threads", args.loader_threads)
            .set("source.crop", args.crop.as_ref())
            .set("division.kind", args.split.as_deref().filter(|name| *name != AUTO))
            .set("division.folds", args.folds);
        let mut config = Self::resolved(defaults, common, source(flags, &args.source))?;
        if config.demo.is_some() {
            let text = "the settings below demo are those of `galen-imaging demo`; train has none";
            return Err(Usage(text.into()).into());
        }
        let source = config.source.get_or_insert_default();
        if source.data.as_os_str().is_empty() {
            let text = "no data is named; give --data PATH (cases with labels, or labelled pictures) and see \
                        `train --help`";
            return Err(Usage(text.into()).into());
        }
        if config.dataset.is_empty() {
            config.dataset = stem(&source.data);
        }
        Ok(config)
    }

    /// Layers the settings and checks what can be checked without the data.
    pub(crate) fn resolved(defaults: &Self, common: &Common, flags: Flags) -> anyhow::Result<Self> {
        let config: Self = resolve(defaults, common, flags)?;
        config.study.check()?;
        Ok(config)
    }
}

/// The name of a file or folder without its ending.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for ending in [".nii.gz", ".npz", ".csv", ".tsv"] {
        if let Some(short) = name.strip_suffix(ending)
            && !short.is_empty()
        {
            return short.to_owned();
        }
    }
    name
}

/// The system that is asked for, by option or in the settings; told by the data where nobody does.
pub(crate) fn chosen_system(common: &Common, args: &Train) -> String {
    let named = args.system.clone().or_else(|| choice(common, "network.system"));
    let pictures = matches!(args.source.format, Some(Format::Npz | Format::Pictures))
        || args.source.data.as_ref().is_some_and(|path| path.extension().is_some_and(|ending| ending == "npz"));
    let told = if pictures { "resnet18" } else { "unet" };
    named.unwrap_or_else(|| told.to_owned())
}

/// Settings of `predict`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PredictConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Masks, or the model, that show where the lungs are, instead of those that a classifier learnt with.
    pub(crate) crop: Option<PathBuf>,
}

impl PredictConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common) -> anyhow::Result<Option<Self>> {
        Ok(settings(&Self { device: "cpu".into(), crop: None }, common, Flags::new())?)
    }
}

/// Settings of `explain`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ExplainConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// How places get their share.
    pub(crate) method: Method,
    /// Pictures that are drawn.
    pub(crate) shown: usize,
    /// Pixels along each side of a covered square.
    pub(crate) square: usize,
    /// Masks, or the model, that show where the lungs are, instead of those that the classifier learnt with.
    pub(crate) crop: Option<PathBuf>,
}

impl ExplainConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, method: Option<Method>, shown: Option<usize>) -> anyhow::Result<Option<Self>> {
        let defaults = Self { device: "cpu".into(), method: Method::GradCam, shown: 8, square: 4, crop: None };
        let found = settings(&defaults, common, Flags::new().set("method", method).set("shown", shown))?;
        if let Some(config) = &found {
            in_range("shown", config.shown, 1..=10_000)?;
            in_range("square", config.square, 1..=512)?;
        }
        Ok(found)
    }
}

/// Refuses a source without data.
fn named(source: &SourceConfig) -> Result<(), Usage> {
    if source.data.as_os_str().is_empty() {
        return Err(Usage("no data is named; give --data PATH (cases with labels, or labelled pictures)".into()));
    }
    Ok(())
}

/// Settings of `evaluate`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EvaluateConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Seed of the resamples behind intervals.
    pub(crate) seed: u64,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl EvaluateConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source) -> anyhow::Result<Option<Self>> {
        let defaults = Self { device: "cpu".into(), seed: 1, source: SourceConfig::default() };
        let found = settings(&defaults, common, source(Flags::new(), args))?;
        found.as_ref().map_or(Ok(()), |config| named(&config.source))?;
        Ok(found)
    }
}

/// Settings of `prepare`, `audit` and `plan`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SetConfig {
    /// Seed of the split.
    pub(crate) seed: u64,
    /// How the rows are divided.
    pub(crate) division: Division,
    /// What a plan is made with.
    pub(crate) planning: PlanConfig,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl SetConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source, split: Option<&str>) -> anyhow::Result<Option<Self>> {
        let (division, planning) = (Division::default(), PlanConfig::default());
        let defaults = Self { seed: 1, division, planning, source: SourceConfig::default() };
        if let Some(name) = split.filter(|name| *name != AUTO) {
            name.parse::<SplitKind>()?;
        }
        let flags = source(Flags::new(), args).set("division.kind", split.filter(|name| *name != AUTO));
        let found = settings(&defaults, common, flags)?;
        if let Some(config) = &found {
            config.division.validate(1)?;
            config.planning.validate()?;
            named(&config.source)?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};
    use clap::Parser;

    #[test]
    fn what_computes_nothing_takes_no_device() {
        let words = ["galen-imaging", "audit", "--data", "x", "--device", "cpu"];
        let Cli { common, verb } = Cli::try_parse_from(words).unwrap();
        let Verb::Audit(args) = verb else { panic!("another command") };
        let error = SetConfig::new(&common, &args.source, None).unwrap_err().to_string();
        assert!(error.contains("unknown key \"device\""), "{error}");
    }

    #[test]
    fn a_data_set_is_called_like_its_file() {
        for (path, name) in
            [("a/pneumoniamnist.npz", "pneumoniamnist"), ("cases.csv", "cases"), ("x", "x"), (".npz", ".npz")]
        {
            assert_eq!(stem(Path::new(path)), name);
        }
    }
}
