//! The report of a study: one self-contained HTML page and its figures. What all domains have in common is in
//! [`workbench::page`].

mod timeline;

pub(crate) use self::timeline::patient;

use crate::cli::counted;
use ehr::study::Plan;
use workbench::page::{division, parts};
use workbench::report::Section;

/// How the labels were divided.
pub(crate) fn split(plan: &Plan, folds: usize) -> Section {
    let mut section = division(plan.kind().describe(), folds);
    if !plan.unused().is_empty() {
        let text = format!(
            "{} in no part, because other labels of their subjects are.",
            counted(plan.unused().len(), "label")
        );
        section = section.paragraph(text);
    }
    let splits = (0..plan.models()).map(|i| plan.rows(i));
    section.table(parts("Labels of each part", ["train", "tuning", "held out"], splits))
}
