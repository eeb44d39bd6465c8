//! The report of a study of a task: one self-contained HTML page and its figures.

use super::Model;
use super::config::TaskRunConfig;
use super::results::Tested;
use genomics::dataset::Labels;
use genomics::evaluate::{precision_recall, roc};
use genomics::task::{Task, TaskStudy};
use nn_core::metrics::MetricError;
use workbench::figure::{Axes, Series, scatter};
use workbench::page::{self, Figures};
use workbench::record::{DataRecord, RunMetrics};
use workbench::report::Section;
use workbench::table::Table;
use workbench::training::TrainingRun;

/// Curves in one figure at most, and figures of one kind.
const CURVES: usize = 6;

type Points = Vec<(f64, f64)>;
type Curve = fn(&[bool], &[f64]) -> Result<Points, MetricError>;

/// Everything that the page shows.
pub(super) struct Found<'a, T: Task> {
    pub(super) run: &'a TrainingRun<'a>,
    pub(super) config: &'a TaskRunConfig,
    pub(super) study: &'a TaskStudy<'a, T>,
    pub(super) models: &'a [Model<T>],
    pub(super) tested: &'a Tested,
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
    let data =
        Section::new("Data").definitions([("Rows", record.kept.to_string()), ("Rows dropped", page::dropped(record))]);
    let splits = (0..models.len()).map(|i| study.plan().split(i));
    let parts = page::parts("Rows of each part", ["train", "validation", "test"], splits);
    let kept =
        format!("The weights are those of the epoch with the best {} on the validation part.", config.study.monitor);
    let page = page::head(format!("{system} on {}", config.dataset), metrics, &run.environment, facts)
        .section(results(found, figures)?)
        .section(data)
        .section(page::division(study.plan().kind().describe(), config.study.folds).table(parts))
        .section(page::learning(figures, models, &kept)?)
        .section(page::surroundings(&run.environment, metrics, record, config)?);
    Ok(page::write(&run.folder, &page)?)
}

/// A list of names that fits into a line.
fn short(names: &[String]) -> String {
    let head = names.iter().take(CURVES).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > CURVES { format!("{head} and {} more", names.len() - CURVES) } else { head }
}

fn results<T: Task>(found: &Found<'_, T>, figures: Figures<'_>) -> anyhow::Result<Section> {
    let (tested, predicts) = (found.tested, &found.study.task().rows().predicts);
    let mut section = Section::new("Results").table(found.table.clone());
    if tested.intervals.is_empty() {
        let text = "No score has an interval: the test part has too few independent rows to be resampled.";
        section = section.note(text);
    } else {
        let caption = format!("95 % intervals of the first model; resampled: {}", tested.drawn.describe());
        section = section.table(page::intervals(caption, &found.metrics.metrics));
    }
    if predicts.labels == Labels::Values {
        for (task, name) in predicts.tasks.iter().enumerate().take(CURVES) {
            let (measured, predicted) = tested.together.values(task);
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
    let kinds: [(&str, &str, &str, &str, Curve); 2] = [
        ("roc", "Receiver operating characteristic", "false positive rate", "true positive rate", roc),
        ("precision-recall", "Precision against recall", "recall", "precision", precision_recall),
    ];
    for (file, title, x, y, of) in kinds {
        let named = predicts.outputs().iter().enumerate().filter_map(|(place, name)| {
            let (labels, logits) = match predicts.labels {
                Labels::Classes(_) => tested.together.one_against_rest(place),
                Labels::Binary | Labels::Values => tested.together.binary(place),
            };
            Some((name.as_str(), of(&labels, &logits).ok()?))
        });
        let curves: Vec<(&str, Points)> = named.take(CURVES).collect();
        let series: Vec<Series<'_>> = curves.iter().map(|(name, points)| Series { name, points }).collect();
        let caption = format!("{title}, mean of the models on the test part.");
        section = figures.lines(section, (file, &caption), &Axes { title, x, y }, &series, None)?;
    }
    Ok(section)
}
