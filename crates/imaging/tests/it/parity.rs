//! The networks and losses of `imaging::systems` on every device of this build and machine against `cpu`.
//!
//! | system | what runs |
//! |---|---|
//! | `unet` | planes with each normalisation and both ways down; volumes with uneven strides and deep supervision |
//! | `unet-valid` | two levels of the hourglass |
//! | `unet3d` | the same along three axes with batch normalisation, with and without padding |
//! | `linknet`, `linknet34` | residual encoders of 18 and 34 layers, both decoders |
//! | `ternausnet`, `ternausnet16` | both encoders, both decoders |
//! | `resnet18`, `resnet34` | with the first layers for large and for small pictures |
//! | `densenet121` | four blocks of two layers |
//! | `ild-cnn` | all its layers |
//! | `soft-attention` | three convolutions; the shares of the places too |
//! | `knee` | the two sides of a picture |
//! | `sdfn` | two branches of four blocks, on a picture and on a part that is cut out of it |
//! | losses | all that a segmentation can minimise, on maps of two resolutions |
//!
//! Each runs forward and backward as in training, with dropout and the statistics of the batch, and forward as in use,
//! without noise and with running statistics. None is missing: `every_system_has_its_test` fails when `SegmentConfig`
//! or `ClassifyConfig` knows a name that is not among them. Residual blocks, dense layers, transitions and the
//! hourglass are parts of these networks. `border_weights` and `class_balance` are computed on the host, and are here
//! in the loss that multiplies by them; `jaccard_loss` is the one named after its index.
//!
//! No width is fixed: the first layers have 2 to 8 features, the published ones up to 64, and no network takes more
//! than some ten million multiplications a picture. Pictures are the smallest that leave the last batch normalisation
//! eight values of each channel: of two it makes a sign, and of their gradient nothing but rounding.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use imaging::study::{SegmentLoss, Truth};
use imaging::systems::densenet::DenseNetConfig;
use imaging::systems::ild_cnn::IldCnnConfig;
use imaging::systems::knee::KneeConfig;
use imaging::systems::linknet::LinkNetConfig;
use imaging::systems::linknet34::LinkNet34Config;
use imaging::systems::resnet::ResNetConfig;
use imaging::systems::sdfn::{SdfnConfig, cut_out};
use imaging::systems::soft_attention::SoftAttentionConfig;
use imaging::systems::ternausnet::TernausNetConfig;
use imaging::systems::unet::{Down, UnetConfig};
use imaging::systems::unet_valid::UnetValidConfig;
use imaging::systems::unet3d::Unet3dConfig;
use imaging::systems::{CLASSIFIERS, Classifier, ClassifyConfig, ClassifyNet, SEGMENTERS, SegmentConfig, Segmenter};
use nn_core::data::rng;
use nn_core::layers::{NormConfig, NormKind};
use nn_core::ops::Activation;
use nn_core::parity::{self, Trace};
use nn_core::transfer::freeze;
use rand::RngExt;
use std::fmt::Debug;

/// Up to ten layers without normalisation, and losses.
const PLAIN: f64 = 1.0;

/// Twenty layers without normalisation. In single precision the tolerance of the others would do; of 11 bits, as on
/// tensor cores, twenty layers leave less.
const DEEP: f64 = 3.0;

/// A normalisation divides by the deviation of a few values, and 6 to 50 of them stand one behind the other: PyTorch's
/// gradients of these networks in single precision are up to 5e-5 from those in double precision, without a
/// normalisation 1e-6.
const NORMALISED: f64 = 10.0;

/// A small network, and what it reads.
struct Case<C, const D: usize> {
    config: C,
    /// Of the input.
    shape: [usize; D],
    /// Tensors that learn, counted in the structs: weight and bias, scale and shift of a normalisation.
    tensors: usize,
    /// Ends of the paths of biases that a normalisation or a softmax takes away again. They are held: what stands in
    /// for their gradient is rounding, or 0 where the rounding happens to cancel.
    held: &'static [&'static str],
    slack: f64,
    /// Of weights, input and noise. With it no rectified unit is so near to 0, and no two neighbours of a pooling so
    /// near to each other, that rounding decides, and the sum that is the loss does not cancel.
    seed: u64,
}

/// With a normalisation, and nothing held.
fn case<C, const D: usize>(config: C, shape: [usize; D], tensors: usize) -> Case<C, D> {
    Case { config, shape, tensors, held: &[], slack: NORMALISED, seed: 1 }
}

