//! `AttentiveChrome`: whether a gene is expressed, from the histone marks around its start, and which bins of which
//! marks say so.
//!
//! Singh, Lanchantin, Sekhon and Qi 2017, *Attend and predict: understanding gene regulation by selective attention on
//! chromatin*, NIPS 30. Layers and sizes as in the authors' `v2PyTorch/models.py` (repository QData/AttentiveChrome at
//! 0f53fbf): a long short-term memory reads the bins of each mark in both directions, and a mean of its states,
//! weighted by the softmax of their products with a learnt context, stands for the mark; a second memory and context do
//! the same with the marks. The dropout of that code lies between layers of a memory, of which there is one, so that it
//! does nothing, and is left out here.
//!
//! Published training: Adam with a rate of 0.0002, batches of 16, 30 epochs, gradients cut at a norm of 1.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::layers::init::{Fan, Init};
use nn_core::layers::{Lstm, RecurrentConfig};
use nn_core::optim::OptimizerConfig;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::SequenceNet;
use super::blocks::dense;
use super::recipe::Recipe;

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttentiveChromeConfig {
    /// Histone marks.
    pub marks: usize,
    /// Bins of each mark, 100 bases each in the paper.
    pub bins: usize,
    /// Logits.
    pub outputs: usize,
    /// Units that read the bins, in each direction.
    pub bin_hidden: usize,
    /// Units that read the marks, in each direction.
    pub mark_hidden: usize,
}

impl Default for AttentiveChromeConfig {
    fn default() -> Self {
        Self { marks: 5, bins: 100, outputs: 1, bin_hidden: 32, mark_hidden: 16 }
    }
}

impl AttentiveChromeConfig {
    /// Adam at 2e-4, batches of 16, 30 epochs; gradients are cut at a norm of 1.
    pub fn recipe() -> Recipe {
        Recipe::new(OptimizerConfig::adam(), 2e-4, 16, 30)
    }

    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("marks", self.marks, 1..=4096)?;
        in_range("bins", self.bins, 1..=1_000_000)?;
        in_range("outputs", self.outputs, 1..=1_000_000)?;
        in_range("bin_hidden", self.bin_hidden, 1..=65_536)?;
        in_range("mark_hidden", self.mark_hidden, 1..=65_536)
    }

    /// Builds the network with PyTorch's starting values, contexts from U(−0.1, 0.1); mark by mark, then what reads the
    /// marks, then the output.
    ///
    /// # Errors
    /// What [`AttentiveChromeConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<AttentiveChrome, ConfigError> {
        self.validate()?;
        let mut reader = |inputs: usize, hidden: usize| -> Result<Reader, ConfigError> {
            let memory = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(inputs, hidden) };
            let shape = [2 * hidden, 1];
            Ok(Reader {
                memory: memory.lstm(device, rng)?,
                context: Init::Uniform(0.1).param(shape, Fan::dense(shape), rng, device),
            })
        };
        let bins = (0..self.marks).map(|_| reader(1, self.bin_hidden)).collect::<Result<Vec<_>, _>>()?;
        let marks = reader(2 * self.bin_hidden, self.mark_hidden)?;
        let output = dense([2 * self.mark_hidden, self.outputs], device, rng);
        Ok(AttentiveChrome { bins, marks, output, config: self.clone() })
    }
}

/// A memory over steps, and the context by which its states are weighted.
#[derive(Module, Debug)]
pub(crate) struct Reader {
    memory: Lstm,
    context: Param<Tensor<2>>,
}

