//! The sequence for which the models are surest, and the motifs in it (the class optimisation of the Deep Motif
//! Dashboard).

use super::Asked;
use super::patterns::{Named, best, named, q_value};
use crate::cli::counted;
use genomics::dataset::Labels;
use genomics::explain::{ClassOptimisation, ClassScore, Optimum};
use genomics::io::meme::{MotifFile, write_meme};
use genomics::logo::motif_logo;
use genomics::motif::{Motif, MotifDatabase, UNIFORM};
use nn_core::burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::ops::Range;
use workbench::observe::say;
use workbench::report::Section;
use workbench::table::Table;

/// Bits that a position of a motif carries at least, and positions in a row that may carry less.
const BITS: f64 = 0.5;
const GAP: usize = 2;
/// Positions of a motif at least.
const NARROWEST: usize = 5;

/// How the best sequence is looked for; the defaults are those of `class_optimization.lua`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OptimumConfig {
    /// Steps of ascent.
    pub(crate) steps: usize,
    /// Their rate.
    pub(crate) rate: f64,
    /// Weight of the penalty on the squares of the input.
    pub(crate) penalty: f64,
    /// Random starts.
    pub(crate) starts: usize,
}

impl Default for OptimumConfig {
    fn default() -> Self {
        let ClassOptimisation { steps, rate, penalty, starts, .. } = ClassOptimisation::default();
        Self { steps, rate, penalty, starts }
    }
}

impl OptimumConfig {
    /// The method for outputs of one kind: what is made as large as possible is the logarithm of a probability, of
    /// values the value itself.
    fn method(&self, labels: &Labels, seed: u64) -> ClassOptimisation {
        let score = match labels {
            Labels::Binary => ClassScore::LogSigmoid,
            Labels::Classes(_) => ClassScore::LogSoftmax,
            Labels::Values => ClassScore::Logit,
        };
        let Self { steps, rate, penalty, starts } = *self;
        ClassOptimisation { score, steps, rate, penalty, starts, seed, ..ClassOptimisation::default() }
    }
}

/// The motifs in an optimum: its stretches of positions that matter; the whole of it where there are none.
fn motifs_in(whole: &Motif) -> Vec<(Range<usize>, Motif)> {
    let stretches = whole.stretches(BITS, GAP, &UNIFORM).into_iter().filter(|stretch| stretch.len() >= NARROWEST);
    let named = |(place, stretch): (usize, Range<usize>)| {
        let mut motif = whole.part(stretch.clone())?;
        motif.name = format!("{}.{}", whole.name, place + 1);
        Some((stretch, motif))
    };
    let found: Vec<(Range<usize>, Motif)> = stretches.enumerate().filter_map(named).collect();
    if found.is_empty() { vec![(0..whole.width(), whole.clone())] } else { found }
}

/// One row for each position of each optimum.
fn table_of_positions(found: &[Optimum]) -> Result<String, std::fmt::Error> {
    let mut text = String::from("start\tposition\tA\tC\tG\tT\n");
    for (start, optimum) in found.iter().enumerate() {
        for (place, [a, c, g, t]) in optimum.x.iter().enumerate() {
            writeln!(text, "{start}\t{}\t{a:.6}\t{c:.6}\t{g:.6}\t{t:.6}", place + 1)?;
        }
    }
    Ok(text)
}

