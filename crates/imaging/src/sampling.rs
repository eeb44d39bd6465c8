//! Which part of which case a step of training sees: slices, slabs of neighbouring slices, and blocks.
//!
//! A patch is a block of `[i, j, k]` voxels; with one slice in `k` it is two-dimensional, and with
//! [`SamplingConfig::context`] its neighbours come along as further channels (2.5-D: Roth and others 2014, *A New 2.5D
//! Representation for Lymph Node Detection*). A share of the patches of each batch is centred on a labelled voxel, the
//! label drawn first so that small structures come as often as large ones (Isensee and others 2021, *nnU-Net*, methods,
//! "training": a third of the patches).
//!
//! The engine knows rows. A row of [`PatchOrder`] is a case and a turn: `turn · cases + case`, so that a case may come
//! several times an epoch and no two of its patches are alike. Everything drawn is a function of seed, epoch and row.

use nn_core::config::{ConfigError, in_range};
use nn_core::data::{Sampler, rng};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::volume::LabelMap;

/// Purpose of the stream that orders an epoch.
const ORDER: u64 = 0x696d_6f72_6465_7200;
/// Voxels of each label that [`Foreground`] remembers at most: nnU-Net's number, enough that patches rarely repeat.
const REMEMBERED: usize = 10_000;
/// Longest edge of a patch.
const LONGEST: usize = 1 << 14;

/// What stands where a patch reaches over the edge of its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Zero, which is the mean of a volume in standard scores; the label is background.
    #[default]
    Zero,
    /// The nearest voxel.
    Border,
    /// The volume mirrored at the centres of its outermost voxels (Ronneberger and others 2015, figure 2).
    Reflect,
}

impl Fill {
    /// The voxel that stands at place `at` of an axis with `size` voxels; `None` for [`Fill::Zero`] outside.
    pub fn index(self, at: i64, size: usize) -> Option<usize> {
        let last = size as i64 - 1;
        if (0..=last).contains(&at) {
            return Some(at as usize);
        }
        match self {
            _ if last < 0 => None,
            Self::Zero => None,
            Self::Border => Some(at.clamp(0, last) as usize),
            Self::Reflect if last == 0 => Some(0),
            Self::Reflect => {
                let turn = at.rem_euclid(2 * last);
                Some(turn.min(2 * last - turn) as usize)
            }
        }
    }
}

/// The shape of patches and how their places are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplingConfig {
    /// Voxels of a patch along `i`, `j`, `k`; 1 in `k` for slices.
    pub patch: [usize; 3],
    /// Slices on either side of a slice that become channels of their own; only with one slice in `k`.
    pub context: usize,
    /// Share of the patches of a batch that are centred on a labelled voxel.
    pub foreground: f64,
    /// What stands outside the volume.
    pub fill: Fill,
}

impl Default for SamplingConfig {
    /// Blocks of 64 voxels, a third of them around a labelled voxel (Isensee and others 2021).
    fn default() -> Self {
        Self { patch: [64; 3], context: 0, foreground: 1.0 / 3.0, fill: Fill::Zero }
    }
}

impl SamplingConfig {
    /// # Errors
    /// [`ConfigError`] with the field that is out of range, or if slices of context are asked for around a block.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for edge in self.patch {
            in_range("sampling.patch", edge, 1..=LONGEST)?;
        }
        in_range("sampling.context", self.context, 0..=64)?;
        in_range("sampling.foreground", self.foreground, 0.0..=1.0)?;
        if self.context > 0 && self.patch[2] != 1 {
            let [i, j, k] = self.patch;
            return Err(ConfigError::Conflict(format!(
                "sampling.context = {} needs patches of one slice, but sampling.patch is [{i}, {j}, {k}]; set its last \
                 number to 1, or context to 0",
                self.context
            )));
        }
        Ok(())
    }

    /// Channels that the network reads from a case of `channels`: each with its context, `channel · (2 context + 1) +
    /// slice`.
    pub fn inputs(&self, channels: usize) -> usize {
        channels * (2 * self.context + 1)
    }

    /// Voxels that are read from each channel of a case for one patch.
    pub fn reach(&self) -> [usize; 3] {
        [self.patch[0], self.patch[1], self.patch[2] + 2 * self.context]
    }

    /// Whether the patch at `position` of a batch (from 0) must be around a labelled voxel: the last ones of a batch
    /// are, as nnU-Net has it, so that each batch has its share.
    pub fn forced(&self, position: usize, batch: usize) -> bool {
        position >= (batch as f64 * (1.0 - self.foreground)).round() as usize
    }

    /// Where a patch begins in a case of `size`; it may reach over the edges of a case that is smaller than a patch,
    /// and of no other. With `forced` the patch is around a voxel of `foreground`, if the case has any label.
    pub fn place(
        &self,
        size: [usize; 3],
        foreground: Option<&Foreground>,
        forced: bool,
        rng: &mut ChaCha8Rng,
    ) -> [i64; 3] {
        let centre = foreground.filter(|_| forced).and_then(|foreground| foreground.draw(rng));
        [0, 1, 2].map(|axis| {
            let room = size[axis] as i64 - self.patch[axis] as i64;
            let (first, last) = if room < 0 { (-((1 - room) / 2), -(-room / 2)) } else { (0, room) };
            // Drawn in both cases, so that the one axis does not shift what the next one draws.
            let anywhere = rng.random_range(first..=last);
            match centre {
                Some(voxel) => (voxel[axis] as i64 - self.patch[axis] as i64 / 2).clamp(first, last),
                None => anywhere,
            }
        })
    }
}

