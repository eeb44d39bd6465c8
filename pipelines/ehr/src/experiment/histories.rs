//! Histories of patients in visits, their codes in categories of CCS, and a division by patient.

use super::Bench;
use crate::config::SourceConfig;
use crate::inputs::{self, Loaded};
use anyhow::Context;
use ehr::codes::CodeTables;
use ehr::features::{SequenceConfig, Vocabulary, VocabularyConfig};
use ehr::split::{self, Part, Split, SplitConfig};
use ehr::systems::embedding::measures::ccs_kinds;
use ehr::time::Time;
use ehr::view::{View, VisitRule};
use workbench::record::DataRecord;

/// What begins a visit, in the codes of the readers.
const STARTS: [&str; 3] = ["HOSPITAL_ADMISSION", "ENCOUNTER", "VISIT"];

/// Records that were read, with the tables of codes and a division of the patients.
pub(super) struct Histories {
    pub(super) loaded: Loaded,
    pub(super) tables: CodeTables,
    pub(super) split: Split,
    pub(super) sequence: SequenceConfig,
}

/// Reads the data of an experiment; `seed` divides the patients.
pub(super) fn histories(bench: &Bench<'_>, seed: u64) -> anyhow::Result<Histories> {
    let source =
        SourceConfig { data: bench.config.data.clone(), format: bench.config.format, ..SourceConfig::default() };
    let loaded = inputs::load(bench.common, &source)?;
    let tables = crate::codes::tables(bench.common, Some(&bench.config.maps), None)?;
    let config = SplitConfig { stratify: false, seed, ..SplitConfig::default() };
    let split = split::by_subject(loaded.events.ids(), &[], &config)?;
    let rule = VisitRule::Codes { start_prefix: STARTS.map(str::to_owned).to_vec() };
    let sequence = SequenceConfig { visits: rule, ..SequenceConfig::default() };
    Ok(Histories { loaded, tables, split, sequence })
}

impl Histories {
    /// What is known at the last event of every patient of a part.
    pub(super) fn last_views(&self, part: Part) -> Vec<View<'_>> {
        let of = |subject: i64| {
            let subject = self.loaded.events.find(subject)?;
            Some(subject.as_of(subject.last_time()?))
        };
        self.split.subjects(part).filter_map(of).collect()
    }

    /// The codes that enough training patients have.
    pub(super) fn vocabulary(&self, min_subjects: usize) -> anyhow::Result<Vocabulary> {
        let config = VocabularyConfig { min_subjects, ..VocabularyConfig::default() };
        Ok(config.fit(&self.last_views(Part::Train))?)
    }

    /// The category of each id of a vocabulary, none for what is no diagnosis, and how many categories there are.
    pub(super) fn classes(&self, vocabulary: &Vocabulary) -> anyhow::Result<(Vec<Option<u32>>, usize)> {
        let kinds = ccs_kinds(vocabulary.codes(), &self.tables);
        let count = kinds.iter().flatten().max().map(|most| *most as usize + 1);
        let count = count.context("no code of the data has a category of CCS, so there is nothing to foretell")?;
        Ok(([None, None].into_iter().chain(kinds).collect(), count))
    }

    /// When the last visit of a patient began, and what was known right before it; none for who has a single one.
    pub(super) fn before_last<'a>(&'a self, view: &View<'a>) -> Option<(Time, View<'a>)> {
        let visits = view.visits(&self.sequence.visits);
        let [.., before, last] = visits.as_slice() else { return None };
        let subject = self.loaded.events.find(view.subject_id())?;
        Some((last.start, subject.as_of(before.end)))
    }

    /// What went in.
    pub(super) fn record(&self) -> DataRecord {
        DataRecord {
            inputs: self.loaded.inputs.clone(),
            kept: self.split.len(),
            dropped: self.loaded.dropped.clone(),
            split: Some("subject".to_owned()),
            parts: Part::ALL.map(|part| (part.name().to_owned(), self.split.count(part))).into(),
        }
    }
}
