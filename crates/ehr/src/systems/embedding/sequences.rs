//! From records to sequences for skip-gram: which codes belong together, and how far their context reaches.

use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use nn_core::models::embedding::{Corpus, EmbeddingError, SkipGramConfig, SkipGramObjective, Vocabulary, Window};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::CodeEmbedding;
use crate::codebook::CodeId;
use crate::time::{Span, Time};
use crate::view::{View, VisitRule};

/// Purpose of the random stream that orders the codes of a group.
const STREAM: u64 = 0x656d_6200;

/// Which codes belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Grouping {
    /// Those of a visit.
    Visits(VisitRule),
    /// Those of a stretch of time; stretches follow each other from a patient's first event on.
    Period(Span),
}

/// How far the context of a code reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// All other codes of its group, and no others; the window of the skip-gram is not used.
    Group,
    /// The window of the skip-gram, over the groups one behind the other, each in random order.
    Sequence,
}

/// How vectors of codes are learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodeEmbeddingConfig {
    /// Which codes belong together.
    pub grouping: Grouping,
    /// How far the context of a code reaches.
    pub reach: Reach,
    /// Groups that a code must be in to get a vector.
    pub min_count: u64,
    /// Beginnings of the codes that get a vector, such as `DIAGNOSIS//`; empty for all.
    pub prefixes: Vec<String>,
    /// The skip-gram.
    pub skip_gram: SkipGramConfig,
}

impl Default for CodeEmbeddingConfig {
    /// Visits by day, codes of a visit as context of each other, five negatives.
    fn default() -> Self {
        let skip_gram = SkipGramConfig { window: Window::WholeSequence, ..SkipGramConfig::default() };
        Self {
            grouping: Grouping::Visits(VisitRule::Day),
            reach: Reach::Group,
            min_count: 5,
            prefixes: Vec::new(),
            skip_gram,
        }
    }
}

impl CodeEmbeddingConfig {
    /// After Choi, Schuetz and others: 100 numbers, a window of five codes on either side over the visits of a patient.
    pub fn heart_failure(visits: VisitRule) -> Self {
        let skip_gram = SkipGramConfig { dimension: 100, window: Window::Shrinking(5), ..SkipGramConfig::default() };
        Self { grouping: Grouping::Visits(visits), reach: Reach::Sequence, skip_gram, ..Self::default() }
    }

