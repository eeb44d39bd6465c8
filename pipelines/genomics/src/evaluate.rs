//! `evaluate`: trained models against labelled sequences.

use crate::cli::{Evaluate, counted};
use crate::config::{SplitConfig, without_run_folder};
use crate::inputs;
use genomics::evaluate::{Judged, names};
use genomics::model::{Ensemble, Predicts};
use workbench::args::Common;
use workbench::observe::say;
use workbench::table::Table;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = SplitConfig::new(common, &args.source, None)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
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
    let title = format!("{}, mean of {}", counted(set.len(), "row"), counted(ensemble.models().len(), "model"));
    let mut shown = Table::new(title).text("score").number("value");
    for &name in names(&set.labels) {
        if let Some(value) = scores.get(name) {
            shown.push([name.to_owned(), format!("{value:.4}")]);
        }
    }
    for (name, value) in scores.iter().filter(|(name, _)| name.contains('.')) {
        shown.push([name.clone(), format!("{value:.4}")]);
    }
    Ok(shown.write(&mut std::io::stdout().lock(), common.json)?)
}
