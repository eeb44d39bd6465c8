//! Trees over binned features, grown leaf by leaf: what gradient boosting and the random forest share.
//!
//! Features fall into at most 255 bins, and missing values into a bin of their own, which goes to the side that gains
//! more (Ke et al. 2017, *`LightGBM`*, NIPS 30, section 2.1; the details are those of scikit-learn's
//! `HistGradientBoostingClassifier`). Each row has a gradient and a curvature; a leaf's value is the Newton step `−Σ
//! gradient / (Σ curvature + l2)`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The bin of missing values.
const MISSING: u8 = 255;
/// Bins of values at most.
const BINS: usize = 255;
/// Least curvature on either side of a split, scikit-learn's `min_hessian_to_split`.
const LEAST_CURVATURE: f64 = 1e-3;
/// Keeps an empty leaf's value finite.
const TINY: f64 = 1e-15;

/// Where each column is cut: value ≤ edge lies below it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Binner {
    edges: Vec<Vec<f64>>,
    missing: Vec<bool>,
}

impl Binner {
    /// Edges in the middle between distinct values, or between quantiles where there are more than [`BINS`] of them.
    pub(super) fn fit(values: &[f32], columns: usize) -> Self {
        let found = (0..columns).into_par_iter().map(|column| {
            let all = values.iter().skip(column).step_by(columns);
            let mut sorted: Vec<f64> = all.filter(|value| !value.is_nan()).copied().map(f64::from).collect();
            let missing = sorted.len() < values.len() / columns;
            sorted.sort_unstable_by(f64::total_cmp);
            let mut distinct = sorted.clone();
            distinct.dedup();
            if distinct.len() <= BINS {
                return (distinct.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect(), missing);
            }
            let last = (sorted.len() - 1) as f64;
            let mut edges: Vec<f64> = (1..BINS)
                .map(|i| {
                    let place = i as f64 / BINS as f64 * last;
                    f64::midpoint(sorted[place.floor() as usize], sorted[place.ceil() as usize])
                })
                .collect();
            edges.dedup();
            (edges, missing)
        });
        let (edges, missing) = found.collect::<Vec<(Vec<f64>, bool)>>().into_iter().unzip();
        Self { edges, missing }
    }

    /// Bins of all values, column behind column.
    pub(super) fn bins(&self, values: &[f32]) -> Vec<Vec<u8>> {
        let columns = self.edges.len();
        let bin = |edges: &[f64], value: f32| {
            if value.is_nan() { MISSING } else { edges.partition_point(|edge| *edge < f64::from(value)) as u8 }
        };
        let column = |(column, edges): (usize, &Vec<f64>)| {
            values.iter().skip(column).step_by(columns).map(|&value| bin(edges, value)).collect()
        };
        self.edges.par_iter().enumerate().map(column).collect()
    }
}

/// Limits of a tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// Leaves at most.
    pub(super) leaves: usize,
    /// Splits between the root and a leaf at most.
    pub(super) depth: usize,
    /// Rows of a leaf at least.
    pub(super) rows: usize,
    /// Added to the curvature of a leaf.
    pub(super) l2: f64,
    /// Columns that are tried at a node, drawn for each; all if absent.
    pub(super) columns: Option<usize>,
}

/// A node; children lie behind their parent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Node {
    Leaf(f64),
    Split { column: u32, edge: f64, missing_left: bool, left: u32, right: u32 },
}

/// A tree of splits `value ≤ edge`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    /// The value of the leaf that a row falls into.
    pub(super) fn value(&self, row: &[f32]) -> f64 {
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            match *node {
                Node::Leaf(value) => return value,
                Node::Split { column, edge, missing_left, left, right } => {
                    let value = row.get(column as usize).copied().unwrap_or(f32::NAN);
                    let goes_left = if value.is_nan() { missing_left } else { f64::from(value) <= edge };
                    // Children lie behind their parent, so that this ends even for a file that was changed.
                    let next = if goes_left { left } else { right };
                    at = (next as usize).max(at + 1);
                }
            }
        }
        0.0
    }

    /// Columns that a split asks for, each as often as it does.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.nodes.iter().filter_map(|node| match node {
            Node::Split { column, .. } => Some(*column as usize),
            Node::Leaf(_) => None,
        })
    }
}

/// Sums over rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    curvature: f64,
    rows: usize,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.curvature += other.curvature;
        self.rows += other.rows;
    }

    fn less(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    fn value(self, l2: f64) -> f64 {
        -self.gradient / (self.curvature + l2 + TINY)
    }

    /// How much the leaf lowers the loss, twice.
    fn gain(self, l2: f64) -> f64 {
        -self.gradient * self.value(l2)
    }
}

#[derive(Debug, Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    bin: usize,
    missing_left: bool,
}

/// A leaf that may still be split.
struct Open {
    node: usize,
    depth: usize,
    rows: Vec<u32>,
    split: Split,
}

/// What a tree is grown on: bins of the columns, gradient and curvature of each row, and the rows that take part, one
/// several times where it was drawn so.
pub(super) struct Ground<'a> {
    pub(super) binner: &'a Binner,
    pub(super) bins: &'a [Vec<u8>],
    pub(super) gradients: &'a [f32],
    pub(super) curvatures: &'a [f32],
}

