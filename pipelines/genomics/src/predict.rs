//! `predict`: one output row for each input row, in the order of the input; or a track along a genome.

mod tasks;
mod track;

use crate::cli::{Predict, counted};
use crate::config::{DeviceConfig, without_run_folder};
use crate::inputs;
use genomics::genome::Genome;
use genomics::io::bed::BedReader;
use genomics::io::fasta::FastaReader;
use genomics::io::parquet::PredictionWriter;
use genomics::io::{IoError, RowError};
use genomics::model::{Ensemble, files};
use genomics::predict::{INVALID, OK, Query, Row, Tiles, score};
use genomics::sequence::normalise;
use genomics::task::TaskCard;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::{Stopped, Usage};
use workbench::observe::say;

/// Rows read and scored at once; bounds the memory whatever the length of the list.
const ROWS_AT_ONCE: usize = 4096;
/// Bases read at once at most, so that a list of long sequences does not fill the memory.
const BASES_AT_ONCE: usize = 1 << 26;

pub(crate) fn run(common: &Common, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    without_run_folder(common, "predict")?;
    match DeviceConfig::new(common)? {
        Some(settings) => predict(common, &settings.device, args, stop),
        None => Ok(()),
    }
}

/// How many rows of the output are of each kind.
#[derive(Default)]
struct Kinds {
    ok: u64,
    invalid: u64,
    remarks: u64,
}

impl Kinds {
    fn count(&mut self, status: &str) {
        match status {
            OK => self.ok += 1,
            status if status.starts_with(INVALID) => self.invalid += 1,
            _ => self.remarks += 1,
        }
    }
}

/// Scores what was asked for on `device`.
pub(crate) fn predict(common: &Common, device: &str, args: &Predict, stop: &AtomicBool) -> anyhow::Result<()> {
    let what = &args.what;
    if what.fasta.is_some() && (args.genome.is_some() || args.alias.is_some() || !args.contig.is_empty()) {
        let text = "--genome, --alias and --contig are for --bed and --tile; leave them out";
        return Err(Usage(text.into()).into());
    }
    if what.bed.is_some() && !args.contig.is_empty() {
        return Err(Usage("--contig is for --tile; leave it out".into()).into());
    }
    let device = nn_core::compute::device(device)?;
    let models = files(&args.model)?;
    if TaskCard::is_in(&models[0])? {
        return tasks::predict(common, &device, args, &models, stop);
    }
    if what.data.is_some() || !args.bam.is_empty() {
        let text = "the model reads windows; give --fasta, --bed or --tile instead of --data and --bam";
        return Err(Usage(text.into()).into());
    }
    let ensemble = Ensemble::load(&args.model, &device)?;
    let genome = match (&what.fasta, &args.genome) {
        (Some(_), _) => None,
        (None, Some(path)) => Some(inputs::genome(path, args.alias.as_deref())?),
        (None, None) => return Err(Usage("--bed and --tile need --genome FASTA".into()).into()),
    };
    let card = ensemble.card();
    let text = format!(
        "{}, windows of {} bases; predictions are {}",
        counted(ensemble.models().len(), "model"),
        ensemble.window(),
        card.predicts.describe()
    );
    say(common, &text);
    if let (Some(step), Some(genome)) = (what.tile, &genome) {
        let tiles = Tiles::new(&ensemble, genome, &args.contig, step)?;
        return track::write(common, &ensemble, genome, tiles, args, stop);
    }
    if track::is_track(&args.out) {
        return Err(Usage("tracks (.bw, .bedgraph) are of --tile; write .tsv, .csv or .parquet".into()).into());
    }
    if args.task.is_some() {
        return Err(Usage("--task chooses what a track shows; a table has all of them".into()).into());
    }
    rows(common, &ensemble, genome.as_ref(), args, stop)
}

/// Where rows go.
pub(crate) fn writer(out: &Path, outputs: &[String]) -> anyhow::Result<PredictionWriter> {
    Ok(if out.as_os_str() == "-" {
        PredictionWriter::csv(Box::new(std::io::stdout()), "standard output", outputs)?
    } else {
        PredictionWriter::create(out, outputs)?
    })
}

