//! From a package to its classes by the files of `RxNorm`'s release, and by tables of one's own. The rows have the form of
//! the release, of metformin alone and with glipizide.

use std::fs;
use std::path::Path;

use super::super::hierarchy::{ancestors, describe};
use super::super::{CodeTables, CodesError};
use super::*;
use crate::codebook::Codebook;

/// Concept, source, kind, code, name, and whether it is out of use.
const CONCEPTS: [[&str; 6]; 6] = [
    ["6809", "ATC", "IN", "A10BA02", "metformin", "N"],
    ["6809", "RXNORM", "IN", "6809", "metformin", "N"],
    ["4821", "ATC", "IN", "A10BB07", "glipizide", "N"],
    ["4821", "ATC", "IN", "V99ZZ99", "glipizide", "O"],
    ["861007", "RXNORM", "SCD", "861007", "metformin hydrochloride 500 MG Oral Tablet", "N"],
    ["99", "ATC", "RXN_IN", "no code", "something", "N"],
];

/// What consists of what, in the release's order: the second concept has the relation to the first.
const RELATIONS: [[&str; 3]; 9] = [
    ["6809", "316255", "has_ingredient"],
    ["316255", "6809", "ingredient_of"],
    ["316255", "861007", "consists_of"],
    ["861007", "861008", "tradename_of"],
    ["4821", "315989", "has_ingredient"],
    ["315989", "861731", "consists_of"],
    ["316255", "861731", "consists_of"],
    ["1", "2", "consists_of"],
    ["2", "1", "consists_of"],
];

fn concepts() -> String {
    let row = |[concept, source, kind, code, name, suppressed]: [&str; 6]| {
        format!("{concept}|ENG||||||1|||{code}|{source}|{kind}|{code}|{name}||{suppressed}||\n")
    };
    CONCEPTS.map(row).concat()
}

fn relations() -> String {
    let row = |[first, second, relation]: [&str; 3]| {
        format!("{first}||CUI|RO|{second}||CUI|{relation}|9||RXNORM|||||4096|\n")
    };
    RELATIONS.map(row).concat()
}

fn packages() -> String {
    let row = |[concept, attribute, source, value, suppressed]: [&str; 5]| {
        format!("{concept}|||3|AUI|{concept}|||{attribute}|{source}|{value}|{suppressed}|4096|\n")
    };
    [
        ["861007", "NDC", "RXNORM", "00093104801", "N"],
        ["861007", "NDC", "VANDF", "000093104801", "N"],
        ["861731", "NDC", "RXNORM", "00093745501", "N"],
        ["861731", "NDC", "RXNORM", "00093745599", "O"],
        ["861731", "RXN_AVAILABLE_STRENGTH", "RXNORM", "2.5 MG / 250 MG", "N"],
    ]
    .map(row)
    .concat()
}

