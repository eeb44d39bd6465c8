//! Learning the expression of genes from the marks around their starts.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;

use super::{Beluga, Expecto, ExpectoConfig, Ridge};
use crate::baselines::{Baseline, kmers_name};
use crate::dataset::Labels;
use crate::genes::GeneTable;
use crate::genome::{Edge, Genome};
use crate::kmer::{KmerConfig, Linear, Loss};
use crate::model::Predicts;
use crate::split::SplitKind;
use crate::task::{Fitted, Rows, Task, TaskError, TaskNetConfig};

/// Genes of a table with the sums of the marks around their starts. The body stays as it is, and the linear step of
/// each tissue is solved, so that no step of training is left.
#[derive(Debug)]
pub struct ExpectoTask<'a> {
    genome: &'a Genome,
    table: &'a GeneTable,
    body: &'a Beluga,
    features: &'a [f32],
    config: ExpectoConfig,
    rows: Rows,
}

impl<'a> ExpectoTask<'a> {
    /// The genes of `table`, which lie on `genome`, with what [`Expecto::features`] gives for them with `body`.
    ///
    /// # Errors
    /// What [`ExpectoConfig::validate`] finds, and [`ConfigError::Conflict`] when table, genome, features and settings
    /// do not fit together.
    pub fn new(
        table: &'a GeneTable,
        genome: &'a Genome,
        body: &'a Beluga,
        features: &'a [f32],
        config: ExpectoConfig,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        table.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let (tissues, due) = (table.tasks.len(), table.len() * config.sums());
        if tissues != config.tissues || features.len() != due || body.config() != &config.body {
            return Err(ConfigError::Conflict(format!(
                "{tissues} levels of each gene and {} sums of marks; {} and {due} are due, of a body of the sizes that the \
                 settings say",
                features.len(),
                config.tissues
            )));
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
        Ok(Self { genome, table, body, features, config, rows })
    }

    /// Sums of marks of some genes, `[genes, sums]`.
    fn sums(&self, genes: &[usize]) -> impl Iterator<Item = f32> {
        let width = self.config.sums();
        genes.iter().flat_map(move |&gene| &self.features[gene * width..][..width]).copied()
    }
}

impl Task for ExpectoTask<'_> {
    type Net = Expecto;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        TaskNetConfig::Expecto(self.config.clone())
    }

    fn split(&self) -> SplitKind {
        SplitKind::Chromosome
    }

    /// The linear step of each tissue, from the genes whose level there is known.
    fn fit(&self, train: &[usize], _seed: u64) -> Result<Fitted, TaskError> {
        let columns = self.config.sums();
        let mut lines = Vec::with_capacity(self.config.tissues);
        // Tissues mostly have the levels of the same genes.
        let (mut known, mut features): (Vec<usize>, Vec<f64>) = (Vec::new(), Vec::new());
        for (tissue, name) in self.rows.predicts.tasks.iter().enumerate() {
            let (places, levels): (Vec<usize>, Vec<f64>) = self.rows.known(train, tissue).into_iter().unzip();
            if places.is_empty() {
                let problem = format!("no gene of the training part has a level of {name}; leave it out");
                return Err(ConfigError::Conflict(problem).into());
            }
            let genes: Vec<usize> = places.into_iter().map(|place| train[place]).collect();
            if genes != known {
                features = self.sums(&genes).map(f64::from).collect();
                known = genes;
            }
            lines.push(Ridge::fit(&features, columns, &levels, self.config.l2)?);
        }
        Ok(Fitted { weights: Expecto::lines(&lines), ..Fitted::default() })
    }

    fn is_solved(&self) -> bool {
        true
    }

    fn init(&self, fitted: &Fitted, device: &Device, _rng: &mut ChaCha8Rng) -> Result<Expecto, ConfigError> {
        self.config.init(self.body.clone(), &fitted.weights, device)
    }

    fn logits(
        &self,
        net: &Expecto,
        _fitted: &Fitted,
        rows: &[usize],
        _device: &Device,
        _noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        Ok(net.predict(self.sums(rows).collect())) // [genes, tissues]
    }

    /// The mean level, and ridge regression on the words of the window around the start.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let config = KmerConfig::default();
        let words = |genes: &[usize]| -> Result<_, TaskError> {
            let window = |&gene: &usize| {
                self.genome.window(&self.table.starts[gene].centred(self.config.body.length), Edge::Pad)
            };
            let windows = genes.iter().map(window).collect::<Result<Vec<Vec<u8>>, _>>()?;
            Ok(config.features().count(&windows.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>()))
        };
        let prior = self.rows.prior(train, query);
        let (learnt, asked, tissues) = (words(train)?, words(query)?, self.config.tissues);
        let mut predicted = prior.predicted.clone();
        for tissue in 0..tissues {
            let (places, levels): (Vec<usize>, Vec<f64>) = self.rows.known(train, tissue).into_iter().unzip();
            if places.is_empty() {
                continue;
            }
            let model = Linear::fit(&learnt.select(&places), &levels, Loss::Squared, config.penalty);
            for (gene, level) in model.predict(&asked).into_iter().enumerate() {
                predicted[gene * tissues + tissue] = level;
            }
        }
        let name = format!("{} on the window around the start", kmers_name(&Labels::Values, config.k));
        Ok(vec![prior, Baseline { name, predicted }])
    }
}

#[cfg(test)]
mod tests;
