//! Random walks over a graph as a corpus for skip-gram: `DeepWalk` (Perozzi, Al-Rfou and Skiena 2014, KDD) and
//! node2vec (Grover and Leskovec 2016, KDD).
//!
//! node2vec's second-order step is drawn by rejection (Yang et al. 2019, `KnightKing`): a neighbour is proposed by
//! the weight of its edge and accepted with its bias. The alias tables of the paper's code need memory for
//! each pair of adjacent edges; here one for each node does.

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::alias::Alias;
use super::{Corpus, EmbeddingError, SparseMatrix, stream};
use crate::config::{ConfigError, in_range};
use crate::data::rng;

/// A graph with weighted edges; nodes are codes.
#[derive(Debug, Clone)]
pub struct Graph {
    starts: Vec<usize>,
    /// Neighbours of each node, ascending.
    neighbours: Vec<u32>,
    /// Choice among the neighbours by weight; none for a node without any.
    choices: Vec<Option<Alias>>,
}

impl Graph {
    /// A graph of `nodes` nodes with the edges `(from, to, weight)`. Weights of an edge given twice are added;
    /// edges of an undirected graph can be walked both ways.
    ///
    /// # Errors
    /// - [`EmbeddingError::NoSuchCode`] for an end that is not below `nodes`;
    /// - [`EmbeddingError::Value`] for a weight that is not positive and finite.
    pub fn new(
        nodes: usize,
        edges: impl IntoIterator<Item = (u32, u32, f64)>,
        directed: bool,
    ) -> Result<Self, EmbeddingError> {
        let mut all = Vec::new();
        for (at, (from, to, weight)) in edges.into_iter().enumerate() {
            if !(weight > 0.0 && weight.is_finite()) {
                let (what, allowed) = ("weight of the edge", "finite numbers above 0");
                return Err(EmbeddingError::Value { what, at, value: weight, allowed });
            }
            all.push((from, to, weight));
            if !directed && from != to {
                all.push((to, from, weight));
            }
        }
        let matrix = SparseMatrix::new([nodes, nodes], all)?;
        let (mut starts, mut neighbours, mut choices) = (vec![0], Vec::new(), Vec::new());
        for node in 0..nodes {
            let (ends, weights): (Vec<u32>, Vec<f64>) = matrix.row(node).unzip();
            neighbours.extend(ends);
            starts.push(neighbours.len());
            choices.push(Alias::new(&weights));
        }
        Ok(Self { starts, neighbours, choices })
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.choices.len()
    }

    /// The ends of the edges of a node, ascending.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn neighbours(&self, node: u32) -> &[u32] {
        &self.neighbours[self.starts[node as usize]..self.starts[node as usize + 1]]
    }

    /// A neighbour drawn by weight.
    fn step(&self, node: u32, rng: &mut Xoshiro256PlusPlus) -> Option<u32> {
        let choice = self.choices[node as usize].as_ref()?;
        Some(self.neighbours(node)[choice.draw(rng) as usize])
    }
}

/// How a graph is walked. The default is node2vec's with p = q = 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WalkConfig {
    /// Walks that start at each node; r = 10 (node2vec, section 4.3), γ = 80 (`DeepWalk`, section 5.3).
    pub walks: usize,
    /// Nodes of a walk; l = 80, t = 40.
    pub length: usize,
    /// p: a step back to the node before has 1/p of its weight.
    pub p: f64,
    /// q: a step to a node that is no neighbour of the one before has 1/q of its weight.
    pub q: f64,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for WalkConfig {
    fn default() -> Self {
        Self { walks: 10, length: 80, p: 1.0, q: 1.0, seed: 1 }
    }
}

