//! What the networks over visits share: vectors of codes, sums over visits, and values on the way from a device.

use burn::module::{Module, Param};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::train::StepError;
use rand_chacha::ChaCha8Rng;

use super::VisitBatch;

/// Ids of the vocabulary in a configuration that has not been given any.
pub(crate) const CODES: usize = 1000;

/// Checks what every configuration has.
pub(crate) fn check_shape(codes: usize, statics: usize, outputs: usize) -> Result<(), ConfigError> {
    in_range("codes", codes, 2..=10_000_000)?;
    in_range("statics", statics, 0..=1_000_000)?;
    in_range("outputs", outputs, 1..=1_000_000)
}

/// Row numbers as a tensor for selections.
pub(crate) fn indices(rows: impl IntoIterator<Item = usize>, device: &Device) -> Tensor<1, Int> {
    let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

/// A vector for each id of a vocabulary.
#[derive(Module, Debug)]
pub(crate) struct CodeEmbedding {
    /// `[codes, width]`.
    table: Param<Tensor<2>>,
}

impl CodeEmbedding {
    pub(crate) fn new(shape: [usize; 2], init: Init, device: &Device, rng: &mut ChaCha8Rng) -> Self {
        let [_, width] = shape;
        // a code alone is the input of the units of its vector, whatever the size of the vocabulary
        Self { table: init.param(shape, Fan { inputs: width, outputs: width }, rng, device) }
    }

    /// The vectors of ids, one behind the other.
    ///
    /// # Shapes
    /// - ids: one at least; output `[ids, width]`
    ///
    /// # Panics
    /// When an id is beyond the vocabulary.
    pub(crate) fn vectors(&self, ids: &[u32]) -> Tensor<2> {
        let table = self.table.val();
        let ([codes, _], device) = (table.dims(), table.device());
        let largest = ids.iter().copied().max().unwrap_or(0) as usize;
        assert!(largest < codes, "code {largest} of a vocabulary of {codes}");
        table.select(0, indices(ids.iter().map(|&id| id as usize), &device)) // [ids, width]
    }

    /// Sums of the vectors of each visit.
    ///
    /// # Shapes
    /// - output `[rows, visits, width]`, zeros in padding
    ///
    /// # Panics
    /// When an id is beyond the vocabulary.
    pub(crate) fn visits(&self, batch: &VisitBatch) -> Tensor<3> {
        if batch.all_codes().is_empty() {
            return Tensor::zeros([batch.rows(), batch.visits(), self.width()], &self.device());
        }
        sum_by_visit(self.vectors(batch.all_codes()), batch)
    }

    /// Numbers of a vector.
    pub(crate) fn width(&self) -> usize {
        self.table.val().dims()[1]
    }

    /// The device it is on.
    pub(crate) fn device(&self) -> Device {
        self.table.val().device()
    }
}

/// Adds what belongs to the codes of a batch up by visit. The sum runs in the order of the codes, and padding takes no
/// part: no bit depends on either.
///
/// # Shapes
/// - values `[codes of the batch, width]`, one code at least; output `[rows, visits, width]`, zeros in padding
pub(crate) fn sum_by_visit(values: Tensor<2>, batch: &VisitBatch) -> Tensor<3> {
    let ([_, width], device, dtype) = (values.dims(), values.device(), values.dtype());
    let (rows, visits) = (batch.rows(), batch.visits());
    let places = indices(batch.places(), &device);
    Tensor::<2>::zeros([rows * visits, width], (&device, dtype))
        .select_assign(0, places, values, IndexingUpdateOp::Add)
        .reshape([rows, visits, width])
}

/// What stands at the last visit of each row.
///
/// # Shapes
/// - x `[rows, visits, width]`; output `[rows, width]`
pub(crate) fn last_visits(x: Tensor<3>, batch: &VisitBatch) -> Tensor<2> {
    let ([rows, visits, width], device) = (x.dims(), x.device());
    let last = batch.lengths().iter().enumerate().map(|(row, length)| row * visits + length - 1);
    x.reshape([rows * visits, width]).select(0, indices(last, &device)) // [rows, width]
}

/// Puts the statics of a batch, of which there must be `expected`, behind what was made of the visits.
///
/// # Shapes
/// - x `[rows, width]`; output `[rows, width + statics]`
pub(crate) fn with_statics(x: Tensor<2>, batch: &VisitBatch, expected: usize) -> Tensor<2> {
    assert_eq!(batch.statics_width(), expected, "statics of the batch");
    if expected == 0 {
        return x;
    }
    let statics = batch.statics(&x.device());
    Tensor::cat(vec![x, statics], 1)
}

/// The values of a tensor in row-major order.
pub(crate) fn numbers<const D: usize>(x: Tensor<D>, what: &'static str) -> Result<Vec<f64>, StepError> {
    x.try_into_vec_as::<f64>().map_err(|error| StepError::Device { what, reason: error.to_string() })
}
