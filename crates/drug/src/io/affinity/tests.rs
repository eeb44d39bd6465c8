//! Tables in the forms in which they come, and the rows that are refused.

use super::*;

fn load(name: &str, text: &str, options: &AffinityOptions) -> Result<Loaded<AffinityTable>, IoError> {
    read_from(text.as_bytes(), Path::new(name), options)
}

#[test]
fn columns_of_tdc() {
    let text = "Drug_ID,Drug,Target_ID,Target,Y\nD1,CCO,T1,MKV,10000\nD2,C,T1,mkv,1\nD1,CCO,T2,MK,100\n";
    let options = AffinityOptions { unit: Unit::Nanomolar, ..AffinityOptions::default() };
    let loaded = load("a.csv", text, &options).unwrap();
    let table = loaded.value;
    assert_eq!((loaded.rows, loaded.refused.len()), (3, 0));
    assert_eq!(table.quantity, Quantity::Pkd);
    assert_eq!(table.drugs.iter().map(|drug| drug.id.as_str()).collect::<Vec<_>>(), ["D1", "D2"]);
    assert_eq!(table.targets.len(), 2);
    let pairs: Vec<_> = table.pairs.iter().map(|pair| (pair.drug, pair.target, pair.value)).collect();
    // 10 µM, 1 nM and 100 nM
    assert_eq!(pairs, [(0, 0, 5.0), (1, 0, 9.0), (0, 1, 7.0)]);
}

/// In such a file TDC's names stand over names: what says SMILES and sequence holds them.
#[test]
fn names_beside_the_strings_are_not_read_as_strings() {
    let strings = |text: &str| {
        let table = load("a.csv", text, &AffinityOptions::default()).unwrap().value;
        (table.drugs[0].smiles.clone(), table.targets[0].sequence.clone())
    };
    let expected = ("CCO".to_owned(), "MKV".to_owned());
    assert_eq!(strings("drug,smiles,target,sequence,pkd\nimatinib,CCO,ABL,MKV,8\n"), expected);
    assert_eq!(strings("Drug,canonical_smiles,protein,target_sequence,pkd\nC,CCO,ABL,MKV,8\n"), expected);
    assert_eq!(strings("Target,Protein,Compound_iso_smiles,Drug,Y\nABL,MKV,CCO,C,8\n"), expected);
    assert_eq!(strings("Drug,Target,Y\nCCO,MKV,8\n"), expected);
}

/// RDKit reads neither of the two strings; the rows beside them stay.
#[test]
fn rows_whose_smiles_is_no_molecule_are_refused() {
    let text =
        "Drug_ID,SMILES,Protein,Y\nD1,CCO,MKV,1\nD2,not_a_molecule,MK,2\nD3,C1CC,MKV,3\nD1,CCO,MKVL,4\nD3,C1CC,MKL,5\n";
    let loaded = load("a.csv", text, &AffinityOptions::default()).unwrap();
    let refused: Vec<(u64, &str)> = loaded.refused.iter().map(|row| (row.number, row.problem.split_at(13).0)).collect();
    assert_eq!(refused, [(3, "SMILES: byte "), (4, "SMILES: byte "), (6, "SMILES: byte ")]);
    assert!(loaded.refused.iter().all(|row| row.kind == Some("SMILES is no molecule")), "{:?}", loaded.refused);
    assert!(loaded.refused[1].problem.ends_with("ring 1 not closed"), "{:?}", loaded.refused[1]);
    assert_eq!(loaded.refused[2].problem, loaded.refused[1].problem);
    let table = loaded.value;
    assert_eq!((loaded.rows, table.drugs.len()), (5, 1));
    // A sequence that only stood beside what is no molecule is not there.
    assert_eq!(table.targets.iter().map(|target| target.sequence.as_str()).collect::<Vec<_>>(), ["MKV", "MKVL"]);
    let pairs: Vec<_> = table.pairs.iter().map(|pair| (pair.drug, pair.target, pair.value)).collect();
    assert_eq!(pairs, [(0, 0, 1.0), (0, 1, 4.0)]);
    let error = load("a.csv", "SMILES,Protein,Y\nC1CC,MK,1\n", &AffinityOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("none of the 1 rows of a.csv can be used; the first: line 2: SMILES: byte "), "{error}");
}

