//! General equivalence mappings between ICD-9-CM and ICD-10-CM (CMS, 2018 and before).
//!
//! A mapping has a direction: the table from ICD-9 to ICD-10 is not the other one turned round. Most codes have no
//! twin: five of six targets do not say quite the same as their source, and are flagged as approximate. A source may
//! have several targets of which one is to be chosen, or need several targets together (a combination, with scenarios,
//! and in each scenario lists to choose one code from), or have none at all. [`Gem::translate`] reports all of it and
//! picks nothing.
//!
//! ```no_run
//! use ehr::codes::gem::{Gem, Kind};
//! let gem = Gem::load("icd9toicd10cmgem.csv.gz".as_ref(), ehr::codes::System::Icd9Cm)?;
//! let found = gem.translate("250.00");
//! assert_eq!((found.kind, found.targets()), (Kind::Approximate, vec!["E119"]));
//! # Ok::<(), ehr::codes::CodesError>(())
//! ```

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::read::{self, Encoding};
use super::{CodesError, System};

/// The five digits behind a pair of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// The two do not say exactly the same.
    pub approximate: bool,
    /// There is no target.
    pub no_map: bool,
    /// The source needs several targets together.
    pub combination: bool,
    /// Which of the combinations, from 1; 0 outside of combinations.
    pub scenario: u8,
    /// Which part of the combination, from 1; 0 outside of combinations.
    pub choice_list: u8,
}

impl Flags {
    /// Reads five digits such as `10112`; none for what cannot be.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = <[u8; 5]>::try_from(text.as_bytes()).ok()?.map(|byte| byte.wrapping_sub(b'0'));
        let [approximate, no_map, combination, scenario, choice_list] = digits;
        let bits = approximate < 2 && no_map < 2 && combination < 2 && scenario < 10 && choice_list < 10;
        let placed = (combination == 1) == (scenario > 0) && (scenario > 0) == (choice_list > 0);
        let (approximate, no_map, combination) = (approximate == 1, no_map == 1, combination == 1);
        (bits && placed && !(no_map && combination)).then_some(Self {
            approximate,
            no_map,
            combination,
            scenario,
            choice_list,
        })
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The target in normal form; none where there is none.
    pub target: Option<String>,
    /// What is said about the pair.
    pub flags: Flags,
}

/// What a translation is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One target that says the same.
    Exact,
    /// One target that says about the same.
    Approximate,
    /// Several targets, of which one is to be chosen by what else is known.
    Choice,
    /// Several targets that stand together; there may be single ones beside them.
    Combination,
    /// The table says that there is no target.
    NoMap,
    /// The source is not in the table.
    Unknown,
}

/// One way to say the source: a code from each of the lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Lists of targets; one of each is taken, all together.
    pub choices: Vec<Vec<String>>,
    /// Whether any of the targets is flagged as approximate.
    pub approximate: bool,
}

/// What the table says about one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// The source in normal form, or as it was given where it has none.
    pub source: String,
    /// What the translation is worth.
    pub kind: Kind,
    /// The ways to say it: first the single targets as one list, then the combinations by their numbers.
    pub scenarios: Vec<Scenario>,
    /// The ancestor that was translated in place of a source that is not in the table.
    pub backed_off_to: Option<String>,
}

impl Translation {
    /// All targets, each once, in the order of the table.
    pub fn targets(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for target in self.scenarios.iter().flat_map(|scenario| scenario.choices.iter().flatten()) {
            if !all.contains(&target.as_str()) {
                all.push(target);
            }
        }
        all
    }

    /// The target, where there is one alone.
    pub fn single(&self) -> Option<&str> {
        match self.targets().as_slice() {
            [target] => Some(target),
            _ => None,
        }
    }

    /// Whether some target is flagged as approximate.
    pub fn is_approximate(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.approximate)
    }
}

/// A table in one direction.
#[derive(Debug, Clone)]
pub struct Gem {
    from: System,
    to: System,
    entries: HashMap<String, Vec<Entry>>,
    rows: usize,
}

