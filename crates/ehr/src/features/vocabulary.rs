//! Codes as ids: 0 for padding, 1 for what is unknown, the others for codes that enough training subjects have.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

use super::seen::{codebook, seen};
use super::{FeatureError, Provenance, UNKNOWN};
use crate::codebook::{CodeId, Codebook};
use crate::codes::Coded;
use crate::cohort::{code_matches, matching};
use crate::view::View;

/// Codes above a code that are tried at most.
const STEPS: usize = 8;

/// Which codes get an id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VocabularyConfig {
    /// Training subjects that a code must occur in, from 1 on. Rarer ones stand for what is unknown: so that id is
    /// trained as well.
    pub min_subjects: usize,
    /// Ids of codes at most, those in most subjects first; 0 for no limit.
    pub max_codes: usize,
    /// Whether a rare or new code takes the id of the nearest code above it that has one: first the parents that the
    /// data set's `metadata/codes.parquet` names, then those of its coding system (ICD 250.01, 250.0, 250), then the
    /// code without its last part (`LAB//50912//mg/dL`, `LAB//50912`, `LAB`).
    pub back_off: bool,
    /// Patterns of codes that get no id and are left out: what is to be predicted, above all.
    pub exclude: Vec<String>,
}

impl Default for VocabularyConfig {
    fn default() -> Self {
        Self { min_subjects: 5, max_codes: 0, back_off: true, exclude: Vec::new() }
    }
}

impl VocabularyConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("min_subjects", self.min_subjects, 1..=1_000_000_000)?;
        in_range("max_codes", self.max_codes, 0..=100_000_000)
    }

    /// Numbers the codes of views of the training part. Births and deaths never get an id.
    ///
    /// # Errors
    /// [`FeatureError`] without views, or without a code that is frequent enough.
    pub fn fit(&self, views: &[View<'_>]) -> Result<Vocabulary, FeatureError> {
        self.validate()?;
        let book = codebook(views)?;
        let excluded = matching(&self.exclude, book);
        let allowed = |code: CodeId| !excluded[code.index()] && !book.is_birth(code) && !book.is_death(code);
        let counts = seen(views)?;
        let (mut kept, mut rare): (BTreeMap<String, usize>, BTreeSet<CodeId>) = (BTreeMap::new(), BTreeSet::new());
        for (code, name) in book.iter() {
            let subjects = counts[code.index()].any;
            if subjects >= self.min_subjects && allowed(code) {
                kept.insert(name.to_owned(), subjects);
            } else if subjects > 0 && allowed(code) {
                rare.insert(code);
            }
        }
        if self.back_off && !rare.is_empty() {
            self.back_off(views, book, rare, &mut kept);
        }
        // Frequent codes first; of equally frequent ones, by name.
        let mut codes: Vec<(String, usize)> = kept.into_iter().collect();
        codes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        if self.max_codes > 0 {
            codes.truncate(self.max_codes);
        }
        if codes.is_empty() {
            return Err(FeatureError::Nothing { what: "a vocabulary", min_subjects: self.min_subjects });
        }
        Ok(Vocabulary {
            config: self.clone(),
            codes: codes.into_iter().map(|(code, _)| code).collect(),
            provenance: Provenance::of_views(views),
        })
    }

    /// Gives codes above rare ones an id where together they are frequent enough, the nearest first: each rare code is
    /// counted for one code above it only.
    fn back_off(
        &self,
        views: &[View<'_>],
        book: &Codebook,
        mut rare: BTreeSet<CodeId>,
        kept: &mut BTreeMap<String, usize>,
    ) {
        let mut subjects: BTreeMap<CodeId, BTreeSet<i64>> = BTreeMap::new();
        for view in views {
            for code in view.events().map(|event| event.code).filter(|code| rare.contains(code)) {
                subjects.entry(code).or_default().insert(view.subject_id());
            }
        }
        let excluded = |name: &str| self.exclude.iter().any(|pattern| code_matches(pattern, name));
        let allowed = |&code: &CodeId| {
            (code, ancestors(book, code).into_iter().filter(|name| !excluded(name)).collect::<Vec<_>>())
        };
        let above: BTreeMap<CodeId, Vec<String>> = rare.iter().map(allowed).collect();
        loop {
            let mut reached: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
            for code in &rare {
                for name in &above[code] {
                    reached.entry(name).or_default().extend(&subjects[code]);
                }
            }
            let fits = |name: &str| kept.contains_key(name) || reached[name].len() >= self.min_subjects;
            let places = |code: &CodeId| above[code].iter().position(|name| fits(name)).map(|place| (*code, place));
            let nearest: Vec<(CodeId, usize)> = rare.iter().filter_map(places).collect();
            // What lies above a nearer place waits until the codes below it have found theirs.
            let passed: BTreeSet<&str> =
                nearest.iter().flat_map(|(code, place)| &above[code][place + 1..]).map(String::as_str).collect();
            let free = |(code, place): &&(CodeId, usize)| !passed.contains(above[code][*place].as_str());
            let mut placed: Vec<(CodeId, usize)> = nearest.iter().filter(free).copied().collect();
            if placed.is_empty() {
                // Hierarchies that contradict each other.
                placed = nearest;
            }
            if placed.is_empty() {
                return;
            }
            for (code, place) in placed {
                let name = &above[&code][place];
                kept.entry(name.clone()).or_insert(reached[name.as_str()].len());
                rare.remove(&code);
            }
        }
    }
}

/// The codes above a code, nearest first: the parents that are known, level by level, those that the coding system
/// itself has, and then the code without its last parts.
fn ancestors(book: &Codebook, code: CodeId) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut seen: HashSet<String> = HashSet::from([book.name(code).to_owned()]);
    let mut level: Vec<String> = book.parents(code).to_vec();
    // Hierarchies of other people's files may go in circles.
    while !level.is_empty() && found.len() < STEPS {
        level.retain(|name| seen.insert(name.clone()));
        let above = |name: &String| book.get(name).map(|code| book.parents(code).to_vec()).unwrap_or_default();
        let next = level.iter().flat_map(above).collect();
        found.append(&mut level);
        level = next;
    }
    let coded = Coded::parse(book.name(code)).map(|coded| coded.parents()).unwrap_or_default();
    found.extend(coded.into_iter().filter(|name| seen.insert(name.clone())));
    let mut rest = book.name(code);
    while let Some((shorter, _)) = rest.rsplit_once("//") {
        if seen.insert(shorter.to_owned()) {
            found.push(shorter.to_owned());
        }
        rest = shorter;
    }
    found.truncate(STEPS);
    found
}

