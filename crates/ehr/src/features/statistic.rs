//! Statistics of the values of one code in one window.

use serde::{Deserialize, Serialize};

/// One number from the observations of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The last value; of values at one time the one that stands last.
    Last,
    /// The first value.
    First,
    /// Arithmetic mean.
    Mean,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Standard deviation with n - 1; missing for one value.
    Sd,
    /// Slope of the regression line over time, per day; missing unless there are values at two times.
    Slope,
    /// Number of values; 0 for none.
    Count,
    /// Hours from the last value to the prediction time.
    Since,
}

impl Statistic {
    /// Name, as configurations and columns spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::First => "first",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sd => "sd",
            Self::Slope => "slope",
            Self::Count => "count",
            Self::Since => "since",
        }
    }
}

/// What is kept of the values of a code while they are read in the order of their times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    count: u32,
    first: f32,
    last: f32,
    min: f32,
    max: f32,
    /// Hours before the prediction time of the last value.
    since: f64,
    /// Running means of values and times, and sums of their squared and mixed deviations (Welford 1962, Technometrics
    /// 4:419).
    mean: f64,
    squares: f64,
    time: f64,
    time_squares: f64,
    mixed: f64,
}

impl Default for Moments {
    fn default() -> Self {
        let (first, last, since) = (f32::NAN, f32::NAN, f64::NAN);
        let (min, max) = (f32::INFINITY, f32::NEG_INFINITY);
        let (mean, squares, time, time_squares, mixed) = (0.0, 0.0, 0.0, 0.0, 0.0);
        Self { count: 0, first, last, min, max, since, mean, squares, time, time_squares, mixed }
    }
}

impl Moments {
    /// Takes a value in, observed `hours` before the prediction time.
    pub(super) fn push(&mut self, value: f32, hours: f64) {
        if self.count == 0 {
            self.first = value;
        }
        self.count += 1;
        (self.last, self.since) = (value, hours);
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        let (n, value, days) = (f64::from(self.count), f64::from(value), -hours / 24.0);
        let (of_value, of_time) = (value - self.mean, days - self.time);
        self.mean += of_value / n;
        self.time += of_time / n;
        self.squares += of_value * (value - self.mean);
        self.time_squares += of_time * (days - self.time);
        self.mixed += of_time * (value - self.mean);
    }

    /// A statistic; NaN where it is missing.
    pub(super) fn get(&self, statistic: Statistic) -> f32 {
        if self.count == 0 && statistic != Statistic::Count {
            return f32::NAN;
        }
        match statistic {
            Statistic::Last => self.last,
            Statistic::First => self.first,
            Statistic::Mean => self.mean as f32,
            Statistic::Min => self.min,
            Statistic::Max => self.max,
            Statistic::Sd if self.count > 1 => (self.squares / f64::from(self.count - 1)).sqrt() as f32,
            Statistic::Slope if self.time_squares > 0.0 => (self.mixed / self.time_squares) as f32,
            Statistic::Sd | Statistic::Slope => f32::NAN,
            Statistic::Count => self.count as f32,
            Statistic::Since => self.since as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_equal_the_two_pass_formulas() {
        let values = [(96.0_f32, 30.0_f64), (101.5, 26.0), (88.25, 8.0), (120.0, 2.0), (97.0, 2.0)];
        let mut moments = Moments::default();
        values.iter().for_each(|&(value, hours)| moments.push(value, hours));
        let n = values.len() as f64;
        let mean = values.iter().map(|(value, _)| f64::from(*value)).sum::<f64>() / n;
        let time = values.iter().map(|(_, hours)| -hours / 24.0).sum::<f64>() / n;
        let sum = |f: &dyn Fn(f64, f64) -> f64| {
            values.iter().map(|(value, hours)| f(f64::from(*value) - mean, -hours / 24.0 - time)).sum::<f64>()
        };
        let sd = (sum(&|value, _| value * value) / (n - 1.0)).sqrt();
        let slope = sum(&|value, time| value * time) / sum(&|_, time| time * time);
        // f32 has seven digits
        for (statistic, expected) in [
            (Statistic::Last, 97.0),
            (Statistic::First, 96.0),
            (Statistic::Mean, mean),
            (Statistic::Min, 88.25),
            (Statistic::Max, 120.0),
            (Statistic::Sd, sd),
            (Statistic::Slope, slope),
            (Statistic::Count, 5.0),
            (Statistic::Since, 2.0),
        ] {
            let found = f64::from(moments.get(statistic));
            assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{}: {found} {expected}", statistic.name());
        }
    }

    #[test]
    fn few_values_leave_gaps() {
        let mut moments = Moments::default();
        assert!(moments.get(Statistic::Last).is_nan() && moments.get(Statistic::Since).is_nan());
        assert_eq!(moments.get(Statistic::Count), 0.0);
        moments.push(3.0, 1.0);
        assert!(moments.get(Statistic::Sd).is_nan() && moments.get(Statistic::Slope).is_nan());
        moments.push(5.0, 1.0);
        // two values at one time have no slope
        assert!(moments.get(Statistic::Slope).is_nan());
        assert_eq!(moments.get(Statistic::Sd), 2.0_f32.sqrt());
    }
}
