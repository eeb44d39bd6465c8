//! What a method of explanation came to.

use genomics::explain::{Attributions, Completeness, MutationMap};
use genomics::motif::Column;

/// A gap above this share of what is explained is worth a warning.
const GAP: f64 = 0.1;

/// What a value says of its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Its share of the output.
    Share,
    /// What is lost without it.
    Loss,
    /// How much the output reacts to it, without a sign.
    Sensitivity,
}

/// A value for each base of each sequence, with what belongs to the method.
pub(crate) struct Found {
    /// For each sequence, the value of each base.
    pub(crate) per_base: Vec<Vec<f64>>,
    /// What each substitution changes, where that was computed.
    pub(super) changes: Option<Vec<Vec<Column>>>,
    completeness: Option<Vec<Completeness>>,
    evaluations: usize,
    meaning: Meaning,
}

impl Found {
    /// The output divided among the bases.
    pub(super) fn divided(found: Attributions) -> Self {
        Self::of(found, Meaning::Share)
    }

    /// The size of the gradient at each base.
    pub(super) fn sensitive(found: Attributions) -> Self {
        Self::of(found, Meaning::Sensitivity)
    }

    fn of(found: Attributions, meaning: Meaning) -> Self {
        Self {
            per_base: found.per_base(),
            changes: None,
            evaluations: found.evaluations,
            completeness: found.completeness,
            meaning,
        }
    }

    /// Every base replaced by every other.
    pub(super) fn mutated(found: MutationMap) -> Self {
        Self {
            per_base: found.per_base(),
            evaluations: found.evaluations,
            completeness: None,
            changes: Some(found.changes),
            meaning: Meaning::Loss,
        }
    }

    /// What the values of a sequence are to sum to, and by how much they miss it.
    pub(super) fn completeness(&self, row: usize) -> Option<(f64, f64)> {
        self.completeness.as_ref().map(|all| (all[row].change, all[row].gap))
    }

    /// The largest change of a value of a sequence when the steps are doubled, where the method takes steps.
    pub(super) fn convergence(&self, row: usize) -> Option<f64> {
        self.completeness.as_ref().and_then(|all| all[row].convergence)
    }

    /// What was done, in a sentence.
    pub(super) fn describe(&self) -> String {
        let how = match self.meaning {
            Meaning::Loss => {
                "Each base was replaced by each of the others; its value is what is lost on average. That is exact, \
                 and says nothing of bases that stand in for each other."
            }
            Meaning::Share => {
                "The output is compared with that of dinucleotide shuffles of the sequence, and the difference divided \
                 among the bases."
            }
            Meaning::Sensitivity => {
                "The size of the output's gradient at each base (the saliency map of the Deep Motif Dashboard): how \
                 much the output reacts, whether the base speaks for it or against it."
            }
        };
        format!("{how} The model was evaluated {} times.", self.evaluations)
    }

    /// On which scale the values are, in two sentences.
    pub(super) fn scale(&self) -> &'static str {
        match self.meaning {
            Meaning::Share | Meaning::Loss => {
                "Values are on the scale of the logit: what each base adds to it. A base that is not known has none."
            }
            Meaning::Sensitivity => {
                "Values are changes of the logit by the share of a base, and do not sum to anything. A base that is \
                 not known has none."
            }
        }
    }

    /// What the values are, for an axis.
    pub(super) fn axis(&self) -> &'static str {
        match self.meaning {
            Meaning::Share | Meaning::Loss => "added to the logit",
            Meaning::Sensitivity => "size of the gradient",
        }
    }

    /// The sequences whose values are too far from adding up.
    pub(super) fn off(&self) -> Vec<usize> {
        let all = self.completeness.as_deref().unwrap_or_default();
        let far = |one: &Completeness| one.gap.abs() > GAP * one.change.abs().max(GAP);
        all.iter().enumerate().filter(|&(_, one)| far(one)).map(|(row, _)| row).collect()
    }

    /// How far the values of the sequences that are `off` are from adding up; `tie` is a maximum reached twice.
    pub(super) fn warning(&self, off: &[usize], tie: Option<String>) -> Option<String> {
        let all = self.completeness.as_deref().filter(|_| !off.is_empty())?;
        // What still moves when the steps are doubled was taken in too few of them.
        let unsettled = |row: &usize| {
            let Completeness { gap, convergence, .. } = all[*row];
            convergence.is_some_and(|delta| delta > GAP * gap.abs())
        };
        let reason = match tie {
            Some(tie) => format!("{tie}, and one of the two gets the share of both"),
            None if off.iter().all(unsettled) => {
                "the output bends too often on the way from the reference for the steps that were taken".to_owned()
            }
            None => "equal values in a maximum over places are the usual reason".to_owned(),
        };
        Some(format!(
            "in {} of {} sequences the values miss what they should sum to by more than a tenth; {reason}; \
             mutagenesis has no such gap",
            off.len(),
            all.len()
        ))
    }
}
