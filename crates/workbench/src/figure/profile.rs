//! One value for each residue of a sequence.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::frame::{self, COLOURS, HEIGHT, Key, WIDTH, chart, figure, legend, text_at};
use super::{Axes, FigureError};

/// Most bars that the width has room for; longer sequences show the strongest value of each stretch.
const MAX_BARS: usize = 460;
/// Up to this many residues are named one by one.
const LETTERS: usize = 48;

/// Bars along a sequence, upward for positive values and downward for negative ones: attributions, hydropathy,
/// conservation. `sequence` holds the letters, which are written where they have room; `marked` are stretches, counted
/// from 0, that get a grey ground, such as a binding site.
///
/// # Errors
/// [`FigureError`] if there is no value, one is not finite, or the sequence has another length.
pub fn profile(
    axes: &Axes<'_>,
    values: &[f64],
    sequence: Option<&str>,
    marked: &[Range<usize>],
) -> Result<String, FigureError> {
    frame::finite(axes, "the profile", values.iter().copied())?;
    let letters: Vec<char> = sequence.unwrap_or_default().chars().collect();
    if sequence.is_some() && letters.len() != values.len() {
        return Err(FigureError::Length {
            title: axes.title.to_owned(),
            left_name: "the profile",
            left: values.len(),
            right_name: "the sequence",
            right: letters.len(),
        });
    }
    let y = frame::span(values.iter().copied().chain([0.0]));
    let last = values.len() as f64;
    // Residue i, counted from 1, takes the stretch from i − 0.5 to i + 0.5.
    figure(axes, (WIDTH, HEIGHT), |area| {
        let mut keys = vec![Key { name: "raises", colour: COLOURS[1] }, Key { name: "lowers", colour: COLOURS[0] }];
        if !marked.is_empty() {
            keys.push(Key { name: "marked", colour: RGBColor(200, 200, 200) });
        }
        let top = legend(area, &keys, WIDTH)?;
        let mut chart = chart(area, axes, 0.5..last + 0.5, y.clone(), top + 18)?;
        let grounds = marked.iter().filter(|stretch| stretch.start < stretch.end).map(|stretch| {
            let left = stretch.start as f64 + 0.5;
            let right = (stretch.end as f64 + 0.5).min(last + 0.5);
            Rectangle::new([(left, y.start), (right, y.end)], RGBColor(200, 200, 200).mix(0.6).filled())
        });
        chart.draw_series(grounds)?;
        chart.draw_series(bars(values).into_iter().map(|(stretch, value)| {
            let colour = if value < 0.0 { COLOURS[0] } else { COLOURS[1] };
            let (left, right) = (stretch.start as f64 + 0.5, stretch.end as f64 + 0.5);
            Rectangle::new([(left, 0.0), (right, value)], colour.filled())
        }))?;
        if values.len() <= LETTERS {
            for (index, letter) in letters.iter().enumerate() {
                let (x, edge) = chart.backend_coord(&(index as f64 + 1.0, y.end));
                let letter = frame::clean(&letter.to_string());
                area.draw_text(&letter, &text_at(HPos::Center, VPos::Bottom), (x, edge - 2))?;
            }
        }
        Ok(())
    })
}

/// Stretches of residues, each with the value furthest from zero in it.
fn bars(values: &[f64]) -> Vec<(Range<usize>, f64)> {
    let per_bar = values.len().div_ceil(MAX_BARS).max(1);
    values
        .chunks(per_bar)
        .enumerate()
        .map(|(index, chunk)| {
            let start = index * per_bar;
            let strongest = chunk.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
            (start..start + chunk.len(), strongest)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_profile_keeps_its_strongest_values() {
        let mut values = vec![0.1; 1000];
        values[501] = -3.0;
        let bars = bars(&values);
        assert!(bars.len() <= MAX_BARS);
        assert_eq!(bars.iter().map(|(stretch, _)| stretch.len()).sum::<usize>(), 1000);
        let (stretch, value) = bars.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!(stretch.contains(&501));
        assert_eq!(*value, -3.0);
    }
}
