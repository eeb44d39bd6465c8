//! Deep learning for genomics: from FASTA, BED, BAM and VCF to models of sequence and expression, their motifs, and the
//! effects of variants.
//!
//! A genome is read once into two bits a base. Windows of it, cut at the peaks, genes, reads or variants of other
//! files, become one-hot channels batch by batch; what is trained on them is judged beside the share of G and C and a
//! k-mer model, on chromosomes that training never saw.
//!
//! ```
//! use genomics::genome::{Edge, Genome};
//! use genomics::locus::{Locus, Strand};
//! use genomics::sequence::Unknown;
//! let genome = Genome::from_contigs([("chr1".to_owned(), b"ACGTTTGA".to_vec())])?;
//! let site = Locus::new("1", 3, 6)?.on(Strand::Reverse);
//! assert_eq!(genome.window(&site, Edge::Refuse)?, b"AAA");
//! assert_eq!(genome.window(&site.centred(10), Edge::Pad)?, b"NTCAAACGTN");
//! assert_eq!(genome.one_hot(&[site], Edge::Pad, Unknown::Zeros)?.len(), 4 * 3);
//! # Ok::<(), genomics::genome::GenomeError>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`io`] | FASTA, FASTQ, BED, GFF, BAM, VCF, bigWig, MEME and the published sets, in and out |
//! | [`locus`], [`sequence`], [`genome`] | positions and contig names, bases and one-hot channels, the 2-bit genome |
//! | [`dataset`] | labelled sequences, expression tables, histone marks |
//! | [`methylation`], [`interactions`], [`genes`] | methylated sites, enhancers with promoters, genes with features |
//! | [`coverage`] | reads as features: coverage, cut sites, counts in bins |
//! | [`variant`] | variants as sequences: normalisation, reference check, windows of both alleles |
//! | [`shuffle`], [`negatives`] | sequences that are not bound: shuffled, or drawn from the genome to match |
//! | [`split`], [`audit`] | parts that share no chromosome or cluster, and what they share all the same |
//! | [`kmer`], [`baselines`] | the simple predictors that stand in every table |
//! | [`strands`] | layers that do not care which strand they read |
//! | [`systems`] | the published networks |
//! | [`study`], [`evaluate`] | training and judging them |
//! | [`task`] | the same for systems whose rows are more than one window |
//! | [`model`], [`predict`] | using them |
//! | [`motif`], [`logo`], [`explain`] | what they have learnt |
//! | [`synthetic`] | a generated genome with planted motifs, its reads and variants |
//!
//! Cargo features `ndarray`, `cuda` and `vulkan` add devices.

pub mod audit;
pub mod baselines;
pub mod coverage;
pub mod dataset;
pub mod evaluate;
pub mod explain;
pub mod expression;
pub mod genes;
pub mod genome;
pub mod interactions;
pub mod io;
pub mod kmer;
pub mod locus;
pub mod logo;
pub mod methylation;
pub mod model;
pub mod motif;
pub mod negatives;
pub mod predict;
pub mod sequence;
pub mod shuffle;
pub mod split;
pub mod strands;
pub mod study;
pub mod synthetic;
pub mod systems;
pub mod task;
pub mod variant;
