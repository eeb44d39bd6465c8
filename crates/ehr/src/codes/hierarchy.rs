//! Where a code stands: its ancestors as MEDS codes, descriptions for a codebook, and back-off from what is unknown.

use super::{CodeTables, Coded, System, icd9};
use crate::codebook::Codebook;

/// One step above a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// As a MEDS code: a shorter code with the same prefix, or a range such as `ICD9CM/240-279`.
    pub code: String,
    /// What it is called, where a table says so.
    pub title: Option<String>,
}

/// The ancestors of a MEDS code, the nearest first: shorter codes, for ICD then its block and chapter, for drugs their
/// concept of `RxNorm` and their classes of ATC as far as tables say. Empty for a code that names no system.
pub fn ancestors(tables: &CodeTables, code: &str) -> Vec<Ancestor> {
    let Some(coded) = Coded::parse(code) else { return Vec::new() };
    let title = |own: &str| tables.title(coded.system, own).map(str::to_owned);
    let shorter = coded.system.ancestors(&coded.code);
    let mut all: Vec<Ancestor> = shorter
        .into_iter()
        .map(|own| Ancestor { title: title(&own), code: format!("{}{own}", coded.prefix) })
        .collect();
    let mut range = |name: &str, title: &str| {
        all.push(Ancestor { code: format!("{}/{name}", coded.system.name()), title: Some(title.to_owned()) });
    };
    match coded.system {
        System::Icd9Cm => {
            if let Some((_, name, title)) = icd9::chapter(&coded.code) {
                range(&name, title);
            }
        }
        System::Icd10Cm => {
            for table in [&tables.icd10_blocks, &tables.icd10_chapters].into_iter().flatten() {
                if let Some(found) = table.get(&coded.code) {
                    range(&found.name, &found.title);
                }
            }
        }
        _ => {}
    }
    drug(tables, &coded, &mut all);
    all
}

/// Adds what stands above a drug: its concept of `RxNorm`, and its codes of ATC with theirs.
fn drug(tables: &CodeTables, coded: &Coded<'_>, all: &mut Vec<Ancestor>) {
    if coded.system == System::Ndc
        && let Some(concept) = tables.ndc.as_ref().and_then(|table| table.find(&coded.code).rxcui().map(str::to_owned))
    {
        all.push(Ancestor { code: format!("{}/{concept}", System::RxNorm.name()), title: None });
    }
    let classes = tables.classes(coded.system, &coded.code);
    let above = classes.iter().flat_map(|class| System::Atc.ancestors(class));
    for class in classes.iter().cloned().chain(above) {
        let code = format!("{}/{class}", System::Atc.name());
        if all.iter().all(|known| known.code != code) {
            let title = tables.title(System::Atc, &class).map(str::to_owned);
            all.push(Ancestor { code, title });
        }
    }
}

/// The nearest ancestor of a MEDS code that is known, or the code itself; and how many steps up it is. What is written
/// with a dot is found without, and the other way round.
///
/// ```
/// use ehr::codes::hierarchy::back_off;
/// let known = ["DIAGNOSIS//ICD9CM//250", "DIAGNOSIS//ICD9CM//25000"];
/// let found = back_off("DIAGNOSIS//ICD9CM//250.13", &|code| known.contains(&code));
/// assert_eq!(found, Some(("DIAGNOSIS//ICD9CM//250".to_owned(), 2)));
/// assert_eq!(back_off("LAB//50852//%", &|code| known.contains(&code)), None);
/// ```
pub fn back_off(code: &str, known: &dyn Fn(&str) -> bool) -> Option<(String, usize)> {
    if known(code) {
        return Some((code.to_owned(), 0));
    }
    let coded = Coded::parse(code)?;
    let dotted = |own: &str| match coded.system {
        System::Icd9Cm => icd9::dotted(own),
        System::Icd10Cm => super::icd10::dotted(own),
        _ => own.to_owned(),
    };
    let own = std::iter::once(coded.code.clone()).chain(coded.system.ancestors(&coded.code));
    own.enumerate().find_map(|(steps, own)| {
        let spellings = [format!("{}{own}", coded.prefix), format!("{}{}", coded.prefix, dotted(&own))];
        spellings.into_iter().find(|code| known(code)).map(|code| (code, steps))
    })
}

/// Gives every code of the book that names a system its title and ancestors, and diagnoses their category of CCS or
/// CCSR (`CCS/49`, `CCSR/END002`), as far as the tables say. Returns how many codes were found in a system.
pub fn describe(codebook: &mut Codebook, tables: &CodeTables) -> usize {
    let mut found = Vec::new();
    for (id, name) in codebook.iter() {
        let Some(coded) = Coded::parse(name) else { continue };
        let mut parents: Vec<String> = ancestors(tables, name).into_iter().map(|ancestor| ancestor.code).collect();
        parents.extend(group(tables, coded.system, &coded.code));
        let title = tables.title(coded.system, &coded.code).map(str::to_owned);
        found.push((id, title, parents));
    }
    for (id, title, parents) in &found {
        // what the source says about a code stays
        let title = title.as_deref().filter(|_| codebook.description(*id).is_none());
        codebook.describe(*id, title, parents);
    }
    found.len()
}

/// The category of CCS or CCSR of a diagnosis in normal form, such as `CCS/49`.
pub fn group(tables: &CodeTables, system: System, code: &str) -> Option<String> {
    match system {
        System::Icd9Cm => tables.ccs.as_ref()?.category(code).map(|category| format!("CCS/{category}")),
        System::Icd10Cm => tables.ccsr.as_ref()?.category(code).map(|category| format!("CCSR/{category}")),
        _ => None,
    }
}

/// As [`group`]; of a code that is not in the table the category of most codes that begin with it.
pub fn group_of_most(tables: &CodeTables, system: System, code: &str) -> Option<String> {
    match system {
        System::Icd9Cm => tables.ccs.as_ref()?.category_of_most(code).map(|category| format!("CCS/{category}")),
        System::Icd10Cm => tables.ccsr.as_ref()?.category_of_most(code).map(|category| format!("CCSR/{category}")),
        _ => None,
    }
}
