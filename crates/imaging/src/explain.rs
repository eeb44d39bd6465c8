//! Where in a picture an answer comes from, drawn over the picture.
//!
//! The values are those of [`nn_core::explain`]: Grad-CAM (Selvaraju et al. 2017) of the last feature maps, occlusion
//! (Zeiler and Fergus 2014), and the shares of [`SoftAttention`](crate::systems::soft_attention::SoftAttention). Both
//! methods take logits of a network in use, so without dropout and without a softmax: a logit says how much speaks for
//! a class, a probability also what speaks against the others.

mod panels;

use std::path::Path;

use burn::tensor::Tensor;
use nn_core::explain::{self, Attribution, Baseline, ExplainError, Occlusion, Probe, Scorer, Target};

pub use self::panels::{Panel, attention_maps, class_maps, covered_maps};

use crate::io::IoError;
use crate::io::picture::{PictureError, encode_png, write_png};

/// One number for each pixel of a picture: what speaks for (above 0) and against (below 0) an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// The numbers, row-major, divided by the largest in size: −1 to 1; all 0 where nothing speaks.
    pub values: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// What the numbers were divided by, in units of the logit.
    pub peak: f64,
}

/// Grad-CAM of each picture: what of the last feature maps speaks for the target, scaled up to the picture.
///
/// `model` marks the maps with its probe, as [`Classifier::run`](crate::systems::Classifier::run) does:
///
/// ```
/// use imaging::explain::grad_cam;
/// use imaging::systems::{ClassifyConfig, Classifier};
/// use nn_core::burn::tensor::{Device, Tensor};
/// use nn_core::data::rng;
/// use nn_core::explain::{Probe, Target};
/// let device = Device::flex();
/// let net = ClassifyConfig::named("ild-cnn")?.init(&device, &mut rng(1, &[]))?;
/// let patch = Tensor::<4>::ones([1, 1, 32, 32], &device);
/// let model = |x: Tensor<4>, probe: &Probe<4>| net.run(x, None, probe);
/// let maps = grad_cam(&model, &patch, &Target::All(3))?;
/// assert_eq!((maps[0].height, maps[0].width), (32, 32));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Shapes
/// - x `[pictures, channels, height, width]`
///
/// # Errors
/// [`ExplainError`] as [`nn_core::explain::grad_cam()`].
pub fn grad_cam(
    model: &impl Fn(Tensor<4>, &Probe<4>) -> Tensor<2>,
    x: &Tensor<4>,
    target: &Target,
) -> Result<Vec<HeatMap>, ExplainError> {
    let [_, _, height, width] = x.dims();
    let found = explain::grad_cam(model, x, target)?;
    let [_, _, rows, columns] = found.values.dims();
    let scaled = |map: Vec<f64>| HeatMap::of(&stretched(&map, [rows, columns], [height, width]), height, width);
    Ok(found.rows()?.into_iter().map(scaled).collect())
}

/// What each picture's logit loses where a square of `window` pixels is covered with `cover` in all channels, at every
/// `stride` pixels: for each pixel the mean over the squares that lie over it.
///
/// # Shapes
/// - x `[pictures, channels, height, width]`
///
/// # Errors
/// [`ExplainError`] as [`Occlusion::attribute`]; the window must fit into the picture, and the stride into the window.
pub fn occlusion(
    model: &impl Scorer<4>,
    x: &Tensor<4>,
    target: &Target,
    window: usize,
    stride: usize,
    cover: f64,
) -> Result<Vec<HeatMap>, ExplainError> {
    let [_, channels, height, width] = x.dims();
    // every channel of a pixel has the loss of the squares over it
    let of_pixels = occluded(model, x, target, [channels, window, stride], cover)?.narrow(1, 0, 1);
    let losses = of_pixels.try_into_vec_as::<f64>()?;
    Ok(losses.chunks((height * width).max(1)).map(|losses| HeatMap::of(losses, height, width)).collect())
}

/// The mean loss under the blocks of `each` channels and `window` pixels that lie over each value of the input.
fn occluded(
    model: &impl Scorer<4>,
    x: &Tensor<4>,
    target: &Target,
    [each, window, stride]: [usize; 3],
    cover: f64,
) -> Result<Tensor<4>, ExplainError> {
    let settings =
        Occlusion { window: vec![each, window, window], stride: vec![each, stride, stride], ..Occlusion::default() };
    let Attribution { values, .. } = settings.attribute(model, x, &Baseline::Value(cover), target)?;
    Ok(values)
}

