//! Which images are alike: thumbnails, difference hashes, and the search for pairs.
//!
//! A copy that was saved again, scaled or brightened has other bytes and is the same image. The thumbnail of an image, its
//! mean taken away, is compared by correlation; which pairs are compared is decided by the 64 bits of a difference hash
//! (whether brightness rises from one field of a coarse grid to the next), so that no set needs all its pairs.

use std::collections::HashMap;

use rayon::prelude::*;

/// Sizes of a thumbnail: of a picture and of a volume.
const THUMBNAIL: [[usize; 3]; 2] = [[32, 32, 1], [12, 12, 12]];
/// Fields of the difference hash; one more along the first axis than there are bits.
const FIELDS: [[usize; 3]; 2] = [[9, 8, 1], [5, 4, 4]];

/// What of an image is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Look {
    /// Difference hash.
    pub(crate) hash: u64,
    /// The thumbnail with mean 0 and length 1; all zeros of an image without contrast.
    pub(crate) thumbnail: Vec<f32>,
}

impl Look {
    /// Looks at the voxels of a grid; what is not a number counts as zero.
    pub(crate) fn of(values: &[f32], size: [usize; 3]) -> Self {
        let deep = usize::from(size[2] > 1);
        let values: Vec<f64> =
            values.iter().map(|value| if value.is_finite() { f64::from(*value) } else { 0.0 }).collect();
        let small = shrink(values, size, THUMBNAIL[deep]);
        let fields = FIELDS[deep];
        let coarse = shrink(small.clone(), THUMBNAIL[deep], fields);
        let mut hash = 0_u64;
        for row in coarse.chunks_exact(fields[0]) {
            for pair in row.windows(2) {
                hash = (hash << 1) | u64::from(pair[1] > pair[0]);
            }
        }
        let mean = small.iter().sum::<f64>() / small.len() as f64;
        let norm = small.iter().map(|value| (value - mean).powi(2)).sum::<f64>().sqrt();
        // An even image differs from its mean by rounding only.
        let scale = if norm > 1e-9 * (1.0 + mean.abs()) { 1.0 / norm } else { 0.0 };
        Self { hash, thumbnail: small.iter().map(|value| ((value - mean) * scale) as f32).collect() }
    }

    /// Correlation of two thumbnails, −1 to 1; 0 for images of other dimensions or without contrast.
    pub(crate) fn correlation(&self, other: &Self) -> f64 {
        if self.thumbnail.len() != other.thumbnail.len() {
            return 0.0;
        }
        // Eight sums in single precision, so that the compiler may use vectors.
        let mut sums = [0.0_f32; 8];
        let (ones, others) = (self.thumbnail.chunks_exact(8), other.thumbnail.chunks_exact(8));
        for (one, other) in ones.zip(others) {
            for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
                *sum += a * b;
            }
        }
        f64::from(sums.iter().sum::<f32>())
    }
}

/// Means over the fields of a coarser (or finer) grid; a field that covers a part of a voxel takes that part of it.
pub(crate) fn shrink(values: Vec<f64>, size: [usize; 3], to: [usize; 3]) -> Vec<f64> {
    let (mut values, mut size) = (values, size);
    for axis in 0..3 {
        values = along(&values, size, axis, to[axis]);
        size[axis] = to[axis];
    }
    values
}

fn along(values: &[f64], size: [usize; 3], axis: usize, to: usize) -> Vec<f64> {
    let from = size[axis];
    if from == to {
        return values.to_vec();
    }
    // `inner` values stand between two neighbours along the axis.
    let inner: usize = size[..axis].iter().product();
    let step = from as f64 / to as f64;
    let weights: Vec<Vec<(usize, f64)>> = (0..to)
        .map(|field| {
            let (low, high) = (field as f64 * step, (field + 1) as f64 * step);
            let covered = (low as usize..(high.ceil() as usize).min(from)).map(|place| {
                let part = high.min((place + 1) as f64) - low.max(place as f64);
                (place, part.max(0.0) / step)
            });
            covered.collect()
        })
        .collect();
    let mut means = Vec::with_capacity(values.len() / from * to);
    for block in values.chunks_exact(inner * from) {
        for field in &weights {
            let start = means.len();
            means.resize(start + inner, 0.0);
            for &(place, weight) in field {
                let source = &block[place * inner..][..inner];
                means[start..].iter_mut().zip(source).for_each(|(mean, value)| *mean += weight * value);
            }
        }
    }
    means
}

/// Two images that are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Alike {
    /// A row.
    pub(crate) first: usize,
    /// A later row.
    pub(crate) second: usize,
    /// Correlation of their thumbnails.
    pub(crate) correlation: f64,
}

