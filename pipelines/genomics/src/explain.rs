//! `explain`: which bases a prediction rests on, how far the answer can be trusted, and the motifs behind it; and the
//! views of the Deep Motif Dashboard.

mod filters;
mod found;
mod optimum;
mod patterns;
mod settings;
mod temporal;
mod ties;

use self::filters::Filters;
use self::found::Found;
pub(crate) use self::patterns::{Named, Patterns, best, named, q_value};
pub(crate) use self::settings::ExplainConfig;
use crate::cli::{Explain, counted};
use crate::config::not_resumed;
use crate::predict::output;
use genomics::explain::{
    Inputs, IntegratedGradients, Mutagenesis, Reference, Rescale, Target, deep_lift, integrated_gradients, saliency_map,
};
use genomics::io::meme::{MotifFile, read_meme, write_meme};
use genomics::io::read_fasta;
use genomics::logo::{attribution_logo, mutation_map};
use genomics::model::Ensemble;
use genomics::motif::{CompareConfig, MotifDatabase};
use nn_core::burn::tensor::{Device, Tensor};
use std::fmt::Write as _;
use std::io::Write as _;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::report::{Page, Section};
use workbench::run::RunFolder;
use workbench::table::Table;

/// The outputs of a recurrent network after each base.
const TEMPORAL: &str = "temporal";
/// The best sequence, which needs no other one.
const OPTIMUM: &str = "optimum";
/// Ways to explain, by the name of the option.
const METHODS: [&str; 6] = ["mutagenesis", "gradients", "deeplift", "saliency", TEMPORAL, OPTIMUM];

/// What is explained, and how.
struct Asked<'a> {
    common: &'a Common,
    ensemble: &'a Ensemble,
    settings: &'a ExplainConfig,
    device: &'a Device,
    /// Number of the output.
    target: usize,
}

impl Asked<'_> {
    /// Name of the output.
    fn task(&self) -> &str {
        &self.ensemble.card().predicts.outputs()[self.target]
    }

    fn folder(&self) -> anyhow::Result<RunFolder> {
        Ok(RunFolder::open(&self.common.run_dir_or("explanation"), false)?)
    }

    /// Writes the report with its sections and prints the tables.
    fn finish(
        &self,
        folder: &RunFolder,
        (title, subtitle): (String, String),
        sections: Vec<Section>,
        tables: &[Table],
    ) -> anyhow::Result<()> {
        let page = Page::new(title, subtitle)
            .fact("Models", self.ensemble.models().len().to_string())
            .fact("Window", format!("{} bases", self.ensemble.window()));
        let page = sections.into_iter().fold(page, Page::section);
        let report = folder.write("report.html", page.render()?)?;
        let json = self.common.json;
        let mut out = std::io::stdout().lock();
        for (place, table) in tables.iter().enumerate() {
            if place > 0 && !json {
                writeln!(out)?;
            }
            table.write(&mut out, json)?;
        }
        if !json {
            writeln!(out, "\nreport: {}", report.display())?;
        }
        Ok(())
    }
}

/// The sequences that are explained, and what of them the models read.
struct Sequences<'a> {
    names: Vec<&'a str>,
    windows: Vec<&'a [u8]>,
}

pub(crate) fn run(common: &Common, args: &Explain) -> anyhow::Result<()> {
    not_resumed(common, "explain")?;
    let given = ExplainConfig::new(common, args.method.as_deref(), args.shown)?;
    let Some(settings) = given else { return Ok(()) };
    fits_together(args, &settings.method)?;
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let card = ensemble.card();
    let target = output(card.predicts.outputs(), args.task.as_deref())?;
    let database = match &args.motifs {
        Some(path) => Some(MotifDatabase::new(read_meme(path)?.motifs, CompareConfig::default())?),
        None => None,
    };
    let asked = Asked { common, ensemble: &ensemble, settings: &settings, device: &device, target };
    let Some(fasta) = &args.fasta else { return optimum::run(&asked, database.as_ref()) };
    if settings.method == TEMPORAL {
        temporal::networks(&ensemble)?;
    }
    let records = read_fasta(fasta)?;
    let sequences = Sequences {
        names: records.iter().map(|(header, _)| header.split_whitespace().next().unwrap_or("sequence")).collect(),
        windows: records.iter().map(|(_, bases)| card.preprocessing.window_of(bases)).collect(),
    };
    let cropped = records.iter().filter(|(_, bases)| bases.len() > ensemble.window()).count();
    if cropped > 0 {
        say(common, &format!("sequences of which the middle {} bases are explained: {cropped}", ensemble.window()));
    }
    if settings.method == TEMPORAL {
        return temporal::run(&asked, &sequences);
    }
    bases(&asked, &sequences, database.as_ref())
}

