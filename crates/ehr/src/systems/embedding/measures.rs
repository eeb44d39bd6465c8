//! How good vectors of codes are: whether codes of one kind lie near each other, and whether one relation is one
//! direction.
//!
//! Choi, Chiu and Sontag 2016, *Learning low-dimensional representations of medical concepts*, AMIA CRI, and the
//! authors' repository clinicalml/embeddings (`codes_analysis.py`, `ndfrt_analysis.py`). The measure of medical
//! conceptual similarity is the discounted gain of the nearest codes that are of the same kind ([`mcsm`]); for
//! categories of CCS the authors' code divides it by the best possible ([`ndcg`]). The measure of medical relatedness
//! counts for how many codes a related one is among the nearest, as they are or after one known relation is added as a
//! difference of vectors ([`mrm`]).
//!
//! A list of nearest codes may come from [`nearest`] vectors, or, as the baseline that vectors have to beat, from those
//! that most often stand beside a code ([`most_frequent`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nn_core::models::embedding::{Cooccurrence, EmbeddingError, Vectors};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::codes::{CodeTables, Coded, hierarchy};

/// The kind of each row: its category of CCS or CCSR as a number, of a category of ICD that of most of its codes; none
/// for codes without one.
pub fn ccs_kinds(names: &[String], tables: &CodeTables) -> Vec<Option<u32>> {
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut kinds = Vec::with_capacity(names.len());
    for name in names {
        let group = Coded::parse(name).and_then(|coded| hierarchy::group_of_most(tables, coded.system, &coded.code));
        kinds.push(group.map(|group| {
            let next = numbers.len() as u32;
            *numbers.entry(group).or_insert(next)
        }));
    }
    kinds
}

/// For each row that has a kind, the `k` nearest of the others that have one, nearest first; empty for the rest.
///
/// # Errors
/// [`EmbeddingError::Length`] if there is not one kind for each row.
pub fn nearest(vectors: &Vectors, kinds: &[Option<u32>], k: usize) -> Result<Vec<Vec<u32>>, EmbeddingError> {
    if kinds.len() != vectors.rows() {
        return Err(EmbeddingError::Length { what: "kinds", found: kinds.len(), expected: vectors.rows() });
    }
    let own: Vec<u32> = (0..).zip(kinds).filter(|(_, kind)| kind.is_some()).map(|(row, _)| row).collect();
    let mut values = Vec::with_capacity(own.len() * vectors.width());
    for row in &own {
        values.extend_from_slice(vectors.get(*row)?);
    }
    let judged = Vectors::new(values, vectors.width())?;
    let mut lists = vec![Vec::new(); kinds.len()];
    for (place, row) in (0..).zip(&own) {
        let near = judged.neighbours(place, k)?;
        lists[*row as usize] = near.iter().map(|other| own[other.code as usize]).collect();
    }
    Ok(lists)
}

/// As [`nearest`], by how often codes stand together: the largest counts first, of equal ones the smaller row.
///
/// # Errors
/// [`EmbeddingError::Length`] if there is not one kind for each row.
pub fn most_frequent(counts: &Cooccurrence, kinds: &[Option<u32>], k: usize) -> Result<Vec<Vec<u32>>, EmbeddingError> {
    let [rows, _] = counts.matrix().shape();
    if kinds.len() != rows {
        return Err(EmbeddingError::Length { what: "kinds", found: kinds.len(), expected: rows });
    }
    let judged = |row: u32| kinds[row as usize].is_some();
    let list = |row: usize| {
        if !judged(row as u32) {
            return Vec::new();
        }
        let others = counts.matrix().row(row).filter(|(other, _)| *other as usize != row && judged(*other));
        let mut others: Vec<(u32, f64)> = others.collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        others.into_iter().take(k).map(|(other, _)| other).collect()
    };
    Ok((0..rows).map(list).collect())
}

/// What one place of a list is worth: 1/log₂(place + 1), with places from 1.
fn discount(place: usize) -> f64 {
    1.0 / (place as f64 + 2.0).log2()
}

/// Σ over the first `k` of the discounts of those that are of the row's kind.
fn gain(list: &[u32], kinds: &[Option<u32>], kind: u32, k: usize) -> f64 {
    let same = |other: &u32| kinds.get(*other as usize) == Some(&Some(kind));
    list.iter().take(k).enumerate().filter(|(_, other)| same(other)).map(|(place, _)| discount(place)).sum()
}

