//! Landmarking: at one moment, those still at risk, the values last seen of them, and a Cox model for each cause.

use serde::{Deserialize, Serialize};

use super::{Cox, CoxConfig, CoxError};
use crate::systems::dynamic_deephit::Trajectory;

/// Who is at risk at a landmark, what was last seen of each, and what came later.
#[derive(Debug, Clone, PartialEq)]
pub struct LandmarkRows {
    /// Which of the trajectories the rows are.
    pub rows: Vec<usize>,
    /// Variables of a row.
    pub columns: usize,
    /// `[rows, columns]`: each variable's last value up to and including the landmark, NaN where there is none.
    pub values: Vec<f32>,
    /// Time from the landmark to the event or the loss.
    pub times: Vec<f64>,
    /// Cause, or 0.
    pub causes: Vec<u32>,
}

impl LandmarkRows {
    /// The trajectories of `columns` variables that were measured up to `landmark` and followed beyond it.
    pub fn at(landmark: f64, trajectories: &[Trajectory], columns: usize) -> Self {
        let mut found = Self { rows: Vec::new(), columns, values: Vec::new(), times: Vec::new(), causes: Vec::new() };
        for (row, trajectory) in trajectories.iter().enumerate() {
            let Some(known) = trajectory.until(landmark) else { continue };
            let mut last = vec![f32::NAN; columns];
            for measured in known.values.chunks_exact(columns.max(1)) {
                last.iter_mut()
                    .zip(measured)
                    .filter(|(_, value)| !value.is_nan())
                    .for_each(|(last, value)| *last = *value);
            }
            found.rows.push(row);
            found.values.extend(last);
            found.times.push(trajectory.end - landmark);
            found.causes.push(trajectory.cause);
        }
        found
    }
}

/// A Cox model for each cause at one landmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandmarkCox {
    /// The models, cause 1 first; none for a cause that nobody had.
    causes: Vec<Option<Cox>>,
}

impl LandmarkCox {
    /// Fits the models of `causes` causes to what happened within `horizon` of the landmark: who is free of all then
    /// counts as lost at that moment, so that later events do not bend the hazards. For the hazard of one cause the
    /// other events end the watch.
    ///
    /// # Errors
    /// As [`CoxConfig::fit`].
    pub fn fit(config: &CoxConfig, rows: &LandmarkRows, causes: u32, horizon: f64) -> Result<Self, CoxError> {
        let times: Vec<f64> = rows.times.iter().map(|time| time.min(horizon)).collect();
        let model = |cause: u32| {
            let pairs = rows.causes.iter().zip(&rows.times);
            let events: Vec<bool> = pairs.map(|(found, time)| *found == cause && *time <= horizon).collect();
            match config.fit(&rows.values, rows.columns, &times, &events) {
                Ok(model) => Ok(Some(model)),
                Err(CoxError::NoEvents { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        Ok(Self { causes: (1..=causes).map(model).collect::<Result<_, _>>()? })
    }

    /// The model of a cause, from 1.
    pub fn cause(&self, cause: u32) -> Option<&Cox> {
        self.causes.get((cause as usize).checked_sub(1)?)?.as_ref()
    }

    /// Risk of each row to have had each cause first by `horizon`: `[rows, causes]`. The risks and the chance to be
    /// free of all sum to 1.
    pub fn risks(&self, values: &[f32], columns: usize, horizon: f64) -> Vec<f64> {
        let n = self.causes.len();
        // (time, cause, step of the baseline hazard) of all causes, in the order of time
        let mut steps: Vec<(f64, usize, f64)> = Vec::new();
        let mut hazards = vec![Vec::new(); n];
        for (cause, model) in self.causes.iter().enumerate() {
            let Some(model) = model else { continue };
            hazards[cause] = model.log_hazards(values).into_iter().map(f64::exp).collect();
            let mut before = 0.0;
            for (&time, &value) in model.baseline().times.iter().zip(&model.baseline().values) {
                if time <= horizon {
                    steps.push((time, cause, value - before));
                }
                before = value;
            }
        }
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let rows = values.len() / columns.max(1);
        let mut risks = vec![0.0; rows * n];
        for (row, risks) in risks.chunks_exact_mut(n.max(1)).enumerate() {
            let mut free = 1.0;
            for moment in steps.chunk_by(|a, b| a.0 == b.0) {
                let hazard = |&(_, cause, step): &(f64, usize, f64)| hazards[cause][row] * step;
                let total: f64 = moment.iter().map(hazard).sum();
                // who leaves at this moment leaves to each cause by its share of the hazard
                let leaving = -free * (-total).exp_m1();
                if total > 0.0 {
                    moment.iter().for_each(|one| risks[one.1] += leaving * hazard(one) / total);
                }
                free -= leaving;
            }
        }
        risks
    }
}
