//! LATE and TRANSLATE: the zeros of single-cell expression filled in by an autoencoder that learns from the rest.
//!
//! Badsha, Li, Liu, Li, Xian, Banovich and Fu 2020, *Imputation of single-cell gene expression with an autoencoder neural
//! network*, Quantitative Biology 8:78. Layers and constants as in `bin/` of the authors' repository audreyqyfu/LATE:
//! `translate.py` at 10b9047, `scimpute.py`, `params.py` at 0be0a3e. LATE starts from random weights; TRANSLATE goes on
//! from weights that were learnt on a reference, at a tenth of the rate ([`LateConfig::translate_recipe`]).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::dropout;
use nn_core::layers::init::{Fan, Init};
use nn_core::models::autoencoder::Rows;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Objective, StepContext, StepError};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::parts::{CHUNK, numbers, tensor};
use super::recipe::Recipe;

/// Stream of the dropout masks in a step.
const DROPOUT: u64 = 0;

/// Sizes of the network; the defaults are the authors' for five layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LateConfig {
    /// Genes of a cell.
    pub genes: usize,
    /// Units of each layer of the encoder, the last of them the code. The decoder has the same in reverse.
    pub hidden: Vec<usize>,
    /// Share of the genes that a cell loses on its way in.
    pub input_dropout: f64,
    /// Dropout in front of every other layer.
    pub dropout: f64,
    /// Standard deviation of the starting weights; biases start around a hundred times as much.
    pub deviation: f64,
}

impl Default for LateConfig {
    fn default() -> Self {
        Self { genes: 1, hidden: vec![800, 400], input_dropout: 0.2, dropout: 0.5, deviation: 1e-3 }
    }
}

