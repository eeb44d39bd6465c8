//! Whole volumes through a network that reads patches, with memory that does not grow with the number of slices.
//!
//! A window of a patch moves over the volume; where windows overlap, probabilities are averaged with weights that fall
//! from the middle of a window to its edges (Isensee and others 2021, *nnU-Net*, methods, "inference"). Networks of
//! valid convolutions lose a margin at each side, so that the windows they write are smaller than those they read, and
//! what they read beyond the edge of the volume is its mirror image (the overlap-tile strategy of Ronneberger and
//! others 2015, figure 2).
//!
//! Windows are done in the order of their slices. As soon as no later window can touch a slice its labels are decided,
//! and its probabilities are forgotten unless they were asked for: the sums are those of one window's depth, not those
//! of the volume. Sums are in a fixed order whatever the number of threads.

mod windows;

use nn_core::config::{ConfigError, in_range};
use nn_core::train::StepError;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::windows::{Axis, Line, steps};
use crate::sampling::Fill;
use crate::volume::Volume;

/// Labels that a byte can count.
const CLASSES: usize = 256;

/// How a window moves over a volume.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowConfig {
    /// Voxels that the network reads along `i`, `j`, `k`.
    pub patch: [usize; 3],
    /// Share of a window that its neighbour covers too, 0 to below 1.
    pub overlap: f64,
    /// Whether the weight of a probability falls from the middle of its window to the edges, as a Gaussian with an
    /// eighth of the window as its deviation.
    pub gaussian: bool,
    /// Axes (0 = `i`, 1 = `j`, 2 = `k`) along which each window is also predicted mirrored, in all combinations.
    pub mirror: Vec<usize>,
    /// Voxels that the network loses at each side of the patch along each axis.
    pub margin: [usize; 3],
    /// Slices on either side of each slice that are further channels; only for patches of one slice.
    pub context: usize,
    /// What stands outside a volume that is smaller than a window; a margin is always filled with the mirror image.
    pub fill: Fill,
    /// Windows that the network gets at a time.
    pub batch: usize,
    /// Whether the probabilities of all voxels are kept.
    pub probability: bool,
}

impl Default for WindowConfig {
    /// nnU-Net's: windows that overlap by half, Gaussian weights; 64 voxels, one at a time, no mirroring.
    fn default() -> Self {
        Self {
            patch: [64; 3],
            overlap: 0.5,
            gaussian: true,
            mirror: Vec::new(),
            margin: [0; 3],
            context: 0,
            fill: Fill::Zero,
            batch: 1,
            probability: false,
        }
    }
}

impl WindowConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range, or a margin that leaves nothing.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for axis in 0..3 {
            in_range("window.patch", self.patch[axis], 1..=1 << 14)?;
            if 2 * self.margin[axis] >= self.patch[axis] {
                return Err(ConfigError::Conflict(format!(
                    "window.margin = {} at both sides leaves nothing of window.patch = {} along axis {axis}",
                    self.margin[axis], self.patch[axis]
                )));
            }
        }
        in_range("window.overlap", self.overlap, 0.0..=0.95)?;
        in_range("window.batch", self.batch, 1..=1 << 16)?;
        in_range("window.context", self.context, 0..=64)?;
        if self.context > 0 && self.patch[2] != 1 {
            let text = format!("window.context = {} needs a window.patch of one slice", self.context);
            return Err(ConfigError::Conflict(text));
        }
        self.mirror.iter().try_for_each(|&axis| in_range("window.mirror", axis, 0..=2))
    }

    /// Channels that the network reads of a case of `channels`, those of the context included.
    pub fn inputs(&self, channels: usize) -> usize {
        channels * (2 * self.context + 1)
    }

    /// Voxels that the network writes along `i`, `j`, `k`.
    pub fn written(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.patch[axis].saturating_sub(2 * self.margin[axis]))
    }

    /// How often a patch goes through the network for a volume of `size`: windows times mirror images.
    pub fn passes(&self, size: [usize; 3]) -> usize {
        let written = self.written();
        let windows: usize = (0..3).map(|axis| steps(size[axis], written[axis], self.overlap).len()).product();
        windows * self.images().len()
    }

    /// The sets of axes along which a window is mirrored; the first is none.
    fn images(&self) -> Vec<[bool; 3]> {
        let mirrored = [0, 1, 2].map(|axis| self.mirror.contains(&axis));
        (0..8)
            .map(|set| [0, 1, 2].map(|axis| set >> axis & 1 == 1))
            .filter(|set| (0..3).all(|axis| !set[axis] || mirrored[axis]))
            .collect()
    }
}

