//! What goes wrong is told once, with the place and the remedy, and the exit status says whose fault it is: 1 for the data
//! or the run, 2 for the command line or the configuration.

use crate::command::{PROGRAM, demo_run, folder_with, galen_drug, galen_drug_in};
use tests::command::devices_are_named;

#[test]
fn usage_and_configuration_end_with_2() {
    for (arguments, text) in [
        (vec!["frobnicate"], "frobnicate"),
        (vec!["predict"], "--model"),
        (vec!["train", "--set", "epochs"], "key=value"),
        (vec!["train", "--set", "epochs=0"], "epochs"),
        (vec!["train", "--set", "test_fraction=1.5"], "test_fraction"),
        (vec!["train", "--protocol", "paper", "--split", "cold-drug"], "upstream"),
        (vec!["train", "--config", "absent.toml"], "absent.toml"),
        (vec!["train", "--run-dir", "tree", "--resume"], "tree holds no run to continue"),
        (vec!["train", "--resume"], "davis-deepdta holds no run to continue"),
        (vec!["-q", "-v", "systems"], "--quiet"),
        (vec!["bench", "ci", "--batches", "0"], "--batches"),
        (vec!["audit", "--split", "warm"], "cold-drug"),
        (vec!["audit", "--set", "test_fraction=0"], "test_fraction"),
        (vec!["audit", "--set", "network.smiles_length=0"], "smiles_length"),
        (vec!["audit", "--ligands", "flat"], "isomeric"),
        (vec!["audit", "--ligands", "isomeric"], "--ligands is for folders"),
        (vec!["audit", "--quantity", "ic50"], "use ic50-nm"),
        (vec!["audit", "--device", "cpu"], "option --device"),
        (vec!["audit", "--run-dir", "run"], "--run-dir"),
        (vec!["systems", "--seed", "1"], "option --seed"),
        (vec!["explain", "--model", "m", "--smiles", "C", "--fasta", "f", "--window", "0"], "window"),
        (vec!["predict", "--model", "m", "--smiles", "s", "--fasta", "f", "--seed", "1"], "option --seed"),
        (vec!["predict", "--model", "m", "--smiles", "s", "--fasta", "f", "--resume"], "--resume"),
    ] {
        let folder = folder_with(&[("pairs.csv", "SMILES,Protein,Y\nCCO,MKV,5\n")]);
        let data = if arguments[0] == "audit" { vec!["--data", "pairs.csv"] } else { Vec::new() };
        let arguments: Vec<&str> = arguments.into_iter().chain(data).collect();
        galen_drug_in(folder.path(), &arguments).ends_with(2).says(text);
    }
}

#[test]
fn every_command_shows_its_settings() {
    let data = ["--data", "pairs.csv"];
    let (model, lists) = (["--model", "m"], ["--smiles", "C", "--fasta", "f"]);
    for (verb, more, lines) in [
        ("audit", data.to_vec(), vec!["seed = 5", "split = \"auto\"", "data = \"pairs.csv\"", "smiles_length = 85"]),
        ("prepare", data.to_vec(), vec!["seed = 5", "test_fraction = 0.1"]),
        ("evaluate", [model, data].concat(), vec!["device = \"ndarray\""]),
        ("bench", vec!["ci"], vec!["device = \"ndarray\"", "data = \"drug/davis\""]),
        ("predict", [&model[..], &lists[..]].concat(), vec!["device = \"ndarray\""]),
        ("explain", [&model[..], &lists[..]].concat(), vec!["device = \"ndarray\"", "window = 5"]),
        ("demo", vec![], vec!["seed = 5", "device = \"ndarray\"", "quick = false"]),
    ] {
        PROGRAM.shows_settings(verb, &more, &lines);
    }
}

