//! Normalisation of the columns of a `[rows, columns]` buffer: channels without positions, so that
//! consecutive floats belong to different channels.

use super::activation::Act;
use super::lanes::{Moments, add_pairs, copy_in, join_columns, rows_of_a_task, vectorised};
use super::planes::{Curve, Line};
use rayon::prelude::*;

/// Moments of each column.
pub(super) fn moments(x: &[f32], columns: usize) -> Vec<Moments> {
    let task = rows_of_a_task(columns) * columns.max(1);
    let parts: Vec<Vec<Moments>> = x.par_chunks(task).map(|rows| task_moments(rows, columns)).collect();
    join_columns(parts, columns, Moments::merge)
}

/// The mean of each column first, from differences to the first row, then the squares about it while the rows
/// are in the cache.
fn task_moments(x: &[f32], columns: usize) -> Vec<Moments> {
    let rows = x.len() / columns;
    let origin = &x[..columns];
    let mut centres = vec![0.0; columns];
    add_rows(x, origin, &mut centres);
    centres.iter_mut().zip(origin).for_each(|(centre, origin)| *centre = origin + *centre / rows as f32);
    let (mut first, mut second) = (vec![0.0; columns], vec![0.0; columns]);
    add_differences(x, &centres, &mut first, &mut second);
    let sums = first.into_iter().zip(second);
    let about = |(&centre, (one, two))| Moments::about(centre, rows, f64::from(one), f64::from(two));
    centres.iter().zip(sums).map(about).collect()
}

vectorised! {
    fn add_rows['a]['a](x: &'a [f32], origin: &'a [f32], sums: &'a mut [f32]) -> () {
        for row in x.chunks_exact(origin.len()) {
            for ((sum, value), origin) in sums.iter_mut().zip(row).zip(origin) {
                *sum += value - origin;
            }
        }
    }
}

vectorised! {
    fn add_differences['a]['a](x: &'a [f32], centres: &'a [f32], first: &'a mut [f32], second: &'a mut [f32]) -> () {
        for row in x.chunks_exact(centres.len()) {
            for (((one, two), value), centre) in first.iter_mut().zip(second.iter_mut()).zip(row).zip(centres) {
                let apart = value - centre;
                *one += apart;
                *two += apart * apart;
            }
        }
    }
}

/// The constants of all columns, one list for each.
pub(in crate::ops) struct Columns {
    centre: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    slope: Vec<f32>,
    level: Vec<f32>,
}

impl Columns {
    pub(in crate::ops) fn of_lines(lines: &[Line]) -> Self {
        Self {
            centre: lines.iter().map(|line| line.centre).collect(),
            scale: lines.iter().map(|line| line.scale).collect(),
            shift: lines.iter().map(|line| line.shift).collect(),
            slope: Vec::new(),
            level: Vec::new(),
        }
    }

    pub(super) fn of_curves(curves: &[Curve]) -> Self {
        let lines: Vec<Line> = curves.iter().map(|curve| curve.line).collect();
        Self {
            slope: curves.iter().map(|curve| curve.slope).collect(),
            level: curves.iter().map(|curve| curve.level).collect(),
            ..Self::of_lines(&lines)
        }
    }

    fn len(&self) -> usize {
        self.centre.len()
    }
}

/// `out = act((x − centre) · scale + shift)`; x is `source`, or already in `out`.
pub(in crate::ops) fn apply<A: Act>(source: Option<&[f32]>, out: &mut [f32], columns: &Columns, act: A) {
    let task = rows_of_a_task(columns.len()) * columns.len().max(1);
    out.par_chunks_mut(task).enumerate().for_each(|(k, rows)| {
        copy_in(source, k * task, rows);
        apply_rows(rows, columns, act);
    });
}

vectorised! {
    fn apply_rows['a, A: Act]['a, A](x: &'a mut [f32], columns: &'a Columns, act: A) -> () {
        let (centre, scale, shift) = (&columns.centre[..], &columns.scale[..], &columns.shift[..]);
        for row in x.chunks_exact_mut(centre.len()) {
            for (((value, centre), scale), shift) in row.iter_mut().zip(centre).zip(scale).zip(shift) {
                *value = act.value((*value - centre) * scale + shift);
            }
        }
    }
}

/// For each column the sum of the gradient in front of the nonlinearity, and of that times `x − centre`.
pub(super) fn gradient_sums<A: Act>(x: &[f32], grad: &[f32], lines: &[Line], act: A) -> Vec<[f64; 2]> {
    let columns = Columns::of_lines(lines);
    let task = rows_of_a_task(lines.len()) * lines.len().max(1);
    let parts: Vec<Vec<[f64; 2]>> = x
        .par_chunks(task)
        .zip(grad.par_chunks(task))
        .map(|(x, grad)| {
            let (mut plain, mut along) = (vec![0.0; lines.len()], vec![0.0; lines.len()]);
            add_gradients(x, grad, &columns, act, &mut plain, &mut along);
            plain.into_iter().zip(along).map(|(one, two)| [f64::from(one), f64::from(two)]).collect()
        })
        .collect();
    join_columns(parts, lines.len(), add_pairs)
}

vectorised! {
    fn add_gradients['a, A: Act]['a, A](
        x: &'a [f32],
        grad: &'a [f32],
        columns: &'a Columns,
        act: A,
        plain: &'a mut [f32],
        along: &'a mut [f32],
    ) -> () {
        let (centre, scale, shift) = (&columns.centre[..], &columns.scale[..], &columns.shift[..]);
        let width = centre.len();
        for (x, grad) in x.chunks_exact(width).zip(grad.chunks_exact(width)) {
            let constants = centre.iter().zip(scale).zip(shift);
            let sums = plain.iter_mut().zip(along.iter_mut());
            for ((((one, two), &x), &grad), ((centre, scale), shift)) in sums.zip(x).zip(grad).zip(constants) {
                let apart = x - centre;
                let before = act.gradient(apart * scale + shift, grad);
                *one += before;
                *two += before * apart;
            }
        }
    }
}

/// The gradient of x from that of the output, which is `source` or already in `out`.
pub(super) fn gradient<A: Act>(source: Option<&[f32]>, out: &mut [f32], x: &[f32], columns: &Columns, act: A) {
    let task = rows_of_a_task(columns.len()) * columns.len().max(1);
    out.par_chunks_mut(task).zip(x.par_chunks(task)).enumerate().for_each(|(k, (rows, x))| {
        copy_in(source, k * task, rows);
        gradient_rows(rows, x, columns, act);
    });
}

vectorised! {
    fn gradient_rows['a, A: Act]['a, A](grad: &'a mut [f32], x: &'a [f32], columns: &'a Columns, act: A) -> () {
        let (centre, scale, shift) = (&columns.centre[..], &columns.scale[..], &columns.shift[..]);
        let (slope, level) = (&columns.slope[..], &columns.level[..]);
        let width = centre.len();
        for (grad, x) in grad.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let line = centre.iter().zip(scale).zip(shift);
            let curve = slope.iter().zip(level);
            for (((grad, &x), ((centre, scale), shift)), (slope, level)) in grad.iter_mut().zip(x).zip(line).zip(curve) {
                let apart = x - centre;
                let before = act.gradient(apart * scale + shift, *grad);
                *grad = before * scale + (apart * slope + level);
            }
        }
    }
}
