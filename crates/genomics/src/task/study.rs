//! A study of a task: one division of its rows, several models and the baselines.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use nn_core::data::{Shuffled, rng};
use nn_core::train::{Checkpoints, Observer, Outcome, fit};

use super::plan::plan;
use super::{ARCHITECTURE, Fitted, Task, TaskCard, TaskConfig, TaskError, TaskModel, TaskObjective};
use crate::baselines::Baseline;
use crate::model::Origin;
use crate::split::SplitKind;
use crate::study::{Drawn, FEWEST_CONTIGS, Plan, monitor};

/// A task with its split, ready to train on.
#[derive(Debug)]
pub struct TaskStudy<'a, T> {
    task: &'a T,
    dataset: String,
    config: TaskConfig,
    plan: Plan,
}

impl<'a, T: Task> TaskStudy<'a, T> {
    /// A study of `task` on data that are called `dataset`. `upstream` are the rows of the test part that the data came
    /// with. The network of the configuration becomes that of the task, whose sizes are those of the data.
    ///
    /// # Errors
    /// [`TaskError`] for settings out of range, or rows that cannot be divided as asked.
    pub fn new(task: &'a T, dataset: &str, upstream: Option<&[usize]>, config: TaskConfig) -> Result<Self, TaskError> {
        let config = TaskConfig { network: task.network(), ..config };
        config.validate()?;
        task.rows().check()?;
        let plan = plan(task, upstream, &config)?;
        Ok(Self { task, dataset: dataset.to_owned(), config, plan })
    }

    /// The task.
    pub fn task(&self) -> &'a T {
        self.task
    }

    /// The configuration.
    pub fn config(&self) -> &TaskConfig {
        &self.config
    }

    /// How the rows are divided.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Seed of model `i`: the first has the study's.
    pub fn seed(&self, i: usize) -> u64 {
        self.config.seed + i as u64
    }

    /// Trains model `i`: what is fitted before the network is fitted to its training part.
    ///
    /// # Errors
    /// [`TaskError`]; see [`fit`] for what of a failed run is kept.
    pub fn train(
        &self,
        i: usize,
        device: &Device,
        (checkpoints, resume): (Option<&Checkpoints>, bool),
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(TaskModel<T::Net>, Outcome), TaskError> {
        let (config, seed, split) = (&self.config, self.seed(i), self.plan.split(i));
        let device = device.clone().autodiff();
        let fitted = Fitted { prepare: config.prepare.clone(), ..self.task.fit(&split.train, seed)? };
        let network = self.task.init(&fitted, &device, &mut rng(seed, &[0]))?;
        let card = TaskCard {
            network: self.task.network(),
            fitted: fitted.clone(),
            predicts: self.task.rows().predicts.clone(),
            origin: self.origin(i),
        };
        let objective = TaskObjective::new(self.task, fitted, split.validation.clone(), &device);
        let clip = (config.clip_norm > 0.0).then_some(config.clip_norm);
        let mut learner = config
            .recipe
            .learner(objective, network, ARCHITECTURE)?
            .with_clip_norm(clip)
            .with_metadata(card.metadata());
        let settings = config.recipe.fit_config(monitor(&config.monitor), seed);
        let sampler = Shuffled::new(split.train.clone(), config.recipe.batch_size);
        let outcome = fit(&mut learner, &sampler, &settings, checkpoints, resume, observer, stop)?;
        Ok((TaskModel { network: learner.into_model()?, card }, outcome))
    }

    fn origin(&self, i: usize) -> Origin {
        let learnt = self.plan.split(i).train.iter().filter_map(|&row| self.task.rows().loci[row].as_ref());
        let contigs: BTreeSet<&str> = learnt.map(|locus| locus.contig.as_ref()).collect();
        Origin {
            dataset: self.dataset.clone(),
            split: self.plan.kind().name().to_owned(),
            seed: self.seed(i),
            contigs: contigs.into_iter().map(str::to_owned).collect(),
        }
    }

    /// What the networks have to beat on the test part of model `i`, learnt from all other rows: simple predictors
    /// choose nothing on the validation part.
    ///
    /// # Errors
    /// [`TaskError`].
    pub fn baselines(&self, i: usize) -> Result<Vec<Baseline>, TaskError> {
        let split = self.plan.split(i);
        let mut learnt: Vec<usize> = split.train.iter().chain(&split.validation).copied().collect();
        learnt.sort_unstable();
        self.task.baselines(&learnt, &split.test)
    }

    /// What a bootstrap of `rows` draws whole, and the number of the group of each row.
    pub fn bootstrap_groups(&self, rows: &[usize]) -> (Drawn, Vec<u64>) {
        let groups: Vec<u64> = rows.iter().map(|&row| self.plan.groups()[row]).collect();
        if self.plan.kind() != SplitKind::Chromosome {
            return (Drawn::Groups, groups);
        }
        if groups.iter().collect::<BTreeSet<_>>().len() >= FEWEST_CONTIGS {
            return (Drawn::Contigs, groups);
        }
        (Drawn::Rows, rows.iter().map(|&row| row as u64).collect())
    }
}
