//! D-GEX: expression of thousands of genes from that of some landmark genes.
//!
//! Chen, Li, Narayan, Subramanian and Xie 2016, *Gene expression inference with deep learning*, Bioinformatics 32:1832.
//! Layers and constants as in the authors' repository uci-cbcl/D-GEX: `H1_0-4760.py`, `H2_0-4760.py` and `H3_0-4760.py` at
//! 167c55e. Units of a layer and dropout are arguments there; the paper's are 3,000, 6,000 or 9,000 and 10 % or 25 %. The
//! 9,520 targets are divided among two networks of 4,760 outputs.
//!
//! [`DGex`] is trained by `nn_core`'s [`TableObjective`](nn_core::models::mlp::TableObjective) with the one task that
//! [`task`] gives.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{dense, dropout};
use nn_core::models::mlp::{TableModel, Targets, Task};
use nn_core::optim::{OptimizerConfig, Schedule};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;

/// Sizes of the network; the defaults are the authors' with three layers of the largest width and 10 % dropout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DGexConfig {
    /// Landmark genes, standardised.
    pub landmarks: usize,
    /// Units of each hidden layer, 1 to 3 of them in the paper.
    pub hidden: Vec<usize>,
    /// Genes whose expression is inferred, standardised.
    pub targets: usize,
    /// Dropout behind each hidden layer.
    pub dropout: f64,
    /// The output's weights start from U(−a, a).
    pub output_range: f64,
}

impl Default for DGexConfig {
    fn default() -> Self {
        Self { landmarks: 943, hidden: vec![9000; 3], targets: 4760, dropout: 0.1, output_range: 1e-4 }
    }
}

/// The squared error summed over the `targets` genes of a sample, as the authors' library has it: `values` of
/// `[samples, targets]`.
pub fn task(targets: usize, values: Vec<f32>) -> Task {
    Task::new("expression", Targets::Values { width: targets, values }).with_weight(targets as f32)
}

impl DGexConfig {
    /// Gradient descent with momentum 0.5, batches of 200. The rate starts at 3e-4 and is multiplied by 0.9 after an
    /// epoch that was no improvement (the authors compare the error on 5,000 training samples with that of the epoch
    /// before), but stays above 1e-5. The weights of all layers but the first take three times the rate. 200 epochs at
    /// most: their number is an argument.
    pub fn recipe(&self) -> Recipe {
        let schedule =
            Schedule::ReduceOnPlateau { factor: 0.9, patience: 0, threshold: 0.0, cooldown: 0, minimum: 1e-5 };
        let later = (1..self.hidden.len()).map(|layer| format!("hidden.{layer}.weight"));
        let rates = later.chain(["output.weight".to_owned()]).map(|part| (part, 3.0)).collect();
        Recipe { schedule, rates, ..Recipe::new(OptimizerConfig::sgd_momentum(0.5), 3e-4, 200, 200) }
    }

    /// Parameters of the network: 213,358,760 at the default sizes.
    pub fn parameters(&self) -> usize {
        let widths: Vec<usize> =
            [self.landmarks].into_iter().chain(self.hidden.iter().copied()).chain([self.targets]).collect();
        widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("landmarks", self.landmarks, 1..=1_000_000)?;
        in_range("targets", self.targets, 1..=1_000_000)?;
        in_range("hidden", self.hidden.len(), 1..=64)?;
        self.hidden.iter().try_for_each(|&units| in_range("hidden", units, 1..=1_000_000))?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("output_range", self.output_range, 0.0..=1e3)
    }

