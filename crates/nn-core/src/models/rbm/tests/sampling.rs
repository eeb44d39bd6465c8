//! Draws, chains and annealed importance sampling against exact expectations. All seeds are fixed: a test that passes
//! once passes always, and the limits in standard errors are so wide that a correct sampler rarely fails on any seed.

use burn::tensor::Tensor;

use super::{Exact, assert_close, matrix, states, values};
use crate::data::rng;
use crate::models::rbm::sampling::{bernoulli, multinomial, normal};
use crate::models::rbm::{
    AisConfig, LogPartition, Negative, Rbm, RbmError, RbmLearner, RbmLearning, Stage, VisibleUnits,
};
use crate::train::{Learner, StepContext};

/// Mean and standard error of each column.
fn columns(rows: &[Vec<f64>]) -> Vec<(f64, f64)> {
    let n = rows.len() as f64;
    (0..rows[0].len())
        .map(|column| {
            let mean = rows.iter().map(|row| row[column]).sum::<f64>() / n;
            let variance = rows.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean, (variance / n).sqrt())
        })
        .collect()
}

fn rows_of(tensor: Tensor<2>) -> Vec<Vec<f64>> {
    let [_, columns] = tensor.dims();
    values(tensor).chunks_exact(columns).map(<[f64]>::to_vec).collect()
}

#[test]
fn draws_have_their_means() {
    let mut rng = rng(5, &[]);
    let p = [0.0, 0.03, 0.5, 0.9, 1.0];
    let rows = vec![p.to_vec(); 20_000];
    for ((mean, error), p) in columns(&rows_of(bernoulli(matrix(&rows), &mut rng))).into_iter().zip(p) {
        // exact at both ends, where the error is zero
        assert!((mean - p).abs() <= 4.0 * error, "{mean} instead of {p}");
    }
    let drawn = rows_of(normal(matrix(&vec![vec![-1.0, 2.0]; 20_000]), &mut rng));
    for ((mean, error), expected) in columns(&drawn).into_iter().zip([-1.0, 2.0]) {
        assert!((mean - expected).abs() < 4.0 * error, "{mean} instead of {expected}");
        assert!((error * 20_000.0_f64.sqrt() - 1.0).abs() < 0.03, "standard deviation: {error}");
    }
    let p = [0.0, 0.1, 0.2, 0.7];
    let lengths: Vec<Vec<f64>> = (0..8_000).map(|row| vec![f64::from(row % 5)]).collect();
    let drawn = multinomial(matrix(&vec![p.to_vec(); 8_000]), Some(&matrix(&lengths)), &mut rng).unwrap();
    assert_eq!(values(drawn.clone().sum_dim(1)), lengths.concat());
    for ((mean, error), p) in columns(&rows_of(drawn)).into_iter().zip(p) {
        assert!((mean - 2.0 * p).abs() <= 4.0 * error, "{mean} instead of {}", 2.0 * p);
    }
}

#[test]
fn gibbs_sampling_ends_in_the_boltzmann_distribution() {
    let exact = Exact::new(VisibleUnits::Bernoulli, 4, 3, 1.5);
    let total = exact.log_partition(1);
    let start = vec![vec![0.0; 4]; 20_000];
    let ends = rows_of(exact.machine().gibbs(matrix(&start), 30, &mut rng(6, &[])).unwrap());
    let n = ends.len() as f64;
    for state in states(4) {
        let p = (-exact.free_energy(&state) - total).exp();
        let found = ends.iter().filter(|end| **end == state).count() as f64 / n;
        assert!((found - p).abs() < 4.5 * (p * (1.0 - p) / n).sqrt(), "{state:?}: {found} instead of {p}");
    }
    let words = Exact::new(VisibleUnits::ReplicatedSoftmax, 5, 3, 0.7);
    let start = vec![vec![3.0, 0.0, 1.0, 0.0, 0.0]; 10];
    let ends = words.machine().gibbs(matrix(&start), 5, &mut rng(6, &[1])).unwrap();
    assert_eq!(values(ends.sum_dim(1)), [4.0; 10]);
}

