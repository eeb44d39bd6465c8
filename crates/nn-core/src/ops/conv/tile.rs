//! The register-blocked product behind every convolution.
//!
//! One tile holds `rows × (vectors · lanes)` sums in registers while the loop runs over all terms. A
//! term is one vector of consecutive floats and `rows` scalars, so nothing is copied out of the
//! operands: which terms there are is said by offsets. pulp picks AVX-512, AVX2 or portable code at run time.

#![allow(unsafe_code)]

use pulp::Simd;

/// Most rows of a tile.
pub(super) const MAX_ROWS: usize = 12;
/// Most vectors of a tile.
pub(super) const MAX_VECTORS: usize = 3;
/// Most lanes of a vector (AVX-512).
pub(super) const MAX_LANES: usize = 16;
/// Floats that a full tile can hold.
pub(super) const TILE: usize = MAX_ROWS * MAX_VECTORS * MAX_LANES;

/// Lanes of a vector of floats.
pub(super) const fn lanes<S: Simd>() -> usize {
    S::F32_LANES
}

/// Rows of a tile that is `vectors` wide: as many sums as the registers hold beside the operands.
/// AVX-512 has 32 registers, the others 16.
pub(super) const fn rows<S: Simd>() -> usize {
    if S::F32_LANES == 16 { 8 } else { 4 }
}

/// Unaligned load.
///
/// # Safety
/// `from` must be readable for one vector.
#[inline(always)]
unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: the caller's promise; pulp's vectors are plain arrays of floats.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// `out[m][v] = init[m] + Σ_c Σ_t weights[c][t][m] · x[c · stride + taps[t] + v]`.
///
/// # Safety
/// - `x + c · stride + taps[t]` readable for `NV` vectors for each `c < channels` and each tap
/// - `weights` readable for `channels · taps.len() · MR` floats, `init` for `MR`
/// - `out` writable for `MR` rows of `NV` vectors, one behind the other
#[inline(always)]
pub(super) unsafe fn correlate<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    (x, stride, channels): (*const f32, usize, usize),
    taps: &[usize],
    weights: *const f32,
    init: *const f32,
    out: *mut f32,
) {
    // SAFETY: every address is one that the caller vouches for.
    unsafe {
        let mut sums = [[simd.splat_f32s(0.0); NV]; MR];
        for (m, row) in sums.iter_mut().enumerate() {
            *row = [simd.splat_f32s(*init.add(m)); NV];
        }
        let (mut x, mut weights) = (x, weights);
        for _ in 0..channels {
            for &tap in taps {
                let mut terms = [simd.splat_f32s(0.0); NV];
                for (v, term) in terms.iter_mut().enumerate() {
                    *term = load::<S>(x.add(tap + v * S::F32_LANES));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let weight = simd.splat_f32s(*weights.add(m));
                    for (sum, term) in row.iter_mut().zip(terms) {
                        *sum = simd.mul_add_e_f32s(weight, term, *sum);
                    }
                }
                weights = weights.add(MR);
            }
            x = x.add(stride);
        }
        store::<S, MR, NV>(&sums, out);
    }
}

/// `out[m][v] += Σ_k x[at[m] + k] · rows[k · pitch + v]`: a block of a weight gradient, whose terms
/// run along a row of positions.
///
/// # Safety
/// - `x + at[m]` readable for `count` floats for each `m < MR`
/// - `rows + k · pitch` readable for `NV` vectors for each `k < count`
/// - `out` readable and writable for `MR` rows of `NV` vectors
#[inline(always)]
pub(super) unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    x: *const f32,
    at: &[usize; MAX_ROWS],
    segments: &[(usize, usize, usize)],
    (rows, pitch): (*const f32, usize),
    out: *mut f32,
) {
    // SAFETY: every address is one that the caller vouches for.
    unsafe {
        let mut sums = [[simd.splat_f32s(0.0); NV]; MR];
        for (m, row) in sums.iter_mut().enumerate() {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = load::<S>(out.add((m * NV + v) * S::F32_LANES));
            }
        }
        for &(from, row, count) in segments {
            let mut rows = rows.add(row * pitch);
            let x = x.add(from);
            for k in 0..count {
                let mut terms = [simd.splat_f32s(0.0); NV];
                for (v, term) in terms.iter_mut().enumerate() {
                    *term = load::<S>(rows.add(v * S::F32_LANES));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let factor = simd.splat_f32s(*x.add(at[m] + k));
                    for (sum, term) in row.iter_mut().zip(terms) {
                        *sum = simd.mul_add_e_f32s(factor, term, *sum);
                    }
                }
                rows = rows.add(pitch);
            }
        }
        store::<S, MR, NV>(&sums, out);
    }
}

/// # Safety
/// `out` writable for `MR` rows of `NV` vectors.
#[inline(always)]
unsafe fn store<S: Simd, const MR: usize, const NV: usize>(sums: &[[S::f32s; NV]; MR], out: *mut f32) {
    for (m, row) in sums.iter().enumerate() {
        for (v, sum) in row.iter().enumerate() {
            // SAFETY: inside what the caller vouches for.
            unsafe { out.add((m * NV + v) * S::F32_LANES).cast::<S::f32s>().write_unaligned(*sum) };
        }
    }
}
