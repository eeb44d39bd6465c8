//! Codes, their forms and their hierarchy.

use std::fs;
use std::path::{Path, PathBuf};

use super::ccs::{Ccs, Ccsr, Chronic};
use super::drug::{AtcTable, Ndc, NdcMatch, NdcTable, atc};
use super::gem::{Flags, Gem, Kind};
use super::hierarchy::{ancestors, back_off, describe};
use super::icd9::Titles;
use super::icd10::Ranges;
use super::*;
use crate::codebook::Codebook;

const GEM: &str =
    "\"icd9cm\",\"icd10cm\",\"flags\",\"approximate\",\"no_map\",\"combination\",\"scenario\",\"choice_list\"
\"0010\",\"A000\",\"00000\",0,0,0,0,0
\"25000\",\"E119\",\"10000\",1,0,0,0,0
\"9052\",\"S42209S\",\"10000\",1,0,0,0,0
\"9052\",\"S42309S\",\"10000\",1,0,0,0,0
\"11501\",\"B394\",\"10111\",1,0,1,1,1
\"11501\",\"G02\",\"10112\",1,0,1,1,2
\"36570\",\"NoDx\",\"11000\",1,1,0,0,0
";

const CCS: &str = "Appendix A - Clinical Classification Software-DIAGNOSES

Revised 03/24/2016

49   Diabetes mellitus without complication
     25000 25001 7902 V4585

135  Intestinal infection
     0010 0010
";

/// A file with that content, in a folder that lives as long as the test.
fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn diagnoses_have_one_form() {
    for (text, normal, dotted) in [
        ("250.00", "25000", "250.00"),
        ("25000", "25000", "250.00"),
        (" v45.81 ", "V4581", "V45.81"),
        ("E850.0", "E8500", "E850.0"),
        ("0010", "0010", "001.0"),
        ("1.0", "0010", "001.0"),
        ("V1", "", ""),
        ("250", "250", "250"),
        ("10", "", ""),
        ("250000", "", ""),
        ("E85000", "", ""),
        ("2500.0", "", ""),
        ("25o00", "", ""),
        ("", "", ""),
        ("é50.0", "", ""),
    ] {
        let found = System::Icd9Cm.normal(text);
        assert_eq!(found.as_deref().unwrap_or(""), normal, "{text}");
        if !normal.is_empty() {
            assert_eq!(icd9::dotted(normal), dotted);
        }
    }
    for (text, normal) in [("e11.9", "E119"), ("S42.90XS", "S4290XS"), ("D3A.00", "D3A00"), ("E1.19", ""), ("11", "")] {
        assert_eq!(System::Icd10Cm.normal(text).as_deref().unwrap_or(""), normal, "{text}");
    }
    let error = System::Icd9Cm.normal("10").unwrap_err().to_string();
    assert_eq!(
        error,
        "\"10\" is no code of ICD9CM: it is too short; a table that was read as numbers loses leading zeros"
    );
}

#[test]
fn the_column_tells_a_diagnosis_from_a_procedure() {
    for (code, system, own, prefix) in [
        ("DIAGNOSIS//ICD9CM//25000", System::Icd9Cm, "25000", "DIAGNOSIS//ICD9CM//"),
        ("DIAGNOSIS//ICD//9//0010", System::Icd9Cm, "0010", "DIAGNOSIS//ICD//9//"),
        ("PROCEDURE//ICD//9//0010", System::Icd9Procedure, "0010", "PROCEDURE//ICD//9//"),
        ("PROCEDURE//ICD9CM//00.10", System::Icd9Procedure, "0010", "PROCEDURE//ICD9CM//"),
        ("PROCEDURE//ICD//10//02HV33Z", System::Icd10Pcs, "02HV33Z", "PROCEDURE//ICD//10//"),
        ("DIAGNOSIS//ICD//10//E119", System::Icd10Cm, "E119", "DIAGNOSIS//ICD//10//"),
        ("ICD10CM/E11.9", System::Icd10Cm, "E119", "ICD10CM/"),
        ("MEDICATION//NDC//0003-0293-05//START", System::Ndc, "00003029305", "MEDICATION//NDC//"),
        ("RxNorm//861004", System::RxNorm, "861004", "RxNorm//"),
        ("LOINC/4548-4", System::Loinc, "4548-4", "LOINC/"),
        ("SNOMED//44054006", System::Snomed, "44054006", "SNOMED//"),
    ] {
        let coded = Coded::parse(code).unwrap_or_else(|| panic!("{code}"));
        assert_eq!((coded.system, coded.code.as_str(), coded.prefix), (system, own, prefix), "{code}");
    }
    for code in
        ["LAB//50852//%", "DIAGNOSIS//ICD9CM", "DIAGNOSIS//ICD//11//5A11", "MEDICATION//NDC//0", "", "//", "ICD//9"]
    {
        assert_eq!(Coded::parse(code), None, "{code}");
    }
}

