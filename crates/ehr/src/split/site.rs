//! Division by hospital.

use std::collections::{BTreeMap, BTreeSet};

use nn_core::data::{Fractions, grouped};

use super::{Divided, Part, Split, SplitConfig, SplitError, SplitKind};
use crate::events::Events;
use crate::labels::Label;

/// The sites of each subject: what follows `prefix` in the codes that begin with it. Subjects without a site are not
/// named.
///
/// # Errors
/// [`SplitError::NoSites`] if no subject has one.
pub fn sites(events: &Events, prefix: &str) -> Result<BTreeMap<i64, BTreeSet<String>>, SplitError> {
    let mut sites: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    for subject in events.iter() {
        for event in subject.events() {
            if let Some(site) = events.codebook.name(event.code).strip_prefix(prefix) {
                sites.entry(subject.id()).or_default().insert(site.to_owned());
            }
        }
    }
    if sites.is_empty() { Err(SplitError::NoSites { prefix: prefix.to_owned() }) } else { Ok(sites) }
}

/// Divides subjects by site. Sites that are named go where they are named; shares without names are filled with whole
/// sites drawn at random. A subject with sites in two parts is in none, and its labels are not used.
///
/// # Errors
/// [`SplitError::NoSuchSite`]; [`SplitError::Undividable`] if there are too few sites to draw from;
/// [`SplitError::Config`].
pub fn by_site(
    sites: &BTreeMap<i64, BTreeSet<String>>,
    labels: &[Label],
    config: &SplitConfig,
) -> Result<Divided, SplitError> {
    config.validate()?;
    let known: BTreeSet<&str> = sites.values().flatten().map(String::as_str).collect();
    let mut parts: BTreeMap<&str, Part> = BTreeMap::new();
    for (part, names) in [(Part::Tuning, &config.tuning_sites), (Part::HeldOut, &config.held_out_sites)] {
        for name in names {
            let Some(&site) = known.get(name.as_str()) else {
                let known = known.iter().copied().take(20).collect::<Vec<_>>().join(", ");
                return Err(SplitError::NoSuchSite { site: name.clone(), part, known });
            };
            parts.insert(site, part);
        }
    }
    draw(sites, &known, &mut parts, config)?;
    let mut split = Split::default();
    for (&subject, own) in sites {
        let mut reached = own.iter().map(|site| parts.get(site.as_str()).copied().unwrap_or(Part::Train));
        if let Some(first) = reached.next()
            && reached.all(|other| other == first)
        {
            split.parts.insert(subject, first);
        }
    }
    let unused = (0..labels.len()).filter(|&row| split.part(labels[row].subject).is_none()).collect();
    Ok(Divided { split, unused })
}

/// Fills the parts that no site is named for.
fn draw<'a>(
    sites: &BTreeMap<i64, BTreeSet<String>>,
    known: &BTreeSet<&'a str>,
    parts: &mut BTreeMap<&'a str, Part>,
    config: &SplitConfig,
) -> Result<(), SplitError> {
    let share = |names: &[String], share: f64| if names.is_empty() { share } else { 0.0 };
    let fractions = Fractions {
        validation: share(&config.tuning_sites, config.tuning_fraction),
        test: share(&config.held_out_sites, config.held_out_fraction),
    };
    if fractions.validation + fractions.test == 0.0 {
        return Ok(());
    }
    // A subject of several sites counts for the first of those that are still free.
    let free: Vec<&'a str> = known.iter().copied().filter(|site| !parts.contains_key(site)).collect();
    let place = |own: &BTreeSet<String>| own.iter().find_map(|site| free.binary_search(&site.as_str()).ok());
    let groups: Vec<u64> = sites.values().filter_map(place).map(|place| place as u64).collect();
    let rows = grouped(&groups, fractions, config.seed);
    let rows = rows.map_err(|cause| SplitError::Undividable { kind: SplitKind::Site, subjects: sites.len(), cause })?;
    for (part, rows) in [(Part::Tuning, &rows.validation), (Part::HeldOut, &rows.test)] {
        parts.extend(rows.iter().map(|&row| (free[groups[row] as usize], part)));
    }
    Ok(())
}
