//! `galen-drug` as its users meet it: the built binary, its files, its messages and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]
#![allow(clippy::print_stderr, reason = "a test that needs what is not there says so")]

mod command;
mod data;
mod demo;
mod evaluate;
mod explain;
mod faults;
mod interrupt;
mod messages;
mod predict;
mod report;
mod resume;
mod tables;
