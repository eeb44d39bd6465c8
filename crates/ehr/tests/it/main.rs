//! Integration tests of ehr, in one binary.
// Helpers of tests may fail by panicking as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
// What is counted and printed here is small.
#![allow(
    clippy::format_collect,
    clippy::naive_bytecount,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps
)]

mod codes;
mod cohorts;
mod data;
mod embedding;
mod hospital;
mod judgement;
mod meds;
mod mimic4;
mod omop;
mod open_formats;
mod parity;
mod phenotype;
