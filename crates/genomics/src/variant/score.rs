//! Scores of variants from a function that scores sequences.
//!
//! Of each variant the function sees the window with the reference allele and the one or two with the alternate allele
//! ([`windows`](super::windows())), each on both strands. Strands are averaged first. Where there are two windows of
//! the alternate allele, scores are computed for each and then averaged, as baskerville's pull request 8 does.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Checked, Status, Windows, windows};
use crate::genome::{Edge, Genome};
use crate::sequence::reverse_complement;

/// What the function that scores sequences gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Logits of probabilities.
    #[default]
    Logits,
    /// Values that are no logits, such as expression.
    Values,
}

/// How variants are scored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScoreConfig {
    /// Bases of a window: those that the model reads.
    pub width: usize,
    /// Whether both strands are scored and averaged; not for RNA.
    pub average_strands: bool,
    /// Whether insertions and deletions are scored with either flank in its place.
    pub compensate_shift: bool,
    /// What becomes of windows that leave their contig.
    pub edge: Edge,
    /// What the function gives.
    pub scale: Scale,
    /// About how many sequences the function is given at once.
    pub batch: usize,
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self {
            width: 1000,
            average_strands: true,
            compensate_shift: true,
            edge: Edge::Pad,
            scale: Scale::Logits,
            batch: 512,
        }
    }
}

impl ScoreConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("width", self.width, 1..=10_000_000)?;
        in_range("batch", self.batch, 1..=1_000_000)
    }
}

/// What a variant does, for each task.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Score of the window with the reference allele, averaged over strands.
    pub reference: Vec<f64>,
    /// Score with the alternate allele, averaged over strands and alignments.
    pub alternate: Vec<f64>,
    /// Alternate minus reference: of the probabilities under [`Scale::Logits`], of the values under [`Scale::Values`].
    pub difference: Vec<f64>,
    /// Logarithm of the odds ratio, alternate to reference, under [`Scale::Logits`].
    pub log_odds: Option<Vec<f64>>,
    /// One for each of [`Score::labels`].
    pub labels: Vec<String>,
}

/// Why scoring ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The function failed.
    #[error("the sequences cannot be scored: {0}")]
    Predict(Box<dyn Error + Send + Sync>),
    /// The function gave another number of scores than it was to.
    #[error("there are {found} scores for {sequences} sequences; {tasks} for each are due")]
    Shape {
        /// Number of sequences that it was given.
        sequences: usize,
        /// Number of tasks.
        tasks: usize,
        /// Number of scores.
        found: usize,
    },
}

/// The scores of sequences `[sequences, tasks]`, row-major, or why there are none.
pub type Prediction = Result<Vec<f32>, Box<dyn Error + Send + Sync>>;

/// What scores variants.
pub trait Score {
    /// Names of the tasks.
    fn tasks(&self) -> &[String];

    /// What the scores are.
    fn scale(&self) -> Scale;

    /// What is said of a variant in front of its scores, such as the gene that it may have an effect on; nothing where
    /// all variants have an effect on the same.
    fn labels(&self) -> &[&'static str] {
        &[]
    }

    /// An effect for each variant, or why it has none.
    ///
    /// # Errors
    /// [`ScoreError`] if the scores of sequences cannot be had; a variant that cannot be scored is no error.
    fn score(&mut self, checked: &[Checked]) -> Result<Vec<Result<Effect, String>>, ScoreError>;
}

/// Scores variants through a function that scores sequences of [`ScoreConfig::width`] capital letters.
///
/// ```
/// use genomics::genome::Genome;
/// use genomics::variant::{Contigs, Prediction, Score, ScoreConfig, Variant, VariantScorer, check};
/// let genome = Genome::from_contigs([("chr1".to_owned(), b"AAAAAAAA".to_vec())])?;
/// let config = ScoreConfig { width: 5, ..ScoreConfig::default() };
/// let gc = |sequences: &[&[u8]]| -> Prediction {
///     let count = |s: &&[u8]| s.iter().filter(|base| b"CG".contains(base)).count() as f32;
///     Ok(sequences.iter().map(count).collect())
/// };
/// let mut scorer = VariantScorer::new(&genome, config, vec!["gc".to_owned()], gc)?;
/// let snv = check(Variant::new("chr1", 4, b"A", b"G"), &mut Contigs::new(&genome));
/// let effects = scorer.score(&[snv])?;
/// assert_eq!(effects[0].as_ref().map(|effect| effect.log_odds.clone()), Ok(Some(vec![1.0])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VariantScorer<'g, F> {
    genome: &'g Genome,
    config: ScoreConfig,
    tasks: Vec<String>,
    predict: F,
}

impl<'g, F: FnMut(&[&[u8]]) -> Prediction> VariantScorer<'g, F> {
    /// `predict` is given sequences, and gives `tasks.len()` numbers for each.
    ///
    /// # Errors
    /// [`ConfigError`] for a setting out of range.
    pub fn new(genome: &'g Genome, config: ScoreConfig, tasks: Vec<String>, predict: F) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { genome, config, tasks, predict })
    }

