//! The views of `DeepMotif`'s dashboard that ask the model anew: output after each base, and the best sequence of a
//! class (Lanchantin, Singh, Wang and Qi 2017, Deep Motif Dashboard, PSB, section 3). The third one is
//! [`saliency_map`](super::saliency_map).

use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use nn_core::explain::ExplainError as ModelError;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{ExplainError, Scorer, Target, outputs_of, pick, scores};
use crate::motif::{Column, Motif, MotifError};
use crate::sequence::ALPHABET;

/// What is added to each base before the columns of an optimum are divided by their sum (`class_optimization.lua`).
const SMOOTHING: f64 = 0.01;

/// Outputs of a model that saw only a part of each sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct TemporalOutputs {
    /// For each row and step, the output for the steps up to this one, it included.
    pub forward: Vec<Vec<f64>>,
    /// For each row and step, the output for the steps from this one on.
    pub backward: Vec<Vec<f64>>,
}

/// The outputs of a recurrent model after each step, from the front and from the back (section 3.2;
/// `temporal_output_values.lua`): where they turn, the model has found something.
///
/// The model must read inputs of any length. Of a convolutional-recurrent network give the recurrent part, and as `x`
/// what the convolutions make of the sequences, as the original does.
///
/// # Shapes
/// - x `[rows, channels, steps]`
///
/// # Errors
/// [`ExplainError`] for an empty input, a target that does not exist, or a logit that is not finite.
pub fn temporal_outputs(
    model: &impl Scorer<3>,
    x: &Tensor<3>,
    target: &Target,
) -> Result<TemporalOutputs, ExplainError> {
    let [rows, _, steps] = x.dims();
    if rows == 0 || steps == 0 {
        return Err(ModelError::Empty.into());
    }
    let (x, chosen) = (x.clone().inner(), outputs_of(target, rows)?);
    let mut found = TemporalOutputs { forward: vec![Vec::new(); rows], backward: vec![Vec::new(); rows] };
    let part =
        |first: usize, end: usize| scores(model.logits(x.clone().narrow(2, first, end - first)), &chosen, |row| row);
    for step in 0..steps {
        let (before, behind) = (part(0, step + 1)?, part(step, steps)?);
        found.forward.iter_mut().zip(before).for_each(|(outputs, output)| outputs.push(output));
        found.backward.iter_mut().zip(behind).for_each(|(outputs, output)| outputs.push(output));
    }
    Ok(found)
}

/// What of an output is made as large as possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassScore {
    /// The logit itself (Simonyan, Vedaldi and Zisserman 2014, equation 1).
    Logit,
    /// The logarithm of the probability of an output that says yes or no.
    #[default]
    LogSigmoid,
    /// The logarithm of the probability of a class among the outputs.
    LogSoftmax,
}

/// Class optimisation (section 3.3; `class_optimization.lua`): the input, not necessarily of whole bases, for which the
/// model is surest, found by gradient ascent with a penalty on its squares.
///
/// ```
/// use genomics::explain::{ClassOptimisation, ClassScore};
/// use nn_core::burn::tensor::{Device, Tensor};
/// // one position, at which A speaks for and T against the output
/// let weights = Tensor::<3>::from_floats([[[0.01], [0.0], [0.0], [-0.01]]], &Device::flex());
/// let model = |x: Tensor<3>| (x * weights.clone()).sum_dim(1).squeeze_dim::<2>(2);
/// let method = ClassOptimisation { score: ClassScore::Logit, rate: 0.01, ..ClassOptimisation::default() };
/// let best = &method.run(&model, 1, 0, &Device::flex())?[0];
/// // w x − λ x² is largest at w / 2λ
/// assert!((best.x[0][0] - 0.01 / (2.0 * method.penalty)).abs() < 0.02);
/// assert_eq!(best.motif("best").map(|motif| motif.consensus()).ok().as_deref(), Some("A"));
/// # Ok::<(), genomics::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassOptimisation {
    /// What is optimised.
    pub score: ClassScore,
    /// Steps of ascent.
    pub steps: usize,
    /// Rate of `RMSprop`.
    pub rate: f64,
    /// Its decay of squared gradients.
    pub decay: f64,
    /// The penalty's weight λ.
    pub penalty: f64,
    /// Random starts.
    pub starts: usize,
    /// Their seed.
    pub seed: u64,
}

impl Default for ClassOptimisation {
    /// λ = 0.009, rate 0.05, 1000 steps of `RMSprop` with Torch's decay of 0.99, one start from uniform numbers, as the
    /// code.
    fn default() -> Self {
        let score = ClassScore::default();
        Self { score, steps: 1000, rate: 0.05, decay: 0.99, penalty: 0.009, starts: 1, seed: 1 }
    }
}