    /// After Choi, Chiu and Sontag: 300 numbers, hierarchical softmax, all codes of a stretch of time as context.
    pub fn claims(period: Span) -> Self {
        let skip_gram = SkipGramConfig {
            dimension: 300,
            window: Window::WholeSequence,
            objective: SkipGramObjective::HierarchicalSoftmax,
            ..SkipGramConfig::default()
        };
        Self { grouping: Grouping::Period(period), skip_gram, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, the value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("min_count", self.min_count, 1..=1_000_000_000)?;
        if let Grouping::Period(span) | Grouping::Visits(VisitRule::Gap(span)) = &self.grouping {
            in_range("grouping, in days", span.in_days(), 1e-3..=36_525.0)?;
        }
        if self.reach == Reach::Sequence && self.skip_gram.window == Window::WholeSequence {
            let advice = "give the window a number of codes, or set reach to group";
            return Err(ConfigError::Conflict(format!(
                "a window over a whole record makes everything context; {advice}"
            )));
        }
        self.skip_gram.validate()
    }

    /// The groups of a record in their order, each code once in a group.
    pub fn groups(&self, view: &View<'_>) -> Vec<Vec<CodeId>> {
        let book = view.codebook();
        let wanted = |code: &CodeId| {
            let name = book.name(*code);
            self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()))
        };
        let groups: Vec<Vec<CodeId>> = match &self.grouping {
            Grouping::Visits(rule) => view.visits(rule).into_iter().map(|visit| visit.codes).collect(),
            Grouping::Period(span) => periods(view, *span),
        };
        let kept = groups.into_iter().map(|group| group.into_iter().filter(wanted).collect::<Vec<_>>());
        kept.filter(|group| !group.is_empty()).collect()
    }

    /// Counts the codes of the training part's views, all of one set and one for each subject, and puts them in
    /// sequences.
    ///
    /// # Errors
    /// - [`EmbeddingError::Config`] if [`validate`](Self::validate) fails, or the views are of several sets;
    /// - [`EmbeddingError::Empty`] if no code is frequent enough.
    pub fn corpus(&self, views: &[View<'_>]) -> Result<CodeCorpus, EmbeddingError> {
        self.validate()?;
        let Some(first) = views.first() else { return Err(EmbeddingError::Empty("there are no views")) };
        let book = first.codebook();
        if !views.iter().all(|view| std::ptr::eq(view.codebook(), book)) {
            let problem = "the views are of several sets, whose codes have other numbers; merge the sets first";
            return Err(ConfigError::Conflict(problem.to_owned()).into());
        }
        let grouped: Vec<Vec<Vec<CodeId>>> = views.par_iter().map(|view| self.groups(view)).collect();
        let vocabulary = Vocabulary::count(grouped.iter().flatten(), self.min_count);
        if vocabulary.is_empty() {
            return Err(EmbeddingError::Empty("no code is in as many groups as min_count asks for"));
        }
        let mut corpus = Corpus::new();
        for (row, groups) in grouped.iter().enumerate() {
            match self.reach {
                Reach::Group => groups.iter().for_each(|group| corpus.push(vocabulary.encode(group))),
                Reach::Sequence => {
                    let mut sequence = Vec::new();
                    for (place, group) in groups.iter().enumerate() {
                        let mut codes = vocabulary.encode(group);
                        codes.shuffle(&mut rng(self.skip_gram.seed, &[STREAM, row as u64, place as u64]));
                        sequence.append(&mut codes);
                    }
                    corpus.push(sequence);
                }
            }
        }
        let names = vocabulary.keys().iter().map(|code| book.name(*code).to_owned()).collect();
        Ok(CodeCorpus { names, counts: vocabulary.counts().to_vec(), corpus })
    }

    /// Learns a vector for each code that is frequent enough in the training part's views.
    ///
    /// # Errors
    /// As [`corpus`](Self::corpus), and [`EmbeddingError::Diverged`] if training left the finite numbers.
    pub fn fit(&self, views: &[View<'_>]) -> Result<CodeEmbedding, EmbeddingError> {
        self.fit_corpus(&self.corpus(views)?)
    }

    /// As [`fit`](Self::fit), from what [`corpus`](Self::corpus) gave.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_corpus(&self, corpus: &CodeCorpus) -> Result<CodeEmbedding, EmbeddingError> {
        self.validate()?;
        let config = SkipGramConfig { window: self.window(), ..self.skip_gram.clone() };
        let vectors = config.fit(&corpus.corpus, corpus.names.len())?.into_vectors();
        CodeEmbedding::new(corpus.names.clone(), vectors)
    }

    /// The window that the sequences of [`corpus`](Self::corpus) are read with.
    pub fn window(&self) -> Window {
        match self.reach {
            Reach::Group => Window::WholeSequence,
            Reach::Sequence => self.skip_gram.window,
        }
    }
}

/// Codes of each stretch of time since the first event, each once and in the order of their first appearance; births
/// apart.
fn periods(view: &View<'_>, span: Span) -> Vec<Vec<CodeId>> {
    let book = view.codebook();
    let (mut groups, mut start): (Vec<Vec<CodeId>>, Option<Time>) = (Vec::new(), None);
    let mut current = None;
    for event in view.timed().filter(|event| !book.is_birth(event.code)) {
        let Some(time) = event.time else { continue };
        let start = *start.get_or_insert(time);
        let period = time.since(start).0.div_euclid(span.0.max(1));
        if current != Some(period) {
            current = Some(period);
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut().filter(|group| !group.contains(&event.code)) {
            group.push(event.code);
        }
    }
    groups
}

/// Codes of the training part as rows, and their sequences.
#[derive(Debug, Clone)]
pub struct CodeCorpus {
    /// The code of each row, frequent ones first.
    pub names: Vec<String>,
    /// How many groups each is in.
    pub counts: Vec<u64>,
    /// Groups, or records.
    pub corpus: Corpus,
}
