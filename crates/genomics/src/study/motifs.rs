//! What the first layer of a trained model has learnt, as motifs.
//!
//! The method of Basset (Kelley, Snoek and Rinn 2016, Genome Research 26:990, Methods), on the maps that the next layer
//! sees: all windows that activate a filter more than half as much as the best one are aligned and their bases counted.
//! A filter is as good as it tells the two classes of a task apart by itself: by the AUROC of its strongest activation.

use nn_core::metrics::auroc;
use nn_core::train::StepError;

use crate::dataset::{Labels, SequenceSet};
use crate::model::{SequenceModel, at_once};
use crate::motif::{Column, Motif, MotifError, UNIFORM};
use crate::sequence::CODES;

/// A window counts if its activation is above this share of the filter's largest one.
const SHARE: f32 = 0.5;
/// Filters with fewer windows than these have no motif.
const LEAST_SITES: usize = 10;
/// Counts that are added to each position, and information below which its ends are cut off, as in the paper's code.
const PSEUDOCOUNT: f64 = 4.0;
const TRIM_BITS: f64 = 0.2;

/// Why there are no motifs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LearntMotifError {
    /// The device does not give the maps back.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The counts make no motif.
    #[error(transparent)]
    Motif(#[from] MotifError),
}

/// What a filter has learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct LearntMotif {
    /// Number of the filter, from 0.
    pub filter: usize,
    /// The motif; its number of sites is that of the windows that were counted.
    pub motif: Motif,
    /// How well the filter's strongest activation tells the classes of the first task apart, 0 to 1; 0.5 is not at all.
    /// `None` where that has no value.
    pub auroc: Option<f64>,
}

/// Motifs of the filters of `model` in `rows` of `set`, those that tell the classes apart best first; empty for a network
/// without a convolution over the bases. Filters that answer to nothing, or to everything alike, have none.
///
/// # Errors
/// [`LearntMotifError`].
///
/// # Panics
/// When `set` has no such row.
pub fn learnt_motifs(
    model: &SequenceModel,
    set: &SequenceSet,
    rows: &[usize],
) -> Result<Vec<LearntMotif>, LearntMotifError> {
    let Some(filters) = model.network.first_layer() else { return Ok(Vec::new()) };
    let [filters, _, width] = filters.dims();
    let highest = strongest(model, set, rows, filters)?;
    let most: Vec<f32> = (0..filters).map(|filter| highest.iter().map(|row| row[filter]).fold(0.0, f32::max)).collect();
    let counted = counts(model, set, rows, (&most, width))?;

    let labels: Vec<Option<bool>> = rows
        .iter()
        .map(|&row| match set.labels {
            Labels::Binary => set.target(row, 0).map(|target| target >= 0.5),
            Labels::Classes(_) | Labels::Values => None,
        })
        .collect();
    let mut found = Vec::new();
    for (filter, (sites, counts)) in counted.into_iter().enumerate() {
        if sites < LEAST_SITES {
            continue;
        }
        let motif = Motif::from_counts(format!("filter{filter}"), &counts, PSEUDOCOUNT)?;
        let known = labels.iter().zip(&highest).filter_map(|(label, row)| Some(((*label)?, f64::from(row[filter]))));
        let (known, scores): (Vec<bool>, Vec<f64>) = known.unzip();
        found.push(LearntMotif {
            filter,
            motif: motif.trimmed(TRIM_BITS, &UNIFORM),
            auroc: auroc(&known, &scores).ok(),
        });
    }
    let apart = |motif: &LearntMotif| motif.auroc.map_or(0.0, |auroc| (auroc - 0.5).abs());
    found.sort_by(|a, b| apart(b).total_cmp(&apart(a)));
    Ok(found)
}

/// The strongest activation of each filter in each row.
fn strongest(
    model: &SequenceModel,
    set: &SequenceSet,
    rows: &[usize],
    filters: usize,
) -> Result<Vec<Vec<f32>>, StepError> {
    let mut found = Vec::with_capacity(rows.len());
    each(model, set, rows, |_, maps, places| {
        let most = |filter: usize| maps[filter * places..][..places].iter().copied().fold(0.0, f32::max);
        found.push((0..filters).map(most).collect());
    })?;
    Ok(found)
}

/// Windows above the share of each filter's highest activation: how many, and their bases. Windows with unknown bases are
/// left out.
fn counts(
    model: &SequenceModel,
    set: &SequenceSet,
    rows: &[usize],
    (most, width): (&[f32], usize),
) -> Result<Vec<(usize, Vec<Column>)>, StepError> {
    let mut found = vec![(0, vec![[0.0; 4]; width]); most.len()];
    each(model, set, rows, |row, maps, places| {
        let bases = model.card.preprocessing.window_of(&set.sequences[row]);
        // A shorter sequence stands in the middle of the window.
        let left = (model.card.preprocessing.window - bases.len()) / 2;
        for (filter, (sites, counts)) in found.iter_mut().enumerate() {
            for (place, &value) in maps[filter * places..][..places].iter().enumerate() {
                if value <= 0.0 || value <= SHARE * most[filter] || place < left {
                    continue;
                }
                let Some(window) = bases.get(place - left..place - left + width) else { continue };
                if window.iter().any(|&base| CODES[usize::from(base)] > 3) {
                    continue;
                }
                *sites += 1;
                for (column, &base) in counts.iter_mut().zip(window) {
                    column[usize::from(CODES[usize::from(base)])] += 1.0;
                }
            }
        }
    })?;
    Ok(found)
}

/// Calls `take` with each row, its maps (filter by filter) and their number of places.
fn each(
    model: &SequenceModel,
    set: &SequenceSet,
    rows: &[usize],
    mut take: impl FnMut(usize, &[f32], usize),
) -> Result<(), StepError> {
    let (preprocessing, device) = (&model.card.preprocessing, model.device());
    for chunk in rows.chunks(at_once(preprocessing.window)) {
        let sequences: Vec<&[u8]> = chunk.iter().map(|&row| set.sequences[row].as_slice()).collect();
        let Some(maps) = model.network.first_maps(preprocessing.encode(&sequences, &device)) else { return Ok(()) };
        let [_, filters, places] = maps.dims();
        let values = maps.try_into_vec_as::<f32>();
        let values = values.map_err(|error| StepError::Device { what: "maps", reason: error.to_string() })?;
        for (&row, maps) in chunk.iter().zip(values.chunks_exact((filters * places).max(1))) {
            take(row, maps, places);
        }
    }
    Ok(())
}
