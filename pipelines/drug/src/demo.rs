//! `demo`: the whole way on data generated on the spot, in a few minutes on two cores.

use crate::cli::{Demo, Predict};
use crate::config::{DemoConfig, RunConfig, print};
use crate::inputs::Loaded;
use crate::{predict, train};
use drug::split::SplitKind;
use drug::study::{Protocol, SamplerKind, StudyConfig};
use drug::synthetic::{SyntheticConfig, affinity_table};
use drug::systems::deepdta::DeepDtaConfig;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::exit::Usage;
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
    let defaults = RunConfig::earlier(common, &run_dir)?.unwrap_or_else(|| defaults(args.quick));
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
    predict::screen(common, &config.device, &Predict { model: run_dir, smiles, fasta, out: out.clone() }, stop)?;
    if !common.json {
        std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("predictions: {}\n", out.display()))?;
    }
    Ok(())
}
