//! Any network that labels voxels, by name.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Segmenter;
use super::blocks::per_slice;
use super::linknet::{LinkNet, LinkNetConfig};
use super::linknet34::{LinkNet34, LinkNet34Config};
use super::ternausnet::{TernausNet, TernausNetConfig};
use super::unet::{Unet, UnetConfig};
use super::unet_valid::{UnetValid, UnetValidConfig};
use super::unet3d::{Unet3d, Unet3dConfig};

/// Names that [`SegmentConfig::named`] knows, each with what it is.
pub const SEGMENTERS: [(&str, &str); 7] = [
    (
        "unet",
        "U-Net with padding and normalisation, sized by a plan; after Ronneberger et al. 2015, Isensee et al. 2021",
    ),
    ("unet-valid", "the U-Net of Ronneberger et al. 2015: no padding, 572 pixels in and 388 out"),
    ("unet3d", "3-D U-Net, Cicek et al. 2016: 19 million parameters"),
    ("linknet", "LinkNet, Chaurasia and Culurciello 2017: ResNet-18 encoder, added skips"),
    ("linknet34", "LinkNet-34 of Shvets et al. 2018: ResNet-34 encoder, a decoder and head of its own"),
    ("ternausnet", "TernausNet-11, Iglovikov and Shvets 2018: VGG11 encoder, joined skips"),
    ("ternausnet16", "TernausNet-16, Shvets et al. 2018: VGG16 encoder"),
];

/// Where the two networks for instruments are from.
const SHVETS: &str = "Shvets, Rakhlin, Kalinin and Iglovikov 2018, Automatic Instrument Segmentation in Robot-Assisted \
                      Surgery Using Deep Learning, ICMLA";

/// A system that labels voxels, with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub enum SegmentConfig {
    /// U-Net with padding.
    Unet(UnetConfig),
    /// U-Net without.
    UnetValid(UnetValidConfig),
    /// 3-D U-Net.
    Unet3d(Unet3dConfig),
    /// `LinkNet`.
    Linknet(LinkNetConfig),
    /// `LinkNet`-34.
    Linknet34(LinkNet34Config),
    /// `TernausNet`.
    Ternausnet(TernausNetConfig),
}

impl Default for SegmentConfig {
    fn default() -> Self {
        Self::Unet(UnetConfig::default())
    }
}

/// The same expression for whichever system it is.
macro_rules! each {
    ($kind:ident, $of:expr, $inner:ident => $value:expr) => {
        match $of {
            $kind::Unet($inner) => $value,
            $kind::UnetValid($inner) => $value,
            $kind::Unet3d($inner) => $value,
            $kind::Linknet($inner) => $value,
            $kind::Linknet34($inner) => $value,
            $kind::Ternausnet($inner) => $value,
        }
    };
}

