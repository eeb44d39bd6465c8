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
use nn_core::burn::tensor::Device;
use serde::Deserialize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::{Stopped, Usage};
use workbench::observe::say;
use workbench::run::RunFolder;

/// Rows of the output that are held at once; bounds the memory whatever the length of the list.
const ROWS_AT_ONCE: usize = 65_536;
/// Compounds read and scored at once where the targets are few.
const COMPOUNDS_AT_ONCE: usize = 2048;

pub(crate) fn run(common: &Common, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    without_run_folder(common, "predict")?;
    if common.json {
        return Err(Usage("predict writes rows, as .csv, .tsv or .parquet; leave out --json".into()).into());
    }
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
    /// Status of the first that is invalid.
    first: Option<String>,
}

impl Kinds {
    fn count(&mut self, status: &str) {
        match status {
            "ok" => self.ok += 1,
            status if status.starts_with("invalid") => {
                self.invalid += 1;
                self.first.get_or_insert_with(|| status.to_owned());
            }
            _ => self.remarks += 1,
        }
    }

    /// Fails if none of the rows, which are of the compounds in `list`, has a number.
    fn some_scored(self, list: &Path) -> anyhow::Result<()> {
        let Self { ok, invalid, remarks, first } = self;
        match first {
            _ if ok + remarks > 0 => Ok(()),
            None => Err(IoError::Empty { path: list.to_owned() }.into()),
            Some(first) => Err(anyhow::anyhow!(
                "{}: of {} none could be scored; the first is {first}; give compounds as .csv, .tsv or .tab with a column smiles (or --column smiles=NAME), or as any other text with a SMILES at the start of each line (behind the name with --id-first)",
                list.display(),
                counted(invalid as usize, "row")
            )),
        }
    }
}

/// The columns and the order that the arguments name.
fn options(args: &Predict) -> Result<SmilesOptions, Usage> {
    let mut options = SmilesOptions { id_first: args.id_first, ..SmilesOptions::default() };
    for assignment in &args.column {
        let wrong = || Usage(format!("--column {assignment}: write ROLE=NAME with role smiles or id"));
        let (role, name) = assignment.split_once('=').ok_or_else(wrong)?;
        let place = match role {
            "smiles" => &mut options.smiles_column,
            "id" => &mut options.id_column,
            _ => return Err(wrong()),
        };
        *place = Some(name.to_owned());
    }
    Ok(options)
}

/// Refuses an output that would take the place of an input, whatever the path that it is reached by.
fn keep_inputs(args: &Predict) -> Result<(), Usage> {
    // What is not there yet is no input.
    let Ok(out) = args.out.canonicalize() else { return Ok(()) };
    for (option, input) in [("--smiles", &args.smiles), ("--fasta", &args.fasta)] {
        if input.canonicalize().is_ok_and(|input| input == out) {
            let text = format!("--out {} is the file of {option}; give another name", args.out.display());
            return Err(Usage(text));
        }
    }
    Ok(())
}

/// What the configuration of a run says of its models.
#[derive(Deserialize)]
struct Planned {
    models: usize,
}

/// The models of a run folder, or of one file. If the run was to have more than there are, that is said: the mean is
/// then another one than the run was judged by.
pub(crate) fn load(common: &Common, path: &Path, device: &Device) -> anyhow::Result<Ensemble> {
    let ensemble = Ensemble::load(path, device)?;
    let found = ensemble.models().len();
    // A folder of models that is no run of this program promises no number.
    let planned = RunFolder::earlier_config::<Planned>(path).ok().flatten();
    if let Some(Planned { models }) = planned.filter(|planned| found < planned.models) {
        let path = path.display();
        let text = format!(
            "{path} holds {found} of the {models} models that its run was to have; only these are used (was the training broken off, or a file deleted?)"
        );
        say(common, &text);
    }
    Ok(ensemble)
}

/// What `low` and `high` are, or why they are empty.
fn intervals(ensemble: &Ensemble) -> String {
    let models = ensemble.models();
    let Some(interval) = ensemble.interval() else {
        let why = match models.iter().filter(|model| model.card.calibration.is_none()).count() {
            0 => "the models were calibrated at different levels".to_owned(),
            bare if bare == models.len() => "too few pairs were held back in training to measure them".to_owned(),
            bare => format!(
                "models without an interval: {bare} of {}, for which too few pairs were held back in training",
                models.len()
            ),
        };
        return format!("low and high are empty: {why}");
    };
    let share = interval.level * 100.0;
    match models.len() {
        1 => format!("low and high hold {share:.0} % of pairs like those of the training data"),
        n => format!(
            "each model's interval holds {share:.0} % of pairs like those of the training data; low and high are the widest of the {n}, around their mean"
        ),
    }
}

/// Scores the list on `device`.
pub(crate) fn screen(common: &Common, device: &str, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    let options = options(args)?;
    keep_inputs(args)?;
    let device = nn_core::compute::device(device)?;
    let ensemble = load(common, &args.model, &device)?;
    let targets = targets(&args.fasta)?;
    let (count, quantity) = (ensemble.models().len(), ensemble.card().quantity.label().to_owned());
    say(
        common,
        &format!("{}, {}; predictions are {quantity}", counted(count, "model"), counted(targets.len(), "target")),
    );
    say(common, &intervals(&ensemble));
    let screen = Screen::new(ensemble, &targets)?;

    let mut reader = SmilesReader::open(&args.smiles, &options).map_err(|error| match error {
        IoError::Column { .. } => anyhow::anyhow!("{error} with --column smiles=NAME or --column id=NAME"),
        error => error.into(),
    })?;
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
                let id = reader.refused_id().to_owned();
                Some(Compound { id, smiles: String::new(), problem: Some(row.problem) })
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
    let Kinds { ok, invalid, remarks, .. } = kinds;
    say(common, &format!("rows: {ok} ok, {remarks} scored with remarks, {invalid} invalid"));
    kinds.some_scored(&args.smiles)
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
