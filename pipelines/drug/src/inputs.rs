//! Affinity data from files, with the record of what was read.

mod quantity;

use crate::cli::Format;
use crate::config::{SourceConfig, SplitConfig};
use anyhow::{Context, anyhow};
use drug::audit::Audit;
use drug::io::IoError;
use drug::io::affinity::{self, AffinityOptions};
use drug::io::deepdta::{self, Folds};
use drug::split::{SplitError, SplitKind};
use drug::study::{Plan, PlanError, Study, StudyConfig, TokenizerKind};
use drug::table::AffinityTable;
use nn_core::data::{DataError, Part};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::Input;

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

/// Reads the affinity data that the settings name, and says on stderr what of it cannot be used. Values that seem not to
/// be what they are taken for are refused.
pub(crate) fn load(source: &SourceConfig, common: &Common) -> anyhow::Result<Loaded> {
    match read(source, common)? {
        (loaded, None) => Ok(loaded),
        (_, Some(doubt)) => Err(Usage(doubt).into()),
    }
}

/// As [`load`], for a run in `folder` that goes on. What its values are was settled when it began: doubts are told, and
/// only values that would now be others are refused.
pub(crate) fn load_again(source: &SourceConfig, common: &Common, folder: &Path) -> anyhow::Result<Loaded> {
    let (loaded, doubt) = read(source, common)?;
    let now = loaded.table.quantity.label();
    // Versions that did not know a spelling, as kd-nM, took it for the name of values that they left as they stood.
    let other = |before: &String| source.quantity.as_ref() == Some(before) && !before.eq_ignore_ascii_case(now);
    if let Some(before) = audited(folder).filter(other) {
        let folder = folder.display();
        return Err(Usage(format!(
            "the run in {folder} learnt values as they stood in the file; --quantity {before} now makes {now} of them; train them anew, with another --run-dir"
        ))
        .into());
    }
    if let Some(doubt) = doubt {
        say(common, &format!("warning: {doubt}"));
    }
    Ok(loaded)
}

/// What an earlier audit, in `folder`, says that the values measure.
fn audited(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("audit.json")).ok()?;
    let audit: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(audit.get("quantity")?.as_str()?.to_owned())
}

/// The affinity data that the settings name, and why its values seem not to be what they are taken for.
fn read(source: &SourceConfig, common: &Common) -> anyhow::Result<(Loaded, Option<String>)> {
    let path = locate(&source.data, common)?;
    let format = source.format.unwrap_or(if path.is_dir() { Format::Deepdta } else { Format::Table });
    match format {
        Format::Deepdta => {
            if !source.column.is_empty() || source.quantity.is_some() {
                let option = if source.column.is_empty() { "--quantity" } else { "--column" };
                let text = format!("{option} is for tables; a folder in DeepDTA's layout says itself what it holds");
                return Err(Usage(text).into());
            }
            let ligands = source.ligands.unwrap_or_default();
            let (table, folds) = deepdta::read_with(&path, ligands)?;
            // Of the three forms of the values the first that is there is the one that is read.
            let forms = ["affinity.csv", "affinities_Kd_raw.txt", "Y"];
            let values = forms.into_iter().find(|name| path.join(name).exists());
            let others =
                [ligands.file(), "proteins.txt", "folds/train_fold_setting1.txt", "folds/test_fold_setting1.txt"];
            let inputs = values
                .into_iter()
                .chain(others)
                .map(|name| Input::of(name, &path.join(name)))
                .collect::<Result<_, _>>()
                .with_context(|| format!("cannot hash the files in {}", path.display()))?;
            let (dropped, refused) = (BTreeMap::new(), Vec::new());
            Ok((Loaded { table, folds: Some(folds), inputs, dropped, refused }, None))
        }
        Format::Table => {
            if source.ligands.is_some() {
                let text = "--ligands is for folders in DeepDTA's layout; of a table, --column smiles=NAME says which \
                            SMILES to read";
                return Err(Usage(text.into()).into());
            }
            let options = options(source)?;
            let found = affinity::read(&path, &options).map_err(|error| match error {
                IoError::Column { .. } => {
                    anyhow!("{error} with --column, as --column value=NAME (also smiles, sequence, drug-id, target-id)")
                }
                error => error.into(),
            })?;
            // `prepare` leaves beside its table what it was told.
            let prepared = path.file_name().is_some_and(|name| name == "pairs.csv")
                && path.parent().and_then(audited).is_some_and(|quantity| quantity == found.value.quantity.label());
            let doubt = quantity::doubt(&found.value, options.unit, source.quantity.is_some() || prepared);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let inputs = vec![Input::of(&name, &path).with_context(|| format!("cannot hash {}", path.display()))?];
            let mut dropped = BTreeMap::new();
            for row in &found.refused {
                *dropped.entry(row.kind.unwrap_or("unusable").to_owned()).or_insert(0) += 1;
            }
            let refused: Vec<(u64, String)> = found.refused.into_iter().map(|row| (row.number, row.problem)).collect();
            say_refused(common, &path, &refused);
            Ok((Loaded { table: found.value, folds: None, inputs, dropped, refused }, doubt))
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
    if let Some(name) = &source.quantity {
        let (unit, quantity) = quantity::named(name)?;
        (options.unit, options.quantity) = (unit, Some(quantity));
    }
    Ok(options)
}

/// Divides the rows as the configuration asks.
pub(crate) fn plan(loaded: &Loaded, config: &StudyConfig) -> anyhow::Result<Plan> {
    let StudyConfig { split, test_fraction, seed, .. } = *config;
    Plan::new(&loaded.table, loaded.folds.as_ref(), split, test_fraction, seed).map_err(|error| {
        let empty = match &error {
            PlanError::Split(SplitError::Undividable { cause: DataError::EmptyPart { part, .. }, .. }) => Some(*part),
            _ => None,
        };
        match empty {
            None => error.into(),
            Some(Part::Test) => anyhow!("{error} with --set test_fraction=SHARE, which is {test_fraction:.3} now"),
            Some(_) => anyhow!("{error} with a smaller --set test_fraction=SHARE, which is {test_fraction:.3} now"),
        }
    })
}

/// The audit of a study's data, with what its network does not read of the strings.
pub(crate) fn audit(study: &Study<'_>) -> Audit {
    let (entities, network) = (study.entities(), &study.config().network);
    let unit = match study.config().tokenizer {
        TokenizerKind::DeepDta => "characters",
        TokenizerKind::Chemistry => "tokens",
    };
    let lengths = [("SMILES", network.smiles_length, unit), ("sequence", network.protein_length, "characters")];
    let reports = [&entities.drug_report, &entities.target_report];
    lengths.into_iter().zip(reports).fold(
        Audit::new(study.table(), &study.plan().whole()),
        |audit, ((name, length, unit), report)| {
            let unknown = report.unknown.values().sum();
            audit.with_reading(format!("{name}, {length} {unit}"), report.texts, report.truncated, unknown)
        },
    )
}

/// The study that only divides the rows and looks at them.
pub(crate) fn study_config(settings: &SplitConfig, loaded: &Loaded) -> anyhow::Result<StudyConfig> {
    let split = split_kind(&settings.split, loaded)?;
    let SplitConfig { seed, test_fraction, tokenizer, .. } = *settings;
    let network = settings.network.clone();
    let config = StudyConfig { split, seed, test_fraction, tokenizer, network, ..StudyConfig::default() }.resolved();
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
