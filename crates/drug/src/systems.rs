//! The published systems for drug development, one file each.

pub mod deepdta;