/// The gradient that one step of the learner applies, from the change of the parameters at a learning rate of 1.
fn gradient(rbm: &Rbm, data: &Tensor<2>, sample_visible: bool, step: u64) -> Vec<f64> {
    let learning = RbmLearning {
        negative: Negative::Contrastive { steps: 1, sample_visible },
        initial_momentum: 0.0,
        final_momentum: 0.0,
        weight_decay: 0.0,
        ..RbmLearning::default()
    };
    let [rows, _] = data.dims();
    let mut learner = RbmLearner::new(rbm.clone(), data.clone(), data.clone(), learning).unwrap();
    let rows: Vec<usize> = (0..rows).collect();
    learner.step(&rows, &StepContext { seed: 2, epoch: 0, step, learning_rate: 1.0 }).unwrap();
    let of =
        |rbm: &Rbm| [values(rbm.weight.val()), values(rbm.visible_bias.val()), values(rbm.hidden_bias.val())].concat();
    of(learner.rbm()).iter().zip(of(rbm)).map(|(after, before)| after - before).collect()
}

#[test]
fn sampled_cd_1_agrees_with_its_expectation() {
    let exact = Exact::new(VisibleUnits::Bernoulli, 4, 3, 1.5);
    let rbm = exact.machine();
    let rows = [vec![1.0, 0.0, 1.0, 1.0], vec![0.0, 0.0, 1.0, 0.0], vec![1.0, 1.0, 0.0, 0.0]];
    let (visible, hidden) = (states(4), states(3));
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let features = |v: &[f64]| -> Vec<f64> {
        let input = |j: usize| exact.hidden_bias[j] + (0..4).map(|i| v[i] * exact.weight[i][j]).sum::<f64>();
        (0..3).map(|j| sigmoid(input(j))).collect()
    };
    let means = |h: &[f64]| -> Vec<f64> { exact.visible_inputs(h).into_iter().map(sigmoid).collect() };
    let chance = |state: &[f64], means: &[f64]| -> f64 {
        state.iter().zip(means).map(|(&s, &p)| if s > 0.0 { p } else { 1.0 - p }).product()
    };
    let add = |sum: &mut [f64], p: f64, v: &[f64]| {
        let h = features(v);
        for (i, v) in v.iter().enumerate() {
            (0..3).for_each(|j| sum[3 * i + j] += p * v * h[j]);
            sum[12 + i] += p * v;
        }
        (0..3).for_each(|j| sum[16 + j] += p * h[j]);
    };
    for sample_visible in [true, false] {
        let mut expected = [0.0; 12 + 4 + 3];
        for row in &rows {
            add(&mut expected, 1.0 / 3.0, row);
            for h in &hidden {
                let p = chance(h, &features(row)) / 3.0;
                let means = means(h);
                if sample_visible {
                    visible.iter().for_each(|v| add(&mut expected, -p * chance(v, &means), v));
                } else {
                    add(&mut expected, -p, &means);
                }
            }
        }
        let batch: Vec<Vec<f64>> = (0..120).map(|row| rows[row % 3].clone()).collect();
        let batch = matrix(&batch);
        let drawn: Vec<Vec<f64>> = (0..300).map(|step| gradient(&rbm, &batch, sample_visible, step)).collect();
        for (at, ((mean, error), expected)) in columns(&drawn).into_iter().zip(&expected).enumerate() {
            assert!((mean - expected).abs() < 4.0 * error, "{sample_visible}, {at}: {mean} instead of {expected}");
            // the draws are many enough to tell a wrong rule: the gradients are of the order of 0.1
            assert!(error < 0.005, "{error}");
        }
    }
}

#[test]
fn persistent_chains_come_to_the_likelihood_gradient() {
    // At a learning rate of zero the chains forget where they began, and the negative statistics are the model's.
    let exact = Exact::new(VisibleUnits::Bernoulli, 4, 3, 1.5);
    let negative = Negative::Persistent { steps: 1, chains: 400 };
    let learning = RbmLearning { negative, initial_momentum: 0.0, weight_decay: 0.0, ..RbmLearning::default() };
    let data = matrix(&[vec![1.0, 0.0, 1.0, 1.0]]);
    let rbm = exact.machine();
    let positive = values(data.clone().transpose().matmul(rbm.transform(data.clone())));
    let total = exact.log_partition(1);
    let model: Vec<(Vec<f64>, f64)> =
        states(4).into_iter().map(|v| (v.clone(), (-exact.free_energy(&v) - total).exp())).collect();
    let mut expected = [0.0; 12];
    for (v, p) in &model {
        let h = values(rbm.transform(matrix(std::slice::from_ref(v))));
        (0..12).for_each(|at| expected[at] += p * v[at / 3] * h[at % 3]);
    }
    let mut learner = RbmLearner::new(rbm, data.clone(), data, learning).unwrap();
    let context = |step, learning_rate| StepContext { seed: 3, epoch: 0, step, learning_rate };
    let mut norms = Vec::new();
    for step in 0..400 {
        norms.push(learner.step(&[0], &context(step, 0.0)).unwrap().grad_norm.unwrap());
    }
    // Mean of the squared norm: that of the exact gradient, and the variance of 400 chains, below 19 / 4 / 400.
    let squares = norms[50..].iter().map(|norm| norm * norm).sum::<f64>() / 350.0;
    let all = gradient_norm_squared(&exact, &model, &positive, &expected);
    assert!(squares > 0.97 * all && squares < 1.03 * all + 0.012, "{squares}, exact: {all}");
}

