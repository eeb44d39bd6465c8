//! Models that predict together.

use std::path::Path;

use burn::tensor::Device;
use nn_core::store;

use super::{ModelCard, ModelError, RiskModel};
use crate::view::View;

/// Models of one study: one for each seed or fold. They predict the same, each from its own inputs.
#[derive(Debug, Clone)]
pub struct Ensemble {
    models: Vec<RiskModel>,
}

impl Ensemble {
    /// Puts `models` together.
    ///
    /// # Errors
    /// [`ModelError::Empty`] for none, [`ModelError::Mixed`] when they predict different things.
    pub fn new(models: Vec<RiskModel>) -> Result<Self, ModelError> {
        Self::named(models, |i| format!("model {}", i + 1))
    }

    fn named(models: Vec<RiskModel>, name: impl Fn(usize) -> String) -> Result<Self, ModelError> {
        let first = &models.first().ok_or(ModelError::Empty)?.card.predicts;
        for (place, model) in models.iter().enumerate().skip(1) {
            let other = &model.card.predicts;
            if other != first {
                let (a, b) = (first.task.clone(), other.task.clone());
                return Err(ModelError::Mixed { first: name(0), second: name(place), a, b });
            }
        }
        Ok(Self { models })
    }

    /// Reads all models of `path`: one file, or every `.safetensors` file of a run's `model` folder.
    ///
    /// # Errors
    /// [`ModelError::Absent`] when there is none, [`ModelError::Mixed`] when they do not belong together, and what
    /// [`RiskModel::load`] finds.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ModelError> {
        let files = store::weights_files(path).ok_or_else(|| ModelError::Absent(path.to_owned()))?;
        let models = files.iter().map(|file| RiskModel::load(file, device)).collect::<Result<Vec<_>, _>>()?;
        Self::named(models, |i| files[i].display().to_string())
    }

    /// The members, at least one.
    pub fn models(&self) -> &[RiskModel] {
        &self.models
    }

    /// The card of the first member.
    pub fn card(&self) -> &ModelCard {
        &self.models[0].card
    }

    /// Mean probabilities of views of one data set.
    ///
    /// # Errors
    /// As [`RiskModel::probabilities`].
    pub fn probabilities(&self, views: &[View<'_>]) -> Result<Vec<f64>, ModelError> {
        let mut mean = self.models[0].probabilities(views)?;
        for model in &self.models[1..] {
            mean.iter_mut().zip(model.probabilities(views)?).for_each(|(sum, value)| *sum += value);
        }
        let n = self.models.len() as f64;
        mean.iter_mut().for_each(|value| *value /= n);
        Ok(mean)
    }

    /// The 95 % interval of the share of patients with about this probability to whom it has happened: the means over
    /// the members of the ends of each member's [bin](super::Reliability::bin). None where nothing was measured.
    pub fn interval(&self, probability: f64) -> Option<(f64, f64)> {
        let ends: Vec<(f64, f64)> = self
            .models
            .iter()
            .filter_map(|model| Some(model.card.calibration.reliability.bin(probability)?.interval()))
            .collect();
        let n = ends.len() as f64;
        (!ends.is_empty()).then(|| {
            let (low, high) = ends.iter().fold((0.0, 0.0), |sum, end| (sum.0 + end.0, sum.1 + end.1));
            (low / n, high / n)
        })
    }
}
