//! Integration tests of imaging, in one binary.
// Helpers of tests may fail by panicking as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
// What is counted and printed here is small.
#![allow(clippy::format_collect, clippy::naive_bytecount, clippy::trivially_copy_pass_by_ref)]

mod archives;
mod audit;
mod augment;
mod capture;
mod conformance;
mod data;
mod deidentify;
mod dicom;
mod evaluate;
mod nifti;
mod npz;
mod parity;
mod picture;
mod seg;
mod series;
