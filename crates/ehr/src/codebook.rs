//! Codes as small numbers. A record set repeats a few thousand codes in millions of rows; each text is kept once, with
//! what `metadata/codes.parquet` of MEDS says about it: a description, and the codes above it in a hierarchy.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Code of a birth in MEDS, alone or with more behind `//`.
pub const BIRTH: &str = "MEDS_BIRTH";

/// Code of a death in MEDS, alone or with more behind `//`.
pub const DEATH: &str = "MEDS_DEATH";

/// A code of one [`Codebook`]. The number means nothing in another one, so it is never written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeId(pub u32);

impl CodeId {
    /// The number as an index, below [`Codebook::len`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Every code once, numbered from 0 in the order of their first appearance.
#[derive(Clone, Default)]
pub struct Codebook {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
    /// Of the codes that have been described.
    details: HashMap<u32, Details>,
}

#[derive(Clone, Default)]
struct Details {
    description: Option<String>,
    parents: Vec<String>,
}

impl Codebook {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a code, which is added if it is new.
    pub fn intern(&mut self, code: &str) -> CodeId {
        if let Some(id) = self.ids.get(code) {
            return CodeId(*id);
        }
        let (id, name) = (self.names.len() as u32, Arc::<str>::from(code));
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        CodeId(id)
    }

    /// The number of a code, if it is known.
    pub fn get(&self, code: &str) -> Option<CodeId> {
        self.ids.get(code).copied().map(CodeId)
    }

    /// The text of a code; empty for a number that is not from here.
    pub fn name(&self, code: CodeId) -> &str {
        self.names.get(code.index()).map_or("", |name| &**name)
    }

    /// How many codes there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Says what a code means. A description replaces the one before; `None` leaves it. Parents (codes, or names of
    /// another vocabulary such as `CCS/49`) are added to those that are there, each once: MEDS may list a code several
    /// times, with modifiers.
    pub fn describe(&mut self, code: CodeId, description: Option<&str>, parents: &[String]) {
        if code.index() >= self.names.len() {
            return;
        }
        let details = self.details.entry(code.0).or_default();
        if let Some(text) = description {
            details.description = Some(text.to_owned());
        }
        for parent in parents {
            if !details.parents.contains(parent) {
                details.parents.push(parent.clone());
            }
        }
    }

    /// What a code means, where that is known.
    pub fn description(&self, code: CodeId) -> Option<&str> {
        self.details.get(&code.0)?.description.as_deref()
    }

    /// The codes above a code, nearest first.
    pub fn parents(&self, code: CodeId) -> &[String] {
        self.details.get(&code.0).map_or(&[], |details| details.parents.as_slice())
    }

    /// Every code with its text, in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (CodeId, &str)> {
        self.names.iter().enumerate().map(|(id, name)| (CodeId(id as u32), &**name))
    }

    /// Whether a code is that of a birth.
    pub fn is_birth(&self, code: CodeId) -> bool {
        is_kind(self.name(code), BIRTH)
    }

    /// Whether a code is that of a death.
    pub fn is_death(&self, code: CodeId) -> bool {
        is_kind(self.name(code), DEATH)
    }

    /// Takes over every code of another book, and returns what its numbers are here.
    pub fn absorb(&mut self, other: &Self) -> Vec<CodeId> {
        let mut ids = Vec::with_capacity(other.len());
        for (theirs, name) in other.iter() {
            let ours = self.intern(name);
            if let Some(details) = other.details.get(&theirs.0) {
                // What is known here stays.
                let description = details.description.as_deref().filter(|_| self.description(ours).is_none());
                self.describe(ours, description, &details.parents);
            }
            ids.push(ours);
        }
        ids
    }
}

impl fmt::Debug for Codebook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codebook of {} codes", self.len())
    }
}

/// Whether `code` is `kind`, alone or with more behind `//`.
pub(crate) fn is_kind(code: &str, kind: &str) -> bool {
    code.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_number() {
        let mut book = Codebook::new();
        let (lab, drug) = (book.intern("LAB//50852//%"), book.intern("RX//861004"));
        assert_eq!((lab, drug, book.intern("LAB//50852//%")), (CodeId(0), CodeId(1), CodeId(0)));
        assert_eq!((book.get("RX//861004"), book.get("RX")), (Some(drug), None));
        assert_eq!((book.name(lab), book.name(CodeId(7)), book.len()), ("LAB//50852//%", "", 2));
        assert_eq!(book.iter().collect::<Vec<_>>(), [(lab, "LAB//50852//%"), (drug, "RX//861004")]);
    }

    #[test]
    fn descriptions_are_kept_and_parents_add_up() {
        let mut book = Codebook::new();
        let code = book.intern("ICD9CM/250.00");
        assert_eq!((book.description(code), book.parents(code).len()), (None, 0));
        book.describe(code, Some("Diabetes"), &["ICD9CM/250.0".to_owned()]);
        book.describe(code, None, &["ICD9CM/250.0".to_owned(), "CCS/49".to_owned()]);
        book.describe(CodeId(9), Some("nothing"), &[]);
        assert_eq!((book.description(code), book.description(CodeId(9))), (Some("Diabetes"), None));
        assert_eq!(book.parents(code), ["ICD9CM/250.0", "CCS/49"]);
        let mut other = Codebook::new();
        other.intern("X");
        assert_eq!(other.absorb(&book), [CodeId(1)]);
        assert_eq!((other.name(CodeId(1)), other.description(CodeId(1))), ("ICD9CM/250.00", Some("Diabetes")));
    }

    #[test]
    fn births_and_deaths_are_known_by_their_first_part() {
        let mut book = Codebook::new();
        for (code, birth, death) in [
            ("MEDS_BIRTH", true, false),
            ("MEDS_BIRTH//SHIFTED", true, false),
            ("MEDS_BIRTHDAY", false, false),
            ("MEDS_DEATH//HOSPITAL", false, true),
            ("X//MEDS_DEATH", false, false),
        ] {
            let id = book.intern(code);
            assert_eq!((book.is_birth(id), book.is_death(id)), (birth, death), "{code}");
        }
    }
}
