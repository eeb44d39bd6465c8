//! Every kind of figure: labelled, readable, scalable, without values that a browser cannot draw.

use workbench::figure::{
    Axes, FigureError, Group, MAX_POINTS, Panel, Series, boxes, calibration, histograms, lines, profile, scatter,
};

const AXES: Axes<'static> = Axes { title: "Residuals & <more>", x: "measured (pKd)", y: "share (%)" };

/// Each figure by name, drawn from a little data.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let curve: Vec<(f64, f64)> = (1..=20).map(|epoch| (f64::from(epoch), 1.0 / f64::from(epoch))).collect();
    let values: Vec<f64> = (0..400).map(|k| (f64::from(k) * 0.37).sin() * 2.0 + 6.0).collect();
    let shifted: Vec<f64> = values.iter().map(|value| value + 0.3).collect();
    let coverage = [(0.1, 0.12), (0.5, 0.48), (0.9, 0.86)];
    let series = [Series { name: "training", points: &curve }, Series { name: "validation", points: &coverage }];
    let panels = [Panel { name: "training part", values: &values }, Panel { name: "test part", values: &shifted }];
    let few = [0.5, -0.5, 0.1];
    let groups = [Group { name: "kinases of one family", values: &values }, Group { name: "few", values: &few }];
    let site = 1..2;
    vec![
        ("lines", lines(&AXES, &series, Some((12.0, "best epoch"))).unwrap()),
        ("scatter", scatter(&AXES, &values, &shifted, &["R = 0.99, CI = 0.98".to_owned()]).unwrap()),
        ("histograms", histograms(&AXES, &panels, 20).unwrap()),
        ("calibration", calibration(&AXES, &series[1..]).unwrap()),
        ("boxes", boxes(&AXES, &groups).unwrap()),
        ("profile", profile(&AXES, &few, Some("MKV"), std::slice::from_ref(&site)).unwrap()),
    ]
}

/// The values of one attribute, in order.
fn attribute<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let key = format!(" {name}=\"");
    svg.split(&key).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn each_is_an_image_with_a_label_that_scales() {
    for (name, svg) in all() {
        let start = "<svg class=\"figure\" role=\"img\" aria-label=\"Residuals &amp; &lt;more&gt;\" ";
        assert!(svg.starts_with(start), "{name}: {}", &svg[..120]);
        let size: Vec<f64> = attribute(&svg, "viewBox")[0].split(' ').map(|part| part.parse().unwrap()).collect();
        assert!(size[2] >= 300.0 && size[3] >= 100.0, "{name}: {size:?}");
        assert!(svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
}

#[test]
fn axes_have_labels_and_text_is_large_enough() {
    for (name, svg) in all() {
        for label in [AXES.x, AXES.y] {
            assert!(svg.contains(label), "{name}: {label}");
        }
        for size in attribute(&svg, "font-size") {
            assert!(size.parse::<f64>().unwrap() >= 12.0, "{name}: {size}");
        }
    }
}

#[test]
fn what_is_drawn_lies_inside_the_figure() {
    for (name, svg) in all() {
        let size: Vec<f64> = attribute(&svg, "viewBox")[0].split(' ').map(|part| part.parse().unwrap()).collect();
        for (keys, limit) in [(["x", "cx", "x1", "x2"], size[2]), (["y", "cy", "y1", "y2"], size[3])] {
            for key in keys {
                for value in attribute(&svg, key) {
                    let value: f64 = value.parse().unwrap();
                    assert!((0.0..=limit).contains(&value), "{name}: {key} = {value}, limit {limit}");
                }
            }
        }
    }
}

#[test]
fn the_same_data_give_the_same_bytes() {
    assert_eq!(all(), all());
}

#[test]
fn many_points_are_thinned_and_the_figure_says_so() {
    let values: Vec<f64> = (0..10_000).map(f64::from).collect();
    let svg = scatter(&AXES, &values, &values, &[]).unwrap();
    assert_eq!(svg.matches("<circle").count(), MAX_POINTS);
    assert!(svg.contains("3000 of 10000 pairs are drawn"));
}

#[test]
fn one_dot_for_each_pair() {
    let svg = scatter(&AXES, &[5.0, 6.0, 7.0], &[5.5, 6.5, 6.8], &[]).unwrap();
    assert_eq!(svg.matches("<circle").count(), 3);
}

#[test]
fn data_that_have_no_place_on_an_axis_are_named() {
    let error = scatter(&AXES, &[1.0, 2.0], &[1.0, f64::NAN], &[]).unwrap_err();
    assert!(matches!(error, FigureError::NotFinite { index: 1, .. }), "{error}");
    let error = scatter(&AXES, &[1.0], &[1.0, 2.0], &[]).unwrap_err();
    assert!(matches!(error, FigureError::Length { left: 1, right: 2, .. }), "{error}");
    let error = lines(&AXES, &[Series { name: "empty", points: &[] }], None).unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
    let error = lines(&Axes { x: " ", ..AXES }, &[Series { name: "a", points: &[(0.0, 0.0)] }], None).unwrap_err();
    assert!(matches!(error, FigureError::Unlabelled { what: "label on the x axis", .. }), "{error}");
    assert!(matches!(profile(&AXES, &[1.0], Some("MK"), &[]), Err(FigureError::Length { .. })));
}

#[test]
fn extreme_data_draw_all_the_same() {
    for values in [vec![0.0], vec![5.0; 10], vec![1e-12, 2e-12], vec![1e12, 1e12 + 1.0], vec![-1e6, 1e6]] {
        let svg = scatter(&AXES, &values, &values, &[]).unwrap();
        assert_eq!(svg.matches("<circle").count(), values.len(), "{values:?}");
        histograms(&AXES, &[Panel { name: "a", values: &values }], 10).unwrap();
        boxes(&AXES, &[Group { name: "a", values: &values }]).unwrap();
        profile(&AXES, &values, None, &[]).unwrap();
    }
}

#[test]
fn names_are_escaped_and_shortened() {
    let name = "<script>alert(1)</script> and a name that goes on and on and on and on and on and on and on and on";
    let svg = lines(&AXES, &[Series { name, points: &[(0.0, 1.0), (1.0, 2.0)] }], None).unwrap();
    assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;"));
    assert!(svg.contains('…'));
}
