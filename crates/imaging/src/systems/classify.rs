//! Any network that names what a picture shows, by name.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::explain::Probe;
use nn_core::store::PyTorchImport;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::Classifier;
use super::densenet::{self, DenseNet, DenseNetConfig};
use super::ild_cnn::{IldCnn, IldCnnConfig};
use super::resnet::{ResNet, ResNetConfig};
use super::soft_attention::{SoftAttention, SoftAttentionConfig};

/// Names that [`ClassifyConfig::named`] knows, each with what it is.
pub const CLASSIFIERS: [(&str, &str); 5] = [
    ("resnet18", "ResNet-18, He et al. 2016, with torchvision's names of the weights"),
    ("resnet34", "ResNet-34, He et al. 2016"),
    ("densenet121", "DenseNet-121, Huang et al. 2017"),
    ("ild-cnn", "network for patches of interstitial lung disease, Anthimopoulos et al. 2016"),
    ("soft-attention", "soft attention over the feature map, after Poplin et al. 2018"),
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
        }
    }

    /// Channels that the network reads.
    pub fn channels(&self) -> usize {
        each!(Self, self, config => config.channels)
    }

    /// Classes that it tells apart.
    pub fn classes(&self) -> usize {
        each!(Self, self, config => config.classes)
    }

    /// The same system for other channels and classes.
    pub fn with_shape(mut self, channels: usize, classes: usize) -> Self {
        each!(Self, &mut self, config => (config.channels, config.classes) = (channels, classes));
        self
    }

    /// The smallest height and width that leave the last feature maps one position.
    pub fn smallest(&self) -> usize {
        match self {
            Self::Resnet(_) => 1,
            Self::Densenet(_) => densenet::SMALLEST,
            Self::IldCnn(config) => config.smallest(),
            Self::SoftAttention(config) => config.smallest(),
        }
    }

    /// Pictures that a step of training needs: two where the last batch normalisation sees one value of each channel in a
    /// picture of that height and width, which by itself has no variance.
    pub fn smallest_batch(&self, [height, width]: [usize; 2]) -> usize {
        let last = |edge: usize| match self {
            Self::Resnet(config) => edge.div_ceil(if config.small_input { 8 } else { 32 }),
            // two layers that round up, three that do not
            Self::Densenet(_) => edge.div_ceil(4) / 8,
            // nothing is normalised over the batch
            Self::IldCnn(_) | Self::SoftAttention(_) => 2,
        };
        if last(height) * last(width) > 1 { 1 } else { 2 }
    }

    /// How the names of a checkpoint of PyTorch (torchvision's where it has the system) become those of the network.
    /// Channels and classes must be the checkpoint's.
    pub fn pytorch(&self) -> PyTorchImport {
        match self {
            Self::Densenet(_) => DenseNetConfig::pytorch(),
            Self::Resnet(_) | Self::IldCnn(_) | Self::SoftAttention(_) => PyTorchImport::default(),
        }
    }

    /// The same for a checkpoint whose last layer names other classes: it is left over, and the network keeps its own.
    pub fn pytorch_body(&self) -> PyTorchImport {
        let head = match self {
            Self::Resnet(_) => "fc",
            Self::Densenet(_) => "classifier",
            Self::IldCnn(_) | Self::SoftAttention(_) => "output",
        };
        let mut import = self.pytorch();
        import.renames.push((format!(r"^{head}\."), format!("left.{head}.")));
        import
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
}

impl ClassifyNet {
    /// The configuration it was built from.
    pub fn config(&self) -> ClassifyConfig {
        match self {
            Self::Resnet(net) => ClassifyConfig::Resnet(net.config().clone()),
            Self::Densenet(net) => ClassifyConfig::Densenet(net.config().clone()),
            Self::IldCnn(net) => ClassifyConfig::IldCnn(net.config().clone()),
            Self::SoftAttention(net) => ClassifyConfig::SoftAttention(net.config().clone()),
        }
    }

    /// The layer that names the classes, as [`nn_core::transfer`] wants it: its path in the network and in our files,
    /// and its name in files of PyTorch.
    pub fn head(&self) -> [&'static str; 2] {
        match self {
            Self::Resnet(_) => ["Resnet.fc", "fc"],
            Self::Densenet(_) => ["Densenet.classifier", "classifier"],
            Self::IldCnn(_) => ["IldCnn.output", "output"],
            Self::SoftAttention(_) => ["SoftAttention.output", "output"],
        }
    }

    /// The paths of all parts from the input to the head, for learning rates and thawing by depth. All but the last are
    /// the body.
    pub fn parts(&self) -> &'static [&'static str] {
        match self {
            Self::Resnet(_) => &[
                "Resnet.conv1",
                "Resnet.bn1",
                "Resnet.layer1",
                "Resnet.layer2",
                "Resnet.layer3",
                "Resnet.layer4",
                "Resnet.fc",
            ],
            Self::Densenet(_) => &[
                "Densenet.features.conv0",
                "Densenet.features.norm0",
                "Densenet.features.denseblock1",
                "Densenet.features.transition1",
                "Densenet.features.denseblock2",
                "Densenet.features.transition2",
                "Densenet.features.denseblock3",
                "Densenet.features.transition3",
                "Densenet.features.denseblock4",
                "Densenet.features.norm5",
                "Densenet.classifier",
            ],
            Self::IldCnn(_) => &["IldCnn.convolutions", "IldCnn.hidden", "IldCnn.output"],
            Self::SoftAttention(_) => {
                &["SoftAttention.convolutions", "SoftAttention.attention", "SoftAttention.output"]
            }
        }
    }
}

impl Classifier for ClassifyNet {
    fn run(&self, x: Tensor<4>, rng: Option<&mut ChaCha8Rng>, probe: &Probe<4>) -> Tensor<2> {
        each!(Self, self, net => net.run(x, rng, probe))
    }
}
