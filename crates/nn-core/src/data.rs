//! Which rows a system learns from, in which order, and how rows of unequal length become one rectangle.
//!
//! Rows are `usize` positions in a table that this module never sees; what belongs together (a patient, a molecule, a
//! sequence) arrives as one `u64` for each row, which [`group_ids`] makes from any key. Everything random is a function of
//! a seed that the caller gives: see [`rng`] and [`standard_normal`].
//!
//! | what | functions |
//! |---|---|
//! | one division | [`random`], [`stratified`], [`grouped`], [`cold_axis`], [`cold_both`] |
//! | several | [`k_fold`], [`folds`], [`stratified_folds`] |
//! | the result, as a value and as a file | [`Split`], [`Part`] |
//! | order of an epoch | [`Sampler`]: [`Shuffled`], [`InOrder`], [`Blocks`], [`Balanced`] |
//! | rectangles | [`pad`], [`pad_to_longest`] |
//!
//! ```
//! use nn_core::data::{DataError, Fractions, Sampler, Shuffled, group_ids, grouped};
//! let patients = group_ids(["ann", "bob", "ann", "cy", "dee", "bob"]);
//! let split = grouped(&patients, Fractions { validation: 0.0, test: 0.34 }, 1)?;
//! // both rows of a patient are in one part
//! assert_eq!(split.test.contains(&0), split.test.contains(&2));
//! let sampler = Shuffled::new(split.train.clone(), 2);
//! assert_eq!(sampler.batches(7, 0), sampler.batches(7, 0));
//! # Ok::<(), DataError>(())
//! ```

mod divide;
mod padding;
mod sampler;
mod split;

pub use divide::{cold_axis, cold_both, folds, grouped, k_fold, random, stratified, stratified_folds};
pub use padding::{pad, pad_to_longest};
pub use sampler::{Balanced, Blocks, InOrder, Sampler, Shuffled};
pub use split::{DataError, Fractions, Part, Split};

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::hash::Hash;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An independent random stream for each `(seed, stream)`.
///
/// The stream's numbers say what the randomness is for, from the general to the particular, for example
/// `[epoch, step, purpose]`; its length counts too, so that `[]`, `[0]` and `[0, 0]` are three streams. Whoever needs a
/// random number asks for the stream by name, and so what another part of the program draws can never shift it.
///
/// ```
/// use nn_core::data::rng;
/// use rand::RngExt;
/// assert_eq!(rng(7, &[3, 1]).random::<u64>(), rng(7, &[3, 1]).random::<u64>());
/// assert_ne!(rng(7, &[3, 1]).random::<u64>(), rng(7, &[1, 3]).random::<u64>());
/// ```
pub fn rng(seed: u64, stream: &[u64]) -> ChaCha8Rng {
    let mut state = mixed(seed);
    for &number in stream {
        // One mixing for the position, one for the value: [1, 3] and [3, 1] part after the first number.
        state = mixed(mixed(state.wrapping_add(GOLDEN)) ^ number);
    }
    let mut key = [0_u8; 32];
    for word in key.chunks_exact_mut(8) {
        state = state.wrapping_add(GOLDEN);
        word.copy_from_slice(&mixed(state).to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// 2^64 divided by the golden ratio, the increment of splitmix64.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of splitmix64 (Steele, Lea and Flood 2014, OOPSLA, figure 17, with Stafford's constants).
pub(crate) fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A draw from N(0, 1), which takes two uniform ones (Box and Muller 1958).
pub fn standard_normal(rng: &mut ChaCha8Rng) -> f64 {
    // 1 − u lies in (0, 1], where the logarithm is finite
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}

/// Numbers the distinct keys from 0 in order of appearance: one number for each key given.
pub fn group_ids<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> Vec<u64> {
    let mut known: HashMap<K, u64> = HashMap::new();
    keys.into_iter()
        .map(|key| {
            let next = known.len() as u64;
            *known.entry(key).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn splitmix_is_the_published_one() {
        // First outputs for seed 1234567 of the reference implementation (prng.di.unimi.it/splitmix64.c).
        let mut state = 1_234_567_u64;
        let mut next = || {
            state = state.wrapping_add(GOLDEN);
            mixed(state)
        };
        assert_eq!(next(), 6_457_827_717_110_365_317);
        assert_eq!(next(), 3_203_168_211_198_807_973);
        assert_eq!(next(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn streams_differ_by_seed_value_order_and_length() {
        let mut seen = HashSet::new();
        let mut streams: Vec<Vec<u64>> = vec![vec![]];
        for a in 0..12 {
            streams.push(vec![a]);
            for b in 0..12 {
                streams.push(vec![a, b]);
                streams.push(vec![a, b, 0]);
            }
        }
        for seed in 0..20 {
            for stream in &streams {
                assert!(seen.insert(rng(seed, stream).random::<u64>()), "seed {seed}, stream {stream:?} seen before");
            }
        }
    }

    #[test]
    fn neighbouring_streams_are_not_correlated() {
        // Mean of products of neighbours among n independent uniform draws: 1/4; variance 7/144 of a product and
        // covariance 1/48 of two that share a draw, so standard error sqrt(13/144/n).
        let n = 40_000_u64;
        let mean =
            (0..n).map(|i| rng(5, &[i]).random::<f64>() * rng(5, &[i + 1]).random::<f64>()).sum::<f64>() / n as f64;
        let error = (13.0 / 144.0 / n as f64).sqrt();
        assert!((mean - 0.25).abs() < 4.0 * error, "{mean}");
    }

    #[test]
    fn normal_draws_have_the_moments_and_the_tails_of_a_normal() {
        let n = 100_000;
        let mut draw = rng(11, &[]);
        let values: Vec<f64> = (0..n).map(|_| standard_normal(&mut draw)).collect();
        let mean_of = |of: fn(f64) -> f64| values.iter().map(|&z| of(z)).sum::<f64>() / f64::from(n);
        // the moments 0, 1, 0 and 3, and the tails beyond 1 and −2, each within five standard errors: the terms have
        // variances of 1, 2, 15 and 96, and of p(1 − p)
        let within = |found: f64, expected: f64, variance: f64| {
            let error = (variance / f64::from(n)).sqrt();
            assert!((found - expected).abs() < 5.0 * error, "{found} instead of {expected} ± {error}");
        };
        within(mean_of(|z| z), 0.0, 1.0);
        within(mean_of(|z| z.powi(2)), 1.0, 2.0);
        within(mean_of(|z| z.powi(3)), 0.0, 15.0);
        within(mean_of(|z| z.powi(4)), 3.0, 96.0);
        within(mean_of(|z| f64::from(u8::from(z > 1.0))), 0.158_655, 0.133_484);
        within(mean_of(|z| f64::from(u8::from(z < -2.0))), 0.022_750, 0.022_233);
    }

    #[test]
    fn group_ids_follow_first_appearance() {
        assert_eq!(group_ids(["b", "a", "b", "c", "a"]), [0, 1, 0, 2, 1]);
        assert!(group_ids(Vec::<String>::new()).is_empty());
    }
}
