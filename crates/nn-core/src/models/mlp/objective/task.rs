//! What is to be learnt from a table, and what makes a table unusable.

/// What is to be predicted for each row of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One of `count` classes, by cross-entropy of the softmax over as many logits.
    Classes {
        /// Number of classes.
        count: usize,
        /// The class of each row, below `count`.
        rows: Vec<usize>,
    },
    /// Several answers that are no (0) or yes (1), by binary cross-entropy of one logit each.
    Labels {
        /// Number of labels.
        width: usize,
        /// `width` values for each row, one row behind the other, 0 to 1.
        values: Vec<f32>,
    },
    /// Several numbers, by squared error.
    Values {
        /// Numbers for each row.
        width: usize,
        /// `width` values for each row, one row behind the other.
        values: Vec<f32>,
    },
}

impl Targets {
    /// Logits that the targets need.
    pub fn width(&self) -> usize {
        match self {
            Self::Classes { count, .. } => *count,
            Self::Labels { width, .. } | Self::Values { width, .. } => *width,
        }
    }

    /// Numbers that hold the targets of one row, and their weights.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Classes { .. } => 1,
            Self::Labels { width, .. } | Self::Values { width, .. } => *width,
        }
    }
}

/// Targets, and how much they count.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// What the task's metrics are called after when there are several tasks.
    pub name: String,
    /// What is to be predicted.
    pub targets: Targets,
    /// Weight of each target, 0 for one that is not known: one number a row for classes, otherwise as the values lie.
    /// A target that is not known may have any value of its range. Absent if all count the same.
    pub mask: Option<Vec<f32>>,
    /// Factor of the task's mean loss, 0 or more.
    pub weight: f32,
}

impl Task {
    /// A task of weight 1 whose targets are all known.
    pub fn new(name: &str, targets: Targets) -> Self {
        Self { name: name.to_owned(), targets, mask: None, weight: 1.0 }
    }

    /// The same task with weights of the targets.
    pub fn with_mask(mut self, mask: Vec<f32>) -> Self {
        self.mask = Some(mask);
        self
    }

    /// The same task with another factor of its loss.
    pub fn with_weight(mut self, weight: f32) -> Self {
        self.weight = weight;
        self
    }
}

/// A table that cannot be learnt from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// Two parts do not have the same rows.
    #[error("{what} has {found} numbers, {expected} are needed for {rows} rows")]
    Length {
        /// The part.
        what: String,
        /// Numbers it has.
        found: usize,
        /// Numbers it should have.
        expected: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A number that its place does not allow.
    #[error("{what} of row {row} is {value}; allowed: {allowed}")]
    Value {
        /// The part.
        what: String,
        /// Row, from 0.
        row: usize,
        /// The number found.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
    /// A property of a task that is out of its range.
    #[error("the {what} of task {task} is {value}; allowed: {allowed}")]
    Task {
        /// The property.
        what: &'static str,
        /// Name of the task.
        task: String,
        /// The number found.
        value: String,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// No tasks, or no columns.
    #[error("the table has {columns} columns and {tasks} tasks; it needs at least one of each")]
    Empty {
        /// Columns of the features.
        columns: usize,
        /// Number of tasks.
        tasks: usize,
    },
    /// A row that the table does not have.
    #[error("row {row} was asked for, the table has {rows}")]
    Row {
        /// The row, from 0.
        row: usize,
        /// Rows of the table.
        rows: usize,
    },
    /// A model of another width.
    #[error("the model has {found} outputs, the tasks need {expected}")]
    Width {
        /// Outputs of the model.
        found: usize,
        /// Sum of the tasks' widths.
        expected: usize,
    },
}

pub(super) fn check_length(what: &str, found: usize, expected: usize, rows: usize) -> Result<(), TableError> {
    if found == expected { Ok(()) } else { Err(TableError::Length { what: what.to_owned(), found, expected, rows }) }
}

pub(super) fn check_values(
    what: &str,
    values: &[f32],
    width: usize,
    allowed: impl Fn(f32) -> bool,
    text: &str,
) -> Result<(), TableError> {
    match values.iter().position(|&value| !allowed(value)) {
        Some(at) => Err(TableError::Value {
            what: what.to_owned(),
            row: at / width.max(1),
            value: values[at].to_string(),
            allowed: text.to_owned(),
        }),
        None => Ok(()),
    }
}

pub(super) fn check_rows(rows: &[usize], count: usize) -> Result<(), TableError> {
    match rows.iter().find(|&&row| row >= count) {
        Some(&row) => Err(TableError::Row { row, rows: count }),
        None => Ok(()),
    }
}

pub(super) fn check_task(task: &Task, rows: usize) -> Result<(), TableError> {
    let (name, entries) = (&task.name, task.targets.entries());
    let what = format!("task {name}");
    match &task.targets {
        Targets::Classes { count, rows: classes } => {
            check_length(&what, classes.len(), rows, rows)?;
            if let Some(row) = classes.iter().position(|class| class >= count) {
                let (value, allowed) = (classes[row].to_string(), format!("classes below {count}"));
                return Err(TableError::Value { what, row, value, allowed });
            }
        }
        Targets::Labels { values, .. } => {
            check_length(&what, values.len(), rows * entries, rows)?;
            check_values(&what, values, entries, |value| (0.0..=1.0).contains(&value), "0 to 1")?;
        }
        Targets::Values { values, .. } => {
            check_length(&what, values.len(), rows * entries, rows)?;
            check_values(&what, values, entries, f32::is_finite, "finite numbers")?;
        }
    }
    if let Some(mask) = &task.mask {
        let what = format!("the mask of task {name}");
        check_length(&what, mask.len(), rows * entries, rows)?;
        check_values(&what, mask, entries, |value| value.is_finite() && value >= 0.0, "finite weights, 0 or more")?;
    }
    let fault = |what, value, allowed| Err(TableError::Task { what, task: name.clone(), value, allowed });
    if task.targets.width() == 0 {
        return fault("width", "0".to_owned(), "1 or more");
    }
    if !(task.weight.is_finite() && task.weight >= 0.0) {
        return fault("weight", task.weight.to_string(), "a finite factor, 0 or more");
    }
    Ok(())
}
