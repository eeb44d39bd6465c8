//! The page of a study.

use super::Findings;
use super::results::{SHOWN, groups_of, table};
use crate::page::{patient, split};
use ehr::evaluate::{Judged, decision_curve, reliability, roc, subgroups};
use ehr::model::Bin;
use ehr::predict::{OK, Prediction, explain};
use ehr::time::Span;
use nn_core::metrics::MetricError;
use workbench::figure::{Axes, Series, calibration, lines};
use workbench::page::{self, Figures};
use workbench::report::Section;
use workbench::table::Table;
use workbench::training::TrainingRun;

/// Bins of the reliability diagram.
const BINS: usize = 10;
/// Resamples behind the intervals of subgroups, and their level.
const RESAMPLES: usize = 200;
const LEVEL: f64 = 0.95;
/// Patients that are drawn.
const PATIENTS: usize = 4;
/// What the groups of patients are made by: the prefix of their codes, and its name.
const GROUPS: [(&str, &str); 4] =
    [("GENDER//", "sex"), ("SEX//", "sex"), ("RACE//", "race"), ("ETHNICITY//", "ethnicity")];

pub(super) fn write(run: &TrainingRun<'_>, found: &Findings<'_>) -> anyhow::Result<()> {
    let Findings { config, loaded, study, models, tested, audit, record, metrics } = found;
    let figures = Figures { folder: &run.folder };
    let system = config.study.network.system();
    let reads = config.study.network.reads().describe().to_owned();
    let facts = [
        ("Question".to_owned(), metrics.task.clone()),
        ("Labels".to_owned(), format!("{}, {:.1} % true", study.labels().len(), 100.0 * share(study.truth()))),
        ("Network reads".to_owned(), reads),
    ];
    let mut section = Section::new("Results").table(table(config, metrics));
    if config.allow_leaks && !audit.passed() {
        section = section.warning(
            "The audit found leaks. These scores are what a careless study would have claimed, and mean nothing else.",
        );
    }
    let caption = "95 % intervals of the models' mean predictions, by resampling subjects";
    let shown = SHOWN.iter().filter_map(|name| metrics.metrics.get_key_value(*name));
    section = section.table(page::intervals(caption, shown));
    section = receiver(figures, found, section)?;
    let data = Section::new("Data and audit")
        .definitions([
            ("Subjects", loaded.events.subjects().to_string()),
            ("Events", loaded.events.rows().to_string()),
            ("Codes", loaded.events.codebook.len().to_string()),
            ("Left out", page::dropped(record)),
        ])
        .code(loaded.told.clone())
        .code(audit.to_text());
    let kept = format!("The weights are those of the epoch with the best {} on the tuning part.", config.study.monitor);
    let page = page::head(format!("{system} on {}", config.dataset), metrics, &run.environment, facts)
        .section(section)
        .section(probabilities(figures, &tested.together)?)
        .section(kinds(found)?)
        .section(patients(found)?)
        .section(data)
        .section(split(study.plan(), config.study.folds))
        .section(page::learning(figures, models, &kept)?)
        .section(page::surroundings(&run.environment, metrics, record, config)?);
    Ok(page::write(&run.folder, &page)?)
}

fn share(truth: &[bool]) -> f64 {
    truth.iter().filter(|&&value| value).count() as f64 / truth.len().max(1) as f64
}

