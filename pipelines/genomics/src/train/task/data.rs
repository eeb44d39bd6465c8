//! The data of the systems whose rows are more than a window, from files.

mod marks;
mod starts;

pub(crate) use self::starts::Starts;

use crate::cli::Format;
use crate::config::SourceConfig;
use crate::inputs::{self, Loaded, columns, locate};
use anyhow::Context;
use clap::ValueEnum;
use genomics::coverage::Counting;
use genomics::dataset::{ExpressionSet, MarkSet, SequenceSet};
use genomics::expression::log2_plus_one;
use genomics::genes::GeneTable;
use genomics::genome::Genome;
use genomics::interactions::InteractionTable;
use genomics::io::sets::{self, ExpressionLayout, LabelColumn};
use genomics::io::tables::{interactions, unlabelled_interactions};
use genomics::methylation::MethylationTable;
use genomics::task::{Prepare, Reads, TaskCard, TaskNetConfig};
use nn_core::burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::record::Input;

/// What was read.
pub(crate) enum Table {
    /// Pairs of elements.
    Pairs(InteractionTable),
    /// Labelled sequences.
    Sequences(SequenceSet),
    /// Sites of single cells.
    Methylation(MethylationTable),
    /// Genes with features.
    Genes(GeneTable),
    /// Genes with the marks around their starts.
    Starts(Box<Starts>),
    /// Histone marks.
    Marks(MarkSet),
    /// Samples with classes, their groups, and the genes that are connected.
    Classes(ExpressionSet, Option<Vec<u64>>, Vec<[u32; 2]>),
    /// Samples, and the genes that the others are inferred from.
    Landmarks(ExpressionSet, Vec<String>),
}

/// The data of a task with where they came from.
pub(crate) struct TaskData {
    pub(crate) table: Table,
    pub(crate) genome: Option<Genome>,
    /// Rows of the test part that the data came with.
    pub(crate) upstream: Option<Vec<usize>>,
    pub(crate) inputs: Vec<Input>,
    /// Rows that are not used, by reason.
    pub(crate) dropped: BTreeMap<String, usize>,
}

/// The layouts that a system's data may have; any where there is none. Marks are `counted` from reads, or come as a
/// text.
fn layouts(reads: Reads, counted: bool) -> &'static [Format] {
    match reads {
        Reads::Pairs => &[Format::Pairs],
        Reads::Sequences => &[],
        Reads::Methylation => &[Format::Methylation],
        Reads::Genes | Reads::Starts => &[Format::GeneTable],
        Reads::Marks if counted => &[Format::Genes, Format::GeneTable],
        Reads::Marks => &[Format::Marks],
        Reads::Classes | Reads::Landmarks => &[Format::Expression],
    }
}

/// Whether a layout is read by the systems of tasks alone.
pub(crate) fn is_of_tasks(format: Format) -> bool {
    matches!(format, Format::Pairs | Format::Methylation | Format::GeneTable | Format::Expression | Format::Marks)
}

/// How data are to be read.
pub(crate) struct Asked<'a> {
    pub(crate) source: &'a SourceConfig,
    pub(crate) common: &'a Common,
    /// The system.
    pub(crate) network: &'a TaskNetConfig,
    /// What is done to the numbers.
    pub(crate) prepare: &'a Prepare,
    /// How reads become counts of marks; none where the model's own counts were made elsewhere.
    pub(crate) counting: Option<Counting>,
    /// The card of a trained model that is to be used: its columns, cells and classes are looked for.
    pub(crate) card: Option<&'a TaskCard>,
    /// The file of that model.
    pub(crate) model: Option<&'a Path>,
    /// Where to compute what is read of the data.
    pub(crate) device: &'a Device,
    /// Whether someone asks to stop.
    pub(crate) stop: &'a AtomicBool,
    /// Bases of windows of labelled sequences.
    pub(crate) window: Option<usize>,
    /// Seed of negatives that are made.
    pub(crate) seed: u64,
    /// Whether what is to be predicted may be missing.
    pub(crate) unlabelled: bool,
}

/// Reads what the system reads.
pub(crate) fn load(asked: Asked<'_>) -> anyhow::Result<TaskData> {
    let reads = asked.network.reads();
    asked.check(reads)?;
    if reads == Reads::Sequences && asked.unlabelled {
        // labels are not looked at, so that all may be one
        let set = sets::fasta(&locate(&asked.source.data, asked.common)?, false)?;
        return Ok(TaskData::of(Table::Sequences(set)));
    }
    if reads == Reads::Sequences {
        let Loaded { set, upstream, inputs, dropped, .. } =
            inputs::load(asked.source, asked.common, asked.window, asked.seed)?;
        return Ok(TaskData { upstream, inputs, dropped, ..TaskData::of(Table::Sequences(set)) });
    }
    let mut reader = Reader { asked, inputs: Vec::new(), dropped: BTreeMap::new() };
    let genome = reader.genome(reads)?;
    let data = locate(&reader.asked.source.data, reader.asked.common)?;
    let table = reader.table(reads, &data, genome.as_ref())?;
    let Reader { inputs, dropped, .. } = reader;
    Ok(TaskData { genome, inputs, dropped, ..TaskData::of(table) })
}

