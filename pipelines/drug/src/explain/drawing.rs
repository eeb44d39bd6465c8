//! The drawing of a molecule as a figure: large enough to be read, with the scale of its colours.

use anyhow::Context;
use drug::explain::colour;
use std::fmt::Write as _;

/// Width of the figure, unless the drawing is wider.
const WIDTH: f64 = 560.0;
/// Widest figure that a page shows without scrolling; a drawing that is wider still is made smaller.
const WIDEST: f64 = 900.0;
/// Height up to which a drawing is enlarged.
const HEIGHT: f64 = 400.0;
/// Most that a small drawing is enlarged.
const ENLARGED: f64 = 2.5;
/// Room around everything.
const MARGIN: f64 = 8.0;
/// Width and height of the bar of colours, and the steps from one end to the other.
const BAR: [f64; 2] = [246.0, 14.0];
const STEPS: i32 = 41;
/// Height of the bar with its two lines of text.
const SCALE: f64 = 64.0;

/// `drawing`, an SVG document, in the size of a figure, above the scale of the colours that
/// [`drug::explain::atom_colours`] gives `effects`. `axis` says what they measure.
pub(super) fn figure(drawing: &str, effects: &[f64], axis: &str) -> anyhow::Result<String> {
    let (root, content) = drawing.split_once('>').context("the drawing of the molecule is no SVG")?;
    let view = attribute(root, "viewBox").context("the drawing of the molecule has no size")?;
    let size: Vec<f64> = view.split(' ').filter_map(|number| number.parse().ok()).collect();
    let [_, _, width, height] = size[..] else { anyhow::bail!("the drawing of the molecule has the size {view:?}") };
    let wide = width.clamp(WIDTH, WIDEST);
    let factor = (wide / width).min(HEIGHT.max(height) / height).min(ENLARGED);
    let (drawn, high) = (width * factor, height * factor);
    let mut svg = String::new();
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" class="figure" role="img" aria-label="Effect of each atom" width="{wide:.0}" height="{total:.0}" viewBox="0 0 {wide:.0} {total:.0}">
<rect x="0" y="0" width="{wide:.0}" height="{total:.0}" fill="#ffffff"/>
<svg x="{left:.2}" y="{MARGIN}" width="{drawn:.2}" height="{high:.2}" viewBox="{view}">{content}"##,
        total = high + 2.0 * MARGIN + SCALE,
        left = (wide - drawn) / 2.0,
    )?;
    scale(&mut svg, wide / 2.0, high + 2.0 * MARGIN, effects, axis)?;
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// A bar from the strongest lowering to the strongest raising colour around `middle`, below `top`, with its ends.
fn scale(svg: &mut String, middle: f64, top: f64, effects: &[f64], axis: &str) -> std::fmt::Result {
    let limit = effects.iter().fold(0.0, |most: f64, effect| most.max(effect.abs()));
    let [width, height] = BAR;
    let mut text = |x: f64, y: f64, anchor: &str, text: &str| {
        writeln!(
            svg,
            r##"<text x="{x:.1}" y="{y:.1}" font-family="sans-serif" font-size="14" text-anchor="{anchor}" fill="#333333">{}</text>"##,
            escaped(text)
        )
    };
    if limit == 0.0 {
        return text(middle, top + height, "middle", "Hiding an atom changes nothing.");
    }
    let (left, right) = (middle - width / 2.0, middle + width / 2.0);
    text(left - 8.0, top + 12.0, "end", "lowers")?;
    text(right + 8.0, top + 12.0, "start", "raises")?;
    for (x, value) in [(left, -limit), (middle, 0.0), (right, limit)] {
        text(x, top + height + 17.0, "middle", &number(value))?;
    }
    text(middle, top + height + 36.0, "middle", axis)?;
    let step = width / f64::from(STEPS);
    for place in 0..STEPS {
        // From -1 to 1; as pale as the discs behind the atoms are drawn.
        let share = f64::from(2 * place) / f64::from(STEPS - 1) - 1.0;
        let [red, green, blue] = colour(share * limit, limit);
        writeln!(
            svg,
            r##"<rect x="{:.1}" y="{top:.1}" width="{step:.1}" height="{height}" fill="#{red:02x}{green:02x}{blue:02x}" opacity="0.5"/>"##,
            left + step * f64::from(place)
        )?;
    }
    Ok(())
}

/// A number of the scale: enough digits to tell it from 0.
fn number(value: f64) -> String {
    if value == 0.0 || value.abs() >= 0.01 { format!("{value:.2}") } else { format!("{value:.1e}") }
}

/// The value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(value.split_once('"')?.0)
}

/// Text as SVG takes it.
fn escaped(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use drug::chem::Molecule;
    use drug::explain::atom_colours;
    use workbench::report::{Page, Section};

    fn of(smiles: &str, effects: &[f64]) -> String {
        let drawing = Molecule::parse(smiles).unwrap().depict(&atom_colours(effects));
        figure(&drawing, effects, "a<b lost").unwrap()
    }

    #[test]
    fn a_molecule_is_enlarged_and_has_its_scale() {
        let effects = [0.5, -0.25, 0.0];
        let svg = of("CCO", &effects);
        let root = svg.split_once('>').unwrap().0;
        assert_eq!(attribute(root, "width"), Some("560"), "{root}");
        // The drawing itself, two and a half times as wide as in its own units.
        let inner = svg.split_once("<svg x=").unwrap().1.split_once('>').unwrap().0;
        let width: f64 = attribute(inner, "width").unwrap().parse().unwrap();
        let own: f64 = attribute(inner, "viewBox").unwrap().split(' ').nth(2).unwrap().parse().unwrap();
        assert!((width - 2.5 * own).abs() < 0.02, "{width} {own}");
        for text in [">raises<", ">lowers<", ">0.50<", ">-0.50<", ">0.00<", ">a&lt;b lost<"] {
            assert!(svg.contains(text), "{text} is missing in {svg}");
        }
        // The ends of the bar are the colours of the atoms with these effects.
        for end in [0.5, -0.5] {
            let [red, green, blue] = colour(end, 0.5);
            assert!(svg.contains(&format!("height=\"14\" fill=\"#{red:02x}{green:02x}{blue:02x}\"")), "{svg}");
        }
        // A page takes it.
        Page::new("x", "").section(Section::new("x").figure("x", svg)).render().unwrap();
    }

    #[test]
    fn a_drawing_wider_than_a_page_is_made_smaller() {
        let drawing = "<svg width=\"1800\" height=\"500\" viewBox=\"-20.00 -40.00 1800.00 500.00\"><g/></svg>";
        let svg = figure(drawing, &[0.0; 60], "lost").unwrap();
        let root = svg.split_once('>').unwrap().0;
        // 900 wide; half of 500, two margins of 8 and 64 for the scale high.
        assert_eq!(attribute(root, "viewBox"), Some("0 0 900 330"), "{root}");
        assert!(svg.contains("width=\"900.00\" height=\"250.00\" viewBox=\"-20.00 -40.00 1800.00 500.00\""), "{svg}");
        assert!(svg.contains("changes nothing") && !svg.contains("raises"), "{svg}");
        assert!(figure("<svg viewBox=\"0 0 1\"></svg>", &[], "lost").is_err());
    }

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!([0.0, -1.5, 0.01, 0.0004].map(number), ["0.00", "-1.50", "0.01", "4.0e-4"]);
    }
}
