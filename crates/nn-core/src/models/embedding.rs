//! Vectors for codes, learned from the company that codes keep.
//!
//! A [`Corpus`] is a list of sequences of codes; a [`Vocabulary`] numbers any keys by frequency. Four ways
//! lead from there to [`Vectors`], which know neighbours, analogies and the text format of word2vec:
//!
//! | what | paper |
//! |---|---|
//! | [`SkipGramConfig`] | Mikolov et al. 2013: negative sampling or hierarchical softmax |
//! | [`GloveConfig`] | Pennington, Socher and Manning 2014: weighted least squares on log counts |
//! | [`PpmiConfig`] | Levy, Goldberg and Dagan 2015: shifted positive mutual information and its SVD |
//! | [`WalkConfig`] | Perozzi, Al-Rfou and Skiena 2014; Grover and Leskovec 2016: walks over a [`Graph`] as a corpus |
//!
//! None of them uses automatic differentiation: a step touches a few rows, while the gradient of an
//! embedding layer is as large as the table.
//!
//! ```
//! use nn_core::models::embedding::{EmbeddingError, SkipGramConfig, Vocabulary};
//! let texts = ["red wine", "white wine", "red car", "white car"].map(|text| text.split(' ').collect::<Vec<_>>());
//! let vocabulary = Vocabulary::count(&texts, 1);
//! let corpus = vocabulary.corpus(&texts);
//! let config = SkipGramConfig { dimension: 8, subsample: 0.0, ..SkipGramConfig::default() };
//! let vectors = config.fit(&corpus, vocabulary.len())?.into_vectors();
//! assert_eq!((vectors.rows(), vectors.width()), (4, 8));
//! # Ok::<(), EmbeddingError>(())
//! ```

mod alias;
mod cooccurrence;
mod glove;
mod huffman;
mod kernel;
mod ppmi;
mod skip_gram;
mod sparse;
mod svd;
#[cfg(test)]
mod tests;
mod text;
mod vectors;
mod vocabulary;
mod walks;

pub use self::cooccurrence::{Cooccurrence, Decay};
pub use self::glove::{Glove, GloveConfig};
pub use self::ppmi::{PpmiConfig, ppmi};
pub use self::skip_gram::{SkipGram, SkipGramConfig, SkipGramObjective, Window};
pub use self::sparse::SparseMatrix;
pub use self::svd::{Svd, truncated_svd};
pub use self::vectors::{Neighbour, Vectors};
pub use self::vocabulary::{Corpus, Vocabulary};
pub use self::walks::{Graph, WalkConfig};

use crate::config::ConfigError;

/// Purposes of the random streams of this module.
mod stream {
    pub(super) const START: u64 = 1;
    pub(super) const PASS: u64 = 2;
    pub(super) const SHUFFLE: u64 = 3;
    pub(super) const PROJECTION: u64 = 4;
    pub(super) const ORDER: u64 = 5;
    pub(super) const WALK: u64 = 6;
}

/// Why vectors cannot be learned, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is nothing to learn from.
    #[error("there is nothing to learn from: {0}")]
    Empty(&'static str),
    /// A code that has no row.
    #[error("code {code} has no row: there are {rows} of them, numbered from 0")]
    NoSuchCode {
        /// The code.
        code: u32,
        /// Rows of the table.
        rows: usize,
    },
    /// Two lists that should have one length.
    #[error("{found} {what} were given where there must be {expected}")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A number that cannot be used.
    #[error("the {what} at {at} is {value}; allowed: {allowed}")]
    Value {
        /// Which number.
        what: &'static str,
        /// Its position in the list, from 0.
        at: usize,
        /// The number found.
        value: f64,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// Training left the finite numbers.
    #[error("training ended with values that are not finite; the learning rate was {rate}, use a lower one")]
    Diverged {
        /// The learning rate.
        rate: f64,
    },
    /// A name that the text format cannot hold.
    #[error("the name of row {row}, {name:?}, is {problem}; the text format has no way to write it")]
    Name {
        /// The row, from 0.
        row: usize,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A line of a text that is not in word2vec's format.
    #[error("line {line}: {problem}")]
    Text {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// The text cannot be read or written.
    #[error("cannot read or write the vectors: {0}")]
    Io(#[from] std::io::Error),
}
