//! The messages, each with its byte.

use super::scan;

#[track_caller]
fn check(smiles: &str, expected: &str) {
    assert_eq!(scan(smiles).unwrap_err().to_string(), expected, "{smiles}");
}

#[test]
fn rings() {
    check("CC(C)CCCCCCC3CC", "byte 13: ring 3 not closed");
    check("C1CC2", "byte 2: ring 1 not closed");
    check("c1ccccc1%10", "byte 9: ring 10 not closed");
    check("C%1", "byte 2: '%' needs two digits after it");
    check("C%(12)CC%(12)", "byte 2: '%(' needs 3 to 5 digits and ')' after it");
    check("C%(012)CC%(012)", "byte 2: ring numbers below 100 are written with one digit or as %nn");
    check("1CC1", "byte 1: ring number without an atom before it");
    check("C(1CC1)", "byte 3: ring number without an atom before it");
    check("C11", "byte 3: ring 1 closes on the atom that opened it");
    check("C1C1", "byte 4: ring 1 joins two atoms that are already bonded");
    check("C12CC12", "byte 7: ring 2 joins two atoms that are already bonded");
    check("C=1CCCCC-1", "byte 10: ring 1 is closed with bond - but was opened with bond = at byte 2");
    check("C-1CCCCC=1", "byte 10: ring 1 is closed with bond = but was opened with bond - at byte 2");
    for good in ["C1.C1", "C=1CCCCC1", "C1CCCCC=1", "C%12CC%12", "C%(100)CCCC%(100)", "C/1=C/CCCCCC1", "C0CC0"] {
        assert!(scan(good).is_ok(), "{good}");
    }
}

#[test]
fn branches_bonds_and_dots() {
    check("CC(C", "byte 3: '(' not closed");
    check("CC)", "byte 3: ')' without '('");
    check("C()C", "byte 2: nothing between '(' and ')'");
    check("(C)C", "byte 1: '(' without an atom before it");
    check("C((C)C)C", "byte 3: '(' without an atom before it");
    check("C=(C)C", "byte 2: bond = before '('; write it inside the parenthesis");
    check("C(=)C", "byte 3: bond = leads to no atom");
    check("CC#", "byte 3: bond # leads to no atom");
    check("C==C", "byte 3: bond = directly after bond =");
    check("=CC", "byte 1: bond = without an atom before it");
    check("C..C", "byte 3: '.' without an atom before it");
    check("C.", "byte 2: '.' without an atom after it");
    check(".C", "byte 1: '.' without an atom before it");
    check("C(C.C)C", "byte 4: '.' inside the parenthesis of byte 2; write the parts one after another");
    let deep = format!("{}{}", "C(".repeat(401), "C)".repeat(401));
    check(&deep, "byte 802: more than 400 parentheses inside each other");
}

#[test]
fn atoms() {
    check("CXC", "byte 2: 'X' is not an element that may stand without brackets");
    check("C C", "byte 2: whitespace inside the SMILES");
    check("CC\n", "byte 3: whitespace inside the SMILES");
    check("C@C", "byte 2: '@' outside brackets");
    check("C~C", "byte 2: '~' is a bond of search patterns (SMARTS), not of molecules");
    check("C>>C", "byte 2: '>' belongs to reactions; give one molecule");
    check("C]", "byte 2: ']' without '['");
    check("Cé", "byte 2: unexpected character 'é'");
    check("[C", "byte 1: '[' not closed");
    check("[", "byte 1: '[' not closed");
    check("[]", "byte 2: no element after '['");
    check("[Xx]", "byte 2: 'Xx' is not an element");
    check("[#6]", "byte 2: no element after '['");
    check("[cl]", "byte 3: 'l' is out of place inside brackets");
    check("[C;H1]", "byte 3: ';' is out of place inside brackets");
    check("[CH3:]", "byte 5: ':' inside brackets needs an atom number of 1 to 4 digits");
    check("[1234C]", "byte 2: an isotope number has at most 3 digits");
    check("[é]", "byte 2: no element after '['");
    assert_eq!(scan("*").unwrap().len(), 1);
    assert_eq!(scan("*C[*]").unwrap(), [0..1, 1..2, 2..5]);
    for good in
        ["[nH]1cccc1", "[Fe@OH12+2]", "[C@@H](F)(Cl)Br", "[13CH3:7]", "[Cu--]", "[Te]", "[te]1cccc1", "[*-]", "[HH]"]
    {
        assert!(scan(good).is_ok(), "{good}");
    }
}
