//! Codes from the command line: a package of a drug to its classes by files in the form of `RxNorm`'s release, and what
//! stands above the codes of a data set.

use crate::command::{folder_with, galen_ehr_in};
use ehr::codebook::Codebook;
use ehr::events::EventsBuilder;
use ehr::io::meds::{self, Metadata};
use ehr::time::Time;
use serde_json::Value;
use std::fs;
use std::path::Path;

const CCS: &str = "Appendix A\n\n49   Diabetes mellitus without complication\n     25000 25002\n";

/// Metformin, its component and a tablet of it.
const RELEASE: [(&str, &str); 3] = [
    (
        "RXNCONSO.RRF",
        "6809|ENG||||||1|||A10BA02|ATC|IN|A10BA02|metformin||N||\n\
         861007|ENG||||||2|||861007|RXNORM|SCD|861007|metformin hydrochloride 500 MG Oral Tablet||N||\n",
    ),
    (
        "RXNREL.RRF",
        "6809||CUI|RO|316255||CUI|has_ingredient|1||RXNORM|||||4096|\n\
         316255||CUI|RO|861007||CUI|consists_of|2||RXNORM|||||4096|\n",
    ),
    ("RXNSAT.RRF", "861007|||3|AUI|861007|||NDC|RXNORM|00093104801|N|4096|\n"),
];

/// A folder with tables of diagnoses in `maps` and of drugs in `drugs`.
fn tables() -> tempfile::TempDir {
    let folder = folder_with(&[]);
    for (place, files) in [("maps", &[("CCS-SingleDiagnosisGrouper.txt", CCS)][..]), ("drugs", &RELEASE[..])] {
        fs::create_dir(folder.path().join(place)).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(place).join(name), text).unwrap();
        }
    }
    folder
}

#[test]
fn a_package_leads_to_its_classes() {
    let folder = tables();
    let words = ["codes", "0093-1048-01", "RxNorm/861007", "A10BA02", "25000", "--maps", "maps", "--drugs", "drugs"];
    let told = galen_ehr_in(folder.path(), &[&words[..], &["--json"]].concat()).ends_with(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    let found = told.as_array().unwrap();
    assert_eq!(found.len(), 4, "{told}");
    assert_eq!(found[0]["rxnorm"]["package"], "861007");
    for drug in &found[..2] {
        assert_eq!(drug["atc"], serde_json::json!(["A10BA02"]), "{drug}");
    }
    assert_eq!(found[2]["title"], "metformin");
    assert_eq!(found[3]["ccs"][0], 49);
    let shown = galen_ehr_in(folder.path(), &words).ends_with(0).stdout;
    for text in ["ATC/A10BA02 metformin", "ATC/A Alimentary tract and metabolism", "49 Diabetes mellitus"] {
        assert!(shown.contains(text), "{text} is missing in:\n{shown}");
    }
    galen_ehr_in(folder.path(), &["codes", "nonsense", "--maps", "maps", "--drugs", "drugs"])
        .ends_with(1)
        .says("no table knows nonsense");
}

fn write_set(root: &Path) {
    let mut rows = EventsBuilder::new();
    for (subject, code) in [(1, "DIAGNOSIS//ICD9CM//25002"), (1, "MEDICATION//NDC//00093104801//START"), (2, "LAB//X")]
    {
        rows.push(subject, Time::parse("2130-04-01"), code, None, None);
    }
    fs::create_dir_all(root).unwrap();
    meds::write(root, &rows.finish().unwrap(), None, &Metadata::default()).unwrap();
}

#[test]
fn what_stands_above_codes_goes_into_the_set() {
    let folder = tables();
    let path = folder.path();
    write_set(&path.join("set"));
    let words = ["prepare", "--data", "set", "--out", "made", "--maps", "maps", "--drugs", "drugs"];
    galen_ehr_in(path, &words).ends_with(0).says("2 of 3 codes are of a coding system");
    let mut book = Codebook::new();
    assert!(meds::read_codes(&path.join("made/metadata/codes.parquet"), &mut book).unwrap().is_empty());
    let above = |code: &str| book.parents(book.get(code).unwrap());
    assert!(above("DIAGNOSIS//ICD9CM//25002").contains(&"CCS/49".to_owned()));
    assert!(above("MEDICATION//NDC//00093104801//START").contains(&"ATC/A10BA".to_owned()));
    assert!(above("LAB//X").is_empty());
    // The set is read with them, and without tables it is as it was.
    assert_eq!(meds::read(&path.join("made")).unwrap().events.rows(), 3);
    galen_ehr_in(path, &["prepare", "--data", "set", "--out", "plain", "--drugs", "drugs"]).ends_with(2).says("--maps");
}