impl<C, const D: usize> Case<C, D> {
    fn holds(&self, path: &str) -> bool {
        self.held.iter().any(|&end| path.ends_with(end))
    }
}

/// PyTorch's starting values, U(±1 / √n), made as large as He et al. 2015 ask for, with a variance of 2 / n. Otherwise
/// twenty rectified layers would leave nothing of the gradient that a tolerance by all gradients could see.
struct Louder;

impl ModuleMapper for Louder {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D == 1 {
            return param;
        }
        Param::from_tensor((param.val() * 6_f64.sqrt()).detach())
    }
}

/// Uniform in −1..1.
fn noise<const D: usize>(shape: [usize; D], seed: u64, stream: u64, device: &Device) -> Tensor<D> {
    let mut generator = rng(seed, &[stream]);
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| 2.0 * generator.random::<f32>() - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}

fn agree(what: &impl Debug, slack: f64, compute: impl FnMut(&Device) -> Trace) {
    let compared = parity::check(slack, compute).unwrap_or_else(|error| panic!("{error}; of {what:?}"));
    assert_eq!(compared[0], "cpu");
}

/// A test for each name, and the names.
macro_rules! tests {
    ($check:ident, $names:ident: $($test:ident $name:literal),+) => {
        const $names: &[&str] = &[$($name),+];
        $(
            #[test]
            fn $test() {
                $check($name);
            }
        )+
    };
}

tests!(
    segments,
    SEGMENTED: unet "unet", unet_valid "unet-valid", unet3d "unet3d", linknet "linknet", linknet34 "linknet34",
    ternausnet "ternausnet", ternausnet16 "ternausnet16"
);

tests!(
    classifies,
    CLASSIFIED: resnet18 "resnet18", resnet34 "resnet34", densenet121 "densenet121", ild_cnn "ild-cnn",
    soft_attention "soft-attention", knee "knee", sdfn "sdfn"
);

#[test]
fn every_system_has_its_test() {
    assert_eq!(SEGMENTERS.map(|(name, _)| name), SEGMENTED);
    assert_eq!(CLASSIFIERS.map(|(name, _)| name), CLASSIFIED);
}

fn segments(name: &str) {
    for case in segmenters(SegmentConfig::named(name).unwrap()) {
        agree(&case.config, case.slack, |device| {
            let net = case.config.init(device, &mut rng(case.seed, &[0])).unwrap();
            let net = if matches!(case.config, SegmentConfig::Ternausnet(_)) { net.map(&mut Louder) } else { net };
            let (net, _) = freeze(net, |path| case.holds(path));
            let x = noise(case.shape, case.seed, 1, device);
            let maps = net.maps(x.clone(), Some(&mut rng(case.seed, &[2])));
            let names = ["finest map", "next map"];
            assert!(maps.len() <= names.len(), "{} maps", maps.len());
            let mut trace = Trace::new();
            trace.forward_backward(&net, names.into_iter().zip(maps.into_iter().map(flat)).collect());
            assert_eq!(trace.gradient_count(), case.tensors, "{:?}", case.config);
            trace.tensor("prediction", net.valid().maps(x.inner(), None).remove(0));
            trace
        });
    }
}

fn classifies(name: &str) {
    for case in classifiers(ClassifyConfig::named(name).unwrap()) {
        agree(&case.config, case.slack, |device| {
            let net = case.config.init(device, &mut rng(case.seed, &[0])).unwrap();
            let (net, _) = freeze(net, |path| case.holds(path));
            let x = pictures(&case, device);
            let mut trace = Trace::new();
            trace.tensor("input", x.clone());
            let mut generator = rng(case.seed, &[2]);
            let outputs = if let ClassifyNet::SoftAttention(net) = &net {
                let (logits, shares) = net.attend(x.clone(), Some(&mut generator));
                vec![("logits", flat(logits)), ("shares", flat(shares))]
            } else {
                vec![("logits", flat(net.logits(x.clone(), Some(&mut generator))))]
            };
            trace.forward_backward(&net, outputs);
            assert_eq!(trace.gradient_count(), case.tensors, "{:?}", case.config);
            trace.tensor("prediction", net.valid().logits(x.inner(), None));
            trace
        });
    }
}

/// Of the network for two pictures the second is a part of the first, scaled to its size.
fn pictures(case: &Case<ClassifyConfig, 4>, device: &Device) -> Tensor<4> {
    let [rows, channels, height, width] = case.shape;
    let whole = noise([rows, channels / case.config.pictures(), height, width], case.seed, 1, device);
    if case.config.pictures() == 1 {
        return whole;
    }
    let part = cut_out(whole.clone(), [8..height / 2, 5..width], [height, width]);
    Tensor::cat(vec![whole, part], 1)
}