/// Checks the method, and that it has what it needs and no more.
fn fits_together(args: &Explain, method: &str) -> Result<(), Usage> {
    if !METHODS.contains(&method) {
        let known = METHODS.join(", ");
        return Err(Usage(format!("method = {method:?} is not known; use {known}")));
    }
    match (method, &args.fasta) {
        (OPTIMUM, Some(_)) => {
            let text = "the method optimum looks for a sequence of its own; leave out --fasta";
            return Err(Usage(text.into()));
        }
        (OPTIMUM, None) | (_, Some(_)) => {}
        (_, None) => {
            return Err(Usage(format!("the method {method} explains sequences; give --fasta FASTA")));
        }
    }
    if method == TEMPORAL && args.motifs.is_some() {
        return Err(Usage("the method temporal finds no motifs; leave out --motifs".into()));
    }
    Ok(())
}

/// A value for each base, and the motifs of the stretches that count.
fn bases(asked: &Asked<'_>, sequences: &Sequences<'_>, database: Option<&MotifDatabase>) -> anyhow::Result<()> {
    let Asked { common, ensemble, settings, device, target } = *asked;
    let Sequences { names, windows } = sequences;
    let (task, method) = (asked.task(), &settings.method);
    let inputs = Inputs::new(windows, ensemble.window(), ensemble.card().preprocessing.unknown, device)?;
    let subject = format!("{} by {method}", counted(windows.len(), "sequence"));
    say(common, &subject);
    let found = attribute(ensemble, &inputs, settings, target)?;

    let folder = asked.folder()?;
    folder.write("attributions.tsv", table_of_bases(names, windows, &found)?)?;
    let shown = ensemble.shown(&ensemble.logits(windows)?);
    let prediction = |row: usize| shown[row * ensemble.outputs() + target];

    let mut section = Section::new("Sequences").paragraph(found.describe()).paragraph(found.scale());
    let mut summary = Table::new(format!("{task}, {method}"))
        .text("sequence")
        .number("prediction")
        .number("sum of values")
        .number("to be explained")
        .number("gap")
        .number("convergence");
    for row in 0..windows.len().min(settings.shown) {
        let title = format!("{}, {task}", names[row]);
        let svg = attribution_logo(windows[row], &found.per_base[row], &title, found.axis());
        folder.write(&format!("figures/sequence-{row}.svg"), &svg)?;
        section = section.figure(format!("{}: prediction {:.3}.", names[row], prediction(row)), svg);
        if let Some(changes) = found.changes.as_ref().map(|changes| &changes[row]) {
            let svg = mutation_map(windows[row], changes, &title, "change of the logit");
            folder.write(&format!("figures/mutations-{row}.svg"), &svg)?;
            section = section.figure(format!("{}: what each substitution changes.", names[row]), svg);
        }
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        summary.push([
            names[row].to_owned(),
            format!("{:.4}", prediction(row)),
            format!("{:.4}", found.per_base[row].iter().sum::<f64>()),
            number(found.completeness(row).map(|(change, _)| change)),
            number(found.completeness(row).map(|(_, gap)| gap)),
            number(found.convergence(row)),
        ]);
    }
    section = section.table(summary.clone());
    let off = found.off();
    let tie = ties::first(ensemble, &inputs, &off, names)?;
    if let Some(warning) = found.warning(&off, tie) {
        say(common, &format!("warning: {warning}"));
        section = section.warning(warning);
    }
    let (motifs, patterns) = motifs(common, &folder, windows, &found, database)?;
    let (mut sections, mut tables) = (vec![section, patterns], vec![summary, motifs]);
    if let Some(filters) = Filters::find(ensemble, windows, database, device)? {
        let (table, section) = first_layer(&folder, &filters)?;
        tables.push(table);
        sections.push(section);
    }
    asked.finish(&folder, (format!("What {task} rests on"), subject), sections, &tables)
}

