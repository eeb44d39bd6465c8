//! The models and the baselines of a run, each read back where an earlier part of the run came to its end.

use anyhow::Context;
use genomics::baselines;
use genomics::evaluate::Scores;
use genomics::model::SequenceModel;
use genomics::study::{Study, Trained};
use nn_core::burn::tensor::Device;
use nn_core::train::{Checkpoints, StopReason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use workbench::args::Common;
use workbench::exit::Interrupted;
use workbench::observe::Reporter;
use workbench::observe::say;
use workbench::run::RunFolder;

/// A model with what training it came to.
pub(crate) struct Model {
    pub(crate) sequence: SequenceModel,
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
    let file = folder.file(&format!("model/seed-{i}.safetensors"))?;
    let log = format!("logs/seed-{i}");
    let summary = format!("{log}/outcome.json");
    let limit = study.config().epochs;
    if file.is_file() && folder.file(&summary)?.is_file() {
        let ended: Ended = folder.read_json(&summary)?;
        if ended.out_of_patience || ended.limit >= limit {
            say(common, &format!("model {i}: trained before, read from {}", file.display()));
            let Ended { epochs, best_epoch, .. } = ended;
            return Ok(Model { sequence: SequenceModel::load(&file, device)?, epochs, best_epoch, log });
        }
        say(common, &format!("model {i}: trained for {} epochs before, now for up to {limit}", ended.epochs));
    }
    say(common, &format!("model {i}: training on {} rows", study.plan().split(i).train.len()));
    let checkpoints = Checkpoints::new(folder.checkpoints().join(format!("seed-{i}")));
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
    Ok(Model { sequence: model, epochs, best_epoch, log })
}

/// A baseline's scores, once for each model's parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Name, as tables print it.
    pub(crate) name: String,
    /// The scores on the test part.
    pub(crate) scores: Vec<Scores>,
}

impl Baseline {
    /// Mean of each score that all runs have.
    pub(crate) fn mean(&self) -> BTreeMap<String, f64> {
        let mut mean = BTreeMap::new();
        for name in self.scores.first().into_iter().flat_map(BTreeMap::keys) {
            let values: Option<Vec<f64>> = self.scores.iter().map(|scores| scores.get(name).copied()).collect();
            if let Some(values) = values {
                mean.insert(name.clone(), values.iter().sum::<f64>() / values.len() as f64);
            }
        }
        mean
    }
}

/// Scores of all baselines on the parts of each model, read back where an earlier part of the run computed them for as
/// many.
pub(super) fn baselines(common: &Common, folder: &RunFolder, study: &Study<'_>) -> anyhow::Result<Vec<Baseline>> {
    const FILE: &str = "baselines.json";
    let models = study.config().models;
    if folder.resumed() && folder.file(FILE)?.is_file() {
        let found: Vec<Baseline> = folder.read_json(FILE)?;
        if found.iter().all(|baseline| baseline.scores.len() == models) {
            return Ok(found);
        }
    }
    say(common, "baselines");
    let config = super::kmers(study.preprocessing().strands);
    let mut found: Vec<Baseline> = Vec::new();
    for model in 0..models {
        let split = study.plan().split(model);
        // Linear models with a fixed penalty have nothing to choose on the validation part, so they learn from it too.
        let mut learnt: Vec<usize> = split.train.iter().chain(&split.validation).copied().collect();
        learnt.sort_unstable();
        // With one test part for all, what follows would be the same for each model.
        if model > 0 && split.test == study.plan().split(0).test {
            found.iter_mut().for_each(|baseline| baseline.scores.extend_from_within(..1));
            continue;
        }
        for (place, baseline) in baselines::all(study.set(), &learnt, &split.test, &config)?.into_iter().enumerate() {
            let scores = baseline.scores(study.set(), &split.test)?;
            match found.get_mut(place) {
                Some(known) => known.scores.push(scores),
                None => found.push(Baseline { name: baseline.name, scores: vec![scores] }),
            }
        }
    }
    folder.write_json(FILE, &found)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_the_scores_that_all_runs_have() {
        let scores = |pairs: &[(&str, f64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let scores = vec![scores(&[("loss", 1.0), ("auroc", 0.5)]), scores(&[("loss", 2.0)])];
        let mean = Baseline { name: "x".into(), scores }.mean();
        assert_eq!(mean.into_iter().collect::<Vec<_>>(), [("loss".to_owned(), 1.5)]);
        assert!(Baseline { name: "x".into(), scores: vec![] }.mean().is_empty());
    }
}
