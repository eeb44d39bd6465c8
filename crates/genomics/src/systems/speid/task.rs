//! Learning which pairs of a table interact.

use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;

use super::{Speid, SpeidConfig};
use crate::baselines::{Baseline, kmers_name};
use crate::dataset::Labels;
use crate::genome::{Edge, Genome};
use crate::interactions::InteractionTable;
use crate::kmer::{Counts, KmerConfig, Linear, Loss};
use crate::locus::Locus;
use crate::model::Predicts;
use crate::sequence::Unknown;
use crate::split::{SplitError, SplitKind, contigs, linked};
use crate::systems::parts::tensor;
use crate::task::{Fitted, Phase, Phases, Rows, Task, TaskError, TaskNetConfig};

/// Pairs whose interaction is learnt: windows lie around the middle of an element, and pairs that are linked by shared
/// elements are one group.
#[derive(Debug)]
pub struct SpeidTask<'a> {
    table: &'a InteractionTable,
    genome: &'a Genome,
    config: SpeidConfig,
    rows: Rows,
}

impl<'a> SpeidTask<'a> {
    /// Pairs of `table`, whose elements lie on `genome`, for networks of `config`.
    ///
    /// # Errors
    /// What [`SpeidConfig::validate`] finds, and [`ConfigError::Conflict`] with what [`InteractionTable::check`] finds
    /// or for a contig that the genome does not have.
    pub fn new(table: &'a InteractionTable, genome: &'a Genome, config: SpeidConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        table.check().map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let elements = table.enhancers.iter().chain(&table.promoters).map(|locus| locus.contig.as_ref());
        genome.names().resolve_all(elements).map_err(|error| ConfigError::Conflict(error.to_string()))?;
        let sides = |row: usize| {
            let pair = &table.pairs[row];
            (&table.enhancers[pair.enhancer as usize], &table.promoters[pair.promoter as usize])
        };
        let name = |row: usize| {
            let (enhancer, promoter) = sides(row);
            format!("{enhancer} {promoter}")
        };
        let all = 0..table.len();
        let rows = Rows {
            names: all.clone().map(name).collect(),
            loci: all.map(|row| Some(sides(row).1.clone())).collect(),
            predicts: Predicts { tasks: vec!["interaction".to_owned()], labels: Labels::Binary },
            targets: table.pairs.iter().map(|pair| f32::from(u8::from(pair.interacts))).collect(),
            groups: Some(table.groups()),
        };
        Ok(Self { table, genome, config, rows })
    }

    /// Windows of the enhancers and of the promoters of some pairs.
    fn windows(&self, rows: &[usize]) -> [Vec<Locus>; 2] {
        let (table, config) = (self.table, &self.config);
        let enhancer = |&row: &usize| table.enhancers[table.pairs[row].enhancer as usize].centred(config.enhancer);
        let promoter = |&row: &usize| table.promoters[table.pairs[row].promoter as usize].centred(config.promoter);
        [rows.iter().map(enhancer).collect(), rows.iter().map(promoter).collect()]
    }

    /// How often each word occurs in the windows of the two sides.
    fn words(&self, rows: &[usize], config: &KmerConfig) -> Result<Counts, TaskError> {
        let count = |loci: &[Locus]| -> Result<Counts, TaskError> {
            let bases = loci.iter().map(|locus| self.genome.window(locus, Edge::Pad));
            let bases = bases.collect::<Result<Vec<Vec<u8>>, _>>()?;
            Ok(config.features().count(&bases.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>()))
        };
        let [enhancers, promoters] = self.windows(rows);
        Ok(count(&enhancers)?.beside(&count(&promoters)?))
    }
}

impl Task for SpeidTask<'_> {
    type Net = Speid;

    fn rows(&self) -> &Rows {
        &self.rows
    }

    fn network(&self) -> TaskNetConfig {
        TaskNetConfig::Speid(self.config.clone())
    }

    fn split(&self) -> SplitKind {
        SplitKind::Group
    }

    /// Contigs that a pair links are one group of a split by chromosome.
    fn groups(&self, kind: SplitKind) -> Result<Vec<u64>, SplitError> {
        if kind != SplitKind::Chromosome {
            return self.rows.groups(kind);
        }
        let (table, pairs) = (self.table, &self.table.pairs);
        let enhancers = pairs.iter().map(|pair| Some(table.enhancers[pair.enhancer as usize].clone()));
        let promoters = pairs.iter().map(|pair| Some(table.promoters[pair.promoter as usize].clone()));
        let loci: Vec<Option<Locus>> = enhancers.chain(promoters).collect();
        let rows: Vec<u64> = (0..pairs.len() as u64).chain(0..pairs.len() as u64).collect();
        let mut groups = linked(&rows, &contigs(&[], &loci, None)?);
        groups.truncate(pairs.len());
        Ok(groups)
    }

    fn init(&self, _fitted: &Fitted, device: &Device, rng: &mut ChaCha8Rng) -> Result<Speid, ConfigError> {
        self.config.init(device, rng)
    }

    /// As many pairs that interact as do not, and then all of them, with the convolutions and the recurrent layer as
    /// they are: [`SpeidConfig::frozen_recipe`].
    fn phases(&self) -> Option<Phases> {
        const FIRST: [Phase; 1] = [Phase { name: "balanced", balanced: true }];
        Some(Phases { first: &FIRST, frozen: &SpeidConfig::FROZEN })
    }

    fn joined(&self, fresh: Speid, mut trained: Vec<Speid>) -> Result<Speid, ConfigError> {
        Ok(trained.pop().unwrap_or(fresh))
    }

    fn logits(
        &self,
        net: &Speid,
        _fitted: &Fitted,
        rows: &[usize],
        device: &Device,
        noise: Option<&mut ChaCha8Rng>,
    ) -> Result<Tensor<2>, StepError> {
        let input = |loci: &[Locus], width: usize| -> Result<Tensor<3>, StepError> {
            let x = self.genome.one_hot(loci, Edge::Pad, Unknown::Zeros).map_err(StepError::other)?;
            Ok(tensor(x, [rows.len(), 4, width], device)) // [batch, 4, width]
        };
        let [enhancers, promoters] = self.windows(rows);
        let (enhancers, promoters) =
            (input(&enhancers, self.config.enhancer)?, input(&promoters, self.config.promoter)?);
        Ok(net.logits(enhancers, promoters, noise)) // [batch, 1]
    }

    fn penalty(&self, net: &Speid) -> Option<Tensor<1>> {
        net.penalty()
    }

    /// The share of pairs that interact, and logistic regression on the words of both windows.
    fn baselines(&self, train: &[usize], query: &[usize]) -> Result<Vec<Baseline>, TaskError> {
        let config = KmerConfig::default();
        let targets: Vec<f64> = self.rows.targets_of(train).into_iter().map(f64::from).collect();
        let model = Linear::fit(&self.words(train, &config)?, &targets, Loss::Logistic, config.penalty);
        let predicted = model.predict(&self.words(query, &config)?);
        let name = format!("{} on both windows", kmers_name(&Labels::Binary, config.k));
        Ok(vec![self.rows.prior(train, query), Baseline { name, predicted }])
    }

    /// Windows are long.
    fn at_once(&self) -> usize {
        64
    }
}