/// Tables that are wrong in one way each: what the user is told, and with which status.
#[test]
fn wrong_tables_are_told_with_the_place_and_the_remedy() {
    const HEAD: &str = "SMILES,Protein,Y\n";
    let rows = |text: &str| format!("{HEAD}{text}");
    for (content, options, code, text) in [
        (String::new(), vec![], 1, "pairs.csv has no rows"),
        (rows(""), vec![], 1, "pairs.csv has no rows"),
        ("a,b\n1,2\n".into(), vec![], 1, "it has: a, b; say which one to use with --column, as --column value=NAME"),
        ("SMILES;Protein;Y\nCCO;MKV;5\n".into(), vec![], 1, "separated by semicolons: save it with commas"),
        ("SMILES,Protein,Y\rCCO,MKV,5\r".into(), vec![], 1, "save the file with LF"),
        (rows("CCO,MKV,x\n"), vec![], 1, "line 2: \"x\" is not a number"),
        (rows("CCO,MKV,>10000\n"), vec![], 1, "line 2: \">10000\" is a limit, not a value"),
        (rows("CCO,MKV,10000.0 nM\n"), vec![], 1, "line 2: \"10000.0 nM\" is a number with a unit"),
        (rows("CCO,M1V,5\n"), vec![], 1, "'1' at residue 2 is no amino acid"),
        (rows(",MKV,5\n"), vec![], 1, "line 2: no SMILES"),
        (rows("not_a_molecule,MKV,5\n"), vec![], 1, "line 2: SMILES: byte "),
        (rows("CCO,MKV\n"), vec![], 1, "line 2: 2 fields, but the header has 3"),
        (rows("CCO\n"), vec![], 1, "line 2: 1 field, but the header has 3"),
        (rows("CCO,MKV,0\n"), vec!["--quantity", "kd-nm"], 1, "it must be positive"),
        (rows("CCO,MKV,5\n"), vec!["--column", "value=Ki"], 1, "no column Ki"),
        (rows("CCO,MKV,5\n"), vec!["--column", "worth=Y"], 2, "ROLE=NAME"),
        ("SMILES,Protein,IC50\nCCO,MKV,5\n".into(), vec!["--column", "value=IC50"], 2, "--quantity ic50-nm"),
        (rows("CCO,MKV,5\nCCN,MKV,10000\n"), vec![], 2, "of Y go from 5.0 to 10000.0"),
        (rows("CCO,MKV,5\n"), vec!["--format", "deepdta"], 1, "pairs.csv"),
        (rows("CCO,MKV,5\n"), vec!["--format", "deepdta", "--quantity", "pkd"], 2, "--quantity is for tables"),
        (rows("CCO,MKV,5\n"), vec!["--split", "upstream"], 1, "DeepDTA's layout"),
        (
            rows(&["C,MKV,5\n", "CC,MKV,6\n"].map(|row| row.repeat(3)).concat()),
            vec![],
            1,
            "share of the rows with --set test_fraction=SHARE, which is 0.167 now",
        ),
    ] {
        let folder = folder_with(&[("pairs.csv", &content)]);
        let arguments: Vec<&str> = ["audit", "--data", "pairs.csv"].into_iter().chain(options).collect();
        galen_drug_in(folder.path(), &arguments).ends_with(code).says(text);
    }
}

#[test]
fn rows_that_cannot_be_used_are_counted_and_shown() {
    let mut table = "SMILES,Protein,Y\n".to_owned();
    for drug in 1..=12 {
        for target in ["MKV", "MKVL", "MKVLL"] {
            table = format!("{table}{},{target},{drug}\n", "C".repeat(drug));
        }
    }
    for _ in 0..7 {
        table.push_str("CCO,MKV,much\n");
    }
    let folder = folder_with(&[("pairs.csv", &table)]);
    let told = galen_drug_in(folder.path(), &["audit", "--data", "pairs.csv", "--split", "random"]).ends_with(0);
    let told = told.says("pairs.csv: rows that cannot be used: 7").says("line 38: \"much\" is not a number");
    assert_eq!(told.stderr.matches("is not a number").count(), 5, "{}", told.stderr);
    told.says("and 2 more");
    let quiet = galen_drug_in(folder.path(), &["audit", "-q", "--data", "pairs.csv", "--split", "random"]).ends_with(0);
    assert!(quiet.stderr.is_empty(), "{}", quiet.stderr);
}