impl Reader {
    /// The weighted mean of the states, and the weights.
    ///
    /// # Shapes
    /// - steps `[batch, steps, inputs]`; mean `[batch, 2 hidden]`, weights `[batch, steps]`
    fn read(&self, steps: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
        let states = self.memory.forward(steps, None, None).sequence; // [batch, steps, 2 hidden]
        let [batch, steps, width] = states.dims();
        let scores = states.clone().reshape([batch * steps, width]).matmul(self.context.val()); // [batch * steps, 1]
        let weights = softmax(scores.reshape([batch, steps]), 1); // [batch, steps]
        let mean = weights.clone().unsqueeze_dim::<3>(1).matmul(states).squeeze_dim::<2>(1); // [batch, 2 hidden]
        (mean, weights)
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct AttentiveChrome {
    bins: Vec<Reader>,
    marks: Reader,
    output: Linear,
    #[module(skip)]
    config: AttentiveChromeConfig,
}

/// What the network answers, and where it looked. Weights of a row sum to 1.
#[derive(Debug, Clone)]
pub struct Attentive {
    /// Logits of high expression, `[genes, outputs]`.
    pub logits: Tensor<2>,
    /// Weights of the bins of each mark, `[genes, marks, bins]`.
    pub bins: Tensor<3>,
    /// Weights of the marks, `[genes, marks]`.
    pub marks: Tensor<2>,
}

impl AttentiveChrome {
    /// The sizes it was built with.
    pub fn config(&self) -> &AttentiveChromeConfig {
        &self.config
    }

    /// # Shapes
    /// - x `[genes, marks, bins]`; output as [`Attentive`] says
    ///
    /// # Panics
    /// When x has another number of marks.
    pub fn forward(&self, x: Tensor<3>) -> Attentive {
        let marks = x.dims()[1];
        assert_eq!(marks, self.bins.len(), "histone marks");
        let read = self.bins.iter().enumerate().map(|(mark, reader)| {
            reader.read(x.clone().narrow(1, mark, 1).swap_dims(1, 2)) // [genes, bins, 1]
        });
        let (means, weights): (Vec<Tensor<2>>, Vec<Tensor<2>>) = read.unzip();
        let (mean, marks) = self.marks.read(Tensor::stack(means, 1)); // [genes, marks, 2 bin_hidden]
        Attentive { logits: self.output.forward(mean), bins: Tensor::stack(weights, 1), marks }
    }
}

impl SequenceNet for AttentiveChrome {
    /// There is no noise in it: a generator changes nothing.
    fn logits(&self, x: Tensor<3>, _rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.forward(x).logits
    }
}

#[cfg(test)]
mod tests {
    use nn_core::data::rng;

    use super::*;
    use crate::systems::golden::{assert_golden, filled, input, left_after};

    fn small() -> AttentiveChromeConfig {
        AttentiveChromeConfig { marks: 3, bins: 14, outputs: 1, bin_hidden: 4, mark_hidden: 3 }
    }

    #[test]
    fn sizes_are_the_published_ones() {
        let device = Device::flex();
        let net = AttentiveChromeConfig::default().init(&device, &mut rng(1, &[])).unwrap();
        // torch.nn.LSTM of both directions: 2 × 4 units (inputs + units + 2)
        let (bins, marks) = (2 * 4 * 32 * (1 + 32 + 2) + 64, 2 * 4 * 16 * (64 + 16 + 2) + 32);
        assert_eq!(net.num_params(), 5 * bins + marks + 33);
        let found = net.forward(Tensor::ones([2, 5, 100], &device));
        assert_eq!(found.logits.dims(), [2, 1]);
        assert_eq!((found.bins.dims(), found.marks.dims()), ([2, 5, 100], [2, 5]));
        let most = net.bins[0].context.val().abs().max().into_scalar::<f32>();
        assert!(most <= 0.1 && most > 0.09, "64 values of U(−0.1, 0.1): {most}");
    }

    #[test]
    fn outputs_and_attention_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let found = net.forward(input("attentive-chrome", [2, 3, 14]));
        // 1e-5: single precision against double
        assert_golden(found.logits, "attentive-chrome", 1e-5);
        assert_golden(found.bins.clone().reshape([6, 14]), "attentive-chrome-bins", 1e-5);
        assert_golden(found.marks, "attentive-chrome-marks", 1e-5);
        let sums = found.bins.sum_dim(2).try_into_vec_as::<f32>().unwrap();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{sums:?}");
    }

    #[test]
    fn it_learns_a_few_genes_by_heart() {
        let net = small().init(&Device::flex().autodiff(), &mut rng(2, &[])).unwrap();
        let left = left_after(net, [3, 14], 300, 0.02);
        assert!(left < 0.1, "{left}");
    }
}
