//! Baselines that know where a structure usually is, and nothing of how it looks.

use crate::audit::near::Look;
use crate::case::Case;
use crate::volume::LabelMap;

/// The most frequent label at each place of the picture, cases of other sizes being stretched.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanShape {
    size: [usize; 3],
    labels: Vec<u8>,
    names: Vec<String>,
}

impl MeanShape {
    /// Counts the labels of cases on a grid of their median size.
    ///
    /// # Panics
    /// Without a case.
    pub fn fit(cases: &[(&Case, &LabelMap)]) -> Self {
        let (_, first) = cases[0];
        let size = [0, 1, 2].map(|axis: usize| {
            let mut sizes: Vec<usize> = cases.iter().map(|(_, map)| map.geometry.size[axis]).collect();
            sizes.sort_unstable();
            sizes[sizes.len() / 2]
        });
        let classes = first.names.len();
        let mut counts = vec![0_u32; size.iter().product::<usize>() * classes];
        for (_, map) in cases {
            let stretched = stretched(&map.labels, map.geometry.size, size);
            for (label, counts) in stretched.iter().zip(counts.chunks_exact_mut(classes)) {
                counts[usize::from(*label)] += 1;
            }
        }
        let most = |counts: &[u32]| {
            // Of equals the lower label: the background before anything else.
            let best = (0..classes).rev().max_by_key(|&label| counts[label]).unwrap_or(0);
            best as u8
        };
        Self { size, labels: counts.chunks_exact(classes).map(most).collect(), names: first.names.clone() }
    }

    /// Names of the labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The shape on a grid of another size.
    pub fn labels(&self, size: [usize; 3]) -> Vec<u8> {
        stretched(&self.labels, self.size, size)
    }
}

/// The labels of the training case whose first channel looks most alike.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestCase {
    cases: Vec<(Look, Vec<u8>, [usize; 3])>,
    names: Vec<String>,
}

impl NearestCase {
    /// Remembers cases: a thumbnail of each, and its labels.
    ///
    /// # Panics
    /// Without a case.
    pub fn fit(cases: &[(&Case, &LabelMap)]) -> Self {
        let remembered = |(case, map): &(&Case, &LabelMap)| {
            let look = Look::of(&case.channels[0].voxels, case.geometry().size);
            (look, map.labels.clone(), map.geometry.size)
        };
        Self { cases: cases.iter().map(remembered).collect(), names: cases[0].1.names.clone() }
    }

    /// Names of the labels.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The labels of the likest case, stretched to the grid of this one.
    pub fn labels(&self, case: &Case) -> Vec<u8> {
        let size = case.geometry().size;
        let look = Look::of(&case.channels[0].voxels, size);
        let likeness: Vec<f64> = self.cases.iter().map(|(other, ..)| look.correlation(other)).collect();
        let (_, labels, from) = &self.cases[crate::evaluate::classes::highest(&likeness)];
        stretched(labels, *from, size)
    }
}

/// Labels on a grid of another size over the same box: each voxel takes the one at its place.
fn stretched(labels: &[u8], from: [usize; 3], to: [usize; 3]) -> Vec<u8> {
    if from == to {
        return labels.to_vec();
    }
    let places = |axis: usize| -> Vec<usize> {
        let share = from[axis] as f64 / to[axis] as f64;
        (0..to[axis]).map(|place| (((place as f64 + 0.5) * share) as usize).min(from[axis] - 1)).collect()
    };
    let [columns, rows, slices] = [places(0), places(1), places(2)];
    let mut found = Vec::with_capacity(to.iter().product());
    for k in &slices {
        for j in &rows {
            let row = &labels[(k * from[1] + j) * from[0]..][..from[0]];
            found.extend(columns.iter().map(|i| row[*i]));
        }
    }
    found
}