#[test]
fn codes_have_ancestors() {
    assert_eq!(System::Icd9Cm.ancestors("25000"), ["2500", "250"]);
    assert_eq!(System::Icd9Cm.ancestors("E8500"), ["E850"]);
    assert_eq!(System::Icd9Procedure.ancestors("0010"), ["001", "00"]);
    assert_eq!(System::Icd10Cm.ancestors("S4290XS"), ["S4290", "S429", "S42"]);
    assert_eq!(System::Icd10Cm.ancestors("T36XXXA"), ["T36"]);
    assert_eq!(System::Atc.ancestors("A10BA02"), ["A10BA", "A10B", "A10", "A"]);
    assert_eq!(System::Ndc.ancestors("00003029305"), ["000030293", "00003"]);
    assert!(System::RxNorm.ancestors("861004").is_empty());
    assert_eq!(icd9::chapter("25000").map(|(number, name, _)| (number, name)), Some((3, "240-279".to_owned())));
    assert_eq!(icd9::chapter("E8500").map(|chapter| chapter.0), Some(19));
    assert_eq!(icd9::chapter("V4581").map(|chapter| chapter.0), Some(18));
    assert!(icd9::chapter("000").is_none() && icd9::chapter("25").is_none());
}

#[test]
fn translations_say_what_they_are_worth() {
    let folder = tempfile::tempdir().unwrap();
    let gem = Gem::load(&file(folder.path(), "gem.csv", GEM.as_bytes()), System::Icd9Cm).unwrap();
    assert_eq!((gem.rows(), gem.sources(), gem.direction().1), (7, 5, System::Icd10Cm));
    let cases: [(&str, Kind, &[&str]); 7] = [
        ("001.0", Kind::Exact, &["A000"]),
        ("25000", Kind::Approximate, &["E119"]),
        ("9052", Kind::Choice, &["S42209S", "S42309S"]),
        ("11501", Kind::Combination, &["B394", "G02"]),
        ("36570", Kind::NoMap, &[]),
        ("2500", Kind::Unknown, &[]),
        ("nonsense", Kind::Unknown, &[]),
    ];
    for (source, kind, targets) in cases {
        let found = gem.translate(source);
        assert_eq!((found.kind, found.targets().as_slice()), (kind, targets), "{source}");
        assert_eq!(found.is_approximate(), matches!(kind, Kind::Approximate | Kind::Choice | Kind::Combination));
    }
    // a choice is one list of two, a combination two lists of one
    assert_eq!(gem.translate("9052").scenarios[0].choices.len(), 1);
    assert_eq!(gem.translate("11501").scenarios[0].choices, [["B394"], ["G02"]]);
    assert_eq!((gem.translate("9052").single(), gem.translate("25000").single()), (None, Some("E119")));
    let backed_off = gem.translate_or_back_off("00109");
    assert_eq!((backed_off.source.as_str(), backed_off.backed_off_to.as_deref()), ("00109", Some("0010")));
    assert_eq!(backed_off.single(), Some("A000"));
    // as CMS publishes it
    let plain =
        Gem::load(&file(folder.path(), "gem.txt", b"25000 E119    10000\n0010  A000    00000\n"), System::Icd9Cm);
    assert_eq!(plain.unwrap().translate("25000").kind, Kind::Approximate);
}

