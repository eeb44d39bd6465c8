//! Cases as a network sees them, made once and kept in memory for all epochs.

use rayon::prelude::*;

use super::StudyError;
use crate::case::Case;
use crate::intensity::{Fitted, Normalise};
use crate::model::Preprocessing;
use crate::sampling::Foreground;
use crate::volume::{LabelMap, Volume};

/// A case on the grid of the network.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// Its channels, with their intensities near zero, and its labels.
    pub(crate) case: Case,
    /// Where its labels are.
    pub(crate) foreground: Foreground,
}

/// Fits what is done to the intensities on the cases `rows`, channel by channel: a channel that means the same in every
/// case is measured where something is labelled (Isensee et al. 2021, methods).
pub(crate) fn fit(
    cases: &[Case],
    rows: &[usize],
    orientation: &str,
    spacing: Option<[f64; 3]>,
    normalise: &[Normalise],
) -> Result<Preprocessing, StudyError> {
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
    Ok(Preprocessing { orientation: orientation.to_owned(), spacing, channels })
}

/// Brings the cases `rows` to the grid of the network, on all threads.
///
/// # Errors
/// [`StudyError`] with the name of the case that has no labels or cannot be brought there.
pub(crate) fn prepare(
    cases: &[Case],
    rows: &[usize],
    preprocessing: &Preprocessing,
) -> Result<Vec<Prepared>, StudyError> {
    let prepared: Vec<Result<Prepared, StudyError>> = rows
        .par_iter()
        .map(|&row| {
            let case = &cases[row];
            let label = case.label.as_ref().ok_or_else(|| StudyError::Unlabelled { id: case.id.clone() })?;
            let channels: Vec<&Volume> = case.channels.iter().collect();
            let failed = |error| StudyError::Case { id: case.id.clone(), error };
            let channels = preprocessing.apply(&channels).map_err(failed)?;
            let label = preprocessing.labels(label, &channels[0].geometry);
            let foreground = Foreground::of(&label);
            let (id, subject) = (case.id.clone(), case.subject.clone());
            Ok(Prepared { case: Case { id, subject, channels, label: Some(label) }, foreground })
        })
        .collect();
    prepared.into_iter().collect()
}
