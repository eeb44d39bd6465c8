//! Predictions along a genome: a track or a table, written while it is computed.

use super::{output, writer};
use crate::cli::Predict;
use genomics::genome::Genome;
use genomics::io::bigwig::SignalWriter;
use genomics::locus::Locus;
use genomics::model::Ensemble;
use genomics::predict::{INVALID, OK, Prediction, Tile, Tiles};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::{Stopped, Usage};
use workbench::observe::say;

/// Tiles between two looks at Ctrl-C.
const LOOK: u64 = 1024;

/// Whether a file of that name is a track.
pub(super) fn is_track(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    [".bw", ".bigwig", ".bedgraph", ".bdg"].iter().any(|ending| name.ends_with(ending))
}

/// Writes the tiles to the output that was asked for.
pub(super) fn write(
    common: &Common,
    ensemble: &Ensemble,
    genome: &Genome,
    tiles: Tiles<'_>,
    args: &Predict,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let outputs = ensemble.card().predicts.outputs();
    if is_track(&args.out) {
        let task = output(outputs, args.task.as_deref())?;
        return signal(common, genome, tiles, task, args, stop);
    }
    if args.task.is_some() {
        return Err(Usage("--task chooses what a track shows; a table has all of them".into()).into());
    }
    let mut writer = writer(&args.out, outputs)?;
    let mut row = 0;
    for tile in tiles {
        let Tile { contig, start, end, values } = tile?;
        row += 1;
        let locus = Locus::new(contig, start, end)?;
        let status = if values.is_some() { OK.to_owned() } else { format!("{INVALID}no base of its window is known") };
        writer.push(Prediction { row, name: locus.to_string(), locus: Some(locus), status, values })?;
        if row.is_multiple_of(LOOK) && stop.load(Ordering::Relaxed) {
            return Err(stopped(row, args).into());
        }
    }
    writer.finish()?;
    say(common, &format!("tiles: {row}"));
    Ok(())
}

fn stopped(tiles: u64, args: &Predict) -> Stopped {
    Stopped(format!("{tiles} tiles were scored, but {} was not written", args.out.display()))
}

/// Writes a track; tiles without a known base have no value.
fn signal(
    common: &Common,
    genome: &Genome,
    tiles: Tiles<'_>,
    task: usize,
    args: &Predict,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    // Browsers refuse a track whose contigs are not those of the genome, so all of them are in its header.
    let contigs: Vec<(String, u64)> = genome
        .contigs()
        .map(|(name, length)| {
            let end = genome.range(name).map_or(length as u64, |range| range.end.max(0) as u64);
            (name.to_owned(), end)
        })
        .collect();
    let mut writer = SignalWriter::create(&args.out, contigs.iter().cloned())?;
    let (mut scored, mut left_out) = (0_u64, 0_u64);
    let mut last: Option<(Arc<str>, usize)> = None;
    for tile in tiles {
        let Tile { contig, start, end, values } = tile?;
        let place = match &last {
            Some((name, place)) if Arc::ptr_eq(name, &contig) => *place,
            _ => contigs.iter().position(|(name, _)| *name == *contig).unwrap_or_default(),
        };
        last = Some((contig, place));
        match values.and_then(|values| values.get(task).copied()) {
            Some(value) => writer.add(place, start.max(0) as u64, end.max(0) as u64, value as f32)?,
            None => left_out += 1,
        }
        scored += 1;
        if scored.is_multiple_of(LOOK) && stop.load(Ordering::Relaxed) {
            return Err(stopped(scored, args).into());
        }
    }
    writer.finish()?;
    say(common, &format!("tiles: {scored}, of which {left_out} have no known base and no value"));
    Ok(())
}
