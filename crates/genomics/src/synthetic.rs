//! Generated data with a known truth, for the demo and for tests: a genome with planted motifs, its peaks, reads and
//! variants, and histone marks that decide about expression.
//!
//! The genome is a Markov chain of order one, poor in CG as the genomes of vertebrates are, with soft-masked stretches
//! and unknown ends. Windows lie on it at equal distances. Half of them are bound: they carry a site of [`KITE`], the
//! motif that decides, drawn from its matrix until it reaches four fifths of the highest score. Of the others, half
//! carry a near site, the consensus with the wrong base at its most informative position, and half carry the two halves
//! of such a site apart from each other. Half of either kind carries a site of [`LARK`], which decides nothing. So the
//! share of G and C says next to nothing, words of four bases reach an AUROC of about 0.8, and only who reads twelve
//! bases in order is right. KITE occurs nowhere else.
//!
//! Variants break a site, mend a near site, or do neither; by how many bits each changes the best score of its window
//! is part of the truth. Reads are fragments around the bound windows, on a low background.
//!
//! In [`marks()`], expression depends on two histone marks one by one and on two others together, as in an exclusive
//! or: a linear model reaches an AUROC of 0.78, who knows the rule 0.98.
//!
//! ```
//! use genomics::synthetic::{GenomeConfig, SyntheticGenome};
//! let made = SyntheticGenome::new(&GenomeConfig { contigs: 2, windows: 10, ..GenomeConfig::default() })?;
//! let set = made.dataset()?;
//! assert_eq!((set.len(), set.targets.iter().sum::<f32>()), (20, 10.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod genome;
mod marks;
mod matrix;
mod reads;
mod variants;

pub use self::genome::{GenomeConfig, Site, SiteKind, SyntheticGenome, Window};
pub use self::marks::{MarkConfig, MarkTruth, marks};
pub use self::reads::{ReadConfig, SyntheticRead, sam};
pub use self::variants::{SyntheticVariant, VariantConfig, VariantEffect, vcf};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::motif::{Motif, MotifError};

/// Shares of A, C, G and T in the generated genome, about.
pub const BACKGROUND: [f64; 4] = [0.286, 0.214, 0.214, 0.286];

/// Probability of the next base (column) after each base (row), in the order A, C, G, T. CG occurs little more
/// than a quarter as often as its bases alone would have it.
const TRANSITIONS: [[f64; 4]; 4] =
    [[0.33, 0.17, 0.25, 0.25], [0.33, 0.27, 0.06, 0.34], [0.27, 0.22, 0.27, 0.24], [0.21, 0.21, 0.25, 0.33]];

/// A motif as databases have it: counts of A, C, G and T in a hundred sites. Both are invented.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlantedMotif {
    /// Its name.
    pub name: &'static str,
    /// Counts by position.
    pub counts: &'static [[f64; 4]],
}

/// The motif that decides, TGACGCAATAGC.
pub const KITE: PlantedMotif = PlantedMotif {
    name: "KITE",
    counts: &[
        [5.0, 5.0, 5.0, 85.0],
        [4.0, 2.0, 91.0, 3.0],
        [94.0, 2.0, 2.0, 2.0],
        [1.0, 97.0, 1.0, 1.0],
        [14.0, 8.0, 70.0, 8.0],
        [4.0, 88.0, 4.0, 4.0],
        [90.0, 3.0, 4.0, 3.0],
        [92.0, 3.0, 3.0, 2.0],
        [6.0, 10.0, 4.0, 80.0],
        [66.0, 8.0, 20.0, 6.0],
        [3.0, 3.0, 91.0, 3.0],
        [5.0, 84.0, 6.0, 5.0],
    ],
};

/// A motif that occurs and decides nothing, CCTTAGGAAC.
pub const LARK: PlantedMotif = PlantedMotif {
    name: "LARK",
    counts: &[
        [6.0, 82.0, 6.0, 6.0],
        [3.0, 90.0, 3.0, 4.0],
        [4.0, 4.0, 3.0, 89.0],
        [10.0, 10.0, 8.0, 72.0],
        [80.0, 5.0, 10.0, 5.0],
        [2.0, 2.0, 94.0, 2.0],
        [4.0, 3.0, 90.0, 3.0],
        [88.0, 4.0, 4.0, 4.0],
        [70.0, 10.0, 12.0, 8.0],
        [6.0, 80.0, 6.0, 8.0],
    ],
};

/// [`KITE`] and [`LARK`] with a pseudocount of one site, to compare found motifs with.
///
/// # Errors
/// None in fact: the counts are constants.
pub fn motifs() -> Result<Vec<Motif>, MotifError> {
    [KITE, LARK].into_iter().map(|planted| Motif::from_counts(planted.name, planted.counts, 1.0)).collect()
}

/// A draw of a place by weights.
fn weighted(weights: &[f64; 4], draw: &mut ChaCha8Rng) -> usize {
    let mut left = draw.random::<f64>() * weights.iter().sum::<f64>();
    for (place, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return place;
        }
    }
    weights.len() - 1
}

/// A draw from the Poisson distribution, for means up to a few hundred (Knuth 1969, volume 2, section 3.4.1).
fn poisson(mean: f64, draw: &mut ChaCha8Rng) -> usize {
    let (limit, mut product, mut count) = ((-mean).exp(), draw.random::<f64>(), 0);
    while product > limit {
        product *= draw.random::<f64>();
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests;
