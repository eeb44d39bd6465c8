//! What a side printed, rounds in turns, and what makes two sides comparable.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::results::Metric;

/// What one side measured: `seconds` for `items`. For `deepdta` an item is a training pair and the time that of an epoch; for `steps` the
/// time is that of one step and `items` is how many were timed.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Measure {
    pub(super) seconds: f64,
    pub(super) items: f64,
    /// The result, where both sides must agree.
    pub(super) value: Option<f64>,
    /// Parameters that are trained, where both sides must agree.
    pub(super) params: Option<u64>,
    pub(super) peak_mb: Option<f64>,
    /// Pages that the system had to hand out during one step.
    pub(super) page_faults: Option<f64>,
    pub(super) device: Option<String>,
    /// Name and version of the program.
    pub(super) version: Option<String>,
}

/// What both sides measured, round by round; `theirs` is empty where there is no peer.
#[derive(Debug)]
pub(super) struct Rounds {
    pub(super) ours: Vec<Measure>,
    pub(super) theirs: Vec<Measure>,
}

impl Rounds {
    /// Runs both sides `count` times in turns.
    ///
    /// # Errors
    /// A side fails.
    pub(super) fn take(
        count: u32,
        own: impl Fn() -> Result<Measure>,
        peer: Option<&impl Fn() -> Result<Measure>>,
    ) -> Result<Self> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..count {
            let Some(peer) = peer else {
                ours.push(own()?);
                continue;
            };
            // Who goes first changes, so that a machine that warms up or slows down favours neither.
            if round % 2 == 0 {
                ours.push(own()?);
                theirs.push(peer()?);
            } else {
                theirs.push(peer()?);
                ours.push(own()?);
            }
        }
        Ok(Self { ours, theirs })
    }

    /// The device that our side named.
    pub(super) fn device(&self) -> String {
        self.ours.iter().find_map(|side| side.device.clone()).unwrap_or_else(|| "cpu".to_owned())
    }

    /// Name and version of the peer.
    pub(super) fn peer(&self) -> Option<String> {
        self.theirs.iter().find_map(|side| side.version.clone())
    }

    /// The largest memory of our side.
    pub(super) fn peak_mb(&self) -> Option<f64> {
        self.ours.iter().filter_map(|side| side.peak_mb).max_by(f64::total_cmp)
    }

    /// Refuses what is no measurement, and sides that did different work.
    ///
    /// # Errors
    /// A time or a count is not positive, or the sides differ in items, result or number of parameters.
    pub(super) fn check(&self) -> Result<()> {
        for side in self.ours.iter().chain(&self.theirs) {
            if !(side.seconds.is_finite() && side.seconds > 0.0 && side.items > 0.0) {
                bail!("{} seconds for {} items is no measurement", side.seconds, side.items);
            }
        }
        for (own, peer) in self.ours.iter().zip(&self.theirs) {
            if own.items != peer.items {
                bail!("our side measured {} items, the peer {}", own.items, peer.items);
            }
            if let (Some(a), Some(b)) = (own.value, peer.value)
                && (a - b).abs() > 1e-9
            {
                bail!("our side computes {a}, the peer {b}");
            }
            if let (Some(a), Some(b)) = (own.params, peer.params)
                && a != b
            {
                bail!("our side trains {a} parameters, the peer {b}: they are not the same network");
            }
        }
        Ok(())
    }

    /// What `of` makes of each round with both sides; none where it has nothing to say of any.
    pub(super) fn paired(&self, of: impl Fn(&Measure, &Measure) -> Option<f64>) -> Option<Metric> {
        let values: Vec<f64> = self.ours.iter().zip(&self.theirs).filter_map(|(own, peer)| of(own, peer)).collect();
        Metric::rounds(&values)
    }

    /// Ratios (our time divided by the peer's), times and memory.
    ///
    /// # Errors
    /// As [`Rounds::check`].
    pub(super) fn compare(&self) -> Result<BTreeMap<String, Metric>> {
        self.check()?;
        let metrics = [
            ("ratio", self.paired(|own, peer| Some(own.seconds / peer.seconds))),
            ("seconds", each(&self.ours, |side| Some(side.seconds))),
            ("items_per_second", each(&self.ours, |side| Some(side.items / side.seconds))),
            ("peak_mb", each(&self.ours, |side| side.peak_mb)),
            ("peer_seconds", each(&self.theirs, |side| Some(side.seconds))),
            ("peer_peak_mb", each(&self.theirs, |side| side.peak_mb)),
        ];
        Ok(named(metrics))
    }
}

