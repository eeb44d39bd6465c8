//! The vocabulary: what concepts are called, and what stands above them.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::super::etl::{CodeNote, Folder, Row, Sink};
use super::super::rows::{Nowhere, Reason, each_row, needed_int};
use super::super::{Counts, IoError};

/// Relations that lead up: to a wider concept, and to the standard one of another vocabulary.
const UP: [&str; 2] = ["Is a", "Maps to"];

/// A concept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Concept<'a> {
    /// The vocabulary, such as `SNOMED`.
    pub(super) vocabulary: &'a str,
    /// Its code there.
    pub(super) code: &'a str,
    /// In words.
    pub(super) name: &'a str,
    /// Whether it is a laboratory test.
    pub(super) laboratory: bool,
}

/// Where a concept's texts begin in the common text, and whether it is a laboratory test.
struct Entry {
    id: i64,
    start: usize,
    laboratory: bool,
}

/// Every concept, by number.
#[derive(Default)]
pub(super) struct Concepts {
    entries: Vec<Entry>,
    /// Vocabulary, code and name of each, each ending with a line break.
    texts: String,
    /// Numbers of a concept and of one above it.
    up: Vec<(i64, i64)>,
    /// Places among the entries in the order of vocabulary and code.
    by_code: OnceLock<Vec<u32>>,
    read: u64,
    dropped: u64,
}

impl Concepts {
    /// Reads the vocabulary tables of a folder; both may be absent.
    pub(super) fn read(folder: &Folder, hierarchy: bool) -> Result<Self, IoError> {
        let (mut concepts, mut counts) = (Self::default(), Counts::default());
        if let Some(path) = folder.path("concept") {
            let columns = ["concept_id", "vocabulary_id", "concept_code", "concept_name", "concept_class_id"];
            let mut each = |row: Row<'_>, _: &mut dyn Sink, _: &mut Counts| concepts.add(row);
            each_row(path, &columns, &columns[..3], &mut Nowhere, &mut counts, &mut each)?;
        }
        concepts.entries.sort_by_key(|entry| entry.id);
        concepts.entries.dedup_by_key(|entry| entry.id);
        if let Some(path) = folder.path("concept_relationship").filter(|_| hierarchy) {
            let columns = ["concept_id_1", "concept_id_2", "relationship_id", "invalid_reason"];
            let mut up = Vec::new();
            let mut each = |row: Row<'_>, _: &mut dyn Sink, _: &mut Counts| -> Result<(), Reason> {
                if row.text(2).is_some_and(|relation| UP.contains(&relation)) && row.text(3).is_none() {
                    let pair = (needed_int(row, 0, columns[0])?, needed_int(row, 1, columns[1])?);
                    // Standard concepts map to themselves.
                    if pair.0 != pair.1 && concepts.get(pair.0).is_some() && concepts.get(pair.1).is_some() {
                        up.push(pair);
                    }
                }
                Ok(())
            };
            each_row(path, &columns, &columns[..3], &mut Nowhere, &mut counts, &mut each)?;
            up.sort_unstable();
            up.dedup();
            concepts.up = up;
        }
        (concepts.read, concepts.dropped) = (counts.read, counts.dropped_rows());
        Ok(concepts)
    }

    fn add(&mut self, row: Row<'_>) -> Result<(), Reason> {
        let id = needed_int(row, 0, "concept_id")?;
        let start = self.texts.len();
        for column in 1..=3 {
            let before = self.texts.len();
            let written = row.cell(column).write(&mut self.texts);
            if !written && column < 3 {
                self.texts.truncate(start);
                return Err("it has no vocabulary or no code".into());
            }
            // A line break would end the text too early.
            if self.texts[before..].contains('\n') {
                let cleaned = self.texts.split_off(before).replace('\n', " ");
                self.texts.push_str(&cleaned);
            }
            self.texts.push('\n');
        }
        let laboratory = row.text(4).is_some_and(|class| class.eq_ignore_ascii_case("Lab Test"));
        self.entries.push(Entry { id, start, laboratory });
        Ok(())
    }

    /// The concept of a number; none for 0, which stands for "no matching concept".
    pub(super) fn get(&self, id: i64) -> Option<Concept<'_>> {
        let place = self.entries.binary_search_by_key(&id, |entry| entry.id).ok().filter(|_| id != 0)?;
        Some(self.at(place))
    }

    fn at(&self, place: usize) -> Concept<'_> {
        let entry = &self.entries[place];
        let mut texts = self.texts[entry.start..].splitn(4, '\n');
        let mut next = || texts.next().unwrap_or_default();
        Concept { vocabulary: next(), code: next(), name: next(), laboratory: entry.laboratory }
    }

    /// The place of a concept by vocabulary and code.
    fn find(&self, vocabulary: &str, code: &str) -> Option<usize> {
        let key = |place: u32| {
            let concept = self.at(place as usize);
            (concept.vocabulary, concept.code)
        };
        let order = self.by_code.get_or_init(|| {
            let mut order: Vec<u32> = (0..self.entries.len() as u32).collect();
            order.sort_by_key(|place| key(*place));
            order
        });
        let found = order.binary_search_by(|place| key(*place).cmp(&(vocabulary, code))).ok()?;
        Some(order[found] as usize)
    }

    /// What is known of a code such as `LAB//LOINC//4548-4//%`.
    pub(super) fn note(&self, code: &str) -> CodeNote {
        let mut parts = code.splitn(4, "//");
        let (Some(kind), Some(vocabulary), Some(own)) = (parts.next(), parts.next(), parts.next()) else {
            return CodeNote::default();
        };
        let Some(place) = self.find(vocabulary, own) else { return CodeNote::default() };
        let concept = self.at(place);
        // What is behind the code is the unit or the answer.
        let mut parents: Vec<String> =
            parts.next().map(|_| format!("{kind}//{vocabulary}//{own}")).into_iter().collect();
        let id = self.entries[place].id;
        let first = self.up.partition_point(|(child, _)| *child < id);
        let above = self.up[first..].iter().take_while(|(child, _)| *child == id);
        parents.extend(above.filter_map(|(_, parent)| self.get(*parent)).map(|parent| {
            let Concept { vocabulary, code, .. } = parent;
            format!("{kind}//{vocabulary}//{code}")
        }));
        CodeNote { description: Some(concept.name.to_owned()).filter(|name| !name.is_empty()), parents }
    }

    /// In words, how much there is.
    pub(super) fn summary(&self) -> String {
        let lost: Cow<'_, str> = match self.dropped {
            0 => "".into(),
            rows => format!("; {rows} rows of the vocabulary could not be used").into(),
        };
        format!("vocabulary: {} concepts, {} relations upwards{lost}", self.entries.len(), self.up.len())
    }
}
