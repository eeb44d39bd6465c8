//! `evaluate`: trained models against a table with measured affinities.

use crate::cli::{Evaluate, counted};
use crate::config::{EvaluateConfig, without_run_folder};
use crate::inputs;
use drug::chem::Molecule;
use drug::model::Ensemble;
use drug::study::{Protocol, score};
use workbench::args::Common;
use workbench::observe::say;
use workbench::table::Table;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = EvaluateConfig::new(common, &args.source)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let loaded = inputs::load(&settings.source, common)?;
    let (table, predicted_quantity) = (&loaded.table, &ensemble.card().quantity);
    anyhow::ensure!(
        *predicted_quantity == table.quantity,
        "the model predicts {}, the table holds {}; name the table's quantity with --quantity if it is the same",
        predicted_quantity.label(),
        table.quantity.label()
    );
    // As `predict` does, a string that is no molecule is not scored.
    let problems: Vec<Option<String>> =
        table.drugs.iter().map(|drug| Molecule::parse(&drug.smiles).err().map(|error| error.to_string())).collect();
    let readable = |row: usize| problems[table.pairs[row].drug as usize].is_none();
    let (rows, left_out): (Vec<usize>, Vec<usize>) = (0..table.pairs.len()).partition(|&row| readable(row));
    if let Some(&first) = left_out.first() {
        let drug = table.pairs[first].drug as usize;
        let (id, problem) = (&table.drugs[drug].id, problems[drug].as_deref().unwrap_or_default());
        let n = left_out.len();
        say(common, &format!("rows left out because their SMILES cannot be read: {n}; the first is {id}: {problem}"));
    }
    anyhow::ensure!(!rows.is_empty(), "no row has a SMILES that can be read, so there is nothing to judge");
    let measured = table.values(&rows);
    let scores = score(&measured, &ensemble.predict(table, &rows)?, Protocol::Clean, &table.quantity)?;
    let mut title = format!("{}, mean of {}", counted(rows.len(), "pair"), counted(ensemble.models().len(), "model"));
    if !left_out.is_empty() {
        title = format!("{title}, {} pairs left out", left_out.len());
    }
    let mut shown = Table::new(title).text("score").number("value");
    for (name, value) in scores {
        shown.push([name, format!("{value:.4}")]);
    }
    Ok(shown.write(&mut std::io::stdout().lock(), common.json)?)
}
