//! Labels: what is to be predicted, for whom, and as of when, as the MEDS label schema 0.4.1 has it.
//!
//! A label names a subject, a prediction time and a value. Data **up to and including** the prediction time may be used
//! for it; [`views`] makes of each label the [`View`] that ends there, and nothing else of the subject can be seen
//! through it. Labels of times to an event are [`Outcome`](crate::survival::Outcome)s.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::events::Events;
use crate::time::Time;
use crate::view::View;

/// Why labels cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// No label at all.
    #[error("there are no labels; check that the cohort's index codes occur in the data")]
    Empty,
    /// A label of a subject that the data does not have.
    #[error("label {row} is of subject {subject}, which is not among the {subjects} subjects of the data")]
    NoSuchSubject {
        /// Row of the label, from 0.
        row: usize,
        /// The subject.
        subject: i64,
        /// How many subjects there are.
        subjects: usize,
    },
    /// A label of another kind than wanted.
    #[error("label {row}, of subject {subject}, is {found}, but this task needs {expected} values")]
    Kind {
        /// Row of the label, from 0.
        row: usize,
        /// The subject.
        subject: i64,
        /// Kind of the label.
        found: LabelKind,
        /// Kind needed.
        expected: LabelKind,
    },
    /// A value that is no number.
    #[error("label {row}, of subject {subject}, is {value}, but must be a finite number")]
    NotFinite {
        /// Row of the label, from 0.
        row: usize,
        /// The subject.
        subject: i64,
        /// The value.
        value: f32,
    },
    /// A question with two answers.
    #[error("subject {subject} has the labels {first} and {second} at {prediction_time}; keep one of them")]
    Conflict {
        /// The subject.
        subject: i64,
        /// The time of both.
        prediction_time: Time,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
}

/// What kind of value a label has: which of the value columns of the schema is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelKind {
    /// `boolean_value`.
    Boolean,
    /// `integer_value`.
    Integer,
    /// `float_value`.
    Float,
    /// `categorical_value`.
    Categorical,
}

impl LabelKind {
    /// Name, as records spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Categorical => "categorical",
        }
    }
}

impl fmt::Display for LabelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Value of a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelValue {
    /// Whether it happened.
    Boolean(bool),
    /// A count or a rank.
    Integer(i64),
    /// A measurement or a duration; its unit is the task's.
    Float(f32),
    /// A name.
    Categorical(String),
}

impl LabelValue {
    /// Its kind.
    pub fn kind(&self) -> LabelKind {
        match self {
            Self::Boolean(_) => LabelKind::Boolean,
            Self::Integer(_) => LabelKind::Integer,
            Self::Float(_) => LabelKind::Float,
            Self::Categorical(_) => LabelKind::Categorical,
        }
    }

    /// The value of a yes-or-no label, `None` of another.
    pub fn boolean(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    /// The value as a number: 0 or 1 of a yes-or-no label; `None` of a name.
    pub fn number(&self) -> Option<f32> {
        match self {
            Self::Boolean(value) => Some(f32::from(u8::from(*value))),
            Self::Integer(value) => Some(*value as f32),
            Self::Float(value) => Some(*value),
            Self::Categorical(_) => None,
        }
    }
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Categorical(value) => f.write_str(value),
        }
    }
}

/// What is to be predicted of a subject, as of a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The subject.
    pub subject: i64,
    /// Up to and including this time, data may be used. No event need be at it.
    pub prediction_time: Time,
    /// What should have been predicted.
    pub value: LabelValue,
}

impl Label {
    /// A yes-or-no label.
    pub fn boolean(subject: i64, prediction_time: Time, value: bool) -> Self {
        Self { subject, prediction_time, value: LabelValue::Boolean(value) }
    }
}

/// Order in which label files are written: by subject, then by time.
pub fn order(a: &Label, b: &Label) -> Ordering {
    (a.subject, a.prediction_time).cmp(&(b.subject, b.prediction_time))
}

/// Sorts labels by subject and time; labels of one subject and time keep their order.
pub fn sort(labels: &mut [Label]) {
    labels.sort_by(order);
}

/// The one kind that all labels have.
///
/// # Errors
/// [`LabelError::Empty`]; [`LabelError::Kind`] for the first label of another kind than the first.
pub fn kind(labels: &[Label]) -> Result<LabelKind, LabelError> {
    let expected = labels.first().ok_or(LabelError::Empty)?.value.kind();
    match labels.iter().enumerate().find(|(_, label)| label.value.kind() != expected) {
        Some((row, label)) => {
            Err(LabelError::Kind { row, subject: label.subject, found: label.value.kind(), expected })
        }
        None => Ok(expected),
    }
}

