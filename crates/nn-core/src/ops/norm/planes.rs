//! Normalisation of planes: runs of consecutive floats that share one mean, one scale and one shift.
//!
//! A plane is one channel of one sample. The constants of a plane are those of its channel or its own, so
//! the lists of constants here hold one entry for each channel or one for each plane.

use super::activation::Act;
use super::lanes::{BLOCK, LANES, add_pairs, copy_in, each_plane, over_planes, vectorised, wide};

/// `(x − centre) · scale + shift`.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct Line {
    pub(in crate::ops) centre: f32,
    pub(in crate::ops) scale: f32,
    pub(in crate::ops) shift: f32,
}

impl Line {
    /// Normalisation with `mean` and `inverse`, one over the standard deviation, then gamma and beta.
    pub(super) fn new([mean, inverse]: [f64; 2], gamma: f32, beta: f32) -> Self {
        let scale = f64::from(gamma) * inverse;
        Self {
            centre: mean as f32,
            scale: scale as f32,
            // What rounding took from a mean far from zero can be much, measured in standard deviations.
            shift: (f64::from(beta) - residual(mean) * scale) as f32,
        }
    }
}

/// What single precision loses of a mean.
pub(super) fn residual(mean: f64) -> f64 {
    mean - f64::from(mean as f32)
}

/// The gradient in front of a normalisation: `grad · scale + (x − centre) · slope + level`, where `grad`
/// has passed the nonlinearity behind `line`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    pub(super) line: Line,
    pub(super) slope: f32,
    pub(super) level: f32,
}

impl Curve {
    /// `sums` are those of gamma times the gradient, and of that times the normalised value, over all
    /// `count` values that share the statistics; zeros when the statistics are constants.
    pub(super) fn new(statistics: [f64; 2], gamma: f32, beta: f32, sums: [f64; 2], count: f64) -> Self {
        let [mean, inverse] = statistics;
        let slope = -inverse * inverse * sums[1] / count;
        let level = -inverse * sums[0] / count - slope * residual(mean);
        Self { line: Line::new(statistics, gamma, beta), slope: slope as f32, level: level as f32 }
    }
}

/// `out = act((x − centre) · scale + shift)`; x is `source`, or already in `out`.
pub(in crate::ops) fn apply<A: Act>(source: Option<&[f32]>, out: &mut [f32], size: usize, lines: &[Line], act: A) {
    each_plane(out, size, |plane, start, values| {
        let line = lines[plane % lines.len()];
        for (k, block) in values.chunks_mut(BLOCK).enumerate() {
            copy_in(source, start + k * BLOCK, block);
            apply_block(block, line, act);
        }
    });
}

vectorised! {
    fn apply_block['a, A: Act]['a, A](x: &'a mut [f32], line: Line, act: A) -> () {
        for value in x.iter_mut() {
            *value = act.value((*value - line.centre) * line.scale + line.shift);
        }
    }
}

/// For each plane the sum of the gradient in front of the nonlinearity, and of that times `x − centre`.
pub(super) fn gradient_sums<A: Act>(x: &[f32], grad: &[f32], size: usize, lines: &[Line], act: A) -> Vec<[f64; 2]> {
    let planes = x.len().checked_div(size).unwrap_or(0);
    over_planes(
        planes,
        size,
        |plane, range| {
            let line = lines[plane % lines.len()];
            let blocks = x[range.clone()].chunks(BLOCK).zip(grad[range].chunks(BLOCK));
            blocks.map(|(x, grad)| block_sums(x, grad, line, act)).fold([0.0; 2], add_pairs)
        },
        add_pairs,
    )
}

vectorised! {
    fn block_sums['a, A: Act]['a, A](x: &'a [f32], grad: &'a [f32], line: Line, act: A) -> [f64; 2] {
        let ((x, x_rest), (grad, grad_rest)) = (x.as_chunks::<LANES>(), grad.as_chunks::<LANES>());
        let (mut plain, mut along) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for (x, grad) in x.iter().zip(grad) {
            for (((one, two), &x), &grad) in plain.iter_mut().zip(&mut along).zip(x).zip(grad) {
                let apart = x - line.centre;
                let before = act.gradient(apart * line.scale + line.shift, grad);
                *one += before;
                *two += before * apart;
            }
        }
        for (((one, two), &x), &grad) in plain.iter_mut().zip(&mut along).zip(x_rest).zip(grad_rest) {
            let apart = x - line.centre;
            let before = act.gradient(apart * line.scale + line.shift, grad);
            *one += before;
            *two += before * apart;
        }
        [wide(&plain), wide(&along)]
    }
}

/// The gradient of x from that of the output, which is `source` or already in `out`.
pub(super) fn gradient<A: Act>(
    source: Option<&[f32]>,
    out: &mut [f32],
    x: &[f32],
    size: usize,
    curves: &[Curve],
    act: A,
) {
    each_plane(out, size, |plane, start, values| {
        let curve = curves[plane % curves.len()];
        for (k, block) in values.chunks_mut(BLOCK).enumerate() {
            let start = start + k * BLOCK;
            copy_in(source, start, block);
            let x = &x[start..start + block.len()];
            gradient_block(block, x, curve, act);
        }
    });
}

vectorised! {
    fn gradient_block['a, A: Act]['a, A](grad: &'a mut [f32], x: &'a [f32], curve: Curve, act: A) -> () {
        let Curve { line, slope, level } = curve;
        for (grad, &x) in grad.iter_mut().zip(x) {
            let apart = x - line.centre;
            let before = act.gradient(apart * line.scale + line.shift, *grad);
            *grad = before * line.scale + (apart * slope + level);
        }
    }
}
