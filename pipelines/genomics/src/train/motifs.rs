//! The motifs of the first model's filters, and what they are called in a database.

use super::Model;
use crate::cli::say;
use crate::config::RunConfig;
use crate::page::Figures;
use genomics::io::meme::{MotifFile, read_meme, write_meme};
use genomics::logo::motif_logo;
use genomics::motif::{CompareConfig, Motif, MotifDatabase, UNIFORM};
use genomics::study::{LearntMotif, Study, learnt_motifs};
use workbench::args::Common;
use workbench::report::Section;
use workbench::run::RunFolder;
use workbench::table::Table;

/// Rows that are searched for windows at most.
const ROWS: usize = 4000;
/// Filters of the report, and those among which the expected motif must be.
const SHOWN: usize = 10;
/// Filters that are drawn.
const DRAWN: usize = 4;
/// False discovery rate up to which a match counts.
const Q_VALUE: f64 = 0.05;

/// The best match of a motif.
struct Named {
    name: String,
    q_value: f64,
}

/// What was learnt, and what it is called.
pub(crate) struct Motifs {
    learnt: Vec<LearntMotif>,
    /// The best match of each of the shown ones; empty without a database.
    names: Vec<Named>,
    expected: Option<String>,
}

impl Motifs {
    /// The motifs of the first model; none for a network that has no filters. They are written to `motifs.meme`.
    pub(super) fn find(
        common: &Common,
        folder: &RunFolder,
        config: &RunConfig,
        study: &Study<'_>,
        models: &[Model],
    ) -> anyhow::Result<Option<Self>> {
        let Some(model) = models.first() else { return Ok(None) };
        let rows = study.set().len();
        let searched: Vec<usize> = (0..rows.min(ROWS)).map(|at| at * rows / rows.min(ROWS)).collect();
        let learnt = learnt_motifs(&model.sequence, study.set(), &searched)?;
        if learnt.is_empty() {
            return Ok(None);
        }
        let found: Vec<Motif> = learnt.iter().map(|learnt| learnt.motif.clone()).collect();
        write_meme(&folder.file("motifs.meme")?, &MotifFile::new(found.clone()))?;
        let mut names = Vec::new();
        let known = match (&config.motifs.database, &config.demo) {
            (Some(path), _) => Some(read_meme(path)?.motifs),
            (None, Some(_)) => Some(genomics::synthetic::motifs()?),
            (None, None) => None,
        };
        if let Some(known) = known {
            let database = MotifDatabase::new(known, CompareConfig::default())?;
            say(common, &format!("comparing {} motifs with {}", found.len().min(SHOWN), database.motifs().len()));
            for matches in database.search_all(&found[..found.len().min(SHOWN)]) {
                if let Some(best) = matches.first() {
                    names.push(Named { name: called(&database.motifs()[best.target]), q_value: best.q_value });
                }
            }
        }
        Ok(Some(Self { learnt, names, expected: config.motifs.expect.clone() }))
    }

    /// Whether the best match of one of the shown filters is called as expected; none where nothing is expected.
    pub(crate) fn recovered(&self) -> Option<bool> {
        let expected = self.expected.as_ref()?;
        Some(self.names.iter().any(|named| named.q_value <= Q_VALUE && is_called(&named.name, expected)))
    }

    /// The section of the report.
    pub(crate) fn section(&self, figures: &Figures<'_>) -> anyhow::Result<Section> {
        let mut table = Table::new("Filters of the first model that tell the classes apart best")
            .text("filter")
            .text("consensus")
            .number("sites")
            .number("AUROC alone")
            .text("best match")
            .number("q-value");
        for (place, learnt) in self.learnt.iter().take(SHOWN).enumerate() {
            let named = self.names.get(place);
            table.push([
                learnt.motif.name.clone(),
                learnt.motif.consensus(),
                learnt.motif.sites.map_or_else(|| "–".to_owned(), |sites| format!("{sites:.0}")),
                learnt.auroc.map_or_else(|| "–".to_owned(), |auroc| format!("{auroc:.3}")),
                named.map_or_else(|| "–".to_owned(), |named| named.name.clone()),
                named.map_or_else(|| "–".to_owned(), |named| format!("{:.1e}", named.q_value)),
            ]);
        }
        let mut section = Section::new("Motifs").paragraph(
            "Windows that activate a filter of the first layer more than half as much as the best one, aligned (Kelley et \
             al. 2016); each filter beside how well its strongest activation alone tells the classes apart. All of them \
             are in motifs.meme.",
        );
        if let (Some(expected), Some(recovered)) = (&self.expected, self.recovered()) {
            let said =
                if recovered { "is the best match of one of these filters" } else { "is the best match of none" };
            section = section.note(format!("The expected motif, {expected}, {said}."));
        }
        section = section.table(table);
        for (place, learnt) in self.learnt.iter().take(DRAWN).enumerate() {
            let svg = motif_logo(&learnt.motif, &UNIFORM, &learnt.motif.name);
            let caption = match self.names.get(place) {
                Some(named) => format!("{}; the best match is {}.", learnt.motif.name, named.name),
                None => format!("{}.", learnt.motif.name),
            };
            section = section.figure(caption, figures.keep(&format!("motif-{place}"), svg)?);
        }
        Ok(section)
    }
}

/// Identifier and name of a motif.
pub(crate) fn called(motif: &Motif) -> String {
    match &motif.alias {
        Some(alias) if *alias != motif.name => format!("{} {alias}", motif.name),
        _ => motif.name.clone(),
    }
}

/// Whether one of the words of a motif's name, or the beginning of one before a point or underscore, is `expected`.
fn is_called(name: &str, expected: &str) -> bool {
    let words = name.split([' ', '.', '_', '(', ')', ':']);
    words.into_iter().any(|word| word.eq_ignore_ascii_case(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_databases_are_understood() {
        // As JASPAR and HOCOMOCO write them.
        assert!(is_called("MA0526.1 USF2", "usf2"));
        assert!(is_called("USF2.H13CORE.0.P.B", "USF2"));
        assert!(!is_called("MA0093.2 USF1", "USF2") && !is_called("MA0526.1 USF2A", "USF2"));
    }
}