/// What `of` makes of each round of one side; none where it has nothing to say of any.
pub(super) fn each(side: &[Measure], of: impl Fn(&Measure) -> Option<f64>) -> Option<Metric> {
    Metric::rounds(&side.iter().filter_map(of).collect::<Vec<f64>>())
}

/// The metrics that were measured, by name.
pub(super) fn named<K: Into<String>>(
    metrics: impl IntoIterator<Item = (K, Option<Metric>)>,
) -> BTreeMap<String, Metric> {
    metrics.into_iter().filter_map(|(name, metric)| Some((name.into(), metric?))).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn side(seconds: f64, items: f64, value: Option<f64>) -> Measure {
        Measure { seconds, items, value, peak_mb: Some(seconds * 100.0), ..Measure::default() }
    }

    fn compare(ours: &[Measure], theirs: &[Measure]) -> Result<BTreeMap<String, Metric>> {
        Rounds { ours: ours.to_vec(), theirs: theirs.to_vec() }.compare()
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let ours = [side(1.0, 10.0, None), side(2.0, 10.0, None), side(3.0, 10.0, None)];
        let theirs = [side(4.0, 10.0, None), side(4.0, 10.0, None), side(4.0, 10.0, None)];
        let metrics = compare(&ours, &theirs).unwrap();
        assert_eq!(metrics["ratio"].values, [0.25, 0.5, 0.75]);
        assert_eq!(metrics["ratio"].mean, 0.5);
        assert_eq!(metrics["items_per_second"].high, Some(10.0));
        assert_eq!(metrics["peak_mb"].high, Some(300.0));
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let metrics = compare(&[side(1.0, 10.0, None)], &[]).unwrap();
        assert!(!metrics.contains_key("ratio") && metrics.contains_key("seconds"));
    }

    #[test]
    fn sides_that_did_different_work_are_refused() {
        let own = [side(1.0, 10.0, Some(0.8))];
        assert!(compare(&own, &[side(1.0, 11.0, Some(0.8))]).is_err());
        assert!(compare(&own, &[side(1.0, 10.0, Some(0.801))]).is_err());
        assert!(compare(&own, &[side(0.0, 10.0, Some(0.8))]).is_err());
        assert!(compare(&own, &[side(f64::NAN, 10.0, Some(0.8))]).is_err());
    }

    #[test]
    fn networks_of_different_size_are_refused_where_both_sides_say_their_size() {
        let sized = |params| Measure { params, ..side(1.0, 5.0, None) };
        assert!(compare(&[sized(Some(7))], &[sized(Some(7))]).is_ok());
        assert!(compare(&[sized(Some(7))], &[sized(None)]).is_ok());
        let error = compare(&[sized(Some(7))], &[sized(Some(8))]).unwrap_err().to_string();
        assert!(error.contains("trains 7 parameters, the peer 8"), "{error}");
    }

    #[test]
    fn the_sides_change_who_goes_first() {
        let order = RefCell::new(String::new());
        let run = |who: char| {
            order.borrow_mut().push(who);
            Ok(side(1.0, 1.0, None))
        };
        let rounds = Rounds::take(3, || run('o'), Some(&|| run('p'))).unwrap();
        assert_eq!((order.take().as_str(), rounds.ours.len(), rounds.theirs.len()), ("oppoop", 3, 3));
    }
}
