//! Integration tests of the drug crate, in one binary.
// Helpers of tests may fail by panicking as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod audit;
mod baselines;
mod chem;
mod common;
mod golden;
mod io;
mod parity;
mod screen;
mod study;
