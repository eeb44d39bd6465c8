//! Integration tests of the drug crate, in one binary.

mod audit;
mod baselines;
mod chem;
mod common;
mod io;
