//! What the decisions of a classifier rest on, as figures of its report: pictures with heat maps over them.

use std::fmt::Write as _;

use crate::page::Figures;
use imaging::evaluate::classes::highest;
use imaging::explain::{HeatMap, Panel, class_maps, covered_maps};
use imaging::model::ClassifyModel;
use imaging::pictures::{PictureSet, resized};
use nn_core::explain::Target;
use workbench::figure::escaped;
use workbench::report::Section;

use super::slices::{GAP, HEAD, WIDTH, grey_levels, greys, runs};

/// Pixels of a picture along its longer edge; larger ones are made smaller.
const PIXELS: usize = 84;
/// Strengths of a map that are told apart.
const STRENGTHS: usize = 6;
/// How much of the picture a map covers where it says most.
const OPACITY: f64 = 0.65;
/// Covered squares along the shorter edge of a picture.
const SQUARES: usize = 6;

/// Pictures `rows` of the test part by the probability that `model` gives their class: the highest, the median and the
/// lowest, each with what speaks for and against what the model says.
pub(crate) fn decisions(
    figures: Figures<'_>,
    set: &PictureSet,
    model: &ClassifyModel,
    rows: &[usize],
    probabilities: &[f64],
) -> anyhow::Result<Section> {
    let classes = set.classes.len().max(1);
    let mut ranked: Vec<(f64, usize)> = rows
        .iter()
        .enumerate()
        .map(|(place, &row)| (probabilities[place * classes + set.labels[row]], place))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let section = Section::new("What decisions rest on");
    let Some(last) = ranked.len().checked_sub(1) else {
        return Ok(section.paragraph("There is no picture in the test part."));
    };
    let mut section = section.paragraph(
        "Pictures of the test part of the first model, by the probability that it gives their class. Red is what speaks for \
         the class that the model says, blue what speaks against it: by the gradient of its logit over the last feature maps \
         (Grad-CAM), and by what the logit loses where a square is covered (occlusion). A map shows where the network \
         looked, and not why.",
    );
    let mut shown: Vec<(&str, f64, usize)> = Vec::new();
    for (what, at) in [("highest", last), ("median", last / 2), ("lowest", 0)] {
        let (probability, place) = ranked[at];
        if shown.iter().all(|(_, _, before)| *before != place) {
            shown.push((what, probability, place));
        }
    }
    let drawn: Vec<usize> = shown.iter().map(|(_, _, place)| rows[*place]).collect();
    let said: Vec<usize> =
        shown.iter().map(|(_, _, place)| highest(&probabilities[place * classes..][..classes])).collect();
    let x = model.card.scale.batch(set, &drawn, &model.device());
    let target = Target::Each(said.clone());
    let by_class = class_maps(&model.network, &x, &target)?;
    let square = set.height.min(set.width).div_ceil(SQUARES).max(1);
    let by_loss = covered_maps(&model.network, &x, &target, [square, square], 0.0)?;
    for (at, (what, probability, _)) in shown.into_iter().enumerate() {
        let (row, class) = (drawn[at], &set.classes[said[at]]);
        for (number, (cam, loss)) in by_class[at].iter().zip(&by_loss[at]).enumerate() {
            let svg = heats(&set.ids[row], set.picture(row), cam, loss);
            let caption = format!(
                "{} ({}), of class {}: the {what} probability of its class, {probability:.3}; the model says {class}.",
                set.ids[row], cam.name, set.classes[set.labels[row]]
            );
            section = section.figure(caption, figures.keep(&format!("decision-{what}-{number}"), svg)?);
        }
    }
    Ok(section)
}

