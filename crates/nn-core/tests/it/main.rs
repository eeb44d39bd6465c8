//! Integration tests of nn-core, in one binary.

mod metrics;
mod store;
mod train;
