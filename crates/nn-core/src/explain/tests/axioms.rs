//! Completeness, invariance, linear models, and the errors.

use super::*;

/// x W with W `[6, 2]`, and the second column of W.
fn linear() -> (impl Fn(Tensor<2>) -> Tensor<2>, Vec<f64>) {
    let weight = random([6, 2], 1);
    let column = numbers(&weight.clone().narrow(1, 1, 1));
    (move |x: Tensor<2>| x.matmul(weight.clone()), column)
}

/// w (x − baseline) for each element.
fn contributions(weight: &[f64], x: &Tensor<2>, baseline: &Tensor<2>) -> Vec<f64> {
    let differences = numbers(&(x.clone() - baseline.clone()));
    differences.iter().enumerate().map(|(at, difference)| difference * weight[at % weight.len()]).collect()
}

#[test]
fn quadrature_has_the_published_nodes_and_is_exact_to_its_degree() {
    // Abramowitz and Stegun, table 25.4, n = 5
    let (nodes, weights) = gauss_legendre(5);
    let published = [-0.906_179_845_938_664, -0.538_469_310_105_683, 0.0, 0.538_469_310_105_683, 0.906_179_845_938_664];
    let published: Vec<f64> = published.iter().map(|node| f64::midpoint(1.0, *node)).collect();
    assert_close(&nodes, &published, 1e-15);
    let published = [0.236_926_885_056_189, 0.478_628_670_499_366, 0.568_888_888_888_889];
    assert_close(&weights[..3], &published.map(|weight| weight / 2.0), 1e-15);
    for count in [1, 2, 3, 8, 50, 101] {
        let (nodes, weights) = gauss_legendre(count);
        assert!(nodes.is_sorted() && nodes[0] > 0.0 && nodes[count - 1] < 1.0);
        for degree in 0..2 * count {
            let integral: f64 = nodes.iter().zip(&weights).map(|(t, w)| w * t.powi(degree as i32)).sum();
            assert!((integral - 1.0 / (degree + 1) as f64).abs() < 1e-14, "{count} nodes, degree {degree}: {integral}");
        }
        // one degree more is too much: the error is n!⁴ / ((2n + 1) (2n)!²), seen for few nodes only
        if count <= 3 {
            let integral: f64 = nodes.iter().zip(&weights).map(|(t, w)| w * t.powi(2 * count as i32)).sum();
            assert!((integral - 1.0 / (2 * count + 1) as f64).abs() > 1e-4);
        }
    }
}

#[test]
fn a_linear_model_is_taken_apart_by_every_method() {
    let (model, weight) = linear();
    let (x, start) = (random([3, 6], 2), random([1, 6], 3));
    let (baseline, target) = (Baseline::Each(start.clone()), Target::All(1));
    let wanted = contributions(&weight, &x, &start.expand([3, 6]));

    assert_close(&numbers(&gradient(&model, &x, &target).unwrap().values), &weight.repeat(3), EXACT);
    let rule = |x: Tensor<2>, _: &Rescale| model(x);
    let groups = Groups::each(6);
    let rng = &mut rng(4, &[]);
    for (name, found) in [
        ("integrated", IntegratedGradients::default().attribute(&model, &x, &baseline, &target)),
        ("one node", IntegratedGradients { nodes: 1, ..Default::default() }.attribute(&model, &x, &baseline, &target)),
        ("deep lift", deep_lift(&rule, &x, &baseline, &target)),
        ("occlusion", Occlusion::default().attribute(&model, &x, &baseline, &target)),
        ("ablation", FeatureAblation::default().attribute(&model, &x, &groups, &baseline, &target)),
        ("exact Shapley", ExactShapley::default().attribute(&model, &x, &groups, &baseline, &target)),
        ("kernel", KernelShap::default().attribute(&model, &x, &groups, &baseline, &target, rng)),
    ] {
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_close(&numbers(&found.values), &wanted, EXACT);
        assert!(found.check.largest_gap().unwrap() < EXACT, "{name}");
        assert!(found.check.convergence_delta.is_none_or(|delta| delta.iter().all(|delta| *delta < EXACT)), "{name}");
    }
    let zero = contributions(&weight, &x, &x.zeros_like());
    let found = input_x_gradient(&model, &x, &target).unwrap();
    assert_close(&numbers(&found.values), &zero, EXACT);
    assert!(found.check.largest_gap().unwrap() < EXACT);
}

