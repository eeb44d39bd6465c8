//! From the name of a system and its data to the task: the one place that knows them all.

use super::data::{Starts, Table, TaskData};
use anyhow::Context;
use genomics::genome::Genome;
use genomics::systems::deep_cpg::{DeepCpgConfig, DeepCpgTask};
use genomics::systems::expecto::ExpectoTask;
use genomics::systems::gene2vec::{Gene2vecConfig, Gene2vecTask};
use genomics::systems::marks::MarkTask;
use genomics::systems::speid::SpeidTask;
use genomics::systems::table::TableTask;
use genomics::systems::xpresso::{XpressoConfig, XpressoTask};
use genomics::task::{Task, TaskCard, TaskNetConfig};

/// What is done with a task, whichever it is.
pub(crate) trait Visit {
    /// What comes of it.
    type Output;

    fn visit<T: Task>(self, task: &T) -> anyhow::Result<Self::Output>;
}

/// Makes the task of a system on its data and visits it. Sizes that the data decide are theirs, or those of the card of
/// a trained model.
pub(crate) fn with_task<V: Visit>(
    network: &TaskNetConfig,
    data: &TaskData,
    card: Option<&TaskCard>,
    window: Option<usize>,
    visitor: V,
) -> anyhow::Result<V::Output> {
    let network = card.map_or(network, |card| &card.network);
    match (network, &data.table) {
        (TaskNetConfig::Speid(config), Table::Pairs(table)) => {
            visitor.visit(&SpeidTask::new(table, genome(data)?, config.clone())?)
        }
        (TaskNetConfig::Gene2vec(config), Table::Sequences(set)) => {
            let length = if card.is_some() { config.length } else { window.unwrap_or_else(|| set.longest()) };
            let mut task = Gene2vecTask::new(set, Gene2vecConfig { length, ..config.clone() })?;
            if let Some(card) = card {
                task = task.called(&card.predicts);
            }
            visitor.visit(&task)
        }
        (TaskNetConfig::DeepCpg(config), Table::Methylation(table)) => {
            let config = DeepCpgConfig { cells: table.cells().len(), ..config.clone() };
            visitor.visit(&DeepCpgTask::new(table, data.genome.as_ref(), config)?)
        }
        (TaskNetConfig::Xpresso(config), Table::Genes(table)) => {
            let config = XpressoConfig { features: table.features.len(), ..config.clone() };
            visitor.visit(&XpressoTask::new(table, genome(data)?, config)?)
        }
        (TaskNetConfig::Expecto(_), Table::Starts(starts)) => {
            let Starts { table, body, sums, config } = starts.as_ref();
            visitor.visit(&ExpectoTask::new(table, genome(data)?, body, sums, config.clone())?)
        }
        (TaskNetConfig::DeepChrome(config), Table::Marks(set)) => visitor.visit(&MarkTask::new(set, config.clone())?),
        (TaskNetConfig::AttentiveChrome(config), Table::Marks(set)) => {
            visitor.visit(&MarkTask::new(set, config.clone())?)
        }
        (TaskNetConfig::Mostavi(config), Table::Classes(set, groups, edges)) => {
            visitor.visit(&TableTask::classes(set, groups.clone(), edges.clone(), config.clone())?)
        }
        (TaskNetConfig::Gedfn(config), Table::Classes(set, groups, edges)) => {
            visitor.visit(&TableTask::classes(set, groups.clone(), edges.clone(), config.clone())?)
        }
        (TaskNetConfig::DGex(config), Table::Landmarks(set, landmarks)) => {
            let targets = match card {
                Some(card) => card.predicts.tasks.clone(),
                None => set.genes.iter().filter(|gene| !landmarks.contains(gene)).cloned().collect(),
            };
            visitor.visit(&TableTask::levels(set, landmarks, &targets, None, config.clone())?)
        }
        (network, _) => anyhow::bail!("the data are not those that {} reads", network.system()),
    }
}

fn genome(data: &TaskData) -> anyhow::Result<&Genome> {
    data.genome.as_ref().context("no genome")
}
