//! The two-level attention of RETAIN (Choi et al. 2016, *RETAIN: an interpretable predictive model for healthcare using
//! reverse time attention mechanism*, section 2.3): one net weighs whole steps, another each number of a step, and both
//! read the sequence from its end to its beginning.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{linear, masked_softmax, padding};
use crate::config::{ConfigError, in_range};
use crate::layers::{Gru, RecurrentConfig};

/// Sizes; the defaults are those of the authors' code (`retain.py` of mp2893/retain at 9fd39c4: 128 throughout).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetainConfig {
    /// Width of the embedding of a step, d.
    pub embedding: usize,
    /// Numbers of a step that the recurrent nets see besides the embedding, such as the time since the step before.
    pub extra: usize,
    /// Units of the net that weighs steps.
    pub alpha: usize,
    /// Units of the net that weighs the numbers of a step.
    pub beta: usize,
}

impl Default for RetainConfig {
    fn default() -> Self {
        Self { embedding: 128, extra: 0, alpha: 128, beta: 128 }
    }
}

impl RetainConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("embedding", self.embedding, 1..=100_000)?;
        in_range("extra", self.extra, 0..=100_000)?;
        in_range("alpha", self.alpha, 1..=100_000)?;
        in_range("beta", self.beta, 1..=100_000)
    }

    /// Builds the block; both recurrent nets are gated recurrent units.
    ///
    /// # Errors
    /// What [`RetainConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<RetainAttention, ConfigError> {
        self.validate()?;
        let inputs = self.embedding + self.extra;
        Ok(RetainAttention {
            alpha_net: RecurrentConfig::new(inputs, self.alpha).gru(device, rng)?,
            beta_net: RecurrentConfig::new(inputs, self.beta).gru(device, rng)?,
            alpha: linear(self.alpha, 1, true, device, rng),
            beta: linear(self.beta, self.embedding, true, device, rng),
        })
    }
}

/// The block.
#[derive(Module, Debug)]
pub struct RetainAttention {
    alpha_net: Gru,
    beta_net: Gru,
    alpha: Linear,
    beta: Linear,
}

/// The context of each sequence and what it is made of.
#[derive(Debug, Clone)]
pub struct Retained {
    /// Sum of the contributions, `[batch, embedding]`.
    pub context: Tensor<2>,
    /// Weights of the steps, `[batch, steps]`; each row sums to 1, padding has 0.
    pub alpha: Tensor<2>,
    /// Weights of the numbers of each step, −1 to 1, `[batch, steps, embedding]`; without meaning in padding.
    pub beta: Tensor<3>,
    /// `αⱼ βⱼ ⊙ vⱼ`, `[batch, steps, embedding]`; 0 in padding. Times the weights of a linear output it is what each
    /// step adds to a logit.
    pub contributions: Tensor<3>,
}

impl RetainAttention {
    /// What lies behind the end of a sequence changes nothing.
    ///
    /// # Shapes
    /// - v `[batch, steps, embedding]`: the embedded steps, the first one first, padding behind the last
    /// - extra `[batch, steps, extra]`, absent if the configuration has none
    /// - lengths: steps of each sequence, 1 to `steps`
    ///
    /// # Panics
    /// When there is not one length for each sequence, or one is 0 or beyond `steps`.
    pub fn forward(&self, v: Tensor<3>, extra: Option<Tensor<3>>, lengths: &[usize]) -> Retained {
        let ([batch, steps, _], device) = (v.dims(), v.device());
        assert_eq!(lengths.len(), batch, "lengths of the sequences");
        assert!(lengths.iter().all(|length| (1..=steps).contains(length)), "lengths {lengths:?} of {steps} steps");
        let inputs = match extra {
            Some(extra) => Tensor::cat(vec![v.clone(), extra], 2), // [batch, steps, embedding + extra]
            None => v.clone(),
        };
        let backwards = Backwards::new(lengths, steps, &device);
        let inputs = backwards.apply(inputs);
        let run = |net: &Gru| backwards.apply(net.forward(inputs.clone(), Some(lengths), None).sequence);
        let (g, h) = (run(&self.alpha_net), run(&self.beta_net)); // [batch, steps, alpha], [batch, steps, beta]
        let scores = self.alpha.forward(g).squeeze_dim::<2>(2); // [batch, steps]
        let alpha = masked_softmax(scores, Some(padding(lengths, steps, &device)));
        let beta = tanh(self.beta.forward(h)); // [batch, steps, embedding]
        let contributions = alpha.clone().unsqueeze_dim::<3>(2) * beta.clone() * v; // [batch, steps, embedding]
        let context = contributions.clone().sum_dim(1).squeeze_dim::<2>(1); // [batch, embedding]
        Retained { context, alpha, beta, contributions }
    }
}

/// Turns the steps of each sequence round and leaves its padding where it is; done twice it changes nothing.
struct Backwards {
    /// For each step of each sequence, one behind the other, the place of the step that goes there.
    places: Tensor<1, Int>,
}

impl Backwards {
    fn new(lengths: &[usize], steps: usize, device: &Device) -> Self {
        let place = |(row, &length): (usize, &usize)| {
            let of = move |step| if step < length { length - 1 - step } else { step };
            (0..steps).map(move |step| (row * steps + of(step)) as i64)
        };
        let places: Vec<i64> = lengths.iter().enumerate().flat_map(place).collect();
        let count = places.len();
        Self { places: Tensor::from_data(TensorData::new(places, [count]), device) }
    }

    /// # Shapes
    /// - x and output `[batch, steps, width]`
    fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, steps, width] = x.dims();
        x.reshape([batch * steps, width]).select(0, self.places.clone()).reshape([batch, steps, width])
    }
}
