//! What the loop does: stopping, restoring, refusing, telling.

use std::sync::atomic::AtomicBool;

use nn_core::data::Sampler;
use nn_core::optim::OptimizerConfig;
use nn_core::store;
use nn_core::train::{
    Checkpoints, Event, FitConfig, Learner, Monitor, Named, StopReason, Supervised, TRAIN_LOSS, TrainError, fit,
};

use super::scripted::{Notes, STEPS, Scripted, number, run};
use super::toy::{self, Rows, Trouble, learner, train_with, uninterrupted};

#[test]
fn patience_and_min_delta_are_those_of_keras() {
    // keras.callbacks.EarlyStopping(patience=2, min_delta=0.1, mode="min"): 0.95 is no improvement on 1.0, nor is 0.9
    // + 0.1.
    let scores = [1.0, 0.95, 0.85, 0.8, 0.76, 0.1];
    let config = FitConfig { patience: Some(2), min_delta: 0.1, ..FitConfig::new(6, 0.1, Monitor::lower("score")) };
    for folder in [None, Some(tempfile::tempdir().unwrap())] {
        let checkpoints = folder.as_ref().map(|folder| Checkpoints::new(folder.path()));
        let mut learner = Scripted::new(&scores);
        let outcome = run(&mut learner, &config, checkpoints.as_ref()).unwrap();
        assert_eq!(outcome.stopped, StopReason::NoImprovement);
        assert_eq!((outcome.epochs_run, outcome.best_epoch), (5, Some(2)));
        assert_eq!(outcome.best_metrics[1], ("score".to_string(), 0.85));
        assert_eq!(outcome.last_metrics[1], ("score".to_string(), 0.76));
        assert_eq!(outcome.total_steps, 5 * STEPS);
        assert_eq!(learner.steps, 3 * STEPS, "the weights of the best epoch come back");
        if let Some(checkpoints) = checkpoints {
            let (path, weights) = checkpoints.best_weights().unwrap().unwrap();
            assert!(path.ends_with("best/weights-0002.safetensors"), "{}", path.display());
            assert_eq!(number(&weights).unwrap(), 3 * STEPS);
            // Resuming what has ended changes nothing, and with more patience it goes on from the last epoch.
            let mut again = Scripted::new(&scores);
            assert_eq!(run(&mut again, &config, Some(&checkpoints)).unwrap(), outcome);
            assert_eq!(again.steps, 3 * STEPS);
            let patient = FitConfig { patience: Some(3), ..config.clone() };
            let longer = run(&mut again, &patient, Some(&checkpoints)).unwrap();
            assert_eq!((longer.epochs_run, longer.best_epoch, longer.stopped), (6, Some(5), StopReason::Finished));
            assert_eq!(again.steps, 6 * STEPS);
        }
    }
}

#[test]
fn the_last_weights_stay_if_asked_for_and_higher_can_be_better() {
    let mut learner = Scripted::new(&[0.5, 0.9, 0.7]);
    let config = FitConfig { restore_best: false, ..FitConfig::new(3, 0.1, Monitor::higher("score")) };
    let outcome = run(&mut learner, &config, None).unwrap();
    assert_eq!((outcome.best_epoch, outcome.stopped), (Some(1), StopReason::Finished));
    assert_eq!(learner.steps, 3 * STEPS);
}

#[test]
fn checkpoints_come_as_often_as_asked_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path());
    let config = FitConfig { checkpoint_every_epochs: 2, ..FitConfig::new(5, 0.1, Monitor::lower("score")) };
    let mut notes = Notes::default();
    let mut learner = Scripted::new(&[5.0, 4.0, 3.0, 2.0, 1.0]);
    fit(&mut learner, &Rows, &config, Some(&checkpoints), false, &mut notes, &AtomicBool::new(false)).unwrap();
    let written: Vec<usize> = notes
        .0
        .iter()
        .filter_map(|event| match event {
            Event::Checkpointed { epoch, .. } => Some(*epoch),
            _ => None,
        })
        .collect();
    assert_eq!(written, [1, 3, 4]);
    let files = std::fs::read_dir(folder.path().join("last")).unwrap().count();
    assert_eq!(files, 2 * 4, "two generations are kept");
    for copy in ["best", "best-copy"] {
        let files = std::fs::read_dir(folder.path().join(copy)).unwrap().count();
        assert_eq!(files, 2 * 3, "and the best epoch of each in {copy}");
    }
}