impl SegmentConfig {
    /// The system of that name, as [`SEGMENTERS`] lists them, with its default sizes; `ternausnet16` is `ternausnet` of
    /// another depth.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that are known.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        Ok(match name {
            "unet" => Self::Unet(UnetConfig::default()),
            "unet-valid" => Self::UnetValid(UnetValidConfig::default()),
            "unet3d" => Self::Unet3d(Unet3dConfig::default()),
            "linknet" => Self::Linknet(LinkNetConfig::default()),
            "linknet34" => Self::Linknet34(LinkNet34Config::default()),
            "ternausnet" => Self::Ternausnet(TernausNetConfig::default()),
            "ternausnet16" => Self::Ternausnet(TernausNetConfig { depth: 16, ..TernausNetConfig::default() }),
            _ => {
                let known = SEGMENTERS.map(|(name, _)| name).join(", ");
                return Err(ConfigError::Unknown { field: "system", value: name.to_owned(), known });
            }
        })
    }

    /// The system's name in configuration files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unet(_) => "unet",
            Self::UnetValid(_) => "unet-valid",
            Self::Unet3d(_) => "unet3d",
            Self::Linknet(_) => "linknet",
            Self::Linknet34(_) => "linknet34",
            Self::Ternausnet(_) => "ternausnet",
        }
    }

    /// Where the system was published.
    pub fn citation(&self) -> &'static str {
        match self {
            Self::Unet(_) => {
                "Isensee et al. 2021, nnU-Net: a self-configuring method for deep learning-based biomedical image \
                 segmentation, Nature Methods 18:203"
            }
            Self::UnetValid(_) => {
                "Ronneberger, Fischer and Brox 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation, \
                 MICCAI"
            }
            Self::Unet3d(_) => {
                "Cicek et al. 2016, 3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation, MICCAI"
            }
            Self::Linknet(_) => {
                "Chaurasia and Culurciello 2017, LinkNet: Exploiting Encoder Representations for Efficient Semantic \
                 Segmentation, VCIP"
            }
            Self::Linknet34(_) => SHVETS,
            Self::Ternausnet(config) if config.depth == 16 => SHVETS,
            Self::Ternausnet(_) => {
                "Iglovikov and Shvets 2018, TernausNet: U-Net with VGG11 Encoder Pre-Trained on ImageNet for Image \
                 Segmentation, arXiv:1801.05746"
            }
        }
    }

    /// Channels that the network reads.
    pub fn channels(&self) -> usize {
        each!(Self, self, config => config.channels)
    }

    /// Classes that it tells apart, the background included.
    pub fn classes(&self) -> usize {
        each!(Self, self, config => config.classes)
    }

    /// The same system for other channels and classes.
    pub fn with_shape(mut self, channels: usize, classes: usize) -> Self {
        each!(Self, &mut self, config => (config.channels, config.classes) = (channels, classes));
        self
    }

    /// 2 for a network that sees each slice by itself, 3 for one that sees volumes.
    pub fn dims(&self) -> usize {
        match self {
            Self::Unet(config) => config.dims,
            Self::Unet3d(_) => 3,
            Self::UnetValid(_) | Self::Linknet(_) | Self::Linknet34(_) | Self::Ternausnet(_) => 2,
        }
    }

    /// Steps of the sizes that the network takes along i, j and k. Without a [`margin`](Self::margin) the sizes are the
    /// multiples themselves; with one they are [`input_for`](Self::input_for) some output.
    pub fn multiple(&self) -> [usize; 3] {
        match self {
            Self::Unet(config) => config.multiple(),
            Self::UnetValid(config) => config.multiple(),
            Self::Unet3d(config) => config.multiple(),
            Self::Linknet(_) | Self::Linknet34(_) | Self::Ternausnet(_) => [32, 32, 1],
        }
    }

    /// Voxels along i, j and k that the output lacks on each side.
    pub fn margin(&self) -> [usize; 3] {
        match self {
            Self::UnetValid(config) => config.margin(),
            Self::Unet3d(config) => config.margin(),
            Self::Unet(_) | Self::Linknet(_) | Self::Linknet34(_) | Self::Ternausnet(_) => [0; 3],
        }
    }

    /// The smallest input, along i, j and k, whose output covers `output`.
    pub fn input_for(&self, output: [usize; 3]) -> [usize; 3] {
        match self {
            Self::UnetValid(config) => config.input_for(output),
            Self::Unet3d(config) => config.input_for(output),
            Self::Unet(_) | Self::Linknet(_) | Self::Linknet34(_) | Self::Ternausnet(_) => {
                let multiple = self.multiple();
                std::array::from_fn(|axis| output[axis].max(1).next_multiple_of(multiple[axis]))
            }
        }
    }

    /// Patches that a step of training needs: two where the deepest batch normalisation sees one value of each channel in
    /// a patch of that size (i, j, k), which by itself has no variance.
    pub fn smallest_batch(&self, patch: [usize; 3]) -> usize {
        let multiple = self.multiple();
        let positions: usize = match self {
            Self::Linknet(_) | Self::Linknet34(_) => (0..3).map(|axis| patch[axis] / multiple[axis]).product(),
            Self::Unet3d(config) if config.padded => (0..3).map(|axis| patch[axis] / multiple[axis]).product(),
            // without padding the deepest map has more, and the others do not normalise over the batch
            Self::Unet3d(_) | Self::Unet(_) | Self::UnetValid(_) | Self::Ternausnet(_) => 2,
        };
        if positions > 1 { 1 } else { 2 }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        each!(Self, self, config => config.validate())
    }

    /// Builds the network with starting values from `rng`.
    ///
    /// # Errors
    /// What [`SegmentConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<SegmentNet, ConfigError> {
        Ok(match self {
            Self::Unet(config) => SegmentNet::Unet(config.init(device, rng)?),
            Self::UnetValid(config) => SegmentNet::UnetValid(config.init(device, rng)?),
            Self::Unet3d(config) => SegmentNet::Unet3d(config.init(device, rng)?),
            Self::Linknet(config) => SegmentNet::Linknet(config.init(device, rng)?),
            Self::Linknet34(config) => SegmentNet::Linknet34(config.init(device, rng)?),
            Self::Ternausnet(config) => SegmentNet::Ternausnet(config.init(device, rng)?),
        })
    }
}

/// A network of any system that labels voxels.
// there are a handful of them at a time, and most of each lies behind pointers
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum SegmentNet {
    /// U-Net with padding.
    Unet(Unet),
    /// U-Net without.
    UnetValid(UnetValid),
    /// 3-D U-Net.
    Unet3d(Unet3d),
    /// `LinkNet`.
    Linknet(LinkNet),
    /// `LinkNet`-34.
    Linknet34(LinkNet34),
    /// `TernausNet`.
    Ternausnet(TernausNet),
}

impl SegmentNet {
    /// The configuration it was built from.
    pub fn config(&self) -> SegmentConfig {
        match self {
            Self::Unet(net) => SegmentConfig::Unet(net.config().clone()),
            Self::UnetValid(net) => SegmentConfig::UnetValid(net.config().clone()),
            Self::Unet3d(net) => SegmentConfig::Unet3d(net.config().clone()),
            Self::Linknet(net) => SegmentConfig::Linknet(net.config().clone()),
            Self::Linknet34(net) => SegmentConfig::Linknet34(net.config().clone()),
            Self::Ternausnet(net) => SegmentConfig::Ternausnet(net.config().clone()),
        }
    }
}

impl Segmenter for SegmentNet {
    fn maps(&self, x: Tensor<5>, rng: Option<&mut ChaCha8Rng>) -> Vec<Tensor<5>> {
        match self {
            Self::Unet(net) => net.maps(x, rng),
            Self::UnetValid(net) => per_slice(x, |x| vec![net.forward(x, rng)]),
            Self::Unet3d(net) => vec![net.forward(x)],
            Self::Linknet(net) => per_slice(x, |x| vec![net.forward(x)]),
            Self::Linknet34(net) => per_slice(x, |x| vec![net.forward(x)]),
            Self::Ternausnet(net) => per_slice(x, |x| vec![net.forward(x)]),
        }
    }
}
