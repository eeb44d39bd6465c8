//! The up-down algorithm against exact expectations and exact likelihoods.

use super::*;
use crate::models::dbn::up_down::gradient;
use crate::train::{Checkpoints, Learner};

/// Adds `p · inputᵀ error` and `p · error` to a layer's weights, row-major, and biases, one behind the other.
fn add(sum: &mut [f64], p: f64, input: &[f64], error: &[f64]) {
    let (weights, biases) = sum.split_at_mut(input.len() * error.len());
    for (row, x) in weights.chunks_exact_mut(error.len()).zip(input) {
        row.iter_mut().zip(error).for_each(|(sum, e)| *sum += p * x * e);
    }
    biases.iter_mut().zip(error).for_each(|(sum, e)| *sum += p * e);
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// What one pass is expected to give for the row `v`: recognition, generation, top weights, and the biases of the top.
fn expected(exact: &Exact, v: &[f64], steps: usize) -> [Vec<f64>; 4] {
    let (hidden, top) = (states(3), states(2));
    let up = |h: &[f64]| dense(h, &exact.top, &exact.top_bias.1);
    let transposed: Vec<Vec<f64>> = (0..2).map(|t| exact.top.iter().map(|row| row[t]).collect()).collect();
    let down = |t: &[f64]| dense(t, &transposed, &exact.top_bias.0);
    let recognise = |v: &[f64]| dense(v, &exact.recognition.0, &exact.recognition.1);
    let generate = |h: &[f64]| dense(h, &exact.generative.0, &exact.generative.1);

    let awake: Vec<f64> = hidden.iter().map(|h| chance(h, &recognise(v))).collect();
    let mut asleep = awake.clone();
    for _ in 0..steps {
        let mut next = vec![0.0; hidden.len()];
        for (h, p) in hidden.iter().zip(&asleep) {
            for t in &top {
                let p = p * chance(t, &up(h));
                let on = down(t);
                next.iter_mut().zip(&hidden).for_each(|(next, h)| *next += p * chance(h, &on));
            }
        }
        asleep = next;
    }
    let mut found = [vec![0.0; 12 + 3], vec![0.0; 12 + 4], vec![0.0; 6 + 2], vec![0.0; 3]];
    for ((h, awake), asleep) in hidden.iter().zip(&awake).zip(&asleep) {
        let dream = generate(h);
        add(&mut found[0], *asleep, &dream, &minus(h, &recognise(&dream)));
        add(&mut found[1], *awake, h, &minus(v, &dream));
        // means in place of draws of the top: the expectation is the same
        add(&mut found[2], awake - asleep, h, &up(h));
        found[3].iter_mut().zip(h).for_each(|(sum, h)| *sum += (awake - asleep) * h);
    }
    found
}

#[test]
fn passes_agree_with_their_expectation() {
    let dbn = small();
    let exact = Exact::of(&dbn);
    let rows = [vec![1.0, 0.0, 1.0, 1.0], vec![0.0, 1.0, 0.0, 0.0]];
    let mut sums = [0.0; 15 + 16 + 8 + 3];
    for row in &rows {
        let parts = expected(&exact, row, 2).concat();
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += 0.5 * part);
    }
    let batch: Vec<Vec<f64>> = (0..120).map(|row| rows[row % 2].clone()).collect();
    let batch = matrix(&batch);
    let drawn: Vec<Vec<f64>> = (0..300)
        .map(|draw| {
            let found = gradient(&dbn, batch.clone(), 2, &mut rng(8, &[draw])).unwrap();
            let layer = found.layers.into_iter().next().unwrap();
            let parts = [
                values(layer.recognition),
                values(layer.recognition_bias),
                values(layer.generative),
                values(layer.generative_bias),
                values(found.top.weight),
                values(found.top.hidden_bias),
                values(found.top.visible_bias),
            ];
            parts.concat()
        })
        .collect();
    let n = drawn.len() as f64;
    for (at, expected) in sums.iter().enumerate() {
        let mean = drawn.iter().map(|draw| draw[at]).sum::<f64>() / n;
        let variance = drawn.iter().map(|draw| (draw[at] - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (variance / n).sqrt();
        assert!(error < 0.006, "{at}: {error}");
        assert!((mean - expected).abs() < 4.0 * error, "{at}: {mean} instead of {expected}, standard error {error}");
    }
}

#[test]
fn a_second_layer_and_up_down_raise_the_exact_likelihood() {
    // numpy, ten seeds: −3.5 to −4.9 nats for the lower machine alone, −2.9 to −3.2 with the second layer, and 0.09 to
    // 0.22 more after the up-down algorithm. The entropy of the patterns is ln 14 = 2.64.
    let patterns = bars();
    let rows: Vec<Vec<f64>> = (0..140).map(|row| patterns[row % 14].clone()).collect();
    let data = matrix(&rows);
    let config = DbnConfig { visible: 9, layers: vec![6, 6], weight_sd: 0.1, ..DbnConfig::default() };
    let negative = Negative::Contrastive { steps: 1, sample_visible: true };
    let learning = RbmLearning { negative, weight_decay: 0.0, ..RbmLearning::default() };
    let settings = GreedyConfig { epochs: 200, batch_size: 14, learning, seed: 1, ..GreedyConfig::default() };
    let dbn = greedy(&config, &settings, &data);
    let mean = |dbn: &Dbn| Exact::of(dbn).log_likelihood(&patterns).iter().sum::<f64>() / 14.0;

    // The lower machine, which is the first of the run of one layer with the same seed.
    let lower = greedy(&DbnConfig { layers: vec![6], ..config }, &settings, &data);
    let machine = lower.top();
    let total: Vec<f64> = values(machine.free_energy(matrix(&states(9)))).into_iter().map(|f| -f).collect();
    let free = values(machine.free_energy(matrix(&patterns)).mean())[0];
    let alone = -free - log_sum_exp(&total);
    let stacked = mean(&dbn);
    assert!(stacked > alone + 0.2 && stacked < -(14.0_f64.ln()), "{alone}, {stacked}");

    let gibbs = UpDownConfig { gibbs: vec![GibbsPhase { epoch: 0, steps: 3 }] };
    let mut learner = UpDown::new(dbn, data.clone(), data, gibbs).unwrap();
    let run = FitConfig { restore_best: false, ..FitConfig::new(100, 0.1, Monitor::lower(TRAIN_LOSS)) };
    let sampler = Shuffled::new((0..140).collect(), 14);
    let outcome = fit(&mut learner, &sampler, &run, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    assert!(outcome.last_metrics[0].1.is_finite());
    let tuned = mean(&learner.into_dbn());
    assert!(tuned > stacked + 0.03 && tuned < -(14.0_f64.ln()), "{stacked}, {tuned}");
}

#[test]
fn two_and_two_epochs_are_four_to_the_last_bit() {
    let data = matrix(&bars());
    for layers in [vec![5, 4], vec![5, 4, 3], vec![4]] {
        for units in [VisibleUnits::Bernoulli, VisibleUnits::Gaussian, VisibleUnits::ReplicatedSoftmax] {
            let config = DbnConfig { units, visible: 9, layers: layers.clone(), weight_sd: 0.1 };
            let run = |epochs: usize, folder: Option<&Path>| {
                let dbn = config.init(&Device::flex(), &mut rng(3, &[])).unwrap();
                let mut learner = UpDown::new(dbn, data.clone(), data.clone(), UpDownConfig::default()).unwrap();
                let settings =
                    FitConfig { restore_best: false, ..FitConfig::new(epochs, 0.05, Monitor::lower(TRAIN_LOSS)) };
                let checkpoints = folder.map(Checkpoints::new);
                let (sampler, stop) = (Shuffled::new((0..14).collect(), 5), AtomicBool::new(false));
                let resume = folder.is_some();
                fit(&mut learner, &sampler, &settings, checkpoints.as_ref(), resume, &mut (), &stop).unwrap();
                learner.weights().unwrap()
            };
            let folder = tempfile::tempdir().unwrap();
            let straight = run(4, None);
            let half = run(2, Some(folder.path()));
            assert!(half != straight);
            assert!(run(4, Some(folder.path())) == straight, "{layers:?}, {units:?}");
        }
    }
}

#[test]
fn phases_of_gibbs_sampling_follow_the_epochs() {
    let config = UpDownConfig::default();
    config.validate().unwrap();
    let data = matrix(&bars());
    let model = |visible| {
        let config = DbnConfig { visible, layers: vec![5, 4], ..DbnConfig::default() };
        config.init(&Device::flex(), &mut rng(3, &[])).unwrap()
    };
    let refused = |gibbs: Vec<(usize, usize)>| {
        let gibbs = gibbs.into_iter().map(|(epoch, steps)| GibbsPhase { epoch, steps }).collect();
        UpDown::new(model(9), data.clone(), data.clone(), UpDownConfig { gibbs }).is_err()
    };
    assert!(!refused(vec![(0, 1), (5, 2)]));
    for gibbs in [vec![], vec![(1, 3)], vec![(0, 0)], vec![(0, 1), (9, 1), (5, 1)]] {
        assert!(refused(gibbs.clone()), "{gibbs:?}");
    }
    let error = UpDown::new(model(8), data.clone(), data, config).err().unwrap();
    assert!(matches!(error, RbmError::Columns { found: 9, expected: 8, .. }), "{error}");
}
