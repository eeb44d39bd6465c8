//! Skip-gram against its definition and against gensim, and the other methods on the same planted corpus.

mod kernel;

use super::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/skip_gram.json")).unwrap()
}

/// The generator of `tests/golden/skip_gram.py`.
struct Mix(u64);

impl Mix {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((((z ^ (z >> 31)) >> 32) * u64::from(n)) >> 32) as u32
    }
}

const GROUPS: u32 = 24;
const MEMBERS: u32 = 6;

/// Codes of a group are synonyms; a sentence is about one group and its two neighbours on a ring.
fn planted() -> Corpus {
    let mut mix = Mix(1);
    (0..5000)
        .map(|_| {
            let topic = mix.below(GROUPS);
            let code = |mix: &mut Mix| {
                let group = (topic + [GROUPS - 1, 0, 0, 1][mix.below(4) as usize]) % GROUPS;
                group * MEMBERS + mix.below(MEMBERS).min(mix.below(MEMBERS))
            };
            (0..12).map(|_| code(&mut mix)).collect::<Vec<u32>>()
        })
        .collect()
}

const ROWS: usize = (GROUPS * MEMBERS) as usize;

fn config() -> SkipGramConfig {
    SkipGramConfig { dimension: 32, ..SkipGramConfig::default() }
}

/// The ten nearest codes of each code.
fn nearest(vectors: &Vectors) -> Vec<Vec<u64>> {
    let codes = 0..vectors.rows() as u32;
    let list = |code| vectors.neighbours(code, 10).unwrap().iter().map(|near| u64::from(near.code)).collect();
    codes.map(list).collect()
}

/// The share of common entries in two sets of lists.
fn overlap(a: &[Vec<u64>], b: &[Vec<u64>]) -> f64 {
    assert_eq!(a.len(), b.len());
    let common = a.iter().zip(b).map(|(a, b)| a.iter().filter(|code| b.contains(code)).count()).sum::<usize>();
    common as f64 / a.iter().map(Vec::len).sum::<usize>() as f64
}

/// The share of codes among the five nearest that belong to the group.
fn own_group(vectors: &Vectors) -> f64 {
    let lists = nearest(vectors);
    let size = u64::from(MEMBERS);
    let own = lists
        .iter()
        .zip(0_u64..)
        .map(|(list, code)| list[..5].iter().filter(|&&near| near / size == code / size).count());
    own.sum::<usize>() as f64 / (5 * lists.len()) as f64
}

#[test]
fn neighbours_agree_with_gensim_as_gensim_does_with_itself() {
    let golden = golden();
    let corpus = planted();
    assert_eq!(corpus.tokens() as u64, 12 * golden["planted"]["sentences"].as_u64().unwrap());
    for (name, objective) in [
        ("negative_sampling", SkipGramObjective::default()),
        ("hierarchical_softmax", SkipGramObjective::HierarchicalSoftmax),
    ] {
        let case = &golden["planted"][name];
        let theirs: Vec<Vec<Vec<u64>>> = serde_json::from_value(case["neighbours"].clone()).unwrap();
        let agreement = case["agreement"].as_f64().unwrap();
        assert!(theirs.len() == 3 && agreement > 0.8);
        assert!((overlap(&theirs[0], &theirs[1]) - agreement).abs() < 0.05);
        let model = SkipGramConfig { objective, ..config() }.fit(&corpus, ROWS).unwrap();
        let ours = nearest(model.vectors());
        let found = theirs.iter().map(|theirs| overlap(&ours, theirs)).sum::<f64>() / 3.0;
        assert!(found > agreement - 0.1, "{name}: {found}, gensim with itself {agreement}");
        assert!(own_group(model.vectors()) > 0.99, "{name}");
    }
}

#[test]
fn deterministic_training_gives_the_same_bits_with_any_number_of_threads() {
    let corpus = planted();
    let fit = |config: SkipGramConfig| config.fit(&corpus, ROWS).unwrap();
    let one = fit(SkipGramConfig { epochs: 1, threads: 1, ..config() });
    let three = SkipGramConfig { epochs: 1, threads: 3, ..config() };
    assert_eq!(one, fit(three.clone()));
    assert_eq!(one, fit(three.clone()));
    // one thread is deterministic in any case
    assert_eq!(one, fit(SkipGramConfig { epochs: 1, threads: 1, deterministic: false, ..config() }));
    assert_ne!(one, fit(SkipGramConfig { seed: 2, ..three }));
}

