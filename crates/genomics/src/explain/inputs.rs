//! Sequences as a model reads them, and the way back.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use nn_core::explain::ExplainError as ModelError;

use super::ExplainError;
use crate::motif::Column;
use crate::sequence::{CODES, Unknown, one_hot};

/// Sequences that are to be explained, as input of a model.
#[derive(Debug, Clone)]
pub struct Inputs {
    x: Tensor<3>,
    /// The same on the host.
    values: Vec<f32>,
    sequences: Vec<Vec<u8>>,
    length: usize,
    unknown: Unknown,
}

impl Inputs {
    /// Sequences for a model that reads `length` bases, which makes of shorter ones and of unknown letters what
    /// [`one_hot`] makes of them; the tensor lies on `device`, that of the model.
    ///
    /// # Errors
    /// [`ExplainError::Model`] for no sequence; [`ExplainError::Length`] for an empty one, or one that is longer than
    /// the model reads.
    pub fn new(sequences: &[&[u8]], length: usize, unknown: Unknown, device: &Device) -> Result<Self, ExplainError> {
        if sequences.is_empty() {
            return Err(ModelError::Empty.into());
        }
        for (row, sequence) in sequences.iter().enumerate() {
            if sequence.is_empty() || sequence.len() > length {
                return Err(ExplainError::Length { row, found: sequence.len(), length });
            }
        }
        let values = one_hot(sequences, length, unknown);
        let x = Tensor::<3>::from_data(TensorData::new(values.clone(), [sequences.len(), 4, length]), device).inner();
        let sequences = sequences.iter().map(|sequence| sequence.to_vec()).collect();
        Ok(Self { x, values, sequences, length, unknown })
    }

    /// The input of the model, without gradient tracking.
    ///
    /// # Shapes
    /// - output `[rows, 4, length]`
    pub fn tensor(&self) -> &Tensor<3> {
        &self.x
    }

    /// Number of sequences.
    pub fn rows(&self) -> usize {
        self.sequences.len()
    }

    /// The bases of a sequence.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn sequence(&self, row: usize) -> &[u8] {
        &self.sequences[row]
    }

    /// Where the bases of a sequence lie among the positions of the input.
    ///
    /// # Panics
    /// If there is no such sequence.
    pub fn span(&self, row: usize) -> Range<usize> {
        let bases = self.sequences[row].len();
        let first = (self.length - bases) / 2;
        first..first + bases
    }

    /// Positions of the input.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The input on the host, row-major.
    pub(super) fn host(&self) -> &[f32] {
        &self.values
    }

    /// Number of each known base of a sequence, from 0 to 3.
    pub(super) fn bases(&self, row: usize) -> impl Iterator<Item = Option<usize>> {
        self.sequences[row].iter().map(|&byte| Some(usize::from(CODES[usize::from(byte)])).filter(|code| *code < 4))
    }

    /// Other sequences of the same lengths, in the same places.
    pub(super) fn replaced(&self, sequences: &[Vec<u8>]) -> Tensor<3> {
        let sequences: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
        let values = one_hot(&sequences, self.length, self.unknown);
        Tensor::from_data(TensorData::new(values, self.x.dims()), &self.x.device())
    }

    /// Values of the input's shape, as four numbers for each base of each sequence, without the padding.
    pub(super) fn columns(&self, values: &[f64]) -> Vec<Vec<Column>> {
        (0..self.rows())
            .map(|row| {
                let channels = &values[row * 4 * self.length..(row + 1) * 4 * self.length];
                self.span(row).map(|at| std::array::from_fn(|base| channels[base * self.length + at])).collect()
            })
            .collect()
    }
}
