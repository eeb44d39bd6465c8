//! `explain`: what predictions rest on, as a page and as JSON.

use crate::cli::{Explain, counted};
use crate::config::{ReadConfig, without_run_folder};
use crate::inputs;
use crate::predict::{queries, report, write};
use anyhow::Context;
use ehr::model::Ensemble;
use ehr::predict::{Query, explain, predict};
use serde_json::json;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;

pub(crate) fn run(common: &Common, args: &Explain) -> anyhow::Result<()> {
    without_run_folder(common, "explain")?;
    let shown = args.shown.or_else(|| (!args.subject.is_empty()).then_some(args.subject.len()));
    let Some(settings) = ReadConfig::new(common, &args.source, shown)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let loaded = inputs::load(common, &settings.source)?;
    let mut queries = queries(common, &settings.source, &loaded, &ensemble, args.at.as_deref())?;
    if !args.subject.is_empty() {
        if let Some(absent) = args.subject.iter().find(|&&subject| loaded.events.find(subject).is_none()) {
            let text = format!("--subject {absent} is not among the {}", counted(loaded.events.subjects(), "subject"));
            return Err(Usage(text).into());
        }
        queries.retain(|query: &Query| args.subject.contains(&query.subject));
    }
    let found = predict(&ensemble, &loaded.events, &queries)?;
    let mut order: Vec<usize> = (0..found.len()).filter(|&row| found[row].is_scored()).collect();
    let probability = |row: usize| found[row].probability.unwrap_or(0.0);
    order.sort_by(|&a, &b| probability(b).total_cmp(&probability(a)));
    order.truncate(settings.shown);
    anyhow::ensure!(
        !order.is_empty(),
        "none of {} could be scored, so there is nothing to explain",
        counted(found.len(), "row")
    );
    let mut explained = Vec::new();
    for row in order {
        let Ok(view) = queries[row].view(&loaded.events) else { continue };
        let explanation = explain(&ensemble.models()[0], &view)?;
        explained.push(json!({ "prediction": &found[row], "explanation": explanation }));
    }
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let (data, html) = (args.out.join("explanations.json"), args.out.join("explanations.html"));
    write(&data, &format!("{}\n", serde_json::to_string_pretty(&explained)?))?;
    write(&html, &report(&ensemble, &loaded, &queries, &found, settings.shown)?.render()?)?;
    say(
        common,
        &format!("{} explained: {} and {}", counted(explained.len(), "patient"), data.display(), html.display()),
    );
    Ok(())
}
