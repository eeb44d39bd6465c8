//! Batch, group, instance and layer normalisation, each with the nonlinearity behind it.
//!
//! Forward reads the input twice and writes once: a pass for the statistics, a pass for the output. Backward
//! does the same over input and gradient. Neither the normalised values nor the mask of the nonlinearity is
//! kept; both are computed again from the input. Statistics are merged in double precision from runs that
//! are centred first, so a mean far from zero costs no digits.
//!
//! | operation | statistics of | paper |
//! |---|---|---|
//! | [`batch_norm_act`] | each channel, over batch and positions | Ioffe & Szegedy 2015 |
//! | [`group_norm_act`] | each group of channels of one sample | Wu & He 2018 |
//! | [`instance_norm_act`] | each channel of one sample | Ulyanov et al. 2016 |
//! | [`layer_norm_act`] | the last axis | Ba et al. 2016 |
//!
//! On a device that has no kernel of ours they are composed of burn's operations.

pub(super) mod activation;
pub(super) mod columns;
pub(super) mod lanes;
pub(super) mod planes;
mod register;
mod rows;
mod tape;
#[cfg(test)]
mod tests;

pub use self::activation::Activation;

use self::register::{NormOps, Over, Plan};
use super::runs_here;
use burn::backend::Dispatch;
use burn::tensor::{Tensor, module};

/// Batch normalisation with the statistics of the batch, and the nonlinearity behind it.
///
/// Returns the output and, without gradients, the mean and the biased variance of each channel. A batch of
/// no rows has mean and variance zero.
///
/// # Shapes
/// - x `[batch, channels, positions…]` with up to three axes of positions, gamma and beta `[channels]`
/// - output as x; mean and variance `[channels]`
///
/// # Panics
/// When the shapes disagree, or each channel has one value only, which has no variance.
pub fn batch_norm_act<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    activation: Activation,
    epsilon: f64,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let view = check(&x, &gamma, &beta, activation);
    let [batch, channels, positions] = view;
    assert!(
        batch * positions != 1,
        "batch normalisation in training needs more than one value per channel; this batch has 1 row with 1 position"
    );
    if !runs_here(&x) {
        if batch * positions == 0 {
            let none = Tensor::zeros([channels], &x.device());
            return (x, none.clone(), none);
        }
        let found = module::batch_norm_train(x, gamma, beta, epsilon);
        return (activation.forward(found.output), found.mean, found.variance);
    }
    let plan = Plan { view, over: Over::Batch, epsilon, activation };
    let (out, mean, variance, _statistics) =
        <Dispatch as NormOps>::batch_norm_act(x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch(), plan);
    (Tensor::from_dispatch(out), Tensor::from_dispatch(mean), Tensor::from_dispatch(variance))
}

/// Batch normalisation with given statistics, and the nonlinearity behind it. The statistics are constants
/// to the backward.
///
/// # Shapes
/// - x `[batch, channels, positions…]`, all others `[channels]`; output as x
///
/// # Panics
/// When the shapes disagree.
pub fn batch_norm_act_inference<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    activation: Activation,
    epsilon: f64,
) -> Tensor<D> {
    let view = check(&x, &gamma, &beta, activation);
    assert_eq!(mean.dims(), [view[1]], "mean of {} channels", view[1]);
    assert_eq!(variance.dims(), [view[1]], "variance of {} channels", view[1]);
    if !runs_here(&x) {
        let (mean, variance) = (mean.detach(), variance.detach());
        return activation.forward(module::batch_norm(x, gamma, beta, mean, variance, epsilon));
    }
    let plan = Plan { view, over: Over::Constants, epsilon, activation };
    let (out, _statistics) = <Dispatch as NormOps>::constant_norm_act(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        plan,
    );
    Tensor::from_dispatch(out)
}

/// Group normalisation: statistics of each of `groups` groups of consecutive channels of each sample; and
/// the nonlinearity behind it.
///
/// # Shapes
/// - x `[batch, channels, positions…]`, gamma and beta `[channels]`; output as x
///
/// # Panics
/// When the shapes disagree, or the groups do not divide the channels.
pub fn group_norm_act<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    groups: usize,
    activation: Activation,
    epsilon: f64,
) -> Tensor<D> {
    let view = check(&x, &gamma, &beta, activation);
    assert!(groups > 0 && view[1].is_multiple_of(groups), "{groups} groups do not divide {} channels", view[1]);
    if !runs_here(&x) {
        return activation.forward(composed_group_norm(x, gamma, beta, groups, epsilon));
    }
    let plan = Plan { view, over: Over::Groups(groups), epsilon, activation };
    let (out, _statistics) =
        <Dispatch as NormOps>::group_norm_act(x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch(), plan);
    Tensor::from_dispatch(out)
}

/// Instance normalisation: statistics of each channel of each sample; and the nonlinearity behind it.
///
/// # Shapes
/// - x `[batch, channels, positions…]`, gamma and beta `[channels]`; output as x
///
/// # Panics
/// When the shapes disagree, or there is one position only, which has no variance.
pub fn instance_norm_act<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    activation: Activation,
    epsilon: f64,
) -> Tensor<D> {
    let [_, channels, positions] = check(&x, &gamma, &beta, activation);
    assert!(positions != 1, "instance normalisation needs more than one position; this input has 1");
    group_norm_act(x, gamma, beta, channels, activation, epsilon)
}

/// Layer normalisation over the last axis, and the nonlinearity behind it.
///
/// # Shapes
/// - x `[…, columns]`, gamma and beta `[columns]`; output as x
///
/// # Panics
/// When the shapes disagree.
pub fn layer_norm_act<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    activation: Activation,
    epsilon: f64,
) -> Tensor<D> {
    let columns = x.dims()[D - 1];
    assert_eq!(gamma.dims(), [columns], "gamma of a layer normalisation over {columns} columns");
    assert_eq!(beta.dims(), [columns], "beta of a layer normalisation over {columns} columns");
    activation.check();
    if !runs_here(&x) {
        return activation.forward(module::layer_norm(x, gamma, Some(beta), epsilon));
    }
    Tensor::from_dispatch(<Dispatch as NormOps>::layer_norm_act(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        activation,
    ))
}

/// `[batch, channels, positions]`.
pub(super) fn view<const D: usize>(x: &Tensor<D>) -> [usize; 3] {
    let dims = x.dims();
    assert!(D >= 2, "an input of {D} axes has no channels");
    [dims[0], dims[1], dims[2..].iter().product()]
}

/// Checks the shapes of a normalisation and returns its view.
fn check<const D: usize>(x: &Tensor<D>, gamma: &Tensor<1>, beta: &Tensor<1>, activation: Activation) -> [usize; 3] {
    let view = view(x);
    assert_eq!(gamma.dims(), [view[1]], "gamma of {} channels", view[1]);
    assert_eq!(beta.dims(), [view[1]], "beta of {} channels", view[1]);
    activation.check();
    view
}

/// Group normalisation of burn's operations, without a nonlinearity.
fn composed_group_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    groups: usize,
    epsilon: f64,
) -> Tensor<D> {
    let ([batch, channels, positions], shape) = (view(&x), x.dims());
    let x = x.reshape([batch * groups, channels / groups * positions]);
    let centred = x.clone() - x.mean_dim(1); // [batch · groups, values]
    let variance = centred.clone().square().mean_dim(1); // [batch · groups, 1]
    let normal = (centred / (variance + epsilon).sqrt()).reshape([batch, channels, positions]);
    let scaled = normal * gamma.reshape([1, channels, 1]) + beta.reshape([1, channels, 1]);
    scaled.reshape(shape)
}
