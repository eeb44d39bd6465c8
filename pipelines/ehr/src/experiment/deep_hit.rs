//! Dynamic-DeepHit (Lee, Yoon and van der Schaar 2020, IEEE TBME 67:122) on primary biliary cirrhosis: death and
//! transplant as competing risks, from all measurements so far, at the times and horizons of the authors' code, beside
//! a landmark Cox model for each cause. Every model has a division of the patients of its own.

use super::{Bench, Found};
use crate::inputs;
use anyhow::Context;
use ehr::cox::{CoxConfig, LandmarkCox, LandmarkRows};
use ehr::evaluate::survival::{Observed, brier, cause_specific, censoring};
use ehr::io::sets::{self, LongitudinalSubject};
use ehr::systems::dynamic_deephit::{
    DynamicDeepHit, DynamicDeepHitConfig, DynamicDeepHitObjective, HistoryBatch, Trajectory,
};
use nn_core::burn::tensor::Device;
use nn_core::data::{Fractions, Shuffled, rng, stratified};
use nn_core::metrics::MetricError;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, StepError, StopReason, Supervised, fit};
use std::collections::BTreeMap;
use std::path::Path;
use workbench::exit::Stopped;
use workbench::observe::Reporter;
use workbench::observe::say;
use workbench::record::{DataRecord, Input};
use workbench::table::Table;

/// Epochs; the authors take 25,000 steps of 32 patients, which are 3,500 passes.
pub(super) const EPOCHS: usize = 300;
/// Epochs in which measurements alone are foretold; the authors' 3,000 steps in the same proportion.
const BURN_IN: usize = 36;
/// Patients of a step, as in the authors' code; the rate is ten times theirs for a tenth of the steps.
const BATCH: usize = 32;
const RATE: f64 = 1e-3;
/// Prediction times and horizons in weeks, as in the authors' code.
const TIMES: [f64; 3] = [52.0, 156.0, 260.0];
const HORIZONS: [f64; 4] = [12.0, 36.0, 60.0, 120.0];
/// The causes, from 1 on.
const CAUSES: [&str; 2] = ["death", "transplant"];

/// Patients with their covariates.
struct Set {
    names: Vec<String>,
    trajectories: Vec<Trajectory>,
    dropped: BTreeMap<String, usize>,
}

