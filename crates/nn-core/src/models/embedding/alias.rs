//! Draws from a discrete distribution in constant time (Walker 1977; Vose 1991, IEEE Trans. Software Eng. 17(9)).
//!
//! word2vec.c draws from a list of 10⁸ codes and gensim by bisection of the cumulative weights; the alias
//! table needs eight bytes for each outcome and one look.

use rand::Rng;

/// One part of the unit interval, shared by at most two outcomes.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Share of the outcome with the slot's own number, out of 2³².
    own: u32,
    /// Who gets the rest.
    other: u32,
}

/// A distribution over `0..n`.
#[derive(Debug, Clone)]
pub(super) struct Alias {
    slots: Vec<Slot>,
}

impl Alias {
    /// The distribution proportional to `weights`; `None` if they are not all finite and at least 0, or
    /// sum to 0. An outcome of weight 0 is never drawn.
    pub(super) fn new(weights: &[f64]) -> Option<Self> {
        let sum: f64 = weights.iter().sum();
        if !(sum > 0.0 && sum.is_finite() && weights.iter().all(|&weight| weight >= 0.0)) {
            return None;
        }
        let n = weights.len();
        // mean 1
        let mut share: Vec<f64> = weights.iter().map(|weight| weight / sum * n as f64).collect();
        let mut slots: Vec<Slot> = (0..n as u32).map(|other| Slot { own: u32::MAX, other }).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&at| share[at] < 1.0);
        while let (Some(&below), Some(&above)) = (small.last(), large.last()) {
            small.pop();
            slots[below] = Slot { own: (share[below] * 4_294_967_296.0) as u32, other: above as u32 };
            share[above] -= 1.0 - share[below];
            if share[above] < 1.0 {
                large.pop();
                small.push(above);
            }
        }
        // what is left has a share of 1 up to rounding, and is its own `other`
        Some(Self { slots })
    }

    /// One outcome; its probability is exact to 2⁻³².
    #[inline]
    pub(super) fn draw(&self, rng: &mut impl Rng) -> u32 {
        let bits = rng.next_u64();
        let at = ((bits >> 32) * self.slots.len() as u64) >> 32;
        let slot = self.slots[at as usize];
        if (bits as u32) < slot.own { at as u32 } else { slot.other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;

    /// The probabilities that the table stands for, by enumeration of its slots.
    fn probabilities(alias: &Alias) -> Vec<f64> {
        let n = alias.slots.len();
        let mut all = vec![0.0; n];
        for (at, slot) in alias.slots.iter().enumerate() {
            let own = f64::from(slot.own) / 4_294_967_296.0;
            all[at] += own / n as f64;
            all[slot.other as usize] += (1.0 - own) / n as f64;
        }
        all
    }

    #[test]
    fn the_table_stands_for_the_weights() {
        let zipf: Vec<f64> = (1..=1000).map(|rank| (1.0 / f64::from(rank)).powf(0.75)).collect();
        for weights in [vec![1.0], vec![3.0, 1.0], vec![0.0, 5.0, 0.0, 1.0, 2.5], vec![1.0; 7], zipf] {
            let alias = Alias::new(&weights).unwrap();
            let sum: f64 = weights.iter().sum();
            for (at, (found, weight)) in probabilities(&alias).into_iter().zip(&weights).enumerate() {
                // a share is cut to a multiple of 2⁻³², and an outcome is in at most n slots
                assert!((found - weight / sum).abs() < 4e-10, "{at}: {found} instead of {}", weight / sum);
                assert!(*weight > 0.0 || found == 0.0, "{at} must never come");
            }
        }
    }

    #[test]
    fn draws_have_the_frequencies_of_the_weights() {
        let weights = [10.0, 0.0, 1.0, 4.0, 4.0, 0.5, 20.0, 0.5];
        let (alias, mut rng) = (Alias::new(&weights).unwrap(), rng(5, &[]));
        let mut counts = [0_u32; 8];
        let n = 200_000;
        for _ in 0..n {
            counts[alias.draw(&mut rng) as usize] += 1;
        }
        assert_eq!(counts[1], 0);
        let chi_square: f64 = (0..8)
            .filter(|&at| weights[at] > 0.0)
            .map(|at| {
                let expected = weights[at] / 40.0 * f64::from(n);
                (f64::from(counts[at]) - expected).powi(2) / expected
            })
            .sum();
        // the 99.99 % quantile of the chi-square distribution with 6 degrees of freedom is 27.86
        assert!(chi_square < 27.86, "{chi_square} with {counts:?}");
    }

    #[test]
    fn weights_without_a_distribution_are_refused() {
        for weights in [&[0.0, 0.0][..], &[1.0, -0.5], &[1.0, f64::NAN], &[f64::INFINITY], &[]] {
            assert!(Alias::new(weights).is_none(), "{weights:?}");
        }
    }
}
