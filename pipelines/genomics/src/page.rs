//! The report of a study: one self-contained HTML page and its figures.

mod figures;

pub(crate) use self::figures::Figures;

use crate::cli::counted;
use crate::config::RunConfig;
use crate::inputs::Loaded;
use crate::train::{Baseline, Model, Motifs, Tested, results_table};
use genomics::audit::Audit;
use genomics::dataset::Labels;
use genomics::model::StrandPolicy;
use genomics::study::Study;
use workbench::record::{DataRecord, Environment, RunMetrics};
use workbench::report::{Page, Section};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Everything that the page shows.
pub(crate) struct Findings<'a> {
    pub(crate) config: &'a RunConfig,
    pub(crate) study: &'a Study<'a>,
    pub(crate) loaded: &'a Loaded,
    pub(crate) audit: &'a Audit,
    pub(crate) record: &'a DataRecord,
    pub(crate) environment: &'a Environment,
    pub(crate) metrics: &'a RunMetrics,
    pub(crate) baselines: &'a [Baseline],
    pub(crate) models: &'a [Model],
    pub(crate) tested: &'a Tested,
    pub(crate) motifs: Option<&'a Motifs>,
}

/// Writes `report.html` and `figures/*.svg`.
pub(crate) fn write(folder: &RunFolder, f: &Findings<'_>) -> anyhow::Result<()> {
    let figures = Figures::new(folder);
    let system = f.config.study.network.system();
    let mut page = Page::new(
        format!("{system} on {}", f.config.dataset),
        format!("{} split, {}", f.metrics.split, counted(f.metrics.models, "model")),
    )
    .fact("Tasks", short(&f.loaded.set.tasks))
    .fact("Window", format!("{} bases", f.study.preprocessing().window))
    .fact("Device", &f.environment.device)
    .fact("Seeds", f.metrics.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "))
    .fact("Version", &f.metrics.version)
    .section(result(f, &figures)?)
    .section(data(f, &figures)?)
    .section(split(f))
    .section(learning(f, &figures)?)
    .section(figures.calibration(f)?);
    if let Some(motifs) = f.motifs {
        page = page.section(motifs.section(&figures)?);
    }
    page = page.section(surroundings(f)?);
    folder.write("report.html", page.render()?)?;
    Ok(())
}

/// A list of names that fits into a line.
fn short(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let head = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{head} and {} more", names.len() - SHOWN) } else { head }
}

fn result(f: &Findings<'_>, figures: &Figures<'_>) -> anyhow::Result<Section> {
    let labels = &f.loaded.set.labels;
    let mut section = Section::new("Results").table(results_table(f.config, labels, f.metrics, f.baselines));
    if f.tested.intervals.is_empty() {
        let text = "No score has an interval: the test part has too few independent rows to be resampled.";
        section = section.note(text);
    } else {
        section = section.table(intervals(f));
    }
    if f.loaded.set.tasks.len() > 1 {
        section = section.table(by_task(f));
    }
    for finding in f.audit.findings() {
        section = section.warning(finding);
    }
    figures.results(f, section)
}

/// How far the scores of the first model would move with another test part.
fn intervals(f: &Findings<'_>) -> Table {
    let caption = format!("95 % intervals of the first model; resampled: {}", f.tested.drawn.describe());
    let mut table = Table::new(caption).text("score").number("low").number("high");
    for (name, summary) in &f.metrics.metrics {
        if let (Some(low), Some(high)) = (summary.low, summary.high) {
            table.push([name.clone(), format!("{low:.3}"), format!("{high:.3}")]);
        }
    }
    table
}

/// Scores of each task, where there are several.
fn by_task(f: &Findings<'_>) -> Table {
    let names: [&str; 2] = match f.loaded.set.labels {
        Labels::Values => ["pearson", "spearman"],
        Labels::Binary | Labels::Classes(_) => ["auroc", "average_precision"],
    };
    let mut table = Table::new("Tasks, mean over the models").text("task");
    for name in names {
        table = table.number(name);
    }
    let cell = |task: &str, name: &str| match f.metrics.metrics.get(&format!("{task}.{name}")) {
        Some(summary) => format!("{:.3}", summary.mean),
        None => "–".to_owned(),
    };
    for task in &f.loaded.set.tasks {
        table.push([task.clone()].into_iter().chain(names.map(|name| cell(task, name))));
    }
    table
}

fn data(f: &Findings<'_>, figures: &Figures<'_>) -> anyhow::Result<Section> {
    let set = &f.loaded.set;
    let lengths = set.sequences.iter().map(Vec::len);
    let strands = match f.study.preprocessing().strands {
        StrandPolicy::Given => "the strand that is given",
        StrandPolicy::Augment => "either strand in training, the one that is given in prediction",
        StrandPolicy::Average => "either strand in training, the mean of both in prediction",
        StrandPolicy::Network => "the network reads both",
    };
    let section = Section::new("Data and audit")
        .definitions([
            ("Rows", set.len().to_string()),
            ("Lengths", format!("{} to {} bases", lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0))),
            ("Negatives", f.loaded.negatives.clone()),
            ("Strands", strands.to_owned()),
            ("Rows dropped", dropped(f.record)),
        ])
        .code(f.audit.to_text());
    figures.composition(f, section)
}

