//! Learning the states of a methylation table.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::losses::{BinaryCrossEntropy, Reduction};
use nn_core::train::{StepContext, StepError};
use rand_chacha::ChaCha8Rng;

use super::{DeepCpg, DeepCpgConfig, DeepCpgInput, Modules};
use crate::baselines::Baseline;
use crate::dataset::Labels;
use crate::genome::{Edge, Genome};
use crate::locus::Locus;
use crate::methylation::MethylationTable;
use crate::model::Predicts;
use crate::sequence::Unknown;
use crate::split::SplitKind;
use crate::systems::parts::tensor;
use crate::task::{Fitted, NOISE, Phase, Phases, Rows, Task, TaskError, TaskNetConfig};

/// Probabilities of the baseline lie at least so far from 0 and 1, which have no logit.
const FLOOR: f64 = 1e-3;

/// Sites of a table, whose states are learnt: the cross-entropy of each cell that has a call, summed over the cells and
/// divided by the number of sites, plus the network's penalty.
#[derive(Debug)]
pub struct DeepCpgTask<'a> {
    table: &'a MethylationTable,
    genome: Option<&'a Genome>,
    config: DeepCpgConfig,
    rows: Rows,
}

impl<'a> DeepCpgTask<'a> {
    /// The sites of `table` for networks of `config`; a network that reads sequences needs the genome.
    ///
    /// # Errors
    /// What [`DeepCpgConfig::validate`] finds, and [`ConfigError::Conflict`] when the table has another number of
    /// cells, the genome is missing, or it does not have a contig.
    pub fn new(
        table: &'a MethylationTable,
        genome: Option<&'a Genome>,
        config: DeepCpgConfig,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let (found, cells) = (table.cells().len(), config.cells);
        if found != cells {
            return Err(ConfigError::Conflict(format!("the table has {found} cells, the network cells = {cells}")));
        }
        let genome = genome.filter(|_| config.modules.dna());
        match genome {
            None if config.modules.dna() => {
                return Err(ConfigError::Conflict("the network reads sequences, and there is no genome".to_owned()));
            }
            None => {}
            Some(genome) => {
                let contigs = table.sites().iter().map(|site| site.contig.as_ref());
                genome.names().resolve_all(contigs).map_err(|error| ConfigError::Conflict(error.to_string()))?;
            }
        }
        let rows = Rows {
            names: table.sites().iter().map(ToString::to_string).collect(),
            loci: table.sites().iter().cloned().map(Some).collect(),
            predicts: Predicts { tasks: table.cells().to_vec(), labels: Labels::Binary },
            targets: table.states().to_vec(),
            groups: None,
        };
        Ok(Self { table, genome, config, rows })
    }

    /// What a network with these modules reads of the sites `rows`.
    ///
    /// # Errors
    /// [`StepError`] when the genome does not have their contigs.
    ///
    /// # Panics
    /// If a site is not there.
    pub fn inputs(&self, modules: Modules, rows: &[usize], device: &Device) -> Result<DeepCpgInput, StepError> {
        let (batch, config) = (rows.len(), &self.config);
        let dna = match self.genome.filter(|_| modules.dna()) {
            None => None,
            Some(genome) => {
                let sites = self.table.sites();
                let windows: Vec<Locus> = rows.iter().map(|&row| sites[row].centred(config.window)).collect();
                let x = genome.one_hot(&windows, Edge::Pad, Unknown::Zeros).map_err(StepError::other)?;
                Some(tensor(x, [batch, 4, config.window], device)) // [batch, 4, window]
            }
        };
        let neighbours = modules.cpg().then(|| {
            let x = self.table.neighbours(rows, config.neighbours, config.reach);
            tensor(x, [batch, config.cells, 4 * config.neighbours], device) // [batch, cells, 4 neighbours]
        });
        Ok(DeepCpgInput { dna, neighbours })
    }

