//! The settings of each command: defaults, file, environment, options.

use crate::cli::{Format, Source, Train};
use ehr::audit::AuditConfig;
use ehr::split::SplitConfig;
use ehr::study::{InputConfig, NetworkConfig, StudyConfig};
use nn_core::config::in_range;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::{Flags, choice, earlier, resolve};
use workbench::data::{DatasetError, whole};
use workbench::exit::Usage;

pub(crate) use workbench::config::{DeviceConfig, NoConfig, not_resumed, print, settings, without_run_folder};

/// Memory that a conversion uses where nothing else is said.
const MEMORY: &str = "4GiB";

/// Where records come from, and what is asked of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceConfig {
    /// Folder or file, or a name below the data root.
    pub(crate) data: PathBuf,
    /// Layout; told by `data` where it is not given.
    pub(crate) format: Option<Format>,
    /// What the columns of any table are.
    pub(crate) mapping: Option<PathBuf>,
    /// Cohort and question; of some sets their own.
    pub(crate) task: Option<PathBuf>,
    /// Labels in the MEDS schema instead of a task.
    pub(crate) labels: Option<PathBuf>,
    /// Part of a set that comes in several.
    pub(crate) part: Option<String>,
    /// Memory that a conversion may use.
    pub(crate) max_memory: String,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            format: None,
            mapping: None,
            task: None,
            labels: None,
            part: None,
            max_memory: MEMORY.to_owned(),
        }
    }
}

impl SourceConfig {
    /// Makes every path whole, so that a run can be continued from another folder and without `--data-root`.
    pub(crate) fn located(&mut self, common: &Common) -> Result<(), DatasetError> {
        self.data = whole(&self.data, common)?;
        for path in [&mut self.mapping, &mut self.task, &mut self.labels].into_iter().flatten() {
            *path = whole(path, common)?;
        }
        Ok(())
    }
}

/// The options that say where the data comes from, added to `flags`.
pub(crate) fn source(flags: Flags, args: &Source) -> Flags {
    flags
        .set("source.data", args.data.as_ref())
        .set("source.format", args.format)
        .set("source.mapping", args.mapping.as_ref())
        .set("source.task", args.task.as_ref())
        .set("source.labels", args.labels.as_ref())
        .set("source.part", args.part.as_deref())
        .set("source.max-memory", args.max_memory.as_deref())
}

/// What the data of a demo is generated from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DemoConfig {
    /// Fewer patients and epochs.
    pub(crate) quick: bool,
    /// The cohort; its seed is that of the run.
    pub(crate) cohort: ehr::synthetic::DemoConfig,
}

/// Everything that decides a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunConfig {
    /// Name of the data set in the results.
    pub(crate) dataset: String,
    /// Where to compute.
    pub(crate) device: String,
    /// Whether to train although the audit finds a leak.
    pub(crate) allow_leaks: bool,
    /// What counts as a leak.
    pub(crate) audit: AuditConfig,
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
        Self {
            dataset: String::new(),
            device: "cpu".into(),
            allow_leaks: false,
            audit: AuditConfig::default(),
            study: StudyConfig::default(),
            source: None,
            demo: None,
        }
    }
}

impl RunConfig {
    /// Puts the settings of `train` together and checks them, with the folder that the run writes to. A run that is
    /// continued starts from its own settings, so that they need not be said again.
    pub(crate) fn for_train(common: &Common, args: &Train) -> anyhow::Result<(Self, PathBuf)> {
        let mut fresh = Self { source: Some(SourceConfig::default()), ..Self::default() };
        fresh.study.network = NetworkConfig::named(&chosen_system(common, args))?;
        let folder = if let Some(folder) = common.named_run_dir() {
            folder
        } else {
            let config = Self::over(&fresh, common, args)?;
            Path::new("runs").join(format!("{}-{}", config.dataset, config.study.network.system()))
        };
        match earlier::<Self>(common, &folder)? {
            Some(earlier) if earlier.source.is_none() => {
                let folder = folder.display();
                Err(Usage(format!("config.toml in {folder} names no data, so `train` did not write it")).into())
            }
            Some(earlier) => Ok((Self::over(&earlier, common, args)?, folder)),
            None => Ok((Self::over(&fresh, common, args)?, folder)),
        }
    }

    /// File, environment and options of `train` over `defaults`.
    fn over(defaults: &Self, common: &Common, args: &Train) -> anyhow::Result<Self> {
        // Several names stand for one system with other sizes; the sizes are in the defaults already.
        let system = args.system.as_deref().map(NetworkConfig::named).transpose()?;
        let flags = args
            .repeats
            .flags()
            .set("dataset", args.dataset.as_deref())
            .set("network.system", system.map(|network| network.system()))
            .set("division.kind", args.split.as_deref())
            .set("folds", args.folds)
            .set("allow_leaks", args.allow_leaks.then_some(true));
        let mut config = Self::resolved(defaults, common, source(flags, &args.source))?;
        if config.demo.is_some() {
            let text = "the settings below demo are those of `galen-ehr demo`; train has none";
            return Err(Usage(text.into()).into());
        }
        let source = config.source.get_or_insert_default();
        named(source)?;
        if config.dataset.is_empty() {
            config.dataset = stem(&source.data);
        }
        Ok(config)
    }

