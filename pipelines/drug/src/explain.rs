//! `explain`: which atoms and residues a prediction rests on, by occlusion.

use crate::cli::Explain;
use crate::config::ExplainConfig;
use crate::predict::first_target;
use anyhow::Context;
use drug::chem::Molecule;
use drug::explain::{atom_colours, occlude, occlude_residues};
use drug::model::Ensemble;
use drug::systems::deepdta::Padding;
use std::fmt::Write as _;
use std::io::Write as _;
use workbench::args::Common;
use workbench::figure::{Axes, profile};
use workbench::report::{Page, Section};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Atoms and residues listed in the printed table.
const LISTED: usize = 8;

pub(crate) fn run(common: &Common, args: &Explain) -> anyhow::Result<()> {
    let Some(settings) = ExplainConfig::new(common, args.window)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = Ensemble::load(&args.model, &device)?;
    let molecule = Molecule::parse(&args.smiles).map_err(|e| anyhow::anyhow!("--smiles: {e}"))?;
    let target = first_target(&args.fasta)?;
    let folder = RunFolder::open(&common.run_dir_or("explanation"), common.resume)?;

    let card = ensemble.card();
    let (lengths, quantity) = ([card.config.smiles_length, card.config.protein_length], card.quantity.label());
    let drug = card.tokenizers.drug.encode(&args.smiles, lengths[0]).ids;
    let protein = card.tokenizers.protein.encode(&target.sequence, lengths[1]).ids;
    let (drugs, proteins) = (std::slice::from_ref(&drug), std::slice::from_ref(&protein));
    let prediction = ensemble.score(drugs, proteins)?.first().copied().context("the models gave no prediction")?;
    // Label 0 is the padding: the one label that stands for no character.
    let atoms = occlude(&drug, &molecule.atom_spans(), 0, |masked| ensemble.score(masked, proteins))?;
    let residues = occlude_residues(&protein, settings.window, 0, |masked| ensemble.score(drugs, masked))?;

    let depiction = molecule.depict(&atom_colours(&atoms));
    let shown = target.sequence.chars().take(residues.len()).collect::<String>();
    let axes = Axes { title: "Effect of each residue", x: "residue", y: &format!("{quantity} lost when hidden") };
    let along = profile(&axes, &residues, Some(&shown), &[])?;
    folder.write("figures/molecule.svg", &depiction)?;
    folder.write("figures/sequence.svg", &along)?;
    let mut text = String::from("atom\ttoken\teffect\n");
    for (i, (span, effect)) in molecule.atom_spans().into_iter().zip(&atoms).enumerate() {
        writeln!(text, "{}\t{}\t{effect:.6}", i + 1, &args.smiles[span])?;
    }
    folder.write("atoms.tsv", &text)?;
    text = String::from("residue\tletter\teffect\n");
    for (i, (letter, effect)) in shown.chars().zip(&residues).enumerate() {
        writeln!(text, "{}\t{letter}\t{effect:.6}", i + 1)?;
    }
    folder.write("residues.tsv", &text)?;

    let page = Page::new(format!("{} with {}", args.smiles, target.id), "What the prediction rests on")
        .fact("Prediction", format!("{prediction:.2} {quantity}"))
        .fact("Models", ensemble.models().len().to_string())
        .section(
            Section::new("Drug")
                .paragraph(
                    "Each atom was hidden in turn: its characters were read as padding. Red: the prediction falls without it; blue: it rises.",
                )
                .paragraph(caution(card.config.padding))
                .figure("Effect of each atom.", depiction),
        )
        .section(
            Section::new("Target")
                .paragraph(format!("Windows of {} residues were hidden in turn.", settings.window))
                .figure("Effect of each residue, the mean over the windows that cover it.", along),
        );
    let report = folder.write("report.html", page.render()?)?;

    let mut table =
        Table::new(format!("prediction {prediction:.3} {quantity}")).text("part").text("what").number("effect");
    for (part, effects, names) in [
        ("atom", &atoms, tokens(&args.smiles, &molecule)),
        ("residue", &residues, shown.chars().map(String::from).collect()),
    ] {
        let mut order: Vec<usize> = (0..effects.len()).collect();
        order.sort_by(|&a, &b| effects[b].abs().total_cmp(&effects[a].abs()));
        for &i in order.iter().take(LISTED) {
            table.push([part.to_owned(), format!("{}{}", names[i], i + 1), format!("{:+.4}", effects[i])]);
        }
    }
    let mut out = std::io::stdout().lock();
    table.write(&mut out, common.json)?;
    if !common.json {
        writeln!(out, "\nreport: {}", report.display())?;
    }
    Ok(())
}

/// How far an effect is that of the hidden part, and how far that of an input unlike any in training.
fn caution(padding: Padding) -> &'static str {
    match padding {
        Padding::Masked => {
            "In training this network met padding only where a string is shorter than its windows. A string with a hole is therefore an unusual input, and a part of each effect is that of the unusual input and not of what was hidden."
        }
        Padding::Seen => {
            "In training this network met padding behind the end of its strings, never inside them. A string with a hole is therefore an unusual input, and a part of each effect is that of the unusual input and not of what was hidden."
        }
    }
}

fn tokens(smiles: &str, molecule: &Molecule) -> Vec<String> {
    molecule.atom_spans().into_iter().map(|span| smiles[span].to_owned()).collect()
}
