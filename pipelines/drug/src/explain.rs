//! `explain`: which atoms and residues a prediction rests on, by occlusion.

mod drawing;

use crate::cli::Explain;
use crate::config::{ExplainConfig, not_resumed};
use crate::predict::{first_target, load};
use drug::chem::Molecule;
use drug::explain::atom_colours;
use drug::model::{Ensemble, Occlusion};
use drug::predict::status;
use drug::systems::deepdta::Padding;
use drug::table::Drug;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use workbench::args::Common;
use workbench::figure::{Axes, profile};
use workbench::observe::say;
use workbench::report::{Page, Section};
use workbench::run::RunFolder;
use workbench::table::Table;

/// Atoms and residues listed in the printed table.
const LISTED: usize = 8;

pub(crate) fn run(common: &Common, args: &Explain) -> anyhow::Result<()> {
    not_resumed(common, "explain")?;
    let Some(settings) = ExplainConfig::new(common, args.window)? else { return Ok(()) };
    let device = nn_core::compute::device(&settings.device)?;
    let ensemble = load(common, &args.model, &device)?;
    let molecule = Molecule::parse(&args.smiles).map_err(|e| anyhow::anyhow!("--smiles: {e}"))?;
    let target = first_target(&args.fasta)?;
    let folder = RunFolder::open(&common.run_dir_or("explanation"), false)?;

    let card = ensemble.card();
    let quantity = card.quantity.label();
    let status = status(card, &Drug { id: String::new(), smiles: args.smiles.clone() }, &target);
    if status != "ok" {
        say(common, &format!("status: {status}"));
    }
    let spans = molecule.atom_spans();
    let Occlusion { prediction, atoms, residues } =
        ensemble.occlude(&args.smiles, &spans, &target.sequence, settings.window)?;
    // What was cut off was not read: it has no effect, which is another thing than an effect of 0, and no colour either.
    let hidden: Vec<f64> = atoms.iter().map(|effect| effect.unwrap_or_default()).collect();
    let effects: Vec<f64> = residues.iter().flatten().copied().collect();

    let lost = format!("{quantity} lost when hidden");
    let depiction = drawing::figure(&molecule.depict(&atom_colours(&hidden)), &hidden, &lost)?;
    let shown: String = target.sequence.chars().take(effects.len()).collect();
    let axes = Axes { title: "Effect of each residue", x: "residue", y: &lost };
    let along = profile(&axes, &effects, Some(&shown), &[])?;
    folder.write("figures/molecule.svg", &depiction)?;
    folder.write("figures/sequence.svg", &along)?;
    let parts = [
        Part { name: "atom", letter: "token", effects: atoms, names: names(&args.smiles, spans) },
        Part {
            name: "residue",
            letter: "letter",
            effects: residues,
            names: target.sequence.chars().map(String::from).collect(),
        },
    ];
    for part in &parts {
        folder.write(&format!("{}s.tsv", part.name), part.tsv()?)?;
    }

    let unread = parts.each_ref().map(Part::unread);
    let (interval, ends) = interval(&ensemble, prediction);
    let page = Page::new(format!("{} with {}", args.smiles, target.id), "What the prediction rests on")
        .fact("Prediction", format!("{prediction:.2} {quantity}"))
        .fact("Interval", &interval)
        .fact("Status", &status)
        .fact("Models", ensemble.models().len().to_string())
        .section(
            Section::new("Drug")
                .paragraph(
                    "Each atom was hidden in turn: its characters were read as padding. An atom raises the prediction if it falls without the atom, and lowers it if it rises. An atom without a colour has less than a twentieth of the strongest effect.",
                )
                .paragraph(caution(card.config.padding))
                .figure(format!("Effect of each atom.{}", unread[0]), depiction),
        )
        .section(
            Section::new("Target")
                .paragraph(format!("Windows of {} residues were hidden in turn.", settings.window))
                .figure(
                    format!("Effect of each residue, the mean over the windows that cover it.{}", unread[1]),
                    along,
                ),
        );
    let report = folder.write("report.html", page.render()?)?;

    let mut table =
        Table::new(format!("prediction {prediction:.3} {quantity}; interval: {interval}; status: {status}"))
            .text("part")
            .text("what")
            .number("effect");
    for part in &parts {
        for row in part.strongest() {
            table.push(row);
        }
    }
    let mut out = std::io::stdout().lock();
    if common.json {
        let found = serde_json::json!({
            "prediction": prediction, "quantity": quantity, "low": ends.map(|ends| ends[0]),
            "high": ends.map(|ends| ends[1]), "status": status, "effects": table.to_json()?,
        });
        writeln!(out, "{found}")?;
    } else {
        table.write(&mut out, false)?;
        writeln!(out, "\nreport: {}", report.display())?;
    }
    Ok(())
}

