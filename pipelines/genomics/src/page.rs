//! The report of a study: one self-contained HTML page and its figures. What all domains have in common is in
//! [`workbench::page`].

mod figures;

pub(crate) use self::figures::{calibration, results};
pub(crate) use workbench::page::Figures;

use crate::config::RunConfig;
use crate::inputs::Loaded;
use crate::train::{Baseline, Model, Motifs, Tested, results_table};
use genomics::audit::Audit;
use genomics::dataset::Labels;
use genomics::model::{Predicts, StrandPolicy};
use genomics::study::Study;
use workbench::page;
use workbench::record::{DataRecord, Environment, RunMetrics};
use workbench::report::Section;
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
    let figures = Figures { folder };
    let predicts = Predicts { tasks: f.loaded.set.tasks.clone(), labels: f.loaded.set.labels.clone() };
    let kept =
        format!("The weights are those of the epoch with the best {} on the validation part.", f.config.study.monitor);
    let facts = [
        ("Tasks".to_owned(), short(&f.loaded.set.tasks)),
        ("Window".to_owned(), format!("{} bases", f.study.preprocessing().window)),
    ];
    let title = format!("{} on {}", f.config.study.network.system(), f.config.dataset);
    let mut page = page::head(title, f.metrics, f.environment, facts)
        .section(result(f, figures, &predicts)?)
        .section(data(f, figures)?)
        .section(split(f))
        .section(page::learning(figures, f.models, &kept)?)
        .section(calibration(figures, &predicts, &f.tested.together)?);
    if let Some(motifs) = f.motifs {
        page = page.section(motifs.section(figures)?);
    }
    page = page.section(page::surroundings(f.environment, f.metrics, f.record, f.config)?);
    Ok(page::write(folder, &page)?)
}

/// A list of names that fits into a line.
pub(crate) fn short(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let head = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{head} and {} more", names.len() - SHOWN) } else { head }
}

fn result(f: &Findings<'_>, figures: Figures<'_>, predicts: &Predicts) -> anyhow::Result<Section> {
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
    results(figures, predicts, &f.tested.together, section)
}

/// How far the scores of the first model would move with another test part.
fn intervals(f: &Findings<'_>) -> Table {
    let caption = format!("95 % intervals of the first model; resampled: {}", f.tested.drawn.describe());
    page::intervals(caption, &f.metrics.metrics)
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

fn data(f: &Findings<'_>, figures: Figures<'_>) -> anyhow::Result<Section> {
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
            ("Rows dropped", page::dropped(f.record)),
        ])
        .code(f.audit.to_text());
    figures::composition(figures, f, section)
}

fn split(f: &Findings<'_>) -> Section {
    let splits = (0..f.models.len()).map(|i| f.study.plan().split(i));
    let table = page::parts("Rows of each part", ["train", "validation", "test"], splits);
    page::division(f.study.split_kind().describe(), f.config.study.folds).table(table)
}
