//! Checks that no single crate can make of itself; there is no code here, only tests (`it/`).
//!
//! | module | what it checks |
//! |---|---|
//! | `dependencies` | who may depend on whom, and that heavy crates are there once |
//! | `sources` | the invariants of `ARCHITECTURE.md` that can be read off the sources |
//! | `documents` | that README, ARCHITECTURE and CONTRIBUTING name what exists |
//! | `outside` | the public API as another crate uses it |
//!
//! Tests that run a pipeline's binary are in that pipeline's package, which is the only one that cargo tells the binary's path.
