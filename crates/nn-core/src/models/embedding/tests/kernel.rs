//! One pair against the definition of its objective, and the random parts of a pass.

use super::super::kernel::{Pass, Plan, Rate, Sigmoid, dot, reach, subsample};
use super::super::{SkipGramConfig, SkipGramObjective, Window};
use crate::data::rng;
use crate::ops::{RowTable, arch};
use pulp::{Simd, WithSimd};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

const WIDTH: usize = 20;
const COUNTS: [u64; 6] = [9, 7, 5, 3, 2, 1];
const CONTEXT: usize = 2;
const CENTRE: usize = 4;
/// The centre among them is left out.
const NEGATIVES: [u32; 4] = [0, 4, 5, 2];

fn random() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(17)
}

struct OnePair<'a> {
    plan: &'a Plan,
    input: &'a mut RowTable,
    output: &'a mut RowTable,
}

impl WithSimd for OnePair<'_> {
    type Output = ();

    fn with_simd<S: Simd>(self, simd: S) {
        let rate = Rate { first: 1.0, last: 1.0, before: 0, total: 1 };
        let (plan, input, output) = (self.plan, self.input, self.output);
        let mut pass = Pass { plan, input, output, codes: &[], pieces: &[], width: WIDTH, rate, rng: random() };
        let (mut hidden, mut change) = (RowTable::zeros(1, WIDTH), RowTable::zeros(1, WIDTH));
        let pair = (CONTEXT as u32, CENTRE as u32);
        pass.pair(simd, pair, &NEGATIVES, 1.0, hidden.row_mut(0), change.row_mut(0));
    }
}

/// ln σ(x).
fn log_sigmoid(x: f64) -> f64 {
    -(-x).exp().ln_1p()
}

/// What a step of rate 1 goes up: the terms of one pair, from 2013b, equations 4 and 3.
fn objective(kind: SkipGramObjective, input: &[f64], output: &[f64]) -> f64 {
    let score = |row: usize| -> f64 {
        let hidden = &input[CONTEXT * WIDTH..][..WIDTH];
        hidden.iter().zip(&output[row * WIDTH..][..WIDTH]).map(|(h, w)| h * w).sum()
    };
    match kind {
        SkipGramObjective::NegativeSampling { .. } => {
            let drawn = NEGATIVES.iter().map(|&negative| negative as usize).filter(|&negative| negative != CENTRE);
            log_sigmoid(score(CENTRE)) + drawn.map(|negative| log_sigmoid(-score(negative))).sum::<f64>()
        }
        // The tree of the counts 9 7 5 3 2 1, by hand: 1 + 2 = node 0 (3), 3 + 3 = node 1 (6), 5 + 6 = node 2
        // (11), 7 + 9 = node 3 (16), 11 + 16 = node 4 (27); of two that are joined the one with the smaller
        // count, then the smaller number, is on the side of σ(h·w).
        // Code 4 (count 2) is below 4 (side +), 2 (side −), 1 (side −, its partner code 3 comes first), 0 (side −).
        SkipGramObjective::HierarchicalSoftmax => {
            log_sigmoid(score(4)) + log_sigmoid(-score(2)) + log_sigmoid(-score(1)) + log_sigmoid(-score(0))
        }
    }
}

#[test]
fn a_step_is_the_gradient_of_the_objective() {
    let mut rng = rng(2, &[]);
    let mut draw = || (0..6 * WIDTH).map(|_| rng.random_range(-1.0..1.0)).collect::<Vec<f32>>();
    let (start, start_output) = (draw(), draw());
    for kind in
        [SkipGramObjective::NegativeSampling { negatives: 4, exponent: 0.75 }, SkipGramObjective::HierarchicalSoftmax]
    {
        let plan = SkipGramConfig { objective: kind, ..SkipGramConfig::default() }.plan(&COUNTS).unwrap();
        let (mut input, mut output) = (RowTable::new(&start, WIDTH), RowTable::new(&start_output, WIDTH));
        arch().dispatch(OnePair { plan: &plan, input: &mut input, output: &mut output });
        let double = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let (before, before_output) = (double(&start), double(&start_output));
        let h = 1e-5;
        let mut largest = 0.0_f64;
        for at in 0..6 * WIDTH {
            for (side, after) in [(0, &input), (1, &output)] {
                let value = |h: f64| {
                    let mut both = [before.clone(), before_output.clone()];
                    both[side][at] += h;
                    objective(kind, &both[0], &both[1])
                };
                let expected = (value(h) - value(-h)) / (2.0 * h);
                let moved = f64::from(after.values()[at]) - if side == 0 { before[at] } else { before_output[at] };
                // four terms with a table that is right to 7.4e-7, and single precision
                assert!((moved - expected).abs() < 5e-6, "{kind:?} {side} {at}: {moved}, gradient {expected}");
                largest = largest.max(expected.abs());
            }
        }
        assert!(largest > 0.3, "{largest}");
        // the padding stays zero
        assert!((0..6).all(|row| input.row_mut(row)[WIDTH..].iter().all(|&value| value == 0.0)));
        assert!((0..6).all(|row| output.row_mut(row)[WIDTH..].iter().all(|&value| value == 0.0)));
    }
}

