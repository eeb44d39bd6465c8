//! The outputs of a recurrent network after each base, read from either end: where they turn, it has found something
//! (the temporal output of the Deep Motif Dashboard).

use super::{Asked, Sequences};
use crate::cli::counted;
use genomics::explain::{ExplainError, Inputs, Target, TemporalOutputs, temporal_outputs};
use genomics::logo::{HeatRow, heat_map};
use genomics::model::{Ensemble, StrandPolicy};
use genomics::systems::Net;
use genomics::systems::deep_motif::DeepMotif;
use nn_core::burn::tensor::Tensor;
use std::fmt::Write as _;
use workbench::exit::Usage;
use workbench::observe::say;
use workbench::report::Section;
use workbench::table::Table;

/// The networks of the models.
///
/// # Errors
/// [`Usage`] where one of them does not read base by base.
pub(super) fn networks(ensemble: &Ensemble) -> Result<Vec<&DeepMotif>, Usage> {
    let recurrent = ensemble.models().iter().map(|model| match &model.network {
        Net::DeepMotif(net) if net.is_recurrent() => Ok(net),
        other => Err(Usage(format!(
            "the method temporal needs a network with a memory that reads base by base, as deepmotif-rnn and \
             deepmotif-cnn-rnn do, and this {} has none; use saliency, mutagenesis or optimum",
            other.config().system()
        ))),
    });
    recurrent.collect()
}

/// The outputs for each base of each sequence, the mean over the networks.
fn along(networks: &[&DeepMotif], inputs: &Inputs, target: usize) -> Result<TemporalOutputs, ExplainError> {
    let zeros = || (0..inputs.rows()).map(|row| vec![0.0; inputs.span(row).len()]).collect::<Vec<_>>();
    let mut mean = TemporalOutputs { forward: zeros(), backward: zeros() };
    let share = 1.0 / networks.len() as f64;
    for net in networks {
        let maps = net.maps(inputs.tensor().clone());
        let read = |maps: Tensor<3>| net.read(maps, None);
        let found = temporal_outputs(&read, &maps, &Target::All(target))?;
        for (sums, outputs) in [(&mut mean.forward, found.forward), (&mut mean.backward, found.backward)] {
            for (row, (sum, outputs)) in sums.iter_mut().zip(outputs).enumerate() {
                // of all places those of the sequence, which stands in the middle of what is not known
                let own = outputs.into_iter().skip(inputs.span(row).start);
                sum.iter_mut().zip(own).for_each(|(sum, output)| *sum += share * output);
            }
        }
    }
    Ok(mean)
}

/// The base behind which the outputs change most, from 0; none of a single base.
fn turn(outputs: impl Iterator<Item = f64> + Clone) -> Option<usize> {
    let changes = outputs.clone().zip(outputs.skip(1)).map(|(before, behind)| (behind - before).abs());
    changes.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at + 1)
}

/// Draws the first sequences, and writes the outputs of their bases.
pub(super) fn run(asked: &Asked<'_>, sequences: &Sequences<'_>) -> anyhow::Result<()> {
    let Asked { common, ensemble, settings, device, target } = *asked;
    let networks = networks(ensemble)?;
    let drawn = sequences.windows.len().min(settings.shown);
    let (names, windows) = (&sequences.names[..drawn], &sequences.windows[..drawn]);
    let (task, read) = (asked.task(), &ensemble.card().preprocessing);
    let subject = format!("{} after each base", counted(drawn, "sequence"));
    say(common, &subject);
    let inputs = Inputs::new(windows, ensemble.window(), read.unknown, device)?;
    let found = along(&networks, &inputs, target)?;
    let shown = ensemble.shown(&ensemble.logits(windows)?);

    let folder = asked.folder()?;
    let mut section = Section::new("Outputs after each base").paragraph(
        "Forward is the output for the sequence up to a base, backward that for the sequence from a base on, on the \
         scale of the logit; the last value of the one and the first of the other are those of the whole. Where they \
         turn, the network has found something.",
    );
    if read.strands == StrandPolicy::Average {
        section = section.paragraph("The strand that is given is read; a prediction is the mean of both.");
    }
    let mut table = Table::new(format!("{task} after each base"))
        .text("sequence")
        .number("prediction")
        .number("logit of this strand")
        .number("forward turns at")
        .number("backward turns at");
    let mut text = String::from("sequence\tposition\tbase\tforward\tbackward\n");
    for (row, (name, window)) in names.iter().zip(windows).enumerate() {
        let (forward, backward) = (&found.forward[row], &found.backward[row]);
        for (place, &base) in window.iter().enumerate() {
            let (forward, backward) = (forward[place], backward[place]);
            writeln!(text, "{name}\t{}\t{}\t{forward:.6}\t{backward:.6}", place + 1, char::from(base))?;
        }
        let rows = [("forward", forward), ("backward", backward)].map(|(name, values)| HeatRow { name, values });
        let svg = heat_map(&rows, window, &format!("{name}, {task}, after each base"), "logit");
        folder.write(&format!("figures/temporal-{row}.svg"), &svg)?;
        section = section.figure(format!("{name}: what the network knows after each base."), svg);
        let place = |at: Option<usize>| at.map_or_else(|| "–".to_owned(), |at| (at + 1).to_string());
        let last = window.len() - 1;
        table.push([
            (*name).to_owned(),
            format!("{:.4}", shown[row * ensemble.outputs() + target]),
            format!("{:.4}", forward[last]),
            place(turn(forward.iter().copied())),
            // from the end on: the base that is new is the one before
            place(turn(backward.iter().rev().copied()).map(|at| last - at)),
        ]);
    }
    folder.write("temporal.tsv", text)?;
    let section = section.table(table.clone());
    asked.finish(
        &folder,
        (format!("What the network knows of {task} after each base"), subject),
        vec![section],
        &[table],
    )
}
