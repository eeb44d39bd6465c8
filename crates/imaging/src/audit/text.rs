//! An audit as text.

use std::fmt;

use nn_core::data::Part;

use super::{Audit, PartAudit, Scored};

/// Names that a line has at most.
const NAMES: usize = 6;
/// Duplicates that are spelt out.
const DUPLICATES: usize = 12;

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
    let first = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES { format!("{first}, …") } else { first }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} images, {} different ones", thousands(self.rows), thousands(self.distinct))?;
        if self.unused > 0 {
            writeln!(f, "{} images are in no part", of(self.unused, self.rows))?;
        }
        writeln!(f, "\npart           images  subjects  repeats           size          spacing, mm")?;
        for part in &self.parts {
            part_text(f, part)?;
        }
        writeln!(f)?;
        for part in &self.parts {
            for (class, count) in &part.classes {
                writeln!(f, "{}, {class}: {}", part.part, of(*count, part.rows))?;
            }
            for label in &part.labels {
                write!(f, "{}, {}: in {} cases", part.part, label.name, of(label.cases, part.rows))?;
                match &label.mm3 {
                    Some(volume) => {
                        let [low, _, median, _, high] = volume.quartiles;
                        writeln!(f, ", {low:.0} to {high:.0} mm³, median {median:.0}")?;
                    }
                    None => writeln!(f)?,
                }
            }
            if part.unlabelled > 0 {
                writeln!(f, "{}: {} without labels", part.part, of(part.unlabelled, part.rows))?;
            }
        }
        for overlap in &self.overlaps {
            let (part, rows) = (overlap.part, overlap.rows);
            writeln!(f, "\n{} {part} images are exact copies of training images", of(overlap.exact, rows))?;
            writeln!(f, "{} are near duplicates of them", of(overlap.near, rows))?;
            writeln!(f, "{} are of subjects that training has too", of(overlap.rows_of_subjects, rows))?;
        }
        if !self.duplicates.is_empty() {
            writeln!(f)?;
            for found in self.duplicates.iter().take(DUPLICATES) {
                let images: Vec<String> = found.images.iter().map(|image| image.id.clone()).collect();
                let how = if found.exact { "the same".to_owned() } else { format!("alike, {:.3}", found.correlation) };
                writeln!(
                    f,
                    "{how}: {}{}",
                    listed(&images),
                    if found.conflicting { ", of different classes" } else { "" }
                )?;
            }
            if self.duplicates.len() > DUPLICATES {
                writeln!(f, "and {} more", thousands(self.duplicates.len() - DUPLICATES))?;
            }
        }
        for part in [Part::Validation, Part::Test] {
            if self.scores_on(part).next().is_some() {
                scores_text(f, part, &self.scores_on(part).collect::<Vec<_>>())?;
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
    let sizes = part.sizes.map(|[low, high]| if low == high { low.to_string() } else { format!("{low}–{high}") });
    let spacings =
        part.spacings.map(|[low, high]| if low == high { format!("{low:.4}") } else { format!("{low:.3}–{high:.3}") });
    writeln!(
        f,
        "{:<10} {:>10} {:>9} {:>8} {:>14} {:>20}",
        part.part.name(),
        thousands(part.rows),
        thousands(part.subjects),
        thousands(part.repeats),
        sizes.join("×"),
        spacings.join("×"),
    )
}

/// A table of the scores that matter for the labels.
fn scores_text(f: &mut fmt::Formatter<'_>, part: Part, scores: &[&Scored]) -> fmt::Result {
    let all = ["dice", "iou", "hd95", "auroc", "average_precision", "accuracy", "balanced_accuracy", "ece"];
    let columns: Vec<&str> =
        all.into_iter().filter(|name| scores.iter().any(|scored| scored.scores.contains_key(*name))).collect();
    let title = format!("on {part}");
    write!(f, "\n{title:<34}")?;
    for column in &columns {
        write!(f, " {column:>17}")?;
    }
    writeln!(f)?;
    for scored in scores {
        write!(f, "{:<34}", scored.name)?;
        for column in &columns {
            match scored.scores.get(*column) {
                Some(score) => write!(f, " {score:>17.3}")?,
                None => write!(f, " {:>17}", "-")?,
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
        assert_eq!(of(8, 524), "8 of 524 (1.5 %)");
        assert_eq!(of(0, 0), "0 of 0 (0.0 %)");
        let names: Vec<String> = (1..9).map(|i| format!("case {i}")).collect();
        assert_eq!(listed(&names), "case 1, case 2, case 3, case 4, case 5, case 6, …");
        assert_eq!(listed(&names[..2]), "case 1, case 2");
    }
}
