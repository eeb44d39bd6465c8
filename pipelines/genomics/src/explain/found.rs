//! What a method of explanation came to.

use genomics::explain::{Attributions, Completeness, MutationMap};
use genomics::motif::Column;

/// A gap above this share of what is explained is worth a warning.
const GAP: f64 = 0.1;

/// A value for each base of each sequence, with what belongs to the method.
pub(crate) struct Found {
    /// For each sequence, what each base adds.
    pub(crate) per_base: Vec<Vec<f64>>,
    /// What each substitution changes, where that was computed.
    pub(super) changes: Option<Vec<Vec<Column>>>,
    completeness: Option<Vec<Completeness>>,
    evaluations: usize,
}

impl Found {
    /// The output divided among the bases.
    pub(super) fn divided(found: Attributions) -> Self {
        Self {
            per_base: found.per_base(),
            changes: None,
            evaluations: found.evaluations,
            completeness: found.completeness,
        }
    }

    /// Every base replaced by every other.
    pub(super) fn mutated(found: MutationMap) -> Self {
        Self {
            per_base: found.per_base(),
            evaluations: found.evaluations,
            completeness: None,
            changes: Some(found.changes),
        }
    }

    /// What the values of a sequence are to sum to, and by how much they miss it.
    pub(super) fn completeness(&self, row: usize) -> Option<(f64, f64)> {
        self.completeness.as_ref().map(|all| (all[row].change, all[row].gap))
    }

    /// What was done, in a sentence.
    pub(super) fn describe(&self) -> String {
        let how = if self.changes.is_some() {
            "Each base was replaced by each of the others; its value is what is lost on average. That is exact, and says \
             nothing of bases that stand in for each other."
        } else {
            "The output is compared with that of dinucleotide shuffles of the sequence, and the difference divided among \
             the bases."
        };
        format!("{how} The model was evaluated {} times.", self.evaluations)
    }

    /// How far the values are from adding up, where that is too far.
    pub(super) fn warning(&self) -> Option<String> {
        let all = self.completeness.as_ref()?;
        let off = all.iter().filter(|one| one.gap.abs() > GAP * one.change.abs().max(GAP)).count();
        (off > 0).then(|| {
            format!(
                "in {off} of {} sequences the values miss what they should sum to by more than a tenth; equal values in \
                 a maximum over places are the usual reason, and mutagenesis has no such gap",
                all.len()
            )
        })
    }
}
