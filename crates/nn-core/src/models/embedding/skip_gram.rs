//! Skip-gram (Mikolov et al. 2013a, arXiv:1301.3781; Mikolov et al. 2013b, NIPS) with the constants of word2vec.c.
//!
//! A code's vector is learned so that it tells the codes that stand near it from noise. With
//! `deterministic` one thread takes the steps in the order of the corpus, and the result is a function of
//! the configuration and the corpus; without it, threads take parts of the corpus in turns and share the
//! vectors. The random numbers of a part are its own either way, so that threads change nothing but the
//! order of the steps.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::alias::Alias;
use super::huffman::Huffman;
use super::kernel::{Pass, Plan, Predictor, Rate, Sigmoid};
use super::{Corpus, EmbeddingError, Vectors, stream};
use crate::config::{ConfigError, in_range};
use crate::data::rng;
use crate::layers::init::{Fan, Init};
use crate::ops::{RowTable, arch};

/// Codes in a job of a thread, and in the longest piece that a window can see (gensim's `batch_words` and
/// `MAX_SENTENCE_LEN`).
const JOB: usize = 10_000;

/// Which neighbours are context of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// Up to 1 to n codes on both sides, the number drawn anew for each centre (2013a, section 3.2): the
    /// weight of a neighbour falls with its distance.
    Shrinking(usize),
    /// n codes on both sides.
    Fixed(usize),
    /// All other codes of the sequence, for sets without an order; the work grows with the square of
    /// their size.
    WholeSequence,
}

impl Window {
    pub(super) fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::Shrinking(n) | Self::Fixed(n) => in_range("window", n, 1..=10_000),
            Self::WholeSequence => Ok(()),
        }
    }
}

/// What is maximised instead of the likelihood with its sum over all codes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SkipGramObjective {
    /// ln σ(h·w) of the true pair plus ln σ(−h·w) of drawn ones (2013b, equation 4).
    NegativeSampling {
        /// Drawn codes for each pair; the paper has 5 to 20 for small corpora and 2 to 5 for large ones.
        #[serde(default = "negatives")]
        negatives: usize,
        /// Codes are drawn with probability proportional to frequency to this power; 0.75 in the paper
        /// (section 2.2).
        #[serde(default = "exponent")]
        exponent: f64,
    },
    /// The exact likelihood of a tree of binary decisions (2013b, section 2.1).
    HierarchicalSoftmax,
}

impl Default for SkipGramObjective {
    fn default() -> Self {
        Self::NegativeSampling { negatives: negatives(), exponent: exponent() }
    }
}

fn negatives() -> usize {
    5
}

fn exponent() -> f64 {
    0.75
}

/// How skip-gram is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SkipGramConfig {
    /// Numbers in a vector, 1 to 65,536; 100 in word2vec.c.
    pub dimension: usize,
    /// Which neighbours are context; 5, shrinking, in word2vec.c.
    pub window: Window,
    /// What is maximised.
    pub objective: SkipGramObjective,
    /// t: a code of relative frequency f is kept with probability √(t/f) + t/f, as in word2vec.c (2013b,
    /// equation 5, has √(t/f)). 0 keeps all.
    pub subsample: f64,
    /// Learning rate at the start, 0.025 (2013a, section 4.1).
    pub rate: f64,
    /// Learning rate at the end, to which it falls in a straight line; gensim's 10⁻⁴.
    pub final_rate: f64,
    /// Passes over the corpus; 5 in word2vec.c.
    pub epochs: usize,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads that train; 0 is as many as rayon has. Only used when not `deterministic`.
    pub threads: usize,
    /// Trains on one thread, so that equal input gives equal bits, whatever `threads` is.
    pub deterministic: bool,
}

impl Default for SkipGramConfig {
    fn default() -> Self {
        Self {
            dimension: 100,
            window: Window::Shrinking(5),
            objective: SkipGramObjective::default(),
            subsample: 1e-3,
            rate: 0.025,
            final_rate: 1e-4,
            epochs: 5,
            seed: 1,
            threads: 0,
            deterministic: true,
        }
    }
}

