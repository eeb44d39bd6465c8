//! The three steps together: expression of genes, and effects of variants on it.

use std::sync::Arc;

use nn_core::config::ConfigError;
use nn_core::train::StepError;

use super::{Beluga, Ridge, SpatialConfig};
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::{Locus, Strand};

/// Why expression or effects cannot be predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectoError {
    /// A setting is out of range, or the parts do not fit together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A window that the genome does not have.
    #[error(transparent)]
    Genome(#[from] GenomeError),
    /// The device does not give the numbers back.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A window that is too short for its shifts.
    #[error("variant {row}: the {allele} window has {found} bases; {due} are due, with the variant in the middle")]
    Window {
        /// The variant, from 1.
        row: usize,
        /// `reference` or `alternative`.
        allele: &'static str,
        /// Its bases.
        found: usize,
        /// The bases that the shifts need.
        due: usize,
    },
}

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

/// Body, sums and linear step for one tissue.
#[derive(Debug, Clone)]
pub struct Expecto {
    body: Beluga,
    spatial: SpatialConfig,
    head: Ridge,
}

impl Expecto {
    /// Puts the parts together. The body must be in validation state.
    ///
    /// # Errors
    /// What [`SpatialConfig::validate`] finds, and [`ConfigError::Conflict`] when the head has not a weight for each sum
    /// of each mark.
    pub fn new(body: Beluga, spatial: SpatialConfig, head: Ridge) -> Result<Self, ConfigError> {
        spatial.validate()?;
        let (found, due) = (head.weights.len(), spatial.sums() * body.config().outputs);
        if found != due {
            return Err(ConfigError::Conflict(format!("the head has {found} weights; {due} sums of marks are due")));
        }
        Ok(Self { body, spatial, head })
    }

    /// The linear step.
    pub fn head(&self) -> &Ridge {
        &self.head
    }

    /// What the linear step of any tissue reads of genes: the sums of the marks around the start of each, which is the
    /// first base in the direction of its strand. The body must be in validation state.
    ///
    /// # Shapes
    /// - output `[genes, sums * outputs]`
    ///
    /// # Errors
    /// [`ExpectoError`] for a contig that the genome does not have.
    pub fn features(
        body: &Beluga,
        spatial: &SpatialConfig,
        genome: &Genome,
        genes: &[Locus],
    ) -> Result<Vec<f64>, ExpectoError> {
        spatial.validate()?;
        let (offsets, mut found) = (spatial.offsets(), Vec::new());
        for gene in genes {
            let sign = sign(gene.strand);
            let windows = offsets.iter().map(|offset| {
                let start = gene.five_prime() + sign * offset;
                let middle = Locus { contig: Arc::clone(&gene.contig), start, end: start + 1, strand: Strand::Forward };
                genome.window(&middle.centred(body.config().length), Edge::Pad)
            });
            let windows = windows.collect::<Result<Vec<Vec<u8>>, GenomeError>>()?;
            let windows: Vec<&[u8]> = windows.iter().map(Vec::as_slice).collect();
            found.extend(spatial.features(&body.chromatin(&windows)?, &offsets));
        }
        Ok(found)
    }

    /// Expression of genes, on the scale of the targets that the head was fitted to.
    ///
    /// # Errors
    /// As [`Expecto::features`].
    pub fn predict(&self, genome: &Genome, genes: &[Locus]) -> Result<Vec<f64>, ExpectoError> {
        if genes.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.head.predict(&Self::features(&self.body, &self.spatial, genome, genes)?))
    }

    /// What each variant adds to the expression of its gene, on the scale of the head's targets: the difference that it
    /// makes to the marks of windows around it, weighted by their distances to the start.
    ///
    /// # Errors
    /// [`ExpectoError::Window`] for windows shorter than the body's and twice the largest shift together.
    pub fn effects(&self, variants: &[Alleles]) -> Result<Vec<f64>, ExpectoError> {
        variants.iter().enumerate().map(|(row, variant)| self.effect(row, variant)).collect()
    }

    fn effect(&self, row: usize, variant: &Alleles) -> Result<f64, ExpectoError> {
        let (shifts, length) = (self.spatial.shifts(), self.body.config().length);
        let outermost = shifts.last().map_or(0, |shift| shift.unsigned_abs() as usize);
        let due = length + 2 * outermost;
        let mut windows = Vec::with_capacity(2 * shifts.len());
        for (allele, sequence) in [("reference", &variant.reference), ("alternative", &variant.alternative)] {
            if sequence.len() < due {
                return Err(ExpectoError::Window { row: row + 1, allele, found: sequence.len(), due });
            }
            // the base at half the length of a sequence and that of a window without a shift are the same
            let first = sequence.len() / 2 - length / 2 - outermost;
            let starts = (0..shifts.len()).map(|window| first + window * self.spatial.step);
            windows.extend(starts.map(|start| &sequence[start..start + length]));
        }
        let marks = self.body.chromatin(&windows)?;
        let (reference, alternative) = marks.split_at(marks.len() / 2);
        let differences: Vec<f64> = alternative.iter().zip(reference).map(|(a, r)| a - r).collect();
        let sign = sign(variant.strand);
        let distances: Vec<i64> = shifts.iter().map(|shift| variant.distance + sign * shift).collect();
        let sums = self.spatial.features(&differences, &distances);
        Ok(sums.iter().zip(&self.head.weights).map(|(sum, weight)| sum * weight).sum())
    }
}

fn sign(strand: Strand) -> i64 {
    match strand {
        Strand::Forward => 1,
        Strand::Reverse => -1,
    }
}
