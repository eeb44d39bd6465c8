//! `train`: a study of segmentations or of labelled pictures, as the system that is chosen asks for.

use crate::cli::Train;
use crate::config::chosen_system;
use crate::{classify, segment};
use imaging::systems::{CLASSIFIERS, ClassifyConfig, SEGMENTERS, SegmentConfig};
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Usage;

pub(crate) fn run(common: &Common, args: &Train, stop: &AtomicBool) -> anyhow::Result<()> {
    let system = chosen_system(common, args);
    if ClassifyConfig::named(&system).is_ok() {
        return classify::train(common, args, &system, stop);
    }
    if SegmentConfig::named(&system).is_ok() {
        return segment::train(common, args, &system, stop);
    }
    let known: Vec<&str> = SEGMENTERS.iter().chain(&CLASSIFIERS).map(|(name, _)| *name).collect();
    Err(Usage(format!("system = {system:?} is not known; use one of: {}", known.join(", "))).into())
}
