//! `systems`: the published systems this binary has.

use crate::config::{NoConfig, settings, without_run_folder};
use drug::systems::deepdta::DeepDtaConfig;
use nn_core::burn::module::Module;
use nn_core::compute;
use nn_core::data::rng;
use workbench::args::Common;
use workbench::config::Flags;
use workbench::table::Table;

pub(crate) fn run(common: &Common) -> anyhow::Result<()> {
    without_run_folder(common, "systems")?;
    if settings(&NoConfig {}, common, Flags::new())?.is_none() {
        return Ok(());
    }
    let network = DeepDtaConfig::default().init(&compute::device("cpu")?, &mut rng(0, &[]))?;
    let systems = Table::new("Systems").text("system").text("task").number("parameters").text("citation").row([
        "deepdta".to_owned(),
        "binding affinity of a drug and a protein".to_owned(),
        network.num_params().to_string(),
        "Öztürk et al. 2018, Bioinformatics 34:i821".to_owned(),
    ]);
    let mut devices = Table::new("Devices").text("kind").text("compiled in").text("present");
    for info in compute::list() {
        let compiled = if info.compiled { "yes" } else { "no" };
        devices.push([info.kind.to_owned(), compiled.to_owned(), info.present.join(", ")]);
    }
    let mut out = std::io::stdout().lock();
    systems.write(&mut out, common.json)?;
    if !common.json {
        std::io::Write::write_all(&mut out, b"\n")?;
    }
    Ok(devices.write(&mut out, common.json)?)
}
