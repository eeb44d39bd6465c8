//! From views to what a network reads: a vocabulary or a grid that was fitted on the training part, and what does not
//! change besides.

use nn_core::config::ConfigError;
use serde::{Deserialize, Serialize};

use super::Reads;
use crate::features::{
    Encoder, FeatureError, FittedRecipe, FittedSeries, Provenance, Recipe, Scaler, ScalerConfig, SequenceConfig,
    Series, SeriesConfig, Statistic, Table, Vocabulary, VocabularyConfig, sequence,
};
use crate::systems::VisitSequence;
use crate::time::{Span, Time};
use crate::view::View;

/// Name of the column that says how long nothing has happened.
const SINCE: &str = "ln(1 + days since the last event)";

/// How views become inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputConfig {
    /// How far back a network looks from the prediction time; by default to the beginning.
    pub history: Option<Span>,
    /// Patterns of codes that no input may have: those that say what is to be predicted. They are added to the ones
    /// that each part names itself.
    pub exclude: Vec<String>,
    /// Codes of networks that read visits.
    pub vocabulary: VocabularyConfig,
    /// Visits of these networks.
    pub sequence: SequenceConfig,
    /// Whether these networks are told age and static events.
    pub statics: bool,
    /// Whether these networks are told the last value of every measurement: of the visits they read the codes alone.
    pub values: bool,
    /// Whether these networks are told how long before the prediction time the last event was.
    pub since: bool,
    /// Variables and steps of networks that read series.
    pub series: SeriesConfig,
}

impl Default for InputConfig {
    fn default() -> Self {
        Self {
            history: None,
            exclude: Vec::new(),
            vocabulary: VocabularyConfig::default(),
            sequence: SequenceConfig::default(),
            statics: true,
            values: false,
            since: true,
            series: SeriesConfig::default(),
        }
    }
}

impl InputConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(history) = self.history.filter(|history| *history <= Span::ZERO) {
            return Err(ConfigError::OutOfRange {
                field: "history",
                value: history.to_string(),
                allowed: "a span above 0, such as 48h".to_owned(),
            });
        }
        self.vocabulary.validate()?;
        self.sequence.validate()?;
        self.series.validate()
    }

    /// The part of a view that inputs are made of.
    pub fn seen<'a>(&self, view: &View<'a>) -> View<'a> {
        self.history.map_or_else(|| view.clone(), |history| view.within(history))
    }

    /// Fits what has to be fitted on views of the training part.
    ///
    /// # Errors
    /// [`FeatureError`] where there is nothing to fit on.
    pub fn fit(&self, views: &[View<'_>], reads: Reads) -> Result<Preprocessing, FeatureError> {
        self.validate()?;
        let views: Vec<View<'_>> = views.iter().map(|view| self.seen(view)).collect();
        let with = |own: &[String]| own.iter().chain(&self.exclude).cloned().collect::<Vec<_>>();
        let fitted = match reads {
            Reads::Series => {
                let config = SeriesConfig { exclude: with(&self.series.exclude), ..self.series.clone() };
                Fitted::Series(Box::new(config.fit(&views)?))
            }
            Reads::Visits => {
                let exclude = with(&self.vocabulary.exclude);
                let config = VocabularyConfig { exclude: exclude.clone(), ..self.vocabulary.clone() };
                let (vocabulary, sequence) = (config.fit(&views)?, self.sequence.clone());
                let statics = self.fit_statics(&views, exclude)?;
                Fitted::Visits(Box::new(FittedVisits { vocabulary, sequence, statics }))
            }
        };
        Ok(Preprocessing { history: self.history, fitted })
    }

    fn fit_statics(&self, views: &[View<'_>], exclude: Vec<String>) -> Result<Option<Statics>, FeatureError> {
        let recipe = Recipe {
            statistics: if self.values { vec![Statistic::Last] } else { Vec::new() },
            counts: false,
            statics: self.statics,
            age: self.statics,
            exclude,
            ..Recipe::default()
        };
        let recipe = match (self.statics || self.values).then(|| recipe.fit(views)) {
            Some(Ok(recipe)) => Some(recipe),
            None | Some(Err(FeatureError::Nothing { .. })) => None,
            Some(Err(error)) => return Err(error),
        };
        if recipe.is_none() && !self.since {
            return Ok(None);
        }
        let table = table(recipe.as_ref(), self.since, views);
        let scaler = ScalerConfig::default().fit(&table, Provenance::of_views(views))?;
        Ok(Some(Statics { recipe, since: self.since, scaler }))
    }
}

/// What is known of a patient besides the visits, scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statics {
    recipe: Option<FittedRecipe>,
    since: bool,
    scaler: Scaler,
}

impl Statics {
    fn names(&self) -> Vec<String> {
        names(self.recipe.as_ref(), self.since)
    }

