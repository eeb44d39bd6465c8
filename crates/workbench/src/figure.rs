//! Figures as SVG text: learning curves, predicted against measured, histograms, calibration, residuals by group,
//! profiles along a sequence.
//!
//! Every figure has labelled axes (the label carries the unit), the colours of Okabe and Ito, which people with any
//! colour vision tell apart, a white ground, and text of 14 units, so that it stays readable down to 11/14 of its width.
//! The root element carries `class="figure"`, `role="img"` and the title as `aria-label`.
//!
//! ```
//! use workbench::figure::{Axes, Series, lines};
//! let loss = [(1.0, 1.8), (2.0, 1.1), (3.0, 0.9)];
//! let axes = Axes { title: "Learning curve", x: "epoch", y: "mean squared error (pKd²)" };
//! let svg = lines(&axes, &[Series { name: "training", points: &loss }], None)?;
//! assert!(svg.starts_with("<svg class=\"figure\" role=\"img\" aria-label=\"Learning curve\""));
//! # Ok::<(), workbench::figure::FigureError>(())
//! ```

mod boxes;
mod frame;
mod histograms;
mod lines;
mod profile;
mod scatter;

pub use boxes::{Group, boxes};
pub use frame::escaped;
pub use histograms::{Panel, histograms};
pub use lines::{calibration, lines};
pub use profile::profile;
pub use scatter::scatter;

/// Most points that a figure draws for one series; more are thinned to every n-th.
pub const MAX_POINTS: usize = 3000;

/// What a figure shows, and what its axes measure.
#[derive(Debug, Clone, Copy)]
pub struct Axes<'a> {
    /// What the figure shows, in one line, for those who hear it instead of seeing it.
    pub title: &'a str,
    /// Label of the horizontal axis, with the unit.
    pub x: &'a str,
    /// Label of the vertical axis, with the unit.
    pub y: &'a str,
}

/// Points to be joined by a line.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// The points, in the order of the line.
    pub points: &'a [(f64, f64)],
}

/// A figure that cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FigureError {
    /// There is nothing to draw.
    #[error("figure {title:?} has no data in {what}")]
    Empty {
        /// Title of the figure.
        title: String,
        /// Which data.
        what: String,
    },
    /// A value that has no place on an axis.
    #[error("figure {title:?}: value {index} of {what} is {value}, not a finite number")]
    NotFinite {
        /// Title of the figure.
        title: String,
        /// Which data.
        what: String,
        /// Position of the value, counted from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Two lists that belong together differ in length.
    #[error("figure {title:?}: {left} values of {left_name}, but {right} of {right_name}")]
    Length {
        /// Title of the figure.
        title: String,
        /// What the first list holds.
        left_name: &'static str,
        /// Its length.
        left: usize,
        /// What the second list holds.
        right_name: &'static str,
        /// Its length.
        right: usize,
    },
    /// A title or an axis without text.
    #[error("figure {title:?} has no {what}; a figure needs a title and a label with its unit on each axis")]
    Unlabelled {
        /// Title of the figure.
        title: String,
        /// What is missing.
        what: &'static str,
    },
    /// More groups or panels than fit.
    #[error("figure {title:?} has {found} {what}; at most {most} are drawn, so show the largest ones or merge some")]
    TooMany {
        /// Title of the figure.
        title: String,
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many are drawn at most.
        most: usize,
    },
    /// The drawing library failed.
    #[error("drawing failed: {0}")]
    Draw(String),
}

/// Every n-th of `values`, at most `most`, always the same ones: the first of each of `most` equal stretches.
pub(crate) fn thin<T: Copy>(values: &[T], most: usize) -> Vec<T> {
    if values.len() <= most {
        return values.to_vec();
    }
    (0..most).map(|index| values[index * values.len() / most]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_is_even_and_always_the_same() {
        let values: Vec<usize> = (0..10).collect();
        assert_eq!(thin(&values, 4), [0, 2, 5, 7]);
        assert_eq!(thin(&values, 10), values);
        assert_eq!(thin(&values, 99), values);
    }
}
