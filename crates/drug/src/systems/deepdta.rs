//! DeepDTA: binding affinity from the characters of a SMILES string and of a protein sequence.
//!
//! Öztürk, Özgür and Ozkirimli 2018, *DeepDTA: deep drug–target binding affinity prediction*,
//! Bioinformatics 34:i821. Constants and layer order as in the authors' `run_experiments.py`
//! (`build_combined_categorical`, repository hkmztrk/DeepDTA at a546a84).
//!
//! Each branch embeds its characters and runs three convolutions of one kernel width and a global
//! maximum; the two 96-vectors are joined and pass three dense layers. [`DeepDta::encode`] and
//! [`DeepDta::join`] give the same numbers as the plain network [`DeepDta::forward`] with less work:
//! a batch encodes each distinct molecule and protein once, the embedding and first convolution are
//! table look-ups, and no position of the padded tail is convolved twice.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Conv1d, ConvConfig, dropout};
use nn_core::ops::{self, Codes};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What stands behind the last character of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// The paper's code: zeros up to the maximal length, which the global maximum sees as well.
    Seen,
    /// The maximum is taken over windows inside the string only, so a prediction does not depend on
    /// the maximal length. A string shorter than three convolutions reach (22 characters at kernel 8,
    /// 34 at 12) has no such window; it is padded to that length and gets the one window there is.
    Masked,
}

/// Sizes of the network; the defaults are the paper's for Davis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepDtaConfig {
    /// Number of SMILES labels without the padding (64 in `CHARISOSMISET`).
    pub smiles_vocabulary: usize,
    /// Number of residue labels without the padding (25 in `CHARPROTSET`).
    pub protein_vocabulary: usize,
    /// SMILES characters read; longer strings are cut (85 for Davis, 100 for KIBA).
    pub smiles_length: usize,
    /// Residues read; longer sequences are cut (1,200 for Davis, 1,000 for KIBA).
    pub protein_length: usize,
    /// Width of the embeddings.
    pub embedding: usize,
    /// Filters of the first convolution; the second has twice, the third three times as many.
    pub filters: usize,
    /// Kernel width of all three drug convolutions (the paper searches 4, 6, 8).
    pub smiles_kernel: usize,
    /// Kernel width of all three protein convolutions (the paper searches 4, 8, 12).
    pub protein_kernel: usize,
    /// Dropout behind the first two dense layers.
    pub dropout: f64,
    /// Whether the maximum sees the padding.
    pub padding: Padding,
}

impl Default for DeepDtaConfig {
    fn default() -> Self {
        Self {
            smiles_vocabulary: 64,
            protein_vocabulary: 25,
            smiles_length: 85,
            protein_length: 1200,
            embedding: 128,
            filters: 32,
            smiles_kernel: 8,
            protein_kernel: 12,
            dropout: 0.1,
            padding: Padding::Seen,
        }
    }
}

impl DeepDtaConfig {
    /// # Errors
    /// [`ConfigError::OutOfRange`] with the field, its value and the range; lengths must hold three
    /// convolutions, that is `3 (kernel − 1) + 1` characters.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("smiles_vocabulary", self.smiles_vocabulary, 1..=255)?;
        in_range("protein_vocabulary", self.protein_vocabulary, 1..=255)?;
        in_range("embedding", self.embedding, 1..=4096)?;
        in_range("filters", self.filters, 1..=4096)?;
        in_range("smiles_kernel", self.smiles_kernel, 1..=64)?;
        in_range("protein_kernel", self.protein_kernel, 1..=64)?;
        in_range("smiles_length", self.smiles_length, 3 * (self.smiles_kernel - 1) + 1..=100_000)?;
        in_range("protein_length", self.protein_length, 3 * (self.protein_kernel - 1) + 1..=100_000)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Builds the network with Keras' initialisation: Glorot uniform, embeddings U(−0.05, 0.05), the
    /// last kernel N(0, 0.05), zero biases.
    ///
    /// # Errors
    /// What [`DeepDtaConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<DeepDta, ConfigError> {
        self.validate()?;
        let drug = self.branch(self.smiles_vocabulary, self.smiles_kernel, device, rng)?;
        let protein = self.branch(self.protein_vocabulary, self.protein_kernel, device, rng)?;
        let mut dense = |inputs: usize, outputs: usize| {
            let mut layer = LinearConfig::new(inputs, outputs).init(device);
            layer.weight = Init::GlorotUniform.param([inputs, outputs], Fan::dense([inputs, outputs]), rng, device);
            layer.bias = Some(zeros(outputs, device));
            layer
        };
        let (dense1, dense2, dense3) = (dense(6 * self.filters, 1024), dense(1024, 1024), dense(1024, 512));
        let mut output = dense(512, 1);
        output.weight = Init::Normal(0.05).param([512, 1], Fan::dense([512, 1]), rng, device);
        Ok(DeepDta { drug, protein, dense1, dense2, dense3, output, config: self.clone() })
    }

    fn branch(
        &self,
        vocabulary: usize,
        kernel: usize,
        device: &Device,
        rng: &mut ChaCha8Rng,
    ) -> Result<Branch, ConfigError> {
        let mut embedding = EmbeddingConfig::new(vocabulary + 1, self.embedding).init(device);
        let shape = [vocabulary + 1, self.embedding];
        embedding.weight = Init::KerasEmbedding.param(shape, Fan::dense(shape), rng, device);
        let mut conv = |inputs: usize, outputs: usize| {
            ConvConfig::new(inputs, outputs, kernel).with_init(Init::GlorotUniform).init(device, rng)
        };
        let (f, d) = (self.filters, self.embedding);
        Ok(Branch { embedding, conv1: conv(d, f)?, conv2: conv(f, 2 * f)?, conv3: conv(2 * f, 3 * f)? })
    }
}

