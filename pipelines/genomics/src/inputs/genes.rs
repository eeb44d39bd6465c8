//! Starts of genes.

use super::told;
use crate::cli::Format;
use genomics::genes::GeneTable;
use genomics::genome::Genome;
use genomics::io::read_gff;
use genomics::io::sets::{self, TableColumns};
use genomics::locus::Locus;
use std::path::Path;

/// The genes of a GFF or GTF file: identifier, name, and the first transcribed base on its strand.
pub(crate) fn annotated(path: &Path) -> anyhow::Result<Vec<(String, String, Locus)>> {
    let genes = read_gff(path)?.genes.into_iter();
    let of_gene = |gene: genomics::io::gff::Gene| {
        let at = gene.tss();
        (gene.id, gene.name, Locus { start: at, end: at + 1, ..gene.locus })
    };
    Ok(genes.map(of_gene).collect())
}

/// Names and starts of the genes of a GFF or GTF file, or of a table.
pub(crate) fn starts(path: &Path, genome: &Genome) -> anyhow::Result<GeneTable> {
    if told(path) != Format::Genes {
        return Ok(sets::genes(path, &TableColumns::default(), Some(genome))?);
    }
    let (names, starts) = annotated(path)?.into_iter().map(|(_, name, start)| (name, start)).unzip();
    Ok(GeneTable { names, starts, ..GeneTable::default() })
}
