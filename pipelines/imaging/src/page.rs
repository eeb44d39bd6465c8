//! The report of a study: one self-contained HTML page and its figures. What all domains have in common is in
//! [`workbench::page`].

mod gradcam;
mod slices;

pub(crate) use self::gradcam::decisions;
pub(crate) use self::slices::{Panel, fullest, slices};
pub(crate) use workbench::page::{Figures, dropped, head, intervals, learning, surroundings, write};

use crate::cli::counted;
use imaging::study::Divided;
use workbench::page::{division, parts};
use workbench::report::Section;

/// How the rows were divided.
pub(crate) fn split(divided: &Divided, folds: usize) -> Section {
    let mut section = division(divided.kind().describe(), folds);
    if !divided.dropped().is_empty() {
        let text = format!(
            "{} left out of the test, because a copy is in another part.",
            counted(divided.dropped().len(), "row")
        );
        section = section.paragraph(text);
    }
    let splits = (0..divided.models()).map(|i| divided.split(i));
    section.table(parts("Rows of each part", ["train", "validation", "test"], splits))
}
