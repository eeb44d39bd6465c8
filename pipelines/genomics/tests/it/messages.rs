//! What goes wrong is told once, with the place and the remedy, and the exit status says whose fault it is: 1 for the data
//! or the run, 2 for the command line or the configuration.

use crate::command::{PROGRAM, demo_run, folder_with, galen_genomics, galen_genomics_in};
use crate::data::{fasta, genome, table};
use tests::command::devices_are_named;

#[test]
fn usage_and_configuration_end_with_2() {
    let folder = folder_with(&[("a.fa", &fasta(8, true, 1)), ("b.fa", &fasta(8, false, 2))]);
    for (arguments, text) in [
        (vec!["frobnicate"], "frobnicate"),
        (vec!["predict"], "--model"),
        (vec!["predict", "--model", "m"], "--fasta"),
        (vec!["predict", "--model", "m", "--fasta", "a", "--bed", "b"], "--bed"),
        (vec!["train"], "--data"),
        (vec!["train", "--data", "a.fa", "--set", "epochs"], "key=value"),
        (vec!["train", "--data", "a.fa", "--set", "epochs=0"], "epochs"),
        (vec!["train", "--data", "a.fa", "--set", "test_fraction=1.5"], "test_fraction"),
        (vec!["train", "--data", "a.fa", "--set", "learning_rate=-1"], "learning_rate"),
        (vec!["train", "--data", "a.fa", "--set", "learning_rate=0,001"], "0,001"),
        (vec!["train", "--data", "a.fa", "--set", "seed=99999999999999999999"], "expected"),
        (vec!["train", "--data", "a.fa", "--seed=-1"], "--seed"),
        (vec!["train", "--data", "a.fa", "--set", "schedule=cosin"], "constant"),
        (vec!["train", "--data", "a.fa", "--set", "epoch=5"], "did you mean \"epochs\"?"),
        (vec!["train", "--data", "a.fa", "--system", "deepbnd"], "use one of: deepbind"),
        (vec!["train", "--data", "a.fa", "--set", "network.filter=3"], "filters"),
        (vec!["train", "--data", "a.fa", "--folds", "2", "--models", "5"], "only 2 folds"),
        (vec!["train", "--data", "a.fa", "--config", "absent.toml"], "absent.toml"),
        (vec!["train", "--data", "a.fa", "--genome", "b.fa"], "--genome is for intervals"),
        (vec!["train", "--data", "a.fa", "--split", "upstream"], "--test"),
        (vec!["-q", "-v", "systems"], "--quiet"),
        (vec!["bench", "windows", "--window", "0"], "--window"),
        (vec!["bench", "coverage"], "--bam"),
        (vec!["audit", "--data", "a.fa", "--split", "warm"], "chromosome"),
        (vec!["audit", "--data", "a.fa", "--set", "test_fraction=0"], "test_fraction"),
        (vec!["audit", "--data", "a.fa", "--run-dir", "run"], "--run-dir"),
        (vec!["audit", "--data", "a.fa", "--column", "label=x"], "--column is for tables"),
        (vec!["systems", "--seed", "1"], "option --seed"),
        (vec!["coverage", "--bam", "x.bam", "--strand", "up"], "forward or reverse"),
        (vec!["coverage", "--bam", "x.bam", "--exclude-flags", "dup"], "0xF04"),
        (vec!["explain", "--model", "m", "--fasta", "f", "--shown", "0"], "shown"),
        (vec!["explain", "--model", "m", "--fasta", "f", "--method", "magic"], "mutagenesis"),
        (vec!["predict", "--model", "m", "--fasta", "s", "--seed", "1"], "option --seed"),
        (vec!["predict", "--model", "m", "--fasta", "s", "--resume"], "--resume"),
        (vec!["predict", "--model", "m", "--fasta", "s", "--genome", "g"], "leave them out"),
        (vec!["prepare", "--data", "a.fa", "--resume"], "leave out --resume"),
        (vec!["explain", "--model", "m", "--fasta", "a.fa", "--resume"], "leave out --resume"),
        (vec!["experiment", "khan", "--resume"], "leave out --resume"),
        (vec!["prepare", "--data", "a.fa", "--bins", "4"], "--bam"),
        (vec!["prepare", "--data", "a.fa", "--bam", "x=y.bam"], "windows of a genome"),
    ] {
        galen_genomics_in(folder.path(), &arguments).ends_with(2).says(text);
    }
}

#[test]
fn every_command_shows_its_settings() {
    let model = ["--model", "m"];
    for (verb, more, lines) in [
        ("audit", vec!["--data", "a.fa"], vec!["seed = 5", "split = \"auto\"", "data = \"a.fa\""]),
        ("prepare", vec!["--data", "a.fa"], vec!["seed = 5", "test_fraction = 0.2"]),
        (
            "train",
            vec!["--data", "a.fa", "--single-strand"],
            vec!["seed = 5", "strands = \"given\"", "system = \"deepbind\""],
        ),
        ("evaluate", vec!["--model", "m", "--data", "a.fa"], vec!["device = \"ndarray\""]),
        ("predict", [&model[..], &["--fasta", "f"]].concat(), vec!["device = \"ndarray\""]),
        (
            "variants",
            [&model[..], &["--vcf", "v", "--genome", "g", "--out", "o.vcf"]].concat(),
            vec!["device = \"ndarray\""],
        ),
        ("explain", [&model[..], &["--fasta", "f"]].concat(), vec!["method = \"mutagenesis\"", "shown = 4"]),
        ("coverage", vec!["--bam", "x.bam", "--size", "200"], vec!["bin = 50", "size = 200"]),
        ("demo", vec![], vec!["seed = 5", "device = \"ndarray\"", "quick = false", "contigs = 5"]),
    ] {
        PROGRAM.shows_settings(verb, &more, &lines);
    }
}

