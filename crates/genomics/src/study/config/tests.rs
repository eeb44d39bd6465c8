//! Which rule of training a system gets when nothing is said, and how settings are read.

use std::sync::atomic::AtomicBool;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use nn_core::data::rng;
use nn_core::optim::ScheduleState;
use rand::RngExt;

use super::*;
use crate::sequence::ALPHABET;
use crate::study::{Plan, Study};
use crate::systems::Net;

fn of(system: &str) -> StudyConfig {
    StudyConfig::of(NetConfig::named(system).unwrap())
}

/// Numbers of `data/models/pretrained_params.txt` and of the options of `basset_train.lua` (davek44/Basset).
#[test]
fn basset_is_trained_as_its_authors_do() {
    let config = of("basset");
    let rmsprop = OptimizerConfig::RmsProp { alpha: 0.98, epsilon: 1e-8, momentum: 0.0, weight_decay: 0.0 };
    assert_eq!((config.optimizer(), config.schedule()), (rmsprop, Schedule::Constant));
    assert_eq!((config.learning_rate, config.batch_size, config.epochs, config.patience), (0.002, 128, 1000, 10));
    assert_eq!((config.max_norm, config.clip_value, config.clip_norm), (Some(7.0), None, 0.0));
    assert_eq!(config.recipe(), BassetConfig::recipe());
    config.validate().unwrap();
}

/// Numbers of `main.lua` (QData/DeepMotif).
#[test]
fn deep_motif_is_trained_as_its_authors_do() {
    for system in ["deepmotif-cnn", "deepmotif-rnn", "deepmotif-cnn-rnn"] {
        let config = of(system);
        let adam =
            OptimizerConfig::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, epsilon_hat: true };
        assert_eq!(config.optimizer(), adam, "{system}");
        assert_eq!((config.batch_size, config.epochs, config.clip_value), (256, 50, Some(5.0)));
        // it is never stopped early
        assert_eq!(config.recipe(), DeepMotifConfig::recipe().with_patience(50));
        let mut state = ScheduleState::new(config.schedule(), config.learning_rate, false);
        for epoch in 0..50 {
            // halved behind each tenth epoch
            let expected = 0.01 * 0.5_f64.powi(epoch / 10);
            assert!((state.learning_rate() - expected).abs() < 1e-15, "epoch {epoch}");
            state.step(None);
        }
        config.validate().unwrap();
    }
}

#[test]
fn other_systems_keep_their_rule() {
    assert_eq!(of("deepbind"), StudyConfig::default());
    for system in ["cnnprom", "beluga"] {
        let config = of(system);
        assert_eq!((config.optimizer(), config.schedule()), (OptimizerConfig::adam(), Schedule::Constant));
        assert_eq!((config.learning_rate, config.batch_size, config.epochs, config.patience), (1e-3, 64, 40, 8));
        assert_eq!(config.optimizer, OptimizerKind::Adam, "a name, not a table of constants");
    }
    // what is not of the rule stays
    let given = StudyConfig { models: 3, seed: 9, monitor: "auroc".into(), ..StudyConfig::default() };
    let found = given.clone().with_recipe(BassetConfig::recipe());
    assert_eq!((found.models, found.seed, found.monitor), (3, 9, given.monitor));
}

