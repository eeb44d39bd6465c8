//! `galen-ehr` as its users meet it: the built binary, its files, its messages and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]
#![allow(clippy::print_stderr, reason = "a test that needs what is not there says so")]

mod audit;
mod codes;
mod command;
mod data;
mod demo;
mod features;
mod hospitals;
mod messages;
mod predict;
mod real;
mod resume;
mod robustness;
mod vectors;
