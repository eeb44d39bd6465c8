//! What of an audit deserves a sentence.

use nn_core::data::Part;

use super::text::{listed, of, thousands};
use super::{Audit, Balance, Overlap, PartAudit, Scored, TaskAudit};
use crate::baselines::{GC_NAME, kmers_name, prior_name};
use crate::dataset::Labels;

/// From this distance to what the prior reaches on, composition is worth a warning: AUROC 0.6, correlation 0.1.
const COMPOSITION: f64 = 0.1;
/// By how much a model should be above the words, or it may have learnt no more.
pub(super) const MARGIN: f64 = 0.01;
/// Share of the rarer label below which AUROC alone is misleading.
const RARE: f64 = 0.1;
/// Share of unknown bases that is worth a warning.
const UNKNOWN: f64 = 0.01;

impl Audit {
    /// What should be looked at before a score is believed, one sentence each; empty if nothing was found.
    pub fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        for overlap in &self.overlaps {
            leaks(overlap, &mut found);
        }
        for part in [Part::Validation, Part::Test] {
            self.composition(part, &mut found);
            self.against_words(part, &mut found);
        }
        if self.conflicts > 0 {
            found.push(format!(
                "{} of {} different sequences have rows with different labels, which no model of the sequence can fit",
                thousands(self.conflicts),
                thousands(self.distinct),
            ));
        }
        for part in &self.parts {
            unknown(part, &mut found);
            balance(part.part, &part.tasks, &mut found);
        }
        found
    }

    fn named(&self, part: Part, name: &str) -> Option<f64> {
        let scored = self.scores_on(part).find(|scored| scored.baseline && scored.name == name)?;
        scored.scores.get(self.headline()).copied()
    }

    fn composition(&self, part: Part, found: &mut Vec<String>) {
        let Some(score) = self.named(part, GC_NAME) else { return };
        let prior = match self.labels {
            Labels::Binary => 0.5,
            Labels::Classes(_) => self.named(part, prior_name(&self.labels)).unwrap_or(0.0),
            Labels::Values => 0.0,
        };
        if (score - prior).abs() >= COMPOSITION {
            found.push(format!(
                "GC content alone reaches {} {score:.3} on {part}: read every score beside it, or take negatives of \
                 the same composition",
                shown(self.headline()),
            ));
        }
    }

    fn against_words(&self, part: Part, found: &mut Vec<String>) {
        // The length of the words is in the name.
        let words = |scored: &&Scored| scored.baseline && (1..10).any(|k| scored.name == kmers_name(&self.labels, k));
        let Some(words) = self.scores_on(part).find(words) else { return };
        let Some(floor) = words.scores.get(self.headline()) else { return };
        for model in self.scores_on(part).filter(|scored| !scored.baseline) {
            if let Some(score) = model.scores.get(self.headline()).filter(|score| **score < floor + MARGIN) {
                found.push(format!(
                    "{} reaches {} {score:.3} on {part}, {} {floor:.3}: nothing shows that it knows more than \
                     composition",
                    model.name,
                    shown(self.headline()),
                    words.name,
                ));
            }
        }
    }
}

/// How a score is written in a sentence.
pub(super) fn shown(score: &str) -> &str {
    match score {
        "auroc" => "AUROC",
        "average_precision" => "AUPRC",
        "mcc" => "MCC",
        "r2" => "R²",
        "mse" => "MSE",
        "pearson" => "Pearson",
        "spearman" => "Spearman",
        other => other,
    }
}

fn leaks(overlap: &Overlap, found: &mut Vec<String>) {
    let (part, rows) = (overlap.part, overlap.rows);
    for (count, what) in [
        (overlap.same_sequence, "are in train, letter for letter"),
        (overlap.reverse_complement, "are in train, on the other strand"),
    ] {
        if count > 0 {
            found.push(format!("{} {part} sequences {what}", of(count, rows)));
        }
    }
    if overlap.conflicting > 0 {
        found.push(format!("{} {part} sequences are in train with another label", of(overlap.conflicting, rows)));
    }
    if let Some(count) = overlap.same_contig.filter(|count| *count > 0) {
        found.push(format!(
            "{} {part} rows lie on contigs that training has too: {}",
            of(count, rows),
            listed(&overlap.shared_contigs),
        ));
    }
    if let Some(count) = overlap.overlapping.filter(|count| *count > 0) {
        found.push(format!("{} {part} windows overlap one of training on the genome", of(count, rows)));
    }
}

fn unknown(part: &PartAudit, found: &mut Vec<String>) {
    if part.rows_all_unknown > 0 {
        found.push(format!("{} {} sequences have no known base", of(part.rows_all_unknown, part.rows), part.part));
    }
    if part.unknown >= UNKNOWN {
        found.push(format!("{:.1} % of the bases of {} are unknown", 100.0 * part.unknown, part.part));
    }
}

pub(super) fn balance(part: Part, tasks: &[TaskAudit], found: &mut Vec<String>) {
    for task in tasks {
        let Balance::Binary { positives, negatives, .. } = task.balance else { continue };
        let (fewer, all) = (positives.min(negatives), positives + negatives);
        if all > 0 && fewer == 0 {
            let label = u8::from(positives > 0);
            found.push(format!("all labels of {} in {part} are {label}", task.task));
        } else if (fewer as f64) < RARE * all as f64 {
            found.push(format!(
                "the rarer label of {} has {} rows of {part}: read the average precision beside the AUROC",
                task.task,
                of(fewer, all),
            ));
        }
    }
}
