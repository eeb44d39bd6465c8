//! What all figures share: size, colours, axes, legend, and the root element.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Axes, FigureError};

/// Width of a figure.
pub(super) const WIDTH: u32 = 560;
/// Height of a figure, unless its content decides.
pub(super) const HEIGHT: u32 = 380;
/// Size of all text.
pub(super) const TEXT: u32 = 14;
/// Room left of the plot for the tick labels and the axis label.
pub(super) const LEFT: u32 = 78;
/// Room below the plot for the tick labels and the axis label.
pub(super) const BOTTOM: u32 = 52;
/// Margin around everything.
pub(super) const MARGIN: u32 = 8;
/// Height of one line of the legend.
const LINE: u32 = 22;

/// Okabe and Ito 2008, "Color Universal Design", without yellow, which is too faint on white.
pub(super) const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];
/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(51, 51, 51);
/// Reference lines: identity, zero, marked epochs.
pub(super) const REFERENCE: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(228, 228, 228);

pub(super) type Area<'s> = DrawingArea<SVGBackend<'s>, Shift>;
pub(super) type Chart<'s> = ChartContext<'s, SVGBackend<'s>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl From<DrawingAreaErrorKind<std::io::Error>> for FigureError {
    fn from(error: DrawingAreaErrorKind<std::io::Error>) -> Self {
        Self::Draw(error.to_string())
    }
}

/// One entry of a legend.
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) colour: RGBColor,
}

/// Draws a figure of the given size on white and gives its root element a class, a role and the title.
pub(super) fn figure(
    axes: &Axes<'_>,
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), FigureError>,
) -> Result<String, FigureError> {
    for (text, what) in [(axes.title, "title"), (axes.x, "label on the x axis"), (axes.y, "label on the y axis")] {
        if text.trim().is_empty() {
            return Err(FigureError::Unlabelled { title: axes.title.to_owned(), what });
        }
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
    }
    let opening = format!("<svg class=\"figure\" role=\"img\" aria-label=\"{}\" ", escaped(&clean(axes.title)));
    Ok(svg.replacen("<svg ", &opening, 1))
}

/// Axes with grid and labels, `top` pixels below the upper edge.
pub(super) fn chart<'s>(
    area: &Area<'s>,
    axes: &Axes<'_>,
    x: Range<f64>,
    y: Range<f64>,
    top: u32,
) -> Result<Chart<'s>, FigureError> {
    let mut builder = ChartBuilder::on(area);
    builder
        .margin(MARGIN)
        .margin_top(top.max(MARGIN + 6))
        .margin_right(MARGIN + 16)
        .x_label_area_size(BOTTOM)
        .y_label_area_size(LEFT);
    let mut chart = builder.build_cartesian_2d(x, y)?;
    let (width, height) = chart.plotting_area().dim_in_pixel();
    chart
        .configure_mesh()
        .x_desc(clean(axes.x))
        .y_desc(clean(axes.y))
        .x_labels((width / 70).max(2) as usize)
        .y_labels((height / 45).max(2) as usize)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .label_style(text())
        .axis_desc_style(text())
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .max_light_lines(1)
        .axis_style(INK)
        .set_all_tick_mark_size(4)
        .draw()?;
    Ok(chart)
}

/// The style of all text; plotters divides the size by 1.24 when it writes it.
pub(super) fn text() -> TextStyle<'static> {
    let font = FontDesc::new(FontFamily::SansSerif, f64::from(TEXT) * 1.24, FontStyle::Normal);
    TextStyle::from(font).color(&INK)
}

/// The style of all text, anchored.
pub(super) fn text_at(horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    text().pos(Pos::new(horizontal, vertical))
}

/// Draws a legend along the upper edge and returns the height that it takes.
pub(super) fn legend(area: &Area<'_>, keys: &[Key<'_>], width: u32) -> Result<u32, FigureError> {
    let room = width.saturating_sub(LEFT + MARGIN) as i32;
    let (mut x, mut y) = (0, MARGIN as i32);
    for key in keys {
        let name = fit(key.name, room - 30);
        let needed = 26 + text_width(&name) + 18;
        if x > 0 && x + needed > room {
            x = 0;
            y += LINE as i32;
        }
        let left = LEFT as i32 + x;
        let middle = y + LINE as i32 / 2;
        area.draw(&Rectangle::new([(left, middle - 3), (left + 20, middle + 3)], key.colour.filled()))?;
        area.draw_text(&name, &text_at(HPos::Left, VPos::Center), (left + 26, middle))?;
        x += needed;
    }
    Ok(y as u32 + LINE + 4)
}

