//! Learning which pairs of a table interact.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::train::{Objective, StepContext, StepError};

use super::{Speid, SpeidConfig};
use crate::dataset::Labels;
use crate::evaluate::Judged;
use crate::genome::{Edge, Genome};
use crate::interactions::InteractionTable;
use crate::locus::Locus;
use crate::sequence::Unknown;
use crate::systems::parts::{numbers, tensor};

/// Stream of the dropout masks in a step.
const DROPOUT: u64 = 0;
/// Pairs that are judged at a time: their windows are long.
const CHUNK: usize = 64;

/// Learns the pairs of a table by cross-entropy, plus the network's penalty.
#[derive(Debug)]
pub struct SpeidObjective<'a> {
    table: &'a InteractionTable,
    genome: &'a Genome,
    config: SpeidConfig,
    validation: Vec<usize>,
    device: Device,
}

impl<'a> SpeidObjective<'a> {
    /// Learns `table` with networks of `config`, and judges them on the pairs `validation`. Windows lie around the middle
    /// of an element. `device` is that of the networks, with or without autodiff.
    ///
    /// # Errors
    /// What [`SpeidConfig::validate`] finds, and [`ConfigError::Conflict`] with what [`InteractionTable::check`] finds.
    pub fn new(
        table: &'a InteractionTable,
        genome: &'a Genome,
        config: SpeidConfig,
        validation: Vec<usize>,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        table.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        Ok(Self { table, genome, config, validation, device: device.clone().inner() })
    }

    /// One-hot windows of the enhancers and of the promoters of the pairs `rows`.
    fn inputs(&self, rows: &[usize], device: &Device) -> Result<[Tensor<3>; 2], StepError> {
        let windows = |loci: Vec<Locus>, width: usize| -> Result<Tensor<3>, StepError> {
            let x = self.genome.one_hot(&loci, Edge::Pad, Unknown::Zeros).map_err(StepError::other)?;
            Ok(tensor(x, [rows.len(), 4, width], device)) // [batch, 4, width]
        };
        let (pairs, config) = (&self.table.pairs, &self.config);
        let enhancer = |&row: &usize| self.table.enhancers[pairs[row].enhancer as usize].centred(config.enhancer);
        let promoter = |&row: &usize| self.table.promoters[pairs[row].promoter as usize].centred(config.promoter);
        Ok([
            windows(rows.iter().map(enhancer).collect(), config.enhancer)?,
            windows(rows.iter().map(promoter).collect(), config.promoter)?,
        ])
    }

    fn labels(&self, rows: &[usize]) -> Vec<f32> {
        rows.iter().map(|&row| f32::from(u8::from(self.table.pairs[row].interacts))).collect()
    }

    /// Logits of the pairs `rows`. The model must be in validation state.
    ///
    /// # Errors
    /// [`StepError`] when the genome does not have their contigs, or the device does not give the numbers back.
    ///
    /// # Panics
    /// If a pair is not there.
    pub fn logits(&self, model: &Speid, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        let mut found = Vec::with_capacity(rows.len());
        for rows in rows.chunks(CHUNK) {
            let [enhancers, promoters] = self.inputs(rows, &self.device)?;
            found.extend(numbers(model.logits(enhancers, promoters, None), "logits")?);
        }
        Ok(found)
    }
}

impl Objective for SpeidObjective<'_> {
    type Model = Speid;

    fn loss(&self, model: &Speid, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = self.device.clone().autodiff();
        let [enhancers, promoters] = self.inputs(rows, &device)?;
        let logits = model.logits(enhancers, promoters, Some(&mut context.rng(DROPOUT))); // [batch, 1]
        let labels = tensor(self.labels(rows), [rows.len(), 1], &device);
        let loss = BinaryCrossEntropy::default().forward(logits, labels, None, Reduction::Mean);
        Ok(match model.penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        })
    }

    /// The scores of yes-or-no labels of [`crate::evaluate`]; nothing without pairs.
    fn validate(&self, model: &Speid) -> Result<Vec<(String, f64)>, StepError> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let logits = self.logits(model, &self.validation)?;
        let (task, labels) = (vec!["interaction".to_owned()], self.labels(&self.validation));
        Ok(Judged::new(Labels::Binary, task, labels, logits)?.scores()?.into_iter().collect())
    }
}
