//! What the tests of the other packages share, and checks that no single crate can make of itself (`it/`).
//!
//! Tests that run a pipeline's binary are in that pipeline's package, which is the only one that cargo tells the
//! binary's path. What they have in common is here, and each of them names its binary with [`program!`]. Nothing that
//! is shipped links this library.
//!
//! | module of the library | what |
//! |---|---|
//! | [`command`] | a binary that is run to its end or beside the test, and what it said |
//! | [`run`] | the folder that a run leaves behind, and a run that is stopped and goes on |
//! | [`faults`] | damage, clocks and full disks, tried on any program |
//! | [`browser`] | a page as headless Chromium shows it |
//! | [`draw`] | numbers for inputs that are made up |
//! | [`bytes`] | the bytes of a file, compressed and damaged |
//!
//! | module of `it` | what it checks |
//! |---|---|
//! | `browser`, `command`, `run` | this library |
//! | `dependencies` | who may depend on whom, and that heavy crates are there once |
//! | `sources` | the invariants of `ARCHITECTURE.md` that can be read off the sources |
//! | `documents` | that README, ARCHITECTURE and CONTRIBUTING name what exists |
//! | `outside` | the public API as another crate uses it |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test fails by panicking, its helpers too"
)]

pub mod browser;
pub mod bytes;
pub mod command;
pub mod draw;
pub mod faults;
pub mod run;
