//! The published systems for images, one file each.
//!
//! Networks that label every voxel are [`SegmentNet`]s, built from a [`SegmentConfig`]; networks that name what a
//! picture shows are [`ClassifyNet`]s, built from a [`ClassifyConfig`]. Both configurations name their system:
//!
//! ```
//! use imaging::systems::{SegmentConfig, Segmenter};
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! let device = Device::flex();
//! let config = SegmentConfig::named("linknet")?.with_shape(1, 3);
//! let net = config.init(&device, &mut rng(1, &[]))?;
//! // two slices of 32 rows and 64 columns
//! let maps = net.maps(Tensor::zeros([1, 1, 2, 32, 64], &device), None);
//! assert_eq!(maps[0].dims(), [1, 3, 2, 32, 64]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```
//!
//! | system | answers | module |
//! |---|---|---|
//! | U-Net with padding, two or three axes, sizes by a plan | a label for each voxel | [`unet`] |
//! | U-Net of 2015, without padding | a label for each pixel | [`unet_valid`] |
//! | 3-D U-Net of 2016 | a label for each voxel | [`unet3d`] |
//! | `LinkNet`, `TernausNet`-11 | a label for each pixel | [`linknet`], [`ternausnet`] |
//! | `LinkNet`-34 and `TernausNet`-16 for instruments | a label for each pixel | [`linknet34`], [`ternausnet`] |
//! | `ResNet`, `DenseNet` | a class for a picture | [`resnet`], [`densenet`] |
//! | network for interstitial lung disease | a class for a patch | [`ild_cnn`] |
//! | soft attention | a class, and where it looked | [`soft_attention`] |
//! | SDFN | findings of a radiograph and its lungs | [`sdfn`] |
//! | Siamese network | the grade of a knee from its two sides | [`knee`] |
//!
//! Two of the papers come with a loss of their own: [`border_weights`] and [`jaccard_loss`].

mod blocks;
mod body;
mod classify;
pub mod densenet;
#[cfg(test)]
pub(crate) mod golden;
mod hourglass;
pub mod ild_cnn;
pub mod knee;
pub mod linknet;
pub mod linknet34;
mod losses;
pub mod resnet;
pub mod sdfn;
mod segment;
pub mod soft_attention;
pub mod ternausnet;
pub mod unet;
pub mod unet3d;
pub mod unet_valid;

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;
use nn_core::explain::Probe;
use rand_chacha::ChaCha8Rng;

pub(crate) use self::body::LEFT;
pub use self::classify::{CLASSIFIERS, ClassifyConfig, ClassifyNet};
pub use self::losses::{border_weights, class_balance, jaccard_loss};
pub use self::segment::{SEGMENTERS, SegmentConfig, SegmentNet};

/// A network that labels every voxel.
pub trait Segmenter: Module {
    /// Logits, finest first: the first is on the grid of the input less [`SegmentConfig::margin`]; the others, which a
    /// network with deep supervision gives in training alone, are coarser by the strides of its levels. Noise such as
    /// dropout acts when a generator is given, and that is what training means here. Two-dimensional networks see each
    /// slice by itself.
    ///
    /// # Shapes
    /// - x `[batch, channels, k, j, i]`; each output `[batch, classes, k', j', i']`
    ///
    /// # Panics
    /// When the input has no size that [`SegmentConfig::input_for`] gives.
    fn maps(&self, x: Tensor<5>, rng: Option<&mut ChaCha8Rng>) -> Vec<Tensor<5>>;
}

/// A network that names what a picture shows.
pub trait Classifier: Module {
    /// Logits of the classes. Noise such as dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, channels, height, width]`; output `[batch, classes]`
    fn logits(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(x, rng, &Probe::off())
    }

    /// The same, with the last feature maps (those that the pooling over all positions reads) passed through `probe`,
    /// as [`grad_cam`](nn_core::explain::grad_cam()) needs it.
    ///
    /// # Shapes
    /// - as [`Classifier::logits`]; the probed maps are `[batch, features, height', width']`
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2>;

    /// What each branch of the network sees of an input of `[channels, height, width]`; one without branches sees it
    /// whole.
    fn views(&self, size: [usize; 3]) -> Vec<View> {
        vec![View::whole(size)]
    }

    /// As [`Classifier::run`], with the last feature maps of the branch that sees the given one of [`Classifier::views`]
    /// passed through `probe`; `run` probes the first.
    ///
    /// # Shapes
    /// - as [`Classifier::run`]
    fn run_view(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, _view: usize, probe: &Probe<4>) -> Tensor<2> {
        self.run(x, rng, probe)
    }
}

/// A part of the input of a classifier that one branch of it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What it shows, such as `lungs`.
    pub name: &'static str,
    /// Channels of the input.
    pub channels: Range<usize>,
    /// Rows.
    pub rows: Range<usize>,
    /// Columns.
    pub columns: Range<usize>,
    /// Whether the branch sees the columns from right to left.
    pub mirrored: bool,
}

impl View {
    /// All of an input of `[channels, height, width]`.
    pub fn whole([channels, height, width]: [usize; 3]) -> Self {
        Self { name: "picture", channels: 0..channels, rows: 0..height, columns: 0..width, mirrored: false }
    }
}

#[cfg(test)]
mod tests;
