//! How `Med2Vec` is trained and judged: steps of whole patients with about as many visits, and recall of the next
//! visit.

use burn::tensor::Tensor;
use nn_core::config::ConfigError;
use nn_core::data::{Sampler, rng};
use nn_core::train::{Objective, StepContext, StepError};
use rand::seq::SliceRandom;

use super::{Med2Vec, VisitRows};
use crate::systems::VisitSequence;
use crate::systems::parts::numbers;

/// Purpose of the random stream of [`VisitBlocks`].
const STREAM: u64 = 0x6d32_7600;

/// Patients judged at a time.
const CHUNK: usize = 256;

/// Learns the vectors from the visits of the training part; judged by the codes of the next visit on another one.
#[derive(Debug, Clone)]
pub struct Med2VecObjective {
    train: Vec<VisitSequence>,
    tuning: Vec<VisitSequence>,
    recall_at: usize,
}

impl Med2VecObjective {
    /// # Errors
    /// [`ConfigError::Conflict`] if no patient of the training part has a visit with a code.
    pub fn new(train: Vec<VisitSequence>, tuning: Vec<VisitSequence>) -> Result<Self, ConfigError> {
        if VisitRows::new(&train).is_empty() {
            return Err(ConfigError::Conflict(
                "no patient of the training part has a visit with a known code".to_owned(),
            ));
        }
        Ok(Self { train, tuning, recall_at: 30 })
    }

    /// Judges by the first `k` codes instead of 30, the paper's choice.
    pub fn with_recall_at(mut self, k: usize) -> Self {
        self.recall_at = k.max(1);
        self
    }

    /// Patients in steps of about `visits` visits; 1000 in the paper.
    pub fn blocks(&self, visits: usize) -> VisitBlocks {
        VisitBlocks::new(&self.train, visits)
    }
}

impl Objective for Med2VecObjective {
    type Model = Med2Vec;

    fn loss(&self, model: &Med2Vec, rows: &[usize], _context: &StepContext) -> Result<Tensor<1>, StepError> {
        Ok(model.loss(&VisitRows::new(rows.iter().map(|row| &self.train[*row]))))
    }

    fn validate(&self, model: &Med2Vec) -> Result<Vec<(String, f64)>, StepError> {
        let (mut recall, mut pairs, mut loss, mut visits) = (0.0, 0_usize, 0.0, 0_usize);
        for chunk in self.tuning.chunks(CHUNK) {
            let rows = VisitRows::new(chunk);
            if rows.is_empty() {
                continue;
            }
            loss += numbers(model.loss(&rows), "loss")?.first().copied().unwrap_or(0.0) * rows.len() as f64;
            visits += rows.len();
            let logits = numbers(model.logits(&rows), "logits")?;
            let width = model.config().outputs();
            for (before, behind) in rows.pairs(1) {
                let targets = model.config().targets(rows.codes[behind]);
                recall += recall_of(&logits[before * width..(before + 1) * width], &targets, self.recall_at);
                pairs += 1;
            }
        }
        if visits == 0 {
            return Ok(Vec::new());
        }
        let mut metrics = vec![("loss".to_owned(), loss / visits as f64)];
        if pairs > 0 {
            metrics.push((format!("recall@{}", self.recall_at), recall / pairs as f64));
        }
        Ok(metrics)
    }
}

/// The share of the targets among the `k` largest scores; of equal ones the smaller place counts as larger.
pub(super) fn recall_of(scores: &[f64], targets: &[usize], k: usize) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let larger = |a: &usize, b: &usize| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b));
    if k < order.len() {
        order.select_nth_unstable_by(k, larger);
        order.truncate(k);
    }
    let found = targets.iter().filter(|target| order.contains(target)).count();
    found as f64 / targets.len().max(1) as f64
}

/// Every patient with a visit once an epoch, in an order drawn anew for each, in steps that end with the patient whose
/// visits fill them.
#[derive(Debug, Clone)]
pub struct VisitBlocks {
    /// Patient and number of visits.
    patients: Vec<(usize, usize)>,
    visits: usize,
}

impl VisitBlocks {
    /// Steps of `visits` visits or somewhat more; 0 counts as 1.
    pub fn new(sequences: &[VisitSequence], visits: usize) -> Self {
        let counted = sequences.iter().map(|sequence| VisitRows::new([sequence]).len()).enumerate();
        Self { patients: counted.filter(|(_, count)| *count > 0).collect(), visits: visits.max(1) }
    }
}

impl Sampler for VisitBlocks {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut patients = self.patients.clone();
        patients.shuffle(&mut rng(seed, &[STREAM, epoch as u64]));
        let (mut batches, mut current, mut visits) = (Vec::new(), Vec::new(), 0);
        for (patient, count) in patients {
            current.push(patient);
            visits += count;
            if visits >= self.visits {
                batches.push(std::mem::take(&mut current));
                visits = 0;
            }
        }
        if !current.is_empty() {
            batches.push(current);
        }
        batches
    }
}