/// IC50 in µmol/l becomes pIC50: -log10(1e-6) = 6. What it is called is read back, in any case.
#[test]
fn a_logarithm_keeps_its_name() {
    let options = AffinityOptions {
        value: Some("IC50".into()),
        unit: Unit::Micromolar,
        quantity: Some(quantity_of("pic50")),
        ..AffinityOptions::default()
    };
    let table = load("a.csv", "SMILES,Protein,IC50\nC,MK,1\nCC,MK,10\n", &options).unwrap().value;
    assert_eq!((table.quantity.label(), table.pairs[0].value, table.pairs[1].value), ("pIC50", 6.0, 5.0));
    let csv = String::from_utf8(to_csv(&table).unwrap()).unwrap();
    for text in [csv.replace("pIC50", "PIC50"), csv] {
        assert_eq!(load("b.csv", &text, &AffinityOptions::default()).unwrap().value, table);
    }
    for (column, quantity) in [("pKi", "pKi"), ("pec50", "pEC50"), ("value", "value")] {
        let text = format!("SMILES,Protein,{column}\nC,MK,7\n");
        assert_eq!(load("a.csv", &text, &AffinityOptions::default()).unwrap().value.quantity.label(), quantity);
    }
}

/// Whatever the values are called, what was written is read back without a word; a name alone makes no column a value.
#[test]
fn a_written_table_says_where_its_value_is() {
    for name in ["residence time, h", "activity", "Kd"] {
        let table = load("a.csv", "SMILES,Protein,Y\nC,MK,7\nCC,MKV,8\n", &AffinityOptions::default()).unwrap().value;
        let table = AffinityTable { quantity: Quantity::Other(name.to_owned()), ..table };
        let csv = String::from_utf8(to_csv(&table).unwrap()).unwrap();
        assert_eq!(load("b.csv", &csv, &AffinityOptions::default()).unwrap().value, table, "{name}");
    }
    for header in ["Drug_ID,Drug,Target_ID,Target,source,activity", "Drug,Target,activity"] {
        let row = "x,".repeat(header.matches(',').count());
        let error = load("a.csv", &format!("{header}\n{row}1\n"), &AffinityOptions::default()).unwrap_err().to_string();
        assert!(error.contains("has no column y or affinity"), "{error}");
    }
}

#[test]
fn text_and_bare_columns() {
    let loaded = load("a.txt", "CCO MKV 1\nC MKV 0\nC MKV\nC\n", &AffinityOptions::default()).unwrap();
    assert_eq!(loaded.value.quantity, Quantity::Other("label".to_owned()));
    assert_eq!(loaded.value.targets, [Target { id: "target-1".to_owned(), sequence: "MKV".to_owned() }]);
    assert_eq!(loaded.value.drugs[1].id, "drug-2");
    assert_eq!(loaded.refused[0].to_string(), "line 3: 2 words; SMILES, sequence and label are expected");
    assert_eq!(loaded.refused[1].to_string(), "line 4: 1 word; SMILES, sequence and label are expected");
    let loaded = load("a.csv", "SMILES,Protein,Y\nC,MK,0.5\n", &AffinityOptions::default()).unwrap();
    assert_eq!(loaded.value.pairs, [Pair { drug: 0, target: 0, value: 0.5 }]);
}

#[test]
fn written_and_read_back() {
    let text = "Drug_ID,Drug,Target_ID,Target,Y\n\"a,b\",CCO,T1,MKV,43\nD2,C,T1,MKV,0.016\n\"a,b\",CCO,T2,MK,7\n";
    let options = AffinityOptions { unit: Unit::Nanomolar, ..AffinityOptions::default() };
    let table = load("a.csv", text, &options).unwrap().value;
    let csv = String::from_utf8(to_csv(&table).unwrap()).unwrap();
    assert!(csv.starts_with("Drug_ID,Drug,Target_ID,Target,pkd\n\"a,b\",CCO,T1,MKV,"), "{csv}");
    assert_eq!(load("b.csv", &csv, &AffinityOptions::default()).unwrap().value, table);
}

#[test]
fn columns_by_flag() {
    let options = AffinityOptions {
        smiles: Some("mol".into()),
        sequence: Some("chain".into()),
        value: Some("kd".into()),
        delimiter: Some(';'),
        unit: Unit::Micromolar,
        ..AffinityOptions::default()
    };
    let loaded = load("a.txt", "kd;chain;mol;x\n1;MK;C;\n", &options).unwrap();
    assert_eq!(loaded.value.pairs, [Pair { drug: 0, target: 0, value: 6.0 }]);
    let error = load("a.csv", "kd,chain\n1,MK\n", &AffinityOptions::default()).unwrap_err().to_string();
    assert!(error.contains("has no column y or affinity") && error.contains("it has: kd, chain"), "{error}");
}

