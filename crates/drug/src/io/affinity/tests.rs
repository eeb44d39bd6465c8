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

#[test]
fn text_and_bare_columns() {
    let loaded = load("a.txt", "CCO MKV 1\nC MKV 0\nC MKV\n", &AffinityOptions::default()).unwrap();
    assert_eq!(loaded.value.quantity, Quantity::Other("label".to_owned()));
    assert_eq!(loaded.value.targets, [Target { id: "target-1".to_owned(), sequence: "MKV".to_owned() }]);
    assert_eq!(loaded.value.drugs[1].id, "drug-2");
    assert_eq!(loaded.refused[0].to_string(), "line 3: 2 words; SMILES, sequence and label are expected");
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
    let text = "SMILES,Protein,Y\nC,MK,0\nC,MK,x\nC,M1,1\n,MK,1\nC,MK,\nC,MK,nan\nC,MK\nC,MK,1e-2\n";
    let options = AffinityOptions { unit: Unit::Nanomolar, ..AffinityOptions::default() };
    let loaded = load("a.csv", text, &options).unwrap();
    let refused: Vec<String> = loaded.refused.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2: a dissociation constant of 0; it must be positive",
        "line 3: \"x\" is not a number",
        "line 4: sequence: '1' at residue 2 is no amino acid",
        "line 5: no SMILES",
        "line 6: no value",
        "line 7: NaN is not a finite number",
        "line 8: 2 fields, but the header has 3",
    ];
    assert_eq!(refused, expected);
    assert_eq!((loaded.rows, loaded.value.pairs[0].value), (8, 11.0));
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
    assert_eq!(refused("-1e300", Unit::Molar), "line 2: a dissociation constant of -1e300; it must be positive");
    // as a logarithm it is small enough
    assert_eq!(refused("1e302", Unit::Molar), "");
}
