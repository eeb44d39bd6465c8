//! Labelled sequences from files, with the record of what was read.

mod genes;
mod windows;

pub(crate) use self::genes::{annotated, starts};
pub(crate) use self::windows::{cut, genome};
pub(crate) use workbench::data::locate;

use crate::cli::{Format, counted};
use crate::config::{AUTO, SourceConfig, SplitConfig};
use crate::train::is_of_tasks;
use anyhow::Context;
use genomics::dataset::{Labels, SequenceSet};
use genomics::genome::Genome;
use genomics::io::sets::{self, TableColumns};
use genomics::io::{read_bed, read_gff};
use genomics::locus::Locus;
use genomics::negatives::{MatchConfig, shuffled, with_matched};
use genomics::shuffle::Shuffle;
use genomics::split::SplitKind;
use genomics::study::{Plan, StudyConfig};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::Input;

/// Negatives that are made rather than read.
pub(crate) const MADE: [&str; 3] = ["dinucleotide", "genome", "none"];

/// A set with where it came from.
pub(crate) struct Loaded {
    pub(crate) set: SequenceSet,
    /// Rows of the test part that the data came with.
    pub(crate) upstream: Option<Vec<usize>>,
    pub(crate) inputs: Vec<Input>,
    /// Rows that could not be used, by reason.
    pub(crate) dropped: BTreeMap<String, usize>,
    /// The same, one by one: name and reason.
    pub(crate) refused: Vec<(String, String)>,
    /// Where the negatives are from, in words.
    pub(crate) negatives: String,
    /// The genome that intervals were cut out of.
    pub(crate) genome: Option<Genome>,
}

impl Loaded {
    /// A set that comes from no file.
    pub(crate) fn generated(set: SequenceSet, negatives: &str) -> Self {
        Self {
            set,
            upstream: None,
            inputs: Vec::new(),
            dropped: BTreeMap::new(),
            refused: Vec::new(),
            negatives: negatives.to_owned(),
            genome: None,
        }
    }
}

/// Reads the data that the settings name and makes the negatives; `window` is the width of windows around intervals.
pub(crate) fn load(source: &SourceConfig, common: &Common, window: Option<usize>, seed: u64) -> anyhow::Result<Loaded> {
    if !source.bam.is_empty() {
        let text = "--bam is for prepare, and for systems that read the marks of genes (--system deepchrome, \
                    attentive-chrome); leave it out";
        return Err(Usage(text.into()).into());
    }
    Reader { source, common, window, seed, loaded: Loaded::generated(SequenceSet::default(), "") }.read()
}

/// As [`load`], the windows alone: no negatives are made, and all rows may have one label.
pub(crate) fn load_windows(source: &SourceConfig, common: &Common, window: Option<usize>) -> anyhow::Result<Loaded> {
    let mut reader =
        Reader { source, common, window, seed: 0, loaded: Loaded::generated(SequenceSet::default(), "none") };
    let format = reader.begin()?;
    if !matches!(format, Format::Bed | Format::Genes) {
        return Err(
            Usage("reads are counted in windows of a genome; give intervals or genes, and --genome".into()).into()
        );
    }
    reader.loaded.set = reader.part(&source.data, format, true)?;
    Ok(reader.loaded)
}

/// What a file is, by its name.
pub(crate) fn told(path: &Path) -> Format {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".bgz")).unwrap_or(&name).to_owned();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if ends(&[".seq"]) {
        Format::Deepbind
    } else if ends(&[".csv", ".tsv"]) {
        Format::Table
    } else if ends(&[".bed", ".narrowpeak", ".broadpeak"]) {
        Format::Bed
    } else if ends(&[".gff", ".gff3", ".gtf"]) {
        Format::Genes
    } else {
        Format::Fasta
    }
}

struct Reader<'a> {
    source: &'a SourceConfig,
    common: &'a Common,
    window: Option<usize>,
    seed: u64,
    loaded: Loaded,
}

