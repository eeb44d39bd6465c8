//! Everything that decides the result of a study, besides the data.

use nn_core::config::{ConfigError, in_range};
use nn_core::optim::{Optimizer, OptimizerConfig};
use serde::{Deserialize, Serialize};

use super::batches::enough;
use super::division::{Division, MODELS};
use super::loss::SegmentLoss;
use crate::augment::AugmentConfig;
use crate::inference::WindowConfig;
use crate::intensity::{Fitted, Normalise};
use crate::plan::{Plan, PlanConfig};
use crate::sampling::{Fill, SamplingConfig};
use crate::systems::SegmentConfig;

/// The rule of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Kingma and Ba 2015, with the constants of the paper.
    #[default]
    Adam,
    /// With weight decay apart from the gradient (Loshchilov and Hutter 2019).
    Adamw,
    /// Gradient descent with momentum 0.9.
    Sgd,
    /// Gradient descent with Nesterov's momentum of 0.99 (Isensee et al. 2021, methods).
    Nesterov,
}

impl OptimizerKind {
    /// The rule with its constants.
    pub fn config(self, weight_decay: f64) -> OptimizerConfig {
        let rule = match self {
            Self::Adam => OptimizerConfig::adam(),
            Self::Adamw => OptimizerConfig::adamw(),
            Self::Sgd => OptimizerConfig::sgd_momentum(0.9),
            Self::Nesterov => {
                OptimizerConfig::Sgd { momentum: 0.99, dampening: 0.0, nesterov: true, weight_decay: 0.0 }
            }
        };
        rule.with_weight_decay(weight_decay)
    }
}

/// How the weights are found: what a study of segmentations and one of pictures have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearningConfig {
    /// Patches, or pictures, of a step; 0 for as many as the plan has.
    pub batch_size: usize,
    /// Step size in the first epoch.
    pub rate: f64,
    /// Power of the fall of the step size to zero over the epochs; 0 for none.
    pub decay: f64,
    /// The rule of the steps.
    pub optimizer: OptimizerKind,
    /// Penalty on the squares of the weights.
    pub weight_decay: f64,
    /// Longest gradient, by its norm; 0 for no limit.
    pub clip_norm: f64,
    /// Whether the weights of the best epoch on the validation part are kept, or those of the last one.
    pub keep_best: bool,
}

impl Default for LearningConfig {
    /// Isensee et al. 2021: power 0.9, gradients of norm 12 at most, the last epoch; Adam at 1e-3 in the place of their
    /// gradient descent, because it needs a tenth of their 250,000 steps.
    fn default() -> Self {
        Self {
            batch_size: 0,
            rate: 1e-3,
            decay: 0.9,
            optimizer: OptimizerKind::Adam,
            weight_decay: 0.0,
            clip_norm: 12.0,
            keep_best: false,
        }
    }
}

impl LearningConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("learning.batch_size", self.batch_size, 0..=1 << 16)?;
        in_range("learning.rate", self.rate, 1e-9..=10.0)?;
        in_range("learning.decay", self.decay, 0.0..=10.0)?;
        in_range("learning.weight_decay", self.weight_decay, 0.0..=10.0)?;
        in_range("learning.clip_norm", self.clip_norm, 0.0..=1e9)?;
        self.optimizer.config(self.weight_decay).validate()
    }

    /// The rule of the steps.
    pub fn optimizer(&self) -> Optimizer {
        self.optimizer.config(self.weight_decay).init()
    }

    /// The longest gradient, where there is a limit.
    pub fn clip(&self) -> Option<f64> {
        (self.clip_norm > 0.0).then_some(self.clip_norm)
    }
}

