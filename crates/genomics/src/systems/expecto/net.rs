//! Body, sums and a linear step for each tissue as one network.

use std::path::Path;
use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::data::rng;
use nn_core::store;
use nn_core::train::StepError;
use serde::{Deserialize, Serialize};

use super::{Beluga, BelugaConfig, Ridge, SpatialConfig};
use crate::genome::{Edge, Genome, GenomeError};
use crate::locus::{Locus, Strand};
use crate::model::ModelError;
use crate::systems::parts::{numbers, tensor};
use crate::task::{TaskCard, TaskNetConfig};

/// Why expression or effects cannot be predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectoError {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A window that the genome does not have.
    #[error(transparent)]
    Genome(#[from] GenomeError),
    /// The device does not give the numbers back.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A window that is too short for its shifts.
    #[error("variant {row}: the {allele} window has {found} bases; {due} are due, with the variant in the middle")]
    Window {
        /// The variant, from 1.
        row: usize,
        /// `reference` or `alternative`.
        allele: &'static str,
        /// Its bases.
        found: usize,
        /// The bases that the shifts need.
        due: usize,
    },
}

/// Sizes and settings of the whole; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectoConfig {
    /// The body; its sizes are those of the weights that are given for it.
    pub body: BelugaConfig,
    /// SHA-256 of the file that the body's weights are from, in hexadecimal.
    pub weights: String,
    /// Which windows around a start are read, and how fast their weights fall off.
    pub spatial: SpatialConfig,
    /// Factor of the squares of the linear step's weights in its penalty.
    pub l2: f64,
    /// Tissues, whose levels are learnt.
    pub tissues: usize,
}

impl Default for ExpectoConfig {
    fn default() -> Self {
        Self {
            body: BelugaConfig::default(),
            weights: String::new(),
            spatial: SpatialConfig::default(),
            l2: Ridge::L2,
            tissues: 218,
        }
    }
}

impl ExpectoConfig {
    /// Sums of marks that the linear step reads of a gene.
    pub fn sums(&self) -> usize {
        self.spatial.sums() * self.body.outputs
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.body.validate()?;
        self.spatial.validate()?;
        in_range("l2", self.l2, 0.0..=1e12)?;
        in_range("tissues", self.tissues, 1..=1_000_000)
    }

    /// The network of a trained `body` and the `weights` of the linear step, as [`Expecto::lines`] puts them together;
    /// zeros where there are none.
    ///
    /// # Errors
    /// What [`ExpectoConfig::validate`] finds, and [`ConfigError::Conflict`] for a body of other sizes or another
    /// number of weights.
    pub fn init(&self, body: Beluga, weights: &[f32], device: &Device) -> Result<Expecto, ConfigError> {
        self.validate()?;
        if body.config() != &self.body {
            return Err(ConfigError::Conflict("the body has other sizes than the settings say".to_owned()));
        }
        let (sums, tissues) = (self.sums(), self.tissues);
        let due = (sums + 1) * tissues;
        let mut weights = if weights.is_empty() { vec![0.0; due] } else { weights.to_vec() };
        if weights.len() != due {
            let found = weights.len();
            return Err(ConfigError::Conflict(format!(
                "the linear step has {found} weights; {due} are due, for {sums} sums and an intercept of each of {tissues} \
                 tissues"
            )));
        }
        let intercepts = weights.split_off(sums * tissues);
        let weight = Param::from_tensor(tensor(weights, [sums, tissues], device));
        let bias = Some(Param::from_tensor(tensor(intercepts, [tissues], device)));
        Ok(Expecto { body, head: Linear { weight, bias }, config: self.clone() })
    }
}

/// Body, sums and a linear step for each tissue.
#[derive(Module, Debug)]
pub struct Expecto {
    body: Beluga,
    head: Linear,
    #[module(skip)]
    config: ExpectoConfig,
}

impl Expecto {
    /// The settings that it was built with.
    pub fn config(&self) -> &ExpectoConfig {
        &self.config
    }

