//! What the pages of all studies have: head, division, learning curves, and where and on what the study was run. What
//! is of one domain stands in its pipeline.

use nn_core::data::Split;
use serde::Serialize;

use crate::config::{ResolveError, to_toml};
use crate::figure::{Axes, FigureError, Series, lines};
use crate::observe::{Curve, METRICS_LOG, ObserveError, counted, curves};
use crate::record::{DataRecord, Environment, RunMetrics, Summary};
use crate::report::{Page, ReportError, Section};
use crate::run::{REPORT, RunError, RunFolder};
use crate::table::Table;
use crate::training::Trained;

/// Input files that a page lists one by one at most.
const LISTED: usize = 24;

/// A page that cannot be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// A file of the run folder cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A table or a figure cannot stand in the page.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A figure cannot be drawn.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// The log of a model cannot be read.
    #[error(transparent)]
    Log(#[from] ObserveError),
    /// The settings cannot be shown. Kept as a cause, because it decides the exit status.
    #[error("{0}")]
    Config(#[from] ResolveError),
}

/// The figures of a page. Each is written to the run folder as well, as `figures/NAME.svg`.
#[derive(Debug, Clone, Copy)]
pub struct Figures<'a> {
    /// The folder of the run.
    pub folder: &'a RunFolder,
}

impl Figures<'_> {
    /// Keeps a figure and returns it.
    ///
    /// # Errors
    /// [`PageError::Run`].
    pub fn keep(self, name: &str, svg: String) -> Result<String, PageError> {
        self.folder.write(&format!("figures/{name}.svg"), &svg)?;
        Ok(svg)
    }

    /// Lines with a name and a caption, added to a section; nothing where there is no point. `mark` is that of
    /// [`lines`].
    ///
    /// # Errors
    /// [`PageError::Figure`], [`PageError::Run`].
    pub fn lines(
        self,
        section: Section,
        (name, caption): (&str, &str),
        axes: &Axes<'_>,
        series: &[Series<'_>],
        mark: Option<(f64, &str)>,
    ) -> Result<Section, PageError> {
        if series.iter().all(|series| series.points.is_empty()) {
            return Ok(section);
        }
        let svg = lines(axes, series, mark)?;
        Ok(section.figure(caption, self.keep(name, svg)?))
    }

    /// The learning curves of a model whose log is in the folder `log` of the run. A run whose log could not be written
    /// has said so, and has no curves.
    ///
    /// # Errors
    /// [`PageError::Run`], [`PageError::Log`].
    pub fn curves(self, log: &str) -> Result<Vec<Curve>, PageError> {
        let log = self.folder.file(&format!("{log}/{METRICS_LOG}"))?;
        Ok(if log.is_file() { curves(&log)? } else { Vec::new() })
    }
}

/// The mark of the epoch whose weights a model has, on its learning curves.
pub fn best(epoch: Option<usize>) -> Option<(f64, &'static str)> {
    // epochs count from 0 in the engine and from 1 in the curves
    epoch.map(|epoch| (epoch as f64 + 1.0, "best"))
}

/// The head of a page, with `facts` before those that every run has.
pub fn head(
    title: impl Into<String>,
    metrics: &RunMetrics,
    environment: &Environment,
    facts: impl IntoIterator<Item = (String, String)>,
) -> Page {
    let page = Page::new(title, format!("{} split, {}", metrics.split, counted(metrics.models, "model")));
    let page = facts.into_iter().fold(page, |page, (name, value)| page.fact(name, value));
    ran(page, metrics, environment)
}

/// Adds the facts that every run has to the head of a page: device, seeds, version.
pub fn ran(page: Page, metrics: &RunMetrics, environment: &Environment) -> Page {
    page.fact("Device", &environment.device)
        .fact("Seeds", metrics.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))
        .fact("Version", &metrics.version)
}

/// Puts the page into the run folder.
///
/// # Errors
/// [`PageError::Report`], [`PageError::Run`].
pub fn write(folder: &RunFolder, page: &Page) -> Result<(), PageError> {
    folder.write(REPORT, page.render()?)?;
    Ok(())
}

/// Every score of the baselines and of the models, one row each; of several models the mean and the deviation.
pub fn results(caption: impl Into<String>, metrics: &RunMetrics) -> Table {
    let names: Vec<&String> = metrics.metrics.keys().collect();
    let mut table = Table::new(caption).text("model");
    for name in &names {
        table = table.number(name.as_str());
    }
    for (baseline, values) in &metrics.baselines {
        let cell = |name: &&String| values.get(*name).map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        table.push([baseline.clone()].into_iter().chain(names.iter().map(cell)));
    }
    let cell = |name: &&String| match metrics.metrics.get(*name) {
        None => "–".to_owned(),
        Some(Summary { mean, sd: Some(sd), .. }) => format!("{mean:.3} ± {sd:.3}"),
        Some(Summary { mean, .. }) => format!("{mean:.3}"),
    };
    table.push([counted(metrics.models, "model")].into_iter().chain(names.iter().map(cell)));
    table
}

