//! What an input is compared with.

use burn::tensor::Tensor;

use super::ExplainError;

/// The input that stands for "nothing there".
///
/// No baseline is neutral for every model: zero is the mean of a standardised column, and no symbol at all in a
/// one-hot sequence. An average over rows of real data makes the fewest assumptions, at the price of as
/// many evaluations.
#[derive(Debug, Clone)]
pub enum Baseline<const D: usize> {
    /// The same number everywhere.
    Value(f64),
    /// One baseline for each row, `[rows, …]`, or one for all, `[1, …]`.
    Each(Tensor<D>),
    /// Every row is compared with every one of these, `[baselines, …]`, and the results are averaged: expected
    /// gradients (Erion et al. 2021), the interventional expectation of Shapley values.
    Average(Tensor<D>),
}

impl<const D: usize> Default for Baseline<D> {
    fn default() -> Self {
        Self::zero()
    }
}

impl<const D: usize> Baseline<D> {
    /// Zero everywhere.
    pub fn zero() -> Self {
        Self::Value(0.0)
    }

    /// The baselines to average over, each of the shape of `x`.
    pub(super) fn tensors(&self, x: &Tensor<D>) -> Result<Vec<Tensor<D>>, ExplainError> {
        match self {
            Self::Value(value) => Ok(vec![x.full_like(*value)]),
            Self::Each(rows) => {
                let rows = fitting(rows, x)?;
                let found = rows.dims();
                if found[0] == 1 || found[0] == x.dims()[0] {
                    return Ok(vec![rows.expand(x.dims())]);
                }
                let expected = format!("1 or {} rows", x.dims()[0]);
                Err(ExplainError::Shape { what: "the baseline", found: found.to_vec(), expected })
            }
            Self::Average(rows) => {
                let rows = fitting(rows, x)?;
                let count = rows.dims()[0];
                Ok((0..count).map(|row| rows.clone().narrow(0, row, 1).expand(x.dims())).collect())
            }
        }
    }
}

/// The same rows in the precision of `x`, if each has the shape of a row of `x`.
fn fitting<const D: usize>(rows: &Tensor<D>, x: &Tensor<D>) -> Result<Tensor<D>, ExplainError> {
    let (found, wanted) = (rows.dims(), x.dims());
    if found[0] == 0 || found[1..] != wanted[1..] {
        let expected = format!("rows of shape {:?}", &wanted[1..]);
        return Err(ExplainError::Shape { what: "the baseline", found: found.to_vec(), expected });
    }
    Ok(rows.clone().inner().cast(x.dtype()))
}
