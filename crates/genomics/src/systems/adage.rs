//! ADAGE: features of expression compendia that nobody has labelled, by one denoising autoencoder.
//!
//! Tan, Hammond, Hogan and Greene 2016, *ADAGE-based integration of publicly available Pseudomonas aeruginosa gene
//! expression data with denoising autoencoders illuminates microbe–host interactions*, mSystems 1:e00025-15. Layer and
//! constants as in `Train_test_DAs/` of the authors' repository greenelab/adage at 7a4eda3: `dA.py`, `SdA_train.py`,
//! `high_weight_gene.py`, and the file name of the model that they ship (50 nodes, batches of 10, 500 epochs, corruption
//! 0.1, rate 0.01).
//!
//! The network is `nn_core`'s [`Autoencoder`] with tied weights. Expression must lie between 0 and 1 in each gene:
//! [`Scale::UnitRange`](crate::expression::Scale). A row loses a tenth of its genes, as many in each; the authors draw for
//! each gene of a row whether it is lost.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::models::autoencoder::{
    Autoencoder, AutoencoderConfig, Corruption, Reconstruct, ReconstructConfig, ReconstructionLoss, Rows,
};
use nn_core::models::mlp::Activation;
use nn_core::optim::OptimizerConfig;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::numbers;
use super::recipe::Recipe;

/// Sizes of the network; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdageConfig {
    /// Genes of a sample.
    pub genes: usize,
    /// Nodes, the features that are learnt.
    pub nodes: usize,
    /// Share of the genes that a row loses before it is encoded.
    pub corruption: f64,
}

impl Default for AdageConfig {
    fn default() -> Self {
        Self { genes: 1, nodes: 50, corruption: 0.1 }
    }
}

impl AdageConfig {
    /// Gradient descent at 0.01 on the loss summed over the genes, batches of 10, 500 epochs. `nn_core` takes the mean
    /// over the genes, so its rate is as many times larger.
    pub fn recipe(&self) -> Recipe {
        Recipe::new(OptimizerConfig::sgd(), 0.01 * self.genes as f64, 10, 500)
    }

    /// The same network for `nn_core`.
    pub fn autoencoder(&self) -> AutoencoderConfig {
        let (activation, output) = (Activation::Sigmoid, Activation::Sigmoid);
        AutoencoderConfig { inputs: self.genes, hidden: vec![self.nodes], activation, output, tied: true }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("genes", self.genes, 1..=10_000_000)?;
        in_range("nodes", self.nodes, 1..=1_000_000)?;
        in_range("corruption", self.corruption, 0.0..=1.0)
    }

    /// Builds the network: weights from U(−a, a) with a = 4 √(6 / (genes + nodes)), biases of zero.
    ///
    /// # Errors
    /// What [`AdageConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Autoencoder, ConfigError> {
        self.validate()?;
        // four times Glorot's distribution, which suits a sigmoid
        Ok(self.autoencoder().init(device, rng)?.map(&mut Times(4.0)))
    }

    /// Learns to reconstruct samples by cross-entropy; judged on `validation`. Rows are samples, values 0 to 1.
    ///
    /// # Errors
    /// What [`AdageConfig::validate`] finds, and [`ConfigError::Conflict`] for rows of another width or values that are
    /// no shares.
    pub fn objective(&self, train: Rows, validation: Option<Rows>) -> Result<Reconstruct, ConfigError> {
        self.validate()?;
        for rows in validation.iter().chain([&train]) {
            if let Some(value) = rows.values().iter().find(|value| !(0.0..=1.0).contains(*value)) {
                let advice = "scale each gene to 0 to 1 first";
                return Err(ConfigError::Conflict(format!("an expression of {value} is no share; {advice}")));
            }
        }
        let corruption = Corruption::Masking { fraction: self.corruption };
        let loss = ReconstructionLoss::BinaryCrossEntropy;
        let config = ReconstructConfig { loss, corruption, ..ReconstructConfig::default() };
        Reconstruct::new(config, &self.autoencoder(), train, validation)
    }
}

/// Multiplies every parameter.
struct Times(f64);

impl ModuleMapper for Times {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        let tracked = value.is_autodiff();
        let value = value.inner().mul_scalar(self.0);
        Param::from_tensor(if tracked { value.autodiff() } else { value })
    }
}