    /// A row for each view.
    fn rows(&self, views: &[View<'_>]) -> Result<Vec<Vec<f32>>, FeatureError> {
        let scaled = self.scaler.apply(&table(self.recipe.as_ref(), self.since, views))?;
        Ok((0..views.len()).map(|row| scaled.row(row).to_vec()).collect())
    }
}

fn names(recipe: Option<&FittedRecipe>, since: bool) -> Vec<String> {
    let mut names = recipe.map_or_else(Vec::new, |recipe| recipe.names().to_vec());
    names.extend(since.then(|| SINCE.to_owned()));
    names
}

/// The statics before they are scaled; missing ones are not numbers.
fn table(recipe: Option<&FittedRecipe>, since: bool, views: &[View<'_>]) -> Table {
    let given = recipe.map(|recipe| recipe.table(views));
    let mut values = Vec::new();
    for (row, view) in views.iter().enumerate() {
        if let Some(given) = &given {
            values.extend_from_slice(given.row(row));
        }
        if since {
            let book = view.codebook();
            let last = view.timed().rev().find(|event| !book.is_birth(event.code)).and_then(|event| event.time);
            let days = last.map(|last| view.prediction_time().since(last).in_days());
            values.push(days.map_or(f32::NAN, |days| days.ln_1p() as f32));
        }
    }
    Table { names: names(recipe, since), values }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FittedVisits {
    vocabulary: Vocabulary,
    sequence: SequenceConfig,
    statics: Option<Statics>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Fitted {
    Visits(Box<FittedVisits>),
    Series(Box<FittedSeries>),
}

/// How a view becomes the input of a network, as fitted on the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    history: Option<Span>,
    fitted: Fitted,
}

/// Inputs of rows, in memory.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Of networks that read visits.
    Visits(Vec<VisitSequence>),
    /// Of networks that read series.
    Series(Vec<Series>),
}

impl Inputs {
    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Visits(rows) => rows.len(),
            Self::Series(rows) => rows.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A visit, as a network reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadVisit {
    /// When the visit began.
    pub start: Time,
    /// Its ids, each once, ascending.
    pub ids: Vec<u32>,
}

impl Preprocessing {
    /// What it makes inputs for.
    pub fn reads(&self) -> Reads {
        match self.fitted {
            Fitted::Visits(_) => Reads::Visits,
            Fitted::Series(_) => Reads::Series,
        }
    }

    /// Codes of the vocabulary, padding and the unknown one included, or variables of a step.
    pub fn width(&self) -> usize {
        match &self.fitted {
            Fitted::Visits(fitted) => fitted.vocabulary.len(),
            Fitted::Series(fitted) => fitted.variables().len(),
        }
    }

    /// Names of the numbers that are known besides.
    pub fn statics(&self) -> Vec<String> {
        match &self.fitted {
            Fitted::Visits(fitted) => fitted.statics.as_ref().map_or_else(Vec::new, Statics::names),
            Fitted::Series(fitted) => fitted.statics().to_vec(),
        }
    }

    /// The vocabulary; none where measurements are read.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        match &self.fitted {
            Fitted::Visits(fitted) => Some(&fitted.vocabulary),
            Fitted::Series(_) => None,
        }
    }

    /// The grid of measurements; none where visits are read.
    pub fn series(&self) -> Option<&FittedSeries> {
        match &self.fitted {
            Fitted::Visits(_) => None,
            Fitted::Series(fitted) => Some(fitted),
        }
    }

    /// On whom it was fitted.
    pub fn provenance(&self) -> &Provenance {
        match &self.fitted {
            Fitted::Visits(fitted) => fitted.vocabulary.provenance(),
            Fitted::Series(fitted) => fitted.provenance(),
        }
    }

    /// Ids of codes that name procedures and drugs rather than findings: those whose first part says so.
    pub fn interventions(&self) -> Vec<u32> {
        const PREFIXES: [&str; 7] =
            ["PROCEDURE", "MEDICATION", "DRUG", "PRESCRIPTION", "INFUSION", "IMMUNIZATION", "INPUT"];
        let Some(vocabulary) = self.vocabulary() else { return Vec::new() };
        let acts = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        vocabulary.codes().iter().zip(2..).filter(|(name, _)| acts(name)).map(|(_, id)| id).collect()
    }

    fn seen<'a>(&self, view: &View<'a>) -> View<'a> {
        self.history.map_or_else(|| view.clone(), |history| view.within(history))
    }

    /// The inputs of views of one data set.
    ///
    /// # Errors
    /// [`FeatureError`] when the preprocessing does not fit together, as only a changed file does.
    pub fn apply(&self, views: &[View<'_>]) -> Result<Inputs, FeatureError> {
        let views: Vec<View<'_>> = views.iter().map(|view| self.seen(view)).collect();
        match &self.fitted {
            Fitted::Series(fitted) => Ok(Inputs::Series(fitted.apply_all(&views)?)),
            Fitted::Visits(fitted) => {
                let Some(first) = views.first() else { return Ok(Inputs::Visits(Vec::new())) };
                let encoder = fitted.vocabulary.encoder(first.codebook())?;
                let statics = match &fitted.statics {
                    Some(statics) => statics.rows(&views)?,
                    None => vec![Vec::new(); views.len()],
                };
                let of = |(view, statics): (&View<'_>, Vec<f32>)| sequence(view, &encoder, &fitted.sequence, statics);
                Ok(Inputs::Visits(views.iter().zip(statics).map(of).collect()))
            }
        }
    }

    /// The visits that a network reads of a view, the first one first, with their times; none where measurements are
    /// read.
    ///
    /// # Errors
    /// As [`Preprocessing::apply`].
    pub fn visits(&self, view: &View<'_>) -> Result<Vec<ReadVisit>, FeatureError> {
        let Fitted::Visits(fitted) = &self.fitted else { return Ok(Vec::new()) };
        let view = self.seen(view);
        let encoder: Encoder = fitted.vocabulary.encoder(view.codebook())?;
        let mut visits: Vec<ReadVisit> = Vec::new();
        for visit in view.visits(&fitted.sequence.visits) {
            let mut ids: Vec<u32> = visit.codes.iter().filter_map(|&code| encoder.id(code)).collect();
            ids.sort_unstable();
            ids.dedup();
            if !ids.is_empty() {
                visits.push(ReadVisit { start: visit.start, ids });
            }
        }
        let first = visits.len().saturating_sub(fitted.sequence.max_visits.max(1));
        Ok(visits.split_off(first))
    }
}