/// Codes with their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    config: VocabularyConfig,
    /// From id 2 on.
    codes: Vec<String>,
    provenance: Provenance,
}

impl Vocabulary {
    /// Number of ids, padding and the unknown code included.
    pub fn len(&self) -> usize {
        self.codes.len() + 2
    }

    /// Whether there is no code besides padding and the unknown one.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The codes, the first of which has id 2.
    pub fn codes(&self) -> &[String] {
        &self.codes
    }

    /// The code of an id; `None` for padding, the unknown code and ids beyond.
    pub fn name(&self, id: u32) -> Option<&str> {
        self.codes.get((id as usize).checked_sub(2)?).map(String::as_str)
    }

    /// What the codes were chosen by.
    pub fn config(&self) -> &VocabularyConfig {
        &self.config
    }

    /// Whom the codes were chosen on.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The ids of all codes of a codebook, looked up once.
    ///
    /// # Errors
    /// [`FeatureError::Twice`] if the vocabulary names a code twice, as only a changed file does.
    pub fn encoder(&self, book: &Codebook) -> Result<Encoder, FeatureError> {
        let mut ids: HashMap<&str, u32> = HashMap::with_capacity(self.codes.len());
        for (place, code) in self.codes.iter().enumerate() {
            if ids.insert(code, place as u32 + 2).is_some() {
                return Err(FeatureError::Twice { code: code.clone() });
            }
        }
        let excluded = matching(&self.config.exclude, book);
        let id = |(code, name): (CodeId, &str)| {
            if excluded[code.index()] || book.is_birth(code) || book.is_death(code) {
                return None;
            }
            let own = ids.get(name).copied();
            let above = || ancestors(book, code).iter().find_map(|name| ids.get(name.as_str()).copied());
            Some(own.or_else(|| if self.config.back_off { above() } else { None }).unwrap_or(UNKNOWN))
        };
        Ok(Encoder { ids: book.iter().map(id).collect(), len: self.len() })
    }
}

/// The id of each code of one codebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoder {
    ids: Vec<Option<u32>>,
    len: usize,
}

impl Encoder {
    /// The id of a code, [`UNKNOWN`] for one that the vocabulary does not have; `None` for a code that is left out.
    pub fn id(&self, code: CodeId) -> Option<u32> {
        self.ids.get(code.index()).copied().unwrap_or(Some(UNKNOWN))
    }

    /// Number of ids, padding and the unknown code included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no code has an id of its own.
    pub fn is_empty(&self) -> bool {
        self.len <= 2
    }
}
