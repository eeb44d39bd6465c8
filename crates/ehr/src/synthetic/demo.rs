//! A cohort whose risk depends on the order of two drugs and on the time between them.

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{rng, standard_normal};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{SyntheticError, some_day};
use crate::cohort::{Cohort, CohortError};
use crate::events::{Events, EventsBuilder};
use crate::time::{Span, Time};

/// The drug that is dangerous when the other one follows soon.
pub const TIDE: &str = "MEDICATION//TIDE";
/// The other one.
pub const EMBER: &str = "MEDICATION//EMBER";
/// What then happens.
pub const SQUALL: &str = "DIAGNOSIS//SQUALL";

/// The question of the demo: a squall within a year of the check-up.
pub const DEMO_COHORT: &str = r#"name = "squall-1y"
description = "Whether a squall comes within a year of the check-up, of everybody who has had none"
index.codes = ["CHECKUP"]
which = "first"
outcome.when.codes = ["DIAGNOSIS//SQUALL"]
outcome.horizon = "365d"
censoring = "drop"
min_history = "30d"

[[exclusion]]
name = "with a squall before"
codes = ["DIAGNOSIS//SQUALL"]
"#;

/// How large the cohort is, and how strong the hazard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemoConfig {
    /// Subjects, from 1 on.
    pub subjects: usize,
    /// Codes that mean nothing, 1 to 1000.
    pub noise_codes: usize,
    /// Fewest and most visits before the check-up, 4 to 100.
    pub visits: [usize; 2],
    /// Probability of a squall within a year for those who had TIDE and, within 25 days, EMBER.
    pub high_risk: f64,
    /// Probability for the others.
    pub low_risk: f64,
    /// Share of subjects who are lost in that year.
    pub lost: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self { subjects: 1_200, noise_codes: 30, visits: [5, 9], high_risk: 0.95, low_risk: 0.05, lost: 0.05, seed: 1 }
    }
}

impl DemoConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("subjects", self.subjects, 1..=100_000_000)?;
        in_range("noise_codes", self.noise_codes, 1..=1_000)?;
        in_range("visits[0]", self.visits[0], 4..=100)?;
        in_range("visits[1]", self.visits[1], self.visits[0]..=100)?;
        in_range("high_risk", self.high_risk, 0.0..=0.999)?;
        in_range("low_risk", self.low_risk, 0.0..=0.999)?;
        in_range("lost", self.lost, 0.0..=0.9)
    }
}

/// What was planted in a subject.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DemoTruth {
    /// The subject.
    pub subject: i64,
    /// Whether TIDE came before EMBER.
    pub in_order: bool,
    /// Days between the two.
    pub gap: i64,
    /// Probability of a squall within a year.
    pub risk: f64,
}

/// Records with the planted hazard.
///
/// Each subject has the two drugs once, at two visits that follow each other, one short and one long interval somewhere
/// between visits, and any number of codes that mean nothing. Half of the subjects had TIDE and soon after it EMBER, a
/// quarter the same in the other order, an eighth each the two orders with a long interval between. Number of visits,
/// length of the record and counts of codes are drawn alike for all, so what counts codes is at an AUROC of 1/2. Who
/// knows the risk reaches, with the defaults, 0.95² + 0.95 · 0.05 = 0.95.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The records.
    pub events: Events,
    /// What was planted, by subject.
    pub truth: Vec<DemoTruth>,
}

impl Demo {
    /// Generates a cohort.
    ///
    /// # Errors
    /// [`SyntheticError::Config`] for a setting out of its range.
    pub fn new(config: &DemoConfig) -> Result<Self, SyntheticError> {
        config.validate()?;
        let mut builder = EventsBuilder::new();
        let truth = (0..config.subjects).map(|place| {
            // A subject's record is a function of its number: a larger cohort begins with the smaller one.
            subject(place as i64 + 1, config, &mut rng(config.seed, &[place as u64]), &mut builder)
        });
        let truth = truth.collect();
        Ok(Self { events: builder.finish()?, truth })
    }

    /// [`DEMO_COHORT`].
    ///
    /// # Errors
    /// None in fact: the text is a constant.
    pub fn cohort() -> Result<Cohort, CohortError> {
        Cohort::from_toml(DEMO_COHORT)
    }
}

fn subject(id: i64, config: &DemoConfig, draw: &mut ChaCha8Rng, builder: &mut EventsBuilder) -> DemoTruth {
    let start = some_day(draw);
    let age = Span::days(draw.random_range(40 * 365..85 * 365));
    builder.push(id, None, if draw.random_bool(0.5) { "GENDER//F" } else { "GENDER//M" }, None, None);
    builder.push(id, Some(start.minus(age)), "MEDS_BIRTH", None, None);

    let visits = draw.random_range(config.visits[0]..=config.visits[1]);
    let mut gaps: Vec<i64> = (1..visits).map(|_| draw.random_range(40..=90)).collect();
    let short = draw.random_range(0..gaps.len());
    // Any other gap.
    let long = (short + draw.random_range(1..gaps.len())) % gaps.len();
    (gaps[short], gaps[long]) = (draw.random_range(5..=25), draw.random_range(150..=300));
    let (in_order, soon) = match draw.random_range(0..8) {
        0..4 => (true, true),
        4 | 5 => (false, true),
        6 => (true, false),
        _ => (false, false),
    };
    let first = if soon { short } else { long };
    let [before, after] = if in_order { [TIDE, EMBER] } else { [EMBER, TIDE] };
    let mut day = start;
    for visit in 0..visits {
        let time = day.plus(Span::minutes(draw.random_range(8 * 60..17 * 60)));
        builder.push(id, Some(time), "ENCOUNTER//OUTPATIENT", None, None);
        for _ in 0..draw.random_range(1..=4) {
            let code = format!("DIAGNOSIS//NOISE//{:03}", draw.random_range(0..config.noise_codes));
            builder.push(id, Some(time), &code, None, None);
        }
        builder.push(id, Some(time), "LAB//FLINT", Some((5.0 + standard_normal(draw)) as f32), None);
        if visit == first {
            builder.push(id, Some(time), before, None, None);
        }
        if visit == first + 1 {
            builder.push(id, Some(time), after, None, None);
        }
        day = day.plus(Span::days(gaps.get(visit).copied().unwrap_or_else(|| draw.random_range(40..=90))));
    }
    let checkup = day.plus(Span::hours(12));
    builder.push(id, Some(checkup), "CHECKUP", None, None);
    let risk = if in_order && soon { config.high_risk } else { config.low_risk };
    future(id, checkup, risk, config, draw, builder);
    DemoTruth { subject: id, in_order, gap: gaps[first], risk }
}

/// What comes after the check-up: a constant hazard by which the risk is reached after a year, and a last contact.
fn future(id: i64, checkup: Time, risk: f64, config: &DemoConfig, draw: &mut ChaCha8Rng, builder: &mut EventsBuilder) {
    let rate = -(1.0 - risk).ln() / 365.0;
    // A risk of 0 has no time.
    let days = if rate > 0.0 { -(1.0 - draw.random::<f64>()).ln() / rate } else { f64::INFINITY };
    let watched = if draw.random_bool(config.lost) { draw.random_range(5..360) } else { 400 };
    if days < watched as f64 {
        let time = checkup.plus(Span::minutes((days * 1_440.0).ceil() as i64));
        builder.push(id, Some(time), SQUALL, None, None);
    }
    builder.push(id, Some(checkup.plus(Span::days(watched))), "CONTACT//LAST", None, None);
}
