//! Scores of the planted motifs.

use rand_chacha::ChaCha8Rng;

use super::{BACKGROUND, PlantedMotif, weighted};
use crate::sequence::{ALPHABET, CODES};

/// Log-odds of a motif against [`BACKGROUND`], in bits.
#[derive(Debug, Clone)]
pub(super) struct Matrix {
    motif: PlantedMotif,
    forward: Vec<[f64; 4]>,
    reverse: Vec<[f64; 4]>,
}

impl Matrix {
    /// With a pseudocount of one site.
    pub(super) fn new(motif: PlantedMotif) -> Self {
        let forward: Vec<[f64; 4]> = motif
            .counts
            .iter()
            .map(|counts| {
                let total = counts.iter().sum::<f64>() + 1.0;
                std::array::from_fn(|base| ((counts[base] + 0.25) / total / BACKGROUND[base]).log2())
            })
            .collect();
        let reverse = forward.iter().rev().map(|&[a, c, g, t]| [t, g, c, a]).collect();
        Self { motif, forward, reverse }
    }

    pub(super) fn motif(&self) -> PlantedMotif {
        self.motif
    }

    pub(super) fn width(&self) -> usize {
        self.forward.len()
    }

    /// The highest score there is.
    pub(super) fn highest(&self) -> f64 {
        self.forward.iter().map(|column| column.iter().copied().fold(f64::NEG_INFINITY, f64::max)).sum()
    }

    /// Score of the positions from `from` on, on the forward strand; −∞ if a base is unknown.
    pub(super) fn score(&self, from: usize, site: &[u8]) -> f64 {
        sum(&self.forward[from..], site)
    }

    /// The best score of any site on either strand, and where it begins; −∞ and 0 if there is none.
    pub(super) fn best(&self, sequence: &[u8]) -> (f64, usize) {
        let mut best = (f64::NEG_INFINITY, 0);
        for (place, site) in sequence.windows(self.width()).enumerate() {
            let score = sum(&self.forward, site).max(sum(&self.reverse, site));
            if score > best.0 {
                best = (score, place);
            }
        }
        best
    }

    /// A site drawn from the counts.
    pub(super) fn sample(&self, draw: &mut ChaCha8Rng) -> Vec<u8> {
        self.motif.counts.iter().map(|counts| ALPHABET[weighted(counts, draw)]).collect()
    }

    /// The site with the highest score.
    pub(super) fn consensus(&self) -> Vec<u8> {
        self.forward.iter().map(|column| ALPHABET[extreme(column, f64::total_cmp)]).collect()
    }

    /// The position at which the wrong base costs most, and that base.
    pub(super) fn weakest(&self) -> (usize, u8) {
        let lowest = |column: &[f64; 4]| extreme(column, |a, b| b.total_cmp(a));
        let cost = |column: &[f64; 4]| column[extreme(column, f64::total_cmp)] - column[lowest(column)];
        let place = (0..self.width()).max_by(|&a, &b| cost(&self.forward[a]).total_cmp(&cost(&self.forward[b])));
        let place = place.unwrap_or(0);
        (place, ALPHABET[lowest(&self.forward[place])])
    }
}

/// Place of the largest of four numbers, in the order that `compare` says; the first of equals.
fn extreme(column: &[f64; 4], compare: impl Fn(&f64, &f64) -> std::cmp::Ordering) -> usize {
    (1..4).fold(0, |best, place| if compare(&column[place], &column[best]).is_gt() { place } else { best })
}

fn sum(weights: &[[f64; 4]], site: &[u8]) -> f64 {
    let weight = |(column, base): (&[f64; 4], &u8)| {
        column.get(usize::from(CODES[usize::from(*base)])).copied().unwrap_or(f64::NEG_INFINITY)
    };
    weights.iter().zip(site).map(weight).sum()
}
