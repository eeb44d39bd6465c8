//! Parameter count of the authors' network, PyTorch's outputs, zeros left out of the loss, and values found again.

use super::*;
use crate::systems::golden::{filled, input};
use crate::systems::parts::tests::{assert_golden, losses};
use nn_core::data::rng;
use rand::RngExt;

fn small() -> LateConfig {
    LateConfig { genes: 6, hidden: vec![5, 3], ..LateConfig::default() }
}

#[test]
fn the_parameter_count_is_that_of_the_authors_network() {
    let config = LateConfig { genes: 949, ..LateConfig::default() };
    let model = config.init(&Device::flex(), &mut rng(1, &[])).unwrap();
    let expected = (949 * 800 + 800) + (800 * 400 + 400) + (400 * 800 + 800) + (800 * 949 + 949);
    assert_eq!(model.num_params(), expected);
    let bias = model.layers[0].bias.as_ref().unwrap().val().mean().into_scalar::<f32>();
    // mean of 800 draws of N(0.1, 0.001²)
    assert!((bias - 0.1).abs() < 2e-4, "{bias}");
    LateConfig::recipe().validate().unwrap();
    LateConfig::translate_recipe().validate().unwrap();
}

#[test]
fn outputs_are_those_of_pytorch() {
    let model = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
    assert_golden(model.forward(input("cells", [4, 1, 6]).reshape([4, 6]), None), "late");
}

#[test]
fn zeros_count_nothing() {
    let device = Device::flex().autodiff();
    let config = LateConfig { input_dropout: 0.0, dropout: 0.0, ..small() };
    let model = config.init(&device, &mut rng(1, &[])).unwrap();
    let cells = Rows::new(vec![0.0, 1.0, 2.0, 0.0, 0.0, 3.0], 6).unwrap();
    let objective = LateObjective::new(&config, cells.clone(), Some(cells.clone())).unwrap();
    let context = StepContext { seed: 1, epoch: 0, step: 0, learning_rate: 0.1 };
    let loss = objective.loss(&model, &[0], &context).unwrap().into_scalar::<f32>();
    let found = model.valid().impute(&cells).unwrap();
    let expected = [(1, 1.0), (2, 2.0), (5, 3.0)].iter().map(|&(at, x)| (found[at] - x).powi(2)).sum::<f64>() / 6.0;
    assert!((f64::from(loss) - expected).abs() < 1e-6, "{loss} {expected}");
    let scores = objective.validate(&model.valid()).unwrap();
    assert!((scores[0].1 - expected).abs() < 1e-6 && scores[1].1 > scores[0].1, "{scores:?}");
    let error = LateObjective::new(&config, Rows::new(vec![-1.0; 6], 6).unwrap(), None).unwrap_err();
    assert_eq!(error.to_string(), "an expression of -1; logarithms of counts plus 1 are due");
    let error = LateObjective::new(&config, Rows::new(vec![1.0; 5], 5).unwrap(), None).unwrap_err();
    assert_eq!(error.to_string(), "the cells have 5 genes, the network genes = 6");
}

#[test]
fn hidden_values_are_found_better_than_by_the_mean_of_their_gene() {
    // 200 cells of two kinds in 20 genes, a third of the values lost
    let mut rng = rng(2, &[]);
    let (cells, genes) = (200, 20);
    let mut truth = Vec::new();
    for cell in 0..cells {
        for gene in 0..genes {
            let level = if (gene < 10) == (cell % 2 == 0) { 3.0 } else { 1.0 };
            let lost = rng.random::<f64>() < 1.0 / 3.0;
            truth.push(if lost { 0.0 } else { level + rng.random_range(-0.2..0.2_f32) });
        }
    }
    let mut values = truth.clone();
    let hidden = hide(&mut values, 0.1, &mut rng);
    assert_eq!(hidden.len(), (truth.iter().filter(|&&value| value > 0.0).count() as f64 * 0.1).round() as usize);
    assert!(hidden.iter().all(|&place| values[place] == 0.0 && truth[place] > 0.0));
    assert!((0..truth.len()).all(|place| hidden.contains(&place) || values[place] == truth[place]));

    let config = LateConfig { genes, hidden: vec![16, 4], input_dropout: 0.2, dropout: 0.0, deviation: 1e-2 };
    let device = Device::flex().autodiff();
    let train = Rows::new(values.clone(), genes).unwrap();
    let objective = LateObjective::new(&config, train.clone(), Some(train.clone())).unwrap();
    let recipe = Recipe { learning_rate: 3e-3, batch_size: 50, epochs: 150, ..LateConfig::recipe() };
    let rows: Vec<usize> = (0..cells).collect();
    let model = config.init(&device, &mut nn_core::data::rng(3, &[])).unwrap();
    let monitor = nn_core::train::Monitor::lower("mse_nonzero");
    let (model, _) = recipe.train("late", objective, model, &rows, monitor, 1).unwrap();
    let found = model.impute(&train).unwrap();
    let mean = |gene: usize| {
        let known: Vec<f64> =
            values.iter().skip(gene).step_by(genes).filter(|&&x| x > 0.0).map(|&x| f64::from(x)).collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    let error = |of: &dyn Fn(usize) -> f64| {
        hidden.iter().map(|&place| (of(place) - f64::from(truth[place])).powi(2)).sum::<f64>() / hidden.len() as f64
    };
    let (own, baseline) = (error(&|place| found[place]), error(&|place| mean(place % genes)));
    // the mean of a gene lies 1 from either level; what remains is noise of ±0.2
    assert!(baseline > 0.9 && own < 0.2 * baseline, "{own} {baseline}");
}

#[test]
fn cells_are_learnt_by_heart() {
    let config = LateConfig { genes: 8, hidden: vec![32], input_dropout: 0.0, dropout: 0.0, deviation: 1e-2 };
    let device = Device::flex().autodiff();
    let values = input("cells", [6, 1, 8]).abs().try_into_vec_as::<f32>().unwrap();
    let objective = LateObjective::new(&config, Rows::new(values, 8).unwrap(), None).unwrap();
    let model = config.init(&device, &mut rng(2, &[])).unwrap();
    let [first, last] = losses(objective, model, &[0, 1, 2, 3, 4, 5], 400, 1e-2);
    assert!(last < 0.05 * first, "{first} {last}");
}
