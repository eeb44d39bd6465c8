//! The record of a patient up to the prediction time, with what the prediction rests on: a row for each code or
//! variable that matters most, a dot for each time it was written.

use ehr::predict::{Explanation, Prediction};
use ehr::time::Time;
use ehr::view::View;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use workbench::figure::escaped;
use workbench::report::Section;
use workbench::table::Table;

/// Codes or variables that have a row.
const ROWS: usize = 12;
/// Dots of a row at most; of more, the latest.
const DOTS: usize = 400;
/// Letters of a name.
const LETTERS: usize = 36;
/// Sizes, in the figure's own units: width, where the dots begin, height of a row, head and foot.
const WIDTH: f64 = 860.0;
const LEFT: f64 = 300.0;
const ROW: f64 = 24.0;
const HEAD: f64 = 28.0;
const FOOT: f64 = 44.0;
/// What makes the event likelier, less likely, and what says nothing.
const MORE: &str = "#c0392b";
const LESS: &str = "#2471a3";
const PLAIN: &str = "#9a9a9a";

/// One row of the figure.
struct Lane {
    name: String,
    /// Sum of its shares.
    total: f64,
    /// Sum of their amounts.
    weight: f64,
    /// Shares by time.
    shares: BTreeMap<Time, f64>,
    /// Every time it was written.
    times: Vec<Time>,
}

fn lanes(view: &View<'_>, explanation: &Explanation) -> Vec<Lane> {
    let mut by_name: BTreeMap<&str, Lane> = BTreeMap::new();
    for share in explanation.shares.iter().filter(|share| share.time.is_some()) {
        let lane = by_name.entry(&share.what).or_insert_with(|| Lane {
            name: share.description.clone().unwrap_or_else(|| share.what.clone()),
            total: 0.0,
            weight: 0.0,
            shares: BTreeMap::new(),
            times: Vec::new(),
        });
        lane.total += share.value;
        lane.weight += share.value.abs();
        if let Some(time) = share.time {
            *lane.shares.entry(time).or_insert(0.0) += share.value;
        }
    }
    let mut lanes: Vec<(&str, Lane)> = by_name.into_iter().collect();
    lanes.sort_by(|a, b| b.1.weight.total_cmp(&a.1.weight));
    lanes.truncate(ROWS);
    let book = view.codebook();
    for (what, lane) in &mut lanes {
        if let Some(code) = book.get(what) {
            lane.times = view
                .timed()
                .rev()
                .filter(|event| event.code == code)
                .filter_map(|event| event.time)
                .take(DOTS)
                .collect();
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

fn short(text: &str) -> String {
    if text.chars().count() <= LETTERS {
        return text.to_owned();
    }
    text.chars().take(LETTERS - 1).chain(['…']).collect()
}

/// A span of days in the unit that suits it.
fn told(days: f64) -> String {
    match days {
        days if days < 0.05 => "now".to_owned(),
        days if days < 3.0 => format!("{:.0} h", days * 24.0),
        days if days < 730.0 => format!("{days:.0} d"),
        days => format!("{:.1} y", days / 365.25),
    }
}

/// The figure; none where nothing with a time matters.
fn timeline(title: &str, view: &View<'_>, explanation: &Explanation) -> Option<String> {
    let lanes = lanes(view, explanation);
    let now = view.prediction_time();
    let first = lanes.iter().flat_map(|lane| lane.times.iter().chain(lane.shares.keys())).min().copied()?;
    let days = now.since(first).in_days().max(1.0 / 24.0);
    let x = |time: Time| LEFT + (WIDTH - LEFT - 16.0) * (1.0 - now.since(time).in_days() / days).clamp(0.0, 1.0);
    let largest = lanes.iter().flat_map(|lane| lane.shares.values()).map(|share| share.abs()).fold(0.0, f64::max);
    let height = HEAD + ROW * lanes.len() as f64 + FOOT;
    let mut svg = format!(
        "<svg class=\"figure\" role=\"img\" aria-label=\"{}\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\">\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\
         <text x=\"0\" y=\"16\" font-family=\"sans-serif\" font-size=\"14\">{}</text>",
        escaped(title),
        escaped(title)
    );
    for (place, lane) in lanes.iter().enumerate() {
        let y = HEAD + ROW * (place as f64 + 0.5);
        let _ = write!(
            svg,
            "<text x=\"0\" y=\"{:.1}\" font-family=\"sans-serif\" font-size=\"14\">{}</text>\
             <line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\" stroke=\"#e4e4e4\"/>",
            y + 5.0,
            escaped(&short(&lane.name))
        );
        for &time in lane.times.iter().filter(|time| !lane.shares.contains_key(time)) {
            let _ = write!(svg, "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"2\" fill=\"{PLAIN}\"/>", x(time));
        }
        for (&time, &share) in &lane.shares {
            let radius = 3.0 + 6.0 * (share.abs() / largest.max(f64::MIN_POSITIVE)).sqrt();
            let colour = if share > 0.0 { MORE } else { LESS };
            let _ = write!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{colour}\" fill-opacity=\"0.75\"/>",
                x(time)
            );
        }
    }
    let base = HEAD + ROW * lanes.len() as f64;
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let at = LEFT + (WIDTH - LEFT - 16.0) * share;
        let anchor = if tick == 4 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{base:.1}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#777777\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-family=\"sans-serif\" font-size=\"14\">{}</text>",
            base + 5.0,
            base + 20.0,
            told(days * (1.0 - share))
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.1}\" font-family=\"sans-serif\" font-size=\"14\">before the prediction time {now}</text></svg>",
        base + 38.0
    );
    Some(svg)
}

