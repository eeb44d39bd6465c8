//! Runs of floats: loops compiled for each instruction set, accurate sums in a fixed order, and the
//! division of a tensor into tasks.
//!
//! Floats are summed in sixteen lanes over at most [`BLOCK`] of them, everything above that in double
//! precision. Tasks are cut by the shape alone and their results joined in order, so no bit of a result
//! depends on the number of threads.

use crate::ops::memory::Buffer;
use burn::backend::TensorMetadata;
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
use rayon::prelude::*;
use std::ops::Range;

/// Sums that run side by side: one AVX-512 register of floats.
pub(in crate::ops) const LANES: usize = 16;
/// Floats worked on at a time; several such runs fit into the first-level cache.
pub(in crate::ops) const BLOCK: usize = 2048;
/// Floats of one task: enough to be worth handing to a thread, and inside the second-level cache.
pub(in crate::ops) const PART: usize = 1 << 15;

/// Declares a function whose body is compiled for AVX-512, for AVX2 and for the baseline; the widest that
/// the machine has runs. Behind the name stand the generics as declared and then as used.
macro_rules! vectorised {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident[$($declared:tt)*][$($used:tt)*]($($arg:ident: $kind:ty),* $(,)?) -> $out:ty $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::needless_lifetimes, clippy::too_many_arguments, clippy::unused_unit)]
        $vis fn $name<$($declared)*>($($arg: $kind),*) -> $out {
            struct Kernel<$($declared)*> {
                $($arg: $kind),*
            }

            impl<$($declared)*> pulp::WithSimd for Kernel<$($used)*> {
                type Output = $out;

                // Not inlined, the body would be compiled for the baseline.
                #[inline(always)]
                fn with_simd<Instructions: pulp::Simd>(self, _: Instructions) -> $out {
                    let Self { $($arg),* } = self;
                    $body
                }
            }

            $crate::ops::arch().dispatch(Kernel::<$($used)*> { $($arg),* })
        }
    };
}
pub(in crate::ops) use vectorised;

/// The values of a contiguous tensor.
pub(in crate::ops) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().unwrap_or_else(|| tensor.storage())
}

/// The tensor with its values in order and nothing else in its buffer. Unlike `to_contiguous` alone it
/// keeps no second handle, so a buffer that nobody else holds can be written to.
pub(in crate::ops) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    let ordered = tensor.to_contiguous();
    drop(tensor);
    ordered
}

/// A tensor of one axis.
pub(in crate::ops) fn vector(values: Vec<f32>) -> FlexTensor {
    let length = values.len();
    FlexTensor::from_data(TensorData::new(values, [length]))
}

/// Replaces the values of a tensor. In its own buffer, when nobody else holds it: `work` finds the values
/// where it writes. Otherwise in a new one, and `work` is given the values.
pub(in crate::ops) fn transform<T>(
    tensor: FlexTensor,
    work: impl FnOnce(Option<&[f32]>, &mut [f32]) -> T,
) -> (FlexTensor, T) {
    let mut tensor = contiguous(tensor);
    if tensor.is_unique() {
        let result = work(None, tensor.storage_mut::<f32>());
        return (tensor, result);
    }
    let shape = tensor.shape();
    let mut out = Buffer::any(shape.num_elements());
    let result = work(Some(values(&tensor)), &mut out);
    (out.into_tensor(shape), result)
}

/// Brings the values from `start` on to the place where they are worked on, unless they are there.
pub(in crate::ops) fn copy_in(source: Option<&[f32]>, start: usize, block: &mut [f32]) {
    if let Some(source) = source {
        block.copy_from_slice(&source[start..start + block.len()]);
    }
}

/// Sum over the lanes.
pub(in crate::ops) fn wide(lanes: &[f32; LANES]) -> f64 {
    lanes.iter().map(|&value| f64::from(value)).sum()
}

vectorised! {
    /// Sum of at most [`BLOCK`] values.
    fn block_sum['a]['a](x: &'a [f32]) -> f64 {
        let mut lanes = [0.0_f32; LANES];
        let (chunks, rest) = x.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += value;
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rest) {
            *lane += value;
        }
        wide(&lanes)
    }
}

/// Sum of any number of values.
pub(in crate::ops) fn sum(x: &[f32]) -> f64 {
    x.chunks(BLOCK).map(block_sum).sum()
}

/// Number of values, their mean, and the sum of their squared differences from it.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::ops) struct Moments {
    pub(in crate::ops) count: f64,
    pub(in crate::ops) mean: f64,
    pub(in crate::ops) squares: f64,
}

impl Moments {
    /// Of `count` values, from the sums of their differences from `centre` and of the squares of these.
    pub(in crate::ops) fn about(centre: f32, count: usize, first: f64, second: f64) -> Self {
        let count = count as f64;
        let squares = second - first * first / count;
        // Rounding may leave a little less than nothing; NaN stays.
        let squares = if squares < 0.0 { 0.0 } else { squares };
        Self { count, mean: f64::from(centre) + first / count, squares }
    }

