//! `explain`: which bases a prediction rests on, how far the answer can be trusted, and the motifs behind it.

mod found;
mod patterns;

use self::found::Found;
pub(crate) use self::patterns::{Named, Patterns, best, named, q_value};
use crate::cli::{Explain, counted};
use crate::config::ExplainConfig;
use crate::predict::output;
use genomics::explain::{
    Inputs, IntegratedGradients, Mutagenesis, Reference, Rescale, Target, deep_lift, integrated_gradients,
};
use genomics::io::meme::{MotifFile, read_meme, write_meme};
use genomics::io::read_fasta;
use genomics::logo::{attribution_logo, mutation_map};
use genomics::model::Ensemble;
use genomics::motif::{CompareConfig, MotifDatabase};
use nn_core::burn::tensor::Tensor;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use workbench::args::Common;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::report::{Page, Section};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Ways to explain, by the name of the option.
const METHODS: [&str; 3] = ["mutagenesis", "gradients", "deeplift"];

pub(crate) fn run(common: &Common, args: &Explain) -> anyhow::Result<()> {
    let given = ExplainConfig::new(common, args.method.as_deref(), args.shown)?;
    let Some(settings) = given else { return Ok(()) };
    if !METHODS.contains(&settings.method.as_str()) {
        let known = METHODS.join(", ");
        return Err(Usage(format!("method = {:?} is not known; use {known}", settings.method)).into());
    }
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let card = ensemble.card();
    let target = output(card.predicts.outputs(), args.task.as_deref())?;
    let records = read_fasta(&args.fasta)?;
    let windows: Vec<&[u8]> = records.iter().map(|(_, bases)| card.preprocessing.window_of(bases)).collect();
    let cropped = records.iter().filter(|(_, bases)| bases.len() > ensemble.window()).count();
    if cropped > 0 {
        say(common, &format!("sequences of which the middle {} bases are explained: {cropped}", ensemble.window()));
    }
    let inputs = Inputs::new(&windows, ensemble.window(), card.preprocessing.unknown, &device)?;
    say(common, &format!("{} by {}", counted(windows.len(), "sequence"), settings.method));
    let found = attribute(&ensemble, &inputs, &settings, target)?;

    let folder = RunFolder::open(&common.run_dir_or("explanation"), common.resume)?;
    let names: Vec<&str> =
        records.iter().map(|(header, _)| header.split_whitespace().next().unwrap_or("sequence")).collect();
    folder.write("attributions.tsv", table_of_bases(&names, &windows, &found)?)?;
    let logits = ensemble.logits(&windows)?;
    let shown = ensemble.shown(&logits);
    let prediction = |row: usize| shown[row * ensemble.outputs() + target];

    let task = &card.predicts.outputs()[target];
    let caution = "Values are on the scale of the logit: what each base adds to it. A base that is not known has none.";
    let mut sequences = Section::new("Sequences").paragraph(found.describe()).paragraph(caution);
    let mut summary = Table::new(format!("{task}, {}", settings.method))
        .text("sequence")
        .number("prediction")
        .number("sum of values")
        .number("to be explained")
        .number("gap");
    for row in 0..windows.len().min(settings.shown) {
        let title = format!("{}, {task}", names[row]);
        let svg = attribution_logo(windows[row], &found.per_base[row], &title, "added to the logit");
        folder.write(&format!("figures/sequence-{row}.svg"), &svg)?;
        sequences = sequences.figure(format!("{}: prediction {:.3}.", names[row], prediction(row)), svg);
        if let Some(changes) = found.changes.as_ref().map(|changes| &changes[row]) {
            let svg = mutation_map(windows[row], changes, &title, "change of the logit");
            folder.write(&format!("figures/mutations-{row}.svg"), &svg)?;
            sequences = sequences.figure(format!("{}: what each substitution changes.", names[row]), svg);
        }
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        summary.push([
            names[row].to_owned(),
            format!("{:.4}", prediction(row)),
            format!("{:.4}", found.per_base[row].iter().sum::<f64>()),
            number(found.completeness(row).map(|(change, _)| change)),
            number(found.completeness(row).map(|(_, gap)| gap)),
        ]);
    }
    sequences = sequences.table(summary.clone());
    if let Some(warning) = found.warning() {
        say(common, &format!("warning: {warning}"));
        sequences = sequences.warning(warning);
    }
    let (motifs, section) = motifs(common, &folder, &windows, &found, args.motifs.as_deref())?;
    let page = Page::new(
        format!("What {task} rests on"),
        format!("{} by {}", counted(windows.len(), "sequence"), settings.method),
    )
    .fact("Models", ensemble.models().len().to_string())
    .fact("Window", format!("{} bases", ensemble.window()))
    .section(sequences)
    .section(section);
    let report = folder.write("report.html", page.render()?)?;
    let mut out = std::io::stdout().lock();
    summary.write(&mut out, common.json)?;
    if !common.json {
        writeln!(out)?;
    }
    motifs.write(&mut out, common.json)?;
    if !common.json {
        writeln!(out, "\nreport: {}", report.display())?;
    }
    Ok(())
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
    database: Option<&Path>,
) -> anyhow::Result<(Table, Section)> {
    let database = match database {
        Some(path) => Some(MotifDatabase::new(read_meme(path)?.motifs, CompareConfig::default())?),
        None => None,
    };
    let patterns = Patterns::find(windows, &found.per_base, database.as_ref())?;
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
