//! Supervised learning on a table in memory, for any model that turns rows of numbers into logits.
//!
//! One or more tasks stand side by side: classes by softmax cross-entropy, yes-or-no labels by binary cross-entropy,
//! values by the squared error. The loss is the sum of the tasks' mean losses, each times its weight, plus the model's
//! own penalty.

mod scores;
mod task;

pub use self::task::{TableError, Targets, Task};

use std::marker::PhantomData;

use burn::module::Module;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use self::task::{check_length, check_rows, check_task, check_values};
use crate::train::{Objective, StepContext, StepError};

/// Rows that are judged at a time.
const CHUNK: usize = 4096;
/// Stream of the model's noise in a step.
const NOISE: u64 = 0;

/// A model that [`TableObjective`] can train.
pub trait TableModel: Module {
    /// Logits of classes and labels, and predicted values, for all tasks side by side. Noise such as dropout acts when
    /// a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, columns]`; output `[batch, sum of the tasks' widths]`
    fn logits(&self, x: Tensor<2>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2>;

    /// What is added to the loss of each step, `[1]`.
    fn penalty(&self) -> Option<Tensor<1>> {
        None
    }
}

/// Learns the tasks of a table: the loss is the sum of their mean losses, each times its weight, plus the model's
/// [penalty](TableModel::penalty).
#[derive(Debug, Clone)]
pub struct TableObjective<M> {
    features: Vec<f32>,
    columns: usize,
    rows: usize,
    tasks: Vec<Task>,
    validation: Vec<usize>,
    device: Device,
    model: PhantomData<fn() -> M>,
}

impl<M: TableModel> TableObjective<M> {
    /// The table's `features`, of `columns` numbers a row, with its `tasks`; the model is judged on the rows of
    /// `validation`, if there are any. `device` is the one the model is on, with or without autodiff.
    ///
    /// # Errors
    /// [`TableError`] for parts of unequal length, a feature that is not finite, a target or weight out of its range.
    pub fn new(
        features: Vec<f32>,
        columns: usize,
        tasks: Vec<Task>,
        validation: Vec<usize>,
        device: &Device,
    ) -> Result<Self, TableError> {
        if columns == 0 || tasks.is_empty() {
            return Err(TableError::Empty { columns, tasks: tasks.len() });
        }
        let rows = features.len() / columns;
        check_length("the feature table", features.len(), rows * columns, rows)?;
        check_values("feature", &features, columns, f32::is_finite, "finite numbers")?;
        tasks.iter().try_for_each(|task| check_task(task, rows))?;
        check_rows(&validation, rows)?;
        let (device, model) = (device.clone().inner(), PhantomData);
        Ok(Self { features, columns, rows, tasks, validation, device, model })
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The tasks, in the order of the logits.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The model's logits for `rows`, one row behind the other. The model must be in validation state.
    ///
    /// # Errors
    /// [`StepError`] for a row that the table does not have, a model of another width, or a failing device.
    pub fn logits(&self, model: &M, rows: &[usize]) -> Result<Vec<f32>, StepError> {
        check_rows(rows, self.rows).map_err(StepError::other)?;
        let mut found = Vec::with_capacity(rows.len() * self.width());
        for rows in rows.chunks(CHUNK) {
            let logits = model.logits(self.inputs(rows, &self.device), None); // [chunk, width]
            self.check_width(&logits)?;
            let values = logits.try_into_vec_as::<f32>();
            found.extend(values.map_err(|e| StepError::Device { what: "logits", reason: e.to_string() })?);
        }
        Ok(found)
    }

    /// # Shapes
    /// - output `[rows, columns]`
    fn inputs(&self, rows: &[usize], device: &Device) -> Tensor<2> {
        let mut values = Vec::with_capacity(rows.len() * self.columns);
        rows.iter().for_each(|&row| values.extend_from_slice(&self.features[row * self.columns..][..self.columns]));
        Tensor::from_data(TensorData::new(values, [rows.len(), self.columns]), device)
    }

    fn width(&self) -> usize {
        self.tasks.iter().map(|task| task.targets.width()).sum()
    }

    fn check_width(&self, logits: &Tensor<2>) -> Result<(), StepError> {
        let ([_, found], expected) = (logits.dims(), self.width());
        if found == expected { Ok(()) } else { Err(StepError::other(TableError::Width { found, expected })) }
    }
}

impl<M: TableModel> Objective for TableObjective<M> {
    type Model = M;