impl LateConfig {
    /// Adam at 3e-4, batches of 256, 1,000 epochs (what `params.py` advises for five layers).
    pub fn recipe() -> Recipe {
        let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, 0.0);
        let adam = OptimizerConfig::Adam { beta1, beta2, epsilon, weight_decay, epsilon_hat: true };
        Recipe::new(adam, 3e-4, 256, 1000)
    }

    /// As [`LateConfig::recipe`] at 3e-5, for a network that was trained on a reference.
    pub fn translate_recipe() -> Recipe {
        Recipe { learning_rate: 3e-5, ..Self::recipe() }
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("genes", self.genes, 1..=10_000_000)?;
        in_range("hidden", self.hidden.len(), 1..=64)?;
        self.hidden.iter().try_for_each(|&units| in_range("hidden", units, 1..=1_000_000))?;
        in_range("input_dropout", self.input_dropout, 0.0..=0.95)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        in_range("deviation", self.deviation, 0.0..=1e3)
    }

    /// Builds the network: weights from N(0, sd²), biases from N(100 sd, sd²).
    ///
    /// # Errors
    /// What [`LateConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Late, ConfigError> {
        self.validate()?;
        let code = self.hidden.len() - 1;
        let down = [self.genes].into_iter().chain(self.hidden.iter().copied());
        let up = self.hidden[..code].iter().rev().copied().chain([self.genes]);
        let widths: Vec<usize> = down.chain(up).collect();
        let (init, fan) = (Init::Normal(self.deviation), Fan { inputs: 1, outputs: 1 });
        let layers = widths.windows(2).map(|pair| {
            let weight = init.param([pair[0], pair[1]], fan, rng, device);
            let biases =
                init.values(&[pair[1]], fan, rng).into_iter().map(|bias| bias + (100.0 * self.deviation) as f32);
            Linear { weight, bias: Some(Param::from_tensor(tensor(biases.collect(), [pair[1]], device))) }
        });
        Ok(Late { layers: layers.collect(), config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Late {
    layers: Vec<Linear>,
    #[module(skip)]
    config: LateConfig,
}

impl Late {
    /// The sizes it was built with.
    pub fn config(&self) -> &LateConfig {
        &self.config
    }

    /// Expression of all genes, zeros filled in. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x and output `[batch, genes]`
    pub fn forward(&self, x: Tensor<2>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let rates = [self.config.input_dropout].into_iter().chain(std::iter::repeat(self.config.dropout));
        self.layers.iter().zip(rates).fold(x, |x, (layer, rate)| {
            relu(layer.forward(dropout(x, rate, rng.as_deref_mut()))) // [batch, units]
        })
    }

    /// Expression of all genes in all cells; the network must be in validation state.
    ///
    /// # Shapes
    /// - output `[cells, genes]`
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back, or the cells have other genes.
    pub fn impute(&self, cells: &Rows) -> Result<Vec<f64>, StepError> {
        let (genes, device) = (self.config.genes, self.layers[0].weight.val().device());
        check_genes(cells, genes).map_err(StepError::other)?;
        let mut found = Vec::with_capacity(cells.values().len());
        for values in cells.values().chunks(CHUNK * genes) {
            let x = tensor(values.to_vec(), [values.len() / genes, genes], &device);
            found.extend(numbers(self.forward(x, None), "expression")?);
        }
        Ok(found)
    }
}

fn check_genes(cells: &Rows, genes: usize) -> Result<(), ConfigError> {
    let found = cells.columns();
    if found == genes {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!("the cells have {found} genes, the network genes = {genes}")))
}

/// Learns to reconstruct what is not zero: the mean over all values, zeros included, of the squared errors of those that
/// are above zero.
#[derive(Debug, Clone)]
pub struct LateObjective {
    train: Rows,
    validation: Option<Rows>,
}

impl LateObjective {
    /// Learns the cells `train` with networks of `config`, and judges them on `validation`. Values are logarithms of
    /// counts plus one, so at least 0.
    ///
    /// # Errors
    /// What [`LateConfig::validate`] finds, and [`ConfigError::Conflict`] for cells of other genes or values below 0.
    pub fn new(config: &LateConfig, train: Rows, validation: Option<Rows>) -> Result<Self, ConfigError> {
        config.validate()?;
        for cells in validation.iter().chain([&train]) {
            check_genes(cells, config.genes)?;
            if let Some(value) = cells.values().iter().find(|value| **value < 0.0) {
                return Err(ConfigError::Conflict(format!(
                    "an expression of {value}; logarithms of counts plus 1 are due"
                )));
            }
        }
        Ok(Self { train, validation })
    }
}

impl Objective for LateObjective {
    type Model = Late;

    fn loss(&self, model: &Late, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = model.layers[0].weight.val().device();
        let x = self.train.batch(rows, &device).map_err(StepError::other)?; // [batch, genes]
        let found = model.forward(x.clone(), Some(&mut context.rng(DROPOUT))); // [batch, genes]
        let measured = x.clone().greater_elem(0.0).float();
        Ok(((found - x).square() * measured).mean())
    }

    /// `mse_nonzero`, the loss of the validation cells, and `mse`, the squared error of all their values; nothing without
    /// such cells.
    fn validate(&self, model: &Late) -> Result<Vec<(String, f64)>, StepError> {
        let Some(cells) = &self.validation else { return Ok(Vec::new()) };
        let found = model.impute(cells)?;
        let (mut nonzero, mut all) = (0.0, 0.0);
        for (&value, found) in cells.values().iter().zip(&found) {
            let error = (found - f64::from(value)).powi(2);
            all += error;
            nonzero += if value > 0.0 { error } else { 0.0 };
        }
        let count = found.len().max(1) as f64;
        Ok(vec![("mse_nonzero".to_owned(), nonzero / count), ("mse".to_owned(), all / count)])
    }
}

/// Sets `share` of the values above zero to zero, to see how well they are found again: the places that were hidden, in
/// order. The values stay in `values` elsewhere.
pub fn hide(values: &mut [f32], share: f64, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut places: Vec<usize> = (0..values.len()).filter(|&place| values[place] > 0.0).collect();
    let count = ((places.len() as f64 * share).round() as usize).min(places.len());
    let (hidden, _) = places.partial_shuffle(rng, count);
    let mut hidden = hidden.to_vec();
    hidden.sort_unstable();
    hidden.iter().for_each(|&place| values[place] = 0.0);
    hidden
}

#[cfg(test)]
mod tests;
