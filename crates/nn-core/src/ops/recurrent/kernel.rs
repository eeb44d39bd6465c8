//! Vector code of the recurrent operations: a product of a few rows with a matrix, and the squashing functions.
//!
//! pulp picks AVX-512, AVX2 or portable code at run time. A function that handles vectors is compiled with the
//! instructions of its caller only when it is inlined there, so all of them are.
#![allow(unsafe_code)]

use pulp::{Simd, WithSimd};

/// Outputs in a block of a packed matrix: two of the widest vectors.
const WIDTH: usize = 32;

/// A matrix `[inputs, outputs]` and a bias, cut into blocks of `WIDTH` outputs. A block lies input by input in one run of
/// memory; zeros fill the last one.
pub(super) struct Packed {
    weight: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Packed {
    /// Element `(input, output)` lies at `input * strides[0] + output * strides[1]` of `weight`.
    pub(super) fn new(
        weight: &[f32],
        bias: Option<&[f32]>,
        [inputs, outputs]: [usize; 2],
        strides: [usize; 2],
    ) -> Self {
        let blocks = outputs.div_ceil(WIDTH);
        let mut packed = vec![0.0; blocks * inputs * WIDTH];
        for (block, part) in packed.chunks_exact_mut((inputs * WIDTH).max(1)).enumerate() {
            let columns = WIDTH.min(outputs - block * WIDTH);
            for (input, row) in part.chunks_exact_mut(WIDTH).enumerate() {
                for (column, value) in row[..columns].iter_mut().enumerate() {
                    *value = weight[input * strides[0] + (block * WIDTH + column) * strides[1]];
                }
            }
        }
        let mut padded = vec![0.0; blocks * WIDTH];
        if let Some(bias) = bias {
            padded[..outputs].copy_from_slice(bias);
        }
        Self { weight: packed, bias: padded, inputs, outputs }
    }
}

/// `out[i] = bias + a[i] · weight` for each row `i`.
///
/// A sum starts at the bias and adds the inputs in their order, whichever rows are computed beside it: the bits of a row
/// do not depend on the others.
pub(super) struct Product<'a> {
    pub(super) a: &'a [f32],
    pub(super) weight: &'a Packed,
    /// Where a row begins in `a` and where its result begins in `out`.
    pub(super) rows: &'a [[usize; 2]],
    pub(super) out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for block in 0..self.weight.outputs.div_ceil(WIDTH) {
            let mut rows = self.rows;
            // 32 registers hold 8 × 2 sums beside the operands, 16 registers 4 × 2.
            if S::REGISTER_COUNT >= 32 {
                rows = self.tiles::<S, 8>(simd, block, rows);
            }
            rows = self.tiles::<S, 4>(simd, block, rows);
            rows = self.tiles::<S, 2>(simd, block, rows);
            self.tiles::<S, 1>(simd, block, rows);
        }
    }
}

impl Product<'_> {
    /// As many tiles of `ROWS` rows as there are; returns the rows left over.
    #[inline(always)]
    fn tiles<'r, S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        block: usize,
        rows: &'r [[usize; 2]],
    ) -> &'r [[usize; 2]] {
        let (tiles, rest) = rows.as_chunks::<ROWS>();
        for tile in tiles {
            self.tile(simd, block, tile);
        }
        rest
    }

    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize>(&mut self, simd: S, block: usize, rows: &[[usize; 2]; ROWS]) {
        let (values, Packed { weight, bias, inputs, outputs }) = (self.a, self.weight);
        let inputs = *inputs;
        let columns = WIDTH.min(outputs - block * WIDTH);
        let (weight, _) = S::as_simd_f32s(&weight[block * inputs * WIDTH..][..inputs * WIDTH]);
        let (bias, _) = S::as_simd_f32s(&bias[block * WIDTH..][..WIDTH]);
        let a: [&[f32]; ROWS] = rows.map(|[from, _]| &values[from..from + inputs]);
        let vectors = WIDTH / S::F32_LANES;
        debug_assert!(weight.len() == inputs * vectors && vectors.is_multiple_of(2));
        for first in (0..vectors).step_by(2) {
            let mut sums = [[bias[first], bias[first + 1]]; ROWS];
            for input in 0..inputs {
                let at = input * vectors + first;
                // SAFETY: `weight` has `inputs * vectors` vectors, `input < inputs`, and `first + 1 < vectors` since
                // `first` and `vectors` are even.
                let (left, right) = unsafe { (*weight.get_unchecked(at), *weight.get_unchecked(at + 1)) };
                for (sum, row) in sums.iter_mut().zip(&a) {
                    // SAFETY: each row was cut to `inputs` values, and `input < inputs`.
                    let value = simd.splat_f32s(unsafe { *row.get_unchecked(input) });
                    sum[0] = simd.mul_add_e_f32s(value, left, sum[0]);
                    sum[1] = simd.mul_add_e_f32s(value, right, sum[1]);
                }
            }
            let from = first * S::F32_LANES;
            for (sum, [_, to]) in sums.iter().zip(rows) {
                put::<S>(&mut self.out[to + block * WIDTH..][..columns], from, sum);
            }
        }
    }
}

