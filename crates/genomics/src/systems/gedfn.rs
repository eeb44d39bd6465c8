//! GEDFN: the outcome of a disease from expression, through a layer that a network of genes connects.
//!
//! Kong and Yu 2018, *A graph-embedded deep feedforward network for disease outcome classification and feature selection
//! using gene expression data*, Bioinformatics 34:3727. Layers and constants as in `main.py` of the authors' repository
//! yunchuankong/GEDFN at 12a1837; starting weights are normal there as here, but cut at two deviations. The authors stop
//! once the mean loss of an epoch is 0.1 or below.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::Init;
use nn_core::layers::{dense, dropout};
use nn_core::models::graph::MaskedLinear;
use nn_core::models::mlp::TableModel;
use nn_core::optim::OptimizerConfig;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::numbers;
use super::recipe::Recipe;

/// Sizes of the network; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GedfnConfig {
    /// Units of the two layers behind the one that is connected as the genes are.
    pub hidden: [usize; 2],
    /// Outcomes.
    pub classes: usize,
    /// Dropout behind each of the two.
    pub dropout: f64,
    /// Standard deviation of the starting weights.
    pub deviation: f64,
    /// Neighbours from which on a gene's connections no longer add to its importance.
    pub limit: usize,
}

impl Default for GedfnConfig {
    fn default() -> Self {
        Self { hidden: [64, 16], classes: 2, dropout: 0.1, deviation: 0.1, limit: 50 }
    }
}

