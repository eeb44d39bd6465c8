//! Generated records with a known truth, for the demo and for tests.
//!
//! | what | for |
//! |---|---|
//! | [`Demo`] | a hazard that depends on the order of two drugs and the time between them: no count of codes can see it |
//! | [`Canary`] | a task with one leak of each kind, and its clean twin: the audit must find the one and pass the other |
//! | [`mimic_tables`] | hospital tables of any size in the shape of MIMIC-III, to measure conversion with |
//! | [`mimic4_tables`] | a few in the shape of MIMIC-IV, in which the first day tells who will die in hospital |
//!
//! ```
//! use ehr::synthetic::{Demo, DemoConfig};
//! let demo = Demo::new(&DemoConfig { subjects: 50, ..DemoConfig::default() })?;
//! let found = Demo::cohort()?.labels(&demo.events)?;
//! assert_eq!((demo.truth.len(), found.attrition.episodes), (50, 50));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canary;
mod demo;
mod mimic;
mod mimic4;

pub use self::canary::{Canary, CanaryConfig};
pub use self::demo::{DEMO_COHORT, Demo, DemoConfig, DemoTruth, EMBER, SQUALL, TIDE};
pub use self::mimic::{MimicTables, mimic_tables};
pub use self::mimic4::{Mimic4Tables, mimic4_tables};

use nn_core::config::ConfigError;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::events::EventsError;
use crate::time::{Span, Time};

/// Why records cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Events that make no set; none does in fact.
    #[error(transparent)]
    Events(#[from] EventsError),
}

/// A time some hours, perhaps with a fraction, after another, to the minute.
fn hours_after(start: Time, hours: f64) -> Time {
    start.plus(Span::minutes((hours * 60.0).round() as i64))
}

/// Midnight of a random day of the years 2120 to 2139, in the manner of shifted dates.
fn some_day(draw: &mut ChaCha8Rng) -> Time {
    // 2120-01-01 is day 54,786 of the calendar of `Time`.
    Time(0).plus(Span::days(54_786 + draw.random_range(0..7_300)))
}

#[cfg(test)]
mod tests;
