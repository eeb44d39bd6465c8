//! The settings of each command: defaults, file, environment, options.

use crate::cli::{Format, Method, Source, Train};
use imaging::plan::PlanConfig;
use imaging::split::SplitKind;
use imaging::study::{ClassifyStudyConfig, Division, SegmentStudyConfig};
use imaging::systems::{ClassifyConfig, SegmentConfig};
use nn_core::config::{ConfigError, in_range};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::{Flags, resolve, to_toml};
use workbench::exit::Usage;
use workbench::run::{CONFIG, RunFolder};

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

/// Settings of a study that a run can be about.
pub(crate) trait StudySettings: Clone + Default + Serialize + DeserializeOwned {
    /// Takes the network of that name with its publication's sizes.
    fn choose(&mut self, system: &str) -> Result<(), ConfigError>;
    /// The system's name in configurations.
    fn system(&self) -> &'static str;
    /// Checks what can be checked without the data.
    fn check(&self) -> Result<(), ConfigError>;
    /// Seed of everything random.
    fn seed(&self) -> u64;
    /// Models to train.
    fn models(&self) -> usize;
    /// Whether the step sizes depend on the number of epochs.
    fn falls(&self) -> bool;
}

impl StudySettings for SegmentStudyConfig {
    fn choose(&mut self, system: &str) -> Result<(), ConfigError> {
        self.network = SegmentConfig::named(system)?;
        Ok(())
    }
    fn system(&self) -> &'static str {
        self.network.name()
    }
    fn check(&self) -> Result<(), ConfigError> {
        self.validate()
    }
    fn seed(&self) -> u64 {
        self.seed
    }
    fn models(&self) -> usize {
        self.models
    }
    fn falls(&self) -> bool {
        self.learning.decay > 0.0
    }
}

impl StudySettings for ClassifyStudyConfig {
    fn choose(&mut self, system: &str) -> Result<(), ConfigError> {
        self.network = ClassifyConfig::named(system)?;
        Ok(())
    }
    fn system(&self) -> &'static str {
        self.network.name()
    }
    fn check(&self) -> Result<(), ConfigError> {
        self.validate()
    }
    fn seed(&self) -> u64 {
        self.seed
    }
    fn models(&self) -> usize {
        self.models
    }
    fn falls(&self) -> bool {
        self.learning.decay > 0.0
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
            source: None,
            demo: None,
        }
    }
}

impl<S: StudySettings> RunConfig<S> {
    /// The settings of the run in `folder`, where there is one that is to be continued.
    pub(crate) fn earlier(common: &Common, folder: &Path) -> anyhow::Result<Option<Self>> {
        if common.resume { Ok(RunFolder::earlier_config(folder)?) } else { Ok(None) }
    }

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
        match Self::earlier(common, &folder)? {
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
        let flags = Flags::new()
            .set("dataset", args.dataset.as_deref())
            .set("network.system", args.system.as_ref().map(|_| system))
            .set("plan", args.plan.as_ref())
            .set("weights", args.weights.as_ref())
            .set("freeze", args.freeze.then_some(true))
            .set("division.kind", args.split.as_deref().filter(|name| *name != AUTO))
            .set("models", args.models)
            .set("division.folds", args.folds)
            .set("epochs", args.epochs);
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

/// The system that is asked for, by option, setting, environment, file or the run that is continued, in this order; told
/// by the data where nobody does.
pub(crate) fn chosen_system(common: &Common, args: &Train) -> String {
    const KEY: &str = "network.system";
    if let Some(name) = &args.system {
        return name.clone();
    }
    if let Some((_, name)) = common.set.iter().rev().find(|(key, _)| key == KEY) {
        return name.trim_matches('"').to_owned();
    }
    let variables = workbench::args::environment();
    if let Some((_, name)) = variables.iter().find(|(name, _)| name == "GALEN_NETWORK__SYSTEM") {
        return name.clone();
    }
    let earlier = common.named_run_dir().filter(|_| common.resume).map(|folder| folder.join(CONFIG));
    // What is wrong with a file is said where all of it is read.
    let read = |path: &PathBuf| system_in(&std::fs::read_to_string(path).ok()?);
    if let Some(name) = common.config.as_ref().and_then(read).or_else(|| earlier.as_ref().and_then(read)) {
        return name;
    }
    let pictures = matches!(args.source.format, Some(Format::Npz | Format::Pictures))
        || args.source.data.as_ref().is_some_and(|path| path.extension().is_some_and(|ending| ending == "npz"));
    if pictures { "resnet18" } else { "unet" }.to_owned()
}

/// The value of `network.system` in a TOML text.
fn system_in(text: &str) -> Option<String> {
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("network")?.get("system")?.as_str()?.to_owned())
}

/// Prints a configuration.
pub(crate) fn print<T: Serialize>(config: &T) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(to_toml(config)?.as_bytes())?)
}

/// The settings of a command that is no run; `None` where they were only to be shown.
pub(crate) fn settings<T: Serialize + DeserializeOwned>(
    defaults: &T,
    common: &Common,
    flags: Flags,
) -> anyhow::Result<Option<T>> {
    let settings = resolve(defaults, common, flags)?;
    if common.print_config {
        print(&settings)?;
        return Ok(None);
    }
    Ok(Some(settings))
}

/// Refuses the options of a run where none is written.
pub(crate) fn without_run_folder(common: &Common, verb: &str) -> Result<(), Usage> {
    let option = match (common.run_dir.is_some(), common.resume) {
        (true, _) => "--run-dir",
        (false, true) => "--resume",
        (false, false) => return Ok(()),
    };
    Err(Usage(format!("{verb} writes no run folder; leave out {option}")))
}

/// Settings of a command that has none of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NoConfig {}

/// Settings of `predict` and `bench`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DeviceConfig {
    /// Where to compute.
    pub(crate) device: String,
}

impl DeviceConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common) -> anyhow::Result<Option<Self>> {
        settings(&Self { device: "cpu".into() }, common, Flags::new())
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
}

impl ExplainConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, method: Option<Method>, shown: Option<usize>) -> anyhow::Result<Option<Self>> {
        let defaults = Self { device: "cpu".into(), method: Method::GradCam, shown: 8, square: 4 };
        let found = settings(&defaults, common, Flags::new().set("method", method).set("shown", shown))?;
        if let Some(config) = &found {
            in_range("shown", config.shown, 1..=10_000)?;
            in_range("square", config.square, 1..=512)?;
        }
        Ok(found)
    }
}

/// Settings of `prepare`, `audit`, `plan` and `evaluate`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SetConfig {
    /// Where to compute.
    pub(crate) device: String,
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
        let defaults = Self { device: "cpu".into(), seed: 1, division, planning, source: SourceConfig::default() };
        if let Some(name) = split.filter(|name| *name != AUTO) {
            name.parse::<SplitKind>()?;
        }
        let flags = source(Flags::new(), args).set("division.kind", split.filter(|name| *name != AUTO));
        let found = settings(&defaults, common, flags)?;
        if let Some(config) = &found {
            config.division.validate(1)?;
            config.planning.validate()?;
            if config.source.data.as_os_str().is_empty() {
                let text = "no data is named; give --data PATH (cases with labels, or labelled pictures)";
                return Err(Usage(text.into()).into());
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_of_a_file_is_found_in_its_section_only() {
        assert_eq!(system_in("[network]\nbase = 4\nsystem = \"linknet\"\n").as_deref(), Some("linknet"));
        assert_eq!(system_in("system = \"linknet\"\n[network]\n[source]\nsystem = \"x\"\n"), None);
        assert_eq!(system_in("[network\n"), None);
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
