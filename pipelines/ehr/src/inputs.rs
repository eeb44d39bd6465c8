//! Records from files, what is asked of them, and the record of what was read.

mod own;
mod told;

use self::told::format_of;
use crate::cli::{Format, counted};
use crate::config::SourceConfig;
use anyhow::Context;
use ehr::cohort::Cohort;
use ehr::events::Events;
use ehr::io::etl::{self, EtlConfig, EtlReport, Memory, Source, TableConfig};
use ehr::io::fhir::FhirConfig;
use ehr::io::omop::OmopConfig;
use ehr::io::sets::diabetes;
use ehr::io::{eicu, fhir, mapping, meds, mimic3, mimic4, omop};
use ehr::labels::Label;
use ehr::model::ModelCard;
use ehr::split::Split;
use ehr::study::{Asked, Plan};
use std::collections::BTreeMap;
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::record::{DataRecord, Input};

pub(crate) use workbench::data::locate;

/// Files of a folder that are hashed; of larger ones, names and sizes must do.
const HASHED: usize = 4096;

/// Records with where they came from.
pub(crate) struct Loaded {
    pub(crate) events: Events,
    /// The parts that the data came with.
    pub(crate) split: Option<Split>,
    pub(crate) inputs: Vec<Input>,
    /// Rows that could not be used, by reason.
    pub(crate) dropped: BTreeMap<String, usize>,
    /// What the reader says of the rows.
    pub(crate) told: String,
    /// Labels that came with the set, with the name of their task.
    pub(crate) own: Option<(String, Vec<Label>)>,
    /// Clinicians' scores that came with the set: by name, the score of each subject.
    pub(crate) scores: Vec<(String, BTreeMap<i64, f32>)>,
}

/// The layout of the data: the one that was named, or that of what is there.
pub(crate) fn layout(source: &SourceConfig, path: &Path) -> anyhow::Result<Format> {
    if let Some(format) = source.format {
        return Ok(format);
    }
    if source.mapping.is_some() {
        return Ok(Format::Mapping);
    }
    anyhow::ensure!(path.exists(), "{} is not there; check --data and --data-root", path.display());
    format_of(path).ok_or_else(|| {
        let text = format!("what {} holds cannot be told; name its layout with --format", path.display());
        Usage(text).into()
    })
}

/// The tables or documents of a source that becomes events; none where they are events already, or a set of its own.
pub(crate) fn open(
    common: &Common,
    source: &SourceConfig,
    path: &Path,
    format: Format,
) -> anyhow::Result<Option<Box<dyn Source>>> {
    let tables = TableConfig::default();
    Ok(match format {
        Format::Meds => None,
        Format::Mimic3 => Some(mimic3::open(path, &tables)?),
        Format::Mimic4 => Some(mimic4::open(path, &tables)?),
        Format::Eicu => Some(eicu::open(path, &tables)?),
        Format::Omop => Some(omop::open(path, &OmopConfig::default())?),
        Format::Fhir => Some(fhir::open(path, &FhirConfig::default())?),
        Format::Mapping => {
            let Some(file) = &source.mapping else {
                let text = "--format mapping needs --mapping FILE.toml, which says what the columns are";
                return Err(Usage(text.into()).into());
            };
            Some(mapping::open(path, &locate(file, common)?)?)
        }
        Format::P12 => Some(own::p12(path, source.part.as_deref())?),
        Format::Diabetes130 => Some(diabetes::open(path)?),
    })
}

/// Reads the records that the settings name into memory.
pub(crate) fn load(common: &Common, source: &SourceConfig) -> anyhow::Result<Loaded> {
    let path = locate(&source.data, common)?;
    let format = layout(source, &path)?;
    say(common, &format!("reading {}", path.display()));
    let mut inputs = Vec::new();
    hash(&path, &mut inputs)?;
    let mut loaded = match format {
        Format::P12 => own::p12_loaded(&path, source.part.as_deref())?,
        Format::Diabetes130 => own::diabetes_loaded(&path, source.part.as_deref())?,
        _ => match open(common, source, &path, format)? {
            None => of_meds(&path)?,
            Some(mut tables) => of_tables(tables.as_mut())?,
        },
    };
    loaded.inputs = inputs;
    // No row is lost in silence, whichever command reads.
    say(common, &loaded.told);
    say(
        common,
        &format!("{} of {}", counted(loaded.events.rows(), "event"), counted(loaded.events.subjects(), "subject")),
    );
    Ok(loaded)
}

impl Loaded {
    fn of(events: Events) -> Self {
        Self {
            events,
            split: None,
            inputs: Vec::new(),
            dropped: BTreeMap::new(),
            told: String::new(),
            own: None,
            scores: Vec::new(),
        }
    }
}

fn of_tables(tables: &mut dyn Source) -> anyhow::Result<Loaded> {
    let (events, report) = etl::read(tables)?;
    Ok(Loaded { dropped: dropped(&report), told: report.to_string(), ..Loaded::of(events) })
}

