//! Measurements as series on a grid of time: values, masks and intervals, as GRU-D reads them (Che et al. 2018,
//! Scientific Reports 8:6085, section "Methods").

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::recipe::known_variables;
use super::seen::{chosen, codebook, seen};
use super::{FeatureError, FittedRecipe, Provenance, Recipe, Scaler, ScalerConfig, Table};
use crate::codebook::Codebook;
use crate::cohort::matching;
use crate::systems::gru_d::{SeriesRow, intervals};
use crate::time::{Span, Time};
use crate::view::View;

/// Stands for no variable.
const NONE: u32 = u32::MAX;

/// How a record becomes a series.
// each of these is a choice of its own
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeriesConfig {
    /// Codes of the measurements; if none is named, all that have a value in `min_subjects` training subjects.
    pub variables: Vec<String>,
    /// Training subjects that a code must occur in, from 1 on.
    pub min_subjects: usize,
    /// How far back from the prediction time a series reaches; without it, as far as the record does.
    pub window: Option<Span>,
    /// Length of a step: what lies in one step is one observation. Zero makes a step of each time.
    pub step: Span,
    /// Whether steps without any observation stay in the series.
    pub keep_empty: bool,
    /// Whether several values of a variable in one step are averaged; otherwise the last one counts.
    pub average: bool,
    /// Steps at most, the last ones before the prediction time; from 1 on.
    pub max_steps: usize,
    /// Share of the training values at either end that values are limited to, 0 to 0.1: a typing error such as a pH of
    /// 735 must not decide about mean and deviation.
    pub clip: f64,
    /// Whether what has no time describes the series.
    pub statics: bool,
    /// Whether the age describes the series.
    pub age: bool,
    /// Patterns of codes that are left out.
    pub exclude: Vec<String>,
}

impl Default for SeriesConfig {
    fn default() -> Self {
        Self {
            variables: Vec::new(),
            min_subjects: 10,
            window: None,
            step: Span::hours(1),
            keep_empty: false,
            average: true,
            max_steps: 1_000,
            clip: 0.001,
            statics: true,
            age: true,
            exclude: Vec::new(),
        }
    }
}

impl SeriesConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("min_subjects", self.min_subjects, 1..=1_000_000_000)?;
        in_range("step", self.step, Span::ZERO..=Span::years(10))?;
        in_range("max_steps", self.max_steps, 1..=1_000_000)?;
        in_range("clip", self.clip, 0.0..=0.1)?;
        if let Some(window) = self.window {
            in_range("window", window, Span(1)..=Span::years(200))?;
        }
        if self.keep_empty && self.step == Span::ZERO {
            let problem = "keep_empty needs a step above zero; without steps there are no empty ones";
            return Err(ConfigError::Conflict(problem.to_owned()));
        }
        Ok(())
    }

    /// Finds the variables, and the limits, mean and deviation of their observed values, on views of the training part
    /// alone. What is missing has no part in the mean.
    ///
    /// # Errors
    /// [`FeatureError`] without views, without variables, or with a variable that training does not have.
    pub fn fit(&self, views: &[View<'_>]) -> Result<FittedSeries, FeatureError> {
        self.validate()?;
        let book = codebook(views)?;
        let counts = seen(views)?;
        let variables = if self.variables.is_empty() {
            let excluded = matching(&self.exclude, book);
            chosen(book, &counts, |code, seen| !excluded[code.index()] && seen.timed_value >= self.min_subjects)
        } else {
            known_variables(&self.variables, book, &counts)?;
            self.variables.clone()
        };
        if variables.is_empty() {
            return Err(FeatureError::Nothing { what: "a series", min_subjects: self.min_subjects });
        }
        let mut fitted = FittedSeries {
            config: self.clone(),
            limits: vec![[f32::MIN, f32::MAX]; variables.len()],
            mean: vec![0.0; variables.len()],
            deviation: vec![1.0; variables.len()],
            variables,
            statics: self.fit_statics(views)?,
            provenance: Provenance::of_views(views),
        };
        fitted.moments(views, book);
        Ok(fitted)
    }

    /// The columns that describe a series, filled and scaled.
    fn fit_statics(&self, views: &[View<'_>]) -> Result<Option<Statics>, FeatureError> {
        let recipe = Recipe {
            statistics: Vec::new(),
            counts: false,
            statics: self.statics,
            age: self.age,
            min_subjects: self.min_subjects,
            exclude: self.exclude.clone(),
            ..Recipe::default()
        };
        let recipe = match recipe.fit(views) {
            Ok(recipe) => recipe,
            // Nothing is known besides the series.
            Err(FeatureError::Nothing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let scaler = ScalerConfig::default().fit(&recipe.table(views), recipe.provenance().clone())?;
        Ok(Some(Statics { recipe, scaler }))
    }
}

/// What describes a series as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statics {
    recipe: FittedRecipe,
    scaler: Scaler,
}

/// Variables with the moments of their observed values in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedSeries {
    config: SeriesConfig,
    variables: Vec<String>,
    /// What values of each variable are limited to. Of a variable that no training window has a value of, the least and
    /// the greatest number there is: no limit, in a form that files can hold, which know no infinity.
    limits: Vec<[f32; 2]>,
    /// 0 and 1 of such a variable.
    mean: Vec<f32>,
    deviation: Vec<f32>,
    statics: Option<Statics>,
    provenance: Provenance,
}

/// Measurements of one view in steps of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Number of steps, 1 at least: a record without any measurement has one step, in which nothing was observed.
    pub steps: usize,
    /// Number of variables.
    pub variables: usize,
    /// Hours of each step since the first one, ascending.
    pub hours: Vec<f32>,
    /// `[steps, variables]`: observed values, standardised, and 0, the training mean, where there is none.
    pub values: Vec<f32>,
    /// `[steps, variables]`: 1 where a value was observed, otherwise 0.
    pub mask: Vec<f32>,
    /// `[steps, variables]`: hours since the variable was last observed in a step before, or since the first step.
    pub delta: Vec<f32>,
    /// What describes the series as a whole, standardised and without gaps.
    pub statics: Vec<f32>,
}