    /// Layers the settings and checks what can be checked without the data.
    pub(crate) fn resolved(defaults: &Self, common: &Common, flags: Flags) -> anyhow::Result<Self> {
        let mut config: Self = resolve(defaults, common, flags)?;
        config.study = config.study.resolved()?;
        config.audit.validate()?;
        Ok(config)
    }
}

/// Refuses a source without data.
pub(crate) fn named(source: &SourceConfig) -> Result<(), Usage> {
    if source.data.as_os_str().is_empty() {
        return Err(Usage("no data is named; give --data PATH (a MEDS data set, hospital tables, FHIR, …)".into()));
    }
    if source.task.is_some() && source.labels.is_some() {
        return Err(Usage("--task makes labels and --labels has them; leave out one of the two".into()));
    }
    Ok(())
}

/// The name of a file or folder without its endings.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut short = name.as_str();
    for ending in [".gz", ".zip", ".tar", ".tgz", ".csv", ".tsv", ".txt", ".json", ".ndjson", ".parquet"] {
        short = short.strip_suffix(ending).unwrap_or(short);
    }
    if short.is_empty() { name } else { short.to_owned() }
}

/// The system that is asked for, by option or in the settings; told by the data where nobody does.
fn chosen_system(common: &Common, args: &Train) -> String {
    let named = args.system.clone().or_else(|| choice(common, "network.system"));
    let told = if args.source.format == Some(Format::P12) { "gru-d" } else { "gru" };
    named.unwrap_or_else(|| told.to_owned())
}

/// Settings of `phenotype`, which computes nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct RecordsConfig {
    /// The data.
    pub(crate) source: SourceConfig,
}

impl RecordsConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source) -> anyhow::Result<Option<Self>> {
        let found = settings(&Self::default(), common, source(Flags::new(), args))?;
        found.as_ref().map_or(Ok(()), |config| named(&config.source))?;
        Ok(found)
    }
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

/// Settings of `predict` and `explain`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReadConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Patients that are drawn or explained.
    pub(crate) shown: usize,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl ReadConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source, shown: Option<usize>) -> anyhow::Result<Option<Self>> {
        let defaults = Self { device: "cpu".into(), shown: 4, source: SourceConfig::default() };
        let found = settings(&defaults, common, source(Flags::new().set("shown", shown), args))?;
        if let Some(config) = &found {
            in_range("shown", config.shown, 1..=1000)?;
            named(&config.source)?;
        }
        Ok(found)
    }
}

/// Settings of `prepare` and `audit`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SetConfig {
    /// Seed of the split.
    pub(crate) seed: u64,
    /// How subjects are divided.
    pub(crate) division: SplitConfig,
    /// What a model would be given.
    pub(crate) inputs: InputConfig,
    /// What counts as a leak.
    pub(crate) audit: AuditConfig,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl SetConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source, split: Option<&str>) -> anyhow::Result<Option<Self>> {
        let defaults = Self {
            seed: 1,
            division: SplitConfig::default(),
            inputs: InputConfig::default(),
            audit: AuditConfig::default(),
            source: SourceConfig::default(),
        };
        let flags = source(Flags::new(), args).set("division.kind", split);
        let mut found = settings(&defaults, common, flags)?;
        if let Some(config) = &mut found {
            config.division.seed = config.seed;
            config.division.validate()?;
            config.inputs.validate()?;
            config.audit.validate()?;
            named(&config.source)?;
        }
        Ok(found)
    }

    /// The settings of a study that would be made of these.
    pub(crate) fn study(&self) -> anyhow::Result<StudyConfig> {
        let (division, inputs) = (self.division.clone(), self.inputs.clone());
        Ok(StudyConfig { division, inputs, seed: self.seed, ..StudyConfig::default() }.resolved()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Verb};
    use clap::Parser;

    #[test]
    fn what_computes_nothing_takes_no_device() {
        let words = ["galen-ehr", "audit", "--data", "x", "--device", "cpu"];
        let Cli { common, verb } = Cli::try_parse_from(words).unwrap();
        let Verb::Audit(args) = verb else { panic!("another command") };
        let error = SetConfig::new(&common, &args.source, None).unwrap_err().to_string();
        assert!(error.contains("unknown key \"device\""), "{error}");
    }

    #[test]
    fn a_data_set_is_called_like_its_file() {
        for (path, name) in
            [("a/physionet2012", "physionet2012"), ("diabetic_data.csv.gz", "diabetic_data"), (".gz", ".gz")]
        {
            assert_eq!(stem(Path::new(path)), name);
        }
    }
}