fn zeros(size: usize, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(Tensor::zeros([size], device))
}

/// Characters to one vector: embedding, three convolutions, global maximum.
#[derive(Module, Debug)]
pub struct Branch {
    embedding: Embedding,
    conv1: Conv1d,
    conv2: Conv1d,
    conv3: Conv1d,
}

impl Branch {
    /// # Shapes
    /// - ids `[batch, length]`, 0 is padding; output `[batch, 3 * filters, length - 3 (kernel - 1)]`
    fn convolve(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        let x = self.embedding.forward(ids).swap_dims(1, 2); // [batch, embedding, length]
        let x = relu(self.conv1.forward(x)); // [batch, filters, length - (kernel - 1)]
        let x = relu(self.conv2.forward(x)); // [batch, 2 filters, length - 2 (kernel - 1)]
        relu(self.conv3.forward(x)) // [batch, 3 filters, length - 3 (kernel - 1)]
    }

    /// Convolutions and maximum over strings that lie back to back, by the operations of `nn_core::ops`.
    ///
    /// # Shapes
    /// - codes: `n` strings; output `[n, 3 * filters]`
    fn encode(&self, codes: &Codes) -> Tensor<2> {
        let [filters, embedding, kernel] = self.conv1.weight.dims();
        let [vocabulary, _] = self.embedding.weight.dims();
        let first = self.conv1.weight.val().permute([1, 2, 0]).reshape([embedding, kernel * filters]);
        let table = self.embedding.weight.val().matmul(first).reshape([vocabulary, kernel, filters]);
        let layout = codes.layout();
        let x = ops::lookup_conv_relu(table, bias(&self.conv1), codes); // [rows, filters]
        let layout = layout.after(kernel);
        let x = ops::conv_relu(x, offset_major(&self.conv2), bias(&self.conv2), &layout); // [rows, 2 filters]
        ops::conv_relu_max(x, offset_major(&self.conv3), bias(&self.conv3), &layout.after(kernel)) // [n, 3 filters]
    }
}

/// A convolution's weight `[out, in, kernel]` as `[kernel * in, out]`.
fn offset_major(conv: &Conv1d) -> Tensor<2> {
    let [outputs, inputs, kernel] = conv.weight.dims();
    conv.weight.val().permute([2, 1, 0]).reshape([kernel * inputs, outputs])
}

fn bias(conv: &Conv1d) -> Tensor<1> {
    conv.bias.as_ref().map_or_else(|| Tensor::zeros([conv.weight.dims()[0]], &conv.weight.device()), Param::val)
}

/// Which of the two strings a branch reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The SMILES string.
    Drug,
    /// The protein sequence.
    Protein,
}

/// The network.
#[derive(Module, Debug)]
pub struct DeepDta {
    drug: Branch,
    protein: Branch,
    dense1: Linear,
    dense2: Linear,
    dense3: Linear,
    output: Linear,
    #[module(skip)]
    config: DeepDtaConfig,
}

impl DeepDta {
    /// The sizes it was built with.
    pub fn config(&self) -> &DeepDtaConfig {
        &self.config
    }

