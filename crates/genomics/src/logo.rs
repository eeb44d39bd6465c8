//! Motifs, attributions and mutation maps as SVG text, without a font: letters are outlines.
//!
//! Logos are those of Schneider and Stephens 1990 (NAR 18:6097): the letters of a position stand on each other, the
//! highest on top. Of a motif their heights divide the position's information, of an attribution they are its values;
//! what speaks against the output hangs below the axis, upside down. Bases have colours of Okabe and Ito, which people
//! with any colour vision tell apart. The root element carries `class="figure"`, `role="img"` and the title as
//! `aria-label`, text is 14 units high.
//!
//! ```
//! use genomics::logo::motif_logo;
//! use genomics::motif::{Motif, UNIFORM};
//! let motif = Motif::new("GATA", vec![[0.0, 0.0, 1.0, 0.0], [0.9, 0.0, 0.1, 0.0]])?;
//! let svg = motif_logo(&motif, &UNIFORM, "GATA");
//! assert!(svg.starts_with("<svg class=\"figure\" role=\"img\" aria-label=\"GATA\""));
//! # Ok::<(), genomics::motif::MotifError>(())
//! ```

mod glyphs;
mod heat;
#[cfg(test)]
mod tests;

pub use self::heat::{HeatRow, heat_map, mutation_map};

use std::fmt::Write as _;

use self::glyphs::{outline, paint};
use crate::motif::{Column, Motif};
use crate::sequence::{ALPHABET, CODES};

/// Width of a position.
const CELL: f64 = 20.0;
/// Height of the letters' area.
const HEIGHT: f64 = 120.0;
/// Room for the vertical axis and its labels.
const LEFT: f64 = 70.0;
/// Room above.
const TOP: f64 = 12.0;
/// Room for the positions below.
const BOTTOM: f64 = 28.0;
/// Letters lower than this are not drawn.
const LEAST: f64 = 0.2;
/// Height of text.
const TEXT: f64 = 14.0;

/// The logo of a motif: information in bits over the background.
pub fn motif_logo(motif: &Motif, background: &Column, title: &str) -> String {
    let information = motif.information(background);
    let heights: Vec<Column> = motif
        .columns()
        .iter()
        .zip(&information)
        .map(|(column, bits)| column.map(|probability| probability * bits.max(0.0)))
        .collect();
    // what a position can carry at most, that is, where it is always the rarest base
    let rarest = background.iter().copied().fold(1.0, f64::min);
    let most = if rarest > 0.0 { -rarest.log2() } else { 2.0 };
    let known = |column: &Column| -> Vec<(u8, f64)> { ALPHABET.into_iter().zip(*column).collect() };
    let letters: Vec<Vec<(u8, f64)>> = heights.iter().map(known).collect();
    drawn(&letters, (0.0, most), title, "bits")
}

/// The logo of four numbers at each position, of either sign: contributions, a class's optimum, all channels of an
/// attribution. `axis` is what they are, with their unit.
pub fn column_logo(columns: &[Column], title: &str, axis: &str) -> String {
    let letters: Vec<Vec<(u8, f64)>> =
        columns.iter().map(|column| ALPHABET.into_iter().zip(*column).collect()).collect();
    drawn(&letters, range(&letters), title, axis)
}

/// The bases of a sequence in the heights of their scores. Unknown bases are drawn as N. `axis` is what the scores are,
/// with their unit.
pub fn attribution_logo(sequence: &[u8], scores: &[f64], title: &str, axis: &str) -> String {
    let letters: Vec<Vec<(u8, f64)>> =
        sequence.iter().zip(scores).map(|(&byte, &score)| vec![(base(byte), score)]).collect();
    drawn(&letters, range(&letters), title, axis)
}

/// A, C, G, T or N.
fn base(byte: u8) -> u8 {
    ALPHABET.get(usize::from(CODES[usize::from(byte)])).copied().unwrap_or(b'N')
}

/// The lowest and the highest point of all stacks, with the axis between them.
fn range(letters: &[Vec<(u8, f64)>]) -> (f64, f64) {
    let (mut low, mut high) = (0.0_f64, 0.0_f64);
    for stack in letters {
        let finite = || stack.iter().map(|(_, height)| *height).filter(|height| height.is_finite());
        high = high.max(finite().filter(|height| *height > 0.0).sum());
        low = low.min(finite().filter(|height| *height < 0.0).sum());
    }
    if low < high { (low, high) } else { (0.0, 1.0) }
}

