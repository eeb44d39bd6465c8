//! Lines: learning curves, and calibration against the diagonal.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{self, Area, COLOURS, Chart, HEIGHT, Key, WIDTH, chart, dashed, figure, legend, text_at};
use super::{Axes, FigureError, MAX_POINTS, Series, thin};

/// Up to this many points of a series are marked with dots.
const DOTS: usize = 40;

/// Several series as lines, with a legend; `mark` is a vertical line with its name, such as the best epoch.
///
/// # Errors
/// [`FigureError`] if a series is empty or holds a value that is not finite.
pub fn lines(axes: &Axes<'_>, series: &[Series<'_>], mark: Option<(f64, &str)>) -> Result<String, FigureError> {
    check(axes, series)?;
    let points = || series.iter().flat_map(|series| series.points.iter());
    let marked = mark.iter().map(|&(x, _)| x).filter(|x| x.is_finite());
    let x = frame::span(points().map(|point| point.0).chain(marked));
    let y = frame::span(points().map(|point| point.1));
    figure(axes, (WIDTH, HEIGHT), |area| {
        let top = keys(area, series)?;
        let mut chart = chart(area, axes, x, y.clone(), top)?;
        if let Some((at, name)) = mark.filter(|(at, _)| at.is_finite()) {
            dashed(&mut chart, (at, y.start), (at, y.end))?;
            let (pixel, top) = chart.backend_coord(&(at, y.end));
            // The name goes to the side that has room for it.
            let (side, shift) = if pixel > WIDTH as i32 / 2 { (HPos::Right, -6) } else { (HPos::Left, 6) };
            area.draw_text(&frame::fit(name, 220), &text_at(side, VPos::Top), (pixel + shift, top + 4))?;
        }
        draw(&mut chart, series)
    })
}

/// Observed against expected, both from 0 to 1, with the diagonal that a calibrated model follows: coverage of
/// prediction intervals, or observed frequency by predicted probability.
///
/// # Errors
/// [`FigureError`] if a series is empty or holds a value that is not finite.
pub fn calibration(axes: &Axes<'_>, series: &[Series<'_>]) -> Result<String, FigureError> {
    check(axes, series)?;
    figure(axes, (WIDTH, HEIGHT + 80), |area| {
        let top = keys(area, series)?;
        let mut chart = chart(area, axes, -0.02..1.02, -0.02..1.02, top)?;
        dashed(&mut chart, (0.0, 0.0), (1.0, 1.0))?;
        draw(&mut chart, series)
    })
}

fn check(axes: &Axes<'_>, series: &[Series<'_>]) -> Result<(), FigureError> {
    if series.is_empty() {
        return Err(FigureError::Empty { title: axes.title.to_owned(), what: "the list of series".to_owned() });
    }
    if series.len() > COLOURS.len() {
        return Err(FigureError::TooMany {
            title: axes.title.to_owned(),
            what: "series",
            found: series.len(),
            most: COLOURS.len(),
        });
    }
    for one in series {
        frame::finite(axes, one.name, one.points.iter().flat_map(|&(x, y)| [x, y]))?;
    }
    Ok(())
}

fn keys(area: &Area<'_>, series: &[Series<'_>]) -> Result<u32, FigureError> {
    let keys: Vec<Key<'_>> =
        series.iter().zip(COLOURS).map(|(series, colour)| Key { name: series.name, colour }).collect();
    legend(area, &keys, WIDTH)
}

fn draw(chart: &mut Chart<'_>, series: &[Series<'_>]) -> Result<(), FigureError> {
    for (series, colour) in series.iter().zip(COLOURS) {
        let points = thin(series.points, MAX_POINTS);
        if points.len() <= DOTS {
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        }
        chart.draw_series(std::iter::once(PathElement::new(points, colour.stroke_width(2))))?;
    }
    Ok(())
}
