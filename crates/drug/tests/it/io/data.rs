//! The readers on the research data, where `GALEN_DATA` has them. Counts and means are those that Python's csv and json
//! modules give, and RDKit 2026.9.1 where molecules are counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use drug::chem::Molecule;
use drug::io::affinity::{self, AffinityOptions};
use drug::io::deepdta::{self, Ligands};
use drug::io::smiles::{SmilesOptions, SmilesReader};
use drug::split::drug_groups;
use drug::table::{AffinityTable, Quantity};
use drug::tokens::{TokenReport, Tokenizer};

use crate::common;

/// Mean of the values, and the strings that the published lengths cut off.
fn summary(table: &AffinityTable, smiles: usize, protein: usize) -> (f64, usize, usize) {
    let (mut drugs, mut targets) = (TokenReport::default(), TokenReport::default());
    for drug in &table.drugs {
        drugs.add(&Tokenizer::deepdta_smiles().encode(&drug.smiles, smiles));
    }
    for target in &table.targets {
        targets.add(&Tokenizer::deepdta_protein().encode(&target.sequence, protein));
    }
    assert!(drugs.unknown.is_empty() && targets.unknown.is_empty());
    let rows: Vec<usize> = (0..table.pairs.len()).collect();
    (table.values(&rows).iter().sum::<f64>() / rows.len() as f64, drugs.truncated, targets.truncated)
}

/// Rows whose value is at least `threshold`, compared as the scores do it: the values have single precision.
fn at_least(table: &AffinityTable, threshold: f64) -> usize {
    let rows: Vec<usize> = (0..table.pairs.len()).collect();
    table.values(&rows).into_iter().filter(|&value| value >= threshold).count()
}

/// The SMILES of a list.
fn listed(path: &Path) -> Vec<String> {
    let reader = SmilesReader::open(path, &SmilesOptions::default()).unwrap();
    reader.map(|row| row.unwrap().smiles).collect()
}

#[test]
fn davis() {
    let Some(folder) = common::data("drug/davis") else { return };
    let (table, folds) = deepdta::read(&folder).unwrap();
    assert_eq!((table.drugs.len(), table.targets.len(), table.pairs.len()), (68, 442, 30_056));
    assert_eq!((table.quantity.label(), table.targets[1].id.as_str()), ("pKd", "ABL1(E255K)"));
    assert_eq!(folds.train.iter().map(Vec::len).collect::<Vec<_>>(), [5_010, 5_009, 5_009, 5_009, 5_009]);
    assert_eq!((folds.test.len(), folds.test[0]), (5_010, 9_331));
    let (mean, drugs, targets) = summary(&table, 85, 1_200);
    assert!((mean - 5.451_534_684).abs() < 1e-6, "{mean}");
    assert_eq!((drugs, targets), (3, 61));
    assert!((table.pairs[0].value - 7.366_531_5).abs() < 1e-6);
    assert_eq!(at_least(&table, 7.0), 2_502);

    // The same numbers from the raw matrix and from upstream's pickle.
    for source in ["affinities_Kd_raw.txt", "Y"] {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("folds")).unwrap();
        for name in
            [source, "ligands_can.txt", "proteins.txt", "folds/train_fold_setting1.txt", "folds/test_fold_setting1.txt"]
        {
            fs::write(copy.path().join(name), fs::read(folder.join(name)).unwrap()).unwrap();
        }
        let (again, same_folds) = deepdta::read(copy.path()).unwrap();
        assert!(again == table, "affinity.csv and {source} differ");
        assert_eq!(same_folds, folds);
    }
}

#[test]
fn kiba() {
    let Some(folder) = common::data("drug/kiba") else { return };
    let (table, folds) = deepdta::read(&folder).unwrap();
    assert_eq!((table.drugs.len(), table.targets.len(), table.pairs.len()), (2_111, 229, 118_254));
    assert_eq!(table.quantity, Quantity::KibaScore);
    assert!(folds.train.iter().chain([&folds.test]).all(|fold| fold.len() == 19_709));
    let (mean, drugs, targets) = summary(&table, 100, 1_000);
    assert!((mean - 11.719_934_77).abs() < 1e-6, "{mean}");
    assert_eq!((drugs, targets), (57, 44));
    assert_eq!(at_least(&table, 12.1), 24_828);
}

/// With stereochemistry KIBA's 2,111 ligands are as many molecules; without it 43 of them are the same as another. Of
/// these one differs by deuterium alone, whose three hydrogens a SMILES without isotopes still writes down.
#[test]
fn stereoisomers_of_kiba() {
    let Some(folder) = common::data("drug/kiba") else { return };
    let (flat, _) = deepdta::read(&folder).unwrap();
    let (whole, _) = deepdta::read_with(&folder, Ligands::Isomeric).unwrap();
    assert!(flat.drugs.iter().map(|drug| &drug.id).eq(whole.drugs.iter().map(|drug| &drug.id)));
    assert_eq!((flat.pairs.len(), &flat.targets), (whole.pairs.len(), &whole.targets));
    let written = |table: &AffinityTable| table.drugs.iter().map(|drug| drug.smiles.clone()).collect::<BTreeSet<_>>();
    assert_eq!((written(&flat).len(), written(&whole).len()), (2_068, 2_111));
    let molecules = |table: &AffinityTable| {
        let canonical = table.drugs.iter().map(|drug| Molecule::parse(&drug.smiles).unwrap().canonical());
        canonical.collect::<BTreeSet<_>>().len()
    };
    assert_eq!((molecules(&flat), molecules(&whole)), (2_068, 2_111));
    let groups = |table: &AffinityTable| drug_groups(table).into_iter().collect::<BTreeSet<_>>().len();
    assert_eq!((groups(&flat), groups(&whole)), (2_068, 2_069));
}

