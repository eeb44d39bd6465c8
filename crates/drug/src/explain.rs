//! Which atoms and residues a prediction rests on: occlusion.
//!
//! A part of the input is replaced by a mask and the prediction made again; what it falls by is the part's effect
//! (Zeiler and Fergus 2014, section 4.2). Positive: the part raises the affinity. The model is only asked for scores, so
//! the same functions serve every model. An effect says what this model reads, not what binds.
//!
//! ```
//! use drug::explain::occlude;
//! // A scorer that adds up its labels: hiding a part takes away that part's sum.
//! let score = |batch: &[Vec<u8>]| -> Result<Vec<f64>, std::io::Error> {
//!     Ok(batch.iter().map(|ids| ids.iter().map(|&id| f64::from(id)).sum()).collect())
//! };
//! let effects = occlude(&[3, 1, 4, 1, 5], &[0..1, 2..5], 0, score)?;
//! assert_eq!(effects, [3.0, 10.0]);
//! # Ok::<(), drug::explain::ExplainError<std::io::Error>>(())
//! ```

use std::error::Error;
use std::ops::Range;

/// Masked inputs that are handed to the scorer at once, which bounds the memory of an explanation.
const INPUTS_AT_ONCE: usize = 128;

/// Effects smaller than this share of the largest are left uncoloured.
const VISIBLE: f64 = 0.05;
/// Colour of the strongest raising effect: vermilion of Okabe and Ito 2008, "Color Universal Design", as profiles of
/// sequences have it.
const RAISES: [u8; 3] = [213, 94, 0];
/// Colour of the strongest lowering effect: their blue.
const LOWERS: [u8; 3] = [0, 114, 178];

/// Why a prediction could not be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError<E: Error + 'static> {
    /// The model could not score a masked input.
    #[error(transparent)]
    Score(E),
    /// The scorer did not return one score for each input.
    #[error("{inputs} inputs were to be scored but {scores} scores came back")]
    Count {
        /// Inputs handed over.
        inputs: usize,
        /// Scores returned.
        scores: usize,
    },
}

/// The effect of each of `spans`: the score of `ids` less the score with that span replaced by `mask`.
///
/// `ids` are the labels of one string, without padding; for a character tokeniser position `i` is byte `i` of an ASCII
/// string, so [`crate::chem::Molecule::atom_spans`] can be passed as it is. A span that lies behind the end of `ids`, where
/// the string was cut, has no effect because the model did not see it. `score` gets batches of at most 128 label sequences,
/// all as long as `ids`, and returns one score for each.
///
/// # Errors
/// [`ExplainError::Score`] with the scorer's own error, [`ExplainError::Count`] if it returns too few or too many scores.
pub fn occlude<E: Error + 'static>(
    ids: &[u8],
    spans: &[Range<usize>],
    mask: u8,
    mut score: impl FnMut(&[Vec<u8>]) -> Result<Vec<f64>, E>,
) -> Result<Vec<f64>, ExplainError<E>> {
    let mut checked = |inputs: &[Vec<u8>]| -> Result<Vec<f64>, ExplainError<E>> {
        let scores = score(inputs).map_err(ExplainError::Score)?;
        if scores.len() == inputs.len() {
            Ok(scores)
        } else {
            Err(ExplainError::Count { inputs: inputs.len(), scores: scores.len() })
        }
    };
    let base = checked(&[ids.to_vec()])?[0];
    let mut effects = vec![0.0; spans.len()];
    let seen: Vec<usize> = (0..spans.len()).filter(|&i| spans[i].start < spans[i].end.min(ids.len())).collect();
    for part in seen.chunks(INPUTS_AT_ONCE) {
        let inputs: Vec<Vec<u8>> = part
            .iter()
            .map(|&i| {
                let mut masked = ids.to_vec();
                masked[spans[i].start..spans[i].end.min(ids.len())].fill(mask);
                masked
            })
            .collect();
        for (&i, score) in part.iter().zip(checked(&inputs)?) {
            effects[i] = base - score;
        }
    }
    Ok(effects)
}

/// The effect of each residue: windows of `width` labels are hidden one after the other, and a residue gets the mean effect
/// of the windows that cover it. Width 1 hides single residues; a wider window (5 to 9) also shows stretches of which the
/// model needs any one part. A width of 0 counts as 1, one beyond the string as the whole string.
///
/// # Errors
/// As [`occlude`].
pub fn occlude_residues<E: Error + 'static>(
    ids: &[u8],
    width: usize,
    mask: u8,
    score: impl FnMut(&[Vec<u8>]) -> Result<Vec<f64>, E>,
) -> Result<Vec<f64>, ExplainError<E>> {
    let windows = windows(ids.len(), width);
    let effects = occlude(ids, &windows, mask, score)?;
    let mut sums = vec![(0.0, 0_u32); ids.len()];
    for (window, effect) in windows.into_iter().zip(effects) {
        for (sum, count) in &mut sums[window] {
            *sum += effect;
            *count += 1;
        }
    }
    Ok(sums.into_iter().map(|(sum, count)| sum / f64::from(count)).collect())
}

