//! A study of a task: one division of its rows, several models and the baselines.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use burn::module::Module;
use burn::tensor::Device;
use nn_core::config::ConfigError;
use nn_core::data::{Balanced, Sampler, Shuffled, rng};
use nn_core::store;
use nn_core::train::{Checkpoints, Learner, Objective, Observer, Outcome, StepError, StopReason, Supervised, fit};

use super::phases::FromFirstStep;
use super::plan::plan;
use super::{ARCHITECTURE, Fitted, Task, TaskCard, TaskConfig, TaskError, TaskModel, TaskObjective};
use crate::baselines::Baseline;
use crate::model::Origin;
use crate::split::SplitKind;
use crate::study::{Drawn, FEWEST_CONTIGS, Plan, monitor};
use crate::systems::recipe::Recipe;

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
        if config.phases && task.phases().is_none() {
            let system = config.network.system();
            let problem = format!("{system} is trained in one go; leave out phases, which are DeepCpG's and SPEID's");
            return Err(ConfigError::Conflict(problem).into());
        }
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
        let solved = self.task.is_solved();
        let device = if solved { device.clone() } else { device.clone().autodiff() };
        let fitted = Fitted { prepare: config.prepare.clone(), ..self.task.fit(&split.train, seed)? };
        let mut network = self.task.init(&fitted, &device, &mut rng(seed, &[0]))?;
        let card = TaskCard {
            network: self.task.network(),
            // the weights are in the network
            fitted: Fitted { weights: Vec::new(), ..fitted.clone() },
            predicts: self.task.rows().predicts.clone(),
            origin: self.origin(i),
        };
        if solved {
            let objective = TaskObjective::new(self.task, fitted, split.validation.clone(), &device);
            let network = network.valid();
            let metrics = objective.validate(&network)?;
            return Ok((TaskModel { network, card }, found_at_once(metrics)));
        }
        let mut recipe = config.recipe.clone();
        let training = Training { study: self, i, fitted: &fitted, card: &card, device: &device, resume, stop };
        if let Some(phases) = self.task.phases().filter(|_| config.phases) {
            let mut trained = Vec::with_capacity(phases.first.len());
            for (place, phase) in phases.first.iter().enumerate() {
                let fresh = self.task.begin(phase, &fitted, &device, &mut rng(seed, &[1 + place as u64]))?;
                let folder = checkpoints.map(|all| Checkpoints::new(all.dir().join(phase.name)));
                let sampler = training.sampler(&recipe, phase.balanced);
                let mut told = FromFirstStep::new(&mut *observer);
                let (learner, outcome) = training.run(fresh, &recipe, &*sampler, folder.as_ref(), &mut told)?;
                if outcome.stopped == StopReason::Interrupted {
                    return Ok((TaskModel { network: learner.into_model()?, card }, outcome));
                }
                // As they would be read back, so that a run that is continued goes on from the same.
                let weights = learner.weights()?;
                let (network, _) =
                    store::from_safetensors(learner.model()?.clone(), &weights).map_err(StepError::from)?;
                trained.push(network);
            }
            network = self.task.joined(network, trained)?;
            recipe.rates.extend(phases.frozen.iter().map(|part| ((*part).to_owned(), 0.0)));
        }
        let sampler = training.sampler(&recipe, false);
        let (learner, outcome) = training.run(network, &recipe, &*sampler, checkpoints, observer)?;
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

/// What all phases of the training of a model have in common.
struct Training<'s, 'a, T> {
    study: &'s TaskStudy<'a, T>,
    i: usize,
    fitted: &'s Fitted,
    card: &'s TaskCard,
    device: &'s Device,
    resume: bool,
    stop: &'s AtomicBool,
}

impl<'a, T: Task> Training<'_, 'a, T> {
    /// All rows of the training part in an epoch, or those with a label so that each label comes equally often.
    fn sampler(&self, recipe: &Recipe, balanced: bool) -> Box<dyn Sampler> {
        let rows = &self.study.plan.split(self.i).train;
        if !balanced {
            return Box::new(Shuffled::new(rows.clone(), recipe.batch_size));
        }
        let (places, labels): (Vec<usize>, Vec<f64>) = self.study.task.rows().known(rows, 0).into_iter().unzip();
        let labels: Vec<u64> = labels.into_iter().map(|label| label as u64).collect();
        let rows = places.into_iter().map(|place| rows[place]).collect();
        Box::new(Balanced::new(rows, &labels, recipe.batch_size))
    }

    /// Trains `network` for one phase.
    fn run(
        &self,
        network: T::Net,
        recipe: &Recipe,
        sampler: &dyn Sampler,
        checkpoints: Option<&Checkpoints>,
        observer: &mut dyn Observer,
    ) -> Result<(Supervised<TaskObjective<'a, T>>, Outcome), TaskError> {
        let (config, validation) = (&self.study.config, self.study.plan.split(self.i).validation.clone());
        let objective = TaskObjective::new(self.study.task, self.fitted.clone(), validation, self.device);
        let clip = (config.clip_norm > 0.0).then_some(config.clip_norm);
        let mut learner =
            recipe.learner(objective, network, ARCHITECTURE)?.with_clip_norm(clip).with_metadata(self.card.metadata());
        let settings = recipe.fit_config(monitor(&config.monitor), self.study.seed(self.i));
        let outcome = fit(&mut learner, sampler, &settings, checkpoints, self.resume, observer, self.stop)?;
        Ok((learner, outcome))
    }
}

/// The outcome of a training without steps.
fn found_at_once(metrics: Vec<(String, f64)>) -> Outcome {
    Outcome {
        epochs_run: 0,
        total_steps: 0,
        best_epoch: None,
        best_metrics: metrics.clone(),
        last_metrics: metrics,
        stopped: StopReason::Finished,
    }
}
