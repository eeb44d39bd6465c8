//! Dynamic-DeepHit (Lee, Yoon and van der Schaar 2020, IEEE TBME 67:122) on primary biliary cirrhosis: death and
//! transplant as competing risks, from all measurements so far, at the times and horizons of the authors' code, beside
//! landmark Cox models and the last bilirubin alone. Every model has a division of the patients of its own.
//!
//! As in the authors' code, the network learns from every history that ends with a measurement, not from whole
//! trajectories: of those who died, half the last measurements are from the last 14 weeks, and a network that knows
//! no others ranks the patients at a landmark worse than bilirubin alone.

use super::{Bench, Found};
use crate::inputs;
use anyhow::Context;
use ehr::cox::{CoxConfig, LandmarkCox, LandmarkRows};
use ehr::evaluate::survival::{Observed, brier, cause_specific, censoring};
use ehr::io::sets::{self, LongitudinalSubject};
use ehr::systems::dynamic_deephit::{
    DynamicDeepHit, DynamicDeepHitConfig, DynamicDeepHitObjective, HistoryBatch, Trajectory,
};
use nn_core::burn::tensor::{Device, Tensor};
use nn_core::data::{Fractions, Shuffled, rng, stratified};
use nn_core::metrics::MetricError;
use nn_core::optim::OptimizerConfig;
use nn_core::train::{FitConfig, Monitor, Objective, StepContext, StepError, StopReason, Supervised, fit};
use std::collections::BTreeMap;
use std::path::Path;
use workbench::exit::Stopped;
use workbench::observe::Reporter;
use workbench::observe::say;
use workbench::record::{DataRecord, Input};
use workbench::table::Table;

/// Epochs at most, of some 40 steps each; the authors take 25,000 steps.
pub(super) const EPOCHS: usize = 40;
/// Epochs in which measurements alone are foretold; 3,000 steps in the authors' code.
const BURN_IN: usize = 4;
/// Epochs without a better concordance of the tuning part; more than those of the burn-in.
const PATIENCE: usize = 12;
/// Histories of a step, and its length, as in the authors' code.
const BATCH: usize = 32;
const RATE: f64 = 1e-4;
/// Weeks of an interval: the longest that ends at every prediction time and every horizon. The authors have one for
/// each week, 1,800 probabilities for some 200 patients.
const INTERVAL: f64 = 4.0;
/// Weeks of a year, in which the network reads the time between measurements.
const YEAR: f64 = 52.0;
/// Prediction times and horizons in weeks, as in the authors' code.
const TIMES: [f64; 3] = [52.0, 156.0, 260.0];
const HORIZONS: [f64; 4] = [12.0, 36.0, 60.0, 120.0];
/// The causes, from 1 on.
const CAUSES: [&str; 2] = ["death", "transplant"];
/// The covariate that alone ranks patients; the name in the file.
const BILIRUBIN: &str = "serBilir";
/// What stands beside the network.
const BESIDE: [&str; 2] = ["landmark Cox", "last bilirubin"];

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
            "{} patients with {} covariates at each of their visits; of each division, a fifth is held out and a fifth of \
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
    let bilirubin = set.names.iter().position(|name| name.eq_ignore_ascii_case(BILIRUBIN));
    let bilirubin = bilirubin.with_context(|| format!("{} has no column {BILIRUBIN}", path.display()))?;
    let causes: Vec<u64> = set.trajectories.iter().map(|one| u64::from(one.cause)).collect();
    let mut beside: [BTreeMap<String, Vec<f64>>; 2] = [const { BTreeMap::new() }; 2];
    for model in 0..bench.config.models as u64 {
        let seed = bench.config.seed + model;
        let split = stratified(&causes, Fractions { validation: 0.16, test: 0.2 }, seed)?;
        let scaled = standardised(&set, &split.train);
        let of = |rows: &[usize]| rows.iter().map(|&row| scaled[row].clone()).collect::<Vec<_>>();
        let (train, held) = (of(&split.train), of(&split.test));
        let longest = train.iter().map(|one| one.end).fold(0.0, f64::max);
        let config = DynamicDeepHitConfig {
            variables: set.names.len(),
            causes: CAUSES.len(),
            categories: (longest * 1.2 / INTERVAL) as usize,
            interval: INTERVAL,
            gap: YEAR,
            ..DynamicDeepHitConfig::default()
        };
        let fresh = config.init(&device.clone().autodiff(), &mut rng(seed, &[0]))?;
        let mut histories: Vec<Trajectory> = train.iter().flat_map(Trajectory::histories).collect();
        let learnt = histories.len();
        histories.extend(split.validation.iter().flat_map(|&row| scaled[row].histories()));
        let rows = (learnt..histories.len()).collect();
        let losses = DynamicDeepHitObjective::new(config, histories, rows, BURN_IN, device)?;
        let tuning = of(&split.validation);
        let objective = Chosen { losses, tuning: &tuning, device };
        let mut learner = Supervised::new(objective, fresh, OptimizerConfig::adam().init(), "dynamic-deephit");
        let fit_config = FitConfig {
            patience: Some(PATIENCE),
            seed,
            ..FitConfig::new(bench.config.epochs, RATE, Monitor::higher("c_death"))
        };
        let mut reporter = Reporter::new(&bench.folder.file(&format!("logs/seed-{model}"))?, bench.common.verbosity())
            .title("dynamic-deephit");
        let sampler = Shuffled::new((0..learnt).collect(), BATCH);
        let outcome = fit(&mut learner, &sampler, &fit_config, None, false, &mut reporter, bench.stop)?;
        reporter.finish()?;
        if outcome.stopped == StopReason::Interrupted {
            return Err(Stopped("nothing was written".to_owned()).into());
        }
        let trained = learner.into_model()?;
        let [ours, cox, single] = judge(&trained, device, bilirubin, (&train, &held))?;
        let [of_cox, of_single] = &mut beside;
        for (scores, into) in [(&ours, &mut found.metrics), (&cox, of_cox), (&single, of_single)] {
            for (name, value) in means(scores) {
                into.entry(name).or_default().push(value);
            }
        }
        if let Some(value) = found.metrics.get("c_death").and_then(|values| values.last()) {
            say(bench.common, &format!("model {model}: C of death {value:.3}"));
        }
        if model == 0 {
            found.tables.push(table(&ours, &cox));
        }
        found.epochs.push(outcome.epochs_run);
    }
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    for (name, of) in BESIDE.into_iter().zip(&beside) {
        found.baselines.insert(name, of.iter().map(|(score, values)| (score.clone(), mean(values))).collect());
    }
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