/// The values of yes-or-no labels.
///
/// # Errors
/// [`LabelError::Kind`] for the first label of another kind.
pub fn booleans(labels: &[Label]) -> Result<Vec<bool>, LabelError> {
    let value = |(row, label): (usize, &Label)| {
        let (subject, found) = (label.subject, label.value.kind());
        label.value.boolean().ok_or(LabelError::Kind { row, subject, found, expected: LabelKind::Boolean })
    };
    labels.iter().enumerate().map(value).collect()
}

/// The values of labels that are numbers; yes is 1.
///
/// # Errors
/// [`LabelError::Kind`] for a name, [`LabelError::NotFinite`].
pub fn numbers(labels: &[Label]) -> Result<Vec<f32>, LabelError> {
    let value = |(row, label): (usize, &Label)| {
        let (subject, found) = (label.subject, label.value.kind());
        let number = label.value.number();
        let value = number.ok_or(LabelError::Kind { row, subject, found, expected: LabelKind::Float })?;
        if value.is_finite() { Ok(value) } else { Err(LabelError::NotFinite { row, subject, value }) }
    };
    labels.iter().enumerate().map(value).collect()
}

/// Checks that there are labels, that they are of one kind and finite, and that no subject has two values at one time.
///
/// # Errors
/// [`LabelError`] for the first label that is wrong.
pub fn check(labels: &[Label]) -> Result<LabelKind, LabelError> {
    let kind = kind(labels)?;
    let mut known: BTreeMap<(i64, Time), &LabelValue> = BTreeMap::new();
    for (row, label) in labels.iter().enumerate() {
        if let LabelValue::Float(value) = label.value
            && !value.is_finite()
        {
            return Err(LabelError::NotFinite { row, subject: label.subject, value });
        }
        let first = *known.entry((label.subject, label.prediction_time)).or_insert(&label.value);
        if *first != label.value {
            return Err(LabelError::Conflict {
                subject: label.subject,
                prediction_time: label.prediction_time,
                first: first.to_string(),
                second: label.value.to_string(),
            });
        }
    }
    Ok(kind)
}

/// What may be seen of each label's subject: its record up to the prediction time. From here on, features and sequences
/// are made of views, and no later event can reach them.
///
/// # Errors
/// [`LabelError::NoSuchSubject`] for the first label whose subject is not in the data.
pub fn views<'a>(events: &'a Events, labels: &[Label]) -> Result<Vec<View<'a>>, LabelError> {
    let view = |(row, label): (usize, &Label)| -> Result<View<'a>, LabelError> {
        let subject = events.find(label.subject).ok_or_else(|| LabelError::NoSuchSubject {
            row,
            subject: label.subject,
            subjects: events.subjects(),
        })?;
        Ok(subject.as_of(label.prediction_time))
    };
    labels.iter().enumerate().map(view).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(subject: i64, time: i64, value: LabelValue) -> Label {
        Label { subject, prediction_time: Time(time), value }
    }

    #[test]
    fn labels_of_one_kind_become_columns() {
        let labels = [Label::boolean(2, Time(5), true), Label::boolean(1, Time(9), false)];
        assert_eq!(check(&labels).unwrap(), LabelKind::Boolean);
        assert_eq!(booleans(&labels).unwrap(), [true, false]);
        assert_eq!(numbers(&labels).unwrap(), [1.0, 0.0]);
        let mixed = [label(1, 0, LabelValue::Float(0.5)), label(3, 0, LabelValue::Integer(4))];
        assert_eq!(numbers(&mixed).unwrap(), [0.5, 4.0]);
        let error = kind(&mixed).unwrap_err().to_string();
        assert_eq!(error, "label 1, of subject 3, is integer, but this task needs float values");
        assert!(booleans(&mixed).is_err() && numbers(&[label(1, 0, LabelValue::Categorical("x".into()))]).is_err());
        assert!(matches!(check(&[]), Err(LabelError::Empty)));
    }

    #[test]
    fn order_is_by_subject_then_time_and_stable() {
        let mut labels = vec![
            label(2, 1, LabelValue::Integer(0)),
            label(1, 7, LabelValue::Integer(1)),
            label(1, 3, LabelValue::Integer(2)),
            label(1, 3, LabelValue::Integer(3)),
        ];
        sort(&mut labels);
        let values: Vec<f32> = labels.iter().filter_map(|label| label.value.number()).collect();
        assert_eq!(values, [2.0, 3.0, 1.0, 0.0]);
    }

    #[test]
    fn a_subject_has_one_answer_at_a_time() {
        let same = [Label::boolean(4, Time(0), true), Label::boolean(4, Time(0), true)];
        assert!(check(&same).is_ok());
        let error = check(&[Label::boolean(4, Time(0), true), Label::boolean(4, Time(0), false)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "subject 4 has the labels true and false at 1970-01-01 00:00:00; keep one of them"
        );
        let error = check(&[label(4, 0, LabelValue::Float(f32::NAN))]).unwrap_err();
        assert_eq!(error.to_string(), "label 0, of subject 4, is NaN, but must be a finite number");
    }
}