    /// Of both sets of values together (Chan, Golub and `LeVeque` 1983).
    pub(in crate::ops) fn merge(self, other: Self) -> Self {
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * other.count / count,
            squares: self.squares + other.squares + apart * apart * self.count * other.count / count,
        }
    }

    /// Biased variance; zero for no values.
    pub(in crate::ops) fn variance(&self) -> f64 {
        if self.count == 0.0 { 0.0 } else { self.squares / self.count }
    }
}

vectorised! {
    /// Moments of a run that is not empty and fits into the cache. Its mean is found first, from differences
    /// to one of the values; the squares are taken about it. So nothing cancels however far the values lie
    /// from zero.
    fn block_moments['a]['a](x: &'a [f32]) -> Moments {
        let (chunks, rest) = x.as_chunks::<LANES>();
        let origin = x[0];
        let mut sums = [0.0_f32; LANES];
        for chunk in chunks {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += value - origin;
            }
        }
        for (sum, value) in sums.iter_mut().zip(rest) {
            *sum += value - origin;
        }
        let centre = origin + (wide(&sums) / x.len() as f64) as f32;
        let (mut first, mut second) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for chunk in chunks {
            for ((one, two), value) in first.iter_mut().zip(&mut second).zip(chunk) {
                let apart = value - centre;
                *one += apart;
                *two += apart * apart;
            }
        }
        for ((one, two), value) in first.iter_mut().zip(&mut second).zip(rest) {
            let apart = value - centre;
            *one += apart;
            *two += apart * apart;
        }
        Moments::about(centre, x.len(), wide(&first), wide(&second))
    }
}

/// Moments of any number of values.
pub(in crate::ops) fn moments(x: &[f32]) -> Moments {
    x.chunks(BLOCK).map(block_moments).fold(Moments::default(), Moments::merge)
}

/// One result for each of `planes` runs of `size` values: `part` is given the plane and a range of values
/// inside it, `join` puts the results of a long plane together.
pub(in crate::ops) fn over_planes<T: Send + Default>(
    planes: usize,
    size: usize,
    part: impl Fn(usize, Range<usize>) -> T + Sync,
    join: impl Fn(T, T) -> T + Sync,
) -> Vec<T> {
    (0..planes)
        .into_par_iter()
        .with_min_len((PART / size.max(1)).max(1))
        .map(|plane| {
            let base = plane * size;
            if size <= PART {
                return part(plane, base..base + size);
            }
            let parts: Vec<T> = (0..size.div_ceil(PART))
                .into_par_iter()
                .map(|k| part(plane, base + k * PART..base + size.min((k + 1) * PART)))
                .collect();
            parts.into_iter().reduce(&join).unwrap_or_default()
        })
        .collect()
}

/// [`over_planes`] for planes that are written: `part` is given the plane, the index of the first value,
/// and the values.
pub(in crate::ops) fn over_planes_mut<T: Send>(
    out: &mut [f32],
    size: usize,
    part: impl Fn(usize, usize, &mut [f32]) -> T + Sync,
    join: impl Fn(T, T) -> T + Sync,
) -> Vec<T> {
    if out.is_empty() {
        return Vec::new();
    }
    if size >= PART {
        let planes: Vec<Option<T>> = out
            .par_chunks_exact_mut(size)
            .enumerate()
            .map(|(plane, values)| {
                let parts: Vec<T> = values
                    .par_chunks_mut(PART)
                    .enumerate()
                    .map(|(k, values)| part(plane, plane * size + k * PART, values))
                    .collect();
                parts.into_iter().reduce(&join)
            })
            .collect();
        return planes.into_iter().flatten().collect();
    }
    let group = PART / size;
    let groups: Vec<Vec<T>> = out
        .par_chunks_mut(group * size)
        .enumerate()
        .map(|(g, values)| {
            let planes = values.chunks_exact_mut(size).enumerate();
            planes.map(|(i, values)| part(g * group + i, (g * group + i) * size, values)).collect()
        })
        .collect();
    groups.into_iter().flatten().collect()
}

/// [`over_planes_mut`] without results.
pub(in crate::ops) fn each_plane(out: &mut [f32], size: usize, part: impl Fn(usize, usize, &mut [f32]) + Sync) {
    over_planes_mut(out, size, part, |(), ()| ());
}

/// Rows of one task of a `[rows, columns]` buffer: few enough that single precision sums them well.
pub(in crate::ops) fn rows_of_a_task(columns: usize) -> usize {
    (PART / columns.max(1)).clamp(16, 256)
}

/// Joins results for the same columns, in order.
pub(in crate::ops) fn join_columns<T: Copy + Default>(
    parts: impl IntoIterator<Item = Vec<T>>,
    columns: usize,
    join: impl Fn(T, T) -> T,
) -> Vec<T> {
    let mut total = vec![T::default(); columns];
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total = join(*total, part);
        }
    }
    total
}

/// Sums of two things at once.
pub(in crate::ops) fn add_pairs(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] + b[0], a[1] + b[1]]
}
