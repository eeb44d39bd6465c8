//! Windows of a genome.

use genomics::dataset::{Labels, SequenceSet};
use genomics::genome::{Edge, Genome, GenomeError};
use genomics::io::{read_aliases, read_genome};
use genomics::locus::Locus;
use std::fmt::Write as _;
use std::path::Path;
use workbench::args::Common;
use workbench::observe::say;

/// Refused windows that are told one by one.
const EXAMPLES: usize = 5;

/// Reads a genome, and the other names of its contigs.
pub(crate) fn genome(path: &Path, aliases: Option<&Path>) -> anyhow::Result<Genome> {
    let genome = read_genome(path)?;
    Ok(match aliases {
        Some(path) => genome.with_aliases(&read_aliases(path)?),
        None => genome,
    })
}

/// Name and reason of each window that cannot be used.
pub(crate) type Refused = Vec<(String, String)>;

/// The bases of named windows, all with one label, and those that leave their contig. Contigs that are all unknown are
/// an error, because then the genome is the wrong one.
pub(crate) fn cut(genome: &Genome, named: Vec<(String, Locus)>, bound: bool) -> anyhow::Result<(SequenceSet, Refused)> {
    genome.names().resolve_all(named.iter().map(|(_, locus)| locus.contig.as_ref()))?;
    let mut set = SequenceSet { tasks: vec!["class".to_owned()], labels: Labels::Binary, ..SequenceSet::default() };
    let mut refused = Vec::new();
    for (name, locus) in named {
        match genome.window(&locus, Edge::Refuse) {
            Ok(bases) => {
                set.names.push(name);
                set.sequences.push(bases);
                set.loci.push(Some(locus));
                set.targets.push(f32::from(u8::from(bound)));
            }
            Err(GenomeError::Outside { .. }) => {
                refused.push((name, "the window leaves its contig".to_owned()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((set, refused))
}

/// Says how many windows cannot be used, and of the first ones why.
pub(super) fn say_refused(common: &Common, refused: &Refused) {
    if refused.is_empty() {
        return;
    }
    let mut text = format!("windows that cannot be used: {}", refused.len());
    for (name, reason) in refused.iter().take(EXAMPLES) {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {name}: {reason}");
    }
    if let Some(more) = refused.len().checked_sub(EXAMPLES).filter(|&more| more > 0) {
        let _ = write!(text, "\n  and {more} more");
    }
    say(common, &text);
}
