//! Layers, their order, and what a user is told who mistypes.

use std::path::Path;

use serde::{Deserialize, Serialize};
use workbench::args::Common;
use workbench::config::{Flags, ResolveError, resolve_with, to_toml};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    dataset: String,
    device: String,
    seed: u64,
    train: Train,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Train {
    epochs: usize,
    learning_rate: f64,
    patience: Option<usize>,
    filters: Vec<usize>,
    optimizer: Optimizer,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Optimizer {
    Adam { beta1: f64 },
    Sgd { momentum: f64 },
}

fn defaults() -> Settings {
    Settings {
        dataset: "davis".into(),
        device: "cpu".into(),
        seed: 1,
        train: Train {
            epochs: 100,
            learning_rate: 1e-3,
            patience: None,
            filters: vec![32, 64, 96],
            optimizer: Optimizer::Adam { beta1: 0.9 },
        },
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn with_file(folder: &Path, text: &str) -> Common {
    let path = folder.join("settings.toml");
    std::fs::write(&path, text).unwrap();
    Common { config: Some(path), ..Common::default() }
}

fn refused(common: &Common, environment: &[(&str, &str)]) -> String {
    resolve_with(&defaults(), common, &variables(environment), Flags::new()).unwrap_err().to_string()
}

fn set(key: &str, value: &str) -> Common {
    Common { set: vec![(key.to_owned(), value.to_owned())], ..Common::default() }
}

#[test]
fn without_any_layer_the_defaults_come_back() {
    let resolved = resolve_with(&defaults(), &Common::default(), &[], Flags::new()).unwrap();
    assert_eq!(resolved, defaults());
}

#[test]
fn each_layer_overrides_the_one_below() {
    let folder = tempfile::tempdir().unwrap();
    let mut common = with_file(folder.path(), "seed = 2\ndataset = \"kiba\"\n[train]\nepochs = 2\nlearning_rate = 2\n");
    let environment = variables(&[("GALEN_TRAIN__EPOCHS", "3"), ("GALEN_SEED", "3"), ("GALEN_DATASET", "7")]);
    let resolved = resolve_with(&defaults(), &common, &environment, Flags::new()).unwrap();
    assert_eq!((resolved.train.epochs, resolved.seed), (3, 3));
    assert_eq!(resolved.dataset, "7", "the default is text, so the digit is text");
    assert_eq!(resolved.train.learning_rate, 2.0, "a whole number is a number");

    common.set = vec![("train.epochs".into(), "4".into()), ("seed".into(), "4".into())];
    common.seed = Some(5);
    let flags = Flags::new().set("train.epochs", Some(6_usize)).set("train.patience", None::<usize>);
    let resolved = resolve_with(&defaults(), &common, &environment, flags).unwrap();
    assert_eq!((resolved.train.epochs, resolved.seed), (6, 5));
    assert_eq!(resolved.train.patience, None);
    assert_eq!(resolved.train.filters, [32, 64, 96]);
}

#[test]
fn lists_options_and_other_kinds_can_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut common = with_file(folder.path(), "[train.optimizer]\nkind = \"sgd\"\nmomentum = 0.8\n");
    common.set = vec![("train.filters".into(), "[8, 16]".into()), ("train.patience".into(), "5".into())];
    let resolved = resolve_with(&defaults(), &common, &[], Flags::new()).unwrap();
    assert_eq!(resolved.train.filters, [8, 16]);
    assert_eq!(resolved.train.patience, Some(5));
    assert_eq!(resolved.train.optimizer, Optimizer::Sgd { momentum: 0.8 });
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let message = refused(&with_file(folder.path(), "[train]\nepoch = 5\n"), &[]);
    assert!(message.contains("settings.toml"), "{message}");
    assert!(message.ends_with("unknown key \"train.epoch\"; did you mean \"train.epochs\"?"), "{message}");

    // the right name in the wrong section
    let message = refused(&set("learning-rate", "1"), &[]);
    assert!(message.starts_with("--set learning-rate=1: unknown key"), "{message}");
    assert!(message.ends_with("did you mean \"train.learning_rate\"?"), "{message}");

    let message = refused(&Common::default(), &[("GALEN_TRAIN__EPOCS", "5")]);
    assert!(message.starts_with("environment variable GALEN_TRAIN__EPOCS: "), "{message}");

    // nothing near: everything there is
    let message = refused(&set("completely.different", "1"), &[]);
    assert!(message.contains("known keys: ") && message.contains("train.optimizer.beta1"), "{message}");

    // a setting of another kind is not taken silently
    let message = refused(&set("train.optimizer.momentum", "0.5"), &[]);
    assert!(message.contains("unknown key \"train.optimizer.momentum\""), "{message}");
}

#[test]
fn a_wrong_type_names_the_key_and_where_it_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let message = refused(&with_file(folder.path(), "[train]\nepochs = \"many\"\n"), &[]);
    for part in ["settings.toml", "train.epochs", "\"many\"", "usize", "the default is 100"] {
        assert!(message.contains(part), "{part} is missing in: {message}");
    }
    let message = refused(&Common::default(), &[("GALEN_TRAIN__EPOCHS", "-3")]);
    assert!(message.starts_with("environment variable GALEN_TRAIN__EPOCHS: train.epochs: "), "{message}");
    let message = refused(&set("train", "5"), &[]);
    assert!(message.starts_with("--set train=5: train: "), "{message}");
}

// Serde takes a tagged enum apart before it knows what it is, and loses the way to the value.
#[test]
fn a_wrong_value_in_a_tagged_enum_is_named() {
    let message = refused(&set("train.optimizer.beta1", "0,9"), &[]);
    assert!(message.starts_with("--set train.optimizer.beta1=0,9: train.optimizer.beta1: "), "{message}");
    let message = refused(&set("train.optimizer.kind", "sdg"), &[]);
    assert!(message.starts_with("--set train.optimizer.kind=sdg: train.optimizer.kind: "), "{message}");
    assert!(message.contains("`adam` or `sgd`"), "{message}");

    // another kind without its own settings
    let mut common = set("train.optimizer.kind", "sgd");
    let message = refused(&common, &[]);
    let expected = "--set train.optimizer.kind=sgd: train.optimizer.momentum: missing field `momentum`";
    assert!(message.starts_with(expected), "{message}");
    // with one that is wrong, it is the wrong one that is named, not the kind that it belongs to
    common.set.push(("train.optimizer.momentum".into(), "high".into()));
    let message = refused(&common, &[]);
    assert!(message.starts_with("--set train.optimizer.momentum=high: train.optimizer.momentum: "), "{message}");
}

/// A configuration as those of the pipelines are: the settings of a study beside those of the command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Run {
    data: String,
    #[serde(flatten)]
    study: Study,
    source: Option<Source>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Study {
    learning_rate: f64,
    dropout: f64,
    seed: u64,
    filters: Vec<usize>,
    optimizer: Optimizer,
    stop: Stop,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Stop {
    patience: Option<usize>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Source {
    limit: usize,
}

impl Default for Study {
    fn default() -> Self {
        let Train { learning_rate, filters, optimizer, .. } = defaults().train;
        Self { learning_rate, dropout: 0.1, seed: 1, filters, optimizer, stop: Stop::default() }
    }
}

/// What is said about `common` and `environment` over the defaults of a flattened configuration. The option comes last,
/// as in a command whose data is named on the command line.
fn refused_flattened(common: &Common, environment: &[(&str, &str)]) -> String {
    let option = Flags::new().set("data", Some("davis"));
    resolve_with(&Run::default(), common, &variables(environment), option).unwrap_err().to_string()
}

#[test]
fn a_wrong_value_in_a_flattened_struct_is_named() {
    let message = refused_flattened(&set("learning_rate", "0,001"), &[]);
    let expected = "--set learning_rate=0,001: learning_rate: invalid type: found string \"0,001\", expected f64 (the \
                    default is 0.001)";
    assert_eq!(message, expected);
    let message = refused_flattened(&Common::default(), &[("GALEN_SEED", "-3")]);
    assert!(message.starts_with("environment variable GALEN_SEED: seed: invalid value"), "{message}");
    assert!(message.contains("-3") && message.contains("u64"), "{message}");
    let message = refused_flattened(&set("filters", "[8, 'many']"), &[]);
    assert!(message.starts_with("--set filters=[8, 'many']: filters: "), "{message}");
    let message = refused_flattened(&set("optimizer.beta1", "x"), &[]);
    assert!(message.starts_with("--set optimizer.beta1=x: optimizer.beta1: "), "{message}");
    let message = refused_flattened(&set("stop", "5"), &[]);
    assert!(message.starts_with("--set stop=5: stop: "), "{message}");
    // beside the flattened struct, where serde knows the way
    let message = refused_flattened(&set("source.limit", "few"), &[]);
    assert!(message.starts_with("--set source.limit=few: source.limit: "), "{message}");
}

#[test]
fn the_layer_of_the_wrong_value_is_named_and_not_another() {
    let folder = tempfile::tempdir().unwrap();
    let mut common = with_file(folder.path(), "learning_rate = \"fast\"\nseed = 7\n[stop]\npatience = 5\n");
    common.set = vec![("stop.patience".into(), "6".into()), ("dropout".into(), "0.2".into())];
    let message = refused_flattened(&common, &[("GALEN_FILTERS", "[8]")]);
    assert!(message.starts_with("configuration file "), "{message}");
    assert!(message.contains("settings.toml: learning_rate: ") && message.contains("\"fast\""), "{message}");

    // a layer above that mends it is heard
    common.set.push(("learning_rate".into(), "0.5".into()));
    let mended = resolve_with(&Run::default(), &common, &[], Flags::new()).unwrap();
    assert_eq!((mended.study.learning_rate, mended.study.stop.patience), (0.5, Some(6)));

    // of two that are wrong in the same words one is named, with its own layer
    let mut twice = set("dropout", "0,1");
    twice.set.push(("learning_rate".into(), "0,1".into()));
    let message = refused_flattened(&twice, &[]);
    let named = ["dropout", "learning_rate"].map(|key| format!("--set {key}=0,1: {key}: invalid type"));
    assert!(named.iter().any(|start| message.starts_with(start)), "{message}");
}

#[test]
fn an_unknown_key_below_a_flattened_struct_is_refused_with_the_nearest() {
    let message = refused_flattened(&set("stop.patince", "3"), &[]);
    assert_eq!(message, "--set stop.patince=3: unknown key \"stop.patince\"; did you mean \"stop.patience\"?");
    let message = refused_flattened(&set("source.limt", "3"), &[]);
    assert_eq!(message, "--set source.limt=3: unknown key \"source.limt\"; did you mean \"source.limit\"?");
    let message = refused_flattened(&set("dropuot", "0.2"), &[]);
    assert_eq!(message, "--set dropuot=0.2: unknown key \"dropuot\"; did you mean \"dropout\"?");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let absent = Common { config: Some("no/such/settings.toml".into()), ..Common::default() };
    assert!(refused(&absent, &[]).starts_with("cannot read configuration file no/such/settings.toml: "));
    let folder = tempfile::tempdir().unwrap();
    let message = refused(&with_file(folder.path(), "seed = 1\nseed = = 2\n"), &[]);
    assert!(message.contains("is not valid TOML") && message.contains("line 2"), "{message}");
}

#[test]
fn variables_that_are_no_settings_are_passed_over() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Small {
        rows: usize,
    }
    let environment =
        variables(&[("GALEN_DATA", "/data"), ("GALEN_RUN_DIR", "/run"), ("GALEN_SEED", "4"), ("GALEN_DEVICE", "cpu")]);
    let resolved = resolve_with(&Small { rows: 7 }, &Common::default(), &environment, Flags::new()).unwrap();
    assert_eq!(resolved.rows, 7);
    // the option, in contrast, was typed for this command
    let common = Common { seed: Some(4), ..Common::default() };
    let error = resolve_with(&Small { rows: 7 }, &common, &[], Flags::new()).unwrap_err();
    assert!(matches!(error, ResolveError::UnknownKey { .. }), "{error}");
}

#[test]
fn the_printed_configuration_reads_back() {
    let mut settings = defaults();
    settings.train.patience = Some(3);
    let text = to_toml(&settings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let common = with_file(folder.path(), &text);
    let mut other = defaults();
    other.seed = 99;
    other.train.epochs = 1;
    assert_eq!(resolve_with(&other, &common, &[], Flags::new()).unwrap(), settings);
}
