//! `systems`: the published systems this binary has.

use crate::config::{NoConfig, settings, without_run_folder};
use imaging::systems::{CLASSIFIERS, ClassifyConfig, SEGMENTERS, SegmentConfig};
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
        .text("answers")
        .text("what")
        .number("classes")
        .number("parameters");
    for (name, what) in SEGMENTERS {
        let config = SegmentConfig::named(name)?;
        let network = config.init(&device, &mut rng(0, &[]))?;
        let answers = if config.dims() == 2 { "a label for each pixel" } else { "a label for each voxel" };
        systems.push([
            name.to_owned(),
            answers.to_owned(),
            what.to_owned(),
            config.classes().to_string(),
            network.num_params().to_string(),
        ]);
    }
    for (name, what) in CLASSIFIERS {
        let config = ClassifyConfig::named(name)?;
        let network = config.init(&device, &mut rng(0, &[]))?;
        systems.push([
            name.to_owned(),
            "a class for a picture".to_owned(),
            what.to_owned(),
            config.classes().to_string(),
            network.num_params().to_string(),
        ]);
    }
    let mut devices = Table::new("Devices").text("kind").text("compiled in").text("present");
    for info in compute::list() {
        let compiled = if info.compiled { "yes" } else { "no" };
        devices.push([info.kind.to_owned(), compiled.to_owned(), info.present.join(", ")]);
    }
    let mut out = std::io::stdout().lock();
    for (place, table) in [systems, devices].iter().enumerate() {
        if place > 0 && !common.json {
            std::io::Write::write_all(&mut out, b"\n")?;
        }
        table.write(&mut out, common.json)?;
    }
    Ok(())
}
