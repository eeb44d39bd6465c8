//! A Siamese network for the grade of osteoarthritis of a knee: one branch sees both sides of the joint.
//!
//! Tiulpin et al. 2018, *Automatic Knee Osteoarthritis Diagnosis from Plain Radiographs: A Deep Learning-Based
//! Approach*, Scientific Reports 8:1727, figure 3: the lateral side and the mirrored medial side, 128 × 128 pixels
//! each, go through the same convolutions; five Kellgren–Lawrence grades. Layers and starting values as in the authors'
//! code (repository MIPT-Oulu/DeepKnee).
//!
//! Published training: Adam with a rate of 0.01 and a weight decay of 0.0001, batches of 64.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::init::Init;
use nn_core::layers::{BatchNormConfig, ConvConfig, dropout};
use nn_core::ops::{global_avg_pool, max_pool};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::{Unit, dense};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KneeConfig {
    /// Channels in.
    pub channels: usize,
    /// Grades.
    pub classes: usize,
    /// Features of the first block; the second has twice and the third four times as many.
    pub base: usize,
    /// Dropout before the last layer, 0 to 0.95.
    pub dropout: f64,
}

impl Default for KneeConfig {
    fn default() -> Self {
        Self { channels: 1, classes: 5, base: 64, dropout: 0.2 }
    }
}

/// Pixels that a branch needs along each axis: one place is left behind the last convolution.
const SMALLEST: usize = 49;

impl KneeConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("channels", self.channels, 1..=4096)?;
        in_range("classes", self.classes, 1..=1_000_000)?;
        in_range("base", self.base, 1..=4096)?;
        in_range("dropout", self.dropout, 0.0..=0.95)
    }

    /// Builds the network with the authors' starting values, from the input on.
    ///
    /// # Errors
    /// What [`KneeConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<KneeNet, ConfigError> {
        self.validate()?;
        let base = self.base;
        let mut branch = Vec::with_capacity(6);
        let mut inputs = self.channels;
        for (layer, features) in [base, base, base, 2 * base, 2 * base, 4 * base].into_iter().enumerate() {
            let stride = if layer == 0 { 2 } else { 1 };
            let conv = ConvConfig::new(inputs, features, 3).with_stride(stride).with_init(Init::HeUniform);
            branch.push(Unit::init(&conv, Some(&BatchNormConfig::new(features).with_epsilon(1e-3)), device, rng)?);
            inputs = features;
        }
        let output = dense([2 * inputs, self.classes], Init::HeUniform, device, rng);
        Ok(KneeNet { branch, output, config: self.clone() })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct KneeNet {
    branch: Vec<Unit<4, 2>>,
    output: Linear,
    #[module(skip)]
    config: KneeConfig,
}

impl KneeNet {
    /// The sizes it was built with.
    pub fn config(&self) -> &KneeConfig {
        &self.config
    }

    /// Logits of the grades. The medial side comes mirrored, as [`sides`] gives it. Dropout acts when a generator is
    /// given.
    ///
    /// # Shapes
    /// - lateral and medial `[batch, channels, height, width]`, in the paper 128 × 128; output `[batch, classes]`
    ///
    /// # Panics
    /// When a side has fewer than 49 rows or columns.
    pub fn forward(&self, lateral: Tensor<4>, medial: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(lateral, medial, rng, [&Probe::off(), &Probe::off()])
    }

    /// The same, with the last feature maps of the lateral and of the medial side passed through a probe each.
    ///
    /// # Shapes
    /// - as [`KneeNet::forward`]; the probed maps are `[batch, 4 base, height', width']`
    ///
    /// # Panics
    /// As [`KneeNet::forward`].
    pub fn run(
        &self,
        lateral: Tensor<4>,
        medial: Tensor<4>,
        rng: Option<&mut ChaCha8Rng>,
        probes: [&Probe<4>; 2],
    ) -> Tensor<2> {
        let [lateral, medial] = [(lateral, probes[0]), (medial, probes[1])]
            .map(|(side, probe)| global_avg_pool(probe.add(self.side(side))));
        let both = Tensor::cat(vec![lateral, medial], 1); // [batch, 8 base]
        self.output.forward(dropout(both, self.config.dropout, rng)) // [batch, classes]
    }

    fn side(&self, mut x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        assert!(height.min(width) >= SMALLEST, "a side of {height} x {width} pixels; use {SMALLEST} or more");
        for (layer, unit) in self.branch.iter().enumerate() {
            if layer == 3 || layer == 5 {
                x = max_pool(x, [2, 2], [2, 2], [0, 0]); // [batch, features, height / 2, width / 2]
            }
            x = unit.forward(x); // [batch, features, height - 2, width - 2], the first of half that size
        }
        x // [batch, 4 base, height', width']
    }
}

