//! The models and the baselines of a run, each read back where an earlier part of the run came to its end.

use anyhow::Context;
use drug::baselines::{self, Baseline};
use drug::model::AffinityModel;
use drug::study::{Study, Trained};
use nn_core::burn::tensor::Device;
use nn_core::train::{Checkpoints, StopReason};
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Interrupted;
use workbench::observe::Reporter;
use workbench::observe::say;
use workbench::run::RunFolder;

/// A model with what training it came to.
pub(crate) struct Model {
    pub(crate) affinity: AffinityModel,
    pub(crate) epochs: usize,
    pub(crate) best_epoch: Option<usize>,
    /// Name of the folder in the run folder with the model's learning curve.
    pub(crate) log: String,
}

/// `outcome.json`: how the training of a model ended.
#[derive(Debug, Serialize, Deserialize)]
struct Ended {
    epochs: usize,
    best_epoch: Option<usize>,
    /// Epochs that it was allowed.
    limit: usize,
    /// Whether it stopped because it no longer got better.
    out_of_patience: bool,
}

/// Trains model `i`, goes on training it, or reads it where it is done.
pub(super) fn model(
    common: &Common,
    folder: &RunFolder,
    study: &Study<'_>,
    i: usize,
    device: &Device,
    resume: &str,
    stop: &AtomicBool,
) -> anyhow::Result<Model> {
    let file = folder.file(&format!("model/fold-{i}.safetensors"))?;
    let log = format!("logs/fold-{i}");
    let summary = format!("{log}/outcome.json");
    let limit = study.config().epochs;
    if file.is_file() && folder.file(&summary)?.is_file() {
        let ended: Ended = folder.read_json(&summary)?;
        if ended.out_of_patience || ended.limit >= limit {
            say(common, &format!("model {i}: trained before, read from {}", file.display()));
            let Ended { epochs, best_epoch, .. } = ended;
            return Ok(Model { affinity: AffinityModel::load(&file, device)?, epochs, best_epoch, log });
        }
        say(common, &format!("model {i}: trained for {} epochs before, now for up to {limit}", ended.epochs));
    }
    say(common, &format!("model {i}: training on {} rows", study.plan().split(i).train.len()));
    let checkpoints = Checkpoints::new(folder.checkpoints().join(format!("fold-{i}")));
    let mut reporter = Reporter::new(&folder.file(&log)?, common.verbosity()).title(&format!("model {i}"));
    let Trained { model, outcome } =
        study.train(i, device, (Some(&checkpoints), folder.resumed()), &mut reporter, stop).with_context(|| {
            format!("model {i} was not trained to its end; its checkpoints are in {}", folder.checkpoints().display())
        })?;
    let (epochs, best_epoch) = (outcome.epochs_run, outcome.best_epoch);
    if outcome.stopped != StopReason::Interrupted {
        let models = folder.file("model")?;
        std::fs::create_dir_all(&models).with_context(|| format!("cannot create {}", models.display()))?;
        model.save(&file)?;
        let out_of_patience = outcome.stopped == StopReason::NoImprovement;
        folder.write_json(&summary, &Ended { epochs, best_epoch, limit, out_of_patience })?;
    }
    // A disk that is too full for the log is no reason to lose a model.
    if let Err(error) = reporter.finish() {
        say(common, &format!("warning: the log of model {i} is not complete: {error}"));
    }
    if outcome.stopped == StopReason::Interrupted {
        return Err(Interrupted { resume: resume.to_owned() }.into());
    }
    Ok(Model { affinity: model, epochs, best_epoch, log })
}

/// Scores of all baselines, read back where an earlier part of the run computed them for as many models.
pub(super) fn baselines(
    common: &Common,
    folder: &RunFolder,
    study: &Study<'_>,
    device: &Device,
) -> anyhow::Result<Vec<Baseline>> {
    const FILE: &str = "baselines.json";
    if folder.resumed() && folder.file(FILE)?.is_file() {
        let found: Vec<Baseline> = folder.read_json(FILE)?;
        // The slow ones are fitted once, all others for each model.
        let fitted = found.iter().map(|baseline| baseline.scores.len()).max();
        if fitted == Some(study.config().models) {
            return Ok(found);
        }
    }
    say(common, "baselines");
    let found = baselines::all(study, device)?;
    folder.write_json(FILE, &found)?;
    Ok(found)
}
