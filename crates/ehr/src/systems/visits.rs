//! The visits of one patient: ids of a vocabulary, days between visits, and what is known besides.

use std::collections::BTreeSet;

/// The id that stands for no code. It is never looked up, and [`VisitSequence::push`] leaves it out.
pub const PADDING: u32 = 0;
/// The id of a code that the vocabulary does not have.
pub const UNKNOWN: u32 = 1;

/// The visits of one patient, the first one first, up to the prediction time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VisitSequence {
    codes: Vec<u32>,
    ends: Vec<usize>,
    gaps: Vec<f32>,
    planned: Vec<bool>,
    statics: Vec<f32>,
}

impl VisitSequence {
    /// A patient without visits, and the numbers that are known besides (age, sex, days from the last visit to the
    /// prediction time), scaled and without gaps.
    pub fn new(statics: Vec<f32>) -> Self {
        Self { statics, ..Self::default() }
    }

    /// Adds a visit behind the others, `days` after the start of the one before (of the first visit they do not count;
    /// what is negative or not a number counts as 0). `planned` is how the patient came: true for an elective
    /// admission, false for an emergency and where it is not known.
    ///
    /// Ids are kept sorted and each once: a visit is a set, whose order in a table means nothing.
    pub fn push(&mut self, days: f32, planned: bool, codes: impl IntoIterator<Item = u32>) {
        let codes: BTreeSet<u32> = codes.into_iter().filter(|&code| code != PADDING).collect();
        self.codes.extend(codes);
        self.ends.push(self.codes.len());
        self.gaps.push(if self.gaps.is_empty() { 0.0 } else { days.max(0.0) });
        self.planned.push(planned);
    }

    /// Number of visits.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no visit.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Ids of a visit; none behind the last one.
    pub fn codes(&self, visit: usize) -> &[u32] {
        let Some(&end) = self.ends.get(visit) else {
            return &[];
        };
        let start = if visit == 0 { 0 } else { self.ends[visit - 1] };
        &self.codes[start..end]
    }

    /// Days of each visit since the start of the one before; 0 for the first.
    pub fn gaps(&self) -> &[f32] {
        &self.gaps
    }

    /// Whether each visit was planned.
    pub fn planned(&self) -> &[bool] {
        &self.planned
    }

    /// What is known besides the visits.
    pub fn statics(&self) -> &[f32] {
        &self.statics
    }

    /// The last `most` visits; all of them if there are not as many.
    pub fn last(&self, most: usize) -> Self {
        let mut kept = Self::new(self.statics.clone());
        for visit in self.len().saturating_sub(most)..self.len() {
            kept.push(self.gaps[visit], self.planned[visit], self.codes(visit).iter().copied());
        }
        kept
    }
}
