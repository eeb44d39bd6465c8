//! An audit as text.

use std::fmt;

use nn_core::data::Part;

use super::findings::shown;
use super::{Audit, Balance, Overlap, PartAudit, Scored, TaskAudit};
use crate::dataset::Labels;

/// Tasks that are spelt out in each part.
pub(super) const TASKS: usize = 12;
/// Contigs that a line names.
const CONTIGS: usize = 6;

/// A count with its thousands set apart: 5,010.
pub(super) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `929 of 5,010 (18.5 %)`.
pub(super) fn of(part: usize, whole: usize) -> String {
    let percent = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    let shown = if part > 0 && percent < 0.1 { format!("{percent:.2}") } else { format!("{percent:.1}") };
    format!("{} of {} ({shown} %)", thousands(part), thousands(whole))
}

/// The first few names.
pub(super) fn listed(names: &[String]) -> String {
    let first = names.iter().take(CONTIGS).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > CONTIGS { format!("{first}, …") } else { first }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rows, {} different sequences (a sequence and its reverse complement being one)",
            thousands(self.rows),
            thousands(self.distinct),
        )?;
        if self.unused > 0 {
            writeln!(f, "{} rows are in no part", of(self.unused, self.rows))?;
        }

        writeln!(f, "\npart             rows  different    bases       GC  unknown  contigs")?;
        for part in &self.parts {
            part_text(f, part)?;
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
        for overlap in &self.overlaps {
            overlap_text(f, overlap)?;
        }
        for part in [Part::Validation, Part::Test] {
            if self.scores_on(part).next().is_some() {
                scores_text(f, part, &self.labels, self.scores_on(part))?;
            }
        }

        let findings = self.findings();
        if findings.is_empty() {
            return writeln!(f, "\nnothing found that makes a score say less than it seems to");
        }
        writeln!(f, "\nto be looked at:")?;
        findings.iter().try_for_each(|finding| writeln!(f, "  {finding}"))
    }
}

fn part_text(f: &mut fmt::Formatter<'_>, part: &PartAudit) -> fmt::Result {
    let [shortest, median, longest] = part.lengths;
    let bases = if shortest == longest { median.to_string() } else { format!("{shortest}–{longest}") };
    let contigs = if part.placed == 0 { "-".to_owned() } else { part.contig_count.to_string() };
    writeln!(
        f,
        "{:<10} {:>10} {:>10} {bases:>8} {:>8.3} {:>6.2} % {contigs:>8}",
        part.part.name(),
        thousands(part.rows),
        thousands(part.distinct),
        part.gc[2],
        100.0 * part.unknown,
    )
}

pub(super) fn task_text(f: &mut fmt::Formatter<'_>, part: Part, task: &TaskAudit) -> fmt::Result {
    write!(f, "{part}, {}: ", task.task)?;
    match &task.balance {
        Balance::Binary { positives, negatives, gc_positives, gc_negatives } => {
            write!(f, "{} positive", of(*positives, positives + negatives))?;
            if let (Some(yes), Some(no)) = (gc_positives, gc_negatives) {
                write!(f, ", mean GC {yes:.3} against {no:.3}")?;
            }
        }
        Balance::Classes(counts) => {
            let named: Vec<String> = counts.iter().map(|(name, rows)| format!("{name} {}", thousands(*rows))).collect();
            write!(f, "{}", named.join(", "))?;
        }
        Balance::Values { quartiles: Some([low, _, median, _, high]), mean, sd } => {
            write!(f, "{low:.3} to {high:.3}, median {median:.3}, mean {mean:.3}, sd {sd:.3}")?;
        }
        Balance::Values { quartiles: None, .. } => write!(f, "no values")?,
    }
    if task.missing > 0 {
        write!(f, "; {} without a label", thousands(task.missing))?;
    }
    writeln!(f)
}

fn overlap_text(f: &mut fmt::Formatter<'_>, overlap: &Overlap) -> fmt::Result {
    let (part, rows) = (overlap.part, overlap.rows);
    writeln!(f, "\n{} {part} sequences are in train", of(overlap.same_sequence, rows))?;
    writeln!(f, "{} only as their reverse complement", of(overlap.reverse_complement, rows))?;
    if let (Some(contig), Some(overlapping)) = (overlap.same_contig, overlap.overlapping) {
        writeln!(f, "{} lie on a contig of train", of(contig, rows))?;
        writeln!(f, "{} overlap a window of train", of(overlapping, rows))?;
    }
    Ok(())
}

/// A table of the scores that matter for the labels.
pub(super) fn scores_text<'a>(
    f: &mut fmt::Formatter<'_>,
    part: Part,
    labels: &Labels,
    scores: impl Iterator<Item = &'a Scored>,
) -> fmt::Result {
    let columns: &[&str] = match labels {
        Labels::Binary => &["auroc", "average_precision", "accuracy", "mcc"],
        Labels::Classes(_) => &["accuracy", "macro_f1", "auroc"],
        Labels::Values => &["pearson", "spearman", "r2", "mse"],
    };
    let title = format!("on {part}");
    write!(f, "\n{title:<30}")?;
    for column in columns {
        write!(f, " {:>9}", shown(column))?;
    }
    writeln!(f)?;
    for scored in scores {
        write!(f, "{:<30}", scored.name)?;
        for column in columns {
            match scored.scores.get(*column) {
                Some(score) => write!(f, " {score:>9.3}")?,
                None => write!(f, " {:>9}", "-")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_readable() {
        assert_eq!([0, 999, 118_254, 1_000_000].map(thousands), ["0", "999", "118,254", "1,000,000"]);
        assert_eq!(of(929, 5010), "929 of 5,010 (18.5 %)");
        assert_eq!(of(3, 118_254), "3 of 118,254 (0.00 %)");
        assert_eq!(of(0, 0), "0 of 0 (0.0 %)");
        let names: Vec<String> = (1..9).map(|i| format!("chr{i}")).collect();
        assert_eq!(listed(&names), "chr1, chr2, chr3, chr4, chr5, chr6, …");
        assert_eq!(listed(&names[..2]), "chr1, chr2");
    }
}
