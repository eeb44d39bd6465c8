//! PyTorch's outputs for each encoding, vectors of words that share contexts, and a planted motif found by the vote.

use nn_core::data::rng;
use nn_core::models::embedding::Vectors;
use nn_core::train::Monitor;
use rand::RngExt;

use super::*;
use crate::dataset::{Labels, SequenceSet};
use crate::evaluate::probability;
use crate::systems::golden::{filled, noise};
use crate::systems::parts::numbers;
use crate::systems::parts::tests::{assert_golden, losses};
use crate::task::{Fitted, Task, TaskObjective};

fn small() -> Gene2vecConfig {
    Gene2vecConfig {
        length: 21,
        filters: [5, 4],
        kernels: [4, 3],
        hidden: 6,
        dropout: 0.0,
        embedding: 3,
        skip_gram: SkipGramConfig { dimension: 7, epochs: 2, ..Gene2vecConfig::default().skip_gram },
        ..Gene2vecConfig::default()
    }
}

fn vectors(dimension: usize) -> Vec<f32> {
    noise("vectors", WORDS * dimension).collect()
}

#[test]
fn parameter_counts_by_hand() {
    let config = Gene2vecConfig { length: 41, ..Gene2vecConfig::default() };
    let count =
        |encoding| config.init(encoding, Some(&vectors(100)), &Device::flex(), &mut rng(1, &[])).unwrap().num_params();
    let behind = |channels: usize, places: usize| {
        (64 * channels * 9 + 64) + (64 * 64 * 5 + 64) + (64 * (places / 2) * 64 + 64) + (64 + 1)
    };
    assert_eq!(count(Encoding::OneHot), behind(4, 41));
    assert_eq!(count(Encoding::Neighbours), behind(12, 41));
    assert_eq!(count(Encoding::Words), 65 * 32 + behind(32, 39));
    assert_eq!(count(Encoding::Gene2vec), 65 * 100 + behind(100, 39));
}

#[test]
fn outputs_are_those_of_pytorch() {
    let device = Device::flex();
    let window = |name: &str| noise(name, 21).map(|value| b"ACGT"[((value + 1.0) * 2.0) as usize]).collect::<Vec<u8>>();
    let windows = [window("one"), window("two"), window("three")];
    let windows: Vec<&[u8]> = windows.iter().map(Vec::as_slice).collect();
    for encoding in Encoding::ALL {
        let model = small().init(encoding, Some(&vectors(7)), &device, &mut rng(1, &[])).unwrap();
        let model = filled(model);
        assert_golden(model.logits(&windows, &device, None), &format!("gene2vec.{}", encoding.name()));
    }
}

#[test]
fn words_of_the_same_company_have_like_vectors() {
    // AAA and AAC (0 and 1) stand in the same places, GGG (42) stands elsewhere; sequences of words that overlap
    // need not occur for the vectors
    let mut rng = rng(3, &[]);
    let mut sequences: Vec<Vec<u8>> = Vec::new();
    for _ in 0..400 {
        let inner = if rng.random::<bool>() { b"TTCAATTC" } else { b"TTCACTTC" };
        sequences.push(inner.repeat(3));
        sequences.push(b"GGAGGAGGAGGAGGAGGAGG".to_vec());
    }
    let config = SkipGramConfig { dimension: 16, ..small().skip_gram };
    let found = skip_gram(sequences.iter().map(Vec::as_slice), &config).unwrap();
    assert_eq!(found.len(), WORDS * 16);
    assert!(found[64 * 16..].iter().all(|&value| value == 0.0));
    let vectors = Vectors::new(found, 16).unwrap();
    let code = |word: &[u8]| super::encoding::words(word)[0];
    let (one, like, other) = (code(b"CAA"), code(b"CAC"), code(b"GAG"));
    let (near, far) = (vectors.cosine(one, like).unwrap(), vectors.cosine(one, other).unwrap());
    assert!(near > far + 0.2, "{near} {far}");
    // of the words that occur: mean square 1, up to a mean that is not 0
    let known: Vec<f32> =
        [b"CAA", b"CAC", b"GAG", b"TTC"].iter().flat_map(|w| vectors.get(code(*w)).unwrap().to_vec()).collect();
    let square = known.iter().map(|value| value * value).sum::<f32>() / known.len() as f32;
    assert!((0.3..3.0).contains(&square), "{square}");
}

