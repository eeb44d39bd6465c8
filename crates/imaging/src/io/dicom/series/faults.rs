//! What keeps the slices of a series from being a grid.

use std::fmt;

use crate::volume::SliceFile;

/// Names that a message spells out.
const SHOWN: usize = 6;

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FaultKind {
    /// One series, several patients.
    MixedPatients,
    /// One series, several studies.
    MixedStudies,
    /// One series, several frames of reference: its coordinates cannot be compared.
    MixedFramesOfReference,
    /// Slices of several sizes in pixels.
    MixedSizes,
    /// Slices of several pixel spacings.
    MixedSpacings,
    /// Slices of several orientations.
    MixedOrientations,
    /// Scouts among the slices.
    Localisers,
    /// Slices that do not say where they stand, among others that do.
    Unplaced,
    /// The same slice twice.
    Duplicates,
    /// Some time points, echoes, … have fewer slices than others.
    IncompleteVolumes,
    /// Slices are shifted against each other in their own plane, as by a tilted gantry.
    Tilt,
    /// Slices are shifted against each other in their own plane, without a rule.
    Shifts,
    /// Distances that are multiples of the usual one.
    MissingSlices,
    /// Distances of slices that are neither the usual one nor a multiple of it.
    UnevenGaps,
}

/// What makes a series with that fault readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Remedy {
    /// Reading each kind of slices as volumes of their own: [`SeriesOptions::split`](super::SeriesOptions::split).
    Split,
    /// Resampling: [`SeriesOptions::allow_resample`](super::SeriesOptions::allow_resample).
    Resample,
    /// Nothing but sorting the files.
    None,
}

impl FaultKind {
    /// What makes a series with that fault readable.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::MixedPatients | Self::MixedStudies | Self::MixedFramesOfReference => Remedy::None,
            Self::MixedSizes | Self::MixedSpacings | Self::MixedOrientations | Self::Localisers | Self::Unplaced => {
                Remedy::Split
            }
            Self::Duplicates
            | Self::IncompleteVolumes
            | Self::Tilt
            | Self::Shifts
            | Self::MissingSlices
            | Self::UnevenGaps => Remedy::Resample,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MixedPatients => "mixed patients",
            Self::MixedStudies => "mixed studies",
            Self::MixedFramesOfReference => "mixed frames of reference",
            Self::MixedSizes => "mixed sizes",
            Self::MixedSpacings => "mixed spacings",
            Self::MixedOrientations => "mixed orientations",
            Self::Localisers => "localisers",
            Self::Unplaced => "slices without a position",
            Self::Duplicates => "duplicates",
            Self::IncompleteVolumes => "incomplete volumes",
            Self::Tilt => "tilt",
            Self::Shifts => "shifted slices",
            Self::MissingSlices => "missing slices",
            Self::UnevenGaps => "uneven gaps",
        })
    }
}

/// One fault of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesFault {
    /// What it is.
    pub kind: FaultKind,
    /// The numbers, in words.
    pub detail: String,
    /// The slices that it concerns: those that are not like most, are twice, or are on both sides of a gap.
    pub slices: Vec<SliceFile>,
}

impl fmt::Display for SeriesFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)?;
        if self.slices.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", names(&self.slices))
    }
}

/// The first few names of slices, and how many more there are.
fn names(slices: &[SliceFile]) -> String {
    let several = slices.iter().any(|slice| slice.frame > 0);
    let mut shown: Vec<String> = slices
        .iter()
        .map(|slice| {
            let name = slice.path.file_name().unwrap_or(slice.path.as_os_str()).to_string_lossy();
            if several { format!("{name} frame {}", slice.frame + 1) } else { name.into_owned() }
        })
        .collect();
    shown.dedup();
    let more = shown.len().saturating_sub(SHOWN);
    shown.truncate(SHOWN);
    let shown = shown.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