impl Series {
    /// The parts as GRU-D takes them.
    pub fn as_row(&self) -> SeriesRow<'_> {
        SeriesRow { values: &self.values, mask: &self.mask, delta: &self.delta, statics: &self.statics }
    }

    /// Share of values that were observed, 0 to 1.
    pub fn observed(&self) -> f64 {
        let observed = self.mask.iter().filter(|mask| **mask > 0.0).count();
        observed as f64 / self.mask.len().max(1) as f64
    }
}

impl FittedSeries {
    /// Codes of the variables.
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// Names of the columns of [`Series::statics`].
    pub fn statics(&self) -> &[String] {
        self.statics.as_ref().map_or(&[], |statics| statics.recipe.names())
    }

    /// How series are made.
    pub fn config(&self) -> &SeriesConfig {
        &self.config
    }

    /// Whom the moments were taken from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Mean and standard deviation of a variable's observed values in training, in its own unit.
    ///
    /// # Panics
    /// If there is no such variable.
    pub fn moments_of(&self, variable: usize) -> (f32, f32) {
        (self.mean[variable], self.deviation[variable])
    }

    /// The series of a view.
    ///
    /// # Errors
    /// [`FeatureError::Columns`] if the parts of a changed file do not fit together.
    pub fn apply(&self, view: &View<'_>) -> Result<Series, FeatureError> {
        self.series(view, &self.places(view.codebook()))
    }

