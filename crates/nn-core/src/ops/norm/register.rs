//! The normalisations as operations of burn on the CPU: shapes, statistics, and the gradients.

use super::activation::{Activation, with_activation};
use super::columns::{self, Columns};
use super::lanes::{Moments, add_pairs, contiguous, join_columns, moments, over_planes, transform, values, vector};
use super::planes::{self, Curve, Line, residual};
use super::rows::{self, Affine};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;

/// Whose statistics a value is normalised with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Those of its channel over the batch.
    Batch,
    /// Those of its group of channels in its own sample; this many groups.
    Groups(usize),
    /// Constants of its channel.
    Constants,
}

/// A normalisation of `[batch, channels, positions]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) view: [usize; 3],
    pub(super) over: Over,
    pub(super) epsilon: f64,
    pub(super) activation: Activation,
}

impl Plan {
    /// Which statistics plane `plane` has.
    fn statistics_of(&self, plane: usize) -> usize {
        let channels = self.view[1];
        match self.over {
            Over::Batch | Over::Constants => plane % channels,
            Over::Groups(groups) => plane / channels * groups + plane % channels / (channels / groups),
        }
    }

    /// How many planes have constants of their own.
    fn distinct(&self) -> usize {
        let [batch, channels, _] = self.view;
        if matches!(self.over, Over::Groups(_)) { batch * channels } else { channels }
    }

    /// Whether consecutive values belong to different channels, each with statistics over the batch.
    fn by_columns(&self) -> bool {
        self.view[2] == 1 && !matches!(self.over, Over::Groups(_))
    }

    fn lines(&self, statistics: &[[f64; 2]], gamma: &[f32], beta: &[f32]) -> Vec<Line> {
        let channels = self.view[1];
        let line = |p: usize| Line::new(statistics[self.statistics_of(p)], gamma[p % channels], beta[p % channels]);
        (0..self.distinct()).map(line).collect()
    }

    /// Mean and one over the standard deviation of each set of moments.
    fn statistics(&self, moments: &[Moments]) -> Vec<[f64; 2]> {
        moments.iter().map(|found| [found.mean, (found.variance() + self.epsilon).sqrt().recip()]).collect()
    }
}

#[backend_extension(Autodiff, Flex)]
pub(super) trait NormOps: Backend {
    /// Output, mean and biased variance of each channel, and the statistics in double precision.
    fn batch_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn group_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    fn constant_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        plan: Plan,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);
    /// Gradients of x, gamma and beta. With constant statistics, the latter two are zeros unless
    /// `parameters` asks for them, which costs a pass.
    fn norm_act_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        plan: Plan,
        parameters: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    fn layer_norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> FloatTensor<Self>;
    fn layer_norm_act_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        epsilon: f64,
        activation: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Statistics as a tensor of double precision, `[number, 2]`.
fn write(statistics: &[[f64; 2]]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(statistics.as_flattened().to_vec(), [statistics.len(), 2]))
}

fn read(statistics: &FlexTensor) -> Vec<[f64; 2]> {
    statistics.to_contiguous().storage::<f64>().as_chunks::<2>().0.to_vec()
}

/// `act((x − mean) · inverse · gamma + beta)`.
fn normalise(x: FlexTensor, gamma: &FlexTensor, beta: &FlexTensor, statistics: &[[f64; 2]], plan: &Plan) -> FlexTensor {
    let (gamma, beta) = (gamma.to_contiguous(), beta.to_contiguous());
    let lines = plan.lines(statistics, values(&gamma), values(&beta));
    let (out, ()) = transform(x, |source, out| {
        with_activation!(plan.activation, |act| if plan.by_columns() {
            columns::apply(source, out, &Columns::of_lines(&lines), act);
        } else {
            planes::apply(source, out, plan.view[2], &lines, act);
        });
    });
    out
}

/// Sums of the gradient in front of the nonlinearity, and of that times the normalised value: for each
/// plane, or for each channel when consecutive values belong to different channels.
fn gradient_sums(x: &[f32], grad: &[f32], lines: &[Line], statistics: &[[f64; 2]], plan: &Plan) -> Vec<[f64; 2]> {
    let found = with_activation!(plan.activation, |act| if plan.by_columns() {
        columns::gradient_sums(x, grad, lines, act)
    } else {
        planes::gradient_sums(x, grad, plan.view[2], lines, act)
    });
    let standardised = |(plane, [plain, along]): (usize, [f64; 2])| {
        let [mean, inverse] = statistics[plan.statistics_of(plane)];
        [plain, inverse * (along - residual(mean) * plain)]
    };
    found.into_iter().enumerate().map(standardised).collect()
}

/// Joins results for planes into results for channels.
fn over_batch<T: Copy + Default>(planes: &[T], channels: usize, join: impl Fn(T, T) -> T) -> Vec<T> {
    join_columns(planes.chunks(channels.max(1)).map(<[T]>::to_vec), channels, join)
}

