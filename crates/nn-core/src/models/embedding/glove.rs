//! `GloVe` (Pennington, Socher and Manning 2014, EMNLP), with the constants and the update of the authors' `glove.c`.
//!
//! Vectors w and contexts w̃ are fitted to ln X by least squares with weight f(X). The counts are cut into a
//! square of blocks by row and column; blocks on a diagonal share no row and no column, so that they are
//! worked on at the same time, and the result does not depend on the number of threads (Gemulla et al. 2011).
// Vector instructions reach only what is compiled into the one function that was made for them.

use pulp::{Simd, WithSimd};
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::kernel::dot;
use super::{Cooccurrence, Corpus, Decay, EmbeddingError, Vectors, Window, stream};
use crate::config::{ConfigError, in_range};
use crate::data::rng;
use crate::layers::init::{Fan, Init};
use crate::ops::arch;

/// Blocks on each side of the square.
const BLOCKS: usize = 8;

/// Rows are padded with zeros to whole vector registers.
const LANES: usize = 16;

/// How `GloVe` is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GloveConfig {
    /// Numbers in a vector, 1 to 65,536; the paper's figure 4 has 100.
    pub dimension: usize,
    /// Which neighbours are counted; 10 on both sides (section 4.2).
    pub window: Window,
    /// Weight by distance; 1/distance (section 4.2).
    pub decay: Decay,
    /// The count from which on f(X) is 1; 100 (section 3).
    pub x_max: f64,
    /// α of f(X) = (X / `x_max`)^α below it; 3/4 (section 3).
    pub alpha: f64,
    /// Learning rate of AdaGrad; 0.05 (section 4.2).
    pub rate: f64,
    /// Passes over the counts; 50 below 300 dimensions, 100 from there on (section 4.2).
    pub epochs: usize,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for GloveConfig {
    fn default() -> Self {
        Self {
            dimension: 100,
            window: Window::Fixed(10),
            decay: Decay::Inverse,
            x_max: 100.0,
            alpha: 0.75,
            rate: 0.05,
            epochs: 50,
            seed: 1,
        }
    }
}

/// What `GloVe` learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Glove {
    /// w + w̃, the vectors to use (section 4.2).
    pub vectors: Vectors,
    /// Mean of ½ f(X) (w·w̃ + b + b̃ − ln X)² over the counts, seen during each epoch.
    pub losses: Vec<f64>,
}

/// One side of the model: some of the vectors with their biases and, for AdaGrad, sums of squared steps.
#[derive(Debug, Clone)]
struct Block {
    stride: usize,
    vectors: Vec<f32>,
    squares: Vec<f32>,
    /// Bias and its sum of squares.
    biases: Vec<[f32; 2]>,
}

/// A count inside of a pair of blocks.
#[derive(Debug, Clone, Copy)]
struct Cell {
    row: u32,
    column: u32,
    log: f32,
    weight: f32,
}

