//! What models learn from: labelled sequences, expression tables, and histone marks around genes.

mod marks;

pub use self::marks::{MarkSet, high};

use serde::{Deserialize, Serialize};

use crate::locus::Locus;
use crate::sequence::normalise;

/// What the numbers of [`SequenceSet::targets`] mean.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// 0 or 1 for each task; there may be several tasks.
    #[default]
    Binary,
    /// The index of one of these classes; one task.
    Classes(Vec<String>),
    /// Any number for each task.
    Values,
}

/// A set that does not fit together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// There is nothing in it.
    #[error("the set has no {what}")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// Two columns differ in length.
    #[error("{found} {what}, but {expected} are due for {rows} rows")]
    Length {
        /// The column.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A sequence with a letter that is no nucleotide, or without any.
    #[error("row {row}, {name}: {problem}")]
    Sequence {
        /// The row, from 1.
        row: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A target that is none.
    #[error("row {row}, {name}, task {task}: {value} is no target; {expected}, or not a number where it is missing")]
    Target {
        /// The row, from 1.
        row: usize,
        /// Its name.
        name: String,
        /// The task.
        task: String,
        /// The value.
        value: f32,
        /// What would be one.
        expected: String,
    },
    /// Classes with several tasks.
    #[error("{tasks} tasks with classes; one is supported")]
    Tasks {
        /// Number of tasks.
        tasks: usize,
    },
}

/// Sequences with what is to be predicted from them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SequenceSet {
    /// A name for each row; names need not differ.
    pub names: Vec<String>,
    /// Upper-case IUPAC letters.
    pub sequences: Vec<Vec<u8>>,
    /// Where each sequence lies, as far as that is known.
    pub loci: Vec<Option<Locus>>,
    /// Names of the tasks.
    pub tasks: Vec<String>,
    /// What the targets mean.
    pub labels: Labels,
    /// `[rows, tasks]`, row-major; not a number where the target is missing.
    pub targets: Vec<f32>,
    /// Rows of one group (a gene family, a pair) that must stay in one part of a split.
    pub groups: Option<Vec<u64>>,
}

impl SequenceSet {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Checks that all columns fit together, letters are nucleotides, and targets are what `labels` says.
    ///
    /// # Errors
    /// [`DatasetError`] with the row and the reason.
    pub fn check(&self) -> Result<(), DatasetError> {
        let (rows, tasks) = (self.len(), self.tasks.len());
        if rows == 0 || tasks == 0 {
            return Err(DatasetError::Empty { what: if rows == 0 { "rows" } else { "tasks" } });
        }
        let groups = self.groups.as_ref().map_or(rows, Vec::len);
        for (what, found, expected) in [
            ("names", self.names.len(), rows),
            ("loci", self.loci.len(), rows),
            ("groups", groups, rows),
            ("targets", self.targets.len(), rows * tasks),
        ] {
            if found != expected {
                return Err(DatasetError::Length { what, found, expected, rows });
            }
        }
        if tasks > 1 && matches!(self.labels, Labels::Classes(_)) {
            return Err(DatasetError::Tasks { tasks });
        }
        for (row, (sequence, name)) in self.sequences.iter().zip(&self.names).enumerate() {
            let problem = match normalise(sequence) {
                Err(error) => error.to_string(),
                Ok(_) if sequence.is_empty() => "no bases".to_owned(),
                Ok(upper) if upper != *sequence => "letters must be capitals, T for U".to_owned(),
                Ok(_) => continue,
            };
            return Err(DatasetError::Sequence { row: row + 1, name: name.clone(), problem });
        }
        match self.targets.iter().position(|&value| !self.labels.allow(value)) {
            None => Ok(()),
            Some(place) => Err(DatasetError::Target {
                row: place / tasks + 1,
                name: self.names[place / tasks].clone(),
                task: self.tasks[place % tasks].clone(),
                value: self.targets[place],
                expected: self.labels.expected(),
            }),
        }
    }

    /// The given rows, in that order.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn select(&self, rows: &[usize]) -> Self {
        let tasks = self.tasks.len();
        Self {
            names: rows.iter().map(|&row| self.names[row].clone()).collect(),
            sequences: rows.iter().map(|&row| self.sequences[row].clone()).collect(),
            loci: rows.iter().map(|&row| self.loci[row].clone()).collect(),
            tasks: self.tasks.clone(),
            labels: self.labels.clone(),
            targets: rows.iter().flat_map(|&row| &self.targets[row * tasks..(row + 1) * tasks]).copied().collect(),
            groups: self.groups.as_ref().map(|groups| rows.iter().map(|&row| groups[row]).collect()),
        }
    }

    /// The target of a row, `None` where it is missing.
    ///
    /// # Panics
    /// If the row or the task is not there.
    pub fn target(&self, row: usize, task: usize) -> Option<f32> {
        assert!(task < self.tasks.len(), "task {task} of {}", self.tasks.len());
        Some(self.targets[row * self.tasks.len() + task]).filter(|value| !value.is_nan())
    }

    /// Bases of the longest sequence.
    pub fn longest(&self) -> usize {
        self.sequences.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The rows of `other` behind these.
    ///
    /// # Errors
    /// [`DatasetError::Length`] if the tasks differ in number; the names and labels of this set stay.
    pub fn append(&mut self, other: Self) -> Result<(), DatasetError> {
        if other.tasks.len() != self.tasks.len() {
            let (found, expected, rows) = (other.tasks.len(), self.tasks.len(), other.len());
            return Err(DatasetError::Length { what: "tasks", found, expected, rows });
        }
        let (before, added) = (self.len(), other.len());
        self.groups = match (self.groups.take(), other.groups) {
            (None, None) => None,
            (mine, theirs) => {
                // Rows without a group are each their own; numbers of the two sets are kept apart.
                let mut groups = mine.unwrap_or_else(|| (0..before as u64).collect());
                let next = groups.iter().max().map_or(0, |last| last.saturating_add(1));
                let theirs = theirs.unwrap_or_else(|| (0..added as u64).collect());
                groups.extend(theirs.into_iter().map(|group| group.saturating_add(next)));
                Some(groups)
            }
        };
        self.names.extend(other.names);
        self.sequences.extend(other.sequences);
        self.loci.extend(other.loci);
        self.targets.extend(other.targets);
        Ok(())
    }
}