    /// Builds the network: hidden layers from Glorot's uniform distribution.
    ///
    /// # Errors
    /// What [`DGexConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DGex, ConfigError> {
        self.validate()?;
        let mut width = self.landmarks;
        let mut hidden = Vec::with_capacity(self.hidden.len());
        for &units in &self.hidden {
            hidden.push(dense([width, units], Init::GlorotUniform, device, rng));
            width = units;
        }
        let output = dense([width, self.targets], Init::Uniform(self.output_range), device, rng);
        Ok(DGex { hidden, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct DGex {
    hidden: Vec<Linear>,
    output: Linear,
    #[module(skip)]
    config: DGexConfig,
}

impl DGex {
    /// The sizes it was built with.
    pub fn config(&self) -> &DGexConfig {
        &self.config
    }
}

impl TableModel for DGex {
    /// Expression of the target genes.
    ///
    /// # Shapes
    /// - x `[batch, landmarks]`; output `[batch, targets]`
    fn logits(&self, x: Tensor<2>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let x = self.hidden.iter().fold(x, |x, layer| {
            dropout(tanh(layer.forward(x)), self.config.dropout, rng.as_deref_mut()) // [batch, hidden]
        });
        self.output.forward(x) // [batch, targets]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::golden::{filled, input};
    use crate::systems::parts::tests::{assert_golden, losses};
    use nn_core::data::rng;
    use nn_core::layers::init::Fan;
    use nn_core::models::mlp::TableObjective;
    use nn_core::train::{Learner, StepContext, Supervised};

    fn small() -> DGexConfig {
        DGexConfig { landmarks: 6, hidden: vec![5, 4, 5], targets: 3, dropout: 0.0, output_range: 1e-4 }
    }

    #[test]
    fn parameter_counts_are_those_of_the_authors_networks() {
        let one = DGexConfig { hidden: vec![3000], ..DGexConfig::default() };
        assert_eq!(one.parameters(), 943 * 3000 + 3000 + 3000 * 4760 + 4760);
        let largest = 943 * 9000 + 9000 + 2 * (9000 * 9000 + 9000) + 9000 * 4760 + 4760;
        assert_eq!((DGexConfig::default().parameters(), largest), (213_358_760, 213_358_760));
        let model = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        assert_eq!(model.num_params(), small().parameters());
    }

    #[test]
    fn outputs_are_those_of_pytorch() {
        let model = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        assert_golden(model.logits(input("landmarks", [4, 1, 6]).reshape([4, 6]), None), "d_gex");
    }

    #[test]
    fn weights_start_in_their_ranges_and_later_layers_learn_faster() {
        let config = small();
        let device = Device::flex().autodiff();
        let model = config.init(&device, &mut rng(1, &[])).unwrap();
        let largest = |x: Tensor<2>| x.abs().max().into_scalar::<f32>();
        assert!(largest(model.output.weight.val()) <= 1e-4);
        let bound = (6.0_f32 / 11.0).sqrt();
        let first = largest(model.hidden[0].weight.val());
        assert!(first <= bound && first > 0.8 * bound, "{first}");

        // one step of plain descent: weights of later layers move by three times the gradient
        let x: Vec<f32> = Init::Normal(1.0).values(&[24], Fan::dense([1, 1]), &mut rng(2, &[]));
        let y: Vec<f32> = Init::Normal(1.0).values(&[12], Fan::dense([1, 1]), &mut rng(3, &[]));
        let objective = TableObjective::<DGex>::new(x, 6, vec![task(3, y)], vec![], &device).unwrap();
        let recipe = config.recipe();
        recipe.validate().unwrap();
        let moved = |rates: Vec<(String, f64)>| {
            let optimizer = Recipe { rates, ..recipe.clone() }.optimizer().unwrap();
            let mut learner = Supervised::new(objective.clone(), model.clone(), optimizer, "d-gex");
            let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
            learner.step(&[0, 1, 2, 3], &context).unwrap();
            let after = learner.model().unwrap();
            let change = |before: &Linear, after: &Linear| (after.weight.val() - before.weight.val()).inner();
            let layers = [(&model.hidden[0], &after.hidden[0]), (&model.hidden[1], &after.hidden[1])];
            let found = layers.map(|(before, after)| change(before, after));
            (found, change(&model.output, &after.output))
        };
        let (([first, second], output), ([first_plain, second_plain], output_plain)) =
            (moved(recipe.rates.clone()), moved(Vec::new()));
        for (found, plain, factor) in
            [(first, first_plain, 1.0), (second, second_plain, 3.0), (output, output_plain, 3.0)]
        {
            assert!(largest(plain.clone()) > 0.0);
            // rounding of the weights, which are below 1
            assert!(largest(found - plain.mul_scalar(factor)) < 1e-6, "{factor}");
        }
    }

    #[test]
    fn samples_are_learnt_by_heart_and_the_error_is_a_sum_over_genes() {
        let config = DGexConfig { hidden: vec![32, 32], ..small() };
        let device = Device::flex().autodiff();
        let x: Vec<f32> = Init::Normal(1.0).values(&[60], Fan::dense([1, 1]), &mut rng(4, &[]));
        let y: Vec<f32> = Init::Normal(1.0).values(&[30], Fan::dense([1, 1]), &mut rng(5, &[]));
        let rows: Vec<usize> = (0..10).collect();
        let objective = TableObjective::<DGex>::new(x, 6, vec![task(3, y.clone())], rows.clone(), &device).unwrap();
        let model = config.init(&device, &mut rng(2, &[])).unwrap();
        let [first, last] = losses(objective, model, &rows, 300, 5e-3);
        // outputs start near 0
        let squares = y.iter().map(|&y| f64::from(y).powi(2)).sum::<f64>() / 10.0;
        assert!((first - squares).abs() < 1e-2, "{first} {squares}");
        assert!(last < 0.01 * first, "{first} {last}");
    }
}
