//! The command line, and what is said to who typed it.
#![allow(clippy::doc_markdown, reason = "documentation comments are the help here, which shows backticks as they are")]

mod source;

pub(crate) use self::source::{Format, Source};

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use workbench::args::{Common, Repeats};

pub(crate) use workbench::observe::counted;

/// Deep learning for genomics: from FASTA, BED, BAM and VCF to trained models, motifs and variant effects.
#[derive(Debug, Parser)]
#[command(name = "galen-genomics", version, about, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Cut intervals or gene starts out of a genome, count reads in them, make negatives, and write one table with its
    /// audit and its split
    #[command(visible_alias = "extract")]
    Prepare(Prepare),
    /// Train models, judge them beside the baselines, and write a report
    Train(Train),
    /// Judge trained models on labelled rows
    Evaluate(Evaluate),
    /// Score sequences, intervals, a whole genome or other rows, one output row for each input row
    Predict(Predict),
    /// Score the variants of a VCF file, one output record for each input record
    Variants(Variants),
    /// Show which bases a prediction rests on, and the motifs that a model has learnt; writes to --run-dir
    /// [default: explanation]
    Explain(Explain),
    /// Look for composition, duplicates and leakage that make a score say less than it seems to
    Audit(Audit),
    /// Coverage of a BAM, CRAM or SAM file as bigWig, bedGraph or counts in bins
    Coverage(Coverage),
    /// List the published systems this binary has
    Systems,
    /// Train, judge, explain and score variants on a genome generated on the spot
    Demo(Demo),
    /// Run a published study whose input is no sequence
    Experiment(Experiment),
    /// Measure speed
    #[command(hide = true)]
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide the rows: auto, upstream, random, chromosome, cluster, group
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// Bins of each window that reads are counted in
    #[arg(long, value_name = "N")]
    pub(crate) bins: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Name of the data set in the results [default: name of the data folder or file]
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// The network; `galen-genomics systems` lists them [default: deepbind]
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// How to divide the rows: auto, upstream, random, chromosome, cluster, group
    #[arg(long)]
    pub(crate) split: Option<String>,
    #[command(flatten)]
    pub(crate) repeats: Repeats,
    /// Folds of a cross-validation, each model tested on another one [default: one test part for all models]
    #[arg(long)]
    pub(crate) folds: Option<usize>,
    /// Motif database in MEME format that the motifs of the first model are compared with
    #[arg(long, value_name = "FILE.meme")]
    pub(crate) motifs: Option<PathBuf>,
    /// Name that the motif which the model rests on most should have there; recorded as motif_recovered
    #[arg(long, value_name = "NAME")]
    pub(crate) expect_motif: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
#[group(id = "input", required = true, multiple = false)]
pub(crate) struct What {
    /// Sequences
    #[arg(long, value_name = "FASTA")]
    pub(crate) fasta: Option<PathBuf>,
    /// Intervals of --genome; each is scored around its summit, or its middle
    #[arg(long, value_name = "BED")]
    pub(crate) bed: Option<PathBuf>,
    /// The whole of --genome, in windows this many bases apart
    #[arg(long, value_name = "STEP")]
    pub(crate) tile: Option<usize>,
    /// Rows of a system that reads more than a window (speid, deepcpg, xpresso, …), laid out as for train; what is to
    /// be predicted may be missing
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Run folder (all its models, as an ensemble) or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) what: What,
    /// Genome of --bed, --tile and --data
    #[arg(long, value_name = "FASTA")]
    pub(crate) genome: Option<PathBuf>,
    /// Table of contig names: the name in --bed or --data and the name in --genome
    #[arg(long, value_name = "TSV")]
    pub(crate) alias: Option<PathBuf>,
    /// Reads of each mark around the genes of --data, as for train (repeatable)
    #[arg(long, value_name = "NAME=BAM")]
    pub(crate) bam: Vec<String>,
    /// Contigs to tile (repeatable) [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) contig: Vec<String>,
    /// Task or class that a track shows, where there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) task: Option<String>,
    /// Output: .tsv, .csv, .parquet, of --tile also .bw or .bedgraph; - for a table on stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Variants {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// Variants: .vcf, .vcf.gz or .bcf
    #[arg(long, value_name = "FILE")]
    pub(crate) vcf: PathBuf,
    /// The genome that the variants are of
    #[arg(long, value_name = "FASTA")]
    pub(crate) genome: PathBuf,
    /// Table of contig names: the name in --vcf and the name in --genome
    #[arg(long, value_name = "TSV")]
    pub(crate) alias: Option<PathBuf>,
    /// Output: .vcf or .vcf.gz, every record with what was found added to its INFO; or .tsv, a row for each allele
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// A second output, as a table
    #[arg(long, value_name = "FILE.tsv")]
    pub(crate) table: Option<PathBuf>,
    /// Genes whose expression the variants may change, of which each gets the nearest: GFF, GTF, or a table as for
    /// train: for expecto
    #[arg(long, value_name = "FILE")]
    pub(crate) genes: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Run folder or .safetensors file
    #[arg(long, value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// Sequences; the first ones are drawn, all are searched for motifs. The method optimum needs none
    #[arg(long, value_name = "FASTA")]
    pub(crate) fasta: Option<PathBuf>,
    /// How bases get their share: mutagenesis, gradients, deeplift, saliency; or temporal, the outputs of a recurrent
    /// network after each base; or optimum, the best sequence [default: mutagenesis]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// Motif database in MEME format to name what is found
    #[arg(long, value_name = "FILE.meme")]
    pub(crate) motifs: Option<PathBuf>,
    /// Sequences that are drawn [default: 4]
    #[arg(long)]
    pub(crate) shown: Option<usize>,
    /// Task or class to explain, where there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) task: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to divide the rows: auto, upstream, random, chromosome, cluster, group
    #[arg(long)]
    pub(crate) split: Option<String>,
}

