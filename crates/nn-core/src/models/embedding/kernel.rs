//! The inner loop of skip-gram: one pass over a part of the corpus, with the widest vectors that the processor has.
//!
//! The order of work is that of word2vec.c (Mikolov et al. 2013b): for each centre left by subsampling and
//! each neighbour in its window, the neighbour's input vector predicts the centre among the negatives (or
//! down the tree); the vectors of the outputs move at once, that of the input after the last of them.
//! Negatives are drawn one pair ahead, so that their rows are in the cache when their turn comes: this
//! halves the time with tables larger than the cache.
// Vector instructions reach only what is compiled into the one function that was made for them.

use std::ops::{DerefMut, Range};

use pulp::{Simd, WithSimd};
use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;

use super::alias::Alias;
use super::huffman::Huffman;
use super::skip_gram::Window;
use crate::ops::{RowTable, SharedRows};

/// Access to the rows of a matrix that is used alone or together with other threads.
pub(super) trait Rows {
    /// A row with its padding, for as long as the result lives.
    fn row(&mut self, index: usize) -> impl DerefMut<Target = [f32]>;

    /// Says that a row is needed soon.
    fn prefetch(&self, index: usize);
}

impl Rows for &mut RowTable {
    #[inline(always)]
    fn row(&mut self, index: usize) -> impl DerefMut<Target = [f32]> {
        self.row_mut(index)
    }

    #[inline(always)]
    fn prefetch(&self, index: usize) {
        RowTable::prefetch(self, index);
    }
}

impl Rows for &SharedRows<'_> {
    #[inline(always)]
    fn row(&mut self, index: usize) -> impl DerefMut<Target = [f32]> {
        self.lock(index)
    }

    #[inline(always)]
    fn prefetch(&self, index: usize) {
        SharedRows::prefetch(self, index);
    }
}

/// The logistic function from a table with linear interpolation, to 10⁻⁶.
///
/// word2vec.c takes the nearest of 1000 values between ±6, which is wrong by up to 0.0015, and stops
/// learning beyond; interpolation costs one more look.
#[derive(Debug)]
pub(super) struct Sigmoid(Vec<f32>);

impl Sigmoid {
    /// Entries for each unit of the argument. The error is at most h²/8 · max|σ″| = 0.0962/(8 · 128²) = 7.4·10⁻⁷.
    const PER_UNIT: f32 = 128.0;
    /// Beyond ±this, the function is 0 or 1 to 10⁻⁷.
    const END: f32 = 16.0;

    pub(super) fn new() -> Self {
        let entries = (2.0 * Self::END * Self::PER_UNIT) as usize;
        let argument = |at: usize| at as f64 / f64::from(Self::PER_UNIT) - f64::from(Self::END);
        // one more than is asked for, so that the last interval has an end
        Self((0..entries + 2).map(|at| (1.0 / (1.0 + (-argument(at)).exp())) as f32).collect())
    }

    #[inline(always)]
    pub(super) fn at(&self, x: f32) -> f32 {
        // a NaN stays one, and the check after training finds it in the vectors
        let place = (x.clamp(-Self::END, Self::END) + Self::END) * Self::PER_UNIT;
        let entry = place as usize;
        let (low, high) = (self.0[entry], self.0[entry + 1]);
        low + (place - entry as f32) * (high - low)
    }
}

/// a · b, of equal length, a multiple of the vector's.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let ((a, _), (b, _)) = (S::as_simd_f32s(a), S::as_simd_f32s(b));
    // four sums: one alone would wait for each addition to end
    let [mut s0, mut s1, mut s2, mut s3] = [simd.splat_f32s(0.0); 4];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a.iter().zip(b) {
        s0 = simd.mul_add_e_f32s(a[0], b[0], s0);
        s1 = simd.mul_add_e_f32s(a[1], b[1], s1);
        s2 = simd.mul_add_e_f32s(a[2], b[2], s2);
        s3 = simd.mul_add_e_f32s(a[3], b[3], s3);
    }
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        s0 = simd.mul_add_e_f32s(a, b, s0);
    }
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(s0, s1), simd.add_f32s(s2, s3)))
}

/// `change += g · target` and `target += g · hidden`, both with the values before.
#[inline(always)]
fn exchange<S: Simd>(simd: S, g: f32, hidden: &[f32], change: &mut [f32], target: &mut [f32]) {
    let ((hidden, _), (change, _)) = (S::as_simd_f32s(hidden), S::as_mut_simd_f32s(change));
    let (target, _) = S::as_mut_simd_f32s(target);
    let g = simd.splat_f32s(g);
    for ((&hidden, change), target) in hidden.iter().zip(change).zip(target) {
        let before = *target;
        *change = simd.mul_add_e_f32s(g, before, *change);
        *target = simd.mul_add_e_f32s(g, hidden, before);
    }
}

/// `row += change`.
#[inline(always)]
fn add<S: Simd>(simd: S, row: &mut [f32], change: &[f32]) {
    let ((row, _), (change, _)) = (S::as_mut_simd_f32s(row), S::as_simd_f32s(change));
    for (row, &change) in row.iter_mut().zip(change) {
        *row = simd.add_f32s(*row, change);
    }
}

/// One step up the gradient of ln σ(±h·w): the label is 1 for + and 0 for −.
#[inline(always)]
fn learn<S: Simd>(
    simd: S,
    sigmoid: &Sigmoid,
    (label, rate): (f32, f32),
    hidden: &[f32],
    change: &mut [f32],
    target: &mut [f32],
) {
    let g = (label - sigmoid.at(dot(simd, hidden, target))) * rate;
    exchange(simd, g, hidden, change, target);
}