impl Gem {
    /// Reads a table whose sources are of `from`, [`System::Icd9Cm`] or [`System::Icd10Cm`]: with commas and a header
    /// (`icd9toicd10cmgem.csv`), or as CMS publishes it, with blanks (`2018_I9gem.txt`); plain or gzip.
    ///
    /// # Errors
    /// [`CodesError`] with the first line that cannot be used: codes of another form, flags that contradict each other,
    /// their columns or the target.
    pub fn load(path: &Path, from: System) -> Result<Self, CodesError> {
        let to = if from == System::Icd9Cm { System::Icd10Cm } else { System::Icd9Cm };
        let mut gem = Self { from, to, entries: HashMap::new(), rows: 0 };
        for (index, line) in read::text(path, Encoding::Utf8)?.lines().enumerate() {
            let cells: Vec<&str> = if line.contains(',') {
                line.split(',').map(|cell| cell.trim().trim_matches('"')).collect()
            } else {
                line.split_whitespace().collect()
            };
            if cells.is_empty() || (index == 0 && cells.get(2).is_some_and(|cell| *cell == "flags")) {
                continue;
            }
            let (source, entry) = row(&cells, from, to).map_err(|problem| read::line(path, index, problem))?;
            gem.entries.entry(source).or_default().push(entry);
            gem.rows += 1;
        }
        if gem.rows == 0 {
            return Err(read::format(path, "it has no mappings"));
        }
        Ok(gem)
    }

    /// The systems of sources and targets.
    pub fn direction(&self) -> (System, System) {
        (self.from, self.to)
    }

    /// Number of lines.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of sources.
    pub fn sources(&self) -> usize {
        self.entries.len()
    }

    /// The lines of a source in normal form.
    pub fn entries(&self, source: &str) -> &[Entry] {
        self.entries.get(source).map_or(&[], Vec::as_slice)
    }

    /// What the table says about a source, written with a dot or without. One that is not there is [`Kind::Unknown`].
    pub fn translate(&self, source: &str) -> Translation {
        let source = self.from.normal(source).unwrap_or_else(|_| source.trim().to_owned());
        let entries = self.entries(&source);
        let singles: Vec<&Entry> = entries.iter().filter(|entry| !entry.flags.combination).collect();
        let mut scenarios = Vec::new();
        let targets: Vec<String> = singles.iter().filter_map(|entry| entry.target.clone()).collect();
        if !targets.is_empty() {
            let approximate = singles.iter().any(|entry| entry.flags.approximate);
            scenarios.push(Scenario { choices: vec![targets], approximate });
        }
        for number in 1..=9 {
            let parts: Vec<&Entry> = entries.iter().filter(|entry| entry.flags.scenario == number).collect();
            let list = |at: u8| -> Vec<String> {
                let own = parts.iter().filter(|entry| entry.flags.choice_list == at);
                own.filter_map(|entry| entry.target.clone()).collect()
            };
            let choices: Vec<Vec<String>> = (1..=9).map(list).filter(|list| !list.is_empty()).collect();
            if !choices.is_empty() {
                let approximate = parts.iter().any(|entry| entry.flags.approximate);
                scenarios.push(Scenario { choices, approximate });
            }
        }
        let kind = match (entries, scenarios.as_slice()) {
            ([], _) => Kind::Unknown,
            (_, []) => Kind::NoMap,
            ([entry], _) if entry.flags.approximate => Kind::Approximate,
            ([_], _) => Kind::Exact,
            _ if entries.iter().any(|entry| entry.flags.combination) => Kind::Combination,
            _ => Kind::Choice,
        };
        Translation { source, kind, scenarios, backed_off_to: None }
    }

    /// As [`Gem::translate`], and for a source that is not in the table the translation of its nearest ancestor that
    /// is: codes are added every year, and the tables end with 2018.
    pub fn translate_or_back_off(&self, source: &str) -> Translation {
        let found = self.translate(source);
        if found.kind != Kind::Unknown {
            return found;
        }
        let Ok(normal) = self.from.normal(source) else { return found };
        let known = self.from.ancestors(&normal).into_iter().find(|code| self.entries.contains_key(code));
        match known {
            Some(ancestor) => {
                Translation { source: found.source, backed_off_to: Some(ancestor.clone()), ..self.translate(&ancestor) }
            }
            None => found,
        }
    }
}

/// A source and its entry, or what is wrong with them.
fn row(cells: &[&str], from: System, to: System) -> Result<(String, Entry), String> {
    let [source, target, flags, columns @ ..] = cells else {
        return Err(format!("{} cells; a source, a target and five digits of flags are due", cells.len()));
    };
    let source = from.normal(source).map_err(|error| error.to_string())?;
    let parsed =
        Flags::parse(flags).ok_or_else(|| format!("{flags:?} are no flags; five digits such as 10112 are due"))?;
    // where the flags have columns of their own too, they say the same
    let spelt: String = columns.concat();
    if !spelt.is_empty() && *flags != spelt {
        return Err(format!("the flags are {flags} but their columns say {spelt}"));
    }
    // "NoDx" and "NoPCS" stand for no target
    let none = target.starts_with("No");
    if none != parsed.no_map {
        return Err(format!("the target is {target} but the flags are {flags}"));
    }
    let target = if none { None } else { Some(to.normal(target).map_err(|error| error.to_string())?) };
    Ok((source, Entry { target, flags: parsed }))
}