/// The pairs whose hashes differ in at most `bits` bits and whose thumbnails correlate to at least `correlation`, by row.
/// Pairs with the same number in `copies` are known already and left out.
pub(crate) fn pairs(looks: &[&Look], copies: &[u64], bits: u32, correlation: f64) -> Vec<Alike> {
    // Hashes that differ in fewer bits than there are bytes agree in one byte at least: only such pairs are compared.
    let mut shelves: Vec<HashMap<u8, Vec<usize>>> = vec![HashMap::new(); 8];
    for (row, look) in looks.iter().enumerate() {
        for (byte, shelf) in look.hash.to_le_bytes().into_iter().zip(&mut shelves) {
            shelf.entry(byte).or_default().push(row);
        }
    }
    let found: Vec<Vec<Alike>> = (0..looks.len())
        .into_par_iter()
        .map(|first| {
            let look = looks[first];
            let mut alike = Vec::new();
            for (place, (byte, shelf)) in look.hash.to_le_bytes().into_iter().zip(&shelves).enumerate() {
                let Some(shelf) = shelf.get(&byte) else { continue };
                let later = shelf.partition_point(|row| *row <= first);
                for &second in &shelf[later..] {
                    let differing = look.hash ^ looks[second].hash;
                    // A pair is on several shelves: it counts on the first.
                    let earlier = (0..place).any(|shelf| differing.to_le_bytes()[shelf] == 0);
                    if earlier || differing.count_ones() > bits || copies[first] == copies[second] {
                        continue;
                    }
                    let found = look.correlation(looks[second]);
                    if found >= correlation {
                        alike.push(Alike { first, second, correlation: found });
                    }
                }
            }
            alike.sort_unstable_by_key(|pair| pair.second);
            alike
        })
        .collect();
    found.concat()
}

/// Rows whose likest other row is one of their two neighbours in the order given.
pub(crate) fn like_their_neighbours(looks: &[&Look]) -> usize {
    let beside = |row: usize| {
        let (mut best, mut highest) = (None, 0.0);
        for other in (0..looks.len()).filter(|other| *other != row) {
            let found = looks[row].correlation(looks[other]);
            if found > highest {
                (best, highest) = (Some(other), found);
            }
        }
        best.is_some_and(|other| other.abs_diff(row) == 1)
    };
    (0..looks.len()).into_par_iter().filter(|row| beside(*row)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_means_of_what_they_cover() {
        // 3 × 2 → 2 × 1: the first field covers column 0 and half of column 1.
        let small = shrink(vec![1.0, 2.0, 6.0, 3.0, 4.0, 8.0], [3, 2, 1], [2, 1, 1]);
        let expected =
            [f64::midpoint((1.0 + 1.0) / 1.5, (3.0 + 2.0) / 1.5), f64::midpoint((1.0 + 6.0) / 1.5, (2.0 + 8.0) / 1.5)];
        assert!(small.iter().zip(expected).all(|(found, wanted)| (found - wanted).abs() < 1e-12), "{small:?}");
        // A finer grid repeats.
        assert_eq!(shrink(vec![5.0, 7.0], [1, 2, 1], [2, 4, 1]), [5.0, 5.0, 5.0, 5.0, 7.0, 7.0, 7.0, 7.0]);
        // Every constant stays, along every axis.
        assert!(shrink(vec![3.0; 5 * 7 * 3], [5, 7, 3], [12, 12, 12]).iter().all(|value| (value - 3.0).abs() < 1e-12));
    }

    #[test]
    fn brightness_contrast_and_size_do_not_count() {
        let wave = |i: usize, j: usize, n: usize| {
            let (x, y) = (i as f32 / n as f32, j as f32 / n as f32);
            100.0 + 50.0 * (7.0 * x).sin() + 30.0 * (5.0 * y + 2.0 * x).cos()
        };
        let picture = |n: usize| (0..n * n).map(|place| wave(place % n, place / n, n)).collect::<Vec<f32>>();
        let look = Look::of(&picture(64), [64, 64, 1]);
        let brighter: Vec<f32> = picture(64).iter().map(|value| 0.4 * value + 20.0).collect();
        let brighter = Look::of(&brighter, [64, 64, 1]);
        assert_eq!(look.hash, brighter.hash);
        // Both have length 1 to single precision.
        assert!((look.correlation(&brighter) - 1.0).abs() < 1e-5);
        let larger = Look::of(&picture(128), [128, 128, 1]);
        assert!(look.correlation(&larger) > 0.999 && (look.hash ^ larger.hash).count_ones() <= 6);
        let even = Look::of(&[7.0; 64], [8, 8, 1]);
        assert_eq!(look.correlation(&even), 0.0);
        assert_eq!(look.correlation(&Look::of(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [2, 2, 2])), 0.0);
    }

    /// Brute-force twin: all pairs.
    #[test]
    fn the_shelves_lose_no_pair() {
        use rand::RngExt;
        let mut draw = nn_core::data::rng(3, &[]);
        let looks: Vec<Look> = (0..300)
            .map(|row| {
                let base = if row % 3 == 0 { 0x0f0f_3355_aa71_00ff } else { draw.random::<u64>() };
                // Up to seven of 64 bits are turned.
                let hash = (0..row % 8).fold(base, |hash, _| hash ^ (1 << draw.random_range(0..64_u32)));
                let angle: f32 = draw.random_range(0.0..0.4);
                Look { hash, thumbnail: vec![angle.cos(), angle.sin(), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0] }
            })
            .collect();
        let looks: Vec<&Look> = looks.iter().collect();
        let copies: Vec<u64> = (0..300).map(|row| row / 2).collect();
        for bits in [0, 3, 7] {
            let mut expected = Vec::new();
            for first in 0..looks.len() {
                for second in first + 1..looks.len() {
                    let near = (looks[first].hash ^ looks[second].hash).count_ones() <= bits;
                    let correlation = looks[first].correlation(looks[second]);
                    if near && correlation >= 0.98 && copies[first] != copies[second] {
                        expected.push(Alike { first, second, correlation });
                    }
                }
            }
            assert_eq!(pairs(&looks, &copies, bits, 0.98), expected);
            assert!(bits < 7 || expected.len() > 100);
        }
    }
}
