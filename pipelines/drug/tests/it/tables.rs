//! Tables and folders of measured pairs: which columns, rows and strings are read, and what becomes of the numbers.

use crate::command::{Finished, folder_with, galen_drug_in};
use crate::data::{quick, table};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tests::run::json as read_json;

const TARGETS: [&str; 3] = ["MKV", "MKVL", "MKVLL"];

/// Every pair of a chain of 1 to 12 carbons and a target; `row` makes the row of the chain, the target and a number
/// from 1 to 36.
fn pairs(head: &str, row: impl Fn(&str, &str, usize) -> String) -> String {
    let mut table = format!("{head}\n");
    for place in 0..36 {
        table.push_str(&row(&"C".repeat(place / 3 + 1), TARGETS[place % 3], place + 1));
        table.push('\n');
    }
    table
}

/// `prepare` on `pairs.csv` into the folder `out`.
fn prepare(folder: &Path, options: &[&str]) -> Finished {
    galen_drug_in(folder, &[&["prepare", "--data", "pairs.csv", "--run-dir", "out"][..], options].concat())
}

fn lines(folder: &Path, name: &str) -> Vec<String> {
    fs::read_to_string(folder.join("out").join(name)).unwrap().lines().map(str::to_owned).collect()
}

/// Names in the columns that TDC gives SMILES and sequences are not read as such where others hold them.
#[test]
fn names_are_not_read_as_molecules() {
    let named = |chain: &str, target: &str, number: usize| format!("imatinib,{chain},ABL,{target},{number}");
    let folder = folder_with(&[("pairs.csv", &pairs("drug,smiles,target,sequence,y", named))]);
    prepare(folder.path(), &[]).ends_with(0);
    let rows = lines(folder.path(), "pairs.csv");
    assert_eq!(rows[0], "Drug_ID,Drug,Target_ID,Target,y");
    assert_eq!(rows[36], "drug-12,CCCCCCCCCCCC,target-3,MKVLL,36");
    assert_eq!(lines(folder.path(), "drugs.tsv")[2], "drug-2\tCC\tCC\t");
}

