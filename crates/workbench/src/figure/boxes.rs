//! Residuals by group, as box plots.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{self, BOTTOM, COLOURS, Chart, INK, MARGIN, TEXT, WIDTH, dashed, figure, text, text_at};
use super::{Axes, FigureError};

/// Most groups of one figure.
const MAX_GROUPS: usize = 40;
/// Height of one group.
const ROW: u32 = 30;
/// Room for the names of the groups.
const NAMES: u32 = 190;
/// Up to this many values of a group are drawn one by one.
const DOTS: usize = 60;

/// The values of one group.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Name of the group.
    pub name: &'a str,
    /// Its values, such as residuals (predicted − measured).
    pub values: &'a [f64],
}

/// One horizontal box for each group, from the top in the order given: quartiles and median, whiskers to the furthest
/// value within 1.5 interquartile ranges (Tukey 1977), the values themselves where they are few, and a line at zero.
/// The label of the y axis names what the groups are.
///
/// # Errors
/// [`FigureError`] if there is no group or more than 40, or if one is empty or holds a value that is not finite.
pub fn boxes(axes: &Axes<'_>, groups: &[Group<'_>]) -> Result<String, FigureError> {
    let title = || axes.title.to_owned();
    if groups.is_empty() {
        return Err(FigureError::Empty { title: title(), what: "the list of groups".to_owned() });
    }
    if groups.len() > MAX_GROUPS {
        let (found, most) = (groups.len(), MAX_GROUPS);
        return Err(FigureError::TooMany { title: title(), what: "groups", found, most });
    }
    for group in groups {
        frame::finite(axes, group.name, group.values.iter().copied())?;
    }
    let x = frame::span(groups.iter().flat_map(|group| group.values.iter().copied()).chain([0.0]));
    let n = groups.len() as f64;
    let top = MARGIN + TEXT + 10;
    figure(axes, (WIDTH, top + ROW * groups.len() as u32 + BOTTOM + MARGIN), |area| {
        area.draw_text(&frame::clean(axes.y), &text_at(HPos::Left, VPos::Top), (MARGIN as i32, MARGIN as i32))?;
        let mut builder = ChartBuilder::on(area);
        builder
            .margin(MARGIN)
            .margin_top(top)
            .margin_right(MARGIN + 16)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(NAMES);
        let mut chart = builder.build_cartesian_2d(x.clone(), 0.0..n)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_labels(6)
            .x_desc(frame::clean(axes.x))
            .x_label_formatter(&|value| frame::tick(*value))
            .label_style(text())
            .axis_desc_style(text())
            .bold_line_style(RGBColor(228, 228, 228))
            .light_line_style(TRANSPARENT)
            .max_light_lines(1)
            .axis_style(INK)
            .set_all_tick_mark_size(4)
            .draw()?;
        dashed(&mut chart, (0.0, 0.0), (0.0, n))?;
        for (index, group) in groups.iter().enumerate() {
            let middle = n - 0.5 - index as f64;
            let (left, pixel) = chart.backend_coord(&(x.start, middle));
            let name = frame::fit(&format!("{} ({})", group.name, group.values.len()), NAMES as i32 - 14);
            area.draw_text(&name, &text_at(HPos::Right, VPos::Center), (left - 8, pixel))?;
            draw(&mut chart, group.values, middle)?;
        }
        Ok(())
    })
}

fn draw(chart: &mut Chart<'_>, values: &[f64], middle: f64) -> Result<(), FigureError> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (lower, median, upper) = (quantile(&sorted, 0.25), quantile(&sorted, 0.5), quantile(&sorted, 0.75));
    let reach = 1.5 * (upper - lower);
    let inside = || sorted.iter().copied().filter(|&value| value >= lower - reach && value <= upper + reach);
    let low = inside().fold(lower, f64::min);
    let high = inside().fold(upper, f64::max);

    let (bottom, top) = (middle - 0.3, middle + 0.3);
    let line = |points: Vec<(f64, f64)>, width: u32| -> PathElement<(f64, f64)> {
        PathElement::new(points, COLOURS[0].stroke_width(width))
    };
    chart
        .draw_series([line(vec![(low, middle), (lower, middle)], 1), line(vec![(upper, middle), (high, middle)], 1)])?;
    chart.draw_series([Rectangle::new([(lower, bottom), (upper, top)], COLOURS[0].mix(0.25).filled())])?;
    let outline = vec![(lower, bottom), (upper, bottom), (upper, top), (lower, top), (lower, bottom)];
    chart.draw_series([line(outline, 1), line(vec![(median, bottom), (median, top)], 3)])?;
    // All values of a small group; of a large one those beyond the whiskers.
    let few = sorted.len() <= DOTS;
    let dots: Vec<f64> = sorted.iter().copied().filter(|&value| few || value < low || value > high).collect();
    let style = COLOURS[1].mix(0.6).filled();
    chart.draw_series(super::thin(&dots, 300).into_iter().map(|value| Circle::new((value, middle), 2, style)))?;
    Ok(())
}

/// The `q`-quantile of sorted values with linear interpolation, as numpy's default (Hyndman and Fan 1996, type 7).
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy.quantile([1, 2, 4, 8], [0.25, 0.5, 0.75]) = [1.75, 3, 5]
    #[test]
    fn quantiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.25, 0.5, 0.75].map(|q| quantile(&sorted, q)), [1.75, 3.0, 5.0]);
        assert_eq!(quantile(&[7.0], 0.25), 7.0);
    }
}
