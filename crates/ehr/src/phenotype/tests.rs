//! Rules for phenotypes: which arm fires on which event.

use super::*;
use crate::events::EventsBuilder;
use crate::time::Span;

const RULE: &str = "
name = 'dm'
title = 'Diabetes'

[[arm]]
name = 'hba1c'
kind = 'laboratory'
codes = ['LAB//50852', 'LOINC//4548-4']
loinc = '4548-4'
unit = '%'
above = 7.0

[[arm]]
name = 'icd9'
kind = 'code'
system = 'icd9-cm'
patterns = ['250']
except = ['250?1', '250?3']

[[arm]]
name = 'text'
kind = 'text'
phrases = ['type 2 diabetes']

[[exclude]]
name = 'type 1'
kind = 'code'
system = 'icd9-cm'
patterns = ['250?1', '250?3']
events = 2
";

fn noon(day: i64) -> Time {
    Time::from_civil(2130, 4, 1, 12, 0, 0).unwrap().plus(Span::days(day))
}

/// Subject, day, code, value, text.
type Row = (i64, i64, &'static str, Option<f32>, Option<&'static str>);

fn events(rows: &[Row]) -> Events {
    let mut builder = EventsBuilder::new();
    for (subject, day, code, value, text) in rows {
        builder.push(*subject, Some(noon(*day)), code, *value, *text);
    }
    builder.finish().unwrap()
}

fn arm<'a>(found: &'a Found, name: &str) -> &'a ArmReport {
    found.report().arms.iter().find(|arm| arm.name == name).unwrap()
}

#[test]
fn arms_are_counted_apart() {
    let rows: [Row; 12] = [
        (1, 0, "LAB//50852//%", Some(8.3), None),
        (1, 3, "DIAGNOSIS//ICD//9//25000", None, None),
        (1, 9, "LAB//50852//%", Some(8.5), None),
        (2, 0, "LAB//50852//%", Some(7.0), None),
        (2, 1, "DIAGNOSIS//ICD//9//25001", None, None),
        (3, 0, "NOTE//Discharge", None, Some("Known type-2 diabetes, well controlled.")),
        (4, 0, "NOTE//Discharge", None, Some("No evidence of type 2 diabetes.")),
        // the fifth digit of a procedure says nothing
        (5, 0, "PROCEDURE//ICD//9//2500", None, None),
        (6, 0, "DIAGNOSIS//ICD//9//25000", None, None),
        (6, 1, "DIAGNOSIS//ICD//9//25001", None, None),
        (6, 2, "DIAGNOSIS//ICD//9//25013", None, None),
        (7, 0, "LAB//508520//%", Some(9.0), None),
    ];
    let found = Phenotype::parse(RULE, "test").unwrap().find(&events(&rows)).unwrap();
    assert_eq!(found.subjects(), [1, 3]);
    assert!(found.holds(3) && !found.holds(6) && !found.holds(99));
    let report = found.report();
    assert_eq!((report.subjects, report.found, report.excluded), (7, 2, 1));
    let counts = |name: &str| {
        let arm = arm(&found, name);
        [arm.looked_at, arm.fired, arm.subjects, arm.alone]
    };
    assert_eq!(counts("hba1c"), [3, 2, 1, 0]);
    assert_eq!(counts("icd9"), [2, 2, 2, 0]);
    assert_eq!(counts("text"), [2, 1, 1, 1]);
    assert_eq!((arm(&found, "text").negated, counts("type 1")), (1, [3, 3, 1, 0]));
    let together: Vec<(&str, u64)> = report.together.iter().map(|(names, count)| (names.as_str(), *count)).collect();
    assert_eq!(together, [("hba1c + icd9", 1), ("text", 1)]);
    assert_eq!((found.onset(1), found.onset(3), found.onset(6)), (Some(noon(0)), Some(noon(0)), None));
    let words: Vec<&str> = found.findings().iter().filter_map(|finding| finding.words.as_deref()).collect();
    assert_eq!(words, ["type-2 diabetes"]);
    let shown = report.to_string();
    assert!(shown.starts_with("Diabetes: 2 of 7 subjects\n1 more are ruled out\n"), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("text ") && line.ends_with("  1 denied")), "{shown}");
}