#[test]
fn tables_of_other_sources() {
    let Some(folder) = common::data("drug") else { return };
    let options = AffinityOptions::default();
    let human = affinity::read(&folder.join("human_dti/random/train.csv.gz"), &options).unwrap();
    assert_eq!((human.rows, human.refused.len()), (3_978, 0));
    assert_eq!((human.value.drugs.len(), human.value.targets.len()), (2_066, 1_668));
    let receptors = affinity::read(&folder.join("gpcr_labelreversal/GPCR_train.txt.gz"), &options).unwrap();
    assert_eq!((receptors.rows, receptors.refused.len()), (13_806, 0));
    assert_eq!((receptors.value.drugs.len(), receptors.value.targets.len()), (5_359, 346));
    assert_eq!(at_least(&receptors.value, 1.0), 7_237);
}

/// `DeepDTA` reads 100 characters on KIBA: what of other sources it would not see, and what of them its table lacks.
#[test]
fn what_deepdta_does_not_read_of_other_sources() {
    let Some(folder) = common::data("drug") else { return };
    let report = |strings: &[&str]| {
        let mut report = TokenReport::default();
        for text in strings {
            report.add(&Tokenizer::deepdta_smiles().encode(text, 100));
        }
        report
    };

    let mut human = BTreeSet::new();
    for part in ["train", "val", "test"] {
        let path = folder.join(format!("human_dti/random/{part}.csv.gz"));
        let table = affinity::read(&path, &AffinityOptions::default()).unwrap().value;
        human.extend(table.drugs.into_iter().map(|drug| drug.smiles));
    }
    let found = report(&human.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((found.texts, found.truncated), (2_616, 236));

    let list = listed(&folder.join("chembl_small/chembl_drugs.csv"));
    let found = report(&list.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((found.texts, found.truncated), (1_935, 124));

    // Four molecules have an aromatic phosphorus, eleven in all; nine have ring numbers of two digits.
    let list = listed(&folder.join("moleculenet/hiv.csv.gz"));
    let whole = |text: &String| Tokenizer::deepdta_smiles().encode(text, text.len());
    let unknown: Vec<_> = list.iter().map(whole).filter(|encoded| !encoded.unknown.is_empty()).collect();
    assert_eq!((list.len(), unknown.len()), (41_126, 4));
    let letters: Vec<char> = unknown.iter().flat_map(|encoded| encoded.unknown.iter().map(|found| found.1)).collect();
    assert_eq!(letters, ['p'; 11]);
    // Where it cuts does not depend on what it was fitted on.
    let chemistry = Tokenizer::fit_chemistry(["C"], 1).unwrap();
    let rings =
        |text: &str| chemistry.spans(text).iter().any(|span| span.len() == 3 && text[span.clone()].starts_with('%'));
    assert_eq!(list.iter().filter(|text| rings(text)).count(), 9);
}

/// Upstream's table has no label for chlorine and bromine: C 42 and l 25, B 9 and r 27 are two labels each.
#[test]
fn deepdta_reads_two_letters_of_a_halogen() {
    let Some(folder) = common::data("drug") else { return };
    let halogens = |strings: &[String]| {
        let split = |text: &&String| {
            let labels = Tokenizer::deepdta_smiles().encode(text, text.len()).ids;
            labels.windows(2).any(|two| two == [42, 25] || two == [9, 27])
        };
        strings.iter().filter(split).count()
    };
    let (kiba, _) = deepdta::read(&folder.join("kiba")).unwrap();
    let kiba: Vec<String> = kiba.drugs.into_iter().map(|drug| drug.smiles).collect();
    let tox21 = listed(&folder.join("moleculenet/tox21.csv.gz"));
    let zinc = listed(&folder.join("zinc250k_part/valid.txt.gz"));
    assert_eq!([halogens(&tox21), halogens(&kiba), halogens(&zinc)], [1_423, 464, 4_640]);
}

#[test]
fn lists_of_other_sources() {
    let Some(folder) = common::data("drug") else { return };
    for (name, expected) in [
        ("chembl_small/chembl_drugs.csv", 1_935),
        ("moleculenet/tox21.csv.gz", 8_014),
        ("zinc250k_part/valid.txt.gz", 24_445),
        ("smiles_oracle/canonSmiles.smi", 2_333),
        ("moses_generated_samples/jtvae_fast_sample.txt.gz", 30_000),
    ] {
        let reader = SmilesReader::open(&folder.join(name), &SmilesOptions::default()).unwrap();
        let rows: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), expected, "{name}");
        let readable = rows.iter().step_by(50).filter(|row| Molecule::parse(&row.smiles).is_ok()).count();
        assert!(readable > rows.len() / 60, "{name}: {readable}");
    }
}
