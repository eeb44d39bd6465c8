//! Any network that names what a picture shows, by name.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::explain::Probe;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::densenet::{self, DenseNet, DenseNetConfig};
use super::ild_cnn::{IldCnn, IldCnnConfig};
use super::knee::{KneeConfig, KneeNet};
use super::resnet::{ResNet, ResNetConfig};
use super::sdfn::{Sdfn, SdfnConfig};
use super::soft_attention::{SoftAttention, SoftAttentionConfig};
use super::{Classifier, View};

/// Names that [`ClassifyConfig::named`] knows, each with what it is.
pub const CLASSIFIERS: [(&str, &str); 7] = [
    ("resnet18", "ResNet-18, He et al. 2016, with torchvision's names of the weights"),
    ("resnet34", "ResNet-34, He et al. 2016"),
    ("densenet121", "DenseNet-121, Huang et al. 2017"),
    ("ild-cnn", "network for patches of interstitial lung disease, Anthimopoulos et al. 2016"),
    ("soft-attention", "soft attention over the feature map, after Poplin et al. 2018"),
    ("knee", "KneeNet, the Siamese network of Tiulpin et al. 2018: the two sides of a knee through one branch"),
    ("sdfn", "SDFN, Liu et al. 2019: a radiograph and its lungs through a DenseNet-121 each"),
];

/// A system that names what a picture shows, with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub enum ClassifyConfig {
    /// `ResNet`.
    Resnet(ResNetConfig),
    /// `DenseNet`.
    Densenet(DenseNetConfig),
    /// Anthimopoulos' network.
    IldCnn(IldCnnConfig),
    /// Soft attention.
    SoftAttention(SoftAttentionConfig),
    /// The Siamese network for knees.
    Knee(KneeConfig),
    /// The network with a branch for the lungs.
    Sdfn(SdfnConfig),
}

impl Default for ClassifyConfig {
    fn default() -> Self {
        Self::Resnet(ResNetConfig::default())
    }
}

/// The same expression for whichever system it is.
macro_rules! each {
    ($kind:ident, $of:expr, $inner:ident => $value:expr) => {
        match $of {
            $kind::Resnet($inner) => $value,
            $kind::Densenet($inner) => $value,
            $kind::IldCnn($inner) => $value,
            $kind::SoftAttention($inner) => $value,
            $kind::Knee($inner) => $value,
            $kind::Sdfn($inner) => $value,
        }
    };
}