#[test]
fn values_are_compared_in_one_unit() {
    // whether it is above 7 %, where x mmol/mol are 0.09148 x + 2.152 % (IFCC to NGSP): 52 are 6.91 % and 54 are 7.09 %
    let cases: [(&str, Option<f32>, Option<&str>, bool); 14] = [
        ("LAB//50852//%", Some(7.1), None, true),
        ("LAB//50852//%", Some(7.0), None, false),
        ("LAB//50852//mmol/mol", Some(54.0), None, true),
        ("LAB//50852//mmol/mol", Some(52.0), None, false),
        // without a unit the rule's is taken, where it can be
        ("LAB//50852", Some(8.0), None, true),
        ("LAB//50852", Some(58.0), None, false),
        ("LAB//50852//UNK", Some(8.0), None, true),
        ("LAB//50852//mg/dL", Some(140.0), None, false),
        ("LAB//50852//%", Some(70.0), None, false),
        ("LAB//50852//%", None, Some("> 14.0"), true),
        ("LAB//50852//%", None, Some(">7.0"), true),
        ("LAB//50852//%", None, Some("<14.0"), false),
        ("LAB//50852//%", None, Some("ERROR"), false),
        ("LAB//50852//%", None, None, false),
    ];
    let rule = Phenotype::parse(RULE, "test").unwrap();
    for (code, value, text, fires) in cases {
        let mut builder = EventsBuilder::new();
        builder.push(1, Some(noon(0)), code, value, text);
        let found = rule.find(&builder.finish().unwrap()).unwrap();
        assert_eq!(found.holds(1), fires, "{code} {value:?} {text:?}");
    }
    let rows: [Row; 5] = [
        (1, 0, "LAB//50852", Some(8.0), None),
        (1, 1, "LAB//50852", Some(58.0), None),
        (1, 2, "LAB//50852//mg/dL", Some(140.0), None),
        (1, 3, "LAB//50852//%", None, Some("ERROR")),
        (1, 4, "LAB//50852//mmol/mol", Some(64.0), None),
    ];
    let found = rule.find(&events(&rows)).unwrap();
    let arm = arm(&found, "hba1c");
    let counts = [arm.looked_at, arm.fired, arm.no_value, arm.implausible, arm.unit_assumed, arm.unit_unknown];
    assert_eq!(counts, [5, 2, 1, 1, 2, 1]);
    // in the unit of the analyte
    assert!((found.findings()[1].value.unwrap() - 8.0).abs() < 0.01);
}

#[test]
fn thresholds_in_single_precision() {
    // the float nearest to 6.9 is larger than 6.9
    let rule = "name = 'a'\n[[arm]]\nname = 'x'\nkind = 'laboratory'\ncodes = ['X']\n";
    for (threshold, value, fires) in [
        ("above = 6.9", 6.9, false),
        ("at_least = 6.9", 6.9, true),
        ("below = 0.1", 0.1, false),
        ("at_most = 0.1", 0.1, true),
        ("above = 1\nbelow = 2", 1.5, true),
        ("above = 1\nbelow = 2", 2.5, false),
    ] {
        let rule = Phenotype::parse(&format!("{rule}{threshold}\n"), "test").unwrap();
        let found = rule.find(&events(&[(1, 0, "X//Y", Some(value), None)])).unwrap();
        assert_eq!(found.holds(1), fires, "{threshold} of {value}");
    }
}

#[test]
fn codes_are_found_by_what_stands_above_them() {
    let mut events = events(&[
        (1, 0, "LAB//77//%", Some(9.0), None),
        (2, 0, "DX//local 7", None, None),
        (3, 0, "DIAGNOSIS//ICD9CM//25001", None, None),
    ]);
    for (code, parent) in [
        ("LAB//77//%", "LOINC/4548-4"),
        ("DX//local 7", "ICD9CM/250.00"),
        // its own ancestors do not make a code of type 1 one of type 2
        ("DIAGNOSIS//ICD9CM//25001", "DIAGNOSIS//ICD9CM//2500"),
    ] {
        let id = events.codebook.get(code).unwrap();
        events.codebook.describe(id, None, &[parent.to_owned()]);
    }
    let rule = Phenotype::parse(RULE, "test").unwrap();
    assert_eq!(rule.find(&events).unwrap().subjects(), [1, 2]);
    let compiled = rule.compile(&events.codebook).unwrap();
    let names: Vec<&str> = compiled.codes().iter().map(|code| events.codebook.name(*code)).collect();
    assert_eq!(names, ["LAB//77//%", "DX//local 7", "DIAGNOSIS//ICD9CM//25001"]);
}

