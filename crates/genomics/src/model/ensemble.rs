//! Models that predict together.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use nn_core::explain::Rescale;
use nn_core::store;
use nn_core::train::StepError;

use super::{ModelCard, ModelError, SequenceModel, StrandPolicy, numbers, shown};
use crate::strands::reverse_complement;
use crate::systems::SequenceNet;

/// The weights files of `path`: itself, or every `.safetensors` file of a run's `model` folder, by name; at least one.
///
/// # Errors
/// [`ModelError::Absent`] when there is none.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ModelError> {
    store::weights_files(path).ok_or_else(|| ModelError::Absent(path.to_owned()))
}

/// Models of one study: one for each seed. They read the same window in the same way and predict the same tasks.
#[derive(Debug, Clone)]
pub struct Ensemble {
    models: Vec<SequenceModel>,
}

impl Ensemble {
    /// Puts `models` together.
    ///
    /// # Errors
    /// [`ModelError::Empty`] for none, [`ModelError::Mixed`] when they read or predict different things.
    pub fn new(models: Vec<SequenceModel>) -> Result<Self, ModelError> {
        Self::named(models, |i| format!("model {}", i + 1))
    }

    fn named(models: Vec<SequenceModel>, name: impl Fn(usize) -> String) -> Result<Self, ModelError> {
        let first = &models.first().ok_or(ModelError::Empty)?.card;
        for (place, model) in models.iter().enumerate().skip(1) {
            let card = &model.card;
            let differs = if card.predicts != first.predicts {
                Some(("what they predict", first.predicts.describe(), card.predicts.describe()))
            } else if card.preprocessing != first.preprocessing {
                let (a, b) = (&first.preprocessing, &card.preprocessing);
                Some(("how they read sequences", format!("{a:?}"), format!("{b:?}")))
            } else {
                None
            };
            if let Some((what, a, b)) = differs {
                return Err(ModelError::Mixed { first: name(0), second: name(place), what, a, b });
            }
        }
        Ok(Self { models })
    }

    /// Reads all models of `path`: one file, or every `.safetensors` file of a run's `model` folder.
    ///
    /// # Errors
    /// [`ModelError::Absent`] when there is none, [`ModelError::Mixed`] when they do not belong together, and what
    /// [`SequenceModel::load`] finds.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        let files = files(path)?;
        let models = files.iter().map(|file| SequenceModel::load(file, device)).collect::<Result<Vec<_>, _>>()?;
        Self::named(models, |i| files[i].display().to_string())
    }

    /// The members, at least one.
    pub fn models(&self) -> &[SequenceModel] {
        &self.models
    }

    /// The card of the first member; the others differ in their origin alone.
    pub fn card(&self) -> &ModelCard {
        &self.models[0].card
    }

    /// Bases that the models read.
    pub fn window(&self) -> usize {
        self.card().preprocessing.window
    }

    /// Numbers for each sequence.
    pub fn outputs(&self) -> usize {
        self.card().predicts.outputs().len()
    }

    /// The mean over the members of the values that `of` gives for each, as many for one as for another.
    fn mean(&self, of: impl Fn(&SequenceModel) -> Result<Vec<f64>, StepError>) -> Result<Vec<f64>, StepError> {
        let mut mean = of(&self.models[0])?;
        for model in &self.models[1..] {
            mean.iter_mut().zip(of(model)?).for_each(|(sum, value)| *sum += value);
        }
        let n = self.models.len() as f64;
        mean.iter_mut().for_each(|value| *value /= n);
        Ok(mean)
    }

    /// Mean logits, or values, of sequences of any length: `[sequences, outputs]`.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn logits(&self, sequences: &[&[u8]]) -> Result<Vec<f64>, StepError> {
        self.mean(|model| model.logits(sequences))
    }

    /// Mean logits, or values, of inputs that are encoded already, `[batch, 4, window]`.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn logits_of(&self, x: &Tensor<3>) -> Result<Vec<f64>, StepError> {
        self.mean(|model| numbers(model.forward(x.clone())))
    }

    /// Mean logits, or values, as a tensor, for who needs their gradient by the input.
    ///
    /// # Shapes
    /// - x `[batch, 4, window]`; output `[batch, outputs]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let mut sum = self.models[0].forward(x.clone());
        for model in &self.models[1..] {
            sum = sum + model.forward(x.clone());
        }
        sum / self.models.len() as f64
    }

    /// As [`Ensemble::forward`], with everything that bends passed through `rescale`, as `DeepLIFT` needs it; none
    /// where a member has gates.
    ///
    /// # Shapes
    /// - as [`Ensemble::forward`]
    pub fn rescaled(&self, x: &Tensor<3>, rescale: &Rescale) -> Option<Tensor<2>> {
        let mut sum: Option<Tensor<2>> = None;
        for model in &self.models {
            let mut logits = model.network.rescaled(x.clone(), rescale)?;
            if model.card.preprocessing.strands == StrandPolicy::Average {
                logits = (logits + model.network.rescaled(reverse_complement(x.clone()), rescale)?) * 0.5;
            }
            sum = Some(sum.map_or_else(|| logits.clone(), |sum| sum + logits.clone()));
        }
        sum.map(|sum| sum / self.models.len() as f64)
    }

    /// What users see of logits: probabilities of yes, of each class, or the values themselves.
    pub fn shown(&self, logits: &[f64]) -> Vec<f64> {
        shown(&self.card().predicts.labels, logits)
    }
}