/// A volume with a label for each voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmented {
    /// `[k, j, i]`: the class of the largest probability, the first of equal ones.
    pub labels: Vec<u8>,
    /// `[classes, k, j, i]`, if asked for.
    pub probability: Option<Vec<f32>>,
}

/// Why a volume cannot be predicted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferenceError {
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No channel.
    #[error("there is no channel to predict from")]
    Channels,
    /// Channels of different size.
    #[error(
        "channel {channel} has {} x {} x {} voxels, channel 0 has {} x {} x {}; resample it to the grid of channel 0",
        .found[0], .found[1], .found[2], .expected[0], .expected[1], .expected[2]
    )]
    Size {
        /// The channel, from 0.
        channel: usize,
        /// Its size.
        found: [usize; 3],
        /// That of channel 0.
        expected: [usize; 3],
    },
    /// Classes that a label cannot count.
    #[error("{classes} classes; labels count 1 to 256")]
    Classes {
        /// Classes asked for.
        classes: usize,
    },
    /// The network gave something else than its shape says.
    #[error(
        "the network gave {found} values for {windows} windows; {expected} were due, \
         [{windows}, {classes}, {}, {}, {}]",
        .written[2], .written[1], .written[0]
    )]
    Output {
        /// Values given.
        found: usize,
        /// Values due.
        expected: usize,
        /// Windows of the batch.
        windows: usize,
        /// Classes.
        classes: usize,
        /// Voxels of a window that are written, along `i`, `j`, `k`.
        written: [usize; 3],
    },
    /// A probability that is no number.
    #[error(
        "the network gave a probability that is no finite number in the window that begins at voxel ({}, {}, {}); look \
         for such values in the image and the weights",
        .start[0], .start[1], .start[2]
    )]
    NotFinite {
        /// First voxel that the window writes.
        start: [i64; 3],
    },
    /// The network failed.
    #[error(transparent)]
    Step(#[from] StepError),
}

/// A window to predict.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// First voxel that it writes, along each axis; before the volume where that is smaller than the window.
    start: [i64; 3],
    /// Axes along which it is mirrored.
    mirrored: [bool; 3],
}

/// Predicts a label for each voxel of `channels`, which stand on one grid.
///
/// `predict` gets windows `[batch, channels, k, j, i]` and how many they are, and gives their probabilities `[batch,
/// classes, k, j, i]`, smaller by the margin at each side. With a context each channel comes as `2 context + 1`
/// channels, from the lowest slice to the highest. Channels are expected as they were in training: resampled and
/// scaled.
///
/// # Errors
/// [`InferenceError`] if a setting is out of range, channels differ in size, or `predict` fails or gives something that
/// is no probability.
pub fn segment(
    channels: &[&Volume],
    classes: usize,
    config: &WindowConfig,
    predict: &mut dyn FnMut(Vec<f32>, usize) -> Result<Vec<f32>, StepError>,
) -> Result<Segmented, InferenceError> {
    config.validate()?;
    if classes == 0 || classes > CLASSES {
        return Err(InferenceError::Classes { classes });
    }
    let expected = channels.first().ok_or(InferenceError::Channels)?.geometry.size;
    if let Some(channel) = channels.iter().position(|volume| volume.geometry.size != expected) {
        return Err(InferenceError::Size { channel, found: channels[channel].geometry.size, expected });
    }
    let written = config.written();
    let axes = [0, 1, 2].map(|axis| Axis::new(expected[axis], written[axis], config.overlap, config.gaussian));
    let (images, plane) = (config.images(), expected[0] * expected[1]);
    let mut slab = Slab::new(classes, expected, &axes, images.len());
    let mut result = Segmented {
        labels: vec![0; plane * expected[2]],
        probability: config.probability.then(|| vec![0.0; classes * plane * expected[2]]),
    };
    for (level, &k) in axes[2].starts.iter().enumerate() {
        let jobs: Vec<Job> = axes[1]
            .starts
            .iter()
            .flat_map(|&j| axes[0].starts.iter().map(move |&i| [i, j, k]))
            .flat_map(|start| images.iter().map(move |&mirrored| Job { start, mirrored }))
            .collect();
        for batch in jobs.chunks(config.batch) {
            let probabilities = predict(read(channels, batch, config), batch.len())?;
            let due = batch.len() * classes * written.iter().product::<usize>();
            if probabilities.len() != due {
                let (found, windows) = (probabilities.len(), batch.len());
                return Err(InferenceError::Output { found, expected: due, windows, classes, written });
            }
            if let Some(job) = unsound(&probabilities, batch) {
                return Err(InferenceError::NotFinite { start: job.start });
            }
            slab.add(batch, &probabilities);
        }
        // What no later window reaches.
        let done = axes[2].starts.get(level + 1).map_or(expected[2], |next| (*next).max(0) as usize);
        slab.finish(done, &mut result);
    }
    Ok(result)
}

