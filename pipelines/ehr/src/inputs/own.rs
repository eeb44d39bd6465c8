//! Sets that come with labels of their own.

use super::{Loaded, of_tables};
use ehr::events::Events;
use ehr::io::etl::Source;
use ehr::io::p12::{self, P12Config};
use ehr::io::sets::diabetes;
use ehr::split::{Part, Split};
use std::collections::BTreeMap;
use std::path::Path;
use workbench::exit::Usage;

/// Both sets of `PhysioNet` 2012: the first to learn from, the second held out.
const BOTH: &str = "both";
/// What the stays are asked.
const DEATH: &str = "in-hospital death";
/// Every stay of the diabetes set, those after which nobody can come back among them.
const ALL: &str = "all";
/// What the stays of the diabetes set are asked.
const READMISSION: &str = "readmission within 30 days";

/// The tables of one set of `PhysioNet` 2012.
pub(super) fn p12(path: &Path, part: Option<&str>) -> anyhow::Result<Box<dyn Source>> {
    if part == Some(BOTH) {
        return Err(Usage("one set is converted at a time; give --part a or --part b".into()).into());
    }
    Ok(p12::open(path, &P12Config { part: named(part), ..P12Config::default() })?)
}

/// `set-a` and `a` are the same.
fn named(part: Option<&str>) -> Option<String> {
    part.map(|part| part.trim_start_matches("set-").to_owned())
}

/// Stays of `PhysioNet` 2012 with their outcomes and the clinicians' scores.
pub(super) fn p12_loaded(path: &Path, part: Option<&str>) -> anyhow::Result<Loaded> {
    if part != Some(BOTH) {
        return p12_set(path, part);
    }
    let (first, second) = (p12_set(path, Some("a"))?, p12_set(path, Some("b"))?);
    let parts = [(&first, Part::Train), (&second, Part::HeldOut)];
    let split = parts.into_iter().flat_map(|(set, part)| set.events.ids().iter().map(move |&id| (id, part)));
    let split = Split::from_pairs(split)?;
    let mut both = Loaded { split: Some(split), ..Loaded::of(Events::default()) };
    let mut events = Vec::new();
    for set in [first, second] {
        both.told = if both.told.is_empty() { set.told } else { format!("{}\n{}", both.told, set.told) };
        for (reason, rows) in set.dropped {
            *both.dropped.entry(reason).or_insert(0) += rows;
        }
        let (task, labels) = set.own.unwrap_or_default();
        both.own.get_or_insert_with(|| (task, Vec::new())).1.extend(labels);
        for (name, scores) in set.scores {
            match both.scores.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.extend(scores),
                None => both.scores.push((name, scores)),
            }
        }
        events.push(set.events);
    }
    both.events = Events::merge(events)?;
    Ok(both)
}

fn p12_set(path: &Path, part: Option<&str>) -> anyhow::Result<Loaded> {
    let mut loaded = of_tables(p12(path, part)?.as_mut())?;
    let (mut outcomes, counts) = p12::outcomes(path, named(part).as_deref())?;
    loaded.told = format!("{}\noutcomes: {counts}", loaded.told);
    let all = outcomes.len();
    outcomes.retain(|outcome| loaded.events.find(outcome.record).is_some());
    if outcomes.len() < all {
        loaded.dropped.insert("outcome of a stay that is not there".to_owned(), all - outcomes.len());
    }
    let scores = |of: &dyn Fn(&p12::P12Outcome) -> Option<u32>| -> BTreeMap<i64, f32> {
        outcomes.iter().filter_map(|outcome| Some((outcome.record, of(outcome)? as f32))).collect()
    };
    loaded.scores = vec![
        ("SAPS-I".to_owned(), scores(&|outcome| outcome.saps)),
        ("SOFA".to_owned(), scores(&|outcome| outcome.sofa)),
    ];
    loaded.own = Some((DEATH.to_owned(), p12::labels(&outcomes)));
    Ok(loaded)
}

/// The stays of the diabetes set, asked at discharge whether the patient comes back within 30 days.
pub(super) fn diabetes_loaded(path: &Path, part: Option<&str>) -> anyhow::Result<Loaded> {
    let mut loaded = of_tables(diabetes::open(path)?.as_mut())?;
    let encounters = diabetes::read(path)?.encounters;
    let labels = diabetes::labels(&encounters, part == Some(ALL));
    if labels.len() < encounters.len() {
        let reason = "stay that ended in death or a hospice".to_owned();
        loaded.dropped.insert(reason, encounters.len() - labels.len());
    }
    loaded.own = Some((READMISSION.to_owned(), labels));
    Ok(loaded)
}