impl GedfnConfig {
    /// Adam at 1e-4, batches of 8, 100 epochs.
    pub fn recipe() -> Recipe {
        let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, 0.0);
        let adam = OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat: true };
        Recipe::new(adam, 1e-4, 8, 100)
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.hidden.iter().try_for_each(|&units| in_range("hidden", units, 1..=1_000_000))?;
        in_range("classes", self.classes, 2..=65_536)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("deviation", self.deviation, 0.0..=1e3)?;
        in_range("limit", self.limit, 1..=1_000_000_000)
    }

    /// Builds the network for `genes` genes and their `adjacency`, `[genes, genes]`: where it is not 0 two genes are
    /// connected, and a gene sees itself where the diagonal is not 0.
    ///
    /// # Errors
    /// What [`GedfnConfig::validate`] finds, and [`ConfigError::OutOfRange`] for an adjacency of another size.
    pub fn init(
        &self,
        adjacency: &[f32],
        genes: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Gedfn, ConfigError> {
        self.validate()?;
        let init = Init::Normal(self.deviation);
        let mask: Vec<bool> = adjacency.iter().map(|&edge| edge != 0.0).collect();
        let graph = MaskedLinear::new(&mask, [genes, genes], init, true, device, rng)?;
        let degrees = (0..genes).map(|gene| mask.iter().skip(gene).step_by(genes).filter(|&&edge| edge).count());
        let degrees = degrees.collect();
        let [first, second] = self.hidden;
        let hidden1 = dense([genes, first], init, device, rng);
        let hidden2 = dense([first, second], init, device, rng);
        let output = dense([second, self.classes], init, device, rng);
        Ok(Gedfn { graph, hidden1, hidden2, output, degrees, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Gedfn {
    graph: MaskedLinear,
    hidden1: Linear,
    hidden2: Linear,
    output: Linear,
    /// Genes that are connected to each.
    #[module(skip)]
    degrees: Vec<usize>,
    #[module(skip)]
    config: GedfnConfig,
}

impl Gedfn {
    /// The sizes it was built with.
    pub fn config(&self) -> &GedfnConfig {
        &self.config
    }

    /// How much each gene counts: what flows into its own unit of the first layer, less for genes of very many
    /// neighbours, and what flows out of it: min(d, limit) / d · Σᵢ |wᵢⱼ| + Σₖ |vⱼₖ| for a gene j of d neighbours. A gene
    /// without a connection has the second sum alone.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn importance(&self) -> Result<Vec<f64>, StepError> {
        let inward = numbers(self.graph.weight().abs().sum_dim(0), "weights")?; // [1, genes]
        let outward = numbers(self.hidden1.weight.val().abs().sum_dim(1), "weights")?; // [genes, 1]
        let share =
            |degree: usize| if degree == 0 { 0.0 } else { degree.min(self.config.limit) as f64 / degree as f64 };
        let sums = inward.iter().zip(outward).zip(&self.degrees);
        Ok(sums.map(|((inward, outward), &degree)| share(degree) * inward + outward).collect())
    }
}

impl TableModel for Gedfn {
    /// Logits of the outcomes.
    ///
    /// # Shapes
    /// - x `[batch, genes]`; output `[batch, classes]`
    fn logits(&self, x: Tensor<2>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let rate = self.config.dropout;
        let x = relu(self.graph.forward(x)); // [batch, genes]
        let x = dropout(relu(self.hidden1.forward(x)), rate, rng.as_deref_mut()); // [batch, hidden 0]
        let x = dropout(relu(self.hidden2.forward(x)), rate, rng); // [batch, hidden 1]
        self.output.forward(x) // [batch, classes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::golden::{filled, input};
    use crate::systems::parts::tests::{assert_golden, losses};
    use nn_core::data::rng;
    use nn_core::layers::init::Fan;
    use nn_core::models::mlp::{TableObjective, Targets, Task};

    /// A chain of genes with loops.
    fn chain(genes: usize) -> Vec<f32> {
        let at = |place: usize| (place / genes).abs_diff(place % genes);
        (0..genes * genes).map(|place| f32::from(u8::from(at(place) <= 1))).collect()
    }

    fn small() -> GedfnConfig {
        GedfnConfig { hidden: [4, 3], dropout: 0.0, limit: 2, ..GedfnConfig::default() }
    }

    #[test]
    fn the_parameter_count_is_that_of_the_authors_network() {
        let model = GedfnConfig::default().init(&chain(500), 500, &Device::flex(), &mut rng(1, &[])).unwrap();
        let expected = (500 * 500 + 500) + (500 * 64 + 64) + (64 * 16 + 16) + (16 * 2 + 2);
        assert_eq!(model.num_params(), expected);
    }

    #[test]
    fn outputs_are_those_of_pytorch() {
        let model = filled(small().init(&chain(5), 5, &Device::flex(), &mut rng(1, &[])).unwrap());
        assert_golden(model.logits(input("patients", [3, 1, 5]).reshape([3, 5]), None), "gedfn");
    }

    #[test]
    fn importance_by_hand() {
        let model = small().init(&chain(3), 3, &Device::flex(), &mut rng(2, &[])).unwrap();
        let w = model.graph.weight().try_into_vec_as::<f64>().unwrap();
        let v = model.hidden1.weight.val().try_into_vec_as::<f64>().unwrap();
        let outward = |gene: usize| v[gene * 4..][..4].iter().map(|v| v.abs()).sum::<f64>();
        // the outer genes have two neighbours with themselves, the middle one three, of which two count
        let expected = [
            w[0].abs() + w[3].abs() + outward(0),
            2.0 / 3.0 * (w[1].abs() + w[4].abs() + w[7].abs()) + outward(1),
            w[5].abs() + w[8].abs() + outward(2),
        ];
        for (found, expected) in model.importance().unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        assert_eq!((w[2], w[6]), (0.0, 0.0));
        let error = small().init(&chain(3), 4, &Device::flex(), &mut rng(2, &[])).unwrap_err().to_string();
        assert_eq!(error, "mask = 9 values is out of range; allowed: 4 inputs times 4 outputs, each at least 1");
        GedfnConfig::recipe().validate().unwrap();
    }

    #[test]
    fn patients_are_learnt_by_heart() {
        let device = Device::flex().autodiff();
        let x = Init::Normal(1.0).values(&[12 * 8], Fan::dense([1, 1]), &mut rng(4, &[]));
        let rows: Vec<usize> = (0..12).collect();
        let task =
            Task::new("outcome", Targets::Classes { count: 2, rows: (0..12).map(|row| row * 5 % 7 % 2).collect() });
        let objective = TableObjective::<Gedfn>::new(x, 8, vec![task], rows.clone(), &device).unwrap();
        let config = GedfnConfig { hidden: [32, 16], dropout: 0.0, deviation: 0.3, ..GedfnConfig::default() };
        let model = config.init(&chain(8), 8, &device, &mut rng(2, &[])).unwrap();
        let [first, last] = losses(objective, model, &rows, 200, 5e-3);
        assert!(last < 0.05 && last < 0.1 * first, "{first} {last}");
    }
}
