//! A row of numbers from each view: statistics of measurements in windows, counts of codes, what does not change, age.

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::seen::{Seen, chosen, codebook, seen};
use super::statistic::{Moments, Statistic};
use super::{FeatureError, Provenance, Table};
use crate::codebook::{CodeId, Codebook};
use crate::cohort::matching;
use crate::time::{Span, Time};
use crate::view::View;

/// Stands for no column.
const NONE: u32 = u32::MAX;

/// Which numbers are made of a view. The default is the row that a logistic regression on an intensive-care stay gets:
/// last, mean, least and greatest value and the number of values of every measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Codes of measurements; if none is named, all that have a value in `min_subjects` training subjects.
    pub variables: Vec<String>,
    /// What is made of the values of each.
    pub statistics: Vec<Statistic>,
    /// Times before the prediction time, each with statistics and counts of its own; without any, all that is known.
    pub windows: Vec<Span>,
    /// Whether events of codes without values are counted, code by code.
    pub counts: bool,
    /// Whether what has no time is a column: its value, or 1 where it is known and 0 where not.
    pub statics: bool,
    /// Whether the age is a column, in years.
    pub age: bool,
    /// Ages above are this; some data sets move the oldest to about 300 years, others write "> 89".
    pub age_cap: f64,
    /// Training subjects that a code must occur in, from 1 on.
    pub min_subjects: usize,
    /// Patterns of codes that are left out, as in cohorts: `HOSPITAL_DISCHARGE`, `LAB//*`.
    pub exclude: Vec<String>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            variables: Vec::new(),
            statistics: vec![Statistic::Last, Statistic::Mean, Statistic::Min, Statistic::Max, Statistic::Count],
            windows: Vec::new(),
            counts: true,
            statics: true,
            age: true,
            age_cap: 90.0,
            min_subjects: 10,
            exclude: Vec::new(),
        }
    }
}

impl Recipe {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("age_cap", self.age_cap, 1.0..=150.0)?;
        in_range("min_subjects", self.min_subjects, 1..=1_000_000_000)?;
        in_range("windows", self.windows.len(), 0..=20)?;
        if let Some(window) = self.windows.iter().find(|window| window.0 <= 0) {
            return Err(ConfigError::Conflict(format!("windows has {window}, but a window is longer than nothing")));
        }
        if self.statistics.is_empty() && !self.variables.is_empty() {
            let problem = "statistics is empty, so the variables give no column; name one, such as \"last\"";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        Ok(())
    }

    /// Finds the codes that become columns, on views of the training part alone.
    ///
    /// # Errors
    /// [`FeatureError`] without views, without columns, or with a variable that training does not have.
    pub fn fit(&self, views: &[View<'_>]) -> Result<FittedRecipe, FeatureError> {
        self.validate()?;
        let book = codebook(views)?;
        let counts = seen(views)?;
        let excluded = matching(&self.exclude, book);
        let allowed = |code: CodeId| !excluded[code.index()] && !book.is_birth(code) && !book.is_death(code);
        let enough = |count: usize| count >= self.min_subjects;
        let pick = |wanted: &dyn Fn(&Seen) -> bool| chosen(book, &counts, |code, seen| allowed(code) && wanted(seen));
        let mut fitted = FittedRecipe {
            recipe: self.clone(),
            values: self.variables(book, &counts)?.unwrap_or_else(|| pick(&|seen| enough(seen.timed_value))),
            static_values: Vec::new(),
            flags: Vec::new(),
            counts: Vec::new(),
            names: Vec::new(),
            provenance: Provenance::of_views(views),
        };
        if self.statistics.is_empty() {
            fitted.values.clear();
        }
        if self.statics {
            fitted.static_values = pick(&|seen| enough(seen.static_value));
            fitted.flags = pick(&|seen| enough(seen.static_flag));
        }
        if self.counts {
            fitted.counts = pick(&|seen| {
                enough(seen.any) && !enough(seen.timed_value) && seen.static_value + seen.static_flag == 0
            });
        }
        fitted.names = fitted.column_names();
        if fitted.names.is_empty() {
            return Err(FeatureError::Nothing { what: "features", min_subjects: self.min_subjects });
        }
        Ok(fitted)
    }

    /// The variables that are named, if any is; each must have a value in training.
    fn variables(&self, book: &Codebook, counts: &[Seen]) -> Result<Option<Vec<String>>, FeatureError> {
        if self.variables.is_empty() {
            return Ok(None);
        }
        known_variables(&self.variables, book, counts)?;
        Ok(Some(self.variables.clone()))
    }
}

/// Checks that each variable has a value with a time in training.
pub(super) fn known_variables(names: &[String], book: &Codebook, counts: &[Seen]) -> Result<(), FeatureError> {
    let known =
        |name: &str| book.get(name).and_then(|code| counts.get(code.index())).is_some_and(|seen| seen.timed_value > 0);
    let missing: Vec<&String> = names.iter().filter(|name| !known(name)).collect();
    match missing.first() {
        Some(name) => {
            Err(FeatureError::NoSuchVariable { missing: missing.len(), variables: names.len(), name: (*name).clone() })
        }
        None => Ok(()),
    }
}

/// A recipe with the codes of its columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedRecipe {
    recipe: Recipe,
    values: Vec<String>,
    static_values: Vec<String>,
    flags: Vec<String>,
    counts: Vec<String>,
    names: Vec<String>,
    provenance: Provenance,
}

