//! `evaluate`: trained models against labelled cases or pictures.

use crate::classify::{RESAMPLES, predictions};
use crate::cli::{Evaluate, counted};
use crate::config::{EvaluateConfig, without_run_folder};
use crate::segment::{case_table, extra, interval};
use crate::{crops, inputs};
use imaging::evaluate::{JudgedPictures, Scores, classes, judge};
use imaging::model::{CLASSIFIER, ClassifyEnsemble, SegmentEnsemble, architecture};
use imaging::predict::{SegmentOptions, segment_case};
use imaging::volume::Volume;
use nn_core::burn::tensor::Device;
use nn_core::data::group_ids;
use nn_core::metrics::{Interval, MetricError};
use workbench::args::Common;
use workbench::table::Table;

/// Rows of the table of cases.
const ROWS: usize = 40;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = EvaluateConfig::new(common, &args.source)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    if architecture(&args.model)? == CLASSIFIER {
        pictures(common, args, settings, &device)
    } else {
        cases(common, args, settings, &device)
    }
}

fn cases(common: &Common, args: &Evaluate, mut settings: EvaluateConfig, device: &Device) -> anyhow::Result<()> {
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
    let mut shown = table(title);
    for (name, value) in scores.metrics() {
        let interval = interval(&scores, &name, settings.seed)?;
        shown.push(cells(&name, value, interval));
    }
    shown.push(cells("pixel_error", wrong / loaded.cases.len().max(1) as f64, None));
    if let Some(path) = &args.out {
        scores.write_csv(path)?;
    }
    let mut out = std::io::stdout().lock();
    shown.write(&mut out, common.json)?;
    if !common.json {
        std::io::Write::write_all(&mut out, b"\n")?;
        let caption = format!("Single cases, the lowest Dice first (at most {ROWS})");
        case_table(&caption, &scores, ROWS).write(&mut out, false)?;
    }
    Ok(())
}

fn pictures(common: &Common, args: &Evaluate, mut settings: EvaluateConfig, device: &Device) -> anyhow::Result<()> {
    let ensemble = ClassifyEnsemble::load(&args.model, device)?;
    let card = ensemble.card();
    let options = card.options();
    settings.source.size = settings.source.size.or(options.size);
    settings.source.channels = settings.source.channels.or(options.channels);
    let crop = crops::of_model(card, settings.source.crop.as_deref(), common, device)?;
    let loaded = inputs::pictures(common, &settings.source, crop.as_ref())?;
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
    if let Some(path) = &args.out {
        nn_core::atomic::write(path, predictions(set, &rows, &probabilities)?.as_bytes())?;
    }
    let judged = JudgedPictures::new(set.labels.clone(), probabilities, set.classes.len(), subjects)?;
    let scores = judged.scores()?;
    let models = counted(ensemble.models().len(), "model");
    let mut shown = table(format!("{}, mean of {models}", counted(set.len(), "picture")));
    for &name in classes::names(set.classes.len()) {
        let Some(&value) = scores.get(name) else { continue };
        let interval = match judged.interval(name, RESAMPLES, settings.seed) {
            Ok(interval) => Some(interval),
            Err(MetricError::Undefined { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        shown.push(cells(name, value, interval));
    }
    Ok(shown.write(&mut std::io::stdout().lock(), common.json)?)
}

/// A table for scores with their intervals, by resampling subjects.
fn table(title: String) -> Table {
    Table::new(title).text("score").number("value").number("95 % low").number("95 % high")
}

/// A row of it.
fn cells(name: &str, value: f64, interval: Option<Interval>) -> [String; 4] {
    let number = |value: f64| format!("{value:.4}");
    let [low, high] = match interval {
        Some(interval) => [number(interval.low), number(interval.high)],
        None => ["–".to_owned(), "–".to_owned()],
    };
    [name.to_owned(), number(value), low, high]
}