#[test]
fn integrated_gradients_are_complete_in_32_bits() {
    let weight = random([64, 1], 5).cast(DType::F32);
    let x = random([20, 64], 6).cast(DType::F32);
    let model = |x: Tensor<2>| x.matmul(weight.clone());
    let found = IntegratedGradients::default().attribute(&model, &x, &Baseline::zero(), &Target::All(0)).unwrap();
    for (row, gap) in found.rows().unwrap().iter().zip(found.check.completeness_gap.unwrap()) {
        let range: f64 = row.iter().map(|value| value.abs()).sum();
        assert!(gap.abs() <= 1e-6 * range, "{gap} of {range}");
    }
}

#[test]
fn the_gap_of_integrated_gradients_falls_with_the_nodes() {
    let x = random([20, 6], 7);
    let gap = |net: &Net, nodes| {
        let method = IntegratedGradients { nodes, ..IntegratedGradients::default() };
        let found = method.attribute(net, &x, &Baseline::zero(), &Target::All(1)).unwrap();
        let delta = found.check.convergence_delta.clone().unwrap();
        (found.check.largest_gap().unwrap(), delta.into_iter().fold(0.0, f64::max))
    };
    // a smooth function: faster than any power
    let smooth = Net::new(&[6, 10, 10, 3], tanh, 8);
    let gaps: Vec<(f64, f64)> = [2, 6, 24].iter().map(|&nodes| gap(&smooth, nodes)).collect();
    for pair in gaps.windows(2) {
        assert!(pair[1].0 < pair[0].0 / 5.0 && pair[1].1 < pair[0].1, "{gaps:?}");
    }
    assert!(gaps[2].0 < EXACT, "{gaps:?}");
    // one with kinks: about as the number of nodes
    let kinked = Net::new(&[6, 10, 10, 3], relu, 8);
    let (few, many) = (gap(&kinked, 4), gap(&kinked, 1000));
    assert!(few.0 > 1e-2 && many.0 < few.0 / 10.0, "{few:?} {many:?}");
}

#[test]
fn expected_gradients_are_the_mean_over_the_baselines() {
    let net = Net::new(&[6, 8, 2], tanh, 9);
    let (x, starts) = (random([4, 6], 10), random([3, 6], 11));
    let method = IntegratedGradients { nodes: 20, ..IntegratedGradients::default() };
    let of = |baseline| numbers(&method.attribute(&net, &x, &baseline, &Target::All(0)).unwrap().values);
    let mut mean = vec![0.0; 24];
    for row in 0..3 {
        let one = of(Baseline::Each(starts.clone().narrow(0, row, 1)));
        mean.iter_mut().zip(one).for_each(|(mean, value)| *mean += value / 3.0);
    }
    assert_close(&of(Baseline::Average(starts)), &mean, EXACT);
}

#[test]
fn equal_functions_get_equal_integrated_gradients() {
    let (first, second) = (random([6, 9], 12), random([9, 2], 13));
    let plain = |x: Tensor<2>| relu(x.matmul(first.clone())).matmul(second.clone());
    // scaled layers, and relu(z) = (z + |z|) / 2
    let scaled = |x: Tensor<2>| relu(x.matmul(first.clone()) * 4.0).matmul(second.clone() / 4.0);
    let other = |x: Tensor<2>| {
        let z = x.matmul(first.clone());
        ((z.clone() + z.abs()) / 2.0).matmul(second.clone())
    };
    let (x, target) = (random([5, 6], 14), Target::Each(vec![0, 1, 0, 1, 0]));
    let method = IntegratedGradients::default();
    let baseline = Baseline::Value(0.1);
    let wanted = numbers(&method.attribute(&plain, &x, &baseline, &target).unwrap().values);
    assert_close(&numbers(&method.attribute(&scaled, &x, &baseline, &target).unwrap().values), &wanted, EXACT);
    assert_close(&numbers(&method.attribute(&other, &x, &baseline, &target).unwrap().values), &wanted, EXACT);
}

