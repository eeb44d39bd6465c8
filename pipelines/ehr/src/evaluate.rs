//! `evaluate`: trained models against labelled records that they have not learnt from.

use crate::cli::{Evaluate, counted};
use crate::config::{EvaluateConfig, without_run_folder};
use crate::inputs;
use crate::train::{SHOWN, groups_of};
use ehr::evaluate::{Judged, Recalibration, SCORES, logit, subgroups};
use ehr::labels;
use ehr::model::Ensemble;
use nn_core::metrics::MetricError;
use serde_json::json;
use std::io::Write as _;
use workbench::args::Common;
use workbench::observe::say;
use workbench::table::Table;

/// Resamples behind each interval, and their level.
const RESAMPLES: usize = 500;
const LEVEL: f64 = 0.95;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = EvaluateConfig::new(common, &args.source)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let loaded = inputs::load(common, &settings.source)?;
    let asked = inputs::asked_of_model(common, &settings.source, &loaded, ensemble.card())?;
    if asked.predicts.task != ensemble.card().predicts.task {
        say(
            common,
            &format!(
                "warning: the model predicts {:?}, the labels are of {:?}",
                ensemble.card().predicts.task,
                asked.predicts.task
            ),
        );
    }
    let (truth, views) = (labels::booleans(&asked.labels)?, labels::views(&loaded.events, &asked.labels)?);
    let subjects: Vec<i64> = asked.labels.iter().map(|label| label.subject).collect();
    let logits = ensemble.probabilities(&views)?.into_iter().map(logit).collect();
    let judged = Judged::new(truth, logits, &subjects, &Recalibration::None)?;
    let models = counted(ensemble.models().len(), "model");
    let mut table = Table::new(format!("{}, mean of {models}", counted(judged.len(), "label")))
        .text("score")
        .number("value")
        .number("low")
        .number("high");
    let mut found = serde_json::Map::new();
    for name in SCORES {
        let interval = if SHOWN.contains(&name) {
            judged.interval(name, RESAMPLES, LEVEL, settings.seed).map(Some)
        } else {
            judged.score(name).map(|_| None)
        };
        let interval = match interval {
            Ok(interval) => interval,
            Err(MetricError::Undefined { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let value = judged.score(name)?;
        let end = |end: Option<f64>| end.map_or_else(|| "–".to_owned(), |end| format!("{end:.4}"));
        table.push([
            name.to_owned(),
            format!("{value:.4}"),
            end(interval.map(|interval| interval.low)),
            end(interval.map(|interval| interval.high)),
        ]);
        let (low, high) = (interval.map(|interval| interval.low), interval.map(|interval| interval.high));
        found.insert(name.to_owned(), json!({ "value": value, "low": low, "high": high }));
    }
    let mut groups = Vec::new();
    for prefix in &args.subgroups {
        let of = groups_of(&views, prefix);
        groups.extend(subgroups(&judged, prefix, &of, RESAMPLES, LEVEL, settings.seed)?);
    }
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", json!({ "labels": judged.len(), "scores": found, "subgroups": groups }))?;
        return Ok(());
    }
    table.write(&mut out, false)?;
    if !groups.is_empty() {
        let mut table =
            Table::new("By kind of patient").text("by").text("group").number("labels").number("true %").number("auroc");
        for one in groups {
            let auroc = one.scores.get("auroc").map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
            let share = format!("{:.1}", 100.0 * one.prevalence);
            table.push([one.by, one.group, one.rows.to_string(), share, auroc]);
        }
        writeln!(out)?;
        table.write(&mut out, false)?;
    }
    Ok(())
}
