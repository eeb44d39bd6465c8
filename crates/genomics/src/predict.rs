//! Scoring of sequences and intervals: one output row for each input row, in order; and of whole contigs in tiles, with
//! memory that does not grow with the genome.
//!
//! A row that cannot be scored says why in its status and has no numbers; one that was scored although the model did not
//! read it as it is says how (`padded 80/101`, `cropped 101/200`, `unknown bases 3/101`).

#[cfg(test)]
mod tests;
mod tiles;

pub use self::tiles::{Tile, Tiles};

use nn_core::train::StepError;

use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::Locus;
use crate::model::Ensemble;
use crate::sequence::ALPHABET;

/// Status of a row with nothing to remark.
pub const OK: &str = "ok";
/// What the status of a row without numbers begins with.
pub const INVALID: &str = "invalid: ";

/// Why a row has no numbers although its bases are well.
const NOT_A_NUMBER: &str = "the prediction is not a number";

/// What is to be scored.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// Upper-case bases.
    Sequence(Vec<u8>),
    /// The bases around a place of an interval.
    Interval {
        /// The interval.
        interval: Locus,
        /// Position (0-based) of its summit, or of its [middle](Locus::centre).
        summit: i64,
    },
    /// Nothing, for this reason: a row of the input that could not be read.
    Unreadable(String),
}

/// A row of the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name, or its number.
    pub name: String,
    /// What is to be scored.
    pub query: Query,
}

/// A row of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Number of the input row, from 1.
    pub row: u64,
    /// Its name.
    pub name: String,
    /// Where it lies, as the input says.
    pub locus: Option<Locus>,
    /// `ok`, what was done to the bases, or `invalid: ` and the reason.
    pub status: String,
    /// Probability of each task or class, or the value of each task, in the order of
    /// [`Predicts::outputs`](crate::model::Predicts::outputs); none in a row that is invalid.
    pub values: Option<Vec<f64>>,
}

/// Why predicting ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// The device does not give the numbers back.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A contig that the genome does not have, or a window that is too wide.
    #[error(transparent)]
    Genome(#[from] GenomeError),
    /// A distance of tiles that cannot be.
    #[error("tiles {step} bases apart cannot be; give 1 to {most}")]
    Tiling {
        /// The distance asked for.
        step: usize,
        /// The largest one.
        most: usize,
    },
}

/// Bases of a row as the network gets them, or why it has none.
struct Prepared {
    bases: Result<Vec<u8>, String>,
    remarks: Vec<String>,
}

/// Scores `rows` with the mean of `ensemble`; `genome` has the bases of intervals. `first` is the number of the first
/// row, from 1.
///
/// # Errors
/// [`PredictError::Step`] when the device does not give the numbers back; a row that cannot be scored is no error.
pub fn score(
    ensemble: &Ensemble,
    genome: Option<&Genome>,
    rows: &[Row],
    first: u64,
) -> Result<Vec<Prediction>, PredictError> {
    let window = ensemble.window();
    let prepared: Vec<Prepared> = rows.iter().map(|row| prepare(&row.query, genome, window)).collect();
    let readable: Vec<&[u8]> = prepared.iter().filter_map(|row| row.bases.as_deref().ok()).collect();
    let values = ensemble.shown(&ensemble.logits(&readable)?);
    let mut values = values.chunks(ensemble.outputs().max(1));
    Ok(rows
        .iter()
        .zip(prepared)
        .enumerate()
        .map(|(place, (row, prepared))| {
            let locus = match &row.query {
                Query::Interval { interval, .. } => Some(interval.clone()),
                Query::Sequence(_) | Query::Unreadable(_) => None,
            };
            let (status, values) = match prepared.bases {
                Err(problem) => (format!("{INVALID}{problem}"), None),
                Ok(_) => match values.next() {
                    Some(values) if values.iter().all(|value| value.is_finite()) => {
                        (said(&prepared.remarks), Some(values.to_vec()))
                    }
                    _ => (format!("{INVALID}{NOT_A_NUMBER}"), None),
                },
            };
            Prediction { row: first + place as u64, name: row.name.clone(), locus, status, values }
        })
        .collect())
}

fn said(remarks: &[String]) -> String {
    if remarks.is_empty() { OK.to_owned() } else { remarks.join("; ") }
}

fn prepare(query: &Query, genome: Option<&Genome>, window: usize) -> Prepared {
    let mut remarks = Vec::new();
    let bases = match query {
        Query::Unreadable(problem) => Err(problem.clone()),
        Query::Sequence(bases) if bases.is_empty() => Err("no bases".to_owned()),
        Query::Sequence(bases) => {
            if bases.len() < window {
                remarks.push(format!("padded {}/{window}", bases.len()));
            } else if bases.len() > window {
                remarks.push(format!("cropped {window}/{}", bases.len()));
            }
            let first = bases.len().saturating_sub(window) / 2;
            Ok(bases[first..bases.len().min(first + window)].to_vec())
        }
        Query::Interval { interval, summit } => on_genome(interval, *summit, genome, window, &mut remarks),
    };
    if let Ok(bases) = &bases {
        let unknown = bases.iter().filter(|base| !ALPHABET.contains(base)).count();
        if unknown == bases.len() {
            let problem = format!("none of its {} bases is known", bases.len());
            return Prepared { bases: Err(problem), remarks };
        }
        if unknown > 0 {
            remarks.push(format!("unknown bases {unknown}/{}", bases.len()));
        }
    }
    Prepared { bases, remarks }
}

/// The window around the summit of an interval, padded where it leaves its contig.
fn on_genome(
    locus: &Locus,
    summit: i64,
    genome: Option<&Genome>,
    window: usize,
    remarks: &mut Vec<String>,
) -> Result<Vec<u8>, String> {
    let genome = genome.ok_or_else(|| format!("{locus} needs a genome"))?;
    let contig = genome.names().resolve(&locus.contig).map_err(|error| error.to_string())?;
    let range = genome.range(contig).unwrap_or(0..0);
    if locus.end <= range.start || locus.start >= range.end {
        return Err(format!(
            "{locus} lies outside its contig, which has the bases {} to {}",
            range.start + 1,
            range.end
        ));
    }
    let wide = Locus { start: summit, end: summit + 1, ..locus.clone() }.centred(window);
    let inside = (wide.end.min(range.end) - wide.start.max(range.start)).max(0);
    if (inside as usize) < window {
        remarks.push(format!("padded {inside}/{window}"));
    }
    genome.window(&wide, Edge::Pad).map_err(|error| error.to_string())
}