#[test]
fn smooth_grad_is_the_gradient_without_noise_and_averages_it_with() {
    let net = Net::new(&[6, 8, 2], tanh, 15);
    let (x, target) = (random([4, 6], 16), Target::All(1));
    let still = SmoothGrad { sd: 0.0, ..SmoothGrad::default() };
    let found = still.attribute(&net, &x, &target, &mut rng(1, &[])).unwrap();
    assert_close(&numbers(&found.values), &numbers(&gradient(&net, &x, &target).unwrap().values), EXACT);
    assert_eq!(found.check.evaluations, 4 * 50);
    // Σ x³: E[3 (x + ε)²] = 3 x² + 3 sd²; the mean of n has a standard error of at most 3 (2 |x| sd + √2 sd²) / √n
    let cubes = |x: Tensor<2>| x.powi_scalar(3).sum_dim(1);
    let noisy = SmoothGrad { samples: 4000, sd: 0.5, rows_per_call: 256 };
    let found = noisy.attribute(&cubes, &x, &Target::All(0), &mut rng(2, &[])).unwrap();
    let wanted: Vec<f64> = numbers(&x).iter().map(|x| 3.0 * x * x + 0.75).collect();
    assert_close(&numbers(&found.values), &wanted, 5.0 * 3.0 * 1.36 / 4000.0_f64.sqrt());
    assert!(found.check.convergence_delta.unwrap().iter().all(|delta| *delta > 0.0 && *delta < 0.3));
}

#[test]
fn occlusion_averages_the_windows_that_cover_an_element() {
    let (model, weight) = linear();
    let x = random([1, 6], 17);
    let each = contributions(&weight, &x, &x.zeros_like());
    let windows = Occlusion { window: vec![3], stride: vec![2], ..Occlusion::default() };
    let found = windows.attribute(&model, &x, &Baseline::zero(), &Target::All(1)).unwrap();
    // windows 0..3, 2..5 and 4..6, the last cut
    let [a, b, c] = [0..3, 2..5, 4..6].map(|window| each[window].iter().sum::<f64>());
    let wanted = [a, a, f64::midpoint(a, b), b, f64::midpoint(b, c), c];
    assert_close(&numbers(&found.values), &wanted, EXACT);
    assert_eq!(found.check.completeness_gap, None);
    assert_eq!(found.check.evaluations, 4);
}

#[test]
fn the_size_of_a_call_changes_nothing() {
    let net = Net::new(&[6, 8, 2], tanh, 18);
    let (x, target, baseline) = (random([5, 6], 19), Target::Each(vec![0, 1, 1, 0, 1]), Baseline::Value(0.2));
    let run = |rows_per_call| {
        let integrated = IntegratedGradients { nodes: 6, rows_per_call, ..IntegratedGradients::default() };
        let occlusion = Occlusion { window: vec![2], rows_per_call, ..Occlusion::default() };
        let integrated = integrated.attribute(&net, &x, &baseline, &target).unwrap();
        let occlusion = occlusion.attribute(&net, &x, &baseline, &target).unwrap();
        // 6 nodes, 3 for the half, the input and the baseline; 3 windows, the input twice and the baseline
        assert_eq!((integrated.check.evaluations, occlusion.check.evaluations), (5 * 11, 5 * 6));
        [numbers(&integrated.values), numbers(&occlusion.values)].concat()
    };
    let wanted = run(1024);
    for rows_per_call in [1, 3, 5, 12] {
        assert_close(&run(rows_per_call), &wanted, EXACT);
    }
}

#[test]
fn a_model_with_gradients_of_its_own_is_explained_as_well() {
    let weight = random([6, 2], 20);
    let frozen = |x: Tensor<2>| tanh(x.matmul(weight.clone()));
    let tracked = weight.clone().autodiff().require_grad();
    let trained = |x: Tensor<2>| tanh(x.matmul(tracked.clone()));
    let (x, target, baseline) = (random([3, 6], 21), Target::All(0), Baseline::zero());
    let method = IntegratedGradients::default();
    let wanted = numbers(&method.attribute(&frozen, &x, &baseline, &target).unwrap().values);
    for x in [x.clone(), x.clone().autodiff(), x.clone().autodiff().require_grad() * 1.0] {
        let found = method.attribute(&trained, &x, &baseline, &target).unwrap();
        assert!(!found.values.is_autodiff());
        assert_close(&numbers(&found.values), &wanted, EXACT);
    }
}

