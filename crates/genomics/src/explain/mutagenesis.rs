//! In-silico saturation mutagenesis: every base replaced by every other (Zhou and Troyanskaya 2015, Nature Methods
//! 12:931).

use burn::tensor::{Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ExplainError, Inputs, Scorer, Target, outputs_of, scores};
use crate::motif::Column;

/// Replaces every base by every other and evaluates the model on each mutant. Nothing is approximated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mutagenesis {
    /// Mutants in one call of the model, whichever sequences they are of.
    pub rows_per_call: usize,
}

impl Default for Mutagenesis {
    fn default() -> Self {
        Self { rows_per_call: 512 }
    }
}

/// What each substitution changes.
#[derive(Debug, Clone, PartialEq)]
pub struct MutationMap {
    /// Output of each sequence as it is.
    pub outputs: Vec<f64>,
    /// For each sequence and base, what the output changes by if A, C, G or T stands there instead; 0 for the base that
    /// does.
    pub changes: Vec<Vec<Column>>,
    /// Sequences that the model was evaluated on.
    pub evaluations: usize,
    /// Number of substitutions at each base: 3, or 4 where it is not known.
    substitutions: Vec<Vec<u8>>,
}

impl MutationMap {
    /// What each base adds to the output, compared with the mean of its substitutions.
    pub fn per_base(&self) -> Vec<Vec<f64>> {
        let importance = |(changes, &count): (&Column, &u8)| 0.0 - changes.iter().sum::<f64>() / f64::from(count);
        let rows = self.changes.iter().zip(&self.substitutions);
        rows.map(|(changes, counts)| changes.iter().zip(counts).map(importance).collect()).collect()
    }
}

/// A sequence with one base replaced.
struct Mutant {
    row: usize,
    /// Which base of the sequence.
    place: usize,
    /// What stands there.
    base: usize,
}

impl Mutagenesis {
    /// # Errors
    /// [`ConfigError::OutOfRange`] for no row in a call.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("rows_per_call", self.rows_per_call, 1..=1 << 20)
    }

    /// The changes of the target's logit.
    ///
    /// # Errors
    /// [`ExplainError`] for a setting out of range, a target that does not exist, or a logit that is not finite.
    pub fn run(&self, model: &impl Scorer<3>, inputs: &Inputs, target: &Target) -> Result<MutationMap, ExplainError> {
        self.validate()?;
        let rows = inputs.rows();
        let chosen = outputs_of(target, rows)?;
        let mut outputs = Vec::with_capacity(rows);
        for first in (0..rows).step_by(self.rows_per_call) {
            let end = rows.min(first + self.rows_per_call);
            let x = inputs.tensor().clone().narrow(0, first, end - first);
            outputs.extend(scores(model.logits(x), &chosen[first..end], |at| first + at)?);
        }
        let mut changes: Vec<Vec<Column>> = (0..rows).map(|row| vec![[0.0; 4]; inputs.sequence(row).len()]).collect();
        let substitutions =
            (0..rows).map(|row| inputs.bases(row).map(|base| if base.is_some() { 3 } else { 4 }).collect()).collect();
        let mut evaluations = rows;
        let mut mutants = (0..rows).flat_map(|row| {
            inputs.bases(row).enumerate().flat_map(move |(place, present)| {
                let others = (0..4).filter(move |base| present != Some(*base));
                others.map(move |base| Mutant { row, place, base })
            })
        });
        loop {
            let part: Vec<Mutant> = mutants.by_ref().take(self.rows_per_call).collect();
            if part.is_empty() {
                break;
            }
            let wanted: Vec<usize> = part.iter().map(|mutant| chosen[mutant.row]).collect();
            let found = scores(model.logits(mutated(inputs, &part)), &wanted, |at| part[at].row)?;
            for (mutant, score) in part.iter().zip(found) {
                changes[mutant.row][mutant.place][mutant.base] = score - outputs[mutant.row];
            }
            evaluations += part.len();
        }
        Ok(MutationMap { outputs, changes, evaluations, substitutions })
    }
}

/// # Shapes
/// - output `[mutants, 4, length]`
fn mutated(inputs: &Inputs, mutants: &[Mutant]) -> Tensor<3> {
    let (length, elements) = (inputs.length(), 4 * inputs.length());
    let starts: Vec<usize> = mutants.iter().map(|mutant| inputs.span(mutant.row).start).collect();
    let (source, device) = (inputs.host(), inputs.tensor().device());
    let mut values = vec![0.0_f32; mutants.len() * elements];
    values.par_chunks_exact_mut(elements).zip(mutants).zip(starts).for_each(|((values, mutant), start)| {
        values.copy_from_slice(&source[mutant.row * elements..(mutant.row + 1) * elements]);
        for base in 0..4 {
            values[base * length + start + mutant.place] = f32::from(u8::from(base == mutant.base));
        }
    });
    Tensor::from_data(TensorData::new(values, [mutants.len(), 4, length]), &device)
}
