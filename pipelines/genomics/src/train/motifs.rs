//! The motifs that the first model rests on, those of its filters, and what they are called in a database.

use super::Model;
use crate::config::RunConfig;
use crate::explain::{ExplainConfig, Named, Patterns, attribute, best, named, q_value, quickest};
use crate::page::Figures;
use genomics::dataset::Labels;
use genomics::explain::Inputs;
use genomics::io::meme::{MotifFile, read_meme, write_meme};
use genomics::logo::motif_logo;
use genomics::model::Ensemble;
use genomics::motif::{CompareConfig, Motif, MotifDatabase, UNIFORM};
use genomics::study::{LearntMotif, Study, learnt_motifs};
use workbench::args::Common;
use workbench::observe::say;
use workbench::report::Section;
use workbench::run::RunFolder;
use workbench::table::Table;

/// Rows that are searched for windows of the filters at most.
const ROWS: usize = 4000;
/// Positive rows of the test part that are explained at most, each against so many shuffles of itself.
const EXPLAINED: usize = 500;
const SHUFFLES: usize = 10;
/// Filters of the report.
const SHOWN: usize = 10;
/// Filters that are drawn.
const DRAWN: usize = 4;
/// False discovery rate up to which a match counts.
const Q_VALUE: f64 = 0.05;

/// What was learnt, and what it is called.
pub(crate) struct Motifs {
    /// What the stretches that count have in common; none without a database, and of what is not yes or no.
    patterns: Option<Patterns>,
    learnt: Vec<LearntMotif>,
    /// The best match of each of the shown filters; empty without a database.
    names: Vec<Option<Named>>,
    expected: Option<String>,
}

impl Motifs {
    /// The motifs of the first model; none for a network that has no filters where there is no database. They are written
    /// to `motifs.meme`.
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
        let learnt = learnt_motifs(&model.model, study.set(), &searched)?;
        let filters: Vec<Motif> = learnt.iter().map(|learnt| learnt.motif.clone()).collect();
        let known = match (&config.motifs.database, &config.demo) {
            (Some(path), _) => Some(read_meme(path)?.motifs),
            (None, Some(_)) => Some(genomics::synthetic::motifs()?),
            (None, None) => None,
        };
        let (mut patterns, mut names) = (None, Vec::new());
        if let Some(known) = known {
            let database = MotifDatabase::new(known, CompareConfig::default())?;
            say(common, &format!("looking for motifs, {} are known", database.motifs().len()));
            patterns = rests_on(study, model, &database)?;
            names = named(&filters[..filters.len().min(SHOWN)], &database);
        }
        let all: Vec<Motif> = patterns.iter().flat_map(Patterns::motifs).chain(filters).collect();
        if all.is_empty() && patterns.is_none() {
            return Ok(None);
        }
        if !all.is_empty() {
            write_meme(&folder.file("motifs.meme")?, &MotifFile::new(all))?;
        }
        Ok(Some(Self { patterns, learnt, names, expected: config.motifs.expect.clone() }))
    }

    /// Whether the motif that the model rests on most is called as expected; none where nothing is expected.
    pub(crate) fn recovered(&self) -> Option<bool> {
        let expected = self.expected.as_ref()?;
        let first = self.patterns.as_ref()?.first();
        Some(first.is_some_and(|named| named.q_value <= Q_VALUE && is_called(&named.name, expected)))
    }

    /// The section of the report.
    pub(crate) fn section(&self, figures: Figures<'_>) -> anyhow::Result<Section> {
        let mut section = Section::new("Motifs");
        if let Some(patterns) = &self.patterns {
            section = section
                .paragraph(
                    "What the first model rests on in the positive rows of the test part: its output divided among the \
                     bases, against dinucleotide shuffles of the same sequence.",
                )
                .paragraph(patterns.describe());
            if let (Some(expected), Some(recovered)) = (&self.expected, self.recovered()) {
                let said = if recovered { "is" } else { "is not" };
                section = section.note(format!("The expected motif, {expected}, {said} the best match of the first."));
            }
            section = section.table(patterns.table());
            for (place, (caption, svg)) in patterns.drawn().take(DRAWN).enumerate() {
                section = section.figure(caption, figures.keep(&format!("pattern-{place}"), svg)?);
            }
        }
        if self.learnt.is_empty() {
            return Ok(section);
        }
        let mut table = Table::new("Filters of the first model that tell the classes apart best")
            .text("filter")
            .text("consensus")
            .number("sites")
            .number("AUROC alone")
            .text("best match")
            .number("q-value");
        for (place, learnt) in self.learnt.iter().take(SHOWN).enumerate() {
            let named = self.names.get(place).and_then(Option::as_ref);
            table.push([
                learnt.motif.name.clone(),
                learnt.motif.consensus(),
                learnt.motif.sites.map_or_else(|| "–".to_owned(), |sites| format!("{sites:.0}")),
                learnt.auroc.map_or_else(|| "–".to_owned(), |auroc| format!("{auroc:.3}")),
                best(named),
                q_value(named),
            ]);
        }
        section = section
            .paragraph(
                "Windows that activate a filter of the first layer more than half as much as the best one, aligned (Kelley \
                 et al. 2016); each filter beside how well its strongest activation alone tells the classes apart. A \
                 filter need not be a motif: several of them, and the next layer, may share one. All of them are in \
                 motifs.meme.",
            )
            .table(table);
        for (place, learnt) in self.learnt.iter().take(DRAWN).enumerate() {
            let svg = motif_logo(&learnt.motif, &UNIFORM, &learnt.motif.name);
            let named = best(self.names.get(place).and_then(Option::as_ref));
            let caption = format!("{}; best match: {named}.", learnt.motif.name);
            section = section.figure(caption, figures.keep(&format!("motif-{place}"), svg)?);
        }
        Ok(section)
    }
}

/// What the positive rows of the first model's test part have in common where it counts; none where labels are not yes or
/// no, or no row is positive.
fn rests_on(study: &Study<'_>, model: &Model, database: &MotifDatabase) -> anyhow::Result<Option<Patterns>> {
    let set = study.set();
    let positive = |&row: &usize| set.target(row, 0).is_some_and(|target| target >= 0.5);
    let rows: Vec<usize> = match set.labels {
        Labels::Binary => study.plan().split(0).test.iter().copied().filter(positive).take(EXPLAINED).collect(),
        Labels::Classes(_) | Labels::Values => Vec::new(),
    };
    if rows.is_empty() {
        return Ok(None);
    }
    let ensemble = Ensemble::new(vec![model.model.clone()])?;
    let read = &ensemble.card().preprocessing;
    let windows: Vec<&[u8]> = rows.iter().map(|&row| read.window_of(&set.sequences[row])).collect();
    let inputs = Inputs::new(&windows, ensemble.window(), read.unknown, &model.model.device())?;
    let settings = ExplainConfig {
        seed: study.config().seed,
        method: quickest(&ensemble, &inputs).to_owned(),
        shuffles: SHUFFLES,
        ..ExplainConfig::default()
    };
    let found = attribute(&ensemble, &inputs, &settings, 0)?;
    Ok(Some(Patterns::find(&windows, &found.per_base, Some(database))?))
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
