//! Everything that can be enumerated.

use burn::tensor::Tensor;

use super::{Exact, assert_close, exact_of, log_sum_exp, matrix, states, values};
use crate::models::rbm::statistics::Statistics;
use crate::models::rbm::{Rbm, VisibleUnits};

/// Of single precision: some twenty terms of up to 10 lose about 1e-6 each.
const TOLERANCE: f64 = 2e-5;

/// A machine of each kind, with visible rows for it.
fn each_kind() -> Vec<(Exact, Vec<Vec<f64>>)> {
    let grid = [-1.5, -0.2, 0.0, 0.7, 2.0];
    let real = (0..30_usize).map(|i| (0..4).map(|j| grid[(i * (j + 2) + j) % 5]).collect()).collect();
    let counts = (0..30_usize).map(|i| (0..5).map(|j| ((i * (j + 3) + j) % 4) as f64).collect()).collect();
    vec![
        (Exact::new(VisibleUnits::Bernoulli, 7, 5, 1.5), states(7)),
        (Exact::new(VisibleUnits::Gaussian, 4, 5, 0.8), real),
        (Exact::new(VisibleUnits::ReplicatedSoftmax, 5, 4, 0.7), counts),
    ]
}

#[test]
fn free_energy_and_features_are_sums_over_the_hidden_states() {
    for (exact, rows) in each_kind() {
        let rbm = exact.machine();
        let hidden = states(exact.hidden_bias.len());
        let free: Vec<f64> = rows.iter().map(|v| exact.free_energy(v)).collect();
        assert_close(&values(rbm.free_energy(matrix(&rows))), &free, TOLERANCE, "free energy");

        let mut expected = Vec::new();
        for (v, free) in rows.iter().zip(&free) {
            let energies: Vec<f64> = hidden.iter().map(|h| exact.energy(v, h)).collect();
            let same = vec![v.clone(); hidden.len()];
            assert_close(&values(rbm.energy(matrix(&same), matrix(&hidden))), &energies, TOLERANCE, "energy");
            for unit in 0..exact.hidden_bias.len() {
                let on = hidden.iter().zip(&energies).filter(|(h, _)| h[unit] > 0.0);
                expected.push(on.map(|(_, energy)| (free - energy).exp()).sum::<f64>());
            }
        }
        assert_close(&values(rbm.transform(matrix(&rows))), &expected, TOLERANCE, "features");
    }
}

#[test]
fn visible_means_are_those_of_the_boltzmann_distribution() {
    // Bernoulli: over all visible states. Words: over the sequences of one word, three of which make a document of
    // three, since words are independent given the hidden units.
    let bernoulli = Exact::new(VisibleUnits::Bernoulli, 5, 3, 1.5);
    let words = Exact::new(VisibleUnits::ReplicatedSoftmax, 5, 3, 0.7);
    let one_word: Vec<Vec<f64>> = (0..5).map(|k| (0..5).map(|i| f64::from(u8::from(i == k))).collect()).collect();
    for (exact, visible, length) in [(bernoulli, states(5), 1.0), (words, one_word, 3.0)] {
        let hidden = states(3);
        let mut expected = Vec::new();
        for h in &hidden {
            let energies: Vec<f64> = visible.iter().map(|v| -exact.energy(v, h)).collect();
            let total = log_sum_exp(&energies);
            for unit in 0..5 {
                let mean: f64 = visible.iter().zip(&energies).map(|(v, e)| v[unit] * (e - total).exp()).sum();
                expected.push(length * mean);
            }
        }
        let lengths = matrix(&vec![vec![length]; hidden.len()]);
        let found = exact.machine().visible_mean(matrix(&hidden), Some(&lengths));
        assert_close(&values(found), &expected, TOLERANCE, "visible means");
    }
    let gaussian = Exact::new(VisibleUnits::Gaussian, 4, 3, 0.8);
    let expected: Vec<f64> = states(3).iter().flat_map(|h| gaussian.visible_inputs(h)).collect();
    let found = gaussian.machine().visible_mean(matrix(&states(3)), None);
    assert_close(&values(found), &expected, TOLERANCE, "Gaussian means");
}

