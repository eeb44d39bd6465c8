//! How each network is trained here, and what a trained one is worth.

use std::sync::atomic::AtomicBool;

use anyhow::{Result, ensure};
use nn_core::burn::tensor::{Device, Tensor, TensorData};
use nn_core::compute;
use nn_core::data::Shuffled;
use nn_core::metrics::{ConfusionMatrix, auroc};
use nn_core::models::capsule::{CapsuleNetwork, lengths};
use nn_core::models::mlp::{TableModel, TableObjective, Targets, Task};
use nn_core::optim::{OptimizerConfig, Schedule};
use nn_core::train::{FitConfig, Learner, Monitor, Objective, StepContext, StepError, Supervised, TRAIN_LOSS, fit};

use crate::data::{Parts, Table};

/// How long and how fast a network learns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe {
    /// Passes over the rows.
    pub(crate) epochs: usize,
    /// Rows of a step.
    pub(crate) batch: usize,
    /// Learning rate of the first epoch.
    pub(crate) rate: f64,
    /// Whether half a cosine brings the rate down to zero, or it stays.
    pub(crate) cosine: bool,
}

impl Recipe {
    pub(crate) const fn new(epochs: usize, batch: usize, rate: f64) -> Self {
        Self { epochs, batch, rate, cosine: true }
    }

    /// The same at a rate that stays.
    pub(crate) const fn constant(self) -> Self {
        Self { cosine: false, ..self }
    }

    /// The learning rate from epoch to epoch.
    pub(crate) fn schedule(self) -> Schedule {
        if self.cosine { Schedule::Cosine { epochs: self.epochs, minimum: 0.0 } } else { Schedule::Constant }
    }

    /// At most `most` passes.
    pub(crate) fn at_most(self, most: usize) -> Self {
        Self { epochs: self.epochs.min(most), ..self }
    }
}

/// Where everything is computed.
pub(crate) fn device() -> Result<Device> {
    Ok(compute::device("cpu")?)
}

/// Runs a learner over `rows`; the epoch that is best by `monitor` stays, the last one where there is no validation.
pub(crate) fn run(
    learner: &mut dyn Learner,
    rows: &[usize],
    recipe: Recipe,
    monitor: Option<Monitor>,
    seed: u64,
) -> Result<()> {
    let restore_best = monitor.is_some();
    let monitor = monitor.unwrap_or_else(|| Monitor::lower(TRAIN_LOSS));
    let config = FitConfig {
        seed,
        schedule: recipe.schedule(),
        restore_best,
        ..FitConfig::new(recipe.epochs, recipe.rate, monitor)
    };
    let order = Shuffled::new(rows.to_vec(), recipe.batch);
    fit(learner, &order, &config, None, false, &mut (), &AtomicBool::new(false))?;
    Ok(())
}

/// Logits of the test rows, one row behind the other, after a classifier has learnt the training rows. The epoch with the
/// smallest cross-entropy on the validation rows is taken; without validation rows the last one.
pub(crate) fn classify<M: TableModel>(
    table: &Table,
    parts: &Parts,
    model: M,
    recipe: Recipe,
    seed: u64,
) -> Result<Vec<f32>> {
    let task = Task::new("class", Targets::Classes { count: table.classes, rows: table.labels.clone() });
    let validation = parts.validation.clone();
    let monitor = (!validation.is_empty()).then(|| Monitor::lower("cross_entropy"));
    let objective = TableObjective::new(table.features.clone(), table.columns, vec![task], validation, &device()?)?;
    let mut learner = Supervised::new(objective.clone(), model, OptimizerConfig::adam().init(), "foundations");
    run(&mut learner, &parts.train, recipe, monitor, seed)?;
    let model = learner.into_model()?;
    Ok(objective.logits(&model, &parts.test)?)
}

/// The class with the largest of each row's scores.
pub(crate) fn decided(scores: &[f32], classes: usize) -> Vec<usize> {
    let largest = |row: &[f32]| {
        let better = |best: usize, class: usize| if row[class] > row[best] { class } else { best };
        (0..row.len()).fold(0, better)
    };
    scores.chunks(classes).map(largest).collect()
}

