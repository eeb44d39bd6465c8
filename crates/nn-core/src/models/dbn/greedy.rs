//! Layer after layer: each machine learns on the features of the one below (Hinton, Osindero & Teh 2006, section 4).

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Tensor;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Dbn, DbnConfig, DbnError};
use crate::config::{ConfigError, in_range};
use crate::data::{Shuffled, rng};
use crate::models::rbm::{Rbm, RbmConfig, RbmError, RbmLearner, RbmLearning};
use crate::train::{Checkpoints, FitConfig, Monitor, Observer, StopReason, TRAIN_LOSS, fit};

/// Stream of a machine's starting weights and of its run's seed.
const MACHINE: u64 = 0x4442_4e00;

/// How the machines are learnt; 30 epochs each with batches of 100 rows are those of section 6.1 of the paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GreedyConfig {
    /// Epochs of each machine, 1 or more.
    pub epochs: usize,
    /// Rows of a batch, 1 to 1,000,000.
    pub batch_size: usize,
    /// Learning rate of the machines whose visible units are hidden units of another, 1e-9 to 1.
    pub learning_rate: f64,
    /// Learning rate of the machines on the data; that of
    /// [`VisibleUnits::learning_rate`](crate::models::rbm::VisibleUnits::learning_rate) if absent.
    pub first_learning_rate: Option<f64>,
    /// The rest of their learning.
    pub learning: RbmLearning,
    /// Seed of weights, order and noise.
    pub seed: u64,
}

impl Default for GreedyConfig {
    fn default() -> Self {
        Self {
            epochs: 30,
            batch_size: 100,
            learning_rate: 0.1,
            first_learning_rate: None,
            learning: RbmLearning::default(),
            seed: 0,
        }
    }
}

impl GreedyConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("epochs", self.epochs, 1..=1_000_000)?;
        in_range("batch_size", self.batch_size, 1..=1_000_000)?;
        in_range("learning_rate", self.learning_rate, 1e-9..=1.0)?;
        if let Some(rate) = self.first_learning_rate {
            in_range("first_learning_rate", rate, 1e-9..=1.0)?;
        }
        self.learning.validate()
    }
}

/// Where a run over several machines keeps its checkpoints, whom it tells, and what stops it.
pub struct Session<'a> {
    /// Folder of the checkpoints, one folder in it for each machine. A run that finds some in it goes on from there;
    /// without a folder nothing is written.
    pub folder: Option<&'a Path>,
    /// Told what happens in the run of each machine in turn.
    pub observer: &'a mut dyn Observer,
    /// Ends the run when raised.
    pub stop: &'a AtomicBool,
}

/// One machine among several.
pub(super) struct Place {
    /// Its folder in the session's.
    pub(super) name: String,
    /// What sets its random numbers apart from those of the others.
    pub(super) stream: [u64; 2],
    /// Whether it sees hidden units rather than data.
    pub(super) inner: bool,
}

/// Learns one machine on `data`.
///
/// # Shapes
/// - data, validation: `[rows, visible]`
pub(super) fn learn(
    config: &RbmConfig,
    greedy: &GreedyConfig,
    place: Place,
    data: &Tensor<2>,
    validation: &Tensor<2>,
    session: &mut Session<'_>,
) -> Result<Rbm, DbnError> {
    let [modality, layer] = place.stream;
    let mut random = rng(greedy.seed, &[MACHINE, modality, layer]);
    let machine = config.init(&data.device().inner(), &mut random)?.with_visible_bias_of(data.clone())?;
    let mut learner = RbmLearner::new(machine, data.clone(), validation.clone(), greedy.learning.clone())?;
    let rate = match greedy.first_learning_rate {
        _ if place.inner => greedy.learning_rate,
        Some(rate) => rate,
        None => config.units.learning_rate(),
    };
    let run = FitConfig {
        seed: random.random(),
        restore_best: false,
        ..FitConfig::new(greedy.epochs, rate, Monitor::lower(TRAIN_LOSS))
    };
    let [rows, _] = data.dims();
    let sampler = Shuffled::new((0..rows).collect(), greedy.batch_size);
    let checkpoints = session.folder.map(|folder| Checkpoints::new(folder.join(&place.name)));
    let resume = checkpoints.is_some();
    let outcome = fit(&mut learner, &sampler, &run, checkpoints.as_ref(), resume, &mut *session.observer, session.stop);
    match outcome {
        Err(error) => Err(DbnError::Train { machine: place.name, error: Box::new(error) }),
        Ok(outcome) if outcome.stopped == StopReason::Interrupted => Err(DbnError::Interrupted { machine: place.name }),
        Ok(_) => Ok(learner.into_rbm()),
    }
}

/// `of(matrix)`, or for a matrix without rows another one of `columns` columns.
pub(super) fn of_rows(matrix: Tensor<2>, columns: usize, of: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
    let [rows, _] = matrix.dims();
    if rows == 0 { Tensor::zeros([0, columns], &matrix.device()) } else { of(matrix) }
}

/// Learns the machines of a network from the bottom. `prefix` is put in front of their names.
pub(super) fn machines(
    config: &DbnConfig,
    greedy: &GreedyConfig,
    (prefix, modality): (&str, u64),
    [data, validation]: [&Tensor<2>; 2],
    session: &mut Session<'_>,
) -> Result<Vec<Rbm>, DbnError> {
    config.validate()?;
    greedy.validate()?;
    for (what, matrix) in [("data", data), ("validation data", validation)] {
        let ([_, found], expected) = (matrix.dims(), config.visible);
        if found != expected {
            return Err(RbmError::Columns { what, found, expected }.into());
        }
    }
    let (mut data, mut validation) = (data.clone().inner(), validation.clone().inner());
    let mut machines = Vec::with_capacity(config.layers.len());
    for (layer, machine) in config.machines().iter().enumerate() {
        let place =
            Place { name: format!("{prefix}layer-{layer}"), stream: [modality, layer as u64], inner: layer > 0 };
        let machine = learn(machine, greedy, place, &data, &validation, session)?;
        let hidden = config.layers[layer];
        data = machine.transform(data);
        validation = of_rows(validation, hidden, |rows| machine.transform(rows));
        machines.push(machine);
    }
    Ok(machines)
}

/// Learns a network layer by layer, on the probabilities of the hidden units of the layer below as data. The result is
/// on the device of `data`, without autodiff; `validation` is only measured and may have no rows.
///
/// # Shapes
/// - data, validation: `[rows, visible]`
///
/// # Errors
/// [`DbnError`].
pub fn pretrain(
    config: &DbnConfig,
    greedy: &GreedyConfig,
    data: &Tensor<2>,
    validation: &Tensor<2>,
    session: &mut Session<'_>,
) -> Result<Dbn, DbnError> {
    let machines = machines(config, greedy, ("", 0), [data, validation], session)?;
    Ok(Dbn::new(config, machines)?)
}
