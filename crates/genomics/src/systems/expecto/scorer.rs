//! Scores the variants of a file by what they do to the expression of the nearest gene.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use nn_core::config::ConfigError;

use super::net::sign;
use super::{Alleles, Expecto, ExpectoError};
use crate::genes::GeneTable;
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::Strand;
use crate::variant::{Checked, Effect, Scale, Score, ScoreError, Status, windows};

/// What is said of a variant in front of its scores.
const LABELS: [&str; 2] = ["gene", "distance"];

/// The start of a gene.
#[derive(Debug)]
struct Start {
    at: i64,
    strand: Strand,
    name: String,
}

/// Scores variants by the expression of the gene whose start is nearest, as far as windows are read around it. The
/// score of an allele is what the windows that hold it add to the expression in each tissue; all others are the same
/// for both.
///
/// An insertion or deletion is scored with either flank in its place, and the two are averaged, as
/// [`VariantScorer`](crate::variant::VariantScorer) does.
#[derive(Debug)]
pub struct ExpectoScorer<'a> {
    net: Expecto,
    heads: Vec<f64>,
    tissues: Vec<String>,
    genome: &'a Genome,
    /// By contig of the genome, in the order of their places.
    starts: BTreeMap<usize, Vec<Start>>,
    stop: &'a AtomicBool,
}

impl<'a> ExpectoScorer<'a> {
    /// Scores for `tissues` by the mean of `models`, which have one body, and the starts of `genes`. Raising `stop`
    /// ends the scoring with an error.
    ///
    /// # Errors
    /// [`ExpectoError`] for no model, models of different bodies, other tissues than theirs, and for genes on contigs
    /// that the genome does not have.
    pub fn new(
        models: &[Expecto],
        tissues: Vec<String>,
        genome: &'a Genome,
        genes: &GeneTable,
        stop: &'a AtomicBool,
    ) -> Result<Self, ExpectoError> {
        let conflict = |text: &str| ConfigError::Conflict(text.to_owned());
        let net = models.first().ok_or_else(|| conflict("there is no model to score with"))?.clone();
        if models.iter().any(|model| model.config() != net.config()) || tissues.len() != net.config().tissues {
            return Err(conflict("the models differ in their bodies, their settings or their tissues").into());
        }
        let mut heads = net.heads()?;
        for model in &models[1..] {
            heads.iter_mut().zip(model.heads()?).for_each(|(sum, weight)| *sum += weight);
        }
        heads.iter_mut().for_each(|weight| *weight /= models.len() as f64);
        let mut starts: BTreeMap<usize, Vec<Start>> = BTreeMap::new();
        for (name, start) in genes.names.iter().zip(&genes.starts) {
            let contig = genome.names().position(&start.contig).map_err(GenomeError::from)?;
            let start = Start { at: start.five_prime(), strand: start.strand, name: name.clone() };
            starts.entry(contig).or_default().push(start);
        }
        starts.values_mut().for_each(|starts| starts.sort_by_key(|start| start.at));
        Ok(Self { net, heads, tissues, genome, starts, stop })
    }

    /// The gene whose start is nearest to a place; of two that are as near the one further left.
    fn nearest(&self, contig: &str, at: i64) -> Result<&Start, String> {
        let reach = self.net.config().spatial.reach as i64;
        let contig = self.genome.names().position(contig).map_err(|error| error.to_string())?;
        let starts = self.starts.get(&contig).map(Vec::as_slice).unwrap_or_default();
        let behind = starts.partition_point(|start| start.at < at);
        let around = starts[behind.saturating_sub(1)..starts.len().min(behind + 1)].iter();
        let nearest = around.min_by_key(|start| (start.at - at).abs());
        nearest
            .filter(|start| (start.at - at).abs() <= reach)
            .ok_or_else(|| format!("no gene starts within {reach} bases of it"))
    }

    /// The effect of a variant, or why it has none.
    fn effect(&self, checked: &Checked) -> Result<Result<Effect, String>, ExpectoError> {
        let Some(variant) = &checked.normalised else {
            return Ok(Err(checked.reason.clone().unwrap_or_default()));
        };
        let start = match self.nearest(&variant.contig, variant.position) {
            Ok(start) => start,
            Err(reason) => return Ok(Err(reason)),
        };
        // Of an odd number of bases, the first one of the variant is the middle.
        let swapped = checked.status == Status::Swapped;
        let built = match windows(variant, swapped, self.genome, self.net.span() | 1, Edge::Pad) {
            Ok(built) => built,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let distance = sign(start.strand) * (variant.position - start.at);
        let alternates: Vec<Vec<u8>> = [built.alternate].into_iter().chain(built.compensated).collect();
        let (mut reference, mut alternate) = (Vec::new(), vec![0.0; self.tissues.len()]);
        let count = alternates.len() as f64;
        for alternative in alternates {
            let alleles = Alleles { reference: built.reference.clone(), alternative, distance, strand: start.strand };
            let [with_reference, with_alternate] = self.net.shares(&self.heads, 0, &alleles)?;
            reference = with_reference;
            alternate.iter_mut().zip(with_alternate).for_each(|(sum, share)| *sum += share / count);
        }
        let difference = alternate.iter().zip(&reference).map(|(alternate, reference)| alternate - reference).collect();
        let labels = vec![start.name.clone(), distance.to_string()];
        Ok(Ok(Effect { reference, alternate, difference, log_odds: None, labels }))
    }
}

impl Score for ExpectoScorer<'_> {
    fn tasks(&self) -> &[String] {
        &self.tissues
    }

    fn scale(&self) -> Scale {
        Scale::Values
    }

    fn labels(&self) -> &[&'static str] {
        &LABELS
    }

    fn score(&mut self, checked: &[Checked]) -> Result<Vec<Result<Effect, String>>, ScoreError> {
        let score = |checked: &Checked| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ScoreError::Predict("stopped".into()));
            }
            self.effect(checked).map_err(|error| ScoreError::Predict(Box::new(error)))
        };
        checked.iter().map(score).collect()
    }
}

#[cfg(test)]
mod tests;
