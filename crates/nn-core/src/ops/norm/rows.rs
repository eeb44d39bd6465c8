//! Normalisation of each row of a `[rows, columns]` buffer (Ba, Kiros and Hinton 2016), with a scale and a
//! shift for each column. A row stays in the first-level cache between its statistics and its output.

use super::activation::Act;
use super::lanes::{LANES, add_pairs, copy_in, join_columns, moments, rows_of_a_task, vectorised, wide};
use super::planes::residual;
use rayon::prelude::*;

/// Scale and shift of the columns, and what is added to the variance.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a> {
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) epsilon: f64,
}

/// The normalised value is `(x − centre) · inverse + offset`.
#[derive(Clone, Copy)]
struct Standard {
    centre: f32,
    inverse: f32,
    offset: f32,
}

impl Standard {
    fn of(row: &[f32], epsilon: f64) -> Self {
        let found = moments(row);
        let inverse = (found.variance() + epsilon).sqrt().recip();
        Self { centre: found.mean as f32, inverse: inverse as f32, offset: (-residual(found.mean) * inverse) as f32 }
    }
}

/// `out = act(normalised x · gamma + beta)`; x is `source`, or already in `out`.
pub(super) fn forward<A: Act>(source: Option<&[f32]>, out: &mut [f32], affine: Affine<'_>, act: A) {
    let columns = affine.gamma.len();
    let task = rows_of_a_task(columns) * columns.max(1);
    out.par_chunks_mut(task).enumerate().for_each(|(k, rows)| {
        copy_in(source, k * task, rows);
        for row in rows.chunks_exact_mut(columns) {
            let standard = Standard::of(row, affine.epsilon);
            forward_row(row, standard, affine.gamma, affine.beta, act);
        }
    });
}

vectorised! {
    fn forward_row['a, A: Act]['a, A](
        x: &'a mut [f32],
        standard: Standard,
        gamma: &'a [f32],
        beta: &'a [f32],
        act: A,
    ) -> () {
        let Standard { centre, inverse, offset } = standard;
        for ((value, gamma), beta) in x.iter_mut().zip(gamma).zip(beta) {
            let normal = (*value - centre) * inverse + offset;
            *value = act.value(normal * gamma + beta);
        }
    }
}

/// The gradient of x from that of the output, which is `source` or already in `out`; returned, for each
/// column the gradients of beta and of gamma.
pub(super) fn backward<A: Act>(
    source: Option<&[f32]>,
    out: &mut [f32],
    x: &[f32],
    affine: Affine<'_>,
    act: A,
) -> Vec<[f64; 2]> {
    let columns = affine.gamma.len();
    let task = rows_of_a_task(columns) * columns.max(1);
    let parts: Vec<Vec<[f64; 2]>> = out
        .par_chunks_mut(task)
        .zip(x.par_chunks(task))
        .enumerate()
        .map(|(k, (rows, x))| {
            copy_in(source, k * task, rows);
            let (mut of_beta, mut of_gamma) = (vec![0.0_f32; columns], vec![0.0_f32; columns]);
            for (row, x) in rows.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
                let standard = Standard::of(x, affine.epsilon);
                column_gradients(row, x, standard, affine, act, &mut of_beta, &mut of_gamma);
                let means = row_sums(row, x, standard, affine.gamma).map(|sum| (sum / columns as f64) as f32);
                gradient_row(row, x, standard, affine.gamma, means);
            }
            of_beta.into_iter().zip(of_gamma).map(|(one, two)| [f64::from(one), f64::from(two)]).collect()
        })
        .collect();
    join_columns(parts, columns, add_pairs)
}

vectorised! {
    /// Takes the gradient through the nonlinearity and adds it to those of the columns.
    fn column_gradients['a, A: Act]['a, A](
        grad: &'a mut [f32],
        x: &'a [f32],
        standard: Standard,
        affine: Affine<'a>,
        act: A,
        of_beta: &'a mut [f32],
        of_gamma: &'a mut [f32],
    ) -> () {
        let Standard { centre, inverse, offset } = standard;
        let constants = affine.gamma.iter().zip(affine.beta);
        let sums = of_beta.iter_mut().zip(of_gamma.iter_mut());
        for (((grad, x), (gamma, beta)), (one, two)) in grad.iter_mut().zip(x).zip(constants).zip(sums) {
            let normal = (x - centre) * inverse + offset;
            *grad = act.gradient(normal * gamma + beta, *grad);
            *one += *grad;
            *two += *grad * normal;
        }
    }
}

vectorised! {
    /// Sums of gamma times the gradient, and of that times the normalised value.
    fn row_sums['a]['a](grad: &'a [f32], x: &'a [f32], standard: Standard, gamma: &'a [f32]) -> [f64; 2] {
        let Standard { centre, inverse, offset } = standard;
        let ((grad, grad_rest), (x, x_rest)) = (grad.as_chunks::<LANES>(), x.as_chunks::<LANES>());
        let (gamma, gamma_rest) = gamma.as_chunks::<LANES>();
        let (mut plain, mut along) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for ((grad, x), gamma) in grad.iter().zip(x).zip(gamma) {
            let sums = plain.iter_mut().zip(&mut along);
            for ((((one, two), grad), x), gamma) in sums.zip(grad).zip(x).zip(gamma) {
                let scaled = grad * gamma;
                *one += scaled;
                *two += scaled * ((x - centre) * inverse + offset);
            }
        }
        let sums = plain.iter_mut().zip(&mut along);
        for ((((one, two), grad), x), gamma) in sums.zip(grad_rest).zip(x_rest).zip(gamma_rest) {
            let scaled = grad * gamma;
            *one += scaled;
            *two += scaled * ((x - centre) * inverse + offset);
        }
        [wide(&plain), wide(&along)]
    }
}

vectorised! {
    fn gradient_row['a]['a](
        grad: &'a mut [f32],
        x: &'a [f32],
        standard: Standard,
        gamma: &'a [f32],
        means: [f32; 2],
    ) -> () {
        let Standard { centre, inverse, offset } = standard;
        for ((grad, x), gamma) in grad.iter_mut().zip(x).zip(gamma) {
            let normal = (x - centre) * inverse + offset;
            *grad = inverse * (*grad * gamma - means[0] - normal * means[1]);
        }
    }
}
