//! Learning the expression of genes.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;

use super::{Xpresso, XpressoConfig};
use crate::baselines::Baseline;
use crate::dataset::Labels;
use crate::expression::{Scale, Scaler};
use crate::genes::GeneTable;
use crate::genome::{Edge, Genome};
use crate::kmer::{Counts, KmerConfig, Linear, Loss};
use crate::locus::Locus;
use crate::model::Predicts;
use crate::sequence::Unknown;
use crate::split::SplitKind;
use crate::systems::parts::{CHUNK, tensor};
use crate::task::{Fitted, Rows, Task, TaskError, TaskNetConfig};

/// Genes of a table with windows of a genome. Features and levels are standardised on the training part.
#[derive(Debug)]
pub struct XpressoTask<'a> {
    table: &'a GeneTable,
    genome: &'a Genome,
    config: XpressoConfig,
    rows: Rows,
}

impl<'a> XpressoTask<'a> {
    /// The genes of `table`, which lie on `genome`, for networks of `config`.
    ///
    /// # Errors
    /// What [`XpressoConfig::validate`] finds, and [`ConfigError::Conflict`] when table, genome and sizes do not fit
    /// together.
    pub fn new(table: &'a GeneTable, genome: &'a Genome, config: XpressoConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let conflict = |text: String| Err(ConfigError::Conflict(text));
        table.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let (tasks, features) = (table.tasks.len(), table.features.len());
        if tasks != 1 || features != config.features {
            let due = config.features;
            return conflict(format!("{tasks} levels and {features} features of each gene; 1 and {due} are due"));
        }
        let contigs = table.starts.iter().map(|start| start.contig.as_ref());
        genome.names().resolve_all(contigs).map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let rows = Rows {
            names: table.names.clone(),
            loci: table.starts.iter().cloned().map(Some).collect(),
            predicts: Predicts { tasks: table.tasks.clone(), labels: Labels::Values },
            targets: table.levels.clone(),
            groups: table.families.clone(),
        };
        Ok(Self { table, genome, config, rows })
    }

    /// Features of some genes, `[genes, features]`.
    fn features(&self, rows: &[usize]) -> Vec<f32> {
        let width = self.config.features;
        rows.iter().flat_map(|&row| &self.table.values[row * width..][..width]).copied().collect()
    }
}

impl Task for XpressoTask<'_> {
    type Net = Xpresso;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        TaskNetConfig::Xpresso(self.config.clone())
    }

    fn split(&self) -> SplitKind {
        SplitKind::Chromosome
    }

    fn fit(&self, train: &[usize], _seed: u64) -> Result<Fitted, TaskError> {
        let (table, features) = (self.table, self.config.features);
        let inputs = (features > 0).then(|| Scaler::of(&table.values, features, train, Scale::Standard));
        let targets = Some(Scaler::of(&table.levels, 1, train, Scale::Standard));
        Ok(Fitted { columns: table.features.clone(), inputs, targets, ..Fitted::default() })
    }

    fn init(&self, _fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<Xpresso, ConfigError> {
        self.config.init(device, rng)
    }

    fn logits(
        &self,
        net: &Xpresso,
        fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        let (batch, length) = (rows.len(), self.config.length);
        let windows: Vec<Locus> = rows.iter().map(|&row| self.config.window(&self.table.starts[row])).collect();
        let x = self.genome.one_hot(&windows, Edge::Pad, Unknown::Zeros).map_err(StepError::other)?;
        let x = tensor(x, [batch, 4, length], device); // [batch, 4, length]
        let features = (self.config.features > 0).then(|| {
            let mut values = self.features(rows);
            if let Some(scaler) = &fitted.inputs {
                scaler.apply(&mut values);
            }
            tensor(values, [batch, self.config.features], device) // [batch, features]
        });
        Ok(net.forward(x, features, noise)) // [batch, 1]
    }

    /// The mean level, and ridge regression on the features, where there are any.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let mut found = vec![self.rows.prior(train, query)];
        let (places, levels): (Vec<usize>, Vec<f64>) = self.rows.known(train, 0).into_iter().unzip();
        if self.config.features > 0 && !places.is_empty() {
            let learnt: Vec<usize> = places.iter().map(|&place| train[place]).collect();
            let table = |rows: &[usize]| Counts::of(&self.features(rows), self.config.features);
            let model = Linear::fit(&table(&learnt), &levels, Loss::Squared, KmerConfig::default().penalty);
            let name = "ridge regression on the features".to_owned();
            found.push(Baseline { name, predicted: model.predict(&table(query)) });
        }
        Ok(found)
    }

    fn at_once(&self) -> usize {
        CHUNK / 8
    }
}
