//! `demo`: the whole way on records generated on the spot, in less than a minute on two cores: a MEDS data set is
//! written, a cohort is made of it and audited, a network learns what no count of codes can tell, and new patients are
//! predicted and explained.

use crate::cli::{Demo as Arguments, Format, Predict, Source};
use crate::config::{DemoConfig, RunConfig, SourceConfig, print};
use crate::train::study_of;
use crate::{inputs, predict};
use anyhow::Context;
use ehr::io::meds::{self, Metadata};
use ehr::study::{NetworkConfig, StudyConfig};
use ehr::synthetic::{DEMO_COHORT, Demo};
use ehr::systems::gru::GruConfig;
use nn_core::metrics::auroc;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::config::{Flags, earlier};
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::table::Table;
use workbench::training::quoted;

/// Patients that are predicted at the end, whom training has not seen.
const NEW: usize = 200;
/// A folder with this file is one of generated data and may be replaced.
const MARK: &str = "generated-by-galen-ehr.txt";

/// The settings of a demo, whole or quick.
fn defaults(quick: bool) -> RunConfig {
    let mut demo = DemoConfig { quick, ..DemoConfig::default() };
    let network = GruConfig { embedding: 32, hidden: 64, dropout: 0.1, ..GruConfig::default() };
    let mut study = StudyConfig {
        epochs: 20,
        patience: 6,
        batch_size: 32,
        learning_rate: 5e-3,
        network: NetworkConfig::Gru(network),
        ..StudyConfig::default()
    };
    demo.cohort.subjects = 2000;
    if quick {
        (demo.cohort.subjects, study.epochs) = (300, 1);
    }
    RunConfig { dataset: "generated records".into(), study, demo: Some(demo), ..RunConfig::default() }
}

pub(crate) fn run(common: &Common, args: &Arguments, stop: &AtomicBool) -> anyhow::Result<()> {
    let run_dir = common.run_dir_or("runs/demo-ehr");
    let defaults = earlier(common, &run_dir)?.unwrap_or_else(|| defaults(args.quick));
    let Some(demo) = &defaults.demo else {
        let text = format!("the run in {} is none of demo's; continue it with train", run_dir.display());
        return Err(Usage(text).into());
    };
    let quick = demo.quick || args.quick;
    let flags = Flags::new().set("demo.quick", quick.then_some(true));
    let mut config = RunConfig::resolved(&defaults, common, flags)?;
    let mut settings = config.demo.clone().unwrap_or_default().cohort;
    settings.seed = config.study.seed;
    if let Some(demo) = &mut config.demo {
        demo.cohort.seed = settings.seed;
    }
    settings.validate()?;
    if common.print_config {
        return Ok(print(&config)?);
    }
    let made = Demo::new(&settings)?;
    let (data, task) = generated(common, &run_dir, &made)?;
    let source = SourceConfig { data, format: Some(Format::Meds), task: Some(task.clone()), ..SourceConfig::default() };
    let loaded = inputs::load(common, &source)?;
    let asked = inputs::asked(common, &source, &loaded)?;
    let resume = format!("galen-ehr demo --run-dir {} --resume", quoted(&run_dir));
    study_of(common, &mut config, &loaded, &asked, (&run_dir, &resume), stop)?;
    // Larger cohorts begin with the smaller ones: the patients behind those are new.
    settings.subjects += if quick { NEW / 4 } else { NEW };
    use_model(common, &config, &Demo::new(&settings)?, made.truth.len(), (&run_dir, &task))
}

