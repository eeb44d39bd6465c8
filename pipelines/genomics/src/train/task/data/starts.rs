//! Starts of genes with the marks that a body predicts around them: the data of `ExPecto`.

use super::Reader;
use crate::inputs::locate;
use anyhow::Context;
use genomics::genes::GeneTable;
use genomics::genome::Genome;
use genomics::io::sets::{self, TableColumns};
use genomics::model::files;
use genomics::systems::expecto::{Beluga, Expecto, ExpectoConfig, SumsFile};
use genomics::task::TaskNetConfig;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use workbench::exit::Stopped;
use workbench::observe::say;

/// Genes whose marks are predicted between two looks at whether someone asked to stop.
const AT_ONCE: usize = 8;
/// How often it is said how far that is.
const PAUSE: Duration = Duration::from_secs(30);

/// Genes with the sums of the marks around their starts.
pub(crate) struct Starts {
    pub(crate) table: GeneTable,
    pub(crate) body: Beluga,
    /// Of each gene, `[genes, sums]`.
    pub(crate) sums: Vec<f32>,
    /// The settings, with the sizes and the weights of the body and as many tissues as the table has.
    pub(crate) config: ExpectoConfig,
}

impl Reader<'_> {
    /// Reads the genes of `data`, and predicts the marks around them.
    pub(super) fn starts(
        &mut self,
        data: &Path,
        columns: &TableColumns,
        genome: Option<&Genome>,
    ) -> anyhow::Result<Starts> {
        let genome = genome.context("no genome")?;
        let TaskNetConfig::Expecto(config) = self.asked.network else {
            anyhow::bail!("{} reads no marks around starts", self.asked.network.system());
        };
        let hashed = self.inputs.last().map(|genome| genome.sha256.clone()).unwrap_or_default();
        let table = self.tissues(data, columns, genome)?;
        let (body, weights) = self.body(config)?;
        let (body_config, tissues) = (body.config().clone(), table.tasks.len());
        let config = ExpectoConfig { body: body_config, weights, tissues, ..config.clone() };
        config.validate()?;
        let sums = self.sums(&config, &body, genome, (hashed.as_str(), &table))?;
        Ok(Starts { table, body, sums, config })
    }

    /// The genes with their levels in each tissue.
    fn tissues(&mut self, data: &Path, columns: &TableColumns, genome: &Genome) -> anyhow::Result<GeneTable> {
        let path = self.input("", data)?;
        let mut columns = columns.clone();
        let known = self.asked.card.map(|card| card.predicts.tasks.clone());
        let unnamed = columns.labels.is_empty();
        if let (Some(known), true, false) = (&known, unnamed, self.asked.unlabelled) {
            columns.labels.clone_from(known);
        }
        let mut table = sets::genes(&path, &columns, Some(genome))?;
        match known {
            Some(known) if self.asked.unlabelled => {
                table.levels = vec![f32::NAN; table.len() * known.len()];
                table.tasks = known;
            }
            None if unnamed => table = table.into_levels(),
            _ => {}
        }
        let prepare = self.asked.prepare;
        let table = table.with_logarithms(&prepare.logarithms, prepare.levels, prepare.pseudocount);
        table.with_context(|| format!("cannot use {}", path.display()))
    }

    /// The body with the SHA-256 of what its weights are from: --body, or the file of the trained model.
    fn body(&mut self, config: &ExpectoConfig) -> anyhow::Result<(Beluga, String)> {
        let device = self.asked.device;
        if let Some(model) = self.asked.model {
            let (network, _) = Expecto::load(model, device)?;
            return Ok((network.body().clone(), config.weights.clone()));
        }
        let source = self.asked.source;
        let given = source.body.as_deref().context("no body")?;
        // Of a run, the first model.
        let found = files(&locate(given, self.asked.common)?)?;
        let path = self.input("body", &found[0])?;
        let weights = self.inputs.last().map(|input| input.sha256.clone()).unwrap_or_default();
        Ok((Beluga::load(&path, &config.body, device)?, weights))
    }

    /// The sums of the marks around the genes of a table: from --sums, or predicted by the body.
    fn sums(
        &self,
        config: &ExpectoConfig,
        body: &Beluga,
        genome: &Genome,
        (hashed, table): (&str, &GeneTable),
    ) -> anyhow::Result<Vec<f32>> {
        let common = self.asked.common;
        let file = SumsFile::of(config, hashed, &table.starts);
        let kept = self.asked.source.sums.as_deref();
        if let Some(path) = kept.filter(|path| path.is_file()) {
            say(common, &format!("marks around genes: read from {}", path.display()));
            return Ok(file.load(path, self.asked.device)?);
        }
        let (genes, windows) = (table.len(), config.spatial.offsets().len());
        say(common, &format!("marks around {genes} genes, in {windows} windows of {} bases each", config.body.length));
        let mut said = Instant::now();
        let mut sums = Vec::with_capacity(genes * config.sums());
        for (place, starts) in table.starts.chunks(AT_ONCE).enumerate() {
            if self.asked.stop.load(Ordering::Relaxed) {
                let done = place * AT_ONCE;
                return Err(
                    Stopped(format!("the marks around {done} of {genes} genes were predicted; none is kept")).into()
                );
            }
            if said.elapsed() >= PAUSE {
                say(common, &format!("marks around genes: {} of {genes}", place * AT_ONCE));
                said = Instant::now();
            }
            let found = Expecto::features(body, &config.spatial, genome, starts)?;
            sums.extend(found.into_iter().map(|sum| sum as f32));
        }
        if let Some(path) = kept {
            file.save(&sums, path, self.asked.device)?;
        }
        Ok(sums)
    }
}
