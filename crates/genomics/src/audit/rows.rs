//! What rows that are no sequences, and their division, really test: pairs, genes, sites, samples.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use nn_core::data::{Part, Split};
use serde::{Deserialize, Serialize};

use super::findings::{MARGIN, balance, shown};
use super::text::{TASKS, listed, of, scores_text, task_text, thousands};
use super::{LISTED, Scored, TaskAudit, headline, spread};
use crate::dataset::Labels;
use crate::evaluate::Scores;
use crate::task::Rows;

/// Rows and labels of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsPart {
    /// Which part.
    pub part: Part,
    /// Rows.
    pub rows: usize,
    /// Contigs that they lie on; 0 for rows without a place on a genome.
    pub contigs: usize,
    /// The labels, task by task.
    pub tasks: Vec<TaskAudit>,
}

/// What a part shares with the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsOverlap {
    /// Which part.
    pub part: Part,
    /// Its rows.
    pub rows: usize,
    /// Rows that are called like one of training.
    pub same_name: usize,
    /// Rows of a group that training has rows of, where rows have groups: families, patients, pairs with a common
    /// element.
    pub same_group: Option<usize>,
    /// Rows on a contig of the training part, where rows of both parts have a place.
    pub same_contig: Option<usize>,
    /// Those contigs, at most thirty of them.
    pub shared_contigs: Vec<String>,
}

/// The audit of the rows of a task and a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsAudit {
    /// Rows of the task.
    pub rows: usize,
    /// Rows in no part.
    pub unused: usize,
    /// What the labels are.
    pub labels: Labels,
    /// The parts that have rows.
    pub parts: Vec<RowsPart>,
    /// The validation and the test part, as far as they have rows, against the training part.
    pub overlaps: Vec<RowsOverlap>,
    /// What was added by [`RowsAudit::with_scores`].
    pub scores: Vec<Scored>,
}

impl RowsAudit {
    /// Audits `split` of the rows of a task.
    ///
    /// # Panics
    /// If the split names rows that are not there.
    pub fn new(rows: &Rows, split: &Split) -> Self {
        let filled: Vec<Part> = Part::ALL.into_iter().filter(|&part| !split.part(part).is_empty()).collect();
        let tested = filled.iter().filter(|part| **part != Part::Train);
        Self {
            rows: rows.len(),
            unused: rows.len().saturating_sub(filled.iter().map(|&part| split.part(part).len()).sum()),
            labels: rows.predicts.labels.clone(),
            parts: filled.iter().map(|&part| part_of(rows, part, split.part(part))).collect(),
            overlaps: tested.map(|&part| overlap(rows, part, split)).collect(),
            scores: Vec::new(),
        }
    }

    /// Puts the scores of a predictor on the test part beside those that are there.
    pub fn with_scores(mut self, name: impl Into<String>, baseline: bool, scores: Scores) -> Self {
        self.scores.push(Scored { name: name.into(), baseline, part: Part::Test, scores });
        self
    }

    /// What should be looked at before a score is believed, one sentence each; empty if nothing was found.
    pub fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        for overlap in &self.overlaps {
            let (part, rows) = (overlap.part, overlap.rows);
            for (count, what) in [
                (overlap.same_name, "are called like one of training"),
                (overlap.same_group.unwrap_or(0), "are of a group that training has too"),
            ] {
                if count > 0 {
                    found.push(format!("{} {part} rows {what}", of(count, rows)));
                }
            }
            if let Some(count) = overlap.same_contig.filter(|count| *count > 0) {
                let contigs = listed(&overlap.shared_contigs);
                found.push(format!("{} {part} rows lie on contigs that training has too: {contigs}", of(count, rows)));
            }
        }
        for part in &self.parts {
            balance(part.part, &part.tasks, &mut found);
        }
        self.against_baselines(&mut found);
        found
    }

    fn against_baselines(&self, found: &mut Vec<String>) {
        let name = headline(&self.labels);
        let of = |scored: &&Scored| scored.scores.get(name).copied();
        let baselines = self.scores.iter().filter(|scored| scored.baseline);
        let best = baselines.filter_map(|scored| Some((scored, of(&scored)?))).max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((best, floor)) = best else { return };
        for model in self.scores.iter().filter(|scored| !scored.baseline) {
            if let Some(score) = of(&model).filter(|score| *score < floor + MARGIN) {
                found.push(format!(
                    "{} reaches {} {score:.3} on test, {} {floor:.3}: nothing shows that it knows more",
                    model.name,
                    shown(name),
                    best.name,
                ));
            }
        }
    }

    /// The audit as a text of a dozen lines, for terminals and reports.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

fn part_of(rows: &Rows, part: Part, of_part: &[usize]) -> RowsPart {
    let tasks = rows.predicts.tasks.iter().enumerate().map(|(task, name)| {
        let known: Vec<f64> = rows.known(of_part, task).into_iter().map(|(_, target)| target).collect();
        let missing = of_part.len() - known.len();
        TaskAudit { task: name.clone(), missing, balance: spread(&rows.predicts.labels, known) }
    });
    RowsPart { part, rows: of_part.len(), contigs: contigs(rows, of_part).len(), tasks: tasks.collect() }
}

/// The contigs that some rows lie on.
fn contigs<'a>(rows: &'a Rows, some: &[usize]) -> BTreeSet<&'a str> {
    some.iter().filter_map(|&row| Some(rows.loci[row].as_ref()?.contig.as_ref())).collect()
}

