//! The losses that two of the papers bring with them.

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use nn_core::losses::{CrossEntropy, Reduction, Tversky};
use rayon::prelude::*;

use crate::components::{self, Connectivity};
use crate::distance::squared_distance;

/// What Shvets and Iglovikov add above and below, so that a class that a batch lacks has a logarithm.
const SMOOTH: f32 = 1e-15;

/// Cross-entropy of the softmax less the logarithm of the soft Jaccard index of each class: `(1 - weight)` times the
/// one, `weight` times the sum of the others.
///
/// Iglovikov and Shvets 2018, *`TernausNet`*, section 3; Shvets et al. 2018, *Automatic Instrument Segmentation in
/// Robot-Assisted Surgery Using Deep Learning*, equations 2 to 5; the weighing as in the authors' code (repository
/// ternaus/robot-surgery-segmentation, `LossMulti`), so that `weight` is 0 to 1. The sums of an index run over the
/// whole batch.
///
/// # Shapes
/// - logits `[batch, classes, k, j, i]`, targets `[batch, k, j, i]`; output `[1]`
///
/// # Panics
/// When the shapes disagree, or a target is no class (checked on the CPU).
pub fn jaccard_loss(logits: Tensor<5>, targets: Tensor<4, Int>, weight: f64) -> Tensor<1> {
    // with both weights 1 the Tversky index is the Jaccard index
    let jaccard = Tversky { alpha: 1.0, beta: 1.0, smooth: SMOOTH, ..Tversky::default() };
    let indices = jaccard.indices(logits.clone(), targets.clone()); // [1, classes]
    let entropy = CrossEntropy::default().forward(logits, targets, Reduction::Mean);
    entropy.mul_scalar(1.0 - weight) - indices.log().sum().mul_scalar(weight)
}

/// The weight of each class that makes all classes count alike: voxels by classes and voxels of the class, 0 for a
/// class that does not occur. The mean of the weights over the voxels is 1.
pub fn class_balance(labels: &[u8]) -> Vec<f64> {
    let mut counts = [0_usize; 256];
    labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    let present = counts.iter().filter(|&&count| count > 0).count() as f64;
    let used = labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let weight = |&count: &usize| if count == 0 { 0.0 } else { labels.len() as f64 / (present * count as f64) };
    counts[..used].iter().map(weight).collect()
}

/// Weights that force a network to learn the thin walls between touching cells (Ronneberger et al. 2015, equation 2):
///
/// `w(x) = balance of x's class + w0 · exp(−(d1 + d2)² / (2 σ²))`
///
/// with the distances d1 and d2 of x, in voxels, to the nearest and to the second nearest cell. A cell is what hangs
/// together through faces of voxels whose label is not 0. The second term is that of the background alone, where walls
/// are; `w0` is 10 and `sigma` 5 in the paper.
///
/// # Shapes
/// - labels and output are of a grid of `size` (i, j, k), i the fastest
///
/// # Panics
/// When there are not as many labels as voxels.
pub fn border_weights(labels: &[u8], size: [usize; 3], w0: f64, sigma: f64) -> Vec<f32> {
    assert_eq!(labels.len(), size.iter().product::<usize>(), "labels of a grid of {size:?}");
    let cells = cells(labels, size);
    // beyond this sum of distances the term is below w0 · 1e-8
    let reach = (6.1 * sigma).ceil() as usize;
    let distances = |cell: &Cell| {
        let window = cell.window(size, reach);
        let squared = squared_distance(&window.mask(cell, size), window.size(), [1.0; 3]);
        (window, squared)
    };
    let near: Vec<(Window, Vec<f64>)> = cells.par_iter().map(distances).collect();
    let mut nearest = vec![[f64::INFINITY; 2]; labels.len()];
    for (window, distances) in &near {
        for (place, &squared) in window.places(size).zip(distances) {
            let [first, second] = &mut nearest[place];
            if squared < *first {
                (*first, *second) = (squared, *first);
            } else if squared < *second {
                *second = squared;
            }
        }
    }
    let balance = class_balance(labels);
    let weight = |(&label, [first, second]): (&u8, &[f64; 2])| {
        let own = balance[usize::from(label)];
        if label != 0 || second.is_infinite() {
            return own as f32;
        }
        let sum = first.sqrt() + second.sqrt();
        (own + w0 * (-sum * sum / (2.0 * sigma * sigma)).exp()) as f32
    };
    labels.iter().zip(&nearest).map(weight).collect()
}

/// The voxels of one cell.
struct Cell(Vec<usize>);

/// What hangs together through faces.
fn cells(labels: &[u8], size: [usize; 3]) -> Vec<Cell> {
    let mask: Vec<bool> = labels.iter().map(|&label| label != 0).collect();
    let parts = components::label(&mask, size, Connectivity::Six);
    let mut cells: Vec<Cell> = parts.sizes.iter().map(|&voxels| Cell(Vec::with_capacity(voxels))).collect();
    for (voxel, &part) in parts.labels.iter().enumerate() {
        if part > 0 {
            cells[part as usize - 1].0.push(voxel);
        }
    }
    cells
}

/// A part of the grid along i, j, k.
struct Window([Range<usize>; 3]);

