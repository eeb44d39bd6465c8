//! Tables without gaps, each column with mean 0 and deviation 1 on the training part.

use serde::{Deserialize, Serialize};

use super::{FeatureError, Provenance, Table};

/// What stands where nothing was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impute {
    /// The mean of the column in training.
    #[default]
    Mean,
    /// The median of the column in training.
    Median,
    /// Zero, before scaling.
    Zero,
}

/// How a table is filled and scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScalerConfig {
    /// What stands in the gaps.
    pub impute: Impute,
    /// Whether columns are divided by their deviation, after their mean was taken off.
    pub standardise: bool,
    /// Whether each column with gaps in training gets a second one behind all others, 1 where the value is missing.
    pub indicators: bool,
}

impl Default for ScalerConfig {
    fn default() -> Self {
        Self { impute: Impute::default(), standardise: true, indicators: false }
    }
}

/// Means, deviations and fillings of the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    config: ScalerConfig,
    fill: Vec<f32>,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    /// Columns with gaps in training.
    gaps: Vec<usize>,
    provenance: Provenance,
}

impl ScalerConfig {
    /// Takes the moments of each column of a table of the training part. A column without any value is filled with 0;
    /// one without variation is not divided. The deviation has n as its divisor, after filling.
    ///
    /// # Errors
    /// [`FeatureError::NoViews`] for a table without rows.
    pub fn fit(&self, table: &Table, provenance: Provenance) -> Result<Scaler, FeatureError> {
        if table.rows() == 0 {
            return Err(FeatureError::NoViews);
        }
        let mut scaler = Scaler {
            config: self.clone(),
            fill: Vec::new(),
            mean: Vec::new(),
            deviation: Vec::new(),
            gaps: Vec::new(),
            provenance,
        };
        for column in 0..table.columns() {
            let observed: Vec<f32> = table.column(column).filter(|value| !value.is_nan()).collect();
            let fill = match self.impute {
                _ if observed.is_empty() => 0.0,
                Impute::Mean => mean(observed.iter().copied()),
                Impute::Median => median(observed.clone()),
                Impute::Zero => 0.0,
            };
            let filled = || table.column(column).map(move |value| if value.is_nan() { fill as f32 } else { value });
            let centre = mean(filled());
            let squares = filled().map(|value| (f64::from(value) - centre).powi(2)).sum::<f64>();
            let deviation = (squares / table.rows() as f64).sqrt();
            if observed.len() < table.rows() {
                scaler.gaps.push(column);
            }
            scaler.fill.push(fill as f32);
            scaler.mean.push(if self.standardise { centre as f32 } else { 0.0 });
            // Rounding leaves a constant column a deviation of the order of 1e-8 of its mean.
            let varies = self.standardise && deviation > 1e-6 * centre.abs().max(1e-6);
            scaler.deviation.push(if varies { deviation as f32 } else { 1.0 });
        }
        Ok(scaler)
    }
}

impl Scaler {
    /// Whom the moments were taken from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Columns that [`Scaler::apply`] gives.
    pub fn columns(&self) -> usize {
        self.fill.len() + if self.config.indicators { self.gaps.len() } else { 0 }
    }

    /// The table filled and scaled; nothing in it is NaN.
    ///
    /// # Errors
    /// [`FeatureError::Columns`] if the table has other columns than that of training.
    pub fn apply(&self, table: &Table) -> Result<Table, FeatureError> {
        let expected = self.fill.len();
        if table.columns() != expected {
            return Err(FeatureError::Columns { found: table.columns(), expected });
        }
        // The parts of a changed file need not fit together.
        let lengths = [self.mean.len(), self.deviation.len()];
        if lengths != [expected; 2] || self.gaps.iter().any(|column| *column >= expected) {
            return Err(FeatureError::Columns { found: self.mean.len(), expected });
        }
        let mut scaled = Table { names: table.names.clone(), values: Vec::with_capacity(table.values.len()) };
        if self.config.indicators {
            scaled.names.extend(self.gaps.iter().map(|&column| format!("{}|missing", table.names[column])));
        }
        for row in 0..table.rows() {
            scaled.values.extend(self.row(table.row(row)));
        }
        Ok(scaled)
    }

    fn row<'a>(&'a self, row: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let scaled = row.iter().enumerate().map(move |(column, &value)| {
            let value = if value.is_nan() { self.fill[column] } else { value };
            (value - self.mean[column]) / self.deviation[column]
        });
        let gaps: &[usize] = if self.config.indicators { &self.gaps } else { &[] };
        scaled.chain(gaps.iter().map(move |&column| f32::from(u8::from(row[column].is_nan()))))
    }
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + f64::from(value), count + 1));
    sum / f64::from(count.max(1))
}

/// Of values that are there; of an even number the mean of the two in the middle.
fn median(mut values: Vec<f32>) -> f64 {
    values.sort_unstable_by(f32::total_cmp);
    let middle = values.len() / 2;
    let (high, low) = (values[middle], values[middle.saturating_sub(1)]);
    if values.len().is_multiple_of(2) { f64::midpoint(f64::from(low), f64::from(high)) } else { f64::from(high) }
}