    /// The mean state of the neighbours in each cell, weighted by one over the distance (Shepard 1968, *A
    /// two-dimensional interpolation function for irregularly-spaced data*, Proceedings of the 23rd ACM National
    /// Conference), as a logit; `levels` are the cells' own logits, which stand for one neighbour at the reach.
    fn interpolated(&self, rows: &[usize], levels: &[f64]) -> Vec<f64> {
        let (each_side, reach) = (self.config.neighbours, self.config.reach);
        let around = self.table.neighbours(rows, each_side, reach);
        let cells = around.chunks_exact(4 * each_side).zip(levels.iter().cycle());
        let logit = |(around, &level): (&[f32], &f64)| {
            let (states, distances) = around.split_at(2 * each_side);
            let (mut sum, mut total) = (1.0 / (1.0 + (-level).exp()), 1.0);
            // a neighbour that is not there lies at the reach
            for (&state, &distance) in states.iter().zip(distances).filter(|(_, distance)| **distance < 1.0) {
                let weight = 1.0 / f64::from(distance).max(1.0 / reach as f64);
                sum += weight * f64::from(state);
                total += weight;
            }
            let p = (sum / total).clamp(FLOOR, 1.0 - FLOOR);
            (p / (1.0 - p)).ln()
        };
        cells.map(logit).collect()
    }
}

impl Task for DeepCpgTask<'_> {
    type Net = DeepCpg;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        TaskNetConfig::DeepCpg(self.config.clone())
    }

    fn split(&self) -> SplitKind {
        SplitKind::Chromosome
    }

    fn init(&self, _fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepCpg, ConfigError> {
        self.config.init(device, rng)
    }

    fn logits(
        &self,
        net: &DeepCpg,
        _fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        Ok(net.logits(self.inputs(net.config().modules, rows, device)?, noise)) // [batch, cells]
    }

    /// Each module alone, and then, of a network with both, the layers over them.
    fn phases(&self) -> Option<Phases> {
        const FIRST: [Phase; 2] = [Phase { name: "dna", balanced: false }, Phase { name: "cpg", balanced: false }];
        (self.config.modules == Modules::Joint).then_some(Phases { first: &FIRST, frozen: &["dna", "cpg"] })
    }

    fn begin(
        &self,
        phase: &Phase,
        _fitted: &Fitted,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<DeepCpg, ConfigError> {
        let modules = if phase.name == "dna" { Modules::Dna } else { Modules::Cpg };
        DeepCpgConfig { modules, ..self.config.clone() }.init(device, rng)
    }

    fn joined(&self, fresh: DeepCpg, trained: Vec<DeepCpg>) -> Result<DeepCpg, ConfigError> {
        match trained.as_slice() {
            [dna, cpg] => fresh.with_trained(dna, cpg),
            _ => Err(ConfigError::Conflict(format!("{} modules were trained; two are due", trained.len()))),
        }
    }

    fn loss(
        &self,
        net: &DeepCpg,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        context: &StepContext,
    ) -> Result<Tensor<1>, StepError> {
        let logits = self.logits(net, fitted, rows, device, Some(&mut context.rng(NOISE)))?; // [batch, cells]
        let (states, shape) = (self.rows.targets_of(rows), [rows.len(), self.config.cells]);
        let known = states.iter().map(|state| f32::from(u8::from(!state.is_nan()))).collect();
        let known = tensor::<2>(known, shape, device);
        let states = states.into_iter().map(|state| if state.is_nan() { 0.0 } else { state }).collect();
        let states = tensor::<2>(states, shape, device);
        let loss = BinaryCrossEntropy::default().forward(logits, states, Some(known), Reduction::Sum);
        Ok(loss.div_scalar(rows.len() as f64))
    }

    fn penalty(&self, net: &DeepCpg) -> Option<Tensor<1>> {
        net.penalty()
    }

    /// The share of methylated sites of each cell, and the states of the neighbours by their distance.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let prior = self.rows.prior(train, query);
        let levels = self.rows.prior(train, query.get(..1).unwrap_or_default()).predicted;
        let predicted = self.interpolated(query, &levels);
        Ok(vec![prior, Baseline { name: "neighbours by distance".to_owned(), predicted }])
    }
}