    /// The windows of each variant, or why it has none.
    fn windows(&self, checked: &[Checked]) -> Vec<Result<Windows, String>> {
        let ScoreConfig { width, compensate_shift, edge, .. } = self.config;
        let genome = self.genome;
        let build = |checked: &Checked| {
            let Some(variant) = &checked.normalised else {
                return Err(checked.reason.clone().unwrap_or_default());
            };
            let swapped = checked.status == Status::Swapped;
            let mut built = windows(variant, swapped, genome, width, edge).map_err(|error| error.to_string())?;
            if !compensate_shift {
                built.compensated = None;
            }
            Ok(built)
        };
        checked.par_iter().map(build).collect()
    }

    /// Scores sequences, each of them once, averaged over strands: `[sequences, tasks]`.
    fn predict(&mut self, sequences: &[&[u8]]) -> Result<Vec<f64>, ScoreError> {
        let reverse: Vec<Vec<u8>> = if self.config.average_strands {
            sequences.par_iter().map(|sequence| reverse_complement(sequence)).collect()
        } else {
            Vec::new()
        };
        let mut distinct: Vec<&[u8]> = Vec::new();
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        let places: Vec<usize> = sequences
            .iter()
            .copied()
            .chain(reverse.iter().map(Vec::as_slice))
            .map(|sequence| match known.entry(sequence) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    distinct.push(sequence);
                    *entry.insert(distinct.len() - 1)
                }
            })
            .collect();
        let tasks = self.tasks.len();
        let scores = (self.predict)(&distinct).map_err(ScoreError::Predict)?;
        if scores.len() != distinct.len() * tasks {
            return Err(ScoreError::Shape { sequences: distinct.len(), tasks, found: scores.len() });
        }
        let score = |place: usize, task: usize| f64::from(scores[places[place] * tasks + task]);
        let (n, both) = (sequences.len(), self.config.average_strands);
        let mean = |row: usize, task: usize| {
            if both { f64::midpoint(score(row, task), score(n + row, task)) } else { score(row, task) }
        };
        Ok((0..n).flat_map(|row| (0..tasks).map(move |task| (row, task))).map(|(row, task)| mean(row, task)).collect())
    }

    /// Effects of the variants of one batch.
    fn effects(&mut self, built: &[&Windows]) -> Result<Vec<Effect>, ScoreError> {
        let of = |windows: &&Windows| 2 + usize::from(windows.compensated.is_some());
        let mut sequences: Vec<&[u8]> = Vec::with_capacity(built.len() * 3);
        for windows in built {
            sequences.extend([windows.reference.as_slice(), windows.alternate.as_slice()]);
            sequences.extend(windows.compensated.as_deref());
        }
        let scores = self.predict(&sequences)?;
        let (tasks, scale) = (self.tasks.len(), self.config.scale);
        let mut first = 0;
        let effects = built.iter().map(|windows| {
            let rows = &scores[first * tasks..(first + of(windows)) * tasks];
            first += of(windows);
            effect(rows, tasks, scale)
        });
        Ok(effects.collect())
    }
}

impl<F: FnMut(&[&[u8]]) -> Prediction> Score for VariantScorer<'_, F> {
    fn tasks(&self) -> &[String] {
        &self.tasks
    }

    fn scale(&self) -> Scale {
        self.config.scale
    }

    fn score(&mut self, checked: &[Checked]) -> Result<Vec<Result<Effect, String>>, ScoreError> {
        // Up to six sequences come of one variant.
        let size = self.config.batch.div_ceil(6);
        let mut results = Vec::with_capacity(checked.len());
        for part in checked.chunks(size) {
            let built = self.windows(part);
            let good: Vec<&Windows> = built.iter().filter_map(|windows| windows.as_ref().ok()).collect();
            let effects = if good.is_empty() { Vec::new() } else { self.effects(&good)? };
            let mut effects = effects.into_iter();
            for windows in built {
                results.push(windows.and_then(|_| effects.next().ok_or_else(String::new)));
            }
        }
        Ok(results)
    }
}

/// The effect of one variant from the scores of its windows: the reference, then one or two alternates.
fn effect(rows: &[f64], tasks: usize, scale: Scale) -> Effect {
    let (reference, alternates) = rows.split_at(tasks);
    let count = (alternates.len() / tasks.max(1)) as f64;
    let mean = |of: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        (0..tasks)
            .map(|task| {
                let scores = alternates.iter().skip(task).step_by(tasks);
                scores.map(|&alternate| of(alternate, reference[task])).sum::<f64>() / count
            })
            .collect()
    };
    let probability = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    let (difference, log_odds) = match scale {
        Scale::Logits => (
            mean(&|alternate, reference| probability(alternate) - probability(reference)),
            Some(mean(&|alternate, reference| alternate - reference)),
        ),
        Scale::Values => (mean(&|alternate, reference| alternate - reference), None),
    };
    let (reference, alternate) = (reference.to_vec(), mean(&|alternate, _| alternate));
    Effect { reference, alternate, difference, log_odds, labels: Vec::new() }
}