/// All windows of `width` positions in a string of `length`, from left to right.
fn windows(length: usize, width: usize) -> Vec<Range<usize>> {
    if length == 0 {
        return Vec::new();
    }
    let width = width.clamp(1, length);
    (0..=length - width).map(|start| start..start + width).collect()
}

/// The colour of an effect on a diverging scale: white at 0, vermilion at `limit`, blue at `-limit`, and no further beyond.
pub fn colour(effect: f64, limit: f64) -> [u8; 3] {
    let share = if limit > 0.0 { (effect / limit).clamp(-1.0, 1.0) } else { 0.0 };
    let end = if share < 0.0 { LOWERS } else { RAISES };
    end.map(|channel| (255.0 + (f64::from(channel) - 255.0) * share.abs()).round() as u8)
}

/// Colours for [`crate::chem::Molecule::depict`]: the strongest effect has the full colour, and atoms with less than a
/// twentieth of it have none.
pub fn atom_colours(effects: &[f64]) -> Vec<Option<[u8; 3]>> {
    let limit = effects.iter().fold(0.0, |most: f64, effect| most.max(effect.abs()));
    effects
        .iter()
        .map(|&effect| (limit > 0.0 && effect.abs() >= VISIBLE * limit).then(|| colour(effect, limit)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chem::Molecule;
    use crate::synthetic::{MOTIFS, SyntheticConfig, affinity_table};
    use nn_core::metrics::auroc;
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// Position times label: its occlusion is known in closed form.
    #[allow(clippy::unnecessary_wraps, reason = "the signature of a scorer")]
    fn linear(inputs: &[Vec<u8>]) -> Result<Vec<f64>, Infallible> {
        let weigh = |ids: &Vec<u8>| ids.iter().enumerate().map(|(i, &id)| (i + 1) as f64 * f64::from(id)).sum::<f64>();
        Ok(inputs.iter().map(weigh).collect())
    }

    /// The most residues of `motif` that any place of the sequence matches.
    fn best_match(sequence: &[u8], motif: &[u8]) -> f64 {
        let matches = |window: &[u8]| window.iter().zip(motif).filter(|(a, b)| a == b).count();
        sequence.windows(motif.len()).map(matches).max().unwrap_or(0) as f64
    }

    proptest! {
        #[test]
        fn on_a_linear_model_the_effect_is_weight_times_change(
            ids in prop::collection::vec(0_u8..=64, 1..300),
            mask in 0_u8..=64,
            ends in prop::collection::vec((0_usize..310, 0_usize..310), 1..40),
        ) {
            let spans: Vec<_> = ends.iter().map(|&(a, b)| a.min(b)..a.max(b)).collect();
            let effects = occlude(&ids, &spans, mask, linear).unwrap();
            for (span, effect) in spans.iter().zip(effects) {
                let expected: f64 = span
                    .clone()
                    .filter(|&i| i < ids.len())
                    .map(|i| (i + 1) as f64 * (f64::from(ids[i]) - f64::from(mask)))
                    .sum();
                // Sums of integers below 2^53 are exact.
                prop_assert_eq!(effect, expected);
            }
        }

        #[test]
        fn a_residue_has_the_mean_of_the_windows_that_cover_it(
            ids in prop::collection::vec(1_u8..=25, 1..40),
            width in 0_usize..50,
        ) {
            let effects = occlude_residues(&ids, width, 0, linear).unwrap();
            let width = width.clamp(1, ids.len());
            for (at, effect) in effects.into_iter().enumerate() {
                let covering: Vec<f64> = (0..=ids.len() - width)
                    .filter(|start| (*start..start + width).contains(&at))
                    .map(|start| (start..start + width).map(|i| (i + 1) as f64 * f64::from(ids[i])).sum())
                    .collect();
                let expected = covering.iter().sum::<f64>() / covering.len() as f64;
                prop_assert!((effect - expected).abs() < 1e-9, "{} {}", effect, expected);
            }
        }
    }

    #[test]
    fn the_scorer_gets_small_batches_of_full_length() {
        let ids = vec![1_u8; 300];
        let spans: Vec<_> = (0..300).map(|i| i..i + 1).collect();
        let mut batches = Vec::new();
        occlude(&ids, &spans, 0, |inputs| {
            assert!(inputs.iter().all(|input| input.len() == 300));
            batches.push(inputs.len());
            linear(inputs)
        })
        .unwrap();
        assert_eq!(batches, [1, 128, 128, 44]);
    }

    #[test]
    fn what_was_cut_off_has_no_effect_and_is_not_scored() {
        let mut calls = 0;
        let effects = occlude(&[2, 2], &[2..3, 5..9, 1..4], 0, |inputs| {
            calls += inputs.len();
            linear(inputs)
        });
        assert_eq!(effects.unwrap(), [0.0, 0.0, 4.0]);
        assert_eq!(calls, 2);
        assert!(occlude_residues(&[], 3, 0, linear).unwrap().is_empty());
    }

    #[test]
    fn errors_of_the_scorer_are_kept() {
        let count = occlude(&[1, 2], &[0..1, 1..2], 0, |_| Ok::<_, Infallible>(vec![1.0, 2.0])).unwrap_err();
        assert_eq!(count.to_string(), "1 inputs were to be scored but 2 scores came back");
        let refused = occlude(&[1, 2], &[0..1, 1..2], 0, |_| Err(std::io::Error::other("device lost"))).unwrap_err();
        assert_eq!(refused.to_string(), "device lost");
    }

    /// Area under the curve of effects against planted residues, over all proteins, for a scorer of sequences.
    fn recovery(width: usize, score: impl Fn(&[u8]) -> f64) -> f64 {
        let config = SyntheticConfig { drugs: 4, targets: 40, ..SyntheticConfig::default() };
        let (table, truth) = affinity_table(&config).unwrap();
        let (mut labels, mut effects) = (Vec::new(), Vec::new());
        for (target, planted) in table.targets.iter().zip(&truth.motifs) {
            let scored = |inputs: &[Vec<u8>]| Ok::<_, Infallible>(inputs.iter().map(|ids| score(ids)).collect());
            effects.extend(occlude_residues(target.sequence.as_bytes(), width, b'X', scored).unwrap());
            labels.extend((0..target.sequence.len()).map(|i| planted.iter().any(|p| p.span.contains(&i))));
        }
        auroc(&labels, &effects).unwrap()
    }

    #[test]
    fn an_oracle_shows_the_planted_motifs_and_a_blind_scorer_does_not() {
        // Only motifs that are there in full count, so that chance matches elsewhere cannot take their place.
        let oracle = |ids: &[u8]| {
            MOTIFS.iter().map(|motif| best_match(ids, motif.as_bytes())).filter(|&n| n >= 7.0).sum::<f64>()
        };
        assert_eq!(recovery(1, oracle), 1.0);
        // A window that overlaps a motif by one residue also counts for its outer neighbours: below 1, but high.
        assert!(recovery(5, oracle) > 0.95);
        // Effects that know nothing of the motifs: 0.5, with a standard error of 0.01 for 480 planted of 3,600 residues.
        let blind =
            |ids: &[u8]| ids.iter().enumerate().filter(|(i, id)| **id != b'X' && (i * 7919) % 101 < 50).count() as f64;
        assert!((recovery(1, blind) - 0.5).abs() < 0.06);
    }

    #[test]
    fn an_oracle_shows_the_pharmacophore_of_real_drugs() {
        let (table, truth) =
            affinity_table(&SyntheticConfig { drugs: 156, targets: 2, ..SyntheticConfig::default() }).unwrap();
        for (drug, class) in table.drugs.iter().zip(&truth.classes) {
            let atoms = Molecule::parse(&drug.smiles).unwrap().atom_spans();
            let pharmacophores = class.spans(&drug.smiles);
            // As many points as there are pharmacophores left in the masked text.
            let oracle = |inputs: &[Vec<u8>]| {
                let count = |ids: &Vec<u8>| class.spans(&String::from_utf8_lossy(ids)).len() as f64;
                Ok::<_, Infallible>(inputs.iter().map(count).collect())
            };
            let effects = occlude(drug.smiles.as_bytes(), &atoms, b'*', oracle).unwrap();
            for (atom, effect) in atoms.iter().zip(&effects) {
                let inside = pharmacophores.iter().any(|p| p.start <= atom.start && atom.end <= p.end);
                assert_eq!(*effect > 0.5, inside, "{} byte {}: {effect}", drug.id, atom.start);
            }
            let colours = atom_colours(&effects);
            assert_eq!(colours.iter().flatten().count(), effects.iter().filter(|&&e| e > 0.5).count());
        }
    }

    #[test]
    fn the_scale_runs_from_blue_over_white_to_vermilion() {
        assert_eq!(colour(0.0, 2.0), [255, 255, 255]);
        assert_eq!(colour(2.0, 2.0), RAISES);
        assert_eq!(colour(9.0, 2.0), RAISES);
        assert_eq!(colour(-2.0, 2.0), LOWERS);
        // Half way, rounded: 255 + (94 - 255) / 2 = 174.5.
        assert_eq!(colour(1.0, 2.0), [234, 175, 128]);
        assert_eq!(colour(1.0, 0.0), [255, 255, 255]);
        assert_eq!(atom_colours(&[2.0, 0.05, -2.0]), [Some(RAISES), None, Some(LOWERS)]);
        assert_eq!(atom_colours(&[0.0, 0.0]), [None, None]);
    }
}
