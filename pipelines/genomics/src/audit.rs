//! `audit`: what a user must know of the data and its split before believing any number.

use crate::cli::Audit as Arguments;
use crate::config::{SplitConfig, without_run_folder};
use crate::inputs;
use crate::train::kmers;
use genomics::audit::Audit;
use std::io::Write;
use workbench::args::Common;

pub(crate) fn run(common: &Common, args: &Arguments) -> anyhow::Result<()> {
    without_run_folder(common, "audit")?;
    let Some(settings) = SplitConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let loaded = inputs::load(&settings.source, common, settings.window, settings.seed)?;
    let config = inputs::study_config(&settings, &loaded)?;
    let plan = inputs::plan(&loaded, &config)?;
    let audit = Audit::new(&loaded.set, plan.split(0), &kmers(config.strands))?;
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&audit)?)?;
    } else {
        writeln!(out, "{}", audit.to_text())?;
    }
    Ok(())
}