/// One of the two strings, part by part.
struct Part {
    /// What it is made of.
    name: &'static str,
    /// What one of those is called in the file.
    letter: &'static str,
    /// Their effects; none of what was not read.
    effects: Vec<Option<f64>>,
    /// As they are written.
    names: Vec<String>,
}

impl Part {
    fn tsv(&self) -> Result<String, std::fmt::Error> {
        let mut text = format!("{}\t{}\teffect\n", self.name, self.letter);
        for (i, (name, effect)) in self.names.iter().zip(&self.effects).enumerate() {
            let effect = effect.map_or_else(String::new, |effect| format!("{effect:.6}"));
            writeln!(text, "{}\t{name}\t{effect}", i + 1)?;
        }
        Ok(text)
    }

    /// A sentence on what was not read; nothing where all was.
    fn unread(&self) -> String {
        let (all, name) = (self.effects.len(), self.name);
        match self.effects.iter().flatten().count() {
            read if read == all => String::new(),
            read => format!(" The network reads the first {read} of {all} {name}s; the others have no effect."),
        }
    }

    /// Rows of the printed table.
    fn strongest(&self) -> Vec<[String; 3]> {
        let mut found: Vec<(usize, f64)> =
            self.effects.iter().enumerate().filter_map(|(i, effect)| Some((i, (*effect)?))).collect();
        found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let row = |&(i, effect): &(usize, f64)| {
            [self.name.to_owned(), format!("{}{}", self.names[i], i + 1), format!("{effect:+.4}")]
        };
        found.iter().take(LISTED).map(row).collect()
    }
}

/// The interval around the prediction and what it promises, in words; and its ends, where the models were calibrated.
fn interval(ensemble: &Ensemble, prediction: f64) -> (String, Option<[f64; 2]>) {
    let Some(found) = ensemble.interval() else {
        return ("none, because the models were not calibrated, or not at one level".to_owned(), None);
    };
    let ends = [prediction - found.radius, prediction + found.radius];
    let held = format!("made to hold {:.0} % of pairs like those of the training data", found.level * 100.0);
    let held = match ensemble.models().len() {
        1 => held,
        models => format!("the widest of {models} models' intervals, each {held}"),
    };
    (format!("{:.2} to {:.2}, {held}", ends[0], ends[1]), Some(ends))
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

/// The parts of `text` at `spans`.
fn names(text: &str, spans: Vec<Range<usize>>) -> Vec<String> {
    spans.into_iter().map(|span| text[span].to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_has_no_number() {
        let part = Part {
            name: "atom",
            letter: "token",
            effects: vec![Some(0.25), Some(-0.5), None],
            names: ["C", "Cl", "O"].map(str::to_owned).to_vec(),
        };
        assert_eq!(part.tsv().unwrap(), "atom\ttoken\teffect\n1\tC\t0.250000\n2\tCl\t-0.500000\n3\tO\t\n");
        assert_eq!(part.unread(), " The network reads the first 2 of 3 atoms; the others have no effect.");
        assert_eq!(part.strongest(), [["atom", "Cl2", "-0.5000"], ["atom", "C1", "+0.2500"]]);
    }
}