#[test]
fn the_table_is_the_logistic_function() {
    let sigmoid = Sigmoid::new();
    for at in -40_000..=40_000 {
        let x = at as f32 / 2001.0;
        let expected = 1.0 / (1.0 + (-f64::from(x)).exp());
        // the interpolation's 7.4e-7, and the rounding of x + 16 with a slope of 1/4, 2.4e-7
        assert!((f64::from(sigmoid.at(x)) - expected).abs() < 1.1e-6, "{x}");
    }
    assert_eq!((sigmoid.at(0.0), sigmoid.at(f32::INFINITY)), (0.5, sigmoid.at(16.0)));
    assert!(sigmoid.at(-1e30) < 2e-7 && sigmoid.at(f32::NAN).is_nan());
}

struct Dot<'a>(&'a [f32], &'a [f32]);

impl WithSimd for Dot<'_> {
    type Output = f32;

    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        dot(simd, self.0, self.1)
    }
}

#[test]
fn products_of_all_lengths_are_right() {
    let mut rng = rng(3, &[]);
    for lines in 0..9 {
        // whole numbers, so that every order of additions gives the same
        let mut draw = || (0..16 * lines).map(|_| f32::from(rng.random_range(-9..10_i8))).collect::<Vec<f32>>();
        let (a, b) = (draw(), draw());
        let expected: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        assert_eq!(arch().dispatch(Dot(&a, &b)), expected, "{lines}");
    }
}

#[test]
fn a_shrinking_window_sees_near_neighbours_more_often() {
    let (mut rng, n) = (random(), 50_000);
    let mut seen = [0; 5];
    for _ in 0..n {
        let reach = reach(Window::Shrinking(5), 100, &mut rng);
        assert!((1..=5).contains(&reach));
        seen[..reach].iter_mut().for_each(|count| *count += 1);
    }
    for (distance, &count) in (1..).zip(&seen) {
        // (n − d + 1)/n, with a standard error of at most 0.0023
        let expected = f64::from(6 - distance) / 5.0;
        assert!((f64::from(count) / f64::from(n) - expected).abs() < 0.01, "{distance}: {count}");
    }
    assert_eq!(reach(Window::Fixed(7), 100, &mut rng), 7);
    assert_eq!(reach(Window::WholeSequence, 100, &mut rng), 100);
}

#[test]
fn subsampling_keeps_the_share_of_the_formula() {
    // 1000 codes: f = 0.9, 0.09 and 0.01
    let codes: Vec<u32> = (0..1000).map(|at| if at < 900 { 0 } else { u32::from(at >= 990) + 1 }).collect();
    let config = SkipGramConfig { subsample: 0.01, ..SkipGramConfig::default() };
    let keep = config.keep(&[900, 90, 10]);
    let (mut kept, mut rng) = (Vec::new(), random());
    let mut counts = [0.0_f64; 3];
    for _ in 0..200 {
        subsample(&codes, &keep, &mut rng, &mut kept);
        assert!(kept.is_sorted());
        kept.iter().for_each(|&code| counts[code as usize] += 1.0);
    }
    for (code, (frequency, occurrences)) in [(0.9, 900.0), (0.09, 90.0), (0.01, 10.0)].into_iter().enumerate() {
        let expected = (f64::sqrt(0.01 / frequency) + 0.01 / frequency).min(1.0);
        let n = 200.0 * occurrences;
        let error = 5.0 * (expected * (1.0 - expected) / n).sqrt();
        assert!((counts[code] / n - expected).abs() <= error + 1e-9, "{code}: {} of {n}", counts[code]);
    }
}