/// Nothing to learn from in some epoch, be it the first or a later one.
#[test]
fn an_epoch_without_steps_ends_the_run() {
    struct Dry(usize, Vec<Vec<usize>>);

    impl Sampler for Dry {
        fn batches(&self, _seed: u64, epoch: usize) -> Vec<Vec<usize>> {
            if epoch < self.0 { vec![vec![1], vec![2]] } else { self.1.clone() }
        }
    }

    let config = FitConfig::new(3, 0.1, Monitor::lower("score"));
    let stop = AtomicBool::new(false);
    for sampler in [Dry(0, Vec::new()), Dry(1, Vec::new()), Dry(1, vec![vec![1], Vec::new()])] {
        let mut learner = Scripted::new(&[1.0; 3]);
        let error = fit(&mut learner, &sampler, &config, None, false, &mut (), &stop).unwrap_err();
        assert!(matches!(error, TrainError::NoSteps { epoch } if epoch == sampler.0), "{error}");
        assert_eq!(learner.steps, 2 * sampler.0 as u64);
    }
}

#[test]
fn the_observer_hears_everything_in_order() {
    let mut notes = Notes::default();
    let config = FitConfig::new(2, 0.5, Monitor::lower(TRAIN_LOSS));
    let mut learner = Scripted::new(&[1.0, 2.0]);
    fit(&mut learner, &Rows, &config, None, false, &mut notes, &AtomicBool::new(false)).unwrap();
    let events = notes.0;
    assert_eq!(events.len(), 1 + 2 * (STEPS as usize + 2) + 1);
    assert_eq!(events[0], Event::Started { epochs: 2, epoch: 0, step: 0, resumed: false });
    let Event::Step { epoch: 1, step: 0, steps_in_epoch: 7, total_steps: 8, rows: 10, loss, .. } = &events[10] else {
        panic!("{:?}", events[10]);
    };
    assert!((loss - 8.0).abs() < 1e-12);
    // Losses 1 to 7 over six steps of 10 rows and one of 4: (10 · 21 + 4 · 7) / 64.
    let Event::EpochEnd { epoch: 0, train_loss, rows: 64, .. } = &events[8] else {
        panic!("{:?}", events[8]);
    };
    assert!((train_loss - 238.0 / 64.0).abs() < 1e-12);
    let Event::Validated { epoch: 1, improved: false, .. } = &events[18] else {
        panic!("{:?}", events[18]);
    };
    assert_eq!(events[19], Event::Stopped { reason: StopReason::Finished });
}

#[test]
fn a_loss_or_gradient_that_is_not_finite_ends_the_run_before_the_update() {
    let good = uninterrupted(1);
    for (trouble, what) in [(Trouble::Loss(13), "loss"), (Trouble::Gradient(13), "gradient")] {
        let folder = tempfile::tempdir().unwrap();
        let mut notes = Notes::default();
        let ended = train_with(learner(trouble, "toy"), Some(folder.path()), 3, &mut notes, &AtomicBool::new(false));
        let error = ended.outcome.unwrap_err();
        let text = error.to_string();
        let TrainError::NonFinite { what: found, epoch, step, rows, last_checkpoint } = error else {
            panic!("{text}");
        };
        assert_eq!((found.as_str(), epoch), (what, 1));
        // Of a loss the objective knows which row it lies on, of a gradient it does not.
        assert!(rows.contains(&"sample 13".to_string()), "{rows:?}");
        let named = if what == "loss" { 1..=1 } else { 2..=toy::BATCH };
        assert!(named.contains(&rows.len()), "{rows:?}");
        assert!(text.contains(&format!("rows {}; look at these rows", rows.join(", "))), "{text}");
        assert_eq!(last_checkpoint, Some(folder.path().join("last/manifest-0001.json")));
        assert!(text.contains("epoch 2") && text.contains("manifest-0001.json"), "{text}");
        assert_eq!(notes.0.last(), Some(&Event::Failed { message: text }));
        let steps = notes.0.iter().filter(|event| matches!(event, Event::Step { .. })).count();
        assert_eq!(steps, 7 + step);
        // The checkpoint is that of the good epoch, and the weights are finite still.
        let snapshot = Checkpoints::new(folder.path()).latest().unwrap().unwrap();
        assert!(snapshot.weights == good.weights);
        let model = toy::Net::new(&burn::tensor::Device::flex());
        let (model, _) = store::from_safetensors(model, &ended.weights).unwrap();
        let again = store::to_safetensors(&model, &store::Metadata::new()).unwrap();
        let values = again[again.len() - 4 * 1000..].chunks(4);
        assert!(values.into_iter().all(|value| f32::from_le_bytes(value.try_into().unwrap()).is_finite()));
    }
}