#[test]
fn mappings_that_contradict_themselves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (line, problem) in [
        ("25000,E119", "2 cells; a source, a target and five digits of flags are due"),
        ("25000,E119,1000", "\"1000\" are no flags; five digits such as 10112 are due"),
        ("25000,E119,10000,0,0,0,0,0", "the flags are 10000 but their columns say 00000"),
        ("25000,NoDx,10000", "the target is NoDx but the flags are 10000"),
        ("25000,E119,11000", "the target is E119 but the flags are 11000"),
        ("25000,E1,10000", "\"E1\" is no code of ICD10CM: three to seven places are due"),
    ] {
        let error =
            Gem::load(&file(folder.path(), "gem.csv", line.as_bytes()), System::Icd9Cm).unwrap_err().to_string();
        assert!(error.ends_with(&format!("gem.csv, line 1: {problem}")), "{error}");
    }
    assert!(Flags::parse("10100").is_none() && Flags::parse("00011").is_none() && Flags::parse("11111").is_none());
    assert!(
        Flags::parse("10112").is_some_and(|flags| flags.combination && flags.scenario == 1 && flags.choice_list == 2)
    );
}

#[test]
fn groups_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let ccs = Ccs::load(&file(folder.path(), "ccs.txt", CCS.as_bytes())).unwrap();
    assert_eq!((ccs.len(), ccs.category("25000"), ccs.category("0010")), (5, Some(49), Some(135)));
    assert_eq!(ccs.name(135), Some("Intestinal infection"));
    // 250.00 and 250.01 are in 49
    assert_eq!((ccs.category("250"), ccs.category_of_most("250"), ccs.category_of_most("251")), (None, Some(49), None));
    for (text, problem) in [
        ("     25000\n", "line 1: codes stand before the first category"),
        ("1 One\n  25000\n2 Two\n  25000\n", "line 4: 25000 is in category 1 and in 2"),
        ("1 One\n  25000\n1 Two\n", "line 3: category 1 is there twice"),
        ("1 One\n  25000\nNote\n", "line 3: neither a category nor an indented line of codes"),
        ("1\n  25000\n", "line 1: category 1 has no name"),
    ] {
        let error = Ccs::load(&file(folder.path(), "ccs.txt", text.as_bytes())).unwrap_err().to_string();
        assert!(error.ends_with(problem), "{error}");
    }
    let ccsr = Ccsr::load(&file(folder.path(), "ccsr.json", br#"{"E119": "END002"}"#)).unwrap();
    assert_eq!((ccsr.category("E119"), ccsr.len()), (Some("END002"), 1));
    assert!(Ccsr::load(&file(folder.path(), "ccsr.json", br#"{"E119": "END"}"#)).is_err());
    let table =
        b"'ICD-9-CM CODE','D','C','B'\n'0010 ',\"CHOLERA, D/T 'VIB'\",'0','1'\n'25000',\"DMII WO CMP\",'1','3'\n";
    let chronic = Chronic::load(&file(folder.path(), "cci.csv", table)).unwrap();
    assert_eq!((chronic.is_chronic("0010"), chronic.is_chronic("25000")), (Some(false), Some(true)));
    assert_eq!((chronic.body_system("25000"), chronic.is_chronic("2500")), (Some(3), None));
}

#[test]
fn packages_have_eleven_digits() {
    for (text, digits) in [
        ("00003029305", "00003029305"),
        ("0003-0293-05", "00003029305"),
        ("50242-040-62", "50242004062"),
        ("60575-4112-1", "60575411201"),
        ("60575-4112-01", "60575411201"),
    ] {
        assert_eq!(Ndc::parse(text).unwrap().digits(), digits, "{text}");
    }
    for text in ["0", "00000000000", "0003029305", "123456789012", "12-34-56", "a", "", "0003-0293-05-1"] {
        assert!(Ndc::parse(text).is_err(), "{text}");
    }
    let three: Vec<String> = Ndc::candidates("0003029305").iter().map(ToString::to_string).collect();
    assert_eq!(three, ["00003-0293-05", "00030-0293-05", "00030-2930-05"]);
    assert_eq!(Ndc::candidates("3029305").len(), 0);
    assert_eq!(Ndc::candidates("03029305")[0].digits(), "00003029305");
}

#[test]
fn drugs_lead_from_package_to_class() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"{'00003029305': u'1085637', '00003029306': u'1085637', 'idx': 4203, '50242004062': u''}";
    let table = NdcTable::load(&file(folder.path(), "ndc2rxnorm_mapping.txt", text)).unwrap();
    assert_eq!((table.len(), table.mapped(), table.skipped()), (3, 2, 1));
    assert_eq!(table.find("0003-0293-05"), NdcMatch::Package("1085637".to_owned()));
    // ten digits, of which one reading is there
    assert_eq!(table.find("0003029305").rxcui(), Some("1085637"));
    assert_eq!(table.find("00003029399"), NdcMatch::Product("1085637".to_owned()));
    assert_eq!(table.find("50242-040-62"), NdcMatch::Unmapped);
    assert_eq!((table.find("0"), table.find("99999999999")), (NdcMatch::Unknown, NdcMatch::Unknown));
    for text in ["", "{", "{'a': }", "{'00003029305': u'1', ", "{'00003029305' u'1'}", "['a']", "{'a': {'b': 1}}"] {
        assert!(NdcTable::load(&file(folder.path(), "ndc2rxnorm_mapping.txt", text.as_bytes())).is_err(), "{text}");
    }
    let classes = b"RXCUI,ATC4\n1085637,H02AB08\n1085637,D07AB09\n";
    file(folder.path(), "rxnorm2atc.csv", classes);
    assert_eq!(AtcTable::load(&folder.path().join("rxnorm2atc.csv")).unwrap().get("1085637"), ["H02AB08", "D07AB09"]);
    file(folder.path(), "ndc2rxnorm_mapping.txt", b"{'00003029305': '1085637'}");
    let report = CodeTables::load(folder.path()).unwrap().report(System::Ndc, "0003-0293-05").unwrap();
    assert_eq!(
        (report.printed.as_str(), report.atc),
        ("00003-0293-05", vec!["H02AB08".to_owned(), "D07AB09".to_owned()])
    );
    assert_eq!(atc("a10ba02").unwrap(), "A10BA02");
    assert!(atc("A1").is_err() && atc("E10").is_err() && atc("A10BAO2").is_err());
}

#[test]
fn ranges_with_letters_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let text = br#"{"D10-D36": "benign", "D37-D48": "uncertain", "D3A-D3A.8": "neuroendocrine", "O94-O9A": "other"}"#;
    let blocks = Ranges::load(&file(folder.path(), "icd10cmblocks.json", text)).unwrap();
    for (code, name) in [("D3A00", "D3A-D3A.8"), ("D36", "D10-D36"), ("D40", "D37-D48"), ("O9A111", "O94-O9A")] {
        assert_eq!(blocks.get(code).map(|range| range.name.as_str()), Some(name), "{code}");
    }
    assert!(blocks.get("A00").is_none() && blocks.get("D").is_none());
}

#[test]
fn unknown_codes_back_off_and_books_are_described() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "CCS-SingleDiagnosisGrouper.txt", CCS.as_bytes());
    file(folder.path(), "CMS32_DESC_LONG_DX.txt", b"25000 Diabetes mellitus without mention of M\xe9ni\xe8re\n");
    let tables = CodeTables::load(folder.path()).unwrap();
    let mut book = Codebook::new();
    let diabetes = book.intern("DIAGNOSIS//ICD9CM//25000");
    let own = book.intern("DIAGNOSIS//ICD9CM//7902");
    book.describe(own, Some("the hospital's own words"), &[]);
    book.intern("LAB//50852//%");
    assert_eq!(describe(&mut book, &tables), 2);
    assert_eq!(book.description(diabetes), Some("Diabetes mellitus without mention of Ménière"));
    assert_eq!(
        book.parents(diabetes),
        ["DIAGNOSIS//ICD9CM//2500", "DIAGNOSIS//ICD9CM//250", "ICD9CM/240-279", "CCS/49"]
    );
    assert_eq!(book.description(own), Some("the hospital's own words"));
    assert!(ancestors(&tables, "LAB//50852//%").is_empty());
    let known = |code: &str| code == "X//ICD9CM//250.0";
    assert_eq!(back_off("X//ICD9CM//25001", &known), Some(("X//ICD9CM//250.0".to_owned(), 1)));
    assert_eq!(back_off("X//ICD9CM//4280", &known), None);
}

#[test]
fn a_folder_without_tables_says_what_it_should_have() {
    let folder = tempfile::tempdir().unwrap();
    let error = CodeTables::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("has no table of codes; looked for: icd9toicd10cmgem.csv, "), "{error}");
    assert!(matches!(CodeTables::default().gem(System::Icd9Cm), Err(CodesError::Absent { .. })));
    assert!(matches!(Titles::load(&folder.path().join("absent"), System::Icd9Cm), Err(CodesError::Read { .. })));
}