impl HeatMap {
    /// A map of these numbers, which are divided by the largest in size.
    ///
    /// # Panics
    /// When there are not `height * width` of them.
    pub fn of(values: &[f64], height: usize, width: usize) -> Self {
        assert_eq!(values.len(), height * width, "a heat map of {height} x {width}");
        let peak = values.iter().fold(0.0_f64, |peak, value| peak.max(value.abs()));
        let by = if peak > 0.0 && peak.is_finite() { peak } else { 1.0 };
        Self { values: values.iter().map(|value| (value / by) as f32).collect(), height, width, peak }
    }

    /// The shares of an attention over a coarser grid, `[rows, columns]`, scaled up to a picture.
    ///
    /// # Panics
    /// When there are not `rows * columns` shares.
    pub fn of_shares(shares: &[f64], grid: [usize; 2], height: usize, width: usize) -> Self {
        assert_eq!(shares.len(), grid[0] * grid[1], "shares of a grid of {grid:?}");
        Self::of(&stretched(shares, grid, [height, width]), height, width)
    }

    /// The picture in grey with the map over it, three bytes (red, green, blue) for each pixel: red is what speaks for
    /// the answer, blue what speaks against it, each the more opaque the more it says, up to `opacity`, 0 to 1. Grey
    /// values run from the smallest to the largest pixel; of several channels the mean is shown.
    ///
    /// # Panics
    /// When `pixels` are not those of `[channels, height, width]`.
    pub fn overlay(&self, pixels: &[f32], channels: usize, opacity: f64) -> Vec<u8> {
        let plane = self.height * self.width;
        assert_eq!(pixels.len(), channels * plane, "pixels of {channels} channels, {} x {}", self.height, self.width);
        let grey: Vec<f64> = (0..plane)
            .map(|pixel| {
                (0..channels).map(|channel| f64::from(pixels[channel * plane + pixel])).sum::<f64>()
                    / channels.max(1) as f64
            })
            .collect();
        let finite = || grey.iter().copied().filter(|value| value.is_finite());
        let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        let mut bytes = Vec::with_capacity(3 * plane);
        for (&value, &heat) in grey.iter().zip(&self.values) {
            // a picture of one value is in the middle; NaN is black, since a cast makes it 0
            let shade = if high > low { (value - low) / (high - low) } else { 0.5 };
            let heat = if heat.is_nan() { 0.0 } else { f64::from(heat) };
            let share = opacity.clamp(0.0, 1.0) * heat.abs().min(1.0);
            let colour = if heat > 0.0 { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] };
            for part in colour {
                bytes.push((255.0 * (shade * (1.0 - share) + part * share)).round() as u8);
            }
        }
        bytes
    }

    /// The [overlay](HeatMap::overlay) as the bytes of a PNG file.
    ///
    /// # Errors
    /// [`PictureError`] when the picture has no size that a PNG file can have.
    pub fn overlay_png(&self, pixels: &[f32], channels: usize, opacity: f64) -> Result<Vec<u8>, PictureError> {
        encode_png(self.width, self.height, 3, &self.overlay(pixels, channels, opacity))
    }

    /// Writes the [overlay](HeatMap::overlay) as a PNG file.
    ///
    /// # Errors
    /// [`IoError`] when the file cannot be written.
    pub fn write_overlay(&self, path: &Path, pixels: &[f32], channels: usize, opacity: f64) -> Result<(), IoError> {
        write_png(path, self.width, self.height, 3, &self.overlay(pixels, channels, opacity))
    }
}