/// What a read covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Covers {
    /// Its aligned bases
    Aligned,
    /// The base at its 5' end
    FivePrime,
    /// The cut site of a transposase: the 5' end moved by 4 bases, on the reverse strand by 5
    CutSite,
    /// --size bases from its 5' end on
    Extended,
    /// The fragment that its pair is the ends of; reads without one are extended to --size bases, or left out
    Fragments,
}

/// What counts are scaled by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ScaledBy {
    /// Nothing
    None,
    /// A million reads
    Cpm,
    /// A million reads and a thousand bases
    Rpkm,
    /// A million counts in all bins
    Bpm,
}

#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// Reads: BAM, CRAM, SAM, or BED, in any order, with or without an index
    #[arg(long, value_name = "FILE")]
    pub(crate) bam: PathBuf,
    /// Output: .bw, .bedgraph, or .tsv with every bin; - for a table on stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
    /// Bases of a bin [default: 50]
    #[arg(long, value_name = "BASES")]
    pub(crate) bin: Option<u32>,
    /// What a read covers [default: aligned]
    #[arg(long, value_enum)]
    pub(crate) signal: Option<Covers>,
    /// Bases that reads are extended to
    #[arg(long, value_name = "BASES")]
    pub(crate) size: Option<u32>,
    /// What counts are scaled by [default: none]
    #[arg(long, value_enum)]
    pub(crate) scale: Option<ScaledBy>,
    /// Reads of this strand only: forward or reverse
    #[arg(long)]
    pub(crate) strand: Option<String>,
    /// Least mapping quality
    #[arg(long, value_name = "Q")]
    pub(crate) min_mapq: Option<u8>,
    /// A read with any of these flags does not count, as 0xF04 [default: 0xF04]
    #[arg(long, value_name = "FLAGS")]
    pub(crate) exclude_flags: Option<String>,
    /// FASTA that a CRAM file was compressed against
    #[arg(long, value_name = "FASTA")]
    pub(crate) reference: Option<PathBuf>,
    /// FASTA that says the lengths of the contigs, for BED and SAM files that do not
    #[arg(long, value_name = "FASTA")]
    pub(crate) genome: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Fewer sequences and epochs: shows that everything runs, not that it learns
    #[arg(long)]
    pub(crate) quick: bool,
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Coverage of a whole BAM file
    Coverage,
    /// One-hot windows of a genome
    Windows,
    /// Windows around the variants of a VCF file, both alleles
    Variants,
    /// A contig predicted in tiles by a fresh network
    Tiles,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure
    #[arg(value_enum)]
    pub(crate) what: Measure,
    /// BAM of `coverage`
    #[arg(long, value_name = "FILE")]
    pub(crate) bam: Option<PathBuf>,
    /// FASTA of `windows`, `variants` and `tiles`
    #[arg(long, value_name = "FASTA")]
    pub(crate) genome: Option<PathBuf>,
    /// VCF of `variants`
    #[arg(long, value_name = "FILE")]
    pub(crate) vcf: Option<PathBuf>,
    /// Bases of a window
    #[arg(long, default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) window: usize,
    /// Windows, or rounds over the file
    #[arg(long, default_value_t = 100_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000_000))]
    pub(crate) items: usize,
}

/// Experiments whose input is no sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// Small round blue cell tumours from expression
    Khan,
    /// Expression from histone marks, on generated data with a planted rule
    AttentiveChrome,
}

#[derive(Debug, Args)]
pub(crate) struct Experiment {
    /// The experiment
    #[arg(value_enum)]
    pub(crate) which: Which,
    /// Folder of the data, where it has any
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) repeats: Repeats,
}
