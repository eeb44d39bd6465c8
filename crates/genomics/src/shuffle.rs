//! Shuffled sequences: what is not bound, with the composition of what is.
//!
//! A dinucleotide shuffle is one of all sequences that have the same number of every base and of every pair of
//! neighbours, each with the same probability. Such a sequence is an Eulerian path through the multigraph whose edges
//! are the dinucleotides (Altschul and Erickson 1985, Molecular Biology and Evolution 2:526). A path is drawn by
//! drawing the last exit of every base, which together are a spanning tree into the last base, and the order of the
//! other exits (Kandel, Matias, Unger and Winkler 1996, Discrete Applied Mathematics 71:171); the tree is uniform when
//! it is taken from a loop-erased random walk (Wilson 1996, STOC, section 2).
//!
//! Letters other than A, C, G and T stay where they are, and each run of bases between them is shuffled alone. So a
//! shuffle has its unknown bases where the original has them, and dinucleotides with an N are kept as well: the first
//! and the last base of a run never change.
//!
//! ```
//! use genomics::shuffle::Shuffle;
//! use nn_core::data::rng;
//! let shuffled = Shuffle::Dinucleotide.apply(b"ACAGNNATAGACG", &mut rng(1, &[]));
//! assert_eq!(&shuffled[4..6], b"NN");
//! assert_eq!((shuffled[0], shuffled[12]), (b'A', b'G'));
//! ```

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::sequence::{ALPHABET, CODES};

/// What a shuffle keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shuffle {
    /// The number of each base.
    Mononucleotide,
    /// The number of each pair of neighbouring bases, and so of each base.
    #[default]
    Dinucleotide,
}

impl Shuffle {
    /// Name, as configurations and records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mononucleotide => "mononucleotide",
            Self::Dinucleotide => "dinucleotide",
        }
    }

    /// One of the shuffles of `sequence`, which may be the sequence itself, all with equal probability. Bases come back
    /// as capitals, T for U.
    pub fn apply(self, sequence: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut shuffled = sequence.to_vec();
        match self {
            Self::Mononucleotide => mononucleotide(&mut shuffled, rng),
            Self::Dinucleotide => {
                for run in shuffled.chunk_by_mut(|left, right| known(*left) == known(*right)) {
                    if known(run[0]) {
                        dinucleotide(run, rng);
                    }
                }
            }
        }
        shuffled
    }
}

fn known(letter: u8) -> bool {
    CODES[usize::from(letter)] < 4
}

/// Shuffles the bases among the places of bases.
fn mononucleotide(sequence: &mut [u8], rng: &mut ChaCha8Rng) {
    let mut bases: Vec<u8> =
        sequence.iter().filter(|letter| known(**letter)).map(|letter| CODES[usize::from(*letter)]).collect();
    bases.shuffle(rng);
    for (letter, base) in sequence.iter_mut().filter(|letter| known(**letter)).zip(bases) {
        *letter = ALPHABET[usize::from(base)];
    }
}

/// Shuffles a run of bases.
fn dinucleotide(run: &mut [u8], rng: &mut ChaCha8Rng) {
    for letter in run.iter_mut() {
        *letter = CODES[usize::from(*letter)];
    }
    let last = usize::from(run[run.len() - 1]);
    // The bases that follow each base.
    let mut exits: [Vec<u8>; 4] = Default::default();
    for pair in run.windows(2) {
        exits[usize::from(pair[0])].push(pair[1]);
    }

    // Random walks towards what is in the tree already; of a place visited twice the later exit counts, which erases
    // the loop between.
    let mut in_tree = [false; 4];
    in_tree[last] = true;
    let mut final_exit = [0; 4];
    for base in 0..4_u8 {
        let start = usize::from(base);
        if exits[start].is_empty() {
            continue;
        }
        let mut at = start;
        while !in_tree[at] {
            final_exit[at] = rng.random_range(0..exits[at].len());
            at = usize::from(exits[at][final_exit[at]]);
        }
        at = start;
        while !in_tree[at] {
            in_tree[at] = true;
            at = usize::from(exits[at][final_exit[at]]);
        }
    }

    for (base, exits) in exits.iter_mut().enumerate() {
        let mut free = exits.len();
        if base != last && free > 0 {
            free -= 1;
            exits.swap(final_exit[base], free);
        }
        exits[..free].shuffle(rng);
    }
    let mut exits = exits.map(Vec::into_iter);
    let mut at = usize::from(run[0]);
    for letter in &mut run[1..] {
        // The tree leads every base to the last one, so that a base which is reached has an exit left.
        let Some(next) = exits[at].next() else { break };
        *letter = next;
        at = usize::from(next);
    }
    for letter in run {
        *letter = ALPHABET[usize::from(*letter)];
    }
}

#[cfg(test)]
mod tests;
