//! What is explained: a model from rows to logits, and which of the logits.

use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::ExplainError;

/// A model that turns rows of floats into logits. Every closure `Fn(Tensor<D>) -> Tensor<2>` is one.
///
/// Its rows must be independent of each other: row i of the output depends on row i of the input alone.
pub trait Scorer<const D: usize> {
    /// The outputs of some rows, before any softmax.
    ///
    /// # Shapes
    /// - x: `[rows, …]`; output `[rows, outputs]`
    fn logits(&self, x: Tensor<D>) -> Tensor<2>;
}

impl<const D: usize, F: Fn(Tensor<D>) -> Tensor<2>> Scorer<D> for F {
    fn logits(&self, x: Tensor<D>) -> Tensor<2> {
        self(x)
    }
}

/// Which output of each row is explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The same output for all rows.
    All(usize),
    /// One output for each row.
    Each(Vec<usize>),
}

impl Target {
    /// The largest output of each row.
    ///
    /// ```
    /// use nn_core::burn::tensor::{Device, Tensor};
    /// use nn_core::explain::Target;
    /// let x = Tensor::<2>::from_floats([[1.0, 2.0], [5.0, -5.0]], &Device::flex());
    /// assert_eq!(Target::predicted(&|x: Tensor<2>| x, &x)?, Target::Each(vec![1, 0]));
    /// # Ok::<(), nn_core::explain::ExplainError>(())
    /// ```
    ///
    /// # Errors
    /// [`ExplainError::Read`] when the device gives no values.
    pub fn predicted<const D: usize>(model: &impl Scorer<D>, x: &Tensor<D>) -> Result<Self, ExplainError> {
        let best = model.logits(x.clone().inner()).inner().argmax(1); // [rows, 1]
        Ok(Self::Each(best.try_into_vec_as::<i64>()?.into_iter().map(|output| output as usize).collect()))
    }

    /// One output for each of `rows` rows.
    fn of(&self, rows: usize) -> Result<Vec<usize>, ExplainError> {
        match self {
            Self::All(output) => Ok(vec![*output; rows]),
            Self::Each(outputs) if outputs.len() == rows => Ok(outputs.clone()),
            Self::Each(outputs) => Err(ExplainError::Targets { targets: outputs.len(), rows }),
        }
    }
}

/// The input without gradient tracking, and the output asked for in each row.
pub(super) fn prepare<const D: usize>(x: &Tensor<D>, target: &Target) -> Result<(Tensor<D>, Vec<usize>), ExplainError> {
    let dims = x.dims();
    if dims.contains(&0) {
        return Err(ExplainError::Empty);
    }
    Ok((x.clone().inner(), target.of(dims[0])?))
}

/// The chosen output of each row.
///
/// # Shapes
/// - logits `[rows, outputs]`, targets `rows`; output `[rows, 1]`
pub(super) fn pick(logits: Tensor<2>, targets: &[usize]) -> Result<Tensor<2>, ExplainError> {
    let [rows, outputs] = logits.dims();
    if rows != targets.len() {
        let expected = format!("{} rows, one for each row of the input", targets.len());
        return Err(ExplainError::Shape { what: "what the model returned", found: vec![rows, outputs], expected });
    }
    if let Some(row) = targets.iter().position(|target| *target >= outputs) {
        return Err(ExplainError::NoOutput { row, target: targets[row], outputs });
    }
    let index: Vec<i64> = targets.iter().map(|&target| target as i64).collect();
    let index = Tensor::<2, Int>::from_data(TensorData::new(index, [rows, 1]), &logits.device());
    Ok(logits.gather(1, index))
}

/// The scores on the host. Row numbers in errors are counted from `first`, in copies of `rows` rows.
pub(super) fn read(picked: Tensor<2>, first: usize, rows: usize) -> Result<Vec<f64>, ExplainError> {
    let scores = picked.inner().try_into_vec_as::<f64>()?;
    match scores.iter().position(|score| !score.is_finite()) {
        Some(at) => Err(ExplainError::NotFinite { row: (first + at) % rows, value: scores[at] }),
        None => Ok(scores),
    }
}

/// Runs a model on any number of rows in calls of a limited size, and counts the rows.
///
/// Batches are copies of the same `rows` rows, one behind the other.
pub(super) struct Runner<'a, const D: usize, S> {
    model: &'a S,
    rows: usize,
    rows_per_call: usize,
    evaluations: usize,
}

impl<'a, const D: usize, S: Scorer<D>> Runner<'a, D, S> {
    pub(super) fn new(model: &'a S, rows: usize, rows_per_call: usize) -> Self {
        Self { model, rows, rows_per_call, evaluations: 0 }
    }

    /// Rows that the model has seen.
    pub(super) fn evaluations(&self) -> usize {
        self.evaluations
    }

    /// How many copies of the rows go into one call; at least one, which may then be cut.
    pub(super) fn copies_per_call(&self) -> usize {
        (self.rows_per_call / self.rows).max(1)
    }

    /// The chosen output of each row.
    pub(super) fn scores(&mut self, x: &Tensor<D>, targets: &[usize]) -> Result<Vec<f64>, ExplainError> {
        let mut scores = Vec::with_capacity(targets.len());
        for (call, part) in targets.chunks(self.rows_per_call).enumerate() {
            let first = call * self.rows_per_call;
            let picked = self.call(x.clone().narrow(0, first, part.len()), part)?;
            scores.extend(read(picked, first, self.rows)?);
        }
        Ok(scores)
    }

    /// The chosen output of each row, less its mean over the baselines.
    pub(super) fn changes(
        &mut self,
        x: &Tensor<D>,
        baselines: &[Tensor<D>],
        targets: &[usize],
    ) -> Result<Vec<f64>, ExplainError> {
        let mut changes = self.scores(x, targets)?;
        for baseline in baselines {
            let scores = self.scores(baseline, targets)?;
            changes.iter_mut().zip(scores).for_each(|(change, score)| *change -= score / baselines.len() as f64);
        }
        Ok(changes)
    }

    /// The gradient of the chosen output of each row by that row, and the outputs.
    pub(super) fn gradients(
        &mut self,
        x: &Tensor<D>,
        targets: &[usize],
    ) -> Result<(Tensor<D>, Vec<f64>), ExplainError> {
        let (mut parts, mut scores) = (Vec::new(), Vec::with_capacity(targets.len()));
        for (call, part) in targets.chunks(self.rows_per_call).enumerate() {
            let first = call * self.rows_per_call;
            let leaf = x.clone().narrow(0, first, part.len()).inner().autodiff().require_grad();
            let picked = self.call(leaf.clone(), part)?;
            if !picked.is_tracked() {
                return Err(ExplainError::NoGradient { what: "input" });
            }
            scores.extend(read(picked.clone(), first, self.rows)?);
            // rows are independent, so the gradient of the sum holds the gradient of each
            let mut gradients = picked.sum().backward();
            parts.push(leaf.grad_remove(&mut gradients).ok_or(ExplainError::NoGradient { what: "input" })?);
        }
        Ok((Tensor::cat(parts, 0), scores))
    }

    fn call(&mut self, x: Tensor<D>, targets: &[usize]) -> Result<Tensor<2>, ExplainError> {
        self.evaluations += targets.len();
        pick(self.model.logits(x), targets)
    }
}
