//! The layout of records, told by what is there.

use crate::cli::Format;
use std::collections::BTreeSet;
use std::path::Path;

/// How deep folders are looked into.
const DEPTH: usize = 3;

/// The layout of what is at `path`; none where it cannot be told.
pub(super) fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if path.is_file() {
        return of_file(&name);
    }
    let mut tables = BTreeSet::new();
    collect(path, DEPTH, &mut tables);
    let has = |names: &[&str]| names.iter().all(|name| tables.contains(*name));
    if path.join("data").is_dir() && path.join("metadata").is_dir() {
        return Some(Format::Meds);
    }
    let told = [
        (Format::Omop, ["person", "visit_occurrence"]),
        (Format::Eicu, ["patient", "hospital"]),
        // MIMIC-IV came after the bedside systems of MIMIC-III were told apart.
        (Format::Mimic3, ["admissions", "inputevents_mv"]),
        (Format::Mimic3, ["admissions", "cptevents"]),
        (Format::Mimic4, ["admissions", "patients"]),
        (Format::P12, ["set-a", "outcomes-a"]),
        (Format::P12, ["set-b", "outcomes-b"]),
    ];
    if let Some((format, _)) = told.iter().find(|(_, names)| has(names)) {
        return Some(*format);
    }
    if tables.contains("diabetic_data") {
        return Some(Format::Diabetes130);
    }
    let ending = |wanted: &str| endings(path, DEPTH).contains(wanted);
    if ending("json") || ending("ndjson") {
        return Some(Format::Fhir);
    }
    ["train", "held_out"].iter().all(|part| path.join(part).is_dir()).then_some(Format::Meds)
}

fn of_file(name: &str) -> Option<Format> {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    if plain.starts_with("diabetic_data") {
        return Some(Format::Diabetes130);
    }
    let fhir = [".json", ".ndjson", ".jsonl", ".tgz", ".tar"].iter().any(|ending| plain.ends_with(ending));
    fhir.then_some(Format::Fhir).or_else(|| plain.ends_with(".parquet").then_some(Format::Meds))
}

/// Names of files without their endings, in small letters.
fn collect(folder: &Path, depth: usize, names: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            names.insert(name);
            if depth > 1 {
                collect(&path, depth - 1, names);
            }
        } else if let Some(stem) = name.split('.').next() {
            names.insert(stem.to_owned());
        }
    }
}

/// Endings of files, `.gz` apart.
fn endings(folder: &Path, depth: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && depth > 1 {
            found.extend(endings(&path, depth - 1));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        found.extend(plain.rsplit_once('.').map(|(_, ending)| ending.to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(files: &[&str]) -> Option<Format> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        format_of(folder.path())
    }

    #[test]
    fn a_layout_is_told_by_its_tables() {
        let cases: [(&[&str], Option<Format>); 9] = [
            (&["data/0.parquet", "metadata/codes.parquet"], Some(Format::Meds)),
            (&["ADMISSIONS.csv.gz", "PATIENTS.csv.gz", "CPTEVENTS.csv.gz"], Some(Format::Mimic3)),
            (&["hosp/admissions.csv.gz", "hosp/patients.csv.gz"], Some(Format::Mimic4)),
            (&["patient.parquet", "hospital.parquet"], Some(Format::Eicu)),
            (&["person.csv", "visit_occurrence.csv"], Some(Format::Omop)),
            (&["set-a.parquet", "Outcomes-a.txt"], Some(Format::P12)),
            (&["a.json", "b.json"], Some(Format::Fhir)),
            (&["diabetic_data.csv.gz"], Some(Format::Diabetes130)),
            (&["readme.txt"], None),
        ];
        for (files, format) in cases {
            assert_eq!(told(files), format, "{files:?}");
        }
        assert_eq!(of_file("r4_100_bundles.tar.gz"), Some(Format::Fhir));
    }
}
