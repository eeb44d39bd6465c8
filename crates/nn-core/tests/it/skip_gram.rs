//! Skip-gram on a real corpus of 300 news articles, against gensim (`tests/golden/skip_gram.py`).

use nn_core::models::embedding::{SkipGramConfig, Vocabulary};
use serde::Deserialize;
use std::collections::HashSet;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    real: Real,
}

#[derive(Deserialize)]
struct Real {
    min_count: u64,
    dimension: usize,
    epochs: usize,
    tokens: u64,
    vocabulary: usize,
    /// Words that occur between 57 and 108 times.
    chosen: Vec<String>,
    /// Mean overlap of two seeds of gensim.
    agreement: f64,
    /// By seed of gensim and by chosen word.
    neighbours: Vec<Vec<Vec<String>>>,
}

/// `lee_background.cor` as gensim ships it: an article on each line.
fn articles() -> Option<String> {
    let path = std::env::var_os("GALEN_DATA").map(|data| PathBuf::from(data).join("foundations/lee_background.cor"));
    let Some(path) = path.filter(|path| path.is_file()) else {
        let _ = writeln!(std::io::stderr(), "ignored: needs foundations/lee_background.cor (set GALEN_DATA)");
        return None;
    };
    Some(std::fs::read_to_string(path).unwrap())
}

#[test]
fn neighbours_of_frequent_words_agree_with_gensim() {
    let Some(text) = articles() else { return };
    let Golden { real } = serde_json::from_str(include_str!("../golden/skip_gram.json")).unwrap();
    let sentences: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(sentences.iter().map(Vec::len).sum::<usize>() as u64, real.tokens);
    let vocabulary = Vocabulary::count(&sentences, real.min_count);
    assert_eq!(vocabulary.len(), real.vocabulary);

    let config = SkipGramConfig { dimension: real.dimension, epochs: real.epochs, ..SkipGramConfig::default() };
    let model = config.fit(&vocabulary.corpus(&sentences), vocabulary.len()).unwrap();
    let lists: Vec<HashSet<&str>> = real
        .chosen
        .iter()
        .map(|word| {
            let near = model.vectors().neighbours(vocabulary.code(word.as_str()).unwrap(), 10).unwrap();
            near.iter().map(|neighbour| vocabulary.keys()[neighbour.code as usize]).collect()
        })
        .collect();
    let common = real
        .neighbours
        .iter()
        .flat_map(|theirs| theirs.iter().zip(&lists))
        .map(|(theirs, ours)| theirs.iter().filter(|word| ours.contains(word.as_str())).count());
    let found = common.sum::<usize>() as f64 / (10 * lists.len() * real.neighbours.len()) as f64;
    let agreement = real.agreement;
    assert!(found > agreement - 0.1, "overlap {found}, of gensim with itself {agreement}");
}
