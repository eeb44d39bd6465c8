//! Numbers from records: tables, vocabularies, grids and sequences, all of them made from [`View`]s, which end at the
//! prediction time.
//!
//! | what | configured by | fitted | gives |
//! |---|---|---|---|
//! | table | [`Recipe`] | [`FittedRecipe`] | a row of numbers for each view: last, mean, extremes, counts, age |
//! | standardised table | [`ScalerConfig`] | [`Scaler`] | the same without gaps, mean 0 and deviation 1 |
//! | codes | [`VocabularyConfig`] | [`Vocabulary`] | ids, with a back-off for codes that training never had |
//! | visits | [`SequenceConfig`] | (a vocabulary) | ids visit by visit, and the days between visits |
//! | series | [`SeriesConfig`] | [`FittedSeries`] | values, masks and intervals in steps of time |
//!
//! What is fitted is fitted on views of the training part alone, and says so: its [`Provenance`] names the subjects it
//! has seen, and the audit refuses what has seen others.
//!
//! ```
//! use ehr::events::EventsBuilder;
//! use ehr::features::Recipe;
//! use ehr::time::Time;
//! let mut builder = EventsBuilder::new();
//! let noon = Time::from_civil(2130, 4, 1, 12, 0, 0);
//! builder.push(1, noon, "LAB//GLUCOSE", Some(95.0), None);
//! builder.push(1, Time::from_civil(2130, 4, 2, 12, 0, 0), "LAB//GLUCOSE", Some(180.0), None);
//! let events = builder.finish()?;
//! let view = events.subject(0).as_of(noon.unwrap_or(Time(0)));
//! let recipe = Recipe { min_subjects: 1, ..Recipe::default() }.fit(&[view.clone()])?;
//! // the second value is behind the prediction time
//! assert_eq!(recipe.names()[..2], ["LAB//GLUCOSE|last", "LAB//GLUCOSE|mean"]);
//! assert_eq!(recipe.apply(&view)[..2], [95.0, 95.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod provenance;
mod recipe;
mod scaler;
mod seen;
mod sequence;
mod series;
mod statistic;
mod vocabulary;

pub use self::provenance::Provenance;
pub use self::recipe::{FittedRecipe, Recipe};
pub use self::scaler::{Impute, Scaler, ScalerConfig};
pub use self::sequence::{SequenceConfig, sequence};
pub use self::series::{FittedSeries, Series, SeriesConfig};
pub use self::statistic::Statistic;
pub use self::vocabulary::{Encoder, Vocabulary, VocabularyConfig};
pub use crate::systems::{PADDING, UNKNOWN};

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use crate::view::View;

/// Why features cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing to fit on.
    #[error("there are no views to fit on; the training part of the split has no labels")]
    NoViews,
    /// Views of two data sets.
    #[error("the views are of different data sets, whose codes are numbered differently; merge the events first")]
    Codebooks,
    /// Variables that training does not have.
    #[error(
        "{missing} of the {variables} variables never occur with a value in the training part, the first of them \
         {name:?}; check its spelling, or leave it out"
    )]
    NoSuchVariable {
        /// How many do not occur.
        missing: usize,
        /// How many were asked for.
        variables: usize,
        /// The first that does not.
        name: String,
    },
    /// Nothing to make features of.
    #[error("no code occurs in {min_subjects} or more training subjects, so there is nothing to make {what} of")]
    Nothing {
        /// Features, a vocabulary or a series.
        what: &'static str,
        /// The least number of subjects.
        min_subjects: usize,
    },
    /// A table of other columns than those fitted on.
    #[error("the table has {found} columns, but was fitted on {expected}; make it with the same recipe")]
    Columns {
        /// Columns found.
        found: usize,
        /// Columns expected.
        expected: usize,
    },
    /// A parameter that is not usable.
    #[error("a vocabulary names {code:?} twice; its file has been changed")]
    Twice {
        /// The code.
        code: String,
    },
}

/// Rows of numbers with named columns. What was not observed is NaN.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Names of the columns.
    pub names: Vec<String>,
    /// `[rows, columns]`, row-major.
    pub values: Vec<f32>,
}

impl Table {
    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.names.len()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.names.len()).unwrap_or(0)
    }

    /// A row.
    ///
    /// # Panics
    /// If it is not there.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns()..(row + 1) * self.columns()]
    }

    /// The values of a column.
    ///
    /// # Panics
    /// If it is not there.
    pub fn column(&self, column: usize) -> impl Iterator<Item = f32> + '_ {
        assert!(column < self.columns(), "there is no column {column}, only {}", self.columns());
        self.values.iter().skip(column).step_by(self.columns()).copied()
    }

    /// The given rows, in that order.
    ///
    /// # Panics
    /// If a row is not there.
    pub fn select(&self, rows: &[usize]) -> Self {
        let values = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Self { names: self.names.clone(), values }
    }

    /// Share of the values that were not observed, 0 to 1.
    pub fn missing(&self) -> f64 {
        let missing = self.values.iter().filter(|value| value.is_nan()).count();
        if missing == 0 { 0.0 } else { missing as f64 / self.values.len() as f64 }
    }
}

#[cfg(test)]
mod tests;
