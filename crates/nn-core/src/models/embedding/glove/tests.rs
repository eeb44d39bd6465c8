//! The update against its gradient and a plain loop in double precision, and whole fits.

use super::*;
use crate::models::embedding::SparseMatrix;
use rand::RngExt;

/// A block of random vectors with the state of an optimiser that has made no step.
fn block(rows: usize, width: usize, seed: u64) -> Block {
    let config = GloveConfig { dimension: width, seed, ..GloveConfig::default() };
    let mut block = config.blocks(rows * BLOCKS, 0).swap_remove(0);
    // larger than at the start of training, so that the gradient is
    block.vectors.iter_mut().for_each(|value| *value *= 6.0);
    block
}

/// Vectors, biases and sums of squares in double precision, in the words of the paper.
struct Twin {
    vectors: Vec<Vec<f64>>,
    squares: Vec<Vec<f64>>,
    biases: Vec<[f64; 2]>,
}

impl Twin {
    fn of(block: &Block, width: usize) -> Self {
        let rows = |all: &[f32]| {
            let rows = all.chunks_exact(block.stride).map(|row| row[..width].iter().map(|&v| f64::from(v)).collect());
            rows.collect::<Vec<Vec<f64>>>()
        };
        let biases = block.biases.iter().map(|&[bias, square]| [f64::from(bias), f64::from(square)]).collect();
        Self { vectors: rows(&block.vectors), squares: rows(&block.squares), biases }
    }
}

fn residual(words: &Twin, contexts: &Twin, cell: Cell) -> f64 {
    let (i, j) = (cell.row as usize, cell.column as usize);
    let product: f64 = words.vectors[i].iter().zip(&contexts.vectors[j]).map(|(w, c)| w * c).sum();
    product + words.biases[i][0] + contexts.biases[j][0] - f64::from(cell.log)
}

#[test]
fn a_step_goes_down_the_gradient() {
    let (width, rate) = (5, 1.0);
    let (mut words, mut contexts) = (block(3, width, 1), block(3, width, 2));
    let cell = Cell { row: 2, column: 1, log: 1.3, weight: 0.4 };
    let (before, context_before) = (Twin::of(&words, width), Twin::of(&contexts, width));
    let pass = Pass { cells: &[cell], words: &mut words, contexts: &mut contexts, rate };
    let loss = arch().dispatch(pass);
    let (after, context_after) = (Twin::of(&words, width), Twin::of(&contexts, width));

    let value = |words: &Twin, contexts: &Twin| f64::from(cell.weight) * residual(words, contexts, cell).powi(2) / 2.0;
    assert!((loss - value(&before, &context_before)).abs() < 1e-6);
    // central difference of a quadratic: exact but for rounding; the step itself is in single precision
    let h = 1e-4;
    let slope = |change: &dyn Fn(&mut Twin, &mut Twin, f64)| {
        let at = |h: f64| {
            let (words, contexts) = (block(3, width, 1), block(3, width, 2));
            let (mut words, mut contexts) = (Twin::of(&words, width), Twin::of(&contexts, width));
            change(&mut words, &mut contexts, h);
            value(&words, &contexts)
        };
        (at(h) - at(-h)) / (2.0 * h)
    };
    for k in 0..width {
        let moved = before.vectors[2][k] - after.vectors[2][k];
        let expected = slope(&|words, _, h| words.vectors[2][k] += h);
        assert!((moved - expected).abs() < 1e-6, "word {k}: {moved}, gradient {expected}");
        let moved = context_before.vectors[1][k] - context_after.vectors[1][k];
        let expected = slope(&|_, contexts, h| contexts.vectors[1][k] += h);
        assert!((moved - expected).abs() < 1e-6, "context {k}: {moved}, gradient {expected}");
    }
    let moved = before.biases[2][0] - after.biases[2][0];
    let expected = slope(&|words, _, h| words.biases[2][0] += h);
    assert!((moved - expected).abs() < 1e-6 && expected.abs() > 0.1, "bias: {moved}, gradient {expected}");
    // all other rows stay
    assert_eq!(before.vectors[..2], after.vectors[..2]);
    assert_eq!(context_before.vectors[2], context_after.vectors[2]);
}

