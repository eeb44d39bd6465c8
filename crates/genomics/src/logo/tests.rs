//! The markup is well formed, and what is drawn has the place and the height that it stands for.

use super::*;
use crate::motif::UNIFORM;

/// Checks that tags are closed in order, and returns them with their attributes.
fn tags(svg: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for part in svg.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        if !closed {
            open.push(name.to_owned());
        }
        let pieces: Vec<&str> = rest.split('"').collect();
        let attributes = pieces
            .chunks_exact(2)
            .map(|pair| (pair[0].trim().trim_end_matches('=').to_owned(), pair[1].to_owned()))
            .collect();
        found.push((name.to_owned(), attributes));
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

fn value<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// Letters by colour, with x, y, width and height of each.
fn letters(svg: &str) -> Vec<(String, [f64; 4])> {
    tags(svg)
        .iter()
        .filter_map(|(_, attributes)| {
            let transform = value(attributes, "transform").filter(|_| value(attributes, "fill-rule").is_some())?;
            let numbers: Vec<f64> = transform
                .split(|letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == '-'))
                .filter_map(|number| number.parse().ok())
                .collect();
            let [x, y, across, down] = numbers[..] else { panic!("{transform}") };
            Some((value(attributes, "fill")?.to_owned(), [x, y, 100.0 * across, 100.0 * down]))
        })
        .collect()
}

#[test]
fn letters_share_the_information_of_their_position() {
    let columns = vec![[0.5, 0.5, 0.0, 0.0], UNIFORM, [0.05, 0.05, 0.85, 0.05], [0.0, 0.0, 0.0, 1.0]];
    let motif = Motif::new("m", columns).unwrap();
    let svg = motif_logo(&motif, &UNIFORM, "a < b & \"c\"");
    assert!(svg.starts_with("<svg class=\"figure\" role=\"img\" aria-label=\"a &lt; b &amp; &quot;c&quot;\""), "{svg}");
    let letters = letters(&svg);
    let information = motif.information(&UNIFORM);
    for (place, bits) in information.iter().enumerate() {
        let x = LEFT + CELL * place as f64 + 0.5;
        let stack: Vec<_> = letters.iter().filter(|(_, at)| (at[0] - x).abs() < 0.01).collect();
        let height: f64 = stack.iter().map(|(_, at)| at[3]).sum();
        // 2 bits are the whole height; coordinates have two digits, scales four of a hundredth
        assert!((height - bits / 2.0 * HEIGHT).abs() < 0.1, "{place}: {height}");
        for pair in stack.windows(2) {
            assert!(pair[0].1[3] <= pair[1].1[3] + 0.02, "the highest letter stands on top");
            assert!((pair[0].1[1] - pair[1].1[1] - pair[1].1[3]).abs() < 0.1, "letters stand on each other");
        }
    }
    let paints = |place: usize| -> Vec<&str> {
        let x = LEFT + CELL * place as f64 + 0.5;
        letters.iter().filter(|(_, at)| (at[0] - x).abs() < 0.01).map(|(paint, _)| paint.as_str()).collect()
    };
    assert_eq!(paints(1), [""; 0]);
    assert_eq!(paints(2).last(), Some(&"#e69f00"));
    assert_eq!(paints(3), ["#d55e00"]);
}

#[test]
fn what_speaks_against_hangs_below() {
    let svg = attribution_logo(b"ACGN", &[2.0, -1.0, 0.0, 0.5], "scores", "change of the logit");
    let letters = letters(&svg);
    let scale = HEIGHT / 3.0;
    let axis = TOP + 2.0 * scale;
    let expected = [
        ("#009e73", LEFT + 0.5, axis - 2.0 * scale, 2.0 * scale),
        ("#0072b2", LEFT + CELL + 0.5, axis + scale, -scale),
        ("#999999", LEFT + 3.0 * CELL + 0.5, axis - 0.5 * scale, 0.5 * scale),
    ];
    assert_eq!(letters.len(), 3, "a letter of no height is not drawn");
    for ((paint, at), (colour, x, y, height)) in letters.iter().zip(expected) {
        assert_eq!(paint, colour);
        for (found, expected) in at.iter().zip([x, y, CELL - 1.0, height]) {
            assert!((found - expected).abs() < 0.02, "{at:?} {expected}");
        }
    }
    assert!(svg.contains(">2</text>") && svg.contains(">-1</text>") && svg.contains(">change of the logit</text>"));
}

#[test]
fn stacks_of_both_signs_are_stacked_apart() {
    let svg = column_logo(&[[1.0, 2.0, -0.5, -1.5]], "columns", "weight");
    let letters = letters(&svg);
    let scale = HEIGHT / 5.0;
    let axis = TOP + 3.0 * scale;
    // from the lowest letter on: G −0.5, A 1, T −1.5, C 2
    let ends = [axis + 0.5 * scale, axis - scale, axis + 2.0 * scale, axis - 3.0 * scale];
    assert_eq!(letters.len(), 4);
    for ((_, at), end) in letters.iter().zip(ends) {
        assert!((at[1] - end).abs() < 0.02, "{at:?} {end}");
    }
}

#[test]
fn maps_have_a_field_for_each_value() {
    let changes = [[0.0, 1.0, -2.0, 0.5], [1.0, 0.0, f64::NAN, 0.0]];
    let svg = mutation_map(b"AC", &changes, "mutants", "change");
    let tags = tags(&svg);
    let fields: Vec<&str> = tags
        .iter()
        .filter(|(name, attributes)| name == "rect" && value(attributes, "height") == Some("20"))
        .filter_map(|(_, attributes)| value(attributes, "fill"))
        .collect();
    // row by row: A, C, G, T; the limit is 2
    assert_eq!(fields, ["#ffffff", "#d98c95", "#d98c95", "#ffffff", "#2166ac", "#cccccc", "#ecc5ca", "#ffffff"]);
    let dots: Vec<_> =
        tags.iter().filter(|(name, _)| name == "circle").map(|(_, at)| value(at, "cy").unwrap()).collect();
    assert_eq!(dots, ["22", "42"]);
    let rows = [HeatRow { name: "forward", values: &[0.0; 3] }, HeatRow { name: "backward", values: &[] }];
    for sequence in [b"".as_slice(), b"ACG"] {
        let svg = heat_map(&rows, sequence, "steps", "logit");
        assert!(svg.contains(">forward</text>"));
        assert_eq!(tags_named(&svg, "rect"), 1 + 3 + 21);
    }
}

fn tags_named(svg: &str, name: &str) -> usize {
    tags(svg).iter().filter(|(other, _)| other == name).count()
}

#[test]
fn nothing_to_draw_is_an_empty_figure() {
    for svg in [
        attribution_logo(b"", &[], "t", "a"),
        attribution_logo(b"AC", &[f64::NAN, f64::INFINITY], "t", "a"),
        column_logo(&[[0.0; 4]], "t", "a"),
        heat_map(&[], b"", "t", "l"),
        mutation_map(b"", &[], "t", "l"),
    ] {
        assert!(letters(&svg).is_empty());
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

#[test]
fn numbers_for_people() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "0"),
        (120.0, "120"),
        (2.0, "2"),
        (-1.25, "-1.25"),
        (0.001_234, "0.00123"),
        (12_345.0, "1.2e4"),
        (1e-9, "1.0e-9"),
    ] {
        assert_eq!(short(value), expected);
    }
    assert_eq!((number(-0.001), number(12.5), fine(50.0)), ("0".into(), "12.5".into(), "0.5".into()));
}