impl Cell {
    /// The smallest window around the cell, larger by `reach` on each side as far as the grid goes.
    fn window(&self, size: [usize; 3], reach: usize) -> Window {
        let mut steps = 1;
        Window(size.map(|length| {
            let step = steps;
            steps *= length;
            let along = self.0.iter().map(|voxel| voxel / step % length);
            let (first, last) = along.fold((length, 0), |(first, last), at| (at.min(first), at.max(last)));
            first.saturating_sub(reach)..(last + 1 + reach).min(length)
        }))
    }
}

impl Window {
    fn size(&self) -> [usize; 3] {
        [self.0[0].len(), self.0[1].len(), self.0[2].len()]
    }

    /// Places of the window's voxels in the grid, i the fastest.
    fn places(&self, size: [usize; 3]) -> impl Iterator<Item = usize> {
        let [i, j, k] = self.0.clone();
        k.flat_map(move |k| {
            let i = i.clone();
            j.clone().flat_map(move |j| i.clone().map(move |i| (k * size[1] + j) * size[0] + i))
        })
    }

    /// Which voxels of the window are the cell's.
    fn mask(&self, cell: &Cell, size: [usize; 3]) -> Vec<bool> {
        let [width, height, depth] = self.size();
        let mut mask = vec![false; width * height * depth];
        for &voxel in &cell.0 {
            let (i, j, k) = (voxel % size[0], voxel / size[0] % size[1], voxel / (size[0] * size[1]));
            let row = (k - self.0[2].start) * height + j - self.0[1].start;
            mask[row * width + i - self.0[0].start] = true;
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::systems::golden::{expected, input, noise};

    /// Three classes at random.
    fn targets(name: &str, count: usize) -> Vec<i64> {
        noise(name, count).map(|value| ((value + 1.0) * 1.5) as i64).collect()
    }

    #[test]
    fn the_loss_and_its_gradient_are_those_of_the_authors_code() {
        let device = Device::flex().autodiff();
        let shape = [2, 1, 5, 4];
        let targets = Tensor::<4, Int>::from_data(TensorData::new(targets("jaccard.targets", 40), shape), &device);
        for (weight, name) in [(0.3, "jaccard.0.3"), (1.0, "jaccard.1.0")] {
            let logits = input::<5>("jaccard.logits", [2, 3, 1, 5, 4]).autodiff().require_grad();
            let loss = jaccard_loss(logits.clone(), targets.clone(), weight);
            let gradients = loss.backward();
            let mut found = loss.try_into_vec_as::<f64>().unwrap();
            found.extend(logits.grad(&gradients).unwrap().try_into_vec_as::<f64>().unwrap());
            let expected = expected(name);
            assert_eq!(found.len(), expected.len());
            // 1e-6 and 1e-5 of the value: single precision against double
            for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < 1e-6 + 1e-5 * expected.abs(), "{name}[{at}]: {found}, {expected}");
            }
        }
    }

    #[test]
    fn a_class_that_is_nowhere_leaves_the_loss_finite() {
        let device = Device::flex().autodiff();
        let targets = Tensor::<4, Int>::zeros([1, 1, 4, 4], &device);
        let logits = input::<5>("nowhere", [1, 3, 1, 4, 4]).autodiff().require_grad();
        let loss = jaccard_loss(logits.clone(), targets, 0.3);
        let gradients = logits.grad(&loss.backward()).unwrap().try_into_vec_as::<f32>().unwrap();
        assert!(loss.try_into_scalar::<f32>().unwrap().is_finite());
        assert!(gradients.iter().all(|gradient| gradient.is_finite()));
    }

    #[test]
    fn classes_balance() {
        // 3 of 4 voxels background, none of class 1
        let weights = class_balance(&[0, 0, 2, 0]);
        assert_eq!(weights, [4.0 / 6.0, 0.0, 2.0]);
        assert!(class_balance(&[]).is_empty());
    }

    #[test]
    fn walls_are_those_of_scipy() {
        // discs of a hundred voxels and a slab, in two and three dimensions, by scipy's distance transform of each
        for (name, size) in [("border.plane", [24, 20, 1]), ("border.volume", [12, 10, 8])] {
            let cells = expected(&format!("{name}.labels"));
            let labels: Vec<u8> = cells.iter().map(|&label| label as u8).collect();
            let found = border_weights(&labels, size, 10.0, 2.0);
            let expected = expected(name);
            assert_eq!(found.len(), expected.len());
            for (at, (&found, expected)) in found.iter().zip(&expected).enumerate() {
                // 1e-6: rounded to single precision, and w0 · 1e-8 where windows end
                assert!(
                    (f64::from(found) - expected).abs() < 1e-6 * expected.max(1.0),
                    "{name}[{at}]: {found}, {expected}"
                );
            }
        }
    }

    #[test]
    fn walls_need_two_cells() {
        // one row: cell, two of background, cell; the wall is 1 + 2 voxels from both
        let weights = border_weights(&[1, 0, 0, 1], [4, 1, 1], 10.0, 5.0);
        let wall = 1.0 + 10.0 * (-9.0_f64 / 50.0).exp();
        for (found, expected) in weights.iter().zip([1.0, wall, wall, 1.0]) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{weights:?}");
        }
        assert_eq!(border_weights(&[1, 0, 0, 0], [4, 1, 1], 10.0, 5.0), [2.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]);
        assert_eq!(border_weights(&[0; 4], [4, 1, 1], 10.0, 5.0), [1.0; 4]);
        assert!(border_weights(&[], [0, 1, 1], 10.0, 5.0).is_empty());
    }
}
