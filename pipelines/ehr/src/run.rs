//! What every run of this program begins with.

use crate::config::RunConfig;
use std::path::Path;
use workbench::args::Common;
use workbench::record::{DataRecord, Environment};
use workbench::run::RunError;
use workbench::training::{Opening, TrainingRun};

/// Opens the folder of a run. One that goes on may train more models, and train them longer.
pub(crate) fn open<'a>(
    common: &'a Common,
    run_dir: &'a Path,
    config: &'a RunConfig,
    data: &'a DataRecord,
    resume: &'a str,
) -> Result<TrainingRun<'a>, RunError> {
    // All members have the version of the workspace.
    let versions = ["galen-ehr", "ehr"].map(|member| (member, env!("CARGO_PKG_VERSION")));
    let environment = Environment::collect(option_env!("GALEN_COMMIT"), &versions, &config.device, config.study.seed);
    let models = config.study.models;
    let opening = Opening { common, folder: run_dir, config, data, environment, models, resume };
    TrainingRun::open(opening, |key| matches!(key, "models" | "device" | "epochs"))
}