impl Asked<'_> {
    /// Refuses options that say nothing to the system.
    fn check(&self, reads: Reads) -> Result<(), Usage> {
        let (source, system) = (self.source, self.network.system());
        let counted = !source.bam.is_empty();
        let due = layouts(reads, counted);
        if let Some(found) = source.format
            && !due.is_empty()
            && !due.contains(&found)
        {
            let name = |format: &Format| {
                format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
            };
            let names: Vec<String> = due.iter().map(name).collect();
            let or = if reads == Reads::Marks && !counted { ", or give reads with --bam" } else { "" };
            let (due, found) = (names.join(" or "), name(&found));
            return Err(Usage(format!("{system} reads {due}, not {found}; leave out --format{or}")));
        }
        let expression = matches!(reads, Reads::Classes | Reads::Landmarks);
        let landmarks = reads == Reads::Landmarks && self.card.is_none();
        let graph = matches!(self.network, TaskNetConfig::Gedfn(_)) && self.card.is_none();
        let body = reads == Reads::Starts && self.card.is_none();
        for (option, given, allowed) in [
            ("--labels", source.labels.is_some(), expression || (reads == Reads::Marks && counted)),
            ("--bam", counted, reads == Reads::Marks),
            ("--landmarks", source.landmarks.is_some(), landmarks),
            ("--graph", source.graph.is_some(), graph),
            ("--body", source.body.is_some(), body),
            ("--sums", source.sums.is_some(), reads == Reads::Starts),
        ] {
            if given && !allowed {
                return Err(Usage(format!("{option} says nothing to {system}; leave it out")));
            }
        }
        if landmarks && source.landmarks.is_none() {
            return Err(Usage(format!("{system} infers genes from others; name these with --landmarks FILE")));
        }
        if graph && source.graph.is_none() {
            return Err(Usage(format!("{system} reads genes that are connected; say which with --graph FILE")));
        }
        if body && source.body.is_none() {
            return Err(Usage(format!(
                "{system} reads the marks that a body predicts; give its weights with --body PATH"
            )));
        }
        let sequences = source.negatives.is_some() || source.test.is_some() || source.test_negatives.is_some();
        if reads != Reads::Sequences && (sequences || source.exclude.is_some()) {
            let text = "--negatives, --exclude, --test and --test-negatives are for labelled sequences; leave them out";
            return Err(Usage(text.into()));
        }
        Ok(())
    }
}

impl TaskData {
    /// Data of no file, without a genome.
    fn of(table: Table) -> Self {
        Self { table, genome: None, upstream: None, inputs: Vec::new(), dropped: BTreeMap::new() }
    }
}

struct Reader<'a> {
    asked: Asked<'a>,
    inputs: Vec<Input>,
    dropped: BTreeMap<String, usize>,
}