/// The intervals of the scores that have one.
pub fn intervals<'a>(caption: impl Into<String>, scores: impl IntoIterator<Item = (&'a String, &'a Summary)>) -> Table {
    let mut table = Table::new(caption).text("score").number("low").number("high");
    for (name, summary) in scores {
        if let Some((low, high)) = summary.low.zip(summary.high) {
            table.push([name.clone(), format!("{low:.3}"), format!("{high:.3}")]);
        }
    }
    table
}

/// Rows that are not used, by reason.
pub fn dropped(record: &DataRecord) -> String {
    if record.dropped.is_empty() {
        return "none".into();
    }
    record.dropped.iter().map(|(why, n)| format!("{n} ({why})")).collect::<Vec<_>>().join(", ")
}

/// How rows were divided: `described` says by what, and `folds` is the number of folds of a cross-validation, 0 without
/// one.
pub fn division(described: &str, folds: usize) -> Section {
    let section = Section::new("Split").paragraph(described);
    if folds == 0 {
        return section;
    }
    section.paragraph(format!(
        "Cross-validation with {folds} folds: each model is tested on a fold of its own, which the others learn from."
    ))
}

/// How many rows each part of each model has; `names` are those of the training, the validation and the test part.
pub fn parts<'a>(caption: &str, names: [&str; 3], splits: impl IntoIterator<Item = &'a Split>) -> Table {
    let table = Table::new(caption).text("model");
    let mut table = names.into_iter().fold(table, Table::number);
    for (i, split) in splits.into_iter().enumerate() {
        let sizes = [&split.train, &split.validation, &split.test].map(|rows| rows.len().to_string());
        table.push([i.to_string()].into_iter().chain(sizes));
    }
    table
}

/// The learning curves of each model: the loss, and beside it what was watched. `kept` says which weights it has.
///
/// # Errors
/// As [`Figures::curves`] and [`Figures::lines`].
pub fn learning<M>(figures: Figures<'_>, models: &[Trained<M>], kept: &str) -> Result<Section, PageError> {
    let mut section = Section::new("Learning");
    for (i, model) in models.iter().enumerate() {
        let found = figures.curves(&model.log)?;
        for (what, y, wanted) in [("loss", "mean loss", true), ("scores", "score", false)] {
            let series: Vec<Series<'_>> = found
                .iter()
                .filter(|curve| curve.name.ends_with("loss") == wanted)
                .map(|curve| Series { name: &curve.name, points: &curve.points })
                .collect();
            let axes = Axes { title: "Learning curves", x: "epoch", y };
            let caption = format!("Model {i}, {what}: {}. {kept}", counted(model.epochs, "epoch"));
            let name = format!("learning-{i}-{what}");
            section = figures.lines(section, (&name, &caption), &axes, &series, best(model.best_epoch))?;
        }
    }
    Ok(section)
}

/// Where the run was, what went in, and all settings.
///
/// # Errors
/// [`PageError::Config`] for settings that TOML has no form for.
pub fn surroundings<C: Serialize>(
    environment: &Environment,
    metrics: &RunMetrics,
    record: &DataRecord,
    config: &C,
) -> Result<Section, PageError> {
    let e = environment;
    let processor = format!("{} ({} cores, {})", e.cpu.as_deref().unwrap_or("unknown"), e.cores, e.target);
    let mut facts = vec![
        ("Commit".to_owned(), e.commit.clone().unwrap_or_else(|| "not recorded".into())),
        ("Processor".to_owned(), processor),
        ("Wall time".to_owned(), format!("{:.0} s", metrics.wall_seconds)),
        ("Peak memory".to_owned(), metrics.peak_mb.map_or_else(|| "unknown".into(), |mb| format!("{mb:.0} MB"))),
    ];
    facts.extend(e.versions.iter().map(|(name, version)| (name.clone(), version.clone())));
    let section = Section::new("Environment").definitions(facts);
    let section = if record.inputs.len() <= LISTED {
        let mut inputs = Table::new("Inputs").text("file").number("bytes").text("SHA-256");
        for input in &record.inputs {
            inputs.push([input.name.clone(), input.bytes.to_string(), input.sha256.clone()]);
        }
        section.table(inputs)
    } else {
        let files = counted(record.inputs.len(), "input file");
        section.paragraph(format!("{files}; data.json has their SHA-256."))
    };
    Ok(section.heading("Configuration").code(to_toml(config)?))
}