#[test]
fn codes_without_levels_are_compared_whole() {
    let events = events(&[
        (1, 0, "CONDITION//SNOMED//44054006", None, None),
        (2, 0, "CONDITION//SNOMED//440540061", None, None),
        (3, 0, "DIAGNOSIS//ICD10CM//E11.9", None, None),
    ]);
    assert_eq!(Phenotype::shipped("t2dm").unwrap().find(&events).unwrap().subjects(), [1, 3]);
}

#[test]
fn a_view_knows_what_was_known() {
    let events = events(&[(1, 0, "LAB//50852//%", Some(6.0), None), (1, 9, "LAB//50852//%", Some(9.0), None)]);
    let rule = Phenotype::parse(RULE, "test").unwrap();
    let compiled = rule.compile(&events.codebook).unwrap();
    let subject = events.find(1).unwrap();
    assert!(!compiled.holds(&subject.as_of(noon(8))));
    // the moment of the event is included
    assert!(compiled.holds(&subject.as_of(noon(9))));
}

#[test]
fn threads_change_nothing() {
    let rows: Vec<Row> = (0..500)
        .flat_map(|subject| {
            let value = (subject % 11) as f32;
            [(subject, 0, "LAB//50852//%", Some(value), None), (subject, 1, "DIAGNOSIS//ICD//9//25000", None, None)]
        })
        .collect();
    let events = events(&rows);
    let rule = Phenotype::parse(RULE, "test").unwrap();
    let find = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| rule.find(&events).unwrap())
    };
    let one = find(1);
    assert_eq!(one, find(3));
    assert!(one.findings().windows(2).all(|pair| pair[0].row < pair[1].row));
    assert_eq!(one.report().found, 500);
}

#[test]
fn shipped_rules_are_sound() {
    for name in Phenotype::names() {
        let rule = Phenotype::shipped(name).unwrap();
        assert_eq!(rule.name, name);
        let text = toml::to_string(&rule).unwrap();
        assert_eq!(Phenotype::parse(&text, "copy").unwrap(), rule);
    }
    let error = Phenotype::shipped("gout").unwrap_err().to_string();
    assert_eq!(error, "no rule is called \"gout\"; known: t2dm; or give a file");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let lab = "name = 'r'\n[[arm]]\nname = 'a'\nkind = 'laboratory'\ncodes = ['LAB//1']\n";
    let code = "name = 'r'\n[[arm]]\nname = 'a'\nkind = 'code'\nsystem = 'icd9-cm'\n";
    for (text, problem) in [
        (lab.to_owned(), "it has no threshold; give above, at_least, below or at_most"),
        (format!("{lab}above = nan"), "the threshold NaN is no number to compare with"),
        (format!("{lab}above = 1\nloinc = '1-1'"), "loinc = \"1-1\" is not among the analytes whose units are known"),
        (
            format!("{lab}above = 1\nunit = 'mg'\nloinc = '4548-4'"),
            "unit = \"mg\" is none in which HbA1c is measured; % is",
        ),
        (format!("{lab}above = 1\nevents = 0"), "events = 0 is out of range; 1 or more are due"),
        (format!("{code}patterns = []"), "it has no patterns"),
        (format!("{code}patterns = ['250.0']"), "the pattern \"250.0\" is none"),
        ("name = 'r'\n[[arm]]\nname = 'a'\nkind = 'text'\nphrases = [' ']\n".to_owned(), "it has no phrases"),
        ("name = 'r'\narm = []".to_owned(), "the rule has no arms"),
        (
            format!("{lab}above = 1\n[[exclude]]\nname = 'a'\nkind = 'text'\nphrases = ['b']"),
            "another arm has the same name",
        ),
        (format!("{lab}above = 1\nunits = '%'"), "units"),
        ("name = ".to_owned(), "test: "),
    ] {
        let error = Phenotype::parse(&text, "test").unwrap_err().to_string();
        assert!(error.contains(problem), "{error}\ninstead of {problem}");
    }
}