/// A study of segmentations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentStudyConfig {
    /// How cases are divided.
    pub division: Division,
    /// Models to train, each with another seed.
    pub models: usize,
    /// Epochs.
    pub epochs: usize,
    /// Patches of an epoch; 0 for one of each training case.
    pub patches: usize,
    /// Share of the patches that are around a labelled voxel (Isensee et al. 2021 take a third).
    pub foreground: f64,
    /// Slices on either side of each slice that the network sees as further channels (2.5-D, after Roth et al. 2014); for
    /// networks of slices.
    pub context: usize,
    /// Whether cases are cut to the box of what is above 0 before anything else, as nnU-Net does; for images whose
    /// surroundings were set to 0.
    pub crop_to_foreground: bool,
    /// What a plan is made with, where none is given.
    pub planning: PlanConfig,
    /// Whether a `unet` takes its levels, widths, strides and kernels from the plan.
    pub sized_by_plan: bool,
    /// Where the axes of the input grow to, as `RAS`; empty to take them as they come.
    pub orientation: String,
    /// Spacing that cases are resampled to, in mm along i, j, k, 0 for as it comes; by default that of the plan, and
    /// slices keep their distance where the network sees each by itself.
    pub spacing: Option<[f64; 3]>,
    /// Voxels of a patch along i, j, k; by default those of the plan.
    pub patch: Option<[usize; 3]>,
    /// How intensities become numbers near zero: one for each channel, or one for all; by default as the plan has it.
    pub normalise: Vec<Normalise>,
    /// How the weights are found.
    pub learning: LearningConfig,
    /// What is minimised.
    pub loss: SegmentLoss,
    /// How patches are varied; where nothing is set, as the shape of the patch asks for.
    pub augment: AugmentConfig,
    /// Cases of the validation part that are segmented after each epoch; 0 for all.
    pub monitored: usize,
    /// Share of a window that the next one covers again.
    pub overlap: f64,
    /// Axes (0 to 2 for i, j, k) that predictions are also mirrored along.
    pub mirror: Vec<usize>,
    /// Whether the largest connected part of each label alone is kept.
    pub largest: bool,
    /// Label whose connected parts are also compared as a division of each slice, such as cells; 0 for none.
    pub partition: u8,
    /// Seed of split, initial weights, order, patches and augmentation; a TOML integer.
    pub seed: u64,
    /// The network; its channels and classes are those of the data.
    pub network: SegmentConfig,
}

impl Default for SegmentStudyConfig {
    fn default() -> Self {
        Self {
            division: Division::default(),
            models: 1,
            epochs: 40,
            patches: 0,
            foreground: 1.0 / 3.0,
            context: 0,
            crop_to_foreground: false,
            planning: PlanConfig::default(),
            sized_by_plan: true,
            orientation: "RAS".to_owned(),
            spacing: None,
            patch: None,
            normalise: Vec::new(),
            learning: LearningConfig::default(),
            loss: SegmentLoss::default(),
            augment: AugmentConfig::default(),
            monitored: 0,
            overlap: 0.5,
            mirror: Vec::new(),
            largest: false,
            partition: 0,
            seed: 1,
            network: SegmentConfig::default(),
        }
    }
}

/// The range of seeds: TOML has no larger integers, and each model needs its own.
pub(super) fn seed_in_range(seed: u64) -> Result<(), ConfigError> {
    in_range("seed", seed, 0..=i64::MAX as u64 - MODELS as u64)
}

