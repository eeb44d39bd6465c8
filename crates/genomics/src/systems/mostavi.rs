//! Convolutional networks for the type of a tumour from the expression of all genes.
//!
//! Mostavi, Chiu, Huang and Chen 2020, *Convolutional neural network models for cancer type prediction based on gene
//! expression*, BMC Medical Genomics 13(S5):44. Layers and constants as in `5cv_34class/` of the authors' repository
//! chenlabgccri/CancerTypePrediction at b213ac3: `5cv_1D_CNN_34class.py`, `5cv_Vanilla_34class.py`,
//! `5cv_hybrid_34class.py`.
//!
//! The genes of a sample, in the order of the table and with zeros behind the last, are the lines of an image. A filter of
//! the first network covers a whole line, one of the second a square, and the hybrid has filters of whole lines and
//! of whole columns. Behind the long filters the authors pool windows of one place two places apart: this is no maximum,
//! it keeps every second place, and here the others are not computed.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Conv2d, ConvConfig, dense};
use nn_core::models::mlp::TableModel;
use nn_core::ops::max_pool;
use nn_core::optim::OptimizerConfig;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;

/// Which of the three networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Filters over whole lines (1D-CNN).
    #[default]
    Lines,
    /// Square filters (2D-Vanilla-CNN).
    Squares,
    /// Filters over whole lines and over whole columns (2D-Hybrid-CNN).
    Hybrid,
}

/// Sizes of the networks; the defaults are the authors'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MostaviConfig {
    /// Which network.
    pub kind: Kind,
    /// Genes of a sample; zeros behind them fill the image.
    pub genes: usize,
    /// Lines of the image.
    pub lines: usize,
    /// Genes of a line.
    pub columns: usize,
    /// Filters of each convolution.
    pub filters: usize,
    /// Lines and columns of a square filter.
    pub kernel: usize,
    /// Lines and columns from one place of a square filter to the next.
    pub stride: usize,
    /// Lines and columns that a maximum takes together behind the square filters.
    pub pool: usize,
    /// Units of the dense layer.
    pub hidden: usize,
    /// Types of tumours.
    pub classes: usize,
}

impl Default for MostaviConfig {
    /// 7,091 genes and 34 classes: 33 types of tumours, and tissue without one.
    fn default() -> Self {
        Self {
            kind: Kind::Lines,
            genes: 7091,
            lines: 100,
            columns: 71,
            filters: 32,
            kernel: 10,
            stride: 2,
            pool: 2,
            hidden: 128,
            classes: 34,
        }
    }
}

impl MostaviConfig {
    /// The authors' filters on an image of about their proportions.
    pub fn for_genes(kind: Kind, genes: usize, classes: usize) -> Self {
        let columns = ((genes as f64 * 0.71).sqrt().round() as usize).max(1);
        Self { kind, genes, lines: genes.div_ceil(columns).max(1), columns, classes, ..Self::default() }
    }

    /// Adam with Keras' constants at 1e-3, batches of 128, 50 epochs, patience of 3. The authors watch the accuracy on
    /// the training part.
    pub fn recipe() -> Recipe {
        Recipe::new(OptimizerConfig::adam_keras(), 1e-3, 128, 50).with_patience(3)
    }

    /// Lines and columns behind the square filters and behind their maximum.
    fn squares(&self) -> [[usize; 2]; 2] {
        let size = [self.lines, self.columns];
        let found = size.map(|length| length.checked_sub(self.kernel).map_or(0, |spare| spare / self.stride + 1));
        [found, found.map(|length| length / self.pool)]
    }

