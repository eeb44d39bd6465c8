//! Gradients and their kin: the output divided among the bases.

use burn::tensor::{Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use nn_core::explain::{
    Attribution, Baseline, ExplainError as ModelError, IntegratedGradients, Rescale, Scorer, Target,
    deep_lift as rescaled, input_x_gradient, saliency,
};
use serde::{Deserialize, Serialize};

use super::{ExplainError, Inputs, outputs_of};
use crate::motif::{Column, UNIFORM};
use crate::shuffle::Shuffle;

/// Sequences that are explained at once, which bounds the memory of an explanation.
const ROWS_AT_ONCE: usize = 64;

/// What a sequence is compared with. Bases that are not known, and padding, are in the reference what they are in the
/// input, so that they get no share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reference {
    /// No base at all.
    Zeros,
    /// These frequencies of A, C, G and T at every base; see [`Reference::uniform`].
    Background(Column),
    /// Several dinucleotide shuffles of each sequence, over which the values are averaged: what of the composition is
    /// in the sequence gets no share.
    Shuffled {
        /// Shuffles of each sequence.
        count: usize,
        /// Their seed.
        seed: u64,
    },
}

impl Default for Reference {
    /// 20 shuffles, as tangermeme.
    fn default() -> Self {
        Self::Shuffled { count: 20, seed: 1 }
    }
}

impl Reference {
    /// All bases equally frequent.
    pub fn uniform() -> Self {
        Self::Background(UNIFORM)
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] for a frequency outside 0..=1, no shuffle, or more than 1000.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::Zeros => Ok(()),
            Self::Background(column) => column.iter().try_for_each(|value| in_range("background", *value, 0.0..=1.0)),
            Self::Shuffled { count, .. } => in_range("count", *count, 1..=1000),
        }
    }

    /// The references of all sequences, `[rows, 4, length]` each.
    fn tensors(&self, inputs: &Inputs) -> Vec<Tensor<3>> {
        match self {
            Self::Zeros => vec![everywhere(inputs, [0.0; 4])],
            Self::Background(column) => vec![everywhere(inputs, *column)],
            Self::Shuffled { count, seed } => (0..*count)
                .map(|number| {
                    let shuffled = |row: usize| {
                        Shuffle::Dinucleotide.apply(inputs.sequence(row), &mut rng(*seed, &[row as u64, number as u64]))
                    };
                    inputs.replaced(&(0..inputs.rows()).map(shuffled).collect::<Vec<_>>())
                })
                .collect(),
        }
    }
}

/// The input with the same four numbers at every known base.
fn everywhere(inputs: &Inputs, column: Column) -> Tensor<3> {
    let length = inputs.length();
    let mut values = inputs.host().to_vec();
    for (row, channels) in values.chunks_exact_mut(4 * length).enumerate() {
        let known = inputs.span(row).zip(inputs.bases(row)).filter(|(_, base)| base.is_some());
        for (at, _) in known {
            for (base, value) in column.iter().enumerate() {
                channels[base * length + at] = *value as f32;
            }
        }
    }
    Tensor::from_data(TensorData::new(values, inputs.tensor().dims()), &inputs.tensor().device())
}

/// How well the values of a sequence add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Completeness {
    /// The output less its mean over the references: what the values explain.
    pub change: f64,
    /// The sum of the values less `change`; 0 but for rounding, if the method and the model go together.
    pub gap: f64,
    /// The largest change of a value when the number of steps was doubled, where the method takes steps.
    pub convergence: Option<f64>,
}

/// A value for each base of each sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Attributions {
    /// For each sequence and base, the values of the channels A, C, G and T. They are differences from the reference,
    /// so that channels of bases that are not there have values, too.
    pub values: Vec<Vec<Column>>,
    /// How well they add up, for each sequence; `None` for methods that do not divide the output.
    pub completeness: Option<Vec<Completeness>>,
    /// Sequences that the model was evaluated on.
    pub evaluations: usize,
}

impl Attributions {
    /// The share of each base: the sum of its channels.
    pub fn per_base(&self) -> Vec<Vec<f64>> {
        let sum = |column: &Column| column.iter().sum::<f64>();
        self.values.iter().map(|columns| columns.iter().map(sum).collect()).collect()
    }

    /// The gap that is largest in size.
    pub fn largest_gap(&self) -> Option<f64> {
        self.completeness.as_ref().map(|all| all.iter().fold(0.0_f64, |worst, one| worst.max(one.gap.abs())))
    }
}

/// Integrated gradients (Sundararajan, Taly and Yan 2017); the mean over the references with [`Reference::Shuffled`].
///
/// # Errors
/// [`ExplainError`] for a setting out of range, a target that does not exist, a logit that is not finite, or a model
/// that cannot be differentiated.
pub fn integrated_gradients(
    model: &impl Scorer<3>,
    inputs: &Inputs,
    target: &Target,
    method: &IntegratedGradients,
    reference: &Reference,
) -> Result<Attributions, ExplainError> {
    method.validate()?;
    against(inputs, target, reference, |x, baseline, target| method.attribute(model, x, baseline, target))
}

