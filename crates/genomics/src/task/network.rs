//! The systems that are tasks, by name.

use nn_core::config::ConfigError;
use nn_core::optim::OptimizerConfig;
use serde::{Deserialize, Serialize};

use super::Prepare;
use crate::systems::attentive_chrome::AttentiveChromeConfig;
use crate::systems::d_gex::DGexConfig;
use crate::systems::deep_chrome::DeepChromeConfig;
use crate::systems::deep_cpg::DeepCpgConfig;
use crate::systems::expecto::ExpectoConfig;
use crate::systems::gedfn::GedfnConfig;
use crate::systems::gene2vec::Gene2vecConfig;
use crate::systems::mostavi::{Kind, MostaviConfig};
use crate::systems::recipe::Recipe;
use crate::systems::speid::SpeidConfig;
use crate::systems::xpresso::XpressoConfig;

/// Names that [`TaskNetConfig::named`] knows, each with what it is.
pub const TASKS: [(&str, &str); 12] = [
    ("speid", "SPEID, Singh et al. 2019: whether an enhancer and a promoter interact"),
    ("gene2vec", "Gene2vec, Zou et al. 2019: sites of m6A by the vote of four networks"),
    ("deepcpg", "DeepCpG, Angermueller et al. 2017: methylation of single cells"),
    ("xpresso", "Xpresso, Agarwal and Shendure 2020: expression from promoters and features of the messenger"),
    ("expecto", "ExPecto, Zhou et al. 2018: expression from the chromatin marks that a body predicts around starts"),
    ("deepchrome", "DeepChrome, Singh et al. 2016: expression from histone marks"),
    ("attentive-chrome", "AttentiveChrome, Singh et al. 2017: the same with attention to bins and marks"),
    ("mostavi-1d", "Mostavi et al. 2020: types of tumours from expression, filters over lines of genes"),
    ("mostavi-2d", "the same, square filters"),
    ("mostavi-hybrid", "the same, filters over lines and over columns"),
    ("gedfn", "GEDFN, Kong and Yu 2018: outcomes from expression and a network of genes"),
    ("d-gex", "D-GEX, Chen et al. 2016: expression of all genes from that of landmarks"),
];

/// What a system reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Pairs of enhancers and promoters.
    Pairs,
    /// Labelled sequences.
    Sequences,
    /// Methylated sites of single cells.
    Methylation,
    /// Starts of genes with features.
    Genes,
    /// Starts of genes, and the body that predicts the marks around them.
    Starts,
    /// Histone marks in bins around genes.
    Marks,
    /// Expression of genes in samples that have a class.
    Classes,
    /// Expression of genes in samples, some of which are inferred from the others.
    Landmarks,
}

/// A system with its sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "system", rename_all = "kebab-case")]
pub enum TaskNetConfig {
    /// SPEID.
    Speid(SpeidConfig),
    /// Gene2vec.
    Gene2vec(Gene2vecConfig),
    /// `DeepCpG`.
    #[serde(rename = "deepcpg")]
    DeepCpg(DeepCpgConfig),
    /// Xpresso.
    Xpresso(XpressoConfig),
    /// `ExPecto`.
    Expecto(ExpectoConfig),
    /// `DeepChrome`.
    #[serde(rename = "deepchrome")]
    DeepChrome(DeepChromeConfig),
    /// `AttentiveChrome`.
    AttentiveChrome(AttentiveChromeConfig),
    /// One of Mostavi's.
    Mostavi(MostaviConfig),
    /// GEDFN.
    Gedfn(GedfnConfig),
    /// D-GEX.
    DGex(DGexConfig),
}

impl Default for TaskNetConfig {
    fn default() -> Self {
        Self::Speid(SpeidConfig::default())
    }
}

