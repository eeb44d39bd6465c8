//! `predict`: segmentations on the grid of their source, as NIfTI and, of DICOM, as DICOM SEG; classes of pictures.

mod pictures;
mod sources;

pub(crate) use self::pictures::unlabelled;
pub(crate) use self::sources::{Target, targets};

use crate::cli::{Predict, counted};
use crate::config::{PredictConfig, without_run_folder};
use crate::segment::plain;
use anyhow::Context;
use imaging::io;
use imaging::io::dicom::OutputOptions;
use imaging::io::dicom::capture::{Capture, write_capture};
use imaging::io::dicom::parametric::{MapMeta, write_parametric};
use imaging::io::dicom::seg::{SegmentMeta, write_seg};
use imaging::model::{CLASSIFIER, SegmentEnsemble, architecture};
use imaging::predict::{SegmentOptions, Segmentation, segment_case};
use imaging::volume::Volume;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::{Stopped, Usage};
use workbench::observe::say;
use workbench::table::Table;

/// Said of a row that went well.
const OK: &str = "ok";

pub(crate) fn run(common: &Common, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    without_run_folder(common, "predict")?;
    let Some(settings) = PredictConfig::new(common)? else { return Ok(()) };
    if architecture(&args.model)? == CLASSIFIER {
        let device = nn_core::compute::device(&settings.device)?;
        return pictures::predict(common, &device, args, settings.crop.as_deref());
    }
    if settings.crop.is_some() {
        return Err(Usage("crop is for classifiers that see the lungs by themselves; leave it out".into()).into());
    }
    predict(common, &settings.device, args, stop)
}

/// Segments what was asked for on `device`.
pub(crate) fn predict(common: &Common, device: &str, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    let device = nn_core::compute::device(device)?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let ensemble = SegmentEnsemble::load(&args.model, &device)?;
    let channels = ensemble.card().preprocessing.channels.len();
    let targets = targets(common, &args.input, channels, &args.series.options())?;
    let models = counted(ensemble.models().len(), "model");
    say(common, &format!("{models}, {}", counted(targets.len(), "case")));
    let wanted = SegmentOptions { largest: args.largest, mirror: args.mirror, probabilities: args.probabilities };
    let mut rows = Vec::new();
    for target in targets {
        if stop.load(Ordering::Relaxed) {
            let done = counted(rows.len(), "case");
            return Err(Stopped(format!("{done} were segmented; their files are in {}", args.out.display())).into());
        }
        rows.push(one(common, args, &ensemble, target, wanted));
    }
    finish(common, args, &ensemble, &rows)
}

/// What became of one case.
struct Row {
    name: String,
    status: String,
    /// Millilitres of each label; empty where there is no segmentation.
    millilitres: Vec<f64>,
}

fn one(common: &Common, args: &Predict, ensemble: &SegmentEnsemble, target: Target, wanted: SegmentOptions) -> Row {
    let name = target.name.clone();
    let result = target.channels.map_err(anyhow::Error::from).and_then(|channels| {
        let borrowed: Vec<&Volume> = channels.iter().collect();
        let found = segment_case(ensemble, &borrowed, &wanted)?;
        write(args, &name, &channels[0], &found)?;
        Ok(found)
    });
    match result {
        Ok(found) => {
            let millilitres: Vec<f64> = found.millilitres().into_iter().map(|(_, volume)| volume).collect();
            Row { name, status: OK.to_owned(), millilitres }
        }
        Err(error) => {
            let status = workbench::exit::describe(&error);
            say(common, &format!("{name}: {status}"));
            Row { name, status, millilitres: Vec::new() }
        }
    }
}