/// The window with the first probability that is no finite number.
fn unsound(probabilities: &[f32], batch: &[Job]) -> Option<Job> {
    let each = probabilities.len() / batch.len().max(1);
    let faulty = probabilities.par_chunks(each.max(1)).position_first(|window| {
        // NaN and infinity times 0 is NaN, which a sum keeps.
        window.iter().fold(0.0_f32, |sum, value| sum + value * 0.0) != 0.0
    });
    faulty.map(|place| batch[place])
}

/// What the windows of a batch read: `[batch, channels (with context), k, j, i]`.
fn read(channels: &[&Volume], batch: &[Job], config: &WindowConfig) -> Vec<f32> {
    let size = channels[0].geometry.size;
    let [width, height, _] = size;
    let reach = [config.patch[0], config.patch[1], config.patch[2] + 2 * config.context];
    let fill = if config.margin == [0; 3] { config.fill } else { Fill::Reflect };
    let before = [config.margin[0] as i64, config.margin[1] as i64, (config.margin[2] + config.context) as i64];
    let plane = reach[0] * reach[1];
    let mut values = vec![0.0; batch.len() * channels.len() * plane * reach[2]];
    values.par_chunks_mut(plane * reach[2]).enumerate().for_each(|(place, window)| {
        let (job, volume) = (batch[place / channels.len()], channels[place % channels.len()]);
        let lines = [0, 1, 2]
            .map(|axis| Line::new(job.start[axis] - before[axis], reach[axis], job.mirrored[axis], size[axis], fill));
        for (k, slice) in window.chunks_exact_mut(plane).enumerate() {
            let Some(k) = lines[2].at(k) else { continue };
            for (j, row) in slice.chunks_exact_mut(reach[0]).enumerate() {
                let Some(j) = lines[1].at(j) else { continue };
                lines[0].copy(&volume.voxels[(k * height + j) * width..][..width], row);
            }
        }
    });
    values
}

/// Sums of weighted probabilities over the slices that windows are at: `[classes, slices, j, i]`.
struct Slab<'a> {
    sums: Vec<f32>,
    classes: usize,
    size: [usize; 3],
    axes: &'a [Axis; 3],
    /// Slices that are held.
    depth: usize,
    /// The first of them.
    first: usize,
    /// Predictions of each window.
    images: usize,
}

impl<'a> Slab<'a> {
    fn new(classes: usize, size: [usize; 3], axes: &'a [Axis; 3], images: usize) -> Self {
        let depth = axes[2].weights.len().min(size[2]);
        Self { sums: vec![0.0; classes * depth * size[0] * size[1]], classes, size, axes, depth, first: 0, images }
    }