#[test]
fn the_system_decides_the_sizes_that_are_shown() {
    let shown =
        galen_genomics(&["train", "--data", "a.fa", "--system", "basset", "--print-config"]).ends_with(0).stdout;
    assert!(shown.contains("system = \"basset\"") && shown.contains("hidden = ["), "{shown}");
    let set =
        ["train", "--data", "a.fa", "--set", "network.system=cnnprom", "--set", "network.hidden=64", "--print-config"];
    let shown = galen_genomics(&set).ends_with(0).stdout;
    assert!(shown.contains("system = \"cnnprom\"") && shown.contains("hidden = 64"), "{shown}");
    let folder = folder_with(&[("run.toml", "[network]\nsystem = \"deepmotif\"\n")]);
    let file = ["train", "--data", "a.fa", "--config", "run.toml", "--print-config"];
    assert!(galen_genomics_in(folder.path(), &file).ends_with(0).stdout.contains("system = \"deepmotif\""));
}

/// Data that is wrong in ten ways: what the user is told, and with which status.
#[test]
fn wrong_data_is_told_with_the_place_and_the_remedy() {
    let (good, other) = (fasta(6, true, 1), fasta(6, false, 2));
    let (chromosomes, peaks) = genome(1);
    let peaks_2 = peaks.replace("chr1", "chrQ");
    for (name, content, options, code, text) in [
        ("a.fa", "", vec!["--negatives", "other.fa"], 1, "a.fa"),
        ("a.fa", ">x\nACGU!\n", vec!["--negatives", "other.fa"], 1, "nucleotide"),
        ("a.fa", ">x\n", vec!["--negatives", "other.fa"], 1, "x"),
        ("a.fa", good.as_str(), vec!["--negatives", "none"], 1, "have one label"),
        ("a.fa", good.as_str(), vec!["--negatives", "absent.fa"], 1, "absent.fa"),
        ("a.fa", good.as_str(), vec!["--negatives", "genome"], 2, "--genome"),
        ("a.fa", good.as_str(), vec!["--format", "class-fasta"], 1, "class:"),
        ("a.csv", "x,y\n1,2\n", vec![], 1, "sequence or seq"),
        ("a.csv", "sequence,label\nACGT,1\nAC!T,0\n", vec![], 1, "line 3"),
        ("a.csv", "sequence,label\nACGT,1\n", vec!["--column", "worth=label"], 2, "ROLE=NAME"),
        ("a.bed", peaks.as_str(), vec![], 2, "--genome"),
        ("a.bed", peaks_2.as_str(), vec!["--genome", "genome.fa"], 1, "chrQ"),
        ("a.bed", "chr1\t5\t9\nchr1\t5\t10\n", vec!["--genome", "genome.fa"], 2, "--window"),
        ("a.bed", "chr1\t9\t5\n", vec!["--genome", "genome.fa", "--window", "10"], 1, "line 1"),
    ] {
        let folder = folder_with(&[(name, content), ("other.fa", &other), ("genome.fa", &chromosomes)]);
        let arguments: Vec<&str> = ["audit", "--data", name].into_iter().chain(options).collect();
        galen_genomics_in(folder.path(), &arguments).ends_with(code).says(text);
    }
}

#[test]
fn data_that_is_not_there_ends_with_1_and_is_named() {
    for (arguments, text) in [
        (vec!["train", "--data", "absent.fa", "--run-dir", "run"], "absent.fa"),
        (vec!["audit", "--data", "absent.csv"], "absent.csv"),
        (vec!["predict", "--model", "absent", "--fasta", "a.fa"], "absent"),
        (vec!["coverage", "--bam", "absent.bam"], "absent.bam"),
    ] {
        galen_genomics(&arguments).ends_with(1).says(text).says_no_more();
    }
}

#[test]
fn a_model_of_other_tasks_is_refused() {
    let model = demo_run().to_string_lossy().into_owned();
    let folder = folder_with(&[("a.csv", &table(12, 3).replace(",1,", ",yes,").replace(",0,", ",no,"))]);
    let arguments = ["evaluate", "--model", &model, "--data", "a.csv"];
    galen_genomics_in(folder.path(), &arguments)
        .ends_with(1)
        .says("the model predicts bound (yes or no)")
        .says("no, yes");
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    let folder = folder_with(&[("a.fa", ">x\nACGTACGT\n")]);
    let model = demo_run().to_string_lossy().into_owned();
    devices_are_named(cfg!(feature = "cuda"), |device| {
        let arguments = ["predict", "--model", &model, "--fasta", "a.fa", "--device", device];
        galen_genomics_in(folder.path(), &arguments)
    });
}

#[test]
fn systems_are_listed_with_their_size() {
    let stdout = galen_genomics(&["systems"]).ends_with(0).stdout.to_lowercase();
    for text in ["deepbind", "basset", "deepmotif-rnn", "cnnprom", "kelley", "beluga", "149536251", "parameters", "cpu"]
    {
        assert!(stdout.contains(text), "{text} is missing in:\n{stdout}");
    }
}