/// Some voxels of each label of a case, from which the centres of patches are drawn without its label map at hand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Foreground {
    size: [usize; 3],
    labels: Vec<(u8, Vec<u64>)>,
}

impl Foreground {
    /// Up to 10,000 voxels of each label but the background, evenly spaced in the order of voxels.
    pub fn of(label: &LabelMap) -> Self {
        let mut counts = [0_usize; 256];
        for &found in &label.labels {
            counts[usize::from(found)] += 1;
        }
        // Every n-th voxel of a label, n such that no more than the limit remain.
        let every = counts.map(|count| count.div_ceil(REMEMBERED).max(1));
        let mut seen = [0_usize; 256];
        let mut places: Vec<Vec<u64>> = vec![Vec::new(); 256];
        for (offset, &found) in label.labels.iter().enumerate().filter(|(_, found)| **found > 0) {
            let found = usize::from(found);
            if seen[found] % every[found] == 0 {
                places[found].push(offset as u64);
            }
            seen[found] += 1;
        }
        let labels = (0..=u8::MAX).zip(places).filter(|(_, places)| !places.is_empty()).collect();
        Self { size: label.geometry.size, labels }
    }

    /// The labels that there are, ascending, without the background.
    pub fn labels(&self) -> Vec<u8> {
        self.labels.iter().map(|(label, _)| *label).collect()
    }

    /// Whether there is background alone.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// A voxel of a label, each label with the same probability; `None` if there is none.
    fn draw(&self, rng: &mut ChaCha8Rng) -> Option<[usize; 3]> {
        if self.labels.is_empty() {
            return None;
        }
        let (_, places) = &self.labels[rng.random_range(0..self.labels.len())];
        let offset = places[rng.random_range(0..places.len())] as usize;
        let plane = self.size[0] * self.size[1];
        Some([offset % self.size[0], offset % plane / self.size[0], offset / plane])
    }
}

/// A part of a case as a network reads it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch {
    /// `[channels, k, j, i]`.
    pub image: Vec<f32>,
    /// `[k, j, i]`; empty if the case has no label.
    pub label: Vec<u8>,
    /// Channels of the image, those of the context included.
    pub channels: usize,
    /// Voxels along `i`, `j`, `k`.
    pub size: [usize; 3],
}

/// Orders an epoch of patches: the cases are shuffled again and again until there are enough of them, so that no case
/// comes twice more than another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchOrder {
    rows: Vec<usize>,
    cases: usize,
    patches: usize,
    batch: usize,
}

impl PatchOrder {
    /// `patches` an epoch from the cases at `rows` of a set of `cases`, in batches of `batch` (0 counts as 1); the last
    /// one has what is left.
    ///
    /// # Panics
    /// If a row is not one of the cases.
    pub fn new(rows: Vec<usize>, cases: usize, patches: usize, batch: usize) -> Self {
        assert!(rows.iter().all(|&row| row < cases), "a row beyond the {cases} cases");
        Self { rows, cases, patches, batch: batch.max(1) }
    }

    /// The case of a row that the order gave out.
    pub fn case(&self, row: usize) -> usize {
        row % self.cases.max(1)
    }
}

impl Sampler for PatchOrder {
    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let mut rng = rng(seed, &[ORDER, epoch as u64]);
        let mut order = Vec::with_capacity(self.patches + self.rows.len());
        let mut turn = 0;
        while order.len() < self.patches {
            let mut rows = self.rows.clone();
            rows.shuffle(&mut rng);
            order.extend(rows.into_iter().map(|row| turn * self.cases + row));
            turn += 1;
        }
        order.truncate(self.patches);
        order.chunks(self.batch).map(<[usize]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests;
