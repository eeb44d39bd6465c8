//! Visits of several patients as the networks read them.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use super::visits::{PADDING, VisitSequence};

/// Visits of several patients in one rectangle, padded behind the last one of each. It lies in the memory of the
/// program; a network takes what it needs to its own device.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitBatch {
    /// Ids of all visits, one behind the other.
    codes: Vec<u32>,
    /// Where those of each visit begin, row by row, padding included; one more at the end.
    starts: Vec<usize>,
    gaps: Vec<f32>,
    planned: Vec<bool>,
    statics: Vec<f32>,
    lengths: Vec<usize>,
    visits: usize,
}

impl VisitBatch {
    /// The batch of these patients. One without visits gets a single one without codes, so that it can be scored.
    ///
    /// # Panics
    /// When patients have different numbers of statics.
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a VisitSequence>) -> Self {
        let sequences: Vec<&VisitSequence> = sequences.into_iter().collect();
        let longest = sequences.iter().map(|sequence| sequence.len()).max().unwrap_or(0);
        Self::build(&sequences, longest.max(1))
    }

    fn build(sequences: &[&VisitSequence], visits: usize) -> Self {
        let width = sequences.first().map_or(0, |sequence| sequence.statics().len());
        let cells = sequences.len() * visits;
        let mut batch = Self {
            codes: Vec::new(),
            starts: vec![0],
            gaps: Vec::with_capacity(cells),
            planned: Vec::with_capacity(cells),
            statics: Vec::with_capacity(sequences.len() * width),
            lengths: Vec::with_capacity(sequences.len()),
            visits,
        };
        for sequence in sequences {
            assert_eq!(sequence.statics().len(), width, "statics of the patients of a batch");
            batch.statics.extend_from_slice(sequence.statics());
            batch.lengths.push(sequence.len().max(1));
            for visit in 0..visits {
                batch.codes.extend_from_slice(sequence.codes(visit));
                batch.starts.push(batch.codes.len());
                batch.gaps.push(sequence.gaps().get(visit).copied().unwrap_or(0.0));
                batch.planned.push(sequence.planned().get(visit).copied().unwrap_or(false));
            }
        }
        batch
    }

    /// Patients.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// Visits of a row, padding included; 1 at least.
    pub fn visits(&self) -> usize {
        self.visits
    }

    /// Visits of each row without padding; 1 at least.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Numbers that are known of each patient besides.
    pub fn statics_width(&self) -> usize {
        self.statics.len().checked_div(self.rows()).unwrap_or(0)
    }

    /// Ids of a visit, sorted; none in padding.
    ///
    /// # Panics
    /// When the batch has no such row or visit.
    pub fn codes(&self, row: usize, visit: usize) -> &[u32] {
        let cell = self.cell(row, visit);
        &self.codes[self.starts[cell]..self.starts[cell + 1]]
    }

    /// Days since the start of the visit before.
    ///
    /// # Panics
    /// When the batch has no such row or visit.
    pub fn gap(&self, row: usize, visit: usize) -> f32 {
        self.gaps[self.cell(row, visit)]
    }

    /// Whether the visit was planned.
    ///
    /// # Panics
    /// When the batch has no such row or visit.
    pub fn planned(&self, row: usize, visit: usize) -> bool {
        self.planned[self.cell(row, visit)]
    }

    fn cell(&self, row: usize, visit: usize) -> usize {
        assert!(row < self.rows() && visit < self.visits, "visit {visit} of row {row} in a batch");
        row * self.visits + visit
    }

    /// Ids of all visits, one behind the other, row by row.
    pub fn all_codes(&self) -> &[u32] {
        &self.codes
    }

    /// For each of [`VisitBatch::all_codes`] the place of its visit, `row * visits + visit`.
    pub fn places(&self) -> Vec<usize> {
        let cells = self.starts.windows(2).enumerate();
        cells.flat_map(|(cell, bounds)| std::iter::repeat_n(cell, bounds[1] - bounds[0])).collect()
    }

    /// The visits of one row, as they were given.
    ///
    /// # Panics
    /// When the batch has no such row.
    pub fn sequence(&self, row: usize) -> VisitSequence {
        let width = self.statics_width();
        let mut sequence = VisitSequence::new(self.statics[row * width..(row + 1) * width].to_vec());
        for visit in 0..self.lengths[row] {
            sequence.push(self.gap(row, visit), self.planned(row, visit), self.codes(row, visit).iter().copied());
        }
        sequence
    }

    /// The same with more padding: `visits` of a row, or as many as there are.
    pub fn padded_to(&self, visits: usize) -> Self {
        let sequences: Vec<VisitSequence> = (0..self.rows()).map(|row| self.sequence(row)).collect();
        Self::build(&sequences.iter().collect::<Vec<_>>(), visits.max(self.visits))
    }

    /// All visits of a span of `days` as one, spans being counted back from the last visit, and of them the last `most`
    /// (1 at least). A span without visits stays, without codes. Whether a span was planned is that of its last visit.
    ///
    /// # Panics
    /// When `days` is not positive.
    pub fn in_spans(&self, days: f32, most: usize) -> Self {
        assert!(days > 0.0, "spans of {days} days");
        let sequences: Vec<VisitSequence> = (0..self.rows()).map(|row| self.spans_of(row, days, most.max(1))).collect();
        Self::new(&sequences)
    }

    fn spans_of(&self, row: usize, days: f32, most: usize) -> VisitSequence {
        // newest first
        let mut spans: Vec<(Vec<u32>, bool)> = Vec::new();
        let mut before = 0.0_f64;
        for visit in (0..self.lengths[row]).rev() {
            let span = (before / f64::from(days)) as usize;
            if span >= most {
                break;
            }
            if spans.len() <= span {
                spans.resize(span, (Vec::new(), false));
                spans.push((Vec::new(), self.planned(row, visit)));
            }
            spans[span].0.extend_from_slice(self.codes(row, visit));
            before += f64::from(self.gap(row, visit));
        }
        let width = self.statics_width();
        let mut sequence = VisitSequence::new(self.statics[row * width..(row + 1) * width].to_vec());
        for (codes, planned) in spans.into_iter().rev() {
            sequence.push(days, planned, codes);
        }
        sequence
    }

    /// Ids in a rectangle, padded with [`PADDING`], and which of them are codes.
    ///
    /// # Shapes
    /// - both `[rows, visits, codes]`, where `codes` is the largest number of a visit, 1 at least
    pub fn padded_codes(&self, device: &Device) -> (Tensor<3, Int>, Tensor<3, Bool>) {
        let sizes = || self.starts.windows(2).map(|bounds| bounds[1] - bounds[0]);
        let width = sizes().max().unwrap_or(0).max(1);
        let shape = [self.rows(), self.visits, width];
        let mut ids = Vec::with_capacity(self.gaps.len() * width);
        for bounds in self.starts.windows(2) {
            ids.extend(self.codes[bounds[0]..bounds[1]].iter().map(|&code| i64::from(code)));
            ids.resize(ids.len() + width - (bounds[1] - bounds[0]), i64::from(PADDING));
        }
        let mask: Vec<bool> = sizes().flat_map(|size| (0..width).map(move |place| place < size)).collect();
        let mask = Tensor::from_data(TensorData::new(mask, shape), device);
        (Tensor::from_data(TensorData::new(ids, shape), device), mask)
    }

    /// Days since the start of the visit before.
    ///
    /// # Shapes
    /// - output `[rows, visits]`
    pub fn gaps(&self, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(self.gaps.clone(), [self.rows(), self.visits]), device)
    }

    /// ln(1 + days since the start of the visit before).
    ///
    /// # Shapes
    /// - output `[rows, visits, 1]`
    pub fn log_gaps(&self, device: &Device) -> Tensor<3> {
        let gaps: Vec<f32> = self.gaps.iter().map(|days| days.ln_1p()).collect();
        Tensor::from_data(TensorData::new(gaps, [self.rows(), self.visits, 1]), device)
    }

    /// 1 for visits, 0 for padding.
    ///
    /// # Shapes
    /// - output `[rows, visits]`
    pub fn mask(&self, device: &Device) -> Tensor<2> {
        let of = |&length: &usize| (0..self.visits).map(move |visit| if visit < length { 1.0 } else { 0.0 });
        let mask: Vec<f32> = self.lengths.iter().flat_map(of).collect();
        Tensor::from_data(TensorData::new(mask, [self.rows(), self.visits]), device)
    }

    /// What is known besides the visits.
    ///
    /// # Shapes
    /// - output `[rows, statics]`
    pub fn statics(&self, device: &Device) -> Tensor<2> {
        let shape = [self.rows(), self.statics_width()];
        Tensor::from_data(TensorData::new(self.statics.clone(), shape), device)
    }

    /// Puts `days` into the gaps of the padding, which no network may read.
    #[cfg(test)]
    pub(super) fn spoil_padding(&mut self, days: f32) {
        let visits = self.visits;
        for (cell, gap) in self.gaps.iter_mut().enumerate() {
            if cell % visits >= self.lengths[cell / visits] {
                *gap = days;
            }
        }
    }
}

#[cfg(test)]
mod tests;
