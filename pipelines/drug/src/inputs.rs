//! Affinity data from files, with the record of what was read.

use crate::cli::{Format, Source};
use anyhow::Context;
use drug::audit::Audit;
use drug::io::affinity::{self, AffinityOptions, Unit};
use drug::io::deepdta::{self, Folds};
use drug::split::SplitKind;
use drug::study::{Plan, Study, StudyConfig};
use drug::table::{AffinityTable, Quantity};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::data::dataset;
use workbench::exit::Usage;
use workbench::record::Input;
use workbench::run::RunFolder;

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

/// The path itself, or below the data root where it is not there.
pub(crate) fn locate(path: &Path, common: &Common) -> anyhow::Result<PathBuf> {
    if path.exists() || path.is_absolute() {
        return Ok(path.to_owned());
    }
    Ok(dataset(common.data_root().as_deref(), &path.to_string_lossy())?)
}

/// Reads the affinity data that the options name.
pub(crate) fn load(source: &Source, common: &Common) -> anyhow::Result<Loaded> {
    let path = locate(&source.data, common)?;
    let format = source.format.unwrap_or(if path.is_dir() { Format::Deepdta } else { Format::Table });
    let options = options(source)?;
    match format {
        Format::Deepdta => {
            let (table, folds) = deepdta::read(&path)?;
            let names = ["affinity.csv", "affinities_Kd_raw.txt", "Y", "ligands_can.txt", "proteins.txt"];
            let inputs = names
                .iter()
                .filter(|name| path.join(name).is_file())
                .map(|name| Input::of(name, &path.join(name)))
                .collect::<Result<_, _>>()
                .with_context(|| format!("cannot hash the files in {}", path.display()))?;
            Ok(Loaded { table, folds: Some(folds), inputs, dropped: BTreeMap::new(), refused: Vec::new() })
        }
        Format::Table => {
            let found = affinity::read(&path, &options)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let inputs = vec![Input::of(&name, &path).with_context(|| format!("cannot hash {}", path.display()))?];
            let mut dropped = BTreeMap::new();
            let refused: Vec<(u64, String)> = found.refused.into_iter().map(|row| (row.number, row.problem)).collect();
            for (_, problem) in &refused {
                // The part before the particulars, so that like reasons are counted together.
                let reason = problem.split(['"', '\'', ':', ';']).next().unwrap_or(problem).trim().to_owned();
                *dropped.entry(reason).or_insert(0) += 1;
            }
            Ok(Loaded { table: found.value, folds: None, inputs, dropped, refused })
        }
    }
}

fn options(source: &Source) -> anyhow::Result<AffinityOptions> {
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

/// The split asked for by name; without one, the folds that the data came with, else a random one.
pub(crate) fn split_kind(name: Option<&str>, loaded: &Loaded) -> anyhow::Result<SplitKind> {
    match name {
        None if loaded.folds.is_some() => Ok(SplitKind::Upstream),
        None => Ok(SplitKind::Random),
        Some(name) => SplitKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let known: Vec<&str> = SplitKind::ALL.iter().map(|kind| kind.name()).collect();
            Usage(format!("--split {name}: use one of {}", known.join(", "))).into()
        }),
    }
}