/// A patient: the prediction, the timeline, and a table of the largest shares.
pub(crate) fn patient(
    section: Section,
    prediction: &Prediction,
    view: &View<'_>,
    explanation: &Explanation,
    truth: Option<bool>,
) -> Section {
    let said = match (prediction.probability, prediction.interval) {
        (Some(p), Some((low, high))) => {
            format!(
                "{:.1} % (of tuning patients with such a score: {:.1} to {:.1} %)",
                100.0 * p,
                100.0 * low,
                100.0 * high
            )
        }
        (Some(p), None) => format!("{:.1} %", 100.0 * p),
        (None, _) => "none".to_owned(),
    };
    let mut facts = vec![
        ("Probability", said),
        ("Status", prediction.status.clone()),
        ("Events until then", prediction.events.to_string()),
    ];
    if let Some(truth) = truth {
        facts.push(("What happened", if truth { "it did" } else { "it did not" }.to_owned()));
    }
    let mut section = section.heading(format!("Patient {}", prediction.subject)).definitions(facts);
    if let Some(svg) = timeline(&format!("Patient {}", prediction.subject), view, explanation) {
        let caption = "Codes or variables that the prediction rests on most. Red makes the event likelier, blue less \
                       likely, the more the larger; grey dots are other times at which they were written.";
        section = section.figure(caption, svg);
    }
    let kind = match explanation.bias {
        Some(bias) => {
            format!("Shares of the logit; with {bias:+.3}, which everybody starts from, all of them sum to it")
        }
        None => "What the logit loses when one of them is left out".to_owned(),
    };
    let mut table = Table::new(kind).text("what").text("when").number("share").text("remark");
    for share in explanation.shares.iter().take(ROWS) {
        table.push([
            share.description.clone().unwrap_or_else(|| share.what.clone()),
            share.time.map_or_else(String::new, |time| time.to_string()),
            format!("{:+.3}", share.value),
            share.note.clone().unwrap_or_default(),
        ]);
    }
    section.table(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        let long = "x".repeat(50);
        assert_eq!(short(&long).chars().count(), LETTERS);
        assert!(short(&long).ends_with('…') && short("abc") == "abc");
    }

    #[test]
    fn spans_have_their_unit() {
        assert_eq!([0.0, 0.5, 12.0, 1461.0].map(told), ["now", "12 h", "12 d", "4.0 y"]);
    }
}
