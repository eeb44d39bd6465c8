//! Two branches for a chest radiograph: one sees the whole picture, one the lungs at a higher resolution.
//!
//! Liu et al. 2019, *SDFN: Segmentation-based Deep Fusion Network for Thoracic Disease Classification in Chest X-ray
//! Images*, Computerized Medical Imaging and Graphics 75:66, figure 1: a U-Net finds the lungs; the smallest rectangle
//! around them is cut out and scaled to the size of the whole picture; a `DenseNet`-121 extracts features of each,
//! which one dense layer reads side by side: fourteen findings, each with a logistic function of its own.
//!
//! As a [`Classifier`] it reads both pictures one behind the other in the channels: the whole first, then its part with
//! the lungs, as [`Cropper`](crate::pictures::Cropper) cuts it out.
//!
//! Published training: each branch by itself, then the last layer alone over both of them held fixed.

use std::ops::Range;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{dense, dropout};
use nn_core::ops::global_avg_pool;
use nn_core::store::PyTorchImport;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::body::LEFT;
use super::densenet::{DenseNetConfig, Features};
use super::{Classifier, View};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SdfnConfig {
    /// Channels in: of radiographs one, repeated three times for weights of photographs.
    pub channels: usize,
    /// Findings.
    pub classes: usize,
    /// Features behind the first convolution of a branch.
    pub base: usize,
    /// Features that each layer of a branch adds.
    pub growth: usize,
    /// Layers of each block of a branch.
    pub blocks: [usize; 4],
    /// Dropout before the last layer, 0 to 0.95; none in the paper.
    pub dropout: f64,
}

impl Default for SdfnConfig {
    fn default() -> Self {
        let DenseNetConfig { channels, base, growth, blocks, dropout, .. } = DenseNetConfig::default();
        Self { channels, classes: 14, base, growth, blocks, dropout }
    }
}

/// One of the two branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Branch {
    /// The one that sees the whole picture.
    Whole,
    /// The one that sees the lungs.
    Lungs,
}

impl SdfnConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("classes", self.classes, 1..=1_000_000)?;
        self.branch().validate()
    }

    /// The network whose features a branch takes, for training it by itself.
    pub fn branch(&self) -> DenseNetConfig {
        let Self { channels, classes, base, growth, blocks, dropout } = *self;
        DenseNetConfig { channels, classes, base, growth, blocks, dropout, ..DenseNetConfig::default() }
    }

    /// How the names of a `DenseNet` of torchvision, or of a branch that was trained by itself and written in PyTorch's
    /// layout, become those of a branch; its `classifier` is left over.
    pub fn pytorch(branch: Branch) -> PyTorchImport {
        let name = match branch {
            Branch::Whole => "whole.",
            Branch::Lungs => "lungs.",
        };
        let mut import = DenseNetConfig::pytorch();
        import.renames.push((r"^features\.".to_owned(), name.to_owned()));
        // our last layer has the same name and another shape
        import.renames.push((r"^classifier\.".to_owned(), format!("{LEFT}.classifier.")));
        import
    }

    /// Builds the network with torchvision's starting values of the convolutions.
    ///
    /// # Errors
    /// What [`SdfnConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Sdfn, ConfigError> {
        self.validate()?;
        let branch = self.branch();
        Ok(Sdfn {
            whole: Features::init(&branch, device, rng)?,
            lungs: Features::init(&branch, device, rng)?,
            classifier: dense([2 * branch.features(), self.classes], Init::PyTorchDefault, device, rng),
            config: self.clone(),
        })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Sdfn {
    whole: Features,
    lungs: Features,
    classifier: Linear,
    #[module(skip)]
    config: SdfnConfig,
}

impl Sdfn {
    /// The sizes it was built with.
    pub fn config(&self) -> &SdfnConfig {
        &self.config
    }

    /// Logits of the findings. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - whole and lungs `[batch, channels, height, width]`, in the paper 224 × 224 each; output `[batch, classes]`
    pub fn forward(&self, whole: Tensor<4>, lungs: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.probed(whole, lungs, rng, [&Probe::off(), &Probe::off()])
    }

    /// The same, with the last feature maps of both branches passed through a probe each.
    ///
    /// # Shapes
    /// - as [`Sdfn::forward`]; the probed maps are `[batch, features, height / 32, width / 32]`
    pub fn probed(
        &self,
        whole: Tensor<4>,
        lungs: Tensor<4>,
        rng: Option<&mut ChaCha8Rng>,
        probes: [&Probe<4>; 2],
    ) -> Tensor<2> {
        let whole = global_avg_pool(probes[0].add(self.whole.forward(whole))); // [batch, features]
        let lungs = global_avg_pool(probes[1].add(self.lungs.forward(lungs))); // [batch, features]
        let both = Tensor::cat(vec![whole, lungs], 1); // [batch, 2 features]
        self.classifier.forward(dropout(both, self.config.dropout, rng)) // [batch, classes]
    }
}

impl Classifier for Sdfn {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        self.run_view(x, rng, 0, probe)
    }

    fn views(&self, [channels, height, width]: [usize; 3]) -> Vec<View> {
        let half = channels / 2;
        [("whole picture", 0..half), ("lungs", half..channels)]
            .map(|(name, channels)| View { name, channels, rows: 0..height, columns: 0..width, mirrored: false })
            .to_vec()
    }

    fn run_view(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, view: usize, probe: &Probe<4>) -> Tensor<2> {
        let channels = self.config.channels;
        let whole = x.clone().narrow(1, 0, channels); // [batch, channels, height, width]
        let lungs = x.narrow(1, channels, channels); // [batch, channels, height, width]
        let off = Probe::off();
        let probes = if view == 0 { [probe, &off] } else { [&off, probe] };
        self.probed(whole, lungs, rng, probes) // [batch, classes]
    }
}

/// The smallest rectangle, rows and columns, around what the mask holds, larger on each side by `margin` of its height
/// and width as far as the picture goes. None for an empty mask: then the whole picture is what there is.
///
/// `mask` is row-major with `width` columns. Keep the largest parts of a predicted mask first, or a stray pixel will
/// widen the rectangle.
pub fn lung_box(mask: &[bool], width: usize, margin: f64) -> Option<[Range<usize>; 2]> {
    let height = mask.len().checked_div(width)?;
    let rows = mask.chunks_exact(width).map(|row| row.contains(&true));
    let columns = (0..width).map(|column| mask.iter().skip(column).step_by(width).any(|&inside| inside));
    let span = |marks: Vec<bool>, length: usize| {
        let first = marks.iter().position(|&inside| inside)?;
        let last = marks.iter().rposition(|&inside| inside)?;
        let more = (margin.max(0.0) * (last + 1 - first) as f64).round() as usize;
        Some(first.saturating_sub(more)..(last + 1).saturating_add(more).min(length))
    };
    Some([span(rows.collect(), height)?, span(columns.collect(), width)?])
}

/// A rectangle of each picture, scaled to `size` (height, width) with linear interpolation between the centres of
/// pixels.
///
/// # Shapes
/// - x `[batch, channels, height, width]`; output `[batch, channels, size…]`
///
/// # Panics
/// When the rectangle is empty or reaches over the edge.
pub fn cut_out(x: Tensor<4>, [rows, columns]: [Range<usize>; 2], size: [usize; 2]) -> Tensor<4> {
    let part = x.narrow(2, rows.start, rows.len()).narrow(3, columns.start, columns.len());
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    interpolate(part, options.with_output_size(size))
}

#[cfg(test)]
mod tests;
