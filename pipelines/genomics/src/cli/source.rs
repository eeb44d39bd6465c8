//! Where data come from, on the command line.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How the data are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// FASTA whose records are all of one class; the other class comes with --negatives
    Fasta,
    /// FASTA with class:0 or class:1 in each header
    ClassFasta,
    /// DeepBind's tables: FoldID, EventID, seq, Bound
    Deepbind,
    /// A table with a sequence and its labels in each row, columns named by --column
    Table,
    /// BED or narrowPeak intervals of --genome
    Bed,
    /// Starts of the genes in a GFF3 or GTF file, on --genome
    Genes,
    /// A table of pairs of an enhancer and a promoter on --genome, with their label: for speid
    Pairs,
    /// Methylated sites: a folder with a table for each cell, or one table for all cells: for deepcpg
    Methylation,
    /// A table of genes with contig, start, strand, features and expression, on --genome: for xpresso; for expecto,
    /// with the expression in each tissue
    GeneTable,
    /// A table with a row for each sample and a column for each gene: for mostavi-1d and its kin, gedfn and d-gex
    Expression,
    /// DeepChrome's text: a line for each bin of each gene with the counts of its marks: for deepchrome,
    /// attentive-chrome, which take genes or a gene-table instead where --bam gives the reads of each mark
    Marks,
}

/// Where the data come from.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Sequences, intervals, genes, or what else the system reads; names such as genomics/rbp31 are looked up under the
    /// data root
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Layout [default: told by the name of the file]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// The other class: a file like --data, dinucleotide (each sequence shuffled), or genome (windows of --genome with
    /// the same composition)
    #[arg(long, value_name = "FILE|dinucleotide|genome|none")]
    pub(crate) negatives: Option<String>,
    /// Test part that the data came with, laid out like --data
    #[arg(long, value_name = "PATH")]
    pub(crate) test: Option<PathBuf>,
    /// The other class of the test part: a file, or none where --test has both
    #[arg(long, value_name = "PATH")]
    pub(crate) test_negatives: Option<PathBuf>,
    /// Genome that intervals lie on: FASTA, also bgzip-compressed
    #[arg(long, value_name = "FASTA")]
    pub(crate) genome: Option<PathBuf>,
    /// Table of contig names: two tab-separated columns, the name in --data and the name in --genome
    #[arg(long, value_name = "TSV")]
    pub(crate) alias: Option<PathBuf>,
    /// Intervals that negatives must not touch
    #[arg(long, value_name = "BED")]
    pub(crate) exclude: Option<PathBuf>,
    /// Which column holds what: sequence, label, name, group (repeatable; label may be several). For expecto, all other
    /// columns of a gene-table are tissues where no label is named
    #[arg(long, value_name = "ROLE=NAME")]
    pub(crate) column: Vec<String>,
    /// Bases of each window, around the middle of the interval or the start of the gene
    #[arg(long, value_name = "BASES")]
    pub(crate) window: Option<usize>,
    /// Sequences are RNA or have a direction: only the strand that is given counts
    #[arg(long)]
    pub(crate) single_strand: bool,
    /// Classes of the samples of an expression table, columns sample and label; or, beside --bam, expression of the
    /// genes, columns gene and expression: 0 and 1, or levels, which are divided at their median
    #[arg(long, value_name = "TSV")]
    pub(crate) labels: Option<PathBuf>,
    /// Reads to count: in each window, where the counts become the labels (prepare), or around the start of each gene,
    /// one file for each mark (deepchrome, attentive-chrome) (repeatable)
    #[arg(long, value_name = "NAME=BAM")]
    pub(crate) bam: Vec<String>,
    /// Names of the genes that the others are inferred from, one in each line: for d-gex
    #[arg(long, value_name = "FILE")]
    pub(crate) landmarks: Option<PathBuf>,
    /// Weights of the body that predicts marks: a run of beluga, its .safetensors, or a .pth of the authors: for
    /// expecto
    #[arg(long, value_name = "PATH")]
    pub(crate) body: Option<PathBuf>,
    /// Sums of the marks around the genes: written where the file is not there yet, read where it is: for expecto
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) sums: Option<PathBuf>,
    /// Connected genes, two names in each line or a matrix without heading: for gedfn
    #[arg(long, value_name = "FILE")]
    pub(crate) graph: Option<PathBuf>,
}
