//! Each system is trained by the rule of its authors where nothing else is said.

use crate::command::{folder_with, galen_genomics, galen_genomics_in};
use crate::data::{fasta, table};
use std::fs;

fn shown(more: &[&str]) -> String {
    let words = ["train", "--data", "a.fa", "--print-config"];
    galen_genomics(&[&words[..], more].concat()).ends_with(0).stdout
}

#[test]
fn the_rule_of_a_system_is_shown() {
    for (system, lines) in [
        ("basset", vec!["learning_rate = 0.002", "batch_size = 128", "epochs = 1000", "patience = 10"]),
        ("basset", vec!["max_norm = 7.0", "[optimizer]", "kind = \"rmsprop\"", "alpha = 0.98"]),
        ("deepmotif-rnn", vec!["learning_rate = 0.01", "batch_size = 256", "epochs = 50", "clip_value = 5.0"]),
        ("deepmotif-rnn", vec!["[schedule]", "kind = \"step\"", "every = 10", "factor = 0.5", "epsilon_hat = true"]),
        ("deepbind", vec!["optimizer = \"adamw\"", "schedule = \"cosine\"", "learning_rate = 0.002"]),
        ("cnnprom", vec!["optimizer = \"adam\"", "schedule = \"constant\"", "learning_rate = 0.001"]),
    ] {
        let text = shown(&["--system", system]);
        for line in lines {
            assert!(text.contains(line), "{system}: {line} is missing in:\n{text}");
        }
    }
    assert!(!shown(&["--system", "deepbind"]).contains("max_norm"));
}

#[test]
fn a_rule_is_overridden_as_a_whole_or_in_one_constant() {
    let basset = |settings: &[&str]| {
        let set = settings.iter().flat_map(|setting| ["--set", *setting]);
        shown(&["--system", "basset"].into_iter().chain(set).collect::<Vec<&str>>())
    };
    let text = basset(&["optimizer=adam", "max_norm=0", "epochs=3"]);
    for line in ["optimizer = \"adam\"", "max_norm = 0.0", "epochs = 3", "batch_size = 128"] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    assert!(!text.contains("alpha"), "{text}");
    let text = basset(&["optimizer.alpha=0.9"]);
    assert!(text.contains("alpha = 0.9\n") && text.contains("kind = \"rmsprop\""), "{text}");
    let folder = folder_with(&[
        ("a.fa", &fasta(8, true, 1)),
        (
            "run.toml",
            "schedule = { kind = \"exponential\", factor = 0.9 }\n[optimizer]\nkind = \"sgd\"\nmomentum = 0.5\n",
        ),
    ]);
    let words = ["train", "--data", "a.fa", "--config", "run.toml", "--print-config"];
    let text = galen_genomics_in(folder.path(), &words).ends_with(0).stdout;
    for line in ["kind = \"exponential\"", "factor = 0.9", "kind = \"sgd\"", "momentum = 0.5"] {
        assert!(text.contains(line), "{line} is missing in:\n{text}");
    }
    let words = ["train", "--data", "a.fa", "--set", "optimizer=adamm"];
    galen_genomics_in(folder.path(), &words).ends_with(2).says("use adam, adamw, rmsprop, sgd, adadelta");
}

/// What is written into the run folder is read back, tables and all.
#[test]
fn a_run_with_constants_of_its_own_is_continued() {
    let folder = folder_with(&[("a.csv", &table(60, 1))]);
    let path = folder.path();
    let sizes = ["filters=[6,5,4]", "kernels=[7,5,3]", "pools=[2,3,2]", "hidden=[8]"];
    let sizes: Vec<String> = sizes.iter().map(|size| format!("network.{size}")).collect();
    let mut words = vec!["train", "--data", "a.csv", "--split", "random", "--models", "1", "--run-dir", "run"];
    words.extend(["--system", "basset", "--epochs", "2"]);
    words.extend(sizes.iter().flat_map(|size| ["--set", size.as_str()]));
    galen_genomics_in(path, &words).ends_with(0);
    let config = fs::read_to_string(path.join("run/config.toml")).unwrap();
    assert!(config.contains("alpha = 0.98") && config.contains("max_norm = 7.0"), "{config}");
    let again = ["train", "--run-dir", "run", "--resume"];
    galen_genomics_in(path, &again).ends_with(0).says("trained before");
    let other = [&again[..], &["--set", "optimizer.alpha=0.9"]].concat();
    galen_genomics_in(path, &other).ends_with(1).says("optimizer.alpha was 0.98, is 0.9");
}