/// The curves of models and baselines.
fn receiver(figures: Figures<'_>, found: &Findings<'_>, section: Section) -> anyhow::Result<Section> {
    let named = found.tested.first_baselines().iter().map(|(name, judged)| (name.as_str(), judged));
    let own = (found.config.study.network.system(), &found.tested.together);
    let mut curves: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for (name, judged) in std::iter::once(own).chain(named) {
        match roc(judged.labels(), judged.logits()) {
            Ok(points) => curves.push((name, points)),
            Err(MetricError::Undefined { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let series: Vec<Series<'_>> = curves.iter().map(|(name, points)| Series { name, points }).collect();
    let axes = Axes { title: "ROC", x: "false positive rate", y: "true positive rate" };
    let caption = "Receiver operating characteristic of the models' mean predictions, and of the baselines beside the \
                   first of them.";
    Ok(figures.lines(section, ("roc", caption), &axes, &series, None)?)
}

/// Whether probabilities mean what they say, and whether acting on them is of use.
fn probabilities(figures: Figures<'_>, judged: &Judged) -> anyhow::Result<Section> {
    let mut section = Section::new("Probabilities").paragraph(
        "Probabilities were put right on the tuning part. A slope below 1 says that they are too extreme, an intercept \
         above 0 that risks are underestimated.",
    );
    let bins = reliability(judged.labels(), judged.probabilities(), BINS)?;
    let points: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.predicted, bin.observed)).collect();
    let axes = Axes { title: "Reliability", x: "predicted probability", y: "observed share" };
    let svg = calibration(&axes, &[Series { name: "held-out labels", points: &points }])?;
    let caption = "Held-out labels in ten bins of equally many. On the diagonal, probabilities are shares.";
    section = section.figure(caption, figures.keep("reliability", svg)?);
    let highest = (judged.prevalence() * 4.0).clamp(0.2, 0.95);
    let thresholds: Vec<f64> = (1..=40).map(|step| highest * f64::from(step) / 40.0).collect();
    let benefits = decision_curve(judged.labels(), judged.probabilities(), &thresholds)?;
    let model: Vec<(f64, f64)> = benefits.iter().map(|benefit| (benefit.threshold, benefit.model)).collect();
    let least = model.iter().map(|point| point.1).fold(0.0, f64::min).min(-0.02);
    let all: Vec<(f64, f64)> = benefits
        .iter()
        .filter(|benefit| benefit.all >= least)
        .map(|benefit| (benefit.threshold, benefit.all))
        .collect();
    let none: Vec<(f64, f64)> = benefits.iter().map(|benefit| (benefit.threshold, 0.0)).collect();
    let series = [
        Series { name: "the models", points: &model },
        Series { name: "act on everybody", points: &all },
        Series { name: "act on nobody", points: &none },
    ];
    let axes = Axes { title: "Decision curve", x: "probability from which on one acts", y: "net benefit" };
    let svg = lines(&axes, &series, None)?;
    let caption = "Net benefit (Vickers and Elkin 2006): true positives less false ones, these weighed by the odds of the \
                   threshold. A model is of use where it lies above both other lines.";
    Ok(section.figure(caption, figures.keep("decision", svg)?))
}

/// The scores of kinds of patients.
fn kinds(found: &Findings<'_>) -> anyhow::Result<Section> {
    let views = found.study.views_of(&found.tested.rows);
    let mut table = Table::new("Held-out labels by kind of patient")
        .text("by")
        .text("group")
        .number("labels")
        .number("true %")
        .number("predicted %")
        .number("auroc")
        .number("low")
        .number("high");
    let mut any = false;
    let ages: Vec<String> = views
        .iter()
        .map(|view| match view.age().map(Span::in_years) {
            None => "not known".to_owned(),
            Some(years) if years < 45.0 => "below 45".to_owned(),
            Some(years) if years < 65.0 => "45 to 64".to_owned(),
            Some(years) if years < 80.0 => "65 to 79".to_owned(),
            Some(_) => "80 and above".to_owned(),
        })
        .collect();
    let by_code = GROUPS.iter().map(|(prefix, by)| (*by, groups_of(&views, prefix)));
    for (by, groups) in by_code.chain([("age", ages)]) {
        if groups.iter().all(|group| *group == groups[0]) {
            continue;
        }
        any = true;
        for one in subgroups(&found.tested.together, by, &groups, RESAMPLES, LEVEL, found.config.study.seed)? {
            let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
            table.push([
                one.by.clone(),
                one.group.clone(),
                one.rows.to_string(),
                format!("{:.1}", 100.0 * one.prevalence),
                format!("{:.1}", 100.0 * one.predicted),
                shown(one.scores.get("auroc").copied()),
                shown(one.auroc.map(|interval| interval.low)),
                shown(one.auroc.map(|interval| interval.high)),
            ]);
        }
    }
    let section = Section::new("Kinds of patients");
    Ok(if any {
        section.table(table)
    } else {
        section.paragraph("Neither sex nor age nor ethnicity is known, so that nothing can be told apart.")
    })
}

/// Held-out patients of the first model with the highest probabilities, half of whom it happened to, if there are so
/// many.
fn patients(found: &Findings<'_>) -> anyhow::Result<Section> {
    let section = Section::new("Patients").paragraph(
        "Held-out patients of the first model: those with the highest probabilities among those to whom it happened, and \
         among those to whom it did not.",
    );
    let Some(model) = found.models.first() else { return Ok(section) };
    let rows = &found.study.plan().rows(0).test;
    let judged = found.study.judge(&model.model, rows)?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| judged.probabilities()[b].total_cmp(&judged.probabilities()[a]));
    let labels = judged.labels();
    let of = |wanted: bool| order.iter().copied().filter(move |&place| labels[place] == wanted);
    let chosen: Vec<usize> = of(true).take(PATIENTS / 2).chain(of(false).take(PATIENTS / 2)).collect();
    let mut section = section;
    for place in chosen {
        let view = &found.study.views()[rows[place]];
        let probability = judged.probabilities()[place];
        let bin = model.model.card.calibration.reliability.bin(probability);
        let prediction = Prediction {
            subject: view.subject_id(),
            at: Some(view.prediction_time()),
            status: OK.to_owned(),
            probability: Some(probability),
            interval: bin.map(Bin::interval),
            events: view.len(),
        };
        let explanation = explain(&model.model, view)?;
        section = patient(section, &prediction, view, &explanation, Some(judged.labels()[place]));
    }
    Ok(section)
}
