//! The two sides of the learning rule: statistics driven by data, and by the model's own fantasies.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use rand_chacha::ChaCha8Rng;

use super::sampling::{bernoulli, scalar};
use super::{Rbm, RbmError};

/// A value for each parameter: statistics, or a gradient.
#[derive(Debug, Clone)]
pub(in crate::models) struct Statistics {
    /// ⟨v hᵀ⟩, `[visible, hidden]`.
    pub(in crate::models) weight: Tensor<2>,
    /// ⟨v⟩, `[visible]`.
    pub(in crate::models) visible_bias: Tensor<1>,
    /// ⟨h⟩, with the lengths of documents as weights, `[hidden]`.
    pub(in crate::models) hidden_bias: Tensor<1>,
}

impl Statistics {
    /// Means over rows.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`, hidden `[rows, hidden]`, lengths `[rows, 1]`
    pub(in crate::models) fn of(visible: Tensor<2>, hidden: Tensor<2>, lengths: Option<&Tensor<2>>) -> Self {
        let [rows, _] = visible.dims();
        let share = 1.0 / rows as f64;
        let hidden_bias = match lengths {
            Some(lengths) => lengths.clone().transpose().matmul(hidden.clone()).mul_scalar(share), // [1, hidden]
            None => hidden.clone().mean_dim(0),
        };
        Self {
            weight: visible.clone().transpose().matmul(hidden).mul_scalar(share),
            visible_bias: visible.mean_dim(0).squeeze_dim::<1>(0),
            hidden_bias: hidden_bias.squeeze_dim::<1>(0),
        }
    }

    pub(in crate::models) fn minus(self, other: Self) -> Self {
        Self {
            weight: self.weight - other.weight,
            visible_bias: self.visible_bias - other.visible_bias,
            hidden_bias: self.hidden_bias - other.hidden_bias,
        }
    }

    /// Euclidean norm over all parameters.
    pub(in crate::models) fn norm(&self) -> Result<f64, RbmError> {
        let sum = self.weight.clone().square().sum()
            + self.visible_bias.clone().square().sum()
            + self.hidden_bias.clone().square().sum();
        Ok(scalar("norm of the gradient", sum)?.sqrt())
    }
}

/// Where alternating Gibbs sampling ended.
pub(in crate::models) struct Fantasy {
    /// Visible states, or means, `[chains, visible]`.
    pub(in crate::models) visible: Tensor<2>,
    /// Probabilities of the hidden units given them, `[chains, hidden]`.
    pub(in crate::models) hidden: Tensor<2>,
}

/// `steps` (at least one) of alternating Gibbs sampling from the hidden states `hidden`.
///
/// The last hidden units are given as probabilities, the visible ones as a draw if `sample_visible`, else as means: the
/// guide, sections 3.1 and 3.2.
///
/// # Shapes
/// - hidden `[chains, hidden]`, lengths `[chains, 1]`
pub(in crate::models) fn alternate(
    rbm: &Rbm,
    hidden: Tensor<2>,
    lengths: Option<&Tensor<2>>,
    steps: usize,
    sample_visible: bool,
    rng: &mut ChaCha8Rng,
) -> Result<Fantasy, RbmError> {
    let mut states = hidden;
    let mut left = steps.max(1);
    loop {
        let visible =
            if sample_visible { rbm.sample_visible(states, lengths, rng)? } else { rbm.visible_mean(states, lengths) };
        let hidden = sigmoid(rbm.hidden_inputs(visible.clone(), lengths)); // [chains, hidden]
        left -= 1;
        if left == 0 {
            return Ok(Fantasy { visible, hidden });
        }
        states = bernoulli(hidden, rng);
    }
}