/// Writes two vectors to `out` from `from` on, without what would stand behind its end.
#[inline(always)]
fn put<S: Simd>(out: &mut [f32], from: usize, sum: &[S::f32s; 2]) {
    let end = from + 2 * S::F32_LANES;
    if let Some(whole) = out.get_mut(from..end) {
        S::as_mut_simd_f32s(whole).0.copy_from_slice(sum);
    } else if from < out.len() {
        let mut edge = [0.0_f32; WIDTH];
        S::as_mut_simd_f32s(&mut edge).0[..2].copy_from_slice(sum);
        let rest = out.len() - from;
        out[from..].copy_from_slice(&edge[..rest]);
    }
}

/// The vector of `values` that begins at `at`, with zeros behind their end.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, values: &[f32], at: usize) -> S::f32s {
    match values.get(at..at + S::F32_LANES) {
        Some(whole) => S::as_simd_f32s(whole).0[0],
        None => simd.partial_load_f32s(&values[at..]),
    }
}

/// Writes a vector to `values` at `at`, without what would stand behind their end.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, values: &mut [f32], at: usize, vector: S::f32s) {
    let end = values.len().min(at + S::F32_LANES);
    let values = &mut values[at..end];
    if values.len() == S::F32_LANES {
        S::as_mut_simd_f32s(values).0[0] = vector;
    } else {
        simd.partial_store_f32s(values, vector);
    }
}

/// `1 − x`.
#[inline(always)]
pub(super) fn complement<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.sub_f32s(simd.splat_f32s(1.0), x)
}

/// Coefficients of `(eʳ − 1 − r) / r²` for |r| ≤ ln 2 / 2, the highest first: those of Cephes' `expf` (Moshier 1992).
const EXPONENTIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
/// The natural logarithm of 2 in two parts, of which the first has few bits.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// 1.5 · 2²³: added to a small number it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `q` and `s` such that eˣ = s (1 + q), where s is a power of two and |q| < 0.42; for |x| ≤ 87.
#[inline(always)]
fn exponential<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let round = simd.splat_f32s(ROUND);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), round);
    // The integer moves into the exponent, whose bias is 127.
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let scale = simd.transmute_f32s_u32s(simd.add_u32s(bits, simd.splat_u32s(127 << 23)));
    let integer = simd.sub_f32s(shifted, round);
    let r = simd.mul_add_e_f32s(integer, simd.splat_f32s(-LN_2[0]), x);
    let r = simd.mul_add_e_f32s(integer, simd.splat_f32s(-LN_2[1]), r);
    let mut series = simd.splat_f32s(EXPONENTIAL[0]);
    for coefficient in &EXPONENTIAL[1..] {
        series = simd.mul_add_e_f32s(series, r, simd.splat_f32s(*coefficient));
    }
    (simd.mul_add_e_f32s(simd.mul_f32s(r, r), series, r), scale)
}

/// `1 / (1 + e⁻ˣ)`, to 2 · 10⁻⁷ of its value. NaN stays NaN, so that a broken weight reaches the loss check.
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let limit = simd.splat_f32s(87.0);
    let x = simd.neg_f32s(x);
    let x = simd.select_f32s(simd.greater_than_f32s(x, limit), limit, x);
    let limit = simd.splat_f32s(-87.0);
    let x = simd.select_f32s(simd.less_than_f32s(x, limit), limit, x);
    let (q, scale) = exponential(simd, x);
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, simd.mul_add_e_f32s(q, scale, scale)))
}

