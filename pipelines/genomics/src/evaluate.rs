//! `evaluate`: trained models against labelled rows.

use crate::cli::{Evaluate, counted};
use crate::config::{EvaluateConfig, without_run_folder};
use crate::inputs;
use crate::train::{Asked, Visit, load_task, with_task};
use genomics::dataset::Labels;
use genomics::evaluate::{Judged, Scores, names};
use genomics::model::{Ensemble, Predicts, files};
use genomics::task::{Task, TaskCard, TaskModel, together};
use nn_core::burn::tensor::Device;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::observe::say;
use workbench::table::Table;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = EvaluateConfig::new(common, &args.source)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let models = files(&args.model)?;
    if TaskCard::is_in(&models[0])? {
        return task(common, &settings, &models, &device);
    }
    let ensemble = Ensemble::load(&args.model, &device)?;
    let window = settings.window.unwrap_or_else(|| ensemble.window());
    let loaded = inputs::load(&settings.source, common, Some(window), settings.seed)?;
    let (set, predicts) = (&loaded.set, &ensemble.card().predicts);
    anyhow::ensure!(
        predicts.labels == set.labels && predicts.tasks.len() == set.tasks.len(),
        "the model predicts {}, the data have {}; they must be the same tasks",
        predicts.describe(),
        Predicts { tasks: set.tasks.clone(), labels: set.labels.clone() }.describe()
    );
    let (shorter, longer) = set.sequences.iter().fold((0, 0), |(shorter, longer), sequence| {
        let (length, window) = (sequence.len(), ensemble.window());
        (shorter + usize::from(length < window), longer + usize::from(length > window))
    });
    if shorter + longer > 0 {
        let window = ensemble.window();
        say(common, &format!("sequences padded to {window} bases: {shorter}, cropped to {window}: {longer}"));
    }
    let sequences: Vec<&[u8]> = set.sequences.iter().map(Vec::as_slice).collect();
    let rows: Vec<usize> = (0..set.len()).collect();
    let scores = Judged::of(set, &rows, ensemble.logits(&sequences)?)?.scores()?;
    show(common, [set.len(), ensemble.models().len()], &set.labels, &scores)
}

/// Prints the scores of so many rows and models.
fn show(common: &Common, [rows, models]: [usize; 2], labels: &Labels, scores: &Scores) -> anyhow::Result<()> {
    let title = format!("{}, mean of {}", counted(rows, "row"), counted(models, "model"));
    let mut shown = Table::new(title).text("score").number("value");
    for &name in names(labels) {
        if let Some(value) = scores.get(name) {
            shown.push([name.to_owned(), format!("{value:.4}")]);
        }
    }
    for (name, value) in scores.iter().filter(|(name, _)| name.contains('.')) {
        shown.push([name.clone(), format!("{value:.4}")]);
    }
    Ok(shown.write(&mut std::io::stdout().lock(), common.json)?)
}

/// The same for models of a system that reads more than a window.
fn task(common: &Common, settings: &EvaluateConfig, models: &[PathBuf], device: &Device) -> anyhow::Result<()> {
    let card = TaskCard::load(&models[0])?;
    let asked = Asked {
        source: &settings.source,
        common,
        network: &card.network,
        prepare: &card.fitted.prepare,
        counting: card.fitted.counting.clone(),
        card: Some(&card),
        model: Some(&models[0]),
        device,
        stop: &AtomicBool::new(false),
        window: settings.window,
        seed: settings.seed,
        unlabelled: false,
    };
    let data = load_task(asked)?;
    with_task(&card.network, &data, Some(&card), None, Judging { common, models, device })
}

/// Models that are judged on all rows of a task.
struct Judging<'a> {
    common: &'a Common,
    models: &'a [PathBuf],
    device: &'a Device,
}

impl Visit for Judging<'_> {
    type Output = ();

    fn visit<T: Task>(self, task: &T) -> anyhow::Result<()> {
        let models = loaded(task, self.models, self.device)?;
        let table = task.rows();
        let rows: Vec<usize> = (0..table.len()).collect();
        let scores = table.judge(&rows, together(task, &models, &rows)?)?.scores()?;
        show(self.common, [rows.len(), models.len()], &table.predicts.labels, &scores)
    }
}

/// The models of a task from their files.
pub(crate) fn loaded<T: Task>(task: &T, files: &[PathBuf], device: &Device) -> anyhow::Result<Vec<TaskModel<T::Net>>> {
    files.iter().map(|file| Ok(TaskModel::load(task, file, device)?)).collect()
}