fn release(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (name, text) in [("RXNCONSO.RRF", concepts()), ("RXNREL.RRF", relations()), ("RXNSAT.RRF", packages())] {
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn a_drug_has_the_classes_of_its_ingredients() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let table = AtcTable::load(&folder.path().join("RXNCONSO.RRF")).unwrap();
    assert_eq!((table.len(), table.name("A10BA02"), table.name("V99ZZ99")), (2, Some("metformin"), None));
    let cases: [(&str, &[&str]); 7] = [
        ("6809", &["A10BA02"]),
        // component, tablet, brand
        ("316255", &["A10BA02"]),
        ("861007", &["A10BA02"]),
        ("861008", &["A10BA02"]),
        // two ingredients, in the order of the table
        ("861731", &["A10BB07", "A10BA02"]),
        // a circle ends, and what is not there has none
        ("1", &[]),
        ("77", &[]),
    ];
    for (concept, codes) in cases {
        assert_eq!(table.get(concept), codes, "{concept}");
    }
    // Without relations, ingredients alone are known.
    fs::remove_file(folder.path().join("RXNREL.RRF")).unwrap();
    let table = AtcTable::load(&folder.path().join("RXNCONSO.RRF")).unwrap();
    assert_eq!((table.get("6809").len(), table.get("861007").len()), (1, 0));
}

#[test]
fn a_package_leads_to_its_classes_in_reports_and_in_books() {
    let folder = tempfile::tempdir().unwrap();
    // as it is unpacked
    release(&folder.path().join("rrf"));
    let tables = CodeTables::load(folder.path()).unwrap();
    let ndc = tables.ndc.as_ref().unwrap();
    // what is out of use or of another source is not there
    assert_eq!((ndc.len(), ndc.mapped(), ndc.skipped()), (2, 2, 0));
    let report = tables.report(System::Ndc, "0093-1048-01").unwrap();
    assert_eq!(report.rxnorm, Some(NdcMatch::Package("861007".to_owned())));
    assert_eq!(report.atc, ["A10BA02"]);
    assert_eq!(tables.report(System::RxNorm, "861731").unwrap().atc, ["A10BB07", "A10BA02"]);
    let own = tables.report(System::Atc, "a10ba02").unwrap();
    assert_eq!(own.title.as_deref(), Some("metformin"));
    assert_eq!(own.ancestors.last().unwrap().1.as_deref(), Some("Alimentary tract and metabolism"));
    let code = "MEDICATION//NDC//00093104801//START";
    let above: Vec<String> = ancestors(&tables, code).into_iter().map(|ancestor| ancestor.code).collect();
    let expected = [
        "MEDICATION//NDC//000931048",
        "MEDICATION//NDC//00093",
        "RxNorm/861007",
        "ATC/A10BA02",
        "ATC/A10BA",
        "ATC/A10B",
        "ATC/A10",
        "ATC/A",
    ];
    assert_eq!(above, expected);
    let mut book = Codebook::new();
    let id = book.intern(code);
    assert_eq!((describe(&mut book, &tables), book.parents(id)), (1, &expected.map(str::to_owned)[..]));
}

#[test]
fn tables_of_ones_own_have_two_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ndc2rxnorm.csv");
    fs::write(&path, "NDC,RXCUI\n\"0093-1048-01\",861007\n00093745501,\n12,3\n").unwrap();
    fs::write(folder.path().join("rxnorm2atc.csv"), "861007,A10BA02\n").unwrap();
    let table = NdcTable::load(&path).unwrap();
    assert_eq!((table.len(), table.mapped(), table.skipped()), (2, 1, 1));
    let mut tables = CodeTables::default();
    tables.add_drugs(folder.path()).unwrap();
    assert_eq!(tables.classes(System::Ndc, "00093104801"), ["A10BA02"]);
    assert!(tables.classes(System::Ndc, "00093745501").is_empty());
    assert!(tables.classes(System::Icd9Cm, "25000").is_empty());
    fs::write(&path, "0093-1048-01 861007\n").unwrap();
    let error = NdcTable::load(&path).unwrap_err().to_string();
    assert!(error.contains("line 1: an NDC and a concept"), "{error}");
}

#[test]
fn damaged_releases_are_errors_with_a_line_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| -> Result<usize, CodesError> {
        let path = folder.path().join(name);
        if name == "RXNSAT.RRF" {
            NdcTable::load(&path).map(|table| table.len())
        } else {
            AtcTable::load(&path).map(|table| table.len())
        }
    };
    for (name, whole) in [("RXNCONSO.RRF", concepts()), ("RXNSAT.RRF", packages())] {
        let path = folder.path().join(name);
        let cut = whole.replacen("RXNORM|", "RXNORM", 1);
        fs::write(&path, &cut).unwrap();
        let error = read(name).unwrap_err().to_string();
        assert!(error.contains("fields where") && error.contains("line "), "{error}");
        for length in 0..whole.len() {
            fs::write(&path, &whole.as_bytes()[..length]).unwrap();
            let _ = read(name);
            let mut bytes = whole.clone().into_bytes();
            bytes[length] ^= 1 << (length % 8);
            fs::write(&path, bytes).unwrap();
            let _ = read(name);
        }
        fs::write(&path, "").unwrap();
        assert!(read(name).unwrap_err().to_string().contains("has no codes"));
    }
    release(folder.path());
    fs::write(folder.path().join("RXNREL.RRF"), "1|2\n").unwrap();
    let error = read("RXNCONSO.RRF").unwrap_err().to_string();
    assert!(error.contains("RXNREL.RRF, line 1: 1 fields where 16 are due"), "{error}");
}
