//! All tables of a folder together, and what they say about one code.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ccs::{Ccs, Ccsr, Chronic};
use super::drug::{ATC_GROUPS, AtcTable, Ndc, NdcMatch, NdcTable};
use super::gem::{Gem, Translation};
use super::icd9::Titles;
use super::icd10::Ranges;
use super::{CodeError, CodesError, System, hierarchy, icd9, icd10, read};

/// Names of the files that are looked for, plain or with `.gz`.
const FILES: [&str; 9] = [
    "icd9toicd10cmgem.csv",
    "icd10cmtoicd9gem.csv",
    "CCS-SingleDiagnosisGrouper.txt",
    "dx_cat1_mapping.json",
    "cci2015.csv",
    "icd10cmblocks.json",
    "icd10cmchapters.json",
    "CMS32_DESC_LONG_DX.txt",
    "CMS32_DESC_LONG_SG.txt",
];

/// Tables of packages and of classes, of which the first that is there is read: a table of one's own before `RxNorm`'s
/// release.
const PACKAGES: [&str; 3] = ["ndc2rxnorm.csv", "ndc2rxnorm_mapping.txt", "RXNSAT.RRF"];
const CLASSES: [&str; 2] = ["rxnorm2atc.csv", "RXNCONSO.RRF"];

/// Folders within the given one that are looked into as well: the layout of the published sets.
const WITHIN: [&str; 6] = [
    "icd_maps",
    "icd_maps/ICD10_CM_CCSR",
    "icd_maps/ICD_9_CM_v32_master_descriptions",
    "drug_maps",
    "drug_maps/rrf",
    "rrf",
];

/// What was found of the public tables.
#[derive(Debug, Clone, Default)]
pub struct CodeTables {
    /// ICD-9-CM to ICD-10-CM.
    pub icd9_to_icd10: Option<Gem>,
    /// ICD-10-CM to ICD-9-CM.
    pub icd10_to_icd9: Option<Gem>,
    /// Categories of ICD-9-CM.
    pub ccs: Option<Ccs>,
    /// Categories of ICD-10-CM.
    pub ccsr: Option<Ccsr>,
    /// Chronic conditions of ICD-9-CM.
    pub chronic: Option<Chronic>,
    /// Blocks of ICD-10-CM.
    pub icd10_blocks: Option<Ranges>,
    /// Chapters of ICD-10-CM.
    pub icd10_chapters: Option<Ranges>,
    /// Titles of diagnoses of ICD-9-CM.
    pub diagnoses: Option<Titles>,
    /// Titles of procedures of ICD-9-CM.
    pub procedures: Option<Titles>,
    /// NDC to `RxNorm`.
    pub ndc: Option<NdcTable>,
    /// `RxNorm` to ATC.
    pub atc: Option<AtcTable>,
}

/// What the tables say about a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeReport {
    /// The system.
    pub system: System,
    /// The code in normal form.
    pub code: String,
    /// The code as it is printed.
    pub printed: String,
    /// What it is called.
    pub title: Option<String>,
    /// The codes, blocks and chapters above it, nearest first, with their titles.
    pub ancestors: Vec<(String, Option<String>)>,
    /// Number and name of its category of CCS.
    pub ccs: Option<(u16, String)>,
    /// Its category of CCSR.
    pub ccsr: Option<String>,
    /// Whether it stands for a chronic condition.
    pub chronic: Option<bool>,
    /// The other revision of ICD.
    pub translation: Option<Translation>,
    /// Its concept of `RxNorm`.
    pub rxnorm: Option<NdcMatch>,
    /// Its codes of ATC.
    pub atc: Vec<String>,
}

impl CodeTables {
    /// Reads every table that is in the folder, or where the published sets have it within: `icd_maps` and `drug_maps`
    /// with their folders. What is absent stays empty.
    ///
    /// # Errors
    /// [`CodesError`] for a table that is there and cannot be read, [`CodesError::Nothing`] if none is.
    pub fn load(folder: &Path) -> Result<Self, CodesError> {
        let folders = within(folder);
        let found = FILES.map(|name| read::find(&folders, name));
        let [ndc, atc] = drugs(&folders);
        if found.iter().chain([&ndc, &atc]).all(Option::is_none) {
            let wanted = FILES.iter().chain(&PACKAGES).chain(&CLASSES).copied().collect::<Vec<_>>().join(", ");
            return Err(CodesError::Nothing { folder: folder.to_path_buf(), wanted });
        }
        let [forwards, backwards, ccs, ccsr, chronic, blocks, chapters, diagnoses, procedures] = found;
        Ok(Self {
            icd9_to_icd10: forwards.map(|path| Gem::load(&path, System::Icd9Cm)).transpose()?,
            icd10_to_icd9: backwards.map(|path| Gem::load(&path, System::Icd10Cm)).transpose()?,
            ccs: ccs.map(|path| Ccs::load(&path)).transpose()?,
            ccsr: ccsr.map(|path| Ccsr::load(&path)).transpose()?,
            chronic: chronic.map(|path| Chronic::load(&path)).transpose()?,
            icd10_blocks: blocks.map(|path| Ranges::load(&path)).transpose()?,
            icd10_chapters: chapters.map(|path| Ranges::load(&path)).transpose()?,
            diagnoses: diagnoses.map(|path| Titles::load(&path, System::Icd9Cm)).transpose()?,
            procedures: procedures.map(|path| Titles::load(&path, System::Icd9Procedure)).transpose()?,
            ndc: ndc.map(|path| NdcTable::load(&path)).transpose()?,
            atc: atc.map(|path| AtcTable::load(&path)).transpose()?,
        })
    }

