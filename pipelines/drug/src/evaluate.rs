//! `evaluate`: trained models against a table with measured affinities, beside the mean that they have to beat, and
//! what of the table they were trained on.

use crate::cli::{Evaluate, counted};
use crate::config::{EvaluateConfig, without_run_folder};
use crate::inputs;
use crate::predict::load;
use crate::train::{LEVEL, RESAMPLES};
use drug::chem::Molecule;
use drug::model::Ensemble;
use drug::seen::{FILE, Overlap, Seen};
use drug::split::{drug_groups, target_groups};
use drug::study::{Protocol, Scores, score, score_one};
use drug::table::{AffinityTable, Pair, Quantity};
use nn_core::metrics::{self, Interval, MetricError};
use rayon::prelude::*;
use serde_json::{Map, json};
use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use workbench::args::Common;
use workbench::observe::say;
use workbench::table::Table;

/// What the resamples behind the intervals are drawn by.
const SEED: u64 = 1;
/// Scores that get an interval.
const INTERVALS: [&str; 6] = ["mse", "ci", "ci_above_floor", "rm2", "pearson", "average_precision"];
/// Name of the row with the error of always predicting the mean of the training values.
const BASELINE: &str = "mse of the training mean";

pub(crate) fn run(common: &Common, args: &Evaluate) -> anyhow::Result<()> {
    without_run_folder(common, "evaluate")?;
    let Some(settings) = EvaluateConfig::new(common, &args.source)? else { return Ok(()) };
    let data = settings.source.data.display().to_string();
    if args.source.data.is_none() {
        say(common, &format!("judging on {data}; name another table with --data"));
    }
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = load(common, &args.model, &device)?;
    let seen = Seen::of_model(&args.model)?;
    let loaded = inputs::load(&settings.source, common)?;
    let (table, predicted_quantity) = (&loaded.table, &ensemble.card().quantity);
    anyhow::ensure!(
        *predicted_quantity == table.quantity,
        "the model predicts {}, the table holds {}; name the table's quantity with --quantity if it is the same",
        predicted_quantity.label(),
        table.quantity.label()
    );
    let rows = readable(common, table)?;
    let judged = Judged::new(&ensemble, table, &rows, seen.as_ref())?;

    let left_out = loaded.refused.len() + table.pairs.len() - rows.len();
    let models = ensemble.models().len();
    let mut out = std::io::stdout().lock();
    if common.json {
        let scores: Map<String, serde_json::Value> = judged
            .rows
            .iter()
            .map(|row| {
                let ends = row.interval.map_or((None, None), |interval| (Some(interval.low), Some(interval.high)));
                let value = json!({ "value": row.value, "low": ends.0, "high": ends.1, "new_pairs": row.new_pairs });
                (row.name.clone(), value)
            })
            .collect();
        let in_training = judged
            .overlap
            .as_ref()
            .map(|found| json!({ "drugs": found.drugs, "targets": found.targets, "pairs": found.pairs }));
        let found = json!({
            "data": data, "pairs": rows.len(), "left_out": left_out, "models": models, "scores": scores,
            "intervals_over": judged.drawn, "training_mean": seen.as_ref().map(Seen::mean), "in_training": in_training,
        });
        writeln!(out, "{found}")?;
        return Ok(());
    }
    let mut title = format!("{} of {data}, mean of {}", counted(rows.len(), "pair"), counted(models, "model"));
    if left_out > 0 {
        title = format!("{title}, {} left out", counted(left_out, "row"));
    }
    judged.table(title).write(&mut out, false)?;
    Ok(writeln!(out, "\n{}", judged.remarks())?)
}

/// The rows whose SMILES can be read: as `predict` does, a string that is no molecule is not scored.
fn readable(common: &Common, table: &AffinityTable) -> anyhow::Result<Vec<usize>> {
    let problems: Vec<Option<String>> =
        table.drugs.par_iter().map(|drug| Molecule::parse(&drug.smiles).err().map(|error| error.to_string())).collect();
    let is_readable = |row: usize| problems[table.pairs[row].drug as usize].is_none();
    let (rows, left_out): (Vec<usize>, Vec<usize>) = (0..table.pairs.len()).partition(|&row| is_readable(row));
    if let Some(&first) = left_out.first() {
        let drug = table.pairs[first].drug as usize;
        let (id, problem) = (&table.drugs[drug].id, problems[drug].as_deref().unwrap_or_default());
        let n = left_out.len();
        say(common, &format!("rows left out because their SMILES cannot be read: {n}; the first is {id}: {problem}"));
    }
    anyhow::ensure!(!rows.is_empty(), "no row has a SMILES that can be read, so there is nothing to judge");
    Ok(rows)
}

/// One score.
struct Row {
    name: String,
    value: f64,
    interval: Option<Interval>,
    /// The same without the pairs that were in training, where that is known and there is one.
    new_pairs: Option<f64>,
}

/// The models' scores on a table.
struct Judged {
    rows: Vec<Row>,
    /// What the resamples behind the intervals draw whole.
    drawn: &'static str,
    /// What of the table was in training, where that is known.
    overlap: Option<Overlap>,
}