/// Learns by the authors' losses. As they do, the epoch is chosen by concordances of the tuning part: while the
/// likelihood of the week of an event grows worse, patients are still ranked better.
struct Chosen<'a> {
    losses: DynamicDeepHitObjective,
    /// Whole trajectories.
    tuning: &'a [Trajectory],
    device: &'a Device,
}

impl Objective for Chosen<'_> {
    type Model = DynamicDeepHit;

    fn loss(&self, model: &DynamicDeepHit, rows: &[usize], context: &StepContext) -> Result<Tensor<1>, StepError> {
        self.losses.loss(model, rows, context)
    }

    /// The losses of the histories, and `c_death`, the mean concordance of death over the grid.
    fn validate(&self, model: &DynamicDeepHit) -> Result<Vec<(String, f64)>, StepError> {
        let mut found = self.losses.validate(model)?;
        let mut scores = Scores::new();
        for (place, &landmark) in TIMES.iter().enumerate() {
            let Some(asked) = Asked::at(landmark, self.tuning, model, self.device)? else { continue };
            for (column, &horizon) in HORIZONS.iter().enumerate() {
                let risks = of_cause(1, &asked.risks(model, horizon));
                let key = ("c_death".to_owned(), place, column);
                keep(&mut scores, key, cause_specific(asked.observed(), 1, &risks, horizon))?;
            }
        }
        if scores.is_empty() {
            return Err(StepError::other("no two patients of the tuning part can be compared; it needs more deaths"));
        }
        found.extend(means(&scores));
        Ok(found)
    }
}

/// Who is at risk at a landmark, and what the network says of each.
struct Asked {
    landmark: f64,
    rows: LandmarkRows,
    /// `[rows, causes, categories]`.
    distribution: Vec<f32>,
}