    /// Reads the tables of drugs that are in a folder, of those that are not known yet.
    ///
    /// # Errors
    /// [`CodesError`] for a table that is there and cannot be read.
    pub fn add_drugs(&mut self, folder: &Path) -> Result<(), CodesError> {
        let [ndc, atc] = drugs(&within(folder));
        if let Some(path) = ndc.filter(|_| self.ndc.is_none()) {
            self.ndc = Some(NdcTable::load(&path)?);
        }
        if let Some(path) = atc.filter(|_| self.atc.is_none()) {
            self.atc = Some(AtcTable::load(&path)?);
        }
        Ok(())
    }

    /// What a code in normal form is called.
    pub fn title(&self, system: System, code: &str) -> Option<&str> {
        match system {
            System::Icd9Cm => self.diagnoses.as_ref()?.get(code),
            System::Icd9Procedure => self.procedures.as_ref()?.get(code),
            System::Atc => {
                let own = self.atc.as_ref().and_then(|table| table.name(code));
                own.or_else(|| ATC_GROUPS.iter().find(|(group, _)| *group == code).map(|(_, name)| *name))
            }
            _ => None,
        }
    }

    /// Codes of ATC of a drug, by its package or its concept of `RxNorm` in normal form; none of another system.
    pub fn classes(&self, system: System, code: &str) -> Vec<String> {
        let package = self.ndc.as_ref().filter(|_| system == System::Ndc).map(|table| table.find(code));
        let concept = match system {
            System::RxNorm => Some(code),
            _ => package.as_ref().and_then(NdcMatch::rxcui),
        };
        self.atc.as_ref().zip(concept).map_or_else(Vec::new, |(table, concept)| table.get(concept))
    }

    /// The general equivalence mappings from a system.
    ///
    /// # Errors
    /// [`CodesError::Absent`] if they were not in the folder; there are none from other systems than the two of ICD.
    pub fn gem(&self, from: System) -> Result<&Gem, CodesError> {
        let (gem, file) = match from {
            System::Icd10Cm => (&self.icd10_to_icd9, "icd10cmtoicd9gem.csv"),
            _ => (&self.icd9_to_icd10, "icd9toicd10cmgem.csv"),
        };
        let absent = CodesError::Absent { what: "general equivalence mapping", file };
        gem.as_ref().filter(|gem| gem.direction().0 == from).ok_or(absent)
    }

    /// All that the tables say about a code, whichever way it is written.
    ///
    /// # Errors
    /// [`CodeError`] for a text that has not the form of a code. An NDC that may be several codes is no error: it is
    /// reported as given.
    pub fn report(&self, system: System, text: &str) -> Result<CodeReport, CodeError> {
        let code = match system.normal(text) {
            Err(_) if system == System::Ndc && !Ndc::candidates(text).is_empty() => text.trim().to_owned(),
            normal => normal?,
        };
        let printed = match system {
            System::Icd9Cm => icd9::dotted(&code),
            System::Icd10Cm => icd10::dotted(&code),
            System::Ndc => Ndc::parse(&code).map_or_else(|_| code.clone(), |ndc| ndc.to_string()),
            _ => code.clone(),
        };
        let meds = format!("{}//{code}", system.name());
        let ancestors = hierarchy::ancestors(self, &meds);
        let ccs = self.ccs.as_ref().filter(|_| system == System::Icd9Cm);
        let ccs = ccs.and_then(|ccs| {
            let category = ccs.category(&code)?;
            Some((category, ccs.name(category).unwrap_or("").to_owned()))
        });
        let ccsr = self.ccsr.as_ref().filter(|_| system == System::Icd10Cm);
        let gem = self.gem(system).ok();
        let ndc = self.ndc.as_ref().filter(|_| system == System::Ndc).map(|table| table.find(&code));
        let atc = self.classes(system, &code);
        Ok(CodeReport {
            system,
            printed,
            title: self.title(system, &code).map(str::to_owned),
            ancestors: ancestors.into_iter().map(|ancestor| (ancestor.code, ancestor.title)).collect(),
            ccs,
            ccsr: ccsr.and_then(|ccsr| ccsr.category(&code)).map(str::to_owned),
            chronic: self
                .chronic
                .as_ref()
                .filter(|_| system == System::Icd9Cm)
                .and_then(|table| table.is_chronic(&code)),
            translation: gem.map(|gem| gem.translate_or_back_off(&code)),
            rxnorm: ndc,
            atc,
            code,
        })
    }
}

/// A folder, and those that published sets have within it.
fn within(folder: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    folders.extend(WITHIN.iter().map(|within| folder.join(within)));
    // the folder may be one of those within
    folders.extend(WITHIN.iter().filter_map(|within| Some(folder.join(within.strip_prefix("icd_maps/")?))));
    folders
}

/// The tables of packages and of classes in some folders.
fn drugs(folders: &[PathBuf]) -> [Option<PathBuf>; 2] {
    let first = |names: &[&str]| names.iter().find_map(|name| read::find(folders, name));
    [first(&PACKAGES), first(&CLASSES)]
}