#[test]
fn the_gaussian_density_integrates_to_the_partition_function() {
    // The trapezoidal rule on a grid of step 1/8 is exact to rounding for sums of Gaussians of variance 1; ±9 leaves
    // out less than 1e-10. What is left is single precision.
    let exact = Exact::new(VisibleUnits::Gaussian, 2, 4, 1.2);
    let axis: Vec<f64> = (-72..=72).map(|i| f64::from(i) / 8.0).collect();
    let grid: Vec<Vec<f64>> = axis.iter().flat_map(|&x| axis.iter().map(move |&y| vec![x, y])).collect();
    let density: Vec<f64> = values(exact.machine().free_energy(matrix(&grid))).into_iter().map(|f| -f).collect();
    let integral = log_sum_exp(&density) - 64.0_f64.ln();
    assert!((integral - exact.log_partition(1)).abs() < 1e-5, "{integral} and {}", exact.log_partition(1));
}

/// Mean over the rows of the derivative of −F by each parameter, weights first, by central differences.
fn slopes(exact: &Exact, rows: &[Vec<f64>]) -> Vec<f64> {
    let mean = |exact: &Exact| -rows.iter().map(|v| exact.free_energy(v)).sum::<f64>() / rows.len() as f64;
    let (visible, hidden) = (exact.visible_bias.len(), exact.hidden_bias.len());
    let step = 1e-5;
    let mut found = Vec::new();
    let mut slope = |change: &dyn Fn(&mut Exact, f64)| {
        let [up, down] = [step, -step].map(|by| {
            let mut changed = exact.clone();
            change(&mut changed, by);
            mean(&changed)
        });
        found.push((up - down) / (2.0 * step));
    };
    for i in 0..visible {
        for j in 0..hidden {
            slope(&|exact, by| exact.weight[i][j] += by);
        }
    }
    (0..visible).for_each(|i| slope(&|exact, by| exact.visible_bias[i] += by));
    (0..hidden).for_each(|j| slope(&|exact, by| exact.hidden_bias[j] += by));
    found
}

fn flat(statistics: Statistics) -> Vec<f64> {
    [values(statistics.weight), values(statistics.visible_bias), values(statistics.hidden_bias)].concat()
}

#[test]
fn statistics_are_the_slopes_of_minus_the_free_energy() {
    for (exact, rows) in each_kind() {
        let rbm = exact.machine();
        let data = matrix(&rows);
        let lengths = rbm.units().lengths(&data);
        let mut found = flat(Statistics::of(data.clone(), rbm.transform(data), lengths.as_ref()));
        if exact.units == VisibleUnits::Gaussian {
            // d/db of −½(v − b)² is v − b; the b goes out when two phases are subtracted
            let start = exact.visible_bias.len() * exact.hidden_bias.len();
            found[start..].iter_mut().zip(&exact.visible_bias).for_each(|(found, b)| *found -= b);
        }
        // differences of double precision err by 1e-10
        assert_close(&found, &slopes(&exact, &rows), TOLERANCE, "slopes");
    }
}

/// Statistics under a distribution over all visible states.
fn expected_statistics(rbm: &Rbm, visible: &[Vec<f64>], p: &[f64]) -> Vec<f64> {
    let features = values(rbm.transform(matrix(visible)));
    let (units, hidden) = (visible[0].len(), features.len() / visible.len());
    let mut weight = vec![0.0; units * hidden];
    let (mut visible_bias, mut hidden_bias) = (vec![0.0; units], vec![0.0; hidden]);
    for ((v, features), p) in visible.iter().zip(features.chunks_exact(hidden)).zip(p) {
        for (i, v) in v.iter().enumerate() {
            visible_bias[i] += p * v;
            features.iter().enumerate().for_each(|(j, h)| weight[i * hidden + j] += p * v * h);
        }
        hidden_bias.iter_mut().zip(features).for_each(|(sum, h)| *sum += p * h);
    }
    [weight, visible_bias, hidden_bias].concat()
}

/// Probability of each column's state under each row's means: `[rows][states]`.
fn transitions(means: Tensor<2>, states: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let [_, units] = means.dims();
    values(means)
        .chunks_exact(units)
        .map(|means| {
            let of = |state: &Vec<f64>| {
                state.iter().zip(means).map(|(&s, &p)| if s > 0.0 { p } else { 1.0 - p }).product::<f64>()
            };
            states.iter().map(of).collect()
        })
        .collect()
}

fn moved(p: &[f64], transitions: &[Vec<f64>]) -> Vec<f64> {
    let mut to = vec![0.0; transitions[0].len()];
    for (p, row) in p.iter().zip(transitions) {
        to.iter_mut().zip(row).for_each(|(to, t)| *to += p * t);
    }
    to
}