/// Tensors of a convolution with its normalisation, with and without a bias.
const BIASED: usize = 4;
const BARE: usize = 3;

/// Tensors of a residual encoder: the first convolution, two in each block, three that change the resolution.
fn residual(depth: usize) -> usize {
    let blocks = if depth == 18 { 8 } else { 16 };
    BARE * (1 + 2 * blocks + 3)
}

fn segmenters(config: SegmentConfig) -> Vec<Case<SegmentConfig, 5>> {
    match config.with_shape(2, 3) {
        SegmentConfig::Unet(config) => unets(&config),
        SegmentConfig::UnetValid(config) => {
            let small = SegmentConfig::UnetValid(UnetValidConfig { base: 8, levels: 2, ..config });
            // three pairs of convolutions, a transposed one, the head
            let tensors = 2 * (3 * 2 + 1 + 1);
            vec![Case { slack: PLAIN, ..case(small, [1, 2, 2, 20, 20], tensors) }]
        }
        SegmentConfig::Unet3d(config) => {
            let small =
                |padded: bool| SegmentConfig::Unet3d(Unet3dConfig { base: 2, levels: 2, padded, ..config.clone() });
            // three pairs of convolutions, a transposed one, the head
            let tensors = 3 * 2 * BARE + 2 + 2;
            let padded = Case { held: &["conv.bias"], ..case(small(true), [2, 2, 4, 4, 8], tensors) };
            // without zeros at the edge what the transposed convolution adds is the same everywhere
            let valid = case(small(false), [2, 2, 20, 20, 20], tensors - 1);
            vec![padded, Case { held: &["conv.bias", "up.0.bias"], ..valid }]
        }
        SegmentConfig::Linknet(config) => {
            let small = LinkNetConfig { base: 8, ..config };
            // four decoders of three, two more behind them, and the last, which nothing normalises
            let tensors = residual(small.depth) + BARE * (4 * 3 + 2) + 2;
            let held = &["conv.bias", ".up.bias", "up1.bias"];
            vec![Case { held, seed: 2, ..case(SegmentConfig::Linknet(small), [1, 2, 2, 64, 64], tensors) }]
        }
        SegmentConfig::Linknet34(config) => {
            let small = SegmentConfig::Linknet34(LinkNet34Config { base: 8, ..config });
            // four decoders of three, and three that nothing normalises
            let tensors = residual(34) + BARE * 4 * 3 + 2 * 3;
            vec![Case { held: &["conv.bias", ".up.bias"], seed: 2, ..case(small, [1, 2, 2, 64, 64], tensors) }]
        }
        SegmentConfig::Ternausnet(config) => {
            let encoder = if config.depth == 11 { 8 } else { 13 };
            let small = SegmentConfig::Ternausnet(TernausNetConfig { filters: 4, ..config });
            // five decoders of two, the last and the head
            let tensors = 2 * (encoder + 5 * 2 + 2);
            vec![Case { slack: DEEP, ..case(small, [1, 2, 2, 32, 32], tensors) }]
        }
    }
}

fn unets(config: &UnetConfig) -> Vec<Case<SegmentConfig, 5>> {
    let config = UnetConfig { base: 4, widest: 8, levels: 3, dropout: 0.2, ..config.clone() };
    let small = |config: UnetConfig, shape: [usize; 5], heads: usize| {
        let [convolutions, ups] = [2 * (2 * config.levels - 1), config.levels - 1];
        // of a group of channels only what all of them have in common is taken away
        if matches!(config.norm.kind, NormKind::Group(_)) {
            return case(SegmentConfig::Unet(config), shape, BIASED * convolutions + 2 * (ups + heads));
        }
        let tensors = BARE * convolutions + 2 * (ups + heads);
        Case { held: &["conv1.bias", "conv2.bias"], ..case(SegmentConfig::Unet(config), shape, tensors) }
    };
    let leaky = Activation::LeakyRelu(0.01);
    let kinds = [
        (NormKind::Instance, leaky, Down::MaxPool),
        (NormKind::Batch, Activation::Relu, Down::Stride),
        (NormKind::Group(2), leaky, Down::MaxPool),
    ];
    let planes = kinds.map(|(kind, activation, down)| {
        let norm = NormConfig { kind, activation };
        small(UnetConfig { norm, down, ..config.clone() }, [1, 2, 2, 16, 16], 1)
    });
    let volumes = UnetConfig {
        dims: 3,
        levels: 4,
        strides: vec![[2, 2, 1], [2, 2, 2], [3, 1, 2]],
        kernels: vec![[3, 3, 1], [3, 3, 3], [3, 5, 3], [1, 3, 3]],
        down: Down::Stride,
        deep_supervision: true,
        ..config
    };
    planes.into_iter().chain([small(volumes, [2, 2, 8, 8, 24], 2)]).collect()
}