impl TaskNetConfig {
    /// The system of that name, as [`TASKS`] lists them or as [`TaskNetConfig::system`] says, with its default sizes.
    ///
    /// # Errors
    /// [`ConfigError::Unknown`] with the names that are known.
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let mostavi = |kind| Self::Mostavi(MostaviConfig { kind, ..MostaviConfig::default() });
        Ok(match name {
            "speid" => Self::default(),
            "gene2vec" => Self::Gene2vec(Gene2vecConfig::default()),
            "deepcpg" => Self::DeepCpg(DeepCpgConfig::default()),
            "xpresso" => Self::Xpresso(XpressoConfig::default()),
            "expecto" => Self::Expecto(ExpectoConfig::default()),
            "deepchrome" => Self::DeepChrome(DeepChromeConfig::default()),
            "attentive-chrome" => Self::AttentiveChrome(AttentiveChromeConfig::default()),
            "mostavi" | "mostavi-1d" => mostavi(Kind::Lines),
            "mostavi-2d" => mostavi(Kind::Squares),
            "mostavi-hybrid" => mostavi(Kind::Hybrid),
            "gedfn" => Self::Gedfn(GedfnConfig::default()),
            "d-gex" => Self::DGex(DGexConfig::default()),
            _ => {
                let known = TASKS.map(|(name, _)| name).join(", ");
                return Err(ConfigError::Unknown { field: "system", value: name.to_owned(), known });
            }
        })
    }

    /// The system's name in configuration files.
    pub fn system(&self) -> &'static str {
        match self {
            Self::Speid(_) => "speid",
            Self::Gene2vec(_) => "gene2vec",
            Self::DeepCpg(_) => "deepcpg",
            Self::Xpresso(_) => "xpresso",
            Self::Expecto(_) => "expecto",
            Self::DeepChrome(_) => "deepchrome",
            Self::AttentiveChrome(_) => "attentive-chrome",
            Self::Mostavi(_) => "mostavi",
            Self::Gedfn(_) => "gedfn",
            Self::DGex(_) => "d-gex",
        }
    }

    /// What the system reads.
    pub fn reads(&self) -> Reads {
        match self {
            Self::Speid(_) => Reads::Pairs,
            Self::Gene2vec(_) => Reads::Sequences,
            Self::DeepCpg(_) => Reads::Methylation,
            Self::Xpresso(_) => Reads::Genes,
            Self::Expecto(_) => Reads::Starts,
            Self::DeepChrome(_) | Self::AttentiveChrome(_) => Reads::Marks,
            Self::Mostavi(_) | Self::Gedfn(_) => Reads::Classes,
            Self::DGex(_) => Reads::Landmarks,
        }
    }

    /// How the authors train it.
    pub fn recipe(&self) -> Recipe {
        match self {
            Self::Speid(_) => SpeidConfig::recipe(),
            Self::Gene2vec(_) => Gene2vecConfig::recipe(),
            Self::DeepCpg(_) => DeepCpgConfig::recipe(),
            Self::Xpresso(_) => XpressoConfig::recipe(),
            // its linear step is solved: none of this is used
            Self::Expecto(_) => Recipe::new(OptimizerConfig::adam(), 1e-3, 64, 1),
            Self::DeepChrome(_) => DeepChromeConfig::recipe(),
            Self::AttentiveChrome(_) => AttentiveChromeConfig::recipe(),
            Self::Mostavi(_) => MostaviConfig::recipe(),
            Self::Gedfn(_) => GedfnConfig::recipe(),
            Self::DGex(config) => config.recipe(),
        }
    }

    /// What is done to the numbers of the files where nothing else is said.
    pub(super) fn prepare(&self) -> Prepare {
        match self {
            // `train.py` of the authors, with the natural logarithm: a factor of all levels, which changes no
            // correlation
            Self::Expecto(_) => Prepare { logarithms: Vec::new(), pseudocount: 1e-4, ..Prepare::default() },
            _ => Prepare::default(),
        }
    }

    /// The norm at which the authors cut gradients; 0 where they do not.
    pub(super) fn clip_norm(&self) -> f64 {
        match self {
            Self::AttentiveChrome(_) => 1.0,
            _ => 0.0,
        }
    }
}
