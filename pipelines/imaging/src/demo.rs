//! `demo`: the whole way on phantoms generated on the spot, in about a minute on two cores: DICOM series are written,
//! read, learnt from; new ones are segmented into DICOM SEG, and the measured volumes stand beside those of the ellipsoids.

use crate::cli::{Demo, Format, Predict, Reading, counted};
use crate::config::{DemoConfig, RunConfig, SourceConfig, print};
use crate::segment::{Config, plain, study_of};
use crate::{inputs, predict};
use anyhow::Context;
use imaging::augment::AugmentConfig;
use imaging::intensity::Normalise;
use imaging::io;
use imaging::io::dicom::seg::read_seg;
use imaging::io::dicom::series::{SeriesTags, write_series};
use imaging::study::{LearningConfig, SegmentStudyConfig};
use imaging::synthetic::{NAMES, Phantom, PhantomConfig, phantom, phantoms};
use imaging::systems::SegmentConfig;
use imaging::systems::unet::UnetConfig;
use nn_core::config::in_range;
use nn_core::layers::{NormConfig, NormKind};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::config::{Flags, earlier};
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::table::Table;
use workbench::training::quoted;

/// Series that are segmented at the end, which training has not seen: so many that a voxel more or less at the edge of each
/// nodule evens out.
const NEW: usize = 8;
/// Centre and width of the window of grey values, which mean the same in every phantom.
const WINDOW: [f64; 2] = [150.0, 300.0];
/// A folder with this file is one of generated data and may be replaced.
const MARK: &str = "generated-by-galen-imaging.txt";

/// The settings of a demo, whole or quick.
fn defaults(quick: bool) -> Config {
    let mut demo = DemoConfig { quick, ..DemoConfig::default() };
    let norm = NormConfig { kind: NormKind::Batch, ..UnetConfig::default().norm };
    let network = UnetConfig { dims: 3, base: 8, levels: 3, norm, ..UnetConfig::default() };
    let mut study = SegmentStudyConfig {
        epochs: 50,
        patch: Some(PhantomConfig::default().size),
        sized_by_plan: false,
        learning: LearningConfig { batch_size: 1, rate: 6e-3, ..LearningConfig::default() },
        normalise: vec![Normalise::Window { centre: WINDOW[0], width: WINDOW[1] }],
        augment: AugmentConfig { flip: vec![0, 1, 2], ..AugmentConfig::none() },
        network: SegmentConfig::Unet(network),
        ..SegmentStudyConfig::default()
    };
    if quick {
        (demo.cases, study.epochs) = (8, 1);
    }
    RunConfig { dataset: "phantoms".into(), study, demo: Some(demo), ..RunConfig::default() }
}

pub(crate) fn run(common: &Common, args: &Demo, stop: &AtomicBool) -> anyhow::Result<()> {
    let run_dir = common.run_dir_or("runs/demo-imaging");
    let defaults = earlier(common, &run_dir)?.unwrap_or_else(|| defaults(args.quick));
    let Some(demo) = &defaults.demo else {
        let text = format!("the run in {} is none of demo's; continue it with train", run_dir.display());
        return Err(Usage(text).into());
    };
    let quick = demo.quick || args.quick;
    let flags = Flags::new().set("demo.quick", quick.then_some(true));
    let mut config = Config::resolved(&defaults, common, flags)?;
    let cases = config.demo.as_ref().map_or(0, |demo| demo.cases);
    in_range("demo.cases", cases, 4..=1000)?;
    if common.print_config {
        return Ok(print(&config)?);
    }
    let settings = PhantomConfig { seed: config.study.seed, ..PhantomConfig::default() };
    let data = generated(common, &run_dir, &settings, cases)?;
    let source = SourceConfig {
        data,
        format: Some(Format::Table),
        names: NAMES.iter().skip(1).map(|name| (*name).to_owned()).collect(),
        ..SourceConfig::default()
    };
    let loaded = inputs::cases(common, &source, true)?;
    let resume = format!("galen-imaging demo --run-dir {} --resume", quoted(&run_dir));
    study_of(common, &mut config, &loaded, &run_dir, &resume, stop)?;
    let new = if quick { 1 } else { NEW };
    let unseen =
        (0..new as u64).map(|place| phantom(&settings, cases as u64 + place)).collect::<Result<Vec<Phantom>, _>>()?;
    use_model(common, &config, &unseen, &run_dir, stop)
}

