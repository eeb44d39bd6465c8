//! Slices with outlines as SVG: grey values as runs of rectangles, because a page that holds everything itself has no
//! pictures.

use std::fmt::Write as _;

use imaging::volume::{LabelMap, Volume};
use workbench::figure::escaped;

/// Grey levels that are told apart; more make the page larger and look the same.
const LEVELS: usize = 28;
/// Pixels of a panel along its longer edge; larger slices are thinned.
const PIXELS: usize = 112;
/// Width of a panel in units of the figure.
pub(super) const WIDTH: f64 = 220.0;
/// Space above each panel for its name.
pub(super) const HEAD: f64 = 24.0;
/// Space between panels.
pub(super) const GAP: f64 = 12.0;
/// Colours of the labels 1, 2, …: those of Okabe and Ito, which people with any colour vision tell apart.
const COLOURS: [&str; 7] = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2"];

/// One slice of a volume with outlines of labels.
pub(crate) struct Panel<'a> {
    /// What stands above it.
    pub(crate) name: &'a str,
    /// The volume.
    pub(crate) volume: &'a Volume,
    /// What is outlined; none for the slice alone.
    pub(crate) labels: Option<&'a LabelMap>,
    /// The slice.
    pub(crate) slice: usize,
}

/// The slice of a map with the most labelled voxels; the middle one where nothing is labelled.
pub(crate) fn fullest(map: &LabelMap) -> usize {
    let plane = map.geometry.size[0] * map.geometry.size[1];
    let counts = map.labels.chunks(plane.max(1)).map(|slice| slice.iter().filter(|label| **label > 0).count());
    let best = counts.enumerate().max_by_key(|&(k, count)| (count, std::cmp::Reverse(k)));
    match best {
        Some((k, count)) if count > 0 => k,
        _ => map.geometry.size[2] / 2,
    }
}

/// A thinned slice: grey levels and labels, row by row from the top.
struct Thin {
    width: usize,
    height: usize,
    /// Height of a pixel divided by its width.
    aspect: f64,
    levels: Vec<usize>,
    labels: Vec<u8>,
}

impl Thin {
    fn of(panel: &Panel<'_>) -> Self {
        let [nx, ny, nz] = panel.volume.geometry.size;
        let k = panel.slice.min(nz - 1);
        let step = nx.max(ny).div_ceil(PIXELS).max(1);
        let (width, height) = (nx.div_ceil(step), ny.div_ceil(step));
        let levels = grey_levels(panel.volume.slice(k));
        // As radiologists see it: the patient's left on the right, the back below.
        let direction = &panel.volume.geometry.direction;
        let flip = [direction[0][0] < -0.5, direction[1][1] < -0.5];
        let place = |y: usize, x: usize| {
            let x = if flip[0] { width - 1 - x } else { x };
            let y = if flip[1] { height - 1 - y } else { y };
            y * step * nx + x * step
        };
        let places: Vec<usize> =
            (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| place(y, x)).collect();
        let labels = panel.labels.map(|map| {
            let slice = map.slice(k);
            places.iter().map(|&at| slice[at]).collect()
        });
        let [dx, dy, _] = panel.volume.geometry.spacing;
        Self {
            width,
            height,
            aspect: dy / dx,
            levels: places.iter().map(|&at| levels[at]).collect(),
            labels: labels.unwrap_or_default(),
        }
    }

    /// The borders of each label.
    fn outlines(&self, svg: &mut String) {
        let at = |x: i64, y: i64| {
            let inside = (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y);
            if inside { self.labels[y as usize * self.width + x as usize] } else { 0 }
        };
        let largest = self.labels.iter().copied().max().unwrap_or(0);
        for label in 1..=largest {
            let mut path = String::new();
            for y in 0..self.height as i64 {
                for x in 0..self.width as i64 {
                    if at(x, y) != label {
                        continue;
                    }
                    for (other, edge) in [
                        (at(x, y - 1), format!("M{x} {y}h1")),
                        (at(x, y + 1), format!("M{x} {}h1", y + 1)),
                        (at(x - 1, y), format!("M{x} {y}v1")),
                        (at(x + 1, y), format!("M{} {y}v1", x + 1)),
                    ] {
                        if other != label {
                            path.push_str(&edge);
                        }
                    }
                }
            }
            if !path.is_empty() {
                let colour = colour(label);
                let _ = write!(
                    svg,
                    "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" vector-effect=\"non-scaling-stroke\" d=\"{path}\"/>"
                );
            }
        }
    }
}

fn colour(label: u8) -> &'static str {
    COLOURS[(usize::from(label).max(1) - 1) % COLOURS.len()]
}

/// The darkest and the brightest value that are told apart: the first and the 99th percentile.
fn limits(values: &[f32]) -> (f32, f32) {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    match sorted.len().checked_sub(1) {
        Some(last) => (sorted[last / 100], sorted[last - last / 100]),
        None => (0.0, 1.0),
    }
}

/// The grey level of each value: the first and the 99th percentile, and what is beyond, are the darkest and the brightest.
pub(super) fn grey_levels(values: &[f32]) -> Vec<usize> {
    let (low, high) = limits(values);
    let scale = (LEVELS - 1) as f32 / (high - low).max(f32::MIN_POSITIVE);
    values.iter().map(|value| (((value - low) * scale).round().max(0.0) as usize).min(LEVELS - 1)).collect()
}