    fn loss(&self, model: &M, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        check_rows(rows, self.rows).map_err(StepError::other)?;
        let x = self.inputs(rows, &self.device.clone().autodiff()); // [batch, columns]
        let logits = model.logits(x, Some(&mut context.rng(NOISE))); // [batch, width]
        self.check_width(&logits)?;
        let mut start = 0;
        let mut terms = Vec::with_capacity(self.tasks.len() + 1);
        for task in &self.tasks {
            let width = task.targets.width();
            terms.push(task_loss(task, logits.clone().narrow(1, start, width), rows).mul_scalar(task.weight));
            start += width;
        }
        terms.extend(model.penalty());
        terms.into_iter().reduce(|sum, term| sum + term).ok_or(StepError::NoGradient)
    }

    /// The metrics of each task on the validation rows: of classes `cross_entropy`, `accuracy` and, where there are
    /// two, `auroc`; of labels `cross_entropy` and the mean `auroc` over the labels that have one; of values `mse`.
    /// With several tasks the names begin with that of the task and a point. Targets of weight 0 are left out.
    fn validate(&self, model: &M) -> Result<Vec<(String, f64)>, StepError> {
        let logits = self.logits(model, &self.validation)?;
        let mut found = Vec::new();
        let mut start = 0;
        for task in &self.tasks {
            for (name, value) in scores::of(task, &logits, self.width(), start, &self.validation)? {
                let name = if self.tasks.len() == 1 { name.to_owned() } else { format!("{}.{name}", task.name) };
                found.push((name, value));
            }
            start += task.targets.width();
        }
        Ok(found)
    }
}

/// The task's mean loss over the targets of `rows` by their weights, zero where nothing is known; shape `[1]`.
///
/// # Shapes
/// - logits `[batch, width of the task]`
fn task_loss(task: &Task, logits: Tensor<2>, rows: &[usize]) -> Tensor<1> {
    let device = logits.device();
    let picked = |values: &[f32], width: usize| {
        let mut found = Vec::with_capacity(rows.len() * width);
        rows.iter().for_each(|&row| found.extend_from_slice(&values[row * width..][..width]));
        found
    };
    let loss = match &task.targets {
        Targets::Classes { rows: classes, .. } => {
            let classes: Vec<i64> = rows.iter().map(|&row| classes[row] as i64).collect();
            let classes = Tensor::<2, Int>::from_data(TensorData::new(classes, [rows.len(), 1]), &device);
            log_softmax(logits, 1).gather(1, classes).neg() // [batch, 1]
        }
        Targets::Labels { width, values } => {
            let no: Vec<f32> = picked(values, *width).into_iter().map(|yes| 1.0 - yes).collect();
            let no = Tensor::<2>::from_data(TensorData::new(no, [rows.len(), *width]), &device);
            // −y ln σ(x) − (1 − y) ln(1 − σ(x)), where the second logarithm is ln σ(x) − x
            logits.clone() * no - log_sigmoid(logits) // [batch, width]
        }
        Targets::Values { width, values } => {
            let values = TensorData::new(picked(values, *width), [rows.len(), *width]);
            (logits - Tensor::<2>::from_data(values, &device)).square() // [batch, width]
        }
    };
    let Some(mask) = &task.mask else {
        return loss.mean();
    };
    let width = task.targets.entries();
    let mask = picked(mask, width);
    let total: f64 = mask.iter().copied().map(f64::from).sum();
    let mask = Tensor::<2>::from_data(TensorData::new(mask, [rows.len(), width]), &device);
    (loss * mask).sum().mul_scalar(if total > 0.0 { 1.0 / total } else { 0.0 })
}
