//! Infidelity, sensitivity, randomisation and permutation importance.

use super::*;

#[test]
fn the_exact_gradient_of_a_linear_model_has_no_infidelity() {
    let weight = random([6, 1], 70);
    let model = |x: Tensor<2>| x.matmul(weight.clone());
    let (x, target) = (random([3, 6], 71), Target::All(0));
    let exact = gradient(&model, &x, &target).unwrap().values;
    let measure =
        |method: Infidelity, values: &Tensor<2>| method.measure(&model, &x, values, &target, &mut rng(1, &[])).unwrap();
    let found = measure(Infidelity::default(), &exact);
    assert!(found.len() == 3 && found.iter().all(|value| *value < 1e-20), "{found:?}");
    // values that are off by v: E[(Iᵀ v)²] = sd² |v|²; the mean of n squares of normals is off by √(2 / n), here 1.6 %
    let off = random([3, 6], 72);
    let many = Infidelity { samples: 8000, sd: 0.5, ..Infidelity::default() };
    let found = measure(many.clone(), &(exact.clone() + off.clone()));
    for (found, off) in found.iter().zip(numbers(&off).chunks(6)) {
        let wanted = 0.25 * off.iter().map(|value| value * value).sum::<f64>();
        assert!((found / wanted - 1.0).abs() < 0.08, "{found}, not {wanted}");
    }
    // a wrong scale counts unless it is taken out
    let tripled = exact * 3.0;
    assert!(measure(many.clone(), &tripled).iter().all(|value| *value > 1e-3));
    let found = measure(Infidelity { scaled: true, ..many }, &tripled);
    assert!(found.iter().all(|value| *value < 1e-20), "{found:?}");
    let narrow = random([3, 5], 73);
    let error = Infidelity::default().measure(&model, &x, &narrow, &target, &mut rng(1, &[])).unwrap_err();
    assert!(matches!(error, ExplainError::Shape { what: "the values", .. }));
}

#[test]
fn sensitivity_is_that_of_the_gradient_of_a_square() {
    let x = random([4, 6], 74);
    let method = SensitivityMax { samples: 400, radius: 0.1 };
    // F = |x|² / 2 has the gradient x, which moves as the input does: by at most √6 · radius
    let square = |x: Tensor<2>| (x.clone() * x).sum_dim(1) / 2.0;
    let found = method.measure(&x, |x| Ok(gradient(&square, x, &Target::All(0))?.values), &mut rng(1, &[])).unwrap();
    for (found, row) in found.iter().zip(numbers(&x).chunks(6)) {
        let bound = 0.1 * 6.0_f64.sqrt() / row.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!(*found <= bound && *found > 0.7 * bound, "{found} of {bound}");
    }
    let sum = |x: Tensor<2>| x.sum_dim(1);
    let found = method.measure(&x, |x| Ok(gradient(&sum, x, &Target::All(0))?.values), &mut rng(1, &[])).unwrap();
    assert_eq!(found, [0.0; 4]);
}

#[test]
fn sensitivity_n_is_one_for_what_adds_up_and_less_for_what_does_not() {
    let weight = random([8, 1], 75);
    let linear = |x: Tensor<2>| x.matmul(weight.clone());
    let (x, target, baseline) = (random([3, 8], 76), Target::All(0), Baseline::zero());
    let sets = SensitivityN { size: 3, samples: 60, ..SensitivityN::default() };
    let values = input_x_gradient(&linear, &x, &target).unwrap().values;
    let found = sets.measure(&linear, &x, &values, &baseline, &target, &mut rng(1, &[])).unwrap();
    assert_close(&found, &[1.0; 3], 1e-12);
    let found = sets.measure(&linear, &x, &(values * -2.0), &baseline, &target, &mut rng(1, &[])).unwrap();
    assert_close(&found, &[-1.0; 3], 1e-12);
    let unrelated = random([3, 8], 77);
    let found = sets.measure(&linear, &x, &unrelated, &baseline, &target, &mut rng(1, &[])).unwrap();
    assert!(found.iter().all(|value| value.abs() < 0.95), "{found:?}");
    let all = SensitivityN { size: 9, ..sets };
    assert!(all.measure(&linear, &x, &unrelated, &baseline, &target, &mut rng(1, &[])).is_err());
}

