//! The convolutional classifier: sizes, and what it must be able to learn.

use super::*;
use crate::data::{InOrder, rng};
use crate::layers::init::Fan;
use crate::optim::OptimizerConfig;
use crate::train::{FitConfig, Monitor, Objective, StepContext, StepError, Supervised, fit};
use std::sync::atomic::AtomicBool;

fn small() -> CnnClassifierConfig {
    CnnClassifierConfig {
        input: [2, 6, 7],
        stages: vec![3, 4],
        convolutions: 2,
        hidden: 5,
        classes: 3,
        ..CnnClassifierConfig::default()
    }
}

#[test]
fn parameters_and_shapes_by_hand() {
    let model = small().init(&Device::flex(), &mut rng(1, &[])).unwrap();
    // 3 × 3 kernels and biases: 2→3, 3→3, 3→4, 4→4; 6 × 7 halves to 3 × 3 and to 1 × 1, so 4 inputs of the dense layer
    let convolutions = (2 * 3 + 3 * 3 + 3 * 4 + 4 * 4) * 9 + 3 + 3 + 4 + 4;
    assert_eq!(model.num_params(), convolutions + (4 * 5 + 5) + (5 * 3 + 3));
    assert_eq!(model.forward(Tensor::zeros([9, 2, 6, 7], &Device::flex()), None).dims(), [9, 3]);
}

/// The first channel of the network's first layer, by four loops.
fn first_channel(model: &CnnClassifier, input: &[f32], [channels, height, width]: [usize; 3]) -> Vec<f32> {
    let weight = model.convolutions[0].weight.val().try_into_vec_as::<f32>().unwrap();
    let mut output = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let mut sum = 0.0;
            for channel in 0..channels {
                for (place, weight) in weight[channel * 9..channel * 9 + 9].iter().enumerate() {
                    let (r, c) = (row + place / 3, column + place % 3);
                    // the kernel's middle lies on the pixel; outside there are zeros
                    if (1..=height).contains(&r) && (1..=width).contains(&c) {
                        sum += weight * input[(channel * height + r - 1) * width + c - 1];
                    }
                }
            }
            output.push(sum);
        }
    }
    output
}

#[test]
fn a_convolution_is_the_sum_over_its_window() {
    let model = small().init(&Device::flex(), &mut rng(2, &[])).unwrap();
    let shape = [2, 6, 7];
    let input = Init::Normal(1.0).values(&shape, Fan { inputs: 1, outputs: 1 }, &mut rng(3, &[]));
    let tensor = Tensor::<4>::from_data(TensorData::new(input.clone(), [1, 2, 6, 7]), &Device::flex());
    let found = model.convolutions[0].forward(tensor).narrow(1, 0, 1).try_into_vec_as::<f32>().unwrap();
    let expected = first_channel(&model, &input, shape);
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(&expected) {
        // f32: 18 products of size 1, rounded by 2⁻²⁴ each
        assert!((f - e).abs() < 1e-5, "{f} {e}");
    }
}

#[test]
fn the_loss_of_equal_logits_is_the_logarithm_of_the_classes() {
    let mut model = small().init(&Device::flex(), &mut rng(4, &[])).unwrap();
    model.output.weight = Init::Constant(0.0).param([5, 3], Fan::dense([5, 3]), &mut rng(0, &[]), &Device::flex());
    let loss = model.loss(Tensor::ones([2, 2, 6, 7], &Device::flex()), &[0, 2], None).into_scalar::<f64>();
    assert!((loss - 3.0_f64.ln()).abs() < 1e-6, "{loss}");
}

#[test]
fn dropout_is_the_generators_doing() {
    let model = small().init(&Device::flex(), &mut rng(5, &[])).unwrap();
    let input = Tensor::<4>::ones([4, 2, 6, 7], &Device::flex());
    let run = |stream: Option<u64>| {
        let mut generator = stream.map(|stream| rng(6, &[stream]));
        model.forward(input.clone(), generator.as_mut()).try_into_vec_as::<f32>().unwrap()
    };
    assert_eq!(run(None), run(None));
    assert_eq!(run(Some(1)), run(Some(1)));
    assert_ne!(run(Some(1)), run(Some(2)));
}

#[test]
fn a_row_of_a_table_is_an_input() {
    let model = small().init(&Device::flex(), &mut rng(9, &[])).unwrap();
    let rows = Init::Normal(1.0).values(&[3 * 84], Fan { inputs: 1, outputs: 1 }, &mut rng(3, &[]));
    let rows = Tensor::<2>::from_data(TensorData::new(rows, [3, 84]), &Device::flex());
    let values = |logits: Tensor<2>| logits.try_into_vec_as::<f32>().unwrap();
    assert_eq!(values(model.logits(rows.clone(), None)), values(model.forward(rows.reshape([3, 2, 6, 7]), None)));
}

#[test]
fn what_cannot_be_built_is_refused() {
    let field = |config: CnnClassifierConfig| match config.validate() {
        Err(ConfigError::OutOfRange { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(small().validate(), Ok(()));
    assert_eq!(field(CnnClassifierConfig { kernel: 4, ..small() }), "kernel");
    assert_eq!(field(CnnClassifierConfig { input: [1, 3, 9], ..small() }), "input");
    assert_eq!(field(CnnClassifierConfig { stages: vec![], ..small() }), "stages");
    assert_eq!(field(CnnClassifierConfig { dropout: 1.0, ..small() }), "dropout");
}

/// Eight random maps with classes that have nothing to do with them.
struct Memorise {
    input: Vec<f32>,
    labels: Vec<usize>,
}

impl Memorise {
    fn mean_loss(&self, model: &CnnClassifier) -> Tensor<1> {
        let input = TensorData::new(self.input.clone(), [self.labels.len(), 2, 6, 7]);
        model.loss(Tensor::from_data(input, &model.hidden.weight.device()), &self.labels, None)
    }
}

impl Objective for Memorise {
    type Model = CnnClassifier;

    fn loss(&self, model: &CnnClassifier, _: &[usize], _: &StepContext) -> Result<Tensor<1>, StepError> {
        Ok(self.mean_loss(model))
    }

    fn validate(&self, model: &CnnClassifier) -> Result<Vec<(String, f64)>, StepError> {
        Ok(vec![("loss".to_string(), self.mean_loss(model).try_into_scalar::<f64>().map_err(StepError::other)?)])
    }
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let device = Device::flex().autodiff();
    let input = Init::Normal(1.0).values(&[8 * 84], Fan { inputs: 1, outputs: 1 }, &mut rng(7, &[]));
    let labels = vec![0, 1, 2, 0, 1, 2, 2, 1];
    let config = CnnClassifierConfig { stages: vec![8, 16], hidden: 16, ..small() };
    let model = config.init(&device, &mut rng(8, &[])).unwrap();
    let mut learner = Supervised::new(Memorise { input, labels }, model, OptimizerConfig::adam().init(), "cnn");
    let settings = FitConfig::new(150, 1e-2, Monitor::lower("loss"));
    let sampler = InOrder::new((0..8).collect(), 8);
    let outcome = fit(&mut learner, &sampler, &settings, None, false, &mut (), &AtomicBool::new(false)).unwrap();
    let loss = outcome.best_metrics[0].1;
    assert!(loss < 0.01, "{loss}, from about ln 3");
}
