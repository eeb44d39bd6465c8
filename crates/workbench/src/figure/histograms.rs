//! Distributions side by side.

use plotters::prelude::*;

use super::frame::{self, COLOURS, HEIGHT, LEFT, MARGIN, TEXT, WIDTH, chart, figure, text_at};
use super::{Axes, FigureError};
use plotters::style::text_anchor::{HPos, VPos};

/// Most panels of one figure.
const MAX_PANELS: usize = 6;

/// The values of one panel.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// Heading of the panel.
    pub name: &'a str,
    /// The values whose distribution it shows.
    pub values: &'a [f64],
}

/// One histogram for each panel, two in a row, all on the same axes and bins. The bars show per cent of the panel's
/// values, so that panels of different size compare; the label of the y axis should say so.
///
/// # Errors
/// [`FigureError`] if there is no panel or more than six, or if one is empty or holds a value that is not finite.
pub fn histograms(axes: &Axes<'_>, panels: &[Panel<'_>], bins: usize) -> Result<String, FigureError> {
    let too_many = |what, found, most| FigureError::TooMany { title: axes.title.to_owned(), what, found, most };
    if panels.is_empty() || bins == 0 {
        let what = if bins == 0 { "the bins" } else { "the list of panels" };
        return Err(FigureError::Empty { title: axes.title.to_owned(), what: what.to_owned() });
    }
    if panels.len() > MAX_PANELS {
        return Err(too_many("panels", panels.len(), MAX_PANELS));
    }
    if bins > 200 {
        return Err(too_many("bins", bins, 200));
    }
    for panel in panels {
        frame::finite(axes, panel.name, panel.values.iter().copied())?;
    }
    let range = frame::span(panels.iter().flat_map(|panel| panel.values.iter().copied()));
    let width = (range.end - range.start) / bins as f64;
    let shares: Vec<Vec<f64>> = panels.iter().map(|panel| share(panel.values, range.start, width, bins)).collect();
    let highest = shares.iter().flatten().copied().fold(0.0, f64::max);

    let columns = panels.len().min(2);
    let rows = panels.len().div_ceil(columns);
    let panel_height = if rows == 1 { HEIGHT } else { 290 };
    figure(axes, (WIDTH, panel_height * rows as u32), |area| {
        let areas = area.split_evenly((rows, columns));
        for (index, (panel, share)) in panels.iter().zip(&shares).enumerate() {
            let heading = frame::fit(panel.name, (WIDTH / columns as u32).saturating_sub(LEFT + 2 * MARGIN) as i32);
            let area = &areas[index];
            area.draw_text(&heading, &text_at(HPos::Left, VPos::Top), (LEFT as i32 + MARGIN as i32, MARGIN as i32))?;
            let mut chart = chart(area, axes, range.clone(), 0.0..highest * 1.05, MARGIN + TEXT + 8)?;
            let colour = COLOURS[index];
            chart.draw_series(share.iter().enumerate().filter(|(_, share)| **share > 0.0).map(|(bin, &share)| {
                let left = range.start + width * bin as f64;
                Rectangle::new([(left, 0.0), (left + width, share)], colour.mix(0.75).filled())
            }))?;
        }
        Ok(())
    })
}

/// Per cent of `values` in each bin.
fn share(values: &[f64], start: f64, width: f64, bins: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; bins];
    for value in values {
        let bin = ((value - start) / width) as usize;
        counts[bin.min(bins - 1)] += 1;
    }
    counts.iter().map(|&count| 100.0 * count as f64 / values.len() as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_count_every_value_once() {
        assert_eq!(share(&[0.0, 0.5, 1.0, 4.0], 0.0, 1.0, 4), [50.0, 25.0, 0.0, 25.0]);
    }
}
