//! The two strands of DNA, for networks to which it must not matter which of them they are given.
//!
//! Channels in the order A, C, G, T make a reverse complement of a flip of both axes. A network can be taught that the
//! strands mean the same ([`augment`]), be asked about both ([`average`]), or be built so: with [`both`] in front of
//! its first layer and [`strongest`] or [`mean`] behind its pooling, every filter scans both strands with the same
//! weights, and the output of a sequence is that of its reverse complement. Filters that share their weights with their
//! own reverse complements (Shrikumar, Greenside and Kundaje 2017, *Reverse-complement parameter sharing improves deep
//! learning models for genomics*, bioRxiv 103663) compute the same: a filter that reads the other strand is the reverse
//! complement of the filter on this one. Taking the stronger strand is `DeepBind`'s reverse-complement mode (Alipanahi
//! et al. 2015, supplementary figure 1).
//!
//! Whatever has a direction (RNA, promoters, transcripts) is read as it is given.

use burn::tensor::Tensor;
use nn_core::explain::Rescale;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The other strand of each sequence.
///
/// # Shapes
/// - x and output `[batch, 4, length]`
pub fn reverse_complement(x: Tensor<3>) -> Tensor<3> {
    x.flip([1, 2])
}

/// Turns about half of the rows of one-hot channels into their reverse complements, in place; rows are `4 · length`
/// values each.
///
/// # Panics
/// When `row` is 0.
pub fn augment(values: &mut [f32], row: usize, rng: &mut ChaCha8Rng) {
    for channels in values.chunks_exact_mut(row) {
        if rng.random_bool(0.5) {
            // both axes reversed are all values of the row reversed
            channels.reverse();
        }
    }
}

/// The mean of what a network makes of both strands.
///
/// # Shapes
/// - x `[batch, 4, length]`; output `[batch, outputs]`
pub fn average(network: impl Fn(Tensor<3>) -> Tensor<2>, x: Tensor<3>) -> Tensor<2> {
    let other = network(reverse_complement(x.clone()));
    (network(x) + other) * 0.5
}

/// Both strands as rows of their own, each sequence before its reverse complement.
///
/// # Shapes
/// - x `[batch, 4, length]`; output `[2 batch, 4, length]`
pub fn both(x: Tensor<3>) -> Tensor<3> {
    let [batch, channels, length] = x.dims();
    let strands = Tensor::<3>::stack::<4>(vec![x.clone(), reverse_complement(x)], 1); // [batch, 2, 4, length]
    strands.reshape([2 * batch, channels, length])
}

/// The larger value of the two strands, behind [`both`]; with `rescale` as [`Rescale`] takes maxima.
///
/// # Shapes
/// - x `[2 batch, features]`; output `[batch, features]`
///
/// # Panics
/// When the number of rows is odd.
pub fn strongest(x: Tensor<2>, rescale: Option<&Rescale>) -> Tensor<2> {
    let pairs = pairs(x); // [batch, 2, features]
    match rescale {
        None => pairs.max_dim(1).squeeze_dim(1),
        Some(rescale) => rescale.global_max(pairs.swap_dims(1, 2)),
    }
}

/// The mean of the two strands, behind [`both`].
///
/// # Shapes
/// - x `[2 batch, features]`; output `[batch, features]`
///
/// # Panics
/// When the number of rows is odd.
pub fn mean(x: Tensor<2>) -> Tensor<2> {
    pairs(x).mean_dim(1).squeeze_dim(1)
}

/// # Shapes
/// - x `[2 batch, features]`; output `[batch, 2, features]`
fn pairs(x: Tensor<2>) -> Tensor<3> {
    let [rows, features] = x.dims();
    assert!(rows.is_multiple_of(2), "{rows} rows are not two strands of each sequence");
    x.reshape([rows / 2, 2, features])
}

