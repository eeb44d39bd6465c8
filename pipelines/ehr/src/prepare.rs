//! `prepare`: any source to a MEDS data set within a cap on memory; with a task also its labels, its split and its
//! audit.

use crate::cli::{Format, Prepare, counted};
use crate::config::{SetConfig, without_run_folder};
use crate::inputs;
use crate::predict::write;
use anyhow::Context;
use ehr::codebook::Codebook;
use ehr::codes::hierarchy::describe;
use ehr::io::{etl, meds};
use std::io::Write as _;
use workbench::args::Common;
use workbench::observe::say;
use workbench::training::quoted;

pub(crate) fn run(common: &Common, args: &Prepare) -> anyhow::Result<()> {
    without_run_folder(common, "prepare")?;
    let Some(settings) = SetConfig::new(common, &args.source, args.split.as_deref())? else { return Ok(()) };
    let source = &settings.source;
    let config = inputs::etl_config(source)?;
    let path = inputs::locate(&source.data, common)?;
    let format = inputs::layout(source, &path)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let told = if let Some(mut tables) = inputs::open(common, source, &path, format)? {
        say(common, &format!("converting {} within {}", path.display(), config.max_memory));
        etl::convert(tables.as_mut(), &args.out, &config)?.to_string()
    } else {
        // What is MEDS already is put right where it is off.
        let set = meds::read(&path)?;
        meds::write(&args.out, &set.events, set.split.as_ref(), &set.metadata)?;
        let notices: Vec<String> = set.notices.iter().map(|notice| format!("\n{notice}")).collect();
        format!("{}{}", set.counts, notices.concat())
    };
    write(&args.out.join("conversion.txt"), &format!("{told}\n"))?;
    place_codes(common, args)?;
    let mut out = std::io::stdout().lock();
    if !common.json {
        writeln!(out, "{told}")?;
    }
    let asks = source.task.is_some() || source.labels.is_some() || matches!(format, Format::P12 | Format::Diabetes130);
    let mut train = format!("galen-ehr train --data {}", quoted(&args.out));
    let mut passed = true;
    if asks {
        // Sets with labels of their own are read once more as they are: MEDS has no place for what comes with them.
        let loaded = if matches!(format, Format::P12 | Format::Diabetes130) {
            inputs::load(common, source)?
        } else {
            let made =
                crate::config::SourceConfig { data: args.out.clone(), format: Some(Format::Meds), ..source.clone() };
            inputs::load(common, &made)?
        };
        let asked = inputs::asked(common, source, &loaded)?;
        let file = args.out.join("labels").join("labels.parquet");
        std::fs::create_dir_all(args.out.join("labels"))
            .with_context(|| format!("cannot create {}", file.display()))?;
        meds::write_labels(&file, &asked.labels)?;
        let (plan, audit) = crate::audit::of(&loaded, &asked, &settings)?;
        meds::write_splits(&args.out, plan.subjects(0))?;
        write(&args.out.join("audit.json"), &format!("{}\n", serde_json::to_string_pretty(&audit)?))?;
        if common.json {
            writeln!(out, "{}", serde_json::to_string(&audit)?)?;
        } else {
            write!(out, "\n{}", audit.to_text())?;
        }
        passed = audit.passed();
        let given = match &source.task {
            Some(task) => format!(" --task {}", quoted(task)),
            None => format!(" --labels {}", quoted(&file)),
        };
        train.push_str(&given);
        train.push_str(" --split upstream");
    } else {
        train.push_str(" --task TASK.toml");
    }
    if !common.json {
        writeln!(out, "\nprepared: {}\ntrain on it with: {train}", args.out.display())?;
    }
    anyhow::ensure!(passed, "the audit found leaks; mend the task before any score is believed");
    Ok(())
}

/// Adds to the set's codes what the tables say of them.
fn place_codes(common: &Common, args: &Prepare) -> anyhow::Result<()> {
    let Some(maps) = &args.maps else { return Ok(()) };
    let tables = crate::codes::tables(common, Some(maps), args.drugs.as_ref())?;
    let mut book = Codebook::new();
    let notices = meds::read_codes(&args.out.join("metadata").join("codes.parquet"), &mut book)?;
    notices.iter().for_each(|notice| say(common, &notice.to_string()));
    let known = describe(&mut book, &tables);
    meds::write_codes(&args.out, &book)?;
    say(common, &format!("{known} of {} are of a coding system", counted(book.len(), "code")));
    Ok(())
}
