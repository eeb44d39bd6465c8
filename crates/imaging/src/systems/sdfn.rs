//! Two branches for a chest radiograph: one sees the whole picture, one the lungs at a higher resolution.
//!
//! Liu et al. 2019, *SDFN: Segmentation-based Deep Fusion Network for Thoracic Disease Classification in Chest X-ray
//! Images*, Computerized Medical Imaging and Graphics 75:66, figure 1: a U-Net finds the lungs; the smallest rectangle
//! around them is cut out and scaled to the size of the whole picture; a `DenseNet`-121 extracts features of each,
//! which one dense layer reads side by side: fourteen findings, each with a logistic function of its own.
//!
//! Published training: each branch by itself, then the last layer alone over both of them held fixed.

use std::ops::Range;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use nn_core::config::{ConfigError, in_range};
use nn_core::explain::Probe;
use nn_core::layers::dropout;
use nn_core::layers::init::Init;
use nn_core::ops::global_avg_pool;
use nn_core::store::PyTorchImport;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::blocks::dense;
use super::densenet::{DenseNetConfig, Features};

/// Sizes of the network; the defaults are the published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SdfnConfig {
    /// Channels in: of radiographs one, repeated three times for weights of photographs.
    pub channels: usize,
    /// Findings.
    pub classes: usize,
    /// Features behind the first convolution of a branch.
    pub base: usize,
    /// Features that each layer of a branch adds.
    pub growth: usize,
    /// Layers of each block of a branch.
    pub blocks: [usize; 4],
    /// Dropout before the last layer, 0 to 0.95; none in the paper.
    pub dropout: f64,
}

impl Default for SdfnConfig {
    fn default() -> Self {
        let DenseNetConfig { channels, base, growth, blocks, dropout, .. } = DenseNetConfig::default();
        Self { channels, classes: 14, base, growth, blocks, dropout }
    }
}

/// One of the two branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Branch {
    /// The one that sees the whole picture.
    Whole,
    /// The one that sees the lungs.
    Lungs,
}