impl Reader<'_> {
    /// A file of the data, hashed; its place.
    fn input(&mut self, what: &str, path: &Path) -> anyhow::Result<PathBuf> {
        let path = locate(path, self.asked.common)?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = if what.is_empty() { file } else { format!("{what} {file}") };
        anyhow::ensure!(path.is_file(), "{} is no file", path.display());
        let input = Input::of(&name, &path).with_context(|| format!("cannot hash {}", path.display()))?;
        self.inputs.push(input);
        Ok(path)
    }

    /// The genome, where the system reads one.
    fn genome(&mut self, reads: Reads) -> anyhow::Result<Option<Genome>> {
        let source = self.asked.source;
        let needed = match (reads, self.asked.network) {
            (Reads::Methylation, TaskNetConfig::DeepCpg(config)) => config.modules.dna(),
            (reads, _) => matches!(reads, Reads::Pairs | Reads::Genes | Reads::Starts),
        };
        let counted = !source.bam.is_empty();
        match &source.genome {
            Some(path) if needed || reads == Reads::Methylation || counted => {
                let path = self.input("genome", path)?;
                Ok(Some(inputs::genome(&path, source.alias.as_deref())?))
            }
            Some(_) => {
                Err(Usage(format!("--genome says nothing to {}; leave it out", self.asked.network.system())).into())
            }
            None if needed => Err(Usage(format!("{} needs --genome FASTA", self.asked.network.system())).into()),
            None => Ok(None),
        }
    }

    fn table(&mut self, reads: Reads, data: &Path, genome: Option<&Genome>) -> anyhow::Result<Table> {
        let named = columns(&self.asked.source.column)?;
        let text = reads == Reads::Marks && self.asked.source.bam.is_empty();
        if !self.asked.source.column.is_empty() && (text || matches!(reads, Reads::Pairs | Reads::Methylation)) {
            return Err(Usage("--column is for tables of genes and of samples; leave it out".into()).into());
        }
        Ok(match reads {
            Reads::Pairs => {
                let path = self.input("", data)?;
                let read = if self.asked.unlabelled { unlabelled_interactions } else { interactions };
                Table::Pairs(read(&path, genome)?)
            }
            Reads::Methylation => {
                let (mut cells, files) = sets::methylation_cells(data, genome)?;
                for file in &files {
                    self.input("", file)?;
                }
                if let Some(card) = self.asked.card {
                    cells = in_order(cells, &card.predicts.tasks)?;
                }
                Table::Methylation(MethylationTable::from_cells(&cells)?)
            }
            Reads::Genes => {
                let path = self.input("", data)?;
                let mut table = sets::genes(&path, &named, genome)?;
                if let Some(card) = self.asked.card {
                    let missing =
                        |name: String| anyhow::anyhow!("{} has no feature {name}, which is read", path.display());
                    table = table.with_features(&card.fitted.columns).map_err(missing)?;
                    table.tasks.clone_from(&card.predicts.tasks);
                }
                let prepare = self.asked.prepare;
                let table = table.with_logarithms(&prepare.logarithms, prepare.levels, prepare.pseudocount);
                Table::Genes(table.with_context(|| format!("cannot use {}", path.display()))?)
            }
            Reads::Starts => Table::Starts(Box::new(self.starts(data, &named, genome)?)),
            Reads::Marks if text => Table::Marks(sets::deepchrome(&self.input("", data)?)?),
            Reads::Marks => Table::Marks(self.marks(data, &named, genome)?),
            Reads::Classes | Reads::Landmarks => self.samples(reads, data, &named)?,
            Reads::Sequences => anyhow::bail!("labelled sequences are read elsewhere"),
        })
    }

    fn samples(&mut self, reads: Reads, data: &Path, named: &sets::TableColumns) -> anyhow::Result<Table> {
        let path = self.input("", data)?;
        let (source, card) = (self.asked.source, self.asked.card);
        let own = reads == Reads::Classes && source.labels.is_none();
        if named.group.is_some() && source.labels.is_none() {
            let text =
                "what keeps samples together is a column of the table of --labels; give that, or leave out group";
            return Err(Usage(text.into()).into());
        }
        let name = named.labels.first().cloned().unwrap_or_else(|| "label".to_owned());
        let label = match (own, self.asked.unlabelled) {
            (true, false) => LabelColumn::Named(name),
            (true, true) => LabelColumn::IfNamed(name),
            (false, _) => LabelColumn::None,
        };
        let mut set = sets::expression(&path, &ExpressionLayout { label, ..ExpressionLayout::default() })?;
        if self.asked.prepare.expression {
            anyhow::ensure!(
                set.values.iter().all(|&value| value >= 0.0),
                "{} has values below 0, of which log2(x + 1) is no use; leave out prepare.expression",
                path.display()
            );
            log2_plus_one(&mut set.values);
        }
        if reads == Reads::Landmarks {
            let landmarks = match (card, &source.landmarks) {
                (Some(card), _) => card.fitted.columns.clone(),
                (None, Some(list)) => sets::word_list(&self.input("landmarks", list)?)?,
                (None, None) => Vec::new(),
            };
            return Ok(Table::Landmarks(set, landmarks));
        }
        if let Some(card) = card {
            let missing = |name: String| anyhow::anyhow!("{} has no gene {name}, which is read", path.display());
            set = set.with_genes(&card.fitted.columns).map_err(missing)?;
        }
        let classes = card.map(|card| card.predicts.outputs().to_vec());
        let mut groups = None;
        if self.asked.unlabelled {
            set.labels.clear();
            set.classes = classes.unwrap_or_default();
        } else if let Some(labels) = &source.labels {
            let labels = self.input("labels", labels)?;
            (set, groups) = sets::labelled(set, &labels, named, classes.as_deref())?;
        } else if let Some(classes) = &classes {
            let strange =
                |class: String| anyhow::anyhow!("class {class} is none of those of the model: {}", classes.join(", "));
            set = set.with_classes(classes).map_err(strange)?;
        }
        let edges = match (card, &source.graph) {
            (Some(card), _) => card.fitted.edges.clone(),
            (None, Some(graph)) => sets::gene_graph(&self.input("graph", graph)?, &set.genes)?,
            (None, None) => Vec::new(),
        };
        Ok(Table::Classes(set, groups, edges))
    }
}

/// The cells of these names, in this order.
fn in_order<C>(mut cells: Vec<(String, C)>, names: &[String]) -> anyhow::Result<Vec<(String, C)>> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let place = cells.iter().position(|(cell, _)| cell == name);
        let place = place.with_context(|| format!("the data have no cell {name}, which the model reads"))?;
        found.push(cells.swap_remove(place));
    }
    Ok(found)
}
