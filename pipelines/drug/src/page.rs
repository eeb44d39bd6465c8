//! The report of a study: one self-contained HTML page and its figures. What all domains have in common is in
//! [`workbench::page`].

use crate::cli::counted;
use crate::config::RunConfig;
use crate::inputs::Loaded;
use crate::train::{interval_table, legend, results_table};
use drug::audit::Audit;
use drug::baselines::Baseline;
use drug::model::{AffinityModel, Calibration};
use drug::study::{Protocol, Scores, Study, TokenizerKind};
use drug::tokens::{TokenReport, Tokenizer};
use workbench::figure::{Axes, Group, Panel, Series, boxes, calibration, histograms, scatter};
use workbench::page::{self, Figures};
use workbench::record::{DataRecord, Environment, RunMetrics};
use workbench::report::{Page, Section};
use workbench::run::RunFolder;
use workbench::table::Table;
use workbench::training::Trained;

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
    pub(crate) models: &'a [Trained<AffinityModel>],
    pub(crate) ensemble: &'a [f64],
    pub(crate) ensemble_scores: Scores,
}

/// Writes `report.html` and `figures/*.svg`.
pub(crate) fn write(folder: &RunFolder, f: &Findings<'_>) -> anyhow::Result<()> {
    let figures = Figures { folder };
    let head = Page::new(
        format!("DeepDTA on {}", f.config.dataset),
        format!("{} protocol, {} split, {}", f.metrics.protocol, f.metrics.split, counted(f.metrics.models, "model")),
    )
    .fact("Quantity", f.loaded.table.quantity.label());
    let page = page::ran(head, f.metrics, f.environment)
        .section(result(f, figures)?)
        .section(data(f, figures)?)
        .section(split(f))
        .section(learning(f, figures)?)
        .section(errors(f, figures)?)
        .section(page::surroundings(f.environment, f.metrics, f.record, f.config)?);
    Ok(page::write(folder, &page)?)
}

fn result(f: &Findings<'_>, figures: Figures<'_>) -> anyhow::Result<Section> {
    let (quantity, protocol) = (&f.loaded.table.quantity, f.study.config().protocol);
    let measured = f.loaded.table.values(f.study.plan().test());
    let mut section = Section::new("Results")
        .table(results_table(f.metrics, f.baselines))
        .definitions(legend(f.metrics, protocol, quantity))
        .table(interval_table(f.metrics));
    if protocol == Protocol::Paper {
        section = section.warning(
            "The paper's protocol stops training on the test part and counts half of the comparable pairs in the concordance index. Its numbers compare with the published ones; they do not say how well the model will do on new pairs.",
        );
    }
    let scores: Vec<String> = [("mse", "MSE"), ("ci", "CI"), ("rm2", "rm²")]
        .iter()
        .filter_map(|(key, name)| f.ensemble_scores.get(*key).map(|v| format!("{name} {v:.3}")))
        .collect();
    let of = match f.metrics.models {
        1 => "The model".to_owned(),
        n => format!("Mean of {n} models"),
    };
    let notes = [format!("{of}: {}", scores.join(", "))];
    let quantity = quantity.label();
    let axes = Axes {
        title: "Predicted against measured",
        x: &format!("measured {quantity}"),
        y: &format!("predicted {quantity}"),
    };
    let svg = scatter(&axes, &measured, f.ensemble, &notes)?;
    let caption = match f.metrics.models {
        1 => "Prediction of the model for each pair of the test part.",
        _ => "Mean prediction of the models for each pair of the test part.",
    };
    Ok(section.figure(caption, figures.keep("scatter", svg)?))
}

