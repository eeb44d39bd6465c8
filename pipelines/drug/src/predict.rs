//! `predict`: one output row for each compound and target, in the order of the input.

use crate::cli::Predict;
use crate::train::say;
use anyhow::Context;
use drug::io::parquet::PredictionWriter;
use drug::io::smiles::{SmilesOptions, SmilesReader};
use drug::io::{IoError, fasta};
use drug::model::AffinityModel;
use drug::predict::{Compound, Screen};
use drug::table::Target;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;

/// Compounds read and scored at once; bounds the memory whatever the length of the list.
const COMPOUNDS_AT_ONCE: usize = 2048;

pub(crate) fn run(common: &Common, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    let device = nn_core::compute::device(common.device.as_deref().unwrap_or("cpu"))?;
    let models = AffinityModel::load_ensemble(&args.model, &device)?;
    let targets = targets(&args.fasta)?;
    let (count, quantity) = (models.len(), models[0].card.quantity.label().to_owned());
    let screen = Screen::new(models, &targets);
    say(common, &format!("{count} models, {} targets; predictions are {quantity}", targets.len()));
    if let Some(level) = screen.level() {
        say(common, &format!("low and high hold {:.0} % of pairs like those of the training data", level * 100.0));
    }

    let mut reader = SmilesReader::open(&args.smiles, &SmilesOptions::default())?;
    let mut writer = if args.out.as_os_str() == "-" {
        PredictionWriter::csv(Box::new(std::io::stdout()), "standard output")?
    } else {
        PredictionWriter::create(&args.out)?
    };
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    let (mut first, mut batch) = (1, Vec::with_capacity(COMPOUNDS_AT_ONCE));
    loop {
        let next = reader.next();
        if let Some(row) = &next {
            batch.push(match row {
                Ok(row) => Compound { id: row.id.clone(), smiles: row.smiles.clone(), problem: None },
                Err(IoError::Row { row, .. }) => {
                    Compound { id: row.number.to_string(), smiles: String::new(), problem: Some(row.problem.clone()) }
                }
                Err(_) => {
                    return Err(next
                        .and_then(Result::err)
                        .map_or_else(|| anyhow::anyhow!("the list ended"), Into::into));
                }
            });
        }
        if batch.len() == COMPOUNDS_AT_ONCE || (next.is_none() && !batch.is_empty()) {
            for row in screen.score(&batch, first)? {
                let kind = row.status.split([':', ' ']).next().unwrap_or_default().to_owned();
                *statuses.entry(kind).or_default() += 1;
                writer.push(row)?;
            }
            first += batch.len() as u64;
            batch.clear();
        }
        anyhow::ensure!(!stop.load(Ordering::Relaxed), "stopped by Ctrl-C; nothing was written");
        if next.is_none() {
            break;
        }
    }
    writer.finish()?;
    let counts: Vec<String> = statuses.iter().map(|(status, n)| format!("{n} {status}")).collect();
    say(common, &format!("rows: {}", counts.join(", ")));
    Ok(())
}

/// The sequences of a FASTA file; a record that cannot be read ends the command, because every row of
/// the output would lack it.
pub(crate) fn targets(path: &Path) -> anyhow::Result<Vec<Target>> {
    let found = fasta::read(path)?;
    if let Some(first) = found.refused.first() {
        anyhow::bail!("{}: {first}", path.display());
    }
    let targets = found.value;
    anyhow::ensure!(!targets.is_empty(), "{} holds no sequence; give a FASTA file with at least one", path.display());
    Ok(targets)
}

/// The first sequence of a FASTA file.
pub(crate) fn first_target(path: &Path) -> anyhow::Result<Target> {
    targets(path)?.into_iter().next().context("no sequence")
}