impl Reader<'_> {
    /// Tells the layout and reads the genome, where there is one.
    fn begin(&mut self) -> anyhow::Result<Format> {
        let source = self.source;
        let format = source.format.unwrap_or_else(|| told(&source.data));
        let tables = [&source.labels, &source.landmarks, &source.graph, &source.body, &source.sums];
        if is_of_tasks(format) || tables.into_iter().any(Option::is_some) {
            let text = "this layout, or one of --labels, --landmarks, --graph, --body and --sums, is for a system that \
                        reads more than windows; name it with --system (see `galen-genomics systems`)";
            return Err(Usage(text.into()).into());
        }
        if !source.column.is_empty() && format != Format::Table {
            return Err(Usage("--column is for tables; this layout says itself what it holds".into()).into());
        }
        if matches!(format, Format::Bed | Format::Genes) || source.negatives.as_deref() == Some("genome") {
            let path = source
                .genome
                .as_ref()
                .ok_or_else(|| Usage("intervals, genes and --negatives genome need --genome FASTA".into()))?;
            let path = self.input("genome", path)?;
            self.loaded.genome = Some(genome(&path, source.alias.as_deref())?);
        } else if source.genome.is_some() {
            return Err(Usage("--genome is for intervals, genes and --negatives genome; leave it out".into()).into());
        }
        Ok(format)
    }

    fn read(mut self) -> anyhow::Result<Loaded> {
        let format = self.begin()?;
        let source = self.source;
        let mut set = self.part(&source.data, format, true)?;
        self.negatives(&mut set, format, source.negatives.as_deref(), self.seed)?;
        if let Some(test) = &source.test {
            let mut other = self.part(test, format, true)?;
            let made = source.negatives.as_deref().filter(|name| MADE.contains(name));
            match &source.test_negatives {
                Some(path) => {
                    let negatives = self.part(path, format, false)?;
                    other.append(negatives)?;
                }
                // Shuffles or windows of the test part's own positives.
                None if one_class(&other) => self.negatives(&mut other, format, made, self.seed.wrapping_add(1))?,
                None => {}
            }
            anyhow::ensure!(
                other.labels == set.labels && other.tasks.len() == set.tasks.len(),
                "the test part has other labels than the training part; the two must be laid out alike"
            );
            let first = set.len();
            self.loaded.upstream = Some((first..first + other.len()).collect());
            set.append(other)?;
        } else if source.test_negatives.is_some() {
            return Err(Usage("--test-negatives needs --test".into()).into());
        }
        set.check()?;
        anyhow::ensure!(
            !one_class(&set),
            "all {} have one label, so there is nothing to tell apart; give --negatives FILE, dinucleotide or genome",
            counted(set.len(), "row")
        );
        self.loaded.set = set;
        Ok(self.loaded)
    }

    /// A file of the data, hashed; its place.
    fn input(&mut self, what: &str, path: &Path) -> anyhow::Result<PathBuf> {
        let path = locate(path, self.common)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = if what.is_empty() { file } else { format!("{what} {file}") };
        anyhow::ensure!(path.is_file(), "{} is no file; give one of sequences, intervals or genes", path.display());
        let input = Input::of(&name, &path).with_context(|| format!("cannot hash {}", path.display()))?;
        if !self.loaded.inputs.contains(&input) {
            self.loaded.inputs.push(input);
        }
        Ok(path)
    }

    /// The rows of a file; where it does not say so itself, all of them are `bound` or not.
    fn part(&mut self, path: &Path, format: Format, bound: bool) -> anyhow::Result<SequenceSet> {
        let path = self.input("", path)?;
        Ok(match format {
            Format::Fasta => sets::fasta(&path, bound)?,
            Format::ClassFasta => sets::class_fasta(&path)?,
            Format::Deepbind => sets::deepbind(&path)?,
            Format::Table => placed(sets::table(&path, &columns(&self.source.column)?)?),
            Format::Bed => {
                let records = read_bed(&path)?;
                let lengths: Vec<usize> = records.iter().map(|record| record.locus.len()).collect();
                let width = self.width(&lengths)?;
                let named = |record: &genomics::io::BedRecord| {
                    let locus = record.window(width);
                    (record.name.clone().unwrap_or_else(|| record.locus.to_string()), locus)
                };
                self.cut(records.iter().map(named).collect(), bound)?
            }
            Format::Genes => {
                let width = self.width(&[])?;
                let genes = read_gff(&path)?.genes;
                let upstream = width / 2;
                let named = genes.iter().map(|gene| (gene.name.clone(), gene.promoter(upstream, width - upstream)));
                self.cut(named.collect(), bound)?
            }
            Format::Pairs | Format::Methylation | Format::GeneTable | Format::Expression | Format::Marks => {
                return Err(Usage(format!("{} is of a layout that holds no sequences", path.display())).into());
            }
        })
    }

    /// Width of the windows: the one that was asked for, else that of all intervals.
    fn width(&self, lengths: &[usize]) -> anyhow::Result<usize> {
        match (self.window, lengths.first()) {
            (Some(window), _) => Ok(window),
            (None, Some(&length)) if length > 0 && lengths.iter().all(|&other| other == length) => Ok(length),
            (None, _) => {
                let text = "the intervals differ in length; say with --window how many bases each gets";
                Err(Usage(text.into()).into())
            }
        }
    }

    fn cut(&mut self, named: Vec<(String, Locus)>, bound: bool) -> anyhow::Result<SequenceSet> {
        let genome = self.loaded.genome.as_ref().context("no genome")?;
        let (set, refused) = cut(genome, named, bound)?;
        for (_, reason) in &refused {
            *self.loaded.dropped.entry(reason.clone()).or_insert(0) += 1;
        }
        windows::say_refused(self.common, &refused);
        self.loaded.refused.extend(refused);
        anyhow::ensure!(
            !set.is_empty(),
            "no interval can be used; see above, and check that the genome is the right one"
        );
        Ok(set)
    }

    /// Adds the negatives that were asked for to a set; where none were named, shuffles to a set of one class.
    fn negatives(
        &mut self,
        set: &mut SequenceSet,
        format: Format,
        asked: Option<&str>,
        seed: u64,
    ) -> anyhow::Result<()> {
        let chosen = match asked {
            Some(name) => name,
            None if one_class(set) && set.labels == Labels::Binary => "dinucleotide",
            None => "none",
        };
        let said = match chosen {
            "none" => "as the data has them".to_owned(),
            "dinucleotide" => {
                *set = shuffled(set, Shuffle::Dinucleotide, 1, seed)?;
                "a shuffle of each positive with the same dinucleotides".to_owned()
            }
            "genome" => {
                let exclude = match &self.source.exclude {
                    Some(path) => {
                        let path = self.input("excluded", path)?;
                        read_bed(&path)?.into_iter().map(|record| record.locus).collect()
                    }
                    None => Vec::new(),
                };
                let genome = self.loaded.genome.as_ref().context("no genome")?;
                let config = MatchConfig { seed, ..self.source.matching.clone() };
                let (whole, filling) = with_matched(set, genome, &exclude, &config)?;
                *set = whole;
                say(self.common, &format!("negatives: {filling}"));
                "windows of the genome with the same length, share of G and C, repeats and unknown bases".to_owned()
            }
            path if matches!(format, Format::Fasta | Format::Bed | Format::Genes) => {
                let others = self.part(Path::new(path), format, false)?;
                set.append(others)?;
                format!("the file {path}")
            }
            path => {
                let text = format!("--negatives {path}: this layout has both classes in one file; leave it out");
                return Err(Usage(text).into());
            }
        };
        if self.loaded.negatives.is_empty() {
            if asked.is_none() && chosen == "dinucleotide" {
                say(
                    self.common,
                    "the data has one class; each sequence gets a dinucleotide shuffle of itself beside it",
                );
            }
            self.loaded.negatives = said;
        }
        Ok(())
    }
}

