//! Labelled cases and pictures from files, with the record of what was read.

use crate::cli::{Format, counted};
use crate::config::SourceConfig;
use anyhow::Context;
use imaging::case::{Case, CaseFiles, Layout, discover, read_cases};
use imaging::pictures::{Cropper, PictureOptions, PictureSet};
use imaging::split::Rows;
use imaging::study::Divided;
use std::collections::BTreeMap;
use std::path::Path;
use workbench::args::Common;
use workbench::observe::say;
use workbench::record::{DataRecord, Input};

pub(crate) use workbench::data::locate;

/// Cases with where they came from.
pub(crate) struct LoadedCases {
    pub(crate) cases: Vec<Case>,
    /// Names of the labels, the background first.
    pub(crate) names: Vec<String>,
    pub(crate) inputs: Vec<Input>,
    /// Cases that could not be used, by reason.
    pub(crate) dropped: BTreeMap<String, usize>,
}

impl LoadedCases {
    /// What a division may know of them.
    pub(crate) fn rows(&self) -> Rows {
        Rows {
            ids: self.cases.iter().map(|case| case.id.clone()).collect(),
            subjects: self.cases.iter().map(|case| case.subject.clone()).collect(),
            ..Rows::default()
        }
    }

    /// Channels of a case.
    pub(crate) fn channels(&self) -> usize {
        self.cases.first().map_or(0, |case| case.channels.len())
    }
}

/// Pictures with where they came from.
pub(crate) struct LoadedPictures {
    pub(crate) set: PictureSet,
    pub(crate) inputs: Vec<Input>,
}

/// Whether the data is labelled pictures rather than cases.
pub(crate) fn is_pictures(source: &SourceConfig) -> bool {
    match source.format {
        Some(format) => matches!(format, Format::Npz | Format::Pictures),
        None => source.data.extension().is_some_and(|ending| ending == "npz"),
    }
}

/// The layout of cases that was asked for; none to find it out.
fn layout(format: Option<Format>) -> Option<Layout> {
    match format? {
        Format::Folders => Some(Layout::Folders),
        Format::NnUnet => Some(Layout::NnUnet),
        Format::Slices => Some(Layout::Slices),
        Format::Table => Some(Layout::Table),
        Format::Series => Some(Layout::Series),
        Format::Npz | Format::Pictures => None,
    }
}

/// The files of the cases that the settings name.
pub(crate) fn case_files(common: &Common, source: &SourceConfig) -> anyhow::Result<Vec<CaseFiles>> {
    let mut files = discover(&locate(&source.data, common)?, layout(source.format))?;
    if source.limit > 0 {
        files.truncate(source.limit);
    }
    Ok(files)
}

/// Reads the cases that the settings name. Those without labels are left out where `labelled` ones are wanted.
pub(crate) fn cases(common: &Common, source: &SourceConfig, labelled: bool) -> anyhow::Result<LoadedCases> {
    let mut files = case_files(common, source)?;
    let (all, mut dropped) = (files.len(), BTreeMap::new());
    if labelled {
        files.retain(|files| files.label.is_some());
        if files.len() < all {
            dropped.insert("no label".to_owned(), all - files.len());
        }
        anyhow::ensure!(
            !files.is_empty(),
            "none of the {} of {} has a label; give label maps of the same names in labels/, or a table",
            counted(all, "case"),
            source.data.display()
        );
    }
    say(common, &format!("reading {}", counted(files.len(), "case")));
    let given: Vec<String> = if source.names.is_empty() {
        Vec::new()
    } else {
        ["background".to_owned()].into_iter().chain(source.names.iter().cloned()).collect()
    };
    let mut cases = read_cases(&files, &given)?;
    // Without names each map is called by the numbers that it has: the longest list serves all.
    let longest =
        cases.iter().filter_map(|case| case.label.as_ref()).map(|map| &map.names).max_by_key(|names| names.len());
    let names = longest.cloned().unwrap_or(given);
    for map in cases.iter_mut().filter_map(|case| case.label.as_mut()) {
        map.names.clone_from(&names);
    }
    let mut inputs = Vec::new();
    for files in &files {
        for path in files.channels.iter().chain(&files.label) {
            hash(path, &mut inputs)?;
        }
    }
    Ok(LoadedCases { cases, names, inputs, dropped })
}

/// Reads the labelled pictures that the settings name, and behind each the part that `crop` finds.
pub(crate) fn pictures(
    common: &Common,
    source: &SourceConfig,
    crop: Option<&Cropper>,
) -> anyhow::Result<LoadedPictures> {
    let path = locate(&source.data, common)?;
    say(common, &format!("reading pictures from {}", path.display()));
    let options = PictureOptions { size: source.size, channels: source.channels, classes: source.names.clone() };
    let mut set = PictureSet::read_cropped(&path, &options, crop)?;
    if source.limit > 0 && source.limit < set.len() {
        set = set.select(&(0..source.limit).collect::<Vec<_>>());
    }
    set.check()?;
    let mut inputs = Vec::new();
    hash(&path, &mut inputs)?;
    Ok(LoadedPictures { set, inputs })
}

/// Hashes a file, or all files of a folder in the order of their names; what is there already is not hashed again.
pub(crate) fn hash(path: &Path, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let mut inside = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| hash(path, inputs));
    }
    // Images and labels have the same names: the folder tells them apart.
    let parts: Vec<String> = path.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect();
    let name = parts.into_iter().rev().collect::<Vec<_>>().join("/");
    let input = Input::of(&name, path).with_context(|| format!("cannot hash {}", path.display()))?;
    if !inputs.contains(&input) {
        inputs.push(input);
    }
    Ok(())
}

/// What went in, and the parts it was divided into.
pub(crate) fn record(
    inputs: &[Input],
    kept: usize,
    dropped: &BTreeMap<String, usize>,
    divided: &Divided,
) -> DataRecord {
    let split = divided.split(0);
    let mut dropped = dropped.clone();
    if !divided.dropped().is_empty() {
        dropped.insert("a copy of it is in another part".to_owned(), divided.dropped().len());
    }
    DataRecord {
        inputs: inputs.to_vec(),
        kept,
        dropped,
        split: Some(divided.kind().name().to_owned()),
        parts: [("train", split.train.len()), ("validation", split.validation.len()), ("test", split.test.len())]
            .map(|(name, rows)| (name.to_owned(), rows))
            .into(),
    }
}
