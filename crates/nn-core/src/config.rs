//! Checks that every configuration passes before anything is built from it.

use std::fmt::Display;
use std::ops::RangeInclusive;

/// A configuration that cannot be used, with the field, the value and what would be allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number outside its range.
    #[error("{field} = {value} is out of range; allowed: {allowed}")]
    OutOfRange {
        /// Name of the field as the configuration file spells it.
        field: &'static str,
        /// The value found.
        value: String,
        /// The range or list that would have been accepted.
        allowed: String,
    },
    /// A name that is not one of the known ones.
    #[error("{field} = {value:?} is not known; use one of: {known}")]
    Unknown {
        /// Name of the field.
        field: &'static str,
        /// The value found.
        value: String,
        /// The accepted values, comma separated.
        known: String,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(String),
}

/// Checks that `value` lies in `range`, ends included.
///
/// ```
/// use nn_core::config::in_range;
/// assert!(in_range("dropout", 0.1, 0.0..=0.9).is_ok());
/// let error = in_range("dropout", 1.5, 0.0..=0.9).unwrap_err();
/// assert_eq!(error.to_string(), "dropout = 1.5 is out of range; allowed: 0 to 0.9");
/// ```
///
/// # Errors
/// [`ConfigError::OutOfRange`] with the field, the value and the range; NaN is always outside.
pub fn in_range<T: PartialOrd + Display>(
    field: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        field,
        value: value.to_string(),
        allowed: format!("{} to {}", range.start(), range.end()),
    })
}