    /// Encodes each string of a side once.
    ///
    /// # Shapes
    /// - strings: `n` label sequences, unpadded, no longer than the side's length
    /// - output `[n, 3 * filters]`
    pub fn encode(&self, side: Side, strings: &[&[u8]]) -> Tensor<2> {
        let (branch, length, reach) = self.side(side);
        let device = branch.embedding.weight.device();
        if strings.is_empty() {
            return Tensor::zeros([0, 3 * self.config.filters], &device);
        }
        if !ops::available(&device) {
            return self.plain(side, strings);
        }
        // Behind the last character one window of padding in the third convolution stands for all
        // that would follow: they are equal, and a maximum needs one of them.
        branch.encode(&Codes::new(strings.iter().copied(), |n| match self.config.padding {
            Padding::Seen => (n + reach).min(length) - n,
            Padding::Masked => reach.saturating_sub(n),
        }))
    }

    /// The branch of a side, its length, and the characters that one window of the third convolution sees.
    fn side(&self, side: Side) -> (&Branch, usize, usize) {
        let config = &self.config;
        match side {
            Side::Drug => (&self.drug, config.smiles_length, 3 * (config.smiles_kernel - 1) + 1),
            Side::Protein => (&self.protein, config.protein_length, 3 * (config.protein_kernel - 1) + 1),
        }
    }

    /// [`DeepDta::encode`] composed of burn's own operations, all strings in one rectangle.
    fn plain(&self, side: Side, strings: &[&[u8]]) -> Tensor<2> {
        let (branch, length, reach) = self.side(side);
        let device = branch.embedding.weight.device();
        if self.config.padding == Padding::Seen {
            return branch.convolve(padded(strings, length, &device)).max_dim(2).squeeze_dim(2);
        }
        let windows = |n: usize| n.max(reach) - reach + 1;
        let longest = strings.iter().map(|s| s.len()).max().unwrap_or(0).max(reach);
        let mut mask = vec![0.0_f32; strings.len() * windows(longest)];
        for (row, string) in mask.chunks_exact_mut(windows(longest)).zip(strings) {
            row[..windows(string.len())].fill(1.0);
        }
        let mask = Tensor::<3>::from_data(TensorData::new(mask, [strings.len(), 1, windows(longest)]), &device);
        // No activation is below zero, so a zero in place of a window of padding never wins wrongly.
        let x = branch.convolve(padded(strings, longest, &device)) * mask; // [n, 3 filters, windows]
        x.max_dim(2).squeeze_dim(2) // [n, 3 filters]
    }

    /// From two encodings to the affinity.
    ///
    /// # Shapes
    /// - drug, protein `[batch, 3 * filters]`; output `[batch]`
    ///
    /// Dropout acts when a generator is given.
    pub fn join(&self, drug: Tensor<2>, protein: Tensor<2>, mut rng: Option<&mut ChaCha8Rng>) -> Tensor<1> {
        let x = Tensor::cat(vec![drug, protein], 1); // [batch, 6 filters]
        let x = relu(self.dense1.forward(x)); // [batch, 1024]
        let x = dropout(x, self.config.dropout, rng.as_deref_mut());
        let x = relu(self.dense2.forward(x)); // [batch, 1024]
        let x = dropout(x, self.config.dropout, rng);
        let x = relu(self.dense3.forward(x)); // [batch, 512]
        self.output.forward(x).squeeze_dim(1) // [batch]
    }

    /// The network as published, pair by pair and of burn's own operations, with the padding of its
    /// configuration and without dropout; the specification of [`DeepDta::encode`].
    ///
    /// # Shapes
    /// - drugs, proteins: `batch` label sequences each, at least one; output `[batch]`
    pub fn forward(&self, drugs: &[&[u8]], proteins: &[&[u8]]) -> Tensor<1> {
        self.join(self.plain(Side::Drug, drugs), self.plain(Side::Protein, proteins), None)
    }
}

/// Label sequences as one tensor `[batch, length]` with zeros behind each.
fn padded(strings: &[&[u8]], length: usize, device: &Device) -> Tensor<2, Int> {
    let mut ids = vec![0_i64; strings.len() * length];
    for (row, string) in ids.chunks_exact_mut(length).zip(strings) {
        row.iter_mut().zip(*string).for_each(|(id, &label)| *id = i64::from(label));
    }
    Tensor::from_data(TensorData::new(ids, [strings.len(), length]), device)
}

#[cfg(test)]
mod tests;
