//! Why an explanation cannot be given.

use burn::tensor::TensorReadError;

use crate::config::ConfigError;
use crate::metrics::MetricError;

/// What stands in the way of an explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// There is nothing to explain.
    #[error("the input is empty; an explanation needs at least one row of one element")]
    Empty,
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A metric has no value.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Two things that belong together differ in shape.
    #[error("{what} has shape {found:?}; expected {expected}")]
    Shape {
        /// What has the wrong shape.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// Not one target for each row.
    #[error("{targets} targets for {rows} rows; give one for all, or one for each row")]
    Targets {
        /// Number of targets given.
        targets: usize,
        /// Number of rows.
        rows: usize,
    },
    /// The target is not one of the model's outputs.
    #[error("row {row}: output {target} does not exist; the model has {outputs}, counted from 0")]
    NoOutput {
        /// The row, from 0.
        row: usize,
        /// The output asked for.
        target: usize,
        /// Number of outputs.
        outputs: usize,
    },
    /// The model returned NaN or infinity.
    #[error("row {row}: the model's output is {value}, not a finite number; look at this row and at the weights")]
    NotFinite {
        /// The row of the input, from 0.
        row: usize,
        /// The output.
        value: f64,
    },
    /// Nothing to differentiate.
    #[error(
        "the output does not depend on the {what} through differentiable operations; look for inner(), detach() or a \
         conversion to integers on the way"
    )]
    NoGradient {
        /// What the gradient was asked for.
        what: &'static str,
    },
    /// The model must mark one layer.
    #[error("the model called its probe {calls} times; call it once, at the layer of interest")]
    Probe {
        /// How often it did.
        calls: usize,
    },
    /// Too few equations for the unknowns.
    #[error("{coalitions} coalitions do not determine the values of {groups} groups; ask for more coalitions")]
    Underdetermined {
        /// Coalitions evaluated.
        coalitions: usize,
        /// Groups to be valued.
        groups: usize,
    },
    /// The device did not give the numbers.
    #[error("cannot read the values from the device: {0}")]
    Read(#[from] TensorReadError),
}
