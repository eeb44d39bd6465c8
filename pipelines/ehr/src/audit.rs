//! `audit`: looks for leaks in a task before anything is learnt.

use crate::cli::{Audit as Arguments, counted};
use crate::config::{SetConfig, without_run_folder};
use crate::inputs::{self, Loaded};
use ehr::audit::Audit;
use ehr::study::{Asked, Plan, Study};
use std::io::Write as _;
use workbench::args::Common;

pub(crate) fn run(common: &Common, args: &Arguments) -> anyhow::Result<()> {
    without_run_folder(common, "audit")?;
    let Some(settings) = SetConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let loaded = inputs::load(common, &settings.source)?;
    let asked = inputs::asked(common, &settings.source, &loaded)?;
    let (_, audit) = of(&loaded, &asked, &settings)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&audit)?)?;
    } else {
        write!(out, "{}", audit.to_text())?;
    }
    anyhow::ensure!(audit.passed(), "the audit found {}", counted(audit.errors().count(), "leak"));
    Ok(())
}

/// The division of the labels, and what is to be known of it. What no input may have is not taken out here, so that it
/// is found: only what the settings exclude is.
pub(crate) fn of(loaded: &Loaded, asked: &Asked, settings: &SetConfig) -> anyhow::Result<(Plan, Audit)> {
    let study = settings.study()?;
    let plan = Plan::new(&loaded.events, &asked.labels, loaded.split.as_ref(), &study)?;
    let of = Study::new(&loaded.events, &asked.labels, ("", asked.predicts.clone()), plan.clone(), study)?;
    let audit = of.audit(0, asked, &settings.audit)?;
    Ok((plan, audit))
}