#[test]
fn many_steps_are_those_of_adagrad() {
    let (width, rate) = (20, 0.3);
    let (mut words, mut contexts) = (block(4, width, 3), block(4, width, 4));
    let (mut twin, mut other) = (Twin::of(&words, width), Twin::of(&contexts, width));
    let mut rng = rng(9, &[]);
    let cells: Vec<Cell> = (0..60)
        .map(|_| {
            let (row, column) = (rng.random_range(0..4), rng.random_range(0..4));
            Cell { row, column, log: rng.random_range(-1.0..3.0), weight: rng.random_range(0.1..1.0) }
        })
        .collect();
    let pass = Pass { cells: &cells, words: &mut words, contexts: &mut contexts, rate: rate as f32 };
    arch().dispatch(pass);
    let adagrad = |value: &mut f64, square: &mut f64, gradient: f64| {
        let step = rate * gradient;
        *value -= step / square.sqrt();
        *square += step * step;
    };
    for &cell in &cells {
        let common = f64::from(cell.weight) * residual(&twin, &other, cell);
        let (i, j) = (cell.row as usize, cell.column as usize);
        for k in 0..width {
            let (word, context) = (twin.vectors[i][k], other.vectors[j][k]);
            adagrad(&mut twin.vectors[i][k], &mut twin.squares[i][k], common * context);
            adagrad(&mut other.vectors[j][k], &mut other.squares[j][k], common * word);
        }
        for [bias, square] in [&mut twin.biases[i], &mut other.biases[j]] {
            adagrad(bias, square, common);
        }
    }
    for (found, expected) in [(Twin::of(&words, width), twin), (Twin::of(&contexts, width), other)] {
        for (found, expected) in found.vectors.iter().flatten().zip(expected.vectors.iter().flatten()) {
            // sixty steps in single precision
            assert!((found - expected).abs() < 2e-6, "{found} {expected}");
        }
        for (found, expected) in found.biases.iter().flatten().zip(expected.biases.iter().flatten()) {
            assert!((found - expected).abs() < 2e-6, "{found} {expected}");
        }
    }
}

/// Counts whose logarithm is a product of two-dimensional vectors with biases.
fn exact_counts(rows: usize) -> Cooccurrence {
    let mut rng = rng(6, &[]);
    let mut draw = || (0..rows).map(|_| [(); 3].map(|()| rng.random_range(-1.0..1.0))).collect::<Vec<[f64; 3]>>();
    let (left, right) = (draw(), draw());
    let entries = (0..rows * rows).map(|at| {
        let (a, b) = (&left[at / rows], &right[at % rows]);
        ((at / rows) as u32, (at % rows) as u32, (a[0] * b[0] + a[1] * b[1] + a[2] + b[2] + 3.0).exp())
    });
    Cooccurrence::new(SparseMatrix::new([rows, rows], entries).unwrap()).unwrap()
}

#[test]
fn counts_of_low_rank_are_fitted_with_the_constants_of_the_paper() {
    let glove = GloveConfig { dimension: 8, ..GloveConfig::default() }.fit_counts(&exact_counts(20)).unwrap();
    let (first, last) = (glove.losses[0], glove.losses[49]);
    // a plain loop in numpy over such counts goes from 1.7 to 0.0005
    assert!(first > 0.2 && last < 0.005, "{first} to {last}");
    assert_eq!((glove.vectors.rows(), glove.vectors.width()), (20, 8));
}

#[test]
fn threads_change_no_bit() {
    let counts = exact_counts(30);
    let config = GloveConfig { dimension: 10, epochs: 3, ..GloveConfig::default() };
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| config.fit_counts(&counts).unwrap())
    };
    let (one, three) = (fit(1), fit(3));
    assert_eq!(one.losses, three.losses);
    assert_eq!(one.vectors, three.vectors);
    assert_ne!(one.vectors, GloveConfig { seed: 2, ..config.clone() }.fit_counts(&counts).unwrap().vectors);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let none = SparseMatrix::new([3, 3], []).unwrap();
    assert!(GloveConfig::default().fit_counts(&Cooccurrence::new(none).unwrap()).is_err());
    assert!(Cooccurrence::new(SparseMatrix::new([2, 3], []).unwrap()).is_err());
    assert!(Cooccurrence::new(SparseMatrix::new([2, 2], [(0, 1, -1.0)]).unwrap()).is_err());
    assert!(GloveConfig { rate: 0.0, ..GloveConfig::default() }.validate().is_err());
}