fn classifiers(config: ClassifyConfig) -> Vec<Case<ClassifyConfig, 4>> {
    // the first convolution, eight layers of two, three between the blocks, and the normalisation behind them
    let dense = BARE * (1 + 8 * 2 + 3) + 2;
    match config.with_shape(2, 3) {
        ClassifyConfig::Resnet(config) => {
            let tensors = residual(config.depth) + 2;
            let large = ResNetConfig { base: 4, dropout: 0.2, ..config };
            let small = ResNetConfig { small_input: true, ..large.clone() };
            let found = |config: ResNetConfig, shape: [usize; 4]| Case {
                seed: 2,
                ..case(ClassifyConfig::Resnet(config), shape, tensors)
            };
            vec![found(large, [2, 2, 64, 64]), found(small, [2, 2, 16, 16])]
        }
        ClassifyConfig::Densenet(config) => {
            let small = DenseNetConfig { base: 8, growth: 4, bottleneck: 2, blocks: [2; 4], dropout: 0.2, ..config };
            vec![case(ClassifyConfig::Densenet(small), [2, 2, 64, 64], dense + 2)]
        }
        ClassifyConfig::IldCnn(config) => {
            let small = ClassifyConfig::IldCnn(IldCnnConfig { multiplier: 1, ..config });
            // five convolutions, three dense layers
            vec![Case { slack: PLAIN, ..case(small, [2, 2, 9, 8], 2 * (5 + 3)) }]
        }
        ClassifyConfig::SoftAttention(config) => {
            let small = SoftAttentionConfig { filters: vec![6, 8, 10], dropout: 0.2, ..config };
            // three convolutions, the weight of the scores, the last layer
            let found = case(ClassifyConfig::SoftAttention(small), [2, 2, 20, 12], 2 * 3 + 1 + 2);
            vec![Case { held: &["attention.bias"], slack: PLAIN, seed: 2, ..found }]
        }
        ClassifyConfig::Knee(config) => {
            // of 57 pixels a side has 2 x 2 places behind its last convolution
            let small = ClassifyConfig::Knee(KneeConfig { base: 4, side: 57, ..config });
            vec![Case { held: &["conv.bias"], ..case(small, [2, 2, 85, 85], 6 * BARE + 2) }]
        }
        ClassifyConfig::Sdfn(config) => {
            let small = SdfnConfig { base: 8, growth: 4, blocks: [2; 4], dropout: 0.2, ..config };
            vec![case(ClassifyConfig::Sdfn(small), [2, 2, 64, 64], 2 * dense + 2)]
        }
    }
}

#[test]
fn losses_of_segmentation() {
    let mut generator = rng(1, &[3]);
    let labels: Vec<u8> = (0..96).map(|_| generator.random_range(0..3)).collect();
    let losses = [
        SegmentLoss::DiceCe { background: false, ignore: -1 },
        SegmentLoss::CrossEntropy { ignore: 0 },
        SegmentLoss::BinaryCrossEntropy { ignore: -1 },
        SegmentLoss::Border { w0: 10.0, sigma: 5.0 },
        SegmentLoss::Tversky { alpha: 0.3, beta: 0.7, ignore: -1 },
        SegmentLoss::Focal { gamma: 2.0, ignore: -1 },
        SegmentLoss::Jaccard { weight: 0.3 },
        SegmentLoss::Jaccard { weight: 1.0 },
    ];
    for loss in losses {
        agree(&loss, PLAIN, |device| {
            let fine = Param::from_tensor(noise([2, 3, 2, 4, 6], 1, 1, device));
            let coarse = Param::from_tensor(noise([2, 3, 1, 2, 3], 1, 2, device));
            let maps = vec![fine.val(), coarse.val()];
            let mut trace = Trace::new();
            trace.backward(&(fine, coarse), loss.forward(maps, Truth { labels: &labels, shape: [2, 2, 4, 6] }));
            assert_eq!(trace.gradient_count(), 2, "{loss:?}");
            trace
        });
    }
}
