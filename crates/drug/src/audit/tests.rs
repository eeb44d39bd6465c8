//! The audit on tables small enough to count by hand.

use super::*;
use crate::table::{Drug, Quantity, Target};

/// Drugs: ethanol written twice, phenol, an unreadable one. Targets: three, two of one sequence.
fn table() -> AffinityTable {
    let drugs = ["CCO", "OCC", "Oc1ccccc1", "C1CC("];
    let targets = ["MKVLAGT", "MKVLAGT", "KVLAGTS"];
    let rows = [
        (0, 0, 5.0), // 0 train
        (0, 1, 7.0), // 1 test: the input of row 0
        (1, 0, 5.0), // 2 test: the pair of row 0, spelt differently
        (2, 0, 5.0), // 3 train
        (2, 2, 6.0), // 4 test: drug seen, target new
        (3, 0, 5.0), // 5 test: unreadable drug, target seen
        (3, 2, 9.0), // 6 in no part
    ];
    AffinityTable {
        drugs: drugs.map(|smiles| Drug { id: smiles.to_owned(), smiles: smiles.to_owned() }).into(),
        targets: targets.map(|sequence| Target { id: sequence.to_owned(), sequence: sequence.to_owned() }).into(),
        pairs: rows.map(|(drug, target, value)| Pair { drug, target, value }).into(),
        quantity: Quantity::Pkd,
    }
}

fn audit() -> Audit {
    Audit::new(&table(), &Split::new(vec![0, 3], vec![], vec![1, 2, 4, 5]))
}

#[test]
fn entities_and_parts_are_counted() {
    let audit = audit();
    assert_eq!((audit.rows, audit.unused), (7, 1));
    assert_eq!(audit.drugs, Entities { listed: 4, distinct: 3, unreadable: 1 });
    assert_eq!(audit.targets, Entities { listed: 3, distinct: 2, unreadable: 0 });
    assert_eq!(audit.parts.len(), 2);
    let test = &audit.parts[1];
    assert_eq!((test.part, test.rows, test.drugs, test.targets), (Part::Test, 4, 3, 2));
    // Labels 5, 5, 6, 7.
    assert_eq!(test.quartiles, [5.0, 5.0, 5.5, 6.25, 7.0]);
    assert_eq!((test.mean, test.sd), (5.75, 0.6875_f64.sqrt()));
    assert_eq!(test.labels.counts[0], 2);
    assert_eq!(test.labels.counts.iter().sum::<usize>(), 4);
}

#[test]
fn overlap_tells_letters_pairs_and_entities_apart() {
    let audit = audit();
    let [overlap] = &audit.overlaps[..] else { panic!("{:?}", audit.overlaps) };
    assert_eq!((overlap.same_input, overlap.same_pair), (1, 2));
    assert_eq!(overlap.largest_difference, 2.0);
    assert_eq!((overlap.drug_seen, overlap.target_seen), (3, 3));
    // Ethanol and phenol are seen, the unreadable drug cannot be compared.
    assert_eq!((overlap.drugs.entities, overlap.drugs.seen, overlap.drugs.unreadable), (3, 2, 1));
    // One sequence is seen; the other shares two of four 5-mers with it.
    assert_eq!((overlap.targets.entities, overlap.targets.seen), (2, 1));
    assert_eq!(overlap.targets.quartiles.unwrap()[0], 0.5);
}

#[test]
fn conflicts_and_the_common_label_are_those_of_the_table() {
    let audit = audit();
    // (CCO, MKVLAGT) has 5 and 7: squares 1 + 1 over seven rows.
    let expected = Conflicts { repeated: 1, inputs: 1, rows: 2, largest_spread: 2.0, irreducible_mse: 2.0 / 7.0 };
    assert_eq!(audit.conflicts, expected);
    let expected = Ceiling { value: 5.0, rows: 4, share: 4.0 / 7.0, place: Place::Lowest };
    assert_eq!(audit.ceiling, Some(expected));
}

#[test]
fn a_label_of_few_rows_is_no_ceiling() {
    let labels: Vec<f64> = (0..10).map(f64::from).collect();
    assert_eq!(ceiling(&labels, 0.0, 9.0), None);
    let repeated = [1.0, 2.0, 2.0, 3.0];
    assert_eq!(ceiling(&repeated, 1.0, 3.0).unwrap().place, Place::Inside);
    assert_eq!(ceiling(&[], f64::INFINITY, f64::NEG_INFINITY), None);
}

#[test]
fn an_audit_reads_back_and_says_its_numbers() {
    let audit = audit().with_reading("SMILES, 100 characters", 4, 1, 2);
    let value = serde_json::to_value(&audit).unwrap();
    assert_eq!(value["parts"][1]["part"], "test");
    assert_eq!(serde_json::from_value::<Audit>(value).unwrap(), audit);
    let text = audit.to_text();
    for expected in [
        "4 drugs, 3 distinct flat canonical SMILES, 1 that cannot be read",
        "1 of 4 (25.0 %) test pairs have their exact input (SMILES string and sequence) in train",
        "4 of 7 (57.1 %) labels are exactly 5, the lowest value",
        "1 input occurs more than once, 1 with different labels (2 rows, largest difference 2.00)",
        "0.50 to 0.55        1  ####",
        "SMILES, 100 characters: 1 of 4 (25.0 %) truncated, 2 unknown characters",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

/// What an assay does not measure is a matter of affinities; the smaller of two classes is one of them.
#[test]
fn only_of_an_affinity_the_lowest_label_is_where_the_assay_ends() {
    let line = |quantity: Quantity, lowest: f32| {
        let mut table = AffinityTable { quantity, ..table() };
        table.pairs.truncate(2);
        table.pairs.iter_mut().for_each(|pair| pair.value = lowest);
        let text = Audit::new(&table, &Split::new(vec![0], vec![], vec![1])).to_text();
        text.lines().find(|line| line.contains("labels are")).unwrap().to_owned()
    };
    let ends = |label: &str| format!("2 of 2 (100.0 %) labels are exactly {label}, the lowest value");
    for quantity in [Quantity::Pkd, Quantity::Other("pIC50".to_owned())] {
        assert_eq!(line(quantity, 5.0), ends("5") + ": the assay does not measure below it");
    }
    assert_eq!(line(Quantity::Other("Y".to_owned()), 0.0), ends("0"));
    // As it was written: the single precision number nearest to 11.2 is 11.199999809...
    assert_eq!(line(Quantity::KibaScore, 11.2), ends("11.2"));
}

#[test]
fn one_of_a_kind_is_not_spoken_of_as_many() {
    let mut table = table();
    table.drugs.truncate(1);
    table.targets.truncate(1);
    table.pairs.truncate(1);
    let audit = Audit::new(&table, &Split::new(vec![0], vec![], vec![])).with_reading("SMILES", 1, 0, 1);
    let text = audit.to_text();
    for expected in [
        "1 row of pKd\n1 drug, 1 distinct flat canonical SMILES\n1 target, 1 distinct sequence\n",
        "0 inputs occur more than once, 0 with different labels (0 rows, ",
        "SMILES: 0 of 1 (0.0 %) truncated, 1 unknown character\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn a_table_without_rows_can_be_audited() {
    let empty = AffinityTable { drugs: vec![], targets: vec![], pairs: vec![], quantity: Quantity::KibaScore };
    let audit = Audit::new(&empty, &Split::default());
    assert_eq!((audit.rows, audit.parts.len(), audit.ceiling), (0, 0, None));
}