#[test]
fn a_row_that_is_no_molecule_is_refused_with_the_reason_and_in_no_part() {
    // Line 11 is that of the tenth row.
    let row = |chain: &str, target: &str, number: usize| {
        let smiles = if number == 10 { "not_a_molecule" } else { chain };
        format!("{smiles},{target},{number}")
    };
    let folder = folder_with(&[("pairs.csv", &pairs("SMILES,Protein,Y", row))]);
    prepare(folder.path(), &[]).ends_with(0).says("35 rows kept, 1 refused").says("line 11: SMILES: byte ");
    let refused = lines(folder.path(), "refused.tsv");
    assert_eq!((refused.len(), refused[0].as_str()), (2, "line\tproblem"));
    assert!(refused[1].starts_with("11\tSMILES: byte "), "{refused:?}");
    let data = read_json(&folder.path().join("out/data.json"));
    assert_eq!((&data["kept"], &data["dropped"]), (&json!(35), &json!({"SMILES is no molecule": 1})), "{data}");
    let parts: u64 = data["parts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!((parts, lines(folder.path(), "splits/fold-0.tsv").len()), (35, 36), "{data}");
    for name in ["pairs.csv", "drugs.tsv"] {
        let rows = lines(folder.path(), name);
        assert!(rows.iter().all(|row| !row.contains("not_a_molecule")), "{name}: {rows:?}");
    }
    assert_eq!((lines(folder.path(), "pairs.csv").len(), lines(folder.path(), "drugs.tsv").len()), (36, 13));
}

#[test]
fn a_table_without_a_molecule_is_not_trained_on() {
    let row = |chain: &str, target: &str, number: usize| format!("{chain},{target},{number}");
    let folder = folder_with(&[("pairs.csv", &pairs("SMILES,Protein,Y", row))]);
    let words = ["train", "--data", "pairs.csv", "--column", "smiles=Protein", "--run-dir", "out"];
    let told = galen_drug_in(folder.path(), &words).ends_with(1);
    told.says("none of the 36 rows of").says("the first: line 2: SMILES: byte ");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn rows_are_counted_by_what_is_wrong_with_them() {
    let wrong = [
        "CCO,MKV,>10000",
        "CCO,MKV,<10",
        "CCO,MKV,10000.0 nM",
        "CCO,MKV,\"much, more\"",
        "CCO,MKV,x",
        "CCO,MKV,-5",
        "CCO,MKV,-7",
        "CCO,M1V,5",
        ",MKV,5",
        "CCO,MKV",
        "C1CC,MKV,5",
    ];
    // Kd of 1 to 36 nmol/l, and behind them the rows that cannot be used.
    let usable = pairs("SMILES,Protein,Kd", |chain, target, number| format!("{chain},{target},{number}"));
    let folder = folder_with(&[("pairs.csv", &(usable + &wrong.join("\n")))]);
    let told = prepare(folder.path(), &["--column", "value=Kd", "--quantity", "kd-nm"]).ends_with(0);
    told.says("rows that cannot be used: 11")
        .says("line 38: \">10000\" is a limit, not a value; leave such rows out or write the limit's value yourself")
        .says("line 40: \"10000.0 nM\" is a number with a unit; write the number alone");
    let data = read_json(&folder.path().join("out/data.json"));
    let expected = json!({
        "value is a limit": 2,
        "value has a unit": 1,
        "value is no number": 2,
        "value is out of range": 2,
        "sequence is no protein": 1,
        "no SMILES": 1,
        "fields are not those of the header": 1,
        "SMILES is no molecule": 1,
    });
    assert_eq!((&data["kept"], &data["dropped"]), (&json!(36), &expected), "{data}");
    assert_eq!(lines(folder.path(), "refused.tsv").len(), 12);
}

/// Every pair of a chain and a target with 10,000, 1,000 or 100.
fn concentrations(head: &str) -> String {
    pairs(head, |chain, target, number| format!("{chain},{target},{}", [10_000, 1_000, 100][number % 3]))
}

/// TDC's `Y` may be IC50 in nmol/l, which nothing in the file says. By the definition, -log10 of mol/l, 10,000 nmol/l
/// are a pIC50 of 5, 1,000 of 6 and 100 of 7.
#[test]
fn concentrations_are_told_and_turned_round() {
    let folder = folder_with(&[("pairs.csv", &concentrations("Drug,Target,Y"))]);
    let path = folder.path();
    prepare(path, &[]).ends_with(2).says("the values of Y go from 100.0 to 10000.0").says("--quantity kd-nm");
    assert!(!path.join("out").exists());
    prepare(path, &["--quantity", "ic50-nM"]).ends_with(0);
    let rows = lines(path, "pairs.csv");
    let values: Vec<&str> = rows.iter().take(4).map(|row| row.rsplit(',').next().unwrap()).collect();
    assert_eq!(values, ["pIC50", "6", "7", "5"]);
    // What was prepared says itself what it holds.
    let told = galen_drug_in(path, &["audit", "--data", "out/pairs.csv"]).ends_with(0);
    assert!(told.stdout.starts_with("36 rows of pIC50"), "{}", told.stdout);
    let told = galen_drug_in(path, &["audit", "--data", "pairs.csv", "--quantity", "activity"]).ends_with(0);
    assert!(told.stdout.starts_with("36 rows of activity"), "{}", told.stdout);
}

/// A unit is known however it is spelt, and numbers are held against what they are called: 10,000 nmol/l are no pKd, and
/// 10,000 mol/l are no concentration of anything.
#[test]
fn what_values_are_called_is_understood_and_checked() {
    for (column, quantity, advice) in [
        ("pKd", "", "the values cannot be pKd: their median is 1000.0"),
        ("Y", "pkd", "say their unit with --quantity kd-nm, kd-um or kd-m"),
        ("Y", "pIC50", "say their unit with --quantity ic50-nm, ic50-um or ic50-m"),
        ("Y", "kd-m", "their median is -3.0, not between 1 and 15; their unit seems to be another one"),
        ("Y", "nM", "use kd-nm, ki-nm, ic50-nm or ec50-nm"),
        ("Y", "Ki", "use ki-nm, ki-um or ki-m (each becomes pKi)"),
    ] {
        let folder = folder_with(&[("pairs.csv", &concentrations(&format!("SMILES,Protein,{column}")))]);
        let options = ["--quantity", quantity];
        let options = if quantity.is_empty() { &[][..] } else { &options[..] };
        prepare(folder.path(), options).ends_with(2).says(advice);
        assert!(!folder.path().join("out").exists(), "{column}, {quantity}");
    }
    for spelling in ["kd-nm", "kd-nM", "KD-NM", "kd_nm", "Kd nM"] {
        let folder = folder_with(&[("pairs.csv", &concentrations("SMILES,Protein,Y"))]);
        prepare(folder.path(), &["--quantity", spelling]).ends_with(0);
        let rows = lines(folder.path(), "pairs.csv");
        let values: Vec<&str> = rows.iter().take(4).map(|row| row.rsplit(',').next().unwrap()).collect();
        assert_eq!(values, ["pkd", "6", "7", "5"], "{spelling}");
    }
}

/// As the README has it, `audit` on the table that `prepare` wrote, whatever its values are called.
#[test]
fn what_was_prepared_is_read_without_a_word() {
    for (quantity, label) in [("ic50-nm", "pIC50"), ("residence time", "residence time")] {
        let folder = folder_with(&[("pairs.csv", &concentrations("SMILES,Protein,Y"))]);
        let path = folder.path();
        prepare(path, &["--quantity", quantity]).ends_with(0);
        let told = galen_drug_in(path, &["audit", "--data", "out/pairs.csv"]).ends_with(0);
        assert!(told.stdout.starts_with(&format!("36 rows of {label}\n")), "{}", told.stdout);
        // Elsewhere nobody says that numbers of this size are no concentrations; a logarithm says it by its name.
        fs::copy(path.join("out/pairs.csv"), path.join("moved.csv")).unwrap();
        let told = galen_drug_in(path, &["audit", "--data", "moved.csv"]);
        if quantity == label {
            told.ends_with(2).says("the values of residence time go from 100.0 to 10000.0");
        } else {
            told.ends_with(0);
        }
    }
}

/// What earlier versions wrote: the run whose values nobody named goes on with a warning; one that took a unit for a name
/// does not go on with other values than it learnt.
#[test]
fn runs_of_earlier_versions_go_on_with_the_values_that_they_learnt() {
    let mut large = String::new();
    for line in table().lines() {
        let (pair, value) = line.rsplit_once(',').unwrap();
        // The head has a name in the place of the value.
        let value = value.parse::<f64>().map_or_else(|_| "Y".to_owned(), |value| (20.0 * value).to_string());
        large.push_str(&[pair, ",", &value, "\n"].concat());
    }
    let folder = folder_with(&[("pairs.csv", &large)]);
    let path = folder.path();
    let words =
        ["train", "--data", "pairs.csv", "--run-dir", "run", "--epochs", "1", "--models", "1", "--quantity", "Y"];
    galen_drug_in(path, &quick(&words)).ends_with(0);
    let edit = |name: &str, from: &str, to: &str| {
        let file = path.join("run").join(name);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from} is not in {name}:\n{text}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
    };
    let again = ["train", "--run-dir", "run", "--resume"];
    edit("config.toml", "quantity = \"Y\"\n", "");
    let told = galen_drug_in(path, &again).ends_with(0);
    told.says("warning: the values of Y go from ").says("model 0: trained before");
    edit("config.toml", "[source]\n", "[source]\nquantity = \"kd-nM\"\n");
    edit("audit.json", "\"quantity\": \"Y\"", "\"quantity\": \"kd-nM\"");
    let told = galen_drug_in(path, &again).ends_with(2);
    told.says("learnt values as they stood in the file; --quantity kd-nM now makes pKd of them");
}

/// Chains of 6 to 12 carbons are longer than 5 characters, and of three targets one is longer than 4 residues.
#[test]
fn what_is_cut_is_counted_at_the_lengths_asked_for() {
    let folder = folder_with(&[("pairs.csv", &pairs("SMILES,Protein,Y", |c, t, n| format!("{c},{t},{n}")))]);
    let settings =
        ["network.smiles_kernel=2", "network.smiles_length=5", "network.protein_kernel=2", "network.protein_length=4"];
    let settings: Vec<&str> = settings.into_iter().flat_map(|setting| ["--set", setting]).collect();
    for verb in ["audit", "prepare"] {
        let told =
            galen_drug_in(folder.path(), &[&[verb, "--data", "pairs.csv"][..], &settings[..]].concat()).ends_with(0);
        for line in [
            "SMILES, 5 characters: 7 of 12 (58.3 %) truncated, 0 unknown characters",
            "sequence, 4 characters: 1 of 3 (33.3 %) truncated, 0 unknown characters",
        ] {
            assert!(told.stdout.contains(line), "{verb}: {line} is missing in:\n{}", told.stdout);
        }
    }
}

/// A folder in DeepDTA's layout, of twelve alcohols with one stereocentre each and three targets.
fn alcohols() -> tempfile::TempDir {
    let folder = folder_with(&[]);
    let object = |entries: Vec<(String, String)>| {
        let members: Vec<String> = entries.into_iter().map(|(id, text)| format!("{id:?}: {text:?}")).collect();
        format!("{{{}}}", members.join(", "))
    };
    let ligands = |head: &str| object((2..14).map(|n| (format!("L{n}"), format!("{head}{}", "C".repeat(n)))).collect());
    let proteins = object(TARGETS.iter().map(|target| (format!("T{}", target.len()), (*target).to_owned())).collect());
    let rows: Vec<String> = (0..36).map(|row| format!("{row},{},{},{row}", row / 3, row % 3)).collect();
    let fold = |number: usize| (0..36).filter(|row| row % 6 == number).collect::<Vec<usize>>();
    fs::create_dir(folder.path().join("folds")).unwrap();
    for (name, text) in [
        ("ligands_can.txt", ligands("CC(O)")),
        ("ligands_iso.txt", ligands("C[C@H](O)")),
        ("proteins.txt", proteins),
        ("affinity.csv", format!("flat_index,drug_index,target_index,pkd\n{}\n", rows.join("\n"))),
        ("folds/train_fold_setting1.txt", format!("{:?}", (0..5).map(fold).collect::<Vec<_>>())),
        ("folds/test_fold_setting1.txt", format!("{:?}", fold(5))),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_folder_has_two_kinds_of_smiles() {
    let folder = alcohols();
    let path = folder.path();
    for (options, first, file) in [
        (vec![], "CC(O)CC", "ligands_can.txt"),
        (vec!["--ligands", "isomeric"], "C[C@H](O)CC", "ligands_iso.txt"),
        (vec!["--set", "source.ligands=isomeric"], "C[C@H](O)CC", "ligands_iso.txt"),
    ] {
        let words = [&["prepare", "--data", ".", "--run-dir", "out"][..], &options[..]].concat();
        galen_drug_in(path, &words).ends_with(0).says("36 rows kept, 0 refused");
        let drug = lines(path, "drugs.tsv")[1].clone();
        assert!(drug.starts_with(&format!("L2\t{first}\t")) && drug.ends_with('\t'), "{options:?}: {drug}");
        let data = read_json(&path.join("out/data.json"));
        assert_eq!(data["inputs"][1]["name"], file, "{data}");
        fs::remove_dir_all(path.join("out")).unwrap();
    }
}