fn dropped(record: &DataRecord) -> String {
    if record.dropped.is_empty() {
        return "none".into();
    }
    record.dropped.iter().map(|(why, n)| format!("{n} ({why})")).collect::<Vec<_>>().join(", ")
}

fn split(f: &Findings<'_>) -> Section {
    let mut table = Table::new("Rows of each part").text("model").number("train").number("validation").number("test");
    for i in 0..f.models.len() {
        let split = f.study.plan().split(i);
        table.push([
            i.to_string(),
            split.train.len().to_string(),
            split.validation.len().to_string(),
            split.test.len().to_string(),
        ]);
    }
    let mut section = Section::new("Split").paragraph(f.study.split_kind().describe());
    if f.config.study.folds > 0 {
        section = section.paragraph(format!(
            "Cross-validation with {} folds: each model is tested on a fold of its own, which the others learn from.",
            f.config.study.folds
        ));
    }
    section.table(table)
}

fn learning(f: &Findings<'_>, figures: &Figures<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("Learning");
    for (i, model) in f.models.iter().enumerate() {
        // epochs count from 0 in the engine and from 1 in the curves
        let best = model.best_epoch.map(|epoch| (epoch as f64 + 1.0, "best"));
        let caption = format!(
            "Model {i}: {}. The weights are those of the epoch with the best {} on the validation part.",
            counted(model.epochs, "epoch"),
            f.config.study.monitor
        );
        section = figures.learning(section, &model.log, i, best, &caption)?;
    }
    Ok(section)
}

fn surroundings(f: &Findings<'_>) -> anyhow::Result<Section> {
    let e = f.environment;
    let mut facts = vec![
        ("Commit".to_owned(), e.commit.clone().unwrap_or_else(|| "not recorded".into())),
        (
            "Processor".to_owned(),
            format!("{} ({} cores, {})", e.cpu.as_deref().unwrap_or("unknown"), e.cores, e.target),
        ),
        ("Wall time".to_owned(), format!("{:.0} s", f.metrics.wall_seconds)),
        ("Peak memory".to_owned(), f.metrics.peak_mb.map_or_else(|| "unknown".into(), |mb| format!("{mb:.0} MB"))),
    ];
    facts.extend(e.versions.iter().map(|(name, version)| (name.clone(), version.clone())));
    let mut inputs = Table::new("Inputs").text("file").number("bytes").text("SHA-256");
    for input in &f.record.inputs {
        inputs.push([input.name.clone(), input.bytes.to_string(), input.sha256.clone()]);
    }
    Ok(Section::new("Environment")
        .definitions(facts)
        .table(inputs)
        .heading("Configuration")
        .code(workbench::config::to_toml(f.config)?))
}
