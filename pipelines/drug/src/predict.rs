//! `predict`: one output row for each compound and target, in the order of the input.

use crate::cli::{Predict, counted};
use crate::config::{DeviceConfig, without_run_folder};
use anyhow::Context;
use drug::io::parquet::PredictionWriter;
use drug::io::smiles::{SmilesOptions, SmilesReader};
use drug::io::{IoError, fasta};
use drug::model::Ensemble;
use drug::predict::{Compound, Screen};
use drug::table::Target;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::Stopped;
use workbench::observe::say;

/// Rows of the output that are held at once; bounds the memory whatever the length of the list.
const ROWS_AT_ONCE: usize = 65_536;
/// Compounds read and scored at once where the targets are few.
const COMPOUNDS_AT_ONCE: usize = 2048;

pub(crate) fn run(common: &Common, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    without_run_folder(common, "predict")?;
    match DeviceConfig::new(common)? {
        Some(settings) => screen(common, &settings.device, args, stop),
        None => Ok(()),
    }
}

/// How many rows of the output are of each kind.
#[derive(Default)]
struct Kinds {
    ok: u64,
    invalid: u64,
    remarks: u64,
}

impl Kinds {
    fn count(&mut self, status: &str) {
        match status {
            "ok" => self.ok += 1,
            status if status.starts_with("invalid") => self.invalid += 1,
            _ => self.remarks += 1,
        }
    }
}

/// Scores the list on `device`.
pub(crate) fn screen(common: &Common, device: &str, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    let device = nn_core::compute::device(device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let targets = targets(&args.fasta)?;
    let (count, quantity) = (ensemble.models().len(), ensemble.card().quantity.label().to_owned());
    say(
        common,
        &format!("{}, {}; predictions are {quantity}", counted(count, "model"), counted(targets.len(), "target")),
    );
    if let Some(interval) = ensemble.interval() {
        let share = interval.level * 100.0;
        say(common, &format!("low and high hold {share:.0} % of pairs like those of the training data"));
    }
    let screen = Screen::new(ensemble, &targets)?;

    let mut reader = SmilesReader::open(&args.smiles, &SmilesOptions::default())?;
    let to_stdout = args.out.as_os_str() == "-";
    let mut writer = if to_stdout {
        PredictionWriter::csv(Box::new(std::io::stdout()), "standard output")?
    } else {
        PredictionWriter::create(&args.out)?
    };
    let at_once = (ROWS_AT_ONCE / targets.len().max(1)).clamp(1, COMPOUNDS_AT_ONCE);
    let mut kinds = Kinds::default();
    let (mut first, mut batch) = (1, Vec::with_capacity(at_once));
    loop {
        let next = match reader.next() {
            Some(Ok(row)) => Some(Compound { id: row.id, smiles: row.smiles, problem: None }),
            Some(Err(IoError::Row { row, .. })) => {
                let number: u64 = first + batch.len() as u64;
                Some(Compound { id: number.to_string(), smiles: String::new(), problem: Some(row.problem) })
            }
            Some(Err(error)) => return Err(error.into()),
            None => None,
        };
        let ended = next.is_none();
        batch.extend(next);
        if batch.len() == at_once || (ended && !batch.is_empty()) {
            for row in screen.score(&batch, first)? {
                kinds.count(&row.status);
                writer.push(row)?;
            }
            first += batch.len() as u64;
            batch.clear();
        }
        if ended {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            let scored = first - 1;
            if to_stdout {
                writer.finish()?;
                return Err(Stopped(format!("the rows of the first {scored} compounds were written")).into());
            }
            let out = args.out.display();
            return Err(Stopped(format!("{scored} compounds were scored, but {out} was not written")).into());
        }
    }
    writer.finish()?;
    let Kinds { ok, invalid, remarks } = kinds;
    say(common, &format!("rows: {ok} ok, {remarks} scored with remarks, {invalid} invalid"));
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
