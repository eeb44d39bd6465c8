//! Learning the states of a methylation table.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::train::{Objective, StepContext, StepError};

use super::{DeepCpg, DeepCpgConfig, DeepCpgInput};
use crate::dataset::Labels;
use crate::evaluate::{Judged, probability};
use crate::genome::{Edge, Genome};
use crate::locus::Locus;
use crate::methylation::MethylationTable;
use crate::sequence::Unknown;
use crate::systems::parts::{CHUNK, numbers, tensor};

/// Stream of the dropout masks in a step.
const DROPOUT: u64 = 0;

/// Learns the states of a table's sites: the cross-entropy of each cell that has a call, summed over the cells and
/// divided by the number of sites, plus the network's penalty.
#[derive(Debug)]
pub struct DeepCpgObjective<'a> {
    table: &'a MethylationTable,
    genome: Option<&'a Genome>,
    config: DeepCpgConfig,
    validation: Vec<usize>,
    device: Device,
}

impl<'a> DeepCpgObjective<'a> {
    /// Learns `table` with networks of `config`, and judges them on the sites `validation`. `device` is that of the
    /// networks, with or without autodiff.
    ///
    /// # Errors
    /// What [`DeepCpgConfig::validate`] finds, and [`ConfigError::Conflict`] when the table has another number of cells
    /// or the genome is missing.
    pub fn new(
        table: &'a MethylationTable,
        genome: Option<&'a Genome>,
        config: DeepCpgConfig,
        validation: Vec<usize>,
        device: &Device,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let (found, cells) = (table.cells().len(), config.cells);
        if found != cells {
            return Err(ConfigError::Conflict(format!("the table has {found} cells, the network cells = {cells}")));
        }
        if config.modules.dna() && genome.is_none() {
            return Err(ConfigError::Conflict("the network reads sequences, and there is no genome".to_owned()));
        }
        Ok(Self { table, genome, config, validation, device: device.clone().inner() })
    }

    /// What a network reads of the sites `rows`.
    ///
    /// # Errors
    /// [`StepError`] when the genome does not have their contigs.
    ///
    /// # Panics
    /// If a site is not there.
    pub fn inputs(&self, rows: &[usize], device: &Device) -> Result<DeepCpgInput, StepError> {
        let (batch, config) = (rows.len(), &self.config);
        let dna = match self.genome.filter(|_| config.modules.dna()) {
            None => None,
            Some(genome) => {
                let sites = self.table.sites();
                let windows: Vec<Locus> = rows.iter().map(|&row| sites[row].centred(config.window)).collect();
                let x = genome.one_hot(&windows, Edge::Pad, Unknown::Zeros).map_err(StepError::other)?;
                Some(tensor(x, [batch, 4, config.window], device)) // [batch, 4, window]
            }
        };
        let neighbours = config.modules.cpg().then(|| {
            let x = self.table.neighbours(rows, config.neighbours, config.reach);
            tensor(x, [batch, config.cells, 4 * config.neighbours], device) // [batch, cells, 4 neighbours]
        });
        Ok(DeepCpgInput { dna, neighbours })
    }

    /// Logits of all cells' states for the sites `rows`, `[rows, cells]`. The model must be in validation state.
    ///
    /// # Errors
    /// As [`DeepCpgObjective::inputs`], or when the device does not give the numbers back.
    pub fn logits(&self, model: &DeepCpg, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        let mut found = Vec::with_capacity(rows.len() * self.config.cells);
        for rows in rows.chunks(CHUNK) {
            found.extend(numbers(model.logits(self.inputs(rows, &self.device)?, None), "logits")?);
        }
        Ok(found)
    }

    /// Probability of methylation in all cells of the sites `rows`, `[rows, cells]`: those called, and those to be
    /// filled in.
    ///
    /// # Errors
    /// As [`DeepCpgObjective::logits`].
    pub fn probabilities(&self, model: &DeepCpg, rows: &[usize]) -> Result<Vec<f64>, StepError> {
        Ok(self.logits(model, rows)?.into_iter().map(probability).collect())
    }

    fn states(&self, rows: &[usize]) -> Vec<f32> {
        rows.iter().flat_map(|&row| self.table.row(row)).copied().collect()
    }
}

impl Objective for DeepCpgObjective<'_> {
    type Model = DeepCpg;

    fn loss(&self, model: &DeepCpg, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        let device = self.device.clone().autodiff();
        let logits = model.logits(self.inputs(rows, &device)?, Some(&mut context.rng(DROPOUT))); // [batch, cells]
        let (states, shape) = (self.states(rows), [rows.len(), self.config.cells]);
        let known = states.iter().map(|state| f32::from(u8::from(!state.is_nan()))).collect();
        let known = tensor::<2>(known, shape, &device);
        let states = states.into_iter().map(|state| if state.is_nan() { 0.0 } else { state }).collect();
        let states = tensor::<2>(states, shape, &device);
        let loss = BinaryCrossEntropy::default().forward(logits, states, Some(known), Reduction::Sum);
        let loss = loss.div_scalar(rows.len() as f64);
        Ok(match model.penalty() {
            Some(penalty) => loss + penalty,
            None => loss,
        })
    }

    /// The scores of yes-or-no labels of [`crate::evaluate`], the means over the cells; nothing without sites.
    fn validate(&self, model: &DeepCpg) -> Result<Vec<(String, f64)>, StepError> {
        if self.validation.is_empty() {
            return Ok(Vec::new());
        }
        let logits = self.logits(model, &self.validation)?;
        let cells = self.table.cells().to_vec();
        Ok(Judged::new(Labels::Binary, cells, self.states(&self.validation), logits)?.scores()?.into_iter().collect())
    }
}