/// The measure of medical conceptual similarity of each kind: the mean over its codes of the discounted gain of their
/// `k` nearest codes. By kind.
pub fn mcsm(lists: &[Vec<u32>], kinds: &[Option<u32>], k: usize) -> BTreeMap<u32, f64> {
    let mut sums: BTreeMap<u32, (f64, usize)> = BTreeMap::new();
    for (list, kind) in lists.iter().zip(kinds) {
        let Some(kind) = *kind else { continue };
        let (sum, count) = sums.entry(kind).or_insert((0.0, 0));
        *sum += gain(list, kinds, kind, k);
        *count += 1;
    }
    sums.into_iter().map(|(kind, (sum, count))| (kind, sum / count as f64)).collect()
}

/// How near codes of one kind lie, over all kinds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// Mean of the discounted gain divided by the best possible, 0 to 1.
    pub ndcg: f64,
    /// Share of codes whose nearest one is of their kind, 0 to 1.
    pub first: f64,
    /// Codes that were judged: those that are not the only one of their kind.
    pub codes: usize,
}

/// The discounted gain of the `k` nearest codes divided by the best possible, as the authors' code judges categories of
/// CCS (with k = 40); none if every code is the only one of its kind.
pub fn ndcg(lists: &[Vec<u32>], kinds: &[Option<u32>], k: usize) -> Option<Similarity> {
    let mut sizes: HashMap<u32, usize> = HashMap::new();
    kinds.iter().flatten().for_each(|kind| *sizes.entry(*kind).or_insert(0) += 1);
    let (mut sum, mut first, mut codes) = (0.0, 0_usize, 0_usize);
    for (list, kind) in lists.iter().zip(kinds) {
        let Some(kind) = *kind else { continue };
        let others = sizes.get(&kind).map_or(0, |size| size - 1);
        if others == 0 {
            continue;
        }
        let best: f64 = (0..others.min(k)).map(discount).sum();
        sum += if best > 0.0 { gain(list, kinds, kind, k) / best } else { 0.0 };
        first += usize::from(gain(list, kinds, kind, 1) > 0.0);
        codes += 1;
    }
    (codes > 0).then(|| Similarity { ndcg: sum / codes as f64, first: first as f64 / codes as f64, codes })
}

/// How well one relation (a drug and what it may treat) is one direction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Relatedness {
    /// Share of codes with a related one among their `k` nearest, 0 to 1.
    pub neighbours: f64,
    /// The same after a known pair's difference was added, as a mean over the pairs; 0 where there is no second code.
    pub mean: f64,
    /// The same for the best of the pairs.
    pub best: f64,
    /// Codes that have a related one.
    pub codes: usize,
}

/// The measure of medical relatedness: for each `(code, related)` the code is asked for its related ones, by its
/// nearest vectors and by those nearest to code + (b − a), with (a, b) each of `seeds` in turn. A seed is not asked
/// about its own code, which it would find for certain; the authors' code asks. None without a pair.
///
/// # Errors
/// [`EmbeddingError::NoSuchCode`] for a row that does not exist.
pub fn mrm(
    vectors: &Vectors,
    pairs: &[(u32, u32)],
    seeds: &[(u32, u32)],
    k: usize,
) -> Result<Option<Relatedness>, EmbeddingError> {
    let mut related: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (code, other) in pairs {
        related.entry(*code).or_default().insert(*other);
    }
    if related.is_empty() {
        return Ok(None);
    }
    let hit = |code: u32, query: &[f32]| -> Result<bool, EmbeddingError> {
        let near = vectors.nearest(query, k, &[code])?;
        Ok(near.iter().any(|other| related.get(&code).is_some_and(|wanted| wanted.contains(&other.code))))
    };
    let mut neighbours = 0_usize;
    for code in related.keys() {
        neighbours += usize::from(hit(*code, vectors.get(*code)?)?);
    }
    let share = |&(a, b): &(u32, u32)| -> Result<Option<f64>, EmbeddingError> {
        let (from, to) = (vectors.get(a)?, vectors.get(b)?);
        let (mut hits, mut asked) = (0_usize, 0_usize);
        for code in related.keys().filter(|code| **code != a) {
            let start = vectors.get(*code)?.iter();
            let query: Vec<f32> = start.zip(from.iter().zip(to)).map(|(own, (from, to))| own + to - from).collect();
            hits += usize::from(hit(*code, &query)?);
            asked += 1;
        }
        Ok((asked > 0).then(|| hits as f64 / asked as f64))
    };
    let shares: Vec<Option<f64>> = seeds.par_iter().map(share).collect::<Result<_, EmbeddingError>>()?;
    let shares: Vec<f64> = shares.into_iter().flatten().collect();
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let best = shares.iter().copied().fold(0.0, f64::max);
    let codes = related.len();
    Ok(Some(Relatedness { neighbours: neighbours as f64 / codes as f64, mean, best, codes }))
}
