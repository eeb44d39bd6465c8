//! Elements of a row that are looked at as one.

use burn::tensor::{Int, Tensor};

use super::ExplainError;

/// A division of the elements of a row into groups, the same for all rows.
///
/// The channels of a one-hot position, the dummies of one column, the positions of a patch: taken out singly they leave
/// inputs that the model has never seen.
///
/// ```
/// use nn_core::explain::Groups;
/// // rows of shape [2, 3], a group for each position of the last axis
/// let groups = Groups::along([5, 2, 3], 2)?;
/// assert_eq!((groups.count(), groups.of()), (3, &[0, 1, 2, 0, 1, 2][..]));
/// assert_eq!(Groups::new(vec![0, 0, 1])?.count(), 2);
/// assert!(Groups::new(vec![0, 2]).is_err());
/// # Ok::<(), nn_core::explain::ExplainError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    of: Vec<usize>,
    count: usize,
}

impl Groups {
    /// Every one of `elements` elements by itself.
    pub fn each(elements: usize) -> Self {
        Self { of: (0..elements).collect(), count: elements }
    }

    /// The group of each element of a row, row-major; groups are numbered from 0 without a gap.
    ///
    /// # Errors
    /// [`ExplainError::Empty`] without an element, [`ExplainError::Shape`] when a number is left out.
    pub fn new(of: Vec<usize>) -> Result<Self, ExplainError> {
        let Some(&largest) = of.iter().max() else {
            return Err(ExplainError::Empty);
        };
        // more groups than elements leave one empty; known before as many flags are made
        if largest >= of.len() || used(&of, largest + 1).contains(&false) {
            let expected = format!("an element for every group from 0 to {largest}");
            return Err(ExplainError::Shape { what: "the list of groups", found: vec![of.len()], expected });
        }
        Ok(Self { of, count: largest + 1 })
    }

    /// One group for each position along an axis of an input of shape `dims`, over all other axes but the rows'.
    ///
    /// # Errors
    /// [`ExplainError::Shape`] when `axis` is not one of 1 to D − 1, [`ExplainError::Empty`] without an element.
    pub fn along<const D: usize>(dims: [usize; D], axis: usize) -> Result<Self, ExplainError> {
        if axis == 0 || axis >= D {
            let expected = format!("to be divided along an axis from 1 to {}, not {axis}", D.saturating_sub(1));
            return Err(ExplainError::Shape { what: "the input", found: dims.to_vec(), expected });
        }
        let after: usize = dims[axis + 1..].iter().product();
        let elements: usize = dims[1..].iter().product();
        Self::new((0..elements).map(|element| element / after % dims[axis]).collect())
    }

    /// Group numbers laid out as one row, of any rank; the first axis has length 1.
    ///
    /// # Errors
    /// As [`Groups::new`]; also [`ExplainError::Shape`] for several rows or a negative number.
    pub fn from_tensor<const D: usize>(of: Tensor<D, Int>) -> Result<Self, ExplainError> {
        let dims = of.dims();
        let shape = |expected: &str| ExplainError::Shape {
            what: "the tensor of groups",
            found: dims.to_vec(),
            expected: expected.to_owned(),
        };
        if dims[0] != 1 {
            return Err(shape("one row, whose groups hold for all rows"));
        }
        let numbers = of.try_into_vec_as::<i64>()?;
        let numbers: Option<Vec<usize>> = numbers.into_iter().map(|number| usize::try_from(number).ok()).collect();
        Self::new(numbers.ok_or_else(|| shape("numbers from 0"))?)
    }

    /// Number of groups.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The group of each element of a row.
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// The first element of each group.
    pub(super) fn first_elements(&self) -> Vec<usize> {
        let mut first = vec![0; self.count];
        // from the back, so that the first is written last
        for (element, &group) in self.of.iter().enumerate().rev() {
            first[group] = element;
        }
        first
    }

    /// Whether the groups divide the rows of `x`.
    pub(super) fn check<const D: usize>(&self, x: &Tensor<D>) -> Result<(), ExplainError> {
        let dims = x.dims();
        if dims[1..].iter().product::<usize>() == self.of.len() {
            return Ok(());
        }
        let expected = format!("rows of {} elements, as many as the groups divide", self.of.len());
        Err(ExplainError::Shape { what: "the input", found: dims.to_vec(), expected })
    }

    /// `[rows][groups]` values as one for each element.
    pub(super) fn spread(&self, values: &[Vec<f64>]) -> Vec<f64> {
        values.iter().flat_map(|row| self.of.iter().map(|&group| row[group])).collect()
    }
}

fn used(of: &[usize], count: usize) -> Vec<bool> {
    let mut used = vec![false; count];
    of.iter().for_each(|&group| used[group] = true);
    used
}