/// A picture by itself, and under the two maps.
fn heats(title: &str, input: &[f32], cam: &Panel, loss: &Panel) -> String {
    let (height, width) = (cam.map.height, cam.map.width);
    let longest = height.max(width).max(1);
    let small = |edge: usize| if longest > PIXELS { (edge * PIXELS / longest).max(1) } else { edge };
    let to = [small(height), small(width)];
    let plane = height * width;
    let channels = cam.channels.len().max(1) as f32;
    let pixels = cam.pixels(input);
    let grey: Vec<f32> =
        (0..plane).map(|at| pixels.iter().skip(at).step_by(plane.max(1)).sum::<f32>() / channels).collect();
    let levels = grey_levels(&resized(&grey, [height, width], to));
    let scale = WIDTH / to[1] as f64;
    let tall = scale * to[0] as f64;
    let maps: [(&str, Option<&HeatMap>); 3] =
        [(cam.name, None), ("Grad-CAM", Some(&cam.map)), ("occlusion", Some(&loss.map))];
    let total = maps.len() as f64 * (WIDTH + GAP) - GAP;
    let mut svg = format!(
        "<svg class=\"figure\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total:.1} \
         {:.1}\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
        escaped(title),
        HEAD + tall
    );
    for (place, (name, map)) in maps.into_iter().enumerate() {
        let left = place as f64 * (WIDTH + GAP);
        let _ = write!(
            svg,
            "<text x=\"{left:.1}\" y=\"16\" font-family=\"sans-serif\" font-size=\"14\">{}</text>\
             <g transform=\"translate({left:.1} {HEAD}) scale({scale:.4})\">",
            escaped(name)
        );
        greys(&mut svg, &levels, to[1]);
        if let Some(map) = map {
            heat(&mut svg, &resized(&map.values, [height, width], to), to[1]);
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    svg
}

/// The values of a map, −1 to 1, in red and blue, the less transparent the more they say.
fn heat(svg: &mut String, values: &[f32], width: usize) {
    let strength = |value: f32| (f64::from(value.abs().min(1.0)) * STRENGTHS as f64).round() as usize;
    // Against from the strongest on, nothing in the middle, then for.
    let levels: Vec<usize> = values
        .iter()
        .map(|&value| if value < 0.0 { STRENGTHS - strength(value) } else { STRENGTHS + strength(value) })
        .collect();
    runs(svg, &levels, width, |level| {
        let share = level.abs_diff(STRENGTHS) as f64 / STRENGTHS as f64;
        let colour = if level > STRENGTHS { "#d00000" } else { "#0050d0" };
        (share > 0.0).then(|| format!("fill=\"{colour}\" fill-opacity=\"{:.2}\"", OPACITY * share))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(values: &[f64]) -> Panel {
        Panel { name: "lungs", channels: 1..2, map: HeatMap::of(values, 2, 3) }
    }

    #[test]
    fn every_pixel_has_its_grey_and_what_speaks_its_colour() {
        // The second of two pictures; one place speaks for, one against by half, four say nothing.
        let input: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let (cam, loss) = (panel(&[0.0, 2.0, 0.0, -1.0, 0.0, 0.0]), panel(&[0.0; 6]));
        let svg = heats("a & b", &input, &cam, &loss);
        assert!(svg.contains("aria-label=\"a &amp; b\"") && svg.contains(">lungs<") && svg.contains(">Grad-CAM<"));
        // Three times six pixels, each a grey of its own; pixels are squares of 220 / 3.
        assert_eq!(svg.matches("fill=\"#").count() - svg.matches("fill-opacity").count(), 18);
        assert!(svg.contains("scale(73.3333)"), "{svg}");
        let red: Vec<&str> = svg.split("fill=\"#d00000\" fill-opacity=\"0.65\" d=\"").skip(1).collect();
        let blue: Vec<&str> = svg.split("fill=\"#0050d0\" fill-opacity=\"0.33\" d=\"").skip(1).collect();
        assert_eq!((red.len(), blue.len(), svg.matches("fill-opacity").count()), (1, 1, 2), "{svg}");
        assert!(red[0].starts_with("M1 0h1v1h-1z\"") && blue[0].starts_with("M0 1h1v1h-1z\""), "{svg}");
    }

    #[test]
    fn large_pictures_are_made_smaller() {
        let panel = Panel { name: "picture", channels: 0..1, map: HeatMap::of(&vec![1.0; 300 * 200], 300, 200) };
        let svg = heats("t", &vec![0.5; 300 * 200], &panel, &panel);
        // 84 rows of 200 · 84 / 300 = 56 columns, in one run each; a picture of one value has one grey.
        assert_eq!(svg.matches("h56v1").count(), 5 * 84, "three pictures and two maps");
    }
}