pub(super) fn run(bench: &Bench<'_>, device: &Device) -> anyhow::Result<Found> {
    let path = inputs::locate(&bench.config.data, bench.common)?;
    let set = read(&path)?;
    let mut inputs = Vec::new();
    inputs::hash(&path, &mut inputs)?;
    let mut found = Found {
        task: "death and transplant, time to the first",
        text: format!(
            "{} patients with {} covariates at each of their visits; of each division, a fifth is held out and a tenth of \
             the rest decides which epoch is kept. Concordances are cause-specific, of those still at risk at {TIMES:?} \
             weeks, within {HORIZONS:?} weeks; `c_death` and `c_transplant` are means over the grid, `brier_death` the mean \
             of the Brier scores of death, weighted for those lost from sight.",
            set.trajectories.len(),
            set.names.len()
        ),
        metrics: BTreeMap::new(),
        baselines: BTreeMap::new(),
        epochs: Vec::new(),
        record: record(&set, inputs),
        tables: Vec::new(),
    };
    let causes: Vec<u64> = set.trajectories.iter().map(|one| u64::from(one.cause)).collect();
    let mut cox = BTreeMap::<String, Vec<f64>>::new();
    for model in 0..bench.config.models as u64 {
        let seed = bench.config.seed + model;
        let split = stratified(&causes, Fractions { validation: 0.08, test: 0.2 }, seed)?;
        let scaled = standardised(&set, &split.train);
        let of = |rows: &[usize]| rows.iter().map(|&row| scaled[row].clone()).collect::<Vec<_>>();
        let (train, held) = (of(&split.train), of(&split.test));
        let longest = train.iter().map(|one| one.end).fold(0.0, f64::max);
        let config = DynamicDeepHitConfig {
            variables: set.names.len(),
            causes: CAUSES.len(),
            categories: (longest * 1.2) as usize,
            ..DynamicDeepHitConfig::default()
        };
        let fresh = config.init(&device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let objective =
            DynamicDeepHitObjective::new(config.clone(), scaled.clone(), split.validation.clone(), BURN_IN, device)?;
        let mut learner = Supervised::new(objective, fresh, OptimizerConfig::adam().init(), "dynamic-deephit");
        let fit_config = FitConfig { seed, ..FitConfig::new(bench.config.epochs, RATE, Monitor::lower("likelihood")) };
        let mut reporter = Reporter::new(&bench.folder.file(&format!("logs/seed-{model}"))?, bench.common.verbosity())
            .title("dynamic-deephit");
        let sampler = Shuffled::new(split.train.clone(), BATCH);
        let outcome = fit(&mut learner, &sampler, &fit_config, None, false, &mut reporter, bench.stop)?;
        reporter.finish()?;
        if outcome.stopped == StopReason::Interrupted {
            return Err(Stopped("nothing was written".to_owned()).into());
        }
        let trained = learner.into_model()?;
        let (ours, theirs) = judge(&trained, &config, device, (&train, &held))?;
        for (scores, into) in [(&ours, &mut found.metrics), (&theirs, &mut cox)] {
            for (name, value) in means(scores) {
                into.entry(name).or_default().push(value);
            }
        }
        if let Some(value) = found.metrics.get("c_death").and_then(|values| values.last()) {
            say(bench.common, &format!("model {model}: C of death {value:.3}"));
        }
        if model == 0 {
            found.tables.push(table(&ours, &theirs));
        }
        found.epochs.push(outcome.epochs_run);
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let cox = cox.iter().map(|(name, values)| (name.clone(), mean(values))).collect();
    found.baselines.insert("landmark Cox", cox);
    Ok(found)
}

/// The patients of `pbc2_cleaned.csv`, times in weeks.
fn read(path: &Path) -> anyhow::Result<Set> {
    let (longitudinal, counts) = sets::pbc2(path)?;
    let trajectories: Vec<Trajectory> = longitudinal
        .subjects
        .into_iter()
        .map(|subject| {
            let LongitudinalSubject { time, cause, times, values, .. } = subject;
            Trajectory { times, values, end: time, cause }
        })
        .collect();
    anyhow::ensure!(!trajectories.is_empty(), "{} has no patient", path.display());
    let dropped = counts.dropped.into_iter().map(|(reason, rows)| (reason, rows as usize)).collect();
    Ok(Set { names: longitudinal.names, trajectories, dropped })
}

fn record(set: &Set, inputs: Vec<Input>) -> DataRecord {
    DataRecord {
        inputs,
        kept: set.trajectories.len(),
        dropped: set.dropped.clone(),
        split: Some("subject".to_owned()),
        parts: BTreeMap::new(),
    }
}

/// The same with every covariate brought to mean 0 and deviation 1 over the visits of the training part.
fn standardised(set: &Set, train: &[usize]) -> Vec<Trajectory> {
    let width = set.names.len();
    let moments: Vec<(f64, f64)> = (0..width)
        .map(|column| {
            let known: Vec<f64> = train
                .iter()
                .flat_map(|&row| set.trajectories[row].values.iter().skip(column).step_by(width))
                .filter(|value| !value.is_nan())
                .map(|&value| f64::from(value))
                .collect();
            let n = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / n;
            let deviation = (known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
            (mean, if deviation > 1e-9 { deviation } else { 1.0 })
        })
        .collect();
    let scaled = |one: &Trajectory| {
        let value = |(at, value): (usize, &f32)| {
            let (mean, deviation) = moments[at % width];
            ((f64::from(*value) - mean) / deviation) as f32
        };
        Trajectory { values: one.values.iter().enumerate().map(value).collect(), ..one.clone() }
    };
    set.trajectories.iter().map(scaled).collect()
}

/// Scores by their name and their place in the grid.
type Scores = BTreeMap<(String, usize, usize), f64>;

/// Scores of the network and of the landmark Cox models at every prediction time and horizon.
fn judge(
    model: &DynamicDeepHit,
    config: &DynamicDeepHitConfig,
    device: &Device,
    (train, held): (&[Trajectory], &[Trajectory]),
) -> anyhow::Result<(Scores, Scores)> {
    let (mut ours, mut theirs) = (Scores::new(), Scores::new());
    let width = config.variables;
    for (place, &landmark) in TIMES.iter().enumerate() {
        let (known, asked) = (LandmarkRows::at(landmark, train, width), LandmarkRows::at(landmark, held, width));
        let histories: Vec<Trajectory> = asked.rows.iter().filter_map(|&row| held[row].until(landmark)).collect();
        if histories.is_empty() {
            continue;
        }
        let batch = HistoryBatch::new(&histories.iter().collect::<Vec<_>>(), config, device)?;
        let distribution = model.forward(&batch, None).distribution.try_into_vec_as::<f32>();
        let distribution =
            distribution.map_err(|error| StepError::Device { what: "distribution", reason: error.to_string() })?;
        let watched = censoring(Observed { times: &known.times, causes: &known.causes })?;
        let observed = Observed { times: &asked.times, causes: &asked.causes };
        let cells = config.causes * config.categories;
        for (column, &horizon) in HORIZONS.iter().enumerate() {
            let risks: Vec<f64> = distribution
                .chunks_exact(cells)
                .flat_map(|row| model.risk(row, landmark, landmark + horizon))
                .collect();
            let cox = LandmarkCox::fit(
                &CoxConfig { penalty: 1.0, ..CoxConfig::default() },
                &known,
                CAUSES.len() as u32,
                horizon,
            )
            .with_context(|| format!("Cox models at week {landmark}"))?;
            let beside = cox.risks(&asked.values, width, horizon);
            for (risks, scores) in [(&risks, &mut ours), (&beside, &mut theirs)] {
                for (cause, name) in CAUSES.iter().enumerate() {
                    let of: Vec<f64> = risks.iter().skip(cause).step_by(CAUSES.len()).copied().collect();
                    let number = cause as u32 + 1;
                    let concordance = cause_specific(observed, number, &of, horizon);
                    let error = brier(&watched, observed, Some(number), &of, horizon);
                    for (kind, score) in [("c", concordance), ("brier", error)] {
                        match score {
                            Ok(value) => drop(scores.insert((format!("{kind}_{name}"), place, column), value)),
                            Err(MetricError::Undefined { .. }) => {}
                            Err(error) => return Err(error.into()),
                        }
                    }
                }
            }
        }
    }
    Ok((ours, theirs))
}

/// Means over the grid.
fn means(scores: &Scores) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for ((name, ..), value) in scores {
        let (sum, count) = sums.entry(name.clone()).or_insert((0.0, 0.0));
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(name, (sum, count))| (name, sum / count)).collect()
}

/// The grid of the first model.
fn table(ours: &Scores, theirs: &Scores) -> Table {
    let mut table =
        Table::new("Cause-specific concordance of death, first model; in brackets, landmark Cox").text("at week");
    for horizon in HORIZONS {
        table = table.number(format!("within {horizon} weeks"));
    }
    for (place, time) in TIMES.iter().enumerate() {
        let cell = |column: usize| {
            let of = |scores: &Scores| scores.get(&("c_death".to_owned(), place, column)).copied();
            let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
            format!("{} ({})", shown(of(ours)), shown(of(theirs)))
        };
        table.push([time.to_string()].into_iter().chain((0..HORIZONS.len()).map(cell)));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covariates_are_scaled_by_the_training_part() {
        let one = |values: &[f32]| Trajectory { times: vec![0.0], values: values.to_vec(), end: 5.0, cause: 0 };
        let trajectories = vec![one(&[2.0, 7.0]), one(&[4.0, f32::NAN]), one(&[9.0, 8.0])];
        let set = Set { names: vec!["a".into(), "b".into()], trajectories, dropped: BTreeMap::new() };
        let scaled = standardised(&set, &[0, 1]);
        // 2 and 4 have mean 3 and deviation 1; a column with one value has mean 7 and is not divided.
        assert_eq!(scaled[0].values, [-1.0, 0.0]);
        assert_eq!(scaled[2].values, [6.0, 1.0]);
        assert!(scaled[1].values[1].is_nan());
    }
}