/// Draws levels, row by row, as grey values.
pub(super) fn greys(svg: &mut String, levels: &[usize], width: usize) {
    runs(svg, levels, width, |level| {
        let grey = level * 255 / (LEVELS - 1);
        Some(format!("fill=\"#{grey:02x}{grey:02x}{grey:02x}\""))
    });
}

/// Draws the runs of each level, row by row, as one path with the attributes that `style` gives it; none leaves the level
/// out.
pub(super) fn runs(svg: &mut String, levels: &[usize], width: usize, style: impl Fn(usize) -> Option<String>) {
    let mut paths = vec![String::new(); levels.iter().max().map_or(0, |level| level + 1)];
    for (y, row) in levels.chunks(width.max(1)).enumerate() {
        let mut x = 0;
        while x < row.len() {
            let run = row[x..].iter().take_while(|level| **level == row[x]).count();
            let _ = write!(paths[row[x]], "M{x} {y}h{run}v1h-{run}z");
            x += run;
        }
    }
    for (level, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        if let Some(style) = style(level) {
            let _ = write!(svg, "<path shape-rendering=\"crispEdges\" {style} d=\"{path}\"/>");
        }
    }
}

/// Panels side by side, with the colours of the labels below them.
pub(crate) fn slices(title: &str, panels: &[Panel<'_>], names: &[String]) -> String {
    let thin: Vec<Thin> = panels.iter().map(Thin::of).collect();
    let tall = |thin: &Thin| WIDTH * thin.height as f64 * thin.aspect / thin.width as f64;
    let height = thin.iter().map(tall).fold(0.0, f64::max);
    let total = panels.len() as f64 * (WIDTH + GAP) - GAP;
    let with_labels = panels.iter().any(|panel| panel.labels.is_some());
    let legend = if with_labels { HEAD } else { 0.0 };
    let mut svg = format!(
        "<svg class=\"figure\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total:.1} {:.1}\">\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
        escaped(title),
        HEAD + height + legend
    );
    for (place, (panel, thin)) in panels.iter().zip(&thin).enumerate() {
        let left = place as f64 * (WIDTH + GAP);
        let scale = WIDTH / thin.width as f64;
        let _ = write!(
            svg,
            "<text x=\"{left:.1}\" y=\"16\" font-family=\"sans-serif\" font-size=\"14\">{}</text>\
             <g transform=\"translate({left:.1} {HEAD}) scale({scale:.4} {:.4})\">",
            escaped(panel.name),
            scale * thin.aspect
        );
        greys(&mut svg, &thin.levels, thin.width);
        if !thin.labels.is_empty() {
            thin.outlines(&mut svg);
        }
        svg.push_str("</g>");
    }
    if with_labels {
        let (mut x, y) = (0.0, HEAD + height + 17.0);
        for (label, name) in names.iter().enumerate().skip(1).take(COLOURS.len()) {
            let colour = colour(label as u8);
            let _ = write!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{y:.1}\" font-family=\"sans-serif\" font-size=\"14\">{}</text>",
                y - 11.0,
                x + 17.0,
                escaped(name)
            );
            x += 34.0 + 8.0 * name.chars().count() as f64;
        }
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::geometry::Geometry;

    fn case() -> (Volume, LabelMap) {
        let grid = Geometry::axial([4, 3, 2], [1.0, 2.0, 1.0]);
        let mut labels = vec![0; 24];
        (labels[12 + 5], labels[12 + 6]) = (1, 1);
        let volume = Volume::new((0..24).map(|value| value as f32).collect(), grid.clone()).unwrap();
        (volume, LabelMap::new(labels, grid, ["background", "a<b"].map(String::from).to_vec()).unwrap())
    }

    #[test]
    fn an_outline_runs_around_the_label() {
        let (volume, map) = case();
        assert_eq!(fullest(&map), 1);
        let panel = Panel { name: "x", volume: &volume, labels: Some(&map), slice: 1 };
        let svg = slices("t & u", &[panel], &map.names);
        // Two pixels side by side have six outer edges.
        let outline = svg.split("stroke-width").nth(1).unwrap().split("d=\"").nth(1).unwrap();
        assert_eq!(outline.split('"').next().unwrap().matches('M').count(), 6);
        assert!(svg.contains("aria-label=\"t &amp; u\"") && svg.contains("a&lt;b"), "{svg}");
        // 4 x 3 pixels of 1 x 2 mm: the panel is 220 wide and 330 high.
        assert!(svg.contains("scale(55.0000 110.0000)"), "{svg}");
    }

    #[test]
    fn every_pixel_is_drawn_once() {
        let (volume, _) = case();
        let panel = Panel { name: "x", volume: &volume, labels: None, slice: 0 };
        let svg = slices("t", &[panel], &[]);
        let drawn: usize = svg
            .split('h')
            .filter_map(|rest| rest.split('v').next().filter(|_| rest.contains("v1"))?.parse::<usize>().ok())
            .sum();
        assert_eq!(drawn, 12, "{svg}");
    }
}
