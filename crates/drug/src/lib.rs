//! Deep learning for drug development: from SMILES strings, protein sequences and measured affinities
//! to models that are judged honestly and used on any compound list.
//!
//! ```
//! use drug::chem::Molecule;
//! use drug::tokens::Tokenizer;
//! let aspirin = Molecule::parse("CC(=O)Oc1ccccc1C(=O)O")?;
//! assert_eq!(aspirin.heavy_atoms(), 13);
//! let labels = Tokenizer::deepdta_smiles().encode("CC(=O)O", 85).ids;
//! assert_eq!(labels, [42, 42, 1, 40, 48, 31, 48]);
//! # Ok::<(), drug::chem::SmilesError>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`io`] | SMILES lists, FASTA, affinity tables, DeepDTA's folders, predictions as CSV or Parquet |
//! | [`table`] | the affinity table that everything else works on |
//! | [`chem`] | molecules: parsing, canonical SMILES, fingerprints, scaffolds, drawings |
//! | [`tokens`] | strings to labels |
//! | [`split`], [`audit`] | parts that share no molecule or sequence, and what they share all the same |
//! | [`baselines`] | the trivial and the strong simple predictors that stand in every table |
//! | [`systems`] | the published networks |
//! | [`affinity`], [`study`] | training and judging them |
//! | [`model`], [`predict`], [`explain`] | using them |
//! | [`seen`] | what of a later table they were trained on |
//! | [`synthetic`] | generated affinities with a known rule |
//!
//! Cargo features `ndarray`, `cuda` and `vulkan` add devices.

pub mod affinity;
pub mod audit;
pub mod baselines;
pub mod chem;
pub mod explain;
pub mod io;
pub mod model;
pub mod predict;
pub mod seen;
pub mod split;
pub mod study;
pub mod synthetic;
pub mod systems;
pub mod table;
pub mod tokens;
