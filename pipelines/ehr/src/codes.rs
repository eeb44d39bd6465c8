//! `codes`: what the public tables say of a code: its title, what it belongs to, and what it is in another system.

use crate::cli::Codes;
use crate::config::{NoConfig, settings, without_run_folder};
use crate::inputs::locate;
use ehr::codes::drug::NdcMatch;
use ehr::codes::{CodeReport, CodeTables, Coded, System};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::config::Flags;
use workbench::table::Table;

/// Where the tables are by default, below the data root.
pub(crate) const MAPS: &str = "ehr/icd_maps";
const DRUGS: &str = "ehr/drug_maps";

pub(crate) fn run(common: &Common, args: &Codes) -> anyhow::Result<()> {
    without_run_folder(common, "codes")?;
    if settings(&NoConfig {}, common, Flags::new())?.is_none() {
        return Ok(());
    }
    let tables = tables(common, args.maps.as_ref(), args.drugs.as_ref())?;
    let mut found = Vec::new();
    let mut refused = Vec::new();
    for text in &args.code {
        let mut any = false;
        for (system, code) in meanings(text) {
            // Of several systems that a text may be of, those are shown that know it.
            match tables.report(system, &code) {
                Ok(report) if is_known(&report) || text.contains('/') => {
                    any = true;
                    found.push(report);
                }
                Ok(_) | Err(_) => {}
            }
        }
        if !any {
            refused.push(text.clone());
        }
    }
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
    } else {
        for (place, report) in found.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            table(report).write(&mut out, false)?;
        }
    }
    anyhow::ensure!(
        refused.is_empty(),
        "no table knows {}; write the system before the code, as DIAGNOSIS//ICD9CM//250.00, if it is ambiguous",
        refused.join(", ")
    );
    Ok(())
}

/// The tables of ICD, and those of drugs where they are there.
pub(crate) fn tables(common: &Common, maps: Option<&PathBuf>, drugs: Option<&PathBuf>) -> anyhow::Result<CodeTables> {
    let maps = locate(maps.map_or_else(|| Path::new(MAPS), PathBuf::as_path), common)?;
    let mut tables = CodeTables::load(&maps)?;
    let folder = match drugs {
        Some(folder) => Some(locate(folder, common)?),
        None => locate(Path::new(DRUGS), common).ok(),
    };
    if let Some(folder) = folder {
        tables.add_drugs(&folder)?;
    }
    Ok(tables)
}

/// The systems that a text may be of, and the code in it.
fn meanings(text: &str) -> Vec<(System, String)> {
    if let Some(coded) = Coded::parse(text) {
        return vec![(coded.system, coded.code)];
    }
    let systems = [System::Icd9Cm, System::Icd10Cm, System::Icd9Procedure, System::Ndc, System::RxNorm, System::Atc];
    systems.map(|system| (system, text.to_owned())).into()
}

/// Whether any table has the code itself.
fn is_known(report: &CodeReport) -> bool {
    let translated =
        report.translation.as_ref().is_some_and(|found| found.backed_off_to.is_none() && !found.scenarios.is_empty());
    report.title.is_some()
        || translated
        || report.ccs.is_some()
        || report.ccsr.is_some()
        || report.rxnorm.as_ref().is_some_and(|found| *found != NdcMatch::Unknown)
        || !report.atc.is_empty()
        // whose main groups are known without a table
        || report.system == System::Atc
}

fn table(report: &CodeReport) -> Table {
    let title = report.title.clone().unwrap_or_default();
    let mut table = Table::new(format!("{} {} {title}", report.system.name(), report.printed)).text("what").text("is");
    let mut add = |what: &str, is: String| table.push([what.to_owned(), is]);
    for (code, title) in &report.ancestors {
        add("above it", format!("{code} {}", title.as_deref().unwrap_or("")).trim_end().to_owned());
    }
    if let Some((number, name)) = &report.ccs {
        add("CCS", format!("{number} {name}"));
    }
    if let Some(category) = &report.ccsr {
        add("CCSR", category.clone());
    }
    if let Some(chronic) = report.chronic {
        add("chronic", if chronic { "yes" } else { "no" }.to_owned());
    }
    if let Some(translation) = &report.translation {
        let flags = if translation.is_approximate() { ", approximate" } else { "" };
        let off = translation.backed_off_to.as_ref().map_or_else(String::new, |code| format!(", by way of {code}"));
        let targets = translation.targets();
        let targets = if targets.is_empty() { "nothing".to_owned() } else { targets.join(", ") };
        add("in the other revision", format!("{targets} ({:?}{flags}{off})", translation.kind));
    }
    match &report.rxnorm {
        None => {}
        Some(NdcMatch::Package(concept)) => add("RxNorm", concept.clone()),
        Some(NdcMatch::Product(concept)) => add("RxNorm", format!("{concept} (of its product)")),
        Some(NdcMatch::Unmapped) => add("RxNorm", "has no concept".to_owned()),
        Some(NdcMatch::Unknown) => add("RxNorm", "not in the table".to_owned()),
        Some(NdcMatch::Ambiguous(codes)) => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            add("RxNorm", format!("ambiguous: {}", codes.join(" or ")));
        }
    }
    if !report.atc.is_empty() {
        add("ATC", report.atc.join(", "));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_is_named_is_the_only_one() {
        assert_eq!(meanings("DIAGNOSIS//ICD9CM//250.00"), [(System::Icd9Cm, "25000".to_owned())]);
        assert_eq!(meanings("250.00").len(), 6);
    }
}