fn data(f: &Findings<'_>, figures: Figures<'_>) -> anyhow::Result<Section> {
    let table = &f.loaded.table;
    let quantity = table.quantity.label();
    let mut facts = vec![
        ("Drugs", table.drugs.len().to_string()),
        ("Targets", table.targets.len().to_string()),
        ("Measured pairs", table.pairs.len().to_string()),
        ("Rows dropped", page::dropped(f.record)),
    ];
    let unreadable = f.audit.drugs.unreadable;
    if unreadable > 0 {
        let text = format!("{}, whose rows are kept; the network reads them as strings", counted(unreadable, "drug"));
        facts.push(("No molecules", text));
    }
    facts.push(("SMILES read as", vocabulary(f.models)));
    let mut section = Section::new("Data and audit").definitions(facts).code(f.audit.to_text());
    let split = f.study.plan().split(0);
    let (train, test) = (table.values(&split.train), table.values(&split.test));
    let axes = Axes { title: "Measured values by part", x: quantity, y: "% of the part" };
    let panels = [Panel { name: "training", values: &train }, Panel { name: "test", values: &test }];
    let svg = histograms(&axes, &panels, 40)?;
    section = section.figure("Distribution of the measured values.", figures.keep("values", svg)?);
    // Fitted vocabularies differ from model to model.
    let caption = match f.study.config().tokenizer {
        TokenizerKind::DeepDta => "Strings that the network does not read whole",
        TokenizerKind::Chemistry => "Strings that the first model does not read whole",
    };
    let strings = Table::new(caption).text("string").number("strings").number("truncated").number("unknown");
    let row = |name: &str, report: &TokenReport| {
        [
            name.to_owned(),
            report.texts.to_string(),
            report.truncated.to_string(),
            report.unknown.values().sum::<usize>().to_string(),
        ]
    };
    let entities = f.study.entities();
    Ok(section.table(strings.row(row("SMILES", &entities.drug_report)).row(row("protein", &entities.target_report))))
}

fn split(f: &Findings<'_>) -> Section {
    let splits = (0..f.models.len()).map(|i| f.study.plan().split(i));
    let table = page::parts("Rows of each part", ["train", "validation", "test"], splits);
    page::division(f.study.config().split.describe(), 0).table(table)
}

fn learning(f: &Findings<'_>, figures: Figures<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("Learning");
    // What the published code watches is the test part, and a curve of it must not be called anything else.
    let paper = f.study.config().protocol == Protocol::Paper;
    for (i, model) in f.models.iter().enumerate() {
        let found = figures.curves(&model.log)?;
        let named = |name: &str| if paper { name.replace("validation", "test") } else { name.to_owned() };
        let shown: Vec<_> =
            found.iter().filter(|c| !c.name.ends_with("ci")).map(|c| (named(&c.name), &c.points)).collect();
        let series: Vec<Series<'_>> = shown.iter().map(|(name, points)| Series { name, points }).collect();
        let axes = Axes { title: "Learning curves", x: "epoch", y: "mean squared error" };
        let caption = format!("Model {i} {}.", ended(model.epochs, f.study.config().epochs, model.best_epoch, paper));
        let name = format!("learning-{i}");
        section = figures.lines(section, (&name, &caption), &axes, &series, page::best(model.best_epoch))?;
    }
    Ok(section)
}

/// How the training of a model ended that ran `epochs` of at most `limit` epochs, and whose error was least after the
/// epoch `best`, counted from 0; see the table of [`drug::study`] for the protocols.
fn ended(epochs: usize, limit: usize, best: Option<usize>, paper: bool) -> String {
    let ran = match epochs {
        1 => "ran 1 epoch".to_owned(),
        n if n < limit => format!("was stopped after {n} epochs"),
        n => format!("ran all {n} epochs"),
    };
    match best.map(|epoch| epoch + 1) {
        Some(best) if paper => format!(
            "{ran}; the last one's weights are kept. The error on the test part, which the paper's code watches, was least after epoch {best}"
        ),
        Some(best) => {
            format!("{ran}; the weights of epoch {best} are kept, whose error on half of the fold left out was least")
        }
        None => ran,
    }
}

/// What the models' tokenisers cut SMILES strings into, and how many labels they have.
fn vocabulary(models: &[Trained<AffinityModel>]) -> String {
    let tokenizers = || models.iter().map(|model| &model.model.card.tokenizers.drug);
    let name = tokenizers().next().map_or("", Tokenizer::name);
    match (tokenizers().map(Tokenizer::size).min(), tokenizers().map(Tokenizer::size).max()) {
        (Some(least), Some(most)) if least < most => {
            format!("{name}, {least} to {most} labels, fitted on what each model learns from")
        }
        (_, most) => format!("{name}, {} labels", most.unwrap_or_default()),
    }
}

/// Levels at which the coverage of the interval is read off.
const LEVELS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

