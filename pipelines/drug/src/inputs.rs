//! Affinity data from files, with the record of what was read.

use crate::cli::Format;
use crate::config::{SourceConfig, SplitConfig};
use anyhow::Context;
use drug::audit::Audit;
use drug::io::affinity::{self, AffinityOptions, Unit};
use drug::io::deepdta::{self, Folds};
use drug::split::SplitKind;
use drug::study::{Plan, Study, StudyConfig};
use drug::table::{AffinityTable, Quantity};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::Input;
use workbench::run::RunFolder;

pub(crate) use workbench::data::locate;

/// Refused rows that are told one by one.
const EXAMPLES: usize = 5;

/// A table with where it came from.
pub(crate) struct Loaded {
    pub(crate) table: AffinityTable,
    /// The folds that the data came with.
    pub(crate) folds: Option<Folds>,
    pub(crate) inputs: Vec<Input>,
    /// Rows that could not be used, by reason.
    pub(crate) dropped: BTreeMap<String, usize>,
    /// The same, one by one: line and reason.
    pub(crate) refused: Vec<(u64, String)>,
}

/// Reads the affinity data that the settings name, and says on stderr what of it cannot be used.
pub(crate) fn load(source: &SourceConfig, common: &Common) -> anyhow::Result<Loaded> {
    let path = locate(&source.data, common)?;
    let format = source.format.unwrap_or(if path.is_dir() { Format::Deepdta } else { Format::Table });
    let options = options(source)?;
    match format {
        Format::Deepdta => {
            if !source.column.is_empty() || source.quantity.is_some() {
                let option = if source.column.is_empty() { "--quantity" } else { "--column" };
                let text = format!("{option} is for tables; a folder in DeepDTA's layout says itself what it holds");
                return Err(Usage(text).into());
            }
            let (table, folds) = deepdta::read(&path)?;
            // Of the three forms of the values the first that is there is the one that is read.
            let forms = ["affinity.csv", "affinities_Kd_raw.txt", "Y"];
            let values = forms.into_iter().find(|name| path.join(name).exists());
            let others =
                ["ligands_can.txt", "proteins.txt", "folds/train_fold_setting1.txt", "folds/test_fold_setting1.txt"];
            let inputs = values
                .into_iter()
                .chain(others)
                .map(|name| Input::of(name, &path.join(name)))
                .collect::<Result<_, _>>()
                .with_context(|| format!("cannot hash the files in {}", path.display()))?;
            Ok(Loaded { table, folds: Some(folds), inputs, dropped: BTreeMap::new(), refused: Vec::new() })
        }
        Format::Table => {
            let found = affinity::read(&path, &options)?;
            if let (Quantity::Other(name), None) = (&found.value.quantity, &source.quantity) {
                refuse_constants(name)?;
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let inputs = vec![Input::of(&name, &path).with_context(|| format!("cannot hash {}", path.display()))?];
            let mut dropped = BTreeMap::new();
            let refused: Vec<(u64, String)> = found.refused.into_iter().map(|row| (row.number, row.problem)).collect();
            for (_, problem) in &refused {
                // The part before the particulars, so that like reasons are counted together.
                let reason = problem.split(['"', '\'', ':', ';']).next().unwrap_or(problem).trim().to_owned();
                *dropped.entry(reason).or_insert(0) += 1;
            }
            say_refused(common, &path, &refused);
            Ok(Loaded { table: found.value, folds: None, inputs, dropped, refused })
        }
    }
}

/// Says how many rows cannot be used, and of the first ones why.
fn say_refused(common: &Common, path: &Path, refused: &[(u64, String)]) {
    if refused.is_empty() {
        return;
    }
    let mut text = format!("{}: rows that cannot be used: {}", path.display(), refused.len());
    for (line, reason) in refused.iter().take(EXAMPLES) {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  line {line}: {reason}");
    }
    if let Some(more) = refused.len().checked_sub(EXAMPLES).filter(|&more| more > 0) {
        let _ = write!(text, "\n  and {more} more");
    }
    say(common, &text);
}

/// Refuses a column of constants whose unit nobody said: as they stand, the weakest binder has the largest value.
fn refuse_constants(column: &str) -> Result<(), Usage> {
    let name = column.to_ascii_lowercase();
    let head = name.split(|c: char| !c.is_ascii_alphanumeric()).find(|part| !part.is_empty()).unwrap_or_default();
    if !["kd", "ki", "ic50", "ec50"].contains(&head) {
        return Ok(());
    }
    Err(Usage(format!(
        "column {column} seems to hold constants, of which the smallest bind tightest; say what they are with --quantity kd-nm, kd-um or kd-m (each becomes pKd), or with --quantity NAME if larger values bind tighter"
    )))
}

fn options(source: &SourceConfig) -> anyhow::Result<AffinityOptions> {
    let mut options = AffinityOptions::default();
    for assignment in &source.column {
        let wrong = || {
            Usage(format!(
                "--column {assignment}: write ROLE=NAME with role smiles, sequence, value, drug-id or target-id"
            ))
        };
        let (role, name) = assignment.split_once('=').ok_or_else(wrong)?;
        let place = match role {
            "smiles" => &mut options.smiles,
            "sequence" => &mut options.sequence,
            "value" => &mut options.value,
            "drug-id" => &mut options.drug_id,
            "target-id" => &mut options.target_id,
            _ => return Err(wrong().into()),
        };
        *place = Some(name.to_owned());
    }
    (options.unit, options.quantity) = match source.quantity.as_deref() {
        None => (Unit::AsIs, None),
        Some("kd-nm") => (Unit::Nanomolar, Some(Quantity::Pkd)),
        Some("kd-um") => (Unit::Micromolar, Some(Quantity::Pkd)),
        Some("kd-m") => (Unit::Molar, Some(Quantity::Pkd)),
        Some("pkd") => (Unit::AsIs, Some(Quantity::Pkd)),
        Some("kiba") => (Unit::AsIs, Some(Quantity::KibaScore)),
        Some(other) => (Unit::AsIs, Some(Quantity::Other(other.to_owned()))),
    };
    Ok(options)
}

/// Divides the rows as the configuration asks.
pub(crate) fn plan(loaded: &Loaded, config: &StudyConfig) -> anyhow::Result<Plan> {
    Ok(Plan::new(&loaded.table, loaded.folds.as_ref(), config.split, config.test_fraction, config.seed)?)
}

/// Writes the rows of every part to `splits/fold-0.tsv` and so on.
pub(crate) fn write_splits(folder: &RunFolder, plan: &Plan) -> anyhow::Result<()> {
    let splits = folder.file("splits")?;
    std::fs::create_dir_all(&splits).with_context(|| format!("cannot create {}", splits.display()))?;
    Ok(plan.write(&splits)?)
}

/// The audit of a study's data, with what its network does not read of the strings.
pub(crate) fn audit(study: &Study<'_>) -> Audit {
    let (entities, network) = (study.entities(), &study.config().network);
    let lengths = [("SMILES", network.smiles_length), ("sequence", network.protein_length)];
    let reports = [&entities.drug_report, &entities.target_report];
    lengths.into_iter().zip(reports).fold(
        Audit::new(study.table(), &study.plan().whole()),
        |audit, ((name, length), report)| {
            let unknown = report.unknown.values().sum();
            audit.with_reading(format!("{name}, {length} characters"), report.texts, report.truncated, unknown)
        },
    )
}

/// The study that only divides the rows and looks at them.
pub(crate) fn study_config(settings: &SplitConfig, loaded: &Loaded) -> anyhow::Result<StudyConfig> {
    let split = split_kind(&settings.split, loaded)?;
    let SplitConfig { seed, test_fraction, .. } = *settings;
    let config = StudyConfig { split, seed, test_fraction, ..StudyConfig::default() }.resolved();
    config.validate()?;
    Ok(config)
}

/// The split asked for by name; for `auto` the folds that the data came with, else a random one.
fn split_kind(name: &str, loaded: &Loaded) -> Result<SplitKind, Usage> {
    match name {
        "auto" if loaded.folds.is_some() => Ok(SplitKind::Upstream),
        "auto" => Ok(SplitKind::Random),
        name => SplitKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known: Vec<&str> = SplitKind::ALL.iter().map(|kind| kind.name()).collect();
            Usage(format!("split = {name:?} is not known; use auto, {}", known.join(", ")))
        }),
    }
}
