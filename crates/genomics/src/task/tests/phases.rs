//! Training in phases ends in the same bits wherever it was stopped, and only systems with phases have them.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use nn_core::store;
use nn_core::train::{Checkpoints, Event, Observer, StopReason};

use super::planted::{genes, quick, sites, small_xpresso};
use crate::systems::deep_cpg::{DeepCpgConfig, DeepCpgTask};
use crate::systems::xpresso::XpressoTask;
use crate::task::{Task, TaskConfig, TaskStudy};

/// Raises the flag after so many steps of whatever phase.
struct StopAfter<'a> {
    steps: usize,
    stop: &'a AtomicBool,
}

impl Observer for StopAfter<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::Step { .. } = event {
            self.steps = self.steps.saturating_sub(1);
            self.stop.store(self.steps == 0, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_phase_that_was_stopped_ends_in_the_same_bits() {
    let (genome, table) = sites();
    let config = DeepCpgConfig {
        cells: 2,
        window: 31,
        filters: [4, 4],
        kernels: [5, 3],
        pools: [4, 2],
        hidden: 4,
        neighbours: 2,
        per_cell: 4,
        recurrent: 2,
        joint: vec![4],
        ..DeepCpgConfig::default()
    };
    let task = DeepCpgTask::new(&table, Some(&genome), config).unwrap();
    let study =
        TaskStudy::new(&task, "planted", None, TaskConfig { phases: true, ..quick(task.network(), 64, 2) }).unwrap();
    // two epochs of each of three phases
    let steps = 2 * study.plan().split(0).train.len().div_ceil(64);
    assert!(steps >= 6, "{steps} steps");
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, resume: bool, limit: usize| {
        let (checkpoints, stop) = (Checkpoints::new(folder.path().join(name)), AtomicBool::new(false));
        let mut observer = StopAfter { steps: limit, stop: &stop };
        let (model, outcome) =
            study.train(0, &Device::flex(), (Some(&checkpoints), resume), &mut observer, &stop).unwrap();
        (store::to_safetensors(&model.network, &model.card.metadata()).unwrap(), outcome.stopped)
    };
    let (whole, stopped) = run("whole", false, usize::MAX);
    assert_eq!(stopped, StopReason::Finished);
    for phase in 0..3 {
        let name = format!("stopped in phase {phase}");
        assert_eq!(run(&name, false, phase * steps + 3).1, StopReason::Interrupted, "{name}");
        let (again, stopped) = run(&name, true, usize::MAX);
        assert!(again == whole && stopped == StopReason::Finished, "{name}: the bytes differ");
    }
}

#[test]
fn a_system_without_phases_has_none() {
    let (genome, table) = genes();
    let task = XpressoTask::new(&table, &genome, small_xpresso()).unwrap();
    let config = TaskConfig { phases: true, ..quick(task.network(), 24, 1) };
    let error = TaskStudy::new(&task, "planted", None, config).unwrap_err().to_string();
    assert!(error.starts_with("xpresso is trained in one go"), "{error}");
}