impl SkipGramConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, the value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("dimension", self.dimension, 1..=65_536)?;
        self.window.validate()?;
        if let SkipGramObjective::NegativeSampling { negatives, exponent } = self.objective {
            in_range("negatives", negatives, 1..=1000)?;
            in_range("exponent", exponent, -2.0..=2.0)?;
        }
        in_range("subsample", self.subsample, 0.0..=1.0)?;
        in_range("rate", self.rate, 1e-6..=1.0)?;
        in_range("final_rate", self.final_rate, 0.0..=self.rate)?;
        in_range("epochs", self.epochs, 1..=100_000)?;
        in_range("threads", self.threads, 0..=1024)
    }

    /// Learns a vector for each of the codes `0..rows`; those that do not occur keep their random start.
    ///
    /// # Errors
    /// - [`EmbeddingError::Config`] if [`validate`](Self::validate) fails;
    /// - [`EmbeddingError::Empty`] without a code in the corpus, [`EmbeddingError::NoSuchCode`] for one
    ///   that is not below `rows`;
    /// - [`EmbeddingError::Diverged`] if a value is not finite in the end.
    pub fn fit(&self, corpus: &Corpus, rows: usize) -> Result<SkipGram, EmbeddingError> {
        self.validate()?;
        if corpus.tokens() == 0 {
            return Err(EmbeddingError::Empty("the corpus has no codes"));
        }
        let plan = self.plan(&corpus.counts(rows)?)?;
        let width = self.dimension;
        // word2vec.c: uniform over ±0.5/dimension; output vectors are zero
        let start = Init::Uniform(0.5 / width as f64);
        let start = start.values(&[rows, width], Fan::dense([rows, width]), &mut rng(self.seed, &[stream::START]));
        let (mut input, mut output) = (RowTable::new(&start, width), RowTable::zeros(rows, width));
        self.train(corpus, &plan, &mut input, &mut output);
        let (values, output) = (input.values(), output.values());
        if !values.iter().chain(&output).all(|value| value.is_finite()) {
            return Err(EmbeddingError::Diverged { rate: self.rate });
        }
        Ok(SkipGram { vectors: Vectors::new(values, width)?, output })
    }

    pub(super) fn plan(&self, counts: &[u64]) -> Result<Plan, EmbeddingError> {
        let predictor = match self.objective {
            SkipGramObjective::NegativeSampling { negatives, exponent } => {
                let weight = |&count: &u64| if count == 0 { 0.0 } else { (count as f64).powf(exponent) };
                let noise = Alias::new(&counts.iter().map(weight).collect::<Vec<_>>());
                Predictor::Negatives(noise.ok_or(EmbeddingError::Empty("no code occurs"))?, negatives)
            }
            SkipGramObjective::HierarchicalSoftmax => Predictor::Tree(Huffman::new(counts)),
        };
        Ok(Plan { keep: self.keep(counts), window: self.window, predictor, sigmoid: Sigmoid::new() })
    }

    /// The share of its occurrences that each code keeps, out of 2³²; `u32::MAX` is all of them.
    pub(super) fn keep(&self, counts: &[u64]) -> Vec<u32> {
        let total: u64 = counts.iter().sum();
        let share = |&count: &u64| {
            if count == 0 || self.subsample == 0.0 {
                return u32::MAX;
            }
            let ratio = self.subsample * total as f64 / count as f64;
            // a cast to u32 ends at its largest value
            ((ratio.sqrt() + ratio) * 4_294_967_296.0) as u32
        };
        counts.iter().map(share).collect()
    }

    fn train(&self, corpus: &Corpus, plan: &Plan, input: &mut RowTable, output: &mut RowTable) {
        let pieces = pieces(corpus, self.window);
        let jobs = jobs(&pieces);
        let threads = match self.threads {
            _ if self.deterministic => 1,
            0 => rayon::current_num_threads(),
            threads => threads,
        };
        let threads = threads.min(jobs.len());
        let arch = arch();
        for epoch in 0..self.epochs {
            let rate = Rate {
                first: self.rate,
                last: self.final_rate,
                before: epoch * corpus.tokens(),
                total: self.epochs * corpus.tokens(),
            };
            let random = |job: usize| {
                Xoshiro256PlusPlus::from_rng(&mut rng(self.seed, &[stream::PASS, epoch as u64, job as u64]))
            };
            let (codes, width) = (corpus.codes(), self.dimension);
            if threads <= 1 {
                for (job, part) in jobs.iter().enumerate() {
                    let (input, output, rng) = (&mut *input, &mut *output, random(job));
                    let pieces = &pieces[part.clone()];
                    arch.dispatch(Pass { plan, input, output, codes, pieces, width, rate, rng });
                }
                continue;
            }
            let (input, output) = (&input.share(), &output.share());
            let (next, jobs, pieces) = (AtomicUsize::new(0), &jobs, &pieces);
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        loop {
                            let job = next.fetch_add(1, Ordering::Relaxed);
                            let Some(part) = jobs.get(job) else { break };
                            let (pieces, rng) = (&pieces[part.clone()], random(job));
                            arch.dispatch(Pass { plan, input, output, codes, pieces, width, rate, rng });
                        }
                    });
                }
            });
        }
    }
}

