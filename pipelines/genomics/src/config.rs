//! The settings of each command: defaults, file, environment, options.

use crate::cli::{Format, Source, Train};
use crate::coverage::Reads;
use anyhow::Context;
use genomics::model::StrandPolicy;
use genomics::negatives::MatchConfig;
use genomics::study::StudyConfig;
use genomics::synthetic::GenomeConfig;
use genomics::systems::{NetConfig, SYSTEMS};
use genomics::task::TASKS;
use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::{Flags, earlier, resolve};
use workbench::data::whole;
use workbench::exit::Usage;

pub(crate) use workbench::config::{DeviceConfig, NoConfig, choice, not_resumed, print, settings, without_run_folder};

/// Where labelled sequences come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SourceConfig {
    /// File, or a name below the data root.
    pub(crate) data: PathBuf,
    /// Layout; told by `data` where it is not given.
    pub(crate) format: Option<Format>,
    /// A file, `dinucleotide`, `genome` or `none`; by default `none` for data with both classes and `dinucleotide` for
    /// data with one.
    pub(crate) negatives: Option<String>,
    /// Test part that the data came with.
    pub(crate) test: Option<PathBuf>,
    /// The other class of the test part.
    pub(crate) test_negatives: Option<PathBuf>,
    /// Genome that intervals lie on.
    pub(crate) genome: Option<PathBuf>,
    /// Table of contig names.
    pub(crate) alias: Option<PathBuf>,
    /// Intervals that negatives must not touch.
    pub(crate) exclude: Option<PathBuf>,
    /// Classes of the samples of an expression table.
    pub(crate) labels: Option<PathBuf>,
    /// Names of the genes that others are inferred from.
    pub(crate) landmarks: Option<PathBuf>,
    /// Weights of a body.
    pub(crate) body: Option<PathBuf>,
    /// Sums of the marks around genes.
    pub(crate) sums: Option<PathBuf>,
    /// Connected genes.
    pub(crate) graph: Option<PathBuf>,
    /// `NAME=FILE` for each file of reads.
    pub(crate) bam: Vec<String>,
    /// `ROLE=NAME` for each column that is named.
    pub(crate) column: Vec<String>,
    /// How windows of the genome are chosen as negatives; their seed is that of the run.
    pub(crate) matching: MatchConfig,
}

impl SourceConfig {
    /// Makes every path whole, so that a run can be continued from another folder and without `--data-root`.
    pub(crate) fn located(&mut self, common: &Common) -> anyhow::Result<()> {
        self.data = whole(&self.data, common)?;
        let sequences =
            [&mut self.test, &mut self.test_negatives, &mut self.genome, &mut self.alias, &mut self.exclude];
        let tables = [&mut self.labels, &mut self.landmarks, &mut self.graph, &mut self.body];
        for path in sequences.into_iter().chain(tables).flatten() {
            *path = whole(path, common)?;
        }
        if let Some(sums) = &mut self.sums {
            // it need not be there yet
            *sums = std::path::absolute(&*sums).with_context(|| format!("cannot use {}", sums.display()))?;
        }
        for text in &mut self.bam {
            let (name, path) = crate::coverage::named(text)?;
            *text = format!("{name}={}", whole(path, common)?.display());
        }
        if let Some(negatives) = &mut self.negatives
            && !crate::inputs::MADE.contains(&negatives.as_str())
        {
            *negatives = whole(Path::new(negatives.as_str()), common)?.to_string_lossy().into_owned();
        }
        Ok(())
    }
}

/// The options that say where the data comes from and how it is read, added to `flags`.
pub(crate) fn source(flags: Flags, args: &Source) -> Flags {
    flags
        .set("source.data", args.data.as_ref())
        .set("source.format", args.format)
        .set("source.negatives", args.negatives.as_deref())
        .set("source.test", args.test.as_ref())
        .set("source.test-negatives", args.test_negatives.as_ref())
        .set("source.genome", args.genome.as_ref())
        .set("source.alias", args.alias.as_ref())
        .set("source.exclude", args.exclude.as_ref())
        .set("source.labels", args.labels.as_ref())
        .set("source.landmarks", args.landmarks.as_ref())
        .set("source.body", args.body.as_ref())
        .set("source.sums", args.sums.as_ref())
        .set("source.graph", args.graph.as_ref())
        .set("source.bam", (!args.bam.is_empty()).then_some(&args.bam))
        .set("source.column", (!args.column.is_empty()).then_some(&args.column))
        .set("window", args.window)
        .set("strands", args.single_strand.then_some(StrandPolicy::Given))
}

/// What the data of a demo is generated from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DemoConfig {
    /// Fewer sequences and epochs.
    pub(crate) quick: bool,
    /// The genome; its seed is that of the run.
    pub(crate) genome: GenomeConfig,
}