#[test]
fn rules_are_read_by_name_or_with_their_constants() {
    let read = |text: &str| serde_json::from_str::<StudyConfig>(text).map_err(|error| error.to_string());
    let config = read(r#"{"optimizer":"sgd","schedule":"constant","weight_decay":0.0}"#).unwrap();
    assert_eq!((config.optimizer, config.schedule), (OptimizerKind::Sgd, ScheduleKind::Constant));
    // whole numbers are numbers too
    let config = read(
        r#"{"optimizer":{"kind":"rmsprop","alpha":0.9,"momentum":0},"schedule":{"kind":"step","every":3,"factor":0.1},
            "weight_decay":0.0,"max_norm":2}"#,
    )
    .unwrap();
    let rmsprop = |weight_decay| OptimizerConfig::RmsProp { alpha: 0.9, epsilon: 1e-8, momentum: 0.0, weight_decay };
    assert_eq!(config.optimizer(), rmsprop(0.0));
    assert_eq!((config.schedule(), config.max_norm), (Schedule::Step { every: 3, factor: 0.1 }, Some(2.0)));
    let decayed = StudyConfig { weight_decay: 0.01, ..config.clone() };
    assert_eq!(decayed.optimizer(), rmsprop(0.01));
    // what is written is what was read
    let text = serde_json::to_string(&config).unwrap();
    assert!(text.contains(r#""optimizer":{"kind":"rmsprop","#), "{text}");
    assert_eq!(read(&text).unwrap(), config);
    let default = serde_json::to_string(&StudyConfig::default()).unwrap();
    assert!(default.contains(r#""schedule":"cosine","optimizer":"adamw""#), "{default}");

    for (text, says) in [
        (r#"{"optimizer":"adamm"}"#, "adadelta"),
        (r#"{"optimizer":{"kind":"rmsprop","decay":0.9}}"#, "kind"),
        (r#"{"schedule":"cosin"}"#, "constant, cosine"),
        (r#"{"schedule":{"kind":"step"}}"#, "factor = 0.5"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn bounds_are_checked_and_zero_is_none() {
    let config = StudyConfig { clip_value: Some(0.0), max_norm: Some(0.0), ..StudyConfig::default() };
    config.validate().unwrap();
    assert_eq!((config.recipe().clip_value, config.recipe().max_norm), (None, None));
    for (field, bad) in [
        ("clip_value", StudyConfig { clip_value: Some(-1.0), ..StudyConfig::default() }),
        ("max_norm", StudyConfig { max_norm: Some(f64::NAN), ..StudyConfig::default() }),
        ("factor", StudyConfig { schedule: ScheduleKind::With(Schedule::Exponential { factor: 2.0 }), ..config }),
    ] {
        let error = bad.validate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field} = ")), "{error}");
    }
}

/// The longest weights that lead to a unit of a dense layer or to a filter.
struct Longest(f64);

impl ModuleVisitor for Longest {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val().inner();
        let dims = value.dims();
        if D < 2 {
            return;
        }
        let values = value.try_into_vec_as::<f32>().unwrap();
        // a dense layer's weight is [inputs, outputs], a filter's [outputs, inputs, kernel]
        let inputs = values.len() / if D == 2 { dims[1] } else { dims[0] };
        let units = values.len() / inputs;
        for unit in 0..units {
            let at = |input: usize| if D == 2 { input * units + unit } else { unit * inputs + input };
            let sum: f64 = (0..inputs).map(|input| f64::from(values[at(input)]).powi(2)).sum();
            self.0 = self.0.max(sum.sqrt());
        }
    }
}

/// `of` is what `train` begins with, so what it says must reach the steps.
#[test]
fn the_rule_reaches_the_steps() {
    let draw = &mut rng(3, &[]);
    let mut set = SequenceSet { tasks: vec!["open".into()], ..SequenceSet::default() };
    for row in 0..64 {
        set.names.push(row.to_string());
        set.sequences.push((0..60).map(|_| ALPHABET[draw.random_range(0..4)]).collect());
        set.loci.push(None);
        set.targets.push(f32::from(u8::from(row % 2 == 0)));
    }
    let sizes = BassetConfig {
        filters: vec![6, 5, 4],
        kernels: vec![7, 5, 3],
        pools: vec![2, 3, 2],
        hidden: vec![9],
        ..BassetConfig::default()
    };
    let train = |max_norm: Option<f64>, clip_value: Option<f64>| {
        let config = StudyConfig {
            models: 1,
            epochs: 2,
            batch_size: 16,
            max_norm,
            clip_value,
            split: Some(SplitKind::Random),
            ..StudyConfig::of(NetConfig::Basset(sizes.clone()))
        };
        let config = config.resolved(&set, false).unwrap();
        let study = Study::new(&set, "noise", Plan::new(&set, None, &config).unwrap(), config.clone()).unwrap();
        let trained = study.train(0, &Device::flex(), (None, false), &mut (), &AtomicBool::new(false)).unwrap();
        let mut longest = Longest(0.0);
        trained.model.network.visit(&mut longest);
        (trained.model.network, longest.0)
    };
    let logits = |net: &Net| crate::systems::SequenceNet::logits(net, Tensor::ones([1, 4, 60], &Device::flex()), None);
    let (free, length) = train(None, None);
    assert!(length > 0.5, "{length}");
    // single precision
    assert!(train(Some(0.25), None).1 < 0.25 + 1e-5);
    let seven = train(Some(7.0), None).0;
    assert_eq!(logits(&seven).into_data(), logits(&free).into_data(), "a bound that nothing reaches changes nothing");
    // RMSprop divides by the size of the gradient, so what is cut to almost nothing is a step of the same size by sign
    let cut = train(None, Some(1e-6)).0;
    assert_ne!(logits(&cut).into_data(), logits(&free).into_data());
}
