//! The patches of a step: cut when the step begins, or by a loader on threads of its own while the network is at the
//! steps before. Each patch is a function of seed, epoch and row, so that both give the same.

use std::cell::RefCell;
use std::sync::Arc;

use nn_core::data::Sampler;
use nn_core::train::{StepContext, StepError};
use rayon::prelude::*;

use super::data::Prepared;
use crate::augment::{AugmentConfig, Draw, patch};
use crate::loader::{LoadError, Loader, LoaderConfig};
use crate::sampling::{Patch, PatchOrder, SamplingConfig};

/// What patches are cut from, and how.
#[derive(Debug)]
pub(super) struct Cutter {
    /// The training part.
    pub(super) learnt: Prepared,
    /// Which case a row is of.
    pub(super) order: PatchOrder,
    /// The shape of patches.
    pub(super) sampling: SamplingConfig,
    /// How they are varied.
    pub(super) augment: AugmentConfig,
}

/// A patch that a step asks for.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    row: usize,
    /// Its place in the batch, and how many the batch has.
    position: usize,
    batch: usize,
}

impl Cutter {
    /// Cuts one patch.
    fn cut(&self, wanted: Wanted, seed: u64, epoch: usize) -> Result<Patch, LoadError> {
        let place = self.order.case(wanted.row);
        let case = self
            .learnt
            .case(place)
            .map_err(|error| LoadError::Item { name: self.name(wanted), cause: Box::new(error) })?;
        let forced = self.sampling.forced(wanted.position, wanted.batch);
        let draw = Draw::new(seed, epoch, wanted.row);
        Ok(patch(&case, Some(self.learnt.foreground(place)), forced, &self.sampling, &self.augment, draw))
    }

    fn name(&self, wanted: Wanted) -> String {
        format!("case {}", self.learnt.id(self.order.case(wanted.row)))
    }
}

/// The rows of a batch with their places in it.
fn wanted(rows: &[usize]) -> impl Iterator<Item = Wanted> {
    let batch = rows.len();
    rows.iter().enumerate().map(move |(position, &row)| Wanted { row, position, batch })
}

/// The loader of an epoch.
struct Ahead {
    epoch: usize,
    /// The step whose patches come next.
    step: u64,
    loader: Loader<Patch>,
}

/// Gives the patches of steps out.
pub(super) struct Feed {
    cutter: Arc<Cutter>,
    /// Knows the steps that are to come.
    sampler: Box<dyn Sampler>,
    /// How far ahead patches are cut; not at all without one.
    config: Option<LoaderConfig>,
    ahead: RefCell<Option<Ahead>>,
}

impl Feed {
    /// A feed of the steps that `sampler` makes.
    pub(super) fn new(cutter: Cutter, sampler: Box<dyn Sampler>, config: Option<LoaderConfig>) -> Self {
        Self { cutter: Arc::new(cutter), sampler, config, ahead: RefCell::new(None) }
    }

    /// The patches of a step.
    ///
    /// # Errors
    /// [`StepError`] with the case that cannot be had.
    pub(super) fn patches(&self, rows: &[usize], context: &StepContext) -> Result<Vec<Patch>, StepError> {
        let found: Result<Vec<Patch>, LoadError> = match &self.config {
            None => {
                let (cutter, all) = (&self.cutter, wanted(rows).collect::<Vec<Wanted>>());
                all.into_par_iter().map(|wanted| cutter.cut(wanted, context.seed, context.epoch)).collect()
            }
            Some(config) => self.taken(config, rows.len(), context),
        };
        let found = found.map_err(StepError::other)?;
        if found.len() == rows.len() {
            return Ok(found);
        }
        Err(StepError::other(format!("{} patches were cut ahead for a step of {}", found.len(), rows.len())))
    }

    /// The next patches of the loader, which begins anew where the step is not the one that it is at: in a new epoch, or
    /// where a run goes on.
    fn taken(&self, config: &LoaderConfig, count: usize, context: &StepContext) -> Result<Vec<Patch>, LoadError> {
        let mut slot = self.ahead.borrow_mut();
        // A loader that is not gone on with is dropped here, before the next one starts its threads.
        let at = slot.take().filter(|ahead| ahead.epoch == context.epoch && ahead.step == context.step);
        let mut ahead = match at {
            Some(ahead) => ahead,
            None => self.begun(config, context)?,
        };
        let patches = ahead.loader.by_ref().take(count).collect::<Result<Vec<Patch>, LoadError>>()?;
        ahead.step += 1;
        *slot = Some(ahead);
        Ok(patches)
    }

    /// A loader of the patches of this step and of those behind it in the epoch.
    fn begun(&self, config: &LoaderConfig, context: &StepContext) -> Result<Ahead, LoadError> {
        let (seed, epoch) = (context.seed, context.epoch);
        let batches = self.sampler.batches(seed, epoch);
        let items: Vec<Wanted> = batches.iter().skip(context.step as usize).flat_map(|rows| wanted(rows)).collect();
        let (named, cutter) = (Arc::clone(&self.cutter), Arc::clone(&self.cutter));
        let loader = Loader::new(
            items,
            config,
            move |item: &Wanted| named.name(*item),
            move |item: &Wanted| cutter.cut(*item, seed, epoch).map_err(cause),
        )?;
        Ok(Ahead { epoch, step: context.step, loader })
    }
}

/// What is wrong with an item, without its name, which the loader adds.
fn cause(error: LoadError) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        LoadError::Item { cause, .. } => cause,
        error => Box::new(error),
    }
}
