//! Integration tests of nn-core, in one binary.
// Helpers of tests may fail by panicking as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod metrics;
mod parity;
mod skip_gram;
mod store;
mod train;
mod transfer;
