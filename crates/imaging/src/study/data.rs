//! Cases as a network sees them, made once for all epochs: kept in memory, or on disk with as many of them in memory as
//! there is room for.

use std::sync::Arc;

use rayon::prelude::*;

use super::StudyError;
use crate::cache::{Cache, CacheError, Key};
use crate::case::Case;
use crate::intensity::{Fitted, Normalise};
use crate::model::Preprocessing;
use crate::sampling::Foreground;
use crate::volume::{LabelMap, Volume};

/// Cases on the grid of the network, with their intensities near zero.
#[derive(Debug)]
pub(super) struct Prepared {
    entries: Vec<Entry>,
    /// Where those are that are not in memory.
    cache: Option<Arc<Cache>>,
}

#[derive(Debug)]
struct Entry {
    id: String,
    kept: Kept,
    /// Where its labels are.
    foreground: Foreground,
}

#[derive(Debug)]
enum Kept {
    Here(Arc<Case>),
    Cached(Key),
}

impl Prepared {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The name of a case.
    pub(super) fn id(&self, place: usize) -> &str {
        &self.entries[place].id
    }

    /// A case.
    ///
    /// # Errors
    /// [`CacheError`] when it is no longer where it was kept.
    pub(super) fn case(&self, place: usize) -> Result<Arc<Case>, CacheError> {
        match (&self.entries[place].kept, &self.cache) {
            (Kept::Here(case), _) => Ok(Arc::clone(case)),
            (Kept::Cached(key), Some(cache)) => cache.get(key, || Err::<Case, _>(GONE)),
            (Kept::Cached(_), None) => Err(CacheError::Prepare(GONE.into())),
        }
    }

    /// Where the labels of a case are.
    pub(super) fn foreground(&self, place: usize) -> &Foreground {
        &self.entries[place].foreground
    }
}

/// What is said of a case that someone has taken away.
const GONE: &str = "the prepared case is no longer in the cache folder, or damaged; leave the folder alone while a study \
                    runs, and start it again with --resume";

/// Fits what is done to the intensities on the cases `rows`, channel by channel: a channel that means the same in every
/// case is measured where something is labelled (Isensee et al. 2021, methods).
pub(super) fn fit(cases: &[Case], rows: &[usize], normalise: &[Normalise]) -> Result<Vec<Fitted>, StudyError> {
    let count = cases.first().map_or(0, |case| case.channels.len());
    let mut channels = Vec::with_capacity(count);
    for channel in 0..count {
        // Measured as they were read: resampling hardly changes what a distribution of values is.
        let volumes: Vec<&Volume> = rows.iter().filter_map(|&row| cases[row].channels.get(channel)).collect();
        let labels: Vec<&LabelMap> = rows.iter().filter_map(|&row| cases[row].label.as_ref()).collect();
        let labelled = labels.iter().any(|map| map.labels.iter().any(|label| *label > 0));
        let Some(normalise) = normalise.get(channel).or(normalise.last()) else { break };
        let fitted: Fitted = if labels.len() == volumes.len() && labelled {
            normalise.fit_foreground(&volumes, &labels)?
        } else {
            normalise.fit(&volumes)?
        };
        channels.push(fitted);
    }
    Ok(channels)
}

/// Brings the cases `rows` to the grid of the network, on all threads, or finds them in the cache.
///
/// # Errors
/// [`StudyError`] with the name of the case that has no labels, cannot be brought there or cannot be kept.
pub(super) fn prepare(
    cases: &[Case],
    rows: &[usize],
    preprocessing: &Preprocessing,
    cache: Option<&Arc<Cache>>,
) -> Result<Prepared, StudyError> {
    let entries: Vec<Result<Entry, StudyError>> = rows
        .par_iter()
        .map(|&row| {
            let (case, id) = (&cases[row], cases[row].id.clone());
            let Some(cache) = cache else {
                let case = prepared(case, preprocessing)?;
                let foreground = case.label.as_ref().map(Foreground::of).unwrap_or_default();
                return Ok(Entry { id, kept: Kept::Here(Arc::new(case)), foreground });
            };
            let failed = |error| StudyError::Kept { id: id.clone(), error };
            let key = Key::of_case(case, preprocessing).map_err(failed)?;
            let kept = match cache.get(&key, || prepared(case, preprocessing)) {
                Ok(kept) => kept,
                // What is wrong with the case itself names it already.
                Err(CacheError::Prepare(error)) => {
                    return Err(match error.downcast::<StudyError>() {
                        Ok(error) => *error,
                        Err(error) => failed(CacheError::Prepare(error)),
                    });
                }
                Err(error) => return Err(failed(error)),
            };
            let foreground = kept.label.as_ref().map(Foreground::of).unwrap_or_default();
            Ok(Entry { id, kept: Kept::Cached(key), foreground })
        })
        .collect();
    Ok(Prepared { entries: entries.into_iter().collect::<Result<_, _>>()?, cache: cache.cloned() })
}

/// A case on the grid of the network.
fn prepared(case: &Case, preprocessing: &Preprocessing) -> Result<Case, StudyError> {
    let label = case.label.as_ref().ok_or_else(|| StudyError::Unlabelled { id: case.id.clone() })?;
    let channels: Vec<&Volume> = case.channels.iter().collect();
    let failed = |error| StudyError::Case { id: case.id.clone(), error };
    let channels = preprocessing.apply(&channels).map_err(failed)?;
    let label = preprocessing.labels(label, &channels[0].geometry);
    Ok(Case { id: case.id.clone(), subject: case.subject.clone(), channels, label: Some(label) })
}
