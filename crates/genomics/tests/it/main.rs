//! Integration tests of genomics, in one binary.
// Helpers of tests may fail by panicking as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
// What is counted and printed here is small.
#![allow(
    clippy::format_collect,
    clippy::naive_bytecount,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps
)]

mod audit;
mod bam;
mod baselines;
mod bed;
mod bigwig;
mod coverage;
mod data;
mod explain;
mod expression;
mod fasta;
mod gff;
mod locus;
mod m6a;
mod marks;
mod methylation;
mod motifs;
mod negatives;
mod parity;
mod sets;
mod split;
mod synthetic;
mod variants;
mod vcf;