fn rows(
    common: &Common,
    ensemble: &Ensemble,
    genome: Option<&Genome>,
    args: &Predict,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let mut source = Source::open(args)?;
    let to_stdout = args.out.as_os_str() == "-";
    let mut writer = writer(&args.out, ensemble.card().predicts.outputs())?;
    let mut kinds = Kinds::default();
    let (mut first, mut batch, mut bases) = (1, Vec::new(), 0);
    loop {
        let next = source.next(first + batch.len() as u64)?;
        let ended = next.is_none();
        if let Some(Row { query: Query::Sequence(sequence), .. }) = &next {
            bases += sequence.len();
        }
        batch.extend(next);
        if batch.len() == ROWS_AT_ONCE || bases >= BASES_AT_ONCE || (ended && !batch.is_empty()) {
            for row in score(ensemble, genome, &batch, first)? {
                kinds.count(&row.status);
                writer.push(row)?;
            }
            first += batch.len() as u64;
            batch.clear();
            bases = 0;
        }
        if ended {
            break;
        }
        if stop.load(Ordering::Relaxed) {
            let scored = first - 1;
            if to_stdout {
                writer.finish()?;
                return Err(Stopped(format!("the first {scored} rows were written")).into());
            }
            let out = args.out.display();
            return Err(Stopped(format!("{scored} rows were scored, but {out} was not written")).into());
        }
    }
    anyhow::ensure!(first > 1, "{} holds no row; give a file with at least one", source.path().display());
    writer.finish()?;
    let Kinds { ok, invalid, remarks } = kinds;
    say(common, &format!("rows: {ok} ok, {remarks} scored with remarks, {invalid} invalid"));
    Ok(())
}

/// Where rows come from.
enum Source<'a> {
    Sequences(FastaReader<genomics::io::Input>, &'a Path),
    Intervals(BedReader<genomics::io::Input>, &'a Path),
}

impl<'a> Source<'a> {
    fn open(args: &'a Predict) -> anyhow::Result<Self> {
        match (&args.what.fasta, &args.what.bed) {
            (Some(path), _) => Ok(Self::Sequences(FastaReader::open(path)?, path)),
            (None, Some(path)) => Ok(Self::Intervals(BedReader::open(path)?, path)),
            (None, None) => Err(anyhow::anyhow!("nothing to predict")),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Sequences(_, path) | Self::Intervals(_, path) => path,
        }
    }

    /// The next row, which has this number; a row that cannot be read is one that says so.
    fn next(&mut self, number: u64) -> anyhow::Result<Option<Row>> {
        let unreadable = |row: RowError| Row { name: number.to_string(), query: Query::Unreadable(row.problem) };
        match self {
            Self::Sequences(reader, _) => match reader.next() {
                None => Ok(None),
                Some(Err(IoError::Row { row, .. })) => Ok(Some(unreadable(row))),
                Some(Err(error)) => Err(error.into()),
                Some(Ok(record)) => {
                    let query = match normalise(&record.sequence) {
                        Ok(bases) => Query::Sequence(bases),
                        Err(error) => Query::Unreadable(error.to_string()),
                    };
                    Ok(Some(Row { name: record.header.name().to_owned(), query }))
                }
            },
            Self::Intervals(reader, _) => match reader.next() {
                None => Ok(None),
                Some(Err(IoError::Row { row, .. })) => Ok(Some(unreadable(row))),
                Some(Err(error)) => Err(error.into()),
                Some(Ok(record)) => {
                    let name = record.name.clone().unwrap_or_else(|| record.locus.to_string());
                    let summit = record.summit();
                    Ok(Some(Row { name, query: Query::Interval { interval: record.locus, summit } }))
                }
            },
        }
    }
}

/// The place of a task or class among the outputs; the only one where none is named.
pub(crate) fn output(outputs: &[String], named: Option<&str>) -> anyhow::Result<usize> {
    let known = || outputs.join(", ");
    match named {
        Some(name) => {
            let place = outputs.iter().position(|output| output == name);
            place.ok_or_else(|| Usage(format!("--task {name}: the model predicts {}", known())).into())
        }
        None if outputs.len() == 1 => Ok(0),
        None => Err(Usage(format!("the model predicts {}; choose one with --task", known())).into()),
    }
}