impl GloveConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, the value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("dimension", self.dimension, 1..=65_536)?;
        self.window.validate()?;
        in_range("x_max", self.x_max, 1e-6..=1e12)?;
        in_range("alpha", self.alpha, 0.0..=10.0)?;
        in_range("rate", self.rate, 1e-6..=10.0)?;
        in_range("epochs", self.epochs, 1..=100_000)
    }

    /// Counts pairs and learns a vector for each of the codes `0..rows`.
    ///
    /// # Errors
    /// As [`fit_counts`](Self::fit_counts), and [`EmbeddingError::NoSuchCode`] for a code that is not below
    /// `rows`.
    pub fn fit(&self, corpus: &Corpus, rows: usize) -> Result<Glove, EmbeddingError> {
        self.validate()?;
        self.fit_counts(&Cooccurrence::count(corpus, rows, self.window, self.decay)?)
    }

    /// Learns a vector for each code from counts; `window` and `decay` are not used.
    ///
    /// # Errors
    /// - [`EmbeddingError::Config`] if [`validate`](Self::validate) fails;
    /// - [`EmbeddingError::Empty`] without counts;
    /// - [`EmbeddingError::Diverged`] if a value is not finite in the end.
    pub fn fit_counts(&self, counts: &Cooccurrence) -> Result<Glove, EmbeddingError> {
        self.validate()?;
        let counts = counts.matrix();
        let ([rows, _], stored) = (counts.shape(), counts.stored());
        if stored == 0 {
            return Err(EmbeddingError::Empty("no two codes stand near each other"));
        }
        let mut cells = vec![vec![Vec::new(); BLOCKS]; BLOCKS];
        for (row, column, count) in counts.entries() {
            let ((block, row), (across, column)) = (place(row), place(column));
            let weight = (count / self.x_max).powf(self.alpha).min(1.0) as f32;
            cells[block][across].push(Cell { row, column, log: count.ln() as f32, weight });
        }
        let mut words = self.blocks(rows, 0);
        let mut contexts = self.blocks(rows, 1);
        let (arch, rate) = (arch(), self.rate as f32);
        let mut losses = Vec::with_capacity(self.epochs);
        for epoch in 0..self.epochs {
            let mut loss = 0.0;
            // contexts move on by one block after each diagonal, and stand as before after the last one
            for shift in 0..BLOCKS {
                let diagonal = cells.par_iter_mut().zip(&mut words).zip(&mut contexts).enumerate();
                let parts: Vec<f64> = diagonal
                    .map(|(block, ((cells, words), contexts))| {
                        let across = (block + shift) % BLOCKS;
                        let stream = [stream::SHUFFLE, epoch as u64, block as u64, across as u64];
                        let cells = &mut cells[across];
                        cells.shuffle(&mut rng(self.seed, &stream));
                        arch.dispatch(Pass { cells, words, contexts, rate })
                    })
                    .collect();
                loss += parts.iter().sum::<f64>();
                contexts.rotate_left(1);
            }
            losses.push(loss / stored as f64);
        }
        let values = (0..rows as u32).flat_map(|code| {
            let (block, at) = place(code);
            let (word, context) = (words[block].vector(at), contexts[block].vector(at));
            word.iter().zip(context).take(self.dimension).map(|(w, c)| w + c)
        });
        let values: Vec<f32> = values.collect();
        if !values.iter().all(|value| value.is_finite()) {
            return Err(EmbeddingError::Diverged { rate: self.rate });
        }
        Ok(Glove { vectors: Vectors::new(values, self.dimension)?, losses })
    }

    /// The vectors of one side, uniform over ±0.5/dimension, with biases alike and sums of squares of 1, as in `glove.c`.
    fn blocks(&self, rows: usize, side: u64) -> Vec<Block> {
        let (width, stride) = (self.dimension, self.dimension.next_multiple_of(LANES));
        let height = rows.div_ceil(BLOCKS);
        let start = Init::Uniform(0.5 / width as f64);
        let blocks = 0..BLOCKS as u64;
        blocks
            .map(|block| {
                let rng = &mut rng(self.seed, &[stream::START, side, block]);
                let drawn = start.values(&[height, width + 1], Fan::dense([height, width + 1]), rng);
                let mut vectors = vec![0.0; height * stride];
                for (row, drawn) in vectors.chunks_exact_mut(stride).zip(drawn.chunks_exact(width + 1)) {
                    row[..width].copy_from_slice(&drawn[..width]);
                }
                let biases = drawn.chunks_exact(width + 1).map(|drawn| [drawn[width], 1.0]).collect();
                Block { stride, vectors, squares: vec![1.0; height * stride], biases }
            })
            .collect()
    }
}

impl Block {
    fn vector(&self, at: u32) -> &[f32] {
        &self.vectors[at as usize * self.stride..][..self.stride]
    }
}

/// The block of a code and its row there. Neighbouring codes are in different blocks: codes are often
/// numbered by frequency, and the work is then the same in all.
fn place(code: u32) -> (usize, u32) {
    (code as usize % BLOCKS, code / BLOCKS as u32)
}

/// All counts of a pair of blocks, once; the result is their part of the loss.
struct Pass<'a> {
    cells: &'a [Cell],
    words: &'a mut Block,
    contexts: &'a mut Block,
    rate: f32,
}

impl WithSimd for Pass<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { cells, words, contexts, rate } = self;
        let stride = words.stride;
        let mut loss = 0.0;
        for cell in cells {
            let (i, j) = (cell.row as usize, cell.column as usize);
            let (word, word_squares) =
                (&mut words.vectors[i * stride..][..stride], &mut words.squares[i * stride..][..stride]);
            let (context, context_squares) =
                (&mut contexts.vectors[j * stride..][..stride], &mut contexts.squares[j * stride..][..stride]);
            let (bias, context_bias) = (&mut words.biases[i], &mut contexts.biases[j]);
            let residual = dot(simd, word, context) + bias[0] + context_bias[0] - cell.log;
            let weighted = cell.weight * residual;
            loss += 0.5 * f64::from(weighted * residual);
            let step = weighted * rate;
            let words = word.iter_mut().zip(word_squares);
            let contexts = context.iter_mut().zip(context_squares);
            for ((word, word_square), (context, context_square)) in words.zip(contexts) {
                let (down, across) = (step * *context, step * *word);
                *word -= down / word_square.sqrt();
                *context -= across / context_square.sqrt();
                *word_square += down * down;
                *context_square += across * across;
            }
            for [bias, square] in [bias, context_bias] {
                *bias -= step / square.sqrt();
                *square += step * step;
            }
        }
        loss
    }
}

#[cfg(test)]
mod tests;
