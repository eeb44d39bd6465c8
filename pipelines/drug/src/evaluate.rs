//! `evaluate`: trained models against a table with measured affinities.

use crate::cli::Evaluate;
use crate::inputs;
use drug::affinity::{Entities, predict};
use drug::model::AffinityModel;
use drug::study::{Protocol, score};
use workbench::args::Common;
use workbench::table::Table;

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    let device = nn_core::compute::device(common.device.as_deref().unwrap_or("cpu"))?;
    let models = AffinityModel::load_ensemble(&args.model, &device)?;
    let loaded = inputs::load(&args.source, common)?;
    let table = &loaded.table;
    anyhow::ensure!(
        models[0].card.quantity == table.quantity,
        "the model predicts {}, the table holds {}; name the table's quantity with --quantity if it is the same",
        models[0].card.quantity.label(),
        table.quantity.label()
    );
    let mut mean = vec![0.0; table.pairs.len()];
    for model in &models {
        let config = &model.card.config;
        let entities = Entities::new(table, &model.card.tokenizers, [config.smiles_length, config.protein_length]);
        let predicted = predict(&model.network, &entities, &table.pairs)?;
        mean.iter_mut().zip(predicted).for_each(|(m, p)| *m += p / models.len() as f64);
    }
    let measured: Vec<f64> = table.pairs.iter().map(|p| f64::from(p.value)).collect();
    let scores = score(&measured, &mean, Protocol::Clean, &table.quantity)?;
    let mut shown =
        Table::new(format!("{} pairs, mean of {} models", measured.len(), models.len())).text("score").number("value");
    for (name, value) in scores {
        shown.push([name, format!("{value:.4}")]);
    }
    Ok(shown.write(&mut std::io::stdout().lock(), common.json)?)
}
