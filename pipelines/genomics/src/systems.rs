//! `systems`: the published systems this binary has.

use crate::config::{NoConfig, settings, without_run_folder};
use genomics::systems::{NetConfig, SYSTEMS};
use genomics::task::{Reads, TASKS, TaskNetConfig};
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
    let device = compute::device("cpu")?;
    let mut systems = Table::new("Systems that train by `--system NAME`, with their default sizes")
        .text("system")
        .text("what")
        .number("bases")
        .number("outputs")
        .number("parameters");
    for (name, what) in SYSTEMS {
        let config = NetConfig::named(name)?;
        let parameters = match &config {
            // as it is built, it takes 0.6 GB
            NetConfig::Beluga(config) => config.parameters(),
            config => config.init(&device, &mut rng(0, &[]))?.num_params(),
        };
        systems.push([
            name.to_owned(),
            what.to_owned(),
            config.length().to_string(),
            config.outputs().to_string(),
            parameters.to_string(),
        ]);
    }
    let mut tasks = Table::new("Systems that read other rows, and train by `--system NAME` as well")
        .text("system")
        .text("what")
        .text("reads");
    for (name, what) in TASKS {
        tasks.push([name, what, described(TaskNetConfig::named(name)?.reads())]);
    }
    let mut devices = Table::new("Devices").text("kind").text("compiled in").text("present");
    for info in compute::list() {
        let compiled = if info.compiled { "yes" } else { "no" };
        devices.push([info.kind.to_owned(), compiled.to_owned(), info.present.join(", ")]);
    }
    let mut out = std::io::stdout().lock();
    for table in [systems, tasks] {
        table.write(&mut out, common.json)?;
        if !common.json {
            std::io::Write::write_all(&mut out, b"\n")?;
        }
    }
    Ok(devices.write(&mut out, common.json)?)
}

/// What a system reads, by the options of `train`.
fn described(reads: Reads) -> &'static str {
    match reads {
        Reads::Pairs => "--format pairs, --genome",
        Reads::Sequences => "labelled sequences, --single-strand",
        Reads::Methylation => "--format methylation, --genome",
        Reads::Genes => "--format gene-table, --genome",
        Reads::Starts => "--format gene-table, --genome, --body",
        Reads::Marks => "--format marks; or genes with --bam for each mark and --labels",
        Reads::Classes => "--format expression, --labels or a column label; gedfn: --graph",
        Reads::Landmarks => "--format expression, --landmarks",
    }
}
