//! What an autoencoder learns: to reconstruct the clean row from the corrupted one, with penalties on the code.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use serde::{Deserialize, Serialize};

use super::denoising::Corruption;
use super::dense::{Autoencoder, AutoencoderConfig};
use super::penalties::{Contraction, Sparsity};
use super::rows::{Rows, matrix, scalar};
use crate::config::ConfigError;
use crate::models::mlp::Activation;
use crate::train::{Objective, StepContext, StepError};

/// Stream of the corruption in a step.
const CORRUPTION: u64 = 0;
/// Stream of the random directions of a contraction.
const DIRECTIONS: u64 = 1;

/// How far a reconstruction is from its row: the mean over all values of all rows.
///
/// The papers sum over the columns of a row instead; a penalty's weight from there must be divided by the number of
/// columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReconstructionLoss {
    /// (y − x)², for values of any range.
    #[default]
    Mse,
    /// −x ln y − (1 − x) ln(1 − y), for values from 0 to 1 and a sigmoid reconstruction.
    BinaryCrossEntropy,
}

impl ReconstructionLoss {
    /// `linear` is the reconstruction in front of its nonlinearity `output`. The cross-entropy takes it for the logits
    /// whatever `output` is.
    ///
    /// # Shapes
    /// - linear and target `[batch, inputs]`; output `[1]`
    pub fn value(self, linear: Tensor<2>, output: Activation, target: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Mse => (output.forward(linear) - target).square().mean(),
            Self::BinaryCrossEntropy => cross_entropy(linear, target).mean(),
        }
    }
}

/// −x ln σ(z) − (1 − x) ln(1 − σ(z)) of each value, where the second logarithm is ln σ(z) − z.
///
/// # Shapes
/// - logits, target and output: the same
pub(super) fn cross_entropy(logits: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
    logits.clone() * target.neg().add_scalar(1.0) - log_sigmoid(logits)
}

/// The loss and what is added to it. The default is the plain squared error.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconstructConfig {
    /// Distance from the reconstruction to the clean row.
    pub loss: ReconstructionLoss,
    /// What is done to the row before it is encoded.
    pub corruption: Corruption,
    /// Penalty on codes that are active too often.
    pub sparsity: Option<Sparsity>,
    /// Penalty on codes that change too much with the row.
    pub contraction: Option<Contraction>,
}

impl ReconstructConfig {
    /// Checks every field, and that the loss and the penalties suit a `model` of these sizes.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that is out of range or in conflict with the model.
    pub fn validate(&self, model: &AutoencoderConfig) -> Result<(), ConfigError> {
        model.validate()?;
        self.corruption.validate()?;
        if self.loss == ReconstructionLoss::BinaryCrossEntropy && model.output != Activation::Sigmoid {
            let output = model.output;
            return Err(ConfigError::Conflict(format!(
                "loss = binary-cross-entropy needs output = sigmoid, found {output:?}"
            )));
        }
        if let Some(sparsity) = &self.sparsity {
            sparsity.validate()?;
            if model.activation != Activation::Sigmoid {
                let activation = model.activation;
                return Err(ConfigError::Conflict(format!(
                    "sparsity needs activation = sigmoid, whose codes lie between 0 and 1, found {activation:?}"
                )));
            }
        }
        self.contraction.as_ref().map_or(Ok(()), Contraction::validate)
    }
}

/// Learns an [`Autoencoder`] to reconstruct rows.
#[derive(Debug, Clone)]
pub struct Reconstruct {
    config: ReconstructConfig,
    train: Rows,
    validation: Option<Rows>,
}

impl Reconstruct {
    /// Learns from `train`, whose rows the steps name, and judges on `validation`, for a `model` of these sizes.
    ///
    /// # Errors
    /// What [`ReconstructConfig::validate`] finds, and [`ConfigError::Conflict`] for rows of another width.
    pub fn new(
        config: ReconstructConfig,
        model: &AutoencoderConfig,
        train: Rows,
        validation: Option<Rows>,
    ) -> Result<Self, ConfigError> {
        config.validate(model)?;
        for rows in validation.iter().chain([&train]) {
            check_columns(rows, model.inputs)?;
        }
        Ok(Self { config, train, validation })
    }

    /// The loss of the clean `rows`, without penalties, and their mean squared error.
    ///
    /// # Errors
    /// [`StepError::Device`].
    pub fn evaluate(&self, model: &Autoencoder, rows: &Rows) -> Result<(f64, f64), StepError> {
        let (device, output) = (model.device(), model.config().output);
        let (mut loss, mut error) = (0.0, 0.0);
        for x in rows.chunks(&device) {
            let count = x.dims()[0] as f64;
            let linear = model.decode_linear(model.encode(x.clone())); // [chunk, inputs]
            let mse = ReconstructionLoss::Mse.value(linear.clone(), output, x.clone());
            error += count * scalar(mse, "reconstruction error")?;
            loss += count * scalar(self.config.loss.value(linear, output, x), "loss")?;
        }
        let rows = rows.len().max(1) as f64;
        Ok((loss / rows, error / rows))
    }
}

/// Checks that `rows` are as wide as the model reads them.
pub(crate) fn check_columns(rows: &Rows, inputs: usize) -> Result<(), ConfigError> {
    let columns = rows.columns();
    if columns == inputs {
        return Ok(());
    }
    Err(ConfigError::Conflict(format!("the rows have {columns} columns, the model reads inputs = {inputs}")))
}

impl Objective for Reconstruct {
    type Model = Autoencoder;

    fn loss(&self, model: &Autoencoder, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let (device, columns) = (model.device(), self.train.columns());
        let clean = self.train.gather(rows).map_err(StepError::other)?;
        let mut noisy = clean.clone();
        self.config.corruption.apply(&mut noisy, columns, &mut context.rng(CORRUPTION));
        let (target, x) = (matrix(clean, columns, &device), matrix(noisy, columns, &device));

        let code = model.encode(x.clone()); // [batch, width of the code]
        let linear = model.decode_linear(code.clone()); // [batch, inputs]
        let mut loss = self.config.loss.value(linear, model.config().output, target);
        if let Some(contraction) = &self.config.contraction {
            loss = loss + contraction.penalty(model, &x, code.clone(), &mut context.rng(DIRECTIONS));
        }
        if let Some(sparsity) = &self.config.sparsity {
            loss = loss + sparsity.penalty(code);
        }
        Ok(loss)
    }

    /// `reconstruction_loss` and `reconstruction_mse` of the clean validation rows; nothing without such rows.
    fn validate(&self, model: &Autoencoder) -> Result<Vec<(String, f64)>, StepError> {
        let Some(rows) = &self.validation else {
            return Ok(Vec::new());
        };
        let (loss, mse) = self.evaluate(model, rows)?;
        Ok(vec![("reconstruction_loss".to_owned(), loss), ("reconstruction_mse".to_owned(), mse)])
    }
}
