//! What a study asks, and whether its answer can be believed.

use super::{Plan, Reads, Study, StudyError};
use crate::audit::{Audit, AuditConfig, Task};
use crate::cohort::{Cohort, CohortLabels, matching};
use crate::events::Event;
use crate::features::Vocabulary;
use crate::labels::Label;
use crate::model::Predicts;
use crate::split::Part;
use crate::time::Time;

/// A question with the labels that answer it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// What is predicted.
    pub predicts: Predicts,
    /// The answers.
    pub labels: Vec<Label>,
    /// Patterns of the codes that the labels are made of; none where labels came without a definition.
    pub outcome_codes: Vec<String>,
    /// Whether the outcome may also lie in the history, as an earlier admission does.
    pub recurrent: bool,
    /// When the episode of each label began, where that is known.
    pub starts: Option<Vec<Time>>,
}

impl Asked {
    /// Labels that came without a definition.
    pub fn plain(task: &str, labels: Vec<Label>) -> Self {
        let predicts = Predicts { task: task.to_owned(), definition: None };
        Self { predicts, labels, ..Self::default() }
    }

    /// The labels of a cohort. `text` is its definition as TOML.
    pub fn of_cohort(cohort: &Cohort, text: &str, found: CohortLabels) -> Self {
        Self {
            predicts: Predicts { task: cohort.name.clone(), definition: Some(text.to_owned()) },
            labels: found.labels,
            outcome_codes: cohort.outcome_codes(),
            recurrent: cohort.outcome.recurrent,
            starts: Some(found.episodes.iter().map(|episode| episode.start).collect()),
        }
    }

    /// What no input may have: the codes of the outcome, unless it may lie in the history.
    pub fn excluded(&self) -> &[String] {
        if self.recurrent { &[] } else { &self.outcome_codes }
    }
}

/// The part of each label for model `i`; none where it is not used.
fn parts(plan: &Plan, i: usize, labels: usize) -> Vec<Option<Part>> {
    let mut parts = vec![None; labels];
    let rows = plan.rows(i);
    for (part, rows) in [(Part::Train, &rows.train), (Part::Tuning, &rows.validation), (Part::HeldOut, &rows.test)] {
        rows.iter().for_each(|&row| parts[row] = Some(part));
    }
    parts
}

impl Study<'_> {
    /// Looks for leaks in what model `i` would be given.
    ///
    /// # Errors
    /// [`StudyError::Features`] where there is nothing to fit on, [`StudyError::Audit`].
    pub fn audit(&self, i: usize, asked: &Asked, config: &AuditConfig) -> Result<Audit, StudyError> {
        let preprocessing = self.preprocessing(i)?;
        let book = &self.events.codebook;
        let inputs = &self.config.inputs;
        let reads = preprocessing.reads();
        let own = match reads {
            Reads::Visits => &inputs.vocabulary.exclude,
            Reads::Series => &inputs.series.exclude,
        };
        let excluded = matching(&inputs.exclude.iter().chain(own).cloned().collect::<Vec<_>>(), book);
        let variables: Vec<String> = preprocessing.series().map_or_else(Vec::new, |series| series.variables().to_vec());
        let mut variable = vec![false; book.len()];
        for code in variables.iter().filter_map(|name| book.get(name)) {
            variable[code.index()] = true;
        }
        let read = |event: &Event<'_>| {
            let code = event.code;
            let kept = !excluded[code.index()] && !book.is_birth(code) && !book.is_death(code);
            kept && (reads == Reads::Visits || event.time.is_none() || variable[code.index()])
        };
        let given = |row: usize| inputs.seen(&self.views[row]).events().filter(read).collect::<Vec<_>>();
        let codes = preprocessing.vocabulary().map_or(variables.as_slice(), Vocabulary::codes);
        let parts = parts(&self.plan, i, self.labels.len());
        let task = Task {
            events: self.events,
            labels: self.labels,
            parts: &parts,
            inputs: &given,
            codes,
            outcome_codes: &asked.outcome_codes,
            recurrent: asked.recurrent,
            starts: asked.starts.as_deref(),
            split: Some(self.plan.subjects(i)),
            fitted: &[("vocabulary or scaling", preprocessing.provenance())],
        };
        Ok(Audit::new(&task, config)?)
    }
}