/// The hyperbolic tangent as `m / (m + 2)` with m = e²ˣ − 1, to 2 · 10⁻⁷ of its value. NaN stays NaN.
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let sign = simd.and_f32s(x, simd.splat_f32s(-0.0));
    let twice = simd.abs_f32s(simd.add_f32s(x, x));
    // Behind this the result is 1.
    let limit = simd.splat_f32s(40.0);
    let twice = simd.select_f32s(simd.greater_than_f32s(twice, limit), limit, twice);
    let (q, scale) = exponential(simd, twice);
    let minus_one = simd.mul_add_e_f32s(q, scale, simd.sub_f32s(scale, simd.splat_f32s(1.0)));
    let magnitude = simd.div_f32s(minus_one, simd.add_f32s(minus_one, simd.splat_f32s(2.0)));
    simd.or_f32s(magnitude, sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::arch;

    /// Applies both functions to all values.
    struct Both<'a>(&'a [f32]);

    impl WithSimd for Both<'_> {
        type Output = [Vec<f32>; 2];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut out = [vec![0.0; self.0.len()], vec![0.0; self.0.len()]];
            for at in (0..self.0.len()).step_by(S::F32_LANES) {
                let x = load(simd, self.0, at);
                store(simd, &mut out[0], at, sigmoid(simd, x));
                store(simd, &mut out[1], at, tanh(simd, x));
            }
            out
        }
    }

    #[test]
    fn the_squashing_functions_are_those_of_double_precision() {
        let mut values: Vec<f32> = (-400_000..=400_000).map(|i| i as f32 * 2.5e-4).collect();
        values.extend((0..4000).flat_map(|i| [1.0, -1.0].map(|sign| sign * 10.0_f32.powf(-30.0 + i as f32 * 0.008))));
        let [sigmoid, tanh] = arch().dispatch(Both(&values));
        for ((&x, s), t) in values.iter().zip(sigmoid).zip(tanh) {
            let x = f64::from(x);
            // 1.5 and 1.7 · 10⁻⁷ were the largest errors found; the exponential stops at 87.
            let expected = 1.0 / (1.0 + (-x.max(-87.0)).exp());
            assert!((f64::from(s) / expected - 1.0).abs() < 2e-7, "sigmoid({x}) = {s}, not {expected}");
            assert!((f64::from(t) - x.tanh()).abs() <= 2e-7 * x.tanh().abs(), "tanh({x}) = {t}, not {}", x.tanh());
            assert!((0.0..=1.0).contains(&s) && (-1.0..=1.0).contains(&t));
        }
    }

    #[test]
    fn what_is_not_finite_keeps_its_meaning() {
        let [sigmoid, tanh] = arch().dispatch(Both(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0]));
        assert!(sigmoid[0].is_nan() && tanh[0].is_nan());
        assert!(sigmoid[1] == 1.0 && sigmoid[2] < 2e-38 && tanh[1] == 1.0 && tanh[2] == -1.0);
        assert_eq!(sigmoid[3..], [0.5, 0.5]);
        assert!(tanh[3].to_bits() == 0 && tanh[4].to_bits() == (-0.0_f32).to_bits());
    }

    #[test]
    fn a_product_is_the_sum_of_its_terms_for_any_number_of_rows() {
        // Small integers: every order of additions is exact.
        let number = |i: usize| ((i * 7 + i / 5) % 9) as f32 - 4.0;
        for (inputs, outputs) in [(1, 1), (3, 16), (7, 33), (40, 70), (5, 32)] {
            let weight: Vec<f32> = (0..inputs * outputs).map(number).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| number(i + 3)).collect();
            for count in 0..20 {
                let a: Vec<f32> = (0..count * (inputs + 1)).map(|i| number(i + 1)).collect();
                let rows: Vec<[usize; 2]> =
                    (0..count).map(|row| [row * (inputs + 1), (count - 1 - row) * outputs]).collect();
                let packed = Packed::new(&weight, Some(&bias), [inputs, outputs], [outputs, 1]);
                let mut out = vec![f32::NAN; count * outputs];
                arch().dispatch(Product { a: &a, weight: &packed, rows: &rows, out: &mut out });
                for (row, [from, to]) in rows.iter().enumerate() {
                    for output in 0..outputs {
                        let terms = (0..inputs).map(|input| a[from + input] * weight[input * outputs + output]);
                        let expected = bias[output] + terms.sum::<f32>();
                        assert_eq!(out[to + output], expected, "{inputs} × {outputs}, row {row} of {count}");
                    }
                }
            }
        }
    }
}
