//! The report of a study of segmentations.

use super::results::{Tested, shown, table};
use super::{Config, SegmentModel};
use crate::cli::counted;
use crate::page::{self, Figures, Panel, fullest, slices};
use imaging::audit::Audit;
use imaging::evaluate::Scores;
use imaging::study::SegmentStudy;
use imaging::volume::LabelMap;
use workbench::figure::{Axes, Group, boxes};
use workbench::record::{DataRecord, RunMetrics};
use workbench::report::Section;
use workbench::table::Table;
use workbench::training::{Trained, TrainingRun};

/// Rows of the table of cases; cases.csv has them all.
const ROWS: usize = 40;
/// Labels in one figure at most.
const LABELS: usize = 12;

/// Everything that the page shows.
pub(super) struct Findings<'a> {
    pub(super) config: &'a Config,
    pub(super) study: &'a SegmentStudy<'a>,
    pub(super) models: &'a [Trained<SegmentModel>],
    pub(super) tested: &'a Tested,
    pub(super) audit: &'a Audit,
    pub(super) record: &'a DataRecord,
}

/// Writes `report.html` and `figures/*.svg`.
pub(super) fn write(run: &TrainingRun<'_>, f: &Findings<'_>, metrics: &RunMetrics) -> anyhow::Result<()> {
    let figures = Figures { folder: &run.folder };
    let settings = &f.config.study;
    let of = |values: [usize; 3]| values.map(|value| value.to_string()).join(" x ");
    let facts = [
        ("Labels".to_owned(), f.study.names().iter().skip(1).cloned().collect::<Vec<_>>().join(", ")),
        ("Patch".to_owned(), settings.patch.map_or_else(|| "–".to_owned(), of)),
    ];
    let kept = if settings.learning.keep_best {
        "The weights are those of the epoch with the best mean Dice on the validation part."
    } else {
        "The weights are those of the last epoch."
    };
    let page =
        page::head(format!("{} on {}", settings.network.name(), f.config.dataset), metrics, &run.environment, facts)
            .section(results(figures, f, metrics)?)
            .section(pictures(figures, f)?)
            .section(data(f))
            .section(page::split(f.study.divided(), settings.division.folds))
            .section(page::learning(figures, f.models, kept)?)
            .section(page::surroundings(&run.environment, metrics, f.record, f.config)?);
    Ok(page::write(&run.folder, &page)?)
}

fn results(figures: Figures<'_>, f: &Findings<'_>, metrics: &RunMetrics) -> anyhow::Result<Section> {
    let scores = &f.tested.scores;
    let mut section = Section::new("Results").table(shown(f.config, f.study.names(), metrics));
    let caption = "95 % intervals of the first model, by resampling the subjects of its test part";
    let intervals = page::intervals(caption, &metrics.metrics);
    let mut presence = Table::new("Cases of the test parts, label by label")
        .text("label")
        .number("count")
        .number("missed")
        .number("invented")
        .number("left out");
    for summary in scores.summaries() {
        presence.push([
            summary.name,
            summary.cases.to_string(),
            summary.missed.to_string(),
            summary.invented.to_string(),
            summary.left_out.to_string(),
        ]);
    }
    section = section.table(intervals).table(presence).paragraph(
        "A label that is missed or invented has a Dice of 0 and the diagonal of the image as its distance; where neither \
         side has it, the case is left out. All scores are on the grid of the source.",
    );
    section = dice(figures, scores, section)?;
    let caption = format!("Scores of single cases, the lowest Dice first (the first {ROWS}; cases.csv has all)");
    Ok(section.table(table(&caption, scores, ROWS)))
}

/// The spread of the Dice coefficients over the cases.
fn dice(figures: Figures<'_>, scores: &Scores, section: Section) -> anyhow::Result<Section> {
    let values: Vec<(String, Vec<f64>)> = scores
        .labels()
        .into_iter()
        .take(LABELS)
        .map(|(label, name)| (name, scores.of_label(label).filter_map(|score| score.dice).collect()))
        .collect();
    let groups: Vec<Group<'_>> =
        values.iter().filter(|(_, values)| !values.is_empty()).map(|(name, values)| Group { name, values }).collect();
    if groups.is_empty() {
        return Ok(section);
    }
    let svg = boxes(&Axes { title: "Dice of each label", x: "Dice coefficient", y: "label" }, &groups)?;
    Ok(section.figure("Dice coefficients of the cases of the test parts.", figures.keep("dice", svg)?))
}

/// The worst, the median and the best case, with the outlines of the truth and of the model.
fn pictures(figures: Figures<'_>, f: &Findings<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("Cases");
    let mean = |id: &str| {
        let found: Vec<f64> =
            f.tested.scores.cases.iter().filter(|score| score.case == id).filter_map(|score| score.dice).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    };
    let mut ranked: Vec<(f64, usize, &LabelMap)> =
        f.tested.found.iter().filter_map(|(row, map)| Some((mean(&f.study.cases()[*row].id)?, *row, map))).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(last) = ranked.len().checked_sub(1) else {
        return Ok(section.paragraph("No case of the test parts has a label."));
    };
    let mut drawn = Vec::new();
    for (what, place) in [("lowest", 0), ("median", last / 2), ("highest", last)] {
        let (dice, row, found) = ranked[place];
        if drawn.contains(&row) {
            continue;
        }
        drawn.push(row);
        let case = &f.study.cases()[row];
        let Some(truth) = &case.label else { continue };
        let (volume, slice) = (&case.channels[0], fullest(truth));
        let panels = [("image", None), ("truth", Some(truth)), ("model", Some(found))].map(|(name, labels)| Panel {
            name,
            volume,
            labels,
            slice,
        });
        let svg = slices(&format!("Slice {} of {}", slice + 1, case.id), &panels, f.study.names());
        let caption = format!(
            "{}, the case with the {what} mean Dice ({dice:.3}): slice {} of {}.",
            case.id,
            slice + 1,
            counted(volume.geometry.size[2], "slice")
        );
        section = section.figure(caption, figures.keep(&format!("case-{what}"), svg)?);
    }
    Ok(section)
}

fn data(f: &Findings<'_>) -> Section {
    let settings = &f.config.study;
    let mm = settings.spacing.map_or_else(
        || "as it comes".to_owned(),
        |spacing| spacing.map(|mm| if mm > 0.0 { format!("{mm:.3}") } else { "as it comes".into() }).join(" x "),
    );
    let scale: Vec<String> = settings.normalise.iter().map(|scale| format!("{scale:?}")).collect();
    Section::new("Data and audit")
        .definitions([
            ("Cases", f.study.cases().len().to_string()),
            ("Left out", page::dropped(f.record)),
            ("Spacing of the network's grid, mm", mm),
            ("Intensities", scale.join("; ")),
        ])
        .code(f.audit.to_text())
}
