//! A Siamese network for the grade of osteoarthritis of a knee: one branch sees both sides of the joint.
//!
//! Tiulpin et al. 2018, *Automatic Knee Osteoarthritis Diagnosis from Plain Radiographs: A Deep Learning-Based
//! Approach*, Scientific Reports 8:1727, figure 3: the lateral side and the mirrored medial side, 128 × 128 pixels
//! each, go through the same convolutions; five Kellgren–Lawrence grades. Layers and starting values as in the authors'
//! code (repository MIPT-Oulu/DeepKnee).
//!
//! As a [`Classifier`] it cuts the two sides out of one picture itself, as the authors' code does.
//!
//! Published training: Adam with a rate of 0.01 and a weight decay of 0.0001, batches of 64.

use std::ops::Range;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNormConfig, ConvConfig, dense, dropout};
use nn_core::ops::{global_avg_pool, max_pool};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::Unit;
use super::{Classifier, View};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KneeConfig {
    /// Channels in.
    pub channels: usize,
    /// Grades.
    pub classes: usize,
    /// Features of the first block; the second has twice and the third four times as many.
    pub base: usize,
    /// Dropout before the last layer, 0 to 0.95.
    pub dropout: f64,
    /// Pixels along each edge of the two squares that are cut out of a picture; 0 for its left and its right half.
    pub side: usize,
}

impl Default for KneeConfig {
    fn default() -> Self {
        Self { channels: 1, classes: 5, base: 64, dropout: 0.2, side: 128 }
    }
}

/// Pixels that a branch needs along each axis: one place is left behind the last convolution.
const SMALLEST: usize = 49;

impl KneeConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=1_000_000)?;
        in_range("base", self.base, 1..=4096)?;
        in_range("dropout", self.dropout, 0.0..=0.95)?;
        if self.side == 0 { Ok(()) } else { in_range("side", self.side, SMALLEST..=1 << 14) }
    }

    /// The smallest height and width of a picture whose sides leave the last feature maps one position.
    pub(super) fn smallest(&self) -> usize {
        if self.side == 0 {
            2 * SMALLEST - 1
        } else {
            (self.side..=2 * self.side).find(|edge| edge - edge / 3 >= self.side).unwrap_or(0)
        }
    }

    /// Places along each axis that are left behind the last convolution of a picture with that edge; of halves, which
    /// are not square, no more than there are.
    pub(super) fn positions(&self, edge: usize) -> usize {
        let side = if self.side == 0 { edge.div_ceil(2) } else { self.side };
        // convolutions of 3: one with stride 2 and two without, a pooling, two, a pooling, one
        let third = (side.saturating_sub(1) / 2).saturating_sub(4);
        let fifth = (third / 2).saturating_sub(4);
        (fifth / 2).saturating_sub(2)
    }

    /// Checks that a picture has the two sides.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] with what would do.
    pub(super) fn check_size(&self, size: [usize; 2]) -> Result<(), ConfigError> {
        let [height, width] = size;
        if has_sides(self.side, size) && (self.side > 0 || height.min(width.div_ceil(2)) >= SMALLEST) {
            return Ok(());
        }
        let (side, smallest) = (self.side, self.smallest());
        Err(ConfigError::Conflict(if side == 0 {
            format!(
                "pictures are {height} x {width}, but each half of a knee needs {SMALLEST} x {SMALLEST}; use pictures of \
                 {smallest} x {smallest} or more"
            )
        } else {
            format!(
                "pictures are {height} x {width}, too small for two squares of network.side = {side} pixels; use pictures of \
                 {smallest} x {smallest} or more, a smaller side, or side = 0 for the two halves"
            )
        }))
    }

    /// Builds the network with the authors' starting values, from the input on.
    ///
    /// # Errors
    /// What [`KneeConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<KneeNet, ConfigError> {
        self.validate()?;
        let base = self.base;
        let mut branch = Vec::with_capacity(6);
        let mut inputs = self.channels;
        for (layer, features) in [base, base, base, 2 * base, 2 * base, 4 * base].into_iter().enumerate() {
            let stride = if layer == 0 { 2 } else { 1 };
            let conv = ConvConfig::new(inputs, features, 3).with_stride(stride).with_init(Init::HeUniform);
            branch.push(Unit::init(&conv, Some(&BatchNormConfig::new(features).with_epsilon(1e-3)), device, rng)?);
            inputs = features;
        }
        let output = dense([2 * inputs, self.classes], Init::HeUniform, device, rng);
        Ok(KneeNet { branch, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct KneeNet {
    branch: Vec<Unit<4, 2>>,
    output: Linear,
    #[module(skip)]
    config: KneeConfig,
}

impl KneeNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &KneeConfig {
        &self.config
    }

    /// Logits of the grades. The medial side comes mirrored, as [`sides`] gives it. Dropout acts when a generator is
    /// given.
    ///
    /// # Shapes
    /// - lateral and medial `[batch, channels, height, width]`, in the paper 128 × 128; output `[batch, classes]`
    ///
    /// # Panics
    /// When a side has fewer than 49 rows or columns.
    pub fn forward(&self, lateral: Tensor<4>, medial: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.probed(lateral, medial, rng, [&Probe::off(), &Probe::off()])
    }

    /// The same, with the last feature maps of the lateral and of the medial side passed through a probe each.
    ///
    /// # Shapes
    /// - as [`KneeNet::forward`]; the probed maps are `[batch, 4 base, height', width']`
    ///
    /// # Panics
    /// As [`KneeNet::forward`].
    pub fn probed(
        &self,
        lateral: Tensor<4>,
        medial: Tensor<4>,
        rng: Option<&mut ChaCha8Rng>,
        probes: [&Probe<4>; 2],
    ) -> Tensor<2> {
        let [lateral, medial] = [(lateral, probes[0]), (medial, probes[1])]
            .map(|(side, probe)| global_avg_pool(probe.add(self.side(side))));
        let both = Tensor::cat(vec![lateral, medial], 1); // [batch, 8 base]
        self.output.forward(dropout(both, self.config.dropout, rng)) // [batch, classes]
    }

    fn side(&self, mut x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        assert!(height.min(width) >= SMALLEST, "a side of {height} x {width} pixels; use {SMALLEST} or more");
        for (layer, unit) in self.branch.iter().enumerate() {
            if layer == 3 || layer == 5 {
                x = max_pool(x, [2, 2], [2, 2], [0, 0]); // [batch, features, height / 2, width / 2]
            }
            x = unit.forward(x); // [batch, features, height - 2, width - 2], the first of half that size
        }
        x // [batch, 4 base, height', width']
    }
}

impl Classifier for KneeNet {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        self.run_view(x, rng, 0, probe)
    }

    fn views(&self, [channels, height, width]: [usize; 3]) -> Vec<View> {
        let [lateral, medial] = places(self.config.side, [height, width]);
        [("lateral side", lateral, false), ("medial side", medial, true)]
            .map(|(name, [rows, columns], mirrored)| View { name, channels: 0..channels, rows, columns, mirrored })
            .to_vec()
    }

    fn run_view(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, view: usize, probe: &Probe<4>) -> Tensor<2> {
        let [lateral, medial] = sides(x, self.config.side);
        let off = Probe::off();
        let probes = if view == 0 { [probe, &off] } else { [&off, probe] };
        self.probed(lateral, medial, rng, probes) // [batch, classes]
    }
}

