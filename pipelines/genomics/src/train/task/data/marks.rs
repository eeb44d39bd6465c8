//! Histone marks from reads: counts in bins around the starts of genes, and whether the genes are expressed.

use super::Reader;
use crate::cli::Format;
use crate::coverage::named;
use crate::inputs::{annotated, locate, told};
use anyhow::Context;
use genomics::coverage::{Counting, marks};
use genomics::dataset::{MarkSet, high};
use genomics::genome::Genome;
use genomics::io::bam::{AlignmentOptions, Alignments};
use genomics::io::sets::{self, TableColumns};
use genomics::locus::Locus;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workbench::exit::Usage;
use workbench::observe::say;

/// Why a gene is left out that has nothing to learn from.
const NO_LEVEL: &str = "no expression";
/// Why one is left out that cannot have reads.
const NO_CONTIG: &str = "on a contig that the reads do not have";

/// A gene with the names that a table may call it by.
struct Gene {
    id: String,
    name: String,
    start: Locus,
    level: f32,
}

impl Gene {
    /// The level of the gene in a table, by its identifier, its name, or the identifier without its version.
    fn level_in(&self, levels: &BTreeMap<String, f32>) -> f32 {
        let plain = self.id.rsplit_once('.').map_or(self.id.as_str(), |(plain, _)| plain);
        let names = [self.id.as_str(), self.name.as_str(), plain];
        names.into_iter().find_map(|name| levels.get(name)).copied().unwrap_or(f32::NAN)
    }
}

impl Reader<'_> {
    /// Counts the reads of --bam around the genes of `data`. Genes that cannot be learnt from are left out; those that
    /// are only to be predicted are all there.
    pub(super) fn marks(
        &mut self,
        data: &Path,
        columns: &TableColumns,
        genome: Option<&Genome>,
    ) -> anyhow::Result<MarkSet> {
        let counting = self.asked.counting.clone().ok_or_else(|| {
            let text = "the model learnt from counts that were made elsewhere, so reads cannot be counted as it needs \
                        them; give such counts as --data, and leave out --bam";
            Usage(text.into())
        })?;
        let mut genes = self.genes(data, columns, genome)?;
        let files = self.files()?;
        let options = self.options(genome)?;
        if !self.asked.unlabelled {
            let opened = files.iter().map(|(_, path)| Alignments::open(path, &options));
            let opened = opened.collect::<Result<Vec<Alignments>, _>>()?;
            let known = |gene: &Gene| opened.iter().try_for_each(|reads| reads.contig(&gene.start.contig).map(drop));
            // Where no gene can have reads, the names of the contigs are to be looked at, and not the genes.
            if let Some(first) = genes.first().filter(|_| genes.iter().all(|gene| known(gene).is_err())) {
                known(first)?;
            }
            self.leave_out(&mut genes, NO_CONTIG, |gene| known(gene).is_err());
        }
        let starts: Vec<Locus> = genes.iter().map(|gene| gene.start.clone()).collect();
        let paths: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
        let Counting { layout, reads, scale } = &counting;
        let matrix = marks(&paths, &options, &starts, *layout, reads, *scale)?;
        for ((name, _), report) in files.iter().zip(&matrix.reports) {
            say(self.asked.common, &format!("{name}: {report}"));
        }
        let labels = high(&genes.iter().map(|gene| gene.level).collect::<Vec<f32>>());
        let names = genes.into_iter().map(|gene| gene.name).collect();
        let set = MarkSet::from_reads(matrix, names, files.into_iter().map(|(name, _)| name).collect(), labels)?;
        Ok(set.counted(starts, counting)?)
    }

    /// The genes of a GFF or GTF file, or of a table with their starts.
    fn genes(&mut self, data: &Path, columns: &TableColumns, genome: Option<&Genome>) -> anyhow::Result<Vec<Gene>> {
        let source = self.asked.source;
        let path = self.input("", data)?;
        let levels = match &source.labels {
            Some(labels) => Some(sets::gene_levels(&self.input("labels", labels)?, columns)?),
            None => None,
        };
        let mut genes: Vec<Gene> = if source.format.unwrap_or_else(|| told(&path)) == Format::Genes {
            let whole = annotated(&path)?.into_iter();
            whole.map(|(id, name, start)| Gene { id, name, start, level: f32::NAN }).collect()
        } else {
            // The columns that are named are those of the table that has the levels.
            let usual = TableColumns::default();
            let table = sets::genes(&path, if levels.is_some() { &usual } else { columns }, genome)?;
            let of = table.tasks.len();
            let rows = table.names.into_iter().zip(table.starts).zip(table.levels.chunks(of.max(1)));
            rows.map(|((name, start), levels)| Gene { id: name.clone(), name, start, level: levels[0] }).collect()
        };
        if let Some(levels) = &levels {
            genes.iter_mut().for_each(|gene| gene.level = gene.level_in(levels));
        }
        if self.asked.unlabelled {
            return Ok(genes);
        }
        self.leave_out(&mut genes, NO_LEVEL, |gene| gene.level.is_nan());
        match &source.labels {
            _ if !genes.is_empty() => Ok(genes),
            Some(labels) => anyhow::bail!("{} has no level of a gene of {}", labels.display(), path.display()),
            None => {
                let text = format!("the genes of {} have no expression; give it with --labels TSV", path.display());
                Err(Usage(text).into())
            }
        }
    }

    fn leave_out(&mut self, genes: &mut Vec<Gene>, reason: &str, refused: impl Fn(&Gene) -> bool) {
        let all = genes.len();
        genes.retain(|gene| !refused(gene));
        let left = all - genes.len();
        if left > 0 {
            say(self.asked.common, &format!("genes that are left out: {left} ({reason})"));
            self.dropped.insert(reason.to_owned(), left);
        }
    }

    /// Mark and file of each --bam; for a trained model in the order of its marks.
    fn files(&mut self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        let source = self.asked.source;
        for text in &source.bam {
            let (name, path) = named(text)?;
            if files.iter().any(|(known, _)| *known == name) {
                return Err(Usage(format!("--bam {text}: the mark {name} has a file already; name each once")).into());
            }
            let path = self.input(&name, path)?;
            files.push((name, path));
        }
        let Some(card) = self.asked.card else { return Ok(files) };
        let due = &card.fitted.columns;
        let order = |mark: &String| files.iter().find(|(name, _)| name == mark).cloned();
        let found: Vec<(String, PathBuf)> = due.iter().filter_map(order).collect();
        if found.len() < due.len() || files.len() > due.len() {
            let given: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
            let text = format!("the model reads {}; --bam has {}", due.join(", "), given.join(", "));
            return Err(Usage(text).into());
        }
        Ok(found)
    }

    /// How the files are opened: a CRAM file is read against --genome, and a SAM file without a header has its contigs.
    fn options(&self, genome: Option<&Genome>) -> anyhow::Result<AlignmentOptions> {
        let (Some(path), Some(genome)) = (&self.asked.source.genome, genome) else {
            return Ok(AlignmentOptions::default());
        };
        let reference = locate(path, self.asked.common).context("the genome")?;
        let contigs = genome.contigs().map(|(name, length)| (name.to_owned(), length as u64)).collect();
        Ok(AlignmentOptions { reference: Some(reference), contigs, ..AlignmentOptions::default() })
    }
}
