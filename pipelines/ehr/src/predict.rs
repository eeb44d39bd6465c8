//! `predict`: a row for every patient of any source, scored or with the reason why not; and a page that shows on what
//! each prediction rests.

use crate::cli::{Predict, counted};
use crate::config::{ReadConfig, SourceConfig, without_run_folder};
use crate::inputs::{self, Loaded};
use crate::page;
use anyhow::Context;
use ehr::model::Ensemble;
use ehr::predict::{OK, Prediction, Query, explain, predict};
use ehr::time::Time;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::report::{Page, Section};

pub(crate) fn run(common: &Common, args: &Predict) -> anyhow::Result<()> {
    without_run_folder(common, "predict")?;
    let Some(settings) = ReadConfig::new(common, &args.source, None)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let loaded = inputs::load(common, &settings.source)?;
    let queries = queries(common, &settings.source, &loaded, &ensemble, args.at.as_deref())?;
    let found = predict(&ensemble, &loaded.events, &queries)?;
    write(&args.out, &csv(&found)?)?;
    if let Some(path) = &args.report {
        let page = report(&ensemble, &loaded, &queries, &found, settings.shown)?;
        write(path, &page.render()?)?;
    }
    let scored = found.iter().filter(|row| row.is_scored()).count();
    let plain = found.iter().filter(|row| row.status == OK).count();
    let summary = format!("rows: {plain} ok, {} scored with remarks, {} invalid", scored - plain, found.len() - scored);
    say(common, &summary);
    if common.json && args.out != Path::new("-") {
        writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&found)?)?;
    }
    anyhow::ensure!(scored > 0, "none of {} could be scored", counted(found.len(), "row"));
    Ok(())
}

/// For whom and when: at the time that is given, at those that the labels or the task ask, or at each last event.
pub(crate) fn queries(
    common: &Common,
    source: &SourceConfig,
    loaded: &Loaded,
    ensemble: &Ensemble,
    at: Option<&str>,
) -> anyhow::Result<Vec<Query>> {
    if let Some(text) = at {
        let time = Time::parse(text).ok_or_else(|| {
            Usage(format!("--at is {text:?}, which is no time; write 2130-04-01 or 2130-04-01T12:00"))
        })?;
        return Ok(Query::of_all(&loaded.events, Some(time)));
    }
    if source.task.is_some() || source.labels.is_some() {
        let asked = inputs::asked_of_model(common, source, loaded, ensemble.card())?;
        return Ok(Query::of_labels(&asked.labels));
    }
    Ok(Query::of_all(&loaded.events, None))
}

/// Writes a text whole or not at all; `-` is stdout.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new("-") {
        std::io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(());
    }
    nn_core::atomic::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn csv(found: &[Prediction]) -> Result<String, std::fmt::Error> {
    let mut text = String::from("subject,prediction_time,status,probability,low,high,events\n");
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    for row in found {
        let at = row.at.map_or_else(String::new, |at| at.to_string());
        let (low, high) = (row.interval.map(|ends| ends.0), row.interval.map(|ends| ends.1));
        writeln!(
            text,
            "{},{at},\"{}\",{},{},{},{}",
            row.subject,
            row.status.replace('"', "\"\""),
            number(row.probability),
            number(low),
            number(high),
            row.events
        )?;
    }
    Ok(text)
}

/// The patients with the highest probabilities, one below the other.
pub(crate) fn report(
    ensemble: &Ensemble,
    loaded: &Loaded,
    queries: &[Query],
    found: &[Prediction],
    shown: usize,
) -> anyhow::Result<Page> {
    let card = ensemble.card();
    let mut order: Vec<usize> = (0..found.len()).filter(|&row| found[row].is_scored()).collect();
    let probability = |row: usize| found[row].probability.unwrap_or(0.0);
    order.sort_by(|&a, &b| probability(b).total_cmp(&probability(a)));
    order.truncate(shown);
    let mut section = Section::new("Patients").paragraph(format!(
        "The {} with the highest probabilities of {}. What a prediction rests on is that of the first of {}.",
        counted(order.len(), "patient"),
        found.len(),
        counted(ensemble.models().len(), "model")
    ));
    for row in order {
        let Ok(view) = queries[row].view(&loaded.events) else { continue };
        let explanation = explain(&ensemble.models()[0], &view)?;
        section = page::patient(section, &found[row], &view, &explanation, None);
    }
    let origin = &card.origin;
    let trained = format!(
        "{} labels of {}, {:.1} % of them true ({} split)",
        origin.labels,
        origin.dataset,
        100.0 * origin.prevalence,
        origin.split
    );
    Ok(Page::new(format!("{} by {}", card.predicts.task, card.network.system()), counted(found.len(), "patient"))
        .fact("Learnt from", trained)
        .fact("Version", env!("CARGO_PKG_VERSION"))
        .section(section))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_its_reason_in_quotes() {
        let row = Prediction {
            subject: -3,
            at: None,
            status: "invalid: no \"time\", none".to_owned(),
            probability: None,
            interval: None,
            events: 0,
        };
        let other = Prediction {
            at: Time::parse("2130-04-01"),
            status: OK.to_owned(),
            probability: Some(0.25),
            interval: Some((0.1, 0.5)),
            events: 7,
            ..row.clone()
        };
        let text = csv(&[row, other]).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "-3,,\"invalid: no \"\"time\"\", none\",,,,0",
                "-3,2130-04-01 00:00:00,\"ok\",0.250000,0.100000,0.500000,7"
            ]
        );
    }
}