/// What class optimisation ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// The channels A, C, G and T at each position.
    pub x: Vec<Column>,
    /// Score less penalty before each step and after the last one.
    pub history: Vec<f64>,
}

impl Optimum {
    /// The sequence of the largest channel at each position, the first of equal ones: the optimum in whole bases.
    pub fn sequence(&self) -> Vec<u8> {
        let largest =
            |column: &Column| (1..4).fold(0, |best, base| if column[base] > column[best] { base } else { best });
        self.x.iter().map(|column| ALPHABET[largest(column)]).collect()
    }

    /// The optimum as probabilities, as the original draws it: between 0 and 1, in shares of the largest value, and
    /// smoothed with 0.01 before each position is divided by its sum.
    ///
    /// # Errors
    /// [`MotifError`] if the optimum has a value that is not a number.
    pub fn motif(&self, name: &str) -> Result<Motif, MotifError> {
        let clamped = |column: &Column| column.map(|value| value.clamp(0.0, 1.0));
        let most = self.x.iter().flat_map(clamped).fold(0.0, f64::max);
        let scale = if most > 0.0 { most } else { 1.0 };
        let probabilities = |column: &Column| {
            let smoothed = clamped(column).map(|value| value / scale + SMOOTHING);
            let sum: f64 = smoothed.iter().sum();
            smoothed.map(|value| value / sum)
        };
        Motif::new(name, self.x.iter().map(probabilities).collect())
    }
}

impl ClassOptimisation {
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("steps", self.steps, 1..=1_000_000)?;
        in_range("rate", self.rate, 1e-9..=1e3)?;
        in_range("decay", self.decay, 0.0..=0.999_999)?;
        in_range("penalty", self.penalty, 0.0..=1e6)?;
        in_range("starts", self.starts, 1..=1000)
    }

    /// The optimum of one output from each start, for inputs of `length` positions.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, an output that does not exist, a logit that is not finite, or a
    /// model that cannot be differentiated.
    pub fn run(
        &self,
        model: &impl Scorer<3>,
        length: usize,
        output: usize,
        device: &Device,
    ) -> Result<Vec<Optimum>, ExplainError> {
        self.validate()?;
        in_range("length", length, 1..=1 << 24)?;
        let shape = [self.starts, 4, length];
        let mut rng = rng(self.seed, &[]);
        let start: Vec<f32> = (0..self.starts * 4 * length).map(|_| rng.random::<f32>()).collect();
        let mut x = Tensor::<3>::from_data(TensorData::new(start, shape), device).inner();
        let mut moment = x.zeros_like();
        let mut history: Vec<Vec<f64>> = vec![Vec::new(); self.starts];
        for _ in 0..self.steps {
            let leaf = x.clone().autodiff().require_grad();
            let score = self.objective(model, leaf.clone(), output, &mut history)?;
            let gradients = score.sum().backward();
            let gradient = leaf.grad(&gradients).ok_or(ModelError::NoGradient { what: "input" })?;
            let gradient = gradient.inner();
            moment = moment * self.decay + gradient.clone() * gradient.clone() * (1.0 - self.decay);
            x = x + gradient * self.rate / (moment.clone().sqrt() + 1e-8);
        }
        self.objective(model, x.clone().autodiff().require_grad(), output, &mut history)?;
        let values = x.try_into_vec_as::<f64>()?;
        let optimum = |(history, values): (Vec<f64>, &[f64])| {
            let column = |at: usize| std::array::from_fn(|base| values[base * length + at]);
            Optimum { x: (0..length).map(column).collect(), history }
        };
        Ok(history.into_iter().zip(values.chunks_exact(4 * length)).map(optimum).collect())
    }

    /// Score less penalty of each row, `[starts, 1]`, which is also noted.
    fn objective(
        &self,
        model: &impl Scorer<3>,
        x: Tensor<3>,
        output: usize,
        history: &mut [Vec<f64>],
    ) -> Result<Tensor<2>, ExplainError> {
        let chosen = vec![output; self.starts];
        let logits = model.logits(x.clone());
        let score = match self.score {
            ClassScore::Logit => pick(logits, &chosen)?,
            ClassScore::LogSigmoid => log_sigmoid(pick(logits, &chosen)?),
            ClassScore::LogSoftmax => pick(log_softmax(logits, 1), &chosen)?,
        };
        if !score.is_tracked() {
            return Err(ModelError::NoGradient { what: "input" }.into());
        }
        let squares = (x.clone() * x).sum_dims(&[1, 2]).reshape([self.starts, 1]);
        let objective = score - squares * self.penalty; // [starts, 1]
        let found = scores(objective.clone(), &vec![0; self.starts], |row| row)?;
        history.iter_mut().zip(found).for_each(|(history, value)| history.push(value));
        Ok(objective)
    }
}
