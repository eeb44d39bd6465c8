//! The published systems for genomics, one file each.
//!
//! Networks that read one-hot sequences are [`Net`]s, built from a [`NetConfig`], which names its system:
//!
//! ```
//! use genomics::systems::{NetConfig, SequenceNet};
//! use nn_core::burn::tensor::{Device, Tensor};
//! use nn_core::data::rng;
//! let device = Device::flex();
//! let config = NetConfig::named("deepbind")?.with_shape(60, 2);
//! let net = config.init(&device, &mut rng(1, &[]))?;
//! assert_eq!(net.logits(Tensor::zeros([3, 4, 60], &device), None).dims(), [3, 2]);
//! # Ok::<(), nn_core::config::ConfigError>(())
//! ```
//!
//! | system | reads | module |
//! |---|---|---|
//! | `DeepBind`, by default with two convolutions | sequences | [`deep_bind`] |
//! | Basset | sequences | [`basset`] |
//! | `DeepMotif`'s three networks | sequences | [`deep_motif`] |
//! | `CNNProm` | sequences | [`cnnprom`] |
//! | `DeepChrome`, `AttentiveChrome` | histone marks, by [`marks`] | [`deep_chrome`], [`attentive_chrome`] |
//! | `DeepCpG` | sequences and methylation | [`deep_cpg`] |
//! | SPEID | pairs of sequences | [`speid`] |
//! | Xpresso | sequences and features | [`xpresso`] |
//! | `ExPecto`'s body, Beluga | sequences | [`expecto`] |
//! | `ExPecto` | sequences around a start | [`expecto`] |
//! | Gene2vec | RNA, in four ways | [`gene2vec`] |
//! | D-GEX, Mostavi's networks, GEDFN | expression, by [`table`] | [`d_gex`], [`mostavi`], [`gedfn`] |
//! | ADAGE, LATE | expression, without labels | [`adage`], [`late`] |

pub mod adage;
pub mod attentive_chrome;
pub mod basset;
mod blocks;
pub mod cnnprom;
pub mod d_gex;
pub mod deep_bind;
pub mod deep_chrome;
pub mod deep_cpg;
pub mod deep_motif;
pub mod expecto;
pub mod gedfn;
pub mod gene2vec;
#[cfg(test)]
pub(crate) mod golden;
pub mod late;
pub mod marks;
pub mod mostavi;
mod parts;
pub mod recipe;
pub mod speid;
pub mod table;
pub mod xpresso;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use nn_core::config::ConfigError;
use nn_core::explain::Rescale;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::basset::{Basset, BassetConfig};
use self::blocks::ConvBlock;
use self::cnnprom::{CnnProm, CnnPromConfig};
use self::deep_bind::{DeepBind, DeepBindConfig};
use self::deep_motif::{Architecture, DeepMotif, DeepMotifConfig};
use self::expecto::{Beluga, BelugaConfig};

/// A network that reads channels along a sequence.
pub trait SequenceNet: Module {
    /// Logits of tasks or classes, or values. Noise such as dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - x `[batch, channels, length]`, the channels of a sequence being A, C, G, T; output `[batch, outputs]`
    fn logits(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2>;

    /// The same without noise, with everything that bends passed through `rescale`, as
    /// [`deep_lift`](nn_core::explain::deep_lift()) needs it; none for a network with gates, which multiply.
    ///
    /// # Shapes
    /// - as [`SequenceNet::logits`]
    fn rescaled(&self, _x: Tensor<3>, _rescale: &Rescale) -> Option<Tensor<2>> {
        None
    }
}

/// Names that [`NetConfig::named`] knows, each with what it is.
pub const SYSTEMS: [(&str, &str); 8] = [
    ("deepbind", "two convolutions over both strands, with normalisation; after Alipanahi et al. 2015"),
    ("deepbind-2015", "the published DeepBind: 16 motifs, their maxima, 32 units"),
    ("basset", "Basset, Kelley et al. 2016: three convolutions, two dense layers"),
    ("deepmotif-cnn", "Deep Motif, Lanchantin et al. 2016: three convolutions"),
    ("deepmotif-rnn", "Deep Motif: a long short-term memory in both directions"),
    ("deepmotif-cnn-rnn", "Deep Motif: a convolution and a memory"),
    ("cnnprom", "CNNProm, Umarov and Solovyev 2017: promoters, place by place"),
    ("beluga", "ExPecto's body, Zhou et al. 2018: six convolutions over 2,000 bases, 2,002 chromatin marks"),
];

/// A system with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub enum NetConfig {
    /// `DeepBind`.
    #[serde(rename = "deepbind")]
    DeepBind(DeepBindConfig),
    /// Basset.
    Basset(BassetConfig),
    /// One of `DeepMotif`'s.
    #[serde(rename = "deepmotif")]
    DeepMotif(DeepMotifConfig),
    /// `CNNProm`.
    #[serde(rename = "cnnprom")]
    CnnProm(CnnPromConfig),
    /// The body of `ExPecto`.
    Beluga(BelugaConfig),
}

impl Default for NetConfig {
    fn default() -> Self {
        Self::DeepBind(DeepBindConfig::default())
    }
}

/// The same expression for whichever system it is.
macro_rules! each {
    ($kind:ident, $of:expr, $inner:ident => $value:expr) => {
        match $of {
            $kind::DeepBind($inner) => $value,
            $kind::Basset($inner) => $value,
            $kind::DeepMotif($inner) => $value,
            $kind::CnnProm($inner) => $value,
            $kind::Beluga($inner) => $value,
        }
    };
}

