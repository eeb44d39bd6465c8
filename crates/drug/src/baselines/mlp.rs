//! A multilayer perceptron on circular fingerprints and residue k-mers.
//!
//! The strongest simple model of the field: published rows for Davis put it level with DeepDTA
//! (0.244 / 0.893, the "FNN on ECFP + PSC" row of later papers). Drug: 2,048 ECFP4 bits. Protein: the
//! shares of the 20 residues and 400 residue pairs, standardised on the training targets.

use super::BaselineError;
use crate::affinity::{distinct, numbers, regression_scores, squared_error, squared_errors};
use crate::chem::Molecule;
use crate::table::{AffinityTable, Pair};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::data::{Shuffled, rng};
use nn_core::layers::dropout;
use nn_core::layers::init::{Fan, Init};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, Objective, StepContext, StepError, Supervised, fit};
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::AtomicBool;

/// Bits of the drug's fingerprint.
const BITS: usize = 2048;
/// Residue shares and residue-pair shares.
const KMERS: usize = 20 + 400;
const RESIDUES: &[u8; 20] = b"ACDEFGHIKLMNPQRSTVWY";

/// Sizes and training of the perceptron.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// Units of the two hidden layers.
    pub hidden: [usize; 2],
    /// Dropout behind each hidden layer.
    pub dropout: f64,
    /// Epochs at most.
    pub epochs: usize,
    /// Epochs without a better validation error after which training stops.
    pub patience: usize,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Seed of the initial weights, the order of the rows and the dropout.
    pub seed: u64,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { hidden: [512, 256], dropout: 0.1, epochs: 60, patience: 8, batch_size: 256, seed: 1 }
    }
}

/// The perceptron; its first layer is the sum of a drug part and a protein part.
#[derive(Module, Debug)]
struct Mlp {
    drug: Linear,
    protein: Linear,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    dropout: f64,
}

impl Mlp {
    fn new(config: &MlpConfig, device: &Device, rng: &mut ChaCha8Rng) -> Self {
        let mut dense = |inputs: usize, outputs: usize| {
            let mut layer = LinearConfig::new(inputs, outputs).init(device);
            layer.weight = Init::GlorotUniform.param([inputs, outputs], Fan::dense([inputs, outputs]), rng, device);
            // burn draws a bias from a generator that the seed does not reach
            layer.bias = Some(Param::from_tensor(Tensor::zeros([outputs], device)));
            layer
        };
        let [first, second] = config.hidden;
        Self {
            drug: dense(BITS, first),
            protein: dense(KMERS, first),
            hidden: dense(first, second),
            output: dense(second, 1),
            dropout: config.dropout,
        }
    }

    /// # Shapes
    /// - drugs `[distinct, 2048]`, proteins `[distinct, 420]`, rows `[batch]` each; output `[batch]`
    fn forward(
        &self,
        [drugs, proteins]: [Tensor<2>; 2],
        [d, p]: [Tensor<1, Int>; 2],
        mut rng: Option<&mut ChaCha8Rng>,
    ) -> Tensor<1> {
        let (drug, protein) = (self.drug.forward(drugs), self.protein.forward(proteins)); // [distinct, hidden 0]
        let x = relu(drug.select(0, d) + protein.select(0, p)); // [batch, hidden 0]
        let x = dropout(x, self.dropout, rng.as_deref_mut());
        let x = relu(self.hidden.forward(x)); // [batch, hidden 1]
        self.output.forward(dropout(x, self.dropout, rng)).squeeze_dim(1) // [batch]
    }
}

/// The inputs of all drugs and targets, and the rows that decide when to stop.
struct Inputs<'a> {
    drugs: Tensor<2>,
    proteins: Tensor<2>,
    table: &'a AffinityTable,
    validation: &'a [usize],
}

impl Inputs<'_> {
    fn pairs(&self, rows: &[usize]) -> Vec<Pair> {
        rows.iter().map(|&row| self.table.pairs[row]).collect()
    }

    /// Only the distinct drugs and targets of `rows` pass the first layer: a batch has few of KIBA's 2,111 drugs.
    fn predict(&self, model: &Mlp, rows: &[usize], rng: Option<&mut ChaCha8Rng>) -> Tensor<1> {
        let device = model.output.weight.device();
        let index = |values: Vec<i64>, device: &Device| {
            let n = values.len();
            Tensor::<1, Int>::from_data(TensorData::new(values, [n]), device)
        };
        let side = |inputs: &Tensor<2>, of: fn(&Pair) -> u32| {
            let (values, places) = distinct(rows.iter().map(|&r| of(&self.table.pairs[r])));
            let values = index(values.into_iter().map(i64::from).collect(), &inputs.device());
            (inputs.clone().select(0, values).to_device(&device), index(places, &device))
        };
        let (drugs, d) = side(&self.drugs, |p| p.drug); // [distinct, 2048], [rows]
        let (proteins, p) = side(&self.proteins, |p| p.target); // [distinct, 420], [rows]
        model.forward([drugs, proteins], [d, p], rng)
    }
}

