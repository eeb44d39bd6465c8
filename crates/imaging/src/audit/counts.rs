//! The counts of an audit: what is in a part, what two parts have in common, what is there twice, what stands out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nn_core::data::{Part, Split};

use super::facts::modified_z;
use super::near::Alike;
use super::{Duplicate, Facts, LISTED, LabelAudit, Named, Outlier, Overlap, PartAudit};
use crate::evaluate::Spread;

pub(super) fn part_audit(facts: &[Facts], classes: &[String], copies: &[u64], part: Part, rows: &[usize]) -> PartAudit {
    let of = |rows: &[usize], value: fn(&Facts) -> f64| rows.iter().map(|&row| value(&facts[row])).collect::<Vec<_>>();
    let mut counts = vec![0; classes.len()];
    for class in rows.iter().filter_map(|&row| facts[row].class) {
        if let Some(count) = counts.get_mut(class) {
            *count += 1;
        }
    }
    let mut labels: BTreeMap<usize, (String, Vec<f64>)> = BTreeMap::new();
    for found in rows.iter().filter_map(|&row| facts[row].labels.as_ref()) {
        for (place, label) in found.iter().enumerate() {
            let (_, volumes) = labels.entry(place).or_insert_with(|| (label.name.clone(), Vec::new()));
            if label.voxels > 0 {
                volumes.push(label.mm3);
            }
        }
    }
    let range = |axis: usize| {
        let sizes = || rows.iter().map(|&row| facts[row].size[axis]);
        [sizes().min().unwrap_or(0), sizes().max().unwrap_or(0)]
    };
    let spacing = |axis: usize| {
        let spacings = || rows.iter().map(|&row| facts[row].spacing[axis]);
        [spacings().fold(f64::INFINITY, f64::min), spacings().fold(0.0, f64::max)]
    };
    let named =
        |(name, volumes): (String, Vec<f64>)| LabelAudit { name, cases: volumes.len(), mm3: Spread::of(&volumes) };
    let nothing = Spread { cases: 0, mean: 0.0, sd: 0.0, quartiles: [0.0; 5] };
    let distinct = rows.iter().map(|&row| copies[row]).collect::<BTreeSet<_>>().len();
    let labelled = rows.iter().filter(|&&row| facts[row].labels.is_some() || facts[row].class.is_some()).count();
    PartAudit {
        part,
        rows: rows.len(),
        subjects: rows.iter().map(|&row| facts[row].subject.as_str()).collect::<BTreeSet<_>>().len(),
        repeats: rows.len() - distinct,
        classes: classes.iter().cloned().zip(counts).collect(),
        labels: labels.into_values().map(named).collect(),
        unlabelled: rows.len() - labelled,
        sizes: [0, 1, 2].map(range),
        spacings: [0, 1, 2].map(spacing),
        medians: Spread::of(&of(rows, |facts| facts.intensity[1])).unwrap_or(nothing),
    }
}

fn differ(one: &Facts, other: &Facts) -> bool {
    one.class.is_some() && other.class.is_some() && one.class != other.class
}

pub(super) fn overlap(facts: &[Facts], copies: &[u64], near: &[Alike], part: Part, split: &Split) -> Overlap {
    let rows = split.part(part);
    let mut learnt: HashMap<u64, Vec<usize>> = HashMap::new();
    for &row in &split.train {
        learnt.entry(copies[row]).or_default().push(row);
    }
    let train: BTreeSet<usize> = split.train.iter().copied().collect();
    let mut alike: HashMap<usize, Vec<usize>> = HashMap::new();
    for pair in near {
        for (one, other) in [(pair.first, pair.second), (pair.second, pair.first)] {
            if train.contains(&other) {
                alike.entry(one).or_default().push(other);
            }
        }
    }
    let (mut exact, mut like, mut conflicting) = (0, 0, 0);
    for &row in rows {
        let same = learnt.get(&copies[row]);
        let twins = same.or_else(|| alike.get(&row));
        exact += usize::from(same.is_some());
        like += usize::from(same.is_none() && twins.is_some());
        let contradicts = |twins: &Vec<usize>| twins.iter().any(|&twin| differ(&facts[twin], &facts[row]));
        conflicting += usize::from(twins.is_some_and(contradicts));
    }
    let known: BTreeSet<&str> = split.train.iter().map(|&row| facts[row].subject.as_str()).collect();
    let shared = || rows.iter().map(|&row| facts[row].subject.as_str()).filter(|subject| known.contains(subject));
    let subjects: BTreeSet<&str> = shared().collect();
    Overlap {
        part,
        rows: rows.len(),
        exact,
        near: like,
        conflicting,
        subjects: subjects.len(),
        rows_of_subjects: shared().count(),
        shared_subjects: subjects.into_iter().take(LISTED).map(str::to_owned).collect(),
    }
}

pub(super) fn duplicates(
    facts: &[Facts],
    copies: &[u64],
    near: &[Alike],
    named: &dyn Fn(usize) -> Named,
) -> Vec<Duplicate> {
    let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (row, copy) in copies.iter().enumerate() {
        groups.entry(*copy).or_default().push(row);
    }
    let exact = groups.values().filter(|rows| rows.len() > 1).map(|rows| (rows.clone(), true, 1.0));
    let alike = near.iter().map(|pair| (vec![pair.first, pair.second], false, pair.correlation));
    let duplicate = |(rows, exact, correlation): (Vec<usize>, bool, f64)| Duplicate {
        images: rows.iter().map(|&row| named(row)).collect(),
        exact,
        correlation,
        conflicting: rows.iter().skip(1).any(|&row| differ(&facts[rows[0]], &facts[row])),
    };
    exact.chain(alike).map(duplicate).collect()
}

pub(super) fn outliers(facts: &[Facts], limit: f64, named: &dyn Fn(usize) -> Named) -> Vec<Outlier> {
    let mut found = Vec::new();
    for (place, what) in ["1 %", "median", "99 %"].into_iter().enumerate() {
        let values: Vec<f64> = facts.iter().map(|facts| facts.intensity[place]).collect();
        let mut sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        // Logarithmic far from zero, linear near it, and of either sign.
        let unit = sizes.get(sizes.len() / 2).copied().filter(|unit| *unit > 0.0).unwrap_or(1.0);
        let scaled: Vec<f64> = values.iter().map(|value| (value / unit).asinh()).collect();
        for (row, z) in modified_z(&scaled).into_iter().enumerate() {
            if z.abs() >= limit {
                found.push(Outlier { image: named(row), what: what.to_owned(), value: values[row], z });
            }
        }
    }
    found.sort_by(|one, other| other.z.abs().total_cmp(&one.z.abs()));
    found
}