/// `DeepLIFT` with the rescale rule (Shrikumar, Greenside and Kundaje 2017); with [`Reference::Shuffled`] the mean over
/// the references. The model passes what bends through [`Rescale`]; a gap says that something was not.
///
/// # Errors
/// As [`integrated_gradients`].
pub fn deep_lift(
    model: &impl Fn(Tensor<3>, &Rescale) -> Tensor<2>,
    inputs: &Inputs,
    target: &Target,
    reference: &Reference,
) -> Result<Attributions, ExplainError> {
    against(inputs, target, reference, |x, baseline, target| rescaled(model, x, baseline, target))
}

/// The gradient times the input, with its sign: the value of each base that is there (Shrikumar et al. 2016). The gap
/// is that against an input of zeros.
///
/// # Errors
/// As [`integrated_gradients`].
pub fn gradient_x_input(
    model: &impl Scorer<3>,
    inputs: &Inputs,
    target: &Target,
) -> Result<Attributions, ExplainError> {
    outputs_of(target, inputs.rows())?;
    let found = input_x_gradient(model, inputs.tensor(), target)?;
    let Attribution { values, check } = found;
    let values = values.inner().try_into_vec_as::<f64>()?;
    let completeness = check.completeness_gap.map(|gaps| completeness(&values, &gaps, None));
    Ok(Attributions { values: inputs.columns(&values), completeness, evaluations: check.evaluations })
}

/// The saliency map of `DeepMotif`'s dashboard (Lanchantin, Singh, Wang and Qi 2017, PSB, section 3.1; its
/// `saliency_map.lua`): the size of the gradient at the base that is there.
///
/// # Errors
/// As [`integrated_gradients`].
pub fn saliency_map(model: &impl Scorer<3>, inputs: &Inputs, target: &Target) -> Result<Attributions, ExplainError> {
    outputs_of(target, inputs.rows())?;
    let Attribution { values, check } = saliency(model, inputs.tensor(), target)?;
    let values = (values * inputs.tensor().clone()).inner().try_into_vec_as::<f64>()?;
    Ok(Attributions { values: inputs.columns(&values), completeness: None, evaluations: check.evaluations })
}

/// The mean of a method's values over the references.
fn against(
    inputs: &Inputs,
    target: &Target,
    reference: &Reference,
    attribute: impl Fn(&Tensor<3>, &Baseline<3>, &Target) -> Result<Attribution<3>, ModelError>,
) -> Result<Attributions, ExplainError> {
    reference.validate()?;
    let rows = inputs.rows();
    let (chosen, elements) = (outputs_of(target, rows)?, 4 * inputs.length());
    let references = reference.tensors(inputs);
    let share = 1.0 / references.len() as f64;
    let (mut values, mut gaps, mut evaluations) = (vec![0.0; rows * elements], vec![0.0; rows], 0);
    let mut convergence: Option<Vec<f64>> = None;
    for reference in &references {
        for first in (0..rows).step_by(ROWS_AT_ONCE) {
            let count = ROWS_AT_ONCE.min(rows - first);
            let part = |tensor: &Tensor<3>| tensor.clone().narrow(0, first, count);
            let (x, baseline) = (part(inputs.tensor()), Baseline::Each(part(reference)));
            let found = attribute(&x, &baseline, &Target::Each(chosen[first..first + count].to_vec()));
            let Attribution { values: found, check } = found.map_err(|error| counted_from(error, first))?;
            let found = found.inner().try_into_vec_as::<f64>()?;
            values[first * elements..].iter_mut().zip(found).for_each(|(sum, value)| *sum += share * value);
            for (sum, gap) in gaps[first..].iter_mut().zip(check.completeness_gap.unwrap_or_default()) {
                *sum += share * gap;
            }
            if let Some(deltas) = check.convergence_delta {
                let worst = convergence.get_or_insert_with(|| vec![0.0; rows]);
                worst[first..].iter_mut().zip(deltas).for_each(|(worst, delta)| *worst = worst.max(delta));
            }
            evaluations += check.evaluations;
        }
    }
    let completeness = Some(completeness(&values, &gaps, convergence.as_deref()));
    Ok(Attributions { values: inputs.columns(&values), completeness, evaluations })
}

fn completeness(values: &[f64], gaps: &[f64], convergence: Option<&[f64]>) -> Vec<Completeness> {
    let elements = (values.len() / gaps.len().max(1)).max(1);
    values
        .chunks_exact(elements)
        .zip(gaps)
        .enumerate()
        .map(|(row, (values, &gap))| {
            let convergence = convergence.map(|convergence| convergence[row]);
            Completeness { change: values.iter().sum::<f64>() - gap, gap, convergence }
        })
        .collect()
}

/// An error of a part of the rows, of which the first one has this number.
fn counted_from(error: ModelError, first: usize) -> ModelError {
    match error {
        ModelError::NotFinite { row, value } => ModelError::NotFinite { row: first + row, value },
        ModelError::NoOutput { row, target, outputs } => ModelError::NoOutput { row: first + row, target, outputs },
        other => other,
    }
}
