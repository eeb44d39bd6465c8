//! What a model reads in a sequence: which bases count, for which output, and how far the answer can be trusted.
//!
//! Everything works on a model from one-hot bases `[rows, 4, length]` to logits: a closure `Fn(Tensor<3>) ->
//! Tensor<2>`, or any [`Scorer`]; [`SequenceModel::forward`](crate::model::SequenceModel::forward) is one. It must be
//! in evaluation state, without dropout.
//!
//! | question | method |
//! |---|---|
//! | what would each substitution change | [`Mutagenesis`]: exact, three evaluations for each base |
//! | how is the output made up of the bases | [`integrated_gradients`], [`deep_lift`], against a [`Reference`] |
//! | what does the output react to | [`gradient_x_input`], [`saliency_map`] |
//! | what does a recurrent model know after each base | [`temporal_outputs`] |
//! | what would be the best sequence | [`ClassOptimisation`] |
//! | where is an answer one of several | [`PoolTies`] |
//!
//! Values of the second kind are given with their [`Completeness`]: how far they are from summing to what they explain,
//! for each sequence. Bases that are not known, and padding, are the same in input and reference, and so get no value.
//!
//! Stretches that matter become motifs in [`crate::motif`], maps are drawn by [`crate::logo`].
//!
//! ```
//! use genomics::explain::{Inputs, Mutagenesis};
//! use genomics::sequence::Unknown;
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::explain::Target;
//! // a model that counts G (channel 2) and gives 3 for each
//! let model = |x: Tensor<3>| x.narrow(1, 2, 1).sum_dim(2).squeeze_dim::<2>(2) * 3.0;
//! let inputs = Inputs::new(&[b"AGN"], 3, Unknown::Zeros, &Device::flex())?;
//! let map = Mutagenesis::default().run(&model, &inputs, &Target::All(0))?;
//! assert_eq!(map.outputs, [3.0]);
//! // A, C and T add nothing at the first base, G does; any other base at the second takes away what is there
//! assert_eq!(map.changes[0], [[0.0, 0.0, 3.0, 0.0], [-3.0, -3.0, 0.0, -3.0], [0.0, 0.0, 3.0, 0.0]]);
//! assert_eq!(map.per_base()[0], [-1.0, 3.0, -0.75]);
//! # Ok::<(), genomics::explain::ExplainError>(())
//! ```

mod attributions;
mod dashboards;
mod inputs;
mod mutagenesis;
#[cfg(test)]
mod tests;
mod ties;

pub use self::attributions::{
    Attributions, Completeness, Reference, deep_lift, gradient_x_input, integrated_gradients, saliency_map,
};
pub use self::dashboards::{ClassOptimisation, ClassScore, Optimum, TemporalOutputs, temporal_outputs};
pub use self::inputs::Inputs;
pub use self::mutagenesis::{Mutagenesis, MutationMap};
pub use self::ties::{PoolTies, Tie};
pub use nn_core::explain::{IntegratedGradients, Rescale, Scorer, Target};

use burn::tensor::{Int, Tensor, TensorData, TensorReadError};
use nn_core::config::ConfigError;
use nn_core::explain::ExplainError as ModelError;

/// Why a sequence cannot be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The model cannot be explained, or does not give the output asked for.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A sequence that the model cannot read.
    #[error("sequence {row} has {found} bases; the model reads 1 to {length}")]
    Length {
        /// The sequence, from 0.
        row: usize,
        /// Its bases.
        found: usize,
        /// Bases that the model reads.
        length: usize,
    },
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl From<TensorReadError> for ExplainError {
    fn from(error: TensorReadError) -> Self {
        Self::Model(ModelError::Read(error))
    }
}

/// The output that is explained in each of `rows` rows.
fn outputs_of(target: &Target, rows: usize) -> Result<Vec<usize>, ExplainError> {
    match target {
        Target::All(output) => Ok(vec![*output; rows]),
        Target::Each(outputs) if outputs.len() == rows => Ok(outputs.clone()),
        Target::Each(outputs) => Err(ModelError::Targets { targets: outputs.len(), rows }.into()),
    }
}

/// The chosen output of each row.
///
/// # Shapes
/// - logits `[rows, outputs]`; output `[rows, 1]`
fn pick(logits: Tensor<2>, chosen: &[usize]) -> Result<Tensor<2>, ExplainError> {
    let [rows, outputs] = logits.dims();
    if rows != chosen.len() {
        let expected = format!("{} rows, one for each row of the input", chosen.len());
        return Err(ModelError::Shape { what: "what the model returned", found: vec![rows, outputs], expected }.into());
    }
    if let Some(row) = chosen.iter().position(|output| *output >= outputs) {
        return Err(ModelError::NoOutput { row, target: chosen[row], outputs }.into());
    }
    let index: Vec<i64> = chosen.iter().map(|&output| output as i64).collect();
    let index = Tensor::<2, Int>::from_data(TensorData::new(index, [rows, 1]), &logits.device());
    Ok(logits.gather(1, index))
}

/// The chosen outputs on the host, all of them finite; `row` is the row of the input that one is of.
fn scores(logits: Tensor<2>, chosen: &[usize], row: impl Fn(usize) -> usize) -> Result<Vec<f64>, ExplainError> {
    let scores = pick(logits, chosen)?.inner().try_into_vec_as::<f64>()?;
    match scores.iter().position(|score| !score.is_finite()) {
        Some(at) => Err(ModelError::NotFinite { row: row(at), value: scores[at] }.into()),
        None => Ok(scores),
    }
}
