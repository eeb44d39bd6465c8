//! Exponential and logarithms that a loop over lanes can contain.
//!
//! Those of the standard library are calls, which keep a loop from being vectorised. These are the classic
//! reductions and polynomials (Moshier's Cephes; the series of the inverse hyperbolic tangent), each within
//! three units in the last place. NaN stays NaN.

use std::f32::consts::{LN_2, LOG2_E};

/// 1.5 · 2²³: added and subtracted, it rounds to an integer, whose bits it leaves in the mantissa.
const ROUNDING: f32 = 12_582_912.0;
/// ln 2 in two parts, the first short enough that its multiples are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -0.000_212_194_44;
/// Below this e^x is taken to be e^−87, which is 10⁻³⁸.
const LOWEST: f32 = -87.0;
/// Bits of √½.
const ROOT_HALF: u32 = 0x3f35_04f3;

/// e^x for x up to 88.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = if x < LOWEST { LOWEST } else { x };
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

/// Twice the inverse hyperbolic tangent of `s` in −⅓..=⅓.
#[inline(always)]
fn twice_artanh(s: f32) -> f32 {
    let z = s * s;
    let mut p = 0.076_923_08;
    p = p * z + 0.090_909_09;
    p = p * z + 0.111_111_11;
    p = p * z + 0.142_857_15;
    p = p * z + 0.2;
    p = p * z + 0.333_333_34;
    p = p * z + 1.0;
    2.0 * s * p
}

/// ln x for positive normal numbers.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // x = 2^power · m with m between √½ and √2
    let power = (x.to_bits().wrapping_sub(ROOT_HALF) as i32) >> 23;
    let m = f32::from_bits(x.to_bits().wrapping_sub((power as u32) << 23));
    // The product with zero is NaN for NaN, whose bits were taken apart.
    power as f32 * LN_2 + twice_artanh((m - 1.0) / (m + 1.0)) + x * 0.0
}

/// ln(1 + x) for x in 0..=1.
#[inline(always)]
pub(super) fn ln_1p(x: f32) -> f32 {
    twice_artanh(x / (2.0 + x))
}

/// q^γ and its derivative, for q in 0..=1 and γ of zero or more: the weight of the focal loss (Lin et al.
/// 2017). At zero the derivative is taken to be zero, also where it is infinite.
#[inline(always)]
pub(super) fn focus(q: f32, gamma: f32) -> (f32, f32) {
    if gamma == 2.0 {
        (q * q, 2.0 * q)
    } else if gamma == 1.0 {
        (q, 1.0)
    } else if gamma == 0.0 {
        (1.0, 0.0)
    } else if q > 0.0 {
        let below = q.powf(gamma - 1.0);
        (below * q, gamma * below)
    } else {
        // also for NaN, which stays
        (q * 0.0, q * 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three units in the last place of a number are at most 3.6e-7 of it.
    const TOLERANCE: f64 = 3.6e-7;

    /// Against the standard library in double precision, over the range in use.
    #[test]
    fn agree_with_the_standard_library() {
        for step in 0..200_000 {
            let x = -86.9 * f64::from(step as f32 / 200_000.0);
            let x = f64::from(x as f32);
            assert!((f64::from(exp(x as f32)) / x.exp() - 1.0).abs() < TOLERANCE, "exp({x})");
            let small = f64::from(x.exp() as f32);
            assert!((f64::from(ln_1p(small as f32)) / small.ln_1p() - 1.0).abs() < TOLERANCE, "ln_1p({small})");
            let large = f64::from((1.0 - x * 1000.0) as f32);
            let error = (f64::from(ln(large as f32)) - large.ln()).abs();
            assert!(error < TOLERANCE * (1.0 + large.ln()), "ln({large})");
        }
    }

    #[test]
    fn the_focal_weight_is_a_power_with_its_derivative() {
        for gamma in [0.0_f32, 0.5, 1.0, 1.5, 2.0, 3.0] {
            for q in [0.01_f32, 0.3, 0.99] {
                let (power, slope) = focus(q, gamma);
                assert!((power - q.powf(gamma)).abs() < 1e-6, "{q}^{gamma}");
                assert!((slope - gamma * q.powf(gamma - 1.0)).abs() < 1e-5, "derivative of {q}^{gamma}");
            }
            assert_eq!(focus(0.0, gamma).0, if gamma == 0.0 { 1.0 } else { 0.0 });
            assert!(gamma == 0.0 || focus(f32::NAN, gamma).0.is_nan());
        }
    }

    #[test]
    fn the_ends_and_nan() {
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e4) < 2e-38 && exp(f32::NEG_INFINITY) < 2e-38);
        assert_eq!((ln(1.0), ln_1p(0.0)), (0.0, 0.0));
        assert!((ln_1p(1.0) - LN_2).abs() < 1e-7);
        assert!(exp(f32::NAN).is_nan() && ln(f32::NAN).is_nan() && ln_1p(f32::NAN).is_nan());
    }
}
