//! One output row for each row of a system that reads more than a window.

use super::writer;
use crate::cli::{Predict, counted};
use crate::config::SourceConfig;
use crate::evaluate::loaded;
use crate::train::{Asked, Visit, load_task, with_task};
use genomics::model::shown;
use genomics::predict::{OK, Prediction};
use genomics::task::{Reads, Task, TaskCard, together};
use nn_core::burn::tensor::Device;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use workbench::args::Common;
use workbench::exit::{Stopped, Usage};
use workbench::observe::say;

/// Rows that are predicted between two looks at whether someone asked to stop.
const ROWS_AT_ONCE: usize = 4096;

/// Scores the rows of `--data`, or the windows of `--fasta`, with the models of these files.
pub(super) fn predict(
    common: &Common,
    device: &Device,
    args: &Predict,
    models: &[PathBuf],
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let card = TaskCard::load(&models[0])?;
    let system = card.network.system();
    if args.task.is_some() || !args.contig.is_empty() {
        return Err(Usage("--task and --contig are for tracks along a genome; leave them out".into()).into());
    }
    let data: &Path = match (&args.what.data, &args.what.fasta, card.network.reads()) {
        (None, Some(fasta), Reads::Sequences) => fasta,
        (Some(data), None, reads) if reads != Reads::Sequences => data,
        (_, _, Reads::Sequences) => return Err(Usage(format!("{system} reads windows; give --fasta FILE")).into()),
        _ => return Err(Usage(format!("{system} reads rows of its own; give --data PATH, as for train")).into()),
    };
    let (genome, alias, bam) = (args.genome.clone(), args.alias.clone(), args.bam.clone());
    let source = SourceConfig { data: data.to_owned(), genome, alias, bam, ..SourceConfig::default() };
    let data = load_task(Asked {
        source: &source,
        common,
        network: &card.network,
        prepare: &card.fitted.prepare,
        counting: card.fitted.counting.clone(),
        card: Some(&card),
        model: Some(&models[0]),
        device,
        stop,
        window: None,
        seed: 0,
        unlabelled: true,
    })?;
    say(common, &format!("{}; predictions are {}", counted(models.len(), "model"), card.predicts.describe()));
    with_task(&card.network, &data, Some(&card), None, Predicting { common, models, device, out: &args.out, stop })
}

/// Models that predict all rows of a task.
struct Predicting<'a> {
    common: &'a Common,
    models: &'a [PathBuf],
    device: &'a Device,
    out: &'a Path,
    stop: &'a AtomicBool,
}

impl Visit for Predicting<'_> {
    type Output = ();

    fn visit<T: Task>(self, task: &T) -> anyhow::Result<()> {
        let models = loaded(task, self.models, self.device)?;
        let table = task.rows();
        let outputs = table.predicts.outputs();
        let mut writer = writer(self.out, outputs)?;
        let all: Vec<usize> = (0..table.len()).collect();
        for rows in all.chunks(ROWS_AT_ONCE) {
            if self.stop.load(Ordering::Relaxed) {
                let (scored, out) = (rows[0], self.out.display());
                return Err(Stopped(format!("{scored} rows were scored, but {out} was not written whole")).into());
            }
            let values = shown(&table.predicts.labels, &together(task, &models, rows)?);
            for (&row, values) in rows.iter().zip(values.chunks(outputs.len().max(1))) {
                writer.push(Prediction {
                    row: row as u64 + 1,
                    name: table.names[row].clone(),
                    locus: table.loci[row].clone(),
                    status: OK.to_owned(),
                    values: Some(values.to_vec()),
                })?;
            }
        }
        writer.finish()?;
        say(self.common, &format!("rows: {} ok", all.len()));
        Ok(())
    }
}
