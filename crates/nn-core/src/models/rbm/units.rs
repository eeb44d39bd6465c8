//! What the visible layer of a Boltzmann machine can be made of.

use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softmax};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

use super::{RbmError, sampling};

/// Kind of the visible units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisibleUnits {
    /// Zero or one; data in `[0, 1]` count as probabilities, as in the guide, section 3.2.
    Bernoulli,
    /// Real numbers with unit variance given the hidden units: data standardised column by column (section 13.2).
    Gaussian,
    /// The word counts of a document, one softmax unit for each of its words, all with the same weights; the hidden
    /// biases are scaled by the number of words (Salakhutdinov & Hinton 2009, *Replicated softmax: an undirected topic
    /// model*, equations 1 to 4).
    ReplicatedSoftmax,
}

impl VisibleUnits {
    /// A learning rate to begin with: 0.1 for Bernoulli units and 0.001 for Gaussian ones, as in the programs of Hinton
    /// & Salakhutdinov 2006 (the guide, section 13.2: one or two orders of magnitude less than for binary units), and
    /// 0.001 for word counts, whose gradient grows with the length of the document.
    pub fn learning_rate(self) -> f64 {
        match self {
            Self::Bernoulli => 0.1,
            Self::Gaussian | Self::ReplicatedSoftmax => 0.001,
        }
    }

    /// The name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bernoulli => "Bernoulli",
            Self::Gaussian => "Gaussian",
            Self::ReplicatedSoftmax => "replicated softmax",
        }
    }

    /// What scales the hidden biases of each row, `[rows, 1]`; nothing does but the length of a document.
    pub(in crate::models) fn lengths(self, visible: &Tensor<2>) -> Option<Tensor<2>> {
        (self == Self::ReplicatedSoftmax).then(|| visible.clone().sum_dim(1))
    }

    /// Means of units with these total inputs.
    ///
    /// # Shapes
    /// - inputs and output `[rows, visible]`, lengths `[rows, 1]`
    pub(in crate::models) fn mean(self, inputs: Tensor<2>, lengths: Option<&Tensor<2>>) -> Tensor<2> {
        match (self, lengths) {
            (Self::Bernoulli, _) => sigmoid(inputs),
            (Self::Gaussian, _) => inputs,
            (Self::ReplicatedSoftmax, None) => softmax(inputs, 1),
            (Self::ReplicatedSoftmax, Some(lengths)) => softmax(inputs, 1) * lengths.clone(),
        }
    }

    /// A draw of units with these total inputs; shapes as in [`VisibleUnits::mean`].
    pub(in crate::models) fn sample(
        self,
        inputs: Tensor<2>,
        lengths: Option<&Tensor<2>>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor<2>, RbmError> {
        match self {
            Self::Bernoulli => Ok(sampling::bernoulli(sigmoid(inputs), rng)),
            Self::Gaussian => Ok(sampling::normal(inputs, rng)),
            Self::ReplicatedSoftmax => sampling::multinomial(softmax(inputs, 1), lengths, rng),
        }
    }

    /// The energy that visible units have by their biases alone.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`, bias `[visible]`; output `[rows]`
    pub(super) fn bias_energy(self, visible: Tensor<2>, bias: Tensor<1>) -> Tensor<1> {
        let energy = match self {
            Self::Gaussian => (visible - bias.unsqueeze::<2>()).square().sum_dim(1).mul_scalar(0.5),
            Self::Bernoulli | Self::ReplicatedSoftmax => -(visible * bias.unsqueeze::<2>()).sum_dim(1),
        };
        energy.squeeze_dim::<1>(1)
    }

    /// Logarithm of the sum (for Gaussian units the integral) over the visible states of exp(−energy by biases).
    /// `words` is the length of the document; sequences of words are summed over, not counts.
    pub(super) fn bias_log_partition(self, bias: &[f32], words: usize) -> f64 {
        let values = bias.iter().map(|&b| f64::from(b));
        match self {
            Self::Bernoulli => values.map(|b| b.max(0.0) + (-b.abs()).exp().ln_1p()).sum(),
            Self::Gaussian => 0.5 * TAU.ln() * bias.len() as f64,
            Self::ReplicatedSoftmax => {
                let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
                words as f64 * (top + values.map(|b| (b - top).exp()).sum::<f64>().ln())
            }
        }
    }

    /// Biases of units without weights that fit data with these column sums over `rows` rows.
    pub(super) fn fitted_bias(self, sums: &[f32], rows: usize) -> Vec<f32> {
        let sums = sums.iter().map(|&sum| f64::from(sum));
        let rows = rows as f64;
        let bias = |value: f64| value as f32;
        match self {
            // Half an observation of each kind more than there are.
            Self::Bernoulli => {
                sums.map(|sum| bias(((sum.max(0.0) + 0.5) / ((rows - sum).max(0.0) + 0.5)).ln())).collect()
            }
            Self::Gaussian => sums.map(|sum| bias(sum / rows)).collect(),
            Self::ReplicatedSoftmax => {
                let all: f64 = sums.clone().map(|sum| sum + 0.5).sum();
                sums.map(|sum| bias(((sum + 0.5) / all).ln())).collect()
            }
        }
    }
}

/// Total inputs of hidden units.
///
/// # Shapes
/// - visible `[rows, visible]`, weight `[visible, hidden]`, bias `[hidden]`, lengths `[rows, 1]`
/// - output `[rows, hidden]`
pub(in crate::models) fn hidden_inputs(
    visible: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    lengths: Option<&Tensor<2>>,
) -> Tensor<2> {
    let bias = bias.unsqueeze::<2>(); // [1, hidden]
    let bias = match lengths {
        Some(lengths) => lengths.clone().matmul(bias), // [rows, hidden]
        None => bias,
    };
    visible.matmul(weight) + bias
}
