//! Maximum pooling over plain slices.

use super::window::Window;
use crate::ops::norm::lanes::{PART, vectorised};
use rayon::prelude::*;

/// Where the maxima lie.
pub(super) enum Best {
    /// In its window, counted row by row; for windows that tile the input.
    Offset(Vec<u8>),
    /// In its plane.
    Index(Vec<u32>),
}

/// The maximum of each window, and where it lies.
pub(super) fn forward(x: &[f32], window: &Window, out: &mut [f32]) -> Best {
    let [depth, height, width] = window.kernel;
    if !window.tiles() {
        return Best::Index(sliding(x, window, out));
    }
    match (depth, height, width) {
        (1, 1, 2) => Best::Offset(tiled::<1, 2>(x, window, out)),
        (1, 1, 3) => Best::Offset(tiled::<1, 3>(x, window, out)),
        (1, 1, 4) => Best::Offset(tiled::<1, 4>(x, window, out)),
        (1, 2, 2) => Best::Offset(tiled::<2, 2>(x, window, out)),
        (2, 2, 2) => Best::Offset(tiled::<4, 2>(x, window, out)),
        _ => Best::Index(sliding(x, window, out)),
    }
}

/// Windows of `ROWS` rows of `WIDTH` that tile the input.
fn tiled<const ROWS: usize, const WIDTH: usize>(x: &[f32], window: &Window, out: &mut [f32]) -> Vec<u8> {
    let mut best = vec![0; out.len()];
    let (inputs, outputs) = (window.inputs(), window.outputs());
    let planes = out.par_chunks_exact_mut(outputs).zip(best.par_chunks_exact_mut(outputs));
    planes.zip(x.par_chunks_exact(inputs)).with_min_len(window.grain()).for_each(|((out, best), x)| {
        tile_plane::<ROWS, WIDTH>(x, out, best, *window);
    });
    best
}

vectorised! {
    fn tile_plane['a, const ROWS: usize, const WIDTH: usize]['a, ROWS, WIDTH](
        x: &'a [f32],
        out: &'a mut [f32],
        best: &'a mut [u8],
        window: Window,
    ) -> () {
        let ([deep, high, _], [_, height, width], [_, rows, columns]) = (window.kernel, window.input, window.output);
        let lines = out.chunks_exact_mut(columns).zip(best.chunks_exact_mut(columns));
        for (line, (out, best)) in lines.enumerate() {
            let (z, y) = (line / rows * deep, line % rows * high);
            let seen: [&[[f32; WIDTH]]; ROWS] = std::array::from_fn(|q| {
                let from = ((z + q / high) * height + y + q % high) * width;
                &x[from..from + columns * WIDTH].as_chunks::<WIDTH>().0[..columns]
            });
            for (j, (out, best)) in out.iter_mut().zip(best.iter_mut()).enumerate() {
                let (mut largest, mut at) = (seen[0][j][0], 0_u8);
                for (q, row) in seen.iter().enumerate() {
                    for (i, &value) in row[j].iter().enumerate() {
                        let wins = value > largest || value.is_nan();
                        largest = if wins { value } else { largest };
                        at = if wins { (q * WIDTH + i) as u8 } else { at };
                    }
                }
                (*out, *best) = (largest, at);
            }
        }
    }
}

/// Windows of any kind.
fn sliding(x: &[f32], window: &Window, out: &mut [f32]) -> Vec<u32> {
    let (inputs, outputs) = (window.inputs(), window.outputs());
    assert!(u32::try_from(inputs).is_ok(), "maximum pooling of planes of {inputs} values; fewer than 2³² are counted");
    let mut best = vec![0; out.len()];
    let planes = out.par_chunks_exact_mut(outputs).zip(best.par_chunks_exact_mut(outputs));
    planes.zip(x.par_chunks_exact(inputs)).with_min_len(window.grain()).for_each(|((out, best), x)| {
        slide_plane(x, out, best, *window);
    });
    best
}

vectorised! {
    /// Goes through the offsets of the kernel, and through the outputs of a row for each.
    fn slide_plane['a]['a](x: &'a [f32], out: &'a mut [f32], best: &'a mut [u32], window: Window) -> () {
        let ([_, height, width], [_, rows, columns]) = (window.input, window.output);
        let stride = window.stride[2];
        let lines = out.chunks_exact_mut(columns).zip(best.chunks_exact_mut(columns));
        for (line, (out, best)) in lines.enumerate() {
            let (depths, heights) = (window.seen(0, line / rows), window.seen(1, line % rows));
            // Where all values are −∞ the first is the maximum.
            let corner = (depths.start * height + heights.start) * width;
            for (j, (out, best)) in out.iter_mut().zip(best.iter_mut()).enumerate() {
                (*out, *best) = (f32::NEG_INFINITY, (corner + window.seen(2, j).start) as u32);
            }
            for (z, y) in depths.flat_map(|z| heights.clone().map(move |y| (z, y))) {
                for offset in 0..window.kernel[2] {
                    let reached = window.reached(offset);
                    if reached.is_empty() {
                        continue;
                    }
                    let from = (z * height + y) * width + window.column(reached.start, offset);
                    let (out, best) = (&mut out[reached.clone()], &mut best[reached]);
                    if stride == 1 {
                        take_larger(x[from..].iter(), out, best, from, 1);
                    } else {
                        take_larger(x[from..].iter().step_by(stride), out, best, from, stride);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn take_larger<'a>(x: impl Iterator<Item = &'a f32>, out: &mut [f32], best: &mut [u32], from: usize, stride: usize) {
    for (j, ((out, best), &value)) in out.iter_mut().zip(best).zip(x).enumerate() {
        let wins = value > *out || value.is_nan();
        *out = if wins { value } else { *out };
        *best = if wins { (from + j * stride) as u32 } else { *best };
    }
}

/// The gradient of the input, which goes to the maxima, when their offsets in their windows are known.
pub(super) fn backward_of_tiles(best: &[u8], grad: &[f32], window: &Window, out: &mut [f32]) {
    let [_, height, width] = window.input;
    let [deep, high, wide] = window.kernel;
    let [_, rows, columns] = window.output;
    let places: Vec<usize> = (0..deep * high * wide)
        .map(|at| (at / (high * wide) * height + at / wide % high) * width + at % wide)
        .collect();
    let (inputs, outputs) = (window.inputs(), window.outputs());
    let planes = out.par_chunks_exact_mut(inputs).zip(grad.par_chunks_exact(outputs));
    planes.zip(best.par_chunks_exact(outputs)).with_min_len(window.grain()).for_each(|((out, grad), best)| {
        out.fill(0.0);
        for (line, (grad, best)) in grad.chunks_exact(columns).zip(best.chunks_exact(columns)).enumerate() {
            let corner = (line / rows * deep * height + line % rows * high) * width;
            for (j, (&grad, &best)) in grad.iter().zip(best).enumerate() {
                out[corner + j * wide + places[usize::from(best)]] = grad;
            }
        }
    });
}

/// The gradient of the input, which goes to the maxima, when their places in the planes are known.
pub(super) fn backward_of_indices(best: &[u32], grad: &[f32], [inputs, outputs]: [usize; 2], out: &mut [f32]) {
    let grain = (PART / inputs.max(1)).max(1);
    let planes = out.par_chunks_exact_mut(inputs).zip(grad.par_chunks_exact(outputs));
    planes.zip(best.par_chunks_exact(outputs)).with_min_len(grain).for_each(|((out, grad), best)| {
        out.fill(0.0);
        for (&grad, &best) in grad.iter().zip(best) {
            out[best as usize] += grad;
        }
    });
}