/// Writes what was found: NIfTI always; of DICOM a segmentation, overlays and maps that refer to their images too.
fn write(args: &Predict, name: &str, source: &Volume, found: &Segmentation) -> anyhow::Result<()> {
    let file = |ending: &str| args.out.join(format!("{}{ending}", plain(name)));
    io::write_labels(&file(".nii.gz"), &found.labels)?;
    for (map, label) in found.probabilities.iter().zip(found.labels.names.iter().skip(1)) {
        io::write_volume(&file(&format!("_{}.nii.gz", plain(label))), map)?;
    }
    if source.source.slices.is_empty() {
        return Ok(());
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let output = OutputOptions {
        description: "Galen segmentation".to_owned(),
        algorithm: "galen-imaging".to_owned(),
        version,
        ..OutputOptions::default()
    };
    // Label by label, an empty list stands for what the names say.
    let segments: [SegmentMeta; 0] = [];
    write_seg(&file(".seg.dcm"), &found.labels, &source.source, &segments, &output)?;
    for (map, label) in found.probabilities.iter().zip(found.labels.names.iter().skip(1)) {
        let meta = MapMeta { explanation: format!("probability of {label}"), ..MapMeta::default() };
        let description = format!("Galen probability {label}");
        let output = OutputOptions { description, series_number: 902, ..output.clone() };
        write_parametric(&file(&format!("_{}.map.dcm", plain(label))), map, &source.source, &meta, &output)?;
    }
    let overlays = if args.no_overlay { Vec::new() } else { overlays(source, found) };
    if overlays.is_empty() {
        return Ok(());
    }
    let output = OutputOptions { description: "Galen overlay".to_owned(), series_number: 901, ..output };
    write_capture(&file(".overlay.dcm"), &overlays, &source.source, &output)?;
    Ok(())
}

/// Pictures of the slices that have a label, with the labels over them.
fn overlays(source: &Volume, found: &Segmentation) -> Vec<Capture> {
    const COLOURS: [[u8; 3]; 6] =
        [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [213, 94, 0], [204, 121, 167]];
    let window = source.range().map_or([0.0, 1.0], |(low, high)| [low, high]);
    (0..found.labels.geometry.size[2])
        .filter(|&k| found.labels.slice(k).iter().any(|label| *label > 0))
        .map(|k| Capture::overlay(source, &found.labels, k, window, &COLOURS, 0.3))
        .collect()
}

/// The table of all cases, on disk and on stdout.
fn finish(common: &Common, args: &Predict, ensemble: &SegmentEnsemble, rows: &[Row]) -> anyhow::Result<()> {
    let names: Vec<&String> = ensemble.card().names.iter().skip(1).collect();
    let plain = |text: &str| text.replace([',', '"', '\n', '\r'], " ");
    let mut text = String::from("case,status");
    let mut table = Table::new("Volumes in ml").text("case").text("status");
    for name in &names {
        write!(text, ",ml {}", plain(name))?;
        table = table.number(name.as_str());
    }
    text.push('\n');
    for row in rows {
        write!(text, "{},{}", plain(&row.name), plain(&row.status))?;
        for place in 0..names.len() {
            match row.millilitres.get(place) {
                Some(value) => write!(text, ",{value:.6}")?,
                None => text.push(','),
            }
        }
        text.push('\n');
        let cells = (0..names.len()).map(|place| match row.millilitres.get(place) {
            Some(value) => format!("{value:.3}"),
            None => "–".to_owned(),
        });
        table.push([row.name.clone(), row.status.clone()].into_iter().chain(cells));
    }
    write_file(&args.out.join("volumes.csv"), &text)?;
    table.write(&mut std::io::stdout().lock(), common.json)?;
    let failed = rows.iter().filter(|row| row.status != OK).count();
    anyhow::ensure!(
        failed < rows.len().max(1),
        "none of {} could be segmented; {} says why",
        counted(rows.len(), "case"),
        args.out.join("volumes.csv").display()
    );
    let done: BTreeSet<&str> = rows.iter().filter(|row| row.status == OK).map(|row| row.name.as_str()).collect();
    say(common, &format!("{} written to {}", counted(done.len(), "segmentation"), args.out.display()));
    Ok(())
}

pub(crate) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    Ok(nn_core::atomic::write(path, text.as_bytes())?)
}
