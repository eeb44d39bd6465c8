//! Motifs of the stretches that count, and what a database calls them.

use genomics::logo::motif_logo;
use genomics::motif::{ClusterConfig, Motif, MotifDatabase, Pattern, SeqletConfig, UNIFORM};
use workbench::table::Table;

use crate::cli::counted;

/// Fewest seqlets of a motif where few sequences were given.
const FEWEST: usize = 5;

/// The best match of a motif.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) q_value: f64,
}

/// The best match of each motif; none where nothing is like it.
pub(crate) fn named(motifs: &[Motif], database: &MotifDatabase) -> Vec<Option<Named>> {
    let best = |matches: Vec<genomics::motif::Match>| {
        let best = matches.first()?;
        Some(Named { name: called(&database.motifs()[best.target]), q_value: best.q_value })
    };
    database.search_all(motifs).into_iter().map(best).collect()
}

/// Identifier and name of a motif.
fn called(motif: &Motif) -> String {
    match &motif.alias {
        Some(alias) if *alias != motif.name => format!("{} {alias}", motif.name),
        _ => motif.name.clone(),
    }
}

/// What stretches of sequences that count have in common, those that speak for the output first.
pub(crate) struct Patterns {
    sequences: usize,
    seqlets: usize,
    least: usize,
    found: Vec<Pattern>,
    names: Vec<Option<Named>>,
}

impl Patterns {
    /// Finds them in the values of each base of each window.
    pub(crate) fn find(
        windows: &[&[u8]],
        per_base: &[Vec<f64>],
        database: Option<&MotifDatabase>,
    ) -> anyhow::Result<Self> {
        let seqlets = SeqletConfig::default().find(per_base)?;
        let least = ClusterConfig::default().least_seqlets.min((windows.len() / 10).max(FEWEST));
        let cluster = ClusterConfig { least_seqlets: least, ..ClusterConfig::default() };
        let mut patterns =
            Self { sequences: windows.len(), seqlets: seqlets.len(), least, found: Vec::new(), names: Vec::new() };
        patterns.found = cluster.patterns(windows, per_base, &seqlets)?;
        let motifs = patterns.motifs();
        patterns.names = match database {
            Some(database) => named(&motifs, database),
            None => motifs.iter().map(|_| None).collect(),
        };
        Ok(patterns)
    }

    pub(crate) fn motifs(&self) -> Vec<Motif> {
        self.found.iter().map(|pattern| pattern.motif.clone()).collect()
    }

    /// How many there are, for a line of progress.
    pub(crate) fn count(&self) -> String {
        format!("{}, {}", counted(self.seqlets, "seqlet"), counted(self.found.len(), "motif"))
    }

    /// What was done, in two sentences.
    pub(crate) fn describe(&self) -> String {
        format!(
            "Stretches whose values stand out against the same values in random order, at a false discovery rate of 5 %, \
             laid over each other: {} of {}. Motifs of fewer than {} stretches are left out.",
            counted(self.seqlets, "seqlet"),
            counted(self.sequences, "sequence"),
            self.least,
        )
    }

    /// The best match of the motif that most of the stretches that speak for the output have in common.
    pub(crate) fn first(&self) -> Option<&Named> {
        let (pattern, name) = self.found.iter().zip(&self.names).next()?;
        name.as_ref().filter(|_| pattern.positive)
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new("Motifs of the stretches that count")
            .text("motif")
            .text("speaks")
            .text("consensus")
            .number("seqlets")
            .text("best match")
            .number("q-value");
        for (pattern, name) in self.found.iter().zip(&self.names) {
            table.push([
                pattern.motif.name.clone(),
                if pattern.positive { "for" } else { "against" }.to_owned(),
                pattern.motif.consensus(),
                pattern.members.len().to_string(),
                best(name.as_ref()),
                q_value(name.as_ref()),
            ]);
        }
        table
    }

    /// Caption and logo of each.
    pub(crate) fn drawn(&self) -> impl Iterator<Item = (String, String)> {
        self.found.iter().zip(&self.names).map(|(Pattern { motif, .. }, name)| {
            let caption = format!("{}; best match: {}.", motif.name, best(name.as_ref()));
            (caption, motif_logo(motif, &UNIFORM, &motif.name))
        })
    }
}

/// Name of a match for a table.
pub(crate) fn best(named: Option<&Named>) -> String {
    named.map_or_else(|| "–".to_owned(), |named| named.name.clone())
}

/// False discovery rate of a match for a table.
pub(crate) fn q_value(named: Option<&Named>) -> String {
    named.map_or_else(|| "–".to_owned(), |named| format!("{:.1e}", named.q_value))
}