/// The parts of the corpus that windows do not cross: the sequences, cut into runs of at most [`JOB`]
/// codes unless the window is the sequence.
fn pieces(corpus: &Corpus, window: Window) -> Vec<Range<usize>> {
    let longest = if window == Window::WholeSequence { usize::MAX } else { JOB };
    let spans = corpus.starts().windows(2).map(|ends| (ends[0], ends[1]));
    spans
        .flat_map(move |(start, end)| {
            let cuts = (start..end).step_by(longest);
            cuts.map(move |from| from..from.saturating_add(longest).min(end))
        })
        .collect()
}

/// Runs of pieces with at least [`JOB`] codes, the last one excepted.
fn jobs(pieces: &[Range<usize>]) -> Vec<Range<usize>> {
    let (mut jobs, mut first, mut codes) = (Vec::new(), 0, 0);
    for (at, piece) in pieces.iter().enumerate() {
        codes += piece.len();
        if codes >= JOB || at + 1 == pieces.len() {
            jobs.push(first..at + 1);
            (first, codes) = (at + 1, 0);
        }
    }
    jobs
}

/// What skip-gram learned.
#[derive(Debug, Clone, PartialEq)]
pub struct SkipGram {
    vectors: Vectors,
    output: Vec<f32>,
}

impl SkipGram {
    /// The input vectors: those that are used.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// The input vectors alone.
    pub fn into_vectors(self) -> Vectors {
        self.vectors
    }

    /// The output vectors, `[rows, dimension]`: by code after negative sampling, where h·w estimates the
    /// pointwise mutual information less ln(negatives) (Levy and Goldberg 2014); by inner node of the tree
    /// after hierarchical softmax, whose last row is unused.
    pub fn output(&self) -> &[f32] {
        &self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_corpus_and_jobs_the_pieces() {
        let corpus: Corpus = [3, 0, 25_000, 9_000, 2_000, 1].map(|length| vec![0; length]).into_iter().collect();
        let cut = pieces(&corpus, Window::Fixed(5));
        assert_eq!(
            cut,
            [0..3, 3..10_003, 10_003..20_003, 20_003..25_003, 25_003..34_003, 34_003..36_003, 36_003..36_004]
        );
        assert_eq!(jobs(&cut), [0..2, 2..3, 3..5, 5..7]);
        assert_eq!(pieces(&corpus, Window::WholeSequence).len(), 5);
        assert!(jobs(&[]).is_empty());
    }

    #[test]
    fn frequent_codes_keep_the_share_of_the_formula() {
        let config = SkipGramConfig { subsample: 0.01, ..SkipGramConfig::default() };
        let keep = config.keep(&[900, 90, 9, 1, 0]);
        // f = 0.9: √(1/90) + 1/90; f = 0.09: 1/3 + 1/9; t/f above 0.382 keeps all
        for (code, share) in [(0, (1.0_f64 / 90.0).sqrt() + 1.0 / 90.0), (1, 4.0 / 9.0)] {
            assert!((f64::from(keep[code]) / 4_294_967_296.0 - share).abs() < 1e-9, "{code}");
        }
        assert_eq!(keep[2..], [u32::MAX; 3]);
        let all = SkipGramConfig { subsample: 0.0, ..config };
        assert!(all.keep(&[900, 0]).iter().all(|&share| share == u32::MAX));
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let default = SkipGramConfig::default();
        assert!(default.validate().is_ok());
        let objective = SkipGramObjective::NegativeSampling { negatives: 0, exponent: 0.75 };
        for (field, config) in [
            ("dimension", SkipGramConfig { dimension: 0, ..default.clone() }),
            ("window", SkipGramConfig { window: Window::Fixed(0), ..default.clone() }),
            ("negatives", SkipGramConfig { objective, ..default.clone() }),
            ("subsample", SkipGramConfig { subsample: f64::NAN, ..default.clone() }),
            ("rate", SkipGramConfig { rate: 0.0, ..default.clone() }),
            ("final_rate", SkipGramConfig { final_rate: 0.03, ..default.clone() }),
            ("epochs", SkipGramConfig { epochs: 0, ..default.clone() }),
        ] {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field} = ")), "{error}");
        }
    }

    #[test]
    fn a_configuration_file_names_what_differs() {
        let text = r#"{"window": "whole-sequence", "objective": {"kind": "negative-sampling", "negatives": 15}}"#;
        let config: SkipGramConfig = serde_json::from_str(text).unwrap();
        let objective = SkipGramObjective::NegativeSampling { negatives: 15, exponent: 0.75 };
        assert_eq!(config, SkipGramConfig { window: Window::WholeSequence, objective, ..SkipGramConfig::default() });
        assert!(serde_json::from_str::<SkipGramConfig>(r#"{"windows": {"fixed": 3}}"#).is_err());
        assert_eq!(serde_json::to_string(&Window::Fixed(3)).unwrap(), r#"{"fixed":3}"#);
    }
}