#[test]
fn data_that_is_not_there_ends_with_1_and_is_named() {
    for (arguments, text) in [
        (vec!["train", "--data", "absent.csv", "--run-dir", "run"], "absent.csv"),
        (vec!["audit", "--data", "absent.csv"], "absent.csv"),
        (vec!["predict", "--model", "absent", "--smiles", "a.smi", "--fasta", "a.fa"], "absent"),
    ] {
        galen_drug(&arguments).ends_with(1).says(text).says_no_more();
    }
}

#[test]
fn a_missing_list_of_compounds_is_named() {
    let folder = folder_with(&[("targets.fa", ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGD\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    let arguments =
        ["predict", "--model", &model, "--smiles", "absent.smi", "--fasta", "targets.fa", "--out", "out.csv"];
    galen_drug_in(folder.path(), &arguments).ends_with(1).says("absent.smi");
    assert!(!folder.path().join("out.csv").exists());
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    let folder = folder_with(&[("list.smi", "CCO\n"), ("targets.fa", ">one\nMKTAYIAK\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    devices_are_named(cfg!(feature = "cuda"), |device| {
        let arguments =
            ["predict", "--model", &model, "--smiles", "list.smi", "--fasta", "targets.fa", "--device", device];
        galen_drug_in(folder.path(), &arguments)
    });
}

#[test]
fn a_table_without_its_columns_names_them() {
    let folder = folder_with(&[("pairs.csv", "a,b\n1,2\n")]);
    galen_drug_in(folder.path(), &["audit", "--data", "pairs.csv"]).ends_with(1).says("pairs.csv");
}

#[test]
fn the_configuration_can_be_looked_at() {
    let finished = galen_drug(&["train", "--epochs", "7", "--seed", "3", "--print-config"]).ends_with(0);
    for line in ["epochs = 7", "seed = 3", "batch_size = 256"] {
        assert!(finished.stdout.contains(line), "{line} is missing in:\n{}", finished.stdout);
    }
}

#[test]
fn systems_are_listed_with_citation_and_size() {
    let stdout = galen_drug(&["systems"]).ends_with(0).stdout.to_lowercase().replace(',', "");
    // The parameter count is that of the authors' network at kernel widths 8 and 12.
    for text in ["deepdta", "bioinformatics 34", "2030337", "cpu"] {
        assert!(stdout.contains(text), "{text} is missing in:\n{stdout}");
    }
}

#[test]
fn explain_draws_the_molecule() {
    let folder = folder_with(&[("targets.fa", ">one\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDHRDLKPENWLP\n")]);
    let (model, run) = (demo_run().to_string_lossy().into_owned(), folder.path().join("explained"));
    let arguments =
        ["explain", "--model", &model, "--smiles", "Nc1ccc(cc1)S(=O)(=O)N", "--fasta", "targets.fa", "--run-dir"];
    let arguments: Vec<String> =
        arguments.iter().map(|&a| a.to_owned()).chain([run.to_string_lossy().into_owned()]).collect();
    galen_drug_in(folder.path(), &arguments).ends_with(0);
    let rows = |name: &str| std::fs::read_to_string(run.join(name)).unwrap().lines().count() - 1;
    // Six carbons, two nitrogens, two oxygens and the sulfur; the residues of the sequence above.
    assert_eq!((rows("atoms.tsv"), rows("residues.tsv")), (11, 53));
    assert!(std::fs::read_to_string(run.join("report.html")).unwrap().contains("read as padding"));
    let mut drawings = Vec::new();
    let mut folders = vec![run];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "svg") {
                drawings.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    assert!(drawings.iter().any(|svg| svg.contains("<svg") && svg.contains("</svg>")), "{} drawings", drawings.len());
}