/// The method that divides the output among the bases in the least time and is defined for the network.
pub(crate) fn quickest(ensemble: &Ensemble, inputs: &Inputs) -> &'static str {
    if ensemble.rescaled(inputs.tensor(), &Rescale::off()).is_some() { "deeplift" } else { "gradients" }
}

/// The values of all bases by the method that was asked for.
pub(crate) fn attribute(
    ensemble: &Ensemble,
    inputs: &Inputs,
    settings: &ExplainConfig,
    target: usize,
) -> anyhow::Result<Found> {
    let model = |x: Tensor<3>| ensemble.forward(x);
    let target = Target::All(target);
    let reference = Reference::Shuffled { count: settings.shuffles, seed: settings.seed };
    Ok(match settings.method.as_str() {
        "gradients" => {
            Found::divided(integrated_gradients(&model, inputs, &target, &IntegratedGradients::default(), &reference)?)
        }
        "deeplift" => {
            if quickest(ensemble, inputs) != "deeplift" {
                let text = "deeplift is not defined for a network with gates; use mutagenesis or gradients";
                return Err(Usage(text.into()).into());
            }
            // Whether there is an answer was looked at above.
            let rescaled =
                |x: Tensor<3>, rescale: &Rescale| ensemble.rescaled(&x, rescale).unwrap_or_else(|| ensemble.forward(x));
            Found::divided(deep_lift(&rescaled, inputs, &target, &reference)?)
        }
        "saliency" => Found::sensitive(saliency_map(&model, inputs, &target)?),
        _ => Found::mutated(Mutagenesis::default().run(&model, inputs, &target)?),
    })
}

/// One row for each base: sequence, position from 1, base, value.
fn table_of_bases(names: &[&str], windows: &[&[u8]], found: &Found) -> Result<String, std::fmt::Error> {
    let mut text = String::from("sequence\tposition\tbase\tvalue\n");
    for ((name, window), values) in names.iter().zip(windows).zip(&found.per_base) {
        for (place, (&base, value)) in window.iter().zip(values).enumerate() {
            writeln!(text, "{name}\t{}\t{}\t{value:.6}", place + 1, char::from(base))?;
        }
    }
    Ok(text)
}

/// The motifs of the stretches that count, named by a database where one is given.
fn motifs(
    common: &Common,
    folder: &RunFolder,
    windows: &[&[u8]],
    found: &Found,
    database: Option<&MotifDatabase>,
) -> anyhow::Result<(Table, Section)> {
    let patterns = Patterns::find(windows, &found.per_base, database)?;
    say(common, &patterns.count());
    let motifs = patterns.motifs();
    if !motifs.is_empty() {
        write_meme(&folder.file("motifs.meme")?, &MotifFile::new(motifs))?;
    }
    let mut section = Section::new("Motifs").paragraph(patterns.describe());
    for (place, (caption, svg)) in patterns.drawn().enumerate() {
        folder.write(&format!("figures/motif-{place}.svg"), &svg)?;
        section = section.figure(caption, svg);
    }
    let table = patterns.table();
    Ok((table.clone(), section.table(table)))
}

/// What the filters of the first layer answer to.
fn first_layer(folder: &RunFolder, filters: &Filters) -> anyhow::Result<(Table, Section)> {
    if !filters.motifs().is_empty() {
        write_meme(&folder.file("filters.meme")?, &MotifFile::new(filters.motifs().to_vec()))?;
    }
    let mut section = Section::new("First layer").paragraph(filters.describe());
    for (place, (caption, svg)) in filters.drawn().enumerate() {
        folder.write(&format!("figures/filter-{place}.svg"), &svg)?;
        section = section.figure(caption, svg);
    }
    let table = filters.table();
    Ok((table.clone(), section.table(table)))
}
