//! What every run of this program begins with.

use crate::config::{RunConfig, StudySettings};
use std::path::Path;
use workbench::args::Common;
use workbench::record::{DataRecord, Environment};
use workbench::run::RunError;
use workbench::training::{Opening, TrainingRun};

pub(crate) use workbench::data::whole;

/// Opens the folder of a run. One that goes on may train more models, keep its cases elsewhere, and train longer where its
/// step sizes do not depend on its length.
pub(crate) fn open<'a, S: StudySettings>(
    common: &'a Common,
    run_dir: &'a Path,
    config: &'a RunConfig<S>,
    data: &'a DataRecord,
    resume: &'a str,
) -> Result<TrainingRun<'a>, RunError> {
    // All members have the version of the workspace.
    let versions = ["galen-imaging", "imaging"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    let environment = Environment::collect(option_env!("GALEN_COMMIT"), &versions, &config.device, config.study.seed());
    let models = config.study.models();
    let opening = Opening { common, folder: run_dir, config, data, environment, models, resume };
    TrainingRun::open(opening, |key| match key {
        "models" | "device" | "cache" | "loader" => true,
        key if key.starts_with("cache.") || key.starts_with("loader.") => true,
        "epochs" => !config.study.falls(),
        _ => false,
    })
}
