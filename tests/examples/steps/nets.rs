//! The networks that are no layers of their own.

use anyhow::Result;
use drug::systems::deepdta::{DeepDta, DeepDtaConfig, Padding, Side};
use nn_core::burn;
use nn_core::burn::module::{Module, Param};
use nn_core::burn::nn::{Linear, LinearConfig};
use nn_core::burn::tensor::activation::relu;
use nn_core::burn::tensor::module::embedding;
use nn_core::burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Conv1d, ConvConfig, Gru, Norm, NormConfig, RecurrentConfig};
use nn_core::{data, ops};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The network of Kelley et al. 2016 (Basset): three convolutions with pooling, three dense layers.
#[derive(Module, Debug)]
pub(crate) struct Basset {
    convs: Vec<Conv1d>,
    norms: Vec<Norm>,
    dense: Vec<Linear>,
}

/// Channels, kernel and pooling of each convolution.
const CONVS: [(usize, usize, usize); 3] = [(300, 19, 3), (200, 11, 4), (200, 7, 4)];

impl Basset {
    pub(crate) fn init(device: &Device, rng: &mut ChaCha8Rng) -> Result<Self> {
        let (mut convs, mut norms, mut inputs) = (Vec::new(), Vec::new(), 4);
        for (outputs, kernel, _) in CONVS {
            convs.push(ConvConfig::new(inputs, outputs, kernel).same().init(device, rng)?);
            norms.push(NormConfig::default().init(outputs, device)?);
            inputs = outputs;
        }
        let dense = [[2400, 1000], [1000, 1000], [1000, 164]];
        Ok(Self { convs, norms, dense: dense.map(|[i, o]| LinearConfig::new(i, o).init(device)).into() })
    }

    /// # Shapes
    /// - x `[batch, 4, 600]`; output `[batch, 164]`
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let mut x = x;
        for ((conv, norm), (_, _, pool)) in self.convs.iter().zip(&self.norms).zip(CONVS) {
            x = ops::max_pool(norm.forward(conv.forward(x)), [pool], [pool], [0]); // [batch, channels, length / pool]
        }
        let x = x.flatten::<2>(1, 2); // [batch, 2400]
        let x = relu(self.dense[0].forward(x)); // [batch, 1000]
        let x = relu(self.dense[1].forward(x)); // [batch, 1000]
        self.dense[2].forward(x) // [batch, 164]
    }
}

/// Embedding of codes, one recurrent layer, a linear read-out of the last state.
#[derive(Module, Debug)]
pub(crate) struct GruNet {
    embedding: Param<Tensor<2>>,
    gru: Gru,
    out: Linear,
}

impl GruNet {
    pub(crate) fn init(device: &Device, rng: &mut ChaCha8Rng) -> Result<Self> {
        let shape = [5000, 128];
        Ok(Self {
            embedding: Init::Normal(1.0).param(shape, Fan::dense(shape), rng, device),
            gru: RecurrentConfig::new(128, 128).gru(device, rng)?,
            out: LinearConfig::new(128, 1).init(device),
        })
    }

    /// # Shapes
    /// - codes `[batch, time]`; output `[batch, 1]`
    pub(crate) fn forward(&self, codes: Tensor<2, Int>) -> Tensor<2> {
        let x = embedding(self.embedding.val(), codes); // [batch, time, 128]
        self.out.forward(self.gru.forward(x, None, None).last) // [batch, 1]
    }
}

/// DeepDTA's batch: 256 pairs drawn from 64 drugs and 256 proteins, so that drugs repeat as they do in Davis.
pub(crate) struct Pairs {
    net: DeepDta,
    drugs: Vec<Vec<u8>>,
    proteins: Vec<Vec<u8>>,
    /// Row of each pair among the distinct drugs and proteins of the batch.
    rows: [Tensor<1, Int>; 2],
}

impl Pairs {
    pub(crate) fn init(device: &Device, rng: &mut ChaCha8Rng) -> Result<Self> {
        let config =
            DeepDtaConfig { smiles_kernel: 4, protein_kernel: 8, padding: Padding::Seen, ..DeepDtaConfig::default() };
        let net = config.init(device, rng)?;
        let mut generator = data::rng(5, &[]);
        let mut draw = |count: usize, length: usize, vocabulary: u8| -> Vec<Vec<u8>> {
            (0..count).map(|_| (0..length).map(|_| generator.random_range(1..vocabulary)).collect()).collect()
        };
        let (drugs, proteins) = (draw(64, 85, 65), draw(256, 1200, 26));
        let mut generator = data::rng(6, &[]);
        // Each distinct string of the batch is encoded once; what no pair names is not in the batch.
        let mut side = |strings: Vec<Vec<u8>>| {
            let picked: Vec<usize> = (0..256).map(|_| generator.random_range(0..strings.len())).collect();
            let mut distinct = picked.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let rows: Vec<i64> =
                picked.iter().map(|at| distinct.binary_search(at).map_or(0, |row| row as i64)).collect();
            let strings: Vec<Vec<u8>> = distinct.iter().map(|&at| strings[at].clone()).collect();
            (strings, Tensor::<1, Int>::from_data(TensorData::new(rows, [256]), device))
        };
        let ((drugs, drug_rows), (proteins, protein_rows)) = (side(drugs), side(proteins));
        Ok(Self { net, drugs, proteins, rows: [drug_rows, protein_rows] })
    }

    pub(crate) fn net(&self) -> DeepDta {
        self.net.clone()
    }

    /// # Shapes
    /// - output `[256]`
    pub(crate) fn forward(&self, net: &DeepDta, rng: &mut ChaCha8Rng) -> Tensor<1> {
        let encode = |side, strings: &[Vec<u8>], rows: &Tensor<1, Int>| {
            let strings: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            net.encode(side, &strings).select(0, rows.clone()) // [256, 96]
        };
        let drug = encode(Side::Drug, &self.drugs, &self.rows[0]);
        let protein = encode(Side::Protein, &self.proteins, &self.rows[1]);
        net.join(drug, protein, Some(rng)) // [256]
    }
}