/// The table of the generated cases, which is written beside the run folder: series as DICOM, labels as NIfTI. A run that
/// goes on finds what it began with.
fn generated(common: &Common, run_dir: &Path, settings: &PhantomConfig, cases: usize) -> anyhow::Result<PathBuf> {
    let name = run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = run_dir.with_file_name(format!("{name}-data"));
    let table = folder.join("cases.csv");
    if common.resume && table.is_file() {
        return Ok(table);
    }
    if folder.exists() {
        let text = format!("{} is there already and not of a demo; give another --run-dir", folder.display());
        anyhow::ensure!(folder.join(MARK).is_file(), text);
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    let labels = folder.join("labels");
    std::fs::create_dir_all(&labels).with_context(|| format!("cannot create {}", labels.display()))?;
    predict::write_file(&folder.join(MARK), "phantoms; this folder may be replaced by the next demo\n")?;
    say(common, &format!("writing {} as DICOM to {}", counted(cases, "phantom"), folder.display()));
    let mut text = String::from("id,subject,image,label\n");
    for made in phantoms(settings, cases)? {
        let name = plain(&made.case.id);
        series(&folder.join("series").join(&name), &made, settings.seed)?;
        if let Some(map) = &made.case.label {
            io::write_labels(&labels.join(format!("{name}.nii.gz")), map)?;
        }
        writeln!(text, "{0},{0},series/{name},labels/{name}.nii.gz", made.case.id)?;
    }
    predict::write_file(&table, &text)?;
    Ok(table)
}

fn series(folder: &Path, made: &Phantom, seed: u64) -> anyhow::Result<()> {
    let tags = SeriesTags::new(&plain(&made.case.id), &made.case.id, &seed.to_string());
    write_series(folder, &made.case.channels[0], &tags)?;
    Ok(())
}

/// What a user would do next: segment series that nobody has labelled, and measure.
fn use_model(
    common: &Common,
    config: &Config,
    unseen: &[Phantom],
    run_dir: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let folder = run_dir.join("demo");
    for made in unseen {
        series(&folder.join("series").join(plain(&made.case.id)), made, config.study.seed)?;
    }
    let asked = Predict {
        model: run_dir.to_path_buf(),
        input: vec![folder.join("series")],
        out: folder.join("found"),
        largest: false,
        mirror: true,
        probabilities: false,
        no_overlay: false,
        series: Reading::default(),
    };
    // One table on stdout: with --json that of the study.
    let quiet = Common { quiet: true, json: true, ..common.clone() };
    predict::predict(if common.json { &quiet } else { common }, &config.device, &asked, stop)?;
    let mut table = Table::new("Volumes of series that training has not seen, ml")
        .text("series")
        .text("label")
        .number("true")
        .number("measured")
        .number("difference %");
    let (mut truth, mut measured) = ([0.0; NAMES.len()], [0.0; NAMES.len()]);
    for made in unseen {
        // Measured on the DICOM segmentation, as another program would read it.
        let file = folder.join("found").join(format!("{}.seg.dcm", plain(&made.case.id)));
        let (map, _) = read_seg(&file)?.label_map()?;
        for label in 1..NAMES.len() {
            let found = map.names.iter().position(|name| name == NAMES[label]);
            let found = found.map_or(0.0, |place| map.volume_mm3(place as u8));
            truth[label] += made.volumes_mm3[label];
            measured[label] += found;
            push(&mut table, &made.case.id, NAMES[label], made.volumes_mm3[label], found);
        }
    }
    let mut totals = serde_json::Map::new();
    for label in 1..NAMES.len() {
        push(&mut table, "all", NAMES[label], truth[label], measured[label]);
        let difference = measured[label] / truth[label] - 1.0;
        let entry = json!({ "true_mm3": truth[label], "measured_mm3": measured[label], "difference": difference });
        totals.insert(NAMES[label].to_owned(), entry);
    }
    let totals = serde_json::Value::Object(totals);
    predict::write_file(&folder.join("volumes.json"), &format!("{totals}\n"))?;
    if !common.json {
        let mut out = std::io::stdout().lock();
        writeln!(out)?;
        table.write(&mut out, false)?;
        writeln!(out, "\nDICOM segmentations: {}", folder.join("found").display())?;
        writeln!(out, "report: {}", run_dir.join("report.html").display())?;
    }
    Ok(())
}

fn push(table: &mut Table, series: &str, label: &str, truth: f64, measured: f64) {
    table.push([
        series.to_owned(),
        label.to_owned(),
        format!("{:.3}", truth / 1000.0),
        format!("{:.3}", measured / 1000.0),
        format!("{:+.1}", 100.0 * (measured / truth - 1.0)),
    ]);
}
