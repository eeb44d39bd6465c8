//! An audit as text.

use std::fmt;

use nn_core::data::Part;

use super::{Audit, Ceiling, Entities, Histogram, KMER, Overlap, Place, Similarity};
use crate::io::affinity::LOGARITHMS;

/// Characters of the longest bar of a histogram.
const BAR: usize = 40;

/// A count with its thousands set apart: 5,010.
fn thousands(count: usize) -> String {
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

/// A count with its noun: `1 drug`, `2,111 drugs`.
fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// `929 of 5,010 (18.5 %)`.
fn of(part: usize, whole: usize) -> String {
    let percent = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    let shown = if part > 0 && percent < 0.1 { format!("{percent:.2}") } else { format!("{percent:.1}") };
    format!("{} of {} ({shown} %)", thousands(part), thousands(whole))
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {}", counted(self.rows, "row"), self.quantity)?;
        // The plural of SMILES is SMILES.
        entities(
            f,
            "drug",
            &format!("{} distinct flat canonical SMILES", thousands(self.drugs.distinct)),
            &self.drugs,
        )?;
        entities(f, "target", &counted(self.targets.distinct, "distinct sequence"), &self.targets)?;
        if self.unused > 0 {
            writeln!(f, "{} rows are in no part", of(self.unused, self.rows))?;
        }

        writeln!(f, "\npart             rows  drugs targets     min  median     max    mean      sd")?;
        for part in &self.parts {
            let [min, _, median, _, max] = part.quartiles;
            writeln!(
                f,
                "{:<10} {:>10} {:>6} {:>7} {min:>7.3} {median:>7.3} {max:>7.3} {:>7.3} {:>7.3}",
                part.part.name(),
                thousands(part.rows),
                thousands(part.drugs),
                thousands(part.targets),
                part.mean,
                part.sd,
            )?;
        }
        if let Some(Ceiling { value, rows, place, .. }) = &self.ceiling {
            // Of a class or a score the end of the range is no end of an assay.
            let place = match (place, LOGARITHMS.contains(&self.quantity.as_str())) {
                (Place::Lowest, true) => "the lowest value: the assay does not measure below it",
                (Place::Lowest, false) => "the lowest value",
                (Place::Highest, true) => "the highest value: the assay does not measure above it",
                (Place::Highest, false) => "the highest value",
                (Place::Inside, _) => "inside the range",
            };
            // Labels have single precision, in which 11.2 is written as such.
            let value = *value as f32;
            writeln!(f, "{} labels are exactly {value}, {place}", of(*rows, self.rows))?;
        }

        let conflicts = &self.conflicts;
        writeln!(
            f,
            "\n{} more than once, {} with different labels ({}, largest difference {:.2})",
            if conflicts.repeated == 1 {
                "1 input occurs".to_owned()
            } else {
                counted(conflicts.repeated, "input") + " occur"
            },
            thousands(conflicts.inputs),
            counted(conflicts.rows, "row"),
            conflicts.largest_spread,
        )?;
        writeln!(f, "mean squared error that no model of these inputs can go below: {:.4}", conflicts.irreducible_mse)?;

        for overlap in &self.overlaps {
            overlap_text(f, overlap)?;
        }
        if !self.reading.is_empty() {
            writeln!(f)?;
        }
        for reading in &self.reading {
            writeln!(
                f,
                "{}: {} truncated, {}",
                reading.what,
                of(reading.truncated, reading.strings),
                counted(reading.unknown, "unknown character"),
            )?;
        }
        Ok(())
    }
}

fn entities(f: &mut fmt::Formatter<'_>, name: &str, distinct: &str, entities: &Entities) -> fmt::Result {
    write!(f, "{}, {distinct}", counted(entities.listed, name))?;
    if entities.unreadable > 0 {
        write!(f, ", {} that cannot be read", thousands(entities.unreadable))?;
    }
    writeln!(f)
}

fn overlap_text(f: &mut fmt::Formatter<'_>, overlap: &Overlap) -> fmt::Result {
    let part = overlap.part.name();
    writeln!(
        f,
        "\n{} {part} pairs have their exact input (SMILES string and sequence) in {}",
        of(overlap.same_input, overlap.rows),
        Part::Train.name(),
    )?;
    if overlap.same_input > 0 {
        let difference = overlap.largest_difference;
        writeln!(f, "  largest difference of such a label to the mean of its training twins: {difference:.2}")?;
    }
    writeln!(
        f,
        "{} have drug and target together in train, up to spelling and stereochemistry",
        of(overlap.same_pair, overlap.rows)
    )?;
    writeln!(f, "{} have their drug in train", of(overlap.drug_seen, overlap.rows))?;
    writeln!(f, "{} have their target in train", of(overlap.target_seen, overlap.rows))?;
    similarity(f, &format!("{part} drugs: Tanimoto similarity (ECFP4) to the nearest in train"), &overlap.drugs)?;
    let title = format!("{part} targets: shared {KMER}-mers (Jaccard) with the nearest in train");
    similarity(f, &title, &overlap.targets)
}

fn similarity(f: &mut fmt::Formatter<'_>, title: &str, found: &Similarity) -> fmt::Result {
    writeln!(f, "{title}")?;
    write!(f, "  {} in train", of(found.seen, found.entities))?;
    if found.unreadable > 0 {
        write!(f, ", {} cannot be read", thousands(found.unreadable))?;
    }
    match found.quartiles {
        Some([min, _, median, _, max]) => writeln!(f, "; lowest {min:.2}, median {median:.2}, highest {max:.2}")?,
        None => writeln!(f)?,
    }
    histogram(f, &found.histogram)
}

/// One line for each bin that is not empty.
fn histogram(f: &mut fmt::Formatter<'_>, histogram: &Histogram) -> fmt::Result {
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let width = (histogram.high - histogram.low) / histogram.counts.len().max(1) as f64;
    for (bin, &count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let from = histogram.low + width * bin as f64;
        let bar = "#".repeat((count * BAR).div_ceil(most));
        writeln!(f, "  {from:.2} to {:.2} {:>8}  {bar}", from + width, thousands(count))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_readable() {
        assert_eq!(
            [0, 12, 999, 1000, 118_254, 1_000_000].map(thousands),
            ["0", "12", "999", "1,000", "118,254", "1,000,000"]
        );
        assert_eq!([0, 1, 2111].map(|count| counted(count, "drug")), ["0 drugs", "1 drug", "2,111 drugs"]);
        assert_eq!(of(929, 5010), "929 of 5,010 (18.5 %)");
        assert_eq!(of(3, 118_254), "3 of 118,254 (0.00 %)");
        assert_eq!(of(0, 0), "0 of 0 (0.0 %)");
    }
}
