//! Scores of inputs in which some elements are those of a baseline.

use burn::tensor::{Bool, Tensor, TensorData};

use super::model::{Runner, prepare};
use super::{Baseline, ExplainError, Scorer, Target};

/// An input, its baselines, and the model that is asked about mixtures of them.
pub(super) struct Perturbed<'a, const D: usize, S> {
    runner: Runner<'a, D, S>,
    x: Tensor<D>,
    baselines: Vec<Tensor<D>>,
    targets: Vec<usize>,
}

impl<'a, const D: usize, S: Scorer<D>> Perturbed<'a, D, S> {
    pub(super) fn new(
        model: &'a S,
        x: &Tensor<D>,
        baseline: &Baseline<D>,
        target: &Target,
        rows_per_call: usize,
    ) -> Result<Self, ExplainError> {
        let (x, targets) = prepare(x, target)?;
        let baselines = baseline.tensors(&x)?;
        Ok(Self { runner: Runner::new(model, targets.len(), rows_per_call), x, baselines, targets })
    }

    pub(super) fn rows(&self) -> usize {
        self.targets.len()
    }

    /// Elements of a row.
    pub(super) fn elements(&self) -> usize {
        self.x.shape().num_elements() / self.rows()
    }

    pub(super) fn x(&self) -> &Tensor<D> {
        &self.x
    }

    pub(super) fn evaluations(&self) -> usize {
        self.runner.evaluations()
    }

    /// The scores of the rows as they are.
    pub(super) fn whole(&mut self) -> Result<Vec<f64>, ExplainError> {
        self.runner.scores(&self.x, &self.targets)
    }

    /// The scores of the rows less those of the baseline.
    pub(super) fn changes(&mut self) -> Result<Vec<f64>, ExplainError> {
        self.runner.changes(&self.x, &self.baselines, &self.targets)
    }

    /// The scores of `count` mixtures, each averaged over the baselines, `[count][rows]`.
    ///
    /// `replace(mixture, marks)` marks the elements of a row that come from the baseline; at first none is marked.
    pub(super) fn scores(
        &mut self,
        count: usize,
        replace: impl Fn(usize, &mut [bool]),
    ) -> Result<Vec<Vec<f64>>, ExplainError> {
        let (rows, elements) = (self.rows(), self.elements());
        let block = self.runner.copies_per_call();
        let device = self.x.device();
        let mut scores = Vec::with_capacity(count);
        for first in (0..count).step_by(block) {
            let size = block.min(count - first);
            let mut marks = vec![false; size * elements];
            for (at, marks) in marks.chunks_exact_mut(elements).enumerate() {
                replace(first + at, marks);
            }
            let marks = Tensor::<3, Bool>::from_data(TensorData::new(marks, [size, 1, elements]), &device);
            let marks = marks.expand([size, rows, elements]);
            let copies = |part: &Tensor<D>| -> Tensor<3> {
                part.clone().reshape([1, rows, elements]).expand([size, rows, elements])
            };
            let mut shape = self.x.dims();
            shape[0] = size * rows;
            let targets = self.targets.repeat(size);
            let mut means = vec![0.0; size * rows];
            for baseline in &self.baselines {
                let mixed = copies(&self.x).mask_where(marks.clone(), copies(baseline)); // [size, rows, elements]
                let found = self.runner.scores(&mixed.reshape(shape), &targets)?;
                let share = self.baselines.len() as f64;
                means.iter_mut().zip(found).for_each(|(mean, score)| *mean += score / share);
            }
            scores.extend(means.chunks_exact(rows).map(<[f64]>::to_vec));
        }
        Ok(scores)
    }
}
