//! Values by position as colours.

use super::{CELL, LEFT, Svg, TOP, base, number, short};
use crate::motif::Column;
use crate::sequence::ALPHABET;

/// Height of a row.
const ROW: f64 = 20.0;
/// Room for the sequence below the rows.
const LETTERS: f64 = 20.0;
/// Room for the numbers of the positions, and then the legend.
const POSITIONS: f64 = 24.0;
const LEGEND: f64 = 40.0;
/// Fields of the legend.
const STEPS: usize = 21;
/// Colour of values above zero: the red end of `ColorBrewer`'s `RdBu`, safe for the colour-blind.
const ABOVE: [u8; 3] = [178, 24, 43];
/// Colour of values below zero: its blue end.
const BELOW: [u8; 3] = [33, 102, 172];

/// A row of a heat map.
#[derive(Debug, Clone, Copy)]
pub struct HeatRow<'a> {
    /// What it is, in a word or two.
    pub name: &'a str,
    /// A value for each position.
    pub values: &'a [f64],
}

/// Rows of values as colours, white at 0, red above and blue below, all of one scale; below them the sequence, if
/// `sequence` is not empty. `legend` is what the values are, with their unit.
pub fn heat_map(rows: &[HeatRow<'_>], sequence: &[u8], title: &str, legend: &str) -> String {
    drawn(rows, sequence, title, legend).finish()
}

fn drawn(rows: &[HeatRow<'_>], sequence: &[u8], title: &str, legend: &str) -> Svg {
    let columns = rows.iter().map(|row| row.values.len()).max().unwrap_or(0).max(sequence.len());
    let bottom = TOP + ROW * rows.len() as f64;
    let letters = if sequence.is_empty() { 0.0 } else { LETTERS };
    let mut svg =
        Svg::new((LEFT + CELL * columns as f64 + 10.0).max(LEFT + 320.0), bottom + letters + POSITIONS + LEGEND, title);
    let values = rows.iter().flat_map(|row| row.values).filter(|value| value.is_finite());
    let limit = values.fold(0.0_f64, |most, value| most.max(value.abs()));
    for (at, row) in rows.iter().enumerate() {
        let y = TOP + ROW * at as f64;
        svg.text((LEFT - 8.0, y + 15.0), "end", row.name);
        for (place, &value) in row.values.iter().enumerate() {
            svg.rect((LEFT + CELL * place as f64, y), (CELL, ROW), &colour(value, limit));
        }
    }
    for (place, &byte) in sequence.iter().enumerate() {
        let letter = char::from(base(byte)).to_string();
        svg.text((LEFT + CELL * (place as f64 + 0.5), bottom + 15.0), "middle", &letter);
    }
    svg.positions(columns, bottom + letters + 18.0);
    let y = bottom + letters + POSITIONS + 6.0;
    for step in 0..STEPS {
        let value = limit * (2.0 * step as f64 / (STEPS - 1) as f64 - 1.0);
        svg.rect((LEFT + 40.0 + 5.0 * step as f64, y), (5.0, 12.0), &colour(value, limit));
    }
    svg.text((LEFT + 36.0, y + 11.0), "end", &short(-limit));
    svg.text((LEFT + 44.0 + 5.0 * STEPS as f64, y + 11.0), "start", &short(limit));
    svg.text((LEFT + 100.0 + 5.0 * STEPS as f64, y + 11.0), "start", legend);
    svg
}

/// What each substitution changes: a row for each base, below them the sequence. The base that is there has a dot.
pub fn mutation_map(sequence: &[u8], changes: &[Column], title: &str, legend: &str) -> String {
    let rows: Vec<Vec<f64>> = (0..4).map(|base| changes.iter().map(|column| column[base]).collect()).collect();
    let named = ["A", "C", "G", "T"].into_iter().zip(&rows);
    let rows: Vec<HeatRow<'_>> = named.map(|(name, values)| HeatRow { name, values }).collect();
    let mut svg = drawn(&rows, sequence, title, legend);
    for (place, &byte) in sequence.iter().enumerate() {
        if let Some(row) = ALPHABET.iter().position(|letter| *letter == base(byte)) {
            let (x, y) = (LEFT + CELL * (place as f64 + 0.5), TOP + ROW * (row as f64 + 0.5));
            let (x, y) = (number(x), number(y));
            svg.put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"2\"/>\n"));
        }
    }
    svg.finish()
}

/// The colour of a value on a scale that ends at `limit`; what is no number is grey.
fn colour(value: f64, limit: f64) -> String {
    if !value.is_finite() {
        return "#cccccc".to_owned();
    }
    let share = if limit > 0.0 { (value / limit).clamp(-1.0, 1.0) } else { 0.0 };
    let end = if share < 0.0 { BELOW } else { ABOVE };
    let [red, green, blue] = end.map(|channel| (255.0 + (f64::from(channel) - 255.0) * share.abs()).round() as u8);
    format!("#{red:02x}{green:02x}{blue:02x}")
}
