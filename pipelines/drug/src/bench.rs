//! `bench`: how fast the parts are. Prints `{"seconds", "items", …}`; `cargo xtask bench` compares it with peers.

use crate::cli::{Bench, Measure};
use crate::config::{EvaluateConfig, without_run_folder};
use crate::inputs;
use anyhow::Context;
use drug::affinity::{AffinityObjective, Entities, Tokenizers};
use drug::chem::Molecule;
use drug::io::smiles::{SmilesOptions, SmilesReader};
use drug::model::{AffinityModel, Ensemble, ModelCard};
use drug::predict::{Compound, Screen};
use drug::study::StudyConfig;
use drug::table::{AffinityTable, Quantity};
use drug::tokens::Tokenizer;
use nn_core::data::{Sampler, Shuffled, rng};
use nn_core::optim::OptimizerConfig;
use nn_core::train::{Learner, StepContext, Supervised};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use workbench::args::Common;
use workbench::record::peak_memory_mb;

/// Compounds of the screen.
const SCREEN: usize = 100_000;
/// Molecules of the fingerprint bench.
const MOLECULES: usize = 10_000;
/// Times that all strings of the table are tokenised.
const ROUNDS: usize = 20;

pub(crate) fn run(common: &Common, args: &Bench) -> anyhow::Result<()> {
    without_run_folder(common, "bench")?;
    let Some(settings) = EvaluateConfig::new(common, &args.source)? else { return Ok(()) };
    let table = inputs::load(&settings.source, common)?;
    let config = StudyConfig { split: drug::split::SplitKind::Upstream, ..StudyConfig::default() };
    let plan = inputs::plan(&table, &config)?;
    let (train, test) = (plan.split(0).train.clone(), plan.test().to_vec());
    let table = &table.table;
    let device = settings.device.as_str();
    let mut found = match args.what {
        Measure::Deepdta => deepdta(table, &train, &config, device, args.batches)?,
        Measure::Ci => concordance(table, &test)?,
        Measure::Tokens => tokens(table)?,
        Measure::Fingerprints => fingerprints(&molecules(table, MOLECULES))?,
        Measure::Screen => screen(table, &config, device, common)?,
        Measure::Export => {
            let out = args.out.as_ref().context("export needs --out FILE")?;
            let text = serde_json::to_string(&export(table, &train, &test, &config))?;
            nn_core::atomic::write(out, text.as_bytes())?;
            return Ok(());
        }
    };
    if let Value::Object(fields) = &mut found {
        fields.insert("peak_mb".into(), json!(peak_memory_mb()));
        fields.insert("device".into(), json!(device));
        fields.insert(
            "version".into(),
            json!(format!("galen-drug {}, {} threads", env!("CARGO_PKG_VERSION"), rayon::current_num_threads())),
        );
    }
    writeln!(std::io::stdout().lock(), "{found}")?;
    Ok(())
}

fn tokenizers() -> Tokenizers {
    Tokenizers { drug: Tokenizer::deepdta_smiles(), protein: Tokenizer::deepdta_protein() }
}

/// Seconds of a training epoch, from the mean of `batches` steps after two that are not counted.
fn deepdta(
    table: &AffinityTable,
    train: &[usize],
    config: &StudyConfig,
    device: &str,
    batches: usize,
) -> anyhow::Result<Value> {
    let device = nn_core::compute::device(device)?.autodiff();
    let network = &config.network;
    let entities = Entities::new(table, &tokenizers(), [network.smiles_length, network.protein_length]);
    let objective = AffinityObjective { entities: &entities, pairs: &table.pairs, monitored: &[] };
    let model = network.init(&device, &mut rng(1, &[]))?;
    let mut learner = Supervised::new(objective, model, OptimizerConfig::adam_keras().init(), "deepdta");
    let all = Shuffled::new(train.to_vec(), config.batch_size).batches(1, 0);
    let mut seconds = 0.0;
    for step in 0..batches + 2 {
        let context = StepContext { seed: 1, epoch: 0, step: step as u64, learning_rate: 1e-3 };
        let began = Instant::now();
        learner.step(&all[step % all.len()], &context)?;
        device.sync()?;
        if step >= 2 {
            seconds += began.elapsed().as_secs_f64();
        }
    }
    let epoch = seconds / batches as f64 * train.len() as f64 / config.batch_size as f64;
    Ok(json!({ "seconds": epoch, "items": train.len() }))
}

/// Predictions that are no sorting of the labels: the labels with a fixed disturbance.
fn disturbed(measured: &[f64]) -> Vec<f64> {
    measured.iter().enumerate().map(|(i, m)| m + ((i * 7919) % 1000) as f64 / 500.0 - 1.0).collect()
}

/// As many test labels as the KIBA test part has (19,709), repeated from the table where it has fewer.
fn ci_labels(table: &AffinityTable, test: &[usize]) -> Vec<f64> {
    table.values(test).into_iter().chain(table.pairs.iter().map(|p| f64::from(p.value))).take(19_709).collect()
}

fn concordance(table: &AffinityTable, test: &[usize]) -> anyhow::Result<Value> {
    let measured = ci_labels(table, test);
    let predicted = disturbed(&measured);
    let began = Instant::now();
    let value = nn_core::metrics::concordance_index(&measured, &predicted)?;
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": measured.len(), "value": value }))
}