impl Ground<'_> {
    /// Grows a tree, always splitting the leaf that gains most; leaf values are scaled by `shrinkage`.
    pub(super) fn grow(
        &self,
        rows: Vec<u32>,
        limits: &Limits,
        shrinkage: f64,
        mut rng: Option<&mut ChaCha8Rng>,
    ) -> Tree {
        let leaf = |sums: Sums| Node::Leaf(shrinkage * sums.value(limits.l2));
        let mut nodes = vec![leaf(self.sums(&rows))];
        let mut open: Vec<Open> = Vec::new();
        let mut push = |open: &mut Vec<Open>, node: usize, depth: usize, rows: Vec<u32>| {
            if depth < limits.depth
                && rows.len() >= 2 * limits.rows.max(1)
                && let Some(split) = self.best(&rows, limits, rng.as_deref_mut())
            {
                open.push(Open { node, depth, rows, split });
            }
        };
        push(&mut open, 0, 0, rows);
        let mut leaves = 1;
        while leaves < limits.leaves && !open.is_empty() {
            // without a limit all are split in the end, and the order makes no difference
            let mut first = if limits.leaves == usize::MAX { open.len() - 1 } else { 0 };
            if limits.leaves < usize::MAX {
                for (place, one) in open.iter().enumerate() {
                    if one.split.gain > open[first].split.gain {
                        first = place;
                    }
                }
            }
            let Open { node, depth, rows, split } = open.remove(first);
            let column = &self.bins[split.column];
            let (left, right): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(|&row| match column[row as usize] {
                MISSING => split.missing_left,
                bin => usize::from(bin) <= split.bin,
            });
            // Where training has no gaps, a gap goes with the majority.
            let has_missing = self.binner.missing[split.column];
            let missing_left = if has_missing { split.missing_left } else { left.len() > right.len() };
            let edges = &self.binner.edges[split.column];
            // behind the last edge lies nothing but the missing values
            let edge = edges.get(split.bin).copied().unwrap_or(f64::MAX);
            let (at_left, at_right) = (nodes.len(), nodes.len() + 1);
            nodes.push(leaf(self.sums(&left)));
            nodes.push(leaf(self.sums(&right)));
            nodes[node] = Node::Split {
                column: split.column as u32,
                edge,
                missing_left,
                left: at_left as u32,
                right: at_right as u32,
            };
            leaves += 1;
            push(&mut open, at_left, depth + 1, left);
            push(&mut open, at_right, depth + 1, right);
        }
        Tree { nodes }
    }

    fn of_row(&self, row: u32) -> Sums {
        let row = row as usize;
        Sums { gradient: f64::from(self.gradients[row]), curvature: f64::from(self.curvatures[row]), rows: 1 }
    }

    fn sums(&self, rows: &[u32]) -> Sums {
        let mut sums = Sums::default();
        rows.iter().for_each(|&row| sums.add(self.of_row(row)));
        sums
    }

    /// The best split of a leaf, the first column of equals; none if nothing is gained. Where some columns are drawn
    /// and none of them gains, more are drawn.
    fn best(&self, rows: &[u32], limits: &Limits, rng: Option<&mut ChaCha8Rng>) -> Option<Split> {
        let total = self.sums(rows);
        let mut columns: Vec<usize> = (0..self.bins.len()).collect();
        let mut tried = columns.len().max(1);
        if let (Some(some), Some(rng)) = (limits.columns, rng) {
            tried = some.max(1);
            for place in 0..columns.len() {
                let other = rng.random_range(place..columns.len());
                columns.swap(place, other);
            }
            columns.chunks_mut(tried).for_each(<[usize]>::sort_unstable);
        }
        columns.chunks(tried).find_map(|columns| {
            let of_column = |&column: &usize| self.of_column(column, rows, total, limits);
            let found: Vec<Option<Split>> = columns.par_iter().map(of_column).collect();
            found.into_iter().flatten().reduce(|best, one| if one.gain > best.gain { one } else { best })
        })
    }

    fn of_column(&self, column: usize, rows: &[u32], total: Sums, limits: &Limits) -> Option<Split> {
        let bins = &self.bins[column];
        let mut sums = vec![Sums::default(); BINS + 1];
        rows.iter().for_each(|&row| sums[usize::from(bins[row as usize])].add(self.of_row(row)));
        let (cuts, missing) = (self.binner.edges[column].len(), sums[usize::from(MISSING)]);
        let has_missing = self.binner.missing[column];
        let mut best: Option<Split> = None;
        let mut consider = |left: Sums, bin: usize, missing_left: bool| {
            let right = total.less(left);
            if left.rows.min(right.rows) < limits.rows.max(1) || left.curvature.min(right.curvature) < LEAST_CURVATURE {
                return;
            }
            let gain = left.gain(limits.l2) + right.gain(limits.l2) - total.gain(limits.l2);
            if gain > best.map_or(1e-12, |best| best.gain) {
                best = Some(Split { gain, column, bin, missing_left });
            }
        };
        let mut left = Sums::default();
        // with gaps, the last cut is between all values and the gaps
        for (bin, sums) in sums.iter().enumerate().take(cuts + usize::from(has_missing)) {
            left.add(*sums);
            consider(left, bin, false);
        }
        if has_missing && missing.rows > 0 {
            let mut right = Sums::default();
            for bin in (0..cuts).rev() {
                right.add(sums[bin + 1]);
                consider(total.less(right), bin, true);
            }
        }
        best
    }
}