/// The generated data set and its task, written beside the run folder. A run that goes on finds what it began with.
fn generated(common: &Common, run_dir: &Path, made: &Demo) -> anyhow::Result<(PathBuf, PathBuf)> {
    let name = run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = run_dir.with_file_name(format!("{name}-data"));
    let task = folder.join("task.toml");
    if common.resume && task.is_file() {
        return Ok((folder, task));
    }
    if folder.exists() {
        let text = format!("{} is there already and not of a demo; give another --run-dir", folder.display());
        anyhow::ensure!(folder.join(MARK).is_file(), text);
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    predict::write(&folder.join(MARK), "generated records; this folder may be replaced by the next demo\n")?;
    say(common, &format!("writing {} events as MEDS to {}", made.events.rows(), folder.display()));
    meds::write(&folder, &made.events, None, &Metadata::default())?;
    predict::write(&task, DEMO_COHORT)?;
    Ok((folder, task))
}

/// What a user would do next: predict patients whose answer nobody knows yet, and see on what it rests.
fn use_model(
    common: &Common,
    config: &RunConfig,
    made: &Demo,
    known: usize,
    (run_dir, task): (&Path, &Path),
) -> anyhow::Result<()> {
    let folder = run_dir.join("demo");
    let new: BTreeMap<i64, f64> = made.truth[known..].iter().map(|truth| (truth.subject, truth.risk)).collect();
    let records = folder.join("records");
    if records.exists() {
        std::fs::remove_dir_all(&records).with_context(|| format!("cannot replace {}", records.display()))?;
    }
    std::fs::create_dir_all(&records).with_context(|| format!("cannot create {}", records.display()))?;
    let events = made.events.subset(&|subject| new.contains_key(&subject));
    meds::write(&records, &events, None, &Metadata::default())?;
    let out = folder.join("predictions.csv");
    let asked = Predict {
        model: run_dir.to_path_buf(),
        source: Source {
            data: Some(records),
            format: Some(Format::Meds),
            mapping: None,
            task: Some(task.to_path_buf()),
            labels: None,
            part: None,
            max_memory: None,
        },
        at: None,
        out: out.clone(),
        report: Some(folder.join("patients.html")),
    };
    // The settings of the run are not those of predict, and one table is enough on stdout.
    let plain = Common {
        config: None,
        set: Vec::new(),
        device: Some(config.device.clone()),
        seed: None,
        run_dir: None,
        resume: false,
        json: false,
        ..common.clone()
    };
    predict::run(&plain, &asked)?;
    let text = std::fs::read_to_string(&out).with_context(|| format!("cannot read {}", out.display()))?;
    let found: Vec<(f64, f64)> = text.lines().skip(1).filter_map(|line| row(line, &new)).collect();
    let high: Vec<bool> = found.iter().map(|(risk, _)| *risk > 0.5).collect();
    let scores: Vec<f64> = found.iter().map(|(_, probability)| *probability).collect();
    let area = auroc(&high, &scores).ok();
    let mut table = Table::new("Patients whom training has not seen, by what was planted in them")
        .text("planted")
        .number("patients")
        .number("true risk")
        .number("mean prediction");
    for (name, wanted) in [("TIDE, then EMBER within 25 days", true), ("another order, or later", false)] {
        let of: Vec<&(f64, f64)> = found.iter().filter(|(risk, _)| (*risk > 0.5) == wanted).collect();
        let n = of.len().max(1) as f64;
        table.push([
            name.to_owned(),
            of.len().to_string(),
            format!("{:.2}", of.iter().map(|pair| pair.0).sum::<f64>() / n),
            format!("{:.2}", of.iter().map(|pair| pair.1).sum::<f64>() / n),
        ]);
    }
    let told = json!({ "patients": found.len(), "auroc_of_planted": area });
    predict::write(&folder.join("planted.json"), &format!("{told}\n"))?;
    if !common.json {
        let mut out = std::io::stdout().lock();
        writeln!(out)?;
        table.write(&mut out, false)?;
        writeln!(out, "\npatients: {}", folder.join("patients.html").display())?;
        writeln!(out, "report: {}", run_dir.join("report.html").display())?;
    }
    Ok(())
}

/// True risk and prediction of a row of predictions; none where no prediction was made.
fn row(line: &str, risks: &BTreeMap<i64, f64>) -> Option<(f64, f64)> {
    let (subject, rest) = line.split_once(',')?;
    let (_, behind) = rest.rsplit_once('"')?;
    let probability = behind.split(',').nth(1)?.parse().ok()?;
    Some((*risks.get(&subject.parse().ok()?)?, probability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probability_stands_behind_the_status() {
        let risks = BTreeMap::from([(7, 0.95)]);
        let line = "7,2130-04-01 00:00:00,\"1 of 3, or more\",0.250000,0.100000,0.500000,7";
        assert_eq!(row(line, &risks), Some((0.95, 0.25)));
        assert_eq!(row("7,,\"invalid: no time\",,,,0", &risks), None);
    }
}
