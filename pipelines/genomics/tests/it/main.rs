//! `galen-genomics` as its users meet it: the built binary, its files, its messages and its exit status.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]
#![allow(clippy::print_stderr, reason = "a test that needs what is not there says so")]

mod command;
mod coverage;
mod dashboards;
mod data;
mod demo;
mod expecto;
mod explain;
mod faults;
mod first_layer;
mod marks;
mod messages;
mod phases;
mod predict;
mod prepare;
mod reads;
mod recipes;
mod resume;
mod robustness;
mod study;
mod tasks;
mod variants;