impl Judged {
    fn new(ensemble: &Ensemble, table: &AffinityTable, rows: &[usize], seen: Option<&Seen>) -> anyhow::Result<Self> {
        let quantity = &table.quantity;
        let (measured, predicted) = (table.values(rows), ensemble.predict(table, rows)?);
        let (drawn, groups) = groups(table, rows);
        let intervals = intervals(&groups, &measured, &predicted, quantity)?;
        let overlap = seen.map(|seen| seen.overlap(table, rows));
        let new: Vec<usize> = overlap
            .iter()
            .flat_map(|found| found.rows.iter().enumerate())
            .filter_map(|(place, &seen)| (!seen).then_some(place))
            .collect();
        let new_measured = picked(&measured, &new);
        let new_scores = if new.is_empty() {
            Scores::new()
        } else {
            score(&new_measured, &picked(&predicted, &new), Protocol::Clean, quantity)?
        };

        let scores = score(&measured, &predicted, Protocol::Clean, quantity)?;
        let mut found = Vec::new();
        for (name, value) in scores {
            // Outside the paper's protocol it is `ci`.
            if name == "ci_full" {
                continue;
            }
            let (interval, new_pairs) = (intervals.get(name.as_str()).copied(), new_scores.get(&name).copied());
            let baseline = seen.filter(|_| name == "mse");
            found.push(Row { name, value, interval, new_pairs });
            if let Some(seen) = baseline {
                let error = |measured: &[f64]| metrics::mse(measured, &vec![seen.mean(); measured.len()]);
                let new_pairs = if new.is_empty() { None } else { Some(error(&new_measured)?) };
                found.push(Row { name: BASELINE.to_owned(), value: error(&measured)?, interval: None, new_pairs });
            }
        }
        Ok(Self { rows: found, drawn, overlap })
    }

    /// Whether some pairs were in training, so that the others are worth a column.
    fn overlaps(&self) -> bool {
        self.overlap.as_ref().is_some_and(|found| (1..found.pairs.of).contains(&found.pairs.seen))
    }

    fn table(&self, title: String) -> Table {
        let mut table = Table::new(title).text("score").number("value").number("low").number("high");
        if self.overlaps() {
            table = table.number("new pairs");
        }
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        for row in &self.rows {
            let ends = row.interval.map_or([None, None], |interval| [Some(interval.low), Some(interval.high)]);
            let numbers = [Some(row.value), ends[0], ends[1], row.new_pairs];
            let shown = if self.overlaps() { &numbers[..] } else { &numbers[..3] };
            table.push([row.name.clone()].into_iter().chain(shown.iter().map(|&value| number(value))));
        }
        table
    }

    /// What the numbers of the table are.
    fn remarks(&self) -> String {
        let percent = LEVEL * 100.0;
        let intervals = format!("low and high: {percent:.0} % intervals, by drawing whole {} again", self.drawn);
        let Some(Overlap { drugs, targets, pairs, .. }) = &self.overlap else {
            return format!(
                "{intervals}\nhow much of this was in training is not known: there is no {FILE} beside the models"
            );
        };
        let column = match (pairs.seen, pairs.of - pairs.seen) {
            (0, _) => "",
            (_, 0) => "; there is nothing left to show how the models do on new pairs",
            _ => "; the column \"new pairs\" leaves those pairs out",
        };
        format!(
            "{intervals}\nin training: {} of {}, {} of {}, {} of {}{column}",
            drugs.seen,
            counted(drugs.of, "drug"),
            targets.seen,
            counted(targets.of, "target"),
            pairs.seen,
            counted(pairs.of, "pair")
        )
    }
}

/// What the bootstrap draws whole, and for each row the number of its own. Rows that share a drug or a target are not
/// independent; the fewer there are of either, the less the rows say.
fn groups(table: &AffinityTable, rows: &[usize]) -> (&'static str, Vec<u64>) {
    let of_rows = |groups: &[u64], entity: fn(&Pair) -> u32| -> Vec<u64> {
        rows.iter().map(|&row| groups[entity(&table.pairs[row]) as usize]).collect()
    };
    let drugs = of_rows(&drug_groups(table), |pair| pair.drug);
    let targets = of_rows(&target_groups(table), |pair| pair.target);
    let distinct = |groups: &[u64]| groups.iter().collect::<HashSet<_>>().len();
    match (distinct(&drugs), distinct(&targets)) {
        (n_drugs, n_targets) if n_targets > 1 && (n_targets < n_drugs || n_drugs < 2) => ("targets", targets),
        _ => ("drugs", drugs),
    }
}

fn intervals(
    groups: &[u64],
    measured: &[f64],
    predicted: &[f64],
    quantity: &Quantity,
) -> Result<BTreeMap<&'static str, Interval>, MetricError> {
    let mut found = BTreeMap::new();
    for name in INTERVALS {
        let statistic = |rows: &[usize]| {
            score_one(name, &picked(measured, rows), &picked(predicted, rows), Protocol::Clean, quantity)
        };
        match metrics::interval(groups, RESAMPLES, LEVEL, SEED, statistic) {
            Ok(interval) => {
                found.insert(name, interval);
            }
            Err(MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The values at `places`.
fn picked(of: &[f64], places: &[usize]) -> Vec<f64> {
    places.iter().map(|&place| of[place]).collect()
}
