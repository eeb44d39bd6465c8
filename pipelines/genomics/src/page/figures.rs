//! The figures of the reports; each is kept in the run folder as well.

use super::Findings;
use genomics::dataset::Labels;
use genomics::evaluate::{BINS, Judged, precision_recall, reliability, roc};
use genomics::model::Predicts;
use genomics::sequence::gc_content;
use nn_core::metrics::MetricError;
use workbench::figure::{self, Axes, Panel, Series, histograms, scatter};
use workbench::page::Figures;
use workbench::report::Section;

/// Curves in one figure at most.
const CURVES: usize = 6;

type Points = Vec<(f64, f64)>;
type Curve = fn(&[bool], &[f64]) -> Result<Points, MetricError>;

/// ROC and precision against recall, or predicted against measured; `together` is the mean of the models.
pub(crate) fn results(
    figures: Figures<'_>,
    predicts: &Predicts,
    together: &Judged,
    mut section: Section,
) -> anyhow::Result<Section> {
    if predicts.labels == Labels::Values {
        for (task, name) in predicts.tasks.iter().enumerate().take(CURVES) {
            let (measured, predicted) = together.values(task);
            if measured.is_empty() {
                continue;
            }
            let axes = Axes { title: &format!("Predicted against measured, {name}"), x: "measured", y: "predicted" };
            let svg = scatter(&axes, &measured, &predicted, &[])?;
            let caption = format!("{name}: mean prediction of the models for each row of the test part.");
            section = section.figure(caption, figures.keep(&format!("scatter-{task}"), svg)?);
        }
        return Ok(section);
    }
    let outputs = two_classes(predicts, together);
    let kinds: [(&str, &str, &str, &str, Curve); 2] = [
        ("roc", "Receiver operating characteristic", "false positive rate", "true positive rate", roc),
        ("precision-recall", "Precision against recall", "recall", "precision", precision_recall),
    ];
    for (file, title, x, y, of) in kinds {
        let curves: Vec<(&str, Points)> = outputs
            .iter()
            .filter_map(|(name, labels, logits)| Some((*name, of(labels, logits).ok()?)))
            .take(CURVES)
            .collect();
        let series: Vec<Series<'_>> = curves.iter().map(|(name, points)| Series { name, points }).collect();
        let caption = format!("{title}, mean of the models on the test part.");
        section = figures.lines(section, (file, &caption), &Axes { title, x, y }, &series, None)?;
    }
    Ok(section)
}

/// Share of G and C in each class: where the two differ, a score may be of composition alone.
pub(super) fn composition(figures: Figures<'_>, f: &Findings<'_>, section: Section) -> anyhow::Result<Section> {
    let set = &f.loaded.set;
    let gc: Vec<f64> = set.sequences.iter().map(|sequence| gc_content(sequence)).collect();
    let parts: Vec<(String, Vec<f64>)> = match &set.labels {
        Labels::Values => vec![("all rows".to_owned(), gc)],
        Labels::Binary => {
            let of = |wanted: f32| {
                let rows = (0..set.len()).filter(|&row| set.target(row, 0) == Some(wanted));
                rows.map(|row| gc[row]).collect::<Vec<_>>()
            };
            vec![(format!("{}: yes", set.tasks[0]), of(1.0)), (format!("{}: no", set.tasks[0]), of(0.0))]
        }
        Labels::Classes(classes) => {
            let of = |class: usize| {
                let rows = (0..set.len()).filter(|&row| set.target(row, 0) == Some(class as f32));
                rows.map(|row| gc[row]).collect::<Vec<_>>()
            };
            classes.iter().enumerate().map(|(class, name)| (name.clone(), of(class))).collect()
        }
    };
    let panels: Vec<Panel<'_>> = parts
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .take(CURVES)
        .map(|(name, values)| Panel { name, values })
        .collect();
    if panels.is_empty() {
        return Ok(section);
    }
    let axes = Axes { title: "Share of G and C", x: "share of G and C", y: "% of the sequences" };
    let svg = histograms(&axes, &panels, 40)?;
    Ok(section.figure("Share of G and C in the sequences of each class.", figures.keep("composition", svg)?))
}

/// Observed share of positives by predicted probability; `together` is the mean of the models.
pub(crate) fn calibration(figures: Figures<'_>, predicts: &Predicts, together: &Judged) -> anyhow::Result<Section> {
    let section = Section::new("Calibration");
    let outputs = two_classes(predicts, together);
    let found: Vec<(&str, Points)> = outputs
        .iter()
        .filter_map(|(name, labels, logits)| {
            let bins = reliability(labels, logits, BINS).ok()?;
            let points: Points = bins.iter().map(|bin| (bin.predicted, bin.observed)).collect();
            (!points.is_empty()).then_some((*name, points))
        })
        .take(CURVES)
        .collect();
    if found.is_empty() {
        return Ok(section.paragraph("The model predicts values, which have no probability to be calibrated."));
    }
    let series: Vec<Series<'_>> = found.iter().map(|(name, points)| Series { name, points }).collect();
    let axes = Axes { title: "Reliability", x: "predicted probability", y: "observed share of positives" };
    let caption = "Rows of the test part in ten bins of predicted probability. On the diagonal, probabilities are \
                   shares; the test part must have as many positives as the use has for that to hold there.";
    let svg = figure::calibration(&axes, &series)?;
    Ok(section.figure(caption, figures.keep("reliability", svg)?))
}

/// Labels and logits of each task, with its name; of classes, of each against the rest; nothing of values.
fn two_classes<'a>(predicts: &'a Predicts, judged: &Judged) -> Vec<(&'a str, Vec<bool>, Vec<f64>)> {
    let of = |(place, name): (usize, &'a String)| {
        let (labels, logits) = match predicts.labels {
            Labels::Classes(_) => judged.one_against_rest(place),
            Labels::Binary | Labels::Values => judged.binary(place),
        };
        (name.as_str(), labels, logits)
    };
    if predicts.labels == Labels::Values { Vec::new() } else { predicts.outputs().iter().enumerate().map(of).collect() }
}
