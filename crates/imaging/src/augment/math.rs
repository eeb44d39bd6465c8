//! Exponential, logarithm and normal numbers that a loop over lanes can contain.
//!
//! Those of the standard library are calls, which keep a loop from being vectorised. These are the classic reductions
//! and polynomials (Moshier's Cephes; the series of the inverse hyperbolic tangent), good to a few units in the last
//! place.

use std::f32::consts::{LN_2, LOG2_E};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::gather::{Work, dispatch};

/// 1.5 · 2²³: added and subtracted, it rounds to an integer, whose bits it leaves in the mantissa.
const ROUNDING: f32 = 12_582_912.0;
/// ln 2 in two parts, the first short enough that its multiples are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -0.000_212_194_44;
/// Bits of √½.
const ROOT_HALF: u32 = 0x3f35_04f3;
/// Pairs of normal numbers that are made at a time.
const PAIRS: usize = 128;

/// e^x for x from −87 to 88.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUNDING;
    let power = shifted - ROUNDING;
    let r = x - power * LN_2_HIGH - power * LN_2_LOW;
    let mut p = 0.000_198_756_91;
    p = p * r + 0.001_398_199_9;
    p = p * r + 0.008_333_452;
    p = p * r + 0.041_665_796;
    p = p * r + 0.166_666_66;
    p = p * r + 0.5;
    let two_to_the_power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    (p * (r * r) + r + 1.0) * two_to_the_power
}

/// ln x for positive normal numbers.
#[inline(always)]
fn ln(x: f32) -> f32 {
    // x = 2^power · m with m between √½ and √2
    let power = (x.to_bits().wrapping_sub(ROOT_HALF) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((power as u32) << 23));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p = 0.076_923_08;
    p = p * z + 0.090_909_09;
    p = p * z + 0.111_111_11;
    p = p * z + 0.142_857_15;
    p = p * z + 0.2;
    p = p * z + 0.333_333_34;
    p = p * z + 1.0;
    power as f32 * LN_2 + 2.0 * s * p
}

/// Sine and cosine of a share of a full turn, 0 to 1.
#[inline(always)]
fn sine_cosine(turn: f32) -> (f32, f32) {
    let shifted = turn * 4.0 + ROUNDING;
    let quarter = shifted.to_bits() & 3;
    // An eighth of a turn to either side.
    let x = (turn * 4.0 - (shifted - ROUNDING)) * std::f32::consts::FRAC_PI_2;
    let z = x * x;
    let sine = ((-0.000_195_152_96 * z + 0.008_332_161) * z - 0.166_666_55) * z * x + x;
    let cosine = ((0.000_024_433_157 * z - 0.001_388_731_6) * z + 0.041_666_646) * z * z - 0.5 * z + 1.0;
    let odd = quarter & 1 == 1;
    let (s, c) = if odd { (cosine, sine) } else { (sine, cosine) };
    (if quarter >= 2 { -s } else { s }, if quarter == 1 || quarter == 2 { -c } else { c })
}

/// Normal numbers with the standard deviation `deviation`, added to `values` (Box and Muller 1958).
struct Noise<'a> {
    values: &'a mut [f32],
    deviation: f32,
    rng: &'a mut ChaCha8Rng,
}

impl Work for Noise<'_> {
    #[inline(always)]
    fn run(self) {
        let mut bits = [0_u32; 2 * PAIRS];
        let mut noise = [0.0_f32; 2 * PAIRS];
        for values in self.values.chunks_mut(2 * PAIRS) {
            self.rng.fill(&mut bits[..]);
            for pair in 0..PAIRS {
                // 24 bits each; the first in (0, 1], where the logarithm is finite
                let first = 1.0 - (bits[pair] >> 8) as f32 / 16_777_216.0;
                let turn = (bits[PAIRS + pair] >> 8) as f32 / 16_777_216.0;
                let radius = self.deviation * (-2.0 * ln(first)).max(0.0).sqrt();
                let (sine, cosine) = sine_cosine(turn);
                noise[pair] = radius * cosine;
                noise[PAIRS + pair] = radius * sine;
            }
            for (value, noise) in values.iter_mut().zip(&noise) {
                *value += noise;
            }
        }
    }
}

/// Adds noise to `values`.
pub(super) fn add_noise(values: &mut [f32], deviation: f32, rng: &mut ChaCha8Rng) {
    dispatch(Noise { values, deviation, rng });
}

/// `from + range · x^exponent` of `x = (value − from) / range`.
struct Power<'a> {
    values: &'a mut [f32],
    from: f32,
    range: f32,
    exponent: f32,
}

impl Work for Power<'_> {
    #[inline(always)]
    fn run(self) {
        let per_range = 1.0 / self.range;
        for value in self.values {
            // What is 0 becomes 10⁻³⁰ to the exponent, which is nothing beside the range.
            let x = ((*value - self.from) * per_range).clamp(1e-30, 1.0);
            *value = exp(self.exponent * ln(x)) * self.range + self.from;
        }
    }
}

/// Bends values of `from..=from + range` by an exponent; both ends stay.
pub(super) fn bend(values: &mut [f32], from: f32, range: f32, exponent: f32) {
    dispatch(Power { values, from, range, exponent });
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use nn_core::data::rng;

    use super::*;

    #[test]
    fn functions_are_those_of_the_standard_library() {
        for step in 0..=20_000 {
            let at = step as f32 / 20_000.0;
            let (sine, cosine) = sine_cosine(at);
            let angle = TAU * f64::from(at);
            // Single precision of numbers up to 1.
            assert!((f64::from(sine) - angle.sin()).abs() < 3e-7, "{at}");
            assert!((f64::from(cosine) - angle.cos()).abs() < 3e-7, "{at}");
            let x = at.max(1e-7);
            assert!((f64::from(ln(x)) - f64::from(x).ln()).abs() < 3e-7 * f64::from(x).ln().abs().max(1.0), "{x}");
            let power = -60.0 * at;
            let expected = f64::from(power).exp();
            assert!((f64::from(exp(power)) - expected).abs() < 1e-6 * expected, "{power}");
        }
    }

    #[test]
    fn noise_has_the_moments_of_a_normal_distribution() {
        let mut values = vec![0.0; 200_001];
        add_noise(&mut values, 2.0, &mut rng(1, &[]));
        let n = values.len() as f64;
        let moment = |power: i32| values.iter().map(|value| (f64::from(*value) / 2.0).powi(power)).sum::<f64>() / n;
        // Standard errors of the first four moments: √(1, 2, 15, 96)/√n; four of them.
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error = (variance / n).sqrt();
            assert!((moment(power) - expected).abs() < 4.0 * error, "{power}: {}", moment(power));
        }
        // Neighbours and the two numbers of a pair do not go together.
        for lag in [1, PAIRS] {
            let product: f64 =
                values.windows(lag + 1).map(|pair| f64::from(pair[0]) * f64::from(pair[lag]) / 4.0).sum();
            assert!((product / n).abs() < 4.0 / n.sqrt(), "{lag}");
        }
    }

    #[test]
    fn bending_keeps_both_ends() {
        let mut values = vec![-2.0, -1.0, 0.0, 2.0];
        bend(&mut values, -2.0, 4.0, 2.0);
        for (found, expected) in values.iter().zip([-2.0, -1.75, -1.0, 2.0]) {
            assert!((found - expected).abs() < 1e-6, "{values:?}");
        }
    }
}
