//! Pseudo-likelihoods: how well each visible unit is predicted by all others.

use burn::tensor::activation::softplus;
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Rbm, RbmError, VisibleUnits};

impl Rbm {
    /// An unbiased estimate of [`Rbm::pseudo_likelihood_exact`] at the cost of two free energies: one visible unit of
    /// each row, drawn at random, stands for all. It is `BernoulliRBM.score_samples` of scikit-learn.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`; output `[rows]`
    ///
    /// # Errors
    /// [`RbmError::Units`] if they are not Bernoulli, [`RbmError::Columns`].
    pub fn pseudo_likelihood(&self, visible: Tensor<2>, rng: &mut ChaCha8Rng) -> Result<Tensor<1>, RbmError> {
        self.bernoulli_only(&visible)?;
        let [rows, units] = visible.dims();
        let mut chosen = vec![0.0_f32; rows * units];
        for row in chosen.chunks_exact_mut(units) {
            row[rng.random_range(0..units)] = 1.0;
        }
        let chosen = Tensor::<2>::from_data(TensorData::new(chosen, [rows, units]), &visible.device());
        let flipped = visible.clone() + chosen * turn(&visible); // [rows, visible]
        let rise = self.free_energy(flipped) - self.free_energy(visible); // [rows]
        Ok(log_sigmoid(rise).mul_scalar(units as f64))
    }

    /// `Σ_i log p(v_i | all other visible units)` of each row (Besag 1975). A unit between zero and one counts as
    /// flipped when it becomes 1 − v, as in scikit-learn.
    ///
    /// # Shapes
    /// - visible `[rows, visible]`; output `[rows]`
    ///
    /// # Errors
    /// [`RbmError::Units`] if they are not Bernoulli, [`RbmError::Columns`].
    pub fn pseudo_likelihood_exact(&self, visible: Tensor<2>) -> Result<Tensor<1>, RbmError> {
        self.bernoulli_only(&visible)?;
        let [rows, units] = visible.dims();
        let device = visible.device();
        let weight = self.weight.val();
        let bias = self.visible_bias.val().unsqueeze::<2>(); // [1, visible]
        let turns = turn(&visible); // [rows, visible]
        let inputs = self.hidden_inputs(visible, None); // [rows, hidden]
        let before = softplus(inputs.clone(), 1.0).sum_dim(1); // [rows, 1]
        let mut sum = Tensor::<2>::zeros([rows, 1], &device);
        for unit in 0..units {
            let turn = turns.clone().narrow(1, unit, 1); // [rows, 1]
            let row = weight.clone().narrow(0, unit, 1); // [1, hidden]
            // Only one row of W is added to the inputs, or taken away: no product over all visible units.
            let after = softplus(inputs.clone() + turn.clone().matmul(row), 1.0).sum_dim(1); // [rows, 1]
            let rise = before.clone() - after - turn.matmul(bias.clone().narrow(1, unit, 1)); // [rows, 1]
            sum = sum + log_sigmoid(rise);
        }
        Ok(sum.squeeze_dim::<1>(1))
    }

    fn bernoulli_only(&self, visible: &Tensor<2>) -> Result<(), RbmError> {
        if self.units() != VisibleUnits::Bernoulli {
            return Err(RbmError::Units {
                what: "pseudo-likelihood",
                needed: VisibleUnits::Bernoulli.name(),
                found: self.units().name(),
            });
        }
        self.check("data", visible)
    }
}

/// What must be added to each unit to flip it: 1 − 2v.
fn turn(visible: &Tensor<2>) -> Tensor<2> {
    visible.clone().mul_scalar(-2.0).add_scalar(1.0)
}

fn log_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    -softplus(-x, 1.0)
}