impl SegmentStudyConfig {
    /// Checks what can be checked without the data.
    ///
    /// # Errors
    /// [`ConfigError`] with the field, its value and what is allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.division.validate(self.models)?;
        in_range("epochs", self.epochs, 1..=100_000)?;
        in_range("patches", self.patches, 0..=10_000_000)?;
        in_range("foreground", self.foreground, 0.0..=1.0)?;
        in_range("context", self.context, 0..=CONTEXT)?;
        in_range("overlap", self.overlap, 0.0..=0.9)?;
        for &spacing in self.spacing.iter().flatten() {
            in_range("spacing", spacing, 0.0..=1e4)?;
        }
        for &axis in &self.mirror {
            in_range("mirror", axis, 0..=2)?;
        }
        self.planning.validate()?;
        self.normalise.iter().try_for_each(Normalise::validate)?;
        self.learning.validate()?;
        self.loss.validate()?;
        self.augment.validate()?;
        seed_in_range(self.seed)?;
        self.network.validate()?;
        let planned = self.sized_by_plan && matches!(self.network, SegmentConfig::Unet(_));
        if self.context > 0 && !planned && self.network.dims() != 2 {
            return Err(ConfigError::Conflict(format!(
                "context = {} gives a slice its neighbours, but {} sees blocks; set planning.dims (or network.dims) to 2, \
                 or context to 0",
                self.context,
                self.network.name()
            )));
        }
        let Some(patch) = self.patch else { return Ok(()) };
        let margin = self.network.margin();
        for axis in 0..3 {
            in_range("patch", patch[axis], 2 * margin[axis] + 1..=4096)?;
        }
        let nearest = self.network.input_for(std::array::from_fn(|axis| patch[axis] - 2 * margin[axis]));
        if nearest != patch || (self.network.dims() == 2 && patch[2] != 1) {
            let nearest = [nearest[0], nearest[1], if self.network.dims() == 2 { 1 } else { nearest[2] }];
            return Err(ConfigError::Conflict(format!(
                "patch = {patch:?} is no input of the network along i, j, k; the next one is {nearest:?}"
            )));
        }
        Ok(())
    }

    /// The same with what was left open taken from `plan`, and the network's channels and classes from the data.
    ///
    /// # Errors
    /// [`ConfigError`] where the two do not fit together.
    pub fn resolved(mut self, plan: &Plan, channels: usize, classes: usize) -> Result<Self, ConfigError> {
        if classes < 2 {
            let text = "no case has a label but the background, so there is nothing to learn; give label maps in which \
                        something is marked";
            return Err(ConfigError::Conflict(text.to_owned()));
        }
        if let (SegmentConfig::Unet(network), true) = (&mut self.network, self.sized_by_plan) {
            network.dims = plan.dims;
            network.levels = plan.levels();
            network.base = plan.base;
            network.widest = plan.features.iter().copied().max().unwrap_or(plan.base);
            network.strides = plan.strides.iter().skip(1).copied().collect();
            network.kernels.clone_from(&plan.kernels);
            // What the plan decided stands in the configuration now.
            self.sized_by_plan = false;
        }
        let inputs = self.sampling().inputs(channels);
        self.network = self.network.with_shape(inputs, classes);
        let along_k = if self.network.dims() == 2 { 0.0 } else { plan.spacing[2] };
        self.spacing.get_or_insert([plan.spacing[0], plan.spacing[1], along_k]);
        let patch = fitting(plan.patch, &self.network);
        let patch = *self.patch.get_or_insert(patch);
        if self.augment == AugmentConfig::default() {
            self.augment = AugmentConfig::for_patch(patch);
        }
        if self.learning.batch_size == 0 {
            self.learning.batch_size = plan.batch;
        }
        enough(self.learning.batch_size, self.network.smallest_batch(patch), self.network.name())?;
        if self.normalise.is_empty() {
            self.normalise = plan.normalise.iter().map(wanted).collect();
        }
        if self.normalise.len() != 1 && self.normalise.len() != channels {
            return Err(ConfigError::Conflict(format!(
                "normalise has {} entries, but a case has {channels} channels; give one for each, or one for all",
                self.normalise.len()
            )));
        }
        self.validate()?;
        Ok(self)
    }

    /// How patches are cut.
    pub fn sampling(&self) -> SamplingConfig {
        let margin = self.network.margin();
        SamplingConfig {
            patch: self.patch.unwrap_or(FALLBACK),
            context: self.context,
            foreground: self.foreground,
            // A network that loses a margin sees the image mirrored there (Ronneberger et al. 2015, figure 2).
            fill: if margin == [0; 3] { Fill::Zero } else { Fill::Reflect },
        }
    }

    /// How a volume is covered with windows.
    pub fn window(&self) -> WindowConfig {
        WindowConfig {
            patch: self.patch.unwrap_or(FALLBACK),
            overlap: self.overlap,
            gaussian: true,
            mirror: self.mirror.clone(),
            margin: self.network.margin(),
            context: self.context,
            fill: self.sampling().fill,
            batch: self.learning.batch_size.clamp(1, 4),
            ..WindowConfig::default()
        }
    }

    /// Seed of model `i`: the first has the study's.
    pub fn seed_of(&self, i: usize) -> u64 {
        self.seed + i as u64
    }
}

/// Slices on either side at most: more are a block.
const CONTEXT: usize = 16;
/// The patch of a configuration that was not resolved.
const FALLBACK: [usize; 3] = [64; 3];

/// What a plan asks for, to be measured on each model's own training part.
fn wanted(fitted: &Fitted) -> Normalise {
    match *fitted {
        Fitted::None => Normalise::None,
        Fitted::ZScore { nonzero } => Normalise::ZScore { nonzero },
        Fitted::Robust { low, high } => Normalise::Robust { low, high },
        // Isensee et al. 2021, methods: CT is clipped to these percentiles of the labelled voxels.
        Fitted::Clipped { .. } => Normalise::Percentile { low: 0.5, high: 99.5 },
        Fitted::MinMax => Normalise::MinMax,
    }
}

/// The nearest patch above that the network takes.
fn fitting(patch: [usize; 3], network: &SegmentConfig) -> [usize; 3] {
    network.input_for([patch[0], patch[1], if network.dims() == 2 { 1 } else { patch[2] }])
}