/// Windows with GGACT in the middle, and with the same bases in another order.
fn planted(rows: usize, seed: u64) -> SequenceSet {
    let mut rng = rng(seed, &[]);
    let mut window = |positive: bool| {
        let mut sequence: Vec<u8> = (0..21).map(|_| b"ACGT"[rng.random_range(0..4_usize)]).collect();
        sequence[8..13].copy_from_slice(if positive { b"GGACT" } else { b"TCAGG" });
        sequence
    };
    SequenceSet {
        names: (0..rows).map(|row| row.to_string()).collect(),
        sequences: (0..rows).map(|row| window(row % 2 == 0)).collect(),
        loci: vec![None; rows],
        tasks: vec!["m6A".to_owned()],
        labels: Labels::Binary,
        targets: (0..rows).map(|row| f32::from(u8::from(row % 2 == 0))).collect(),
        groups: None,
    }
}

#[test]
fn the_vote_finds_a_planted_motif_and_every_network_learns() {
    let set = planted(200, 4);
    let config = Gene2vecConfig { filters: [8, 8], hidden: 8, ..small() };
    let (train, validation): (Vec<usize>, Vec<usize>) = ((0..160).collect(), (160..200).collect());
    let recipe = Recipe { learning_rate: 1e-2, batch_size: 40, epochs: 15, ..Gene2vecConfig::recipe() };
    let device = Device::flex();
    let task = Gene2vecTask::new(&set, config).unwrap();
    let run = || {
        let fitted = task.fit(&train, 5).unwrap();
        let model = task.init(&fitted, &device.clone().autodiff(), &mut rng(5, &[0])).unwrap();
        let objective = TaskObjective::new(&task, fitted.clone(), validation.clone(), &device);
        (recipe.train("gene2vec", objective, model, &train, Monitor::lower("loss"), 5).unwrap().0, fitted)
    };
    let (vote, fitted) = run();
    let other = planted(100, 6);
    let windows: Vec<&[u8]> = other.sequences.iter().map(Vec::as_slice).collect();
    let right = |found: &[f64]| found.iter().zip(&other.targets).filter(|(x, y)| (**x > 0.0) == (**y > 0.5)).count();
    let each = numbers(vote.each(&windows, &device, None), "logits").unwrap();
    for (at, network) in vote.networks().iter().enumerate() {
        let found: Vec<f64> = each.iter().copied().skip(at).step_by(4).collect();
        assert!(right(&found) >= 90, "{:?}: {} of 100", network.encoding(), right(&found));
    }
    let found = numbers(vote.vote(&windows, &device), "logits").unwrap();
    assert!(right(&found) >= 97, "{}", right(&found));
    // the vote is the mean of the probabilities; 1e-4: of single precision, where logits are up to 10
    for (votes, found) in each.chunks_exact(4).zip(&found) {
        let mean = votes.iter().map(|&logit| probability(logit)).sum::<f64>() / 4.0;
        assert!((probability(*found) - mean).abs() < 1e-4, "{votes:?}: {found}");
    }
    // the vectors of words did not move, and the same seed gives the same vote
    let kept = vote.networks()[3].embedding.as_ref().unwrap().weight.val().try_into_vec_as::<f32>().unwrap();
    assert_eq!(kept, fitted.weights);
    assert_eq!(numbers(run().0.vote(&windows, &device), "logits").unwrap(), found);
}

#[test]
fn windows_are_learnt_by_heart() {
    let mut set = planted(12, 7);
    set.targets = (0..12).map(|row| f32::from(u8::from(row % 3 == 0))).collect();
    let config = Gene2vecConfig { filters: [16, 16], hidden: 16, ..small() };
    let (device, rows) = (Device::flex().autodiff(), (0..12).collect::<Vec<usize>>());
    let task = Gene2vecTask::new(&set, config).unwrap();
    let fitted = Fitted { weights: vectors(7), ..Fitted::default() };
    let model = task.init(&fitted, &device, &mut rng(2, &[])).unwrap();
    let [first, last] = losses(TaskObjective::new(&task, fitted, rows.clone(), &device), model, &rows, 200, 5e-3);
    // four cross-entropies of a coin
    assert!((first - 4.0 * std::f64::consts::LN_2).abs() < 1.0 && last < 0.05 * first, "{first} {last}");
}

#[test]
fn settings_that_do_not_fit_are_named() {
    let device = Device::flex();
    let error = small().init(Encoding::Gene2vec, None, &device, &mut rng(1, &[])).unwrap_err().to_string();
    assert_eq!(error, "vectors = 0 is out of range; allowed: 455 to 455");
    let set = planted(4, 1);
    let short = Gene2vecConfig { length: 20, ..small() };
    let error = Gene2vecTask::new(&set, short).unwrap_err().to_string();
    assert!(error.ends_with("windows of up to 21 bases; one of yes or no and 20 bases are due"), "{error}");
    Gene2vecConfig::recipe().validate().unwrap();
    assert!(Gene2vecConfig { length: 3, ..small() }.validate().is_err());
}