/// The two sides of a knee for [`KneeNet::forward`]: squares of `size` pixels at the left and at the right edge, which
/// begin a third of the way down; the right one is mirrored. Of a right knee, seen from the front, the left edge is
/// the lateral side; mirror images of left knees first.
///
/// # Shapes
/// - x `[batch, channels, height, width]`; both outputs `[batch, channels, size, size]`
///
/// # Panics
/// When the picture is too small.
pub fn sides(x: Tensor<4>, size: usize) -> [Tensor<4>; 2] {
    let [_, _, height, width] = x.dims();
    let top = width / 3;
    let fits = width >= size && height >= top + size;
    assert!(fits, "a knee of {height} x {width} pixels has no sides of {size} pixels from row {top} on");
    let rows = x.narrow(2, top, size);
    [rows.clone().narrow(3, 0, size), rows.narrow(3, width - size, size).flip([3])]
}

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;
    use burn::tensor::{Int, TensorData};
    use nn_core::data::rng;
    use nn_core::losses::{CrossEntropy, Reduction};
    use nn_core::optim::OptimizerConfig;

    use super::*;
    use crate::systems::golden::{assert_golden, filled, input};

    fn small() -> KneeConfig {
        KneeConfig { base: 4, classes: 3, ..KneeConfig::default() }
    }

    #[test]
    fn sizes_are_those_of_the_authors_code() {
        let device = Device::flex();
        let net = KneeConfig::default().init(&device, &mut rng(1, &[])).unwrap();
        // convolutions 640, 36,928 twice, 73,856, 147,584 and 295,168, output 2,565; burn counts four numbers for each
        // of the 704 normalised channels
        assert_eq!(net.num_params(), 640 + 2 * 36_928 + 73_856 + 147_584 + 295_168 + 2_565 + 4 * 704);
        let net = small().init(&device, &mut rng(1, &[])).unwrap();
        // 10 x 10 places for 128 pixels, over which the authors' pooling runs; one for the smallest picture
        assert_eq!(net.side(Tensor::zeros([1, 1, 128, 128], &device)).dims(), [1, 16, 10, 10]);
        assert_eq!(net.side(Tensor::zeros([1, 1, SMALLEST, SMALLEST], &device)).dims(), [1, 16, 1, 1]);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net = filled(small().init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let logits = net.forward(input("knee.lateral", [2, 1, 128, 128]), input("knee.medial", [2, 1, 128, 128]), None);
        // 1e-5: single precision against double
        assert_golden(logits, "knee", 1e-5);
    }

    #[test]
    fn sides_are_cut_and_mirrored() {
        let device = Device::flex();
        // 9 columns: rows 3 to 6
        let pixels: Vec<f32> = (0..81).map(|pixel| pixel as f32).collect();
        let knee = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 9, 9]), &device);
        let [left, right] = sides(knee, 3).map(|side| side.try_into_vec_as::<f32>().unwrap());
        assert_eq!(left, [27.0, 28.0, 29.0, 36.0, 37.0, 38.0, 45.0, 46.0, 47.0]);
        assert_eq!(right, [35.0, 34.0, 33.0, 44.0, 43.0, 42.0, 53.0, 52.0, 51.0]);
    }

    #[test]
    fn it_learns_a_few_knees_by_heart() {
        let device = Device::flex().autodiff();
        let mut net = small().init(&device, &mut rng(1, &[])).unwrap();
        let [one, other] = ["one", "other"].map(|name| input::<4>(name, [6, 1, SMALLEST + 8, SMALLEST + 8]).autodiff());
        let grades = Tensor::<1, Int>::from_data(TensorData::new(vec![0_i64, 1, 2, 2, 1, 0], [6]), &device);
        let loss = |logits: Tensor<2>| CrossEntropy::default().forward(logits, grades.clone(), Reduction::Mean);
        let mut optimizer = OptimizerConfig::adam().init();
        for step in 0..40 {
            let logits = net.forward(one.clone(), other.clone(), Some(&mut rng(1, &[step])));
            let gradients = GradientsParams::from_grads(loss(logits).backward(), &net);
            net = optimizer.step(1e-2, net, gradients);
        }
        let left = loss(net.forward(one, other, None)).try_into_scalar::<f64>().unwrap();
        assert!(left < 0.1, "{left}");
    }
}
