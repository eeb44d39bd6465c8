//! `systems`: the published systems this binary has.

use crate::config::{NoConfig, settings, without_run_folder};
use ehr::study::NetworkConfig;
use nn_core::burn::module::Module;
use nn_core::compute;
use nn_core::data::rng;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::table::Table;

/// Systems that `experiment` runs, or that stand beside others as baselines.
const OTHERS: [(&str, &str); 8] = [
    (
        "deep-patient",
        "Miotto et al. 2016: denoising autoencoders, then a forest for each disease; `experiment deep-patient`",
    ),
    ("med2vec", "Choi et al. 2016: vectors of codes and of visits; `experiment med2vec`"),
    (
        "skip-gram",
        "Choi E. et al. 2016, Choi Y. et al. 2016: vectors of codes from what stands near; `experiment code-embeddings`",
    ),
    ("dynamic-deephit", "Lee et al. 2020: competing risks from measurements so far; `experiment dynamic-deephit`"),
    ("landmark Cox", "proportional hazards among those still at risk; beside Dynamic-DeepHit"),
    ("logistic regression", "on last, mean, least and largest values; beside every network"),
    ("gradient-boosted trees", "on the same table"),
    ("SAPS-I, SOFA", "the clinicians' scores, where the data has them"),
];

pub(crate) fn run(common: &Common) -> anyhow::Result<()> {
    without_run_folder(common, "systems")?;
    if settings(&NoConfig {}, common, Flags::new())?.is_none() {
        return Ok(());
    }
    let device = compute::device("cpu")?;
    let mut systems = Table::new("Systems that train by `--system NAME`, with their default sizes")
        .text("system")
        .text("reads")
        .text("what")
        .number("codes or variables")
        .number("parameters");
    for (name, what) in NetworkConfig::systems() {
        let config = NetworkConfig::named(name)?;
        let network = config.init(&device, &mut rng(0, &[]))?;
        systems.push([
            name.to_owned(),
            config.reads().describe().to_owned(),
            what.to_owned(),
            config.width().to_string(),
            network.num_params().to_string(),
        ]);
    }
    let mut others = Table::new("Systems and baselines besides").text("system").text("what");
    for (name, what) in OTHERS {
        others.push([name, what]);
    }
    let mut devices = Table::new("Devices").text("kind").text("compiled in").text("present");
    for info in compute::list() {
        let compiled = if info.compiled { "yes" } else { "no" };
        devices.push([info.kind.to_owned(), compiled.to_owned(), info.present.join(", ")]);
    }
    let mut out = std::io::stdout().lock();
    for (place, table) in [systems, others, devices].iter().enumerate() {
        if place > 0 && !common.json {
            std::io::Write::write_all(&mut out, b"\n")?;
        }
        table.write(&mut out, common.json)?;
    }
    Ok(())
}