impl SdfnConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        in_range("classes", self.classes, 1..=1_000_000)?;
        self.branch().validate()
    }

    /// The network whose features a branch takes, for training it by itself.
    pub fn branch(&self) -> DenseNetConfig {
        let Self { channels, classes, base, growth, blocks, dropout } = *self;
        DenseNetConfig { channels, classes, base, growth, blocks, dropout, ..DenseNetConfig::default() }
    }

    /// How the names of a `DenseNet` of torchvision, or of a branch that was trained by itself and written in PyTorch's
    /// layout, become those of a branch; its `classifier` is left over.
    pub fn pytorch(branch: Branch) -> PyTorchImport {
        let name = match branch {
            Branch::Whole => "whole.",
            Branch::Lungs => "lungs.",
        };
        let mut import = DenseNetConfig::pytorch();
        import.renames.push((r"^features\.".to_owned(), name.to_owned()));
        // our last layer has the same name and another shape
        import.renames.push((r"^classifier\.".to_owned(), "left.classifier.".to_owned()));
        import
    }

    /// Builds the network with torchvision's starting values of the convolutions.
    ///
    /// # Errors
    /// What [`SdfnConfig::validate`] finds.
    pub fn init(&self, device: &Device, rng: &mut ChaCha8Rng) -> Result<Sdfn, ConfigError> {
        self.validate()?;
        let branch = self.branch();
        Ok(Sdfn {
            whole: Features::init(&branch, device, rng)?,
            lungs: Features::init(&branch, device, rng)?,
            classifier: dense([2 * branch.features(), self.classes], Init::PyTorchDefault, device, rng),
            config: self.clone(),
        })
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Sdfn {
    whole: Features,
    lungs: Features,
    classifier: Linear,
    #[module(skip)]
    config: SdfnConfig,
}

impl Sdfn {
    /// The sizes it was built with.
    pub fn config(&self) -> &SdfnConfig {
        &self.config
    }

    /// Logits of the findings. Dropout acts when a generator is given.
    ///
    /// # Shapes
    /// - whole and lungs `[batch, channels, height, width]`, in the paper 224 × 224 each; output `[batch, classes]`
    pub fn forward(&self, whole: Tensor<4>, lungs: Tensor<4>, rng: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        self.run(whole, lungs, rng, [&Probe::off(), &Probe::off()])
    }

    /// The same, with the last feature maps of both branches passed through a probe each.
    ///
    /// # Shapes
    /// - as [`Sdfn::forward`]; the probed maps are `[batch, features, height / 32, width / 32]`
    pub fn run(
        &self,
        whole: Tensor<4>,
        lungs: Tensor<4>,
        rng: Option<&mut ChaCha8Rng>,
        probes: [&Probe<4>; 2],
    ) -> Tensor<2> {
        let whole = global_avg_pool(probes[0].add(self.whole.forward(whole))); // [batch, features]
        let lungs = global_avg_pool(probes[1].add(self.lungs.forward(lungs))); // [batch, features]
        let both = Tensor::cat(vec![whole, lungs], 1); // [batch, 2 features]
        self.classifier.forward(dropout(both, self.config.dropout, rng)) // [batch, classes]
    }
}

/// The smallest rectangle, rows and columns, around what the mask holds, larger on each side by `margin` of its height
/// and width as far as the picture goes. None for an empty mask: then the whole picture is what there is.
///
/// `mask` is row-major with `width` columns. Keep the largest parts of a predicted mask first, or a stray pixel will
/// widen the rectangle.
pub fn lung_box(mask: &[bool], width: usize, margin: f64) -> Option<[Range<usize>; 2]> {
    let height = mask.len().checked_div(width)?;
    let rows = mask.chunks_exact(width).map(|row| row.contains(&true));
    let columns = (0..width).map(|column| mask.iter().skip(column).step_by(width).any(|&inside| inside));
    let span = |marks: Vec<bool>, length: usize| {
        let first = marks.iter().position(|&inside| inside)?;
        let last = marks.iter().rposition(|&inside| inside)?;
        let more = (margin.max(0.0) * (last + 1 - first) as f64).round() as usize;
        Some(first.saturating_sub(more)..(last + 1).saturating_add(more).min(length))
    };
    Some([span(rows.collect(), height)?, span(columns.collect(), width)?])
}

/// A rectangle of each picture, scaled to `size` (height, width) with linear interpolation between the centres of
/// pixels.
///
/// # Shapes
/// - x `[batch, channels, height, width]`; output `[batch, channels, size…]`
///
/// # Panics
/// When the rectangle is empty or reaches over the edge.
pub fn cut_out(x: Tensor<4>, [rows, columns]: [Range<usize>; 2], size: [usize; 2]) -> Tensor<4> {
    let part = x.narrow(2, rows.start, rows.len()).narrow(3, columns.start, columns.len());
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    interpolate(part, options.with_output_size(size))
}

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;
    use burn::tensor::TensorData;
    use nn_core::data::rng;
    use nn_core::losses::{BinaryCrossEntropy, Reduction};
    use nn_core::optim::OptimizerConfig;

    use super::*;
    use crate::systems::golden::{assert_golden, filled, input, partly_imported};

    fn small() -> SdfnConfig {
        SdfnConfig { classes: 3, base: 8, growth: 4, blocks: [2, 11, 2, 2], ..SdfnConfig::default() }
    }

    #[test]
    fn sizes_are_two_densenets_and_a_layer() {
        let net = SdfnConfig::default().init(&Device::flex(), &mut rng(1, &[])).unwrap();
        // torchvision's densenet121 without its last layer is 6,953,856, with 41,824 normalised channels that burn
        // counts twice more
        assert_eq!(net.num_params(), 2 * (6_953_856 + 2 * 41_824) + 2048 * 14 + 14);
    }

    #[test]
    fn outputs_are_pytorchs() {
        let net =
            filled(SdfnConfig { blocks: [2, 2, 2, 2], ..small() }.init(&Device::flex(), &mut rng(1, &[])).unwrap());
        let whole = input("sdfn.whole", [2, 3, 64, 64]);
        let lungs = cut_out(whole.clone(), [10..43, 5..64], [96, 64]);
        // 1e-5: single precision on both sides, of values below 1
        assert_golden(lungs.clone(), "sdfn.lungs", 1e-5);
        // 1e-4: single precision against double through 20 layers
        assert_golden(net.forward(whole, lungs, None), "sdfn", 1e-4);
    }

    #[test]
    fn branches_read_weights_of_torchvision() {
        let file = include_bytes!("../../tests/golden/densenet.pt");
        let config = small();
        for (branch, name) in [(Branch::Whole, "whole"), (Branch::Lungs, "lungs")] {
            let branch_config = DenseNetConfig { bottleneck: 2, ..config.branch() };
            let features = Features::init(&branch_config, &Device::flex(), &mut rng(1, &[])).unwrap();
            let other = Features::init(&branch_config, &Device::flex(), &mut rng(2, &[])).unwrap();
            let classifier =
                dense([2 * branch_config.features(), 3], Init::Constant(0.0), &Device::flex(), &mut rng(1, &[]));
            let net = Sdfn { whole: features, lungs: other, classifier, config: config.clone() };
            let report = partly_imported(net, "densenet.pt", file, &SdfnConfig::pytorch(branch)).1;
            assert!(report.applied.iter().all(|path| path.starts_with(name)));
            assert!(report.unused.iter().any(|path| path == "left.classifier.weight"));
            assert!(report.missing.iter().all(|path| !path.starts_with(name)), "{:?}", report.missing);
        }
    }

    #[test]
    fn the_box_is_the_smallest_with_its_margin() {
        // 4 rows of 5 columns, with pixels in rows 1 and 2 and columns 1 to 3
        let mut mask = [false; 20];
        (mask[6], mask[13]) = (true, true);
        assert_eq!(lung_box(&mask, 5, 0.0), Some([1..3, 1..4]));
        assert_eq!(lung_box(&mask, 5, 0.4), Some([0..4, 0..5]));
        assert_eq!(lung_box(&mask, 5, 1e300), Some([0..4, 0..5]));
        assert_eq!(lung_box(&[false; 20], 5, 0.1), None);
        assert_eq!(lung_box(&[], 0, 0.1), None);
    }

    #[test]
    fn it_learns_a_few_radiographs_by_heart() {
        let device = Device::flex().autodiff();
        let config = SdfnConfig { classes: 2, blocks: [1, 1, 1, 1], ..small() };
        let mut net = config.init(&device, &mut rng(1, &[])).unwrap();
        let whole = input::<4>("radiographs", [6, 3, 64, 64]).autodiff();
        let lungs = cut_out(whole.clone(), [8..40, 0..64], [64, 64]);
        let findings = vec![1.0_f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let findings = Tensor::<2>::from_data(TensorData::new(findings, [6, 2]), &device);
        let loss =
            |logits: Tensor<2>| BinaryCrossEntropy::default().forward(logits, findings.clone(), None, Reduction::Mean);
        let mut optimizer = OptimizerConfig::adam().init();
        for _ in 0..40 {
            let logits = net.forward(whole.clone(), lungs.clone(), None);
            let gradients = GradientsParams::from_grads(loss(logits).backward(), &net);
            net = optimizer.step(1e-2, net, gradients);
        }
        let left = loss(net.forward(whole, lungs, None)).try_into_scalar::<f64>().unwrap();
        assert!(left < 0.1, "{left}");
    }
}