#[test]
fn random_weights_break_the_explanation_and_not_an_edge_detector() {
    let (x, target) = (random([30, 60], 78), Target::All(0));
    let net = |stage: usize| Net::new(&[60, 20, 2], relu, 79 + stage as u64);
    let found = weight_randomisation(6, |stage| Ok(saliency(&net(stage), &x, &target)?.values)).unwrap();
    // 60 independent values: a correlation has a standard deviation of 1/√59, the mean over 30 rows at most that
    for stage in &found {
        let mean = stage.iter().sum::<f64>() / stage.len() as f64;
        assert!(stage.len() == 30 && mean.abs() < 4.0 / 59.0_f64.sqrt(), "{mean}");
    }
    let mean = found.iter().flatten().sum::<f64>() / 180.0;
    assert!(mean.abs() < 0.25, "{mean}");
    // the same weights give the same values, and values that ignore the model stay as they are
    let same = weight_randomisation(2, |_| Ok(saliency(&net(0), &x, &target)?.values)).unwrap();
    let blind = weight_randomisation(2, |_| Ok(x.clone())).unwrap();
    for stage in same.iter().chain(&blind) {
        assert_close(stage, &[1.0; 30], EXACT);
    }
    let flat = rank_correlation(&x, &x.zeros_like(), true);
    assert!(matches!(flat, Err(ExplainError::Metric(_))));
}

#[test]
fn permutation_importance_of_a_perfect_model_is_the_lost_variance() {
    let x = random([500, 3], 80);
    let weight = wide(vec![2.0, -0.5, 0.0], [3, 1]);
    let truth = numbers(&x.clone().matmul(weight.clone()));
    let score = |x: Tensor<2>| -> Result<f64, ExplainError> {
        Ok(-crate::metrics::mse(&truth, &numbers(&x.matmul(weight.clone())))?)
    };
    let method = PermutationImportance { repeats: 20 };
    let found = method.measure(&x, &Groups::each(3), score, &mut rng(1, &[])).unwrap();
    assert_eq!((found.score, found.evaluations), (0.0, 500 * 61));
    // E[w² (x − x')²] = 2 w² variance n / (n − 1) over random orders; repeats differ by some per cent
    for (column, importance) in found.groups.iter().enumerate() {
        let values: Vec<f64> = numbers(&x).chunks(3).map(|row| row[column]).collect();
        let mean = values.iter().sum::<f64>() / 500.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 500.0;
        let wanted = 2.0 * [4.0, 0.25, 0.0][column] * variance;
        assert!((importance.mean - wanted).abs() <= 0.05 * wanted, "{column}: {} not {wanted}", importance.mean);
        assert_eq!(importance.losses.len(), 20);
    }
    // not even by rounding
    assert_eq!((found.groups[2].mean, found.groups[2].sd), (0.0, 0.0));
    assert!(found.groups[0].sd > 0.0);
}

#[test]
fn a_group_is_shuffled_as_a_whole() {
    // the model reads the difference of two equal columns: shuffled together they still cancel
    let column = random([40, 1], 81);
    let x = Tensor::cat(vec![column.clone(), column], 1);
    let truth = vec![0.0; 40];
    let score = |x: Tensor<2>| -> Result<f64, ExplainError> {
        let difference = x.clone().narrow(1, 0, 1) - x.narrow(1, 1, 1);
        Ok(-crate::metrics::mse(&truth, &numbers(&difference))?)
    };
    let method = PermutationImportance::default();
    let together = method.measure(&x, &Groups::new(vec![0, 0]).unwrap(), score, &mut rng(1, &[])).unwrap();
    assert_eq!(together.groups[0].mean, 0.0);
    let apart = method.measure(&x, &Groups::each(2), score, &mut rng(1, &[])).unwrap();
    assert!(apart.groups.iter().all(|group| group.mean > 0.1));
}