impl WalkConfig {
    /// The walks of `DeepWalk`: first order, with the constants of its section 5.3.
    pub fn deep_walk() -> Self {
        Self { walks: 80, length: 40, ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, the value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("walks", self.walks, 1..=100_000)?;
        in_range("length", self.length, 1..=1_000_000)?;
        in_range("p", self.p, 1e-6..=1e6)?;
        in_range("q", self.q, 1e-6..=1e6)
    }

    /// Walks from each node, in passes over all nodes in an order drawn anew for each. A walk ends early at a
    /// node without edges. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`EmbeddingError::Config`] if [`validate`](Self::validate) fails.
    pub fn walk(&self, graph: &Graph) -> Result<Corpus, EmbeddingError> {
        self.validate()?;
        let mut corpus = Corpus::new();
        for pass in 0..self.walks as u64 {
            let mut nodes: Vec<u32> = (0..graph.nodes() as u32).collect();
            nodes.shuffle(&mut rng(self.seed, &[stream::ORDER, pass]));
            let from = |&node: &u32| {
                let stream = &mut rng(self.seed, &[stream::WALK, pass, u64::from(node)]);
                self.walk_from(graph, node, &mut Xoshiro256PlusPlus::from_rng(stream))
            };
            let walks: Vec<Vec<u32>> = nodes.par_iter().map(from).collect();
            walks.into_iter().for_each(|walk| corpus.push(walk));
        }
        Ok(corpus)
    }

    fn walk_from(&self, graph: &Graph, start: u32, rng: &mut Xoshiro256PlusPlus) -> Vec<u32> {
        let mut walk = vec![start];
        let (mut before, mut at) = (None, start);
        while walk.len() < self.length {
            let next = match before {
                Some(before) => self.second_order(graph, before, at, rng),
                None => graph.step(at, rng),
            };
            let Some(next) = next else { break };
            (before, at) = (Some(at), next);
            walk.push(next);
        }
        walk
    }

    /// A step from `at`, where the walk came from `before` (node2vec, section 3.2.2).
    fn second_order(&self, graph: &Graph, before: u32, at: u32, rng: &mut Xoshiro256PlusPlus) -> Option<u32> {
        if self.p == 1.0 && self.q == 1.0 {
            return graph.step(at, rng);
        }
        let most = (1.0 / self.p).max(1.0).max(1.0 / self.q);
        loop {
            let next = graph.step(at, rng)?;
            let height = most * rng.random::<f64>();
            // the neighbours are only searched where their answer matters
            let bias = if next == before {
                1.0 / self.p
            } else if graph.neighbours(before).binary_search(&next).is_ok() {
                1.0
            } else {
                1.0 / self.q
            };
            if height < bias {
                return Some(next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A triangle 0 1 2 with a tail 2 3 4 and a heavy edge 1 3.
    fn graph() -> Graph {
        let edges = [(0, 1, 1.0), (0, 2, 2.0), (1, 2, 1.0), (2, 3, 1.0), (3, 4, 0.5), (1, 3, 3.0)];
        Graph::new(5, edges, false).unwrap()
    }

    fn weight(a: u32, b: u32) -> f64 {
        match (a.min(b), a.max(b)) {
            (0, 1) | (1, 2) | (2, 3) => 1.0,
            (0, 2) => 2.0,
            (3, 4) => 0.5,
            (1, 3) => 3.0,
            _ => 0.0,
        }
    }

    #[test]
    fn steps_have_the_frequencies_of_the_definition() {
        let graph = graph();
        for (p, q) in [(1.0, 1.0), (0.25, 4.0), (4.0, 0.5), (0.1, 0.1)] {
            let config = WalkConfig { walks: 400, length: 60, p, q, seed: 3 };
            let corpus = config.walk(&graph).unwrap();
            let mut counts: HashMap<(u32, u32), [f64; 5]> = HashMap::new();
            for walk in corpus.sequences() {
                for step in walk.windows(3) {
                    counts.entry((step[0], step[1])).or_default()[step[2] as usize] += 1.0;
                }
            }
            // both ways of six edges
            assert_eq!(counts.len(), 12);
            for ((before, at), found) in counts {
                let bias = |next: u32| {
                    if next == before {
                        1.0 / p
                    } else if weight(before, next) > 0.0 {
                        1.0
                    } else {
                        1.0 / q
                    }
                };
                let expected: Vec<f64> = (0..5).map(|next| weight(at, next) * bias(next)).collect();
                let (sum, n): (f64, f64) = (expected.iter().sum(), found.iter().sum());
                assert!(n > 500.0, "{before} {at}");
                for (found, expected) in found.iter().zip(&expected) {
                    let share = expected / sum;
                    // 5 standard errors: one of 240 comparisons beyond has a probability of 1e-4
                    let error = 5.0 * (share * (1.0 - share) / n).sqrt();
                    assert!((found / n - share).abs() <= error + 1e-12, "p {p} q {q}, {before} {at}: {found} of {n}");
                }
            }
        }
    }

    #[test]
    fn every_node_starts_its_walks_and_threads_change_nothing() {
        // node 5 has no edge, and 6 only one that leads away
        let edges = [(0, 1, 1.0), (1, 0, 1.0), (6, 0, 2.0), (6, 0, 1.0)];
        let graph = Graph::new(7, edges, true).unwrap();
        assert_eq!(graph.neighbours(6), [0]);
        let config = WalkConfig { walks: 3, length: 5, p: 0.5, q: 2.0, seed: 8 };
        let walk = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| config.walk(&graph).unwrap())
        };
        let corpus = walk(1);
        assert_eq!(corpus, walk(3));
        let mut starts: Vec<u32> = corpus.sequences().map(|walk| walk[0]).collect();
        assert_ne!(starts[..7], starts[7..14]);
        starts.sort_unstable();
        assert_eq!(starts, (0..7).flat_map(|node| [node; 3]).collect::<Vec<_>>());
        for walk in corpus.sequences() {
            assert_eq!(walk.len(), if [2, 3, 4, 5].contains(&walk[0]) { 1 } else { 5 }, "{walk:?}");
            assert!(walk.windows(2).all(|pair| graph.neighbours(pair[0]).contains(&pair[1])));
        }
    }

    #[test]
    fn edges_that_make_no_graph_are_refused() {
        assert!(Graph::new(2, [(0, 2, 1.0)], false).is_err());
        let error = Graph::new(2, [(0, 1, 1.0), (1, 0, 0.0)], true).unwrap_err().to_string();
        assert_eq!(error, "the weight of the edge at 1 is 0; allowed: finite numbers above 0");
        assert!(WalkConfig { p: 0.0, ..WalkConfig::deep_walk() }.validate().is_err());
    }
}
