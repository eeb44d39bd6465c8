//! `deidentify`: DICOM files without what identifies a patient, and a report of what was done.

use crate::cli::Deidentify;
use crate::config::{NoConfig, settings, without_run_folder};
use crate::predict::write_file;
use anyhow::Context;
use imaging::deidentify::{DeidentifyConfig, deidentify_folder};
use std::io::Write;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::table::Table;

pub(crate) fn run(common: &Common, args: &Deidentify) -> anyhow::Result<()> {
    without_run_folder(common, "deidentify")?;
    if settings(&NoConfig {}, common, Flags::new())?.is_none() {
        return Ok(());
    }
    if !args.key.is_file() {
        let text = format!(
            "--key {}: there is no such file; write a secret of at least 16 characters into it and keep it",
            args.key.display()
        );
        return Err(Usage(text).into());
    }
    let key = std::fs::read_to_string(&args.key).with_context(|| format!("cannot read {}", args.key.display()))?;
    let config = DeidentifyConfig::new(key.trim());
    config.validate()?;
    let filled = |path: &std::path::Path| path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if filled(&args.out) {
        let text = format!("{} holds files already; give an empty folder as --out", args.out.display());
        return Err(Usage(text).into());
    }
    let report = deidentify_folder(&args.input, &args.out, &config)?;
    // The report names the files that were read, and so it stays beside the key and not with what is given away.
    let path = args.key.with_extension("report.json");
    write_file(&path, &format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    let mut table = Table::new("Files").text("outcome").number("files");
    for (outcome, count) in [
        ("written", report.written()),
        ("refused: could still tell who it is", report.refused()),
        ("failed", report.failed()),
        ("no DICOM, not copied", report.skipped()),
    ] {
        table.push([outcome.to_owned(), count.to_string()]);
    }
    let mut out = std::io::stdout().lock();
    table.write(&mut out, common.json)?;
    out.flush()?;
    let flagged = report.files.iter().filter(|file| !file.flags.is_empty()).count();
    say(common, &format!("{flagged} files have flags that a person should look at; report: {}", path.display()));
    anyhow::ensure!(report.written() > 0, "no file was written; {} says why", path.display());
    Ok(())
}