impl ClassifyConfig {
    /// The system of that name, as [`CLASSIFIERS`] lists them or as [`ClassifyConfig::name`] says, with its default
    /// sizes.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that are known.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        Ok(match name {
            "resnet" | "resnet18" => Self::Resnet(ResNetConfig::default()),
            "resnet34" => Self::Resnet(ResNetConfig { depth: 34, ..ResNetConfig::default() }),
            "densenet" | "densenet121" => Self::Densenet(DenseNetConfig::default()),
            "ild-cnn" => Self::IldCnn(IldCnnConfig::default()),
            "soft-attention" => Self::SoftAttention(SoftAttentionConfig::default()),
            "knee" => Self::Knee(KneeConfig::default()),
            "sdfn" => Self::Sdfn(SdfnConfig::default()),
            _ => {
                let known = CLASSIFIERS.map(|(name, _)| name).join(", ");
                return Err(ConfigError::Unknown { field: "system", value: name.to_owned(), known });
            }
        })
    }

    /// The system's name in configuration files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Resnet(_) => "resnet",
            Self::Densenet(_) => "densenet",
            Self::IldCnn(_) => "ild-cnn",
            Self::SoftAttention(_) => "soft-attention",
            Self::Knee(_) => "knee",
            Self::Sdfn(_) => "sdfn",
        }
    }

    /// Where the system was published.
    pub fn citation(&self) -> &'static str {
        match self {
            Self::Resnet(_) => "He, Zhang, Ren and Sun 2016, Deep Residual Learning for Image Recognition, CVPR",
            Self::Densenet(_) => {
                "Huang, Liu, van der Maaten and Weinberger 2017, Densely Connected Convolutional Networks, CVPR"
            }
            Self::IldCnn(_) => {
                "Anthimopoulos et al. 2016, Lung Pattern Classification for Interstitial Lung Diseases Using a Deep \
                 Convolutional Neural Network, IEEE TMI 35:1207"
            }
            Self::SoftAttention(_) => {
                "Poplin et al. 2018, Prediction of cardiovascular risk factors from retinal fundus photographs via \
                 deep learning, Nature Biomedical Engineering 2:158"
            }
            Self::Knee(_) => {
                "Tiulpin et al. 2018, Automatic Knee Osteoarthritis Diagnosis from Plain Radiographs: A Deep \
                 Learning-Based Approach, Scientific Reports 8:1727"
            }
            Self::Sdfn(_) => {
                "Liu et al. 2019, SDFN: Segmentation-based Deep Fusion Network for Thoracic Disease Classification in \
                 Chest X-ray Images, Computerized Medical Imaging and Graphics 75:66"
            }
        }
    }

    /// Pictures that lie one behind the other in the channels of an input: 2 for the network that sees the lungs by
    /// themselves, 1 for all others.
    pub fn pictures(&self) -> usize {
        if matches!(self, Self::Sdfn(_)) { 2 } else { 1 }
    }

    /// Channels that the network reads, of all [`pictures`](Self::pictures).
    pub fn channels(&self) -> usize {
        self.pictures() * each!(Self, self, config => config.channels)
    }

    /// Classes that it tells apart.
    pub fn classes(&self) -> usize {
        each!(Self, self, config => config.classes)
    }

    /// The same system for other channels, a multiple of [`pictures`](Self::pictures), and classes.
    pub fn with_shape(mut self, channels: usize, classes: usize) -> Self {
        let channels = channels / self.pictures();
        each!(Self, &mut self, config => (config.channels, config.classes) = (channels, classes));
        self
    }

    /// The smallest height and width of a square picture that leave the last feature maps one position.
    pub fn smallest(&self) -> usize {
        match self {
            Self::Resnet(_) => 1,
            Self::Densenet(_) | Self::Sdfn(_) => densenet::SMALLEST,
            Self::IldCnn(config) => config.smallest(),
            Self::SoftAttention(config) => config.smallest(),
            Self::Knee(config) => config.smallest(),
        }
    }

    /// Checks that the network can read pictures of that height and width.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] with the size that it needs.
    pub fn check_size(&self, [height, width]: [usize; 2]) -> Result<(), ConfigError> {
        if let Self::Knee(config) = self {
            return config.check_size([height, width]);
        }
        let (smallest, name) = (self.smallest(), self.name());
        if height.min(width) >= smallest {
            return Ok(());
        }
        Err(ConfigError::Conflict(format!(
            "pictures are {height} x {width}, but {name} needs at least {smallest} x {smallest}; use another system or \
             larger pictures"
        )))
    }

    /// Pictures that a step of training needs: two where the last batch normalisation sees one value of each channel in a
    /// picture of that height and width, which by itself has no variance.
    pub fn smallest_batch(&self, [height, width]: [usize; 2]) -> usize {
        let last = |edge: usize| match self {
            Self::Resnet(config) => edge.div_ceil(if config.small_input { 8 } else { 32 }),
            // two layers that round up, three that do not
            Self::Densenet(_) | Self::Sdfn(_) => edge.div_ceil(4) / 8,
            Self::Knee(config) => config.positions(edge),
            // nothing is normalised over the batch
            Self::IldCnn(_) | Self::SoftAttention(_) => 2,
        };
        if last(height) * last(width) > 1 { 1 } else { 2 }
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        each!(Self, self, config => config.validate())
    }

    /// Builds the network with starting values from `rng`.
    ///
    /// # Errors
    /// What [`ClassifyConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<ClassifyNet, ConfigError> {
        Ok(match self {
            Self::Resnet(config) => ClassifyNet::Resnet(config.init(device, rng)?),
            Self::Densenet(config) => ClassifyNet::Densenet(config.init(device, rng)?),
            Self::IldCnn(config) => ClassifyNet::IldCnn(config.init(device, rng)?),
            Self::SoftAttention(config) => ClassifyNet::SoftAttention(config.init(device, rng)?),
            Self::Knee(config) => ClassifyNet::Knee(config.init(device, rng)?),
            Self::Sdfn(config) => ClassifyNet::Sdfn(config.init(device, rng)?),
        })
    }
}

/// A network of any system that names what a picture shows.
// there are a handful of them at a time, and most of each lies behind pointers
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum ClassifyNet {
    /// `ResNet`.
    Resnet(ResNet),
    /// `DenseNet`.
    Densenet(DenseNet),
    /// Anthimopoulos' network.
    IldCnn(IldCnn),
    /// Soft attention.
    SoftAttention(SoftAttention),
    /// The Siamese network for knees.
    Knee(KneeNet),
    /// The network with a branch for the lungs.
    Sdfn(Sdfn),
}

impl ClassifyNet {
    /// The configuration it was built from.
    pub fn config(&self) -> ClassifyConfig {
        match self {
            Self::Resnet(net) => ClassifyConfig::Resnet(net.config().clone()),
            Self::Densenet(net) => ClassifyConfig::Densenet(net.config().clone()),
            Self::IldCnn(net) => ClassifyConfig::IldCnn(net.config().clone()),
            Self::SoftAttention(net) => ClassifyConfig::SoftAttention(net.config().clone()),
            Self::Knee(net) => ClassifyConfig::Knee(net.config().clone()),
            Self::Sdfn(net) => ClassifyConfig::Sdfn(net.config().clone()),
        }
    }
}

impl Classifier for ClassifyNet {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        each!(Self, self, net => net.run(x, rng, probe))
    }

    fn views(&self, size: [usize; 3]) -> Vec<View> {
        each!(Self, self, net => net.views(size))
    }

    fn run_view(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, view: usize, probe: &Probe<4>) -> Tensor<2> {
        each!(Self, self, net => net.run_view(x, rng, view, probe))
    }
}