#[test]
fn rows_have_the_names_that_they_are_given() {
    assert_eq!(Scripted::new(&[]).name_of(5), "5");
    let (objective, net) = toy::regression(Trouble::Loss(13));
    let named = Named::new(objective, |row| format!("mouse {row}"));
    let mut learner = Supervised::new(named, net, OptimizerConfig::adam().init(), "toy");
    let error = run(&mut learner, &toy::config(3), None).unwrap_err().to_string();
    assert!(error.contains(", rows mouse 13; look at these rows, "), "{error}");
}

#[test]
fn a_metric_that_is_not_finite_or_not_there_ends_the_run() {
    let config = FitConfig::new(2, 0.1, Monitor::lower("score"));
    let error = run(&mut Scripted::new(&[1.0, f64::NAN]), &config, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the validation metric score is not finite in epoch 2, step 7; lower the learning rate or clip the gradient; \
         there is no checkpoint yet"
    );
    let config = FitConfig::new(2, 0.1, Monitor::lower("rmse"));
    let error = run(&mut Scripted::new(&[1.0]), &config, None).unwrap_err();
    assert_eq!(error.to_string(), "monitor.metric = \"rmse\" is not measured; use one of: other, score, train_loss");
}

#[test]
fn what_does_not_belong_to_the_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::new(folder.path());
    let stop = AtomicBool::new(false);
    train_with(learner(Trouble::Never, "toy"), Some(folder.path()), 1, &mut (), &stop).outcome.unwrap();

    let config = toy::config(2);
    let mut toy_learner = learner(Trouble::Never, "toy");
    let error = fit(&mut toy_learner, &Rows, &config, Some(&checkpoints), false, &mut (), &stop).unwrap_err();
    assert!(matches!(error, TrainError::Exists { .. }), "{error}");
    let error = fit(&mut toy_learner, &Rows, &config, None, true, &mut (), &stop).unwrap_err();
    assert!(matches!(error, TrainError::NoFolder), "{error}");

    let other_seed = FitConfig { seed: 12, ..config.clone() };
    let error = run(&mut toy_learner, &other_seed, Some(&checkpoints)).unwrap_err().to_string();
    assert!(error.contains("was written with seed = 11, this run has 12"), "{error}");

    let error = run(&mut learner(Trouble::Never, "other"), &config, Some(&checkpoints)).unwrap_err().to_string();
    assert!(error.contains("the weights are of toy, the model is other"), "{error}");

    let error = run(&mut Scripted::new(&[1.0; 2]), &config, Some(&checkpoints)).unwrap_err();
    assert!(matches!(error, TrainError::Foreign { .. }), "{error}");
}

#[test]
fn a_finished_run_can_be_made_longer_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    toy::train(Some(folder.path()), 2, &mut (), &stop).outcome.unwrap();
    let mut notes = Notes::default();
    let longer = toy::train(Some(folder.path()), 4, &mut notes, &stop);
    assert_eq!(notes.0[0], Event::Started { epochs: 4, epoch: 2, step: 0, resumed: true });
    longer.assert_equals(&uninterrupted(4));
}

#[test]
fn the_toy_learns() {
    // Guards the other tests against comparing runs in which nothing happens.
    let metrics = uninterrupted(4).outcome.unwrap().last_metrics;
    let first = uninterrupted(1).outcome.unwrap().last_metrics;
    assert!(metrics[0].1 < first[0].1, "{first:?} {metrics:?}");
}