    /// Values that the dense layer reads.
    fn width(&self) -> usize {
        let places = match self.kind {
            Kind::Lines => self.lines.div_ceil(2),
            Kind::Hybrid => self.lines.div_ceil(2) + self.columns.div_ceil(2),
            Kind::Squares => self.squares()[1].iter().product(),
        };
        self.filters * places
    }

    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; the image must hold the genes, and a square
    /// filter with its maximum must fit into it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("lines", self.lines, 1..=65_536)?;
        in_range("columns", self.columns, 1..=65_536)?;
        in_range("genes", self.genes, 1..=self.lines * self.columns)?;
        in_range("filters", self.filters, 1..=65_536)?;
        in_range("stride", self.stride, 1..=4096)?;
        in_range("pool", self.pool, 1..=4096)?;
        if self.kind == Kind::Squares {
            in_range("kernel", self.kernel, 1..=self.lines.min(self.columns))?;
            in_range("pool", self.pool, 1..=self.squares()[0].into_iter().min().unwrap_or(0))?;
        }
        in_range("hidden", self.hidden, 1..=1_000_000)?;
        in_range("classes", self.classes, 2..=65_536)
    }

    /// Builds the network from Glorot's uniform distribution.
    ///
    /// # Errors
    /// What [`MostaviConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Mostavi, ConfigError> {
        self.validate()?;
        let mut long = |length: usize, wanted: bool| wanted.then(|| self.long(length, device, rng));
        let line_filters = long(self.columns, self.kind != Kind::Squares);
        let column_filters = long(self.lines, self.kind == Kind::Hybrid);
        let squares = match self.kind {
            Kind::Squares => {
                let conv = ConvConfig::new(1, self.filters, self.kernel).with_stride(self.stride);
                Some(conv.with_init(Init::GlorotUniform).init(device, rng)?)
            }
            _ => None,
        };
        let hidden = dense([self.width(), self.hidden], Init::GlorotUniform, device, rng);
        let output = dense([self.hidden, self.classes], Init::GlorotUniform, device, rng);
        Ok(Mostavi { line_filters, column_filters, squares, hidden, output, config: self.clone() })
    }

    /// Filters over a whole line, which are a dense layer of each line; Keras counts their fan as that of a convolution.
    fn long(&self, length: usize, device: &Device, rng: &mut ChaCha8Rng) -> Linear {
        let fan = Fan { inputs: length, outputs: length * self.filters };
        let weight = Init::GlorotUniform.param([length, self.filters], fan, rng, device);
        Linear { weight, bias: Some(Param::from_tensor(Tensor::zeros([self.filters], device))) }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Mostavi {
    line_filters: Option<Linear>,
    column_filters: Option<Linear>,
    squares: Option<Conv2d>,
    hidden: Linear,
    output: Linear,
    #[module(skip)]
    config: MostaviConfig,
}

impl Mostavi {
    /// The sizes it was built with.
    pub fn config(&self) -> &MostaviConfig {
        &self.config
    }
}

impl TableModel for Mostavi {
    /// Logits of the classes.
    ///
    /// # Shapes
    /// - x `[batch, genes]`; output `[batch, classes]`
    fn logits(&self, x: Tensor<2>, _rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let MostaviConfig { lines, columns, pool, .. } = self.config;
        let ([batch, genes], device) = (x.dims(), x.device());
        let spare = lines * columns - genes;
        let x = if spare > 0 { Tensor::cat(vec![x, Tensor::zeros([batch, spare], &device)], 1) } else { x };
        let image = x.reshape::<3, _>([batch, lines, columns]);
        let mut found = Vec::with_capacity(2);
        if let Some(filters) = &self.line_filters {
            found.push(every_second(image.clone(), filters)); // [batch, lines / 2 * filters]
        }
        if let Some(filters) = &self.column_filters {
            found.push(every_second(image.clone().swap_dims(1, 2), filters)); // [batch, columns / 2 * filters]
        }
        if let Some(filters) = &self.squares {
            let x = relu(filters.forward(image.unsqueeze_dim::<4>(1))); // [batch, filters, lines, columns]
            found.push(max_pool(x, [pool; 2], [pool; 2], [0; 2]).flatten::<2>(1, 3)); // [batch, filters * places]
        }
        let x = relu(self.hidden.forward(Tensor::cat(found, 1))); // [batch, hidden]
        self.output.forward(x) // [batch, classes]
    }
}

/// Filters over the lines 0, 2, 4 and so on.
///
/// # Shapes
/// - x `[batch, lines, columns]`; output `[batch, lines / 2 * filters]`, rounded up
fn every_second(x: Tensor<3>, filters: &Linear) -> Tensor<2> {
    let ([batch, lines, columns], device) = (x.dims(), x.device());
    let x = if lines % 2 == 1 { Tensor::cat(vec![x, Tensor::zeros([batch, 1, columns], &device)], 1) } else { x };
    let x = x.reshape::<3, _>([batch, lines.div_ceil(2), 2 * columns]).narrow(2, 0, columns); // [batch, lines / 2, columns]
    relu(filters.forward(x)).flatten::<2>(1, 2) // [batch, lines / 2 * filters]
}

#[cfg(test)]
mod tests;
