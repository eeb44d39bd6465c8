//! The rows of a task: names, places, targets, and what keeps them together.

use nn_core::metrics::MetricError;

use crate::baselines::{Baseline, prior_name, shares};
use crate::dataset::DatasetError;
use crate::evaluate::Judged;
use crate::locus::Locus;
use crate::model::Predicts;
use crate::split::{self, SplitError, SplitKind};

/// What is to be predicted of each row. The inputs are the task's.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// A name for each row.
    pub names: Vec<String>,
    /// Where each row lies, as far as that is known.
    pub loci: Vec<Option<Locus>>,
    /// Tasks, and what their targets are.
    pub predicts: Predicts,
    /// `[rows, tasks]`, row-major; not a number where the target is missing.
    pub targets: Vec<f32>,
    /// Rows of one group must stay in one part of a split.
    pub groups: Option<Vec<u64>>,
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Checks that all columns fit together.
    ///
    /// # Errors
    /// [`DatasetError`] with the column and its length.
    pub fn check(&self) -> Result<(), DatasetError> {
        let (rows, tasks) = (self.len(), self.predicts.tasks.len());
        if rows == 0 || tasks == 0 {
            return Err(DatasetError::Empty { what: if rows == 0 { "rows" } else { "tasks" } });
        }
        let groups = self.groups.as_ref().map_or(rows, Vec::len);
        for (what, found, expected) in
            [("loci", self.loci.len(), rows), ("groups", groups, rows), ("targets", self.targets.len(), rows * tasks)]
        {
            if found != expected {
                return Err(DatasetError::Length { what, found, expected, rows });
            }
        }
        Ok(())
    }

    /// Targets of some rows, `[rows, tasks]`.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn targets_of(&self, rows: &[usize]) -> Vec<f32> {
        let tasks = self.predicts.tasks.len();
        rows.iter().flat_map(|&row| &self.targets[row * tasks..][..tasks]).copied().collect()
    }

    /// For each row the number of the group that a kind of split keeps together; rows that have no group stand alone.
    ///
    /// # Errors
    /// [`SplitError::NoLoci`], [`SplitError::NoGroups`].
    pub fn groups(&self, kind: SplitKind) -> Result<Vec<u64>, SplitError> {
        match kind {
            SplitKind::Chromosome => split::contigs(&self.names, &self.loci, self.groups.as_deref()),
            SplitKind::Group => self.groups.clone().ok_or(SplitError::NoGroups),
            SplitKind::Cluster => Err(SplitError::NoSequences),
            SplitKind::Random | SplitKind::Upstream => {
                Ok(self.groups.clone().unwrap_or_else(|| (0..self.len() as u64).collect()))
            }
        }
    }

    /// Predictions of some rows, `[rows, outputs]`, beside what was measured.
    ///
    /// # Errors
    /// [`MetricError`] when a prediction is not a number.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn judge(&self, rows: &[usize], predicted: Vec<f64>) -> Result<Judged, MetricError> {
        Judged::new(self.predicts.labels.clone(), self.predicts.tasks.clone(), self.targets_of(rows), predicted)
    }

    /// The shares of labels or classes in training, or the mean of values: what says nothing of a row.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn prior(&self, train: &[usize], query: &[usize]) -> Baseline {
        let tasks = self.predicts.tasks.len();
        let learnt = |task: usize| self.known(train, task).into_iter().map(|(_, target)| target).collect::<Vec<f64>>();
        let row = shares(&self.predicts.labels, tasks, learnt);
        Baseline { name: prior_name(&self.predicts.labels).to_owned(), predicted: row.repeat(query.len()) }
    }

    /// Places in `rows` and targets of the rows whose target of a task is known.
    ///
    /// # Panics
    /// If a row or the task is not there.
    pub fn known(&self, rows: &[usize], task: usize) -> Vec<(usize, f64)> {
        let tasks = self.predicts.tasks.len();
        let targets = rows.iter().map(|&row| self.targets[row * tasks + task]).enumerate();
        targets.filter(|(_, target)| !target.is_nan()).map(|(place, target)| (place, f64::from(target))).collect()
    }
}
