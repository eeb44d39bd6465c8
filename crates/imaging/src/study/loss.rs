//! What a segmentation minimises, on maps of one or several resolutions.

use burn::tensor::{Device, Int, Tensor, TensorData};
use nn_core::config::{ConfigError, in_range};
use nn_core::losses::{BinaryCrossEntropy, CrossEntropy, Dice, Focal, Reduction, Tversky};
use serde::{Deserialize, Serialize};

use crate::systems::{border_weights, jaccard_loss};

/// The loss of one map.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SegmentLoss {
    /// Soft Dice and cross-entropy, equally (Isensee et al. 2021, methods).
    DiceCe {
        /// Whether the background takes part in the Dice coefficient.
        #[serde(default)]
        background: bool,
        /// Label that stands for an unlabelled voxel, which does not count.
        #[serde(default = "no_label")]
        ignore: i64,
    },
    /// Cross-entropy alone.
    CrossEntropy {
        /// Label that stands for an unlabelled voxel.
        #[serde(default = "no_label")]
        ignore: i64,
    },
    /// Cross-entropy of the logistic function, label by label against all others.
    BinaryCrossEntropy {
        /// Label that stands for an unlabelled voxel.
        #[serde(default = "no_label")]
        ignore: i64,
    },
    /// Cross-entropy weighted by class balance and by nearness to two borders (Ronneberger et al. 2015, equation 2).
    Border {
        /// Weight where two borders touch; 10 in the paper.
        #[serde(default = "w0")]
        w0: f64,
        /// Reach in voxels; 5 in the paper.
        #[serde(default = "sigma")]
        sigma: f64,
    },
    /// Salehi et al. 2017.
    Tversky {
        /// Weight of false positives; 0.3 in the paper.
        #[serde(default = "alpha")]
        alpha: f32,
        /// Weight of false negatives; 0.7 in the paper.
        #[serde(default = "beta")]
        beta: f32,
        /// Label that stands for an unlabelled voxel.
        #[serde(default = "no_label")]
        ignore: i64,
    },
    /// Lin et al. 2017.
    Focal {
        /// How much less the sure voxels count; 2 in the paper.
        #[serde(default = "gamma")]
        gamma: f32,
        /// Label that stands for an unlabelled voxel.
        #[serde(default = "no_label")]
        ignore: i64,
    },
    /// Cross-entropy less the logarithm of the soft Jaccard index (Shvets et al. 2018, equations 4 to 6).
    Jaccard {
        /// Weight of the second term; 0.3 in the authors' code.
        #[serde(default = "weight")]
        weight: f64,
    },
}

/// No label stands for a missing one.
fn no_label() -> i64 {
    -1
}

fn w0() -> f64 {
    10.0
}
fn sigma() -> f64 {
    5.0
}
fn alpha() -> f32 {
    0.3
}
fn beta() -> f32 {
    0.7
}
fn gamma() -> f32 {
    2.0
}
fn weight() -> f64 {
    0.3
}

impl Default for SegmentLoss {
    fn default() -> Self {
        Self::DiceCe { background: false, ignore: no_label() }
    }
}

/// Labels of a patch beside the logits of a network.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// The labels, `[b, k, j, i]`.
    pub labels: &'a [u8],
    /// Their shape.
    pub shape: [usize; 4],
}

impl Truth<'_> {
    /// Every `step`-th label along each axis: the labels of a coarser map, never interpolated.
    fn coarse(&self, step: [usize; 3]) -> (Vec<u8>, [usize; 4]) {
        let [b, nk, nj, ni] = self.shape;
        let size = [nk / step[0], nj / step[1], ni / step[2]];
        let mut labels = Vec::with_capacity(b * size.iter().product::<usize>());
        for row in 0..b {
            for k in 0..size[0] {
                for j in 0..size[1] {
                    let start = ((row * nk + k * step[0]) * nj + j * step[1]) * ni;
                    labels.extend((0..size[2]).map(|i| self.labels[start + i * step[2]]));
                }
            }
        }
        (labels, [b, size[0], size[1], size[2]])
    }
}

/// The mean cross-entropy of the logistic functions of all classes of the voxels that have a label.
fn against_the_rest(logits: Tensor<5>, labels: &[u8], ignore: i64) -> Tensor<1> {
    let [rows, classes, k, j, i] = logits.dims();
    let voxels = k * j * i;
    let (mut targets, mut weights) = (Vec::with_capacity(labels.len() * classes), Vec::new());
    for labels in labels.chunks(voxels.max(1)) {
        for class in 0..classes {
            targets.extend(labels.iter().map(|&label| f32::from(u8::from(usize::from(label) == class))));
            weights.extend(labels.iter().map(|&label| f32::from(u8::from(i64::from(label) != ignore))));
        }
    }
    let [targets, weights] = [targets, weights]
        .map(|values| Tensor::<5>::from_data(TensorData::new(values, [rows, classes, k, j, i]), &logits.device()));
    BinaryCrossEntropy::default().forward(logits, targets, Some(weights), Reduction::Mean)
}

