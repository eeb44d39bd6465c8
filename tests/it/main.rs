//! The workspace as a whole; see the package's documentation for the table of contents.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod browser;
mod command;
mod dependencies;
mod documents;
mod outside;
mod run;
mod sources;
mod tree;
