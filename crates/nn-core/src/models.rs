//! Domain-free networks: one file each, with the constants of its paper, trained through the one engine.

pub mod attention;
pub mod mlp;
pub mod recurrent;
