//! The volumes of planes that stand in the same places.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::arrange::SAME_PLACE;
use super::plane::{KEYS, Plane};
use crate::geometry::dot;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Split {
    /// Indices of the planes of each volume, upwards along the normal; the volumes in the order of what tells them apart.
    pub(super) volumes: Vec<Vec<usize>>,
    /// Planes that stand where another one stands, with nothing that tells them apart. They are in no volume.
    pub(super) duplicates: Vec<usize>,
    /// What had to be guessed.
    pub(super) notice: Option<String>,
}

/// Splits planes of one orientation into volumes that have every place at most once.
pub(super) fn split(planes: &[Plane], group: &[usize]) -> Split {
    let sites = sites(planes, group);
    let most = sites.iter().map(Vec::len).max().unwrap_or(0);
    if most <= 1 {
        return Split { volumes: vec![sites.concat()], duplicates: Vec::new(), notice: None };
    }
    if let Some(volumes) = by_keys(planes, &sites, most) {
        return Split { volumes, duplicates: Vec::new(), notice: None };
    }
    // Nothing tells them apart but their numbers.
    let distinct = |site: &Vec<usize>| {
        site.len() == most && site.windows(2).all(|pair| number(&planes[pair[0]]) != number(&planes[pair[1]]))
    };
    if sites.iter().all(distinct) {
        let volumes = (0..most).map(|time| sites.iter().map(|site| site[time]).collect()).collect();
        let notice = format!(
            "no {} tells the {most} volumes apart; they were taken in the order of the instance numbers",
            KEYS.join(", ")
        );
        return Split { volumes, duplicates: Vec::new(), notice: Some(notice) };
    }
    let duplicates = sites.iter().flat_map(|site| &site[1..]).copied().collect();
    Split { volumes: vec![sites.iter().map(|site| site[0]).collect()], duplicates, notice: None }
}

/// What orders planes of the same place: the number within the series, then the frame within the file.
fn number(plane: &Plane) -> (i64, usize) {
    (plane.number.unwrap_or(i64::MAX), plane.frame)
}

/// The planes of each place, upwards along the normal.
fn sites(planes: &[Plane], group: &[usize]) -> Vec<Vec<usize>> {
    let Some(normal) = group.first().and_then(|&index| planes[index].place).map(|place| place.normal()) else {
        return Vec::new();
    };
    let mut heights: Vec<(f64, usize)> = group
        .iter()
        .map(|&index| (planes[index].place.map_or(0.0, |place| dot(place.position, normal)), index))
        .collect();
    heights.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut sites: Vec<Vec<usize>> = Vec::new();
    let mut base = f64::NEG_INFINITY;
    for (height, index) in heights {
        match sites.last_mut() {
            Some(site) if height - base <= SAME_PLACE => site.push(index),
            _ => {
                base = height;
                sites.push(vec![index]);
            }
        }
    }
    for site in &mut sites {
        site.sort_by_key(|&index| (number(&planes[index]), planes[index].file));
    }
    sites
}

/// Volumes by the fewest attributes that give every volume every place once; or else, by those that give as many volumes
/// as the most frequent place has planes.
fn by_keys(planes: &[Plane], sites: &[Vec<usize>], most: usize) -> Option<Vec<Vec<usize>>> {
    let first = &planes[*sites.first()?.first()?].keys;
    let varies = |key: &usize| sites.iter().flatten().any(|&index| planes[index].keys[*key] != first[*key]);
    let varying: Vec<usize> = (0..KEYS.len()).filter(varies).collect();
    let mut choices: Vec<u32> = (1..1_u32 << varying.len()).collect();
    choices.sort_by_key(|choice| choice.count_ones());
    let mut second = None;
    for choice in choices {
        let keys: Vec<usize> =
            varying.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1).map(|(_, &key)| key).collect();
        let Some(volumes) = parts(planes, sites, &keys) else { continue };
        if volumes.iter().all(|volume| volume.len() == sites.len()) {
            return Some(volumes);
        }
        if second.is_none() && volumes.len() == most {
            second = Some(volumes);
        }
    }
    second
}

/// The planes by the values of `keys`; `None` if a place occurs twice among those of the same values.
fn parts(planes: &[Plane], sites: &[Vec<usize>], keys: &[usize]) -> Option<Vec<Vec<usize>>> {
    let mut found: BTreeMap<Vec<Option<&str>>, (usize, Vec<usize>)> = BTreeMap::new();
    for (at, site) in sites.iter().enumerate() {
        for &index in site {
            let values = keys.iter().map(|&key| planes[index].keys[key].as_deref()).collect();
            let (seen, volume) = found.entry(values).or_insert((usize::MAX, Vec::new()));
            if *seen == at {
                return None;
            }
            *seen = at;
            volume.push(index);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|(a, _), (b, _)| {
        let mut differ = a.iter().zip(b).map(|(a, b)| ascending(*a, *b));
        differ.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    Some(found.into_iter().map(|(_, (_, volume))| volume).collect())
}

/// Numbers by their size, then anything else as text.
fn ascending(a: Option<&str>, b: Option<&str>) -> Ordering {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok());
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(&b),
    }
}