impl NetConfig {
    /// The system of that name, as [`SYSTEMS`] lists them or as [`NetConfig::system`] says, with its default sizes.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that are known.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let motif = |architecture| Self::DeepMotif(DeepMotifConfig::of(architecture));
        Ok(match name {
            "deepbind" => Self::default(),
            "deepbind-2015" => Self::DeepBind(DeepBindConfig::published()),
            "basset" => Self::Basset(BassetConfig::default()),
            "deepmotif" | "deepmotif-cnn" => motif(Architecture::Cnn),
            "deepmotif-rnn" => motif(Architecture::Rnn),
            "deepmotif-cnn-rnn" => motif(Architecture::CnnRnn),
            "cnnprom" => Self::CnnProm(CnnPromConfig::default()),
            "beluga" => Self::Beluga(BelugaConfig::default()),
            _ => {
                let known = SYSTEMS.map(|(name, _)| name).join(", ");
                return Err(ConfigError::Unknown { field: "system", value: name.to_owned(), known });
            }
        })
    }

    /// The system's name in configuration files.
    pub fn system(&self) -> &'static str {
        match self {
            Self::DeepBind(_) => "deepbind",
            Self::Basset(_) => "basset",
            Self::DeepMotif(_) => "deepmotif",
            Self::CnnProm(_) => "cnnprom",
            Self::Beluga(_) => "beluga",
        }
    }

    /// Bases that the network reads.
    pub fn length(&self) -> usize {
        each!(Self, self, config => config.length)
    }

    /// Numbers that it gives for each sequence.
    pub fn outputs(&self) -> usize {
        each!(Self, self, config => config.outputs)
    }

    /// The same system for sequences of another length and other targets.
    pub fn with_shape(mut self, length: usize, outputs: usize) -> Self {
        each!(Self, &mut self, config => (config.length, config.outputs) = (length, outputs));
        self
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        each!(Self, self, config => config.validate())
    }

    /// Builds the network with starting values from `rng`.
    ///
    /// # Errors
    /// What [`NetConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Net, ConfigError> {
        Ok(match self {
            Self::DeepBind(config) => Net::DeepBind(config.init(device, rng)?),
            Self::Basset(config) => Net::Basset(config.init(device, rng)?),
            Self::DeepMotif(config) => Net::DeepMotif(config.init(device, rng)?),
            Self::CnnProm(config) => Net::CnnProm(config.init(device, rng)?),
            Self::Beluga(config) => Net::Beluga(config.init(device, rng)?),
        })
    }
}

/// A network of any system that reads sequences.
// there are a handful of them at a time, and most of each lies behind pointers
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Net {
    /// `DeepBind`.
    DeepBind(DeepBind),
    /// Basset.
    Basset(Basset),
    /// One of `DeepMotif`'s.
    DeepMotif(DeepMotif),
    /// `CNNProm`.
    CnnProm(CnnProm),
    /// The body of `ExPecto`.
    Beluga(Beluga),
}

impl Net {
    /// The configuration it was built from.
    pub fn config(&self) -> NetConfig {
        match self {
            Self::DeepBind(net) => NetConfig::DeepBind(net.config().clone()),
            Self::Basset(net) => NetConfig::Basset(net.config().clone()),
            Self::DeepMotif(net) => NetConfig::DeepMotif(net.config().clone()),
            Self::CnnProm(net) => NetConfig::CnnProm(net.config().clone()),
            Self::Beluga(net) => NetConfig::Beluga(net.config().clone()),
        }
    }

    /// The filters that scan the bases, `[filters, 4, kernel]`; none for a network without a convolution.
    pub fn first_layer(&self) -> Option<Tensor<3>> {
        match self {
            Self::Beluga(net) => Some(net.first_filters()),
            _ => self.first_block().map(ConvBlock::filters),
        }
    }

    /// What these filters find in sequences that are given without autodiff, as the next layer sees it: behind
    /// normalisation and rectifier. Place `p` of a map is the window that begins at base `p`; windows that hang over an
    /// end of the sequence are left out.
    ///
    /// # Shapes
    /// - x `[batch, 4, length]`; output `[batch, filters, length - kernel + 1]`
    pub fn first_maps(&self, x: Tensor<3>) -> Option<Tensor<3>> {
        match self {
            Self::Beluga(net) => Some(net.first_maps(x)),
            _ => self.first_block().map(|block| block.maps(x)),
        }
    }

    fn first_block(&self) -> Option<&ConvBlock> {
        match self {
            Self::DeepBind(net) => Some(net.first_block()),
            Self::Basset(net) => Some(net.first_block()),
            Self::DeepMotif(net) => net.first_block(),
            Self::CnnProm(net) => Some(net.first_block()),
            // its convolutions stand alone
            Self::Beluga(_) => None,
        }
    }
}

impl SequenceNet for Net {
    fn logits(&self, x: Tensor<3>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        each!(Self, self, net => net.logits(x, rng))
    }

    fn rescaled(&self, x: Tensor<3>, rescale: &Rescale) -> Option<Tensor<2>> {
        each!(Self, self, net => net.rescaled(x, rescale))
    }
}

#[cfg(test)]
mod tests;