/// How classes and scores of `rows` compare.
pub(crate) fn confusion(table: &Table, rows: &[usize], scores: &[f32]) -> Result<ConfusionMatrix> {
    ensure!(scores.len() == rows.len() * table.classes, "{} scores for {} rows", scores.len(), rows.len());
    let truth: Vec<usize> = rows.iter().map(|&row| table.labels[row]).collect();
    Ok(ConfusionMatrix::new(&truth, &decided(scores, table.classes), table.classes)?)
}

/// Share of `rows` whose class has the largest score.
pub(crate) fn accuracy(table: &Table, rows: &[usize], scores: &[f32]) -> Result<f64> {
    Ok(confusion(table, rows, scores)?.accuracy())
}

/// Area under the curve of class 1 against class 0.
pub(crate) fn area(table: &Table, rows: &[usize], scores: &[f32]) -> Result<f64> {
    let truth: Vec<bool> = rows.iter().map(|&row| table.labels[row] == 1).collect();
    let score: Vec<f64> = scores.chunks(2).map(|row| f64::from(row[1]) - f64::from(row[0])).collect();
    Ok(auroc(&truth, &score)?)
}

/// Margin loss with reconstruction, on a table whose rows are inputs.
struct Capsules<'a> {
    table: &'a Table,
    validation: &'a [usize],
}

impl Capsules<'_> {
    /// # Shapes
    /// - output `[rows, channels, height, width]`
    fn inputs(&self, model: &CapsuleNetwork, rows: &[usize], device: &Device) -> Tensor<4> {
        let [channels, height, width] = model.config().input;
        let shape = [rows.len(), channels, height, width];
        Tensor::from_data(TensorData::new(self.table.pick(rows), shape), device)
    }

    /// Lengths of the class capsules, one row behind the other.
    fn scores(&self, model: &CapsuleNetwork, rows: &[usize]) -> Result<Vec<f32>, StepError> {
        let device = device().map_err(StepError::other)?;
        let mut scores = Vec::with_capacity(rows.len() * self.table.classes);
        for rows in rows.chunks(256) {
            let found = lengths(model.forward(self.inputs(model, rows, &device)));
            scores.extend(found.try_into_vec_as::<f32>().map_err(StepError::other)?);
        }
        Ok(scores)
    }
}

impl Objective for Capsules<'_> {
    type Model = CapsuleNetwork;

    fn loss(&self, model: &CapsuleNetwork, rows: &[usize], _: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = device().map_err(StepError::other)?.autodiff();
        let labels: Vec<usize> = rows.iter().map(|&row| self.table.labels[row]).collect();
        Ok(model.loss(self.inputs(model, rows, &device), &labels))
    }

    fn validate(&self, model: &CapsuleNetwork) -> Result<Vec<(String, f64)>, StepError> {
        // the margin loss as in training, from the lengths
        let config = model.config();
        let scores = self.scores(model, self.validation)?;
        let mut total = 0.0;
        for (&row, lengths) in self.validation.iter().zip(scores.chunks(self.table.classes)) {
            for (class, &length) in lengths.iter().enumerate() {
                let length = f64::from(length);
                total += if class == self.table.labels[row] {
                    (config.margin_present - length).max(0.0).powi(2)
                } else {
                    config.absent_weight * (length - config.margin_absent).max(0.0).powi(2)
                };
            }
        }
        Ok(vec![("margin".to_owned(), total / self.validation.len().max(1) as f64)])
    }
}

/// [`classify`] for a capsule network: lengths of the test rows' class capsules, from the epoch with the smallest margin
/// loss on the validation rows.
pub(crate) fn classify_by_capsules(
    table: &Table,
    parts: &Parts,
    model: CapsuleNetwork,
    recipe: Recipe,
    seed: u64,
) -> Result<Vec<f32>> {
    let objective = Capsules { table, validation: &parts.validation };
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam().init(), "capsule");
    run(&mut learner, &parts.train, recipe, Some(Monitor::lower("margin")), seed)?;
    let model = learner.into_model()?;
    Ok(Capsules { table, validation: &[] }.scores(&model, &parts.test)?)
}