fn errors(f: &Findings<'_>, figures: Figures<'_>) -> anyhow::Result<Section> {
    let table = &f.loaded.table;
    let quantity = table.quantity.label();
    let rows = f.study.plan().test();
    let measured = table.values(rows);
    let mut section = Section::new("Calibration and residuals");

    // How often |residual| of the mean on the test part lies within the widest of the models' own quantiles of |residual|
    // on the rows that their intervals are sized on.
    let mut residuals: Vec<Vec<f64>> = Vec::new();
    for (i, model) in f.models.iter().enumerate() {
        let rows = f.study.plan().calibration(i);
        let held_out = f.study.predict(&model.model, rows)?;
        residuals.push(table.values(rows).iter().zip(&held_out).map(|(m, p)| (m - p).abs()).collect());
    }
    let mut points = vec![(0.0, 0.0)];
    for level in LEVELS {
        let radius = |of: &Vec<f64>| Calibration::from_residuals(of.clone(), level).map(|found| found.radius);
        let radii: Option<Vec<f64>> = residuals.iter().map(radius).collect();
        if let Some(widest) = radii.and_then(|radii| radii.into_iter().reduce(f64::max)) {
            let inside = measured.iter().zip(f.ensemble).filter(|(m, p)| (*m - *p).abs() <= widest).count();
            points.push((level, inside as f64 / measured.len() as f64));
        }
    }
    if points.len() > 1 {
        let axes =
            Axes { title: "Coverage of the prediction interval", x: "share promised", y: "share of test pairs inside" };
        let svg = calibration(&axes, &[Series { name: "ensemble", points: &points }])?;
        section = section.figure(
            "The interval around the mean of the models is the widest of theirs, each sized on rows that its model did not learn from. Below the diagonal it promises too much, as it does when the test part holds drugs or targets unlike any seen.",
            figures.keep("coverage", svg)?,
        );
    }

    // All models cut the strings alike.
    let card = &f.models[0].model.card;
    let cut_drugs: Vec<bool> = table
        .drugs
        .iter()
        .map(|drug| card.tokenizers.drug.encode(&drug.smiles, card.config.smiles_length).truncated())
        .collect();
    let cut_targets: Vec<bool> = table
        .targets
        .iter()
        .map(|target| card.tokenizers.protein.encode(&target.sequence, card.config.protein_length).truncated())
        .collect();
    let cut = |row: usize| {
        let pair = table.pairs[row];
        cut_drugs[pair.drug as usize] || cut_targets[pair.target as usize]
    };
    let residuals: Vec<(bool, f64)> =
        rows.iter().zip(measured.iter().zip(f.ensemble)).map(|(&row, (m, p))| (cut(row), p - m)).collect();
    let part = |wanted: bool| residuals.iter().filter(|(c, _)| *c == wanted).map(|(_, r)| *r).collect::<Vec<_>>();
    let (whole, truncated) = (part(false), part(true));
    let groups: Vec<Group<'_>> = [("read whole", &whole), ("truncated", &truncated)]
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| Group { name, values })
        .collect();
    let axes = Axes { title: "Residuals by truncation", x: &format!("predicted − measured {quantity}"), y: "pair" };
    let svg = boxes(&axes, &groups)?;
    let caption = format!(
        "{} of {} test pairs have a SMILES or sequence longer than the network reads.",
        truncated.len(),
        residuals.len()
    );
    Ok(section.figure(caption, figures.keep("residuals", svg)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_says_how_training_ended_and_whose_weights_are_kept() {
        for (epochs, best, paper, beginning, end) in [
            (
                30,
                Some(22),
                false,
                "ran all 30 epochs; the weights of epoch 23 are kept",
                "half of the fold left out was least",
            ),
            (
                18,
                Some(2),
                false,
                "was stopped after 18 epochs; the weights of epoch 3",
                "half of the fold left out was least",
            ),
            (30, Some(22), true, "ran all 30 epochs; the last one's weights are kept", "was least after epoch 23"),
            (31, None, false, "ran all 31 epochs", "epochs"),
            (1, Some(0), false, "ran 1 epoch; the weights of epoch 1", "least"),
        ] {
            let text = ended(epochs, 30, best, paper);
            assert!(text.starts_with(beginning) && text.ends_with(end), "{text}");
        }
    }
}
