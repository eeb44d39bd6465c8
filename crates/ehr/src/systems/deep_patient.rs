//! Deep Patient: a general description of a patient, learnt without labels, from which each disease is foretold.
//!
//! Miotto, Li, Kidd and Dudley 2016, *Deep Patient: an unsupervised representation to predict the future of patients
//! from the electronic health records*, Scientific Reports 6:26094, section "Methods": counts of codes scaled to 0..1,
//! three denoising autoencoders of 500 sigmoid units one on the other, 5 % of the inputs masked, reconstruction
//! cross-entropy, and a random forest of 100 trees for each disease on what the topmost layer gives.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::models::autoencoder::{
    Autoencoder, Corruption, Dense, LayerReport, LayerTraining, ReconstructConfig, ReconstructionLoss, Rows,
    StackError, StackedConfig,
};
use nn_core::models::mlp::Activation;
use nn_core::train::{Observer, StepError};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::baselines::{BaselineError, Forest, ForestConfig};

/// Rows that are described at a time.
const CHUNK: usize = 4096;

/// Sizes and training of the stack; the defaults are the paper's, and nn-core's for what it does not state (epochs,
/// batch, optimiser).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepPatientConfig {
    /// Columns of a patient's row.
    pub inputs: usize,
    /// Units of each layer.
    pub hidden: Vec<usize>,
    /// Share of the inputs of each layer that are set to 0 in training, 0 to 1.
    pub masked: f64,
    /// Whether a decoder multiplies by the transpose of its encoder's matrix.
    pub tied: bool,
    /// How each layer learns.
    pub training: LayerTraining,
}

impl Default for DeepPatientConfig {
    fn default() -> Self {
        Self { inputs: 1, hidden: vec![500; 3], masked: 0.05, tied: true, training: LayerTraining::default() }
    }
}

impl DeepPatientConfig {
    /// # Errors
    /// [`ConfigError`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("masked", self.masked, 0.0..=1.0)?;
        self.stack().validate()
    }

    /// The stack that this describes.
    pub fn stack(&self) -> StackedConfig {
        StackedConfig {
            inputs: self.inputs,
            hidden: self.hidden.clone(),
            activation: Activation::Sigmoid,
            output: Activation::Sigmoid,
            tied: self.tied,
            reconstruct: ReconstructConfig {
                loss: ReconstructionLoss::BinaryCrossEntropy,
                corruption: Corruption::Masking { fraction: self.masked },
                ..ReconstructConfig::default()
            },
            training: self.training.clone(),
        }
    }

    /// Builds the encoders with starting values, for weights to be read into.
    ///
    /// # Errors
    /// What [`DeepPatientConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepPatient, ConfigError> {
        self.validate()?;
        let widths = std::iter::once(&self.inputs).chain(&self.hidden);
        let layers = widths.zip(&self.hidden).map(|(&inputs, &outputs)| Dense::new(inputs, outputs, device, rng));
        Ok(DeepPatient { layers: layers.collect(), config: self.clone() })
    }

    /// Learns the encoders from patients' rows, scaled to 0..1, layer by layer. Comes back with the encoders, on
    /// `device` without autodiff, and the reconstruction losses of each layer. With `folder`, a run that was broken off
    /// goes on from there, given the same rows, settings and generator.
    ///
    /// # Errors
    /// [`StackError`].
    pub fn pretrain(
        &self,
        rows: &Rows,
        device: &Device,
        rng: &mut ChaCha8Rng,
        folder: Option<&Path>,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(DeepPatient, Vec<LayerReport>), StackError> {
        self.validate()?;
        let (stack, reports) = self.stack().pretrain(rows, device, rng, folder, observer, stop)?;
        let layers = stack.layers().iter().flat_map(Autoencoder::encoder).cloned().collect();
        Ok((DeepPatient { layers, config: self.clone() }.valid(), reports))
    }
}

/// The encoders.
#[derive(Module, Debug)]
pub struct DeepPatient {
    layers: Vec<Dense>,
    #[module(skip)]
    config: DeepPatientConfig,
}

impl DeepPatient {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepPatientConfig {
        &self.config
    }

