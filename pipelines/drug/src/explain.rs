//! `explain`: which atoms and residues a prediction rests on, by occlusion.

use crate::cli::Explain;
use crate::predict::first_target;
use drug::affinity::numbers;
use drug::chem::Molecule;
use drug::explain::{atom_colours, occlude, occlude_residues};
use drug::model::AffinityModel;
use drug::systems::deepdta::Side;
use nn_core::train::StepError;
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
    let device = nn_core::compute::device(common.device.as_deref().unwrap_or("cpu"))?;
    let models = AffinityModel::load_ensemble(&args.model, &device)?;
    let molecule = Molecule::parse(&args.smiles).map_err(|e| anyhow::anyhow!("--smiles: {e}"))?;
    let target = first_target(&args.fasta)?;
    let folder = RunFolder::open(&common.run_dir_or("explanation"), common.resume)?;

    let card = &models[0].card;
    let (lengths, quantity) = ([card.config.smiles_length, card.config.protein_length], card.quantity.label());
    let drug = card.tokenizers.drug.encode(&args.smiles, lengths[0]).ids;
    let protein = card.tokenizers.protein.encode(&target.sequence, lengths[1]).ids;
    // Mean over the models of the score of each drug with each protein; one of the two lists has one entry.
    let score = |drugs: &[Vec<u8>], proteins: &[Vec<u8>]| -> Result<Vec<f64>, StepError> {
        let n = drugs.len().max(proteins.len());
        let mut mean = vec![0.0; n];
        for model in &models {
            let encode = |side, strings: &[Vec<u8>]| {
                let views: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
                let encoded = model.network.encode(side, &views);
                if strings.len() == n { encoded } else { encoded.repeat_dim(0, n) }
            };
            let scores = numbers(model.network.join(encode(Side::Drug, drugs), encode(Side::Protein, proteins), None))?;
            mean.iter_mut().zip(scores).for_each(|(m, s)| *m += s / models.len() as f64);
        }
        Ok(mean)
    };
    let prediction = score(std::slice::from_ref(&drug), std::slice::from_ref(&protein))?[0];
    // Label 0 is the padding, which both networks have met in training.
    let atoms = occlude(&drug, &molecule.atom_spans(), 0, |masked| score(masked, std::slice::from_ref(&protein)))?;
    let residues = occlude_residues(&protein, args.window, 0, |masked| score(std::slice::from_ref(&drug), masked))?;

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
        .fact("Models", models.len().to_string())
        .section(
            Section::new("Drug")
                .paragraph("Each atom was hidden in turn. Red: the prediction falls without it; blue: it rises.")
                .figure("Effect of each atom.", depiction),
        )
        .section(
            Section::new("Target")
                .paragraph(format!("Windows of {} residues were hidden in turn.", args.window))
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

fn tokens(smiles: &str, molecule: &Molecule) -> Vec<String> {
    molecule.atom_spans().into_iter().map(|span| smiles[span].to_owned()).collect()
}
