//! `audit`: what a user must know of the data and its split before believing any number.

use crate::cli::Audit as Arguments;
use crate::config::{SetConfig, without_run_folder};
use crate::inputs::{self, LoadedCases, LoadedPictures};
use crate::segment::judged;
use imaging::audit::{Audit, AuditConfig, Facts};
use imaging::baselines;
use imaging::case::Case;
use imaging::split::Rows;
use imaging::study::Divided;
use nn_core::data::Part;
use rayon::prelude::*;
use std::io::Write;
use workbench::args::Common;

pub(crate) fn run(common: &Common, args: &Arguments) -> anyhow::Result<()> {
    without_run_folder(common, "audit")?;
    let Some(settings) = SetConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let (_, audit) = if inputs::is_pictures(&settings.source) {
        of_pictures(&inputs::pictures(common, &settings.source, None)?, &settings)?
    } else {
        of_cases(&inputs::cases(common, &settings.source, false)?, &settings)?
    };
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&audit)?)?;
    } else {
        writeln!(out, "{}", audit.to_text())?;
    }
    Ok(())
}

/// The division of a set of cases, and what is to be known of it.
pub(crate) fn of_cases(loaded: &LoadedCases, settings: &SetConfig) -> anyhow::Result<(Divided, Audit)> {
    let divided = Divided::new(&loaded.rows(), &settings.division, 1, settings.seed, false)?;
    let facts: Vec<Facts> = loaded.cases.par_iter().map(Facts::of_case).collect();
    let split = divided.split(0);
    let mut audit = Audit::new(&facts, &[], split, &AuditConfig::default())?;
    let of = |rows: &[usize]| rows.iter().map(|&row| &loaded.cases[row]).collect::<Vec<&Case>>();
    // As in a study: nothing is chosen on the validation part for a baseline, so it learns from that too.
    let learnt = [of(&split.train), of(&split.validation)].concat();
    let drawn = |case: &&Case| case.label.as_ref().is_some_and(|map| map.labels.iter().any(|label| *label > 0));
    if learnt.iter().any(drawn) {
        let baselines = baselines::shortcuts(&learnt)?;
        for (name, scores) in judged(&baselines, &of(&split.test), 0)? {
            // Without a labelled case in the test part there are none.
            if !scores.is_empty() {
                audit = audit.with_scores(name, true, Part::Test, scores);
            }
        }
    }
    Ok((divided, audit))
}

/// The division of a set of pictures, and what is to be known of it; copies stay where they are, to be found.
pub(crate) fn of_pictures(loaded: &LoadedPictures, settings: &SetConfig) -> anyhow::Result<(Divided, Audit)> {
    let rows = Rows::of_pictures(&loaded.set);
    let divided = Divided::new(&rows, &settings.division, 1, settings.seed, false)?;
    let audit = Audit::pictures(&loaded.set, divided.split(0), &AuditConfig::default())?;
    Ok((divided, audit))
}