/// Draws lines of text along the upper edge and returns the height that they take.
pub(super) fn notes(area: &Area<'_>, lines: &[String], width: u32) -> Result<u32, FigureError> {
    for (index, line) in lines.iter().enumerate() {
        let middle = (MARGIN + LINE * index as u32 + LINE / 2) as i32;
        let line = fit(line, width.saturating_sub(LEFT + MARGIN) as i32);
        area.draw_text(&line, &text_at(HPos::Left, VPos::Center), (LEFT as i32, middle))?;
    }
    Ok(MARGIN + LINE * lines.len() as u32 + 4)
}

/// A dashed straight line from `a` to `b`, in data coordinates.
pub(super) fn dashed(chart: &mut Chart<'_>, a: (f64, f64), b: (f64, f64)) -> Result<(), FigureError> {
    const DASHES: u32 = 30;
    let at = |k: u32| {
        let t = f64::from(k) / f64::from(2 * DASHES);
        (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
    };
    chart.draw_series(
        (0..DASHES).map(|k| PathElement::new(vec![at(2 * k), at(2 * k + 1)], REFERENCE.stroke_width(1))),
    )?;
    Ok(())
}

/// Lowest and highest of `values` with 4 % of room on either side; a single value gets some room of its own.
pub(super) fn span(values: impl IntoIterator<Item = f64>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return 0.0..1.0;
    }
    let magnitude = low.abs().max(high.abs());
    // Closer together than this, the ticks could not be told apart, nor stepped through in double precision.
    if high - low <= (magnitude * 1e-9).max(1e-12) {
        let room = if magnitude <= 1e-12 { 0.5 } else { magnitude * 0.05 };
        return low - room..high + room;
    }
    let room = (high - low) * 0.04;
    low - room..high + room
}

/// Checks that there is data and that all of it is finite.
pub(super) fn finite(axes: &Axes<'_>, what: &str, values: impl IntoIterator<Item = f64>) -> Result<(), FigureError> {
    let mut count = 0;
    for (index, value) in values.into_iter().enumerate() {
        if !value.is_finite() {
            return Err(FigureError::NotFinite { title: axes.title.to_owned(), what: what.to_owned(), index, value });
        }
        count += 1;
    }
    if count == 0 {
        return Err(FigureError::Empty { title: axes.title.to_owned(), what: what.to_owned() });
    }
    Ok(())
}

/// A number as an axis shows it: at most four decimals, no trailing zeros; very large and very small ones with
/// exponent.
pub(super) fn tick(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude < 1e-12 {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&magnitude) {
        let text = format!("{value:.2e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) => format!("{}e{exponent}", trim_zeros(mantissa)),
            None => text,
        };
    }
    let text = format!("{value:.4}");
    trim_zeros(&text).replace('-', "\u{2212}")
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Width of a text in pixels, by the mean width of a character in a sans-serif font.
pub(super) fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * f64::from(TEXT) * 0.56).ceil() as i32
}

/// The text, shortened with an ellipsis to `room` pixels.
pub(super) fn fit(text: &str, room: i32) -> String {
    let text = clean(text);
    if text_width(&text) <= room {
        return text;
    }
    let keep = (f64::from(room.max(0)) / (f64::from(TEXT) * 0.56)) as usize;
    let mut short: String = text.chars().take(keep.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Without control characters, which XML cannot hold.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Text as it stands in SVG or HTML, between tags or in an attribute in double quotes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.300_000_000_000_000_04, "0.3"),
            (-2.5, "\u{2212}2.5"),
            (100.0, "100"),
            (0.0005, "5e-4"),
            (1_250_000.0, "1.25e6"),
        ] {
            assert_eq!(tick(value), expected);
        }
    }

    #[test]
    fn text_becomes_no_markup() {
        assert_eq!(escaped("a<b & \"c\" > d"), "a&lt;b &amp; &quot;c&quot; &gt; d");
        assert_eq!(escaped("&lt;"), "&amp;lt;");
    }

    #[test]
    fn a_span_is_never_empty() {
        for values in [vec![], vec![0.0], vec![5.0, 5.0], vec![1e9, 1e9 + 1e-3], vec![-1.0, 1.0]] {
            let range = span(values.clone());
            assert!(range.start < range.end, "{values:?}");
            assert!(values.iter().all(|value| range.contains(value)), "{values:?}");
        }
    }

    #[test]
    fn long_text_is_shortened_to_its_room() {
        assert_eq!(fit("short", 200), "short");
        let short = fit("a very long name of a series indeed", 100);
        assert!(short.ends_with('…') && text_width(&short) <= 100, "{short}");
    }
}