impl FittedRecipe {
    /// Names of the columns: code, statistic, and the window where there are any, with `|` between them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Whom the columns were chosen on.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Codes that become columns, each once.
    pub fn codes(&self) -> impl Iterator<Item = &str> + '_ {
        [&self.values, &self.static_values, &self.flags, &self.counts].into_iter().flatten().map(String::as_str)
    }

    /// The row of a view. What was not observed is NaN; counts are 0.
    pub fn apply(&self, view: &View<'_>) -> Vec<f32> {
        self.bind(view.codebook()).row(view)
    }

    /// The rows of views.
    pub fn table(&self, views: &[View<'_>]) -> Table {
        let Some(first) = views.first() else { return Table { names: self.names.clone(), values: Vec::new() } };
        let bound = self.bind(first.codebook());
        let own = |view: &View<'_>| std::ptr::eq(view.codebook(), bound.book);
        let row = |view: &View<'_>| if own(view) { bound.row(view) } else { self.apply(view) };
        let rows: Vec<Vec<f32>> = views.par_iter().map(row).collect();
        Table { names: self.names.clone(), values: rows.concat() }
    }

    /// Names of windows as columns have them; one empty name without windows.
    fn window_names(&self) -> Vec<String> {
        if self.recipe.windows.is_empty() {
            return vec![String::new()];
        }
        self.recipe.windows.iter().map(|window| format!("|{window}")).collect()
    }

    fn column_names(&self) -> Vec<String> {
        let windows = self.window_names();
        let mut names = Vec::new();
        for code in &self.values {
            for window in &windows {
                names.extend(
                    self.recipe.statistics.iter().map(|statistic| format!("{code}|{}{window}", statistic.name())),
                );
            }
        }
        names.extend(self.static_values.iter().map(|code| format!("{code}|static")));
        names.extend(self.flags.iter().map(|code| format!("{code}|is")));
        for code in &self.counts {
            names.extend(windows.iter().map(|window| format!("{code}|events{window}")));
        }
        if self.recipe.age {
            names.push("age".to_owned());
        }
        names
    }

    /// The columns of the codes of one codebook.
    fn bind<'a>(&'a self, book: &'a Codebook) -> Bound<'a> {
        let mut slots = vec![Slots { value: NONE, static_value: NONE, flag: NONE, count: NONE }; book.len()];
        let mut set = |names: &[String], slot: &dyn Fn(&mut Slots) -> &mut u32| {
            for (place, name) in names.iter().enumerate() {
                if let Some(code) = book.get(name) {
                    *slot(&mut slots[code.index()]) = place as u32;
                }
            }
        };
        set(&self.values, &|slots| &mut slots.value);
        set(&self.static_values, &|slots| &mut slots.static_value);
        set(&self.flags, &|slots| &mut slots.flag);
        set(&self.counts, &|slots| &mut slots.count);
        Bound { fitted: self, book, slots }
    }
}

/// Columns of a code, by what its events have.
#[derive(Debug, Clone, Copy)]
struct Slots {
    value: u32,
    static_value: u32,
    flag: u32,
    count: u32,
}

/// A fitted recipe for the numbers of one codebook.
#[derive(Debug)]
struct Bound<'a> {
    fitted: &'a FittedRecipe,
    book: &'a Codebook,
    slots: Vec<Slots>,
}

impl Bound<'_> {
    fn row(&self, view: &View<'_>) -> Vec<f32> {
        let fitted = self.fitted;
        let now = view.prediction_time();
        let starts: Vec<Option<Time>> = match fitted.recipe.windows.as_slice() {
            [] => vec![None],
            windows => windows.iter().map(|window| Some(now.minus(*window))).collect(),
        };
        let windows = starts.len();
        let mut moments = vec![Moments::default(); fitted.values.len() * windows];
        let mut statics = vec![f32::NAN; fitted.static_values.len()];
        let mut flags = vec![0.0_f32; fitted.flags.len()];
        let mut counts = vec![0.0_f32; fitted.counts.len() * windows];
        for event in view.events() {
            let slots = self.slots[event.code.index()];
            match (event.time, event.value) {
                (None, Some(value)) if slots.static_value != NONE => statics[slots.static_value as usize] = value,
                (None, None) if slots.flag != NONE => flags[slots.flag as usize] = 1.0,
                (Some(time), value) => {
                    let within = |window: &usize| starts[*window].is_none_or(|start| time > start);
                    for window in (0..windows).filter(within) {
                        if let (Some(value), true) = (value, slots.value != NONE) {
                            let hours = now.since(time).in_hours();
                            moments[slots.value as usize * windows + window].push(value, hours);
                        }
                        if slots.count != NONE {
                            counts[slots.count as usize * windows + window] += 1.0;
                        }
                    }
                }
                _ => {}
            }
        }
        let mut row = Vec::with_capacity(fitted.names.len());
        for moments in &moments {
            row.extend(fitted.recipe.statistics.iter().map(|statistic| moments.get(*statistic)));
        }
        row.extend(statics);
        row.extend(flags);
        row.extend(counts);
        if fitted.recipe.age {
            row.push(view.age().map_or(f32::NAN, |age| age.in_years().min(fitted.recipe.age_cap) as f32));
        }
        row
    }
}