    /// Numbers that describe a patient.
    pub fn width(&self) -> usize {
        self.config.hidden.last().copied().unwrap_or(self.config.inputs)
    }

    /// The topmost layer's output.
    ///
    /// # Shapes
    /// - x `[batch, inputs]`, 0 to 1; output `[batch, units of the last layer]`, 0 to 1
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| sigmoid(layer.forward(x)))
    }

    /// Describes patients: `[rows, units of the last layer]`.
    ///
    /// # Errors
    /// [`StepError`] for rows of another width, or when the device does not give the numbers back.
    pub fn describe(&self, rows: &Rows, device: &Device) -> Result<Vec<f32>, StepError> {
        let (found, expected) = (rows.columns(), self.config.inputs);
        if found != expected {
            return Err(StepError::other(format!(
                "the rows have {found} columns, the stack reads inputs = {expected}"
            )));
        }
        let mut described = Vec::with_capacity(rows.len() * self.width());
        for chunk in rows.values().chunks(CHUNK * expected) {
            let shape = [chunk.len() / expected, expected];
            let codes = self.forward(Tensor::from_data(TensorData::new(chunk.to_vec(), shape), device));
            let read = codes.try_into_vec_as::<f32>();
            described.extend(read.map_err(|e| StepError::Device { what: "description", reason: e.to_string() })?);
        }
        Ok(described)
    }
}

/// Brings the columns of a table to 0..1 by the least and largest value of training, as the paper does with its counts.
/// What lies beyond is cut, and what is missing is 0, that is, nothing counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitScaler {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl UnitScaler {
    /// Finds the least and largest value of each of the columns of `[rows, columns]`, the training part alone. Where a
    /// count has a least value above 0, 0 is the least, so that who has none differs from who has few.
    pub fn fit(values: &[f32], columns: usize) -> Self {
        let (mut low, mut high) = (vec![0.0_f32; columns], vec![0.0_f32; columns]);
        for row in values.chunks_exact(columns.max(1)) {
            for (column, value) in row.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                low[column] = low[column].min(*value);
                high[column] = high[column].max(*value);
            }
        }
        Self { low, high }
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.low.len()
    }

    /// The values of `[rows, columns]`, scaled.
    pub fn apply(&self, values: &[f32]) -> Vec<f32> {
        let columns = self.low.len().max(1);
        let value = |(at, value): (usize, &f32)| {
            let (low, high) = (self.low[at % columns], self.high[at % columns]);
            let width = high - low;
            if width > 0.0 && !value.is_nan() { ((value - low) / width).clamp(0.0, 1.0) } else { 0.0 }
        };
        if self.low.is_empty() { Vec::new() } else { values.iter().enumerate().map(value).collect() }
    }
}

/// Foretells each of several diseases from descriptions, each by its own random forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiseaseForests {
    forests: Vec<Forest>,
}

impl DiseaseForests {
    /// Learns from descriptions `[rows, width]` and labels `[diseases][rows]`; each disease draws from its own seed.
    ///
    /// # Errors
    /// [`BaselineError`] for a setting out of range, or labels that do not fit the descriptions.
    pub fn fit(
        config: &ForestConfig,
        described: &[f32],
        width: usize,
        labels: &[Vec<bool>],
    ) -> Result<Self, BaselineError> {
        let forest = |(disease, labels): (usize, &Vec<bool>)| {
            let config = ForestConfig { seed: config.seed.wrapping_add(disease as u64), ..config.clone() };
            config.fit(described, width, labels)
        };
        Ok(Self { forests: labels.iter().enumerate().map(forest).collect::<Result<_, _>>()? })
    }

    /// Diseases.
    pub fn len(&self) -> usize {
        self.forests.len()
    }

    /// Whether there is no disease.
    pub fn is_empty(&self) -> bool {
        self.forests.is_empty()
    }

    /// Probability of each disease for each description: `[diseases][rows]`.
    pub fn probabilities(&self, described: &[f32]) -> Vec<Vec<f64>> {
        self.forests.iter().map(|forest| forest.probabilities(described)).collect()
    }
}