#[test]
fn misuse_is_an_error_of_its_kind() {
    let (model, _) = linear();
    let x = random([3, 6], 22);
    let of = |target| gradient(&model, &x, &target).unwrap_err();
    assert!(matches!(of(Target::All(2)), ExplainError::NoOutput { row: 0, target: 2, outputs: 2 }));
    assert!(matches!(of(Target::Each(vec![0, 1, 5])), ExplainError::NoOutput { row: 2, target: 5, .. }));
    assert!(matches!(of(Target::Each(vec![0, 1])), ExplainError::Targets { targets: 2, rows: 3 }));
    let empty = Tensor::<2>::zeros([0, 6], &Device::flex());
    assert!(matches!(gradient(&model, &empty, &Target::All(0)), Err(ExplainError::Empty)));
    let infinite = |x: Tensor<2>| (x.sum_dim(1) - 1000.0).exp().recip();
    let error = gradient(&infinite, &x, &Target::All(0)).unwrap_err();
    assert!(matches!(error, ExplainError::NotFinite { row: 0, .. }), "{error}");
    let cut = |x: Tensor<2>| x.inner().sum_dim(1);
    assert!(matches!(gradient(&cut, &x, &Target::All(0)), Err(ExplainError::NoGradient { what: "input" })));
    let short = |x: Tensor<2>| x.narrow(0, 0, 1);
    assert!(matches!(gradient(&short, &x, &Target::All(0)), Err(ExplainError::Shape { .. })));

    let method = IntegratedGradients::default();
    for baseline in [Baseline::Each(random([2, 6], 1)), Baseline::Each(random([3, 5], 1)), Baseline::Average(empty)] {
        let found = method.attribute(&model, &x, &baseline, &Target::All(0));
        assert!(matches!(found, Err(ExplainError::Shape { what: "the baseline", .. })));
    }
    let nothing = IntegratedGradients { nodes: 0, ..IntegratedGradients::default() };
    let error = nothing.attribute(&model, &x, &Baseline::zero(), &Target::All(0)).unwrap_err();
    assert_eq!(error.to_string(), "nodes = 0 is out of range; allowed: 1 to 10000");
    for (window, stride) in [(vec![7], vec![]), (vec![2, 2], vec![]), (vec![2], vec![3])] {
        let windows = Occlusion { window, stride, ..Occlusion::default() };
        assert!(windows.attribute(&model, &x, &Baseline::zero(), &Target::All(0)).is_err());
    }
    let groups = Groups::each(5);
    let found = FeatureAblation::default().attribute(&model, &x, &groups, &Baseline::zero(), &Target::All(0));
    assert!(matches!(found, Err(ExplainError::Shape { what: "the input", .. })));
    let many = Groups::each(13);
    let x = random([1, 13], 23);
    let sum = |x: Tensor<2>| x.sum_dim(1);
    let found = ExactShapley::default().attribute(&sum, &x, &many, &Baseline::zero(), &Target::All(0));
    assert!(matches!(found, Err(ExplainError::Config(ConfigError::OutOfRange { .. }))));
}

#[test]
fn groups_come_from_tensors_too() {
    let tensor = Tensor::<3, burn::tensor::Int>::from_data([[[0, 0, 1], [2, 2, 1]]], &Device::flex());
    assert_eq!(Groups::from_tensor(tensor.clone()).unwrap(), Groups::new(vec![0, 0, 1, 2, 2, 1]).unwrap());
    assert!(Groups::from_tensor(tensor.clone() - 1).is_err());
    assert!(Groups::from_tensor(tensor.repeat_dim(0, 2)).is_err());
    assert_eq!(Groups::along([4, 2, 3], 1).unwrap().of(), [0, 0, 0, 1, 1, 1]);
    assert!(Groups::along([4, 2, 3], 0).is_err() && Groups::along([4, 2, 3], 3).is_err());
    assert!(Groups::new(vec![usize::MAX]).is_err());
}
