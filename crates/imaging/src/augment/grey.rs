//! Changes of grey values: noise, blur, brightness, contrast and gamma, in nnU-Net's order.

use rand::RngExt;
use rayon::prelude::*;

use super::blur::blur;
use super::math::{add_noise, bend};
use super::{AugmentConfig, Draw, GREY};
use crate::intensity::{TASK, moments};

/// Share of the channels that are blurred when blur happens.
const BLURRED: f64 = 0.5;
/// Smallest range and deviation that are divided by.
const SMALLEST: f64 = 1e-7;
/// Streams of a channel.
const AMOUNTS: u64 = 0;
const NOISE: u64 = 1;

/// Changes an image of channels with `voxels` each, `size` of them along each axis.
pub(super) fn change(image: &mut [f32], voxels: usize, size: [usize; 3], config: &AugmentConfig, draw: Draw) {
    if voxels == 0 {
        return;
    }
    let mut rng = draw.rng(&[GREY]);
    let noisy = config.noise.happens(&mut rng);
    let deviation = config.noise.amount(&mut rng);
    let [blurred, brighter, contrasted, inverted, bent] =
        [&config.blur, &config.brightness, &config.contrast, &config.gamma_inverted, &config.gamma]
            .map(|chance| chance.happens(&mut rng));
    for (channel, values) in image.chunks_exact_mut(voxels).enumerate() {
        let mut rng = draw.rng(&[GREY, channel as u64, AMOUNTS]);
        if noisy {
            values.par_chunks_mut(TASK).enumerate().for_each(|(task, values)| {
                let mut rng = draw.rng(&[GREY, channel as u64, NOISE, task as u64]);
                add_noise(values, deviation as f32, &mut rng);
            });
        }
        if blurred && rng.random::<f64>() < BLURRED {
            let along = [0, 1, 2].map(|axis| {
                let deviation = config.blur.amount(&mut rng);
                if size[axis] > 1 && (axis < 2 || !config.in_plane) { deviation } else { 0.0 }
            });
            blur(values, size, along);
        }
        if brighter {
            let factor = config.brightness.factor(&mut rng) as f32;
            each(values, |value| value * factor);
        }
        if contrasted {
            contrast(values, config.contrast.factor(&mut rng));
        }
        if inverted {
            each(values, |value| -value);
            gamma(values, config.gamma_inverted.factor(&mut rng));
            each(values, |value| -value);
        }
        if bent {
            gamma(values, config.gamma.factor(&mut rng));
        }
    }
}

/// Changes every value.
fn each(values: &mut [f32], change: impl Fn(f32) -> f32 + Sync) {
    values.par_chunks_mut(TASK).for_each(|task| task.iter_mut().for_each(|value| *value = change(*value)));
}

/// Moves values away from their mean by a factor, within the range that they had.
pub(super) fn contrast(values: &mut [f32], factor: f64) {
    let Some(found) = moments(values) else { return };
    let (factor, shift) = (factor as f32, (found.mean * (1.0 - factor)) as f32);
    // Not `clamp`, which panics where no value is a number.
    each(values, |value| (value * factor + shift).max(found.minimum).min(found.maximum));
}

/// Bends the values between their smallest and their largest by an exponent, and gives them back their mean and
/// deviation.
pub(super) fn gamma(values: &mut [f32], exponent: f64) {
    let Some(before) = moments(values) else { return };
    let range = before.maximum - before.minimum;
    if f64::from(range) < SMALLEST || !range.is_finite() {
        return;
    }
    values.par_chunks_mut(TASK).for_each(|task| bend(task, before.minimum, range, exponent as f32));
    let Some(after) = moments(values) else { return };
    let factor = before.deviation / after.deviation.max(SMALLEST);
    let (factor, shift) = (factor as f32, (before.mean - after.mean * factor) as f32);
    each(values, |value| value * factor + shift);
}
