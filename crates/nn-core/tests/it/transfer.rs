//! A trained body in another model: what is loaded, what stays, what learns.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use nn_core::data::rng;
use nn_core::models::mlp::{Mlp, MlpConfig, MlpObjective, Norm, Targets, Task};
use nn_core::optim::OptimizerConfig;
use nn_core::store::{self, Layout, Metadata, StoreError};
use nn_core::train::{Learner, StepContext, Supervised};
use nn_core::transfer::{freeze, load_body, under, unfreeze, with_new_head};
use rand::RngExt;

const ROWS: usize = 24;

fn config(heads: &[usize]) -> MlpConfig {
    MlpConfig { heads: heads.to_vec(), norm: Norm::Batch, ..MlpConfig::new(5, &[9, 7], 1) }
}

fn model(heads: &[usize], seed: u64) -> Mlp {
    config(heads).init(&Device::flex().autodiff(), &mut rng(seed, &[])).unwrap()
}

/// The bits of every tensor, by path.
fn bits<M: Module>(model: &M) -> BTreeMap<String, Vec<u32>> {
    #[derive(Default)]
    struct Bits {
        path: Vec<String>,
        found: BTreeMap<String, Vec<u32>>,
    }
    impl ModuleVisitor for Bits {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().try_into_vec_as::<f32>().unwrap();
            self.found.insert(self.path.join("."), values.into_iter().map(f32::to_bits).collect());
        }
    }
    let mut visitor = Bits::default();
    // `valid` settles running statistics that a forward pass has noted
    model.valid().visit(&mut visitor);
    visitor.found
}

/// Two classes that the sum of a row tells apart.
fn objective() -> MlpObjective {
    let mut noise = rng(3, &[]);
    let features: Vec<f32> = (0..ROWS * 5).map(|_| noise.random::<f32>() - 0.5).collect();
    let rows = features.chunks(5).map(|row| usize::from(row.iter().sum::<f32>() > 0.0)).collect();
    let task = Task::new("sign", Targets::Classes { count: 2, rows });
    MlpObjective::new(features, 5, vec![task], vec![], &Device::flex()).unwrap()
}

fn learn(learner: &mut Supervised<MlpObjective>, steps: u64) {
    let rows: Vec<usize> = (0..ROWS).collect();
    for step in 0..steps {
        let report = learner.step(&rows, &StepContext { seed: 1, epoch: 0, step, learning_rate: 0.01 }).unwrap();
        assert!(report.grad_norm.unwrap() > 0.0);
    }
}

/// What is frozen has the bits that it had, and everything else has others; but a bias in front of batch normalisation
/// has no gradient besides rounding.
fn assert_moved(start: &BTreeMap<String, Vec<u32>>, model: &Mlp, frozen: &[String]) {
    for (path, now) in bits(model) {
        let moved = now != start[&path];
        if frozen.contains(&path) {
            assert!(!moved, "{path} is frozen");
        } else if !path.ends_with("linear.bias") {
            assert!(moved, "{path} did not move");
        }
    }
}

fn new_learner(model: Mlp) -> Supervised<MlpObjective> {
    // a weight decay would pull on whatever the optimiser sees
    Supervised::new(objective(), model, OptimizerConfig::adam().with_weight_decay(0.1).init(), "mlp")
}

#[test]
fn frozen_parameters_do_not_move_by_a_bit() {
    let before = model(&[2], 1);
    let start = bits(&before);
    let (frozen_model, frozen) = freeze(before, under(&["hidden.0"]));
    let expected =
        ["batch.beta", "batch.gamma", "batch.running_mean", "batch.running_var", "linear.bias", "linear.weight"];
    assert_eq!(frozen, expected.map(|name| format!("hidden.0.{name}")));
    assert_eq!(bits(&frozen_model), start);

    let mut learner = new_learner(frozen_model);
    learn(&mut learner, 5);
    assert_moved(&start, learner.model().unwrap(), &frozen);

    // neither does what was frozen thaw when a run is taken up again
    let (weights, optimizer) = (learner.weights().unwrap(), learner.optimizer().unwrap());
    learner.restore(&weights, &optimizer).unwrap();
    learn(&mut learner, 2);
    assert_moved(&start, learner.model().unwrap(), &frozen);

    let (thawed, paths) = unfreeze(learner.model().unwrap().clone(), under(&["hidden"]));
    assert_eq!(paths.len(), 12);
    let mut learner = new_learner(thawed);
    learn(&mut learner, 1);
    assert_moved(&start, learner.model().unwrap(), &[]);
}

#[test]
fn a_body_goes_under_another_head() {
    let trained = model(&[10], 1);
    let fresh = model(&[2, 3], 2);
    let (old, new) = (bits(&trained), bits(&fresh));
    let metadata = Metadata::from([(store::ARCHITECTURE.to_owned(), "mlp".to_owned())]);
    for layout in [Layout::Burn, Layout::PyTorch] {
        let file = store::to_safetensors_as(&trained, &metadata, layout).unwrap();
        let (loaded, body) = load_body(model(&[2, 3], 2), &file, &["heads"]).unwrap();
        assert_eq!(body.skipped, ["heads.0.bias", "heads.0.weight"]);
        assert_eq!(body.kept, ["heads.0.bias", "heads.0.weight", "heads.1.bias", "heads.1.weight"]);
        assert_eq!(body.applied.len(), 12);
        assert!(body.applied.iter().all(|name| name.starts_with("hidden.")), "{:?}", body.applied);
        assert_eq!(body.metadata, metadata);
        for (path, bits) in bits(&loaded) {
            let source = if path.starts_with("heads") { &new } else { &old };
            assert!(bits == source[&path], "{layout:?}: {path}");
            assert!(!path.starts_with("hidden.0.linear.weight") || bits != new[&path], "the two models are equal");
        }
        // and it learns, head and body
        let before = bits(&loaded);
        let mut learner = new_learner(with_new_head(&loaded, model(&[2], 4), &["heads"]).unwrap().0);
        learn(&mut learner, 1);
        let after = bits(learner.model().unwrap());
        assert!(before["hidden.0.linear.weight"] != after["hidden.0.linear.weight"]);
    }
}

#[test]
fn what_is_no_body_of_the_model_is_refused() {
    let file = store::to_safetensors(&model(&[10], 1), &Metadata::new()).unwrap();
    // the head is not left out, or not all of it
    let heads: [&[&str]; 2] = [&[], &["heads.0.weight"]];
    for head in heads {
        let error = load_body(model(&[2], 2), &file, head).unwrap_err();
        assert!(matches!(error, StoreError::Mismatch(_)), "{error}");
        assert!(error.to_string().contains("heads.0.bias is F32 [10] in the file, F32 [2] in the model"), "{error}");
    }
    // another body
    let other = MlpConfig { hidden: vec![9, 8, 4], ..config(&[2]) };
    let other = other.init(&Device::flex().autodiff(), &mut rng(1, &[])).unwrap();
    let error = load_body(other, &file, &["heads"]).unwrap_err().to_string();
    assert!(error.contains("missing from the file: hidden.2") && error.contains("hidden.1.linear.weight"), "{error}");

    assert!(load_body(model(&[2], 2), &file[..file.len() - 1], &["heads"]).is_err());
    assert!(load_body(model(&[2], 2), b"", &["heads"]).is_err());
}