#[test]
fn threads_that_share_the_vectors_learn_the_same_groups() {
    let corpus = planted();
    for objective in [SkipGramObjective::default(), SkipGramObjective::HierarchicalSoftmax] {
        let shared = SkipGramConfig { objective, threads: 3, deterministic: false, ..config() };
        let (shared, alone) = (shared.fit(&corpus, ROWS).unwrap(), config().fit(&corpus, ROWS).unwrap());
        assert!(own_group(shared.vectors()) > 0.99);
        // gensim's seeds agree to 0.83
        if objective == SkipGramObjective::default() {
            assert!(overlap(&nearest(shared.vectors()), &nearest(alone.vectors())) > 0.73);
        }
    }
}

#[test]
fn products_of_the_vectors_reach_the_optimum_of_negative_sampling() {
    // Levy and Goldberg 2014, section 3.1: with enough dimensions each h·w has its own optimum,
    // ln (#(a, b) / noise), where noise is how often b is drawn as a negative for a. Four codes of equal
    // frequency: k/4 for each pair of a with another centre than b, since a negative that is the centre is left out.
    let counts = [[0, 60, 20, 20], [60, 0, 20, 20], [20, 20, 0, 60], [20, 20, 60, 0_u32]];
    let mut pairs: Vec<[u32; 2]> = Vec::new();
    for (a, row) in counts.iter().enumerate() {
        for (b, &count) in row.iter().enumerate() {
            pairs.extend((0..count).map(|_| [a as u32, b as u32]));
        }
    }
    let mut mix = Mix(5);
    for last in (1..pairs.len()).rev() {
        pairs.swap(last, mix.below(last as u32 + 1) as usize);
    }
    let corpus: Corpus = pairs.into_iter().collect();
    let objective = SkipGramObjective::NegativeSampling { negatives: 2, exponent: 1.0 };
    let window = Window::WholeSequence;
    let config = SkipGramConfig { dimension: 8, objective, window, subsample: 0.0, epochs: 1000, ..config() };
    let model = config.fit(&corpus, 4).unwrap();
    let input = |code: u32| model.vectors().get(code).unwrap();
    let output = |code: u32| &model.output()[code as usize * 8..][..8];
    for (a, row) in counts.iter().enumerate() {
        for (b, &count) in row.iter().enumerate().filter(|&(b, _)| b != a) {
            let expected = (f64::from(count) / (0.5 * f64::from(100 - count))).ln();
            let found: f32 = input(a as u32).iter().zip(output(b as u32)).map(|(h, w)| h * w).sum();
            // a plain loop in C ends within 0.05
            assert!((f64::from(found) - expected).abs() < 0.1, "{a}, {b}: {found} instead of {expected}");
        }
    }
}

#[test]
fn the_other_methods_find_the_groups_too() {
    let corpus = planted();
    let ppmi = PpmiConfig { dimension: 32, window: Window::Shrinking(5), ..PpmiConfig::default() };
    // in numpy, 0.985 and 1.0
    assert!(own_group(&ppmi.fit(&corpus, ROWS).unwrap()) > 0.95);
    let glove = GloveConfig { dimension: 32, window: Window::Fixed(5), epochs: 25, ..GloveConfig::default() };
    let glove = glove.fit(&corpus, ROWS).unwrap();
    assert!(own_group(&glove.vectors) > 0.95, "{}", own_group(&glove.vectors));
    assert!(glove.losses.last() < glove.losses.first());
}

#[test]
fn walks_keep_the_cliques_of_a_graph_together() {
    // cliques of six nodes in a ring, each with one edge to the next
    let mut edges = Vec::new();
    for group in 0..GROUPS {
        let first = group * MEMBERS;
        for a in 0..MEMBERS {
            edges.extend((0..a).map(|b| (first + a, first + b, 1.0)));
        }
        edges.push((first, (first + MEMBERS + 1) % ROWS as u32, 1.0));
    }
    let graph = Graph::new(ROWS, edges, false).unwrap();
    let corpus = WalkConfig { walks: 10, length: 40, ..WalkConfig::default() }.walk(&graph).unwrap();
    let vectors = config().fit(&corpus, ROWS).unwrap().into_vectors();
    assert!(own_group(&vectors) > 0.95, "{}", own_group(&vectors));
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let corpus = planted();
    assert!(matches!(config().fit(&Corpus::new(), 3), Err(EmbeddingError::Empty(_))));
    assert!(matches!(config().fit(&corpus, 143), Err(EmbeddingError::NoSuchCode { code: 143, rows: 143 })));
    let error = SkipGramConfig { dimension: 0, ..config() }.fit(&corpus, ROWS).unwrap_err().to_string();
    assert_eq!(error, "dimension = 0 is out of range; allowed: 1 to 65536");
    // a code that does not occur has a vector all the same, and is never drawn
    let model = SkipGramConfig { epochs: 1, ..config() }.fit(&corpus, ROWS + 1).unwrap();
    assert!(model.vectors().get(ROWS as u32).unwrap().iter().any(|&value| value != 0.0));
    assert!(model.output()[ROWS * 32..].iter().all(|&value| value == 0.0));
}
