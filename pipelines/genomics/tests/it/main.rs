//! `galen-genomics` as its users meet it: the built binary, its files, its messages and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]
#![allow(clippy::print_stderr, reason = "a test that needs what is not there says so")]

mod browser;
mod command;
mod coverage;
mod data;
mod demo;
mod explain;
mod faults;
mod messages;
mod predict;
mod prepare;
mod resume;
mod study;
mod variants;