    /// Adds the windows of a batch, `[batch, classes, k, j, i]`.
    fn add(&mut self, batch: &[Job], probabilities: &[f32]) {
        let size = self.size;
        let [width, height, _] = size;
        let (axes, classes, depth, first) = (self.axes, self.classes, self.depth, self.first);
        let written = [0, 1, 2].map(|axis| axes[axis].weights.len());
        let plane = written[0] * written[1];
        self.sums.par_chunks_mut(width * height).enumerate().for_each(|(place, sums)| {
            let (class, slice) = (place / depth, (first + place % depth) as i64);
            for (number, job) in batch.iter().enumerate() {
                let k = slice - job.start[2];
                if k < 0 || k >= written[2] as i64 || slice >= size[2] as i64 {
                    continue;
                }
                let from = |axis: usize, at: usize| if job.mirrored[axis] { written[axis] - 1 - at } else { at };
                let window = (number * classes + class) * written[2] + from(2, k as usize);
                let window = &probabilities[window * plane..][..plane];
                let weight = axes[2].weights[k as usize];
                // The part of the window that lies in the volume.
                let [columns, rows] = [0, 1].map(|axis| {
                    let low = (-job.start[axis]).max(0);
                    let high = (size[axis] as i64 - job.start[axis]).min(written[axis] as i64);
                    low as usize..high.max(low) as usize
                });
                for j in rows {
                    let weight = weight * axes[1].weights[j];
                    let at = ((job.start[1] + j as i64) * width as i64 + job.start[0] + columns.start as i64) as usize;
                    let sums = &mut sums[at..][..columns.len()];
                    let values = &window[from(1, j) * written[0]..][..written[0]];
                    let weights = &axes[0].weights[columns.clone()];
                    if job.mirrored[0] {
                        let values = values[written[0] - columns.end..written[0] - columns.start].iter().rev();
                        for ((sum, value), along) in sums.iter_mut().zip(values).zip(weights) {
                            *sum += weight * along * value;
                        }
                    } else {
                        for ((sum, value), along) in sums.iter_mut().zip(&values[columns.clone()]).zip(weights) {
                            *sum += weight * along * value;
                        }
                    }
                }
            }
        });
    }

    /// Decides the slices before `done` and makes room for those behind.
    fn finish(&mut self, done: usize, result: &mut Segmented) {
        let plane = self.size[0] * self.size[1];
        let (first, count) = (self.first, done - self.first);
        let (sums, classes, depth) = (&self.sums, self.classes, self.depth);
        let of = |class: usize, slice: usize| &sums[(class * depth + slice) * plane..][..plane];
        let labels = &mut result.labels[first * plane..done * plane];
        labels.par_chunks_mut(plane).enumerate().for_each(|(slice, labels)| {
            let mut best = of(0, slice).to_vec();
            for class in 1..classes {
                for ((label, best), &sum) in labels.iter_mut().zip(&mut best).zip(of(class, slice)) {
                    let larger = sum > *best;
                    *label = if larger { class as u8 } else { *label };
                    *best = if larger { sum } else { *best };
                }
            }
        });
        if let Some(probability) = &mut result.probability {
            let (axes, images, width) = (self.axes, self.images as f64, self.size[0]);
            for (class, volume) in probability.chunks_exact_mut(plane * self.size[2]).enumerate() {
                let slices = &mut volume[first * plane..done * plane];
                slices.par_chunks_mut(plane).enumerate().for_each(|(slice, values)| {
                    let k = axes[2].totals[first + slice];
                    for (j, (values, sums)) in
                        values.chunks_exact_mut(width).zip(of(class, slice).chunks_exact(width)).enumerate()
                    {
                        let total = images * k * axes[1].totals[j];
                        for ((value, sum), i) in values.iter_mut().zip(sums).zip(&axes[0].totals) {
                            *value = (f64::from(*sum) / (total * i)) as f32;
                        }
                    }
                });
            }
        }
        // The slices that remain move to the front, and the rest is empty again.
        for class in self.sums.chunks_exact_mut(depth * plane) {
            class.copy_within(count * plane.., 0);
            class[(depth - count) * plane..].fill(0.0);
        }
        self.first = done;
    }
}

#[cfg(test)]
mod tests;
