//! One seqlet, and the sum of many that lie over each other.

use crate::locus::Strand;
use crate::motif::Column;

/// A seqlet's bases with their attribution, scaled to length 1.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    /// Its place among the seqlets that were given.
    pub(super) seqlet: usize,
    pub(super) sequence: usize,
    /// Its first base in the sequence.
    start: isize,
    /// Base and attribution of each position as each strand has them; 0 where the sequence has no known base.
    strands: [Vec<(usize, f64)>; 2],
}

/// Where a patch lies in the frame of a profile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    /// Cosine of the two.
    pub(super) similarity: f64,
    /// Column of the frame under the patch's first position on `strand`.
    offset: usize,
    pub(super) strand: Strand,
}

impl Patch {
    /// `None` if there is no attribution.
    pub(super) fn new(
        seqlet: usize,
        sequence: usize,
        start: isize,
        width: usize,
        codes: &[u8],
        scores: &[f64],
    ) -> Option<Self> {
        let mut forward: Vec<(usize, f64)> = (0..width as isize)
            .map(|at| match usize::try_from(start + at) {
                Ok(place) if place < codes.len() && codes[place] < 4 => (usize::from(codes[place]), scores[place]),
                _ => (0, 0.0),
            })
            .collect();
        let length = forward.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
        forward.iter_mut().for_each(|(_, value)| *value /= length);
        let reverse = forward.iter().rev().map(|&(base, value)| (3 - base, value)).collect();
        (length > 0.0).then_some(Self { seqlet, sequence, start, strands: [forward, reverse] })
    }

    fn width(&self) -> usize {
        self.strands[0].len()
    }

    /// Bases and values as a strand has them.
    fn on(&self, strand: Strand) -> &[(usize, f64)] {
        &self.strands[usize::from(strand == Strand::Reverse)]
    }

    /// The base of the sequence under a column of the frame; it may lie outside of the sequence.
    pub(super) fn place(&self, fit: Fit, column: usize) -> isize {
        let behind = column as isize - fit.offset as isize;
        match fit.strand {
            Strand::Forward => self.start + behind,
            Strand::Reverse => self.start + self.width() as isize - 1 - behind,
        }
    }
}

/// The sum of patches in a frame that is twice as wide, so that they may lie half a width to either side.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    columns: Vec<Column>,
    /// Root of the sum of the squares of `columns`.
    length: f64,
    /// Width of a patch.
    width: usize,
    members: usize,
}

impl Profile {
    /// Columns of the frame of patches like this one.
    pub(super) fn frame(patch: &Patch) -> usize {
        patch.width() + 2 * (patch.width() / 2)
    }

    /// A frame without members.
    pub(super) fn empty(patch: &Patch) -> Self {
        Self { columns: vec![[0.0; 4]; Self::frame(patch)], length: 0.0, width: patch.width(), members: 0 }
    }

    /// A profile of one patch, in the middle of the frame.
    pub(super) fn of(patch: &Patch) -> Self {
        let mut profile = Self::empty(patch);
        profile.add(patch, Fit { similarity: 1.0, offset: patch.width() / 2, strand: Strand::Forward });
        profile
    }

    pub(super) fn members(&self) -> usize {
        self.members
    }

    pub(super) fn add(&mut self, patch: &Patch, fit: Fit) {
        for (column, &(base, value)) in self.columns[fit.offset..].iter_mut().zip(patch.on(fit.strand)) {
            column[base] += value;
        }
        self.length = dot(&self.columns, &self.columns).sqrt();
        self.members += 1;
    }

    /// How a patch lies best in the frame.
    pub(super) fn fit(&self, patch: &Patch) -> Fit {
        let mut best = Fit { similarity: f64::NEG_INFINITY, offset: 0, strand: Strand::Forward };
        for strand in [Strand::Forward, Strand::Reverse] {
            for offset in 0..=self.columns.len() - self.width {
                let met = self.columns[offset..].iter().zip(patch.on(strand));
                let similarity = met.map(|(column, &(base, value))| column[base] * value).sum::<f64>() / self.length;
                if similarity > best.similarity {
                    best = Fit { similarity, offset, strand };
                }
            }
        }
        best
    }

    /// Cosine of two profiles, at the best offset of up to half a patch and on the better strand.
    pub(super) fn similarity(&self, other: &Self) -> f64 {
        let reach = self.width / 2;
        let reversed = crate::motif::reversed(&other.columns);
        let mut best = f64::NEG_INFINITY;
        for columns in [&other.columns, &reversed] {
            for shift in 0..=reach {
                best = best.max(dot(&self.columns[shift..], columns)).max(dot(&self.columns, &columns[shift..]));
            }
        }
        best / (self.length * other.length)
    }
}

fn dot(a: &[Column], b: &[Column]) -> f64 {
    a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| a * b).sum()
}