/// What stands in for the sum over all codes.
#[derive(Debug)]
pub(super) enum Predictor {
    /// A few codes drawn from the noise distribution.
    Negatives(Alias, usize),
    /// The inner nodes on the way to the code.
    Tree(Huffman),
}

/// What does not change during training.
#[derive(Debug)]
pub(super) struct Plan {
    /// A code is kept when 32 random bits are below this; `u32::MAX` is always.
    pub(super) keep: Vec<u32>,
    pub(super) window: Window,
    pub(super) predictor: Predictor,
    pub(super) sigmoid: Sigmoid,
}

/// The learning rate as a straight line over all codes of all epochs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    pub(super) first: f64,
    pub(super) last: f64,
    /// Codes of the epochs before this one.
    pub(super) before: usize,
    /// Codes of all epochs.
    pub(super) total: usize,
}

impl Rate {
    /// The rate when `at` codes of this epoch are done.
    pub(super) fn at(&self, at: usize) -> f32 {
        let done = (self.before + at) as f64 / self.total as f64;
        (self.first - (self.first - self.last) * done) as f32
    }
}

/// Copies what subsampling leaves of `codes` to `kept`.
#[inline(always)]
pub(super) fn subsample(codes: &[u32], keep: &[u32], rng: &mut Xoshiro256PlusPlus, kept: &mut Vec<u32>) {
    kept.clear();
    let kept_codes = codes.iter().filter(|&&code| {
        let share = keep[code as usize];
        share == u32::MAX || rng.next_u32() < share
    });
    kept.extend(kept_codes);
}

/// How far the window of one centre reaches to both sides.
#[inline(always)]
pub(super) fn reach(window: Window, length: usize, rng: &mut Xoshiro256PlusPlus) -> usize {
    match window {
        Window::Shrinking(widest) => 1 + ((u64::from(rng.next_u32()) * widest as u64) >> 32) as usize,
        Window::Fixed(width) => width,
        Window::WholeSequence => length,
    }
}

/// One pass over some pieces of the corpus, done where it is [dispatched](pulp::Arch::dispatch).
pub(super) struct Pass<'a, I, O> {
    pub(super) plan: &'a Plan,
    /// Input vectors, by code.
    pub(super) input: I,
    /// Output vectors, by code or by inner node.
    pub(super) output: O,
    pub(super) codes: &'a [u32],
    /// Ranges of `codes` that windows do not cross.
    pub(super) pieces: &'a [Range<usize>],
    /// Floats of a vector.
    pub(super) width: usize,
    pub(super) rate: Rate,
    pub(super) rng: Xoshiro256PlusPlus,
}

impl<I: Rows, O: Rows> WithSimd for Pass<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (mut hidden, mut change) = (RowTable::zeros(1, self.width), RowTable::zeros(1, self.width));
        let (hidden, change) = (hidden.row_mut(0), change.row_mut(0));
        let (mut kept, mut now, mut next) = (Vec::new(), Vec::new(), Vec::new());
        self.draw(&mut next);
        for piece in self.pieces {
            subsample(&self.codes[piece.clone()], &self.plan.keep, &mut self.rng, &mut kept);
            let rate = self.rate.at(piece.start);
            for (at, &centre) in kept.iter().enumerate() {
                let reach = reach(self.plan.window, kept.len(), &mut self.rng);
                let end = at.saturating_add(reach).saturating_add(1).min(kept.len());
                let (before, after) = (&kept[at.saturating_sub(reach)..at], &kept[at + 1..end]);
                for &context in before.iter().chain(after) {
                    std::mem::swap(&mut now, &mut next);
                    self.draw(&mut next);
                    self.pair(simd, (context, centre), &now, rate, hidden, change);
                }
            }
        }
    }
}

impl<I: Rows, O: Rows> Pass<'_, I, O> {
    /// The negatives of a pair; none for the tree.
    #[inline(always)]
    fn draw(&mut self, negatives: &mut Vec<u32>) {
        if let Predictor::Negatives(noise, count) = &self.plan.predictor {
            negatives.clear();
            for _ in 0..*count {
                let negative = noise.draw(&mut self.rng);
                self.output.prefetch(negative as usize);
                negatives.push(negative);
            }
        }
    }

    /// Lets `context` predict `centre`.
    #[inline(always)]
    pub(super) fn pair<S: Simd>(
        &mut self,
        simd: S,
        (context, centre): (u32, u32),
        negatives: &[u32],
        rate: f32,
        hidden: &mut [f32],
        change: &mut [f32],
    ) {
        hidden.copy_from_slice(&self.input.row(context as usize));
        change.fill(0.0);
        let sigmoid = &self.plan.sigmoid;
        match &self.plan.predictor {
            Predictor::Negatives(..) => {
                learn(simd, sigmoid, (1.0, rate), hidden, change, &mut self.output.row(centre as usize));
                // a negative that is the centre itself is left out, as in word2vec.c
                for &negative in negatives.iter().filter(|&&negative| negative != centre) {
                    learn(simd, sigmoid, (0.0, rate), hidden, change, &mut self.output.row(negative as usize));
                }
            }
            Predictor::Tree(tree) => {
                for step in tree.path(centre) {
                    learn(simd, sigmoid, (step.label, rate), hidden, change, &mut self.output.row(step.node as usize));
                }
            }
        }
        add(simd, &mut self.input.row(context as usize), change);
    }
}
