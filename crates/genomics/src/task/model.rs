//! A trained network of a task as a file: weights, and everything that must be applied before and after.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use nn_core::data::rng;
use nn_core::store::{self, Metadata};
use nn_core::train::StepError;

use super::objective::predicted;
use super::{Fitted, Task, TaskNetConfig};
use crate::model::{ModelError, ORIGIN, Origin, Predicts, TASKS, entry, json};

/// Name in the files' metadata of everything that this module writes; the system is named in its configuration.
pub const ARCHITECTURE: &str = "task-model";

/// Everything that belongs to a network besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskCard {
    /// The system with its sizes.
    pub network: TaskNetConfig,
    /// What was learnt before the network.
    pub fitted: Fitted,
    /// What it predicts.
    pub predicts: Predicts,
    /// Where it is from.
    pub origin: Origin,
}

impl TaskCard {
    /// Whether the file at `path` is of a task, and not of a network that reads windows.
    ///
    /// # Errors
    /// [`ModelError::Store`] for a file that cannot be read.
    pub fn is_in(path: &Path) -> Result<bool, ModelError> {
        let metadata = store::load_metadata(path)?;
        Ok(metadata.get(store::ARCHITECTURE).is_some_and(|found| found == ARCHITECTURE))
    }

    /// Reads the card of a weights file.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what of it cannot be used.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        let metadata = store::load_metadata_of(path, ARCHITECTURE)?;
        Ok(Self {
            network: entry(&metadata, store::CONFIG, path)?,
            fitted: entry(&metadata, store::PREPROCESSING, path)?,
            predicts: entry(&metadata, TASKS, path)?,
            origin: entry(&metadata, ORIGIN, path)?,
        })
    }

    /// The metadata of the weights file.
    pub fn metadata(&self) -> Metadata {
        Metadata::from([
            (store::ARCHITECTURE.to_owned(), ARCHITECTURE.to_owned()),
            (store::CONFIG.to_owned(), json(&self.network)),
            (store::PREPROCESSING.to_owned(), json(&self.fitted)),
            (TASKS.to_owned(), json(&self.predicts)),
            (ORIGIN.to_owned(), json(&self.origin)),
        ])
    }

    /// Checks that the card is of the task's system and targets.
    fn check<T: Task>(&self, task: &T, path: &Path) -> Result<(), ModelError> {
        let mismatch = |what, found: String, reference: String| {
            Err(ModelError::Mismatch { path: path.to_owned(), what, found, reference })
        };
        if self.network != task.network() {
            return mismatch("the network", json(&self.network), format!("the data are for {}", json(&task.network())));
        }
        if self.predicts != task.rows().predicts {
            let reference = format!("the data have {}", task.rows().predicts.describe());
            return mismatch("what is predicted", self.predicts.describe(), reference);
        }
        Ok(())
    }
}

/// A network with its card.
#[derive(Debug, Clone)]
pub struct TaskModel<N> {
    /// The network, without gradient tracking.
    pub network: N,
    /// What else belongs to it.
    pub card: TaskCard,
}

impl<N: Module> TaskModel<N> {
    /// Writes the model to `path`, whole or not at all.
    ///
    /// # Errors
    /// [`ModelError::Store`].
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        Ok(store::save(&self.network, &self.card.metadata(), path)?)
    }

    /// Reads a model of `task` from one file.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what of it cannot be used.
    pub fn load<T: Task<Net = N>>(task: &T, path: &Path, device: &Device) -> Result<Self, ModelError> {
        let card = TaskCard::load(path)?;
        card.check(task, path)?;
        let impossible = |source| ModelError::Config { path: path.to_owned(), source };
        // The fresh weights are overwritten, so their seed does not matter.
        let network = task.init(&card.fitted, device, &mut rng(0, &[])).map_err(impossible)?;
        let (network, _) = store::load(network, path)?;
        Ok(Self { network: network.valid(), card })
    }

    /// Logits of labels or classes, or values, of rows of the task: `[rows, outputs]`.
    ///
    /// # Errors
    /// [`StepError`] where a row cannot become inputs, or the device does not give the numbers back.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn predict<T: Task<Net = N>>(&self, task: &T, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        let device = self.network.devices().into_iter().next().unwrap_or_default();
        predicted(task, &self.network, &self.card.fitted, rows, &device)
    }
}

/// Mean logits, or values, of several models.
///
/// # Errors
/// As [`TaskModel::predict`].
///
/// # Panics
/// If there is no model, or a row is not there.
pub fn together<T: Task>(task: &T, models: &[TaskModel<T::Net>], rows: &[usize]) -> Result<Vec<f64>, StepError> {
    let mut mean = models[0].predict(task, rows)?;
    for model in &models[1..] {
        mean.iter_mut().zip(model.predict(task, rows)?).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|value| *value /= models.len() as f64);
    Ok(mean)
}
