//! A training plan from the data: spacing, patch, depth, batch and scale of grey values.
//!
//! The rules are those of Isensee and others 2021, *nnU-Net: a self-configuring method for deep learning-based
//! biomedical image segmentation* (Nature Methods 18, supplementary note 2), as its program has them today (version
//! 2.8): a [`Fingerprint`] of the training part says how large, how coarse and how bright the cases are, and
//! [`Plan::of`] makes of it the largest patch that a memory budget holds. A plan is a TOML file to read and to change;
//! what it says is done.
//!
//! Axes keep the order `i`, `j`, `k`: nnU-Net turns the coarsest axis to the front, here rules look at each axis alone.

mod fingerprint;
mod topology;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use nn_core::atomic::{self, AtomicError};
use nn_core::config::{ConfigError, in_range};
use serde::{Deserialize, Serialize};

pub use self::fingerprint::{CasePrint, ChannelPrint, Fingerprint, FingerprintError};

use self::topology::{Topology, feature_voxels};
use crate::augment::AugmentConfig;
use crate::inference::WindowConfig;
use crate::intensity::Fitted;
use crate::sampling::{Fill, SamplingConfig};

/// From this ratio of edges on, the long ones are treated apart from the short one.
pub(crate) const ANISOTROPY: f64 = 3.0;
/// Feature voxels of one sample that nnU-Net's reference network has in 8 GB of a GPU, three-dimensional.
const REFERENCE_3D: f64 = 560e6;
/// As above, two-dimensional.
const REFERENCE_2D: f64 = 85e6;
/// The memory to which these numbers belong.
const REFERENCE_GB: f64 = 8.0;
/// The batches to which these numbers belong.
const REFERENCE_BATCH: [f64; 2] = [12.0, 2.0];
/// The share of all voxels of a set that a batch sees at most.
const SEEN: f64 = 0.05;
/// Smallest batch.
const SMALLEST_BATCH: f64 = 2.0;
/// Cropping to what is not 0 that leaves less than this share makes standard scores those of voxels that are not 0.
const CROPPED: f64 = 0.75;

/// What the plan may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanConfig {
    /// 2 or 3; by default 3, and 2 where cases are single slices.
    pub dims: Option<usize>,
    /// Memory of training, in GB, for which patch and batch are made as large as possible.
    pub memory_gb: f64,
    /// Channels of the finest level; each further level has twice as many.
    pub base: usize,
    /// Channels at most; by default 512 in two and 320 in three dimensions.
    pub widest: Option<usize>,
    /// Levels at most.
    pub levels: usize,
    /// Voxels in mm, instead of those of the rules.
    pub spacing: Option<[f64; 3]>,
    /// Edge of the coarsest feature map at least.
    pub smallest_map: usize,
}

impl Default for PlanConfig {
    /// nnU-Net's: 8 GB, 32 channels, maps of 4 voxels, no limit of depth but theirs.
    fn default() -> Self {
        Self { dims: None, memory_gb: REFERENCE_GB, base: 32, widest: None, levels: 9, spacing: None, smallest_map: 4 }
    }
}

impl PlanConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("plan.dims", self.dims.unwrap_or(3), 2..=3)?;
        in_range("plan.memory_gb", self.memory_gb, 1e-6..=4096.0)?;
        in_range("plan.base", self.base, 1..=1024)?;
        in_range("plan.widest", self.widest.unwrap_or(self.base), self.base..=1 << 16)?;
        in_range("plan.levels", self.levels, 1..=12)?;
        in_range("plan.smallest_map", self.smallest_map, 1..=64)?;
        self.spacing.unwrap_or([1.0; 3]).into_iter().try_for_each(|edge| in_range("plan.spacing", edge, 1e-6..=1e6))
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data says nothing.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// Even the smallest patch needs more.
    #[error(
        "{memory_gb} GB do not hold a patch of {} x {} x {} with {base} channels; give plan.memory_gb more or plan.base \
         less",
        .patch[0], .patch[1], .patch[2]
    )]
    Memory {
        /// The budget.
        memory_gb: f64,
        /// Channels of the finest level.
        base: usize,
        /// The smallest patch that the rules allow.
        patch: [usize; 3],
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A text that is no plan.
    #[error("{path} is no plan: {problem}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        problem: String,
    },
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
}

/// How a set is trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// 2 for slices, 3 for blocks.
    pub dims: usize,
    /// Voxels in mm to which each case is resampled; in two dimensions slices keep their distance.
    pub spacing: [f64; 3],
    /// Voxels of a patch along `i`, `j`, `k`; 1 in `k` in two dimensions.
    pub patch: [usize; 3],
    /// Patches of a step.
    pub batch: usize,
    /// Channels of the finest level.
    pub base: usize,
    /// Channels of each level.
    pub features: Vec<usize>,
    /// How each level shrinks each axis, from the finest (1, 1, 1) on; there are as many as levels.
    pub strides: Vec<[usize; 3]>,
    /// Width of the convolutions of each level along each axis.
    pub kernels: Vec<[usize; 3]>,
    /// Share of the patches of a batch around a labelled voxel.
    pub foreground: f64,
    /// Channels of a case.
    pub channels: usize,
    /// Names of the labels, the background first.
    pub names: Vec<String>,
    /// Median size of the cases at this spacing.
    pub median_size: [f64; 3],
    /// What happens to the grey values of each channel.
    pub normalise: Vec<Fitted>,
}