/// Letters with their heights at each position, between the lowest and the highest value.
fn drawn(letters: &[Vec<(u8, f64)>], (low, high): (f64, f64), title: &str, axis: &str) -> String {
    let mut svg = Svg::new(LEFT + CELL * letters.len().max(1) as f64 + 10.0, TOP + HEIGHT + BOTTOM, title);
    let scale = HEIGHT / (high - low);
    let level = |value: f64| TOP + (high - value) * scale;
    for (place, stack) in letters.iter().enumerate() {
        let x = LEFT + CELL * place as f64;
        let mut stack: Vec<(u8, f64)> = stack.iter().copied().filter(|(_, height)| height.is_finite()).collect();
        // the highest letter is farthest from the axis
        stack.sort_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let (mut above, mut below) = (0.0, 0.0);
        for (letter, value) in stack {
            let end = if value < 0.0 { &mut below } else { &mut above };
            *end += value;
            if value.abs() * scale >= LEAST {
                svg.letter(letter, (x + 0.5, level(*end)), (CELL - 1.0, value * scale));
            }
        }
    }
    let right = LEFT + CELL * letters.len().max(1) as f64;
    svg.line((LEFT, level(0.0)), (right, level(0.0)));
    svg.line((LEFT - 4.0, level(low)), (LEFT - 4.0, level(high)));
    let mut marks = vec![low, high];
    if low < 0.0 && high > 0.0 {
        marks.push(0.0);
    }
    for mark in marks {
        svg.line((LEFT - 8.0, level(mark)), (LEFT - 4.0, level(mark)));
        svg.text((LEFT - 11.0, level(mark) + 5.0), "end", &short(mark));
    }
    svg.turned((TEXT, TOP + HEIGHT / 2.0), axis);
    svg.positions(letters.len(), TOP + HEIGHT + TEXT + 6.0);
    svg.finish()
}

/// SVG that is being written.
struct Svg(String);

impl Svg {
    fn new(width: f64, height: f64, title: &str) -> Self {
        let (width, height, title) = (number(width), number(height), escaped(title));
        let mut svg = Self(String::new());
        svg.put(format_args!(
            "<svg class=\"figure\" role=\"img\" aria-label=\"{title}\" xmlns=\"http://www.w3.org/2000/svg\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             font-size=\"{TEXT}\">\n<title>{title}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        ));
        svg
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // a string takes everything
        let _ = self.0.write_fmt(text);
    }

    /// A letter whose end away from the axis lies at `end`; a negative height turns it over.
    fn letter(&mut self, letter: u8, end: (f64, f64), size: (f64, f64)) {
        let (x, y, across, down) = (number(end.0), number(end.1), fine(size.0), fine(size.1));
        let (outline, paint) = (outline(letter), paint(letter));
        self.put(format_args!(
            "<path transform=\"translate({x} {y}) scale({across} {down})\" fill=\"{paint}\" fill-rule=\"evenodd\" \
             d=\"{outline}\"/>\n"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let [x, y, to_x, to_y] = [from.0, from.1, to.0, to.1].map(number);
        self.put(format_args!("<path d=\"M{x} {y}L{to_x} {to_y}\" stroke=\"#000000\" fill=\"none\"/>\n"));
    }

    fn rect(&mut self, at: (f64, f64), size: (f64, f64), paint: &str) {
        let [x, y, width, height] = [at.0, at.1, size.0, size.1].map(number);
        self.put(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{paint}\"/>\n"));
    }

    /// Text that begins (`start`), is centred (`middle`) or ends (`end`) at a place.
    fn text(&mut self, at: (f64, f64), anchor: &str, text: &str) {
        let (x, y, text) = (number(at.0), number(at.1), escaped(text));
        self.put(format_args!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>\n"));
    }

    /// Text that is centred at a place and runs upwards.
    fn turned(&mut self, at: (f64, f64), text: &str) {
        let (x, y, text) = (number(at.0), number(at.1), escaped(text));
        self.put(format_args!(
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"middle\">{text}</text>\n"
        ));
    }

    /// Numbers of positions, from 1: all up to 9, every fifth up to 60, every tenth beyond.
    fn positions(&mut self, count: usize, y: f64) {
        let every = match count {
            0..=9 => 1,
            10..=60 => 5,
            _ => 10,
        };
        for place in (1..=count).filter(|place| *place == 1 || place % every == 0) {
            self.text((LEFT + CELL * (place as f64 - 0.5), y), "middle", &place.to_string());
        }
    }

    fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// A coordinate with two digits, or what of it is needed.
fn number(value: f64) -> String {
    digits(value, 2)
}

/// A factor of scale, with the two digits more that outlines of a hundred units need.
fn fine(value: f64) -> String {
    digits(value / glyphs::SIDE, 4)
}

fn digits(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A number with three significant digits, for people.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if (-3.0..4.0).contains(&magnitude) {
        digits(value, (2.0 - magnitude).clamp(0.0, 5.0) as usize)
    } else {
        format!("{value:.1e}")
    }
}

/// Text for XML, in which control characters are blanks.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ if letter.is_control() => safe.push(' '),
            _ => safe.push(letter),
        }
    }
    safe
}
