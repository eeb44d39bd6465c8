//! The report of a study of a task: one self-contained HTML page and its figures.

use super::Model;
use super::config::TaskRunConfig;
use super::results::Tested;
use crate::page::{Figures, calibration, results, short};
use genomics::audit::RowsAudit;
use genomics::dataset::Labels;
use genomics::task::{Task, TaskStudy};
use workbench::page;
use workbench::record::{DataRecord, RunMetrics};
use workbench::report::Section;
use workbench::table::Table;
use workbench::training::TrainingRun;

/// Everything that the page shows.
pub(super) struct Found<'a, T: Task> {
    pub(super) run: &'a TrainingRun<'a>,
    pub(super) config: &'a TaskRunConfig,
    pub(super) study: &'a TaskStudy<'a, T>,
    pub(super) models: &'a [Model<T>],
    pub(super) tested: &'a Tested,
    pub(super) audit: &'a RowsAudit,
    pub(super) metrics: &'a RunMetrics,
    pub(super) record: &'a DataRecord,
    pub(super) table: &'a Table,
}

/// Writes `report.html` and `figures/*.svg`.
pub(super) fn write<T: Task>(found: &Found<'_, T>) -> anyhow::Result<()> {
    let &Found { run, config, study, models, metrics, record, .. } = found;
    let figures = Figures { folder: &run.folder };
    let system = config.study.network.system();
    let facts = [("Predicts".to_owned(), short(study.task().rows().predicts.outputs()))];
    let data = Section::new("Data and audit")
        .definitions([("Rows", record.kept.to_string()), ("Rows dropped", page::dropped(record))])
        .code(found.audit.to_text());
    let splits = (0..models.len()).map(|i| study.plan().split(i));
    let parts = page::parts("Rows of each part", ["train", "validation", "test"], splits);
    let learning = if study.task().is_solved() {
        Section::new("Learning").paragraph("The weights are the solution of linear equations: there are no epochs.")
    } else {
        let monitor = &config.study.monitor;
        let phases = if config.study.phases { " The curves are those of the last phase." } else { "" };
        let kept =
            format!("The weights are those of the epoch with the best {monitor} on the validation part.{phases}");
        page::learning(figures, models, &kept)?
    };
    let mut page = page::head(format!("{system} on {}", config.dataset), metrics, &run.environment, facts)
        .section(result(found, figures)?)
        .section(data)
        .section(page::division(study.plan().kind().describe(), config.study.folds).table(parts))
        .section(learning);
    let predicts = &study.task().rows().predicts;
    if predicts.labels != Labels::Values {
        page = page.section(calibration(figures, predicts, &found.tested.together)?);
    }
    page = page.section(page::surroundings(&run.environment, metrics, record, config)?);
    Ok(page::write(&run.folder, &page)?)
}

fn result<T: Task>(found: &Found<'_, T>, figures: Figures<'_>) -> anyhow::Result<Section> {
    let (tested, predicts) = (found.tested, &found.study.task().rows().predicts);
    let mut section = Section::new("Results").table(found.table.clone());
    if tested.intervals.is_empty() {
        let text = "No score has an interval: the test part has too few independent rows to be resampled.";
        section = section.note(text);
    } else {
        let caption = format!("95 % intervals of the first model; resampled: {}", tested.drawn.describe());
        section = section.table(page::intervals(caption, &found.metrics.metrics));
    }
    for finding in found.audit.findings() {
        section = section.warning(finding);
    }
    results(figures, predicts, &tested.together, section)
}
