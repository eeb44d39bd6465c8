//! `audit`: what a user must know of the data and its split before believing any number.

use crate::cli::Audit as Arguments;
use crate::inputs;
use drug::study::{Study, StudyConfig};
use std::io::Write;
use workbench::args::Common;

pub(crate) fn run(common: &Common, args: &Arguments) -> anyhow::Result<()> {
    let loaded = inputs::load(&args.source, common)?;
    let config = StudyConfig {
        split: inputs::split_kind(args.split.as_deref(), &loaded)?,
        seed: common.seed.unwrap_or(1),
        ..StudyConfig::default()
    };
    let plan = inputs::plan(&loaded, &config)?;
    let audit = inputs::audit(&Study::new(&loaded.table, plan, config)?);
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::to_string(&audit)?)?;
    } else {
        writeln!(out, "{}", audit.to_text())?;
    }
    Ok(())
}