#[test]
fn contrastive_divergence_tends_to_the_likelihood_gradient() {
    // 6 + 4 units; no sampling noise: the chain's distribution is carried along exactly. A chain of numpy with the same
    // parameters is off by 0.16 after 1 step, 0.012 after 5, and 1e-13 after 50.
    let exact = Exact::new(VisibleUnits::Bernoulli, 6, 4, 2.0);
    let rbm = exact.machine();
    let (visible, hidden) = (states(6), states(4));
    let up = transitions(rbm.transform(matrix(&visible)), &hidden);
    let down = transitions(rbm.visible_mean(matrix(&hidden), None), &visible);
    let free: Vec<f64> = values(rbm.free_energy(matrix(&visible))).into_iter().map(|f| -f).collect();
    let total = log_sum_exp(&free);
    assert!((total - exact.log_partition(1)).abs() < TOLERANCE * total, "log Z by both layers: {total}");
    let model: Vec<f64> = free.iter().map(|f| (f - total).exp()).collect();
    let mut data = vec![0.0; 64];
    [0, 21, 42, 63, 5].iter().for_each(|&state: &usize| data[state] = 0.2);

    // The gradient of the log-likelihood is the data's statistics less the model's; check it by differences.
    let rows: Vec<Vec<f64>> = [0, 21, 42, 63, 5].iter().map(|&state: &usize| visible[state].clone()).collect();
    let positive = expected_statistics(&rbm, &visible, &data);
    let negative = expected_statistics(&rbm, &visible, &model);
    let gradient: Vec<f64> = positive.iter().zip(&negative).map(|(p, n)| p - n).collect();
    let step = 1e-5;
    let likelihood = |exact: &Exact| {
        let free: f64 = rows.iter().map(|v| exact.free_energy(v)).sum();
        -free / rows.len() as f64 - exact.log_partition(1)
    };
    for (at, (i, j)) in [(0, (0, 0)), (7, (1, 3)), (22, (5, 2))] {
        let [above, below] = [step, -step].map(|by| {
            let mut changed = exact.clone();
            changed.weight[i][j] += by;
            likelihood(&changed)
        });
        let difference = (above - below) / (2.0 * step);
        assert!((gradient[at] - difference).abs() < TOLERANCE, "{i}, {j}: {} and {difference}", gradient[at]);
    }

    let mut chain = data;
    let mut errors = Vec::new();
    for steps in 1..=50 {
        chain = moved(&moved(&chain, &up), &down);
        if [1, 5, 50].contains(&steps) {
            let fantasy = expected_statistics(&rbm, &visible, &chain);
            errors.push(fantasy.iter().zip(&negative).map(|(f, n)| (f - n).abs()).fold(0.0, f64::max));
        }
    }
    assert!(errors[0] > 0.05 && errors[1] < 0.5 * errors[0] && errors[2] < 1e-4, "{errors:?}");
}

#[test]
fn the_fitted_bias_is_that_of_a_machine_without_weights() {
    let rows: Vec<Vec<f64>> = (0..40_usize).map(|i| vec![(i % 4) as f64, (i % 2) as f64, 1.0]).collect();
    for units in [VisibleUnits::Bernoulli, VisibleUnits::Gaussian, VisibleUnits::ReplicatedSoftmax] {
        let binary = |v: &f64| if units == VisibleUnits::Bernoulli { v.min(1.0) } else { *v };
        let rows: Vec<Vec<f64>> = rows.iter().map(|row| row.iter().map(binary).collect()).collect();
        let mut exact = Exact::new(units, 3, 1, 0.0);
        exact.hidden_bias = vec![0.0];
        let rbm = exact.machine().with_visible_bias_of(matrix(&rows)).unwrap();
        let hidden = vec![vec![0.0]; rows.len()];
        let lengths = units.lengths(&matrix(&rows));
        let means = rbm.visible_mean(matrix(&hidden), lengths.as_ref()).mean_dim(0);
        let expected = matrix(&rows).mean_dim(0);
        // half an observation in 40 rows, or in 120 words
        assert_close(&values(means), &values(expected), 0.02, units.name());
        assert!(exact_of(&rbm).visible_bias.iter().all(|b| b.is_finite()));
    }
}
