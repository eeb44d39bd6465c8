//! What an audit says in sentences.

use nn_core::data::Part;

use super::text::{listed, of, thousands};
use super::{Audit, Duplicate, Named, Overlap, Scored};

/// Share of the images whose likest image is a neighbour, from which the order of the names tells who belongs together.
const NEIGHBOURS: f64 = 0.05;
/// Score from which a baseline leaves little to learn.
const EASY: f64 = 0.9;

impl Audit {
    /// What makes a score say less than it seems to, in sentences; empty if nothing was found.
    pub fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        for overlap in &self.overlaps {
            shared(overlap, &mut findings);
        }
        for part in &self.parts {
            if part.repeats > 0 {
                findings.push(format!(
                    "{} {} images repeat another image of the part, pixel by pixel",
                    of(part.repeats, part.rows),
                    part.part
                ));
            }
            if part.rows > 1 && part.subjects == 1 {
                findings.push(format!(
                    "all {} {} images are of one subject; an interval over subjects is not defined",
                    thousands(part.rows),
                    part.part
                ));
            }
            for (class, _) in part.classes.iter().filter(|(_, count)| *count == 0) {
                findings.push(format!("no {} image is of class {class}", part.part));
            }
            for label in part.labels.iter().filter(|label| label.cases == 0) {
                findings.push(format!("no {} case has the label {}", part.part, label.name));
            }
        }
        let contradictions: Vec<&Duplicate> = self.duplicates.iter().filter(|found| found.conflicting).collect();
        if let Some(first) = contradictions.first() {
            findings.push(format!(
                "{} groups of images that are the same or alike are of different classes, such as {}",
                thousands(contradictions.len()),
                names(&first.images)
            ));
        }
        let near = self.duplicates.iter().filter(|found| !found.exact).count();
        if near > 0 {
            findings.push(format!("{} pairs of images are near duplicates", thousands(near)));
        }
        if let Some(neighbours) = self.neighbours
            && neighbours.found as f64 > (NEIGHBOURS * self.rows as f64).max(4.0 * neighbours.expected)
        {
            findings.push(format!(
                "{} images are most like an image whose name comes next, where chance has {:.0}: images that belong together may have different subjects; split in blocks",
                of(neighbours.found, self.rows),
                neighbours.expected
            ));
        }
        for (those, what) in [
            (&self.empty_labels, "labelled cases have no labelled voxel"),
            (&self.blank, "images are of one value throughout"),
            (&self.not_finite, "images have values that are not a number"),
        ] {
            if !those.is_empty() {
                findings.push(format!("{} {what}: {}", of(those.len(), self.rows), names(those)));
            }
        }
        let mut standing_out: Vec<&Named> = Vec::new();
        for outlier in &self.outliers {
            if !standing_out.contains(&&outlier.image) {
                standing_out.push(&outlier.image);
            }
        }
        if let Some(first) = self.outliers.first() {
            let all: Vec<Named> = standing_out.into_iter().cloned().collect();
            findings.push(format!(
                "the intensities of {} images stand out: {}; of {} the {} is {:.4}",
                of(all.len(), self.rows),
                names(&all),
                first.image.id,
                first.what,
                first.value
            ));
        }
        for part in [Part::Validation, Part::Test] {
            findings.extend(self.scores_on(part).filter(|scored| scored.baseline).filter_map(easy));
        }
        findings
    }
}

fn shared(overlap: &Overlap, findings: &mut Vec<String>) {
    let (part, rows) = (overlap.part, overlap.rows);
    if overlap.subjects > 0 {
        findings.push(format!(
            "{} {part} images are of {} subjects that are in training as well: {}",
            of(overlap.rows_of_subjects, rows),
            thousands(overlap.subjects),
            listed(&overlap.shared_subjects)
        ));
    }
    if overlap.exact > 0 {
        findings.push(format!("{} {part} images are exact copies of training images", of(overlap.exact, rows)));
    }
    if overlap.near > 0 {
        findings.push(format!("{} {part} images are near duplicates of training images", of(overlap.near, rows)));
    }
    if overlap.conflicting > 0 {
        findings.push(format!("{} of those have another class in training", of(overlap.conflicting, rows)));
    }
}

/// The first few names, with their parts.
fn names(images: &[Named]) -> String {
    let shown = |image: &Named| match image.part {
        Some(part) => format!("{} ({part})", image.id),
        None => image.id.clone(),
    };
    listed(&images.iter().map(shown).collect::<Vec<_>>())
}

fn easy(scored: &Scored) -> Option<String> {
    let (name, value) = ["auroc", "dice"].iter().find_map(|name| Some((name, scored.scores.get(*name)?)))?;
    (*value >= EASY).then(|| format!("{} alone reaches {name} {value:.3} on {}", scored.name, scored.part))
}