/// Which motifs are looked for in what was learnt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MotifConfig {
    /// Database in MEME format; none for no comparison.
    pub(crate) database: Option<PathBuf>,
    /// Name that the best hit should have.
    pub(crate) expect: Option<String>,
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
    /// The motifs of the report.
    pub(crate) motifs: MotifConfig,
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
            study: StudyConfig::default(),
            motifs: MotifConfig::default(),
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
        if let Some(system) = chosen_system(common, args.system.as_deref()) {
            fresh.study = StudyConfig::of(network(&system)?);
        }
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
        let system = args.system.as_deref().map(network).transpose()?;
        let flags = args
            .repeats
            .flags()
            .set("dataset", args.dataset.as_deref())
            .set("network.system", system.map(|network| network.system()))
            .set("split", args.split.as_deref().filter(|name| *name != AUTO))
            .set("folds", args.folds)
            .set("motifs.database", args.motifs.as_ref())
            .set("motifs.expect", args.expect_motif.as_deref());
        let mut config = Self::resolved(defaults, common, source(flags, &args.source))?;
        if config.demo.is_some() {
            let text = "the settings below demo are those of `galen-genomics demo`; train has none";
            return Err(Usage(text.into()).into());
        }
        let source = config.source.get_or_insert_default();
        if source.data.as_os_str().is_empty() {
            let text = "no data is named; give --data FILE (sequences, intervals or genes) and see `train --help`";
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
        config.study.validate()?;
        Ok(config)
    }
}

/// The name of a split that is told by the data.
pub(crate) const AUTO: &str = "auto";

/// The name of a file without any of its endings.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut short = name.as_str();
    for ending in
        [".gz", ".bgz", ".fa", ".fasta", ".fna", ".bed", ".narrowPeak", ".seq", ".csv", ".tsv", ".txt", ".gtf"]
    {
        short = short.strip_suffix(ending).unwrap_or(short);
    }
    if short.is_empty() { name } else { short.to_owned() }
}

/// The network of that name with its publication's sizes.
pub(crate) fn network(system: &str) -> anyhow::Result<NetConfig> {
    NetConfig::named(system).map_err(|_| {
        let known: Vec<&str> = SYSTEMS.iter().chain(&TASKS).map(|(name, _)| *name).collect();
        ConfigError::Unknown { field: "system", value: system.to_owned(), known: known.join(", ") }.into()
    })
}

/// The system that is asked for, by option, setting, environment or file, in this order: its sizes are the defaults that
/// everything else is layered over.
pub(crate) fn chosen_system(common: &Common, option: Option<&str>) -> Option<String> {
    option.map(str::to_owned).or_else(|| choice(common, "network.system"))
}

/// Refuses a source without data.
fn named(source: &SourceConfig) -> Result<(), Usage> {
    if source.data.as_os_str().is_empty() {
        return Err(Usage("no data is named; give --data FILE (sequences, intervals or genes)".into()));
    }
    Ok(())
}

/// Settings of `evaluate`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EvaluateConfig {
    /// Where to compute.
    pub(crate) device: String,
    /// Seed of negatives.
    pub(crate) seed: u64,
    /// Bases of each window; by default as many as the model reads.
    pub(crate) window: Option<usize>,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl EvaluateConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source) -> anyhow::Result<Option<Self>> {
        if args.single_strand {
            let text = "a model knows itself which strands count; leave out --single-strand";
            return Err(Usage(text.into()).into());
        }
        let (seed, data) = (StudyConfig::default().seed, SourceConfig::default());
        let defaults = Self { device: "cpu".into(), seed, window: None, source: data };
        let found = settings(&defaults, common, source(Flags::new(), args))?;
        found.as_ref().map_or(Ok(()), |config| named(&config.source))?;
        Ok(found)
    }
}

/// Settings of `prepare` and `audit`; they name their fields as those of `train` are named.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SplitConfig {
    /// Seed of split and negatives.
    pub(crate) seed: u64,
    /// How to divide the rows; `auto` is told by the data.
    pub(crate) split: String,
    /// Share of the rows that a split holds out for the test.
    pub(crate) test_fraction: f64,
    /// Contigs of the test part.
    pub(crate) test_contigs: Vec<String>,
    /// Bases of each window.
    pub(crate) window: Option<usize>,
    /// What the two strands count.
    pub(crate) strands: StrandPolicy,
    /// Which reads `prepare` counts, and what they cover.
    pub(crate) reads: Reads,
    /// The data.
    pub(crate) source: SourceConfig,
}

impl SplitConfig {
    /// File, environment and options; `None` where they were only to be shown.
    pub(crate) fn new(common: &Common, args: &Source, split: Option<&str>) -> anyhow::Result<Option<Self>> {
        let StudyConfig { seed, test_fraction, strands, .. } = StudyConfig::default();
        let (split_kind, test_contigs) = (AUTO.to_owned(), Vec::new());
        let (reads, data) = (Reads::default(), SourceConfig::default());
        let defaults =
            Self { seed, split: split_kind, test_fraction, test_contigs, window: None, strands, reads, source: data };
        let found = settings(&defaults, common, source(Flags::new(), args).set("split", split))?;
        if let Some(config) = &found {
            in_range("test_fraction", config.test_fraction, 0.01..=0.9)?;
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
        let words = ["galen-genomics", "audit", "--data", "x", "--device", "cpu"];
        let Cli { common, verb } = Cli::try_parse_from(words).unwrap();
        let Verb::Audit(args) = verb else { panic!("another command") };
        let error = SplitConfig::new(&common, &args.source, None).unwrap_err().to_string();
        assert!(error.contains("unknown key \"device\""), "{error}");
    }

    #[test]
    fn a_data_set_is_called_like_its_file() {
        for (path, name) in
            [("a/USF2_AC.seq.gz", "USF2_AC"), ("peaks.narrowPeak", "peaks"), ("x", "x"), (".bed", ".bed")]
        {
            assert_eq!(stem(Path::new(path)), name);
        }
    }
}
