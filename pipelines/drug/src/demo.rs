//! `demo`: the whole way on data generated on the spot, in a few minutes on two cores.

use crate::cli::{Demo, Predict};
use crate::config::{DemoConfig, RunConfig, print};
use crate::inputs::Loaded;
use crate::{predict, train};
use anyhow::Context;
use drug::split::SplitKind;
use drug::study::{Protocol, SamplerKind, StudyConfig};
use drug::synthetic::{SyntheticConfig, affinity_table};
use drug::systems::deepdta::DeepDtaConfig;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::config::{Flags, earlier};
use workbench::exit::Usage;
use workbench::record::RunMetrics;
use workbench::run::METRICS;
use workbench::training::quoted;

/// The settings of a demo, whole or quick.
fn defaults(quick: bool) -> RunConfig {
    let mut demo = DemoConfig { quick, synthetic: SyntheticConfig::default() };
    let mut study = StudyConfig {
        protocol: Protocol::Clean,
        split: SplitKind::ColdDrug,
        models: 1,
        epochs: 15,
        patience: 15,
        batch_size: 64,
        sampler: SamplerKind::Blocks,
        network: DeepDtaConfig {
            smiles_length: 85,
            protein_length: 120,
            smiles_kernel: 4,
            protein_kernel: 8,
            ..DeepDtaConfig::default()
        },
        ..StudyConfig::default()
    };
    if quick {
        (demo.synthetic.drugs, demo.synthetic.targets, study.epochs) = (40, 16, 2);
    }
    RunConfig { dataset: "synthetic".into(), study, demo: Some(demo), ..RunConfig::default() }
}

pub(crate) fn run(common: &Common, args: &Demo, stop: &AtomicBool) -> anyhow::Result<()> {
    let run_dir = common.run_dir_or("runs/demo-drug");
    let defaults = earlier(common, &run_dir)?.unwrap_or_else(|| defaults(args.quick));
    let not_ours = || Usage(format!("the run in {} is none of demo's; continue it with train", run_dir.display()));
    if defaults.demo.is_none() {
        return Err(not_ours().into());
    }
    let flags = Flags::new().set("demo.quick", args.quick.then_some(true));
    let mut config = RunConfig::resolved(&defaults, common, flags)?;
    let seed = config.study.seed;
    let synthetic = &mut config.demo.as_mut().ok_or_else(not_ours)?.synthetic;
    synthetic.seed = seed;
    let (table, _) = affinity_table(synthetic)?;
    if common.print_config {
        return Ok(print(&config)?);
    }
    let loaded = Loaded { table, folds: None, inputs: Vec::new(), dropped: BTreeMap::new(), refused: Vec::new() };
    let resume = format!("galen-drug demo --run-dir {} --resume", quoted(&run_dir));
    train::study(common, &config, &loaded, &run_dir, &resume, stop)?;

    let quick = config.demo.as_ref().is_some_and(|demo| demo.quick);
    let found = run_dir.join(METRICS);

    // What a user would do next: score a list with a mistake in it against the first protein.
    let folder = run_dir.join("screen");
    std::fs::create_dir_all(&folder)?;
    let mut list = String::new();
    for drug in loaded.table.drugs.iter().take(4) {
        writeln!(list, "{} {}", drug.smiles, drug.id)?;
    }
    list.push_str("C1CC(=O unclosed\n");
    let target = &loaded.table.targets[0];
    let (smiles, fasta, out) =
        (folder.join("compounds.smi"), folder.join("target.fasta"), folder.join("predictions.csv"));
    nn_core::atomic::write(&smiles, list.as_bytes())?;
    nn_core::atomic::write(&fasta, format!(">{}\n{}\n", target.id, target.sequence).as_bytes())?;
    let (column, id_first) = (Vec::new(), false);
    let list = Predict { model: run_dir, smiles, column, id_first, fasta, out: out.clone() };
    predict::screen(common, &config.device, &list, stop)?;
    if !common.json {
        std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("predictions: {}\n", out.display()))?;
    }
    if quick {
        return Ok(());
    }
    let text = std::fs::read(&found).with_context(|| format!("cannot read {}", found.display()))?;
    let metrics: RunMetrics =
        serde_json::from_slice(&text).with_context(|| format!("cannot read {}", found.display()))?;
    must_learn(&metrics)
}

/// Fails unless the model is closer than those that know nothing of a drug that they have not seen, the mean and matrix
/// factorisation. The data follow a rule that can be read off the strings, so a model that does not find it is broken.
fn must_learn(metrics: &RunMetrics) -> anyhow::Result<()> {
    let of = |name: &str| {
        let baseline = metrics.baselines.get(name).and_then(|scores| scores.get("mse"));
        baseline.copied().with_context(|| format!("the demo has no mse of the baseline {name}"))
    };
    let model = metrics.metrics.get("mse").context("the demo has no mse of its model")?.mean;
    let (mean, factorisation) = (of("mean")?, of("matrix factorisation")?);
    anyhow::ensure!(
        model < mean.min(factorisation),
        "the demo failed: on drugs that it has not seen the model has a mean squared error of {model:.3}, matrix factorisation {factorisation:.3} and the mean {mean:.3}; the model must be below both"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_model_must_be_better_than_what_knows_no_drug() {
        let run = |model: f64, baselines: serde_json::Value| -> anyhow::Result<()> {
            let metrics = json!({
                "task": "affinity", "dataset": "synthetic", "protocol": "clean", "split": "cold-drug", "models": 1,
                "seeds": [1], "epochs": [1], "metrics": { "mse": { "mean": model, "sd": null, "values": [model] } },
                "baselines": baselines, "data": { "rows": 1, "sha256": {} }, "device": "cpu", "wall_seconds": 1.0,
                "peak_mb": null, "version": "0", "commit": null,
            });
            must_learn(&serde_json::from_value(metrics).unwrap())
        };
        let both = |mean: f64, factorisation: f64| {
            let of = |mse: f64| json!({ "mse": mse });
            json!({ "mean": of(mean), "matrix factorisation": of(factorisation) })
        };
        run(0.75, both(1.9, 1.8)).unwrap();
        for (mean, factorisation) in [(0.7, 0.8), (0.8, 0.7), (0.75, 0.8)] {
            let error = run(0.75, both(mean, factorisation)).unwrap_err().to_string();
            for number in [0.75, mean, factorisation] {
                assert!(error.contains(&format!(" {number:.3}")), "{number}: {error}");
            }
        }
        let error = run(0.75, json!({ "mean": { "mse": 1.0 } })).unwrap_err().to_string();
        assert!(error.ends_with("the baseline matrix factorisation"), "{error}");
    }
}