impl SegmentLoss {
    /// # Errors
    /// [`ConfigError`] with the constant that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match *self {
            Self::DiceCe { ignore, .. } | Self::CrossEntropy { ignore } | Self::BinaryCrossEntropy { ignore } => {
                in_range("loss.ignore", ignore, -1..=255)
            }
            Self::Border { w0, sigma } => {
                in_range("loss.w0", w0, 0.0..=1e4)?;
                in_range("loss.sigma", sigma, 1e-3..=1e4)
            }
            Self::Tversky { alpha, beta, ignore } => {
                in_range("loss.ignore", ignore, -1..=255)?;
                in_range("loss.alpha", alpha, 0.0..=1e3)?;
                in_range("loss.beta", beta, 0.0..=1e3)
            }
            Self::Focal { gamma, ignore } => {
                in_range("loss.ignore", ignore, -1..=255)?;
                in_range("loss.gamma", gamma, 0.0..=100.0)
            }
            Self::Jaccard { weight } => in_range("loss.weight", weight, 0.0..=1.0),
        }
    }

    /// The loss of one map, `[b, classes, k, j, i]`, whose labels have this shape.
    fn one(&self, logits: Tensor<5>, labels: &[u8], shape: [usize; 4], device: &Device) -> Tensor<1> {
        let targets: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
        let targets = Tensor::<4, Int>::from_data(TensorData::new(targets, shape), device);
        let missing = |ignore: i64| (ignore >= 0).then_some(ignore);
        match *self {
            Self::DiceCe { background, ignore } => {
                let dice = Dice { background, ignore: missing(ignore), ..Dice::default() };
                dice.with_cross_entropy(logits, targets, [1.0, 1.0])
            }
            Self::BinaryCrossEntropy { ignore } => against_the_rest(logits, labels, ignore),
            Self::CrossEntropy { ignore } => {
                let entropy = CrossEntropy { ignore: missing(ignore), ..CrossEntropy::default() };
                entropy.forward(logits, targets, Reduction::Mean)
            }
            Self::Border { w0, sigma } => {
                let voxels: usize = shape[1..].iter().product();
                let size = [shape[3], shape[2], shape[1]];
                let weights: Vec<f32> =
                    labels.chunks(voxels.max(1)).flat_map(|labels| border_weights(labels, size, w0, sigma)).collect();
                let weights = Tensor::<4>::from_data(TensorData::new(weights, shape), device);
                (CrossEntropy::default().each(logits, targets) * weights).mean()
            }
            Self::Tversky { alpha, beta, ignore } => {
                let ignore = missing(ignore);
                Tversky { alpha, beta, background: false, ignore, ..Tversky::default() }.forward(logits, targets)
            }
            Self::Focal { gamma, ignore } => {
                let focal = Focal { gamma, ignore: missing(ignore), ..Focal::default() };
                focal.forward(logits, targets, Reduction::Mean)
            }
            Self::Jaccard { weight } => jaccard_loss(logits, targets, weight),
        }
    }

    /// The loss of maps, finest first: each counts half of the one before, and the weights sum to one (Isensee et al.
    /// 2021, methods).
    ///
    /// # Shapes
    /// - maps `[b, classes, k, j, i]`, each on a part of the grid of `truth`; output `[1]`
    ///
    /// # Panics
    /// When there is no map, or one is no whole part of the grid.
    pub fn forward(&self, maps: Vec<Tensor<5>>, truth: Truth<'_>) -> Tensor<1> {
        let total: f64 = (0..maps.len()).map(|depth| 0.5_f64.powi(depth as i32)).sum();
        let losses = maps.into_iter().enumerate().map(|(depth, map)| {
            let device = map.device();
            let [_, _, k, j, i] = map.dims();
            let shape = [truth.shape[1], truth.shape[2], truth.shape[3]];
            let step: [usize; 3] = std::array::from_fn(|axis| shape[axis] / [k, j, i][axis].max(1));
            let covered: [usize; 3] = std::array::from_fn(|axis| [k, j, i][axis] * step[axis]);
            assert_eq!(covered, shape, "a map of {k} x {j} x {i} for labels of {shape:?}");
            let found = if step == [1; 3] {
                self.one(map, truth.labels, truth.shape, &device)
            } else {
                let (labels, shape) = truth.coarse(step);
                self.one(map, &labels, shape, &device)
            };
            found * (0.5_f64.powi(depth as i32) / total)
        });
        losses.reduce(|sum, loss| sum + loss).unwrap_or_else(|| unreachable!("a network gives at least one map"))
    }
}