impl Plan {
    /// The plan for a set.
    ///
    /// # Errors
    /// [`PlanError`] if a setting is out of range, there is no case, or the memory holds no patch.
    pub fn of(fingerprint: &Fingerprint, config: &PlanConfig) -> Result<Self, PlanError> {
        config.validate()?;
        fingerprint.check()?;
        let spacing = config.spacing.unwrap_or_else(|| fingerprint.target_spacing());
        let median_size = fingerprint.median_size(spacing);
        let dims = config.dims.unwrap_or(if median_size[2] < 2.0 { 2 } else { 3 });
        let names = fingerprint.names.clone();
        let widest = config.widest.unwrap_or(if dims == 2 { 512 } else { 320 });
        let features =
            |levels: usize| -> Vec<usize> { (0..levels).map(|level| widest.min(config.base << level)).collect() };
        let shape = |size: &[f64]| topology::shape(&spacing[..dims], size, config.smallest_map as f64, config.levels);
        let cost = |found: &Topology| feature_voxels(found, &features(found.strides.len()), names.len());

        let mut found = shape(&first_size(&spacing[..dims], &median_size[..dims]));
        let at_reference = if dims == 2 { REFERENCE_2D } else { REFERENCE_3D };
        let reference = at_reference * (config.memory_gb / REFERENCE_GB);
        let reference_batch = REFERENCE_BATCH[dims - 2];
        let mut needed = cost(&found);
        while needed / reference_batch * SMALLEST_BATCH > reference {
            // The axis that is longest beside the cases gives way, by as little as the strides allow.
            let mut longest = 0;
            for axis in 1..dims {
                if found.patch[axis] / median_size[axis] >= found.patch[longest] / median_size[longest] {
                    longest = axis;
                }
            }
            let mut shorter = found.patch.clone();
            shorter[longest] -= found.multiple(longest);
            let step = shape(&shorter).multiple(longest);
            let mut next = found.patch.clone();
            next[longest] -= step;
            if shorter[longest] < 1.0 || next[longest] < 1.0 {
                let patch = block(&found.patch);
                return Err(PlanError::Memory { memory_gb: config.memory_gb, base: config.base, patch });
            }
            found = shape(&next);
            needed = cost(&found);
        }
        let voxels: f64 = median_size.iter().product::<f64>() * fingerprint.cases.len() as f64;
        let seen = (voxels * SEEN / found.patch.iter().product::<f64>()).round_ties_even();
        let batch = (reference / needed * reference_batch).round_ties_even().min(seen).max(SMALLEST_BATCH);
        Ok(Self {
            dims,
            spacing,
            patch: block(&found.patch),
            batch: batch as usize,
            base: config.base,
            features: features(found.strides.len()),
            strides: found.strides.iter().map(|stride| threefold(stride)).collect(),
            kernels: found.kernels.iter().map(|kernel| threefold(kernel)).collect(),
            foreground: SamplingConfig::default().foreground,
            channels: fingerprint.channels.len(),
            names,
            median_size,
            normalise: fingerprint.normalise(CROPPED),
        })
    }

    /// Levels of the network.
    pub fn levels(&self) -> usize {
        self.strides.len()
    }

    /// Levels of a network that shrinks all its axes alike: as many as the axis that shrinks least allows.
    pub fn even_levels(&self) -> usize {
        let shrinks = |axis: usize| self.strides.iter().filter(|stride| stride[axis] > 1).count();
        1 + (0..self.dims).map(shrinks).min().unwrap_or(0)
    }