/// The square of the norm of the exact gradient for the one row 1, 0, 1, 1.
fn gradient_norm_squared(exact: &Exact, model: &[(Vec<f64>, f64)], positive: &[f64], negative: &[f64]) -> f64 {
    let rbm = exact.machine();
    let row = vec![1.0, 0.0, 1.0, 1.0];
    let h = values(rbm.transform(matrix(std::slice::from_ref(&row))));
    let weights: f64 = positive.iter().zip(negative).map(|(p, n)| (p - n).powi(2)).sum();
    let mean = |of: &dyn Fn(&[f64]) -> f64| model.iter().map(|(v, p)| p * of(v)).sum::<f64>();
    let visible: f64 = (0..4).map(|i| (row[i] - mean(&|v| v[i])).powi(2)).sum();
    let features = |v: &[f64]| values(rbm.transform(matrix(&[v.to_vec()])));
    let hidden: f64 = (0..3).map(|j| (h[j] - mean(&|v| features(v)[j])).powi(2)).sum();
    weights + visible + hidden
}

fn ais(exact: &Exact, words: usize, base: Option<Tensor<1>>, seed: u64) -> LogPartition {
    let stages = vec![Stage { until: 0.5, steps: 100 }, Stage { until: 1.0, steps: 400 }];
    let config = AisConfig { chains: 200, stages, words };
    exact.machine().log_partition(&config, base, &mut rng(seed, &[])).unwrap()
}

#[test]
fn annealed_importance_sampling_finds_the_partition_function() {
    // 200 chains of 500 temperatures err by about 0.003 in numpy with these machines.
    let cases = [
        (Exact::new(VisibleUnits::Bernoulli, 8, 6, 2.0), 1),
        (Exact::new(VisibleUnits::Gaussian, 4, 5, 0.5), 1),
        (Exact::new(VisibleUnits::ReplicatedSoftmax, 6, 4, 0.7), 5),
    ];
    for (exact, words) in cases {
        let total = exact.log_partition(words);
        let other = Tensor::<1>::zeros([exact.visible_bias.len()], &burn::tensor::Device::flex());
        for (seed, base) in [(1, None), (2, Some(other))] {
            let found = ais(&exact, words, base, seed);
            assert!((found.log_z - total).abs() < 0.1, "{:?}: {found:?} instead of {total}", exact.units);
            // four standard errors on each side of the estimate, while the limits are three
            let width = found.upper - found.lower;
            assert!(found.lower - 0.17 * width < total && total < found.upper + 0.17 * width, "{found:?}, {total}");
        }
    }
    // A machine without weights is its own start, and its weights of importance are all 1.
    let mut flat = Exact::new(VisibleUnits::Bernoulli, 5, 3, 0.0);
    flat.hidden_bias = vec![0.0; 3];
    let found = ais(&flat, 1, None, 3);
    assert_close(&[found.log_z, found.lower, found.upper], &[flat.log_partition(1); 3], 1e-5, "no weights");
}

#[test]
fn temperatures_must_rise_to_one() {
    let good = AisConfig::default();
    assert_eq!(good.stages.iter().map(|stage| stage.steps).sum::<usize>(), 14_500);
    good.validate().unwrap();
    let stage = |until, steps| Stage { until, steps };
    for stages in [vec![], vec![stage(0.9, 5)], vec![stage(0.5, 5), stage(0.5, 5), stage(1.0, 5)], vec![stage(1.0, 0)]]
    {
        assert!(AisConfig { stages, ..good.clone() }.validate().is_err());
    }
    let machine = Exact::new(VisibleUnits::Bernoulli, 4, 3, 1.0).machine();
    let base = Tensor::<1>::zeros([5], &machine.device());
    let error = machine.log_partition(&good, Some(base), &mut rng(1, &[])).unwrap_err();
    assert!(matches!(error, RbmError::Columns { found: 5, expected: 4, .. }), "{error}");
}
