//! The map of a patch: where in the volume each of its voxels is looked up.

use rand::RngExt;
use rayon::prelude::*;

use super::elastic::Elastic;
use super::gather::{Nearest, Trilinear, dispatch};
use super::{AugmentConfig, Draw, MIRRORED, SPACE};
use crate::case::Case;
use crate::geometry::Geometry;
use crate::sampling::{Fill, Patch, SamplingConfig};

/// Pixels of one task.
const TASK: usize = 1 << 14;
/// No voxel.
const OUTSIDE: usize = usize::MAX;

/// A map from the voxels of a patch to places of a volume: a matrix, and what a grid of points is displaced by.
#[derive(Debug, Clone)]
pub struct Spatial {
    /// Voxels that are written, along `i`, `j`, `k`.
    pub(super) size: [usize; 3],
    /// `matrix[a][b]`: voxels of the volume along `a` for one voxel of the patch along `b`.
    pub(super) matrix: [[f64; 3]; 3],
    /// The place of voxel (0, 0, 0) of the patch.
    pub(super) offset: [f64; 3],
    pub(super) elastic: Option<Elastic>,
    pub(super) fill: Fill,
    /// The label that each label becomes.
    swap: Option<Box<[u8; 256]>>,
}

impl Spatial {
    /// The map `offset + matrix · voxel` to a patch of `size`, axes in the order `i`, `j`, `k`.
    pub fn new(size: [usize; 3], matrix: [[f64; 3]; 3], offset: [f64; 3], fill: Fill) -> Self {
        Self { size, matrix, offset, elastic: None, fill, swap: None }
    }

    /// The patch that begins at `start`, unchanged.
    pub fn at(start: [i64; 3], sampling: &SamplingConfig) -> Self {
        let first = [start[0], start[1], start[2] - sampling.context as i64];
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        Self::new(sampling.reach(), identity, first.map(|at| at as f64), sampling.fill)
    }

    /// The map that `draw` makes of the patch that begins at `start`.
    pub fn draw(
        config: &AugmentConfig,
        sampling: &SamplingConfig,
        geometry: &Geometry,
        start: [i64; 3],
        draw: Draw,
    ) -> Self {
        let mut rng = draw.rng(&[SPACE]);
        let (size, mm) = (sampling.reach(), geometry.spacing);
        let rotated = config.rotation.happens(&mut rng);
        let angles = [0, 1, 2].map(|axis| {
            let degrees = config.rotation.amount(&mut rng);
            if rotated && (axis == 2 || !config.in_plane) { degrees.to_radians() } else { 0.0 }
        });
        let scaled = config.scale.happens(&mut rng);
        let factor = config.scale.amount(&mut rng);
        let grow = [0, 1, 2].map(|axis| if scaled && (axis < 2 || !config.in_plane) { factor } else { 1.0 });
        let shifted = config.translation.happens(&mut rng);
        let shift = [0, 1, 2].map(|axis| {
            let share = config.translation.amount(&mut rng);
            if shifted { (share * sampling.patch[axis] as f64).round() } else { 0.0 }
        });
        let mirrored = [0, 1, 2].map(|axis| rng.random::<f64>() < MIRRORED && config.flip.contains(&axis));
        let deformed = config.elastic.happens(&mut rng);
        let deviation = config.elastic.amount(&mut rng);
        let elastic = deformed.then(|| {
            let finest = mm.iter().copied().fold(f64::INFINITY, f64::min);
            let flat = config.in_plane || size[2] == 1;
            let along = [0, 1, 2].map(|axis| if axis == 2 && flat { 0.0 } else { deviation * finest / mm[axis] });
            Elastic::draw(size, config.elastic_points, flat, along, &mut rng)
        });

        let turn = rotation(angles);
        let matrix = [0, 1, 2].map(|row| {
            [0, 1, 2].map(|column| {
                let sign = if mirrored[column] { -1.0 } else { 1.0 };
                sign * turn[row][column] * (mm[column] / mm[row]) / grow[row]
            })
        });
        let offset = [0, 1, 2].map(|row| {
            let middle = start[row] as f64 + (sampling.patch[row] as f64 - 1.0) / 2.0 + shift[row];
            (0..3).fold(middle, |at, column| at - matrix[row][column] * (size[column] as f64 - 1.0) / 2.0)
        });
        let lateral = geometry.axes().iter().position(|axis| axis.0 == 0);
        let swapped = !config.swap.is_empty() && lateral.is_some_and(|axis| mirrored[axis]);
        let swap = swapped.then(|| {
            let mut table = Box::new([0; 256]);
            (0..=u8::MAX).for_each(|label| table[usize::from(label)] = label);
            for &[one, other] in &config.swap {
                table[usize::from(one)] = other;
                table[usize::from(other)] = one;
            }
            table
        });
        Self { size, matrix, offset, elastic, fill: sampling.fill, swap }
    }

    /// Cuts image and label out of a case.
    ///
    /// # Panics
    /// If a channel has 2³² voxels or more.
    pub fn cut(&self, case: &Case, sampling: &SamplingConfig) -> Patch {
        let size = case.geometry().size;
        let channels: Vec<&[f32]> = case.channels.iter().map(|volume| volume.voxels.as_slice()).collect();
        let label = case.label.as_ref().map(|map| {
            // The slices of the context have no label.
            let shown = Self { size: sampling.patch, ..self.starting_at(sampling.context) };
            shown.labels(&map.labels, size)
        });
        Patch {
            image: self.resample(&channels, size),
            label: label.unwrap_or_default(),
            channels: sampling.inputs(channels.len()),
            size: sampling.patch,
        }
    }