    /// What each axis of a patch must be a multiple of.
    pub fn multiple(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.strides.iter().map(|stride| stride[axis]).product())
    }

    /// Labels, the background included.
    pub fn classes(&self) -> usize {
        self.names.len()
    }

    /// How patches are cut.
    pub fn sampling(&self) -> SamplingConfig {
        SamplingConfig { patch: self.patch, context: 0, foreground: self.foreground, fill: Fill::Zero }
    }

    /// How whole cases are predicted: windows of a patch that overlap by half, weighted by a Gaussian.
    pub fn window(&self) -> WindowConfig {
        WindowConfig { patch: self.patch, ..WindowConfig::default() }
    }

    /// nnU-Net's augmentation for these patches.
    pub fn augment(&self) -> AugmentConfig {
        AugmentConfig::for_patch(self.patch)
    }

    /// Checks what a hand may have changed.
    ///
    /// # Errors
    /// [`ConfigError`] with the field and the reason.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("plan.dims", self.dims, 2..=3)?;
        in_range("plan.batch", self.batch, 1..=1 << 16)?;
        in_range("plan.base", self.base, 1..=1 << 12)?;
        in_range("plan.channels", self.channels, 1..=1024)?;
        in_range("plan.names (their number)", self.names.len(), 1..=256)?;
        in_range("plan.strides (their number)", self.strides.len(), 1..=12)?;
        self.sampling().validate()?;
        self.spacing.into_iter().try_for_each(|edge| in_range("plan.spacing", edge, 1e-6..=1e6))?;
        for (what, found, due) in [
            ("features", self.features.len(), self.levels()),
            ("kernels", self.kernels.len(), self.levels()),
            ("normalise", self.normalise.len(), self.channels),
        ] {
            if found != due {
                let of = if what == "normalise" { "channels" } else { "levels (strides)" };
                let text = format!("plan.{what} has {found} entries, but there are {due} {of}; give one for each");
                return Err(ConfigError::Conflict(text));
            }
        }
        if self.dims == 2 && self.patch[2] != 1 {
            let text = format!("plan.dims = 2 reads slices, but plan.patch has {} of them; set it to 1", self.patch[2]);
            return Err(ConfigError::Conflict(text));
        }
        if self.strides.iter().flatten().any(|&stride| stride == 0 || stride > 8) {
            return Err(ConfigError::Conflict("plan.strides must be 1 to 8, 2 as a rule".to_owned()));
        }
        for (axis, (&edge, factor)) in self.patch.iter().zip(self.multiple()).enumerate() {
            if !edge.is_multiple_of(factor) {
                return Err(ConfigError::Conflict(format!(
                    "plan.patch has {edge} voxels along axis {axis}, but the strides ask for a multiple of {factor}; \
                     make it {}",
                    edge.next_multiple_of(factor)
                )));
            }
        }
        Ok(())
    }

    /// The plan as TOML, with a line on each number.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Training plan by the rules of nnU-Net (Isensee and others 2021). Change what you know better.\n",
        );
        let mut line = |comment: &str, name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n# {comment}\n{name} = {value}");
        };
        line("2: slices, 3: blocks", "dims", self.dims.to_string());
        line("mm of a voxel (i, j, k) that cases are resampled to", "spacing", format!("{:?}", self.spacing));
        line("voxels of a patch (i, j, k)", "patch", format!("{:?}", self.patch));
        line("patches of a step", "batch", self.batch.to_string());
        line("channels of the finest level, and of each", "base", self.base.to_string());
        line("one for each level", "features", format!("{:?}", self.features));
        line("how each level shrinks the one before", "strides", format!("{:?}", self.strides));
        line("width of the convolutions of each level", "kernels", format!("{:?}", self.kernels));
        line("share of the patches of a batch around a labelled voxel", "foreground", format!("{:?}", self.foreground));
        line("channels of a case", "channels", self.channels.to_string());
        let names: Vec<String> = self.names.iter().map(|name| toml::Value::String(name.clone()).to_string()).collect();
        line("names of the labels, the background first", "names", format!("[{}]", names.join(", ")));
        line("median size of the cases at this spacing", "median_size", format!("{:?}", self.median_size));
        text.push_str("\n# what happens to the grey values, channel by channel\n");
        for scale in &self.normalise {
            text.push_str("[[normalise]]\n");
            // A table of numbers and words can always be written.
            text.push_str(&toml::to_string(scale).unwrap_or_default());
        }
        text
    }

    /// The plan that a text describes.
    ///
    /// # Errors
    /// [`PlanError::Parse`] with the place, [`PlanError::Config`] if the numbers don't fit; `path` is only named in
    /// errors.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, PlanError> {
        let parsed: Result<Self, toml::de::Error> = toml::from_str(text);
        let plan = parsed.map_err(|error| PlanError::Parse { path: path.to_owned(), problem: error.to_string() })?;
        plan.validate()?;
        Ok(plan)
    }

    /// Writes the plan to a file, whole or not at all.
    ///
    /// # Errors
    /// [`PlanError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), PlanError> {
        Ok(atomic::write(path, self.to_toml().as_bytes())?)
    }

    /// Reads a plan from a file.
    ///
    /// # Errors
    /// [`PlanError`] if the file cannot be read, is no plan, or its numbers don't fit.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path).map_err(|cause| PlanError::Read { path: path.to_owned(), cause })?;
        Self::from_toml(&text, path)
    }
}

/// The patch to begin with: as many voxels as a cube of 256 or a square of 2048, as long in mm along each axis, but no
/// longer than the cases are.
fn first_size(spacing: &[f64], median_size: &[f64]) -> Vec<f64> {
    let dims = spacing.len() as i32;
    let voxels = if dims == 2 { 2048_f64.powi(2) } else { 256_f64.powi(3) };
    let edge = (voxels * spacing.iter().product::<f64>()).powf(1.0 / f64::from(dims));
    spacing.iter().zip(median_size).map(|(mm, most)| (edge / mm).round_ties_even().min(*most)).collect()
}

/// Voxels along three axes.
fn block(patch: &[f64]) -> [usize; 3] {
    [0, 1, 2].map(|axis| patch.get(axis).map_or(1, |edge| *edge as usize))
}

/// The same for three axes; 1 for one that is not there.
fn threefold(values: &[usize]) -> [usize; 3] {
    [0, 1, 2].map(|axis| values.get(axis).copied().unwrap_or(1))
}

#[cfg(test)]
mod tests;