#[test]
fn rows_that_cannot_be_used() {
    let text = "SMILES,Protein,Y\nC,MK,0\nC,MK,x\nC,M1,1\n,MK,1\nC,MK,\nC,MK,nan\nC,MK\nC,MK,1e-2\nC,MK,-5\n";
    let options = AffinityOptions { unit: Unit::Nanomolar, ..AffinityOptions::default() };
    let loaded = load("a.csv", text, &options).unwrap();
    let refused: Vec<String> = loaded.refused.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2: a concentration of 0; it must be positive",
        "line 3: \"x\" is not a number",
        "line 4: sequence: '1' at residue 2 is no amino acid",
        "line 5: no SMILES",
        "line 6: no value",
        "line 7: NaN is not a finite number",
        "line 8: 2 fields, but the header has 3",
        "line 10: a concentration of -5; it must be positive",
    ];
    assert_eq!(refused, expected);
    let kinds: Vec<&str> = loaded.refused.iter().filter_map(|row| row.kind).collect();
    let expected = [
        "value is out of range",
        "value is no number",
        "sequence is no protein",
        "no SMILES",
        "no value",
        "value is out of range",
        "fields are not those of the header",
        "value is out of range",
    ];
    assert_eq!(kinds, expected);
    assert_eq!((loaded.rows, loaded.value.pairs[0].value), (9, 11.0));
    let error = load("a.csv", "SMILES,Protein,Y\nC,MK,-1\n", &options).unwrap_err().to_string();
    assert!(error.starts_with("none of the 1 rows of a.csv can be used; the first: line 2: "), "{error}");
    assert!(matches!(load("a.csv", "SMILES,Protein,Y\n", &options), Err(IoError::Empty { .. })));
}

// The largest number of single precision (IEEE 754) is (2 - 2^-23) * 2^127, about 3.4028235e38.
#[test]
fn numbers_that_are_too_large_are_told_shortly() {
    let refused = |number: &str, unit: Unit| {
        let (text, options) = (
            format!("SMILES,Protein,Y\nC,MK,{number}\nC,MK,1\n"),
            AffinityOptions { unit, ..AffinityOptions::default() },
        );
        load("a.csv", &text, &options).unwrap().refused.iter().map(ToString::to_string).collect::<Vec<_>>().concat()
    };
    let text = "line 2: 1e302 is out of the range of single precision (at most 3.4028235e38)";
    assert_eq!(refused("1e302", Unit::AsIs), text);
    assert!(refused("-3.5e38", Unit::AsIs).starts_with("line 2: -3.5e38 is out of the range"));
    assert_eq!(refused("3.4e38", Unit::AsIs), "");
    assert_eq!(refused("1e999", Unit::AsIs), "line 2: inf is not a finite number");
    assert_eq!(refused("-1e300", Unit::Molar), "line 2: a concentration of -1e300; it must be positive");
    // as a logarithm it is small enough
    assert_eq!(refused("1e302", Unit::Molar), "");
}

/// `ChEMBL` and `BindingDB` write limits with a relation before the number.
#[test]
fn limits_and_units_are_told_from_what_is_no_number() {
    let refused = |cell: &str| {
        let text = format!("SMILES,Protein,Y\nC,MK,{cell}\nC,MK,1\n");
        let loaded = load("a.csv", &text, &AffinityOptions::default()).unwrap();
        loaded.refused.first().map(|row| (row.kind.unwrap_or_default(), row.problem.clone()))
    };
    let limit = " is a limit, not a value; leave such rows out or write the limit's value yourself";
    for cell in [">10000", "<0.01", "> 10000", ">=10", "≥10", "≤ 1e-3", ">10000 nM"] {
        assert_eq!(refused(cell), Some(("value is a limit", format!("{cell:?}{limit}"))));
    }
    let unit = " is a number with a unit; write the number alone, in one unit for the whole column";
    for cell in ["10000.0 nM", "10nM", "-5 µM", "97.5 %", "1e5nM"] {
        assert_eq!(refused(cell), Some(("value has a unit", format!("{cell:?}{unit}"))));
    }
    for cell in ["x", ">", "> x", "nM", "1.5-2.5", "1.2.3", "--"] {
        assert_eq!(refused(cell), Some(("value is no number", format!("{cell:?} is not a number"))));
    }
    for cell in ["1e-3", "+5", ".5", "-0"] {
        assert_eq!(refused(cell), None, "{cell}");
    }
}