impl Objective for Inputs<'_> {
    type Model = Mlp;

    fn loss(&self, model: &Mlp, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        Ok(squared_error(self.predict(model, rows, Some(&mut context.rng(0))), &self.pairs(rows)))
    }

    fn validate(&self, model: &Mlp) -> Result<Vec<(String, f64)>, StepError> {
        let predicted = numbers(self.predict(model, self.validation, None))?;
        Ok(regression_scores(&self.pairs(self.validation), &predicted)?)
    }

    fn name_of(&self, row: usize) -> String {
        self.table.name_of(row)
    }

    fn losses(&self, model: &Mlp, rows: &[usize], context: &StepContext) -> Result<Option<Tensor<1>>, StepError> {
        let predicted = self.predict(model, rows, Some(&mut context.rng(0)));
        Ok(Some(squared_errors(predicted, &self.pairs(rows))))
    }
}

/// Predictions for `query` of a perceptron trained on `train` and stopped on `validation`.
///
/// # Errors
/// [`BaselineError`] when training fails; a part without rows is one such failure.
pub fn mlp(
    table: &AffinityTable,
    [train, validation, query]: [&[usize]; 3],
    config: &MlpConfig,
    device: &Device,
) -> Result<Vec<f64>, BaselineError> {
    let failed = |e: &dyn std::error::Error| BaselineError::Training(e.to_string());
    let inputs =
        Inputs { drugs: fingerprints(table, device), proteins: compositions(table, train, device), table, validation };
    let model = Mlp::new(config, &device.clone().autodiff(), &mut rng(config.seed, &[0]));
    let mut learner = Supervised::new(inputs, model, OptimizerConfig::adam().init(), "mlp");
    let sampler = Shuffled::new(train.to_vec(), config.batch_size);
    let fit_config = FitConfig {
        patience: Some(config.patience),
        seed: config.seed,
        ..FitConfig::new(config.epochs, 1e-3, Monitor::lower("mse"))
    };
    fit(&mut learner, &sampler, &fit_config, None, false, &mut (), &AtomicBool::new(false)).map_err(|e| failed(&e))?;
    let model = learner.model().map_err(|e| failed(&e))?.valid();
    numbers(learner.objective().predict(&model, query, None)).map_err(|e| failed(&e))
}

/// ECFP4 bits of every drug `[drugs, 2048]`; a SMILES that cannot be read has none set.
fn fingerprints(table: &AffinityTable, device: &Device) -> Tensor<2> {
    let mut bits = vec![0.0_f32; table.drugs.len() * BITS];
    for (drug, row) in table.drugs.iter().zip(bits.chunks_exact_mut(BITS)) {
        if let Ok(molecule) = Molecule::parse(&drug.smiles) {
            molecule.ecfp4().bits().for_each(|bit| row[bit] = 1.0);
        }
    }
    Tensor::from_data(TensorData::new(bits, [table.drugs.len(), BITS]), device)
}

/// Shares of residues and residue pairs of every target `[targets, 420]`, standardised with the mean
/// and standard deviation over the targets of the training rows.
fn compositions(table: &AffinityTable, train: &[usize], device: &Device) -> Tensor<2> {
    let mut rows: Vec<Vec<f64>> = table.targets.iter().map(|t| composition(t.sequence.as_bytes())).collect();
    let seen: std::collections::BTreeSet<u32> = train.iter().map(|&r| table.pairs[r].target).collect();
    for k in 0..KMERS {
        let values: Vec<f64> = seen.iter().map(|&t| rows[t as usize][k]).collect();
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let scale = if sd > 0.0 { 1.0 / sd } else { 0.0 };
        rows.iter_mut().for_each(|row| row[k] = (row[k] - mean) * scale);
    }
    let flat: Vec<f32> = rows.iter().flatten().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(flat, [table.targets.len(), KMERS]), device)
}

/// Shares of the 20 residues, then of the 400 pairs of neighbours; other letters are left out.
fn composition(sequence: &[u8]) -> Vec<f64> {
    let index = |residue: u8| RESIDUES.iter().position(|&r| r == residue.to_ascii_uppercase());
    let known: Vec<Option<usize>> = sequence.iter().map(|&r| index(r)).collect();
    let mut counts = vec![0.0; KMERS];
    for residue in known.iter().flatten() {
        counts[*residue] += 1.0;
    }
    for pair in known.windows(2) {
        if let [Some(a), Some(b)] = pair {
            counts[20 + a * 20 + b] += 1.0;
        }
    }
    let (single, double) = counts.split_at_mut(20);
    for part in [single, double] {
        let total: f64 = part.iter().sum();
        if total > 0.0 {
            part.iter_mut().for_each(|c| *c /= total);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composition_counts_residues_and_pairs() {
        // AAC: residues 2/3 A, 1/3 C; pairs AA and AC.
        let shares = composition(b"AAC");
        assert_eq!(&shares[..2], [2.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(&shares[20..22], [0.5, 0.5]);
        // An unknown residue breaks the pairs beside it.
        assert_eq!(composition(b"AXC")[20..].iter().sum::<f64>(), 0.0);
    }
}
