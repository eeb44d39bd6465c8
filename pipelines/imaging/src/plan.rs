//! `plan`: spacing, patch, depth, batch and normalisation from the cases, as an editable file.

use crate::cli::PlanArgs;
use crate::config::{SetConfig, without_run_folder};
use crate::inputs;
use imaging::study::{Divided, SegmentStudyConfig, plan};
use std::io::Write;
use workbench::args::Common;
use workbench::observe::say;
use workbench::training::quoted;

pub(crate) fn run(common: &Common, args: &PlanArgs) -> anyhow::Result<()> {
    without_run_folder(common, "plan")?;
    let Some(settings) = SetConfig::new(common, &args.source, None)? else { return Ok(()) };
    let loaded = inputs::cases(common, &settings.source, true)?;
    // Of the training part alone: a plan that has seen the test part has learnt from it.
    let divided = Divided::new(&loaded.rows(), &settings.division, 1, settings.seed, false)?;
    let config = SegmentStudyConfig { planning: settings.planning.clone(), ..SegmentStudyConfig::default() };
    let plan = plan(&loaded.cases, &divided.split(0).train, &config)?;
    if args.out.as_os_str() == "-" {
        std::io::stdout().lock().write_all(plan.to_toml().as_bytes())?;
        return Ok(());
    }
    plan.write(&args.out)?;
    let (file, data) = (quoted(&args.out), quoted(&settings.source.data));
    say(common, &format!("edit {file}, then: galen-imaging train --data {data} --plan {file}"));
    Ok(())
}
