//! `phenotype`: who has a disease, by a rule of laboratory values, codes and words, counted by arm.

use crate::cli::{Phenotype as Arguments, Source, counted};
use crate::config::{RecordsConfig, without_run_folder};
use crate::inputs;
use crate::predict::write;
use ehr::phenotype::{Found, Phenotype};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use workbench::args::Common;
use workbench::observe::say;

pub(crate) fn run(common: &Common, args: &Arguments) -> anyhow::Result<()> {
    without_run_folder(common, "phenotype")?;
    let source =
        Source { data: args.source.data.clone().or_else(|| args.dataset.as_deref().map(known)), ..args.source.clone() };
    let Some(settings) = RecordsConfig::new(common, &source)? else { return Ok(()) };
    let path = Path::new(&args.rule);
    let rule = if path.is_file() { Phenotype::load(path)? } else { Phenotype::shipped(&args.rule)? };
    let loaded = inputs::load(common, &settings.source)?;
    let found = rule.find(&loaded.events)?;
    if let Some(path) = &args.out {
        write(path, &csv(&found)?)?;
        say(common, &format!("{} written to {}", counted(found.subjects().len(), "subject"), path.display()));
    }
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(found.report())?)?;
    } else {
        writeln!(out, "{}", found.report())?;
    }
    Ok(())
}

/// A set that is known by its name alone lies in the folder of this domain.
fn known(name: &Path) -> PathBuf {
    if name.exists() || name.components().count() > 1 { name.to_owned() } else { Path::new("ehr").join(name) }
}

fn csv(found: &Found) -> Result<String, std::fmt::Error> {
    let mut text = String::from("subject,onset\n");
    for subject in found.subjects() {
        let onset = found.onset(subject).map_or_else(String::new, |onset| onset.to_string());
        writeln!(text, "{subject},{onset}")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_one_of_this_domain() {
        assert_eq!(known(Path::new("mimic3_demo")), Path::new("ehr/mimic3_demo"));
        assert_eq!(known(Path::new("ehr/mimic3_demo")), Path::new("ehr/mimic3_demo"));
    }
}