impl Labels {
    fn allow(&self, value: f32) -> bool {
        value.is_nan()
            || match self {
                Self::Binary => value == 0.0 || value == 1.0,
                Self::Classes(classes) => value >= 0.0 && value.fract() == 0.0 && value < classes.len() as f32,
                Self::Values => value.is_finite(),
            }
    }

    fn expected(&self) -> String {
        match self {
            Self::Binary => "0 or 1".to_owned(),
            Self::Classes(classes) => format!("a class from 0 to {}", classes.len().saturating_sub(1)),
            Self::Values => "any finite number".to_owned(),
        }
    }
}

/// Expression of genes in samples, with a class for each sample where there are any.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpressionSet {
    /// Names of the samples or cells.
    pub samples: Vec<String>,
    /// Names of the genes.
    pub genes: Vec<String>,
    /// `[samples, genes]`, row-major.
    pub values: Vec<f32>,
    /// Names of the classes; empty if the samples have none.
    pub classes: Vec<String>,
    /// Index of the class of each sample; empty if they have none.
    pub labels: Vec<usize>,
}

impl ExpressionSet {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Expression of all genes in one sample.
    ///
    /// # Panics
    /// If the sample is not there.
    pub fn row(&self, sample: usize) -> &[f32] {
        &self.values[sample * self.genes.len()..(sample + 1) * self.genes.len()]
    }

    /// The given samples, in that order.
    ///
    /// # Panics
    /// If a sample is not there.
    pub fn select(&self, samples: &[usize]) -> Self {
        let labels: &[usize] = if self.labels.is_empty() { &[] } else { samples };
        Self {
            samples: samples.iter().map(|&sample| self.samples[sample].clone()).collect(),
            genes: self.genes.clone(),
            values: samples.iter().flat_map(|&sample| self.row(sample)).copied().collect(),
            classes: self.classes.clone(),
            labels: labels.iter().map(|&sample| self.labels[sample]).collect(),
        }
    }

    /// The same with the classes `classes`, in their order.
    ///
    /// # Errors
    /// The first class of a sample that is none of them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, String> {
        let place = |class: &String| classes.iter().position(|known| known == class);
        let of = |&label: &usize| place(&self.classes[label]).ok_or_else(|| self.classes[label].clone());
        self.labels = self.labels.iter().map(of).collect::<Result<_, String>>()?;
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// The same with the genes of these names, in this order.
    ///
    /// # Errors
    /// The first name that is no gene of the set.
    pub fn with_genes(mut self, names: &[String]) -> Result<Self, String> {
        let place = |name: &String| self.genes.iter().position(|gene| gene == name).ok_or_else(|| name.clone());
        let places = names.iter().map(place).collect::<Result<Vec<usize>, String>>()?;
        self.values = (0..self.len())
            .flat_map(|row| places.iter().map(|&gene| self.row(row)[gene]).collect::<Vec<f32>>())
            .collect();
        self.genes = names.to_vec();
        Ok(self)
    }

    /// Checks that all columns fit together and values are finite.
    ///
    /// # Errors
    /// [`DatasetError`] with the sample and the reason.
    pub fn check(&self) -> Result<(), DatasetError> {
        let (rows, genes) = (self.len(), self.genes.len());
        if rows == 0 || genes == 0 {
            return Err(DatasetError::Empty { what: if rows == 0 { "samples" } else { "genes" } });
        }
        let labels = if self.labels.is_empty() && self.classes.is_empty() { 0 } else { rows };
        for (what, found, expected) in
            [("values", self.values.len(), rows * genes), ("labels", self.labels.len(), labels)]
        {
            if found != expected {
                return Err(DatasetError::Length { what, found, expected, rows });
            }
        }
        let target = |row: usize, task: &str, value: f32, expected: String| {
            let name = self.samples[row].clone();
            Err(DatasetError::Target { row: row + 1, name, task: task.to_owned(), value, expected })
        };
        if let Some(place) = self.values.iter().position(|value| !value.is_finite()) {
            let (row, gene) = (place / genes, place % genes);
            return target(row, &self.genes[gene], self.values[place], "any finite number".to_owned());
        }
        match self.labels.iter().position(|&label| label >= self.classes.len()) {
            Some(row) => {
                let expected = format!("a class from 0 to {}", self.classes.len().saturating_sub(1));
                target(row, "class", self.labels[row] as f32, expected)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
