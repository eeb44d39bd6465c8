//! The binary tree of hierarchical softmax (Morin and Bengio 2005; with Huffman's codes Mikolov et al. 2013b, section 2.1).
//!
//! P(code) is the product, over the inner nodes from the root to the code's leaf, of σ(±h·w) with the
//! node's vector w: the probabilities of all codes sum to 1 whatever the vectors are, and a frequent code
//! has a short path.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One decision on the way to a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    /// The inner node, below `codes − 1`.
    pub(super) node: u32,
    /// 1 where the path goes on with probability σ(h·w), 0 where with 1 − σ(h·w).
    pub(super) label: f32,
}

/// The path from the root to each code.
#[derive(Debug, Clone)]
pub(super) struct Huffman {
    starts: Vec<usize>,
    steps: Vec<Step>,
}

impl Huffman {
    /// The tree that makes Σ count · length least; codes that never occur have leaves too.
    pub(super) fn new(counts: &[u64]) -> Self {
        let leaves = counts.len();
        // parent and label of each node; the leaves come first, then inner nodes in order of their making
        let mut up = vec![(0, 0.0_f32); (2 * leaves).saturating_sub(1)];
        let mut heap: BinaryHeap<_> = counts.iter().enumerate().map(|(at, &count)| Reverse((count, at))).collect();
        let mut inner = leaves;
        while let (Some(Reverse((first, left))), Some(Reverse((second, right)))) = (heap.pop(), heap.pop()) {
            up[left] = (inner, 1.0);
            up[right] = (inner, 0.0);
            heap.push(Reverse((first.saturating_add(second), inner)));
            inner += 1;
        }
        let root = up.len().saturating_sub(1);
        let (mut starts, mut steps) = (vec![0], Vec::new());
        for leaf in 0..leaves {
            let begin = steps.len();
            let mut at = leaf;
            while at != root {
                let (parent, label) = up[at];
                steps.push(Step { node: (parent - leaves) as u32, label });
                at = parent;
            }
            steps[begin..].reverse();
            starts.push(steps.len());
        }
        Self { starts, steps }
    }

    /// The decisions that lead to `code`, from the root.
    #[inline]
    pub(super) fn path(&self, code: u32) -> &[Step] {
        &self.steps[self.starts[code as usize]..self.starts[code as usize + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng;
    use rand::RngExt;

    /// Least Σ count · length over all binary trees: two smallest weights in a sorted list are joined
    /// again and again, and each joining lengthens the codes below it by one.
    fn least_total(counts: &[u64]) -> u64 {
        let (mut weights, mut total) = (counts.to_vec(), 0);
        while weights.len() > 1 {
            weights.sort_unstable();
            let joined = weights.remove(0) + weights.remove(0);
            total += joined;
            weights.push(joined);
        }
        total
    }

    /// Least total over all full binary trees, by trying every pair of nodes as the first to be joined.
    fn least_by_search(weights: &[u64]) -> u64 {
        let mut best = if weights.len() < 2 { 0 } else { u64::MAX };
        for right in 0..weights.len() {
            for left in 0..right {
                let mut rest = weights.to_vec();
                let joined = rest.remove(right) + rest.remove(left);
                rest.push(joined);
                best = best.min(joined + least_by_search(&rest));
            }
        }
        best
    }

    fn samples() -> Vec<Vec<u64>> {
        let mut rng = rng(3, &[]);
        let mut all = vec![vec![1, 1], vec![5, 1, 1, 1], vec![7; 8], vec![0, 0, 3], (1..=100).collect()];
        all.extend((0..20).map(|_| {
            let n = rng.random_range(2..60);
            (0..n).map(|_| rng.random_range(0..1000)).collect::<Vec<u64>>()
        }));
        all
    }

    #[test]
    fn codes_are_optimal_and_fill_the_tree() {
        for counts in samples() {
            let tree = Huffman::new(&counts);
            let lengths: Vec<usize> = (0..counts.len() as u32).map(|code| tree.path(code).len()).collect();
            // sums of negative powers of two are exact here
            let kraft: f64 = lengths.iter().map(|&length| 0.5_f64.powi(length as i32)).sum();
            assert_eq!(kraft, 1.0, "{counts:?}");
            let total: u64 = counts.iter().zip(&lengths).map(|(count, &length)| count * length as u64).sum();
            assert_eq!(total, least_total(&counts), "{counts:?}");
        }
        for counts in [vec![3, 1, 4, 1, 5], vec![2, 7, 1, 8, 2, 8], vec![1, 1, 1, 1, 1, 1]] {
            assert_eq!(least_total(&counts), least_by_search(&counts), "{counts:?}");
        }
    }

    #[test]
    fn probabilities_sum_to_one_whatever_the_vectors() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut rng = rng(8, &[]);
        for counts in samples() {
            let tree = Huffman::new(&counts);
            let score: Vec<f64> = (0..counts.len()).map(|_| rng.random_range(-4.0..4.0)).collect();
            let probability = |code: u32| -> f64 {
                let steps = tree.path(code).iter();
                steps.map(|step| sigmoid((2.0 * f64::from(step.label) - 1.0) * score[step.node as usize])).product()
            };
            let sum: f64 = (0..counts.len() as u32).map(probability).sum();
            // at most 100 terms of double precision
            assert!((sum - 1.0).abs() < 1e-13, "{sum} for {counts:?}");
        }
    }

    #[test]
    fn one_code_has_an_empty_path() {
        assert!(Huffman::new(&[4]).path(0).is_empty());
        assert_eq!(Huffman::new(&[]).starts, [0]);
        assert!(Huffman::new(&[4, 9]).path(1).iter().all(|step| step.node == 0));
    }
}
