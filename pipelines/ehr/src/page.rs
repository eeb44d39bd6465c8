//! The report of a study: one self-contained HTML page and its figures.

mod timeline;

pub(crate) use self::timeline::patient;

use crate::cli::counted;
use crate::config::RunConfig;
use ehr::study::Plan;
use workbench::figure::{Axes, Series, lines};
use workbench::observe::{METRICS_LOG, curves};
use workbench::record::{DataRecord, Environment, RunMetrics};
use workbench::report::{Page, Section};
use workbench::run::{REPORT, RunFolder};
use workbench::table::Table;
use workbench::training::Trained;

/// Input files that the page lists one by one.
const LISTED: usize = 24;

/// Writes each figure to the run folder as well.
#[derive(Clone, Copy)]
pub(crate) struct Figures<'a> {
    pub(crate) folder: &'a RunFolder,
}

impl Figures<'_> {
    /// Keeps a figure and returns it.
    pub(crate) fn keep(self, name: &str, svg: String) -> anyhow::Result<String> {
        self.folder.write(&format!("figures/{name}.svg"), &svg)?;
        Ok(svg)
    }

    /// Lines with a caption, added to a section; nothing where there is no point.
    pub(crate) fn lines(
        self,
        section: Section,
        (name, caption): (&str, &str),
        axes: &Axes<'_>,
        series: &[Series<'_>],
        mark: Option<(f64, &str)>,
    ) -> anyhow::Result<Section> {
        if series.iter().all(|series| series.points.is_empty()) {
            return Ok(section);
        }
        let svg = lines(axes, series, mark)?;
        Ok(section.figure(caption, self.keep(name, svg)?))
    }
}

/// The head of a page.
pub(crate) fn head(
    title: String,
    metrics: &RunMetrics,
    environment: &Environment,
    facts: impl IntoIterator<Item = (String, String)>,
) -> Page {
    let mut page = Page::new(title, format!("{} split, {}", metrics.split, counted(metrics.models, "model")));
    for (name, value) in facts {
        page = page.fact(name, value);
    }
    page.fact("Device", &environment.device)
        .fact("Seeds", metrics.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))
        .fact("Version", &metrics.version)
}

/// Puts the page into the run folder.
pub(crate) fn write(folder: &RunFolder, page: &Page) -> anyhow::Result<()> {
    folder.write(REPORT, page.render()?)?;
    Ok(())
}

/// How the labels were divided.
pub(crate) fn split(plan: &Plan, folds: usize) -> Section {
    let mut table = Table::new("Labels of each part").text("model").number("train").number("tuning").number("held out");
    for i in 0..plan.models() {
        let split = plan.rows(i);
        table.push([
            i.to_string(),
            split.train.len().to_string(),
            split.validation.len().to_string(),
            split.test.len().to_string(),
        ]);
    }
    let mut section = Section::new("Split").paragraph(plan.kind().describe());
    if folds > 0 {
        section = section.paragraph(format!(
            "Cross-validation with {folds} folds: each model is tested on a fold of its own, which the others learn from."
        ));
    }
    if !plan.unused().is_empty() {
        let text = format!(
            "{} in no part, because other labels of their subjects are.",
            counted(plan.unused().len(), "label")
        );
        section = section.paragraph(text);
    }
    section.table(table)
}

/// The learning curves: the loss, and beside it what was watched.
pub(crate) fn learning<M>(figures: Figures<'_>, models: &[Trained<M>], kept: &str) -> anyhow::Result<Section> {
    let mut section = Section::new("Learning");
    for (i, model) in models.iter().enumerate() {
        // A run whose log could not be written has said so.
        let log = figures.folder.file(&format!("{}/{METRICS_LOG}", model.log))?;
        let found = if log.is_file() { curves(&log)? } else { Vec::new() };
        // epochs count from 0 in the engine and from 1 in the curves
        let best = model.best_epoch.map(|epoch| (epoch as f64 + 1.0, "best"));
        for (what, y, wanted) in [("loss", "mean loss", true), ("scores", "score", false)] {
            let series: Vec<Series<'_>> = found
                .iter()
                .filter(|curve| curve.name.ends_with("loss") == wanted)
                .map(|curve| Series { name: &curve.name, points: &curve.points })
                .collect();
            let axes = Axes { title: "Learning curves", x: "epoch", y };
            let caption = format!("Model {i}, {what}: {}. {kept}", counted(model.epochs, "epoch"));
            section = figures.lines(section, (&format!("learning-{i}-{what}"), &caption), &axes, &series, best)?;
        }
    }
    Ok(section)
}

/// Where it ran, what went in, and all settings.
pub(crate) fn surroundings(
    environment: &Environment,
    metrics: &RunMetrics,
    record: &DataRecord,
    config: &RunConfig,
) -> anyhow::Result<Section> {
    let e = environment;
    let processor = format!("{} ({} cores, {})", e.cpu.as_deref().unwrap_or("unknown"), e.cores, e.target);
    let mut facts = vec![
        ("Commit".to_owned(), e.commit.clone().unwrap_or_else(|| "not recorded".into())),
        ("Processor".to_owned(), processor),
        ("Wall time".to_owned(), format!("{:.0} s", metrics.wall_seconds)),
        ("Peak memory".to_owned(), metrics.peak_mb.map_or_else(|| "unknown".into(), |mb| format!("{mb:.0} MB"))),
    ];
    facts.extend(e.versions.iter().map(|(name, version)| (name.clone(), version.clone())));
    let mut section = Section::new("Environment").definitions(facts);
    if record.inputs.len() <= LISTED {
        let mut inputs = Table::new("Inputs").text("file").number("bytes").text("SHA-256");
        for input in &record.inputs {
            inputs.push([input.name.clone(), input.bytes.to_string(), input.sha256.clone()]);
        }
        section = section.table(inputs);
    } else {
        let text = format!("{}; data.json has their SHA-256.", counted(record.inputs.len(), "input file"));
        section = section.paragraph(text);
    }
    Ok(section.heading("Configuration").code(workbench::config::to_toml(config)?))
}

/// Rows that are not used, by reason.
pub(crate) fn dropped(record: &DataRecord) -> String {
    if record.dropped.is_empty() {
        return "none".into();
    }
    record.dropped.iter().map(|(why, n)| format!("{n} ({why})")).collect::<Vec<_>>().join(", ")
}
