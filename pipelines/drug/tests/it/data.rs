//! Small inputs that the tests make: generated affinities, and options that make training quick.

use drug::io::affinity::to_csv;
use drug::synthetic::{SyntheticConfig, affinity_table};

/// A table of generated affinities: every pair of 16 drugs and 10 targets.
pub(crate) fn table() -> String {
    let config = SyntheticConfig { drugs: 16, targets: 10, ..SyntheticConfig::default() };
    String::from_utf8(to_csv(&affinity_table(&config).unwrap().0).unwrap()).unwrap()
}

/// Options that make `train` quick: a network of a few filters.
pub(crate) fn quick(command: &[&str]) -> Vec<String> {
    let settings = [
        "network.filters=4",
        "network.embedding=8",
        "network.smiles_kernel=4",
        "network.protein_kernel=4",
        "network.protein_length=120",
        "batch_size=16",
        "patience=1000",
    ];
    let mut words: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    for setting in settings {
        words.extend(["--set".to_owned(), setting.to_owned()]);
    }
    words
}
