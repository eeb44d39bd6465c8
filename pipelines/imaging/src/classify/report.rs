//! The report of a study of labelled pictures.

use super::{Config, Tested, results};
use crate::page::{self, Figures, decisions};
use imaging::audit::Audit;
use imaging::evaluate::curves::{reliability, roc};
use imaging::evaluate::{JudgedPictures, classes};
use imaging::model::ClassifyModel;
use imaging::study::ClassifyStudy;
use nn_core::metrics::MetricError;
use workbench::figure::{Axes, Series};
use workbench::record::{DataRecord, RunMetrics};
use workbench::report::Section;
use workbench::table::Table;
use workbench::training::{Trained, TrainingRun};

/// Everything that the page shows.
pub(super) struct Findings<'a> {
    pub(super) config: &'a Config,
    pub(super) study: &'a ClassifyStudy<'a>,
    pub(super) models: &'a [Trained<ClassifyModel>],
    pub(super) tested: &'a Tested,
    pub(super) audit: &'a Audit,
    pub(super) record: &'a DataRecord,
}

/// Writes `report.html` and `figures/*.svg`.
pub(super) fn write(run: &TrainingRun<'_>, f: &Findings<'_>, metrics: &RunMetrics) -> anyhow::Result<()> {
    let Findings { config, study, models, tested, audit, record } = *f;
    let set = study.set();
    let figures = Figures { folder: &run.folder };
    let system = config.study.network.name();
    let facts = [
        ("Classes".to_owned(), set.classes.join(", ")),
        ("Pictures".to_owned(), format!("{} x {} x {}", set.channels, set.height, set.width)),
    ];
    let mut section = Section::new("Results").table(results(config, set.classes.len(), metrics));
    let caption = "95 % intervals of the first model, by resampling the subjects of its test part";
    let intervals = page::intervals(caption, &metrics.metrics);
    section = section.table(intervals).table(confusion(study, &tested.first));
    section = curves(figures, study, &tested.first, section)?;
    let data = Section::new("Data and audit")
        .definitions([("Pictures", set.len().to_string()), ("Left out", page::dropped(record))])
        .code(audit.to_text());
    let kept = if config.study.learning.keep_best {
        format!("The weights are those of the epoch with the best {} on the validation part.", config.study.monitor)
    } else {
        "The weights are those of the last epoch.".to_owned()
    };
    let mut page =
        page::head(format!("{system} on {}", config.dataset), metrics, &run.environment, facts).section(section);
    if let Some(first) = models.first() {
        let seen = decisions(figures, set, &first.model, &tested.rows, &tested.probabilities)?;
        page = page.section(seen);
    }
    let page = page
        .section(data)
        .section(page::split(study.divided(), config.study.division.folds))
        .section(page::learning(figures, models, &kept)?)
        .section(page::surroundings(&run.environment, metrics, record, config)?);
    Ok(page::write(&run.folder, &page)?)
}

/// True classes against chosen ones.
fn confusion(study: &ClassifyStudy<'_>, judged: &JudgedPictures) -> Table {
    let names = &study.set().classes;
    let mut table =
        Table::new("Pictures of the test part by class (rows) and by what the first model says").text("class");
    for name in names {
        table = table.number(name.as_str());
    }
    let mut counts = vec![vec![0_usize; names.len()]; names.len()];
    for (&truth, chosen) in judged.labels().iter().zip(judged.chosen()) {
        counts[truth][chosen] += 1;
    }
    for (name, counts) in names.iter().zip(counts) {
        table.push([name.clone()].into_iter().chain(counts.iter().map(usize::to_string)));
    }
    table
}

/// How well the probabilities rank the pictures and how far they are shares, class by class.
fn curves(
    figures: Figures<'_>,
    study: &ClassifyStudy<'_>,
    judged: &JudgedPictures,
    mut section: Section,
) -> anyhow::Result<Section> {
    let names = &study.set().classes;
    // Of two classes the second says all.
    let shown: Vec<usize> = if names.len() == 2 { vec![1] } else { (0..names.len().min(6)).collect() };
    let (mut ranked, mut shares): (Vec<Curve<'_>>, Vec<Curve<'_>>) = (Vec::new(), Vec::new());
    for class in shown {
        let (labels, probabilities) = judged.against_rest(class);
        match roc(&labels, &probabilities) {
            Ok(points) => ranked.push((names[class].as_str(), points)),
            // The test part has no picture of the class, or no other.
            Err(MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let bins = reliability(&labels, &probabilities, classes::BINS)?;
        shares.push((names[class].as_str(), bins.into_iter().map(|bin| (bin.predicted, bin.observed)).collect()));
    }
    if !ranked.is_empty() {
        let axes = Axes { title: "ROC", x: "false positive rate", y: "true positive rate" };
        let svg = workbench::figure::calibration(&axes, &series(&ranked))?;
        let caption = "Sensitivity on the test part by the share of the others that are taken for the class, as the \
                       threshold falls. The diagonal is chance.";
        section = section.figure(caption, figures.keep("roc", svg)?);
    }
    let axes = Axes { title: "Reliability", x: "predicted probability", y: "observed share" };
    let svg = workbench::figure::calibration(&axes, &series(&shares))?;
    let caption = "Pictures of the test part in ten bins of predicted probability. On the diagonal, probabilities are \
                   shares; classes must be as frequent in use for that to hold there.";
    Ok(section.figure(caption, figures.keep("reliability", svg)?))
}

/// The curve of a class.
type Curve<'a> = (&'a str, Vec<(f64, f64)>);

fn series<'a>(curves: &'a [Curve<'a>]) -> Vec<Series<'a>> {
    curves.iter().map(|(name, points)| Series { name, points }).collect()
}
