//! The workbench as a binary uses it.
// Helpers of tests may fail by panicking as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod config;
mod faults;
mod figures;
mod observe;
mod page;
mod report;
mod run;
mod training;
