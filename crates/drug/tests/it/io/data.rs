//! The readers on the research data, where `GALEN_DATA` has them. Counts and means are those that Python's csv and json
//! modules give.

use std::fs;

use drug::chem::Molecule;
use drug::io::affinity::{self, AffinityOptions};
use drug::io::deepdta;
use drug::io::smiles::{SmilesOptions, SmilesReader};
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
    let positive = receptors.value.pairs.iter().filter(|pair| pair.value == 1.0).count();
    assert_eq!(positive, 7_237);
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
