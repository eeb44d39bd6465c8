//! Average pooling over plain slices.

use super::window::Window;
use crate::ops::norm::lanes::vectorised;
use rayon::prelude::*;

/// One over the number of values that are counted in each window of an axis.
fn shares(window: &Window, axis: usize, count_padding: bool) -> Vec<f32> {
    let counted = |at| if count_padding { window.kernel[axis] } else { window.seen(axis, at).len() };
    (0..window.output[axis]).map(|at| (counted(at) as f32).recip()).collect()
}

/// The average of each window.
pub(super) fn forward(x: &[f32], window: &Window, count_padding: bool, out: &mut [f32]) {
    let shares = [0, 1, 2].map(|axis| shares(window, axis, count_padding));
    let planes = out.par_chunks_exact_mut(window.outputs()).zip(x.par_chunks_exact(window.inputs()));
    planes.with_min_len(window.grain()).for_each(|(out, x)| sum_plane(x, out, &shares, *window));
}

vectorised! {
    fn sum_plane['a]['a](x: &'a [f32], out: &'a mut [f32], shares: &'a [Vec<f32>; 3], window: Window) -> () {
        let ([_, height, width], [_, rows, columns]) = (window.input, window.output);
        let stride = window.stride[2];
        for (line, out) in out.chunks_exact_mut(columns).enumerate() {
            let (depths, heights) = (window.seen(0, line / rows), window.seen(1, line % rows));
            out.fill(0.0);
            for (z, y) in depths.flat_map(|z| heights.clone().map(move |y| (z, y))) {
                for offset in 0..window.kernel[2] {
                    let reached = window.reached(offset);
                    if reached.is_empty() {
                        continue;
                    }
                    let from = (z * height + y) * width + window.column(reached.start, offset);
                    let out = &mut out[reached];
                    if stride == 1 {
                        for (out, value) in out.iter_mut().zip(&x[from..]) {
                            *out += value;
                        }
                    } else {
                        for (out, value) in out.iter_mut().zip(x[from..].iter().step_by(stride)) {
                            *out += value;
                        }
                    }
                }
            }
            let share = shares[0][line / rows] * shares[1][line % rows];
            for (out, part) in out.iter_mut().zip(&shares[2]) {
                *out *= share * part;
            }
        }
    }
}

/// The gradient of the input: each output hands its share to every input that it has seen.
pub(super) fn backward(grad: &[f32], window: &Window, count_padding: bool, out: &mut [f32]) {
    let shares = [0, 1, 2].map(|axis| shares(window, axis, count_padding));
    let planes = out.par_chunks_exact_mut(window.inputs()).zip(grad.par_chunks_exact(window.outputs()));
    planes.with_min_len(window.grain()).for_each(|(out, grad)| spread_plane(grad, out, &shares, *window));
}

vectorised! {
    fn spread_plane['a]['a](grad: &'a [f32], out: &'a mut [f32], shares: &'a [Vec<f32>; 3], window: Window) -> () {
        let ([_, height, width], [_, rows, columns]) = (window.input, window.output);
        let stride = window.stride[2];
        let mut scaled = vec![0.0_f32; columns];
        out.fill(0.0);
        for (line, grad) in grad.chunks_exact(columns).enumerate() {
            let (depths, heights) = (window.seen(0, line / rows), window.seen(1, line % rows));
            let share = shares[0][line / rows] * shares[1][line % rows];
            for ((scaled, grad), part) in scaled.iter_mut().zip(grad).zip(&shares[2]) {
                *scaled = grad * (share * part);
            }
            for (z, y) in depths.flat_map(|z| heights.clone().map(move |y| (z, y))) {
                for offset in 0..window.kernel[2] {
                    let reached = window.reached(offset);
                    if reached.is_empty() {
                        continue;
                    }
                    let from = (z * height + y) * width + window.column(reached.start, offset);
                    let scaled = &scaled[reached];
                    if stride == 1 {
                        for (out, grad) in out[from..].iter_mut().zip(scaled) {
                            *out += grad;
                        }
                    } else {
                        for (out, grad) in out[from..].iter_mut().step_by(stride).zip(scaled) {
                            *out += grad;
                        }
                    }
                }
            }
        }
    }
}