    /// The series of views of one data set.
    ///
    /// # Errors
    /// As [`FittedSeries::apply`]; [`FeatureError::Codebooks`].
    pub fn apply_all(&self, views: &[View<'_>]) -> Result<Vec<Series>, FeatureError> {
        if views.is_empty() {
            return Ok(Vec::new());
        }
        let places = self.places(codebook(views)?);
        views.par_iter().map(|view| self.series(view, &places)).collect()
    }

    /// The variable of each code, or [`NONE`].
    fn places(&self, book: &Codebook) -> Vec<u32> {
        let mut places = vec![NONE; book.len()];
        for (place, name) in self.variables.iter().enumerate() {
            if let Some(code) = book.get(name) {
                places[code.index()] = place as u32;
            }
        }
        places
    }

    /// Time, variable and value of the observations of a view, by time.
    fn observations<'a>(&self, view: &View<'a>, places: &'a [u32]) -> impl Iterator<Item = (Time, usize, f32)> + 'a {
        let view = self.config.window.map_or_else(|| view.clone(), |window| view.within(window));
        view.timed().filter_map(move |event| {
            let place = places[event.code.index()];
            (place != NONE).then_some((event.time?, place as usize, event.value?))
        })
    }

    /// Limits, means and deviations of the observed values of training.
    fn moments(&mut self, views: &[View<'_>], book: &Codebook) {
        let places = self.places(book);
        let mut values: Vec<Vec<f32>> = vec![Vec::new(); self.variables.len()];
        for view in views {
            for (_, variable, value) in self.observations(view, &places) {
                values[variable].push(value);
            }
        }
        for (variable, values) in values.iter_mut().enumerate() {
            // A variable that is named may lie outside the window of every training view.
            if values.is_empty() {
                continue;
            }
            values.sort_unstable_by(f32::total_cmp);
            let end = (self.config.clip * values.len() as f64).floor() as usize;
            let limits = [values[end], values[values.len() - 1 - end]];
            let n = values.len() as f64;
            let limited = || values.iter().map(move |value| f64::from(value.max(limits[0]).min(limits[1])));
            let mean = limited().sum::<f64>() / n;
            let deviation = (limited().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
            self.limits[variable] = limits;
            self.mean[variable] = mean as f32;
            self.deviation[variable] = if deviation > 1e-6 * mean.abs().max(1e-6) { deviation as f32 } else { 1.0 };
        }
    }

    fn series(&self, view: &View<'_>, places: &[u32]) -> Result<Series, FeatureError> {
        let width = self.variables.len();
        if [self.limits.len(), self.mean.len(), self.deviation.len()].iter().any(|found| *found != width) {
            return Err(FeatureError::Columns { found: self.mean.len(), expected: width });
        }
        let observed: Vec<(Time, usize, f32)> = self.observations(view, places).collect();
        let cells = self.cells(view, &observed);
        let mut hours: Vec<f32> = Vec::new();
        let (mut values, mut counts): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
        let mut last = None;
        for (&(_, variable, value), &(cell, hour)) in observed.iter().zip(&cells) {
            let gap = last.map_or(1, |last: i64| cell - last);
            // With empty steps kept, a cell far behind the last one brings those in between along.
            let new = if self.config.keep_empty { gap } else { gap.min(1) }.min(self.config.max_steps as i64);
            for left in (0..new).rev() {
                hours.push(hour - (left as f64 * self.config.step.in_hours()) as f32);
            }
            values.resize(hours.len() * width, 0.0);
            counts.resize(hours.len() * width, 0.0);
            let place = (hours.len() - 1) * width + variable;
            let [low, high] = self.limits[variable];
            let scaled = (value.max(low).min(high) - self.mean[variable]) / self.deviation[variable];
            if self.config.average {
                counts[place] += 1.0;
                values[place] += (scaled - values[place]) / counts[place];
            } else {
                (counts[place], values[place]) = (1.0, scaled);
            }
            last = Some(cell);
        }
        if hours.is_empty() {
            (hours, values, counts) = (vec![0.0], vec![0.0; width], vec![0.0; width]);
        }
        let start = hours.len().saturating_sub(self.config.max_steps.max(1));
        let first = hours[start];
        let hours: Vec<f32> = hours[start..].iter().map(|hour| hour - first).collect();
        let mask: Vec<f32> = counts[start * width..].iter().map(|count| count.min(1.0)).collect();
        Ok(Series {
            steps: hours.len(),
            variables: width,
            delta: intervals(&hours, &mask, width),
            values: values[start * width..].to_vec(),
            statics: self.describe(view)?,
            hours,
            mask,
        })
    }

    /// The cell of each observation on the grid, and the hour at which the cell begins; without a grid each time is a
    /// cell. A grid with a window begins with it, one without at the first observation.
    fn cells(&self, view: &View<'_>, observed: &[(Time, usize, f32)]) -> Vec<(i64, f32)> {
        let Some(&(first, ..)) = observed.first() else { return Vec::new() };
        // Windows leave their first moment out and have their last one.
        let (start, shift) = match self.config.window {
            Some(window) => (view.prediction_time().minus(window), 1),
            None => (first, 0),
        };
        let cell = |time: Time| {
            let passed = time.since(start);
            if self.config.step.0 == 0 {
                return (passed.0, passed.in_hours() as f32);
            }
            let cell = (passed.0 - shift).div_euclid(self.config.step.0);
            (cell, (cell as f64 * self.config.step.in_hours()) as f32)
        };
        observed.iter().map(|&(time, ..)| cell(time)).collect()
    }

    fn describe(&self, view: &View<'_>) -> Result<Vec<f32>, FeatureError> {
        let Some(statics) = &self.statics else { return Ok(Vec::new()) };
        let table = Table { names: statics.recipe.names().to_vec(), values: statics.recipe.apply(view) };
        Ok(statics.scaler.apply(&table)?.values)
    }
}
