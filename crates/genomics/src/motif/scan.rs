//! Where motifs occur.

use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Column, Motif, MotifError, Pssm, benjamini_hochberg, codes, runs};
use crate::locus::Strand;

/// How sequences are searched for motifs.
///
/// ```
/// use genomics::motif::{Motif, ScanConfig, UNIFORM};
/// let columns: Vec<_> = b"ACGTTC".iter().map(|base| b"ACGT".map(|b| f64::from(u8::from(b == *base)))).collect();
/// let motif = Motif::new("m", columns)?;
/// let hits = ScanConfig { p_value: 1e-3, ..ScanConfig::default() }.scan(&[motif], &[b"TTGAACGTAA"], &UNIFORM)?;
/// // GAACGT is ACGTTC on the other strand
/// assert_eq!((hits[0].start, hits[0].end, hits[0].strand.sign()), (2, 8, '-'));
/// assert!((hits[0].p_value - 0.25_f64.powi(6)).abs() < 1e-15);
/// # Ok::<(), genomics::motif::MotifError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScanConfig {
    /// Largest p-value of a hit. FIMO's default.
    pub p_value: f64,
    /// Weight of the background in the motif's probabilities, in sites. FIMO's default.
    pub pseudocount: f64,
    /// Bits between two scores that are told apart.
    pub step: f64,
    /// Whether to search the other strand as well.
    pub both_strands: bool,
}

impl Default for ScanConfig {
    /// p-values to 1e-4 on both strands, as FIMO (Grant, Bailey and Noble 2011).
    fn default() -> Self {
        Self { p_value: 1e-4, pseudocount: 0.1, step: 0.01, both_strands: true }
    }
}

/// An occurrence of a motif.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Which motif.
    pub motif: usize,
    /// Which sequence.
    pub sequence: usize,
    /// Its first base, from 0 on the strand that was given.
    pub start: usize,
    /// The base behind the last one.
    pub end: usize,
    /// The strand on which the motif reads forward.
    pub strand: Strand,
    /// Score in bits.
    pub score: f64,
    /// Probability that a random window scores as high.
    pub p_value: f64,
    /// False discovery rate among all windows and strands that this motif was compared with.
    pub q_value: f64,
}

impl ScanConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("p_value", self.p_value, 0.0..=1.0)?;
        in_range("pseudocount", self.pseudocount, 1e-6..=1e3)?;
        in_range("step", self.step, 0.001..=1.0)
    }

    /// All hits, by motif, sequence, place, and strand. Windows with a letter other than A, C, G and T are passed over.
    ///
    /// # Errors
    /// [`MotifError::Config`], [`MotifError::Background`].
    pub fn scan(&self, motifs: &[Motif], sequences: &[&[u8]], background: &Column) -> Result<Vec<Hit>, MotifError> {
        self.validate()?;
        let coded: Vec<Vec<u8>> = sequences.iter().map(|sequence| codes(sequence)).collect();
        let found: Result<Vec<Vec<Hit>>, MotifError> = motifs
            .par_iter()
            .enumerate()
            .map(|(place, motif)| {
                let pssm = Pssm::new(motif, background, self.pseudocount, self.step)?;
                Ok(self.occurrences(place, &pssm, &coded))
            })
            .collect();
        Ok(found?.into_iter().flatten().collect())
    }

    fn occurrences(&self, motif: usize, pssm: &Pssm, coded: &[Vec<u8>]) -> Vec<Hit> {
        let Some(enough) = pssm.threshold_steps(self.p_value) else { return Vec::new() };
        let strands: &[Strand] =
            if self.both_strands { &[Strand::Forward, Strand::Reverse] } else { &[Strand::Forward] };
        let (mut hits, mut tests) = (Vec::new(), 0);
        for (sequence, codes) in coded.iter().enumerate() {
            for (first, run) in runs(codes) {
                for (offset, scores) in pssm.windows(run).enumerate() {
                    tests += strands.len();
                    for (&strand, &steps) in strands.iter().zip(&scores) {
                        if steps >= enough {
                            let (start, p_value) = (first + offset, pssm.chance(steps));
                            let (end, score) = (start + pssm.width(), pssm.bits(steps));
                            hits.push(Hit { motif, sequence, start, end, strand, score, p_value, q_value: 1.0 });
                        }
                    }
                }
            }
        }
        let p_values: Vec<f64> = hits.iter().map(|hit| hit.p_value).collect();
        for (hit, q_value) in hits.iter_mut().zip(benjamini_hochberg(&p_values, tests)) {
            hit.q_value = q_value;
        }
        hits
    }
}