    /// What predicts the marks.
    pub fn body(&self) -> &Beluga {
        &self.body
    }

    /// Reads the network of a trained model, in validation state, with its card.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what of it cannot be used.
    pub fn load(path: &Path, device: &Device) -> Result<(Self, TaskCard), ModelError> {
        let card = TaskCard::load(path)?;
        let TaskNetConfig::Expecto(config) = &card.network else {
            let (path, what, found) = (path.to_owned(), "the network", card.network.system().to_owned());
            return Err(ModelError::Mismatch { path, what, found, reference: "expecto is asked for".to_owned() });
        };
        let impossible = |source| ModelError::Config { path: path.to_owned(), source };
        // The fresh weights are overwritten, so their seed does not matter.
        let body = config.body.init(device, &mut rng(0, &[])).map_err(impossible)?;
        let network = config.init(body, &[], device).map_err(impossible)?;
        let (network, _) = store::load(network, path)?;
        Ok((network.valid(), card))
    }

    /// The linear step of each tissue as the weights of a network: `[sums + 1, tissues]`, the intercepts last.
    ///
    /// # Panics
    /// If the tissues differ in the number of their weights.
    pub fn lines(tissues: &[Ridge]) -> Vec<f32> {
        let sums = tissues.first().map_or(0, |line| line.weights.len());
        let row = |sum: usize| tissues.iter().map(move |line| line.weights[sum] as f32);
        let intercepts = tissues.iter().map(|line| line.intercept as f32);
        (0..sums).flat_map(row).chain(intercepts).collect()
    }

    /// What the linear step reads of genes: the sums of the marks around the start of each, which is the first base in
    /// the direction of its strand. The body must be in validation state.
    ///
    /// # Shapes
    /// - output `[genes, sums * outputs]`
    ///
    /// # Errors
    /// [`ExpectoError`] for a contig that the genome does not have.
    pub fn features(
        body: &Beluga,
        spatial: &SpatialConfig,
        genome: &Genome,
        genes: &[Locus],
    ) -> Result<Vec<f64>, ExpectoError> {
        spatial.validate()?;
        let (offsets, mut found) = (spatial.offsets(), Vec::new());
        for gene in genes {
            let sign = sign(gene.strand);
            let windows = offsets.iter().map(|offset| {
                let start = gene.five_prime() + sign * offset;
                let middle = Locus { contig: Arc::clone(&gene.contig), start, end: start + 1, strand: Strand::Forward };
                genome.window(&middle.centred(body.config().length), Edge::Pad)
            });
            let windows = windows.collect::<Result<Vec<Vec<u8>>, GenomeError>>()?;
            let windows: Vec<&[u8]> = windows.iter().map(Vec::as_slice).collect();
            found.extend(spatial.features(&body.chromatin(&windows)?, &offsets));
        }
        Ok(found)
    }

    /// Expression, on the scale of the levels that were learnt, from the sums of marks.
    ///
    /// # Shapes
    /// - features `[genes, sums]`; output `[genes, tissues]`
    ///
    /// # Panics
    /// If the features do not fill whole rows.
    pub fn predict(&self, features: Vec<f32>) -> Tensor<2> {
        let (weight, sums) = (self.head.weight.val(), self.config.sums());
        let genes = features.len() / sums;
        self.head.forward(tensor(features, [genes, sums], &weight.device()))
    }

    /// The weights of the linear step, `[sums, tissues]`, row-major.
    ///
    /// # Errors
    /// [`StepError`] when the device does not give the numbers back.
    pub fn heads(&self) -> Result<Vec<f64>, StepError> {
        numbers(self.head.weight.val(), "weights")
    }
}

/// 1 on the forward strand, −1 on the reverse.
pub(super) fn sign(strand: Strand) -> i64 {
    match strand {
        Strand::Forward => 1,
        Strand::Reverse => -1,
    }
}