/// For each node the genes whose weight lies at least `deviations` standard deviations from the mean of its weights, with
/// their weights, in the order of the genes; the authors take 2 or 3.
///
/// # Errors
/// [`StepError`] when the device does not give the numbers back.
pub fn high_weight_genes(model: &Autoencoder, deviations: f64) -> Result<Vec<Vec<(usize, f64)>>, StepError> {
    let Some(layer) = model.encoder().first() else { return Ok(Vec::new()) };
    let ([genes, nodes], weights) = (layer.weight.dims(), numbers(layer.weight.val(), "weights")?);
    let of_node = |node: usize| {
        let own: Vec<f64> = weights.iter().skip(node).step_by(nodes).copied().collect();
        let mean = own.iter().sum::<f64>() / genes as f64;
        let spread = (own.iter().map(|weight| (weight - mean).powi(2)).sum::<f64>() / genes as f64).sqrt();
        let far = own.into_iter().enumerate().filter(|(_, weight)| (weight - mean).abs() >= deviations * spread);
        far.collect()
    };
    Ok((0..nodes).map(of_node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::parts::tests::losses;
    use nn_core::data::rng;
    use nn_core::train::{Objective, StepContext};
    use rand::RngExt;

    fn small() -> AdageConfig {
        AdageConfig { genes: 30, nodes: 8, corruption: 0.1 }
    }

    #[test]
    fn weights_are_tied_and_start_in_their_range() {
        let model = small().init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
        // one matrix, a bias for each node and one for each gene
        assert_eq!(model.num_params(), 30 * 8 + 8 + 30);
        let weight = model.encoder()[0].weight.val();
        assert!(weight.is_require_grad());
        let (largest, bound) = (weight.abs().max().into_scalar::<f32>(), 4.0 * (6.0_f32 / 38.0).sqrt());
        assert!(largest <= bound && largest > 0.9 * bound, "{largest} of {bound}");
        assert_eq!(model.encoder()[0].bias.val().abs().max().into_scalar::<f32>(), 0.0);
    }

    /// Samples in which two halves of the genes go up and down together.
    fn samples(count: usize) -> Vec<f32> {
        let mut rng = rng(2, &[]);
        let mut sample = || {
            let levels = [rng.random_range(0.1..0.9_f32), rng.random_range(0.1..0.9_f32)];
            (0..30).map(|gene| levels[gene / 15] + rng.random_range(-0.1..0.1_f32)).collect::<Vec<f32>>()
        };
        (0..count).flat_map(|_| sample()).collect()
    }

    #[test]
    fn lost_genes_are_reconstructed_from_the_others() {
        let device = Device::flex().autodiff();
        let (train, validation) = (Rows::new(samples(60), 30).unwrap(), Rows::new(samples(20), 30).unwrap());
        let objective = small().objective(train, Some(validation)).unwrap();
        let model = small().init(&device, &mut rng(3, &[])).unwrap();
        let names: Vec<String> =
            objective.validate(&model.valid()).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["reconstruction_loss", "reconstruction_mse"]);
        let rows: Vec<usize> = (0..60).collect();
        let [first, last] = losses(objective, model, &rows, 400, 1e-2);
        // always 1/2 has a loss of 0.69, the two levels themselves one of 0.58
        assert!(last < 0.65 && last < first - 0.05, "{first} {last}");
    }

    #[test]
    fn high_weights_by_hand() {
        struct Set;
        impl ModuleMapper for Set {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                if D != 2 {
                    return param;
                }
                // node 0: mean 1, deviation 2; node 1: all alike
                let values = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 5.0, 1.0_f32];
                Param::from_data(burn::tensor::TensorData::new(values.to_vec(), param.dims()), &Device::flex())
            }
        }
        let config = AdageConfig { genes: 5, nodes: 2, corruption: 0.0 };
        let model = config.init(&Device::flex(), &mut rng(1, &[])).unwrap().map(&mut Set);
        let found = high_weight_genes(&model, 2.0).unwrap();
        assert_eq!(found[0], [(4, 5.0)]);
        // no spread: every weight is at least 0 deviations away
        assert_eq!(found[1].len(), 5);
        assert!(high_weight_genes(&model, 2.1).unwrap()[0].is_empty());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rows = |value: f32| Rows::new(vec![value; 60], 30).unwrap();
        let error = small().objective(rows(1.5), None).unwrap_err().to_string();
        assert_eq!(error, "an expression of 1.5 is no share; scale each gene to 0 to 1 first");
        let other = AdageConfig { genes: 20, ..small() };
        assert!(other.objective(rows(0.5), None).is_err());
        let recipe = small().recipe();
        recipe.validate().unwrap();
        // the rate for a mean over 30 genes is that of the authors for a sum
        assert!((recipe.learning_rate - 0.3).abs() < 1e-12);
        let objective = small().objective(rows(0.5), None).unwrap();
        let model = small().init(&Device::flex().autodiff(), &mut rng(3, &[])).unwrap();
        let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
        assert!(objective.loss(&model, &[0], &context).is_ok());
    }
}
