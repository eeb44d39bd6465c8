//! Visits of some patients, one behind the other.

use crate::systems::VisitSequence;

/// The visits of some patients, one behind the other.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitRows<'a> {
    /// Codes of each visit, one at least.
    pub(super) codes: Vec<&'a [u32]>,
    /// The patient of each visit.
    patients: Vec<usize>,
    pub(super) statics: Vec<f32>,
}

impl<'a> VisitRows<'a> {
    /// The visits of these patients, those without codes left out.
    pub fn new(sequences: impl IntoIterator<Item = &'a VisitSequence>) -> Self {
        let mut rows = Self { codes: Vec::new(), patients: Vec::new(), statics: Vec::new() };
        for (patient, sequence) in sequences.into_iter().enumerate() {
            let visits = (0..sequence.len()).map(move |visit| sequence.codes(visit));
            for codes in visits.filter(|codes| !codes.is_empty()) {
                rows.codes.push(codes);
                rows.patients.push(patient);
                rows.statics.extend_from_slice(sequence.statics());
            }
        }
        rows
    }

    /// Number of visits.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no visit.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// Pairs of visits of one patient, `distance` apart.
    pub(super) fn pairs(&self, distance: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let pairs = (distance..self.len()).map(move |behind| (behind - distance, behind));
        pairs.filter(move |(before, behind)| self.patients[*before] == self.patients[*behind])
    }
}