impl NormOps for Flex {
    fn batch_norm_act(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        plan: Plan,
    ) -> (FlexTensor, FlexTensor, FlexTensor, FlexTensor) {
        let x = contiguous(x);
        let [batch, channels, positions] = plan.view;
        let found = if plan.by_columns() {
            columns::moments(values(&x), channels)
        } else {
            let part = |_, range: std::ops::Range<usize>| moments(&values(&x)[range]);
            over_batch(&over_planes(batch * channels, positions, part, Moments::merge), channels, Moments::merge)
        };
        let mean = vector(found.iter().map(|found| found.mean as f32).collect());
        let variance = vector(found.iter().map(|found| found.variance() as f32).collect());
        let statistics = plan.statistics(&found);
        (normalise(x, &gamma, &beta, &statistics, &plan), mean, variance, write(&statistics))
    }

    fn group_norm_act(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, plan: Plan) -> (FlexTensor, FlexTensor) {
        let x = contiguous(x);
        let [batch, channels, positions] = plan.view;
        let Over::Groups(groups) = plan.over else { unreachable!("a group norm is over groups") };
        let part = |_, range: std::ops::Range<usize>| moments(&values(&x)[range]);
        let found = over_planes(batch * groups, channels / groups * positions, part, Moments::merge);
        let statistics = plan.statistics(&found);
        (normalise(x, &gamma, &beta, &statistics, &plan), write(&statistics))
    }

    fn constant_norm_act(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        variance: FlexTensor,
        plan: Plan,
    ) -> (FlexTensor, FlexTensor) {
        let (mean, variance) = (mean.to_contiguous(), variance.to_contiguous());
        let constants = values(&mean).iter().zip(values(&variance));
        let statistics: Vec<[f64; 2]> = constants
            .map(|(&mean, &variance)| [f64::from(mean), (f64::from(variance) + plan.epsilon).sqrt().recip()])
            .collect();
        (normalise(contiguous(x), &gamma, &beta, &statistics, &plan), write(&statistics))
    }

    fn norm_act_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        statistics: FlexTensor,
        grad: FlexTensor,
        plan: Plan,
        parameters: bool,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, gamma, beta, grad) = (x.to_contiguous(), gamma.to_contiguous(), beta.to_contiguous(), contiguous(grad));
        let (gamma, beta) = (values(&gamma), values(&beta));
        let statistics = read(&statistics);
        let [batch, channels, positions] = plan.view;
        let lines = plan.lines(&statistics, gamma, beta);
        let sums = if parameters || plan.over != Over::Constants {
            gradient_sums(values(&x), values(&grad), &lines, &statistics, &plan)
        } else {
            vec![[0.0; 2]; channels]
        };
        let by_channel = over_batch(&sums, channels, add_pairs);
        // What all values that share their statistics sum to: gamma times the gradient, and that times the
        // normalised value.
        let mut shared = vec![[0.0; 2]; statistics.len()];
        if plan.over != Over::Constants {
            for (plane, [plain, along]) in sums.into_iter().enumerate() {
                let gamma = f64::from(gamma[plane % channels]);
                let total = &mut shared[plan.statistics_of(plane)];
                *total = add_pairs(*total, [gamma * plain, gamma * along]);
            }
        }
        let count = match plan.over {
            Over::Groups(groups) => channels / groups * positions,
            Over::Batch | Over::Constants => batch * positions,
        };
        let curve = |plane: usize| {
            let (of, channel) = (plan.statistics_of(plane), plane % channels);
            Curve::new(statistics[of], gamma[channel], beta[channel], shared[of], count as f64)
        };
        let curves: Vec<Curve> = (0..plan.distinct()).map(curve).collect();
        let (dx, ()) = transform(grad, |source, out| {
            with_activation!(plan.activation, |act| if plan.by_columns() {
                columns::gradient(source, out, values(&x), &Columns::of_curves(&curves), act);
            } else {
                planes::gradient(source, out, values(&x), positions, &curves, act);
            });
        });
        let (dbeta, dgamma) = by_channel.into_iter().map(|[plain, along]| (plain as f32, along as f32)).unzip();
        (dx, vector(dgamma), vector(dbeta))
    }

    fn layer_norm_act(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        activation: Activation,
    ) -> FlexTensor {
        let (gamma, beta) = (gamma.to_contiguous(), beta.to_contiguous());
        let affine = Affine { gamma: values(&gamma), beta: values(&beta), epsilon };
        let (out, ()) = transform(x, |source, out| {
            with_activation!(activation, |act| rows::forward(source, out, affine, act));
        });
        out
    }

    fn layer_norm_act_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        grad: FlexTensor,
        epsilon: f64,
        activation: Activation,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (x, gamma, beta) = (x.to_contiguous(), gamma.to_contiguous(), beta.to_contiguous());
        let affine = Affine { gamma: values(&gamma), beta: values(&beta), epsilon };
        let (dx, sums) = transform(grad, |source, out| {
            with_activation!(activation, |act| rows::backward(source, out, values(&x), affine, act))
        });
        let (dbeta, dgamma) = sums.into_iter().map(|[plain, along]| (plain as f32, along as f32)).unzip();
        (dx, vector(dgamma), vector(dbeta))
    }
}