/// The set with the places that its names are, as `prepare` writes them.
fn placed(mut set: SequenceSet) -> SequenceSet {
    for (row, name) in set.names.iter().enumerate() {
        set.loci[row] = name.parse::<Locus>().ok().filter(|locus| locus.len() == set.sequences[row].len());
    }
    set
}

/// Whether every label is the same; values and classes without a label count as they are.
fn one_class(set: &SequenceSet) -> bool {
    let mut known = set.targets.iter().filter(|target| !target.is_nan());
    let first = known.next();
    set.labels != Labels::Values && known.all(|target| Some(target) == first)
}

/// The columns of a table that were named.
pub(crate) fn columns(named: &[String]) -> anyhow::Result<TableColumns> {
    let mut columns = TableColumns::default();
    for assignment in named {
        let wrong =
            || Usage(format!("--column {assignment}: write ROLE=NAME with role sequence, label, name or group"));
        let (role, name) = assignment.split_once('=').ok_or_else(wrong)?;
        let name = name.to_owned();
        match role {
            "sequence" => columns.sequence = Some(name),
            "label" => columns.labels.push(name),
            "name" => columns.name = Some(name),
            "group" => columns.group = Some(name),
            _ => return Err(wrong().into()),
        }
    }
    Ok(columns)
}

/// Divides the rows as the configuration asks.
pub(crate) fn plan(loaded: &Loaded, config: &StudyConfig) -> anyhow::Result<Plan> {
    Ok(Plan::new(&loaded.set, loaded.upstream.as_deref(), config)?)
}

/// The study that only divides the rows and looks at them.
pub(crate) fn study_config(settings: &SplitConfig, loaded: &Loaded) -> anyhow::Result<StudyConfig> {
    let split = split_kind(&settings.split)?;
    let SplitConfig { seed, test_fraction, window, strands, .. } = *settings;
    let config = StudyConfig {
        split,
        seed,
        test_fraction,
        test_contigs: settings.test_contigs.clone(),
        window,
        strands,
        models: 1,
        ..StudyConfig::default()
    };
    Ok(config.divided(&loaded.set, loaded.upstream.is_some())?)
}

/// The split asked for by name; none for `auto`.
fn split_kind(name: &str) -> Result<Option<SplitKind>, Usage> {
    if name == AUTO {
        return Ok(None);
    }
    let kind = SplitKind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.map(Some).ok_or_else(|| {
        let known: Vec<&str> = SplitKind::ALL.iter().map(|kind| kind.name()).collect();
        Usage(format!("split = {name:?} is not known; use auto, {}", known.join(", ")))
    })
}
