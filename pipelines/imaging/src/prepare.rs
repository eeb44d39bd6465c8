//! `prepare`: reads a whole set once, and writes its table, its audit, its split and a plan to train by.

use crate::cli::Prepare;
use crate::config::{SetConfig, not_resumed};
use crate::inputs::{self, LoadedCases, LoadedPictures};
use imaging::audit::Audit;
use imaging::split::Rows;
use imaging::study::{Divided, SegmentStudyConfig, plan};
use nn_core::data::Split;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use workbench::args::Common;
use workbench::observe::say;
use workbench::run::{DATA, RunFolder};
use workbench::training::quoted;

pub(crate) fn run(common: &Common, args: &Prepare) -> anyhow::Result<()> {
    not_resumed(common, "prepare")?;
    let Some(settings) = SetConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let folder = RunFolder::open(&common.run_dir_or("prepared"), false)?;
    let audit = if inputs::is_pictures(&settings.source) {
        let loaded = inputs::pictures(common, &settings.source, None)?;
        let (divided, audit) = crate::audit::of_pictures(&loaded, &settings)?;
        folder.write("pictures.csv", pictures(&loaded, divided.split(0))?)?;
        folder.write_json(DATA, &inputs::record(&loaded.inputs, loaded.set.len(), &BTreeMap::new(), &divided))?;
        divided.write(&Rows::of_pictures(&loaded.set), &folder.splits()?)?;
        audit
    } else {
        let loaded = inputs::cases(common, &settings.source, false)?;
        let (divided, audit) = crate::audit::of_cases(&loaded, &settings)?;
        folder.write("cases.csv", cases(common, &settings, &loaded, divided.split(0))?)?;
        folder.write_json(DATA, &inputs::record(&loaded.inputs, loaded.cases.len(), &loaded.dropped, &divided))?;
        divided.write(&loaded.rows(), &folder.splits()?)?;
        write_plan(common, &folder, &settings, &loaded, &divided)?;
        audit
    };
    folder.write_json("audit.json", &audit)?;
    finish(common, &folder, &settings, &audit)
}

/// The plan for the training part, where it has labels.
fn write_plan(
    common: &Common,
    folder: &RunFolder,
    settings: &SetConfig,
    loaded: &LoadedCases,
    divided: &Divided,
) -> anyhow::Result<()> {
    if loaded.cases.iter().all(|case| case.label.is_none()) {
        say(common, "no case has a label, so there is no plan to train by");
        return Ok(());
    }
    let config = SegmentStudyConfig { planning: settings.planning.clone(), ..SegmentStudyConfig::default() };
    folder.write("plan.toml", plan(&loaded.cases, &divided.split(0).train, &config)?.to_toml())?;
    Ok(())
}

fn finish(common: &Common, folder: &RunFolder, settings: &SetConfig, audit: &Audit) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(audit)?)?;
        return Ok(());
    }
    writeln!(out, "{}\nprepared: {}", audit.to_text(), folder.path().display())?;
    let plan = folder.file("plan.toml")?;
    let with = if plan.is_file() { format!(" --plan {}", quoted(&plan)) } else { String::new() };
    writeln!(out, "train on it with: galen-imaging train --data {}{with}", quoted(&settings.source.data))?;
    Ok(())
}

/// Which part a row is in, by name.
fn parts(split: &Split, rows: usize) -> Vec<&'static str> {
    let mut part = vec!["unused"; rows];
    for (members, called) in [(&split.train, "train"), (&split.validation, "validation"), (&split.test, "test")] {
        members.iter().for_each(|&row| part[row] = called);
    }
    part
}

/// Text without what separates columns and rows.
fn plain(text: &str) -> String {
    text.replace([',', '\n', '\r', '"'], " ")
}

/// A row for each case: its part, files, grid, and the volume of each label in millilitres.
fn cases(common: &Common, settings: &SetConfig, loaded: &LoadedCases, split: &Split) -> anyhow::Result<String> {
    let files = inputs::case_files(common, &settings.source)?;
    let part = parts(split, loaded.cases.len());
    let mut text = String::from("id,subject,part,image,label,size_i,size_j,size_k,mm_i,mm_j,mm_k,orientation");
    for name in loaded.names.iter().skip(1) {
        write!(text, ",ml {}", plain(name))?;
    }
    text.push('\n');
    for ((case, files), part) in loaded.cases.iter().zip(&files).zip(part) {
        let grid = case.geometry();
        // The table lies elsewhere than the data, so paths are whole.
        let path = |path: Option<&PathBuf>| {
            let whole = path.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
            whole.map_or_else(String::new, |path| path.display().to_string())
        };
        let [ni, nj, nk] = grid.size;
        let [di, dj, dk] = grid.spacing;
        write!(
            text,
            "{},{},{part},{},{},{ni},{nj},{nk},{di},{dj},{dk},{}",
            plain(&case.id),
            plain(&case.subject),
            plain(&path(files.channels.first())),
            plain(&path(files.label.as_ref())),
            grid.orientation()
        )?;
        for label in 1..loaded.names.len() {
            match &case.label {
                Some(map) => write!(text, ",{:.4}", map.volume_mm3(label as u8) / 1000.0)?,
                None => text.push(','),
            }
        }
        text.push('\n');
    }
    Ok(text)
}

/// A row for each picture: its part and class.
fn pictures(loaded: &LoadedPictures, split: &Split) -> Result<String, std::fmt::Error> {
    let set = &loaded.set;
    let mut text = String::from("id,subject,part,class,sha256\n");
    for (row, part) in parts(split, set.len()).into_iter().enumerate() {
        let class = &set.classes[set.labels[row]];
        let (id, subject) = (plain(&set.ids[row]), plain(&set.subjects[row]));
        writeln!(text, "{id},{subject},{part},{},{}", plain(class), set.digest(row))?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_part() {
        let split = Split::new(vec![0, 3], vec![1], vec![4]);
        assert_eq!(parts(&split, 5), ["train", "validation", "unused", "train", "test"]);
    }
}