#[cfg(test)]
mod tests {
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, TensorData};
    use nn_core::data::rng;
    use nn_core::ops;

    use super::*;
    use crate::sequence::{self, Unknown, one_hot};

    const SEQUENCES: [&[u8]; 3] = [b"ACGTNACCGT", b"TTTTTAARYC", b"GATTACAGAT"];

    fn channels(sequences: &[&[u8]]) -> Tensor<3> {
        let values = one_hot(sequences, 10, Unknown::Quarter);
        Tensor::from_data(TensorData::new(values, [sequences.len(), 4, 10]), &Device::flex())
    }

    fn others() -> Vec<Vec<u8>> {
        SEQUENCES.iter().map(|sequence| sequence::reverse_complement(sequence)).collect()
    }

    fn views(sequences: &[Vec<u8>]) -> Vec<&[u8]> {
        sequences.iter().map(Vec::as_slice).collect()
    }

    fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn flipped_channels_are_those_of_the_other_strand() {
        let others = others();
        let expected = values(channels(&views(&others)));
        assert_eq!(values(reverse_complement(channels(&SEQUENCES))), expected);
        let mut turned = values(channels(&SEQUENCES));
        turned.chunks_exact_mut(40).for_each(<[f32]>::reverse);
        assert_eq!(turned, expected);
    }

    #[test]
    fn augmented_rows_are_one_strand_or_the_other() {
        let (these, others) = (values(channels(&SEQUENCES)), others());
        let others = values(channels(&views(&others)));
        let mut turned = [0_usize; 3];
        for draw in 0..200 {
            let mut found = these.clone();
            augment(&mut found, 40, &mut rng(5, &[draw]));
            for (row, count) in turned.iter_mut().enumerate() {
                let at = row * 40..(row + 1) * 40;
                let other = found[at.clone()] == others[at.clone()];
                assert!(other || found[at.clone()] == these[at]);
                *count += usize::from(other);
            }
        }
        // 200 draws of 1/2: the standard deviation is 7
        assert!(turned.iter().all(|count| (70..=130).contains(count)), "{turned:?}");
    }

    /// A filter on the other strand is its reverse complement on this one, found from the other end.
    #[test]
    fn a_scan_of_both_strands_is_a_scan_with_both_filters() {
        let device = Device::flex();
        let weight: Vec<f32> = (0..2 * 4 * 3).map(|i| ((i * 7 % 11) as f32 - 5.0) / 4.0).collect();
        let weight = Tensor::<3>::from_data(TensorData::new(weight, [2, 4, 3]), &device);
        let scan = |x: Tensor<3>, weight: Tensor<3>| ops::conv(x, weight, None, ConvOptions::new([1], [0], [1], 1));
        let x = channels(&SEQUENCES);
        let found = strongest(ops::global_max_pool(scan(both(x.clone()), weight.clone())), None);
        let this = ops::global_max_pool(scan(x.clone(), weight.clone()));
        let other = ops::global_max_pool(scan(x, weight.flip([1, 2])));
        let expected: Vec<f32> = values(this).iter().zip(&values(other)).map(|(a, b)| a.max(*b)).collect();
        assert_eq!(values(found), expected);
    }

    #[test]
    fn strands_are_joined_row_by_row() {
        let device = Device::flex();
        let x = Tensor::<2>::from_floats([[1.0, 5.0], [3.0, 2.0], [-1.0, 0.0], [-2.0, 4.0]], &device);
        assert_eq!(values(strongest(x.clone(), None)), [3.0, 5.0, -1.0, 4.0]);
        assert_eq!(values(strongest(x.clone(), Some(&Rescale::off()))), [3.0, 5.0, -1.0, 4.0]);
        assert_eq!(values(mean(x)), [2.0, 3.5, -1.5, 2.0]);
        let rows = values(both(channels(&SEQUENCES)));
        assert_eq!(rows[..40], values(channels(&SEQUENCES[..1]))[..]);
        assert_eq!(rows[40..80], values(channels(&views(&others()[..1])))[..]);
    }

    #[test]
    fn an_average_does_not_know_the_strand() {
        let net = |x: Tensor<3>| x.narrow(2, 0, 4).sum_dim(2).squeeze_dim::<2>(2).powi_scalar(2); // [batch, 4]
        let x = channels(&SEQUENCES);
        let (these, others) = (average(net, x.clone()), average(net, reverse_complement(x.clone())));
        assert_eq!(values(these.clone()), values(others));
        assert_ne!(values(these), values(net(x)));
    }
}
