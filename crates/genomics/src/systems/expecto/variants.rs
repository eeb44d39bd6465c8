//! Effects of variants on the expression of genes.

use super::net::sign;
use super::{Expecto, ExpectoError};
use crate::locus::Strand;

/// Both sequences around a variant, on the reference's forward strand, and the gene that it may have an effect on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alleles {
    /// The reference, with the variant in the middle.
    pub reference: Vec<u8>,
    /// The same place with the other allele, in the middle as well.
    pub alternative: Vec<u8>,
    /// Bases from the gene's start of transcription to the variant in the direction of the gene; negative upstream.
    pub distance: i64,
    /// The strand of the gene.
    pub strand: Strand,
}

impl Expecto {
    /// Bases of a sequence that holds all windows which are read for a variant in its middle.
    pub fn span(&self) -> usize {
        self.config().body.length + 2 * self.outermost()
    }

    /// Bases from the variant to the middle of the farthest window.
    fn outermost(&self) -> usize {
        self.config().spatial.shifts().last().map_or(0, |shift| shift.unsigned_abs() as usize)
    }

    /// What each variant adds to the expression of its gene, on the scale of the levels that were learnt: the
    /// difference that it makes to the marks of windows around it, weighted by their distances to the start. The body
    /// must be in validation state.
    ///
    /// # Shapes
    /// - output `[variants, tissues]`
    ///
    /// # Errors
    /// [`ExpectoError::Window`] for sequences shorter than [`Expecto::span`].
    pub fn effects(&self, variants: &[Alleles]) -> Result<Vec<f64>, ExpectoError> {
        let (heads, mut found) = (self.heads()?, Vec::new());
        for (row, variant) in variants.iter().enumerate() {
            let [reference, alternative] = self.shares(&heads, row, variant)?;
            found.extend(alternative.iter().zip(reference).map(|(alternative, reference)| alternative - reference));
        }
        Ok(found)
    }

    /// What the windows around a variant add to the expression of its gene in each tissue, with the reference and with
    /// the alternative; `heads` are those of [`Expecto::heads`], and `row` is the number of the variant for messages.
    ///
    /// # Errors
    /// As [`Expecto::effects`].
    pub(super) fn shares(&self, heads: &[f64], row: usize, variant: &Alleles) -> Result<[Vec<f64>; 2], ExpectoError> {
        let (config, due, outermost) = (self.config(), self.span(), self.outermost());
        let (spatial, length) = (&config.spatial, config.body.length);
        let shifts = spatial.shifts();
        let mut windows = Vec::with_capacity(2 * shifts.len());
        for (allele, sequence) in [("reference", &variant.reference), ("alternative", &variant.alternative)] {
            if sequence.len() < due {
                return Err(ExpectoError::Window { row: row + 1, allele, found: sequence.len(), due });
            }
            // the base at half the length of a sequence and that of a window without a shift are the same
            let first = sequence.len() / 2 - length / 2 - outermost;
            let starts = (0..shifts.len()).map(|window| first + window * spatial.step);
            windows.extend(starts.map(|start| &sequence[start..start + length]));
        }
        let marks = self.body().chromatin(&windows)?;
        let sign = sign(variant.strand);
        let distances: Vec<i64> = shifts.iter().map(|shift| variant.distance + sign * shift).collect();
        let (reference, alternative) = marks.split_at(marks.len() / 2);
        Ok([reference, alternative].map(|marks| {
            let mut sums = vec![0.0; config.tissues];
            for (sum, heads) in spatial.features(marks, &distances).into_iter().zip(heads.chunks_exact(config.tissues))
            {
                sums.iter_mut().zip(heads).for_each(|(total, weight)| *total += sum * weight);
            }
            sums
        }))
    }
}