impl Asked {
    /// None if nobody is at risk.
    fn at(
        landmark: f64,
        trajectories: &[Trajectory],
        model: &DynamicDeepHit,
        device: &Device,
    ) -> Result<Option<Self>, StepError> {
        let rows = LandmarkRows::at(landmark, trajectories, model.config().variables);
        let histories = rows.rows.iter().filter_map(|&row| trajectories[row].until(landmark));
        let histories: Vec<Trajectory> = histories.collect();
        if histories.is_empty() {
            return Ok(None);
        }
        let batch = HistoryBatch::new(&histories.iter().collect::<Vec<_>>(), model.config(), device);
        let distribution = model.forward(&batch.map_err(StepError::other)?, None).distribution;
        let distribution = distribution.try_into_vec_as::<f32>();
        let distribution =
            distribution.map_err(|error| StepError::Device { what: "distribution", reason: error.to_string() })?;
        Ok(Some(Self { landmark, rows, distribution }))
    }

    /// Risks within a horizon, `[rows, causes]`.
    fn risks(&self, model: &DynamicDeepHit, horizon: f64) -> Vec<f64> {
        let cells = model.config().causes * model.config().categories;
        let rows = self.distribution.chunks_exact(cells);
        rows.flat_map(|row| model.risk(row, self.landmark, self.landmark + horizon)).collect()
    }

    fn observed(&self) -> Observed<'_> {
        Observed { times: &self.rows.times, causes: &self.rows.causes }
    }
}

/// Risks of a cause, from 1, of a table `[rows, causes]`.
fn of_cause(cause: usize, risks: &[f64]) -> Vec<f64> {
    risks.iter().skip(cause - 1).step_by(CAUSES.len()).copied().collect()
}

/// Scores of the network, of landmark Cox models and of the last bilirubin, at every prediction time and horizon.
///
/// The Cox models are fitted to all that happened behind the prediction time: of a dozen weeks there are two or three
/// deaths in the whole set, from which fifteen coefficients cannot be learnt.
fn judge(
    model: &DynamicDeepHit,
    device: &Device,
    bilirubin: usize,
    (train, held): (&[Trajectory], &[Trajectory]),
) -> anyhow::Result<[Scores; 3]> {
    let [mut ours, mut theirs, mut single] = [const { Scores::new() }; 3];
    let width = model.config().variables;
    for (place, &landmark) in TIMES.iter().enumerate() {
        let Some(asked) = Asked::at(landmark, held, model, device)? else { continue };
        let (known, values) = (LandmarkRows::at(landmark, train, width), &asked.rows.values);
        let cox = CoxConfig { penalty: 1.0, ..CoxConfig::default() };
        let cox = LandmarkCox::fit(&cox, &known, CAUSES.len() as u32, f64::INFINITY)
            .with_context(|| format!("Cox models at week {landmark}"))?;
        let watched = censoring(Observed { times: &known.times, causes: &known.causes })?;
        let observed = asked.observed();
        let last: Vec<f64> = values.iter().skip(bilirubin).step_by(width).map(|&value| or_mean(value)).collect();
        for (column, &horizon) in HORIZONS.iter().enumerate() {
            let (risks, beside) = (asked.risks(model, horizon), cox.risks(values, width, horizon));
            for (cause, name) in (1..).zip(CAUSES) {
                let number = cause as u32;
                let key = |kind: &str| (format!("{kind}_{name}"), place, column);
                for (risks, scores) in [(&risks, &mut ours), (&beside, &mut theirs)] {
                    let of = of_cause(cause, risks);
                    keep(scores, key("c"), cause_specific(observed, number, &of, horizon))?;
                    keep(scores, key("brier"), brier(&watched, observed, Some(number), &of, horizon))?;
                }
                keep(&mut single, key("c"), cause_specific(observed, number, &last, horizon))?;
            }
        }
    }
    Ok([ours, theirs, single])
}

/// A standardised value; 0, the mean, where there is none.
fn or_mean(value: f32) -> f64 {
    if value.is_nan() { 0.0 } else { f64::from(value) }
}

/// Keeps a score; where the few rows at risk do not define it, there is none.
fn keep(scores: &mut Scores, key: (String, usize, usize), score: Result<f64, MetricError>) -> Result<(), MetricError> {
    match score {
        Ok(value) => {
            scores.insert(key, value);
        }
        Err(MetricError::Undefined { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
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