    /// The same map without its first slices.
    fn starting_at(&self, first: usize) -> Self {
        let mut later = self.clone();
        for (at, row) in later.offset.iter_mut().zip(&self.matrix) {
            *at += row[2] * first as f64;
        }
        later.elastic = self.elastic.as_ref().map(|elastic| elastic.starting_at(first));
        later
    }

    /// Values of each channel (volumes of `size` voxels) at the places of the map, between voxels in proportion:
    /// `[channels, k, j, i]`.
    ///
    /// # Panics
    /// If a channel does not have `size` voxels, or 2³² or more.
    pub fn resample(&self, channels: &[&[f32]], size: [usize; 3]) -> Vec<f32> {
        let voxels: usize = size.iter().product();
        assert!(voxels > 0 && u32::try_from(voxels).is_ok(), "a volume of {voxels} voxels");
        assert!(channels.iter().all(|channel| channel.len() == voxels), "a channel has not {voxels} voxels");
        let count: usize = self.size.iter().product();
        let mut image = vec![0.0; count * channels.len()];
        if let Some(lines) = self.straight(size) {
            for (from, to) in channels.iter().zip(image.chunks_exact_mut(count)) {
                copy(from, size, &lines, to);
            }
            return image;
        }
        let [width, height, depth] = self.size;
        let rows = (TASK / width).clamp(1, height);
        let blocks = height.div_ceil(rows);
        // For each task its rows of all channels: places are computed once for all of them.
        let mut tasks: Vec<Vec<&mut [f32]>> = (0..depth * blocks).map(|_| Vec::with_capacity(channels.len())).collect();
        for (number, plane) in image.chunks_exact_mut(width * height).enumerate() {
            for (block, part) in plane.chunks_mut(rows * width).enumerate() {
                tasks[number % depth * blocks + block].push(part);
            }
        }
        tasks.into_par_iter().enumerate().for_each(|(task, parts)| {
            let (k, first) = (task / blocks, task % blocks * rows);
            dispatch(Trilinear { map: self, size, k, first, channels, parts });
        });
        image
    }

    /// The label at the nearest voxel to each place of the map, background outside: `[k, j, i]`.
    ///
    /// # Panics
    /// If there are not `size` labels, or 2³² or more.
    pub fn labels(&self, labels: &[u8], size: [usize; 3]) -> Vec<u8> {
        let voxels: usize = size.iter().product();
        assert!(voxels > 0 && u32::try_from(voxels).is_ok(), "a volume of {voxels} voxels");
        assert_eq!(labels.len(), voxels, "labels of a volume");
        let [width, height, depth] = self.size;
        let mut found = vec![0; width * height * depth];
        if let Some(lines) = self.straight(size) {
            copy(labels, size, &lines, &mut found);
        } else {
            found.par_chunks_mut(width * height).enumerate().for_each(|(k, out)| {
                dispatch(Nearest { map: self, size, k, labels, out });
            });
        }
        if let Some(table) = &self.swap {
            found.iter_mut().for_each(|label| *label = table[usize::from(*label)]);
        }
        found
    }

    /// For each axis the voxels that are looked up along it, where places are centres of voxels and axes stay apart.
    fn straight(&self, size: [usize; 3]) -> Option<[Vec<usize>; 3]> {
        let whole = self.elastic.is_none()
            && (0..3).all(|row| {
                (self.offset[row] - self.offset[row].round()).abs() < 1e-6
                    && (0..3).all(|column| self.matrix[row][column].abs() == if row == column { 1.0 } else { 0.0 })
            });
        whole.then(|| {
            [0, 1, 2].map(|axis| {
                let (first, step) = (self.offset[axis].round() as i64, self.matrix[axis][axis] as i64);
                (0..self.size[axis])
                    .map(|at| self.fill.index(first + step * at as i64, size[axis]).unwrap_or(OUTSIDE))
                    .collect()
            })
        })
    }
}

/// Copies whole voxels, slice by slice.
fn copy<T: Copy + Default + Send + Sync>(from: &[T], size: [usize; 3], lines: &[Vec<usize>; 3], to: &mut [T]) {
    let [columns, rows, slices] = lines;
    let run = columns.windows(2).all(|pair| pair[0] != OUTSIDE && pair[0] + 1 == pair[1]);
    to.par_chunks_mut(columns.len() * rows.len()).zip(slices).for_each(|(plane, &k)| {
        for (row, &j) in plane.chunks_exact_mut(columns.len()).zip(rows) {
            if k == OUTSIDE || j == OUTSIDE {
                row.fill(T::default());
                continue;
            }
            let line = &from[(k * size[1] + j) * size[0]..][..size[0]];
            if run && columns[0] != OUTSIDE {
                row.copy_from_slice(&line[columns[0]..][..columns.len()]);
            } else {
                for (to, &i) in row.iter_mut().zip(columns) {
                    *to = line.get(i).copied().unwrap_or_default();
                }
            }
        }
    });
}

/// Rotation by three angles in radians, about `i`, then `j`, then `k`.
fn rotation([i, j, k]: [f64; 3]) -> [[f64; 3]; 3] {
    let ((si, ci), (sj, cj), (sk, ck)) = (i.sin_cos(), j.sin_cos(), k.sin_cos());
    [
        [ck * cj, ck * sj * si - sk * ci, ck * sj * ci + sk * si],
        [sk * cj, sk * sj * si + ck * ci, sk * sj * ci - ck * si],
        [-sj, cj * si, cj * ci],
    ]
}