fn of_meds(path: &Path) -> anyhow::Result<Loaded> {
    let set = meds::read(path)?;
    let told: Vec<String> =
        [set.counts.to_string()].into_iter().chain(set.notices.iter().map(ToString::to_string)).collect();
    let dropped = set.counts.dropped.iter().map(|(reason, rows)| (reason.clone(), *rows as usize)).collect();
    Ok(Loaded { split: set.split, dropped, told: told.join("\n"), ..Loaded::of(set.events) })
}

/// Rows that could not be used, over all steps.
fn dropped(report: &EtlReport) -> BTreeMap<String, usize> {
    report.counts().dropped.into_iter().map(|(reason, rows)| (reason, rows as usize)).collect()
}

/// Memory and threads of a conversion.
pub(crate) fn etl_config(source: &SourceConfig) -> anyhow::Result<EtlConfig> {
    let read = source.max_memory.parse::<Memory>();
    let max_memory = read.map_err(|error| Usage(format!("--max-memory: {error}")))?;
    let config = EtlConfig { max_memory, ..EtlConfig::default() };
    config.validate()?;
    Ok(config)
}

/// The question with its answers: by a task, by labels, or the set's own.
pub(crate) fn asked(common: &Common, source: &SourceConfig, loaded: &Loaded) -> anyhow::Result<Asked> {
    if let Some(path) = &source.task {
        let path = locate(path, common)?;
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        return of_definition(common, loaded, &text).with_context(|| format!("task {}", path.display()));
    }
    if let Some(path) = &source.labels {
        let path = locate(path, common)?;
        let (labels, notices) = meds::read_labels(&path)?;
        notices.iter().for_each(|notice| say(common, &notice.to_string()));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(Asked::plain(&name, labels));
    }
    if let Some((task, labels)) = &loaded.own {
        Ok(Asked::plain(task, labels.clone()))
    } else {
        let text = "nothing is asked of these records; give --task FILE.toml (a cohort) or --labels FILE.parquet";
        Err(Usage(text.into()).into())
    }
}

/// As [`asked`], of who has a model: where nothing else is said, what the model was trained to answer.
pub(crate) fn asked_of_model(
    common: &Common,
    source: &SourceConfig,
    loaded: &Loaded,
    card: &ModelCard,
) -> anyhow::Result<Asked> {
    let said = source.task.is_some() || source.labels.is_some() || loaded.own.is_some();
    match &card.predicts.definition {
        Some(text) if !said => of_definition(common, loaded, text).context("the task of the model"),
        _ => asked(common, source, loaded),
    }
}

fn of_definition(common: &Common, loaded: &Loaded, text: &str) -> anyhow::Result<Asked> {
    let cohort = Cohort::from_toml(text)?;
    let found = cohort.labels(&loaded.events)?;
    say(common, &format!("cohort {}: {}", cohort.name, found.attrition));
    anyhow::ensure!(
        !found.labels.is_empty(),
        "the outcome is a time to an event (kind = \"survival\"), for which no command here has a model; ask for an event \
         within a horizon instead"
    );
    Ok(Asked::of_cohort(&cohort, text, found))
}

/// The clinicians' scores for each label; none is not a number.
pub(crate) fn severities(loaded: &Loaded, labels: &[Label]) -> Vec<(String, Vec<f32>)> {
    let of = |scores: &BTreeMap<i64, f32>| {
        labels.iter().map(|label| scores.get(&label.subject).copied().unwrap_or(f32::NAN)).collect()
    };
    loaded.scores.iter().map(|(name, scores)| (name.clone(), of(scores))).collect()
}

/// What went in, and the parts it was divided into.
pub(crate) fn record(loaded: &Loaded, asked: &Asked, plan: &Plan) -> DataRecord {
    let split = plan.rows(0);
    let mut dropped = loaded.dropped.clone();
    if !plan.unused().is_empty() {
        dropped.insert("label in no part".to_owned(), plan.unused().len());
    }
    DataRecord {
        inputs: loaded.inputs.clone(),
        kept: asked.labels.len(),
        dropped,
        split: Some(plan.kind().name().to_owned()),
        parts: [("train", split.train.len()), ("tuning", split.validation.len()), ("held_out", split.test.len())]
            .map(|(name, rows)| (name.to_owned(), rows))
            .into(),
    }
}

/// Hashes a file, or all files of a folder in the order of their names.
pub(crate) fn hash(path: &Path, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let mut inside = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| hash(path, inputs));
    }
    if inputs.len() >= HASHED {
        return Ok(());
    }
    // Shards of several folders have the same names: the folder tells them apart.
    let parts: Vec<String> = path.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    let name = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    let input = Input::of(&name, path).with_context(|| format!("cannot hash {}", path.display()))?;
    if !inputs.contains(&input) {
        inputs.push(input);
    }
    Ok(())
}
