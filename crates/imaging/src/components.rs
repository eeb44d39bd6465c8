//! Connected parts of a mask.
//!
//! Two passes with a table of equal labels (Rosenfeld, Pfaltz: Sequential operations in digital picture processing,
//! Journal of the ACM 1966; union by the smaller label). Parts are numbered in the order of their first voxel, as
//! scipy.ndimage.label numbers them.

use serde::{Deserialize, Serialize};

/// Which voxels touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connectivity {
    /// By faces: 6 neighbours, 4 in a slice.
    #[default]
    Six,
    /// By faces and edges: 18 neighbours, 8 in a slice.
    Eighteen,
    /// By faces, edges and corners: 26 neighbours, 8 in a slice.
    TwentySix,
}

/// The parts of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// For each voxel its part, from 1; 0 outside of the mask.
    pub labels: Vec<u32>,
    /// Voxels of each part: `sizes[0]` of part 1, and so on.
    pub sizes: Vec<usize>,
}

impl Components {
    /// The largest part, the first of several; `None` if the mask is empty.
    pub fn largest(&self) -> Option<u32> {
        let largest = *self.sizes.iter().max()?;
        self.sizes.iter().position(|&size| size == largest).map(|index| index as u32 + 1)
    }
}

/// The parts of `mask`, a grid of `[columns, rows, slices]` with columns fastest.
///
/// # Panics
/// If the mask does not have as many voxels as the grid, or more than 2³² − 2.
pub fn label(mask: &[bool], size: [usize; 3], connectivity: Connectivity) -> Components {
    assert_eq!(mask.len(), size.iter().product::<usize>(), "voxels of a mask of size {size:?}");
    assert!(mask.len() < u32::MAX as usize, "{} voxels", mask.len());
    let [columns, rows, _] = size;
    if mask.is_empty() {
        return Components { labels: Vec::new(), sizes: Vec::new() };
    }
    let before = behind_me(connectivity);
    // parents[label] is a smaller label of the same part, or the label itself
    let mut parents: Vec<u32> = vec![0];
    let mut labels = vec![0_u32; mask.len()];
    for (row, line) in mask.chunks_exact(columns).enumerate() {
        let (j, k) = (row % rows, row / rows);
        // rows that exist, as steps back from this one
        let near: Vec<(isize, usize)> = before
            .iter()
            .filter(|&&(_, dj, dk)| dk <= k && j.checked_add_signed(dj).is_some_and(|j| j < rows))
            .map(|&(di, dj, dk)| (di, (dk * rows).wrapping_add_signed(-dj) * columns))
            .collect();
        for (i, _) in line.iter().enumerate().filter(|&(_, &is)| is) {
            let here = row * columns + i;
            let mut smallest = 0;
            for &(di, back) in &near {
                if i.checked_add_signed(di).is_none_or(|i| i >= columns) {
                    continue;
                }
                let found = labels[(here - back).wrapping_add_signed(di)];
                if found > 0 {
                    smallest =
                        if smallest == 0 { root(&mut parents, found) } else { join(&mut parents, smallest, found) };
                }
            }
            if smallest == 0 {
                smallest = parents.len() as u32;
                parents.push(smallest);
            }
            labels[here] = smallest;
        }
    }
    numbered(labels, &mut parents)
}

/// The mask with nothing but its largest part; of several equal ones the first.
///
/// # Panics
/// As [`label`].
pub fn keep_largest(mask: &[bool], size: [usize; 3], connectivity: Connectivity) -> Vec<bool> {
    let parts = label(mask, size, connectivity);
    match parts.largest() {
        Some(largest) => parts.labels.iter().map(|&part| part == largest).collect(),
        None => mask.to_vec(),
    }
}

/// Neighbours that were seen before a voxel, as (step along i, step along j, slices back).
fn behind_me(connectivity: Connectivity) -> Vec<(isize, isize, usize)> {
    let most = match connectivity {
        Connectivity::Six => 1,
        Connectivity::Eighteen => 2,
        Connectivity::TwentySix => 3,
    };
    let mut before = Vec::new();
    for dk in 0..=1_usize {
        for dj in -1..=1_isize {
            for di in -1..=1_isize {
                let steps = di.unsigned_abs() + dj.unsigned_abs() + dk;
                // in the same slice only what comes before, in the one before it everything
                if steps <= most && (dk == 1 || (dj, di) < (0, 0)) {
                    before.push((di, dj, dk));
                }
            }
        }
    }
    before
}

/// The smallest label of the part, with the way to it made shorter.
fn root(parents: &mut [u32], label: u32) -> u32 {
    let mut at = label as usize;
    while parents[at] as usize != at {
        parents[at] = parents[parents[at] as usize];
        at = parents[at] as usize;
    }
    at as u32
}

fn join(parents: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (root(parents, a), root(parents, b));
    let (low, high) = (a.min(b), a.max(b));
    parents[high as usize] = low;
    low
}

/// Gives the parts their final numbers and counts them.
fn numbered(mut labels: Vec<u32>, parents: &mut [u32]) -> Components {
    // A smaller label was given to an earlier voxel, so that the order of roots is that of first voxels.
    let mut numbers = vec![0_u32; parents.len()];
    let mut count = 0;
    for label in 1..parents.len() as u32 {
        let first = root(parents, label);
        if first == label {
            count += 1;
            numbers[label as usize] = count;
        } else {
            numbers[label as usize] = numbers[first as usize];
        }
    }
    let mut sizes = vec![0; count as usize];
    for label in labels.iter_mut().filter(|label| **label > 0) {
        *label = numbers[*label as usize];
        sizes[*label as usize - 1] += 1;
    }
    Components { labels, sizes }
}

#[cfg(test)]
mod tests;
