//! `evaluate`: trained models against labelled cases or pictures.

use crate::cli::{Evaluate, counted};
use crate::config::{SetConfig, without_run_folder};
use crate::inputs;
use crate::segment::{case_table, extra};
use imaging::evaluate::{JudgedPictures, Scores, classes, judge};
use imaging::model::{CLASSIFIER, ClassifyEnsemble, SegmentEnsemble, architecture};
use imaging::predict::{SegmentOptions, segment_case};
use imaging::volume::Volume;
use nn_core::burn::tensor::Device;
use nn_core::data::group_ids;
use workbench::args::Common;
use workbench::table::Table;

/// Rows of the table of cases.
const ROWS: usize = 40;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = SetConfig::new(common, &args.source, None)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    if architecture(&args.model)? == CLASSIFIER {
        pictures(common, args, settings, &device)
    } else {
        cases(common, args, settings, &device)
    }
}

fn cases(common: &Common, args: &Evaluate, mut settings: SetConfig, device: &Device) -> anyhow::Result<()> {
    let ensemble = SegmentEnsemble::load(&args.model, device)?;
    let names = &ensemble.card().names;
    if settings.source.names.is_empty() {
        settings.source.names = names.iter().skip(1).cloned().collect();
    }
    let loaded = inputs::cases(common, &settings.source, true)?;
    anyhow::ensure!(
        loaded.names == *names,
        "the model tells {} apart, the data have {}; they must be the same labels",
        names.join(", "),
        loaded.names.join(", ")
    );
    let (mut scores, mut wrong) = (Scores::new(), 0.0);
    for case in &loaded.cases {
        let channels: Vec<&Volume> = case.channels.iter().collect();
        let found = segment_case(&ensemble, &channels, &SegmentOptions::default())?;
        if let Some(truth) = &case.label {
            scores.push(judge(&case.id, &case.subject, truth, &found.labels)?);
            wrong += extra(truth, &found.labels, 0)?.get("pixel_error").copied().unwrap_or(0.0);
        }
    }
    let models = counted(ensemble.models().len(), "model");
    let title = format!("{}, {models} together", counted(loaded.cases.len(), "case"));
    let mut shown = Table::new(title).text("score").number("value");
    for (name, value) in scores.metrics() {
        shown.push([name, format!("{value:.4}")]);
    }
    shown.push(["pixel_error".to_owned(), format!("{:.4}", wrong / loaded.cases.len().max(1) as f64)]);
    let mut out = std::io::stdout().lock();
    shown.write(&mut out, common.json)?;
    if !common.json {
        std::io::Write::write_all(&mut out, b"\n")?;
        let caption = format!("Single cases, the lowest Dice first (at most {ROWS})");
        case_table(&caption, &scores, ROWS).write(&mut out, false)?;
    }
    Ok(())
}

fn pictures(common: &Common, args: &Evaluate, mut settings: SetConfig, device: &Device) -> anyhow::Result<()> {
    let ensemble = ClassifyEnsemble::load(&args.model, device)?;
    let card = ensemble.card();
    settings.source.size.get_or_insert([card.scale.height, card.scale.width]);
    let loaded = inputs::pictures(common, &settings.source)?;
    let set = &loaded.set;
    anyhow::ensure!(
        set.classes == card.names && set.channels == card.scale.mean.len(),
        "the model tells {} apart in pictures of {}, the data have {} in pictures of {}; they must be the same",
        card.names.join(", "),
        counted(card.scale.mean.len(), "channel"),
        set.classes.join(", "),
        counted(set.channels, "channel")
    );
    let rows: Vec<usize> = (0..set.len()).collect();
    let subjects = group_ids(set.subjects.iter().map(String::as_str));
    let probabilities = ensemble.probabilities(set, &rows)?;
    let scores = JudgedPictures::new(set.labels.clone(), probabilities, set.classes.len(), subjects)?.scores()?;
    let models = counted(ensemble.models().len(), "model");
    let mut shown =
        Table::new(format!("{}, mean of {models}", counted(set.len(), "picture"))).text("score").number("value");
    for &name in classes::names(set.classes.len()) {
        if let Some(value) = scores.get(name) {
            shown.push([name.to_owned(), format!("{value:.4}")]);
        }
    }
    Ok(shown.write(&mut std::io::stdout().lock(), common.json)?)
}