fn tokens(table: &AffinityTable) -> anyhow::Result<Value> {
    let tokenizers = tokenizers();
    let began = Instant::now();
    let mut labels = 0;
    for _ in 0..ROUNDS {
        labels += table.drugs.iter().map(|d| tokenizers.drug.encode(&d.smiles, 85).ids.len()).sum::<usize>();
        labels += table.targets.iter().map(|t| tokenizers.protein.encode(&t.sequence, 1200).ids.len()).sum::<usize>();
    }
    anyhow::ensure!(labels > 0, "the table has no strings");
    let seconds = began.elapsed().as_secs_f64() / ROUNDS as f64;
    Ok(json!({ "seconds": seconds, "items": table.drugs.len() + table.targets.len() }))
}

/// The table's SMILES, repeated until there are `n`.
fn molecules(table: &AffinityTable, n: usize) -> Vec<&str> {
    table.drugs.iter().map(|d| d.smiles.as_str()).cycle().take(n).collect()
}

fn fingerprints(smiles: &[&str]) -> anyhow::Result<Value> {
    let began = Instant::now();
    let bits: usize = smiles
        .par_iter()
        .map(|s| Molecule::parse(s).map_or(0, |m| m.canonical().len() + m.ecfp4().bits().count()))
        .sum();
    anyhow::ensure!(bits > 0, "no molecule could be read");
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": smiles.len() }))
}

/// Counter-ions and solvents that make different compounds of one molecule.
const COMPANIONS: [&str; 5] = ["", "Cl.", "Br.", "O.", "Cl.Cl."];

/// 100,000 different compounds against one target, reading and writing of files left out. The
/// molecules are those of ZINC, alone and as salts. The weights are those of a fresh network: time
/// does not depend on them.
fn screen(table: &AffinityTable, config: &StudyConfig, device: &str, common: &Common) -> anyhow::Result<Value> {
    let device = nn_core::compute::device(device)?;
    let network = config.clone().resolved().network.init(&device, &mut rng(1, &[]))?;
    let card = ModelCard {
        config: network.config().clone(),
        tokenizers: tokenizers(),
        quantity: Quantity::Pkd,
        calibration: None,
    };
    let screen = Screen::new(Ensemble::new(vec![AffinityModel { network, card }])?, &table.targets[..1])?;
    let list = inputs::locate(Path::new("drug/zinc250k_part/valid.txt.gz"), common)?;
    let molecules: Vec<String> =
        SmilesReader::open(&list, &SmilesOptions::default())?.flatten().map(|row| row.smiles).collect();
    let compounds: Vec<Compound> = COMPANIONS
        .iter()
        .flat_map(|companion| molecules.iter().map(move |smiles| format!("{companion}{smiles}")))
        .take(SCREEN)
        .enumerate()
        .map(|(i, smiles)| Compound { id: i.to_string(), smiles, problem: None })
        .collect();
    let began = Instant::now();
    let mut rows = 0;
    for chunk in compounds.chunks(2048) {
        rows += screen.score(chunk, rows as u64 + 1)?.iter().filter(|r| r.prediction.is_some()).count();
    }
    anyhow::ensure!(rows == SCREEN, "{rows} of {SCREEN} compounds were scored");
    Ok(json!({ "seconds": began.elapsed().as_secs_f64(), "items": SCREEN }))
}

/// The characters that a tokeniser knows, with their labels.
fn labels(tokenizer: &Tokenizer) -> serde_json::Map<String, Value> {
    let known = (' '..='~').filter_map(|c| match tokenizer.encode(&c.to_string(), 1) {
        encoded if encoded.unknown.is_empty() => encoded.ids.first().map(|&id| (c.to_string(), json!(id))),
        _ => None,
    });
    known.collect()
}

/// What a peer needs to do the same work; the keys are described in `xtask/peers/README.md`.
fn export(table: &AffinityTable, train: &[usize], test: &[usize], config: &StudyConfig) -> Value {
    let network = &config.network;
    let lengths = [network.smiles_length, network.protein_length];
    let entities = Entities::new(table, &tokenizers(), lengths);
    let padded = |strings: &[Vec<u8>], length: usize| -> Vec<Vec<u8>> {
        strings.iter().map(|s| s.iter().copied().chain(std::iter::repeat(0)).take(length).collect()).collect()
    };
    let measured = ci_labels(table, test);
    let pairs: Vec<Value> = train.iter().map(|&r| table.pairs[r]).map(|p| json!([p.drug, p.target, p.value])).collect();
    json!({
        "drug_tokens": padded(&entities.drugs, lengths[0]),
        "target_tokens": padded(&entities.targets, lengths[1]),
        "pairs": pairs,
        "batch_size": config.batch_size,
        "kernels": { "drug": network.smiles_kernel, "target": network.protein_kernel },
        "smiles": table.drugs.iter().map(|d| &d.smiles).collect::<Vec<_>>(),
        "sequences": table.targets.iter().map(|t| &t.sequence).collect::<Vec<_>>(),
        "labels": { "smiles": labels(&tokenizers().drug), "protein": labels(&tokenizers().protein) },
        "molecules": molecules(table, MOLECULES),
        "ci": { "truth": measured, "predicted": disturbed(&measured) },
    })
}
