//! The baselines of a run, read back where an earlier part of the run came to its end.

use genomics::baselines;
use genomics::evaluate::Scores;
use genomics::study::Study;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use workbench::args::Common;
use workbench::observe::say;
use workbench::run::RunFolder;

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
pub(super) fn all(common: &Common, folder: &RunFolder, study: &Study<'_>) -> anyhow::Result<Vec<Baseline>> {
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