/// Whether the squares of `size` pixels (0 for the halves) lie within a picture of that height and width.
fn has_sides(size: usize, [height, width]: [usize; 2]) -> bool {
    size == 0 || (width >= size && height >= width / 3 + size)
}

/// Rows and columns of the left and of the right side in a picture that has them. Halves of an odd width share a column.
fn places(size: usize, [height, width]: [usize; 2]) -> [[Range<usize>; 2]; 2] {
    let (rows, columns) = if size == 0 { (0..height, width.div_ceil(2)) } else { (width / 3..width / 3 + size, size) };
    [[rows.clone(), 0..columns], [rows, width - columns..width]]
}

/// The two sides of a knee for [`KneeNet::forward`]: squares of `size` pixels at the left and at the right edge, which
/// begin a third of the width down, or for 0 the two halves of the picture; the right one is mirrored. Of a right knee,
/// seen from the front, the left edge is the lateral side; mirror images of left knees first.
///
/// # Shapes
/// - x `[batch, channels, height, width]`; both outputs `[batch, channels, size, size]`
///
/// # Panics
/// When the picture is too small.
pub fn sides(x: Tensor<4>, size: usize) -> [Tensor<4>; 2] {
    let [_, _, height, width] = x.dims();
    let fits = has_sides(size, [height, width]);
    assert!(fits, "a knee of {height} x {width} pixels has no sides of {size} pixels from row {} on", width / 3);
    let [left, right] = places(size, [height, width])
        .map(|[rows, columns]| x.clone().narrow(2, rows.start, rows.len()).narrow(3, columns.start, columns.len()));
    [left, right.flip([3])]
}

#[cfg(test)]
mod tests;