/// A map of `from` rows and columns on `to` rows and columns, linear between the centres of its places, and constant
/// beyond the outermost.
fn stretched(map: &[f64], from: [usize; 2], to: [usize; 2]) -> Vec<f64> {
    /// The two places around each position of an axis, and the share of the second.
    fn along(from: usize, to: usize) -> Vec<(usize, usize, f64)> {
        let last = from.saturating_sub(1);
        (0..to)
            .map(|place| {
                let at = ((place as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, last as f64);
                let first = (at.floor() as usize).min(last);
                (first, (first + 1).min(last), at - first as f64)
            })
            .collect()
    }
    let (rows, columns) = (along(from[0], to[0]), along(from[1], to[1]));
    let mut values = Vec::with_capacity(to[0] * to[1]);
    for &(above, below, down) in &rows {
        for &(left, right, across) in &columns {
            let row = |row: usize| (1.0 - across) * map[row * from[1] + left] + across * map[row * from[1] + right];
            values.push((1.0 - down) * row(above) + down * row(below));
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use nn_core::ops::global_avg_pool;

    use super::*;
    use crate::systems::golden::{expected, noise};

    #[test]
    fn grad_cam_is_the_class_activation_map_on_the_picture() {
        let device = Device::flex();
        // one map of 2 x 2 places, each the mean of a quarter, pooled by its mean and read by a factor of -2 or 3:
        // by hand, the maps are the features times the factor, and only what speaks for the class is left
        let model = |x: Tensor<4>, probe: &Probe<4>| {
            let maps = nn_core::ops::avg_pool(x, [2, 2], [2, 2], [0, 0], true);
            let pooled = global_avg_pool(probe.add(maps));
            Tensor::cat(vec![pooled.clone().mul_scalar(-2.0), pooled.mul_scalar(3.0)], 1)
        };
        let mut pixels = vec![0.0_f32; 16];
        for pixel in [0, 1, 4, 5] {
            pixels[pixel] = 4.0;
        }
        let x = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 4, 4]), &device);
        let against = &grad_cam(&model, &x, &Target::All(0)).unwrap()[0];
        assert_eq!((against.peak, against.values.iter().sum::<f32>()), (0.0, 0.0));
        let map = &grad_cam(&model, &x, &Target::All(1)).unwrap()[0];
        // 4 in the upper left place: the gradient of the mean of 4 places is 3 / 4
        assert!((map.peak - 3.0).abs() < 1e-6);
        let line = [1.0, 0.75, 0.25, 0.0];
        for (at, value) in map.values.iter().enumerate() {
            assert!((value - line[at / 4] * line[at % 4]).abs() < 1e-6, "{at}: {value}");
        }
    }

    #[test]
    fn occlusion_finds_the_square_that_counts() {
        let device = Device::flex();
        // the model adds up rows 2 and 3 of columns 4 and 5, in both channels
        let model = |x: Tensor<4>| {
            let rows = x.dims()[0];
            x.narrow(2, 2, 2).narrow(3, 4, 2).sum_dims(&[1, 2, 3]).reshape([rows, 1])
        };
        let x = Tensor::<4>::ones([2, 2, 8, 8], &device);
        let maps = occlusion(&model, &x, &Target::All(0), 2, 2, 0.0).unwrap();
        assert_eq!(maps.len(), 2);
        for map in maps {
            assert_eq!(map.peak, 8.0, "4 pixels of 2 channels");
            for (at, &value) in map.values.iter().enumerate() {
                let inside = (2..4).contains(&(at / 8)) && (4..6).contains(&(at % 8));
                assert_eq!(value, f32::from(u8::from(inside)), "{at}");
            }
        }
        assert!(occlusion(&model, &x, &Target::All(0), 9, 1, 0.0).is_err(), "larger than the picture");
        assert!(occlusion(&model, &x, &Target::All(0), 2, 3, 0.0).is_err(), "leaves pixels out");
    }

    #[test]
    fn maps_are_stretched_as_pytorch_does() {
        let map: Vec<f64> = noise("stretched", 15).map(f64::from).collect();
        for (name, to) in [("stretched.up", [7, 20]), ("stretched.down", [2, 3])] {
            let found = stretched(&map, [3, 5], to);
            let expected = expected(name);
            assert_eq!(found.len(), expected.len());
            // 1e-12: double precision on both sides
            assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{name}");
        }
        let one = HeatMap::of_shares(&[0.5], [1, 1], 2, 3);
        assert_eq!((one.values, one.peak), (vec![1.0; 6], 0.5));
    }

    #[test]
    fn colours_say_how_much_and_for_what() {
        let map = HeatMap::of(&[0.0, 2.0, -1.0, 0.0], 2, 2);
        assert_eq!((&map.values[..], map.peak), (&[0.0, 1.0, -0.5, 0.0][..], 2.0));
        let bytes = map.overlay(&[-1.0, 1.0, 3.0, f32::NAN], 1, 0.5);
        // grey 0, 127.5 and 255: untouched; half of it and half red; three quarters and a quarter blue; NaN
        assert_eq!(bytes, [0, 0, 0, 191, 64, 64, 191, 191, 255, 0, 0, 0]);
        let even = map.overlay(&[7.0; 8], 2, 0.0);
        assert_eq!(even, [128; 12], "a picture of one value, and a map that cannot be seen");
    }

    #[test]
    fn an_overlay_is_a_png_file() {
        let map = HeatMap::of(&[0.0, 1.0, 0.5, -1.0, 0.0, 0.0], 2, 3);
        let pixels = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let bytes = map.overlay_png(&pixels, 1, 0.6).unwrap();
        assert_eq!(bytes[..8], *b"\x89PNG\r\n\x1a\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overlay.png");
        map.write_overlay(&path, &pixels, 1, 0.6).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), bytes);
    }

    #[test]
    fn a_map_without_a_number_is_not_divided() {
        let map = HeatMap::of(&[f64::NAN, 1.0], 1, 2);
        assert_eq!(map.values[1], 1.0);
        // NaN is drawn as nothing at all
        assert_eq!(map.overlay(&[0.0, 1.0], 1, 1.0)[..3], [0, 0, 0]);
    }
}
