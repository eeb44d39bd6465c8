//! Predicted against measured.

use plotters::prelude::*;

use super::frame::{self, COLOURS, WIDTH, chart, dashed, figure};
use super::{Axes, FigureError, MAX_POINTS, thin};

/// One dot for each pair of a measured and a predicted value, on equal axes with the line of identity; `notes` are
/// lines of text above the plot, such as the metrics. At most [`MAX_POINTS`] pairs are drawn, and the figure says so.
///
/// # Errors
/// [`FigureError`] if the lists differ in length, are empty, or hold a value that is not finite.
pub fn scatter(axes: &Axes<'_>, measured: &[f64], predicted: &[f64], notes: &[String]) -> Result<String, FigureError> {
    if measured.len() != predicted.len() {
        return Err(FigureError::Length {
            title: axes.title.to_owned(),
            left_name: "measured",
            left: measured.len(),
            right_name: "predicted",
            right: predicted.len(),
        });
    }
    frame::finite(axes, "measured", measured.iter().copied())?;
    frame::finite(axes, "predicted", predicted.iter().copied())?;

    let range = frame::span(measured.iter().chain(predicted).copied());
    let pairs: Vec<(f64, f64)> = measured.iter().copied().zip(predicted.iter().copied()).collect();
    let shown = thin(&pairs, MAX_POINTS);
    let mut notes = notes.to_vec();
    if shown.len() < pairs.len() {
        notes.push(format!("{} of {} pairs are drawn", shown.len(), pairs.len()));
    }
    // Few dots stay visible one by one, many show where they lie densely.
    let opacity = if shown.len() > 500 { 0.3 } else { 0.6 };
    let height = 480 + 22 * notes.len() as u32;
    figure(axes, (WIDTH, height), |area| {
        let top = frame::notes(area, &notes, WIDTH)?;
        let mut chart = chart(area, axes, range.clone(), range.clone(), top)?;
        let style = COLOURS[0].mix(opacity).filled();
        chart.draw_series(shown.iter().map(|&pair| Circle::new(pair, 2, style)))?;
        dashed(&mut chart, (range.start, range.start), (range.end, range.end))
    })
}