fn overlap(rows: &Rows, part: Part, split: &Split) -> RowsOverlap {
    let tested = split.part(part);
    let names: HashSet<&str> = split.train.iter().map(|&row| rows.names[row].as_str()).collect();
    let same_group = rows.groups.as_ref().map(|groups| {
        let learnt: HashSet<u64> = split.train.iter().map(|&row| groups[row]).collect();
        tested.iter().filter(|row| learnt.contains(&groups[**row])).count()
    });
    let (own, learnt) = (contigs(rows, tested), contigs(rows, &split.train));
    let placed = !own.is_empty() && !learnt.is_empty();
    let there = |row: &&usize| rows.loci[**row].as_ref().is_some_and(|locus| learnt.contains(locus.contig.as_ref()));
    RowsOverlap {
        part,
        rows: tested.len(),
        same_name: tested.iter().filter(|row| names.contains(rows.names[**row].as_str())).count(),
        same_group,
        same_contig: placed.then(|| tested.iter().filter(there).count()),
        shared_contigs: own.intersection(&learnt).take(LISTED).map(|name| (*name).to_owned()).collect(),
    }
}

impl fmt::Display for RowsAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rows", thousands(self.rows))?;
        if self.unused > 0 {
            writeln!(f, "{} rows are in no part", of(self.unused, self.rows))?;
        }
        writeln!(f, "\npart             rows  contigs")?;
        for part in &self.parts {
            let contigs = if part.contigs == 0 { "-".to_owned() } else { part.contigs.to_string() };
            writeln!(f, "{:<10} {:>10} {contigs:>8}", part.part.name(), thousands(part.rows))?;
        }
        writeln!(f)?;
        for part in &self.parts {
            for task in part.tasks.iter().take(TASKS) {
                task_text(f, part.part, task)?;
            }
            if part.tasks.len() > TASKS {
                writeln!(f, "{}: and {} more tasks", part.part, part.tasks.len() - TASKS)?;
            }
        }
        if !self.scores.is_empty() {
            scores_text(f, Part::Test, &self.labels, self.scores.iter())?;
        }
        let findings = self.findings();
        if findings.is_empty() {
            return writeln!(f, "\nnothing found that makes a score say less than it seems to");
        }
        writeln!(f, "\nto be looked at:")?;
        findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locus::Locus;
    use crate::model::Predicts;

    /// Thirty rows on three contigs; every tenth is positive, and two in a row are of one group.
    fn rows() -> Rows {
        Rows {
            names: (0..30).map(|row| format!("row {row}")).collect(),
            loci: (0..30).map(|row| Some(Locus::new(format!("chr{}", row / 10 + 1), row, row + 1).unwrap())).collect(),
            predicts: Predicts { tasks: vec!["bound".to_owned()], labels: Labels::Binary },
            targets: (0..30).map(|row| f32::from(u8::from(row % 15 == 0))).collect(),
            groups: Some((0..30).map(|row| row / 2).collect()),
        }
    }

    fn split(test: &[usize]) -> Split {
        let train = (0..30).filter(|row| !test.contains(row)).collect();
        Split { train, validation: Vec::new(), test: test.to_vec() }
    }

    #[test]
    fn what_parts_share_is_counted() {
        // rows 20 to 29 are a contig of their own, of whole groups
        let clean = RowsAudit::new(&rows(), &split(&(20..30).collect::<Vec<usize>>()));
        let overlap = &clean.overlaps[0];
        assert_eq!((overlap.same_name, overlap.same_group, overlap.same_contig), (0, Some(0), Some(0)));
        assert_eq!(clean.findings(), ["all labels of bound in test are 0"]);
        // rows 1 and 3 leave their groups behind, and their contig
        let mut named = rows();
        named.names[3] = "row 7".to_owned();
        let leaky = RowsAudit::new(&named, &split(&[1, 3, 15]));
        let findings = leaky.findings().join("\n");
        for expected in [
            "1 of 3 (33.3 %) test rows are called like one of training",
            "3 of 3 (100.0 %) test rows are of a group that training has too",
            "3 of 3 (100.0 %) test rows lie on contigs that training has too: chr1, chr2",
            "the rarer label of bound has 1 of 27 (3.7 %) rows of train",
        ] {
            assert!(findings.contains(expected), "{expected} is missing in:\n{findings}");
        }
    }

    #[test]
    fn a_model_that_is_no_better_than_a_baseline_is_told() {
        let scores = |auroc: f64| Scores::from([("auroc".to_owned(), auroc)]);
        let audit = RowsAudit::new(&rows(), &split(&[20, 21])).with_scores("majority", true, scores(0.5)).with_scores(
            "words",
            true,
            scores(0.8),
        );
        let told = |auroc: f64| audit.clone().with_scores("speid", false, scores(auroc)).to_text();
        assert!(
            told(0.805).contains("speid reaches AUROC 0.805 on test, words 0.800: nothing shows that it knows more")
        );
        assert!(!told(0.9).contains("nothing shows"));
        let text = told(0.9);
        assert!(text.starts_with("30 rows\n") && text.contains("train, bound: 2 of 28"), "{text}");
        let back: RowsAudit = serde_json::from_str(&serde_json::to_string(&audit).unwrap()).unwrap();
        assert_eq!(back, audit);
    }
}
