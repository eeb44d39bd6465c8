//! Training in phases, where the authors of a system train parts of the network, or on other rows, before the whole.

use nn_core::train::{Event, Observer};

/// A phase in front of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// Its name, which is that of the folder of its checkpoints as well.
    pub name: &'static str,
    /// Whether rows of either label come equally often.
    pub balanced: bool,
}

/// The phases of a system. Each has the recipe of the study, and in the last one all rows of the training part come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    /// Those in front of the last one, in their order.
    pub first: &'static [Phase],
    /// Parts of the network, by the beginning of their paths, that stay as they are in the last one.
    pub frozen: &'static [&'static str],
}

/// Tells of a phase from its first step on: one that ended in an earlier part of a run has none, and is not told of.
pub(super) struct FromFirstStep<'a> {
    observer: &'a mut dyn Observer,
    started: Option<Event>,
    told: bool,
}

impl<'a> FromFirstStep<'a> {
    pub(super) fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, started: None, told: false }
    }
}

impl Observer for FromFirstStep<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { .. } => self.started = Some(event.clone()),
            Event::Step { .. } | Event::Damaged { .. } | Event::Failed { .. } => {
                if let Some(started) = self.started.take() {
                    self.observer.event(&started);
                }
                self.told = true;
                self.observer.event(event);
            }
            _ if self.told => self.observer.event(event),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use nn_core::train::StopReason;

    use super::*;

    #[derive(Default)]
    struct Told(Vec<&'static str>);

    impl Observer for Told {
        fn event(&mut self, event: &Event) {
            self.0.push(match event {
                Event::Started { .. } => "started",
                Event::Step { .. } => "step",
                Event::Stopped { .. } => "stopped",
                _ => "other",
            });
        }
    }

    #[test]
    fn a_phase_without_steps_is_not_told_of() {
        let started = Event::Started { epochs: 3, epoch: 3, step: 0, resumed: true };
        let stopped = Event::Stopped { reason: StopReason::Finished };
        let step = Event::Step {
            epoch: 0,
            step: 0,
            steps_in_epoch: 1,
            total_steps: 1,
            rows: 4,
            loss: 0.5,
            grad_norm: None,
            learning_rate: 0.1,
        };
        let told = |events: &[&Event]| {
            let mut told = Told::default();
            let mut phase = FromFirstStep::new(&mut told);
            events.iter().for_each(|event| phase.event(event));
            told.0
        };
        assert!(told(&[&started, &stopped]).is_empty());
        assert_eq!(told(&[&started, &step, &step, &stopped]), ["started", "step", "step", "stopped"]);
    }
}
