//! `inspect`: what can be read of DICOM files, what is wrong with the geometry of their series, what may tell who the
//! patient is; nothing is decoded.

use crate::cli::{Inspect, counted};
use crate::config::{NoConfig, settings, without_run_folder};
use imaging::io::dicom::series::survey;
use imaging::io::dicom::{Inspection, inspect};
use rayon::prelude::*;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::table::Table;

pub(crate) fn run(common: &Common, args: &Inspect) -> anyhow::Result<()> {
    without_run_folder(common, "inspect")?;
    if settings(&NoConfig {}, common, Flags::new())?.is_none() {
        return Ok(());
    }
    let survey = survey(&args.input)?;
    let mut paths: Vec<PathBuf> = survey
        .series
        .iter()
        .flat_map(|series| series.paths().map(std::path::Path::to_path_buf))
        .chain(survey.refused.iter().map(|(path, _)| path.clone()))
        .chain(survey.others.iter().cloned())
        .collect();
    paths.sort();
    paths.dedup();
    let files: Vec<Inspection> = paths.par_iter().map(|path| inspect(path)).collect();
    let mut out = std::io::stdout().lock();
    if common.json {
        let series: Vec<serde_json::Value> = survey
            .series
            .iter()
            .map(|series| {
                json!({
                    "name": series.name(),
                    "uid": series.uid,
                    "slices": series.len(),
                    "volumes": series.volumes(),
                    "faults": series.check().iter().map(ToString::to_string).collect::<Vec<_>>(),
                })
            })
            .collect();
        writeln!(out, "{}", json!({ "files": files, "series": series, "other": survey.foreign }))?;
        return Ok(());
    }
    let mut table = Table::new("Files")
        .text("file")
        .text("pixels")
        .text("transfer syntax")
        .text("object")
        .text("photometric")
        .text("size")
        .text("may identify");
    for file in &files {
        let name = file.path.strip_prefix(&args.input).unwrap_or(&file.path).display().to_string();
        let read = if file.readable { "read".to_owned() } else { file.problem.clone().unwrap_or_default() };
        let size = file.size.map_or_else(String::new, |size| size.map(|edge| edge.to_string()).join(" x "));
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        table.push([
            name,
            read,
            or_empty(&file.syntax),
            or_empty(&file.class),
            or_empty(&file.photometric),
            size,
            file.risks.join("; "),
        ]);
    }
    table.write(&mut out, false)?;
    let mut table = Table::new("Series").text("series").number("slices").number("volumes").text("faults");
    for series in &survey.series {
        let faults: Vec<String> = series.check().iter().map(ToString::to_string).collect();
        let faults = if faults.is_empty() { "none".to_owned() } else { faults.join("; ") };
        table.push([series.name(), series.len().to_string(), series.volumes().to_string(), faults]);
    }
    out.write_all(b"\n")?;
    table.write(&mut out, false)?;
    if !survey.foreign.is_empty() {
        writeln!(out, "\nno DICOM: {}", counted(survey.foreign.len(), "file"))?;
    }
    Ok(())
}