/// Looks for the best sequence of the output from each start.
pub(super) fn run(asked: &Asked<'_>, database: Option<&MotifDatabase>) -> anyhow::Result<()> {
    let Asked { common, ensemble, settings, device, target } = *asked;
    let (task, labels) = (asked.task(), &ensemble.card().predicts.labels);
    let method = settings.optimum.method(labels, settings.seed);
    method.validate()?;
    let subject = format!("{} of {}", counted(method.starts, "start"), counted(method.steps, "step"));
    say(common, &format!("looking for the best sequence of {task}: {subject}"));
    let model = |x: Tensor<3>| ensemble.forward(x);
    let found = method.run(&model, ensemble.window(), target, device)?;
    let bases: Vec<Vec<u8>> = found.iter().map(Optimum::sequence).collect();
    let views: Vec<&[u8]> = bases.iter().map(Vec::as_slice).collect();
    let shown = ensemble.shown(&ensemble.logits(&views)?);

    let folder = asked.folder()?;
    folder.write("optimum.tsv", table_of_positions(&found)?)?;
    let fasta = views.iter().enumerate().try_fold(String::new(), |mut text, (start, bases)| {
        writeln!(text, ">optimum{start}\n{}", String::from_utf8_lossy(bases)).map(|()| text)
    })?;
    folder.write("optimum.fa", fasta)?;

    let mut section = Section::new("Best sequence").paragraph(format!(
        "Gradient ascent to the input for which the output is largest, less {} times its squares. The input need not \
         be made of whole bases; the logo shows it as probabilities, and the prediction is that of the largest base at \
         each position (optimum.fa).",
        method.penalty
    ));
    let mut starts = Table::new(format!("Best sequence of {task}"))
        .number("start")
        .number("score before")
        .number("score after")
        .number("prediction");
    let mut motifs = Vec::new();
    for (start, optimum) in found.iter().enumerate() {
        let whole = optimum.motif(&format!("optimum{start}"))?;
        let title = format!("best sequence of {task}, start {start}");
        let svg = motif_logo(&whole, &UNIFORM, &title);
        folder.write(&format!("figures/optimum-{start}.svg"), &svg)?;
        section = section.figure(format!("The optimum from start {start}."), svg);
        let score = |at: Option<&f64>| at.map_or_else(|| "–".to_owned(), |score| format!("{score:.4}"));
        starts.push([
            start.to_string(),
            score(optimum.history.first()),
            score(optimum.history.last()),
            format!("{:.4}", shown[start * ensemble.outputs() + target]),
        ]);
        motifs.extend(motifs_in(&whole));
    }
    let (places, motifs): (Vec<Range<usize>>, Vec<Motif>) = motifs.into_iter().unzip();
    let names: Vec<Option<Named>> = match database {
        Some(database) => named(&motifs, database),
        None => motifs.iter().map(|_| None).collect(),
    };
    let mut table = Table::new("Motifs of the best sequence")
        .text("motif")
        .text("positions")
        .text("consensus")
        .text("best match")
        .number("q-value");
    for ((place, motif), name) in places.iter().zip(&motifs).zip(&names) {
        table.push([
            motif.name.clone(),
            format!("{}–{}", place.start + 1, place.end),
            motif.consensus(),
            best(name.as_ref()),
            q_value(name.as_ref()),
        ]);
    }
    write_meme(&folder.file("motifs.meme")?, &MotifFile::new(motifs))?;
    let section = section.table(starts.clone()).table(table.clone());
    asked.finish(&folder, (format!("The best sequence of {task}"), subject), vec![section], &[starts, table])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optimum_is_cut_into_its_motifs() {
        let (sure, free) = ([0.97, 0.01, 0.01, 0.01], [0.25; 4]);
        let columns =
            [vec![free; 3], vec![sure; 6], vec![free; 4], vec![sure; 2], vec![free; 2], vec![sure; 3]].concat();
        let whole = Motif::new("optimum0", columns).unwrap();
        let found = motifs_in(&whole);
        // six positions, then seven over a gap of two
        let places: Vec<Range<usize>> = found.iter().map(|(place, _)| place.clone()).collect();
        assert_eq!(places, [3..9, 13..20]);
        let names: Vec<&str> = found.iter().map(|(_, motif)| motif.name.as_str()).collect();
        assert_eq!(names, ["optimum0.1", "optimum0.2"]);
        assert_eq!(found[1].1.consensus(), "AANNAAA");
        let flat = Motif::new("optimum1", vec![free; 7]).unwrap();
        assert_eq!(motifs_in(&flat), [(0..7, flat.clone())]);
    }

    #[test]
    fn what_is_optimised_depends_on_the_labels() {
        let config = OptimumConfig::default();
        // class_optimization.lua: lambda, config.learningRate, iterations
        assert_eq!((config.penalty, config.rate, config.steps, config.starts), (0.009, 0.05, 1000, 1));
        let score = |labels: &Labels| config.method(labels, 7).score;
        assert_eq!(score(&Labels::Binary), ClassScore::LogSigmoid);
        assert_eq!(score(&Labels::Classes(vec!["a".into(), "b".into()])), ClassScore::LogSoftmax);
        assert_eq!(score(&Labels::Values), ClassScore::Logit);
        assert_eq!(config.method(&Labels::Values, 7).seed, 7);
    }
}
