//! Where the body of a classifier ends and its head begins, and how the names of other programs become ours: what
//! transfer needs to know of each system.

use nn_core::store::PyTorchImport;

use super::densenet::DenseNetConfig;
use super::sdfn::{Branch, SdfnConfig};
use super::{ClassifyConfig, ClassifyNet};

/// Below this name is what of a checkpoint the network has no place for.
pub(crate) const LEFT: &str = "left";

impl ClassifyConfig {
    /// How the names of a checkpoint of PyTorch (torchvision's where it has the system) become those of the network.
    /// Channels and classes must be the checkpoint's.
    pub fn pytorch(&self) -> PyTorchImport {
        match self {
            Self::Densenet(_) => DenseNetConfig::pytorch(),
            Self::Resnet(_) | Self::IldCnn(_) | Self::SoftAttention(_) | Self::Knee(_) | Self::Sdfn(_) => {
                PyTorchImport::default()
            }
        }
    }

    /// The same for a checkpoint whose last layer names other classes: it is left over, and the network keeps its own.
    /// A network of several branches takes the checkpoint, of the network that its branches are, once for each.
    pub fn pytorch_body(&self) -> Vec<PyTorchImport> {
        let head = match self {
            Self::Resnet(_) => "fc",
            Self::Densenet(_) => "classifier",
            Self::IldCnn(_) | Self::SoftAttention(_) | Self::Knee(_) => "output",
            Self::Sdfn(_) => return [Branch::Whole, Branch::Lungs].map(SdfnConfig::pytorch).to_vec(),
        };
        let mut import = self.pytorch();
        import.renames.push((format!(r"^{head}\."), format!("{LEFT}.{head}.")));
        vec![import]
    }
}

impl ClassifyNet {
    /// The layer that names the classes, as [`nn_core::transfer`] wants it: its path in the network and in our files,
    /// and its name in files of PyTorch.
    pub fn head(&self) -> [&'static str; 2] {
        match self {
            Self::Resnet(_) => ["Resnet.fc", "fc"],
            Self::Densenet(_) => ["Densenet.classifier", "classifier"],
            Self::IldCnn(_) => ["IldCnn.output", "output"],
            Self::SoftAttention(_) => ["SoftAttention.output", "output"],
            Self::Knee(_) => ["Knee.output", "output"],
            Self::Sdfn(_) => ["Sdfn.classifier", "classifier"],
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
            Self::Knee(_) => &["Knee.branch", "Knee.output"],
            Self::Sdfn(_) => &["Sdfn.whole", "Sdfn.lungs", "Sdfn.classifier"],
        }
    }
}
